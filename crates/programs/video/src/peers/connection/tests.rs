//! A connection and a client of str0m's, in memory, on a clock of its own.

mod fade;
mod packets;

use std::collections::VecDeque;
use std::sync::Arc;

use hyper::StatusCode;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::crypto::from_feature_flags;
use str0m::media::{Direction, KeyframeRequestKind};
use str0m::rtp::{Extension, ExtensionMap, RtpPacket};
use str0m::{IceCreds, RtcConfig};

use super::*;
use crate::signalling::credentials::Credentials;
use crate::signalling::json::KeepAlive;
use crate::signalling::offer::Description;

const SERVER: &str = "192.0.2.1:8189";
const CLIENT: &str = "192.0.2.2:50000";

fn set_up() -> SetUp {
    let crypto = Arc::new(from_feature_flags());
    SetUp {
        certificate: crypto.dtls_provider.generate_certificate().unwrap(),
        crypto,
        credentials: IceCreds {
            ufrag: "ours0123".to_owned(),
            pass: "0123456789abcdef0123456789abcdef".to_owned(),
        },
        candidates: vec![
            SERVER.parse().unwrap(),
            "[2001:db8::1]:8189".parse().unwrap(),
        ],
        bitrate_bps: 2_500_000,
    }
}

/// A client, and the way between.
struct Client {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    mid: Option<Mid>,
    channel: Option<ChannelId>,
    frames: Vec<(u64, Vec<u8>)>,
    packets: Vec<RtpPacket>,
    connected: bool,
    closed: bool,
}

/// What a client is made of.
fn config() -> RtcConfig {
    let mut extensions = ExtensionMap::standard();
    extensions.set(5, Extension::PlayoutDelay);
    extensions.set(7, Extension::AbsoluteCaptureTime);
    RtcConfig::new()
        .set_crypto_provider(Arc::new(from_feature_flags()))
        .set_extension_map(extensions)
}

impl Client {
    fn new(now: Instant) -> Self {
        Self::of(config(), now)
    }

    fn of(config: RtcConfig, now: Instant) -> Self {
        let mut rtc = config.build(now);
        let candidate = Candidate::host(CLIENT.parse().unwrap(), Protocol::Udp).unwrap();
        rtc.add_local_candidate(candidate);
        Self {
            rtc,
            pending: None,
            mid: None,
            channel: None,
            frames: Vec::new(),
            packets: Vec::new(),
            connected: false,
            closed: false,
        }
    }

    fn offer(&mut self, kinds: &[MediaKind]) -> String {
        let mut changes = self.rtc.sdp_api();
        for kind in kinds {
            let mid = changes.add_media(*kind, Direction::RecvOnly, None, None, None);
            if *kind == MediaKind::Video {
                self.mid = Some(mid);
            }
        }
        let (offer, pending) = changes.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    fn receive(&mut self, transmit: &Transmit, now: Instant) {
        let received: Receive<'_> = transmit.try_into().unwrap();
        let received = Input::Receive(now, received);
        self.rtc.handle_input(received).unwrap();
    }

    fn poll(&mut self, to_server: &mut VecDeque<Transmit>) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(transmit) => to_server.push_back(transmit),
                Output::Event(event) => self.heed(event),
            }
        }
    }

    fn heed(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::Closed => self.closed = true,
            Event::MediaAdded(added) => self.mid = Some(added.mid),
            Event::RtpPacket(packet) => self.packets.push(packet),
            Event::MediaData(data) => self.frames.push((data.time.numer(), data.data.to_vec())),
            Event::ChannelOpen(id, _) => self.channel = Some(id),
            Event::ChannelData(data) => {
                let mut channel = self.rtc.channel(data.id).unwrap();
                channel.write(false, b"pong").unwrap();
            }
            _ => {}
        }
    }
}

