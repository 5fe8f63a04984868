//! How long a rendition is waited for that may go: until it has been made.
//!
//! The numbers are in the table of [`adaptation`](super).

use std::time::{Duration, Instant};

use super::Rung;

/// A wait that was shorter than others is forgotten over so many frames.
const FORGOTTEN_OVER_FRAMES: u32 = 16;

/// The shortest wait for a frame of each rung, of late: what was waited for the source besides is
/// not in it, unless the source gives fewer frames than it says.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// Since when a frame may go.
    permitted: Option<Instant>,
    shortest: [Option<Duration>; 4],
}

impl Making {
    /// A frame may go from now on.
    pub(super) fn on_permission(&mut self, now: Instant) {
        self.permitted = Some(now);
    }

    /// It went, as this rung.
    pub(super) fn on_write(&mut self, began: Instant, rung: Rung) {
        let permitted = self.permitted.take();
        // The frame itself is made in any case.
        let Some(permitted) = permitted.filter(|_| rung != Rung::Main) else {
            return;
        };
        let (waited, shortest) = (began - permitted, &mut self.shortest[rung.index()]);
        let before = shortest.unwrap_or(waited);
        let rise = waited.saturating_sub(before) / FORGOTTEN_OVER_FRAMES;
        *shortest = Some(waited.min(before + rise));
    }

    /// How long making one takes; `None` where none has been seen.
    pub(super) fn takes(&self, rung: Rung) -> Option<Duration> {
        self.shortest[rung.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_wait_of_late_is_what_making_takes() {
        let (mut making, mut now) = (Making::default(), Instant::now());
        let mut wait = |millis: u64, frames: u32| {
            for _ in 0..frames {
                making.on_permission(now);
                now += Duration::from_millis(millis);
                making.on_write(now, Rung::Low);
            }
            // Nobody waited for these.
            making.on_write(now, Rung::Low);
            making.takes(Rung::Low).unwrap().as_millis()
        };
        assert_eq!(wait(30, 1), 30);
        assert_eq!(wait(16, 1), 16);
        assert!(
            (16..20).contains(&wait(35, 3)),
            "a few that waited for the source, too"
        );
        assert!((30..=35).contains(&wait(35, 30)), "it takes longer now");
        assert_eq!(making.takes(Rung::Half), None);
    }
}
