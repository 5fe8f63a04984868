//! Rules on given answers and times, and on random ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::moment::Monotonic;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const BOOT: &str = "b0";

fn begin() -> Moment {
    Moment {
        monotonic: Monotonic::from_millis(10_000),
        wall: UNIX_EPOCH + Duration::from_secs(1_790_000_000),
    }
}

fn yes() -> Answer {
    Answer::Yes {
        sightings: Vec::new(),
        confidence: None,
    }
}

fn seen(label: &str, left: f64) -> Sighting {
    Sighting {
        label: Some(label.to_owned()),
        confidence: None,
        left,
        top: 0.4,
        width: 0.1,
        height: 0.1,
    }
}

fn sees(sightings: &[Sighting]) -> Answer {
    Answer::Yes {
        sightings: sightings.to_vec(),
        confidence: None,
    }
}

/// One camera with one rule, and a clock.
struct Watched {
    rules: CameraRules,
    now: Moment,
}

impl Watched {
    fn new(terms: Terms) -> Self {
        let now = begin();
        Self {
            rules: CameraRules::new(vec![("a".to_owned(), terms)], None, BOOT, now),
            now,
        }
    }

    fn of(judge: Judge) -> Self {
        Self::new(Terms::of(judge))
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now = self.now.plus(time);
        self
    }

    fn look(&mut self, answer: &Answer) -> Option<Raise> {
        self.rules.look("a", answer, self.now)
    }

    /// Looks once a second; says how many alerts there were.
    fn looks(&mut self, answers: &[Answer]) -> usize {
        let mut alerts = 0;
        for answer in answers {
            alerts += usize::from(self.wait(SECOND).look(answer).is_some());
        }
        alerts
    }

    fn state(&self) -> State {
        self.rules.rules()[0].state()
    }

    fn terms(&self) -> Terms {
        self.rules.rules()[0].terms().clone()
    }

    /// Ends, and starts again with what was written down, after so long and under another clock.
    fn restart(&mut self, after: Duration, boot: &str, monotonic_ms: i64, wall: SystemTime) {
        let saved = self.rules.save("door", BOOT, self.now).to_json();
        let saved = Saved::parse(&saved).unwrap();
        let terms = self.terms();
        self.now = if boot == BOOT {
            Moment {
                wall,
                ..self.now.plus(after)
            }
        } else {
            Moment {
                monotonic: Monotonic::from_millis(monotonic_ms),
                wall,
            }
        };
        self.rules = CameraRules::new(vec![("a".to_owned(), terms)], Some(saved), boot, self.now);
    }
}

#[test]
fn one_alert_for_what_stays_and_moves_a_little() {
    let mut watched = Watched::of(Judge::Says);
    assert_eq!(watched.looks(&[yes()]), 0);
    assert_eq!(watched.state(), State::Asked);
    assert_eq!(watched.looks(&[yes()]), 1);
    assert_eq!(watched.state(), State::Standing);
    for _ in 0..100 {
        assert_eq!(
            watched.looks(&[yes(), Answer::No, Answer::Unsure, Answer::Missing]),
            0
        );
        watched.wait(MINUTE);
    }
    assert_eq!(watched.looks(&[Answer::No, Answer::No]), 0);
    assert_eq!(watched.state(), State::Quiet);
}

#[test]
fn unsure_and_no_answer_count_for_neither() {
    let mut watched = Watched::of(Judge::Says);
    let nothing = [
        Answer::Unsure,
        Answer::Missing,
        Answer::Unsure,
        Answer::Missing,
    ];
    assert_eq!(watched.looks(&nothing), 0);
    assert_eq!(watched.state(), State::Quiet);
    watched.looks(&[yes()]);
    watched.looks(&nothing);
    assert_eq!(watched.state(), State::Asked);
    assert_eq!(watched.looks(&[yes()]), 1);
    watched.looks(&[Answer::No]);
    watched.looks(&nothing);
    assert_eq!(watched.state(), State::Standing);
    watched.looks(&[Answer::No]);
    assert_eq!(watched.state(), State::Quiet);
}

#[test]
fn two_of_three_alert_and_one_of_three_does_not() {
    for (answers, alerts) in [
        (vec![yes(), Answer::No, yes()], 1),
        (vec![yes(), yes()], 1),
        (vec![yes(), Answer::No, Answer::No, yes()], 0),
        (vec![Answer::No, yes(), Answer::No, Answer::No], 0),
        (vec![yes(), Answer::No, Answer::No, yes(), yes()], 1),
    ] {
        assert_eq!(
            Watched::of(Judge::Says).looks(&answers),
            alerts,
            "{answers:?}"
        );
    }
    let terms = Terms {
        yes: 3,
        of: 5,
        ..Terms::of(Judge::Says)
    };
    let answers = [yes(), Answer::No, yes(), Answer::No, Answer::No, yes()];
    assert_eq!(
        Watched::new(terms).looks(&answers),
        0,
        "3 of 5 are not 2 of 5"
    );
}

