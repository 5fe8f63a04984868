//! Room for connections. One that has sent no whole request, or none since its last answer, is
//! waiting; one whose request is being answered is a client. Both have a bound of their own. When
//! one more than allowed is waiting, the one that has waited longest is closed. So connections that
//! ask for nothing cost little, however many come, and never keep a client out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::task::yield_now;

/// How many connections may wait. A client's request comes with the packet that opens the
/// connection or the next one, so few proper ones wait at a time: some idle ones for each browser
/// and proxy (browsers hold 6 for a server), for which this is plenty. Under a flood it is what a
/// request that takes long to arrive has: 51 ms at 10,000 connections a second. Each may hold a
/// header (16 KiB) twice, as read and as recorded, so that all hold 16 MiB at most.
const WAITING: usize = 512;

/// Descriptors that are not for connections: slots, listening sockets, the runtime's own, with room
/// to spare.
const OTHER_DESCRIPTORS: usize = 64;

/// All connections.
pub struct Admission {
    /// How many may wait.
    waiting_limit: usize,
    /// How many may be clients, whatever the configuration says.
    client_limit: usize,
    clients: Cell<usize>,
    /// Those that wait, in the order in which they began to.
    waiting: RefCell<BTreeMap<u64, Rc<Notify>>>,
    next: Cell<u64>,
    /// How many had to go.
    shed: Cell<u64>,
}

impl Admission {
    /// Makes room for as many connections as so many descriptors allow: three quarters of them for
    /// clients, if they do not suffice for all.
    pub fn new(descriptors: usize) -> Rc<Self> {
        let connections = descriptors.saturating_sub(OTHER_DESCRIPTORS).max(4);
        let waiting_limit = WAITING.min(connections / 4);
        Rc::new(Self {
            waiting_limit,
            client_limit: connections - waiting_limit,
            clients: Cell::default(),
            waiting: RefCell::default(),
            next: Cell::default(),
            shed: Cell::default(),
        })
    }

    /// Lets a connection wait for its request; another may have to go for it.
    pub fn enter(self: &Rc<Self>) -> Permit {
        let permit = Permit {
            admission: self.clone(),
            state: Cell::new(PermitState::Gone),
            shed: Rc::default(),
        };
        permit.wait();
        permit
    }

    /// How many connections were told to go.
    pub fn shed_count(&self) -> u64 {
        self.shed.get()
    }

    /// Tells the connection that has waited longest to go. Gives whether there is one.
    pub fn shed(&self) -> bool {
        let longest = self.waiting.borrow_mut().pop_first();
        if let Some((_, shed)) = &longest {
            shed.notify_one();
            self.shed.set(self.shed.get() + 1);
        }
        longest.is_some()
    }
}

/// The room of one connection, free again when this is dropped.
pub struct Permit {
    admission: Rc<Admission>,
    state: Cell<PermitState>,
    shed: Rc<Notify>,
}

#[derive(Clone, Copy, PartialEq)]
enum PermitState {
    /// Waits, under this number unless it was told to go.
    Waiting(u64),
    Client,
    Gone,
}

impl Permit {
    /// Makes the connection a client: its request has come. Not if there are `limit` already; it
    /// goes on waiting then.
    pub fn serve(&self, limit: usize) -> bool {
        if self.state.get() == PermitState::Client {
            return true;
        }
        let clients = self.admission.clients.get();
        if clients >= limit.min(self.admission.client_limit) {
            return false;
        }
        self.leave();
        self.admission.clients.set(clients + 1);
        self.state.set(PermitState::Client);
        true
    }

    /// Makes a client wait again: it has its answer. Another may have to go for it.
    pub fn wait(&self) {
        if let PermitState::Waiting(_) = self.state.get() {
            return;
        }
        self.leave();
        if self.admission.waiting.borrow().len() >= self.admission.waiting_limit {
            self.admission.shed();
        }
        let number = self.admission.next.replace(self.admission.next.get() + 1);
        self.admission
            .waiting
            .borrow_mut()
            .insert(number, self.shed.clone());
        self.state.set(PermitState::Waiting(number));
    }

