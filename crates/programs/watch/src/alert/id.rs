//! What an alert is called.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use eyelid_slot::CameraName;
use serde::{Deserialize, Serialize};

use super::bounded;
use crate::moment::LAST_SECOND;

/// The name of an alert: when, whose and which, `20261128T140240.123Z-door-parcel`. It is the name
/// of its files and needs no escaping, there or in a URL; and in the order of their names alerts
/// are in that of their times.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct AlertId(String);

/// A text that is no alert's name.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no alert's name: those are like \"20261128T140240.123Z-door-parcel\"")]
pub(crate) struct IdError(String);

/// Bytes of the time in front, `20261128T140240.123Z`.
const TIME_BYTES: usize = 20;

/// A camera's name has 64 at most, a rule's the same.
const MOST_ID_BYTES: usize = TIME_BYTES + 2 + 2 * 64;

impl AlertId {
    /// The name of what `rule` saw in the picture of this moment.
    pub(crate) fn new(at: SystemTime, camera: &CameraName, rule: &str) -> Self {
        // The year 9999 is the last that has four digits.
        let at = at.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST_SECOND);
        let time: String = humantime::format_rfc3339_millis(at)
            .to_string()
            .chars()
            .filter(|character| !matches!(character, '-' | ':'))
            .collect();
        let rule: String = rule
            .chars()
            .map(|character| if is_plain(character) { character } else { '_' })
            .take(64)
            .collect();
        Self(format!("{time}-{}-{rule}", camera.as_str()))
    }

    /// Gives the name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// When it was, to the millisecond.
    pub(crate) fn at(&self) -> SystemTime {
        moment(&self.0).unwrap_or(UNIX_EPOCH)
    }

    /// Gives the camera's name and the rule's with a `-` between; either may have more of them.
    pub(crate) fn whose(&self) -> &str {
        self.0.get(TIME_BYTES + 1..).unwrap_or_default()
    }
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
}

/// The moment in front of a name.
fn moment(id: &str) -> Option<SystemTime> {
    let time = id.get(..TIME_BYTES)?;
    let digits = |range: std::ops::Range<usize>| {
        let digits = &time[range];
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(digits)
    };
    if !time.is_ascii() || &time[8..9] != "T" || &time[15..16] != "." || &time[19..] != "Z" {
        return None;
    }
    let (date, clock, millis) = (digits(0..8)?, digits(9..15)?, digits(16..19)?);
    let written = format!(
        "{}-{}-{}T{}:{}:{}.{millis}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &clock[..2],
        &clock[2..4],
        &clock[4..],
    );
    humantime::parse_rfc3339(&written).ok()
}

impl FromStr for AlertId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_one = text.len() <= MOST_ID_BYTES
            && text.len() > TIME_BYTES + 1
            && text.chars().all(is_plain)
            && text.as_bytes()[TIME_BYTES] == b'-'
            && moment(text).is_some();
        if is_one {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError(bounded(text, 100)))
        }
    }
}

impl TryFrom<String> for AlertId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<AlertId> for String {
    fn from(id: AlertId) -> Self {
        id.0
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at() -> SystemTime {
        humantime::parse_rfc3339("2026-11-28T14:02:40.123Z").unwrap()
    }

    #[test]
    fn a_name_says_when_whose_and_which() {
        let camera: CameraName = "door".parse().unwrap();
        let id = AlertId::new(at(), &camera, "parcel");
        assert_eq!(id.as_str(), "20261128T140240.123Z-door-parcel");
        assert_eq!((id.at(), id.whose()), (at(), "door-parcel"));
        assert_eq!(id.as_str().parse::<AlertId>().unwrap(), id);
        let odd = AlertId::new(at(), &CameraName::default(), "../a b/ü");
        assert_eq!(odd.as_str(), "20261128T140240.123Z-default-.._a_b__");
        assert!(odd.as_str().parse::<AlertId>().is_ok());
        let far = AlertId::new(
            UNIX_EPOCH + Duration::from_secs(1 << 50),
            &CameraName::default(),
            "a",
        );
        assert!(far.as_str().starts_with("99991231T235959"), "{far}");
    }

    #[test]
    fn what_is_no_name_opens_no_file() {
        for text in [
            "",
            "..",
            "20261128T140240.123Z",
            "20261128T140240.123Z-",
            "20261128T140240.123Z-a/../b",
            "20261328T140240.123Z-door-parcel",
            "20261128T140240.12 Z-door-parcel",
            "20261128T140240.123Z_door-parcel",
            "20261128T140240.1éZ-door-parcel",
        ] {
            assert!(text.parse::<AlertId>().is_err(), "{text}");
        }
        let long = format!("20261128T140240.123Z-{}", "a".repeat(200));
        assert!(long.parse::<AlertId>().is_err());
    }
}
