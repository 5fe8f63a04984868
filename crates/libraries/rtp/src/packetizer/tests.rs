use super::depacketizer::{ReceivedFrame, receive};
use super::*;
use eyelid_jpeg::{Pixels, decode_jpeg, normalise, whole};
use eyelid_picture::Encoder;
use eyelid_replay::case;
use proptest::prelude::*;

const SSRC: u32 = 0xC0FF_EE01;

fn packetizer(first_sequence: u16, bytes: usize, framing: Framing) -> Packetizer {
    let stream = Stream {
        ssrc: SSRC,
        payload_type: 26,
        first_sequence,
    };
    Packetizer::new(stream, PacketBytes::new(bytes).unwrap(), framing)
}

fn pixels(jpeg: &[u8]) -> Pixels {
    decode_jpeg(jpeg, whole(jpeg).unwrap().0).unwrap()
}

/// A picture of several packets, whose sides end within a block.
fn large() -> Vec<u8> {
    let (width, height) = (203, 101);
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let colours = places.flat_map(|(x, y)| [x ^ y, x * 3, y * 5]);
    let rgb: Vec<u8> = colours.map(|value: u32| value as u8).collect();
    let mut encoder = Encoder::pure_rust();
    encoder
        .encode_rgb(&rgb, width, height, 80)
        .unwrap()
        .to_vec()
}

fn through(jpeg: &[u8], bytes: usize) -> ReceivedFrame {
    let mut packetizer = packetizer(65_530, bytes, Framing::Datagrams);
    let payload = JpegPayload::of(jpeg).unwrap();
    receive(packetizer.jpeg(&payload, 90).iter(), 65_530, SSRC)
}

#[test]
fn a_receiver_sees_the_same_pixels() {
    let large = large();
    for jpeg in [
        &large,
        case!("jpeg-420"),
        case!("jpeg-of-a-usb-camera-without-tables"),
        case!("jpeg-422-by-cjpeg"),
    ] {
        let source = pixels(&normalise(jpeg).unwrap().jpeg);
        let received = pixels(&through(jpeg, 256).jpeg());
        assert_eq!(received.width, source.width.next_multiple_of(8));
        assert_eq!(received.height, source.height.next_multiple_of(8));
        // What is beyond the edge was sent as well.
        let rows = source.rgb.chunks(source.width as usize * 3);
        for (row, seen) in rows.zip(received.rgb.chunks(received.width as usize * 3)) {
            assert_eq!(row, &seen[..row.len()]);
        }
    }
}

#[test]
fn counts_what_a_report_says() {
    let mut packetizer = packetizer(u16::MAX, 256, Framing::Datagrams);
    let jpeg = large();
    let payload = JpegPayload::of(&jpeg).unwrap();
    let packets = packetizer.jpeg(&payload, 0);
    let (count, bytes) = (packets.len(), packets.bytes().len());
    assert_eq!(count, packets.iter().count());
    assert!(count > 10);
    let expected = Sent {
        packets: count as u32,
        octets: (bytes - count * 12) as u32,
    };
    assert_eq!(packetizer.position().sent, expected);
    assert_eq!(packetizer.position().next_sequence, (count - 1) as u16);
    packetizer.jpeg(&payload, 3000);
    assert_eq!(packetizer.position().sent.packets, 2 * expected.packets);
}

#[test]
fn packets_of_an_rtsp_connection_say_their_length() {
    let jpeg = large();
    let payload = JpegPayload::of(&jpeg).unwrap();
    let framing = Framing::Interleaved { channel: 7 };
    let mut framed = packetizer(5, 300, framing);
    let mut rest = framed.jpeg(&payload, 90).bytes();
    let mut plain = packetizer(5, 300, Framing::Datagrams);
    for packet in plain.jpeg(&payload, 90).iter() {
        assert_eq!(rest[..2], [b'$', 7]);
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        assert_eq!(&rest[4..4 + length], packet);
        rest = &rest[4 + length..];
    }
    assert!(rest.is_empty());
}

#[test]
fn ranges_are_whole_packets() {
    let mut packetizer = packetizer(0, 256, Framing::Datagrams);
    let jpeg = large();
    let payload = JpegPayload::of(&jpeg).unwrap();
    let packets = packetizer.jpeg(&payload, 0);
    let each: Vec<&[u8]> = packets.iter().collect();
    assert_eq!(packets.range(1..3), each[1..3].concat());
    assert_eq!(packets.range(0..99), packets.bytes());
    assert_eq!(packets.range(98..99), b"");
    assert_eq!(packets.range(98..usize::MAX), b"");
}

