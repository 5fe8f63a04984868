//! Which cameras of which hosts: `HOST.NAME`, in which `*` stands for any letters.

use std::fmt;
use std::str::FromStr;

use crate::wire::{FarCamera, HostName};

/// Longer than a host's name and a camera's together.
const MAX_BYTES: usize = 130;

/// Names of far cameras.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    host: String,
    camera: String,
}

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cameras {0:?}: use HOST.NAME, in which * stands for any letters, for example \"*.door\"")]
pub struct PatternError(String);

impl Pattern {
    /// That of all cameras of all hosts.
    pub fn all() -> Self {
        Self {
            host: "*".to_owned(),
            camera: "*".to_owned(),
        }
    }

    /// Says whether this camera is meant.
    pub fn matches(&self, far: &FarCamera) -> bool {
        self.matches_host(&far.host) && fits(&self.camera, far.camera.as_str())
    }

    /// Says whether a camera of this host may be meant.
    pub fn matches_host(&self, host: &HostName) -> bool {
        fits(&self.host, host.as_str())
    }

    /// Gives the only camera that is meant, if there is one: it need not be listed to be known.
    pub fn camera(&self) -> Option<FarCamera> {
        Some(FarCamera {
            host: self.host()?,
            camera: self.camera.parse().ok()?,
        })
    }

    /// Gives the only host whose cameras are meant, if there is one: it need not be looked for.
    pub fn host(&self) -> Option<HostName> {
        self.host.parse().ok()
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let wrong = || PatternError(text.chars().take(MAX_BYTES).collect());
        let is_allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'*');
        if text == "*" {
            return Ok(Self::all());
        }
        // A host's name has no dot.
        let (host, camera) = text.split_once('.').ok_or_else(wrong)?;
        let is_pattern = text.len() <= MAX_BYTES && text.bytes().all(is_allowed);
        if host.is_empty() || camera.is_empty() || !is_pattern {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            camera: camera.to_owned(),
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.host, self.camera)
    }
}

/// Says whether a text is as a pattern says. What stands between two `*` is looked for from the
/// left, which finds it wherever it can be.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut between: Vec<&str> = rest.split('*').collect();
    // `split` gives one at least.
    let end = between.pop().unwrap_or_default();
    for part in between {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = &text[at + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(host: &str, camera: &str) -> FarCamera {
        FarCamera {
            host: host.parse().unwrap(),
            camera: camera.parse().unwrap(),
        }
    }

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, host, camera, fit) in [
            ("*", "pi", "a.b", true),
            ("*.*", "pi", "a.b", true),
            ("pi.*", "pi", "door", true),
            ("pi.*", "pi2", "door", false),
            ("pi-*.door", "pi-7", "door", true),
            ("pi-*.door", "pi-7", "door2", false),
            ("*-7.d*r", "pi-7", "door", true),
            ("*-7.d*r*", "pi-7", "doors", true),
            ("a.*x*x", "a", "x", false),
            ("a.*x*x", "a", "xx", true),
            ("a.a*a", "a", "a", false),
            ("a.b.c", "a", "b.c", true),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches(&far(host, camera)), fit, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "door", ".door", "pi.", "pi.a b", "pi.>", "ä.b"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad:?}");
        }
        assert!(
            "x".repeat(500)
                .parse::<Pattern>()
                .unwrap_err()
                .to_string()
                .len()
                < 300
        );
    }

    #[test]
    fn a_single_host_is_known() {
        let host = |text: &str| text.parse::<Pattern>().unwrap().host();
        assert_eq!(host("pi.*"), Some("pi".parse().unwrap()));
        assert_eq!(host("p*.door"), None);
    }
}
