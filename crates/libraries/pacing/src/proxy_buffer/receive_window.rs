//! How much waits in a proxy's receive buffer, by the window that its kernel advertises.

use std::time::{Duration, Instant};

/// How long the widest window that was seen counts at least, and twice as long at most: the kernel
/// may make it smaller.
const WINDOW_PERIOD: Duration = Duration::from_secs(10);

/// The windows that were advertised of late.
#[derive(Debug, Default)]
pub(super) struct ReceiveWindow {
    /// The widest of this period, and of the one before.
    widest_bytes: [u64; 2],
    /// When this period began.
    began: Option<Instant>,
}

/// What a window says.
#[derive(Debug, Default)]
pub(super) struct Occupancy {
    /// Bytes that are missing from the widest window of late, which is that of an empty buffer.
    pub(super) waiting_bytes: u64,
    /// The widest window of late; 0 if none is known.
    pub(super) widest_bytes: u64,
}

impl ReceiveWindow {
    /// Takes the window that is advertised now. Before Linux 5.4 nobody knows it; then nothing
    /// seems to wait.
    pub(super) fn observe(&mut self, now: Instant, window_bytes: Option<u32>) -> Occupancy {
        let Some(window_bytes) = window_bytes.map(u64::from) else {
            return Occupancy::default();
        };
        if self.began.is_none_or(|began| now - began > WINDOW_PERIOD) {
            self.began = Some(now);
            self.widest_bytes = [0, self.widest_bytes[0]];
        }
        self.widest_bytes[0] = self.widest_bytes[0].max(window_bytes);
        let widest_bytes = self.widest_bytes[0].max(self.widest_bytes[1]);
        Occupancy {
            waiting_bytes: widest_bytes - window_bytes,
            widest_bytes,
        }
    }
}
