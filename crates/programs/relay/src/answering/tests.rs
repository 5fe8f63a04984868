use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::wire::{Asker, Subject};

const INSTANCE: u64 = 77;
const MS: Duration = Duration::from_millis(1);

fn tag(camera: &str) -> SubjectTag {
    let subject: Subject = format!("eyelid.v1.pi.{camera}").parse().unwrap();
    SubjectTag::of(&subject)
}

fn request(asker: u64, number: u64, have: u64) -> Request {
    Request {
        id: RequestId {
            asker: Asker(asker),
            subject: tag("door"),
            number,
        },
        have: (have > 0).then_some(FrameId {
            instance: INSTANCE,
            sequence: have,
        }),
        is_alone: false,
        hold_ms: 1_000,
        max_bytes: 1 << 20,
    }
}

fn offer(sequence: u64) -> Offer {
    Offer {
        sequence,
        bytes: 100,
    }
}

/// What was answered: the number of the request, and the frame's or the reason.
fn said(answers: &[Answer<u64>]) -> Vec<(u64, Result<u64, Reason>)> {
    let what = |answer: &Answer<u64>| match answer.what {
        What::Frame(frame) => {
            assert_eq!(frame.instance, INSTANCE);
            Ok(frame.sequence)
        }
        What::NoFrame(reason) => Err(reason),
    };
    answers
        .iter()
        .map(|answer| (answer.id.number, what(answer)))
        .collect()
}

struct Share {
    answering: Answering<u64>,
    now: Instant,
}

impl Share {
    fn new() -> Self {
        Self {
            answering: Answering::new(INSTANCE),
            now: Instant::now(),
        }
    }

    fn ask(&mut self, request: Request, newest: Option<u64>) -> Vec<(u64, Result<u64, Reason>)> {
        let newest = newest.map(offer);
        let answers = self
            .answering
            .request(self.now, request.id.subject, &request, 0, newest);
        said(&answers.unwrap())
    }

    fn frame(&mut self, sequence: u64) -> Vec<(u64, Result<u64, Reason>)> {
        said(&self.answering.frame(self.now, tag("door"), offer(sequence)))
    }
}

#[test]
fn a_held_request_is_the_wish_and_the_next_frame_its_answer() {
    let mut share = Share::new();
    assert!(!share.answering.is_wished(tag("door")));
    assert_eq!(share.ask(request(1, 1, 0), None), []);
    assert!(share.answering.is_wished(tag("door")));
    assert!(!share.answering.is_wished(tag("bench")));
    share.now += 30 * MS;
    let answers = share.answering.frame(share.now, tag("door"), offer(5));
    assert_eq!(said(&answers), [(1, Ok(5))]);
    assert_eq!(answers[0].held, 30 * MS);
    assert!(!share.answering.is_wished(tag("door")));
    assert_eq!(share.answering.deadline(), None);
}

#[test]
fn a_frame_that_is_the_newest_answers_at_once_but_never_twice() {
    let mut share = Share::new();
    assert_eq!(share.ask(request(1, 1, 0), Some(5)), [(1, Ok(5))]);
    assert_eq!(share.ask(request(1, 2, 0), Some(5)), [], "it is under way");
    assert_eq!(
        share.ask(request(2, 1, 0), Some(5)),
        [(1, Ok(5))],
        "another asker"
    );
    assert_eq!(share.frame(5), []);
    assert_eq!(share.frame(6), [(2, Ok(6))]);
}

#[test]
fn two_requests_get_two_frames() {
    let mut share = Share::new();
    assert_eq!(share.ask(request(1, 1, 0), None), []);
    assert_eq!(share.ask(request(1, 2, 0), None), []);
    assert_eq!(share.frame(5), [(1, Ok(5))]);
    assert_eq!(share.frame(6), [(2, Ok(6))]);
    assert_eq!(share.frame(7), []);
}

#[test]
fn nobody_gets_an_older_frame_than_it_has() {
    let mut share = Share::new();
    assert_eq!(share.ask(request(1, 1, 9), Some(8)), []);
    assert_eq!(share.frame(9), []);
    assert_eq!(share.frame(10), [(1, Ok(10))]);
}

