//! The values that options of watching take.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::byte_size::bytes;
use crate::values::from_and_to_string;

/// A value that an option does not take.
#[derive(Debug, thiserror::Error)]
pub enum WatchValueError {
    /// No polygon.
    #[error(
        "polygon {0:?}: use 3 to {MOST_POINTS} points in percent of the picture's width and height, for example \"0,0 30,0 30,6 0,6\""
    )]
    Polygon(String),
    /// No numbers of answers.
    #[error("yes {0:?}: use how many of how many, up to 9, for example \"2 of 3\"")]
    Votes(String),
    /// No part of a whole.
    #[error("confidence {0}: use 0 to 1")]
    Share(f64),
    /// No number of bytes.
    #[error("keep-bytes {0:?}: use a number with its unit, for example \"200M\", from 1M to 1T")]
    Bytes(String),
    /// Nothing that a program can be asked at.
    #[error("{0:?}: use http://HOST[:PORT]/... or https://HOST[:PORT]/...")]
    Url(String),
    /// No name of a user.
    #[error("user {0:?}: use a name as the password file has it, without colon and comma")]
    User(String),
    /// No list of users.
    #[error("{0} users: use true, false, or a list of 1 to 100 users")]
    Users(usize),
    /// No sentence.
    #[error("{0:?}: use one line of 1 to {MOST_WORDS} characters")]
    Words(String),
}

/// More corners than anybody draws by hand.
const MOST_POINTS: usize = 32;

/// A part of the picture, in percent of its width and height.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Polygon(Vec<(f32, f32)>);

impl Polygon {
    /// Gives the corners, across and down, each 0 to 100.
    pub fn corners_percent(&self) -> &[(f32, f32)] {
        &self.0
    }
}

impl FromStr for Polygon {
    type Err = WatchValueError;

    fn from_str(text: &str) -> Result<Self, WatchValueError> {
        let number = |text: &str| {
            let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let number = text.parse::<f32>().ok().filter(|_| plain);
            number.filter(|number| (0.0..=100.0).contains(number))
        };
        let point = |text: &str| {
            let (across, down) = text.split_once(',')?;
            Some((number(across)?, number(down)?))
        };
        let points: Option<Vec<_>> = text.split_whitespace().map(point).collect();
        let points = points.filter(|points| (3..=MOST_POINTS).contains(&points.len()));
        points
            .map(Self)
            .ok_or_else(|| WatchValueError::Polygon(text.to_owned()))
    }
}

impl fmt::Display for Polygon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (across, down)) in self.0.iter().enumerate() {
            let before = if at > 0 { " " } else { "" };
            write!(f, "{before}{across},{down}")?;
        }
        Ok(())
    }
}

/// How many yeses of how many answers in a row: 1 to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Votes {
    /// So many...
    pub yes: u8,
    /// ...of so many.
    pub of: u8,
}

impl FromStr for Votes {
    type Err = WatchValueError;

    fn from_str(text: &str) -> Result<Self, WatchValueError> {
        let number = |text: &str| match text.as_bytes() {
            [digit @ b'1'..=b'9'] => Some(digit - b'0'),
            _ => None,
        };
        let words: Vec<_> = text.split_whitespace().collect();
        let votes = match words[..] {
            [yes, "of", of] => number(yes).zip(number(of)),
            [yes] => number(yes).map(|yes| (yes, yes)),
            _ => None,
        };
        match votes {
            Some((yes, of)) if yes <= of => Ok(Self { yes, of }),
            _ => Err(WatchValueError::Votes(text.to_owned())),
        }
    }
}

impl fmt::Display for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.yes, self.of)
    }
}

/// A part of a whole: 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

impl Share {
    /// Gives the number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = WatchValueError;

