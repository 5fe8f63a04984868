//! What one client's requests come to (RFC 2326, appendix A): the session of a connection, apart
//! from sockets, cameras and clocks.
//!
//! [`Session::on_request`] says what is to be done. Where that is more than to answer, whoever has
//! the cameras and sockets does it, and tells the session ([`Session::described`],
//! [`Session::set_up`], [`Session::playing`], [`Session::challenge`]), which gives the answer. A
//! connection has one session at a time, and always the same identifier: clients are known that get
//! two at odds.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_slot::CameraName;

use crate::rtsp::auth::{Login, Unauthorized, Users};
use crate::rtsp::message::{Method, Request, Response, Status};
use crate::rtsp::target::{NoTarget, Target, base_and_control, track_url};
use crate::rtsp::transport::{ServerSide, Transport, Ways, answer, choose};

mod control;

/// By which part of the time-out a client may be silent for longer: some send their word when the
/// time is up.
const GRACE: u32 = 4;

/// For how many time-outs a nonce is good: 5 min as a rule, as Apache has it
/// (`AuthDigestNonceLifetime`).
const NONCE_TIMEOUTS: u32 = 5;

/// Who the server says that it is.
const SERVER: &str = concat!("Eyelid/", env!("CARGO_PKG_VERSION"));

/// The session of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    id: String,
    nonce: Option<Nonce>,
    users: Option<Rc<Users>>,
    /// Who was last let in, where a password is asked for.
    login: Option<Login>,
    /// The address that packets may go to.
    address: Option<IpAddr>,
    /// After how long without a word a client is told that it counts as gone.
    timeout: Duration,
    has_described: bool,
    state: State,
}

/// What the client is to compute its responses with.
#[derive(Debug)]
struct Nonce {
    text: String,
    issued: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Init,
    Ready(SetUp),
    Playing(SetUp),
}

/// What is sent to a client, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetUp {
    /// What it looks at.
    pub(crate) target: Target,
    /// How packets go to it.
    pub(crate) transport: Transport,
    /// The transport's name, as the client has it.
    protocol: String,
    /// The URL of the track, as the client has it.
    url: String,
}

/// What a request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Answer it.
    Respond(Response),
    /// Ask for a password, by [`Session::challenge`]; after a while where one was wrong.
    Challenge(Unauthorized),
    /// Answer it, and tell the log: this client speaks a dialect that no camera of ours does.
    RespondToDialect(Response),
    /// Say what there is to see of this, by [`Session::described`] or [`Session::not_found`].
    Describe(Target),
    /// Make ready to send this, by [`Session::set_up`], [`Session::not_found`] or
    /// [`Session::unavailable`].
    SetUp(SetUp),
    /// Send, by [`Session::playing`].
    Play,
    /// Say by [`Session::not_found`] or [`Session::nothing_set_up`] that this camera is not the one
    /// that was set up.
    Elsewhere(CameraName),
    /// Send no more, then answer.
    Pause(Response),
    /// Send no more and forget what was made ready, then answer.
    TearDown(Response),
}

impl Session {
    /// One that nothing was asked of. `id` cannot be guessed by others.
    pub(crate) fn new(
        id: String,
        users: Option<Rc<Users>>,
        address: Option<IpAddr>,
        timeout: Duration,
    ) -> Self {
        Self {
            id,
            nonce: None,
            users,
            login: None,
            address,
            timeout,
            has_described: false,
            state: State::Init,
        }
    }

    /// What is sent, or ready to be.
    pub(crate) fn current(&self) -> Option<&SetUp> {
        match &self.state {
            State::Init => None,
            State::Ready(set_up) | State::Playing(set_up) => Some(set_up),
        }
    }

    /// Says whether it plays.
    pub(crate) fn is_playing(&self) -> bool {
        matches!(self.state, State::Playing(_))
    }