#[test]
fn one_answer_that_is_sure_is_enough_and_one_that_is_too_unsure_is_none() {
    let sure = |confidence| Answer::Yes {
        sightings: Vec::new(),
        confidence: Some(confidence),
    };
    assert_eq!(Watched::of(Judge::Says).looks(&[sure(0.9)]), 1);
    assert_eq!(Watched::of(Judge::Says).looks(&[sure(0.89)]), 0);
    assert_eq!(Watched::of(Judge::Sees).looks(&[sure(0.99)]), 0);
    let terms = Terms {
        confidence: 0.7,
        ..Terms::of(Judge::Says)
    };
    assert_eq!(
        Watched::new(terms).looks(&[sure(0.6), sure(0.6), sure(0.6)]),
        0
    );
}

#[test]
fn a_yes_does_not_wait_for_ever_for_the_next_one() {
    let mut watched = Watched::of(Judge::Says);
    watched.looks(&[yes()]);
    watched.wait(HOUR);
    assert_eq!(watched.rules.tick(watched.now), []);
    assert_eq!(watched.state(), State::Quiet);
    assert_eq!(watched.looks(&[yes()]), 0);
}

#[test]
fn what_comes_again_within_the_cool_down_was_never_gone() {
    let mut watched = Watched::new(Terms {
        cool_down: MINUTE,
        ..Terms::of(Judge::Motion)
    });
    assert_eq!(watched.looks(&[yes()]), 1);
    for _ in 0..50 {
        watched.wait(50 * SECOND);
        assert_eq!(watched.looks(&[Answer::No, Answer::No]), 0);
        assert_eq!(watched.state(), State::Quiet);
        assert_eq!(watched.looks(&[yes()]), 0);
        assert_eq!(watched.state(), State::Standing);
    }
    watched.wait(30 * SECOND);
    watched.looks(&[Answer::No, Answer::No]);
    watched.wait(30 * SECOND);
    assert_eq!(watched.looks(&[yes()]), 1, "somebody else, a minute later");
}

#[test]
fn what_walks_stands_still_for_a_moment() {
    let mut watched = Watched::of(Judge::Motion);
    watched.looks(&[yes(), Answer::No, Answer::No, Answer::No]);
    assert_eq!(watched.state(), State::Standing);
    watched.looks(&[Answer::No, Answer::No, Answer::No]);
    assert_eq!(watched.state(), State::Quiet);
}

#[test]
fn stillness_is_told_once_until_something_moves() {
    let mut watched = Watched::of(Judge::Still);
    assert_eq!(watched.looks(&[Answer::No, yes(), yes(), yes()]), 1);
    watched.wait(2 * HOUR);
    assert_eq!(watched.looks(&[yes()]), 0);
    assert_eq!(watched.looks(&[Answer::No, yes()]), 1);
}

#[test]
fn two_kinds_of_things_are_two_and_two_of_a_kind_are_one() {
    let mut watched = Watched::of(Judge::Sees);
    let (person, car) = (seen("person", 0.1), seen("car", 0.5));
    let people = sees(&[person.clone(), seen("person", 0.7)]);
    assert_eq!(watched.looks(&[people.clone(), people]), 1);
    let both = sees(&[person.clone(), car.clone()]);
    assert_eq!(watched.looks(std::slice::from_ref(&both)), 0);
    let raised = watched.wait(SECOND).look(&both).unwrap();
    assert_eq!(raised.sightings, [person, car.clone()]);
    // The person is gone, the car stays, and no label is the other.
    let only_car = vec![sees(&[car]); 10];
    assert_eq!(watched.looks(&only_car), 0);
}

#[test]
fn things_that_are_left_are_told_apart_by_their_places() {
    let mut watched = Watched::of(Judge::Left);
    let left = |at| sees(&[seen("left", at)]);
    assert_eq!(watched.looks(&[left(0.1)]), 1);
    assert_eq!(
        watched.looks(&[left(0.12), Answer::No, Answer::No, left(0.1)]),
        0
    );
    assert_eq!(watched.looks(&[left(0.6), Answer::No]), 1);
    assert_eq!(watched.looks(&[sees(&[seen("taken", 0.1)])]), 1);
    assert_eq!(watched.looks(&[left(0.1), left(0.6)]), 0);
    assert_eq!(watched.looks(&[left(0.1), left(0.6)]), 0);
}

