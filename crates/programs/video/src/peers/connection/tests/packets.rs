//! What pictures look like on the way, and what becomes of packets that are lost.

use str0m::media::MediaTime;

use super::*;

/// A connection to a client that keeps packets as they come, connected.
fn link_of_packets() -> Link {
    let now = Instant::now();
    let mut client = Client::of(config().set_rtp_mode(true), now);
    let offer = Description::parse(client.offer(&[MediaKind::Video]).as_bytes()).unwrap();
    let (server, answer) = Connection::answer(&set_up(), &offer, now).unwrap();
    client.accept(&answer);
    let mut link = Link::of(server, client, now);
    link.connect();
    link
}

impl Link {
    /// The packets that have something in them; probes have not.
    fn packets(&self) -> Vec<&RtpPacket> {
        let packets = self.client.packets.iter();
        packets.filter(|it| !it.payload.is_empty()).collect()
    }
}

fn key_with_sets() -> Coded {
    let mut key = picture_of(3_000);
    let sets = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3];
    key.annex_b = [&sets[..], &key.annex_b].concat();
    key
}

/// Which of the packets have this.
fn at(packets: &[&RtpPacket], has: fn(&RtpPacket) -> bool) -> Vec<usize> {
    let numbered = packets.iter().enumerate();
    numbered.filter(|(_, it)| has(it)).map(|(n, _)| n).collect()
}

#[test]
fn a_picture_goes_in_packets_that_any_path_takes() {
    let mut link = link_of_packets();
    link.send(&[key_with_sets(), picture(1), picture_of(500)]);
    let packets = link.packets();
    // The parameter sets together, fragments, and what fits in one as it is (RFC 6184, 5.2).
    let types: Vec<_> = packets.iter().map(|it| it.payload[0] & 0x1F).collect();
    assert_eq!(types, [24, 28, 28, 28, 28, 28, 28, 5]);
    assert_eq!(at(&packets, |it| it.header.marker), [3, 6, 7]);
    for pair in packets.windows(2) {
        assert_eq!(*pair[1].seq_no, *pair[0].seq_no + 1);
        let transport = |it: &RtpPacket| it.header.ext_vals.transport_cc.unwrap();
        assert!(transport(pair[1]) > transport(pair[0]));
    }
    for packet in &packets {
        assert!(packet.payload.len() <= 1120);
        let extensions = &packet.header.ext_vals;
        assert_eq!(extensions.play_delay_min, Some(MediaTime::ZERO));
        assert_eq!(extensions.play_delay_max, Some(MediaTime::ZERO));
    }
    let is_dated = |it: &RtpPacket| it.header.ext_vals.abs_capture_time.is_some();
    assert_eq!(at(&packets, is_dated), [0, 4, 7]);
    let dated = packets[4].header.ext_vals.abs_capture_time.unwrap();
    let captured = picture(1).captured;
    let off = captured.duration_since(dated.capture_time).unwrap();
    assert!(off < Duration::from_micros(1), "{dated:?}");
    // What UDP has in IPv6's least of 1280. All but the last of a picture have one size, so that
    // the kernel can cut them.
    let largest = link.sizes[1];
    assert!((1150..=1232).contains(&largest), "{largest}");
    assert_eq!(link.sizes[1..3], [largest; 2]);
    assert_eq!(link.sizes[4..6], [largest; 2]);
    assert!(link.sizes.iter().all(|size| *size <= largest));
}

#[test]
fn a_picture_is_cut_once_for_all() {
    let (mut one, mut other) = (link_of_packets(), link_of_packets());
    let key = key_with_sets();
    one.server.write(&key, one.now, key.captured);
    let cut: Vec<_> = key.payloads.get().unwrap().clone();
    other.server.write(&key, other.now, key.captured);
    let again = key.payloads.get().unwrap().iter();
    assert!(again.zip(&cut).all(|(one, other)| Arc::ptr_eq(one, other)));
    for link in [&mut one, &mut other] {
        link.pass(Duration::from_millis(100));
        assert_eq!(link.packets().len(), 4);
    }
}

#[test]
fn numbers_go_on_where_they_wrap_and_where_pictures_are_left_out() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    link.server.packets.next = 65_530.into();
    // Of an encode a slow viewer gets not all.
    let sent: Vec<_> = [0, 1, 2, 7, 30, 31].map(picture).into();
    link.send(&sent);
    let frames = link.client.frames.iter().map(|(_, data)| data);
    assert!(frames.eq(sent.iter().map(|it| &it.annex_b)));
}

#[test]
fn what_is_lost_is_sent_again_also_where_numbers_wrap() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    link.server.packets.next = 65_450.into();
    let sent: Vec<_> = (0..90).map(picture).collect();
    link.loses_one_of = Some(9);
    link.send(&sent[..80]);
    // What is behind it tells that one is missing.
    link.loses_one_of = None;
    link.send(&sent[80..]);
    link.pass(Duration::from_millis(500));
    let frames = link.client.frames.iter().map(|(_, data)| data);
    assert!(frames.eq(sent.iter().map(|it| &it.annex_b)));
    let told = link.server.take_told();
    assert!(!told.is_broken);
}
