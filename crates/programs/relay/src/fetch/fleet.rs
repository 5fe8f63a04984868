//! Which hosts and cameras there are: the decisions about directories.
//!
//! Every 30 s, and at once when there is a connection, all hosts are asked who they are, and those
//! that say something new what they share; hosts that are named are asked that themselves. A camera
//! is there when its host's directory lists it, and goes when that has not listed it for a minute.
//! A host that has been silent for three rounds is unreachable; its cameras stay for an hour. What
//! is named without a `*` stays for good.

mod host;
mod meant;
mod silence;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use self::host::Host;
use super::post::Letter;
use crate::pattern::Pattern;
use crate::wire::{Asker, Directory, FarCamera, HostName, Presence, Request, RequestId};
use crate::wire::{Subject, SubjectTag};

/// How often it is asked.
const ROUND: Duration = Duration::from_secs(30);

/// So many rounds without an answer are silence.
const SILENCE: u32 = 3;

/// How long there may be no connection to the broker before hosts count as silent: it is made anew
/// within seconds where that goes.
const CUT_STAYS: Duration = Duration::from_secs(10);

/// When it is asked again after a connection has come, from one time to the next: hosts may be
/// about to come, too, and a host that shares anew listens for half a second before it answers.
const EARLY: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// How many hosts are known of at most, whoever says that they are there.
const MAX_HOSTS: usize = 5_000;

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A camera is there.
    Come(FarCamera),
    /// It is there no more.
    Gone(FarCamera),
    /// A host has been silent since then.
    Silent(HostName, Instant),
    /// The same of all hosts: there has been no connection to the broker since then.
    Cut(HostName, Instant),
    /// One that was silent answers again.
    Back(HostName),
    /// One that never was has answered.
    Heard(HostName),
    /// So many cameras are not fetched, for there are more than may be.
    TooMany(usize),
}

/// A camera that is fetched.
#[derive(Debug)]
struct Have {
    /// Since when its host lists it no more.
    unlisted: Option<Instant>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Fleet {
    asker: Asker,
    patterns: Vec<Pattern>,
    max_cameras: usize,
    /// Those that are named.
    named: BTreeSet<FarCamera>,
    named_hosts: BTreeSet<HostName>,
    /// Hosts are to be looked for.
    looks_around: bool,
    hosts: BTreeMap<HostName, Host>,
    /// Those that may have said something new.
    with_news: BTreeSet<HostName>,
    cameras: BTreeMap<FarCamera, Have>,
    number: u64,
    /// The number of the last question to all.
    round: u64,
    next_round: Option<Instant>,
    /// When all are asked before that, and how often they were since the connection came. It says
    /// nothing of who is silent.
    next_early: Option<(Instant, usize)>,
    /// Since when there has been no connection, and whether that was told.
    cut: Option<(Instant, bool)>,
    /// How many cameras were left out, and how many of those that are named.
    left_out: usize,
    named_left_out: usize,
    /// How many were said to be.
    told_left_out: usize,
    news: Vec<News>,
}

impl Fleet {
    /// Begins with the cameras that are named, and nothing else known.
    pub(super) fn new(asker: Asker, patterns: Vec<Pattern>, max_cameras: usize) -> Self {
        let mut fleet = Self {
            asker,
            patterns: Vec::new(),
            max_cameras,
            named_hosts: BTreeSet::new(),
            looks_around: false,
            hosts: BTreeMap::new(),
            with_news: BTreeSet::new(),
            cameras: BTreeMap::new(),
            number: 0,
            round: 0,
            next_round: None,
            next_early: None,
            cut: None,
            left_out: 0,
            named_left_out: 0,
            told_left_out: 0,
            news: Vec::new(),
            named: BTreeSet::new(),
        };
        fleet.mean(patterns);
        fleet
    }

    /// There is a connection to the broker: all is asked anew at once.
    pub(super) fn connected(&mut self, now: Instant) {
        for host in self.hosts.values_mut() {
            host.asked = None;
            // What was before is not its fault. One that was told of is until it answers.
            host.heard = Some(now);
            if host.silent <= SILENCE {
                host.silent = 0;
            }
        }
        self.cut = None;
        self.next_round = Some(now);
        self.next_early = Some((now + EARLY[0], 0));
    }

    /// There is none.
    pub(super) fn disconnected(&mut self, now: Instant) {
        self.next_round = None;
        self.next_early = None;
        self.cut.get_or_insert((now, false));
    }

    /// When to call [`Fleet::next`] although nothing has happened.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let cut = self.cut.filter(|(_, is_told)| !is_told);
        let cut = cut.map(|(since, _)| since + CUT_STAYS);
        let early = self.next_early.map(|(at, _)| at);
        self.next_round.into_iter().chain(early).chain(cut).min()
    }

