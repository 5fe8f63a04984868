//! What a far camera is doing: its `state.json`, with spans in the place of times, for clocks
//! differ.

use std::time::{Duration, SystemTime};

use eyelid_slot::State;

use super::fields::Fields;
use super::message::{self, FormatError, RequestId};

/// How large a state may be: the largest that a program of ours writes has some kilobytes.
pub const MAX_STATE_BYTES: usize = 64 << 10;

/// How much of a text of the state is taken, for it is shown, and stands in logs.
const MAX_TEXT_CHARS: usize = 500;

/// The longest time to the next try that is believed. A time after the year 9999 could not even be
/// written down.
const MAX_RETRY: Duration = Duration::from_secs(24 * 3600);

/// Says that there is no time of the next try.
const NO_RETRY: u64 = u64::MAX;

/// The answer to a request for a camera's state.
///
/// Its message is version 1, kind 5, two bytes that are zero, the request (24 bytes), since when
/// and in which time it is tried again (8 bytes each, in microseconds; all bits set: never), and
/// `state.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct FarState {
    /// The request that this answers.
    pub id: RequestId,
    /// For how long the camera has been doing this, in microseconds.
    pub since_us: u64,
    /// In which time it is tried again, in microseconds.
    pub retry_in_us: Option<u64>,
    /// The state. Its times are those of the other host's clock.
    pub state: State,
}

/// A message that is no camera's state.
#[derive(Debug, thiserror::Error)]
pub enum FarStateError {
    /// The message is none of version 1.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// It is too large.
    #[error("state of {0} bytes: {MAX_STATE_BYTES} at most")]
    TooLarge(usize),
    /// The state itself cannot be read.
    #[error("state of a far camera cannot be read")]
    Json(#[source] serde_json::Error),
}

impl FarState {
    /// Gives the answer to a request, `now` being the time of day here.
    pub fn new(id: RequestId, state: State, now: SystemTime) -> Self {
        let retry = state.retry;
        let retry_in = retry.map(|retry| retry.duration_since(now).unwrap_or_default());
        Self {
            id,
            since_us: micros(now.duration_since(state.since).unwrap_or_default()),
            retry_in_us: retry_in.map(|retry_in| micros(retry_in).min(NO_RETRY - 1)),
            state,
        }
    }

    /// Gives the state with times of this host's clock, which is `now`.
    pub fn into_state(self, now: SystemTime) -> State {
        let since = now.checked_sub(Duration::from_micros(self.since_us));
        let retry_in = self.retry_in_us.map(Duration::from_micros);
        State {
            // Nor could one before 1970.
            since: since.map_or(SystemTime::UNIX_EPOCH, |since| {
                since.max(SystemTime::UNIX_EPOCH)
            }),
            retry: retry_in.and_then(|retry_in| now.checked_add(retry_in.min(MAX_RETRY))),
            ..self.state
        }
    }

    /// Writes it down.
    ///
    /// # Errors
    /// [`FarStateError::TooLarge`]
    pub fn to_bytes(&self) -> Result<Vec<u8>, FarStateError> {
        let json = self.state.to_json();
        if json.len() > MAX_STATE_BYTES {
            return Err(FarStateError::TooLarge(json.len()));
        }
        let mut message = Vec::with_capacity(44 + json.len());
        message::write_start(message::STATE, self.id, &mut message);
        message.extend(self.since_us.to_be_bytes());
        message.extend(self.retry_in_us.unwrap_or(NO_RETRY).to_be_bytes());
        message.extend(json);
        Ok(message)
    }

