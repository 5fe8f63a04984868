//! A camera that gives planes: it plays the camera where `eyelid-video` is measured.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use eyelid_bench::film::{Film, Scene, Size};
use eyelid_bench::picture::FPS;
use eyelid_slot::{Phase, Publisher, Rendition, RenditionSize, State};

use crate::feeder::wait;
use crate::worker::Worker;

/// How long it stays awake when nobody wishes for anything: less than `eyelid-capture` does.
const LINGER: Duration = Duration::from_secs(5);

/// How often it looks, asleep, whether the end has come.
const GLANCE: Duration = Duration::from_millis(100);

/// A thread that plays a camera of [`FPS`] pictures a second, which gives planes to who wishes for
/// them, and sleeps else.
pub(crate) struct Projector(Worker);

impl Projector {
    /// Starts it.
    ///
    /// # Errors
    /// No slot.
    pub(crate) fn start(slot: &Path, size: Size, scene: Scene) -> anyhow::Result<Self> {
        let film = Film::new(size, scene)?;
        let mut publisher = Publisher::open(slot)?;
        publisher.offer(Rendition::Y4m)?;
        let mut state = State {
            source: Some("bench".into()),
            width: Some(size.width),
            height: Some(size.height),
            fps: Some(FPS),
            ..State::new(Phase::Awake, SystemTime::now())
        };
        let offered = (Rendition::Y4m.name().to_owned(), RenditionSize::default());
        state.renditions.extend([offered]);
        publisher.set_state(&state)?;
        Ok(Self(Worker::start("projector", |stop| {
            project(publisher, film, stop)
        })))
    }

    /// Waits until it fails.
    pub(crate) fn wait(self) -> anyhow::Result<()> {
        self.0.wait()
    }
}

/// While it is awake a picture is there at each tick, and the newest is published as soon as it is
/// wished for (`docs/slot.md`). The first one is there at once.
fn project(publisher: Publisher, mut film: Film, stop: &AtomicBool) -> anyhow::Result<()> {
    let mut publisher = publisher;
    let period = Duration::from_secs_f64(1.0 / FPS);
    let (mut next, mut newest, mut awake_until) = (Instant::now(), None, None);
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        publisher.take_in(now)?;
        let is_wished = !publisher.wished_renditions(now).is_empty();
        if is_wished {
            if awake_until.is_none() {
                next = now;
            }
            awake_until = Some(now + LINGER);
        }
        if awake_until.is_none_or(|until| until <= now) {
            (awake_until, newest) = (None, None);
            wait(&publisher, now + GLANCE)?;
            continue;
        }
        if next <= now {
            newest = Some(SystemTime::now());
            while next <= now {
                next += period;
            }
        }
        if is_wished && let Some(captured) = newest.take() {
            publisher.publish_rendition(Rendition::Y4m, film.next(captured), captured)?;
            continue;
        }
        wait(&publisher, next)?;
    }
    Ok(())
}