#[test]
fn refuses_packets_of_no_use() {
    for bytes in [0, 255, 65_508, usize::MAX] {
        let error = PacketBytes::new(bytes).unwrap_err();
        assert!(error.to_string().contains(&bytes.to_string()));
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_is_received(
        scan in proptest::collection::vec(any::<u8>(), 0..20_000),
        tables in proptest::array::uniform32(any::<u8>()),
        bytes in 256_usize..2000,
        size_8_px in any::<[u8; 2]>(),
        jpeg_type in 0_u8..2,
        interval in proptest::option::of(1_u16..),
        first_sequence in any::<u16>(),
        timestamp_90k in any::<u32>(),
    ) {
        let brightness: [u8; 64] = std::array::from_fn(|at| tables[at % 32]);
        let colour: [u8; 64] = std::array::from_fn(|at| tables[at / 2]);
        let payload = JpegPayload {
            width_px: u32::from(size_8_px[0]) * 8,
            height_px: u32::from(size_8_px[1]) * 8,
            jpeg_type,
            size_8_px,
            restart_interval: interval,
            tables: [&brightness, &colour],
            scan: &scan,
        };
        let mut packetizer = packetizer(first_sequence, bytes, Framing::Datagrams);
        let packets = packetizer.jpeg(&payload, timestamp_90k);
        let each: Vec<&[u8]> = packets.iter().collect();
        let (last, others) = each.split_last().unwrap();
        prop_assert!(others.iter().all(|packet| packet.len() == bytes));
        prop_assert!(last.len() <= bytes);
        let frame = receive(packets.iter(), first_sequence, SSRC);
        let expected = ReceivedFrame {
            timestamp_90k,
            jpeg_type: jpeg_type + if interval.is_some() { 64 } else { 0 },
            width_px: u16::from(size_8_px[0]) * 8,
            height_px: u16::from(size_8_px[1]) * 8,
            restart_interval: interval.unwrap_or(0),
            tables: [brightness, colour].concat(),
            scan,
        };
        prop_assert_eq!(frame, expected);
    }
}

#[test]
fn what_was_left_out_is_not_where_the_stream_is() {
    for framing in [Framing::Datagrams, Framing::Interleaved { channel: 0 }] {
        let mut packetizer = packetizer(u16::MAX, 256, framing);
        let before = packetizer.position();
        let jpeg = large();
        let payload = JpegPayload::of(&jpeg).unwrap();
        let packets = packetizer.jpeg(&payload, 0);
        let count = packets.len();
        assert!(count > 1);
        assert_eq!(packets.position_after(count), packets.position());
        let first = packets.position_after(1);
        assert_eq!((first.next_sequence, first.sent.packets), (0, 1));
        assert_eq!(first.sent.octets, 256 - 12);
        assert_eq!(packets.position_after(0), before);
    }
}

/// The number of the first packet of a frame before which so many have gone of each of others.
fn number_after(sent: &[usize]) -> u16 {
    let mut packetizer = packetizer(u16::MAX, 256, Framing::Datagrams);
    let jpeg = large();
    let payload = JpegPayload::of(&jpeg).unwrap();
    for count in sent {
        let position = packetizer.jpeg(&payload, 0).position_after(*count);
        packetizer.resume(position.sent);
    }
    let packets = packetizer.jpeg(&payload, 0);
    let first = packets.position_after(0);
    assert_eq!(first.sent.packets as usize, sent.iter().sum::<usize>());
    let [high, low] = packets.bytes()[2..4] else {
        panic!("no header")
    };
    assert_eq!(first.next_sequence, u16::from_be_bytes([high, low]));
    first.next_sequence
}

#[test]
fn a_frame_that_did_not_go_leaves_its_numbers_to_the_next_one() {
    assert_eq!(number_after(&[0]), u16::MAX);
    assert_eq!(number_after(&[0, 0]), u16::MAX);
    let all = packetizer(0, 256, Framing::Datagrams)
        .jpeg(&JpegPayload::of(&large()).unwrap(), 0)
        .len();
    assert!(all > 12);
    assert_eq!(number_after(&[all]) as usize, all - 1);
}

#[test]
fn one_number_is_missing_behind_a_frame_that_was_broken_off() {
    // That of the only packet that went is 65535, and 0 is left out.
    assert_eq!(number_after(&[1]), 1);
    assert_eq!(number_after(&[1, 1]), 3);
    // Nothing has gone since, so the receiver sees no gap yet.
    assert_eq!(number_after(&[1, 0, 0]), 1);
}
