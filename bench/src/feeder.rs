//! A producer with nothing to do but publish: it plays the camera where the server is measured.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use eyelid_bench::picture::{FPS, Picture, Spec};
use eyelid_slot::{Phase, Publisher, State};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::worker::Worker;

/// A thread that plays a camera of [`FPS`] frames a second.
pub(crate) struct Feeder(Worker);

impl Feeder {
    /// Starts feeding a slot; a first frame lies there when this returns.
    pub(crate) fn start(slot: &Path, spec: Spec) -> anyhow::Result<Self> {
        Self::publish(slot, spec, Picture::new(spec)?)
    }

    /// The same, for those that get packets of RTP.
    pub(crate) fn start_for_rtp(slot: &Path, spec: Spec) -> anyhow::Result<Self> {
        Self::publish(slot, spec, Picture::new(spec)?.with_stamped_table()?)
    }

    fn publish(slot: &Path, spec: Spec, mut picture: Picture) -> anyhow::Result<Self> {
        let mut publisher = Publisher::open(slot)?;
        publisher.set_state(&State {
            source: Some("bench".into()),
            width: Some(spec.width.into()),
            height: Some(spec.height.into()),
            fps: Some(FPS),
            ..State::new(Phase::Awake, SystemTime::now())
        })?;
        publish(&mut publisher, &mut picture, SystemTime::now())?;
        Ok(Self(Worker::start("feeder", |stop| {
            feed(publisher, picture, stop)
        })))
    }

    /// Waits until it fails.
    pub(crate) fn wait(self) -> anyhow::Result<()> {
        self.0.wait()
    }
}

/// Captures a frame at every tick, and publishes the newest one as soon as it is wished for, as
/// `docs/slot.md` has it.
fn feed(mut publisher: Publisher, mut picture: Picture, stop: &AtomicBool) -> anyhow::Result<()> {
    let period = Duration::from_secs_f64(1.0 / FPS);
    let mut next = Instant::now() + period;
    let mut newest = None;
    while !stop.load(Ordering::Relaxed) {
        wait(&publisher, next)?;
        let now = Instant::now();
        if now >= next {
            next += period;
            newest = Some(SystemTime::now());
        }
        publisher.take_in(now)?;
        if publisher.wished(now)
            && let Some(captured) = newest.take()
        {
            publish(&mut publisher, &mut picture, captured)?;
        }
    }
    Ok(())
}

/// Waits until something happens in the slot, but not beyond `end`.
pub(crate) fn wait(publisher: &Publisher, end: Instant) -> anyhow::Result<()> {
    let left = end.saturating_duration_since(Instant::now());
    let mut slot = [PollFd::new(publisher.as_fd(), PollFlags::POLLIN)];
    match ppoll(&mut slot, Some(TimeSpec::from_duration(left)), None) {
        Err(errno) if errno != Errno::EINTR => Err(errno.into()),
        _ => Ok(()),
    }
}

fn publish(
    publisher: &mut Publisher,
    picture: &mut Picture,
    captured: SystemTime,
) -> anyhow::Result<()> {
    Ok(publisher.publish(picture.stamped(captured), captured)?)
}
