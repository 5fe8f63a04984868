//! How long a camera may give nothing, and what is tried then.

use std::time::Duration;

use crate::Settings;

/// How long a camera may give nothing, unless the user says otherwise: rpicam-apps wait 1 s, but
/// some USB cameras need 3 s for their first frame.
const FRAME_TIMEOUT: Duration = Duration::from_secs(5);

/// How many frames a camera may be late. At one frame a minute [`FRAME_TIMEOUT`] is no time at
/// all.
const LATE_FRAMES: u32 = 3;

/// What was tried last to get a frame out of a camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Attempt {
    Started,
    Restarted,
    Reacquired,
}

/// How long this camera may give nothing.
pub(crate) fn timeout(settings: &Settings) -> Duration {
    let least = settings.frame_timeout.unwrap_or(FRAME_TIMEOUT);
    let interval = settings.fps.map_or(Duration::ZERO, |fps| fps.interval());
    least.max(interval * LATE_FRAMES)
}
