//! What looks at slots in tests.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod producer;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_consumer::{
    Camera, Cameras, Configured, Deadline, Envelope, Position, RateCap, SharedFrame, Subscriber,
    View, Wake,
};
use eyelid_daemon::pulse::Pulse;
use eyelid_slot::CameraName;
use tokio::time::timeout;

/// How long anything may take before it counts as hung.
pub(crate) const HUNG: Duration = Duration::from_secs(20);

pub(crate) const DEADLINE: Deadline = Deadline {
    timeout: HUNG,
    max_age: HUNG,
};

/// A whole JPEG, as far as markers go, with a number in it.
pub(crate) fn jpeg(number: u8) -> Vec<u8> {
    vec![0xFF, 0xD8, number, 0xFF, 0xD9]
}

pub(crate) fn number(frame: &SharedFrame) -> u8 {
    frame.jpeg[2]
}

/// Runs a program that looks at the slots in a directory.
pub(crate) async fn looking<E: Envelope + 'static, F: Future>(
    slots: &Path,
    envelope: E,
    program: impl FnOnce(Rc<Cameras>) -> F,
) -> F::Output {
    let cameras = Cameras::new(slots.to_owned(), Configured::new(), envelope);
    let cameras = Rc::new(cameras);
    listening(&cameras, program(cameras.clone())).await
}

/// Runs a program while inotify is listened to.
pub(crate) async fn listening<T>(cameras: &Cameras, program: impl Future<Output = T>) -> T {
    let pulse = Pulse::default();
    tokio::select! {
        error = cameras.run(&pulse) => panic!("inotify: {error:?}"),
        ended = timeout(HUNG * 3, program) => ended.expect("it hangs"),
    }
}

pub(crate) fn default_camera(cameras: &Cameras) -> Rc<Camera> {
    cameras.camera(&CameraName::default()).unwrap()
}

pub(crate) fn view(cameras: &Rc<Cameras>, cap: Option<RateCap>) -> View {
    cameras.view(default_camera(cameras), cap)
}

/// Takes all frames.
#[derive(Default)]
pub(crate) struct TakesAll {
    pub(crate) taken: RefCell<Vec<u8>>,
    pub(crate) seen: Cell<Position>,
    pub(crate) offered: Cell<usize>,
}

impl TakesAll {
    pub(crate) fn take(&self, frame: &SharedFrame) {
        self.taken.borrow_mut().push(number(frame));
        self.seen.set(frame.position());
    }

    /// Takes frames until this one, as they come or, where it has to, by asking. Each is another
    /// one, and not all had to be asked for.
    pub(crate) async fn take_until(self: &Rc<Self>, view: &View, last: u8) {
        while self.taken.borrow().last() != Some(&last) {
            self.take(&view.next(self.seen.get(), DEADLINE).await.unwrap());
            // Returns when no frame has come for a second: after the last one, and where the
            // machine is busy.
            let wake = view.follow(self.clone(), self.seen.get(), HUNG).await;
            assert!(matches!(wake, Wake::Recheck), "{wake:?}");
        }
        let taken = self.taken.borrow();
        assert!(self.offered.get() > 0, "it asked for each of {taken:?}");
        assert!(taken.is_sorted_by(|one, next| one < next), "{taken:?}");
    }
}

impl Subscriber for TakesAll {
    fn offer(&self, frame: &Rc<SharedFrame>, _: Instant) -> ControlFlow<Wake> {
        self.take(frame);
        self.offered.set(self.offered.get() + 1);
        ControlFlow::Continue(())
    }
}
