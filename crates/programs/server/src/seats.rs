//! Room for connections. Those that have sent no whole request, or none since their last answer, wait apart from clients:
//! of the first there may be only so many, and who has waited longest goes when another comes. So connections that ask for
//! nothing cost little, however many come, and never keep a client out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;
use tokio::task::yield_now;

/// How many connections may wait. A client's request comes with the packet that opens the connection or the next one, so
/// few proper ones wait at a time: some idle ones for each browser and proxy (browsers hold 6 for a server), for which
/// this is plenty. Under a flood it is what a request that takes long to arrive has: 51 ms at 10,000 connections a second.
/// Each may hold a header (16 KiB), so that all hold 8 MiB at most.
const WAITING: usize = 512;

/// Descriptors that are not for connections: slots, listening sockets, the runtime's own, with room to spare.
const OTHER_DESCRIPTORS: usize = 64;

/// All connections.
pub(crate) struct Seats {
    /// How many may wait.
    waiting_limit: usize,
    /// How many may be clients, whatever the configuration says.
    client_limit: usize,
    clients: Cell<usize>,
    /// Those that wait, in the order in which they began to.
    waiting: RefCell<BTreeMap<u64, Rc<Notify>>>,
    next: Cell<u64>,
    /// How many had to go.
    dismissed: Counter,
}

impl Seats {
    /// Makes room for as many connections as so many descriptors allow: three quarters of them for clients, if they do not
    /// suffice for all.
    pub(crate) fn new(descriptors: usize, dismissed: Counter) -> Rc<Self> {
        let connections = descriptors.saturating_sub(OTHER_DESCRIPTORS).max(4);
        let waiting_limit = WAITING.min(connections / 4);
        Rc::new(Self {
            waiting_limit,
            client_limit: connections - waiting_limit,
            clients: Cell::default(),
            waiting: RefCell::default(),
            next: Cell::default(),
            dismissed,
        })
    }

    /// Lets a connection wait for its request; another may have to go for it.
    pub(crate) fn enter(self: &Rc<Self>) -> Seat {
        let seat = Seat {
            seats: self.clone(),
            place: Cell::new(Place::Gone),
            told: Rc::default(),
        };
        seat.wait();
        seat
    }

    /// Tells the connection that has waited longest to go. Gives whether there is one.
    pub(crate) fn dismiss(&self) -> bool {
        let longest = self.waiting.borrow_mut().pop_first();
        if let Some((_, told)) = &longest {
            told.notify_one();
            self.dismissed.inc();
        }
        longest.is_some()
    }
}

/// The room of one connection, free again when this is dropped.
pub(crate) struct Seat {
    seats: Rc<Seats>,
    place: Cell<Place>,
    told: Rc<Notify>,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Waits, under this number unless it was told to go.
    Waiting(u64),
    Client,
    Gone,
}

impl Seat {
    /// Makes the connection a client: its request has come. Not if there are `limit` already; it goes on waiting then.
    pub(crate) fn serve(&self, limit: usize) -> bool {
        if self.place.get() == Place::Client {
            return true;
        }
        let clients = self.seats.clients.get();
        if clients >= limit.min(self.seats.client_limit) {
            return false;
        }
        self.leave();
        self.seats.clients.set(clients + 1);
        self.place.set(Place::Client);
        true
    }

    /// Makes a client wait again: it has its answer. Another may have to go for it.
    pub(crate) fn wait(&self) {
        if let Place::Waiting(_) = self.place.get() {
            return;
        }
        self.leave();
        if self.seats.waiting.borrow().len() >= self.seats.waiting_limit {
            self.seats.dismiss();
        }
        let number = self.seats.next.replace(self.seats.next.get() + 1);
        self.seats
            .waiting
            .borrow_mut()
            .insert(number, self.told.clone());
        self.place.set(Place::Waiting(number));
    }

    /// Waits until the connection has waited longest and must go for another.
    pub(crate) async fn dismissed(&self) {
        loop {
            self.told.notified().await;
            // A request that has arrived saves it, though the runtime may not have looked for it yet; now it does.
            yield_now().await;
            if let Place::Waiting(number) = self.place.get()
                && !self.seats.waiting.borrow().contains_key(&number)
            {
                return;
            }
        }
    }

    fn leave(&self) {
        match self.place.replace(Place::Gone) {
            Place::Waiting(number) => {
                self.seats.waiting.borrow_mut().remove(&number);
            }
            Place::Client => self.seats.clients.set(self.seats.clients.get() - 1),
            Place::Gone => {}
        }
    }
}

impl Drop for Seat {
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

    fn must_go(seat: &Seat) -> bool {
        let mut dismissed = pin!(seat.dismissed());
        let mut poll = || {
            let context = &mut Context::from_waker(Waker::noop());
            dismissed.as_mut().poll(context) == Poll::Ready(())
        };
        poll() || poll()
    }

    fn seats(descriptors: usize) -> Rc<Seats> {
        Seats::new(descriptors, Counter::default())
    }

    #[test]
    fn who_has_waited_longest_goes_and_clients_stay() {
        let seats = seats(MANY);
        let client = seats.enter();
        assert!(client.serve(1));
        let again = seats.enter();
        assert!(!again.serve(1), "there is room for one");
        let mut waiting: Vec<_> = (1..WAITING).map(|_| seats.enter()).collect();
        assert!(!must_go(&again) && !waiting.iter().any(must_go));

        let newest = seats.enter();
        assert!(must_go(&again));
        assert!(!must_go(&client) && !must_go(&newest));
        assert!(!waiting.iter().any(must_go));

        // With its answer a client becomes the last to go.
        client.wait();
        client.wait();
        assert!(must_go(&waiting[0]) && !must_go(&client));
        assert_eq!(seats.dismissed.get(), 2);
        waiting.drain(..2);
        seats.enter();
        assert_eq!(seats.dismissed.get(), 2, "one that left made room");
    }

    #[test]
    fn a_request_saves_a_connection_that_was_to_go() {
        let seats = seats(MANY);
        let late = seats.enter();
        assert!(seats.dismiss());
        assert!(late.serve(1));
        assert!(!must_go(&late));
        late.wait();
        assert!(!must_go(&late));
        assert!(seats.dismiss() && must_go(&late));
        assert!(!seats.dismiss(), "nobody is left to go");
        assert_eq!(seats.dismissed.get(), 2);
    }

    #[test]
    fn clients_are_counted_until_they_are_gone() {
        let seats = seats(MANY);
        for _ in 0..3 {
            let (one, other, third) = (seats.enter(), seats.enter(), seats.enter());
            assert!(one.serve(2) && one.serve(2) && other.serve(2));
            assert!(!third.serve(2));
            one.wait();
            assert!(third.serve(2) && !one.serve(2));
        }
        assert_eq!(seats.clients.get(), 0);
        assert!(seats.waiting.borrow().is_empty());
    }

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        for descriptors in [0, 64, 256, 1024, 4096, MANY] {
            let seats = seats(descriptors);
            let connections = seats.client_limit + seats.waiting_limit;
            assert!(seats.waiting_limit > 0 && seats.client_limit > 0);
            assert!(connections <= descriptors.saturating_sub(64).max(4));
        }
        assert_eq!(seats(MANY).waiting_limit, WAITING);
        let seats = seats(256);
        let all: Vec<_> = (0..256).map(|_| seats.enter()).collect();
        assert_eq!(all.iter().filter(|seat| seat.serve(MANY)).count(), 144);
    }
}
