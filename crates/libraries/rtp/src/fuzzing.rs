//! What must hold whatever strangers send. The fuzz targets call this, and the tests with what
//! those found (`fuzz/README.md`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use eyelid_jpeg::{Recoder, whole};

use crate::clock::Ntp;
use crate::jpeg_payload::{Cure, JpegPayload};
use crate::packetizer::depacketizer::receive;
use crate::packetizer::{Framing, PacketBytes, Packetizer, Stream};
use crate::rtcp::{Receivers, Reception, is_own};
use crate::sdp::{Destination, Media, Origin, SessionDescription};

/// Larger pictures are only looked at as far as it takes to refuse them: a fuzzer wants many, not
/// large ones.
const MOST_PIXELS: u64 = 1 << 16;

const SSRC: u32 = 7;

/// As packets of the corpus have it.
const CNAME: &str = "a@b";

fn stream(packet_bytes: PacketBytes) -> Packetizer {
    let stream = Stream {
        ssrc: SSRC,
        payload_type: 26,
        first_sequence: u16::MAX,
    };
    Packetizer::new(stream, packet_bytes, Framing::Datagrams)
}

/// A JPEG is refused by name, or a receiver that knows nothing but the packets makes one of them
/// that could be sent just so. What is said to be cured by recoding is, or is refused.
///
/// # Panics
/// Where that does not hold.
pub fn jpeg_to_rtp(bytes: &[u8]) {
    match JpegPayload::of(bytes) {
        Ok(payload) => check_sent(&payload),
        Err(reason) => {
            assert!(!reason.to_string().contains('\n'), "{reason}");
            let pixels = whole(bytes).map_or(0, |(header, _)| {
                u64::from(header.width) * u64::from(header.height)
            });
            if reason.cure() == Cure::Recode && pixels <= MOST_PIXELS {
                check_recoded(bytes);
            }
        }
    }
}

fn check_sent(payload: &JpegPayload<'_>) {
    let smallest = PacketBytes::new(256).unwrap_or_default();
    for packet_bytes in [smallest, PacketBytes::default()] {
        let mut stream = stream(packet_bytes);
        let packets = stream.jpeg(payload, 90);
        assert!(
            packets
                .iter()
                .all(|packet| packet.len() <= packets.stride())
        );
        let frame = receive(packets.iter(), u16::MAX, SSRC);
        assert_eq!(frame.scan, payload.scan);
        assert_eq!(
            frame.restart_interval,
            payload.restart_interval.unwrap_or(0)
        );
        assert_eq!(
            frame.tables,
            payload.tables.map(<[u8; 64]>::as_slice).concat()
        );
        assert_eq!(
            u32::from(frame.width_px),
            payload.width_px.next_multiple_of(8)
        );
        assert_eq!(
            u32::from(frame.height_px),
            payload.height_px.next_multiple_of(8)
        );
        let jpeg = frame.jpeg();
        match JpegPayload::of(&jpeg) {
            Ok(again) => assert_eq!((again.scan, again.tables), (payload.scan, payload.tables)),
            Err(reason) => panic!("{reason}"),
        }
    }
}

fn check_recoded(bytes: &[u8]) {
    let mut recoder = Recoder::default();
    if let Ok(jpeg) = recoder.recode(bytes) {
        match JpegPayload::of(jpeg) {
            Ok(payload) => check_sent(&payload),
            Err(reason) => assert_eq!(reason.cure(), Cure::Rendition, "{reason}"),
        }
    }
}

/// What receivers say is refused, or bounded by what was sent; and they are not many. A packet is
/// our own only where it can be read and has our name.
///
/// # Panics
/// Where that does not hold.
pub fn rtcp(bytes: &[u8]) {
    let mut stream = stream(PacketBytes::default());
    let tables = [&[1; 64], &[2; 64]];
    let payload = JpegPayload {
        width_px: 8,
        height_px: 8,
        jpeg_type: 1,
        size_8_px: [1, 1],
        restart_interval: None,
        tables,
        scan: &[0; 4000],
    };
    let sent = stream.jpeg(&payload, 90).len();
    let (mut receivers, now) = (Receivers::default(), Instant::now());
    let reported = Ntp(0x0000_03E8_8000_0000);
    receivers.on_report_sent(reported);
    // Several packets, one after another, and all of it as one.
    for packet in bytes.split(|byte| *byte == 0xFF).chain([bytes]) {
        let time = Ntp(reported.0 + (3 << 32));
        let is_own = is_own(packet, CNAME);
        let has_name = || packet.windows(CNAME.len()).any(|it| it == CNAME.as_bytes());
        assert!(!is_own || has_name());
        let Ok(heard) = receivers.on_packet(packet, stream.position(), time, now) else {
            assert!(!is_own);
            continue;
        };
        assert!(heard.listens || heard.receptions == 0);
        assert!(receivers.count(now) <= 64);
        receivers
            .receptions(now)
            .for_each(|it| check_reception(it, sent));
        assert_eq!(
            receivers.last_heard(),
            (receivers.count(now) > 0).then_some(now)
        );
    }
}

