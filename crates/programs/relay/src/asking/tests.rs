use super::simulation::{Seen, Who, World};
use super::*;
use crate::wire::{Part, Subject};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A fetch side, given replies by hand.
struct Fetch {
    asking: Asking,
    turns: Turns,
    now: Instant,
    wall: SystemTime,
}

fn tag(text: &str) -> SubjectTag {
    let subject: Subject = text.parse().unwrap();
    SubjectTag::of(&subject)
}

fn frame(sequence: u64) -> FrameId {
    FrameId {
        instance: 3,
        sequence,
    }
}

fn head(id: RequestId, frame: FrameId, bytes: u32) -> Head {
    Head {
        id,
        frame,
        held_us: 0,
        age_us: 0,
        width_px: 640,
        height_px: 480,
        bytes,
    }
}

impl Fetch {
    fn new() -> Self {
        Self {
            asking: Asking::new(Asker(1), tag("eyelid.v1.pi.door"), 1_000),
            turns: Turns::default(),
            now: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + 1_000_000 * SECOND,
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.wall += time;
    }

    fn next(&mut self, wished: Option<Instant>) -> Option<Request> {
        self.asking.next(self.now, wished, &mut self.turns)
    }

    /// Gives the request that is made where the next frame is wished for as of now.
    fn asks(&mut self) -> Option<RequestId> {
        let request = self.next(Some(self.now));
        request.map(|request| request.id)
    }

    /// Asks, which must be possible.
    fn ask(&mut self) -> RequestId {
        self.asks().unwrap()
    }

    fn reply(&mut self, reply: Reply<'_>) -> Result<Outcome, Rejected> {
        self.asking.reply(self.now, self.wall, reply, 0.5)
    }

    /// A frame of three bytes comes in one message.
    fn comes(&mut self, id: RequestId, frame: FrameId) -> Result<Outcome, Rejected> {
        self.reply(Reply::Head(head(id, frame, 3), b"abc"))
    }

    fn none(&mut self, id: RequestId, reason: Reason) -> Result<Outcome, Rejected> {
        let held_us = 0;
        let instance = 3;
        self.reply(Reply::NoFrame(NoFrame {
            id,
            reason,
            instance,
            held_us,
        }))
    }
}

fn captured(outcome: &Result<Outcome, Rejected>) -> SystemTime {
    match outcome {
        Ok(Outcome::Frame(frame)) => frame.captured,
        other => panic!("no frame: {other:?}"),
    }
}

#[test]
fn requests_are_numbered_from_where_one_says() {
    let mut fetch = Fetch::new();
    fetch.asking = fetch.asking.numbered_after(41);
    let asked = fetch.ask();
    assert_eq!(asked.number, 42);
    let of_another = RequestId { number: 1, ..asked };
    let frame = FrameId {
        instance: 1,
        sequence: 1,
    };
    assert!(fetch.comes(of_another, frame).is_err());
    assert!(fetch.comes(asked, frame).is_ok());
}

#[test]
fn asks_when_wished_and_not_again_before_the_answer() {
    let mut fetch = Fetch::new();
    assert_eq!(fetch.next(None), None);
    assert_eq!(fetch.asking.deadline(fetch.now, None), None);
    let request = fetch.next(Some(fetch.now)).unwrap();
    assert_eq!((request.have, request.is_alone), (None, true));
    assert_eq!((request.hold(), request.max_bytes), (HOLD, 1_000));
    assert_eq!(fetch.asks(), None);
    fetch.wait(10 * MS);
    let outcome = fetch.comes(request.id, frame(5));
    let Ok(Outcome::Frame(taken)) = outcome else {
        panic!("no frame: {outcome:?}");
    };
    assert_eq!((taken.id, &taken.bytes[..]), (frame(5), &b"abc"[..]));
    assert_eq!(fetch.next(None), None);
    let next = fetch.next(Some(fetch.now)).unwrap();
    assert_eq!((next.have, next.is_alone), (Some(frame(5)), true));
    assert!(next.id.number > request.id.number);
}

#[test]
fn replies_to_others_are_not_taken() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    let asker = Asker(2);
    let subject = tag("eyelid.v1.pi.bench");
    let number = id.number + 1;
    let refused = fetch.comes(RequestId { asker, ..id }, frame(5));
    assert_eq!(refused, Err(Rejected::Asker));
    let refused = fetch.comes(RequestId { subject, ..id }, frame(5));
    assert_eq!(refused, Err(Rejected::Camera));
    let refused = fetch.comes(RequestId { number, ..id }, frame(5));
    assert_eq!(refused, Err(Rejected::NotOutstanding(number)));
    assert!(fetch.comes(id, frame(5)).is_ok());
    let replayed = fetch.comes(id, frame(5));
    assert_eq!(replayed, Err(Rejected::NotOutstanding(id.number)));
}

