//! What has come from one camera, and what it is to be told: between its connections and the
//! source that its slot is filled from. One thread runs both sides, so nothing here needs a lock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use eyelid_http::Peer;
use serde::Serialize;
use tokio::sync::watch;

use crate::prepare::Picture;
use crate::rate::Rate;

/// A frame at hand.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The JPEG, whole and as clients want it.
    pub(crate) picture: Picture,
    /// The moment of capture, as near as can be known.
    pub(crate) captured: SystemTime,
    /// Each has a higher one than all before it.
    pub(crate) sequence: u64,
}

/// How a camera pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By a WebSocket; it sleeps and wakes as it is told (`eyelid.v1`).
    Told,
    /// By a WebSocket, whether anybody looks or not.
    WebSocket,
    /// By a POST without end.
    Post,
}

/// Which of its connections a camera has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionId(u64);

#[derive(Clone, Copy, Debug)]
struct Connected {
    id: ConnectionId,
    way: Way,
    peer: Peer,
}

/// What has come, and what is known of it.
#[derive(Debug)]
pub(crate) struct Intake {
    newest: RefCell<Option<Rc<Frame>>>,
    /// That of the last frame that was begun with, and of the newest that was put at hand.
    last_sequence: Cell<u64>,
    newest_sequence: Cell<u64>,
    /// Somebody looks.
    awake: watch::Sender<bool>,
    /// The connection that has the camera; a newer one takes it.
    connected: watch::Sender<Option<ConnectionId>>,
    details: Cell<Option<Connected>>,
    last_id: Cell<u64>,
    returned: Cell<bool>,
    counts: RefCell<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    rate: Rate,
    frames: u64,
    bytes: u64,
    dropped: u64,
    refused: u64,
    last_error: Option<String>,
}

/// What is told of a camera that pushes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    /// It is connected; one that posts each picture by itself never is.
    connected: bool,
    /// It sleeps when it is told to. Any other sends whether anybody looks or not.
    sleeps: bool,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Frames per second that come.
    fps: Option<f64>,
    /// Frames that came whole.
    frames: u64,
    /// Their bytes.
    bytes: u64,
    /// Those of them that a newer one made useless before anybody could have seen them.
    dropped: u64,
    /// What was no frame.
    refused: u64,
    /// Why the last of these was none, or why the last connection ended.
    last_error: Option<String>,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            newest: RefCell::default(),
            last_sequence: Cell::default(),
            newest_sequence: Cell::default(),
            awake: watch::Sender::new(false),
            connected: watch::Sender::new(None),
            details: Cell::default(),
            last_id: Cell::default(),
            returned: Cell::default(),
            counts: RefCell::default(),
        }
    }
}

impl Intake {
    /// A connection takes the camera; the one that had it is to end. The camera is the connection's
    /// until the claim is dropped.
    pub(crate) fn claim(self: &Rc<Self>, way: Way, peer: Peer) -> Claim {
        let id = ConnectionId(self.last_id.get() + 1);
        self.last_id.set(id.0);
        self.details.set(Some(Connected { id, way, peer }));
        self.connected.send_replace(Some(id));
        self.returned.set(true);
        Claim {
            intake: self.clone(),
            id,
            connected: self.connected.subscribe(),
        }
    }

    /// Every connection of the camera is to end.
    pub(crate) fn release(&self) {
        self.details.set(None);
        self.counts.borrow_mut().rate = Rate::default();
        self.connected.send_replace(None);
    }

