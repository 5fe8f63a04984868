//! A thread that plays somebody who is not measured: a camera, as a rule.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, anyhow};

/// The thread. It runs on the cores of the one that starts it, and ends when it is dropped.
pub(crate) struct Worker {
    name: &'static str,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Worker {
    /// Starts something that runs until it is told to stop, by the value that is given to it.
    pub(crate) fn start(
        name: &'static str,
        work: impl FnOnce(&AtomicBool) -> anyhow::Result<()> + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        Self {
            name,
            stop,
            thread: Some(thread::spawn(move || work(&stopped))),
        }
    }

    /// Waits until it fails.
    pub(crate) fn wait(mut self) -> anyhow::Result<()> {
        let thread = self.thread.take().context("it was stopped")?;
        thread
            .join()
            .map_err(|_| anyhow!("the {} panicked", self.name))?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else {
            return;
        };
        let why = match thread.join() {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "it panicked".to_owned(),
        };
        eprintln!(
            "the {} failed, what was measured is worth nothing: {why}",
            self.name
        );
    }
}