#[test]
fn no_frame_is_taken_that_is_not_newer() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    fetch.comes(id, frame(5)).unwrap();
    for old in [5, 4] {
        fetch.wait(SECOND);
        let id = fetch.ask();
        assert_eq!(fetch.comes(id, frame(old)), Err(Rejected::NotNewer));
        assert_eq!(fetch.asks(), None, "not again at once");
    }
    fetch.wait(SECOND);
    let id = fetch.ask();
    assert!(fetch.comes(id, frame(6)).is_ok());
}

#[test]
fn a_share_that_was_started_anew_goes_on_with_newer_frames() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    fetch.comes(id, frame(5_000)).unwrap();
    let anew = FrameId {
        instance: 4,
        sequence: 1,
    };
    fetch.wait(SECOND);
    let id = fetch.ask();
    let old = Head {
        age_us: 1_100_000,
        ..head(id, anew, 3)
    };
    assert_eq!(
        fetch.reply(Reply::Head(old, b"abc")),
        Err(Rejected::NotNewer)
    );
    fetch.wait(SECOND);
    let id = fetch.ask();
    assert!(fetch.comes(id, anew).is_ok());
}

#[test]
fn of_two_hosts_of_one_name_the_first_is_heard() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    let other = FrameId {
        instance: 9,
        sequence: 5,
    };
    let coming = fetch.reply(Reply::Head(head(id, frame(5), 6), b"ab"));
    assert_eq!(coming, Ok(Outcome::Coming));
    let second = fetch.reply(Reply::Head(head(id, other, 6), b"AB"));
    assert_eq!(second, Err(Rejected::Second(id.number)));
    let part = |frame, offset_bytes| Part {
        id,
        frame,
        offset_bytes,
    };
    let mixed = fetch.reply(Reply::Part(part(other, 2), b"CDEF"));
    assert_eq!(mixed, Err(AssemblyError::Another.into()));
    let outcome = fetch.reply(Reply::Part(part(frame(5), 2), b"cdef"));
    assert!(matches!(outcome, Ok(Outcome::Frame(it)) if it.bytes == b"abcdef"));
}

#[test]
fn a_frame_with_a_gap_or_too_large_is_given_up() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    fetch
        .reply(Reply::Head(head(id, frame(5), 6), b"ab"))
        .unwrap();
    let part = Part {
        id,
        frame: frame(5),
        offset_bytes: 3,
    };
    let torn = fetch.reply(Reply::Part(part, b"def"));
    assert!(matches!(
        torn,
        Err(Rejected::Assembly(AssemblyError::Offset { .. }))
    ));
    fetch.wait(SECOND);
    let id = fetch.ask();
    let large = fetch.reply(Reply::Head(head(id, frame(5), 1_001), b""));
    assert!(matches!(
        large,
        Err(Rejected::Assembly(AssemblyError::TooLarge { .. }))
    ));
    fetch.wait(SECOND);
    let id = fetch.ask();
    assert!(fetch.comes(id, frame(5)).is_ok());
}

#[test]
fn asks_again_where_there_was_none_and_more_seldom_where_that_was_said_at_once() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    fetch.wait(HOLD);
    assert_eq!(
        fetch.none(id, Reason::Held),
        Ok(Outcome::NoFrame(Reason::Held))
    );
    for pause_ms in [100, 200, 400, 800, 1_600, 2_000, 2_000] {
        let id = fetch.ask();
        fetch.none(id, Reason::Failed).unwrap();
        let wished = Some(fetch.now);
        let again = fetch.asking.deadline(fetch.now, wished).unwrap();
        assert_eq!(again - fetch.now, pause_ms * MS);
        fetch.wait(pause_ms * MS - MS);
        assert_eq!(fetch.asks(), None);
        fetch.wait(MS);
    }
    assert_eq!(fetch.asking.unreachable_since(), None, "it does answer");
}

