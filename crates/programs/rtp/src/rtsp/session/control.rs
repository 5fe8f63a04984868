//! What is asked of a session that is set up: PLAY, PAUSE and TEARDOWN.

use crate::rtsp::message::{Request, Status};
use crate::rtsp::session::{Session, State, Step};

impl Session {
    pub(super) fn play(&self, request: &Request) -> Step {
        if self.state == State::Init {
            let status = Status::MethodNotValidInThisState;
            return Step::Respond(self.respond(request, status));
        }
        Step::Play
    }

    pub(super) fn pause(&mut self, request: &Request) -> Step {
        let before = std::mem::replace(&mut self.state, State::Init);
        match before {
            State::Init => {
                let status = Status::MethodNotValidInThisState;
                Step::Respond(self.respond(request, status))
            }
            State::Ready(set_up) | State::Playing(set_up) => {
                self.state = State::Ready(set_up);
                Step::Pause(self.respond(request, Status::Ok))
            }
        }
    }

    pub(super) fn tear_down(&mut self, request: &Request) -> Step {
        if self.state == State::Init {
            let status = Status::SessionNotFound;
            return Step::Respond(self.respond(request, status));
        }
        self.state = State::Init;
        Step::TearDown(self.respond(request, Status::Ok))
    }
}
