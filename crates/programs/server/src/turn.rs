//! Whose turn it is: between the streams of clients that do not keep up and [`Turns`], which
//! decides.
//!
//! A client that keeps up has no part in it. One that does not ([`Punctuality`]) takes part until
//! it does again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_http::Socket;
use eyelid_pacing::{MemberId, Pace, Punctuality, Sending, Turns, Waited, acknowledged_bytes};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::adapter::SOURCE_FPS;
use crate::writer::now;

/// All clients of the server that do not keep up.
#[derive(Default)]
pub(crate) struct TurnTakers {
    turns: RefCell<Turns>,
    registered: RefCell<BTreeMap<MemberId, Registered>>,
}

/// How one of them is called, and where its frames go.
struct Registered {
    called: Rc<Notify>,
    socket: Rc<Socket>,
}

impl TurnTakers {
    /// Looks at what the sockets have taken if that is due, lets something be decided, and tells
    /// those whose turn it is.
    fn update<T>(&self, decide: impl FnOnce(&mut Turns, Instant) -> T) -> T {
        let (mut turns, now) = (self.turns.borrow_mut(), now());
        let registered = self.registered.borrow();
        if turns.is_look_due(now) {
            turns.look(now, |id| {
                let registered = registered.get(&id)?;
                acknowledged_bytes(&*registered.socket)
            });
        }
        let decided = decide(&mut turns, now);
        for id in turns.take_called() {
            if let Some(registered) = registered.get(&id) {
                registered.called.notify_one();
            }
        }
        decided
    }

    /// How many clients take part.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.registered.borrow().len()
    }
}

/// One client's part.
pub(crate) struct TurnTaker {
    all: Rc<TurnTakers>,
    socket: Rc<Socket>,
    network: Option<IpAddr>,
    member: Cell<Option<MemberId>>,
    called: Rc<Notify>,
    punctuality: RefCell<Punctuality>,
    /// Whether it says anything of the client's link when its last frame drained.
    shows_link: Cell<bool>,
}

impl TurnTaker {
    /// A client that keeps up so far. Clients of one `network` probably share a link.
    pub(crate) fn new(all: Rc<TurnTakers>, socket: Rc<Socket>, network: Option<IpAddr>) -> Self {
        Self {
            all,
            socket,
            network,
            member: Cell::default(),
            called: Rc::default(),
            punctuality: RefCell::default(),
            shows_link: Cell::default(),
        }
    }

    /// Says whether the client takes part.
    pub(crate) fn takes_part(&self) -> bool {
        self.member.get().is_some()
    }

    /// Says whether it takes turns with others.
    pub(crate) fn sending(&self) -> Sending {
        let turns = self.all.turns.borrow();
        match self.member.get() {
            Some(member) if turns.is_in_turns(member) => Sending::InTurns,
            _ => Sending::Freely,
        }
    }

    /// A frame begins.
    pub(crate) fn on_write(&self, began: Instant, bytes: u64) {
        self.punctuality.borrow_mut().on_write(began);
        if let Some(member) = self.member.get() {
            self.all
                .update(|turns, _| turns.on_write(began, member, bytes));
        }
    }

    /// A frame begins of a client that takes no part, and had drained when the frame came: it was
    /// in time with the one before.
    pub(crate) fn on_write_in_passing(&self, began: Instant) {
        self.punctuality.borrow_mut().on_write_in_passing(began);
    }

    /// No more of the last frame is under way than the path holds.
    pub(crate) fn on_drained(&self, waited: Waited, shows_link: bool) {
        if !self.punctuality.borrow_mut().on_drained(now(), waited) {
            return;
        }
        self.shows_link.set(shows_link);
        match self.member.get() {
            Some(_) if !shows_link => self.leave(),
            Some(member) => self.all.update(|turns, now| turns.on_drained(now, member)),
            None => {}
        }
    }

    /// There is a next frame, of a source that gives so many a second, if that is known.
    pub(crate) fn on_next_frame(&self, source_fps: Option<f64>) {
        let fps = source_fps.filter(|fps| *fps > 0.0).unwrap_or(SOURCE_FPS);
        let interval = Duration::from_secs_f64(1.0 / fps);
        let mut punctuality = self.punctuality.borrow_mut();
        let pace = punctuality.on_next_frame(now(), interval);
        match self.member.get() {
            Some(member) => {
                let judge = |turns: &mut Turns, now| turns.on_pace(now, member, pace, interval);
                if self.all.update(judge) {
                    self.leave();
                }
            }
            None if pace == Pace::Slow && self.shows_link.get() => self.enter(),
            None => {}
        }
    }

    /// Waits until the client may send. Gives whether it had to.
    pub(crate) async fn comes(&self) -> bool {
        let mut has_waited = false;
        while let Some(pause) = self.ask() {
            has_waited = true;
            // It asks again in either case.
            let _ = timeout(pause, self.called.notified()).await;
        }
        has_waited
    }

    /// It has nothing to send after all.
    pub(crate) fn withdraw(&self) {
        if let Some(member) = self.member.get() {
            self.all.update(|turns, now| turns.withdraw(now, member));
        }
    }

    fn ask(&self) -> Option<Duration> {
        let member = self.member.get()?;
        self.all.update(|turns, now| turns.ask(now, member))
    }

    fn enter(&self) {
        let member = self.all.update(|turns, now| turns.enter(now, self.network));
        if let Some(member) = member {
            let registered = Registered {
                called: self.called.clone(),
                socket: self.socket.clone(),
            };
            self.all.registered.borrow_mut().insert(member, registered);
        }
        self.member.set(member);
    }

    fn leave(&self) {
        if let Some(member) = self.member.take() {
            self.all.update(|turns, now| turns.leave(now, member));
            self.all.registered.borrow_mut().remove(&member);
        }
    }
}

impl Drop for TurnTaker {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests;
