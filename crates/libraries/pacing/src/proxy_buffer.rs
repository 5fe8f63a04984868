//! What a proxy near the server holds between it and the viewer, and how to keep that little.
//!
//! ```text
//!                     the proxy, on this computer or beside it
//!   eyelid's      the proxy's      the proxy       its
//!   socket ─────► receive buffer ──reads────────► send buffer ─────► slow link ─────► viewer
//!   drains        what waits is                   what it holds
//!   at once       missing from the                does not show
//!                 window: it shows
//!
//!   One cycle, from a full send buffer to the next (`#` a byte held, `.` room for one):
//!
//!   receive buffer   ###.....      ........      ........      ####....
//!   send buffer      ########      #####...      ##......      ########
//!                    full:         the link      when a frame  full again: the frame filled
//!                    3 wait        took 6, so    comes, there  the room of 6 and left 4 waiting,
//!                                  there is      is room for   so the buffer holds 6 at least
//!                                  room for 3    6
//! ```
//!
//! A proxy's kernel takes what its buffers hold as fast as we send it, and acknowledges it. Our
//! socket is then empty while a good part of a frame, or many frames, have not begun their way over
//! the slow link. A frame that is chosen now waits behind all of it.
//!
//! Bytes in the receive buffer show, because the window that the proxy's kernel advertises is
//! smaller by them. The proxy leaves them there only while its send buffer is full. What the send
//! buffer holds does not show. But between two times that it was full, the proxy has read exactly
//! what the link has taken, which gives the link's rate; and the rate gives how much room the send
//! buffer had at any time in between ([`FillCycle`]). It holds at least as much as the most room
//! that it ever had. If a frame is paused until a part of that room is free, the proxy holds less
//! when the frame comes, and the link never runs dry.
//!
//! # The numbers
//!
//! None of them follows from a standard: they were tried on real proxies (`docs/newest-frame.md`,
//! "Through a proxy") and hold on simulated ones. Each has a test that fails if it is much smaller,
//! and one that fails if it is much greater. Those of whole links are in `simulation::proxied`:
//!
//! - A: `lets_what_a_proxy_holds_run_low_and_never_out`
//! - B: `finds_out_how_much_a_proxy_holds_that_reads_little_at_a_time`
//! - C: `follows_a_link_behind_a_proxy_that_fades_and_recovers`
//! - D: `finds_out_soon_that_a_link_behind_a_proxy_is_faster`
//! - E: `a_camera_that_was_away_does_not_make_a_slow_link`
//! - F: `a_near_link_without_a_proxy_keeps_its_rate`
//!
//! Others, on given values, are beside what they test:
//!
//! - G: `direct::keeps_every_path_busy_and_nothing_waiting_before_it` (in `simulation`)
//! - H: `tests::pauses_until_the_link_took_what_waits_but_no_second_more`
//! - I: `tests::a_client_that_has_kept_up_for_ten_seconds_is_left_alone`
//! - J: `pacer::tests::a_near_client_that_keeps_up_is_never_paused`
//! - K: `link_rate::tests::an_idle_link_is_no_slow_one_unless_it_stays_so`
//!
//! | number | smaller | greater |
//! | --- | --- | --- |
//! | [`UNSENT_WHEN_FULL`] | G | B |
//! | [`WAITING_WHEN_FULL`] | B | C |
//! | [`WATCHED_AFTER_FULL`] | E | I |
//! | [`FRAMES_WATCHED_FIRST`] | H | J |
//! | [`MAX_CYCLE`] | none found | A |
//! | [`ROOM_USED`] | B | C |
//! | [`ROOM_GROWTH`] | B | A |
//! | [`ROOM_DECAY`] | A | F |
//! | [`ROOM_REFILLED`] | B | A |
//! | [`MIN_ROOM`] | A | A |
//! | [`PROBING_GAIN`] | D | D |
//! | [`RATE_OUTDATED`] | C | D |
//! | [`MAX_PAUSE`] | A | H |
//! | `receive_window::WINDOW_PERIOD` | A | C |
//! | `link_rate::MIN_RATE_SPAN` | B | C |
//! | `link_rate::RATE_SPAN` | A | C |
//! | `link_rate::RATE_SAMPLES` | K | C |

use std::time::{Duration, Instant};

use crate::tcp_info::TcpInfo;
use crate::units::{Bytes, BytesPerSecond};

mod link_rate;
mod receive_window;

use link_rate::{LinkRate, ReadSample};
use receive_window::ReceiveWindow;