#[test]
fn what_was_left_stands_until_it_is_taken() {
    let mut watched = Watched::of(Judge::Left);
    let (left, taken) = (seen("left", 0.1), seen("taken", 0.13));
    assert_eq!(watched.looks(&[sees(std::slice::from_ref(&left))]), 1);
    let no_news = vec![Answer::No; 7200];
    assert_eq!(watched.looks(&no_news), 0);
    assert_eq!(watched.state(), State::Standing);
    // Another one beside it comes and goes.
    let other = [sees(&[seen("left", 0.6)]), sees(&[seen("taken", 0.6)])];
    assert_eq!(watched.looks(&other), 2);
    assert_eq!(watched.looks(&no_news[..100]), 0);
    assert_eq!(watched.state(), State::Standing);
    // It outlives a restart.
    let wall = watched.now.wall + MINUTE;
    watched.restart(MINUTE, BOOT, 0, wall);
    assert_eq!(watched.state(), State::Standing);
    // That something is missing stands for a minute.
    assert_eq!(watched.looks(&[sees(&[taken])]), 1);
    assert_eq!(watched.looks(&no_news[..58]), 0);
    assert_eq!(watched.state(), State::Standing);
    assert_eq!(watched.looks(&no_news[..3]), 0);
    assert_eq!(watched.state(), State::Quiet);
    // The next parcel is another one.
    assert_eq!(watched.looks(&[sees(std::slice::from_ref(&left))]), 1);
    // Nobody saw it go: that stands for a day, and no longer.
    for _ in 0..23 {
        watched.wait(HOUR).look(&Answer::No);
    }
    assert_eq!(watched.state(), State::Standing);
    watched.wait(HOUR).look(&Answer::No);
    watched.wait(SECOND).look(&Answer::No);
    assert_eq!(watched.state(), State::Quiet);
}

#[test]
fn an_hour_has_so_many_alerts_and_says_what_it_held_back() {
    let mut watched = Watched::of(Judge::Still);
    let mut told = Vec::new();
    for _ in 0..10 {
        watched.wait(MINUTE);
        watched.look(&Answer::No);
        told.extend(watched.look(&yes()));
        assert_eq!(watched.rules.tick(watched.now), []);
    }
    assert_eq!(told.len(), 6);
    watched.wait(51 * MINUTE);
    let held_back = watched.rules.tick(watched.now);
    assert_eq!(held_back.len(), 1);
    assert_eq!(
        (held_back[0].kind, held_back[0].held_back),
        (Kind::HeldBack, 4)
    );
    assert_eq!(watched.rules.tick(watched.now), []);
    // Or the next alert says so, when it comes first.
    let mut watched = Watched::of(Judge::Still);
    for _ in 0..8 {
        watched.look(&Answer::No);
        watched.look(&yes());
    }
    watched.wait(HOUR).look(&Answer::No);
    assert_eq!(watched.look(&yes()).unwrap().held_back, 2);
}

#[test]
fn who_is_asked_is_asked_by_movement_or_by_the_clock() {
    let mut watched = Watched::of(Judge::Says);
    let due = Watched::is_due_where;
    assert!(!due(&watched, false) && due(&watched, true));
    watched.rules.asked("a", watched.now);
    assert!(!due(&watched, true));
    watched.wait(10 * SECOND);
    assert!(due(&watched, true) && !due(&watched, false));
    watched.rules.asked("a", watched.now);
    watched.look(&yes());
    assert!(!due(&watched.now_plus(2 * SECOND), false));
    watched.wait(3 * SECOND);
    assert!(
        due(&watched, false),
        "it is confirmed whether anything moves or not"
    );
    watched.rules.asked("a", watched.now);
    watched.look(&yes());
    assert!(!due(&watched.now_plus(9 * MINUTE), false));
    assert!(due(&watched.now_plus(10 * MINUTE), false));

    let every = Terms {
        every: Some(2 * MINUTE),
        ..Terms::of(Judge::Says)
    };
    let mut watched = Watched::new(every);
    assert!(due(&watched, false));
    watched.rules.asked("a", watched.now);
    watched.look(&Answer::No);
    assert!(!due(&watched.now_plus(119 * SECOND), true));
    assert!(due(&watched.now_plus(120 * SECOND), false));
}

#[test]
fn a_question_without_an_answer_is_asked_again_though_nothing_moves_any_more() {
    let mut watched = Watched::of(Judge::Says);
    watched.moved();
    let mut asked_s = Vec::new();
    for second in 0..2000 {
        if watched.is_due() {
            watched.rules.asked("a", watched.now);
            let answer = if second < 1000 {
                Answer::Missing
            } else {
                Answer::Unsure
            };
            watched.look(&answer);
            asked_s.push(second);
        }
        watched.wait(SECOND);
    }
    // It is left alone for longer and longer, and asked no more once there was an answer.
    assert_eq!(asked_s, [0, 15, 45, 105, 225, 465, 945, 1545]);
    // The next one begins anew.
    watched.rules.looked("a", true);
    watched.rules.asked("a", watched.now);
    watched.look(&Answer::Missing);
    assert!(!watched.now_plus(14 * SECOND).is_due() && watched.now_plus(15 * SECOND).is_due());
}

#[test]
fn one_movement_is_enough_to_hear_that_nobody_answers() {
    for (came_to, cause) in [
        (Question::Failed, Cause::EndpointDown),
        (Question::Invalid, Cause::AnswersInvalid),
        (Question::NotAsked, Cause::BudgetSpent),
    ] {
        let mut watched = Watched::of(Judge::Says);
        watched.moved();
        let mut raised = Vec::new();
        for _ in 0..300 {
            if watched.is_due() {
                watched.rules.asked("a", watched.now);
                raised.extend(watched.rules.question(Judge::Says, came_to, watched.now));
                watched.look(&Answer::Missing);
            }
            watched.wait(SECOND);
        }
        let causes: Vec<_> = raised.iter().map(|raise| raise.cause).collect();
        assert_eq!(causes, [Some(cause)]);
    }
}