fn check_reception(reception: &Reception, sent: usize) {
    let longest = Duration::from_secs(30);
    assert!(
        (0.0..1.0).contains(&reception.fraction_lost),
        "{reception:?}"
    );
    assert!(
        reception.packets_lost.unsigned_abs() as usize <= sent,
        "{reception:?}"
    );
    assert!(reception.jitter <= longest, "{reception:?}");
    assert!(
        reception.round_trip.is_none_or(|it| it <= longest),
        "{reception:?}"
    );
}

/// A description has the lines of RFC 8866 in their order and no others, whatever the names, URLs,
/// numbers and parameter sets in it are; and a strict reader finds there what was described.
///
/// The bytes are what is described: some numbers, and behind them texts with 0xFF between.
///
/// # Panics
/// Where that does not hold.
pub fn sdp(bytes: &[u8]) {
    let Some((numbers, texts)) = bytes.split_first_chunk::<48>() else {
        return;
    };
    let mut texts = texts.split(|byte| *byte == 0xFF);
    let [name, control, sequence_parameters, picture_parameters] =
        [(); 4].map(|()| texts.next().unwrap_or_default());
    let [name, control] = [name, control].map(String::from_utf8_lossy);
    let said = Numbers(numbers);
    let destination = said.address(1, 32);
    let described = SessionDescription {
        origin: Origin {
            id: u64::from_be_bytes(said.at(1)),
            version: u64::from_be_bytes(said.at(9)),
            address: said.address(0, 16),
        },
        name: &name,
        destination: if said.has(2) {
            let [ttl] = said.at(1);
            Destination::Multicast {
                group: destination,
                ttl,
            }
        } else {
            Destination::Unicast(destination)
        },
        port: u16::from_be_bytes(said.at(9)),
        control: said.has(3).then_some(&*control),
        media: if said.has(4) {
            let [number] = said.at(11);
            Media::H264 {
                payload_type: 96 + number % 32,
                sequence_parameters,
                picture_parameters,
            }
        } else {
            Media::Jpeg
        },
        size_px: said.has(5).then(|| {
            let [width, height] = [12, 16].map(|at| u32::from_be_bytes(said.at(at)));
            (width, height)
        }),
        frames_per_second: said.has(6).then(|| f64::from_be_bytes(said.at(40))),
    };
    check_described(&described);
}

/// What a fuzzer made of the numbers of a description.
struct Numbers<'a>(&'a [u8; 48]);

impl Numbers<'_> {
    /// Says whether there is something that need not be.
    fn has(&self, bit: u8) -> bool {
        self.0[0] >> bit & 1 == 1
    }

    fn at<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self.0[at..].first_chunk();
        bytes.copied().unwrap_or([0; N])
    }

    fn address(&self, v6_bit: u8, at: usize) -> IpAddr {
        if self.has(v6_bit) {
            Ipv6Addr::from(self.at::<16>(at)).into()
        } else {
            Ipv4Addr::from(self.at::<4>(at)).into()
        }
    }
}

