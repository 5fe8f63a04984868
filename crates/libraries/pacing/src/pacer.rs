//! When a client's next frame may be chosen: the newest-frame rule (`docs/newest-frame.md`), apart
//! from the socket.
//!
//! What lies unacknowledged in a socket is older than any frame that could be chosen now. Waiting
//! until all of it is acknowledged would show the newest picture, but leave the path idle for a
//! round trip with every frame. Waiting until no more is left than the path itself holds, its
//! bandwidth-delay product, keeps the path busy, and nothing waits in a queue before it.
//! [`LinkEstimate`] says what the path holds, [`ProxyBuffer`] what to do where it ends at a proxy.
//!
//! # The numbers
//!
//! Each has a test that fails if it is much smaller, and one that fails if it is much greater.
//!
//! - A: `tests::an_unacknowledged_tail_is_not_waited_for`
//! - B: `tests::looks_ever_more_rarely_at_a_client_that_takes_nothing`
//! - C: `tests::a_socket_without_figures_is_polled_a_few_times_a_frame_and_soon`
//! - D: `tests::the_time_to_the_first_answer_is_known_to_an_eighth_after_few_polls`
//! - E: `simulation::direct::keeps_every_path_busy_and_nothing_waiting_before_it`
//! - F: `simulation::proxied::lets_what_a_proxy_holds_run_low_and_never_out`
//! - G: `simulation::proxied::a_near_link_without_a_proxy_keeps_its_rate`
//! - H: `tests::who_takes_a_whole_frame_at_once_shows_no_link`
//! - I: `tests::the_turn_of_the_next_one_begins_a_little_before_a_frame_has_drained`
//!
//! | number | smaller | greater |
//! | --- | --- | --- |
//! | [`DELAYED_ACK_BYTES`] | A | E |
//! | [`MIN_PAUSE`] | the timer's resolution | E |
//! | [`MAX_PAUSE`] | B | F |
//! | [`MAX_PAUSE_BEHIND_PROXY`] | F | F |
//! | [`PAUSE_WITHOUT_RATE`] | C | C |
//! | [`PREDICTION_SHARE`] | E | E |
//! | [`STALL_BACKOFF`] | F | G |
//! | [`UNANSWERED_POLL_DIVISOR`] | D | D |
//! | [`HAND_OVER`] | I | I |
//! | [`MAX_HAND_OVER_BYTES`] | I | I |
//! | [`MAX_PATH_SHARE`] | I | I |
//! | [`WHOLE_FRAME_BYTES`] | H | H |
//! | [`AT_ONCE`] | H | H |

use std::time::{Duration, Instant};

use crate::link_estimate::{AckSample, LinkEstimate};
use crate::proxy_buffer::ProxyBuffer;
use crate::tcp_info::{NEAR, TcpInfo};
use crate::units::{Bytes, BytesPerSecond};

/// Bytes that may always lie unacknowledged: two segments on Ethernet. A receiver may hold back its
/// acknowledgement of less than that for 40 ms and more (RFC 9293, section 3.8.6.3), during which
/// the path is idle.
pub(crate) const DELAYED_ACK_BYTES: u64 = 2 * 1448;

/// The shortest pause before the socket is polled again: tokio's timer has this resolution.
pub(crate) const MIN_PAUSE: Duration = Duration::from_millis(1);

/// The longest pause: what a wrong prediction costs at most.
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause with a proxy, which takes nothing for a while and then much at once.
const MAX_PAUSE_BEHIND_PROXY: Duration = Duration::from_millis(10);

/// The first pause while no rate is known.
const PAUSE_WITHOUT_RATE: Duration = Duration::from_millis(5);

/// The pause as a share of the predicted time: a poll that comes too early costs two system calls,
/// one that comes too late leaves the path idle.
const PREDICTION_SHARE: f64 = 0.85;

/// With each poll in a row that finds nothing acknowledged, the time between them grows by this
/// factor.
const STALL_BACKOFF: u32 = 2;

/// A frame that nothing has answered yet is polled again after its age divided by this: how long
/// its first answer takes is the path's round-trip time, which is then known to an eighth.
const UNANSWERED_POLL_DIVISOR: u32 = 8;

