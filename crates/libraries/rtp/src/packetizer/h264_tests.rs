use super::*;
use proptest::prelude::*;

const SSRC: u32 = 9;

fn packetizer(bytes: usize) -> Packetizer {
    let stream = Stream {
        ssrc: SSRC,
        payload_type: 96,
        first_sequence: u16::MAX,
    };
    Packetizer::new(stream, PacketBytes::new(bytes).unwrap(), Framing::Datagrams)
}

/// A receiver of RFC 6184 that takes no liberties; gives the NAL units.
fn receive(packets: UnevenPackets<'_>) -> Vec<Vec<u8>> {
    for (number, packet) in packets.iter().enumerate() {
        let header = &packet[..12];
        let is_last = number + 1 == packets.len();
        assert_eq!(header[0], 0x80);
        assert_eq!(header[1], 96 | if is_last { 0x80 } else { 0 });
        assert_eq!(header[2..4], (number as u16).wrapping_sub(1).to_be_bytes());
        assert_eq!(header[4..8], 77_u32.to_be_bytes());
        assert_eq!(header[8..12], SSRC.to_be_bytes());
    }
    receive_payloads(packets.iter().map(|packet| &packet[12..]))
}

fn receive_payloads<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut units, mut open) = (vec![], None::<Vec<u8>>);
    for payload in payloads {
        match payload[0] & 0x1F {
            0..=23 => {
                assert!(open.is_none());
                units.push(payload.to_vec());
            }
            24 => {
                assert!(open.is_none());
                let mut rest = &payload[1..];
                while let [high, low, behind @ ..] = rest {
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    units.push(behind[..length].to_vec());
                    rest = &behind[length..];
                }
                assert!(rest.is_empty());
            }
            28 => {
                let (is_start, is_end) = (payload[1] & 0x80 != 0, payload[1] & 0x40 != 0);
                assert_eq!(is_start, open.is_none());
                assert!(!(is_start && is_end), "a fragment of one");
                let first = payload[0] & 0xE0 | payload[1] & 0x1F;
                let unit = open.get_or_insert_with(|| vec![first]);
                assert_eq!(unit[0], first);
                assert!(payload.len() > 2, "an empty fragment");
                unit.extend(&payload[2..]);
                if is_end {
                    units.extend(open.take());
                }
            }
            other => panic!("packet of type {other}"),
        }
    }
    assert!(open.is_none());
    units
}

fn unit(first: u8, bytes: usize) -> Vec<u8> {
    let mut unit = vec![first];
    unit.resize(bytes.max(2), 0x55);
    unit
}

fn annex_b(units: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![];
    for (number, unit) in units.iter().enumerate() {
        bytes.extend_from_slice([&[0, 0, 0, 1][..], &[0, 0, 1]][number % 2]);
        bytes.extend(unit);
    }
    bytes
}

/// Packets, by the type of each.
fn types(packets: UnevenPackets<'_>) -> Vec<u8> {
    packets.iter().map(|packet| packet[12] & 0x1F).collect()
}

#[test]
fn parameters_go_together_and_a_large_picture_in_fragments() {
    let units = [unit(0x67, 20), unit(0x68, 6), unit(0x65, 3000)];
    let mut packetizer = packetizer(1400);
    let bytes = annex_b(&[vec![vec![0x09, 0xF0]], units.to_vec()].concat());
    let packets = packetizer.h264(&bytes, 77);
    assert_eq!(types(packets), [24, 28, 28, 28]);
    assert_eq!(
        packets.iter().next().unwrap()[12],
        0x60 | 24,
        "as important as its units"
    );
    assert_eq!(receive(packets), units);
    let expected = Sent {
        packets: 4,
        octets: (packets.bytes().len() - 4 * 12) as u32,
    };
    assert_eq!(packetizer.position().sent, expected);
}

#[test]
fn small_pictures_are_packets_of_their_own() {
    let units = [unit(0x41, 100), unit(0x41, 1388)];
    let mut packetizer = packetizer(1400);
    let bytes = annex_b(&units);
    let packets = packetizer.h264(&bytes, 77);
    assert_eq!(types(packets), [1, 1]);
    assert_eq!(receive(packets), units);
    let one_more = annex_b(&[unit(0x41, 1389)]);
    assert_eq!(types(packetizer.h264(&one_more, 77)), [28, 28]);
}

