//! The body of a POST or PUT: one picture, a form with one, or pictures without end.
//!
//! Sketches name the content as they like, and some name a form without a boundary, so a body is
//! what is in it: each JPEG that it has is a frame, whatever stands between them.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use eyelid_http::Peer;
use eyelid_http::response::{FullResponse, close, problem, typed};
use eyelid_jpeg::{PictureError, Splitter};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::task::yield_now;
use tokio::time::timeout_at;

use crate::arrivals::{Flow, FrameArrival};
use crate::camera::{Camera, PostEntry};
use crate::cameras::Cameras;
use crate::intake::{Claim, Lost, Way};
use crate::judge::{Judge, TooManyBad};
use crate::prepare::Prepared;
use crate::taking::{Taken, Taking};

/// How long a body may pause, and how long it may take for its next whole picture, or its end.
const PAUSE: Duration = Duration::from_secs(10);
const WITHOUT_PICTURE: Duration = Duration::from_secs(60);

/// What may stand around pictures: the fields of a form. Behind the picture of a form, which is its
/// only one, another may stand as well.
const MOST_BETWEEN_BYTES: usize = 1 << 20;

/// Of a form one picture is taken.
const FORM: &[u8] = b"multipart/form-data";

/// How long it may take to look for a newer picture in the body.
const DRAIN: Duration = Duration::from_millis(20);

/// How often hyper is let read from the socket before that is taken for empty: once for what has
/// come, and once for what it did not take at once.
const READS: u32 = 2;

/// A body that is read.
pub(crate) struct Post {
    cameras: Rc<Cameras>,
    camera: Rc<Camera>,
    peer: Peer,
    splitter: Splitter,
    judge: Judge,
    taking: Taking,
    /// When something came, if only a part of a picture.
    flow: Flow,
    /// There once a second picture has come: it is a stream.
    claim: Option<Claim>,
    pictures: u64,
    taken: u64,
    /// Bytes that belong to no picture.
    between_bytes: usize,
    last_error: Option<String>,
    contents: Contents,
    /// When the last picture was whole, or the body began.
    last_picture: Instant,
    _entry: PostEntry,
}

/// How many pictures a body may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// One: what else a form has is no frame.
    Form,
    /// As many as come.
    Pictures,
}

impl Contents {
    /// Reads what the body is said to be. All but forms is called anything.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let kind = kind.and_then(|kind| kind.split(|byte| *byte == b';').next());
        match kind.is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(FORM)) {
            true => Self::Form,
            false => Self::Pictures,
        }
    }
}

/// Why a body is not read further.
enum End {
    /// It ended.
    Whole,
    /// It is refused.
    Refused(StatusCode, String),
}

impl Post {
    /// Prepares to read one.
    pub(crate) fn new(
        cameras: Rc<Cameras>,
        camera: Rc<Camera>,
        peer: Peer,
        entry: PostEntry,
        contents: Contents,
    ) -> Self {
        let max_bytes = camera.settings().max_bytes;
        Self {
            taking: Taking::new(cameras.clone(), camera.clone()),
            cameras,
            camera,
            peer,
            splitter: Splitter::with_max_bytes(max_bytes),
            judge: Judge::default(),
            flow: Flow::new(Instant::now()),
            claim: None,
            pictures: 0,
            taken: 0,
            between_bytes: 0,
            last_error: None,
            contents,
            last_picture: Instant::now(),
            _entry: entry,
        }
    }