fn check_described(described: &SessionDescription<'_>) {
    let text = described.to_string();
    let Some(body) = text.strip_suffix("\r\n") else {
        panic!("no end of its last line: {text:?}");
    };
    let lines: Vec<_> = body.split("\r\n").collect();
    assert!(!lines.iter().any(|line| line.contains(char::is_control)));
    let kinds: String = lines
        .iter()
        .filter_map(|line| line.chars().next())
        .collect();
    let (session, media) = kinds.split_once('m').unwrap_or_default();
    let own = if described.control.is_some() {
        "aa"
    } else {
        ""
    };
    assert_eq!(session, format!("vosct{own}"), "{text}");
    assert!(media.bytes().all(|kind| kind == b'a'), "{text}");
    assert!(
        lines.iter().all(|line| line[1..].starts_with('=')),
        "{text}"
    );
    let origin = words(&lines, "o=");
    let Origin {
        id,
        version,
        address,
    } = described.origin;
    assert_eq!(origin[..3], ["-", &id.to_string(), &version.to_string()]);
    check_address(&origin[3..], address, None);
    let name = one(&lines, "s=");
    assert!(!name.is_empty());
    let (to, ttl) = match described.destination {
        Destination::Unicast(to) => (to, None),
        Destination::Multicast { group, ttl } => (group, Some(ttl).filter(|_| group.is_ipv4())),
    };
    check_address(&words(&lines, "c="), to, ttl);
    let number = match described.media {
        Media::Jpeg => 26,
        Media::H264 { payload_type, .. } => payload_type,
    };
    let (number, port) = (number.to_string(), described.port.to_string());
    assert_eq!(words(&lines, "m="), ["video", &port, "RTP/AVP", &number]);
    check_format(&lines, &described.media, &number);
    let rates = all(&lines, "a=framerate:");
    assert!(
        rates
            .iter()
            .all(|rate| rate.parse::<f64>().ok() == described.frames_per_second)
    );
    assert!(
        rates
            .iter()
            .all(|rate| rate.len() < 30 && !rate.contains(['e', '-']))
    );
    let controls = all(&lines, "a=control:");
    assert_eq!(controls.len(), 2 * usize::from(described.control.is_some()));
}

fn check_format(lines: &[&str], media: &Media<'_>, number: &str) {
    let mapped = one(lines, "a=rtpmap:");
    let Media::H264 {
        sequence_parameters,
        picture_parameters,
        ..
    } = media
    else {
        assert_eq!(mapped, "26 JPEG/90000");
        assert!(all(lines, "a=fmtp:").is_empty());
        return;
    };
    assert_eq!(mapped, format!("{number} H264/90000"));
    let format = one(lines, "a=fmtp:").strip_prefix(&format!("{number} "));
    let mut sets = None;
    for parameter in format.unwrap_or_default().split(';') {
        match parameter.split_once('=') {
            Some(("packetization-mode", "1")) => {}
            Some(("profile-level-id", id)) => {
                assert!(
                    id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                    "{id}"
                );
            }
            Some(("sprop-parameter-sets", both)) => sets = both.split_once(','),
            _ => panic!("{parameter:?}"),
        }
    }
    let sets = sets.map(|(sps, pps)| (STANDARD.decode(sps), STANDARD.decode(pps)));
    let are_there = !sequence_parameters.is_empty() && !picture_parameters.is_empty();
    let expected = are_there.then(|| {
        (
            Ok(sequence_parameters.to_vec()),
            Ok(picture_parameters.to_vec()),
        )
    });
    assert_eq!(sets, expected);
}

fn check_address(words: &[&str], address: IpAddr, ttl: Option<u8>) {
    let version = if address.is_ipv4() { "IP4" } else { "IP6" };
    let ttl = ttl.map_or_else(String::new, |ttl| format!("/{ttl}"));
    assert_eq!(words, ["IN", version, &format!("{address}{ttl}")]);
}

/// What follows each line's beginning.
fn all<'a>(lines: &[&'a str], begins: &str) -> Vec<&'a str> {
    let rests = lines.iter().filter_map(|line| line.strip_prefix(begins));
    rests.collect()
}

/// The same of the only one.
fn one<'a>(lines: &[&'a str], begins: &str) -> &'a str {
    match all(lines, begins)[..] {
        [rest] => rest,
        ref others => panic!("{} lines {begins:?}", others.len()),
    }
}

fn words<'a>(lines: &[&'a str], begins: &str) -> Vec<&'a str> {
    one(lines, begins).split(' ').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pictures are JPEGs of all kinds.
    #[test]
    fn rtp_corpus() {
        eyelid_replay::replay("picture", jpeg_to_rtp);
        eyelid_replay::replay("recode", jpeg_to_rtp);
        eyelid_replay::replay("rtp", jpeg_to_rtp);
    }

    #[test]
    fn rtcp_corpus() {
        eyelid_replay::replay("rtcp", rtcp);
    }

    #[test]
    fn sdp_corpus() {
        eyelid_replay::replay("sdp", sdp);
    }
}
