//! The values that options of H.264 take.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize};

use crate::text_or_number::TextOrNumber;

/// A value that an option does not take.
#[derive(Debug, thiserror::Error)]
pub enum VideoValueError {
    /// No rate.
    #[error(
        "bitrate {0:?}: use bits a second, for example \"800k\" or \"2.5M\", from 150k to 100M, or 0"
    )]
    Bitrate(String),
    /// No place for UDP.
    #[error("udp {0:?}: use a port, IP:PORT or [IPV6]:PORT")]
    Udp(String),
    /// No address that leads here.
    #[error(
        "candidate {0:?}: use an address that leads to this machine, for example \"203.0.113.7\"; browsers take no names"
    )]
    Candidate(String),
}

/// Bits a second: none at all, or 150,000 (below that no camera's picture is one) to 100 million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Bitrate(u32);

impl Bitrate {
    /// The smallest that is one.
    pub const LEAST: u32 = 150_000;
    const MOST: u32 = 100_000_000;

    /// Gives the number; 0 is that there is to be no H.264.
    pub fn bits_per_second(self) -> u32 {
        self.0
    }
}

impl FromStr for Bitrate {
    type Err = VideoValueError;

    fn from_str(text: &str) -> Result<Self, VideoValueError> {
        let units = [('k', 1e3), ('M', 1e6)];
        let found = units
            .iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(*unit)?, *factor)));
        let (number, factor) = found.unwrap_or((text, 1.0));
        let plain = number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number = number.parse::<f64>().ok().filter(|_| plain);
        let bits = number.map(|number| (number * factor).round());
        match bits {
            Some(0.0) => Ok(Self(0)),
            Some(bits) if (f64::from(Self::LEAST)..=f64::from(Self::MOST)).contains(&bits) => {
                Ok(Self(bits as u32))
            }
            _ => Err(VideoValueError::Bitrate(text.to_owned())),
        }
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        match bits {
            0 => f.write_str("0"),
            bits if bits % 1_000_000 == 0 => write!(f, "{}M", bits / 1_000_000),
            bits if bits % 1000 == 0 => write!(f, "{}k", bits / 1000),
            bits => write!(f, "{bits}"),
        }
    }
}

impl From<Bitrate> for String {
    fn from(bitrate: Bitrate) -> Self {
        bitrate.to_string()
    }
}

impl<'de> Deserialize<'de> for Bitrate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextOrNumber::new("bits a second, for example \"2.5M\""))
    }
}

/// Where UDP is bound: a port of all addresses, or of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct UdpAddress(SocketAddr);

impl UdpAddress {
    /// A port of all addresses.
    pub const fn port(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
    }

    /// Gives the address; `[::]` is for those of IPv4, too.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for UdpAddress {
    type Err = VideoValueError;

    fn from_str(text: &str) -> Result<Self, VideoValueError> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(port) = text.parse().ok().filter(|_| digits) {
            return Ok(Self::port(port));
        }
        let address = text.parse().map(Self);
        address.map_err(|_| VideoValueError::Udp(text.to_owned()))
    }
}

impl fmt::Display for UdpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<UdpAddress> for String {
    fn from(address: UdpAddress) -> Self {
        address.to_string()
    }
}

impl<'de> Deserialize<'de> for UdpAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextOrNumber::new("a port, or \"IP:PORT\""))
    }
}

/// An address by which browsers reach this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Candidate(IpAddr);

impl Candidate {
    /// Gives the address.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl FromStr for Candidate {
    type Err = VideoValueError;

    fn from_str(text: &str) -> Result<Self, VideoValueError> {
        let address = text.parse().ok();
        let leads = |address: &IpAddr| !address.is_unspecified() && !address.is_multicast();
        let candidate = address.filter(leads).map(Self);
        candidate.ok_or_else(|| VideoValueError::Candidate(text.to_owned()))
    }
}

impl TryFrom<String> for Candidate {
    type Error = VideoValueError;

    fn try_from(text: String) -> Result<Self, VideoValueError> {
        text.parse()
    }
}

impl From<Candidate> for String {
    fn from(candidate: Candidate) -> Self {
        candidate.0.to_string()
    }
}

/// What encodes H.264.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderChoice {
    /// The machine's own where it has one, else openh264.
    #[default]
    Auto,
    /// Cisco's openh264, on the processor.
    Openh264,
    /// The machine's own, by the kernel's V4L2.
    V4l2,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Values {
        bitrate: Option<Bitrate>,
        udp: Option<UdpAddress>,
        candidate: Option<Candidate>,
    }

    fn of_file(text: &str) -> Result<Values, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bitrate_has_a_unit_or_none() {
        for (text, bits, written) in [
            ("2.5M", 2_500_000, "2500k"),
            ("800k", 800_000, "800k"),
            ("150k", 150_000, "150k"),
            ("0.15M", 150_000, "150k"),
            ("100M", 100_000_000, "100M"),
            ("2500001", 2_500_001, "2500001"),
            ("0", 0, "0"),
        ] {
            let bitrate: Bitrate = text.parse().unwrap();
            assert_eq!(bitrate.bits_per_second(), bits, "{text}");
            assert_eq!(bitrate.to_string(), written);
            assert_eq!(written.parse::<Bitrate>().unwrap(), bitrate);
        }
        for text in [
            "", "k", "2,5M", "-1M", "149k", "101M", "1e6", "inf", "NaN", "2.5 M", "2.5m", "+1M",
        ] {
            assert!(text.parse::<Bitrate>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_port_alone_is_one_of_all_addresses() {
        for (text, address) in [
            ("8189", "[::]:8189"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:5", "[::1]:5"),
        ] {
            let udp: UdpAddress = text.parse().unwrap();
            assert_eq!(udp.address(), address.parse().unwrap());
            assert_eq!(udp.to_string().parse::<UdpAddress>().unwrap(), udp);
        }
        for text in ["", "65536", "localhost:1", "+1", "1.2.3.4", "[::1]"] {
            assert!(text.parse::<UdpAddress>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_in_the_file_are_as_good_as_texts() {
        let numbers = of_file("bitrate = 800000\nudp = 8189\n").unwrap();
        assert_eq!(
            numbers,
            of_file("bitrate = \"800k\"\nudp = \"8189\"\n").unwrap()
        );
        for text in ["bitrate = -1", "bitrate = 2.5", "udp = 70000", "udp = true"] {
            assert!(of_file(text).is_err(), "{text}");
        }
    }
    #[test]
    fn a_candidate_is_an_address_that_leads_somewhere() {
        for good in ["203.0.113.7", "2001:db8::7", "127.0.0.1"] {
            let candidate: Candidate = good.parse().unwrap();
            assert_eq!(candidate.address().to_string(), good);
            let read = of_file(&format!("candidate = {good:?}")).unwrap();
            assert_eq!(read.candidate, Some(candidate));
        }
        for bad in [
            "camera.example.org",
            "203.0.113.7:8189",
            "[2001:db8::7]",
            "0.0.0.0",
            "::",
            "239.1.1.1",
            "ff02::1",
            "",
        ] {
            let error = bad.parse::<Candidate>().unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("no names"), "{error}");
            let error = of_file(&format!("candidate = {bad:?}")).unwrap_err();
            assert!(error.contains("no names"), "{error}");
        }
    }
}