#[test]
fn who_was_not_asked_after_all_is_asked_soon() {
    let mut watched = Watched::of(Judge::Says);
    watched.rules.looked("a", true);
    watched.rules.asked("a", watched.now);
    assert!(!watched.now_plus(HOUR).is_due());
    watched.rules.put_off("a", 2 * SECOND, watched.now);
    assert!(!watched.now_plus(SECOND).is_due() && watched.now_plus(2 * SECOND).is_due());
    // Other settings, so that nobody waits for the answer any more.
    watched.rules.asked("a", watched.now);
    watched.rules.drop_questions(&["a".to_owned()], watched.now);
    assert!(watched.is_due());
    watched.rules.asked("a", watched.now);
    watched.look(&Answer::No);
    watched.rules.drop_questions(&["a".to_owned()], watched.now);
    assert!(!watched.now_plus(HOUR).is_due());
}

#[test]
fn a_question_without_an_answer_outlives_a_restart() {
    for is_under_way in [true, false] {
        let mut watched = Watched::of(Judge::Says);
        watched.rules.looked("a", true);
        watched.rules.asked("a", watched.now);
        assert!(watched.rules.take_changed());
        if !is_under_way {
            watched.look(&Answer::Missing);
        }
        let wall = watched.now.wall + MINUTE;
        watched.restart(MINUTE, BOOT, 0, wall);
        assert!(watched.is_due());
        watched.rules.asked("a", watched.now);
        watched.look(&Answer::No);
        assert!(watched.rules.take_changed());
        watched.restart(MINUTE, BOOT, 0, wall);
        assert!(!watched.is_due());
    }
}

#[test]
fn what_moved_outside_of_a_rule_s_hours_is_not_asked_about_in_them() {
    let mut watched = Watched::of(Judge::Says);
    watched.rules.looked("a", true);
    assert!(watched.is_due());
    watched.rules.looks_away("a");
    assert!(!watched.is_due());
}

#[test]
fn who_follows_is_not_blind_when_others_have_looked_enough() {
    let mut watched = Watched::of(Judge::Motion);
    watched.rules.follow(watched.now);
    assert!(watched.rules.save("door", BOOT, watched.now).watching);
    for second in 0..600 {
        if second < 15 {
            assert_eq!(watched.rules.frame(watched.now), None);
        }
        watched.wait(SECOND);
        assert_eq!(watched.rules.tick(watched.now), []);
    }
    // Its frames are wished for from now on.
    watched.rules.watch(true, watched.now);
    let mut raised = Vec::new();
    for _ in 0..61 {
        watched.wait(SECOND);
        raised.extend(watched.rules.tick(watched.now));
    }
    assert_eq!(raised[0].cause, Some(Cause::NoFrames));
}

#[test]
fn who_walks_out_is_looked_for_once_more_when_nothing_moves() {
    let mut watched = Watched::new(Terms {
        cool_down: 30 * SECOND,
        ..Terms::of(Judge::Sees)
    });
    let person = sees(&[seen("person", 0.5)]);
    let (mut alerts, mut asked) = (0, 0);
    // Two visitors, five minutes apart, of five seconds each. The picture in which each is seen
    // last is the last one in which something moves.
    for half_second in 0..1200 {
        let is_there = half_second % 600 <= 10;
        watched.rules.looked("a", is_there);
        if watched.is_due_where(is_there) {
            watched.rules.asked("a", watched.now);
            asked += 1;
            let answer = if is_there { &person } else { &Answer::No };
            alerts += usize::from(watched.look(answer).is_some());
        }
        watched.wait(SECOND / 2);
    }
    assert_eq!((alerts, watched.state()), (2, State::Quiet));
    assert!(asked < 30, "{asked}");
}

#[test]
fn who_stands_still_is_looked_for_each_minute() {
    let mut watched = Watched::of(Judge::Sees);
    let person = sees(&[seen("person", 0.5)]);
    assert_eq!(watched.looks(&[person.clone(), person.clone()]), 1);
    let mut asked = 0;
    for second in 0..600 {
        watched.rules.looked("a", second < 5);
        if watched.is_due_where(second < 5) {
            watched.rules.asked("a", watched.now);
            watched.look(&person);
            asked += 1;
        }
        watched.wait(SECOND);
    }
    // Each second at first, then once, and nine times.
    assert!((14..=16).contains(&asked), "{asked}");
}

impl Watched {
    /// Something moves, and no more.
    fn moved(&mut self) {
        self.rules.looked("a", true);
        self.rules.looked("a", false);
    }

