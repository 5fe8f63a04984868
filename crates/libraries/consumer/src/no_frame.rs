//! Why a client gets no frame: as precisely as the producer and the slot say it. The words for
//! people are made here and nowhere else.

use std::fmt;
use std::time::Duration;

use eyelid_slot::{Phase, ReadError, State};

/// What `eyelid-receive` says as the source of its cameras (docs/slot.md).
const PUSH: &str = "push";

/// Why a client gets no frame.
#[derive(Debug, PartialEq, Eq)]
pub enum NoFrame {
    /// The producer says that its camera has failed, and mostly why.
    Failed(Option<String>),
    /// No frame lies in the slot.
    Missing(Cause),
    /// None came that is fresh enough.
    TimedOut {
        /// The client's time-out.
        timeout: Duration,
        /// What is known of the cause.
        cause: Cause,
    },
    /// What lies in the slot cannot be used.
    Unreadable(Unreadable),
}

/// What keeps a producer that has not failed from giving a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no state of a producer in the slot.
    NoProducer,
    /// The producer says so itself.
    Waiting(String),
    /// The slot's file system has no room for a frame.
    SlotFull,
    /// The camera is asleep although it was wished for.
    Asleep,
    /// The same of a camera that pushes its frames: nobody can wake it, for its program ends when
    /// nothing comes any more.
    NotPushing,
    /// The camera is awake, and nothing else is known.
    Awake,
}

/// What lies in the slot instead of a frame, or why it cannot be read. Two are equal that say the
/// same of the same file.
#[derive(Debug)]
pub struct Unreadable(ReadError);

impl NoFrame {
    /// Says why no frame came within `timeout`, where the producer says `state` of itself and the
    /// slot has this `problem`, if any. `is_full` looks whether the slot has no room for a frame.
    pub(crate) fn new(
        state: Option<&State>,
        problem: Option<ReadError>,
        timeout: Duration,
        is_full: impl FnOnce() -> bool,
    ) -> Self {
        let cause = match state {
            Some(state) if state.state == Phase::Failed => {
                return Self::Failed(state.error.clone());
            }
            None => Cause::NoProducer,
            Some(state) => match &state.waiting {
                Some(why) => Cause::Waiting(why.clone()),
                // It may not have had the room to say so itself.
                None if is_full() => Cause::SlotFull,
                None if state.state == Phase::Asleep => match state.source.as_deref() {
                    Some(PUSH) => Cause::NotPushing,
                    _ => Cause::Asleep,
                },
                None => Cause::Awake,
            },
        };
        match problem {
            None => Self::TimedOut { timeout, cause },
            Some(ReadError::Missing(_)) => Self::Missing(cause),
            Some(other) => Self::Unreadable(Unreadable(other)),
        }
    }

    /// The same of a client that has waited for so long in all.
    pub(crate) fn after(self, timeout: Duration) -> Self {
        match self {
            Self::TimedOut { cause, .. } => Self::TimedOut { timeout, cause },
            other => other,
        }
    }

    /// Says whether both have the same reason, however long either client would have waited.
    pub fn is_same_reason(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::TimedOut { cause, .. }, Self::TimedOut { cause: other, .. }) => cause == other,
            _ => self == other,
        }
    }
}

impl fmt::Display for NoFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = match self {
            Self::Failed(error) => {
                let error = error.as_deref().unwrap_or("it does not say why");
                return write!(f, "camera failed: {error}");
            }
            Self::Unreadable(Unreadable(error)) => return error.fmt(f),
            Self::Missing(cause) => {
                f.write_str("no frame yet")?;
                match cause {
                    Cause::NoProducer => "no camera has written to this slot",
                    Cause::Awake => "the camera is awake and has given no picture so far",
                    other => other.in_words(),
                }
            }
            Self::TimedOut { timeout, cause } => {
                let timeout = humantime::format_duration(*timeout);
                write!(f, "no new frame for {timeout}")?;
                cause.in_words()
            }
        };
        if cause.is_empty() {
            return Ok(());
        }
        write!(f, ": {cause}")
    }
}