    /// Gives what is to be asked now, of all hosts ([`Subject::Hosts`]) or of one.
    pub(super) fn next(&mut self, now: Instant) -> Vec<Letter> {
        let mut questions = Vec::new();
        if let Some((since, is_told @ false)) = &mut self.cut
            && now >= *since + CUT_STAYS
        {
            *is_told = true;
            let since = *since;
            for (name, host) in &mut self.hosts {
                if host.silent <= SILENCE {
                    host.silent = SILENCE + 1;
                    self.news.push(News::Cut(name.clone(), since));
                }
            }
        }
        let is_early = self.take_early(now);
        let is_round = self.next_round.is_some_and(|at| at <= now);
        if is_round {
            self.next_round = Some(now + ROUND);
            self.count_silence(now);
            self.let_go(now);
            self.tell_left_out();
        }
        if is_round || is_early {
            if self.looks_around {
                self.round = self.number + 1;
                questions.push(self.question(Subject::Hosts));
            }
            for host in self.named_hosts.clone() {
                questions.push(self.ask_host(&host));
            }
        }
        for host in std::mem::take(&mut self.with_news) {
            if self.hosts.get(&host).is_some_and(Host::is_to_be_asked) {
                questions.push(self.ask_host(&host));
            }
        }
        questions
    }

    /// Says whether all are to be asked before their round comes.
    fn take_early(&mut self, now: Instant) -> bool {
        let Some((_, count)) = self.next_early.filter(|(at, _)| *at <= now) else {
            return false;
        };
        let pause = EARLY.get(count + 1);
        self.next_early = pause.map(|pause| (now + *pause, count + 1));
        true
    }

    /// Gives what has changed, so much at once.
    pub(super) fn take_news(&mut self, most: usize) -> Vec<News> {
        let count = most.min(self.news.len());
        self.news.drain(..count).collect()
    }

    /// Says whether there is more to be told.
    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// A host says that it is there.
    pub(super) fn presence(&mut self, now: Instant, presence: &Presence) {
        let is_answer = presence.id.asker == self.asker
            && presence.id.subject == SubjectTag::of(&Subject::Hosts)
            && presence.id.number == self.round;
        let is_meant = |pattern: &Pattern| pattern.matches_host(&presence.host);
        if !is_answer || !self.patterns.iter().any(is_meant) {
            return;
        }
        if !self.hosts.contains_key(&presence.host) && self.hosts.len() >= MAX_HOSTS {
            return;
        }
        let host = self.hosts.entry(presence.host.clone()).or_default();
        // One answer to each question, so that who says it again and again is nobody's work.
        if std::mem::replace(&mut host.answered, self.round) == self.round {
            return;
        }
        host.claimed = Some((presence.instance, presence.revision));
        if host.listed_at == host.claimed {
            self.heard(now, &presence.host);
        } else {
            self.with_news.insert(presence.host.clone());
        }
    }

    /// A host says what it shares.
    pub(super) fn directory(&mut self, now: Instant, directory: Directory) {
        let subject = Subject::Host(directory.host.clone());
        let is_own =
            directory.id.asker == self.asker && directory.id.subject == SubjectTag::of(&subject);
        let Some(host) = self.hosts.get_mut(&directory.host).filter(|_| is_own) else {
            return;
        };
        // One answer to each request: a second host of this name has to wait for its turn.
        let Some((_, claimed)) = host.asked.take_if(|asked| asked.0 == directory.id.number) else {
            return;
        };
        host.listed_at = claimed;
        if host.is_to_be_asked() {
            self.with_news.insert(directory.host.clone());
        }
        let far = |camera| FarCamera {
            host: directory.host.clone(),
            camera,
        };
        let all = directory.cameras.into_iter().map(far);
        let is_meant = |far: &FarCamera| self.patterns.iter().any(|it| it.matches(far));
        let listed: BTreeSet<_> = all.filter(is_meant).collect();
        for (camera, have) in &mut self.cameras {
            if camera.host == directory.host {
                have.unlisted = (!listed.contains(camera)).then(|| have.unlisted.unwrap_or(now));
            }
        }
        self.heard(now, &directory.host);
        let left_out = self.add(listed);
        if let Some(host) = self.hosts.get_mut(&directory.host) {
            host.left_out = left_out;
        }
        self.count_left_out();
    }

    /// Nobody answers for a host.
    pub(super) fn nobody_answers(&mut self, id: RequestId) {
        for host in self.hosts.values_mut() {
            host.asked.take_if(|asked| asked.0 == id.number);
        }
    }

    /// Cameras that are fetched, of a host.
    pub(super) fn cameras_of<'a>(
        &'a self,
        host: &'a HostName,
    ) -> impl Iterator<Item = &'a FarCamera> {
        self.cameras.keys().filter(move |far| far.host == *host)
    }

    fn heard(&mut self, now: Instant, name: &HostName) {
        let host = self.hosts.entry(name.clone()).or_default();
        host.heard = Some(now);
        let was_silent = std::mem::take(&mut host.silent) > SILENCE;
        self.news.push(match was_silent {
            true => News::Back(name.clone()),
            false => News::Heard(name.clone()),
        });
    }

    fn ask_host(&mut self, name: &HostName) -> Letter {
        let question = self.question(Subject::Host(name.clone()));
        let number = question.request.id.number;
        let host = self.hosts.entry(name.clone()).or_default();
        host.asked = Some((number, host.claimed));
        question
    }

    fn question(&mut self, subject: Subject) -> Letter {
        self.number += 1;
        let id = RequestId {
            asker: self.asker,
            subject: SubjectTag::of(&subject),
            number: self.number,
        };
        let request = Request::question(id);
        Letter { subject, request }
    }
}

#[cfg(test)]
mod tests;