    /// Waits until the connection has waited longest and must go for another.
    pub async fn until_shed(&self) {
        loop {
            self.shed.notified().await;
            // A request that has arrived saves it, though the runtime may not have looked for it
            // yet; now it does.
            yield_now().await;
            if let PermitState::Waiting(number) = self.state.get()
                && !self.admission.waiting.borrow().contains_key(&number)
            {
                return;
            }
        }
    }

    fn leave(&self) {
        match self.state.replace(PermitState::Gone) {
            PermitState::Waiting(number) => {
                self.admission.waiting.borrow_mut().remove(&number);
            }
            PermitState::Client => self.admission.clients.set(self.admission.clients.get() - 1),
            PermitState::Gone => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const MANY: usize = 100_000;

    fn must_go(permit: &Permit) -> bool {
        let mut shed = pin!(permit.until_shed());
        let mut poll = || {
            let context = &mut Context::from_waker(Waker::noop());
            shed.as_mut().poll(context) == Poll::Ready(())
        };
        poll() || poll()
    }

    fn admission(descriptors: usize) -> Rc<Admission> {
        Admission::new(descriptors)
    }

    #[test]
    fn who_has_waited_longest_goes_and_clients_stay() {
        let admission = admission(MANY);
        let client = admission.enter();
        assert!(client.serve(1));
        let again = admission.enter();
        assert!(!again.serve(1), "there is room for one");
        let mut waiting: Vec<_> = (1..WAITING).map(|_| admission.enter()).collect();
        assert!(!must_go(&again) && !waiting.iter().any(must_go));

        let newest = admission.enter();
        assert!(must_go(&again));
        assert!(!must_go(&client) && !must_go(&newest));
        assert!(!waiting.iter().any(must_go));

        // With its answer a client becomes the last to go.
        client.wait();
        client.wait();
        assert!(must_go(&waiting[0]) && !must_go(&client));
        assert_eq!(admission.shed.get(), 2);
        waiting.drain(..2);
        admission.enter();
        assert_eq!(admission.shed.get(), 2, "one that left made room");
    }

    #[test]
    fn a_request_saves_a_connection_that_was_to_go() {
        let admission = admission(MANY);
        let late = admission.enter();
        assert!(admission.shed());
        assert!(late.serve(1));
        assert!(!must_go(&late));
        late.wait();
        assert!(!must_go(&late));
        assert!(admission.shed() && must_go(&late));
        assert!(!admission.shed(), "nobody is left to go");
        assert_eq!(admission.shed.get(), 2);
    }

    #[test]
    fn clients_are_counted_until_they_are_gone() {
        let admission = admission(MANY);
        for _ in 0..3 {
            let (one, other, third) = (admission.enter(), admission.enter(), admission.enter());
            assert!(one.serve(2) && one.serve(2) && other.serve(2));
            assert!(!third.serve(2));
            one.wait();
            assert!(third.serve(2) && !one.serve(2));
        }
        assert_eq!(admission.clients.get(), 0);
        assert!(admission.waiting.borrow().is_empty());
    }

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        for descriptors in [0, 64, 256, 1024, 4096, MANY] {
            let admission = admission(descriptors);
            let connections = admission.client_limit + admission.waiting_limit;
            assert!(admission.waiting_limit > 0 && admission.client_limit > 0);
            assert!(connections <= descriptors.saturating_sub(64).max(4));
        }
        assert_eq!(admission(MANY).waiting_limit, WAITING);
        let admission = admission(256);
        let all: Vec<_> = (0..256).map(|_| admission.enter()).collect();
        assert_eq!(all.iter().filter(|permit| permit.serve(MANY)).count(), 144);
    }
}