    /// After how long without a word the client is gone. One that gets packets on the connection
    /// itself is there as long as that is; but one that does not play takes up room for nothing.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Playing(set_up) if matches!(set_up.transport, Transport::Interleaved { .. }) => {
                None
            }
            State::Init => Some(self.timeout),
            State::Ready(_) | State::Playing(_) => Some(self.timeout + self.timeout / GRACE),
        }
    }

    /// Asks these for a password from now on, or nobody.
    pub(crate) fn set_users(&mut self, users: Option<Rc<Users>>) {
        self.users = users;
    }

    /// Says whether what is set up may stay where these are asked for a password: not where its
    /// user is none of them any more, or has another secret.
    pub(crate) fn may_stay(&self, users: Option<&Users>) -> bool {
        let (Some(users), Some(_)) = (users, self.current()) else {
            return true;
        };
        self.login.as_ref().is_some_and(|login| users.know(login))
    }

    /// Decides what a request comes to that comes `now`. `has_group` says whether a camera is sent
    /// to a group.
    pub(crate) fn on_request(
        &mut self,
        request: &Request,
        now: Instant,
        has_group: impl Fn(&Target) -> bool,
    ) -> Step {
        if request.header("CSeq").is_none() {
            return Step::Respond(self.respond(request, Status::BadRequest));
        }
        if let Some(needed) = request.header("Require") {
            let response = self.respond(request, Status::OptionNotSupported);
            return Step::Respond(response.with("Unsupported", needed));
        }
        if request.method == Method::Options {
            let response = self.respond(request, Status::Ok);
            return Step::Respond(response.with("Public", Method::names()));
        }
        if let Err(reason) = self.let_in(request, now) {
            return Step::Challenge(reason);
        }
        if self.is_of_another_session(request) {
            return Step::Respond(self.respond(request, Status::SessionNotFound));
        }
        match request.method {
            Method::Describe => self.describe(request),
            Method::Setup => self.begin_setup(request, has_group),
            Method::Play => self.play(request),
            Method::Pause => self.pause(request),
            Method::Teardown => self.tear_down(request),
            // Keepalives; what is in them is nobody's business here.
            Method::GetParameter | Method::SetParameter => {
                Step::Respond(self.respond(request, Status::Ok))
            }
            Method::Options | Method::Other => {
                let response = self.respond(request, Status::NotImplemented);
                Step::Respond(response.with("Public", Method::names()))
            }
        }
    }

    /// Says what there is to see, in SDP. `describe` gets the control of the track.
    pub(crate) fn described(
        &mut self,
        request: &Request,
        describe: impl FnOnce(&str) -> String,
    ) -> Response {
        self.has_described = true;
        let (base, control) = base_and_control(&request.url);
        self.respond(request, Status::Ok)
            .with("Content-Base", base)
            .with("Cache-Control", "no-cache")
            .with_body("application/sdp", describe(&control))
    }

    /// All is ready to send this.
    pub(crate) fn set_up(
        &mut self,
        request: &Request,
        set_up: SetUp,
        side: ServerSide,
        ssrc: u32,
    ) -> Response {
        let transport = answer(&set_up.protocol, set_up.transport, side, ssrc);
        self.state = State::Ready(set_up);
        self.respond(request, Status::Ok)
            .with("Transport", transport)
            .with("Cache-Control", "no-cache")
    }

    /// Packets go from now on: the next one has this sequence number, and now is this RTP time.
    pub(crate) fn playing(
        &mut self,
        request: &Request,
        next_sequence: u16,
        now_90k: u32,
    ) -> Response {
        let Some(set_up) = self.current().cloned() else {
            return self.respond(request, Status::MethodNotValidInThisState);
        };
        let url = &set_up.url;
        let info = format!("url={url};seq={next_sequence};rtptime={now_90k}");
        self.state = State::Playing(set_up);
        self.respond(request, Status::Ok)
            .with("Range", "npt=now-")
            .with("RTP-Info", info)
    }

    /// A password is asked for. Responses are to be computed with this `nonce`, which others
    /// cannot guess, from `now` on.
    pub(crate) fn challenge(
        &mut self,
        request: &Request,
        reason: Unauthorized,
        nonce: String,
        now: Instant,
    ) -> Response {
        let response = self.respond(request, Status::Unauthorized);
        let challenges = match &self.users {
            Some(users) => users.challenges(&nonce, reason).to_vec(),
            None => Vec::new(),
        };
        self.nonce = Some(Nonce {
            text: nonce,
            issued: now,
        });
        challenges
            .into_iter()
            .fold(response, |response, challenge| {
                response.with("WWW-Authenticate", challenge)
            })
    }

    /// There is no such camera.
    pub(crate) fn not_found(&self, request: &Request) -> Response {
        self.respond(request, Status::NotFound)
    }

    /// There is no room for it now.
    pub(crate) fn unavailable(&self, request: &Request) -> Response {
        self.respond(request, Status::ServiceUnavailable)
    }

    fn respond(&self, request: &Request, status: Status) -> Response {
        let response = Response::new(status);
        let response = match request.header("CSeq") {
            Some(number) => response.with("CSeq", number),
            None => response,
        };
        let response = response.with("Server", SERVER);
        match self.current() {
            Some(_) => {
                let session = format!("{};timeout={}", self.id, self.timeout.as_secs());
                response.with("Session", session)
            }
            None => response,
        }
    }

    /// Lets in who may look, and notes who that is; else says why not.
    fn let_in(&mut self, request: &Request, now: Instant) -> Result<(), Unauthorized> {
        let Some(users) = &self.users else {
            return Ok(());
        };
        let authorization = request.header("Authorization");
        let method = request.method.name();
        let is_good = |nonce: &&Nonce| {
            now.saturating_duration_since(nonce.issued) < self.timeout * NONCE_TIMEOUTS
        };
        let good = self.nonce.as_ref().filter(is_good);
        let good = good.map(|nonce| nonce.text.as_str());
        let login = users.judge(authorization, method, &request.url, good)?;
        self.login = Some(login);
        Ok(())
    }

    /// Says whether a request names a session that is not this one, or one that has ended.
    fn is_of_another_session(&self, request: &Request) -> bool {
        let Some(header) = request.header("Session") else {
            return false;
        };
        let id = header.split(';').next().unwrap_or_default().trim();
        id != self.id || (self.current().is_none() && request.method != Method::Setup)
    }

    fn describe(&self, request: &Request) -> Step {
        let is_wanted = request.header("Accept").is_none_or(|accept| {
            ["application/sdp", "application/*", "*/*"]
                .iter()
                .any(|kind| accept.contains(kind))
        });
        if !is_wanted {
            return Step::Respond(self.respond(request, Status::NotAcceptable));
        }
        match Target::parse(&request.url) {
            Ok(target) => Step::Describe(target),
            Err(reason) => Step::Respond(self.no_target(request, reason)),
        }
    }

    fn no_target(&self, request: &Request, reason: NoTarget) -> Response {
        self.respond(
            request,
            match reason {
                NoTarget::Malformed => Status::BadRequest,
                NoTarget::Camera | NoTarget::Size | NoTarget::Codec => Status::NotFound,
            },
        )
    }

    fn begin_setup(&self, request: &Request, has_group: impl Fn(&Target) -> bool) -> Step {
        let target = match Target::parse(&request.url) {
            Ok(target) => target,
            Err(reason) => return Step::Respond(self.no_target(request, reason)),
        };
        if !target.is_track && !self.has_described {
            // SAT>IP, which Debian's VLC speaks instead of RTSP: it sets up what it has not read
            // the description of, and expects MPEG-TS.
            let status = Status::MethodNotValidInThisState;
            return Step::RespondToDialect(self.respond(request, status));
        }
        match &self.state {
            State::Init => {}
            State::Playing(_) => {
                let status = Status::MethodNotValidInThisState;
                return Step::Respond(self.respond(request, status));
            }
            State::Ready(ready) => {
                let is_same =
                    ready.target.camera == target.camera && ready.target.size == target.size;
                if !is_same {
                    let status = Status::AggregateOperationNotAllowed;
                    return Step::Respond(self.respond(request, status));
                }
            }
        }
        let ways = Ways {
            address: self.address,
            has_group: has_group(&target),
        };
        let Some(offers) = request.header("Transport") else {
            return Step::Respond(self.respond(request, Status::BadRequest));
        };
        match choose(offers, ways) {
            Some((transport, protocol)) => Step::SetUp(SetUp {
                target,
                transport,
                protocol: protocol.to_owned(),
                url: track_url(&request.url),
            }),
            None => Step::Respond(self.respond(request, Status::UnsupportedTransport)),
        }
    }
}

#[cfg(test)]
mod tests;