#[test]
fn where_nobody_answers_it_is_unreachable_until_somebody_does() {
    let mut fetch = Fetch::new();
    let first = fetch.now;
    for _ in 0..10 {
        let id = fetch.ask();
        fetch.wait(MS);
        fetch.asking.nobody_answers(fetch.now, id.number, 1.0);
        assert_eq!(fetch.asking.unreachable_since(), Some(first));
        let again = fetch.asking.deadline(fetch.now, Some(fetch.now)).unwrap();
        assert!(again - fetch.now <= 2_500 * MS, "it is live within 3 s");
        fetch.wait(again - fetch.now);
    }
    let id = fetch.ask();
    fetch.comes(id, frame(5)).unwrap();
    assert_eq!(fetch.asking.unreachable_since(), None);
}

#[test]
fn one_request_may_get_lost_and_two_are_silence() {
    let mut fetch = Fetch::new();
    let first = fetch.now;
    for (lost, unreachable) in [(1, None), (2, Some(first)), (3, Some(first))] {
        fetch.ask();
        let end = fetch.asking.deadline(fetch.now, Some(fetch.now)).unwrap();
        // Patience grows, for what is given up is answered nonetheless.
        assert_eq!(end - fetch.now, HOLD + SECOND * (1 << (lost - 1)), "{lost}");
        fetch.wait(end - fetch.now);
        assert_eq!(fetch.next(None), None);
        assert_eq!(fetch.asking.unreachable_since(), unreachable, "{lost}");
    }
}

#[test]
fn what_was_asked_before_the_request_that_is_answered_got_lost() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    fetch.wait(10 * MS);
    fetch.comes(id, frame(5)).unwrap();
    let lost = fetch.ask();
    // The frame took no time, so the next one is asked for at once.
    let request = fetch.next(Some(fetch.now)).unwrap();
    assert!(!request.is_alone);
    fetch.wait(10 * MS);
    fetch.comes(request.id, frame(6)).unwrap();
    let late = fetch.comes(lost, frame(7));
    assert_eq!(late, Err(Rejected::NotOutstanding(lost.number)));
    assert!(fetch.next(Some(fetch.now)).unwrap().is_alone);
}

#[test]
fn nothing_is_asked_without_a_connection() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    fetch.wait(MS);
    fetch.asking.disconnected(fetch.now);
    assert_eq!(fetch.asks(), None);
    assert_eq!(fetch.asking.deadline(fetch.now, Some(fetch.now)), None);
    assert_eq!(fetch.asking.unreachable_since(), Some(fetch.now));
    assert_eq!(fetch.comes(id, frame(5)), Err(Rejected::NotOutstanding(1)));
    fetch.asking.connected();
    let id = fetch.ask();
    fetch.comes(id, frame(6)).unwrap();
    assert_eq!(fetch.asking.unreachable_since(), None);
}

#[test]
fn the_moment_of_capture_is_the_other_sides_by_its_age() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    let asked = fetch.wall;
    // 25 ms there, held for 10 ms, 25 ms back.
    fetch.wait(60 * MS);
    let first = Head {
        held_us: 10_000,
        age_us: 17_000,
        ..head(id, frame(5), 3)
    };
    let outcome = fetch.reply(Reply::Head(first, b"abc"));
    assert_eq!(captured(&outcome), asked + (25 + 10 - 17) * MS);
    // The next one waits for 200 ms behind something, and comes in pieces.
    fetch.wait(40 * MS);
    let id = fetch.ask();
    let asked = fetch.wall;
    fetch.wait(250 * MS);
    let next = Head {
        age_us: 4_000,
        ..head(id, frame(6), 3)
    };
    fetch.reply(Reply::Head(next, b"")).unwrap();
    fetch.wait(100 * MS);
    let part = Part {
        id,
        frame: frame(6),
        offset_bytes: 0,
    };
    let outcome = fetch.reply(Reply::Part(part, b"abc"));
    assert_eq!(captured(&outcome), asked + (25 - 4) * MS);
}