    /// Whether it is to be asked, where something moves in the next picture, or nothing does.
    fn is_due_where(&self, is_moving: bool) -> bool {
        let mut next = self.now_plus(Duration::ZERO);
        next.rules.looked("a", is_moving);
        next.rules.rules()[0].is_due(next.now)
    }

    /// Whether it is to be asked, where nothing moves.
    fn is_due(&self) -> bool {
        self.is_due_where(false)
    }

    fn now_plus(&self, time: Duration) -> Self {
        Self {
            rules: self.rules.clone(),
            now: self.now.plus(time),
        }
    }
}

#[test]
fn a_restart_neither_tells_again_nor_forgets() {
    for (boot, monotonic_ms) in [(BOOT, 0), ("b1", 500)] {
        let mut watched = Watched::of(Judge::Says);
        watched.looks(&[yes(), yes()]);
        let wall = watched.now.wall + MINUTE;
        watched.restart(MINUTE, boot, monotonic_ms, wall);
        assert_eq!(watched.state(), State::Standing, "{boot}");
        assert_eq!(watched.looks(&[yes(), yes(), yes()]), 0);
        watched.looks(&[Answer::No, Answer::No]);
        let wall = watched.now.wall + MINUTE;
        watched.restart(MINUTE, boot, monotonic_ms, wall);
        assert_eq!(
            watched.looks(&[yes(), yes(), yes()]),
            0,
            "the cool-down goes on"
        );
        watched.looks(&[Answer::No, Answer::No]);
        let wall = watched.now.wall + 11 * MINUTE;
        watched.restart(11 * MINUTE, boot, monotonic_ms, wall);
        assert_eq!(watched.looks(&[yes(), yes()]), 1, "{boot}: another one");
    }
}

#[test]
fn a_clock_that_is_set_back_by_hours_neither_repeats_nor_silences() {
    // While it runs, the wall's clock is not even looked at.
    let mut watched = Watched::of(Judge::Says);
    watched.looks(&[yes(), yes()]);
    watched.now.wall -= 5 * HOUR;
    assert_eq!(watched.looks(&[yes(), Answer::No, Answer::No]), 0);
    watched.wait(11 * MINUTE);
    assert_eq!(watched.looks(&[yes(), yes()]), 1);
    // Over a start of the machine it is all there is.
    watched.looks(&[Answer::No, Answer::No]);
    let wall = watched.now.wall - 5 * HOUR;
    watched.restart(MINUTE, "b1", 500, wall);
    assert_eq!(
        watched.looks(&[yes(), yes()]),
        0,
        "no time has passed, as far as is known"
    );
    watched.looks(&[Answer::No, Answer::No]);
    watched.wait(11 * MINUTE);
    assert_eq!(
        watched.looks(&[yes(), yes()]),
        1,
        "and the cool-down ends as it should"
    );
}

#[test]
fn a_rule_of_the_same_name_in_other_words_is_another_one() {
    let mut watched = Watched::of(Judge::Says);
    watched.looks(&[yes(), yes()]);
    let other = Terms {
        asked: Some("a cat".to_owned()),
        ..Terms::of(Judge::Says)
    };
    watched.rules.set_rules(vec![("a".to_owned(), other)]);
    assert_eq!(watched.looks(&[yes(), yes()]), 1);
    let slower = Terms {
        cool_down: HOUR,
        ..watched.terms()
    };
    watched.rules.set_rules(vec![("a".to_owned(), slower)]);
    assert_eq!(
        watched.looks(&[yes(), yes()]),
        0,
        "and in the same words it is the same"
    );
}

fn causes(raised: impl IntoIterator<Item = Raise>) -> Vec<(Kind, Cause)> {
    let raised = raised.into_iter();
    raised
        .map(|raised| (raised.kind, raised.cause.unwrap()))
        .collect()
}

/// Lets time pass, second by second, with a frame each or without.
fn frames(watched: &mut Watched, seconds: u32, are_there: bool) -> Vec<(Kind, Cause)> {
    let mut raised = Vec::new();
    for _ in 0..seconds {
        watched.wait(SECOND);
        if are_there {
            raised.extend(watched.rules.frame(watched.now));
        }
        raised.extend(watched.rules.tick(watched.now));
    }
    causes(raised)
}

const BLIND: (Kind, Cause) = (Kind::Blind, Cause::NoFrames);
const SEES: (Kind, Cause) = (Kind::SeesAgain, Cause::NoFrames);

#[test]
fn a_camera_that_gives_no_frames_is_told_once_and_its_return_once() {
    let mut watched = Watched::of(Judge::Motion);
    watched.rules.watch(true, watched.now);
    assert_eq!(frames(&mut watched, 600, true), []);
    assert_eq!(frames(&mut watched, 59, false), []);
    assert_eq!(frames(&mut watched, 3600, false), [BLIND]);
    assert_eq!(frames(&mut watched, 2, true), []);
    assert_eq!(frames(&mut watched, 600, true), [SEES]);
}