#[test]
fn a_frame_of_another_run_says_nothing() {
    let mut share = Share::new();
    let mut of_another_run = request(1, 1, 9_000);
    of_another_run.have = Some(FrameId {
        instance: 1,
        sequence: 9_000,
    });
    assert_eq!(share.ask(of_another_run, Some(1)), [(1, Ok(1))]);
}

#[test]
fn what_got_lost_is_sent_again_to_who_says_that_it_is_alone() {
    let mut share = Share::new();
    assert_eq!(share.ask(request(1, 1, 4), Some(5)), [(1, Ok(5))]);
    let alone = Request {
        is_alone: true,
        ..request(1, 2, 4)
    };
    assert_eq!(share.ask(alone, Some(5)), [(2, Ok(5))]);
}

#[test]
fn a_request_is_held_as_long_as_it_says() {
    let mut share = Share::new();
    share.ask(request(1, 1, 0), None);
    let deadline = share.answering.deadline().unwrap();
    assert_eq!(deadline, share.now + 1_000 * MS);
    assert_eq!(said(&share.answering.expire(deadline - MS)), []);
    let ended = share.answering.expire(deadline);
    assert_eq!(said(&ended), [(1, Err(Reason::Held))]);
    assert_eq!(ended[0].held, 1_000 * MS);
    let not_at_all = Request {
        hold_ms: 0,
        ..request(1, 2, 0)
    };
    assert_eq!(share.ask(not_at_all, None), [(2, Err(Reason::Held))]);
}

#[test]
fn a_frame_that_is_too_large_is_not_sent() {
    let mut share = Share::new();
    let small = Request {
        max_bytes: 99,
        ..request(1, 1, 0)
    };
    assert_eq!(share.ask(small, Some(5)), [(1, Err(Reason::TooLarge(100)))]);
    assert_eq!(share.ask(request(1, 2, 0), Some(5)), [(2, Ok(5))]);
}

#[test]
fn a_camera_that_fails_answers_all_that_wait_for_it() {
    let mut share = Share::new();
    share.ask(request(1, 1, 0), None);
    share.ask(request(2, 1, 0), None);
    let ended = share.answering.end(share.now, tag("door"), Reason::Failed);
    assert_eq!(
        said(&ended),
        [(1, Err(Reason::Failed)), (1, Err(Reason::Failed))]
    );
    assert_eq!(share.answering.held(), 0);
}

#[test]
fn a_repeated_request_comes_to_nothing() {
    let mut share = Share::new();
    share.ask(request(1, 3, 0), None);
    for number in [3, 2, 0] {
        let repeated = request(1, number, 0);
        let taken = share
            .answering
            .request(share.now, tag("door"), &repeated, 0, Some(offer(5)));
        assert_eq!(taken, Err(NotTaken::Repeated(number)));
    }
    assert_eq!(share.answering.held(), 1);
}

#[test]
fn a_request_for_another_camera_comes_to_nothing() {
    let mut share = Share::new();
    let (request, newest) = (request(1, 1, 0), Some(offer(5)));
    let taken = (share.answering).request(share.now, tag("bench"), &request, 0, newest);
    assert_eq!(taken, Err(NotTaken::Camera(1)));
    assert_eq!(share.answering.asked.len(), 0);
}

#[test]
fn a_third_request_for_a_camera_ends_the_first() {
    let mut share = Share::new();
    share.ask(request(1, 1, 0), None);
    share.ask(request(1, 2, 0), None);
    assert_eq!(
        share.ask(request(1, 3, 0), None),
        [(1, Err(Reason::Superseded))]
    );
    assert_eq!(share.frame(5), [(2, Ok(5))]);
}

#[test]
fn an_asker_and_all_of_them_hold_so_many_and_the_new_one_comes_in() {
    let mut share = Share::new();
    let of = |asker: u64, camera: usize| {
        let mut request = request(asker, 1, 0);
        request.id.subject = tag(&format!("c{camera}"));
        request
    };
    let mut ended = 0;
    for camera in 0..MAX_HELD_OF_ASKER + 5 {
        ended += share.ask(of(1, camera), None).len();
    }
    assert_eq!((share.answering.held(), ended), (MAX_HELD_OF_ASKER, 5));
    assert!(!share.answering.is_wished(tag("c4")) && share.answering.is_wished(tag("c5")));

    for asker in 2..MAX_HELD as u64 + 100 {
        share.now += MS;
        share.ask(of(asker, 1_000), None);
        assert!(share.answering.held() <= MAX_HELD);
    }
    assert_eq!(share.answering.held(), MAX_HELD);
    let last = share.ask(of(9_999_999, 7), None);
    assert_eq!(last.len(), 1, "the one that has waited longest");
    assert!(share.answering.is_wished(tag("c7")));
}