#[test]
fn a_liar_about_times_makes_no_frame_of_tomorrow() {
    for (held_us, age_us) in [(u32::MAX, 0), (u32::MAX, u64::MAX), (0, u64::MAX)] {
        let mut fetch = Fetch::new();
        let id = fetch.ask();
        fetch.wait(50 * MS);
        let liar = Head {
            held_us,
            age_us,
            ..head(id, frame(5), 3)
        };
        let outcome = fetch.reply(Reply::Head(liar, b"abc"));
        assert!(captured(&outcome) <= fetch.wall);
    }
}

#[test]
fn moments_of_capture_go_on_and_follow_a_clock_that_is_set() {
    let mut fetch = Fetch::new();
    let id = fetch.ask();
    let before = captured(&fetch.comes(id, frame(5)));
    // It says that it is older than the one before.
    let age = |fetch: &mut Fetch, sequence, age_us| {
        let id = fetch.ask();
        let head = Head {
            age_us,
            ..head(id, frame(sequence), 3)
        };
        captured(&fetch.reply(Reply::Head(head, b"abc")))
    };
    fetch.wait(10 * MS);
    let next = age(&mut fetch, 6, 50_000);
    assert_eq!(next, before + DISTINCT);
    fetch.wait(10 * MS);
    fetch.wall -= 3_600 * SECOND;
    let set_back = age(&mut fetch, 7, 1_000);
    assert_eq!(set_back, fetch.wall - MS, "not an hour ahead");
}

/// Says what came beside what the link carries, in rate and median age.
fn compare(world: &World) -> (f64, f64, Seen) {
    let (wire, asked) = (world.wire(), world.asked());
    let rate = asked.rate() / wire.rate();
    let age = asked.age_ms(50) / wire.age_ms(50);
    let (least, most) = asked.errors_ms();
    println!(
        "{:.1} of {:.1} a second ({rate:.3}), age {:.0} / {:.0} ms of {:.0} / {:.0} ({age:.3}), \
         capture {least:.1} to {most:.1} ms off, longest gap {:?}, {} requests",
        asked.rate(),
        wire.rate(),
        asked.age_ms(50),
        asked.age_ms(99),
        wire.age_ms(50),
        wire.age_ms(99),
        asked.longest_gap(),
        asked.requests,
    );
    assert!(asked.outstanding <= MAX_OUTSTANDING && asked.pending <= MAX_PENDING);
    (rate, age, asked)
}

#[test]
fn a_slow_link_is_used_in_full_and_its_frames_are_young() {
    for mbit in [2.0, 10.0] {
        let (rate, age, seen) = compare(&World::mbit(mbit));
        assert!(rate >= 0.97 && age <= 1.1, "{mbit}: {rate}, {age}");
        assert_eq!(seen.late, 0);
    }
}

/// Nothing is sent in vain, and the link is full.
#[test]
fn cameras_that_share_a_link_fill_it() {
    for (cameras, mbit, frame_bytes) in [(4, 10.0, 98_000), (16, 10.0, 15_000), (8, 1.0, 20_000)] {
        let world = World {
            down: 25 * MS,
            up: 25 * MS,
            cameras,
            frame_bytes,
            ..World::mbit(mbit)
        };
        let (rate, _, seen) = compare(&world);
        assert!(rate >= 0.95, "{cameras}: {rate}");
        assert_eq!(seen.late, 0);
        let frame_ms = (frame_bytes + 1_000) as f64 / (mbit * 125.0);
        // An exposure is 33 ms old at most when it is chosen, and two may be asked for at first.
        let most = 25.0 + 35.0 + (cameras + 1) as f64 * frame_ms;
        assert!(
            seen.age_ms(50) <= most,
            "{cameras}: {} of {most}",
            seen.age_ms(50)
        );
    }
}

