//! One camera's WebSocket: what it sends is read as fast as it comes, and the newest of it taken.
//!
//! The task of a session waits for its socket, for a change of who looks (where the camera wants to
//! be told), for a newer connection of the camera, and for silence. It ends with the connection.

use std::fmt::Display;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use eyelid_http::Peer;
use eyelid_jpeg::PictureError;
use eyelid_producer::CameraClock;
use eyelid_websocket::Ended;
use tokio::sync::watch;
use tokio::time::sleep_until;

use crate::arrivals::FrameArrival;
use crate::camera::Camera;
use crate::cameras::Cameras;
use crate::intake::{Claim, Lost, Way};
use crate::judge::{Judge, MOST_BAD, TooManyBad};
use crate::prepare::{Prepared, Unusable};
use crate::taking::{Taken, Taking};
use crate::websocket::{Received, WebSocket};

/// The protocol of cameras that want to be told.
pub(crate) const PROTOCOL: &str = "eyelid.v1";

const SLEEP: &str = "{\"eyelid\":\"sleep\"}";
const WAKE: &str = "{\"eyelid\":\"wake\"}";

/// How long it may take to look for a newer frame in the socket: less than the time to the next.
const DRAIN: Duration = Duration::from_millis(20);

/// After which silence a sign of life is asked for, and how long that may take.
const SILENCE: Duration = Duration::from_secs(30);
const SIGN: Duration = Duration::from_secs(10);

/// The longest text: sketches say hello and tell of sensors.
const MOST_TEXT: usize = 64 << 10;

/// A camera's connection.
pub(crate) struct Session {
    cameras: Rc<Cameras>,
    camera: Rc<Camera>,
    way: Way,
    judge: Judge,
    taking: Taking,
    clock: CameraClock,
    /// What the camera said that its next frame's moment is, in milliseconds.
    told_ms: Option<f64>,
    has_logged_text: bool,
    heard: Instant,
    /// A sign of life was asked for.
    has_asked: bool,
}

/// How a session ends, from our side.
struct Close {
    code: u16,
    reason: String,
}

impl Close {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { code, reason }
    }
}

/// Why a session ends.
enum End {
    Ours(Close),
    Theirs(Ended),
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Refused { code, reason } => Self::Ours(Close { code, reason }),
            other => Self::Theirs(other),
        }
    }
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Ours(close)
    }
}

impl Session {
    /// Prepares for a camera that has connected.
    pub(crate) fn new(cameras: Rc<Cameras>, camera: Rc<Camera>, protocol: Option<&str>) -> Self {
        Self {
            taking: Taking::new(cameras.clone(), camera.clone()),
            judge: Judge::default(),
            cameras,
            camera,
            way: match protocol {
                Some(PROTOCOL) => Way::Told,
                _ => Way::WebSocket,
            },
            clock: CameraClock::default(),
            told_ms: None,
            has_logged_text: false,
            heard: Instant::now(),
            has_asked: false,
        }
    }

    /// Takes what the camera sends until the connection ends.
    pub(crate) async fn run(mut self, mut socket: WebSocket, peer: Peer) {
        let camera = self.camera.clone();
        let claim = camera.intake.claim(self.way, peer);
        self.cameras.connection_changed(&camera);
        let what = match self.way {
            Way::Told => "and sleeps when told to",
            _ => "and does not sleep",
        };
        camera.log_connection(&format!("connected from {peer} {what}"));
        let end = self.receive(&mut socket, &claim).await;
        self.finish_decoding(&claim).await;
        let reason = match end {
            End::Theirs(ended) => {
                if socket.is_within_message() {
                    camera
                        .intake
                        .count_refused(format!("half a frame: {ended}"));
                } else if let Ended::Lost(_) = ended {
                    camera.intake.note_error(ended.to_string());
                }
                ended.to_string()
            }
            End::Ours(Close { code, reason }) => {
                // The camera is free for the connection that took it.
                drop(claim);
                self.cameras.connection_changed(&camera);
                camera.intake.note_error(reason.clone());
                camera.log_connection(&format!("disconnected: {reason}"));
                return socket.close(code, &reason).await;
            }
        };
        drop(claim);
        self.cameras.connection_changed(&camera);
        camera.log_connection(&format!("disconnected: {reason}"));
        socket.finish().await;
    }

