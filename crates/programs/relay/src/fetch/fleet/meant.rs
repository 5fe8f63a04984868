//! Which cameras are meant, and how many of them there is room for.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{EARLY, Fleet, Have, News};
use crate::pattern::Pattern;
use crate::wire::{FarCamera, HostName};

impl Fleet {
    /// Fetches what these patterns mean, and that many at most. What is not among it goes, and all
    /// are asked anew what they share.
    pub(in crate::fetch) fn reconfigure(
        &mut self,
        now: Instant,
        patterns: Vec<Pattern>,
        max_cameras: usize,
    ) {
        self.max_cameras = max_cameras;
        let mut gone: Vec<_> = self.cameras.keys().cloned().collect();
        gone.retain(|far| !patterns.iter().any(|pattern| pattern.matches(far)));
        for far in gone {
            self.let_go_of(far);
        }
        while self.cameras.len() > max_cameras
            && let Some((far, _)) = self.cameras.last_key_value()
        {
            let far = far.clone();
            self.let_go_of(far);
        }
        let is_meant = |host: &HostName| patterns.iter().any(|it| it.matches_host(host));
        self.hosts.retain(|name, _| is_meant(name));
        for host in self.hosts.values_mut() {
            (host.asked, host.listed_at, host.left_out) = (None, None, 0);
        }
        self.mean(patterns);
        if self.next_round.is_some() {
            self.next_early = Some((now, EARLY.len()));
        }
    }

    /// Means other cameras than before: those that are named are there at once.
    pub(super) fn mean(&mut self, patterns: Vec<Pattern>) {
        self.named = patterns.iter().filter_map(Pattern::camera).collect();
        self.named_hosts = patterns.iter().filter_map(Pattern::host).collect();
        self.looks_around = patterns.iter().any(|pattern| pattern.host().is_none());
        self.patterns = patterns;
        self.named_left_out = self.add(self.named.clone());
        self.count_left_out();
        for host in self.named_hosts.clone() {
            self.hosts.entry(host).or_default();
        }
    }

    fn let_go_of(&mut self, far: FarCamera) {
        self.cameras.remove(&far);
        self.news.push(News::Gone(far));
    }

    /// Takes these, as far as there is room, and gives for how many there is none.
    pub(super) fn add(&mut self, listed: BTreeSet<FarCamera>) -> usize {
        let mut left_out = 0;
        for camera in listed {
            if self.cameras.contains_key(&camera) {
                continue;
            }
            if self.cameras.len() >= self.max_cameras {
                left_out += 1;
                continue;
            }
            self.news.push(News::Come(camera.clone()));
            self.cameras.insert(camera, Have { unlisted: None });
        }
        left_out
    }

    /// Counts those that are left out.
    pub(super) fn count_left_out(&mut self) {
        let left_out = self.hosts.values().map(|host| host.left_out).sum();
        // Hosts may list those that are named, too.
        self.left_out = self.named_left_out.max(left_out);
        if self.told_left_out == 0 {
            self.tell_left_out();
        }
    }

    /// Says how many they are, where that is news. Hosts list theirs one after the other: the next
    /// number is that of the next round.
    pub(super) fn tell_left_out(&mut self) {
        if self.left_out > 0 && self.left_out != self.told_left_out {
            self.news.push(News::TooMany(self.left_out));
        }
        self.told_left_out = self.left_out;
    }
}