#[test]
fn a_camera_that_is_not_watched_is_not_blind_nor_is_a_machine_that_slept() {
    let mut watched = Watched::of(Judge::Motion);
    assert_eq!(frames(&mut watched, 600, false), []);
    watched.rules.watch(true, watched.now);
    assert_eq!(frames(&mut watched, 30, false), []);
    watched.wait(8 * HOUR);
    assert_eq!(frames(&mut watched, 50, false), []);
    assert_eq!(frames(&mut watched, 50, false), [BLIND]);
    watched.rules.watch(false, watched.now);
    assert_eq!(frames(&mut watched, 600, false), []);
    watched.rules.watch(true, watched.now);
    assert_eq!(frames(&mut watched, 600, false), []);
    assert_eq!(frames(&mut watched, 600, true), [SEES]);
}

#[test]
fn blindness_outlives_a_restart() {
    let mut watched = Watched::of(Judge::Motion);
    watched.rules.watch(true, watched.now);
    assert_eq!(frames(&mut watched, 100, false), [BLIND]);
    let wall = watched.now.wall - 3 * HOUR;
    watched.restart(MINUTE, BOOT, 0, wall);
    assert!(
        watched
            .rules
            .save("door", BOOT, watched.now)
            .blind
            .is_some()
    );
    watched.rules.watch(true, watched.now);
    assert_eq!(frames(&mut watched, 600, false), []);
    assert_eq!(frames(&mut watched, 600, true), [SEES]);
}

#[test]
fn a_camera_that_comes_and_goes_is_told_as_often_as_an_hour_may_have_and_then_counted() {
    let mut watched = Watched::of(Judge::Motion);
    watched.rules.watch(true, watched.now);
    let mut told = Vec::new();
    for round in 0..40 {
        told.extend(frames(&mut watched, 70, false));
        assert!(
            watched.rules.is_blind(),
            "what is shown holds, whatever is told"
        );
        told.extend(frames(&mut watched, 20, true));
        assert!(!watched.rules.is_blind());
        if round == 20 {
            let wall = watched.now.wall;
            watched.restart(SECOND, BOOT, 0, wall);
            watched.rules.watch(true, watched.now);
        }
    }
    assert_eq!(told, [BLIND, SEES].repeat(6));
    // An hour after the first alert there is room for one that says so.
    let mut raised = Vec::new();
    for _ in 0..120 {
        watched.wait(SECOND);
        raised.extend(watched.rules.frame(watched.now));
        raised.extend(watched.rules.tick(watched.now));
    }
    let held_back: Vec<_> = raised.iter().map(|it| (it.kind, it.held_back)).collect();
    assert_eq!(held_back, [(Kind::HeldBack, 34)]);
}

#[test]
fn blindness_that_lasts_is_told_as_soon_as_an_hour_has_room_for_it() {
    let mut watched = Watched::of(Judge::Motion);
    watched.rules.watch(true, watched.now);
    for _ in 0..8 {
        frames(&mut watched, 70, false);
        frames(&mut watched, 20, true);
    }
    let mut raised = Vec::new();
    for second in 0..3600 {
        watched.wait(SECOND);
        let ticked = watched.rules.tick(watched.now);
        raised.extend(ticked.into_iter().map(|it| (second, it.kind, it.held_back)));
    }
    // Eight times 90 s before it, the first of them told after 60.
    assert_eq!(raised.len(), 1, "{raised:?}");
    let (second, kind, held_back) = raised[0];
    assert!((2930..2950).contains(&second), "{second}");
    assert_eq!((kind, held_back), (Kind::Blind, 2));
    assert_eq!(frames(&mut watched, 100, true), [SEES]);
}

/// Starts again after so long; then the view is learned for 4 s, in which nobody can tell anything.
fn start_anew(watched: &mut Watched, after: Duration) {
    let wall = watched.now.wall + after;
    watched.restart(after, BOOT, 0, wall);
    assert_eq!(watched.looks(&vec![Answer::Unsure; 4]), 0);
}

#[test]
fn a_visit_in_which_the_program_is_started_anew_is_told_once() {
    let no = |count| vec![Answer::No; count];
    // Who stands still when the view is known, and moves again then.
    let mut watched = Watched::of(Judge::Motion);
    assert_eq!(watched.looks(&[yes()]), 1);
    start_anew(&mut watched, 20 * SECOND);
    assert_eq!(watched.state(), State::Standing);
    assert_eq!(watched.looks(&no(3)) + watched.looks(&[yes()]), 0);
    // Who has gone is gone all the same, and the next one is told.
    assert_eq!(watched.looks(&no(6)), 0);
    assert_eq!(watched.state(), State::Quiet);
    assert_eq!(watched.looks(&no(10)) + watched.looks(&[yes()]), 1);
    // Where it took longer, it is the same if it is seen as soon as something can be.
    for (first, alerts) in [(yes(), 0), (Answer::No, 1)] {
        let mut watched = Watched::of(Judge::Motion);
        assert_eq!(watched.looks(&[yes()]), 1);
        start_anew(&mut watched, 5 * MINUTE);
        let answers = [first.clone(), first, yes()];
        assert_eq!(watched.looks(&answers), alerts);
    }
}

