//! Durations as options and keys have them: numbers with their units. Messages say that form, and
//! so does what is written.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

/// What a duration looks like.
pub(crate) const FORM: &str =
    "a number with its unit, for example \"2s\", \"500ms\" or \"1h 30min\"";

/// A text that is no duration.
#[derive(Debug, thiserror::Error)]
#[error("duration {0:?}: use {FORM}")]
pub struct DurationError(String);

/// Parses the value of a flag.
///
/// # Errors
/// What it should look like.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    humantime::parse_duration(text).map_err(|_| DurationError(text.to_owned()))
}

/// A text that is no duration of a second or more.
#[derive(Debug, thiserror::Error)]
#[error("duration {0:?}: use at least 1s, for example \"8h\"")]
pub(crate) struct LastingError(String);

/// Parses the value of a flag that means nothing below a second.
///
/// # Errors
/// What it should look like.
pub(crate) fn parse_lasting(text: &str) -> Result<Duration, LastingError> {
    let lasting = parse(text).ok().filter(|lasting| lasting.as_secs() > 0);
    lasting.ok_or_else(|| LastingError(text.to_owned()))
}

/// Gives a duration as the value of a flag or a key, without blanks.
pub(crate) fn text(duration: Duration) -> String {
    humantime::format_duration(duration)
        .to_string()
        .replace(' ', "")
}

pub(crate) fn serialize<S: Serializer>(
    duration: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => to.serialize_some(&text(*duration)),
        None => to.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Duration>, D::Error> {
    from.deserialize_str(Form).map(Some)
}

/// Reads what [`parse_lasting`] takes.
pub(crate) fn deserialize_lasting<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    parse_lasting(&text).map(Some).map_err(D::Error::custom)
}

/// Reads how far keyframes are apart. By 0s somebody may mean none; what is shorter than the 300 ms
/// that eyelid-video has between two counts as those.
pub(crate) fn deserialize_gop<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Duration>, D::Error> {
    let gop = from.deserialize_str(Form)?;
    if gop.is_zero() {
        let said = "keyframes cannot be 0s apart; leave gop out for none but those that are needed";
        return Err(D::Error::custom(said));
    }
    Ok(Some(gop))
}

struct Form;

impl Visitor<'_> for Form {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        humantime::parse_duration(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_unit_and_is_told_so() {
        assert_eq!(parse("1h 30min").unwrap(), Duration::from_secs(5400));
        assert_eq!(text(Duration::from_millis(61_500)), "1m1s500ms");
        for bad in ["", "2", "-2s", "2 fortnights", "99999999999999999999s"] {
            let error = parse(bad).unwrap_err().to_string();
            assert_eq!(error, format!("duration {bad:?}: use {FORM}"));
        }
    }

    #[test]
    fn what_lasts_is_a_second_at_least() {
        assert_eq!(parse_lasting("1s").unwrap(), Duration::from_secs(1));
        for bad in ["0s", "999ms", "5", ""] {
            let error = parse_lasting(bad).unwrap_err().to_string();
            assert!(error.contains("at least 1s"), "{error}");
        }
    }
}