/// A frame of which some was still not sent after this time met full buffers. (Bytes that were sent
/// and are not acknowledged prove nothing: the peer's kernel may hold back its acknowledgement for
/// 40 ms and more.)
const UNSENT_WHEN_FULL: Duration = Duration::from_millis(10);

/// The send buffer is full if more than this share of a frame waits in the receive buffer, or of
/// the widest window if that is smaller than a frame. Less may be the window's own ups and downs.
const WAITING_WHEN_FULL: f64 = 0.5;

/// How long a proxy is watched after its buffers were full. `TCP_INFO` is asked for with every
/// frame meanwhile.
const WATCHED_AFTER_FULL: Duration = Duration::from_secs(10);

/// How many frames are watched at first, to see how wide the window is before the buffers have been
/// full.
const FRAMES_WATCHED_FIRST: u32 = 3;

/// The longest cycle. One that is older ends when the buffers are full again, even if no frame has
/// found room in it.
const MAX_CYCLE: Duration = Duration::from_secs(2);

/// The share of the room seen of late that a pause lets become free. The rest keeps the link busy
/// if something comes late.
const ROOM_USED: f64 = 0.75;

/// What the known room is multiplied with after a cycle at whose end it was all filled again, which
/// suggests that there is more, and after any other cycle, in case there has become less.
const ROOM_GROWTH: f64 = 1.1;
const ROOM_DECAY: f64 = 0.97;

/// Room counts as filled again if no more than this share of the most that there was is left.
const ROOM_REFILLED: f64 = 0.03;

/// Room for less than this share of a frame is no buffer worth a pause: it may be what the link
/// takes in a burst.
const MIN_ROOM: f64 = 0.15;

/// By how much frames follow each other faster than the link takes them while the send buffer has
/// room. It doubles with each second since the buffers were full, for the longer that lasts, the
/// less the rate can be right.
const PROBING_GAIN: f64 = 0.1;

/// A rate at which the buffers have not become full for this long is that of another, faster link.
const RATE_OUTDATED: Duration = Duration::from_secs(3);

/// The longest pause: a link that has become faster is idle for the rest of it.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// What is known of the proxy's buffers, if there is a proxy.
#[derive(Debug, Default)]
pub(crate) struct ProxyBuffer {
    /// The frame that was written last, until the socket has drained.
    frame: Option<FrameInFlight>,
    /// Frames that have left the socket so far.
    frames: u32,
    /// Bytes that went into the socket in all.
    written_bytes: u64,
    /// When the buffers were last seen to be full.
    last_full: Option<Instant>,
    window: ReceiveWindow,
    link_rate: LinkRate,
    cycle: Option<FillCycle>,
    /// Bytes that the send buffer can hold, as far as is known.
    room: Bytes,
    /// That room is more than a link may take in a burst.
    holds_much: bool,
    /// When the pause after the last frame ends.
    pause_end: Option<Instant>,
}

/// A frame whose bytes have not all left the socket.
#[derive(Debug)]
struct FrameInFlight {
    began: Instant,
    bytes: u64,
    /// It met full buffers: some of it could not even be sent.
    is_stuck: bool,
}

impl ProxyBuffer {
    /// So many bytes went into the socket, the first of them at `began`. All that is written until
    /// the socket has drained counts as one frame.
    pub(crate) fn on_write(&mut self, began: Instant, bytes: u64) {
        self.written_bytes += bytes;
        let frame = self.frame.get_or_insert(FrameInFlight {
            began,
            bytes: 0,
            is_stuck: false,
        });
        frame.bytes += bytes;
    }

    /// The socket has not drained, and some of what is in it has not even been sent.
    pub(crate) fn on_unsent(&mut self, now: Instant) {
        if let Some(frame) = &mut self.frame
            && now - frame.began > UNSENT_WHEN_FULL
        {
            frame.is_stuck = true;
            self.last_full = Some(now);
        }
    }

    /// Says whether [`delay`](Self::delay) must be given what TCP knows now.
    pub(crate) fn wants_tcp_info(&self, now: Instant) -> bool {
        let was_full = |full| now - full < WATCHED_AFTER_FULL;
        self.frames < FRAMES_WATCHED_FIRST || self.last_full.is_some_and(was_full)
    }

    /// Says whether there is a proxy that holds a good part of a frame.
    pub(crate) fn holds_much(&self) -> bool {
        self.holds_much
    }

    /// The rate of the link behind the proxy, as long as it is known.
    pub(crate) fn link_rate(&self) -> Option<BytesPerSecond> {
        self.link_rate.known()
    }