/// Both ends, and the time.
struct Link {
    now: Instant,
    server: Connection,
    client: Client,
    /// Nothing arrives any more.
    is_cut: bool,
    /// One of so many packets of pictures is lost.
    loses_one_of: Option<usize>,
    /// Of the packets of pictures, in bytes.
    sizes: Vec<usize>,
}

impl Link {
    /// By an offer of the client's.
    fn by_offer(kinds: &[MediaKind]) -> (Self, String) {
        let now = Instant::now();
        let mut client = Client::new(now);
        let offer = Description::parse(client.offer(kinds).as_bytes()).unwrap();
        let (server, answer) = Connection::answer(&set_up(), &offer, now).unwrap();
        client.accept(&answer);
        (Self::of(server, client, now), answer)
    }

    fn of(server: Connection, client: Client, now: Instant) -> Self {
        Self {
            now,
            server,
            client,
            is_cut: false,
            loses_one_of: None,
            sizes: Vec::new(),
        }
    }

    /// Lets so much time pass, a millisecond at a time.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.exchange();
            self.now += Duration::from_millis(1);
        }
    }

    fn exchange(&mut self) {
        let now = self.now;
        let mut to_client = Vec::new();
        self.server
            .run(now, &mut |transmit| to_client.push(transmit));
        let mut to_server = VecDeque::new();
        let cut = self.is_cut;
        for transmit in &to_client {
            if self.is_lost(transmit) {
                continue;
            }
            self.client.receive(transmit, now);
            self.client.poll(&mut to_server);
        }
        self.client.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.client.poll(&mut to_server);
        for transmit in to_server.iter().filter(|_| !cut) {
            let from = CLIENT.parse().unwrap();
            self.server.receive(from, &transmit.contents, now);
            self.run_server();
        }
    }

    fn is_lost(&mut self, transmit: &Transmit) -> bool {
        // What is sent again, and probes, have another type.
        let is_picture = transmit.contents[0] >> 6 == 2
            && transmit.contents[1] & 0x7F == self.server.format.payload_type;
        if is_picture {
            self.sizes.push(transmit.contents.len());
        }
        let mut one_of = self.loses_one_of.iter();
        self.is_cut || is_picture && one_of.any(|n| self.sizes.len().is_multiple_of(*n))
    }

    /// Sends pictures, one in 40 ms. Some data channels, and all that is repaired, take time.
    fn send(&mut self, pictures: &[Coded]) {
        for picture in pictures {
            let wall = picture.captured + Duration::from_millis(5);
            self.server.write(picture, self.now, wall);
            self.pass(Duration::from_millis(40));
        }
    }

    /// Sends pictures until it is known that the path carries more.
    fn make_known(&mut self) {
        for _ in 0..600 {
            self.send_when_due(&picture_of(6_000));
            if self.server.is_fast() {
                return;
            }
        }
        panic!("{:?} bit/s", self.server.estimate_bps());
    }

    /// Gives how many bytes of a picture of so many leave in one turn. Then 33 ms pass.
    fn sent_at_once(&mut self, bytes: usize) -> usize {
        let picture = picture_of(bytes);
        self.server.write(&picture, self.now, picture.captured);
        let (now, client, mut sent) = (self.now, &mut self.client, 0);
        self.server.run(now, &mut |transmit| {
            sent += transmit.contents.len();
            client.receive(&transmit, now);
        });
        self.pass(Duration::from_millis(33));
        sent
    }

    /// Sends a picture, and lets 33 ms pass in which the server has a turn only when something
    /// comes for it, or it has asked for one. Says how often that was.
    fn send_when_due(&mut self, picture: &Coded) -> usize {
        self.server.write(picture, self.now, picture.captured);
        let mut due = self.run_server();
        let mut asked = 0;
        for _ in 0..33 {
            self.now += Duration::from_millis(1);
            let timeout = Input::Timeout(self.now);
            self.client.rtc.handle_input(timeout).unwrap();
            let mut to_server = VecDeque::new();
            self.client.poll(&mut to_server);
            for transmit in &to_server {
                let from = CLIENT.parse().unwrap();
                self.server.receive(from, &transmit.contents, self.now);
            }
            if !to_server.is_empty() {
                due = self.run_server();
            } else if due.is_some_and(|due| due <= self.now) {
                asked += 1;
                due = self.run_server();
            }
        }
        asked
    }

    fn run_server(&mut self) -> Option<Instant> {
        let (now, client) = (self.now, &mut self.client);
        self.server
            .run(now, &mut |transmit| client.receive(&transmit, now))
    }

    fn connect(&mut self) {
        self.pass(Duration::from_millis(500));
        assert!(self.server.is_connected() && self.client.connected);
        assert_eq!(self.server.ended(), None);
    }
}

