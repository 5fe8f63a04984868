//! One stream of RTP: what its packets have in common, and what its sender reports say.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use eyelid_figures::{ReceptionFigures, StreamCounts};
use eyelid_rtp_wire::{
    Farewell, Framing, Heard, PaceStep, PacketBytes, PacketPacer, Packetizer, Receivers,
    ReportInterval, RtpClock, RtpTime, Sent, Stream, StreamPosition, StreamReport, is_own, probe,
};
use tokio::sync::Mutex;

use crate::connection_writer::ConnectionWriter;
use crate::payload::{FramePackets, Payload};
use crate::random;
use crate::udp::UdpPair;

/// What UDP and IP put before a report, as the interval between two counts it (RFC 3550, section
/// 6.2).
const HEADER_BYTES: usize = 28;

/// How the packets of a frame follow each other by UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PacketPace {
    /// A few at a time, for the queues of small switches ([`PacketPacer`]).
    #[default]
    Spread,
    /// All at once.
    Burst,
}

/// One stream.
pub(crate) struct RtpStream {
    pace: PacketPace,
    /// How receivers call it (RFC 3550, section 6.5.1).
    cname: String,
    clock: RefCell<RtpClock>,
    packets: Mutex<(Packetizer, PacketPacer)>,
    /// Where it is, known while a frame is under way, too. Its SSRC is that of the next frame.
    position: Cell<StreamPosition>,
    receivers: RefCell<Receivers>,
    interval: RefCell<ReportInterval>,
    /// When the last report went, and how many bytes had been sent then.
    reported: Cell<(Instant, u32)>,
    /// What went; what was lost of it `receivers` know.
    counts: Cell<StreamCounts>,
}

impl RtpStream {
    /// Begins a stream at random, with this SSRC if there is to be a certain one.
    ///
    /// # Errors
    /// What the system said: it gives no random numbers.
    pub(crate) fn new(
        ssrc: Option<u32>,
        payload_type: u8,
        packet_bytes: PacketBytes,
        framing: Framing,
        pace: PacketPace,
    ) -> io::Result<Self> {
        let stream = Stream {
            ssrc: ssrc.map_or_else(random::bits, Ok)?,
            payload_type,
            first_sequence: random::bits()? as u16,
        };
        let packetizer = Packetizer::new(stream, packet_bytes, framing);
        Ok(Self {
            pace,
            cname: random::word()?,
            clock: RefCell::new(RtpClock::new(random::bits()?)),
            position: Cell::new(packetizer.position()),
            receivers: RefCell::default(),
            interval: RefCell::default(),
            reported: Cell::new((Instant::now(), 0)),
            counts: Cell::default(),
            packets: Mutex::new((packetizer, PacketPacer::default())),
        })
    }

    /// What tells it from others.
    pub(crate) fn ssrc(&self) -> u32 {
        self.position.get().ssrc
    }

    /// Has another SSRC, from the next frame on: a receiver has this one.
    ///
    /// # Errors
    /// What the system said: it gives no random numbers.
    pub(crate) fn change_ssrc(&self) -> io::Result<()> {
        let ssrc = random::bits()?;
        self.position.set(StreamPosition {
            ssrc,
            ..self.position.get()
        });
        Ok(())
    }

    /// The sequence number of its next packet; where its last frame was broken off, the one before.
    pub(crate) fn next_sequence(&self) -> u16 {
        self.position.get().next_sequence
    }

    /// What has been sent of it.
    pub(crate) fn sent(&self) -> Sent {
        self.position.get().sent
    }

    /// This moment, by its clock.
    pub(crate) fn now(&self) -> RtpTime {
        let clock = self.clock.borrow();
        clock.now(SystemTime::now(), Instant::now())
    }

