//! A timer for the steps of a frame, which are 1.5 ms apart and less.
//!
//! The runtime's own timers know milliseconds, and are late by up to two of them: a frame of eleven
//! steps took half as long again as was planned.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use eyelid_daemon::readiness;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

/// The timer, for one that waits at a time.
#[derive(Debug)]
pub(crate) struct StepTimer {
    timer: TimerFd,
    /// It once more, for the runtime.
    gone_off: AsyncFd<OwnedFd>,
}

impl StepTimer {
    /// Makes a timer.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let descriptor = timer.as_fd().try_clone_to_owned()?;
        Ok(Self {
            gone_off: readiness::readable(descriptor)?,
            timer,
        })
    }

    /// Waits until this moment.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) async fn wait_until(&self, moment: Instant) -> io::Result<()> {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        self.timer
            .set(Expiration::OneShot(left.into()), TimerSetTimeFlags::empty())?;
        // It may have gone off before for somebody who did not wait for it. What it counts need
        // not be read: the next setting begins anew, and tells of itself.
        while Instant::now() < moment {
            self.gone_off.readable().await?.clear_ready();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;
    use std::time::Duration;
    use tokio::time::sleep;

    const WAIT: Duration = Duration::from_millis(2);

    #[tokio::test]
    async fn waits_until_the_moment_also_after_a_wait_that_was_given_up() {
        let timer = StepTimer::new().unwrap();
        for given_up in [false, true, false, false] {
            let begun = Instant::now();
            let waiting = timer.wait_until(begun + WAIT);
            if given_up {
                tokio::select! {
                    biased;
                    _ = waiting => {}
                    () = ready(()) => {}
                }
                // It goes off, and nobody hears of it.
                sleep(WAIT * 2).await;
            } else {
                waiting.await.unwrap();
                assert!(begun.elapsed() >= WAIT);
            }
        }
    }
}
