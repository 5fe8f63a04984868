//! One far camera on given times, its answers made by hand.

use eyelid_slot::{RenditionSet, State};

use super::*;
use crate::wire::{FrameId, Head, NoFrame, RequestId};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const FRAME: Option<Rendition> = None;
const QUARTER: Option<Rendition> = Some(Rendition::Quarter);

struct World {
    far: Far,
    post: Rc<Post>,
    now: Instant,
    wall: SystemTime,
    jpeg: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let post = Rc::new(Post::default());
        let (now, wall) = (
            Instant::now(),
            SystemTime::UNIX_EPOCH + 1_800_000_000 * SECOND,
        );
        let camera = FarCamera {
            host: "pi".parse().unwrap(),
            camera: "door".parse().unwrap(),
        };
        let far = Far::new(
            FarId(4),
            camera,
            Asker(1),
            1 << 20,
            post.clone(),
            Rc::default(),
            (now, wall),
        );
        Self {
            far,
            post,
            now,
            wall,
            jpeg: eyelid_picture::card(64, 48, "far", "a picture"),
        }
    }

    fn awake() -> Self {
        let mut world = Self::new();
        world.far.start(world.now).unwrap();
        world
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.wall += time;
        self.far.set_clock(self.now, self.wall);
    }

    /// Readers wish for these; gives what is asked for, but for the state.
    fn wish(&mut self, wishes: &[Option<Rendition>]) -> Vec<(Option<Rendition>, RequestId)> {
        let renditions = wishes.iter().copied().flatten();
        let wishes = Wishes {
            frame: wishes.contains(&FRAME),
            renditions: RenditionSet::from_iter(renditions),
        };
        self.far.wish(self.now, wishes);
        let letters = self.post.take_letters().into_iter();
        let asked = letters.filter_map(|letter| match letter.subject {
            Subject::Frames(_, rendition) => Some((rendition, letter.request.id)),
            _ => None,
        });
        asked.collect()
    }

    /// A frame comes that is so old.
    fn comes(&mut self, rendition: Option<Rendition>, id: RequestId, sequence: u64, age: Duration) {
        let head = Head {
            id,
            frame: FrameId {
                instance: 9,
                sequence,
            },
            held_us: 0,
            age_us: age.as_micros() as u64,
            width_px: 64,
            height_px: 48,
            bytes: self.jpeg.len() as u32,
        };
        let jpeg = self.jpeg.clone();
        self.far.reply(rendition, Reply::Head(head, &jpeg)).unwrap();
    }

    fn none(&mut self, rendition: Option<Rendition>, id: RequestId, reason: Reason) {
        let no_frame = NoFrame {
            id,
            reason,
            instance: 9,
            held_us: 0,
        };
        self.far.reply(rendition, Reply::NoFrame(no_frame)).unwrap();
    }

    fn advance(&mut self) -> Result<(), FarFailure> {
        self.far.set_clock(self.now, self.wall);
        self.far.advance(self.now)
    }
}

#[test]
fn only_what_is_wished_for_is_asked_for_and_each_by_its_own_name() {
    let mut world = World::awake();
    assert_eq!(world.wish(&[]), []);
    let asked = world.wish(&[QUARTER]);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].0, QUARTER);
    let route = (FarId(4), Topic::Frames(QUARTER));
    assert_eq!(world.post.routed(asked[0].1.subject), Some(route));
    // Any number of readers is one wish.
    assert_eq!(world.wish(&[QUARTER]), []);
    assert_eq!(world.wish(&[QUARTER, FRAME]).len(), 1);
    world.far.stop();
    assert_eq!(world.far.deadline(), None, "nobody looks: nothing is due");
    assert_eq!(world.wish(&[FRAME, QUARTER]), []);
    world.post.forget(FarId(4));
    assert_eq!(world.post.routed(asked[0].1.subject), None);
}

#[test]
fn files_of_one_exposure_have_one_moment_and_what_lay_too_long_is_no_answer() {
    let mut world = World::awake();
    let asked = world.wish(&[FRAME, QUARTER]);
    world.wait(20 * MS);
    world.comes(FRAME, asked[0].1, 1, 100 * MS);
    world.wait(30 * MS);
    world.comes(QUARTER, asked[1].1, 1, 140 * MS);
    let status = world.far.status();
    assert_eq!((status.sequence, status.works), (Some(1), true));
    assert_eq!(status.own.newest(Rendition::Quarter), Some(1));
    let quarter = world.far.take_newest(QUARTER).unwrap();
    world.wait(50 * MS);
    world.advance().unwrap();
    let frame = world.far.take_newest(FRAME).unwrap();
    assert_eq!(frame.captured, quarter.captured);
    assert!(
        world.far.take_newest(FRAME).is_none(),
        "an answer is given once"
    );
    let asked = world.wish(&[FRAME]);
    world.comes(FRAME, asked[0].1, 2, Duration::ZERO);
    world.wait(3 * SECOND);
    world.advance().unwrap();
    assert!(world.far.take_newest(FRAME).is_none(), "it is of the past");
}