    /// The socket has drained. Gives how long to wait all the same before the next frame is chosen,
    /// if at all.
    pub(crate) fn delay(&mut self, now: Instant, tcp_info: Option<TcpInfo>) -> Option<Duration> {
        if let Some(frame) = self.frame.take() {
            self.pause_end = tcp_info
                .filter(|tcp_info| tcp_info.is_near() && self.wants_tcp_info(now))
                .and_then(|tcp_info| self.next_frame(now, &frame, tcp_info.window_bytes));
            self.frames = self.frames.saturating_add(1);
        }
        self.pause_end.filter(|end| *end > now).map(|end| end - now)
    }

    /// When the frame after this one may be chosen, if not at once.
    fn next_frame(
        &mut self,
        now: Instant,
        frame: &FrameInFlight,
        window_bytes: Option<u32>,
    ) -> Option<Instant> {
        let window = self.window.observe(now, window_bytes);
        if let (Some(cycle), Some(rate)) = (&mut self.cycle, self.link_rate.known()) {
            // Just before this frame was written, the proxy had read all that there was.
            let read_before = Bytes::from(self.written_bytes - frame.bytes);
            cycle.on_room(cycle.full.after(frame.began, rate) - read_before);
        }
        let threshold = Bytes::from(frame.bytes.min(window.widest_bytes)) * WAITING_WHEN_FULL;
        if frame.is_stuck || Bytes::from(window.waiting_bytes) > threshold {
            self.after_full(now, frame, window.waiting_bytes)
        } else {
            self.after_room(now, frame)
        }
    }

    /// The same where the send buffer is full and so many bytes wait in the receive buffer: when
    /// enough of them have gone.
    fn after_full(
        &mut self,
        now: Instant,
        frame: &FrameInFlight,
        waiting_bytes: u64,
    ) -> Option<Instant> {
        self.last_full = Some(now);
        let sample = ReadSample {
            at: now,
            read: Bytes::from(self.written_bytes) - Bytes::from(waiting_bytes),
        };
        let rate = self.link_rate.measure(sample)?;
        let cycle = self.cycle.get_or_insert(FillCycle::new(sample));
        let age = now - cycle.full.at;
        // What the link has taken, less what the proxy has read: room that is still there although
        // something waits.
        let room_left = cycle.full.after(now, rate) - sample.read;
        if cycle.took_frame || frame.is_stuck || room_left < Bytes::ZERO || age > MAX_CYCLE {
            let refilled = (Bytes::ZERO..cycle.most_room * ROOM_REFILLED).contains(&room_left);
            let factor = if refilled { ROOM_GROWTH } else { ROOM_DECAY };
            // Only what was filled again has proved to be room in the buffer.
            self.room = (self.room * factor).max(cycle.most_room - room_left);
            *cycle = FillCycle::new(sample);
        } else {
            cycle.on_room(room_left);
        }
        self.holds_much = self.room > Bytes::from(frame.bytes) * MIN_ROOM;
        let let_go = if self.holds_much {
            self.room * ROOM_USED
        } else {
            Bytes::ZERO
        };
        // The link takes what waits first, then what is in the send buffer.
        let excess = Bytes::from(self.written_bytes) - cycle.full.after(now, rate);
        Some(now + rate.time_for(excess + let_go).min(MAX_PAUSE))
    }

    /// The same where the send buffer has room: a little faster than the link takes frames. Slower,
    /// and the link would run dry; much faster, and the room would be used up by the next frame
    /// already.
    fn after_room(&mut self, now: Instant, frame: &FrameInFlight) -> Option<Instant> {
        if let Some(cycle) = &mut self.cycle {
            cycle.took_frame = true;
        }
        let since_full = now - self.last_full?;
        if since_full > RATE_OUTDATED {
            self.link_rate = LinkRate::default();
        }
        let gain = 1.0 + PROBING_GAIN * since_full.as_secs_f64().exp2();
        let rate = self.link_rate.known()? * gain;
        Some(frame.began + rate.time_for(Bytes::from(frame.bytes)))
    }
}

/// From one time that the proxy's send buffer was full to the next.
#[derive(Debug)]
struct FillCycle {
    /// How much the proxy had read when the buffer was full.
    full: ReadSample,
    /// The most room that the buffer has had since.
    most_room: Bytes,
    /// A frame has found room since, and did not have to wait in the receive buffer.
    took_frame: bool,
}

impl FillCycle {
    fn new(full: ReadSample) -> Self {
        Self {
            full,
            most_room: Bytes::ZERO,
            took_frame: false,
        }
    }

    fn on_room(&mut self, room: Bytes) {
        self.most_room = self.most_room.max(room);
    }
}

#[cfg(test)]
mod tests;