    /// Makes a report of what was sent (RFC 3550, section 6.4.1).
    pub(crate) fn report(&self, farewell: Farewell) -> Vec<u8> {
        let time = self.now();
        let report = StreamReport {
            ssrc: self.ssrc(),
            time,
            sent: self.sent(),
            cname: &self.cname,
        };
        let mut packet = Vec::new();
        report.write(farewell, &mut packet);
        self.receivers.borrow_mut().on_report_sent(time.ntp);
        let bytes = packet.len() + HEADER_BYTES;
        self.interval.borrow_mut().on_packet(bytes);
        packet
    }

    /// Gives how long it is to the next report.
    pub(crate) fn next_report(&self) -> Duration {
        let now = Instant::now();
        let octets = self.sent().octets;
        let (reported, octets_then) = self.reported.replace((now, octets));
        let seconds = now.duration_since(reported).as_secs_f64().max(1e-3);
        let bytes_per_second = f64::from(octets.wrapping_sub(octets_then)) / seconds;
        let receivers = self.receivers.borrow().count(now);
        let mut interval = self.interval.borrow_mut();
        interval.next(receivers, bytes_per_second, fastrand::f64())
    }

    /// Takes note of a packet of RTCP that came for it. Gives what it came to, unless it is one of
    /// its own that has come back.
    pub(crate) fn hear(&self, packet: &[u8]) -> Option<Heard> {
        if is_own(packet, &self.cname) {
            return None;
        }
        let (time, now) = (SystemTime::now().into(), Instant::now());
        let mut receivers = self.receivers.borrow_mut();
        let heard = receivers.on_packet(packet, self.position.get(), time, now);
        Some(match heard {
            Ok(heard) => {
                let bytes = packet.len() + HEADER_BYTES;
                self.interval.borrow_mut().on_packet(bytes);
                heard
            }
            Err(error) => {
                log::debug!("{error}");
                Heard::default()
            }
        })
    }

    /// What went of it, and what of that was lost.
    pub(crate) fn counts(&self) -> StreamCounts {
        StreamCounts {
            packets_lost: self.receivers.borrow().packets_lost(),
            ..self.counts.get()
        }
    }

    /// So many frames did not go.
    pub(crate) fn count_dropped(&self, frames: u64) {
        let mut counts = self.counts.get();
        counts.dropped += frames;
        self.counts.set(counts);
    }

    /// How it arrives.
    pub(crate) fn reception(&self) -> ReceptionFigures {
        let now = Instant::now();
        let receivers = self.receivers.borrow();
        let worst = receivers.worst(now);
        let ms = |time: Duration| rounded(time.as_secs_f64() * 1e3, 100.0);
        ReceptionFigures {
            receivers: receivers.count(now),
            fraction_lost: worst.map(|worst| rounded(worst.fraction_lost, 1e4)),
            jitter_ms: worst.map(|worst| ms(worst.jitter)),
            round_trip_ms: worst.and_then(|worst| worst.round_trip).map(ms),
        }
    }

    /// What receivers say of it, for the log: begins with a comma, or is empty.
    pub(crate) fn reception_text(&self) -> String {
        let receivers = self.receivers.borrow();
        let Some(worst) = receivers.worst(Instant::now()) else {
            return String::new();
        };
        let lost = worst.fraction_lost * 100.0;
        let jitter_ms = worst.jitter.as_secs_f64() * 1e3;
        let round_trip = worst.round_trip.map_or_else(String::new, |time| {
            format!(", round trip {:.1} ms", time.as_secs_f64() * 1e3)
        });
        format!(", {lost:.1} % lost, jitter {jitter_ms:.1} ms{round_trip}")
    }

    /// A packet that no receiver takes for a picture: to find out whether there is a receiver.
    pub(crate) fn probe(&self) -> [u8; 20] {
        probe(self.position.get(), self.now().rtp_90k)
    }

    /// Writes a frame between the messages of a connection.
    ///
    /// # Errors
    /// What the socket said.
    pub(crate) async fn write(
        &self,
        payload: Payload<'_>,
        captured: SystemTime,
        writer: &ConnectionWriter,
    ) -> io::Result<()> {
        let (packetizer, _) = &mut *self.packets.lock().await;
        let packets = self.packets_of(payload, captured, packetizer);
        // Once begun they go to their end, unless the connection does not last.
        let on_begun = || self.count_packets(packets.position());
        writer.write_telling(packets.bytes(), on_begun).await?;
        self.count_frame();
        Ok(())
    }

