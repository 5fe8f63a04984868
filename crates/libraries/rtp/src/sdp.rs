//! A stream's description (SDP, RFC 8866), as text: for RTSP's DESCRIBE, and as a file that
//! receivers of a pushed stream open.
//!
//! Each line that is optional by the RFC and missed by some receiver is there: `o=`, `c=` and `t=`,
//! and both `a=control` lines.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// JPEG has a payload type of its own (RFC 3551, table 5).
pub const JPEG_PAYLOAD_TYPE: u8 = 26;

/// Rates that are said. What is none, such as 0, infinity or a number of hundreds of digits, comes
/// out of other programs' files, and of players each makes of it what it likes.
const RATES: RangeInclusive<f64> = 0.001..=1000.0;

/// What is said of a stream; [`fmt::Display`] gives the text.
#[derive(Clone, Copy, Debug)]
pub struct SessionDescription<'a> {
    /// Who describes it.
    pub origin: Origin,
    /// What users see, such as the camera's name.
    pub name: &'a str,
    /// Where its packets go.
    pub destination: Destination,
    /// The port of its RTP; 0 in RTSP, where SETUP agrees on one.
    pub port: u16,
    /// In RTSP, what SETUP has to ask for: a URL, or what is joined to the one of the session.
    pub control: Option<&'a str>,
    /// What it carries.
    pub media: Media<'a>,
    /// Width and height of the picture, where they are known.
    pub size_px: Option<(u32, u32)>,
    /// Frames a second at most, where that is known.
    pub frames_per_second: Option<f64>,
}

/// Tells descriptions apart.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The session's number: another one for another session of this host.
    pub id: u64,
    /// Counts up when the description changes.
    pub version: u64,
    /// An address of this host.
    pub address: IpAddr,
}

/// Where packets go.
#[derive(Clone, Copy, Debug)]
pub enum Destination {
    /// To one receiver. In RTSP, the unspecified address: SETUP agrees on one.
    Unicast(IpAddr),
    /// To a group.
    Multicast {
        /// Its address.
        group: IpAddr,
        /// How many routers the packets pass. IPv6 does not say it here.
        ttl: u8,
    },
}

/// What a stream carries.
#[derive(Clone, Copy, Debug)]
pub enum Media<'a> {
    /// JPEG, by RFC 2435.
    Jpeg,
    /// H.264, by RFC 6184 with packetization mode 1.
    H264 {
        /// 96 to 127.
        payload_type: u8,
        /// The parameter sets, without start codes.
        sequence_parameters: &'a [u8],
        /// Likewise.
        picture_parameters: &'a [u8],
    },
}

impl fmt::Display for SessionDescription<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin {
            id,
            version,
            address,
        } = self.origin;
        line(out, format_args!("v=0"))?;
        let origin = Address(address);
        line(out, format_args!("o=- {id} {version} {origin}"))?;
        let name = if self.name.is_empty() { "-" } else { self.name };
        line(out, format_args!("s={}", InLine(name)))?;
        line(out, format_args!("c={}", self.destination))?;
        line(out, format_args!("t=0 0"))?;
        if self.control.is_some() {
            line(out, format_args!("a=control:*"))?;
            // It is live: there is no other place to play from.
            line(out, format_args!("a=range:npt=now-"))?;
        }
        let number = self.media.payload_type();
        line(out, format_args!("m=video {} RTP/AVP {number}", self.port))?;
        self.media.lines(out)?;
        if let Some((width, height)) = self.size_px {
            // The first is 3GPP's (TS 26.234), the second what GStreamer sends and reads.
            line(out, format_args!("a=framesize:{number} {width}-{height}"))?;
            line(out, format_args!("a=x-dimensions:{width},{height}"))?;
        }
        if let Some(rate) = self.frames_per_second
            && RATES.contains(&rate)
        {
            line(out, format_args!("a=framerate:{rate}"))?;
        }
        if let Some(control) = self.control {
            line(out, format_args!("a=control:{}", InLine(control)))?;
        }
        Ok(())
    }
}

impl Media<'_> {
    fn payload_type(&self) -> u8 {
        match *self {
            Self::Jpeg => JPEG_PAYLOAD_TYPE,
            Self::H264 { payload_type, .. } => payload_type,
        }
    }

    fn lines(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.payload_type();
        match self {
            Self::Jpeg => line(out, format_args!("a=rtpmap:{number} JPEG/90000")),
            Self::H264 {
                sequence_parameters: sps,
                picture_parameters: pps,
                ..
            } => {
                line(out, format_args!("a=rtpmap:{number} H264/90000"))?;
                write!(out, "a=fmtp:{number} packetization-mode=1")?;
                // Its own first three bytes (RFC 6184, §8.1).
                if let [_, profile, constraints, level, ..] = sps {
                    let profile = format_args!("{profile:02x}{constraints:02x}{level:02x}");
                    write!(out, ";profile-level-id={profile}")?;
                }
                // Receivers take an empty set for a broken one. They are in the stream, too.
                if !sps.is_empty() && !pps.is_empty() {
                    let (sps, pps) = (STANDARD.encode(sps), STANDARD.encode(pps));
                    write!(out, ";sprop-parameter-sets={sps},{pps}")?;
                }
                line(out, format_args!(""))
            }
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unicast(address) => write!(out, "{}", Address(address)),
            Self::Multicast { group, ttl } if group.is_ipv4() => {
                write!(out, "{}/{ttl}", Address(group))
            }
            Self::Multicast { group, .. } => write!(out, "{}", Address(group)),
        }
    }
}