    /// Reads it to its end, and answers.
    pub(crate) async fn respond(mut self, body: Incoming) -> FullResponse {
        let max_bytes = self.camera.settings().max_bytes;
        // One picture alone tells beforehand that it is too large; streams never say a length.
        let most = (max_bytes + MOST_BETWEEN_BYTES) as u64;
        let end = if body.size_hint().exact().is_some_and(|bytes| bytes > most) {
            too_large(max_bytes)
        } else {
            let end = self.read(body).await;
            self.finish_decoding(end).await
        };
        let had_claim = self.claim.take().is_some();
        if had_claim {
            self.camera.log_connection("disconnected");
            self.cameras.connection_changed(&self.camera);
        }
        let (status, what) = match end {
            End::Whole if self.taken > 0 => {
                if self.splitter.is_inside() {
                    self.camera.intake.count_refused(self.no_picture());
                }
                let awake = self.camera.intake.is_awake();
                let said = serde_json::json!({ "awake": awake }).to_string();
                return typed(Bytes::from(said), "application/json");
            }
            End::Whole => (StatusCode::UNPROCESSABLE_ENTITY, self.no_picture()),
            End::Refused(status, what) => (status, what),
        };
        let is_refused = match status {
            // It ended, or was ended, within one.
            StatusCode::BAD_REQUEST => self.splitter.is_inside(),
            StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::REQUEST_TIMEOUT => self.last_error.is_none(),
            _ => false,
        };
        match is_refused {
            true => self.camera.intake.count_refused(what.clone()),
            false => self.camera.intake.note_error(what.clone()),
        }
        let mut response = problem(status, &what);
        close(response.headers_mut());
        response
    }

    async fn read(&mut self, body: Incoming) -> End {
        let mut body = pin!(body);
        loop {
            if self.last_picture.elapsed() > WITHOUT_PICTURE {
                let what = "no whole picture within a minute";
                return End::Refused(StatusCode::REQUEST_TIMEOUT, what.to_owned());
            }
            let piece = tokio::select! {
                biased;
                lost = lost(&self.claim) => return replaced(lost),
                decoded = self.taking.decoded() => match self.decoded(decoded) {
                    Ok(()) => continue,
                    Err(end) => return end,
                },
                piece = timeout_at((self.flow.last() + PAUSE).into(), body.frame()) => piece,
            };
            let piece = match piece {
                Err(_) => {
                    let what = "nothing has come for 10s, and the body has not ended";
                    return End::Refused(StatusCode::REQUEST_TIMEOUT, what.to_owned());
                }
                Ok(None) => return End::Whole,
                Ok(Some(Err(error))) => {
                    return End::Refused(StatusCode::BAD_REQUEST, error.to_string());
                }
                Ok(Some(Ok(piece))) => piece,
            };
            let Ok(bytes) = piece.into_data() else {
                continue;
            };
            if let Err(end) = self.feed(&bytes) {
                return end;
            }
            if let Err(end) = self.take_newest(body.as_mut()).await {
                return end;
            }
        }
    }

    fn feed(&mut self, bytes: &Bytes) -> Result<(), End> {
        self.flow.came(Instant::now());
        let before = self.splitter.count();
        let max_bytes = self.camera.settings().max_bytes;
        if self.contents == Contents::Form && before > 0 {
            self.between_bytes += bytes.len();
            return match self.between_bytes > max_bytes + MOST_BETWEEN_BYTES {
                true => Err(too_large(max_bytes)),
                false => Ok(()),
            };
        }
        let now = SystemTime::now();
        let fed = match self.contents {
            Contents::Form => self.splitter.feed_first(bytes, now),
            Contents::Pictures => self.splitter.feed_bounded(bytes, now),
        };
        if fed.is_err() {
            return Err(too_large(max_bytes));
        }
        let new = self.splitter.count() - before;
        if new == 0 && !self.splitter.is_inside() {
            self.between_bytes += bytes.len();
            if self.between_bytes > MOST_BETWEEN_BYTES {
                let what = "more than 1 MiB without a picture".to_owned();
                return Err(End::Refused(StatusCode::PAYLOAD_TOO_LARGE, what));
            }
        }
        if new > 0 {
            self.between_bytes = 0;
        }
        self.pictures += new;
        (1..new).for_each(|_| self.camera.intake.count_dropped());
        Ok(())
    }