fn picture(number: u64) -> Coded {
    let mut annex_b = vec![0, 0, 0, 1, if number == 0 { 0x65 } else { 0x41 }];
    annex_b.extend((0..3000 + number).map(|n| (n % 251) as u8 + 1));
    let captured = UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + number * 40);
    Coded::new(annex_b, number == 0, captured, number)
}

fn picture_of(bytes: usize) -> Coded {
    let mut picture = picture(0);
    picture.annex_b = [vec![0, 0, 0, 1, 0x65], vec![7; bytes]].concat();
    picture
}

fn pictures() -> Vec<Coded> {
    (0..5).map(picture).collect()
}

#[test]
fn an_offer_is_answered_connected_and_sent_pictures_at_their_time() {
    let (mut link, answer) = Link::by_offer(&[MediaKind::Video]);
    for line in [
        "a=ice-lite",
        "a=ice-ufrag:ours0123",
        "a=sendonly",
        "playout-delay",
        "abs-capture-time",
        "packetization-mode=1",
        "profile-level-id=42e01f",
        "192.0.2.1 8189 typ host",
        "2001:db8::1 8189 typ host",
    ] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    assert_eq!(answer.matches("H264/90000").count(), 1, "{answer}");
    link.connect();
    link.send(&pictures());
    let frames = &link.client.frames;
    assert_eq!(frames.len(), 5);
    for (number, (time, data)) in frames.iter().enumerate() {
        let sent = picture(number as u64);
        assert_eq!(
            *time as u32,
            (1_700_000_000_000 * 90 + number as u64 * 3600) as u32
        );
        assert_eq!(data[..], sent.annex_b[..]);
    }
    assert_eq!(link.server.waiting_since(), None);
}

#[test]
fn audio_beside_the_video_is_rejected_and_does_not_matter() {
    for kinds in [
        [MediaKind::Audio, MediaKind::Video],
        [MediaKind::Video, MediaKind::Audio],
    ] {
        let (mut link, answer) = Link::by_offer(&kinds);
        let sections: Vec<_> = answer.split("m=").skip(1).collect();
        let audio = sections
            .iter()
            .find(|section| section.starts_with("audio"))
            .unwrap();
        assert!(
            audio.starts_with("audio 0 ") || audio.contains("a=inactive"),
            "{answer}"
        );
        link.connect();
        link.send(&pictures());
        assert_eq!(link.client.frames.len(), 5);
    }
}

#[test]
fn a_client_that_lost_something_asks_for_a_key() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    link.send(&pictures());
    link.server.take_told();
    let mid = link.client.mid.unwrap();
    for kind in [KeyframeRequestKind::Pli, KeyframeRequestKind::Fir] {
        let mut writer = link.client.rtc.writer(mid).unwrap();
        writer.request_keyframe(None, kind).unwrap();
        link.pass(Duration::from_millis(20));
        assert!(link.server.take_told().wants_key, "{kind:?}");
        assert!(!link.server.take_told().wants_key);
    }
}