    /// Gives the place of a frame that has come now among the camera's, by whatever connection.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.last_sequence.set(self.last_sequence.get() + 1);
        self.last_sequence.get()
    }

    /// Puts a frame at hand, unless one is or was there that has come after it. Gives the one that
    /// it is there instead of.
    pub(crate) fn put(&self, frame: Frame) -> Option<Rc<Frame>> {
        if frame.sequence < self.newest_sequence.get() {
            self.count_dropped();
            return None;
        }
        self.newest_sequence.set(frame.sequence);
        let before = self.newest.replace(Some(Rc::new(frame)));
        if before.is_none() {
            self.returned.set(true);
        }
        before
    }

    /// The newest frame.
    pub(crate) fn newest(&self) -> Option<Rc<Frame>> {
        self.newest.borrow().clone()
    }

    /// Says whether a frame may come, or one is there.
    pub(crate) fn is_present(&self) -> bool {
        self.details.get().is_some() || self.newest.borrow().is_some()
    }

    /// Says whether a connection has the camera.
    pub(crate) fn is_connected(&self) -> bool {
        self.details.get().is_some()
    }

    /// Says whether the camera has come, or come back, since this was asked last.
    pub(crate) fn take_returned(&self) -> bool {
        self.returned.take()
    }

    /// Somebody looks, or nobody does any more. What a camera sent before it slept is no frame for
    /// who wakes it.
    pub(crate) fn set_awake(&self, awake: bool) {
        let sleeps = self.details.get().is_some_and(|it| it.way == Way::Told);
        if !awake && sleeps {
            self.newest.replace(None);
        }
        self.awake
            .send_if_modified(|before| std::mem::replace(before, awake) != awake);
    }

    /// Says whether somebody looks.
    pub(crate) fn is_awake(&self) -> bool {
        *self.awake.borrow()
    }

    /// Says whether somebody looks and what is told of the camera may change by and by. Of one that
    /// posts when it likes that is told with each picture, and once they have ceased to come.
    pub(crate) fn has_news(&self, now: Instant) -> bool {
        let is_busy = self.is_connected() || self.counts.borrow().rate.per_second(now).is_some();
        self.is_awake() && is_busy
    }

    /// Tells of changes of [`Intake::is_awake`].
    pub(crate) fn subscribe_awake(&self) -> watch::Receiver<bool> {
        self.awake.subscribe()
    }

    /// A whole frame has come.
    pub(crate) fn count(&self, bytes: usize, now: Instant) {
        let mut counts = self.counts.borrow_mut();
        counts.rate.arrived(now);
        counts.frames += 1;
        counts.bytes += bytes as u64;
    }

    /// A frame was dropped for a newer one.
    pub(crate) fn count_dropped(&self) {
        self.counts.borrow_mut().dropped += 1;
    }

    /// What came was no frame, for this reason.
    pub(crate) fn count_refused(&self, reason: String) {
        let mut counts = self.counts.borrow_mut();
        counts.refused += 1;
        counts.last_error = Some(reason);
    }

    /// A connection has ended otherwise than its other side meant it to.
    pub(crate) fn note_error(&self, reason: String) {
        self.counts.borrow_mut().last_error = Some(reason);
    }

    /// What is told of the camera now.
    pub(crate) fn report(&self, now: Instant) -> Report {
        let counts = self.counts.borrow();
        let connected = self.details.get();
        Report {
            connected: connected.is_some(),
            sleeps: connected.is_some_and(|it| it.way == Way::Told),
            address: connected.map(|it| it.peer.to_string()),
            fps: counts.rate.per_second(now),
            frames: counts.frames,
            bytes: counts.bytes,
            dropped: counts.dropped,
            refused: counts.refused,
            last_error: counts.last_error.clone(),
        }
    }
}

/// A connection's hold on its camera.
pub(crate) struct Claim {
    intake: Rc<Intake>,
    id: ConnectionId,
    connected: watch::Receiver<Option<ConnectionId>>,
}

/// Why a connection has its camera no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// A newer connection has it.
    Taken,
    /// The camera is in the configuration no longer.
    Removed,
}

impl Claim {
    /// Waits until the camera is the connection's no longer.
    pub(crate) fn lost(&self) -> impl Future<Output = Lost> + use<> {
        let (own, mut connected) = (Some(self.id), self.connected.clone());
        async move {
            // The sender lives as long as the intake, which is nobody's any more where it ends.
            match connected.wait_for(|now| *now != own).await {
                Ok(now) if now.is_some() => Lost::Taken,
                _ => Lost::Removed,
            }
        }
    }
}

