//! How long a client waits for the first frame of a rendition before it makes do with the frame.

use std::time::Duration;

use eyelid_slot::Rendition;

/// A client's patience with a rendition of which nobody has got a frame yet. It waits for that
/// alone at first: the frame is not to be made for nothing, and a camera that wakes takes its time
/// for either. Then it asks for the frame, too, and when this has come it waits a little more, for
/// a producer may make one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// It waits for the rendition alone.
    pub(crate) alone: Duration,
    /// It waits once the frame has come.
    pub(crate) beside: Duration,
}

impl Patience {
    /// That of a client which gives up after this time-out: there is always time left for the
    /// frame.
    pub(crate) fn new(rendition: Rendition, timeout: Duration) -> Self {
        let (alone, beside) = match rendition {
            // A camera may have to be set up anew for it, and back; moonraker-timelapse waits 2 s.
            Rendition::Full => (Duration::from_millis(1200), Duration::from_millis(500)),
            _ => (Duration::from_millis(750), Duration::from_millis(250)),
        };
        Self {
            alone: alone.min(timeout / 3),
            beside: beside.min(timeout / 6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_timeout_is_left_for_the_frame() {
        for rendition in Rendition::ALL {
            for timeout in [0, 10, 1800, 4000, 60_000].map(Duration::from_millis) {
                let patience = Patience::new(rendition, timeout);
                assert!(
                    patience.alone + patience.beside <= timeout / 2,
                    "{timeout:?}"
                );
                assert!(patience.alone + patience.beside < Duration::from_secs(2));
            }
        }
    }
}