struct Address(IpAddr);

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(out, "IN IP4 {address}"),
            IpAddr::V6(address) => write!(out, "IN IP6 {address}"),
        }
    }
}

/// A text that makes no line of its own, whoever wrote it: a name, or the end of a client's URL.
struct InLine<'a>(&'a str);

impl fmt::Display for InLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_line = |c: char| if c.is_control() { ' ' } else { c };
        self.0
            .chars()
            .try_for_each(|c| fmt::Write::write_char(out, in_line(c)))
    }
}

fn line(out: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
    write!(out, "{text}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn jpeg() -> SessionDescription<'static> {
        SessionDescription {
            origin: Origin {
                id: 17,
                version: 2,
                address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            },
            name: "door",
            destination: Destination::Unicast(Ipv4Addr::UNSPECIFIED.into()),
            port: 0,
            control: Some("track1"),
            media: Media::Jpeg,
            size_px: Some((643, 483)),
            frames_per_second: Some(12.5),
        }
    }

    #[test]
    fn describes_a_camera_for_rtsp() {
        let expected = "v=0\r\no=- 17 2 IN IP4 192.0.2.1\r\ns=door\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
            a=control:*\r\na=range:npt=now-\r\nm=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\n\
            a=framesize:26 643-483\r\na=x-dimensions:643,483\r\na=framerate:12.5\r\n\
            a=control:track1\r\n";
        assert_eq!(jpeg().to_string(), expected);
    }

    #[test]
    fn describes_a_push_to_a_group() {
        let mut pushed = SessionDescription {
            destination: Destination::Multicast {
                group: Ipv4Addr::new(239, 1, 2, 3).into(),
                ttl: 16,
            },
            port: 5004,
            control: None,
            size_px: None,
            frames_per_second: None,
            ..jpeg()
        };
        let expected = "v=0\r\no=- 17 2 IN IP4 192.0.2.1\r\ns=door\r\nc=IN IP4 239.1.2.3/16\r\n\
            t=0 0\r\nm=video 5004 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\n";
        assert_eq!(pushed.to_string(), expected);
        let group = Ipv6Addr::new(0xFF15, 0, 0, 0, 0, 0, 0, 9).into();
        pushed.destination = Destination::Multicast { group, ttl: 16 };
        assert!(pushed.to_string().contains("c=IN IP6 ff15::9\r\n"));
    }

    #[test]
    fn describes_h264_with_its_parameters_and_no_semicolon_behind_them() {
        let described = SessionDescription {
            media: Media::H264 {
                payload_type: 96,
                sequence_parameters: &[0x67, 0x42, 0xE0, 0x1F, 1],
                picture_parameters: &[0x68, 2],
            },
            ..jpeg()
        };
        let text = described.to_string();
        let format = "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;\
            profile-level-id=42e01f;sprop-parameter-sets=Z0LgHwE=,aAI=\r\n";
        assert!(text.contains(format), "{text}");
        assert!(text.contains("m=video 0 RTP/AVP 96\r\n"), "{text}");
    }

    #[test]
    fn parameters_that_there_are_not_and_rates_that_are_none_are_left_out() {
        let media = Media::H264 {
            payload_type: 96,
            sequence_parameters: &[],
            picture_parameters: &[0x68, 2],
        };
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 5e-324, 1e300] {
            let described = SessionDescription {
                media,
                frames_per_second: Some(rate),
                ..jpeg()
            };
            let text = described.to_string();
            assert!(
                text.contains("a=fmtp:96 packetization-mode=1\r\n"),
                "{text}"
            );
            assert!(!text.contains("framerate"), "{text}");
        }
    }

    #[test]
    fn a_name_makes_no_lines() {
        for (name, expected) in [("", "s=-\r\n"), ("a\r\nc=IN IP4 192.0.2.9", "s=a  c=IN")] {
            let text = SessionDescription { name, ..jpeg() }.to_string();
            assert!(text.contains(expected), "{text}");
            assert_eq!(text.lines().count(), jpeg().to_string().lines().count());
        }
        let control = Some("track=0?\u{85}a\nm=audio 1 RTP/AVP 0");
        let text = SessionDescription { control, ..jpeg() }.to_string();
        assert!(
            text.ends_with("a=control:track=0? a m=audio 1 RTP/AVP 0\r\n"),
            "{text}"
        );
    }
}