    /// Reads one. Texts are cut, and have no control characters.
    ///
    /// # Errors
    /// See [`FarStateError`].
    pub fn parse(message: &[u8]) -> Result<Self, FarStateError> {
        let mut fields = Fields(message);
        let id = message::read_start(message::STATE, &mut fields)?;
        let since_us = fields.u64()?;
        let retry_in_us = fields.u64()?;
        let json = fields.0;
        if json.len() > MAX_STATE_BYTES {
            return Err(FarStateError::TooLarge(json.len()));
        }
        let mut state = State::parse(json).map_err(FarStateError::Json)?;
        let State {
            source,
            jpeg,
            error,
            waiting,
            ..
        } = &mut state;
        for text in [source, jpeg, error, waiting].into_iter().flatten() {
            *text = bounded(text);
        }
        Ok(Self {
            id,
            since_us,
            retry_in_us: (retry_in_us != NO_RETRY).then_some(retry_in_us),
            state,
        })
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn bounded(text: &str) -> String {
    let shown = text.chars().filter(|character| !character.is_control());
    shown.take(MAX_TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use eyelid_slot::Phase;

    use super::*;
    use crate::wire::{Asker, Subject, SubjectTag};

    const HOUR: Duration = Duration::from_secs(3600);

    fn id() -> RequestId {
        let subject: Subject = "eyelid.v1.pi.door.state".parse().unwrap();
        RequestId {
            asker: Asker(1),
            subject: SubjectTag::of(&subject),
            number: 2,
        }
    }

    #[test]
    fn times_are_those_of_the_clock_here() {
        let there = SystemTime::UNIX_EPOCH + 1000 * HOUR;
        let here = there - 5 * HOUR;
        let state = State {
            retry: Some(there + Duration::from_secs(7)),
            ..State::failed("no camera".into(), there - HOUR)
        };
        let sent = FarState::new(id(), state.clone(), there)
            .to_bytes()
            .unwrap();
        let state = FarState::parse(&sent).unwrap().into_state(here);
        assert_eq!(state.since, here - HOUR);
        assert_eq!(state.retry, Some(here + Duration::from_secs(7)));
        assert_eq!(state.error.as_deref(), Some("no camera"));
    }

    #[test]
    fn what_nobody_knows_survives() {
        let json = br#"{"state":"awake","since":"2026-11-20T23:10:00Z","colour":{"of":["sky"]}}"#;
        let state = State::parse(json).unwrap();
        let sent = FarState::new(id(), state.clone(), SystemTime::UNIX_EPOCH + HOUR);
        let bytes = sent.to_bytes().unwrap();
        let read = FarState::parse(&bytes).unwrap();
        assert_eq!((read.id, read.retry_in_us), (id(), None));
        assert_eq!(read.state, state);
        assert_eq!(read.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn texts_are_bounded_and_of_one_line() {
        let long = format!("a\nb\u{1b}[31m{}", "x".repeat(2000));
        let state = State::failed(long, SystemTime::UNIX_EPOCH);
        let sent = FarState::new(id(), state, SystemTime::UNIX_EPOCH);
        let read = FarState::parse(&sent.to_bytes().unwrap()).unwrap();
        let error = read.state.error.unwrap();
        assert!(error.starts_with("ab[31mx") && error.len() == MAX_TEXT_CHARS);
    }

    #[test]
    fn what_is_too_large_or_no_state_is_refused() {
        let state = State {
            source: Some("x".repeat(MAX_STATE_BYTES)),
            ..State::new(Phase::Asleep, SystemTime::UNIX_EPOCH)
        };
        let sent = FarState::new(id(), state, SystemTime::UNIX_EPOCH);
        assert!(matches!(sent.to_bytes(), Err(FarStateError::TooLarge(_))));
        let state = State::new(Phase::Asleep, SystemTime::UNIX_EPOCH);
        let whole = FarState::new(id(), state, SystemTime::UNIX_EPOCH)
            .to_bytes()
            .unwrap();
        for end in 0..whole.len() - 1 {
            assert!(FarState::parse(&whole[..end]).is_err(), "{end}");
        }
        let mut longer = whole.clone();
        longer.resize(44 + MAX_STATE_BYTES + 1, b' ');
        assert!(matches!(
            FarState::parse(&longer),
            Err(FarStateError::TooLarge(_))
        ));
    }

    #[test]
    fn times_that_no_clock_has_are_none() {
        let read = FarState {
            id: id(),
            since_us: u64::MAX,
            retry_in_us: Some(u64::MAX - 1),
            state: State::new(Phase::Asleep, SystemTime::UNIX_EPOCH),
        };
        let state = read.into_state(SystemTime::UNIX_EPOCH + HOUR);
        assert!(state.to_json().len() > 2, "it can be written down");
    }
}