    /// Takes the newest picture that is there, once the socket has no more to give now.
    async fn take_newest(&mut self, mut body: Pin<&mut Incoming>) -> Result<(), End> {
        let began = Instant::now();
        let Some(mut newest) = self.arrived()? else {
            return Ok(());
        };
        if self.pictures > 1 && self.claim.is_none() {
            self.claim = Some(self.camera.intake.claim(Way::Post, self.peer));
            let what = format!("connected from {} by a POST without end", self.peer);
            self.camera.log_connection(&what);
            self.cameras.connection_changed(&self.camera);
        }
        while began.elapsed() < DRAIN
            && let Some(bytes) = at_hand(body.as_mut()).await
        {
            self.feed(&bytes)?;
            if let Some(newer) = self.arrived()? {
                self.camera.intake.count_dropped();
                newest = newer;
            }
        }
        let (prepared, captured) = newest;
        match self.taking.take(prepared, captured) {
            Taken::AtHand => self.decoded(Ok(()))?,
            Taken::Unseen => self.taken += 1,
            Taken::Later => {}
        }
        Ok(())
    }

    /// A picture is at hand, or is no frame as was seen when it was decoded.
    fn decoded(&mut self, decoded: Result<(), PictureError>) -> Result<(), End> {
        match decoded {
            Ok(()) => {
                self.taken += 1;
                self.judge.good();
                Ok(())
            }
            Err(error) => self.bad(error.to_string()),
        }
    }

    /// Waits for what is to be decoded: a body's only picture may be that. Gives why nothing more
    /// is read.
    async fn finish_decoding(&mut self, mut end: End) -> End {
        while self.taking.is_decoding() {
            let decoded = tokio::select! {
                biased;
                lost = lost(&self.claim) => return replaced(lost),
                decoded = self.taking.decoded() => self.decoded(decoded),
            };
            if let (End::Whole, Err(refused)) = (&end, decoded) {
                end = refused;
            }
        }
        end
    }

    /// A picture was no frame.
    fn bad(&mut self, reason: String) -> Result<(), End> {
        self.last_error = Some(reason.clone());
        let bad = self.judge.bad(&self.camera, reason);
        bad.map_err(|TooManyBad| End::Refused(StatusCode::UNPROCESSABLE_ENTITY, self.no_picture()))
    }

    /// Gives the picture that has become whole, if it is a frame and new.
    fn arrived(&mut self) -> Result<Option<(Prepared, SystemTime)>, End> {
        let Some((picture, captured)) = self.splitter.take_newest() else {
            return Ok(None);
        };
        let arrival = FrameArrival::of_now(captured, self.flow.resumed(), None);
        self.last_picture = arrival.whole;
        match self.judge.judge(&self.camera, &picture.into(), arrival) {
            Ok(prepared) => Ok(prepared.map(|prepared| (prepared, captured))),
            Err(error) => self.bad(error.to_string()).map(|()| None),
        }
    }

    fn no_picture(&self) -> String {
        let cause = match (&self.last_error, self.splitter.last_error()) {
            (Some(error), _) => error.clone(),
            (None, Some(error)) => error.to_string(),
            (None, None) if self.splitter.is_inside() => "it ends within one".to_owned(),
            (None, None) => "nothing in it begins as one".to_owned(),
        };
        format!("no whole JPEG in the body: {cause}")
    }
}

/// Gives the next piece of a body, if its bytes have come. The same task reads them from the
/// socket: it is let do so.
async fn at_hand(mut body: Pin<&mut Incoming>) -> Option<Bytes> {
    for _ in 0..READS {
        if let Some(Some(Ok(piece))) = body.frame().now_or_never() {
            return piece.into_data().ok();
        }
        yield_now().await;
    }
    None
}

async fn lost(claim: &Option<Claim>) -> Lost {
    match claim {
        Some(claim) => claim.lost().await,
        None => std::future::pending().await,
    }
}

fn replaced(lost: Lost) -> End {
    let what = match lost {
        Lost::Taken => "a newer connection has this camera",
        Lost::Removed => "this camera is configured no longer",
    };
    End::Refused(StatusCode::CONFLICT, what.to_owned())
}

fn too_large(max_bytes: usize) -> End {
    let what = format!("a picture may have {max_bytes} bytes here; max-bytes says how many");
    End::Refused(StatusCode::PAYLOAD_TOO_LARGE, what)
}
