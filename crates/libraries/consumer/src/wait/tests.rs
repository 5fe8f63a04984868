//! Clients of one slot on given times: what they are to do when this is known of it.

use std::time::SystemTime;

use eyelid_slot::{Phase, State};

use super::*;
use crate::Position;

const TIMEOUT: Duration = Duration::from_secs(4);
const MAX_AGE: Duration = Duration::from_secs(2);
const DEADLINE: Deadline = Deadline {
    timeout: TIMEOUT,
    max_age: MAX_AGE,
};
const INTERVAL: Duration = Duration::from_millis(40);
const MOMENT: Duration = Duration::from_millis(1);
const HOURS: Duration = Duration::from_secs(3 * 3600);

/// A slot that is watched by inotify, and the clocks by which its clients wait.
struct Slot {
    tracker: Tracker,
    now: Now,
    /// A frame that can be read lies in it.
    has_frame: bool,
}

impl Slot {
    fn watched() -> Self {
        let mut slot = Self::polled();
        slot.tracker.anything_changed(Watching::Inotify);
        slot
    }

    fn polled() -> Self {
        let now = Now {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        };
        let mut slot = Self {
            tracker: Tracker::default(),
            now,
            has_frame: false,
        };
        slot.says(Phase::Awake, Some(1.0 / INTERVAL.as_secs_f64()));
        slot
    }

    fn says(&mut self, phase: Phase, fps: Option<f64>) {
        let state = State {
            fps,
            ..State::new(phase, self.now.wall)
        };
        self.tracker.state_changed(Some(&state));
    }

    fn pass(&mut self, time: Duration) {
        self.now.monotonic += time;
        self.now.wall += time;
    }

    /// Somebody reads the frame that lies there.
    fn read(&mut self, captured: SystemTime) {
        self.has_frame = true;
        self.tracker.looked();
        self.tracker.read(captured);
    }

    /// A frame comes, is heard of and read.
    fn frame_comes(&mut self, captured: SystemTime) {
        self.tracker.frame_arrived(self.now.monotonic);
        self.read(captured);
    }

    fn client(&self, freshness: Freshness) -> Wait {
        Wait::new(None, freshness, DEADLINE, self.now.monotonic)
    }

    fn stream(&self, seen: Position) -> Wait {
        self.client(Freshness::NewerThan(seen))
    }

    fn snapshot(&self) -> Wait {
        self.client(Freshness::CapturedSince(self.now.wall))
    }

    fn step(&mut self, client: &mut Wait) -> Step {
        let frame = self.tracker.newest().filter(|_| self.has_frame);
        client.step(&mut self.tracker, frame, self.now)
    }

    fn newest(&self) -> Position {
        let newest = self.tracker.newest().unwrap();
        Position::at(None, newest.number, newest.captured)
    }

    /// Makes the wish now and looks again at this time from now.
    #[track_caller]
    fn assert_wishes(&mut self, client: &mut Wait, pause: Duration) {
        let until = self.now.monotonic + pause;
        assert_eq!(self.step(client), Step::Wait(Wish::Now, until));
    }