#[test]
fn askers_are_forgotten_after_a_minute_and_where_there_are_too_many() {
    let mut share = Share::new();
    for asker in 0..10_000 {
        share.ask(request(asker, 1, 0), Some(5));
    }
    assert_eq!(share.answering.asked.len(), 8_192);
    share.now += Duration::from_secs(59);
    assert_eq!(
        share.ask(request(9_999, 2, 0), Some(5)),
        [],
        "it has had that one"
    );
    share.now += Duration::from_secs(2);
    share.ask(request(1, 3, 0), None);
    assert_eq!(share.answering.asked.len(), 2);
}

/// What may happen to a share.
#[derive(Clone, Debug)]
enum Event {
    /// This asker asks, of one of two cameras, for what is newer than all that has come to it.
    Ask(u64, bool, bool),
    Frame(bool),
    Wait(u16),
    Fail(bool),
}

fn event() -> impl Strategy<Value = Event> {
    let ask = (0_u64..4, any::<bool>(), any::<bool>());
    prop_oneof![
        4 => ask.prop_map(|(asker, camera, is_newest)| Event::Ask(asker, camera, is_newest)),
        4 => any::<bool>().prop_map(Event::Frame),
        1 => (0_u16..2_000).prop_map(Event::Wait),
        1 => any::<bool>().prop_map(Event::Fail),
    ]
}

proptest! {
    /// Whatever comes in whatever order: each request has one answer at most, and no asker gets a
    /// frame twice, or one that is older than one that it got.
    #[test]
    fn no_frame_twice_and_none_older(events in prop::collection::vec(event(), 1..200)) {
        let mut share = Share::new();
        let mut number = 0;
        let mut sequences = [0_u64; 2];
        let mut got: HashMap<(Asker, SubjectTag), u64> = HashMap::new();
        let mut answered = HashSet::new();
        for event in events {
            let tags = [tag("door"), tag("bench")];
            let answers = match event {
                Event::Ask(asker, camera, is_newest) => {
                    number += 1;
                    let camera = usize::from(camera);
                    let mut request = request(asker, number, 0);
                    request.id.subject = tags[camera];
                    let newest = Some(offer(sequences[camera]));
                    let newest = newest.filter(|offer| is_newest && offer.sequence > 0);
                    share.answering.request(share.now, tags[camera], &request, 0, newest).unwrap()
                }
                Event::Frame(camera) => {
                    let camera = usize::from(camera);
                    sequences[camera] += 1;
                    share.answering.frame(share.now, tags[camera], offer(sequences[camera]))
                }
                Event::Wait(ms) => {
                    share.now += u32::from(ms) * MS;
                    share.answering.expire(share.now)
                }
                Event::Fail(camera) => {
                    let subject = tags[usize::from(camera)];
                    let answers = share.answering.end(share.now, subject, Reason::Failed);
                    prop_assert!(!share.answering.is_wished(subject));
                    answers
                }
            };
            for answer in answers {
                prop_assert!(answered.insert(answer.id));
                prop_assert!(answer.held <= 3_000 * MS);
                if let What::Frame(frame) = answer.what {
                    let before = got.insert((answer.id.asker, answer.id.subject), frame.sequence);
                    prop_assert!(before.is_none_or(|before| before < frame.sequence));
                }
            }
            prop_assert!(share.answering.held() <= 4 * 2 * 2);
            prop_assert_eq!(share.answering.deadline().is_some(), share.answering.held() > 0);
        }
        let ended = share.answering.expire(share.now + MAX_HOLD);
        prop_assert!(ended.iter().all(|answer| answered.insert(answer.id)));
        prop_assert_eq!(answered.len() as u64, number);
        prop_assert_eq!(share.answering.held(), 0);
    }
}