#[test]
fn our_offer_is_answered_with_checks_before_the_answer() {
    let now = Instant::now();
    let (mut server, offer) = Connection::offer(&set_up(), KeepAlive::Pings, now).unwrap();
    assert!(server.is_offering());
    let mut client = Client::new(now);
    let offer = SdpOffer::from_sdp_string(&offer).unwrap();
    let answer = client.rtc.sdp_api().accept_offer(offer).unwrap();
    let answer = Description::parse(answer.to_sdp_string().as_bytes()).unwrap();
    // The client checks as soon as it has the offer; what is kept of that serves.
    client.rtc.handle_input(Input::Timeout(now)).unwrap();
    let mut early = VecDeque::new();
    while let Output::Transmit(transmit) = client.rtc.poll_output().unwrap() {
        early.push_back(transmit);
    }
    server.accept(&answer).unwrap();
    assert!(!server.is_offering());
    assert_eq!(
        server.accept(&answer).unwrap_err().status(),
        StatusCode::CONFLICT
    );
    for transmit in early {
        assert!(server.accepts(CLIENT.parse().unwrap(), &transmit.contents, now));
        server.receive(CLIENT.parse().unwrap(), &transmit.contents, now);
    }
    let mut link = Link::of(server, client, now);
    link.connect();
    link.send(&pictures());
    assert_eq!(link.client.frames.len(), 5);
    link.pass(Duration::from_millis(500));
    assert!(link.server.ping());
    link.pass(Duration::from_millis(100));
    assert!(link.server.take_told().ponged);
}

#[test]
fn a_client_that_closes_or_falls_silent_is_gone() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    link.client.rtc.close().unwrap();
    link.pass(Duration::from_millis(100));
    assert_eq!(link.server.ended(), Some(&Ended::Closed));

    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    link.is_cut = true;
    link.pass(Duration::from_secs(10));
    assert_eq!(link.server.ended(), None);
    link.pass(Duration::from_secs(25));
    assert_eq!(link.server.ended(), Some(&Ended::Lost));
}

/// Has a client begin ICE anew; gives the credentials that it tells.
fn begin_anew(client: &mut Client) -> Credentials {
    let mut changes = client.rtc.sdp_api();
    let theirs = changes.ice_restart(true);
    client.pending = changes.apply().map(|(_, pending)| pending);
    Credentials::new(&theirs.ufrag, &theirs.pass).unwrap()
}

fn other_names() -> IceCreds {
    IceCreds {
        ufrag: "ours4567".to_owned(),
        pass: "fedcba9876543210fedcba9876543210".to_owned(),
    }
}

#[test]
fn ice_begins_anew_and_pictures_go_on() {
    let (mut link, answer) = Link::by_offer(&[MediaKind::Audio, MediaKind::Video]);
    link.connect();
    link.send(&pictures()[..2]);
    let theirs = begin_anew(&mut link.client);
    let fragment = link.server.restart(other_names(), &theirs).unwrap();
    for line in [
        "a=ice-lite\r\n",
        "a=ice-ufrag:ours4567\r\n",
        "a=ice-pwd:fedcba9876543210fedcba9876543210\r\n",
        "192.0.2.1 8189 typ host",
    ] {
        assert!(fragment.contains(line), "{line} in {fragment}");
    }
    // The client has not heard of it yet: nothing that it says is believed, and it sees pictures.
    link.send(&pictures()[2..3]);
    assert_eq!(link.client.frames.len(), 3);
    assert!(link.server.is_connected() && link.server.is_restarting());

    let ours = Credentials::new("ours4567", &other_names().pass).unwrap();
    let addresses = fragment.split_inclusive('\n');
    let addresses: String = addresses
        .filter(|line| line.contains("candidate"))
        .collect();
    link.client.accept(&(ours.put_into(&answer) + &addresses));
    link.pass(Duration::from_millis(500));
    assert!(!link.server.is_restarting());
    assert_eq!(link.server.ended(), None);
    link.send(&pictures()[3..]);
    assert_eq!(link.client.frames.len(), 5);
    // And once more, as a client does whose network comes and goes.
    let theirs = begin_anew(&mut link.client);
    assert!(link.server.restart(other_names(), &theirs).is_ok());
}