#[test]
fn what_is_no_picture_or_from_the_past_is_not_taken() {
    let mut world = World::awake();
    let first = world.wish(&[FRAME])[0].1;
    world.comes(FRAME, first, 7, Duration::ZERO);
    let taken = world.far.take_newest(FRAME).unwrap();
    // A replay of the same answer, and an older frame.
    let head = |id, sequence, bytes: usize| Head {
        id,
        frame: FrameId {
            instance: 9,
            sequence,
        },
        held_us: 0,
        age_us: 0,
        width_px: 64,
        height_px: 48,
        bytes: bytes as u32,
    };
    let jpeg = world.jpeg.clone();
    let replay = Reply::Head(head(first, 7, jpeg.len()), &jpeg);
    assert!(world.far.reply(FRAME, replay).is_err());
    let second = world.wish(&[FRAME])[0].1;
    let older = Reply::Head(head(second, 6, jpeg.len()), &jpeg);
    assert!(world.far.reply(FRAME, older).is_err());
    // Torn: its end is another's beginning.
    world.wait(10 * SECOND);
    let third = world.wish(&[FRAME])[0].1;
    let torn = [&jpeg[..jpeg.len() / 2], &jpeg[..jpeg.len() / 2]].concat();
    let torn = Reply::Head(head(third, 8, torn.len()), &torn);
    world.far.reply(FRAME, torn).unwrap();
    assert!(world.far.take_newest(FRAME).is_none());
    assert_eq!(world.far.rejected(), 3);
    world.wait(10 * SECOND);
    let fourth = world.wish(&[FRAME])[0].1;
    world.comes(FRAME, fourth, 9, Duration::ZERO);
    assert!(world.far.take_newest(FRAME).unwrap().captured > taken.captured);
}

#[test]
fn a_host_that_nobody_hears_is_unreachable_at_once_and_asked_again() {
    let mut world = World::awake();
    let since = world.wall;
    let asked = world.wish(&[FRAME])[0].1;
    world.far.nobody_answers(Topic::Frames(FRAME), asked.number);
    let host = "pi".parse().unwrap();
    let unreachable = FarFailure::Unreachable { host, since };
    assert_eq!(world.advance(), Err(unreachable.clone()));
    assert!(
        unreachable
            .to_string()
            .contains("pi has been unreachable since 2027-")
    );
    world.far.stop();
    // It is asked again, and has its time to answer.
    world.wait(2 * SECOND);
    world.far.start(world.now).unwrap();
    let asked = world.wish(&[FRAME]);
    assert_eq!(asked.len(), 1);
    assert_eq!(world.advance(), Ok(()));
    world.comes(FRAME, asked[0].1, 1, Duration::ZERO);
    assert_eq!(world.advance(), Ok(()));
    assert!(world.far.status().works);
    let told = [(FarId(4), Some(since)), (FarId(4), None)];
    assert_eq!(world.post.take_lost(), told);
}

#[test]
fn silence_is_a_failure_and_says_since_when() {
    let mut world = World::awake();
    let since = world.wall;
    let mut asked = world.wish(&[FRAME]).len();
    while world.advance().is_ok() {
        assert!(world.wall < since + 30 * SECOND, "it is never noticed");
        world.wait(250 * MS);
        asked += world.wish(&[FRAME]).len();
    }
    let host = "pi".parse().unwrap();
    let unreachable = FarFailure::Unreachable { host, since };
    assert_eq!(world.advance(), Err(unreachable.clone()));
    assert!(asked <= 4, "{asked} requests into the void");
    // Silent still: after its time it has failed again, since the same moment.
    world.far.stop();
    world.far.start(world.now).unwrap();
    world.wish(&[FRAME]);
    assert_eq!(world.advance(), Ok(()));
    world.wait(PATIENCE);
    assert_eq!(world.advance(), Err(unreachable));
}

#[test]
fn without_a_broker_nothing_is_tried() {
    let mut world = World::awake();
    world.wish(&[FRAME]);
    world.post.set_cut(Some(world.now));
    world.far.disconnected();
    let since = world.wall;
    world.wait(SECOND);
    assert_eq!(world.advance(), Err(FarFailure::Cut { since }));
    world.far.stop();
    assert_eq!(world.far.start(world.now), Err(FarFailure::Cut { since }));
    world.post.set_cut(None);
    world.far.connected();
    assert!(world.far.take_returned(), "it is worth a try at once");
    world.far.start(world.now).unwrap();
    assert_eq!(world.wish(&[FRAME]).len(), 1);
}

#[test]
fn a_camera_that_has_failed_there_says_why_here() {
    let mut world = World::awake();
    let asked = world.wish(&[FRAME])[0].1;
    world.none(FRAME, asked, Reason::Failed);
    assert_eq!(world.advance(), Ok(()), "it is asked first");
    world.wait(SECOND / 2);
    world.far.wish(world.now, Wishes::default());
    world.wait(SECOND / 2);
    world.far.wish(world.now, Wishes::default());
    let letters = world.post.take_letters();
    let state = letters
        .iter()
        .find(|it| matches!(it.subject, Subject::State(_)));
    let failed = State::failed("it is unplugged".into(), SystemTime::UNIX_EPOCH);
    let answer = FarState::new(state.unwrap().request.id, failed, world.wall);
    world.far.state_came(answer);
    let reason = "it is unplugged".to_owned();
    assert_eq!(world.advance(), Err(FarFailure::Camera(reason)));

    let mut world = World::awake();
    let asked = world.wish(&[FRAME])[0].1;
    world.none(FRAME, asked, Reason::NotShared);
    assert!(matches!(world.advance(), Err(FarFailure::NotShared(_))));
}

#[test]
fn a_rendition_that_is_not_there_is_offered_no_more() {
    let mut world = World::awake();
    let asked = world.wish(&[QUARTER])[0].1;
    world.none(QUARTER, asked, Reason::NotShared);
    assert_eq!(world.advance(), Ok(()));
    let offers = world.far.told().offers();
    assert!(!offers.contains(Rendition::Quarter) && offers.contains(Rendition::Half));
}

#[test]
fn who_sleeps_takes_no_frame_that_comes_late() {
    let mut world = World::awake();
    let asked = world.wish(&[FRAME])[0].1;
    world.far.stop();
    world.comes(FRAME, asked, 1, Duration::ZERO);
    world.far.start(world.now).unwrap();
    assert_eq!(world.far.status().sequence, None);
}
