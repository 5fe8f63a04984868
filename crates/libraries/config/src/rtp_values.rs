//! The values that options of RTP take.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::duration;
use crate::text_or_number::TextOrNumber;

/// After how long sessions may end: clients are told whole seconds, and days are no time-out.
const SESSION_TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(86_400);

/// A value that an option does not take.
#[derive(Debug, thiserror::Error)]
pub enum RtpValueError {
    /// No place to send to.
    #[error(
        "to {0:?}: use HOST:PORT, [IPV6]:PORT or [IPV6%INTERFACE]:PORT, with an even port from 2 to 65534"
    )]
    HostPort(String),
    /// No DSCP.
    #[error("dscp {0:?}: use a name such as EF, AF41 or CS5, or a number from 0 to 63")]
    Dscp(String),
    /// No SSRC.
    #[error("ssrc {0:?}: use 32 bits, decimal or hexadecimal with 0x")]
    Ssrc(String),
    /// No size of a packet.
    #[error("mtu {0}: use a number of bytes from 256 to 9000")]
    Mtu(String),
    /// No time after which a session ends.
    #[error("session-timeout {0:?}: use a duration from 1s to 1day, for example \"60s\"")]
    SessionTimeout(String),
}

/// Where a camera is sent to: a host and the port of its RTP; that of RTCP is the next one (RFC
/// 3550, section 11).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort {
    /// A name or an address, IPv6 without brackets and, where it has one, with its zone.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Gives an address of IPv6 and its zone, which is the interface that it is to be reached by
    /// (RFC 4007, section 11).
    pub fn ipv6(&self) -> Option<(Ipv6Addr, Option<&str>)> {
        let (address, zone) = match self.host.split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (&*self.host, None),
        };
        Some((address.parse().ok()?, zone))
    }

    /// Gives the address, without its zone, where the host is no name.
    pub fn ip(&self) -> Option<IpAddr> {
        let ipv6 = self.ipv6().map(|(address, _)| address.into());
        ipv6.or_else(|| self.host.parse().ok())
    }
}

/// Says whether this may be the name of an interface, or its number.
fn is_zone(text: &str) -> bool {
    // IFNAMSIZ of linux/if.h has room for 15 and a NUL.
    (1..16).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

impl FromStr for HostPort {
    type Err = RtpValueError;

    fn from_str(text: &str) -> Result<Self, RtpValueError> {
        let wrong = || RtpValueError::HostPort(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let is_host = inner.map_or_else(
            || {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                !host.is_empty() && host.bytes().all(is_plain)
            },
            |v6| {
                let (address, zone) = v6.split_once('%').unwrap_or((v6, "0"));
                address.parse::<Ipv6Addr>().is_ok() && is_zone(zone)
            },
        );
        let port = port.parse().ok().filter(|port| *port >= 2 && port % 2 == 0);
        match port {
            Some(port) if is_host => Ok(Self {
                host: inner.unwrap_or(host).to_owned(),
                port,
            }),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for HostPort {
    type Error = RtpValueError;

    fn try_from(text: String) -> Result<Self, RtpValueError> {
        text.parse()
    }
}

impl From<HostPort> for String {
    fn from(destination: HostPort) -> Self {
        destination.to_string()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The names of DSCPs, besides those of classes (RFC 2474, 2597, 3246, 5865, 8622).
const DSCP_NAMES: [(&str, u8); 16] = [
    ("BE", 0),
    ("LE", 1),
    ("AF11", 10),
    ("AF12", 12),
    ("AF13", 14),
    ("AF21", 18),
    ("AF22", 20),
    ("AF23", 22),
    ("AF31", 26),
    ("AF32", 28),
    ("AF33", 30),
    ("AF41", 34),
    ("AF42", 36),
    ("AF43", 38),
    ("VA", 44),
    ("EF", 46),
];

/// The six bits by which routers tell packets apart (RFC 2474).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dscp(u8);

impl Dscp {
    /// Gives the six bits.
    pub fn bits(self) -> u8 {
        self.0
    }
}

impl FromStr for Dscp {
    type Err = RtpValueError;

    fn from_str(text: &str) -> Result<Self, RtpValueError> {
        let upper = text.to_ascii_uppercase();
        let named = DSCP_NAMES.iter().find(|(name, _)| *name == upper);
        let class = || {
            let class: u8 = upper.strip_prefix("CS")?.parse().ok()?;
            (class < 8).then_some(class << 3)
        };
        let number = || text.parse().ok().filter(|bits| *bits < 64);
        named
            .map(|(_, bits)| *bits)
            .or_else(class)
            .or_else(number)
            .map(Self)
            .ok_or_else(|| RtpValueError::Dscp(text.to_owned()))
    }
}

/// After how long without a word a client of RTSP is told that its session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionTimeout(Duration);

impl SessionTimeout {
    /// What clients are told, which is whole seconds (RFC 2326, section 12.37).
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.as_secs())
    }
}

impl FromStr for SessionTimeout {
    type Err = RtpValueError;

    fn from_str(text: &str) -> Result<Self, RtpValueError> {
        let is_meant = |timeout: &Duration| SESSION_TIMEOUTS.contains(timeout);
        duration::parse(text)
            .ok()
            .filter(is_meant)
            .map(Self)
            .ok_or_else(|| RtpValueError::SessionTimeout(text.to_owned()))
    }
}

impl TryFrom<String> for SessionTimeout {
    type Error = RtpValueError;

    fn try_from(text: String) -> Result<Self, RtpValueError> {
        text.parse()
    }
}

impl From<SessionTimeout> for String {
    fn from(timeout: SessionTimeout) -> Self {
        duration::text(timeout.0)
    }
}

/// What tells a stream of RTP from others of its session (RFC 3550, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrc(u32);

impl Ssrc {
    /// Gives the 32 bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for Ssrc {
    type Err = RtpValueError;

    fn from_str(text: &str) -> Result<Self, RtpValueError> {
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parsed = match hex {
            Some(digits) if is_number(digits) => u32::from_str_radix(digits, 16).ok(),
            None if is_number(text) => text.parse().ok(),
            _ => None,
        };
        parsed
            .map(Self)
            .ok_or_else(|| RtpValueError::Ssrc(text.to_owned()))
    }
}

/// How many bytes an RTP packet may have, headers of UDP and IP not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Mtu(u16);

impl Mtu {
    /// Gives the number of bytes.
    pub fn bytes(self) -> usize {
        self.0.into()
    }
}

impl Default for Mtu {
    fn default() -> Self {
        Self(1400)
    }
}

impl TryFrom<i64> for Mtu {
    type Error = RtpValueError;

    fn try_from(bytes: i64) -> Result<Self, RtpValueError> {
        u16::try_from(bytes)
            .ok()
            // Room for both quantization tables and some of a scan, to jumbo frames.
            .filter(|bytes| (256..=9000).contains(bytes))
            .map(Self)
            .ok_or_else(|| RtpValueError::Mtu(bytes.to_string()))
    }
}

impl FromStr for Mtu {
    type Err = RtpValueError;

    fn from_str(text: &str) -> Result<Self, RtpValueError> {
        text.parse::<i64>()
            .map_err(|_| RtpValueError::Mtu(text.to_owned()))?
            .try_into()
    }
}

impl From<Mtu> for i64 {
    fn from(mtu: Mtu) -> Self {
        mtu.0.into()
    }
}

/// Which of the files of an exposure is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RtpSize {
    /// The frame as configured.
    #[default]
    Current,
    /// The frame's size in about a third of its bytes.
    Low,
    /// Half the width and half the height.
    Half,
    /// A quarter of both.
    Quarter,
}

/// In what a camera is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RtpCodec {
    /// Its frames as they are.
    #[default]
    Jpeg,
    /// What `eyelid-video` makes of it.
    H264,
}

impl<'de> Deserialize<'de> for Dscp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let form = "a name such as \"EF\", \"AF41\" or \"CS5\", or a number from 0 to 63";
        from.deserialize_any(TextOrNumber::new(form))
    }
}

impl Serialize for Dscp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(self.0)
    }
}

