//! What each `eyelid-watch` tells of the camera that it watches: there is one for each, if any. The
//! kernel runs it when nobody else wants the processor (SCHED_IDLE), so that on a busy machine it
//! answers in seconds: it is asked aside, and what it told a moment ago holds meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use eyelid_figures::{AskError, WatchFigures, ask_patiently, watch_socket, watched_cameras};
use eyelid_slot::CameraName;
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};

use crate::figure_source::HOLDS;

/// How long who asks this server waits for one, and how long it may take to come.
const WAIT: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

/// How long what was told holds while the next answer is late. Rules change in seconds at the
/// earliest.
const LATE_FOR: Duration = Duration::from_secs(30);

/// The cameras that are watched, and what for.
pub(crate) type WatchedCameras = HashMap<CameraName, Rc<WatchFigures>>;

/// All programs that may watch a camera.
pub(crate) struct Watchers {
    doors: PathBuf,
    /// One for each camera that has had a directory for its socket.
    watchers: RefCell<HashMap<CameraName, Rc<Watcher>>>,
}

/// One that may watch a camera.
#[derive(Default)]
struct Watcher {
    /// What it told last, and when.
    told: RefCell<Option<(Instant, Rc<WatchFigures>)>>,
    is_asked: Cell<bool>,
    answered: Notify,
}

impl Watchers {
    /// Those that have their sockets in this directory.
    pub(crate) fn new(doors: PathBuf) -> Self {
        Self {
            doors,
            watchers: RefCell::default(),
        }
    }

    /// Asks those that there are, all at once.
    pub(crate) async fn figures(&self) -> WatchedCameras {
        let asked = self.watchers().into_iter();
        let told = join_all(asked.map(async |(name, watcher)| {
            let figures = watcher.figures(&watch_socket(&self.doors, &name)).await;
            (name, figures)
        }));
        let told = told.await.into_iter();
        told.filter_map(|(name, figures)| Some((name, figures?)))
            .collect()
    }

    /// One for each camera that has a socket, however many there are of those that have none.
    fn watchers(&self) -> Vec<(CameraName, Rc<Watcher>)> {
        let cameras = watched_cameras(&self.doors);
        let mut watchers = self.watchers.borrow_mut();
        watchers.retain(|name, _| cameras.contains(name));
        let of = |name: CameraName| {
            let watcher = watchers.entry(name.clone()).or_default().clone();
            (name, watcher)
        };
        cameras.into_iter().map(of).collect()
    }
}

impl Watcher {
    /// What is so now, or was a moment ago; nothing where it does not run.
    async fn figures(self: Rc<Self>, socket: &Path) -> Option<Rc<WatchFigures>> {
        if self.told_within(HOLDS).is_none() {
            if !socket.exists() {
                self.told.take();
                return None;
            }
            let answered = self.answered.notified();
            if !self.is_asked.replace(true) {
                spawn_local(self.clone().ask(socket.to_owned()));
            }
            // What comes later is for who asks then.
            let _ = timeout(WAIT, answered).await;
        }
        self.told_within(LATE_FOR)
    }

    async fn ask(self: Rc<Self>, socket: PathBuf) {
        match ask_patiently(&socket, PATIENCE).await {
            Ok(figures) => {
                self.told.replace(Some((Instant::now(), Rc::new(figures))));
            }
            Err(AskError::TimedOut) => log::debug!("no answer in time at {socket:?}"),
            Err(error) => {
                self.told.take();
                log::debug!("nothing is told at {socket:?}: {error}");
            }
        }
        self.is_asked.set(false);
        self.answered.notify_waiters();
    }

    fn told_within(&self, time: Duration) -> Option<Rc<WatchFigures>> {
        let told = self.told.borrow();
        let (when, figures) = told.as_ref()?;
        (when.elapsed() < time).then(|| figures.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_figures::{Answering, RuleFigures};
    use std::time::SystemTime;
    use tokio::task::LocalSet;
    use tokio::time::{advance, sleep};

    fn figures(state: &str) -> WatchFigures {
        WatchFigures {
            since: SystemTime::UNIX_EPOCH,
            watching: true,
            blind: None,
            questions: None,
            blind_alerts: 0,
            rules: vec![RuleFigures {
                name: "parcel".into(),
                state: state.into(),
                since: None,
                alerts: 0,
            }],
        }
    }

    /// What is told of the camera `door`.
    async fn told(watchers: &Watchers) -> Option<String> {
        let told = watchers.figures().await;
        let only = told.into_values().next()?;
        Some(only.rules[0].state.clone())
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_run_tell_of_their_cameras_also_those_that_are_slow() {
        let doors = tempfile::tempdir().unwrap();
        let watchers = Watchers::new(doors.path().to_owned());
        let socket = watch_socket(doors.path(), &"door".parse().unwrap());
        std::fs::create_dir(socket.parent().unwrap()).unwrap();
        let scenario = async {
            assert_eq!(told(&watchers).await, None);
            let program = Answering::bind(socket.clone()).unwrap();
            let (answered, _) = tokio::join!(program.answer(|| figures("quiet")), told(&watchers));
            answered.unwrap();
            assert_eq!(told(&watchers).await.as_deref(), Some("quiet"));
            // The next answer takes two seconds, and is for who asks then.
            advance(HOLDS).await;
            assert_eq!(told(&watchers).await.as_deref(), Some("quiet"));
            sleep(Duration::from_secs(2)).await;
            program.answer(|| figures("standing")).await.unwrap();
            sleep(Duration::from_millis(1)).await;
            assert_eq!(told(&watchers).await.as_deref(), Some("standing"));
            sleep(LATE_FOR + PATIENCE).await;
            assert_eq!(told(&watchers).await, None, "that was too long ago");
            drop(program);
            assert_eq!(told(&watchers).await, None);
            // As one leaves it that is killed.
            drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
            assert_eq!(told(&watchers).await, None);
            std::fs::remove_dir_all(socket.parent().unwrap()).unwrap();
            assert_eq!(told(&watchers).await, None);
            assert!(watchers.watchers.borrow().is_empty());
        };
        LocalSet::new().run_until(scenario).await;
    }
}