/// What is asked ahead is behind something each time, and that is not taken for the way.
#[test]
fn the_way_does_not_seem_longer_and_longer() {
    let world = World {
        length: 120 * SECOND,
        ..World::mbit(2.0)
    };
    let (rate, _, seen) = compare(&world);
    assert!(rate >= 0.97, "{rate}");
    let (_, most) = seen.errors_ms();
    assert!(most < 5.0, "{most}");
    let worst = seen.age_ms(99) / world.wire().age_ms(99);
    assert!(worst <= 1.1, "{worst}");
}

#[test]
fn a_fast_link_has_every_frame() {
    let (rate, _, seen) = compare(&World::mbit(1_000.0));
    assert!(rate >= 0.99, "{rate}");
    assert!(seen.age_ms(99) < 5.0, "{}", seen.age_ms(99));
}

#[test]
fn a_path_of_50_ms_costs_neither_rate_nor_age() {
    for (mbit, up, down, jitter) in [
        (10.0, 0, 50, 0),
        (10.0, 25, 25, 5),
        (20.0, 25, 25, 5),
        (10.0, 50, 50, 5),
        (100.0, 25, 25, 5),
    ] {
        let world = World {
            up: up * MS,
            down: down * MS,
            jitter: jitter * MS,
            ..World::mbit(mbit)
        };
        let (rate, age, seen) = compare(&world);
        let name = format!("{mbit} {up} {down} {jitter}: {rate}, {age}");
        assert!(rate >= 0.95 && age <= 1.15, "{name}");
        // Half of what the ways differ by, and jitter.
        let (least, most) = seen.errors_ms();
        let asymmetry = f64::from(down) / 2.0 - f64::from(up) / 2.0;
        assert!(
            least >= asymmetry - 7.0 && most <= asymmetry + 7.0,
            "{name}"
        );
    }
}

#[test]
fn a_link_that_fades_is_followed() {
    for down in [0, 50] {
        let rates = [(0, 10.0), (5, 2.0), (10, 10.0)];
        let sudden = World {
            rates: rates
                .map(|(at, mbit)| (at * SECOND, mbit * 125_000.0))
                .into(),
            down: down * MS,
            ..World::mbit(10.0)
        };
        let (rate, age, seen) = compare(&sudden);
        assert!(rate >= 0.95 && age <= 1.2, "{down}: {rate}, {age}");
        // One that was asked for when nothing told of it yet, and no more.
        let worst = seen.age_ms(98) / sudden.wire().age_ms(98);
        assert!(worst <= 1.2, "{down}: {worst}");
    }
}

#[test]
fn a_lost_request_is_made_up_for() {
    for (lost, longest_gap) in [(vec![40], 400 * MS), (vec![40, 41], 3 * SECOND)] {
        let world = World {
            down: 50 * MS,
            lost,
            ..World::mbit(10.0)
        };
        let (_, age, seen) = compare(&world);
        assert!(
            seen.longest_gap() <= longest_gap,
            "{:?}",
            seen.longest_gap()
        );
        assert!(age <= 1.1, "{age}");
    }
}

#[test]
fn readers_that_take_their_time_are_not_asked_for_ahead() {
    let world = World {
        down: 50 * MS,
        wish: 60 * MS,
        ..World::mbit(10.0)
    };
    let (_, age, seen) = compare(&world);
    assert_eq!(seen.outstanding, 1);
    assert!(age <= 1.05, "{age}");
}

#[test]
fn a_slow_camera_is_not_asked_much_more_often_than_it_has_frames() {
    let world = World {
        down: 50 * MS,
        interval: SECOND,
        ..World::mbit(10.0)
    };
    let (rate, age, seen) = compare(&world);
    assert!(rate >= 0.99 && age <= 1.05, "{rate}, {age}");
    assert!(seen.requests <= 40, "{}", seen.requests);
}

#[test]
fn a_slow_encoder_idles_no_link() {
    let world = World {
        down: 50 * MS,
        encode: 30 * MS,
        ..World::mbit(10.0)
    };
    let (rate, ..) = compare(&world);
    assert!(rate >= 0.95, "{rate}");
}

