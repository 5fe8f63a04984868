//! Why a client gets no frame, in words for people: as precisely as the producer and the slot say it.

use std::time::Duration;

use eyelid_slot::{Phase, ReadError, State};

/// Says why no frame came within `waited`, where the producer says `state` of itself and the slot has this `problem`, if
/// any. `is_full` looks whether the slot has no room for a frame.
pub(crate) fn no_frame(
    state: Option<&State>,
    problem: Option<ReadError>,
    waited: Duration,
    is_full: impl FnOnce() -> bool,
) -> String {
    if let Some(State {
        state: Phase::Failed,
        error,
        ..
    }) = state
    {
        let error = error.as_deref().unwrap_or("it does not say why");
        return format!("camera failed: {error}");
    }
    let (what, is_missing) = match problem {
        None => {
            let waited = humantime::format_duration(waited);
            (format!("no new frame for {waited}"), false)
        }
        Some(ReadError::Missing(_)) => ("no frame yet".to_owned(), true),
        Some(other) => return other.to_string(),
    };
    let why = match state {
        None if is_missing => "no camera has written to this slot",
        None => return what,
        Some(State {
            waiting: Some(why), ..
        }) => why,
        // It may not have had the room to say so itself.
        Some(_) if is_full() => "the slot's file system is full",
        Some(state) if state.state == Phase::Asleep => {
            "the camera is asleep and does not wake (does its eyelid-capture run?)"
        }
        Some(_) if is_missing => "the camera is awake and has given no picture so far",
        Some(_) => return what,
    };
    format!("{what}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn state(phase: Phase, error: Option<&str>, waiting: Option<&str>) -> State {
        State {
            state: phase,
            source: None,
            width: None,
            height: None,
            jpeg: None,
            fps: None,
            settling: false,
            error: error.map(Into::into),
            retry: None,
            waiting: waiting.map(Into::into),
            since: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn says_what_is_known() {
        let missing = || Some(ReadError::Missing("/x".into()));
        let awake = state(Phase::Awake, None, None);
        let waiting = state(Phase::Awake, None, Some("no picture in folder"));
        let asleep = state(Phase::Asleep, None, None);
        let failed = state(Phase::Failed, Some("unplugged"), None);
        for (state, problem, full, expected) in [
            (
                None,
                missing(),
                false,
                "no frame yet: no camera has written",
            ),
            (None, None, false, "no new frame for 4s"),
            (
                Some(&awake),
                missing(),
                false,
                "no frame yet: the camera is awake and has given",
            ),
            (Some(&awake), None, false, "no new frame for 4s"),
            (
                Some(&awake),
                None,
                true,
                "no new frame for 4s: the slot's file system is full",
            ),
            (
                Some(&waiting),
                missing(),
                true,
                "no frame yet: no picture in folder",
            ),
            (
                Some(&waiting),
                None,
                false,
                "no new frame for 4s: no picture in folder",
            ),
            (
                Some(&asleep),
                None,
                false,
                "no new frame for 4s: the camera is asleep and",
            ),
            (Some(&failed), missing(), false, "camera failed: unplugged"),
        ] {
            let reason = no_frame(state, problem, Duration::from_secs(4), || full);
            assert!(reason.starts_with(expected), "{reason}");
            let rest = reason.len() - expected.len();
            assert!(rest == 0 || expected.contains(": "), "{reason}");
        }
    }
}
