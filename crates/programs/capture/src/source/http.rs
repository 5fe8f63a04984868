//! `http`: what another camera or server gives by HTTP, asked for only while somebody looks:
//! another Eyelid, or anything that has a stream of JPEGs or single ones.
//!
//! The connection is the demand: opened when this camera wakes, closed when it sleeps, so that the
//! camera on the other side sleeps, too. It is read by a thread of its own ([`session`]) as fast as
//! it comes, and of what has come only the newest frame is at hand. What is decided stands apart
//! from sockets: [`answer`] (what an answer is), [`part_head`] (what a part says of its frame),
//! and the producer's `CameraClock` (when it was captured).

mod answer;
mod asking;
mod handover;
mod part_head;
mod rate;
mod reading;
mod session;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use eyelid_config::HttpUrl;
use eyelid_http_client::{Login, Trust, Url};
use eyelid_jpeg::{Check, FrameMaker};
use eyelid_producer::{EncodedFrame, Source, SourceStatus};

use super::SourceError;
use crate::Settings;
use handover::{Ended, Handover};
#[cfg(any(test, fuzzing))]
pub(crate) use part_head::fuzzing;
use rate::Rate;
use session::{Destination, Session};

/// How often single pictures are asked for where nobody says.
const PICTURE_INTERVAL: Duration = Duration::from_millis(200);

/// A pause that the other side asks for is kept up to this: somebody is looking.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Another camera, and what has come of it.
pub(crate) struct Http {
    destination: Destination,
    handover: Arc<Handover>,
    session: Option<Session>,
    maker: FrameMaker,
    jpeg: Vec<u8>,
    captured: Option<SystemTime>,
    sequence: u64,
    /// What is wrong with the newest frame.
    problem: Option<String>,
    /// Not to be asked before, because it said this.
    paused: Option<(Instant, String)>,
}

impl Http {
    /// Prepares to ask; nobody is asked yet.
    ///
    /// # Errors
    /// A URL, a login or certificates that cannot be used.
    pub(crate) fn open(url: &HttpUrl, settings: &Settings) -> Result<Self, SourceError> {
        let handover = Handover::new().map_err(|reason| SourceError::HttpSystem {
            what: "be woken",
            reason,
        })?;
        Ok(Self {
            destination: destination(url, settings)?,
            handover: Arc::new(handover),
            session: None,
            maker: FrameMaker::new(settings.frame_options()),
            jpeg: Vec::new(),
            captured: None,
            sequence: 0,
            problem: None,
            paused: None,
        })
    }
}

/// Says why a camera cannot be asked as things are.
///
/// # Errors
/// As of [`Http::open`].
pub(crate) fn check(url: &HttpUrl, settings: &Settings) -> Result<(), SourceError> {
    destination(url, settings).map(|_| ())
}

fn destination(url: &HttpUrl, settings: &Settings) -> Result<Destination, SourceError> {
    let setup = |what: String| SourceError::HttpSetup(what);
    let url = url.as_str().parse::<Url>();
    let url = url.map_err(|error| setup(format!("source: the URL {error}")))?;
    let login = match (&settings.login_file, &settings.login) {
        (Some(path), _) => Some(Login::read(path).map_err(|error| setup(error.to_string()))?),
        (None, Some(login)) => Login::new(login.secret()),
        (None, None) => None,
    };
    let trust = match &settings.ca_file {
        Some(path) => Trust::with_certificates(path).map_err(|error| setup(error.to_string()))?,
        None => Trust::default(),
    };
    let interval = settings.fps.map(|fps| fps.interval());
    Ok(Destination {
        url,
        login,
        trust,
        interval: interval.unwrap_or(PICTURE_INTERVAL),
        rate: settings.fps.map(Rate::new),
    })
}

impl Source for Http {
    type Error = SourceError;

    fn start(&mut self, now: Instant) -> Result<(), SourceError> {
        self.captured = None;
        self.problem = None;
        if let Some((until, why)) = &self.paused
            && now < *until
        {
            return Err(SourceError::Http(why.clone()));
        }
        self.paused = None;
        *self.handover.left() = handover::Left::default();
        self.handover.take_in();
        let session = Session::begin(self.destination.clone(), Arc::clone(&self.handover));
        self.session = Some(session.map_err(|reason| SourceError::HttpSystem {
            what: "start a thread",
            reason,
        })?);
        Ok(())
    }

    fn stop(&mut self, _now: Instant) {
        self.session = None;
        self.captured = None;
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.handover.as_fd()]
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn advance(&mut self, now: Instant) -> Result<(), SourceError> {
        self.handover.take_in();
        if self.session.is_none() {
            return Ok(());
        }
        let mut left = self.handover.left();
        if let Some(captured) = left.captured.take() {
            std::mem::swap(&mut left.jpeg, &mut self.jpeg);
            self.captured = Some(captured);
            self.sequence += 1;
        }
        let Some(Ended { why, retry_after }) = left.ended.take() else {
            return Ok(());
        };
        self.paused = retry_after.map(|pause| (now + pause.min(LONGEST_PAUSE), why.clone()));
        Err(SourceError::Http(why))
    }

    fn status(&self) -> SourceStatus {
        let sequence = self.captured.map(|_| self.sequence);
        SourceStatus {
            sequence,
            works: sequence.is_some(),
            keeps_rate: self.handover.left().keeps_rate,
            ..SourceStatus::default()
        }
    }

    fn waiting(&self) -> String {
        match &self.problem {
            Some(problem) => {
                let url = &self.destination.url;
                format!("{url} gives no usable picture: {problem}")
            }
            None => self.handover.left().waiting.clone(),
        }
    }

    fn encode(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        let Some(captured) = self.captured else {
            return Ok(None);
        };
        match self.maker.jpeg(&self.jpeg, Check::Markers) {
            Ok(picture) => {
                self.problem = None;
                Ok(Some(EncodedFrame { picture, captured }))
            }
            Err(error) => {
                log::debug!("{}: frame dropped: {error}", self.destination.url);
                self.problem = Some(error.to_string());
                Ok(None)
            }
        }
    }
}
