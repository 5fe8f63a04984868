//! Which looks there are, when each is over, and which lines tell of them: from events and times.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::time::{Duration, Instant};

use eyelid_slot::CameraName;

use crate::line::{Line, Sent, Told};
use crate::line_budget::LineBudget;
use crate::looker::{Looker, Way};

/// How long after its last client, or its last snapshot, a look is over. A camera stays awake for
/// as long, where nothing else is configured (`linger`): who comes back within it has never let it
/// sleep.
pub(crate) const OVER_AFTER: Duration = Duration::from_secs(15);

/// How many looks are remembered that have no client now: those of strangers who ask from ever new
/// addresses. The others are as many as there are clients.
const MOST_QUIET: usize = 1000;

/// All looks that are not over.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    looks: HashMap<Looker, Look>,
    /// How many of each camera have begun.
    counts: BTreeMap<CameraName, u64>,
    budget: LineBudget,
}

/// A look that is not over.
#[derive(Debug)]
struct Look {
    way: Way,
    began: Instant,
    /// Its beginning was told of, or there was no line left for it.
    is_told: bool,
    /// How many clients it has now: streams and sessions.
    clients: usize,
    /// When the last of them left, or the last snapshot was taken.
    last: Instant,
    /// What went to those that have left.
    sent: Sent,
}

/// A look as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookNow {
    /// Who looks.
    pub looker: Looker,
    /// How.
    pub way: Way,
    /// How long ago it began.
    pub began_ago: Duration,
    /// How many streams and sessions it has; none between snapshots, and until it is over.
    pub clients: usize,
}

impl Ledger {
    /// A client gets its first frame. Gives the line about the look, if it begins with that.
    pub(crate) fn enter(&mut self, looker: &Looker, way: Way, now: Instant) -> Option<Line> {
        let look = self.join(looker, way, now);
        look.clients += 1;
        self.tell_beginning(looker, now)
    }

    /// A client leaves to which this went. Gives a line about another look, where that has to make
    /// room.
    pub(crate) fn leave(&mut self, looker: &Looker, sent: Sent, now: Instant) -> Option<Line> {
        let look = self.looks.get_mut(looker)?;
        look.clients = look.clients.saturating_sub(1);
        look.last = now;
        look.sent.add(sent);
        self.make_room(now)
    }

    /// Somebody gets a single frame of so many bytes. A look of nothing else is told of when it is
    /// over, in one line; if it lasts, then also that it has begun.
    pub(crate) fn snapshot(&mut self, looker: &Looker, bytes: u64, now: Instant) -> Vec<Line> {
        let look = self.join(looker, Way::Snapshot, now);
        look.sent.add(Sent { frames: 1, bytes });
        let lasts = now.saturating_duration_since(look.began) >= OVER_AFTER;
        let beginning = lasts.then(|| self.tell_beginning(looker, now)).flatten();
        beginning.into_iter().chain(self.make_room(now)).collect()
    }

    /// Gives the lines about looks that are over by now.
    pub(crate) fn over(&mut self, now: Instant) -> Vec<Line> {
        let is_over = |look: &Look| now.saturating_duration_since(look.last) >= OVER_AFTER;
        let over = self.quiet().filter(|(_, look)| is_over(look));
        let mut over: Vec<_> = over
            .map(|(looker, look)| (look.last, looker.clone()))
            .collect();
        over.sort_by_key(|(last, _)| *last);
        let lines = over.iter().filter_map(|(_, looker)| self.end(looker, now));
        lines.collect()
    }

    /// When the next look may be over, if any has no client. One that has none later is over later.
    pub(crate) fn due(&self) -> Option<Instant> {
        let ends = self.quiet().map(|(_, look)| look.last + OVER_AFTER);
        ends.min()
    }

    /// The program ends. Gives the lines about all looks.
    pub(crate) fn end_all(&mut self, now: Instant) -> Vec<Line> {
        for look in self.looks.values_mut().filter(|look| look.clients > 0) {
            look.last = now;
        }
        let all = self.now(now).into_iter();
        let lines = all.filter_map(|look| self.end(&look.looker, now));
        lines.collect()
    }