    /// Sends a frame by UDP, at its pace; to where the socket is connected, if not to
    /// another address.
    ///
    /// # Errors
    /// What the system said of a packet; the rest of the frame is not sent then.
    pub(crate) async fn send(
        &self,
        payload: Payload<'_>,
        captured: SystemTime,
        pair: &UdpPair,
        to: Option<SocketAddr>,
    ) -> io::Result<()> {
        let sent = self.send_packets(payload, captured, pair, to).await;
        match sent {
            Ok(()) => self.count_frame(),
            Err(_) => self.count_dropped(1),
        }
        sent
    }

    async fn send_packets(
        &self,
        payload: Payload<'_>,
        captured: SystemTime,
        pair: &UdpPair,
        to: Option<SocketAddr>,
    ) -> io::Result<()> {
        let (packetizer, pacer) = &mut *self.packets.lock().await;
        let packets = self.packets_of(payload, captured, packetizer);
        let sent = Cell::new(0);
        let on_sent = |count| {
            sent.set(sent.get() + count);
            self.count_packets(packets.position_after(sent.get()));
        };
        if self.pace == PacketPace::Burst {
            return send_range(&packets, 0..packets.len(), pair, to, on_sent).await;
        }
        pacer.begin(Instant::now(), packets.len());
        let mut gone = 0;
        loop {
            match pacer.step(Instant::now()) {
                PaceStep::Send(count) => {
                    let step = gone..gone + count;
                    send_range(&packets, step, pair, to, on_sent).await?;
                    pacer.sent(Instant::now());
                    gone += count;
                }
                PaceStep::Wait(until) => pair.wait_until(until).await?,
                PaceStep::Done => return Ok(()),
            }
        }
    }

    /// Makes the packets of a frame: they follow those that have gone, also where a frame was
    /// refused or given up before.
    fn packets_of<'p>(
        &self,
        payload: Payload<'_>,
        captured: SystemTime,
        packetizer: &'p mut Packetizer,
    ) -> FramePackets<'p> {
        packetizer.set_ssrc(self.ssrc());
        packetizer.resume(self.sent());
        payload.packets(packetizer, self.stamp(captured))
    }

    /// Its packets have gone up to this one, of a frame that may have begun with another SSRC.
    fn count_packets(&self, position: StreamPosition) {
        let ssrc = self.ssrc();
        let position = StreamPosition { ssrc, ..position };
        let before = self.position.replace(position).sent;
        let mut counts = self.counts.get();
        // What reports count has 32 bits.
        counts.packets += u64::from(position.sent.packets.wrapping_sub(before.packets));
        counts.bytes += u64::from(position.sent.octets.wrapping_sub(before.octets));
        self.counts.set(counts);
    }

    fn count_frame(&self) {
        let mut counts = self.counts.get();
        counts.frames += 1;
        self.counts.set(counts);
    }

    fn stamp(&self, captured: SystemTime) -> u32 {
        self.clock.borrow_mut().stamp(captured, Instant::now())
    }
}

/// Sends some packets of a frame, those of one size in one piece.
async fn send_range(
    packets: &FramePackets<'_>,
    range: Range<usize>,
    pair: &UdpPair,
    to: Option<SocketAddr>,
    on_sent: impl Fn(usize),
) -> io::Result<()> {
    for run in packets.runs(range) {
        pair.send(run.bytes, run.stride, to, &on_sent).await?;
    }
    Ok(())
}