#[test]
fn parameters_that_do_not_fit_together_go_apart() {
    let units = [
        unit(0x67, 150),
        unit(0x68, 150),
        unit(0x68, 20),
        unit(0x65, 9),
    ];
    let mut packetizer = packetizer(256);
    let bytes = annex_b(&units);
    let packets = packetizer.h264(&bytes, 77);
    assert_eq!(types(packets), [7, 24, 5]);
    assert_eq!(receive(packets), units);
}

#[test]
fn nothing_is_no_packet() {
    for bytes in [&b""[..], b"\0\0\x01", b"\0\0\0\x01\0\0\x01\0", b"\x65\x88"] {
        let mut packetizer = packetizer(256);
        let packets = packetizer.h264(bytes, 77);
        assert!(packets.is_empty() && packets.bytes().is_empty());
        assert!(h264_payloads(bytes, PacketBytes::default(), 0).is_empty());
        assert_eq!(packets.runs(0..9).count(), 0);
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_is_received(
        units in proptest::collection::vec((0_u8..24, 0_u8..4, 2_usize..3000), 0..9),
        bytes in 256_usize..1500,
        less in 0_u8..=200,
        range in any::<[proptest::sample::Index; 2]>(),
    ) {
        let units: Vec<Vec<u8>> = units
            .into_iter()
            .filter(|(kind, ..)| *kind != 9)
            .map(|(kind, importance, bytes)| unit(importance << 5 | kind, bytes))
            .collect();
        let mut packetizer = packetizer(bytes);
        let stream = annex_b(&units);
        let packets = packetizer.h264(&stream, 77);
        prop_assert_eq!(receive(packets), &units[..]);
        let packet_bytes = PacketBytes::new(bytes).unwrap();
        let payloads = h264_payloads(&stream, packet_bytes, 0);
        let expected = packets.iter().map(|packet| &packet[12..]);
        prop_assert!(expected.eq(payloads.iter().map(|it| &**it)));
        let payloads = h264_payloads(&stream, packet_bytes, less);
        for (number, payload) in payloads.iter().enumerate() {
            let first_less = if number == 0 { usize::from(less) } else { 0 };
            prop_assert!(payload.len() + 12 + first_less <= bytes);
        }
        prop_assert_eq!(receive_payloads(payloads.iter().map(|it| &**it)), &units[..]);
        let each: Vec<&[u8]> = packets.iter().collect();
        prop_assert!(each.iter().all(|packet| packet.len() <= bytes));
        let [from, to] = range.map(|index| index.index(each.len() + 1));
        let runs: Vec<Run<'_>> = packets.runs(from..to).collect();
        let cut: Vec<&[u8]> = runs.iter().flat_map(|run| run.bytes.chunks(run.stride)).collect();
        prop_assert_eq!(&cut[..], each.get(from..to).unwrap_or_default());
        // Two runs never fit in one.
        for pair in runs.windows(2) {
            let is_full = pair[0].bytes.len().is_multiple_of(pair[0].stride);
            prop_assert!(!is_full || pair[1].stride > pair[0].stride);
        }
    }
}

#[test]
fn says_where_it_is_after_each_packet() {
    for (framing, before) in [
        (Framing::Datagrams, 0),
        (Framing::Interleaved { channel: 0 }, 4),
    ] {
        let stream = Stream {
            ssrc: 7,
            payload_type: 96,
            first_sequence: u16::MAX,
        };
        let mut packetizer = Packetizer::new(stream, PacketBytes::new(300).unwrap(), framing);
        let unit = [&[0, 0, 1, 0x65][..], &[9; 1000], &[0, 0, 1, 0x41, 5]].concat();
        let packets = packetizer.h264(&unit, 0);
        let sizes: Vec<usize> = packets.iter().map(<[u8]>::len).collect();
        assert!(sizes.len() > 3);
        for count in 0..=sizes.len() + 1 {
            let position = packets.position_after(count);
            let gone = &sizes[..count.min(sizes.len())];
            let octets: usize = gone.iter().map(|bytes| bytes - before - 12).sum();
            assert_eq!(position.sent.packets as usize, gone.len());
            assert_eq!(position.sent.octets as usize, octets);
            let next = u16::MAX.wrapping_add(gone.len() as u16);
            assert_eq!(position.next_sequence, next);
        }
        assert_eq!(packets.position(), packets.position_after(sizes.len()));
    }
}