    /// Waits without a wish, and looks again at this time from now.
    #[track_caller]
    fn assert_waits(&mut self, client: &mut Wait, pause: Duration) {
        match self.step(client) {
            Step::Wait(Wish::Made(_), until) => assert_eq!(until - self.now.monotonic, pause),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_frame_that_comes_is_used_at_once() {
    let mut slot = Slot::watched();
    let (mut stream, mut snapshot) = (slot.stream(Position::default()), slot.snapshot());
    slot.assert_wishes(&mut stream, ANSWER);
    slot.assert_waits(&mut snapshot, ANSWER);
    slot.pass(INTERVAL);
    slot.frame_comes(slot.now.wall - MOMENT);
    assert_eq!(slot.step(&mut stream), Step::Use);
    assert_eq!(slot.step(&mut snapshot), Step::Use);
}

/// What a first client adds to the producer's time: nothing. Its wish is made with its first look,
/// so the producer has a newer frame within one interval and its encoding; and that is used when it
/// comes.
#[test]
fn a_newer_frame_is_used_one_interval_and_its_encoding_after_one_open() {
    const ENCODING: Duration = Duration::from_millis(7);
    for phase in 0..40 {
        let mut slot = Slot::watched();
        slot.read(slot.now.wall - MAX_AGE / 2);
        let mut stream = slot.stream(Position::default());
        slot.assert_wishes(&mut stream, ANSWER);
        // The camera captures in any phase to the opening.
        slot.pass(MOMENT * phase);
        let captured = slot.now.wall;
        slot.pass(ENCODING);
        slot.frame_comes(captured);
        assert_eq!(slot.step(&mut stream), Step::Use, "{phase} ms");
    }
}

#[test]
fn a_frame_that_lay_there_is_used_when_the_producer_had_time_for_a_newer_one() {
    let mut slot = Slot::watched();
    slot.read(slot.now.wall - INTERVAL);
    let mut stream = slot.stream(Position::default());
    slot.assert_wishes(&mut stream, ANSWER);
    slot.pass(ANSWER - MOMENT);
    slot.assert_waits(&mut stream, MOMENT);
    slot.pass(MOMENT);
    assert_eq!(slot.step(&mut stream), Step::Use);
}

#[test]
fn a_frame_that_came_within_its_interval_is_the_newest() {
    let mut slot = Slot::watched();
    slot.frame_comes(slot.now.wall);
    slot.pass(INTERVAL);
    let mut stream = slot.stream(Position::default());
    assert_eq!(slot.step(&mut stream), Step::Use);
    slot.pass(MOMENT);
    let mut stream = slot.stream(Position::default());
    slot.assert_wishes(&mut stream, ANSWER);
}

#[test]
fn a_stream_is_shown_no_old_frame_and_a_snapshot_none_from_before_its_request() {
    let mut slot = Slot::watched();
    slot.read(slot.now.wall - MAX_AGE);
    let (mut stream, mut snapshot) = (slot.stream(Position::default()), slot.snapshot());
    slot.assert_wishes(&mut stream, ANSWER);
    slot.pass(ANSWER);
    slot.assert_waits(&mut stream, RECHECK);
    slot.assert_waits(&mut snapshot, RECHECK);
    slot.frame_comes(slot.now.wall - ANSWER - MOMENT);
    assert!(matches!(slot.step(&mut snapshot), Step::Wait(..)));
    slot.frame_comes(slot.now.wall - ANSWER);
    assert_eq!(slot.step(&mut snapshot), Step::Use);
}

#[test]
fn no_frame_is_used_twice_by_one_stream() {
    let mut slot = Slot::watched();
    slot.frame_comes(slot.now.wall);
    let mut stream = slot.stream(slot.newest());
    slot.assert_wishes(&mut stream, ANSWER);
    slot.pass(ANSWER);
    slot.assert_waits(&mut stream, RECHECK);
}

#[test]
fn several_clients_make_one_wish_and_share_its_answer() {
    let mut slot = Slot::watched();
    slot.frame_comes(slot.now.wall);
    let seen = slot.newest();
    let mut streams: Vec<_> = (0..3).map(|_| slot.stream(seen)).collect();
    slot.assert_wishes(&mut streams[0], ANSWER);
    for stream in &mut streams[1..] {
        slot.assert_waits(stream, ANSWER);
    }
    slot.pass(INTERVAL);
    slot.frame_comes(slot.now.wall);
    for stream in &mut streams {
        assert_eq!(slot.step(stream), Step::Use);
    }
    // The frame that came answered the wish: the next one is made anew.
    let mut next = slot.stream(slot.newest());
    slot.assert_wishes(&mut next, ANSWER);
}

#[test]
fn a_wish_that_brought_nothing_is_made_again_with_each_recheck() {
    let mut slot = Slot::watched();
    let mut stream = slot.stream(Position::default());
    slot.assert_wishes(&mut stream, ANSWER);
    slot.pass(RECHECK - MOMENT);
    slot.assert_waits(&mut stream, RECHECK);
    slot.pass(MOMENT);
    slot.assert_wishes(&mut stream, ANSWER);
}

#[test]
fn a_slot_that_is_not_watched_is_looked_at_often() {
    let mut slot = Slot::polled();
    slot.read(slot.now.wall - MAX_AGE * 2);
    let mut stream = slot.stream(Position::default());
    slot.assert_wishes(&mut stream, POLL);
    // What a look finds came just now: it need not prove that it is the newest.
    slot.pass(POLL);
    slot.tracker.another_found(slot.now.monotonic);
    assert!(slot.tracker.needs_look());
    slot.read(slot.now.wall - MOMENT);
    assert_eq!(slot.step(&mut stream), Step::Use);
}

#[test]
fn what_a_look_finds_in_a_watched_slot_may_have_lain_there_long() {
    let mut slot = Slot::watched();
    slot.frame_comes(slot.now.wall);
    let mut stream = slot.stream(slot.newest());
    slot.assert_wishes(&mut stream, ANSWER);
    slot.tracker.another_found(slot.now.monotonic);
    slot.read(slot.now.wall);
    slot.assert_wishes(&mut stream, ANSWER);
}

#[test]
fn a_client_gives_up_at_its_timeout_and_not_before() {
    let mut slot = Slot::watched();
    let (mut stream, mut snapshot) = (slot.stream(Position::default()), slot.snapshot());
    slot.assert_wishes(&mut stream, ANSWER);
    slot.pass(TIMEOUT - MOMENT);
    for client in [&mut stream, &mut snapshot] {
        let Step::Wait(_, until) = slot.step(client) else {
            panic!("gave up early");
        };
        assert_eq!(until, slot.now.monotonic + MOMENT);
    }
    slot.pass(MOMENT);
    assert_eq!(slot.step(&mut stream), Step::GiveUp);
    assert_eq!(slot.step(&mut snapshot), Step::GiveUp);
}

#[test]
fn a_stream_of_a_slow_source_waits_for_three_of_its_intervals() {
    let mut slot = Slot::watched();
    slot.says(Phase::Awake, Some(0.1));
    let (mut stream, mut snapshot) = (slot.stream(Position::default()), slot.snapshot());
    slot.pass(TIMEOUT);
    assert_eq!(slot.step(&mut snapshot), Step::GiveUp);
    slot.pass(Duration::from_secs(30) - TIMEOUT - MOMENT);
    slot.assert_wishes(&mut stream, MOMENT);
    slot.pass(MOMENT);
    assert_eq!(slot.step(&mut stream), Step::GiveUp);
}

#[test]
fn clients_of_a_failed_camera_wait_a_little() {
    let mut slot = Slot::watched();
    let (mut stream, mut snapshot) = (slot.stream(Position::default()), slot.snapshot());
    slot.assert_wishes(&mut stream, ANSWER);
    slot.says(Phase::Failed, None);
    slot.pass(STREAM_FAILED_PATIENCE - MOMENT);
    slot.assert_waits(&mut stream, MOMENT);
    slot.pass(MOMENT);
    assert_eq!(slot.step(&mut stream), Step::GiveUp);
    slot.pass(SNAPSHOT_FAILED_PATIENCE - STREAM_FAILED_PATIENCE - MOMENT);
    slot.assert_wishes(&mut snapshot, MOMENT);
    slot.pass(MOMENT);
    assert_eq!(slot.step(&mut snapshot), Step::GiveUp);
    // It has recovered: all wait as long as ever.
    slot.says(Phase::Awake, None);
    assert!(matches!(slot.step(&mut snapshot), Step::Wait(..)));
}

#[test]
fn what_cannot_be_read_is_no_frame_and_the_next_one_is() {
    let mut slot = Slot::watched();
    slot.frame_comes(slot.now.wall);
    let mut stream = slot.stream(slot.newest());
    slot.assert_wishes(&mut stream, ANSWER);
    // Another comes that is no whole JPEG: it is opened, and not read.
    slot.tracker.frame_arrived(slot.now.monotonic);
    slot.tracker.looked();
    slot.has_frame = false;
    slot.pass(MOMENT);
    slot.assert_waits(&mut stream, ANSWER - MOMENT);
    slot.frame_comes(slot.now.wall);
    assert_eq!(slot.step(&mut stream), Step::Use);
    let seen = match stream.freshness {
        Freshness::NewerThan(seen) => seen.number_of(None),
        Freshness::CapturedSince(_) => unreachable!("it is a stream"),
    };
    let newest = slot.newest().number_of(None);
    assert_eq!(newest.skipped_since(seen), 1);
}

#[test]
fn a_frame_that_lay_there_from_before_the_clock_was_set_back_is_never_used() {
    let mut slot = Slot::watched();
    slot.read(slot.now.wall + HOURS);
    let (mut stream, mut snapshot) = (slot.stream(Position::default()), slot.snapshot());
    slot.assert_wishes(&mut stream, ANSWER);
    while slot.now.monotonic + MOMENT < stream.start + TIMEOUT {
        assert!(matches!(slot.step(&mut stream), Step::Wait(..)));
        assert!(matches!(slot.step(&mut snapshot), Step::Wait(..)));
        slot.pass(ANSWER);
    }
    assert_eq!(slot.step(&mut stream), Step::GiveUp);
    assert_eq!(slot.step(&mut snapshot), Step::GiveUp);
}

#[test]
fn a_frame_that_lay_there_a_little_ahead_of_the_clock_is_no_answer_when_its_time_has_come() {
    let mut slot = Slot::watched();
    slot.read(slot.now.wall + INTERVAL);
    let mut snapshot = slot.snapshot();
    slot.assert_wishes(&mut snapshot, ANSWER);
    slot.pass(INTERVAL * 2);
    assert!(matches!(slot.step(&mut snapshot), Step::Wait(..)));
    slot.frame_comes(slot.now.wall);
    assert_eq!(slot.step(&mut snapshot), Step::Use);
}

#[test]
fn frames_of_a_producer_whose_clock_is_ahead_are_used_when_they_come() {
    let mut slot = Slot::watched();
    slot.frame_comes(slot.now.wall + HOURS);
    // Of this one it is known that it came of late, whatever its date says.
    let mut stream = slot.stream(Position::default());
    assert_eq!(slot.step(&mut stream), Step::Use);
    // The first to come may have been captured before the request; the second was not.
    let mut snapshot = slot.snapshot();
    assert!(matches!(slot.step(&mut snapshot), Step::Wait(..)));
    slot.pass(INTERVAL);
    slot.frame_comes(slot.now.wall + HOURS);
    assert!(matches!(slot.step(&mut snapshot), Step::Wait(..)));
    slot.pass(INTERVAL);
    slot.frame_comes(slot.now.wall + HOURS);
    assert_eq!(slot.step(&mut snapshot), Step::Use);
}

#[test]
fn a_frame_ahead_of_the_clock_that_came_long_ago_is_old() {
    let mut slot = Slot::watched();
    slot.frame_comes(slot.now.wall + HOURS);
    slot.pass(MAX_AGE);
    let mut stream = slot.stream(Position::default());
    slot.assert_wishes(&mut stream, ANSWER);
    slot.pass(ANSWER);
    slot.assert_waits(&mut stream, RECHECK);
}

#[test]
fn a_snapshot_is_answered_though_the_clock_is_set_back_while_it_waits() {
    let mut slot = Slot::watched();
    let mut snapshot = slot.snapshot();
    slot.assert_wishes(&mut snapshot, ANSWER);
    slot.pass(INTERVAL);
    slot.now.wall -= HOURS;
    // Captured after the request by the clock that nobody sets, hours before it by the other.
    slot.frame_comes(slot.now.wall - MOMENT);
    assert_eq!(slot.step(&mut snapshot), Step::Use);
}

#[test]
fn a_snapshot_is_answered_though_the_clock_is_set_ahead_while_it_waits() {
    let mut slot = Slot::watched();
    slot.read(slot.now.wall - MOMENT);
    let mut snapshot = slot.snapshot();
    slot.assert_wishes(&mut snapshot, ANSWER);
    slot.now.wall += HOURS;
    slot.assert_waits(&mut snapshot, ANSWER);
    slot.pass(INTERVAL);
    slot.frame_comes(slot.now.wall);
    assert_eq!(slot.step(&mut snapshot), Step::Use);
}
