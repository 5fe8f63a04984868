//! One WebRTC connection, apart from sockets, clocks and cameras: datagrams and pictures go in,
//! datagrams and what the client wants come out. str0m does the work, as `set_up` has
//! it; here is what its events mean.

mod losses;
mod negotiation;
mod packets;

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use str0m::bwe::{Bitrate, BweKind};
use str0m::change::SdpPendingOffer;
use str0m::channel::ChannelId;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, Transmit};
use str0m::rtp::RawPacket;
use str0m::rtp::rtcp::Rtcp;
use str0m::stats::MediaEgressStats;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Reason, Rtc, RtcError};

use self::losses::Losses;
use self::packets::Packets;
use super::set_up::SetUp;
use crate::coded::Coded;
use crate::signalling::offer::H264Format;

/// How much more than the encoder's bitrate is looked for: packets are paced at little more than
/// what the path is known to carry, so that a picture takes this share of its time to leave.
const SOUGHT: u64 = 3;

/// How many packets leave in one turn at most; a burst of the pacer has 63,000 bytes.
const ROUNDS: usize = 500;

/// What is due so soon is done at once, where the path carries more than is sent. str0m has each
/// packet of a burst go a microsecond after the one before; a timer, which knows milliseconds,
/// makes a turn of each, and a call. Behind slow links packets stay apart: in a burst they are
/// lost, or a token bucket lets them through, and the path is taken for faster than it is.
const AT_ONCE: Duration = Duration::from_micros(500);

/// How much later than str0m asks for, 25 ms after the last time, it may go over its estimate,
/// where that is more than is sent: mostly it does so with the next picture or the client's next
/// report then, and is woken for neither. It reckons by the time that has passed. What its pacer
/// holds, and probes, are due sooner than that, so that nothing is held up.
const ESTIMATED_LATER: Duration = Duration::from_millis(15);

/// What is kept for being sent again, and for how long: a client asks at once, and a keyframe is
/// better than what is older (`losses`).
const KEPT_PACKETS: usize = 1024;
const KEPT: Duration = Duration::from_secs(1);

/// Which share of all bytes may be of packets that are sent again. str0m forgets what else was
/// asked for where it is more; with its 0.15 that was most of what a link loses that fades.
const MOST_SENT_AGAIN: f32 = 0.5;

/// The label of the data channel by which camera-streamer's clients are pinged.
const KEEP_ALIVE: &str = "keepalive";

/// One connection.
pub(crate) struct Connection {
    rtc: Rtc,
    candidates: Vec<SocketAddr>,
    format: H264Format,
    mid: Option<Mid>,
    /// What the client has offered, if it has: ICE begins anew by it.
    offer: Option<String>,
    /// ICE has begun anew, and no check has come since.
    is_restarting: bool,
    /// What is to be answered.
    pending: Option<SdpPendingOffer>,
    channel: Option<ChannelId>,
    told: Told,
    /// The encoder's largest bitrate, and what the path carries.
    bitrate_bps: u64,
    estimate_bps: Option<u64>,
    connected: bool,
    ended: Option<Ended>,
    /// The RTP time of the last picture.
    last_time_90k: u64,
    packets: Packets,
    losses: Losses,
    round_trip: Duration,
}

/// What the client and the path have told since this was last asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// It cannot decode without a keyframe.
    pub(crate) wants_key: bool,
    /// It has lost so much that only a keyframe helps.
    pub(crate) is_broken: bool,
    /// It answered a ping.
    pub(crate) ponged: bool,
    /// How packets of the picture arrive.
    pub(crate) media: Option<MediaEgressStats>,
}

/// How a connection has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client said so.
    Closed,
    /// Nothing came from it for long (ICE consent, RFC 7675).
    Lost,
    /// This is wrong with it.
    Failed(String),
}

impl Connection {
    fn new(set_up: &SetUp, format: H264Format, now: Instant) -> Self {
        let mut rtc = set_up.config(format).build(now);
        for address in &set_up.candidates {
            // All are addresses that somebody can send to.
            if let Ok(candidate) = Candidate::host(*address, Protocol::Udp) {
                rtc.add_local_candidate(candidate);
            }
        }
        let sought = set_up.bitrate_bps.saturating_mul(SOUGHT);
        rtc.bwe().set_desired_bitrate(Bitrate::bps(sought));
        Self {
            rtc,
            candidates: set_up.candidates.clone(),
            format,
            mid: None,
            offer: None,
            is_restarting: false,
            pending: None,
            channel: None,
            told: Told::default(),
            bitrate_bps: set_up.bitrate_bps,
            estimate_bps: None,
            connected: false,
            ended: None,
            last_time_90k: 0,
            packets: Packets::default(),
            losses: Losses::default(),
            round_trip: Duration::ZERO,
        }
    }