#[test]
fn what_stands_still_when_the_program_is_started_anew_is_told_once() {
    let mut watched = Watched::of(Judge::Still);
    assert_eq!(watched.looks(&[yes(), yes()]), 1);
    start_anew(&mut watched, 5 * MINUTE);
    assert_eq!(watched.looks(&[Answer::Unsure, yes()]), 0);
    assert_eq!(watched.looks(&[Answer::No, yes()]), 1);
}

/// Asks every ten seconds.
fn questions(watched: &mut Watched, count: u32, came_to: Question) -> Vec<(Kind, Cause)> {
    let mut raised = Vec::new();
    for _ in 0..count {
        watched.wait(10 * SECOND);
        raised.extend(watched.rules.question(Judge::Says, came_to, watched.now));
        raised.extend(watched.rules.tick(watched.now));
    }
    causes(raised)
}

#[test]
fn who_does_not_answer_is_told_once_for_each_reason() {
    for (came_to, cause) in [
        (Question::Failed, Cause::EndpointDown),
        (Question::Invalid, Cause::AnswersInvalid),
        (Question::NotAsked, Cause::BudgetSpent),
    ] {
        let mut watched = Watched::of(Judge::Says);
        assert_eq!(questions(&mut watched, 10, Question::Answered), []);
        assert_eq!(questions(&mut watched, 5, came_to), [], "{cause:?}");
        assert_eq!(
            questions(&mut watched, 100, came_to),
            [(Kind::Blind, cause)]
        );
        let again = questions(&mut watched, 100, Question::Answered);
        assert_eq!(again, [(Kind::SeesAgain, cause)]);
        // One failure now and then is none.
        for _ in 0..20 {
            assert_eq!(questions(&mut watched, 2, came_to), []);
            assert_eq!(questions(&mut watched, 1, Question::Answered), []);
        }
    }
}

#[test]
fn a_budget_that_lets_one_question_through_now_and_then_is_spent() {
    let mut watched = Watched::of(Judge::Says);
    let mut told = Vec::new();
    for _ in 0..50 {
        told.extend(questions(&mut watched, 18, Question::NotAsked));
        told.extend(questions(&mut watched, 1, Question::Answered));
    }
    assert_eq!(told, [(Kind::Blind, Cause::BudgetSpent)]);
}

#[test]
fn a_torn_or_strange_state_is_none() {
    let mut watched = Watched::of(Judge::Says);
    watched.looks(&[yes(), yes()]);
    let saved = watched.rules.save("door", BOOT, watched.now);
    let json = saved.to_json();
    assert_eq!(Saved::parse(&json).unwrap(), saved);
    for end in 0..json.len() - 2 {
        assert!(Saved::parse(&json[..end]).is_err(), "{end}");
    }
    let later = String::from_utf8(json)
        .unwrap()
        .replace("\"version\":1", "\"version\":2");
    assert!(Saved::parse(later.as_bytes()).is_err());
}

/// What really happens before the camera: somebody is there for so many seconds, then nobody for so
/// many.
type Scene = Vec<(u32, u32)>;

/// Absences that are clearly shorter or longer than a cool-down of 10 minutes, with restarts and
/// all.
fn scenes() -> impl Strategy<Value = Scene> {
    let away = prop_oneof![5_u32..400, 800_u32..3000];
    prop::collection::vec((20_u32..300, away), 1..12)
}

/// What goes wrong meanwhile, at this second.
#[derive(Clone, Debug)]
enum Accident {
    /// It is killed, and started again so many seconds later; perhaps with the machine.
    Killed(u32, bool),
    /// The wall's clock is set by so many seconds.
    ClockSet(i64),
    /// Nobody answers, or nobody knows, for so many seconds.
    Missing(u32, bool),
}

fn accidents() -> impl Strategy<Value = Vec<(u32, Accident)>> {
    let accident = prop_oneof![
        (1_u32..8, any::<bool>()).prop_map(|(away, boot)| Accident::Killed(away, boot)),
        (-20_000_i64..20_000).prop_map(Accident::ClockSet),
        (1_u32..8, any::<bool>()).prop_map(|(away, unsure)| Accident::Missing(away, unsure)),
    ];
    // Apart, for each may cost the answers that a presence of 20 s has.
    prop::collection::vec((20_u32..700, accident), 0..20)
}

