//! The options of the server: `[server]` in the file.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::{Address, AllowedHost, Fps, Section, duration};

/// Options of `eyelid-server`. What is not given is `None` (or empty).
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, expecting = "a table, [server]")]
pub struct ServerOptions {
    /// Where to listen, besides sockets that were passed.
    #[arg(
        long,
        value_name = "ADDR",
        help = "Listen here: HOST:PORT, [V6]:PORT or unix:PATH; may be repeated [default: sockets passed by systemd]"
    )]
    pub listen: Vec<Address>,
    /// Directory of the slots
    #[arg(long, value_name = "DIR")]
    pub slots: Option<PathBuf>,
    /// Never show a frame older than this [default: 2s]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub max_age: Option<Duration>,
    /// Wait this long for a frame before saying that there is none [default: 4s]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub timeout: Option<Duration>,
    /// End after this long without a connection [default: never]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub idle_exit: Option<Duration>,
    /// Serve at most this many clients at once [default: 1000]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        allow_negative_numbers = true
    )]
    #[serde(deserialize_with = "at_least_one")]
    pub max_clients: Option<u32>,
    /// Under which names the server may be asked, besides those that cannot be anybody else's.
    #[arg(
        long,
        value_name = "NAME",
        help = "Answer requests for this name too: NAME, \"*.NAME\" or \"*\"; may be repeated [default: addresses, names without a dot, local names]"
    )]
    pub allow_host: Vec<AllowedHost>,
    /// Whose pages may read the pictures (CORS).
    #[arg(
        long,
        value_name = "O",
        help = "Let pages of this origin read the pictures (CORS): \"*\" or SCHEME://HOST[:PORT] [default: none]"
    )]
    pub allow_origin: Option<Origin>,
    /// Send streams as the rendition that fits the client's link, unless the URL says otherwise
    /// [default: off]
    #[arg(long, value_name = "HOW")]
    pub adapt: Option<Adapt>,
    /// How many frames a second are to come before pictures are large, where streams are adapted
    /// [default: 8]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub min_fps: Option<Fps>,
    /// Let clients that share a slow link get their frames one after the other [default: true]
    #[arg(long, value_name = "BOOL")]
    pub turns: Option<bool>,
    /// Say in the log who looks at which camera [default: true]
    #[arg(long, value_name = "BOOL")]
    pub log_looks: Option<bool>,
    /// Ask for a user and password out of this htpasswd file (bcrypt: htpasswd -B)
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
    /// Ask for the user and password that are the one line of this file: USER:PASSWORD
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Directory of the sockets at which other programs take requests over [default: /run/eyelid]
    #[arg(long, value_name = "DIR")]
    pub doors: Option<PathBuf>,
}

impl Section for ServerOptions {
    const PLACE: &'static [&'static str] = &["server"];
}

impl ServerOptions {
    /// Fills what is not given here from `file`.
    pub fn or(self, file: Self) -> Self {
        Self {
            listen: given(self.listen, file.listen),
            slots: self.slots.or(file.slots),
            max_age: self.max_age.or(file.max_age),
            timeout: self.timeout.or(file.timeout),
            idle_exit: self.idle_exit.or(file.idle_exit),
            max_clients: self.max_clients.or(file.max_clients),
            allow_host: given(self.allow_host, file.allow_host),
            allow_origin: self.allow_origin.or(file.allow_origin),
            adapt: self.adapt.or(file.adapt),
            min_fps: self.min_fps.or(file.min_fps),
            turns: self.turns.or(file.turns),
            log_looks: self.log_looks.or(file.log_looks),
            auth_file: self.auth_file.or(file.auth_file),
            password_file: self.password_file.or(file.password_file),
            doors: self.doors.or(file.doors),
        }
    }
}

/// How streams are made to fit their clients' links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Adapt {
    /// Not at all: every client gets the frame as configured.
    #[default]
    Off,
    /// Rather more frames: fewer bytes first, then smaller pictures.
    Smooth,
    /// Rather detail: fewer bytes where there must be, and never another size.
    Sharp,
}

/// A list of flags replaces that of the file.
pub(crate) fn given<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags }
}

/// A number that is no zero.
pub(crate) fn at_least_one<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<u32>, D::Error> {
    let number = std::num::NonZeroU32::deserialize(from)?;
    Ok(Some(number.get()))
}

/// An origin as browsers send it (RFC 6454), or `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Origin(String);

/// A text that is no origin.
#[derive(Debug, thiserror::Error)]
#[error("origin {0:?}: use \"*\" or one SCHEME://HOST[:PORT] without a path")]
pub struct OriginError(String);

impl Origin {
    /// Gives the value for `Access-Control-Allow-Origin`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let host = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        let plain = |h: &str| {
            !h.is_empty()
                && h.bytes()
                    .all(|b| b.is_ascii_graphic() && !b"/?#@,\"".contains(&b))
        };
        if text == "*" || host.is_some_and(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(OriginError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path_and_cannot_break_out_of_its_header() {
        for good in [
            "*",
            "http://octopi.local",
            "https://example.org:8443",
            "http://[::1]:80",
        ] {
            assert_eq!(good.parse::<Origin>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "octopi.local",
            "http://",
            "http://a/",
            "http://a\r\nX: y",
            "http://a, http://b",
            "ftp://a",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad:?}");
        }
    }
}