    /// The looks that there are, the oldest first.
    pub(crate) fn now(&self, now: Instant) -> Vec<LookNow> {
        let all = self.looks.iter().map(|(looker, look)| LookNow {
            looker: looker.clone(),
            way: look.way,
            began_ago: now.saturating_duration_since(look.began),
            clients: look.clients,
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|look| std::cmp::Reverse(look.began_ago));
        all
    }

    /// How many looks at each camera have begun that has had any.
    pub(crate) fn counts(&self) -> &BTreeMap<CameraName, u64> {
        &self.counts
    }

    fn join(&mut self, looker: &Looker, way: Way, now: Instant) -> &mut Look {
        if !self.looks.contains_key(looker) {
            *self.counts.entry(looker.camera.clone()).or_default() += 1;
        }
        let look = self.looks.entry(looker.clone()).or_insert(Look {
            way,
            began: now,
            is_told: false,
            clients: 0,
            last: now,
            sent: Sent::default(),
        });
        look.way = look.way.max(way);
        look.last = now;
        look
    }

    fn tell_beginning(&mut self, looker: &Looker, now: Instant) -> Option<Line> {
        let look = self.looks.get_mut(looker)?;
        if mem::replace(&mut look.is_told, true) {
            return None;
        }
        let way = look.way;
        self.line(looker.clone(), way, Told::Began, now)
    }

    /// Ends the look that has had no client for longest, where too many have none.
    fn make_room(&mut self, now: Instant) -> Option<Line> {
        // Most often there are too few looks for that, whatever clients they have.
        if self.looks.len() <= MOST_QUIET || self.quiet().count() <= MOST_QUIET {
            return None;
        }
        let (looker, _) = self.quiet().min_by_key(|(_, look)| look.last)?;
        let looker = looker.clone();
        self.end(&looker, now)
    }

    fn end(&mut self, looker: &Looker, now: Instant) -> Option<Line> {
        let (looker, look) = self.looks.remove_entry(looker)?;
        let told = Told::Ended {
            lasted: look.last.saturating_duration_since(look.began),
            sent: look.sent,
        };
        self.line(looker, look.way, told, now)
    }

    fn line(&mut self, looker: Looker, way: Way, told: Told, now: Instant) -> Option<Line> {
        let left_out = self.budget.take(now)?;
        Some(Line {
            looker,
            way,
            told,
            left_out,
        })
    }

    /// Those that have no client now.
    fn quiet(&self) -> impl Iterator<Item = (&Looker, &Look)> {
        self.looks.iter().filter(|(_, look)| look.clients == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger whose clock goes on by itself.
    struct Scene {
        ledger: Ledger,
        now: Instant,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                ledger: Ledger::default(),
                now: Instant::now(),
            }
        }

        /// Lets so many seconds pass. Gives what was said meanwhile, as the task says it that waits
        /// for `due`.
        fn pass(&mut self, seconds: f64) -> Vec<String> {
            let end = self.now + Duration::from_secs_f64(seconds);
            let mut said = Vec::new();
            while let Some(due) = self.ledger.due().filter(|due| *due <= end) {
                self.now = self.now.max(due);
                said.extend(self.ledger.over(self.now));
            }
            self.now = end;
            words(said)
        }

        fn enter(&mut self, looker: &Looker) -> Vec<String> {
            words(self.ledger.enter(looker, Way::Stream, self.now))
        }

        fn leave(&mut self, looker: &Looker, frames: u64, bytes: u64) -> Vec<String> {
            words(self.ledger.leave(looker, Sent { frames, bytes }, self.now))
        }

        fn snapshot(&mut self, looker: &Looker) -> Vec<String> {
            words(self.ledger.snapshot(looker, 100, self.now))
        }
    }

    fn words(lines: impl IntoIterator<Item = Line>) -> Vec<String> {
        lines.into_iter().map(|line| line.to_string()).collect()
    }

    fn at(address: &str) -> Looker {
        Looker {
            camera: "door".parse().unwrap(),
            user: None,
            address: address.into(),
            proxy: None,
        }
    }

    const NOTHING: [&str; 0] = [];

    #[test]
    fn a_stream_is_told_of_when_it_begins_and_when_its_client_has_not_come_back() {
        let (mut scene, a) = (Scene::new(), at("a"));
        assert_eq!(scene.enter(&a), [r#"a looks at camera "door" by MJPEG"#]);
        assert_eq!(scene.pass(3600.0), NOTHING);
        assert_eq!(scene.leave(&a, 90_000, 7), NOTHING);
        assert_eq!(scene.pass(14.9), NOTHING);
        let ended = r#"a looked at camera "door" by MJPEG: 90000 frames, 7 bytes in 3600.0 s"#;
        assert_eq!(scene.pass(0.1), [ended]);
        assert!(scene.ledger.looks.is_empty());
        assert_eq!(scene.ledger.due(), None);
    }

    #[test]
    fn who_reconnects_again_and_again_looks_once() {
        let (mut scene, a) = (Scene::new(), at("a"));
        assert_eq!(scene.enter(&a).len(), 1);
        for _ in 0..1000 {
            assert_eq!(scene.leave(&a, 1, 10), NOTHING);
            assert_eq!(scene.pass(14.0), NOTHING);
            assert_eq!(scene.enter(&a), NOTHING);
        }
        scene.leave(&a, 1, 10);
        let ended = r#"a looked at camera "door" by MJPEG: 1001 frames, 10010 bytes in 14000.0 s"#;
        assert_eq!(scene.pass(20.0), [ended]);
        assert_eq!(scene.ledger.counts()[&a.camera], 1);
    }

    #[test]
    fn two_windows_are_one_look_until_both_are_closed() {
        let (mut scene, a) = (Scene::new(), at("a"));
        scene.enter(&a);
        assert_eq!(scene.enter(&a), NOTHING);
        assert_eq!(scene.ledger.now(scene.now)[0].clients, 2);
        scene.leave(&a, 5, 50);
        assert_eq!(scene.pass(100.0), NOTHING);
        scene.leave(&a, 1000, 10_000);
        let ended = r#"a looked at camera "door" by MJPEG: 1005 frames, 10050 bytes in 100.0 s"#;
        assert_eq!(scene.pass(15.0), [ended]);
    }

    #[test]
    fn a_snapshot_is_one_line() {
        let (mut scene, a) = (Scene::new(), at("a"));
        assert_eq!(scene.snapshot(&a), NOTHING);
        let ended = r#"a looked at camera "door" by snapshots: 1 frame, 100 bytes in 0.0 s"#;
        assert_eq!(scene.pass(15.0), [ended]);
    }

    #[test]
    fn who_polls_snapshots_for_long_is_told_of_before_it_ends() {
        let (mut scene, a) = (Scene::new(), at("a"));
        let mut said = Vec::new();
        for _ in 0..100 {
            said.extend(scene.snapshot(&a));
            said.extend(scene.pass(10.0));
        }
        assert_eq!(said, [r#"a looks at camera "door" by snapshots"#]);
        let ended = r#"a looked at camera "door" by snapshots: 100 frames, 10000 bytes in 990.0 s"#;
        assert_eq!(scene.pass(15.0), [ended]);
    }

    #[test]
    fn a_snapshot_beside_a_stream_is_part_of_that_look() {
        let (mut scene, a) = (Scene::new(), at("a"));
        scene.snapshot(&a);
        scene.pass(5.0);
        assert_eq!(scene.enter(&a), [r#"a looks at camera "door" by MJPEG"#]);
        scene.pass(30.0);
        assert_eq!(scene.snapshot(&a), NOTHING);
        scene.leave(&a, 9, 900);
        let ended = r#"a looked at camera "door" by MJPEG: 11 frames, 1100 bytes in 35.0 s"#;
        assert_eq!(scene.pass(15.0), [ended]);
    }

    #[test]
    fn another_camera_user_address_or_proxy_is_another_look() {
        let mut scene = Scene::new();
        let a = at("a");
        let others = [
            Looker {
                camera: "attic".parse().unwrap(),
                ..a.clone()
            },
            Looker {
                user: Some("anna".into()),
                ..a.clone()
            },
            at("b"),
            Looker {
                proxy: Some("127.0.0.1".into()),
                ..a.clone()
            },
        ];
        scene.enter(&a);
        scene.pass(1.0);
        for other in &others {
            assert_eq!(scene.enter(other).len(), 1, "{other:?}");
        }
        let now = scene.ledger.now(scene.now);
        assert_eq!((now.len(), &now[0].looker), (5, &a), "the oldest first");
        assert_eq!(now[0].began_ago, Duration::from_secs(1));
        let counts: Vec<_> = scene.ledger.counts().values().collect();
        assert_eq!(counts, [&1, &4]);
    }

    #[test]
    fn looks_end_with_the_program() {
        let (mut scene, a, b) = (Scene::new(), at("a"), at("b"));
        scene.enter(&a);
        scene.pass(10.0);
        scene.snapshot(&b);
        scene.pass(5.0);
        let ended = [
            r#"a looked at camera "door" by MJPEG: 0 frames, 0 bytes in 15.0 s"#,
            r#"b looked at camera "door" by snapshots: 1 frame, 100 bytes in 0.0 s"#,
        ];
        assert_eq!(words(scene.ledger.end_all(scene.now)), ended);
        // A client that leaves after that has nobody to tell of it.
        assert_eq!(scene.leave(&a, 1, 1), NOTHING);
        assert_eq!(scene.ledger.due(), None);
    }

    #[test]
    fn strangers_of_ever_new_addresses_take_no_more_room_and_hide_nobody_who_looks() {
        let (mut scene, a) = (Scene::new(), at("a"));
        scene.enter(&a);
        let mut said = 0;
        for number in 0..3 * MOST_QUIET {
            said += scene.snapshot(&at(&format!("stranger {number}"))).len();
            scene.now += Duration::from_millis(1);
            assert!(scene.ledger.looks.len() <= MOST_QUIET + 1);
        }
        // The one that was quiet for longest is over before its time.
        let remembered = |number: usize| {
            let looker = at(&format!("stranger {number}"));
            scene.ledger.looks.contains_key(&looker)
        };
        assert!(!remembered(2 * MOST_QUIET - 1) && remembered(2 * MOST_QUIET));
        assert!(scene.ledger.looks.contains_key(&a));
        assert!((200..300).contains(&said), "{said} lines");
        scene.leave(&a, 1, 1);
        // What was left out is told with the next line that is not.
        let next = scene.pass(60.0);
        assert!(next[0].contains("other looks were left out"), "{next:?}");
    }
}
