//! Names under which a server may be asked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name in DNS (RFC 1035, section 2.3.4), without the dot at its end.
const NAME_BYTES: usize = 253;

/// A name that requests may be for: one, all below one, or all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum AllowedHost {
    /// `*`
    Any,
    /// `*.NAME`: all below it, but not itself.
    Below(String),
    /// `NAME`
    Name(String),
}

/// A text that is no such name.
#[derive(Debug, thiserror::Error)]
#[error(
    "host {0:?}: use a name as it stands in the browser's address line, without scheme and port, *.NAME for all below it, or *"
)]
pub struct AllowedHostError(String);

impl AllowedHost {
    /// Says whether a name as [`host_name`] gives it is allowed.
    pub fn allows(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(parent) => name
                .strip_suffix(parent.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            Self::Name(allowed) => name == allowed,
        }
    }
}

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    fn from_str(text: &str) -> Result<Self, AllowedHostError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (name, allowed): (_, fn(String) -> Self) = match text.strip_prefix("*.") {
            Some(parent) => (parent, Self::Below),
            None => (text, Self::Name),
        };
        match host_name(name) {
            Some(name) => Ok(allowed(name)),
            None => Err(AllowedHostError(text.to_owned())),
        }
    }
}

/// Gives a host's name as names are compared, in lower case and without a dot at its end; `None` if
/// it is none.
pub fn host_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let plain = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (name.len() <= NAME_BYTES && name.split('.').all(plain)).then(|| name.to_ascii_lowercase())
}

impl TryFrom<String> for AllowedHost {
    type Error = AllowedHostError;

    fn try_from(text: String) -> Result<Self, AllowedHostError> {
        text.parse()
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(parent) => write!(f, "*.{parent}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl From<AllowedHost> for String {
    fn from(host: AllowedHost) -> Self {
        host.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_one_name_all_below_one_or_all() {
        for (allowed, name, yes) in [
            ("camera.example.org", "camera.example.org", true),
            ("Camera.Example.ORG.", "camera.example.org", true),
            ("camera.example.org", "evil.camera.example.org", false),
            ("camera.example.org", "camera.example.org.evil.net", false),
            ("*.example.org", "camera.example.org", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("*.example.org", "evilexample.org", false),
            ("*.example.org", "example.org.evil.net", false),
            ("*", "anything.example.net", true),
        ] {
            let allowed: AllowedHost = allowed.parse().unwrap();
            assert_eq!(allowed.allows(name), yes, "{allowed:?} and {name}");
        }
    }

    #[test]
    fn what_a_browser_would_never_send_as_a_name_is_refused() {
        for wrong in [
            "",
            ".",
            "http://camera.example.org",
            "camera.example.org:8080",
            "camera.example.org/webcam",
            "*.",
            "**",
            "*example.org",
            "cam*.example.org",
            "a..b",
            "bücher.example",
            "a b",
        ] {
            let error = wrong.parse::<AllowedHost>().unwrap_err().to_string();
            assert!(error.starts_with("host "), "{error}");
        }
    }
}