/// Plays a scene with its accidents, once a second; gives the seconds of the alerts.
fn play(scene: &Scene, accidents: &[(u32, Accident)], judge: Judge) -> Vec<u32> {
    let terms = Terms {
        an_hour: 1000,
        cool_down: 10 * MINUTE,
        ..Terms::of(judge)
    };
    let mut watched = Watched::new(terms.clone());
    let mut boot = 0;
    let presence: Vec<bool> = (scene.iter())
        .flat_map(|(there, away)| {
            [(true, *there), (false, *away)]
                .into_iter()
                .flat_map(|(is_there, seconds)| std::iter::repeat_n(is_there, seconds as usize))
        })
        .collect();
    let mut due = 0;
    let accidents: Vec<(u32, Accident)> = (accidents.iter())
        .map(|(after, accident)| {
            due += after;
            (due, accident.clone())
        })
        .collect();
    let mut accidents = accidents.into_iter().peekable();
    let mut saved = watched.rules.save("door", "b0", watched.now);
    let (mut alerts, mut dead_until, mut missing) = (Vec::new(), 0, (0, false));
    for (second, is_there) in presence.into_iter().enumerate() {
        let second = u32::try_from(second).unwrap();
        watched.wait(SECOND);
        while let Some((_, accident)) = accidents.next_if(|(at, _)| *at <= second) {
            match accident {
                Accident::Killed(away, is_machine) => {
                    dead_until = second + away;
                    if is_machine {
                        boot += 1;
                        watched.now.monotonic = Monotonic::from_millis(500);
                    }
                }
                Accident::ClockSet(by) if by >= 0 => {
                    // Ahead, and with a start of the machine at the same time, nobody could tell.
                    watched.now.wall += Duration::from_secs(by.unsigned_abs());
                    saved = watched.rules.save("door", &format!("b{boot}"), watched.now);
                }
                Accident::ClockSet(by) => {
                    watched.now.wall -= Duration::from_secs(by.unsigned_abs())
                }
                Accident::Missing(seconds, unsure) => missing = (second + seconds, unsure),
            }
        }
        let name = format!("b{boot}");
        if second < dead_until {
            continue;
        }
        if second == dead_until && second > 0 {
            let rules = vec![("a".to_owned(), terms.clone())];
            watched.rules = CameraRules::new(rules, Some(saved.clone()), &name, watched.now);
        }
        let answer = match missing {
            (until, unsure) if second < until => {
                if unsure {
                    Answer::Unsure
                } else {
                    Answer::Missing
                }
            }
            _ if is_there => yes(),
            _ => Answer::No,
        };
        alerts.extend(watched.look(&answer).map(|_| second));
        watched.rules.tick(watched.now);
        // As the ledger does: what changed at once, what is remembered now and then.
        if watched.rules.take_changed() || (watched.rules.is_remembering() && second % 30 == 0) {
            saved = watched.rules.save("door", &name, watched.now);
        }
    }
    alerts
}

/// The first seconds of those who come more than a cool-down after the last one went.
fn expected(scene: &Scene) -> Vec<u32> {
    let (mut second, mut gone) = (0, None);
    let mut expected = Vec::new();
    for (there, away) in scene {
        if gone.is_none_or(|gone| second - gone > 600) {
            expected.push(second);
        }
        second += there;
        gone = Some(second);
        second += away;
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 64 }))]

    #[test]
    fn each_thing_is_told_once_whatever_goes_wrong(
        scene in scenes(),
        accidents in accidents(),
        judge in prop_oneof![Just(Judge::Motion), Just(Judge::Sees), Just(Judge::Says)],
    ) {
        let alerts = play(&scene, &accidents, judge);
        let expected = expected(&scene);
        prop_assert_eq!(alerts.len(), expected.len(), "{:?} {:?}", alerts, expected);
        for (alert, came) in alerts.iter().zip(&expected) {
            prop_assert!((*came..came + 20).contains(alert), "{:?} {:?}", alerts, expected);
        }
    }

    #[test]
    fn no_answers_at_all_make_more_alerts_than_an_hour_may_have(
        answers in prop::collection::vec((0_u8..4, 1_u32..120), 1..400),
        judge in prop_oneof![Just(Judge::Motion), Just(Judge::Left), Just(Judge::Still)],
    ) {
        let mut watched = Watched::new(Terms { cool_down: Duration::ZERO, ..Terms::of(judge) });
        let (mut told, mut new, mut held_back) = (Vec::new(), 0_u32, 0_u32);
        for (answer, seconds) in answers {
            watched.wait(Duration::from_secs(seconds.into()));
            for raised in watched.rules.tick(watched.now) {
                told.push(watched.now.monotonic);
                held_back += raised.held_back;
            }
            let before = watched.rules.rules()[0].state();
            let answer = match answer {
                0 => yes(),
                1 => Answer::No,
                2 => Answer::Unsure,
                _ => Answer::Missing,
            };
            let raised = watched.look(&answer);
            if before != State::Standing && watched.state() == State::Standing {
                new += 1;
            }
            if let Some(raised) = raised {
                told.push(watched.now.monotonic);
                held_back += raised.held_back;
                let within = told.iter().filter(|at| watched.now.monotonic.since(**at) < HOUR);
                prop_assert!(within.count() <= 6);
                new -= 1;
            }
        }
        watched.wait(HOUR);
        let last = watched.rules.tick(watched.now);
        held_back += last.iter().map(|raised| raised.held_back).sum::<u32>();
        // What was not told as itself was counted.
        prop_assert_eq!(new, held_back);
    }
}