    async fn receive(&mut self, socket: &mut WebSocket, claim: &Claim) -> End {
        let mut awake = self.camera.intake.subscribe_awake();
        if let Err(ended) = self.tell(socket, &mut awake).await {
            return ended.into();
        }
        // Made once: to wait anew costs more than most of what is done for a frame.
        let mut lost = pin!(claim.lost());
        let mut silence = pin!(sleep_until(self.silent_at().into()));
        loop {
            let had_asked = self.has_asked;
            let step = tokio::select! {
                biased;
                lost = &mut lost => Err(lost_camera(lost).into()),
                _ = awake.changed(), if self.way == Way::Told => {
                    self.tell(socket, &mut awake).await.map_err(End::from)
                }
                decoded = self.taking.decoded() => self.decoded(decoded).map_err(End::from),
                received = socket.next() => match received {
                    Ok(received) => self.received(received, socket),
                    Err(ended) => Err(ended.into()),
                },
                () = &mut silence => {
                    let silent = self.silent(socket).await;
                    silence.as_mut().reset(self.silent_at().into());
                    silent
                }
            };
            if let Err(end) = step {
                return end;
            }
            if had_asked && !self.has_asked {
                silence.as_mut().reset(self.silent_at().into());
            }
            // Thousands of texts come with one read, and others are to have their turn between.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// When something should have come.
    fn silent_at(&self) -> Instant {
        self.heard + if self.has_asked { SIGN } else { SILENCE }
    }

    /// Tells the camera whether somebody looks, if it wants to be told.
    async fn tell(
        &mut self,
        socket: &mut WebSocket,
        awake: &mut watch::Receiver<bool>,
    ) -> Result<(), Ended> {
        if self.way != Way::Told {
            return Ok(());
        }
        let awake = *awake.borrow_and_update();
        self.judge.expect_silence();
        socket.send_text(if awake { WAKE } else { SLEEP }).await
    }

    async fn silent(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        // Something has come since this was waited for. A message may take long.
        if socket.last_read() > self.heard {
            self.heard = socket.last_read();
            self.has_asked = false;
        }
        if Instant::now() < self.silent_at() {
            return Ok(());
        }
        if self.has_asked {
            return Err(Close::new(1001, "no sign of life").into());
        }
        socket.ping().await?;
        self.has_asked = true;
        self.heard = Instant::now();
        Ok(())
    }

    /// What came before the end is a frame all the same, unless a newer connection has the camera.
    async fn finish_decoding(&mut self, claim: &Claim) {
        let mut lost = pin!(claim.lost());
        while self.taking.is_decoding() {
            tokio::select! {
                biased;
                _ = &mut lost => return,
                decoded = self.taking.decoded() => {
                    let _ = self.decoded(decoded);
                }
            }
        }
    }

    /// A frame is decoded, or is none.
    fn decoded(&mut self, decoded: Result<(), PictureError>) -> Result<(), Close> {
        match decoded {
            Ok(()) => {
                self.judge.good();
                Ok(())
            }
            Err(error) => self.bad(&error),
        }
    }

    /// Takes in what has come, and what else of it is there already: the newest frame is the one.
    fn received(&mut self, first: Received, socket: &mut WebSocket) -> Result<(), End> {
        let began = Instant::now();
        self.heard = began;
        self.has_asked = false;
        let (mut newest, mut end) = (None, Ok(()));
        let mut next = Some(first);
        while let Some(received) = next {
            let judged = match received {
                Received::Binary(message, came) => self.judge(&message, came, socket.resumed()),
                Received::Text(text) => self.text(&text).map(|()| None),
                Received::Sign => Ok(None),
            };
            match judged {
                Ok(Some(frame)) => {
                    if newest.replace(frame).is_some() {
                        self.camera.intake.count_dropped();
                    }
                }
                Ok(None) => {}
                // What came before the end is a frame all the same.
                Err(close) => {
                    end = Err(close.into());
                    break;
                }
            }
            if newest.is_none() || began.elapsed() > DRAIN {
                break;
            }
            next = match socket.try_next() {
                Ok(next) => next,
                Err(ended) => {
                    end = Err(ended.into());
                    None
                }
            };
        }
        if let Some((prepared, captured)) = newest
            && self.taking.take(prepared, captured) == Taken::AtHand
        {
            self.judge.good();
        }
        end
    }

    /// A binary message is there; gives it with its moment of capture, if it is a frame and new.
    fn judge(
        &mut self,
        message: &Bytes,
        came: SystemTime,
        resumed: Instant,
    ) -> Result<Option<(Prepared, SystemTime)>, Close> {
        let arrival = FrameArrival::of_now(came, resumed, self.told_ms.take());
        let captured = match arrival.told_ms {
            Some(told_ms) => self.clock.captured(told_ms, came, arrival.whole),
            None => came,
        };
        match self.judge.judge(&self.camera, message, arrival) {
            Ok(prepared) => Ok(prepared.map(|prepared| (prepared, captured))),
            Err(error @ Unusable::TooLong { .. }) => {
                self.camera.intake.count_refused(error.to_string());
                Err(Close::new(1009, error.to_string()))
            }
            Err(error) => self.bad(&error).map(|()| None),
        }
    }

    /// A message was no frame.
    fn bad(&mut self, error: &impl Display) -> Result<(), Close> {
        let bad = self.judge.bad(&self.camera, error.to_string());
        bad.map_err(|TooManyBad| {
            let what = format!("{MOST_BAD} messages in a row are no frame; the last: {error}");
            Close::new(1003, what)
        })
    }

    /// A text is the camera's clock, where it speaks our protocol; else it is nothing to us.
    fn text(&mut self, text: &str) -> Result<(), Close> {
        if text.len() > MOST_TEXT {
            return Err(Close::new(1009, "a text of more than 64 KiB"));
        }
        if self.way == Way::Told
            && let Some(told_ms) = told_ms(text)
        {
            self.told_ms = Some(told_ms);
            return Ok(());
        }
        if !self.has_logged_text {
            self.has_logged_text = true;
            log::debug!(
                "camera {:?} sends texts, which are ignored",
                self.camera.name.as_str()
            );
        }
        Ok(())
    }
}

fn lost_camera(lost: Lost) -> Close {
    match lost {
        Lost::Taken => Close::new(4001, "a newer connection has this camera"),
        Lost::Removed => Close::new(
            1001,
            "this camera may push here no longer, or this program ends",
        ),
    }
}

/// The moment in `{"t": MILLISECONDS}`.
pub(crate) fn told_ms(text: &str) -> Option<f64> {
    #[derive(serde::Deserialize)]
    struct Told {
        t: f64,
    }
    serde_json::from_str(text).ok().map(|told: Told| told.t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_number_of_milliseconds() {
        assert_eq!(told_ms("{\"t\": 12345}"), Some(12345.0));
        assert_eq!(told_ms("{\"t\":12.5,\"more\":1}"), Some(12.5));
        for text in ["", "PING", "{}", "{\"t\":\"1\"}", "{\"type\":\"hello\"}"] {
            assert_eq!(told_ms(text), None, "{text}");
        }
    }
}