/// Where clients take turns, the next one may begin this long before a client's frame has drained:
/// so long it takes until that has been noticed and the next one is under way. It is what the link
/// carries in this time, or a few packets of a fast one.
const HAND_OVER: Duration = Duration::from_millis(8);
const MAX_HAND_OVER_BYTES: u64 = 10_000;

/// Where clients take turns, the path is taken to hold no more than this share of a frame. A
/// connection that was made while others filled the queue believes that it is as long.
const MAX_PATH_SHARE: f64 = 0.25;

/// A frame of so many bytes, or more, that has gone within this time was taken by no link that is
/// slow.
const WHOLE_FRAME_BYTES: u64 = 16_000;
const AT_ONCE: Duration = Duration::from_millis(3);

/// Whether a client takes turns with others ([`Turns`](crate::Turns)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sending {
    /// It sends whenever it can.
    #[default]
    Freely,
    /// It sends when it is its turn.
    InTurns,
}

/// Decides for one client.
///
/// Whoever sends the frames tells it of every write ([`on_write`](Self::on_write)), and asks before
/// a frame is chosen: [`can_send`](Self::can_send) in passing, or [`delay`](Self::delay) until it
/// says that there is none. It knows neither the socket nor the time.
#[derive(Debug)]
pub struct Pacer {
    /// Bytes handed to the socket in all.
    written_bytes: u64,
    /// Bytes of them that were unacknowledged when the socket was last polled.
    unacknowledged_bytes: u64,
    /// The last sample from which a rate was taken, and the next one will be.
    last_sample: AckSample,
    /// When a byte was last seen to have left the socket, or the socket was last found empty.
    last_progress: Instant,
    /// The rate at which bytes left the socket between the last two samples.
    drain_rate: BytesPerSecond,
    /// How long polls have found nothing acknowledged; zero as soon as one finds something.
    stalled_polls: Duration,
    /// The socket was asked for what TCP knows, and had nothing to say: it is no TCP socket.
    has_no_figures: bool,
    /// When the last write began, until the socket is polled, and its bytes.
    unpolled_since: Option<Instant>,
    last_written_bytes: u64,
    /// A whole frame once had gone when the socket was polled first.
    has_taken_at_once: bool,
    sending: Sending,
    link: LinkEstimate,
    proxy_buffer: ProxyBuffer,
}

/// What [`Adaptation`](crate::Adaptation) wants to know of a client's path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// Bytes that the peer had acknowledged in all when the socket was last polled.
    pub(crate) acknowledged_bytes: u64,
    /// Bytes that were under way then.
    pub(crate) unacknowledged_bytes: u64,
    /// The round-trip time, where it is known.
    pub(crate) round_trip: Option<Duration>,
    /// The socket is none of TCP's, so the peer is a program on this computer: a proxy.
    pub(crate) has_no_figures: bool,
    /// The rate at which a near peer takes bytes, where it has not taken all at once of late: that
    /// of the link behind it, if it is a proxy.
    pub(crate) proxied_rate: Option<BytesPerSecond>,
}

impl Path {
    /// Says whether the peer is a proxy, or so near that it may be one.
    pub(crate) fn may_have_proxy(self) -> bool {
        self.has_no_figures || self.round_trip.is_some_and(|time| time < NEAR)
    }
}