impl Drop for Claim {
    /// What a camera sent that is gone is no frame any more.
    fn drop(&mut self) {
        let intake = &self.intake;
        let is_current = intake.details.get().is_some_and(|it| it.id == self.id);
        if is_current {
            intake.release();
            intake.newest.replace(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn frame(sequence: u64) -> Frame {
        Frame {
            picture: Picture {
                jpeg: bytes::Bytes::from_static(b"x"),
                width: 1,
                height: 1,
                kind: None,
            },
            captured: SystemTime::UNIX_EPOCH,
            sequence,
        }
    }

    fn put(intake: &Intake) {
        intake.put(frame(intake.next_sequence()));
    }

    #[tokio::test]
    async fn the_newest_connection_has_the_camera() {
        let intake = Rc::new(Intake::default());
        let first = intake.claim(Way::WebSocket, Peer::Unix);
        assert!(intake.take_returned() && !intake.take_returned());
        put(&intake);
        let second = intake.claim(Way::Told, Peer::Unix);
        assert_eq!(first.lost().await, Lost::Taken);
        drop(first);
        assert!(intake.is_connected() && intake.newest().is_some());
        assert!(intake.report(Instant::now()).sleeps);
        intake.release();
        assert_eq!(second.lost().await, Lost::Removed);
        drop(second);
        assert!(!intake.is_connected());
    }

    #[test]
    fn what_is_at_hand_goes_with_its_connection_but_stays_where_it_was_posted() {
        let intake = Rc::new(Intake::default());
        let claim = intake.claim(Way::WebSocket, Peer::Unix);
        put(&intake);
        drop(claim);
        assert!(!intake.is_present());
        put(&intake);
        assert!(intake.is_present() && !intake.is_connected());
        assert_eq!(intake.newest().unwrap().sequence, 2);
    }

    #[test]
    fn one_that_has_gone_has_no_rate() {
        let (intake, start) = (Rc::new(Intake::default()), Instant::now());
        let claim = intake.claim(Way::WebSocket, Peer::Unix);
        let at = |n| start + Duration::from_millis(100) * n;
        (0..=20).for_each(|n| intake.count(1, at(n)));
        assert_eq!(intake.report(at(20)).fps, Some(10.0));
        let newer = intake.claim(Way::WebSocket, Peer::Unix);
        drop(claim);
        assert_eq!(intake.report(at(20)).fps, Some(10.0), "it has come again");
        drop(newer);
        assert_eq!(intake.report(at(20)).fps, None);
    }

    #[test]
    fn a_frame_does_not_come_back_behind_a_newer_one() {
        let intake = Rc::new(Intake::default());
        let (old, new) = (intake.next_sequence(), intake.next_sequence());
        for sequence in [new, old] {
            intake.put(frame(sequence));
        }
        assert_eq!(intake.newest().unwrap().sequence, new);
        assert_eq!(intake.report(Instant::now()).dropped, 1);
    }

    #[test]
    fn what_came_before_a_camera_slept_is_not_shown_to_who_wakes_it() {
        for (way, stays) in [(Way::Told, false), (Way::WebSocket, true)] {
            let intake = Rc::new(Intake::default());
            let _claim = intake.claim(way, Peer::Unix);
            intake.set_awake(true);
            put(&intake);
            intake.set_awake(false);
            assert_eq!(intake.newest().is_some(), stays, "{way:?}");
        }
    }

    #[test]
    fn who_posted_long_ago_has_no_news_however_long_somebody_waits() {
        let (intake, start) = (Rc::new(Intake::default()), Instant::now());
        put(&intake);
        intake.count(1, start);
        intake.set_awake(true);
        assert!(!intake.has_news(start));
        for second in 1..5 {
            intake.count(1, start + Duration::from_secs(second));
        }
        assert!(intake.has_news(start + Duration::from_secs(5)), "its rate");
        assert!(!intake.has_news(start + Duration::from_secs(60)));
        let _claim = intake.claim(Way::WebSocket, Peer::Unix);
        assert!(intake.has_news(start + Duration::from_secs(60)));
        intake.set_awake(false);
        assert!(!intake.has_news(start));
    }
}