    /// Says whether a client that has begun ICE anew is waited for.
    pub(crate) fn is_restarting(&self) -> bool {
        self.is_restarting
    }

    /// Says whether an answer is waited for.
    pub(crate) fn is_offering(&self) -> bool {
        self.pending.is_some()
    }

    /// Says whether pictures can be sent.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Says whether and how it has ended.
    pub(crate) fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Gives what was told since the last time.
    pub(crate) fn take_told(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    /// Says whether a datagram is of this client: one of STUN that has the right password, or from
    /// where one was.
    pub(crate) fn accepts(&self, from: SocketAddr, bytes: &[u8], at: Instant) -> bool {
        let received = self.received(from, bytes);
        received.is_some_and(|received| self.rtc.accepts(&Input::Receive(at, received)))
    }

    /// Takes a datagram.
    pub(crate) fn receive(&mut self, from: SocketAddr, bytes: &[u8], at: Instant) {
        let Some(received) = self.received(from, bytes) else {
            return;
        };
        let taken = self.rtc.handle_input(Input::Receive(at, received));
        self.fail_on(taken);
    }

    /// Wherever it arrived, to this connection it is at the candidate: behind a forwarded port it
    /// was sent to another address than the one where it came.
    fn received<'a>(&self, from: SocketAddr, bytes: &'a [u8]) -> Option<Receive<'a>> {
        let mut candidates = self.candidates.iter();
        let same = |candidate: &&SocketAddr| candidate.is_ipv4() == from.is_ipv4();
        let to = candidates.find(same).or(self.candidates.first())?;
        Receive::new(Protocol::Udp, from, *to, bytes).ok()
    }

    /// Does what is due, gives what is to be sent, and says when something is due next.
    pub(crate) fn run(&mut self, now: Instant, send: &mut impl FnMut(Transmit)) -> Option<Instant> {
        let mut rounds = 0;
        loop {
            let due = match self.rtc.poll_output() {
                Ok(Output::Timeout(due)) => due,
                Ok(Output::Transmit(transmit)) => {
                    send(transmit);
                    continue;
                }
                Ok(Output::Event(event)) => {
                    self.heed(event, now);
                    continue;
                }
                Err(error) => {
                    self.fail_on(Err(error));
                    return None;
                }
            };
            if !self.rtc.is_alive() {
                self.ended.get_or_insert(Ended::Closed);
            }
            // What is left to say was said; after that it is always due again.
            if self.ended.is_some() {
                return None;
            }
            let (at_once, later) = match self.is_fast() {
                true => (AT_ONCE, ESTIMATED_LATER),
                false => (Duration::ZERO, Duration::ZERO),
            };
            if due > now + at_once {
                return Some(match self.rtc.last_timeout_reason() {
                    Reason::BweDelayControl => due + later,
                    _ => due,
                });
            }
            rounds += 1;
            if rounds > ROUNDS {
                return Some(now + Duration::from_millis(1));
            }
            let done = self.rtc.handle_input(Input::Timeout(due.max(now)));
            self.fail_on(done);
        }
    }

    /// Says whether the path carries all that is ever sent.
    fn is_fast(&self) -> bool {
        self.estimate_bps.is_some_and(|bps| bps >= self.bitrate_bps)
    }

    fn heed(&mut self, event: Event, now: Instant) {
        match event {
            Event::Connected => {
                self.connected = true;
                self.renew_kept();
            }
            Event::RawPacket(packet) => self.heed_packet(&packet, now),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.ended.get_or_insert(Ended::Lost);
            }
            Event::IceConnectionStateChange(
                IceConnectionState::Connected | IceConnectionState::Completed,
            ) => self.is_restarting = false,
            Event::Closed => {
                self.ended.get_or_insert(Ended::Closed);
            }
            // It comes for each section of an offer, those that are rejected, too.
            Event::MediaAdded(added)
                if added.kind == MediaKind::Video && added.direction.is_sending() =>
            {
                self.mid.get_or_insert(added.mid);
            }
            Event::KeyframeRequest(_) => self.told.wants_key = true,
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                self.estimate_bps = Some(estimate.as_u64());
            }
            Event::MediaEgressStats(media) => {
                self.round_trip = media.rtt.unwrap_or(self.round_trip);
                self.told.media = Some(media);
            }
            Event::ChannelOpen(channel, label) if label == KEEP_ALIVE => {
                self.channel = Some(channel);
            }
            Event::ChannelData(data) if Some(data.id) == self.channel => self.told.ponged = true,
            _ => {}
        }
    }

    /// Looks what is sent, and what the client lacks of it.
    fn heed_packet(&mut self, packet: &RawPacket, now: Instant) {
        match packet {
            RawPacket::RtpTx(header, _) if *header.payload_type == self.format.payload_type => {
                self.losses.sent(header.sequence_number, header.timestamp);
            }
            RawPacket::RtcpRx(Rtcp::Nack(nack)) => {
                let entries = nack.reports.iter();
                let numbers = entries.flat_map(|entry| entry.into_iter(0.into()));
                let numbers = numbers.map(|number| *number as u16);
                if self.losses.asked(numbers, self.round_trip, now) {
                    self.told.is_broken = true;
                    self.renew_kept();
                }
            }
            _ => {}
        }
    }

    /// Keeps packets for being sent again from now on; what was sent until now is not.
    fn renew_kept(&mut self) {
        let mut direct = self.rtc.direct_api();
        if let Some(stream) = self.mid.and_then(|mid| direct.stream_tx_by_mid(mid, None)) {
            stream.set_rtx_cache(KEPT_PACKETS, KEPT, Some(MOST_SENT_AGAIN));
        }
    }

    fn fail_on(&mut self, done: Result<(), RtcError>) {
        if let Err(error) = done {
            self.ended.get_or_insert(Ended::Failed(error.to_string()));
            self.rtc.disconnect();
        }
    }

    /// Sends a picture: it waits in the pacer until its packets may go.
    pub(crate) fn write(&mut self, coded: &Coded, now: Instant, wall: SystemTime) {
        let Some((mid, payload_type)) = self.agreed() else {
            return;
        };
        let age = wall.duration_since(coded.captured).unwrap_or_default();
        let time_90k = self.last_time_90k.saturating_add(1);
        // A clock that was set back holds the time up and does not turn it back.
        let time_90k = time_90k.max(to_90k(coded.captured));
        self.last_time_90k = time_90k;
        if coded.is_key {
            self.losses.key_written(time_90k as u32);
        }
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else {
            return self.fail_on(Err(RtcError::NoSenderSource));
        };
        let at = now.checked_sub(age).unwrap_or(now);
        for packet in self.packets.of(coded, payload_type, time_90k as u32, at) {
            stream.write_rtp(packet);
        }
    }

    /// The section of the video and its format, if both sides have them.
    fn agreed(&self) -> Option<(Mid, Pt)> {
        let media = self.rtc.media(self.mid?)?;
        let payload_type = Pt::from(self.format.payload_type);
        let is_agreed = media.remote_pts().contains(&payload_type);
        is_agreed.then_some((media.mid(), payload_type))
    }

    /// What the path carries, if that is estimated.
    pub(crate) fn estimate_bps(&self) -> Option<u64> {
        self.estimate_bps
    }

    /// Says since when the oldest packet waits in the pacer.
    pub(crate) fn waiting_since(&mut self) -> Option<Instant> {
        let mid = self.mid?;
        let mut direct = self.rtc.direct_api();
        let info = direct.stream_tx_by_mid(mid, None)?.queue_info()?;
        info.first_unsent()
    }

    /// Pings the client, if it has said that it answers. Says whether it has.
    pub(crate) fn ping(&mut self) -> bool {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else {
            return false;
        };
        // One that takes no more is not read by its client, and counts as silent.
        let _ = channel.write(false, b"ping");
        true
    }

    /// Says goodbye. What is to be sent then is given by [`Self::run`].
    pub(crate) fn close(&mut self) {
        let closed = self.rtc.close();
        self.ended.get_or_insert(Ended::Closed);
        self.fail_on(closed);
    }
}

fn to_90k(captured: SystemTime) -> u64 {
    let since = captured.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 90_000 + u64::from(since.subsec_nanos()) * 9 / 100_000
}

#[cfg(test)]
mod tests;
