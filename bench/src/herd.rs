//! Many cameras in one thread, each asleep until somebody looks: they play the cameras of a host
//! where a fleet is measured.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use eyelid_bench::picture::{FPS, Picture, Spec};
use eyelid_jpeg::EncodedPicture;
use eyelid_picture::Tables;
use eyelid_producer::{
    Driver, DriverId, DriverOptions, EncodedFrame, Precedence, Producers, Rest, Source,
    SourceFailure, SourceStatus,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

/// Plays this many cameras until killed, in slots named `camera-0000` and so on. They have one
/// picture, with the moment of its capture in it, [`FPS`] times a second.
///
/// # Errors
/// A slot cannot be opened, or inotify failed.
pub(crate) fn run(slots: &Path, count: usize, spec: Spec, linger: Duration) -> anyhow::Result<()> {
    let shared = Rc::new(Shared {
        picture: RefCell::new(Picture::new(spec)?),
        awake: RefCell::default(),
        sequence: Cell::new(0),
        captured: Cell::new(SystemTime::now()),
    });
    let mut producers = Producers::new()?;
    let mut ids = Vec::with_capacity(count);
    for number in 0..count {
        let name = format!("camera-{number:04}");
        let directory = slots.join(&name);
        std::fs::create_dir_all(&directory).with_context(|| format!("slot {directory:?}"))?;
        let options = DriverOptions {
            log_name: name,
            shown_source: "bench".to_owned(),
            max_fps: None,
            linger,
            tables: Tables::Standard,
            rest: Rest::Frame,
            precedence: Precedence::Own,
        };
        let source = Played {
            number,
            spec,
            shared: shared.clone(),
        };
        let publisher = producers.open(&directory)?;
        ids.push(producers.add(Driver::new(options, publisher, source, Instant::now())));
    }
    keep(producers, &ids, &shared)
}

/// Ticks for the cameras that are awake, and sleeps while none is.
fn keep(mut producers: Producers<Played>, ids: &[DriverId], shared: &Shared) -> anyhow::Result<()> {
    let period = Duration::from_secs_f64(FPS.recip());
    let mut tick = Instant::now();
    producers.step(tick)?;
    loop {
        let deadline = producers.deadline();
        let is_asleep = shared.awake.borrow().is_empty();
        let next = deadline
            .into_iter()
            .chain((!is_asleep).then_some(tick))
            .min();
        wait(&producers, next)?;
        let now = Instant::now();
        producers.step_slots(now)?;
        if now < tick {
            continue;
        }
        tick = now.max(tick + period);
        shared.sequence.set(shared.sequence.get() + 1);
        shared.captured.set(SystemTime::now());
        let awake: Vec<usize> = shared.awake.borrow().iter().copied().collect();
        for number in awake {
            producers.step_one(ids[number], now)?;
        }
    }
}

/// Waits until something happens in a slot, but not beyond `end`, if there is one.
fn wait(producers: &Producers<Played>, end: Option<Instant>) -> anyhow::Result<()> {
    let left = end.map(|end| end.saturating_duration_since(Instant::now()));
    let descriptors = producers.descriptors().into_iter();
    let mut waiting: Vec<_> = descriptors
        .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
        .collect();
    match ppoll(&mut waiting, left.map(TimeSpec::from_duration), None) {
        Err(errno) if errno != Errno::EINTR => Err(errno.into()),
        _ => Ok(()),
    }
}

/// What all of them have in common.
struct Shared {
    picture: RefCell<Picture>,
    /// Those that are awake, by number.
    awake: RefCell<BTreeSet<usize>>,
    /// The number of the newest frame, and when it was taken.
    sequence: Cell<u64>,
    captured: Cell<SystemTime>,
}

/// One of them.
struct Played {
    number: usize,
    spec: Spec,
    shared: Rc<Shared>,
}

/// It never fails.
#[derive(Debug)]
struct Never;

impl std::fmt::Display for Never {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a played camera has failed")
    }
}

impl std::error::Error for Never {}

impl SourceFailure for Never {}

impl Source for Played {
    type Error = Never;

    fn start(&mut self, _now: Instant) -> Result<(), Never> {
        self.shared.awake.borrow_mut().insert(self.number);
        Ok(())
    }

    fn stop(&mut self, _now: Instant) {
        self.shared.awake.borrow_mut().remove(&self.number);
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn advance(&mut self, _now: Instant) -> Result<(), Never> {
        Ok(())
    }

    fn status(&self) -> SourceStatus {
        let is_awake = self.shared.awake.borrow().contains(&self.number);
        let sequence = Some(self.shared.sequence.get()).filter(|it| is_awake && *it > 0);
        SourceStatus {
            sequence,
            works: sequence.is_some(),
            fps: Some(FPS),
            ..SourceStatus::default()
        }
    }

    fn tells_of_frames(&self) -> bool {
        true
    }

    fn encode(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, Never> {
        let captured = self.shared.captured.get();
        let jpeg = self.shared.picture.borrow_mut().stamped(captured).to_vec();
        Ok(Some(EncodedFrame {
            picture: EncodedPicture {
                jpeg: Cow::Owned(jpeg),
                width: self.spec.width.into(),
                height: self.spec.height.into(),
                kind: None,
            },
            captured,
        }))
    }
}