impl<'de> Deserialize<'de> for Ssrc {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let form = "32 bits, as a number or as \"0x...\"";
        from.deserialize_any(TextOrNumber::new(form))
    }
}

impl Serialize for Ssrc {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_host_and_an_even_port() {
        for good in [
            "127.0.0.1:5000",
            "recorder.local:5004",
            "[::1]:5000",
            "[fe80::1%eth0]:5000",
            "239.10.0.1:2",
        ] {
            assert_eq!(good.parse::<HostPort>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "host",
            "host:",
            "host:5001",
            "host:0",
            ":5000",
            "::1:5000",
            "[::1]",
            "a b:2",
            "[x]:2",
            "[fe80::1%]:2",
            "[fe80::1%a b]:2",
            "[fe80::1%a-name-too-long-for-it]:2",
            "host:99998",
            "http://host:2",
        ] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_of_ipv6_may_have_a_zone() {
        let ipv6 = |text: &str| {
            let to: HostPort = text.parse().unwrap();
            let (address, zone) = to.ipv6()?;
            Some((address.to_string(), zone.map(str::to_owned)))
        };
        let zone = Some("eth0.7".to_owned());
        assert_eq!(
            ipv6("[ff02::1%eth0.7]:2"),
            Some(("ff02::1".to_owned(), zone))
        );
        assert_eq!(ipv6("[::1]:2"), Some(("::1".to_owned(), None)));
        assert_eq!(ipv6("192.0.2.1:2"), None);
    }

    #[test]
    fn dscp_and_ssrc_are_names_or_numbers() {
        for (text, bits) in [("EF", 46), ("af41", 34), ("CS5", 40), ("0", 0), ("63", 63)] {
            assert_eq!(text.parse::<Dscp>().unwrap().bits(), bits);
        }
        for bad in ["", "64", "-1", "CS8", "AF44", "EX"] {
            assert!(bad.parse::<Dscp>().is_err(), "{bad}");
        }
        for (text, bits) in [
            ("0x12345678", 0x1234_5678),
            ("7", 7),
            ("0XFFFFFFFF", u32::MAX),
        ] {
            assert_eq!(text.parse::<Ssrc>().unwrap().bits(), bits);
        }
        for bad in [
            "",
            "0x",
            "0x1ffffffff",
            "-1",
            "12g",
            "+1",
            "0x+1",
            "4294967296",
        ] {
            assert!(bad.parse::<Ssrc>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_session_times_out_after_whole_seconds() {
        for (text, seconds) in [("1s", 1), ("1500ms", 1), ("1min", 60), ("1day", 86_400)] {
            let timeout: SessionTimeout = text.parse().unwrap();
            assert_eq!(timeout.duration(), Duration::from_secs(seconds));
        }
        for bad in ["", "60", "999ms", "25h", "-1s"] {
            assert!(bad.parse::<SessionTimeout>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_packet_fits_every_network() {
        for good in [256, 1400, 9000] {
            assert_eq!(good.to_string().parse::<Mtu>().unwrap().bytes(), good);
        }
        for bad in ["", "255", "9001", "-1", "x"] {
            assert!(bad.parse::<Mtu>().is_err(), "{bad}");
        }
    }
}