#[test]
fn what_we_have_offered_is_not_restarted() {
    let now = Instant::now();
    let (mut server, _) = Connection::offer(&set_up(), KeepAlive::None, now).unwrap();
    let theirs = Credentials::new("ysXw", "vw5LmwG4y/e6dPP/zAP9Gp5k").unwrap();
    let refused = server.restart(other_names(), &theirs).unwrap_err();
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!server.is_restarting() && server.is_offering());
}

#[test]
fn a_client_hears_the_end() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    link.server.close();
    link.pass(Duration::from_millis(100));
    assert!(link.client.closed || !link.client.rtc.is_alive());
    assert_eq!(link.server.ended(), Some(&Ended::Closed));
}

#[test]
fn packets_that_wait_are_told() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    let large = picture_of(200_000);
    let written = link.now;
    link.server.write(&large, link.now, large.captured);
    link.pass(Duration::from_millis(30));
    let since = link.server.waiting_since().unwrap();
    assert!(since >= written && since <= written + Duration::from_millis(30));
    link.pass(Duration::from_secs(3));
    assert_eq!(link.server.waiting_since(), None);
    let estimate_bps = link.server.estimate_bps();
    assert!(estimate_bps.is_some_and(|bps| bps > 1_000_000));
}

#[test]
fn pictures_leave_in_one_turn_where_the_path_carries_more() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    link.make_known();
    for _ in 0..30 {
        let sent = link.sent_at_once(6_000);
        assert!(sent > 6_000, "{sent}");
    }
    // A large one has to wait for the pacer.
    let sent = link.sent_at_once(500_000);
    assert!(sent < 100_000, "{sent}");
    link.pass(Duration::from_secs(3));
    link.server.bitrate_bps = u64::MAX;
    let sent = link.sent_at_once(6_000);
    assert!(sent < 3_000, "{sent}");
}

#[test]
fn a_connection_is_hardly_ever_woken_between_pictures() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    link.make_known();
    let woken: usize = (0..90)
        .map(|_| link.send_when_due(&picture_of(6_000)))
        .sum();
    assert!(woken < 20, "{woken} times for 90 pictures");
}

#[test]
fn strangers_and_garbage_change_nothing() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    let stranger: SocketAddr = "203.0.113.9:1".parse().unwrap();
    for seed in 0..2000u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let length = random.usize(0..200);
        let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        assert!(!link.server.accepts(stranger, &bytes, link.now));
        link.server.receive(stranger, &bytes, link.now);
        link.server
            .receive(CLIENT.parse().unwrap(), &bytes, link.now);
        link.server.run(link.now, &mut |_| {});
    }
    assert_eq!(link.server.ended(), None);
    link.send(&pictures());
    assert_eq!(link.client.frames.len(), 5);
}

#[test]
fn a_clock_set_back_does_not_turn_back_the_time_of_pictures() {
    let (mut link, _) = Link::by_offer(&[MediaKind::Video]);
    link.connect();
    let mut pictures = pictures();
    pictures[2].captured -= Duration::from_secs(3600);
    link.send(&pictures);
    let times: Vec<u64> = link.client.frames.iter().map(|(time, _)| *time).collect();
    assert_eq!(times.len(), 5);
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
}

#[test]
fn whatever_offer_is_taken_can_be_answered_or_is_refused() {
    eyelid_replay::replay("signalling", |bytes| {
        let Ok(offer) = Description::parse(bytes) else {
            return;
        };
        if let Ok((_, answer)) = Connection::answer(&set_up(), &offer, Instant::now()) {
            assert!(answer.starts_with("v=0\r\n"), "{answer}");
        }
    });
}
