//! What is asked of a session that is set up: PLAY, PAUSE and TEARDOWN.

use crate::rtsp::message::{Method, Request, Response, Status};
use crate::rtsp::session::{Session, State, Step};
use crate::rtsp::target::Presentation;

impl Session {
    /// Nothing is set up of what a request asks to be played, paused or ended.
    pub(crate) fn nothing_set_up(&self, request: &Request) -> Response {
        let status = match request.method {
            Method::Teardown => Status::SessionNotFound,
            _ => Status::MethodNotValidInThisState,
        };
        self.respond(request, status)
    }

    pub(super) fn play(&self, request: &Request) -> Step {
        self.elsewhere(request).unwrap_or(Step::Play)
    }

    pub(super) fn pause(&mut self, request: &Request) -> Step {
        if let Some(step) = self.elsewhere(request) {
            return step;
        }
        if let Some(set_up) = self.current().cloned() {
            self.state = State::Ready(set_up);
        }
        Step::Pause(self.respond(request, Status::Ok))
    }

    pub(super) fn tear_down(&mut self, request: &Request) -> Step {
        if let Some(step) = self.elsewhere(request) {
            return step;
        }
        self.state = State::Init;
        Step::TearDown(self.respond(request, Status::Ok))
    }

    /// What a request comes to that does not name what is set up.
    fn elsewhere(&self, request: &Request) -> Option<Step> {
        let Some(set_up) = self.current() else {
            return Some(Step::Respond(self.nothing_set_up(request)));
        };
        match Presentation::parse(&request.url) {
            Ok(named) if named.is_of(&set_up.target) => None,
            Ok(named) => Some(Step::Elsewhere(named.camera)),
            Err(reason) => Some(Step::Respond(self.no_target(request, reason))),
        }
    }
}
