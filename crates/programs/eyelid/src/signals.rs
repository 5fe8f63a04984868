//! What signals ask of this program.

use std::fs::{self, File};
use std::future::pending;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signalled {
    /// End everything.
    End,
    /// Read the configuration again.
    Reload,
    /// A child has ended: one of the programs, or somebody whose parent is gone.
    ChildEnded,
}

/// The signals that this program obeys.
pub(crate) struct SignalStream {
    interrupt: Signal,
    terminate: Signal,
    child: Signal,
    hang_up: Option<(Signal, Signalled)>,
}

impl SignalStream {
    /// Takes the signals over.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let take = |kind| signal(kind).context("cannot listen for signals");
        let hang_up = match on_hang_up(is_hang_up_ignored(), has_terminal()) {
            Some(order) => Some((take(SignalKind::hangup())?, order)),
            None => None,
        };
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            child: take(SignalKind::child())?,
            hang_up,
        })
    }

    /// Waits for the next one. Nothing is lost if this is given up.
    pub(crate) async fn next(&mut self) -> Signalled {
        let hang_up = async {
            match &mut self.hang_up {
                Some((signal, order)) => {
                    signal.recv().await;
                    *order
                }
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Signalled::End,
            _ = self.terminate.recv() => Signalled::End,
            _ = self.child.recv() => Signalled::ChildEnded,
            order = hang_up => order,
        }
    }
}

/// What SIGHUP asks for. The kernel sends it to who runs in a terminal that closes, which is then
/// the end. A service has no terminal, and is asked by it to read its configuration again. nohup(1)
/// has it ignored, which is left so.
fn on_hang_up(is_ignored: bool, has_terminal: bool) -> Option<Signalled> {
    match (is_ignored, has_terminal) {
        (true, _) => None,
        (false, true) => Some(Signalled::End),
        (false, false) => Some(Signalled::Reload),
    }
}

/// /dev/tty can be opened by who has a controlling terminal (tty(4)).
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Looks into proc_pid_status(5): sigaction(2) takes `unsafe`.
fn is_hang_up_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let ignored = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        // SIGHUP is 1, and has the lowest bit.
        .is_some_and(|mask| mask & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_closes_ends_it_and_a_service_reads_its_configuration() {
        assert_eq!(on_hang_up(false, true), Some(Signalled::End));
        assert_eq!(on_hang_up(false, false), Some(Signalled::Reload));
        assert_eq!(on_hang_up(true, true), None);
        assert_eq!(on_hang_up(true, false), None);
    }
}
