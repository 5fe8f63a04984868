//! A broker in memory, for tests: all who join it hear each other.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::mpsc;

use super::{EVENTS, Engine, Event, Events, Link, ReplyTo, SendError};
use crate::wire::{HostName, RequestId, Subject};

/// The broker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hub(Rc<Members>);

#[derive(Debug, Default)]
struct Members {
    members: RefCell<Vec<Member>>,
    max_message_bytes: Cell<usize>,
    is_cut: Cell<bool>,
}

#[derive(Debug)]
struct Member {
    host: Option<HostName>,
    events: mpsc::Sender<Event>,
}

/// Somebody who has joined.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    hub: Hub,
    number: usize,
}

impl Hub {
    /// Makes one whose messages have so many bytes at most.
    pub(crate) fn new(max_message_bytes: usize) -> Self {
        let hub = Self::default();
        hub.0.max_message_bytes.set(max_message_bytes);
        hub
    }

    /// Lets somebody join, who hears what this `host` is asked, if that is given.
    pub(crate) fn join(&self, host: Option<HostName>) -> (Memory, Events) {
        let (sender, events) = mpsc::channel(EVENTS);
        let number = self.0.members.borrow().len();
        let member = Member {
            host,
            events: sender,
        };
        self.0.members.borrow_mut().push(member);
        self.tell(number, self.connected());
        let hub = self.clone();
        (Memory { hub, number }, events)
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.0.is_cut.set(true);
        self.tell_all(&Event::Disconnected);
    }

    /// Makes them anew.
    pub(crate) fn mend(&self) {
        self.0.is_cut.set(false);
        self.tell_all(&self.connected());
    }

    fn connected(&self) -> Event {
        Event::Connected {
            max_message_bytes: self.0.max_message_bytes.get(),
        }
    }

    fn tell_all(&self, event: &Event) {
        let count = self.0.members.borrow().len();
        (0..count).for_each(|number| self.tell(number, event.clone()));
    }

    /// What nobody takes is lost, as it is with a broker.
    fn tell(&self, number: usize, event: Event) {
        let members = self.0.members.borrow();
        let _ = members[number].events.try_send(event);
    }

    fn check(&self, message: &[u8]) -> Result<(), SendError> {
        let max_bytes = self.0.max_message_bytes.get();
        if self.0.is_cut.get() {
            Err(SendError::Disconnected)
        } else if message.len() > max_bytes {
            Err(SendError::TooLarge {
                bytes: message.len(),
                max_bytes,
            })
        } else {
            Ok(())
        }
    }
}

impl Engine for Memory {
    fn ask(&self, subject: &Subject, id: RequestId, message: Vec<u8>) -> Result<(), SendError> {
        self.hub.check(&message)?;
        let hears = |host: &HostName| match subject {
            Subject::Hosts => true,
            Subject::Host(asked) => asked == host,
            Subject::Frames(far, _) | Subject::State(far) => far.host == *host,
        };
        let members = self.hub.0.members.borrow();
        let hearing = members.iter().enumerate();
        let hearing = hearing.filter(|(_, member)| member.host.as_ref().is_some_and(hears));
        let hearing: Vec<usize> = hearing.map(|(number, _)| number).collect();
        drop(members);
        if hearing.is_empty() {
            self.hub.tell(self.number, Event::NobodyAnswers(id));
        }
        for number in hearing {
            let event = Event::Asked {
                subject: subject.to_string(),
                reply_to: ReplyTo(self.number.to_string()),
                message: message.clone().into(),
            };
            self.hub.tell(number, event);
        }
        Ok(())
    }

    fn answer(&self, to: &ReplyTo, message: Vec<u8>) -> Result<(), SendError> {
        self.hub.check(&message)?;
        let number = to.0.parse().unwrap();
        self.hub.tell(number, Event::Reply(message.into()));
        Ok(())
    }

    fn state(&self) -> Link {
        if self.hub.0.is_cut.get() {
            Link::Disconnected
        } else {
            Link::Connected {
                max_message_bytes: self.hub.0.max_message_bytes.get(),
            }
        }
    }
}