impl std::error::Error for NoFrame {}

impl Cause {
    /// What keeps the camera from giving a frame, where a frame lies in the slot; nothing where
    /// that is all that is known.
    fn in_words(&self) -> &str {
        match self {
            Self::Waiting(why) => why,
            Self::SlotFull => "the slot's file system is full",
            Self::Asleep => "the camera is asleep and does not wake (does its eyelid-capture run?)",
            Self::NotPushing => "the camera pushes its pictures, and none has come of late",
            Self::NoProducer | Self::Awake => "",
        }
    }
}

impl PartialEq for Unreadable {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (ReadError::Missing(path), ReadError::Missing(other)) => path == other,
            (
                ReadError::NotAFrame { path, what },
                ReadError::NotAFrame {
                    path: other_path,
                    what: other_what,
                },
            ) => path == other_path && what == other_what,
            (
                ReadError::Io { path, reason },
                ReadError::Io {
                    path: other_path,
                    reason: other_reason,
                },
            ) => {
                path == other_path
                    && reason.kind() == other_reason.kind()
                    && reason.raw_os_error() == other_reason.raw_os_error()
            }
            _ => false,
        }
    }
}

impl Eq for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn state(phase: Phase, error: Option<&str>, waiting: Option<&str>) -> State {
        State {
            error: error.map(Into::into),
            waiting: waiting.map(Into::into),
            ..State::new(phase, SystemTime::UNIX_EPOCH)
        }
    }

    #[test]
    fn says_what_is_known() {
        let missing = || Some(ReadError::Missing("/x".into()));
        let awake = state(Phase::Awake, None, None);
        let waiting = state(Phase::Awake, None, Some("no picture in folder"));
        let asleep = state(Phase::Asleep, None, None);
        let failed = state(Phase::Failed, Some("unplugged"), None);
        let pushed = State {
            source: Some(PUSH.to_owned()),
            ..asleep.clone()
        };
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
            (
                Some(&pushed),
                None,
                false,
                "no new frame for 4s: the camera pushes its pictures, and none",
            ),
            (Some(&failed), missing(), false, "camera failed: unplugged"),
        ] {
            let reason = NoFrame::new(state, problem, Duration::from_secs(4), || full).to_string();
            assert!(reason.starts_with(expected), "{reason}");
            let rest = reason.len() - expected.len();
            assert!(rest == 0 || expected.contains(": "), "{reason}");
        }
    }

    #[test]
    fn reasons_are_compared_by_value() {
        let awake = state(Phase::Awake, None, None);
        let after = |seconds, problem| {
            NoFrame::new(Some(&awake), problem, Duration::from_secs(seconds), || {
                false
            })
        };
        let io = |errno| {
            let reason = std::io::Error::from_raw_os_error(errno);
            Some(ReadError::Io {
                path: "/x".into(),
                reason,
            })
        };
        let what = |what| {
            Some(ReadError::NotAFrame {
                path: "/x".into(),
                what,
            })
        };
        assert!(after(4, None).is_same_reason(&after(5, None)));
        assert_ne!(after(4, None), after(5, None));
        assert!(after(4, io(13)).is_same_reason(&after(5, io(13))));
        assert!(after(4, what("a link")).is_same_reason(&after(4, what("a link"))));
        let different = [
            after(4, None),
            after(4, io(13)),
            after(4, io(5)),
            after(4, what("a link")),
            after(4, what("not a regular file")),
            after(4, Some(ReadError::Missing("/x".into()))),
            NoFrame::new(None, None, Duration::from_secs(4), || false),
            NoFrame::Failed(None),
        ];
        for (a, one) in different.iter().enumerate() {
            for (b, other) in different.iter().enumerate() {
                assert_eq!(one.is_same_reason(other), a == b, "{one} and {other}");
            }
        }
    }
}
