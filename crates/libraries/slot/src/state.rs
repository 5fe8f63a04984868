//! `state.json`: what the producer of a slot is doing.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Rendition;

/// What a camera is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Stopped, until somebody opens the slot's frame.
    Asleep,
    /// Capturing.
    Awake,
    /// Cannot capture; the state's `error` says why.
    Failed,
}

/// The contents of `state.json`. Unknown keys are kept as they are, so that producers may say more
/// to consumers that know them, past those that do not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What the camera is doing.
    pub state: Phase,
    /// Where its frames come from, as given to `--source`.
    #[serde(default)]
    pub source: Option<String>,
    /// Width of the newest frame in pixels.
    #[serde(default)]
    pub width: Option<u32>,
    /// Height of the newest frame in pixels.
    #[serde(default)]
    pub height: Option<u32>,
    /// What kind of JPEG the newest frame is (`docs/slot.md`), or `mixed` where that changes all
    /// the time.
    #[serde(default)]
    pub jpeg: Option<String>,
    /// Frames per second that the source gives at most, where that is known.
    #[serde(default)]
    pub fps: Option<f64>,
    /// The camera was started a short while ago and still looks for its exposure: frames may be too
    /// dark or too bright.
    #[serde(default)]
    pub settling: bool,
    /// Why the camera failed.
    #[serde(default)]
    pub error: Option<String>,
    /// When a failed camera is tried again, if somebody looks then.
    #[serde(
        default,
        serialize_with = "retry_time",
        deserialize_with = "humantime_serde::deserialize"
    )]
    pub retry: Option<SystemTime>,
    /// What keeps a camera that is awake from giving the frame that is wished for.
    #[serde(default)]
    pub waiting: Option<String>,
    /// The renditions that the producer offers, by their names, with the sizes of the newest ones.
    #[serde(default, deserialize_with = "renditions")]
    pub renditions: BTreeMap<String, RenditionSize>,
    /// Since when the camera has been doing this (RFC 3339, UTC).
    #[serde(
        serialize_with = "time",
        deserialize_with = "humantime_serde::deserialize"
    )]
    pub since: SystemTime,
    /// What this program does not know.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// How large a rendition is, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RenditionSize {
    /// Width in pixels.
    #[serde(default)]
    pub width: Option<u32>,
    /// Height in pixels.
    #[serde(default)]
    pub height: Option<u32>,
    /// What this program does not know.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// What parses of the renditions: another producer's oddities are not to hide all else that it
/// says.
fn renditions<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, RenditionSize>, D::Error> {
    let told = serde_json::Value::deserialize(deserializer)?;
    let Some(told) = told.as_object() else {
        return Ok(BTreeMap::new());
    };
    let sizes = told.iter().filter_map(|(name, size)| {
        let size = serde_json::from_value(size.clone()).ok()?;
        Some((name.clone(), size))
    });
    Ok(sizes.collect())
}

/// Writes a time down. RFC 3339 has the years to 9999, and no clock tells one before 1970: what
/// lies outside, be it only because a retry is added to a clock that is wrong, becomes the nearest
/// that can be written.
fn time<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    const LAST: Duration = Duration::new(253_402_300_799, 999_999_999); // 9999-12-31T23:59:59.9Z
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
    let since_1970 = since_1970.unwrap_or_default().min(LAST);
    humantime_serde::serialize(&(SystemTime::UNIX_EPOCH + since_1970), to)
}

fn retry_time<S: Serializer>(retry: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
    match retry {
        Some(retry) => time(retry, to),
        None => to.serialize_none(),
    }
}

impl State {
    /// The state of a camera of which nothing else is known.
    pub fn new(state: Phase, since: SystemTime) -> Self {
        Self {
            state,
            source: None,
            width: None,
            height: None,
            jpeg: None,
            fps: None,
            settling: false,
            error: None,
            retry: None,
            waiting: None,
            renditions: BTreeMap::new(),
            since,
            more: serde_json::Map::new(),
        }
    }

    /// The state of a camera that has failed, of which nothing else is known.
    pub fn failed(reason: String, since: SystemTime) -> Self {
        Self {
            error: Some(reason),
            ..Self::new(Phase::Failed, since)
        }
    }

    /// Gives the size of a rendition, if the producer offers it.
    pub fn rendition(&self, rendition: Rendition) -> Option<&RenditionSize> {
        self.renditions.get(rendition.name())
    }

    /// Parses the contents of `state.json`.
    ///
    /// # Errors
    /// What is wrong with the JSON.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// Gives the contents of `state.json`.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_round_trip_and_a_producer_that_says_less_or_more() {
        let state = State {
            source: Some("test".into()),
            width: Some(640),
            jpeg: Some("baseline-420".into()),
            fps: Some(30.0),
            error: Some("no camera".into()),
            retry: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)),
            ..State::new(Phase::Failed, SystemTime::UNIX_EPOCH)
        };
        assert_eq!(State::parse(&state.to_json()).unwrap(), state);
        let short = br#"{"state":"awake","since":"2026-11-20T23:10:00Z","colour":"blue"}"#;
        assert_eq!(State::parse(short).unwrap().state, Phase::Awake);
        let again = State::parse(&State::parse(short).unwrap().to_json()).unwrap();
        assert_eq!(again.more["colour"], "blue");
        assert!(State::parse(b"{}").is_err());
    }

    #[test]
    fn times_that_cannot_be_written_become_the_nearest_that_can() {
        let hour = Duration::from_secs(3600);
        let last = SystemTime::UNIX_EPOCH + Duration::new(253_402_300_799, 999_999_999);
        let written = |since, retry| {
            let retry = Some(retry);
            let state = State {
                retry,
                ..State::failed(String::new(), since)
            };
            let read = State::parse(&state.to_json()).unwrap();
            (read.since, read.retry.unwrap())
        };
        assert_eq!(written(last, last), (last, last));
        assert_eq!(written(last + hour, last + hour * 10_000), (last, last));
        let first = SystemTime::UNIX_EPOCH;
        assert_eq!(written(first - hour, first - hour), (first, first));
    }

    #[test]
    fn odd_renditions_hide_nothing_else() {
        let half_odd = r#"{"half":null,"low":{"width":-640},"quarter":{"width":160}}"#;
        for (odd, left) in [
            ("null", vec![]),
            ("[1]", vec![]),
            (half_odd, vec!["quarter"]),
            (r#"{"half":{"width":"640"},"low":{}}"#, vec!["low"]),
        ] {
            let known = r#""state":"awake","since":"2026-11-20T23:10:00Z","fps":5"#;
            let json = format!(r#"{{{known},"renditions":{odd}}}"#);
            let state = State::parse(json.as_bytes()).unwrap();
            let names: Vec<_> = state.renditions.keys().map(String::as_str).collect();
            assert_eq!((names, state.fps), (left, Some(5.0)), "{odd}");
        }
    }
}