#[test]
fn cameras_of_one_host_do_not_grow_old_behind_each_other() {
    for (cameras, frame_bytes, down) in [(16, 15_000, 0), (4, 98_000, 0), (16, 15_000, 25)] {
        let world = World {
            cameras,
            frame_bytes,
            down: down * MS,
            up: down * MS,
            ..World::mbit(10.0)
        };
        let (rate, age, seen) = compare(&world);
        let name = format!("{cameras} {down}: {rate}, {age}, {}", seen.age_ms(50));
        assert!(rate >= 0.9 && age <= 1.3, "{name}");
    }
}

#[test]
fn cameras_of_one_host_have_their_whole_rate_where_the_link_is_free() {
    let world = World {
        cameras: 8,
        frame_bytes: 15_000,
        down: 10 * MS,
        up: 10 * MS,
        ..World::mbit(100.0)
    };
    let (rate, age, seen) = compare(&world);
    let name = format!("{rate}, {age}, {}", seen.age_ms(50));
    assert!(rate >= 0.95 && age <= 1.3, "{name}");
}

/// Whoever stands still for a while, all is as before within 3 s.
#[test]
fn nobody_who_stood_still_makes_it_slow_for_longer() {
    let mut slow = vec![];
    for (name, world) in worlds() {
        let usual = world.asked().count(10 * SECOND, 20 * SECOND) as f64 / 10.0;
        for seed in SEEDS {
            for world in stalled(&world, seed) {
                let (who, from, to) = world.stalls[0];
                let seen = world.asked();
                let rate = seen.count(to + 3 * SECOND, to + 8 * SECOND) as f64 / 5.0;
                if rate < usual * 0.9 {
                    slow.push(format!(
                        "{name}, {seed}: {who:?} {from:.1?} for {:.2?}: {rate:.1} of {usual:.1}",
                        to - from
                    ));
                }
            }
        }
    }
    assert!(slow.is_empty(), "{} slow:\n{}", slow.len(), slow.join("\n"));
}

const SEEDS: [u64; 1] = [3];

fn worlds() -> Vec<(String, World)> {
    let mut worlds = vec![];
    for (mbit, frame_bytes) in [(5_000.0, 2_000), (10.0, 98_000), (2.0, 20_000)] {
        for cameras in [1, 4] {
            let world = World {
                cameras,
                frame_bytes,
                jitter: 3 * MS,
                length: 20 * SECOND,
                ..World::mbit(mbit)
            };
            worlds.push((format!("{mbit} Mbit/s, {cameras}"), world));
        }
    }
    worlds
}

/// The same, where one of them stands still for 0.05 to 12 s.
fn stalled(world: &World, seed: u64) -> Vec<World> {
    let mut random = fastrand::Rng::with_seed(seed);
    let all = [
        Who::Share,
        Who::KilledShare,
        Who::Link,
        Who::Readers,
        Who::Fetch,
    ];
    let each = all.map(|who| {
        let from = 4 * SECOND + SECOND.mul_f64(random.f64() * 12.0);
        let length = SECOND.mul_f64(0.05 * 240_f64.powf(random.f64()));
        World {
            stalls: vec![(who, from, from + length)],
            seed,
            length: from + length + 9 * SECOND,
            lost: vec![],
            rates: world.rates.clone(),
            ..*world
        }
    });
    each.into()
}

/// A request that is held at the other side keeps nothing from its link.
#[test]
fn a_camera_without_pictures_is_in_no_others_way() {
    for (mbit, frame_bytes) in [(10.0, 98_000), (10.0, 15_000), (100.0, 98_000)] {
        let world = World {
            cameras: 4,
            frame_bytes,
            ..World::mbit(mbit)
        };
        let three = World {
            cameras: 3,
            rates: world.rates.clone(),
            lost: vec![],
            stalls: vec![],
            ..world
        };
        let one_less = World {
            stalls: vec![(Who::Camera, 4 * SECOND, 14 * SECOND)],
            ..world
        };
        let (from, to) = (6 * SECOND, 14 * SECOND);
        let usual = three.asked().count(from, to);
        let came = one_less.asked().count(from, to);
        assert!(
            came * 10 >= usual * 9,
            "{mbit}, {frame_bytes}: {came} of {usual}"
        );
    }
}