/// To so many parts of one.
fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_http::Socket;
    use eyelid_replay::case;
    use eyelid_rtp_wire::{JPEG_PAYLOAD_TYPE, JpegPayload};
    use nix::sys::socket::setsockopt;
    use nix::sys::socket::sockopt::UdpGroSegment;
    use std::future::ready;
    use tokio::net::{UdpSocket, UnixStream};

    /// A receiver that takes in one piece what came in one.
    async fn receiver() -> UdpSocket {
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        setsockopt(&receiver, UdpGroSegment, &true).unwrap();
        receiver
    }

    /// A picture of more packets than go at once where they are spread.
    fn large() -> Vec<u8> {
        let small = case!("jpeg-420");
        let (head, end) = small.split_at(small.len() - 2);
        [head, &[0; 8000], end].concat()
    }

    fn stream(framing: Framing, pace: PacketPace) -> RtpStream {
        let size = PacketBytes::new(1000).unwrap();
        RtpStream::new(None, JPEG_PAYLOAD_TYPE, size, framing, pace).unwrap()
    }

    /// The number of the next packet that comes.
    async fn number(receiver: &UdpSocket) -> u16 {
        let mut packet = [0; 2000];
        receiver.recv(&mut packet).await.unwrap();
        u16::from_be_bytes([packet[2], packet[3]])
    }

    #[tokio::test]
    async fn a_burst_leaves_in_one_piece_and_a_frame_that_is_spread_does_not() {
        let jpeg = large();
        let payload = JpegPayload::of(&jpeg).unwrap();
        for (pace, is_one_piece) in [(PacketPace::Burst, true), (PacketPace::Spread, false)] {
            let receiver = receiver().await;
            let to = receiver.local_addr().unwrap();
            let pair = UdpPair::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
            let stream = stream(Framing::Datagrams, pace);
            let sent = stream.send(Payload::Jpeg(&payload), SystemTime::now(), &pair, Some(to));
            sent.await.unwrap();
            let sent = stream.sent();
            let mut piece = [0; 1 << 16];
            let bytes = receiver.recv(&mut piece).await.unwrap();
            let all = sent.octets as usize + sent.packets as usize * 12;
            assert_eq!(bytes == all, is_one_piece, "{bytes} of {all} for {pace:?}");
        }
    }

    #[tokio::test]
    async fn packets_that_are_refused_are_not_counted() {
        let payload = JpegPayload::of(case!("jpeg-420")).unwrap();
        for pace in [PacketPace::Burst, PacketPace::Spread] {
            let pair = UdpPair::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
            let stream = stream(Framing::Datagrams, pace);
            // Of another kind of address than the socket's: the system refuses it at once.
            let to = Some("[::1]:9".parse().unwrap());
            let sent = stream.send(Payload::Jpeg(&payload), SystemTime::now(), &pair, to);
            sent.await.unwrap_err();
            let counts = stream.counts();
            assert_eq!((counts.packets, counts.bytes), (0, 0), "{pace:?}");
            assert_eq!((counts.frames, counts.dropped), (0, 1));
            assert_eq!(stream.sent(), Sent::default());
        }
    }

    #[test]
    fn reports_of_its_own_are_no_receivers_whatever_ssrc_it_has_now() {
        let stream = stream(Framing::Datagrams, PacketPace::Spread);
        let own = stream.report(Farewell::None);
        let before = stream.ssrc();
        assert_eq!(stream.hear(&own), None);
        // Without a block, and without a name, as a receiver that has our SSRC may send it.
        let mut theirs = [0x80, 201, 0, 1, 0, 0, 0, 0];
        theirs[4..].copy_from_slice(&before.to_be_bytes());
        let heard = stream.hear(&theirs).unwrap();
        assert!(heard.listens && heard.collides);
        assert_eq!(stream.reception().receivers, 1);
        stream.change_ssrc().unwrap();
        assert_eq!(stream.hear(&own), None);
        assert!(!stream.hear(&theirs).unwrap().collides);
    }

    #[tokio::test]
    async fn nobody_misses_a_frame_that_was_refused() {
        let payload = JpegPayload::of(case!("jpeg-420")).unwrap();
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for pace in [PacketPace::Burst, PacketPace::Spread] {
            let pair = UdpPair::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
            let stream = stream(Framing::Datagrams, pace);
            let first = stream.next_sequence();
            let nowhere = Some("[::1]:9".parse().unwrap());
            for to in [nowhere, nowhere, receiver.local_addr().ok()] {
                let sent = stream
                    .send(Payload::Jpeg(&payload), SystemTime::now(), &pair, to)
                    .await;
                assert_eq!(sent.is_ok(), to != nowhere);
            }
            assert_eq!(number(&receiver).await, first, "{pace:?}");
        }
    }

    #[tokio::test]
    async fn a_frame_that_was_given_up_lacks_one_packet_whatever_was_left_of_it() {
        let jpeg = large();
        let payload = JpegPayload::of(&jpeg).unwrap();
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = receiver.local_addr().ok();
        let pair = UdpPair::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let stream = stream(Framing::Datagrams, PacketPace::Spread);
        let first = stream.next_sequence();
        tokio::select! {
            biased;
            _ = stream.send(Payload::Jpeg(&payload), SystemTime::now(), &pair, to) => panic!("all of it went"),
            () = ready(()) => {}
        }
        let went = stream.sent().packets as u16;
        let all = stream.send(Payload::Jpeg(&payload), SystemTime::now(), &pair, to);
        all.await.unwrap();
        for count in 0..went {
            assert_eq!(number(&receiver).await, first.wrapping_add(count));
        }
        let next = number(&receiver).await;
        assert_eq!(next, first.wrapping_add(went + 1), "after {went}");
    }

    #[tokio::test]
    async fn an_ssrc_that_changes_within_a_frame_is_that_of_the_next() {
        let jpeg = large();
        let payload = JpegPayload::of(&jpeg).unwrap();
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = receiver.local_addr().ok();
        let pair = UdpPair::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let stream = stream(Framing::Datagrams, PacketPace::Spread);
        let before = stream.ssrc();
        let change = async {
            stream.change_ssrc().unwrap();
            (stream.sent().packets, stream.ssrc())
        };
        let sent = stream.send(Payload::Jpeg(&payload), SystemTime::now(), &pair, to);
        let (sent, (went, after)) = tokio::join!(sent, change);
        sent.unwrap();
        assert!(0 < went && went < stream.sent().packets);
        assert!(after != before && stream.ssrc() == after);
        let mut packet = [0; 2000];
        for _ in 0..stream.sent().packets {
            receiver.recv(&mut packet).await.unwrap();
            assert_eq!(packet[8..12], before.to_be_bytes());
        }
        let next = stream.send(Payload::Jpeg(&payload), SystemTime::now(), &pair, to);
        next.await.unwrap();
        receiver.recv(&mut packet).await.unwrap();
        assert_eq!(packet[8..12], after.to_be_bytes());
    }

    #[tokio::test]
    async fn what_a_connection_has_not_begun_is_neither_counted_nor_missed() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let writer = ConnectionWriter::new(Socket::Unix(near));
        let stream = stream(Framing::Interleaved { channel: 0 }, PacketPace::Burst);
        let payload = JpegPayload::of(case!("jpeg-420")).unwrap();
        let first = stream.next_sequence();
        // More than the socket takes.
        let before = vec![7; 4 << 20];
        tokio::select! {
            biased;
            _ = writer.write(&before) => panic!("all of it was taken"),
            () = ready(()) => {}
        }
        tokio::select! {
            biased;
            _ = stream.write(Payload::Jpeg(&payload), SystemTime::now(), &writer) => panic!("there was room"),
            () = ready(()) => {}
        }
        assert_eq!(
            (stream.counts().packets, stream.next_sequence()),
            (0, first)
        );
        let read = async {
            let mut read = vec![0; before.len() + 12];
            tokio::io::AsyncReadExt::read_exact(&mut far, &mut read)
                .await
                .unwrap();
            read.split_off(before.len())
        };
        let (written, read) = tokio::join!(
            stream.write(Payload::Jpeg(&payload), SystemTime::now(), &writer),
            read
        );
        written.unwrap();
        assert_eq!(read[6..8], first.to_be_bytes());
    }
}