    fn try_from(number: f64) -> Result<Self, WatchValueError> {
        if (0.0..=1.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(WatchValueError::Share(number))
        }
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

/// How many bytes may be stored: 1 MB to 1 TB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreBytes(u64);

/// The longer names first.
const UNITS: [(&str, u64); 9] = [
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("B", 1),
];

impl StoreBytes {
    /// Gives the number.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for StoreBytes {
    type Err = WatchValueError;

    fn from_str(text: &str) -> Result<Self, WatchValueError> {
        match bytes(text, &UNITS) {
            Some(bytes @ 1_000_000..=1_000_000_000_000) => Ok(Self(bytes)),
            _ => Err(WatchValueError::Bytes(text.to_owned())),
        }
    }
}

impl fmt::Display for StoreBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

/// Where a program is asked by HTTP. Who asks parses it: here it only has a form that can be shown
/// and logged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpUrl(String);

/// Longer than any that is written by hand, and shorter than what servers refuse.
const LONGEST_URL: usize = 2000;

impl HttpUrl {
    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the host, and the port where one is written.
    pub fn host_and_port(&self) -> &str {
        authority(self.0.split_once("://").map_or("", |(_, rest)| rest))
    }
}

/// What stands before the path of a URL.
fn authority(behind_scheme: &str) -> &str {
    let mut parts = behind_scheme.split(['/', '?', '#']);
    parts.next().unwrap_or_default()
}

/// Whether what stands behind the host is a port, if anything does.
fn has_right_port(authority: &str) -> bool {
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    // The colons of an address of IPv6 are within brackets.
    let port = port.filter(|port| !port.contains(']'));
    port.is_none_or(|port| port.parse().is_ok_and(|number: u16| number > 0))
}

impl FromStr for HttpUrl {
    type Err = WatchValueError;

    fn from_str(text: &str) -> Result<Self, WatchValueError> {
        let rest = (text.strip_prefix("http://")).or_else(|| text.strip_prefix("https://"));
        let has_host = rest.is_some_and(|rest| {
            let host = authority(rest);
            !host.is_empty()
                && !host.contains('@')
                && !host.starts_with(':')
                && has_right_port(host)
        });
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
        if has_host && plain && text.len() <= LONGEST_URL {
            Ok(Self(text.to_owned()))
        } else {
            Err(WatchValueError::Url(text.to_owned()))
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As much as says what is to be told; more is a story.
const MOST_WORDS: usize = 300;

/// What is asked of a model: one line of any text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Words(String);

impl Words {
    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Words {
    type Err = WatchValueError;

    fn from_str(text: &str) -> Result<Self, WatchValueError> {
        let words = text.trim();
        let fits = (1..=MOST_WORDS).contains(&words.chars().count());
        if fits && !words.contains(char::is_control) {
            Ok(Self(words.to_owned()))
        } else {
            Err(WatchValueError::Words(text.to_owned()))
        }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

from_and_to_string!(WatchValueError: Polygon, Votes, StoreBytes, HttpUrl, Words);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_has_corners_within_the_picture() {
        let clock: Polygon = "0,0 30,0 30,6.5 0,6.5".parse().unwrap();
        assert_eq!(clock.corners_percent()[2], (30.0, 6.5));
        assert_eq!(clock.to_string().parse::<Polygon>().unwrap(), clock);
        for wrong in [
            "",
            "0,0 1,1",
            "0,0 1,1 101,0",
            "0,0 1,1 -1,0",
            "a,b c,d e,f",
            "0 1 2",
        ] {
            assert!(wrong.parse::<Polygon>().is_err(), "{wrong:?}");
        }
        assert!("0,0 ".repeat(33).parse::<Polygon>().is_err());
    }

    #[test]
    fn votes_are_some_of_some() {
        assert_eq!("2 of 3".parse::<Votes>().unwrap(), Votes { yes: 2, of: 3 });
        assert_eq!("1".parse::<Votes>().unwrap(), Votes { yes: 1, of: 1 });
        for wrong in ["", "0 of 3", "3 of 2", "2 in 3", "10 of 10", "2 of 3 of 4"] {
            assert!(wrong.parse::<Votes>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn bytes_have_their_unit() {
        for (text, bytes) in [
            ("200M", 200_000_000),
            ("1GiB", 1 << 30),
            ("1T", 1_000_000_000_000),
        ] {
            let size: StoreBytes = text.parse().unwrap();
            assert_eq!(size.bytes(), bytes);
            assert_eq!(size.to_string().parse::<StoreBytes>().unwrap(), size);
        }
        for wrong in ["", "200", "1B", "2T", "-1M", "99999999999999999999M"] {
            assert!(wrong.parse::<StoreBytes>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_url_says_whom_to_ask_and_has_no_password() {
        for right in [
            "http://127.0.0.1:11434/v1",
            "https://ntfy.sh/topic",
            "http://[::1]:3333",
        ] {
            assert_eq!(right.parse::<HttpUrl>().unwrap().as_str(), right);
        }
        for wrong in [
            "",
            "ntfy.sh",
            "http://",
            "http:///x",
            "ftp://a",
            "http://a b",
            "https://u:p@h/",
            "http://h:99999/x",
            "http://h:0/x",
            "http://[::1]:x/",
            "http://h:/",
        ] {
            assert!(wrong.parse::<HttpUrl>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn words_are_one_line() {
        assert_eq!(" a parcel ".parse::<Words>().unwrap().as_str(), "a parcel");
        for wrong in ["", " ", "a\nb", &"x".repeat(301)] {
            assert!(wrong.parse::<Words>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_share_is_no_percentage() {
        assert!(Share::try_from(0.9).is_ok());
        assert!(Share::try_from(90.0).is_err() && Share::try_from(f64::NAN).is_err());
    }
}