impl Pacer {
    /// Begins with an empty socket.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            written_bytes: 0,
            unacknowledged_bytes: 0,
            last_sample: AckSample {
                at: now,
                acknowledged_bytes: 0,
            },
            last_progress: now,
            drain_rate: BytesPerSecond::ZERO,
            stalled_polls: Duration::ZERO,
            has_no_figures: false,
            unpolled_since: None,
            last_written_bytes: 0,
            has_taken_at_once: false,
            sending: Sending::Freely,
            link: LinkEstimate::default(),
            proxy_buffer: ProxyBuffer::default(),
        }
    }

    /// A frame, or other bytes, went into the socket: so many of them, the first at `began`.
    pub fn on_write(&mut self, began: Instant, bytes: u64) {
        let start = AckSample {
            at: began,
            acknowledged_bytes: self.written_bytes.saturating_sub(self.unacknowledged_bytes),
        };
        if self.unacknowledged_bytes == 0 {
            // Time in which there was nothing to send says nothing of the path.
            self.last_progress = began;
            self.last_sample = start;
        }
        self.link
            .on_write(start, self.unacknowledged_bytes, self.written_bytes, bytes);
        self.written_bytes += bytes;
        (self.last_written_bytes, self.unpolled_since) = (bytes, Some(began));
        self.proxy_buffer.on_write(began, bytes);
    }

    /// Says whether the next frame may be chosen, by what is known of the path without asking the
    /// kernel. Where not enough is known it says no; [`delay`](Self::delay) then says how long to
    /// wait.
    pub fn can_send(&mut self, now: Instant, unacknowledged_bytes: u64) -> bool {
        if self.proxy_buffer.wants_tcp_info(now) {
            return false;
        }
        // The next frame is there: nothing was taken at once.
        self.unpolled_since = None;
        self.on_ack(now, unacknowledged_bytes);
        let allowed = if self.link.is_recent(now) {
            self.allowed_bytes(now)
        } else {
            DELAYED_ACK_BYTES
        };
        unacknowledged_bytes <= allowed && self.proxy_buffer.delay(now, None).is_none()
    }

    /// How long to wait before polling the socket again, or `None` if the next frame may be chosen
    /// now. `tcp_info` asks the kernel, and is called only where the answer matters; on a socket
    /// that has none, all is waited for.
    pub fn delay(
        &mut self,
        now: Instant,
        unacknowledged_bytes: u64,
        tcp_info: impl FnOnce() -> Option<TcpInfo>,
    ) -> Option<Duration> {
        let is_wanted = unacknowledged_bytes > 0 || self.proxy_buffer.wants_tcp_info(now);
        let tcp_info = if is_wanted { tcp_info() } else { None };
        if is_wanted {
            self.has_no_figures = tcp_info.is_none();
        }
        // An empty socket's figures matter to the proxy's buffer alone. What was known of the path
        // still holds, and the time at which it was asked for must not look recent.
        if let Some(tcp_info) = tcp_info.filter(|_| unacknowledged_bytes > 0) {
            self.link.on_tcp_info(now, tcp_info);
        }
        self.on_ack(now, unacknowledged_bytes);
        let excess_bytes = unacknowledged_bytes.saturating_sub(self.allowed_bytes(now));
        if excess_bytes == 0 && self.sending == Sending::InTurns {
            return None;
        }
        if excess_bytes == 0 {
            return self.proxy_buffer.delay(now, tcp_info);
        }
        if tcp_info.is_some_and(|tcp_info| tcp_info.unsent_bytes > 0 && tcp_info.is_near()) {
            self.proxy_buffer.on_unsent(now);
        }
        self.link.on_backlog();
        Some(self.pause(excess_bytes, tcp_info))
    }

    /// Takes what lies unacknowledged in the socket while no frame is to be chosen.
    pub fn observe(&mut self, now: Instant, unacknowledged_bytes: u64) {
        self.on_ack(now, unacknowledged_bytes);
    }

    /// What is known of the path.
    pub(crate) fn path(&self, now: Instant) -> Path {
        Path {
            acknowledged_bytes: self.written_bytes.saturating_sub(self.unacknowledged_bytes),
            unacknowledged_bytes: self.unacknowledged_bytes,
            round_trip: self.link.known_round_trip(now),
            has_no_figures: self.has_no_figures,
            proxied_rate: self.proxy_buffer.link_rate(),
        }
    }

    /// How long nothing has left the socket although something lay in it.
    #[must_use]
    pub fn stalled_for(&self, now: Instant) -> Duration {
        now - self.last_progress
    }

    /// Says whether it shows of the client's link when a frame has drained: the kernel knows the
    /// path, and the peer has never taken a whole frame at once. A proxy does, as a rule, and when
    /// that has a frame says nothing of the link behind it.
    #[must_use]
    pub fn shows_link(&self, now: Instant) -> bool {
        self.link.known_round_trip(now).is_some() && !self.has_taken_at_once
    }

    /// Says whether no more lay unacknowledged than the path holds when the socket was polled last.
    #[must_use]
    pub fn has_drained(&self, now: Instant) -> bool {
        self.unacknowledged_bytes <= self.allowed_bytes(now)
    }

    /// The client takes turns with others from now on, or does not. While it does, there is no
    /// proxy: what others send at the same time is not to be taken for one.
    pub fn set_sending(&mut self, sending: Sending) {
        self.sending = sending;
    }

    /// The turn of another one begins: what the last frame has shown until now is all it shows.
    pub fn on_turn_over(&mut self) {
        self.link.end_frame(self.last_sample);
    }

    /// The client had something to send and waited for its turn until now. So much lies
    /// unacknowledged still. What it saw meanwhile was an idle link: no rate, and no proxy.
    pub fn on_turn(&mut self, now: Instant, unacknowledged_bytes: u64) {
        self.proxy_buffer = ProxyBuffer::default();
        self.unacknowledged_bytes = unacknowledged_bytes;
        self.last_progress = now;
        self.last_sample = AckSample {
            at: now,
            acknowledged_bytes: self.written_bytes.saturating_sub(unacknowledged_bytes),
        };
    }

    /// Learns from what has left the socket since it was last polled.
    fn on_ack(&mut self, now: Instant, unacknowledged_bytes: u64) {
        self.unacknowledged_bytes = unacknowledged_bytes;
        if let Some(began) = self.unpolled_since.take() {
            let is_at_once = now - began < AT_ONCE && self.last_written_bytes >= WHOLE_FRAME_BYTES;
            self.has_taken_at_once |= is_at_once && unacknowledged_bytes == 0;
        }
        let sample = AckSample {
            at: now,
            acknowledged_bytes: self.written_bytes.saturating_sub(unacknowledged_bytes),
        };
        self.link.on_ack(sample);
        if sample.acknowledged_bytes > self.last_sample.acknowledged_bytes
            || unacknowledged_bytes == 0
        {
            self.last_progress = now;
            self.stalled_polls = Duration::ZERO;
        } else {
            self.stalled_polls = now - self.last_sample.at;
        }
        if let Some(rate) = self.last_sample.rate_to(sample) {
            self.drain_rate = rate;
            self.last_sample = sample;
        }
    }

    /// How many bytes may lie unacknowledged when the next frame is chosen.
    fn allowed_bytes(&self, now: Instant) -> u64 {
        let path_bytes = self.link.bdp_bytes(now);
        if self.sending == Sending::Freely {
            return path_bytes.max(DELAYED_ACK_BYTES);
        }
        let most = Bytes::from(self.last_written_bytes) * MAX_PATH_SHARE;
        let hand_over = self.link.bytes_in(HAND_OVER).min(MAX_HAND_OVER_BYTES);
        path_bytes.min(most.whole()).max(DELAYED_ACK_BYTES) + hand_over
    }

    /// How long to wait until so many bytes have been acknowledged.
    fn pause(&self, excess_bytes: u64, tcp_info: Option<TcpInfo>) -> Duration {
        // The higher of two rates: the poll after one that came too early is cheap, the path is not
        // idle meanwhile.
        let known = tcp_info.map_or(BytesPerSecond::ZERO, |tcp_info| self.link.rate(tcp_info));
        let rate = self.drain_rate.max(known);
        let unanswered_for = self.link.unanswered_for();
        let predicted = if unanswered_for > Some(Duration::ZERO) {
            // The time until the first answer is what is to be learned, so it is not predicted.
            MIN_PAUSE
        } else if rate > BytesPerSecond::ZERO {
            rate.time_for(Bytes::from(excess_bytes) * PREDICTION_SHARE)
        } else {
            PAUSE_WITHOUT_RATE
        };
        let backed_off = match unanswered_for {
            Some(unanswered_for) => unanswered_for / UNANSWERED_POLL_DIVISOR,
            None => self.stalled_polls * STALL_BACKOFF,
        };
        let longest = if self.proxy_buffer.holds_much() {
            MAX_PAUSE_BEHIND_PROXY
        } else {
            MAX_PAUSE
        };
        predicted.max(backed_off).clamp(MIN_PAUSE, longest)
    }
}

#[cfg(test)]
mod tests;
