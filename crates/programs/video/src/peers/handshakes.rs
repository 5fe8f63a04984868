//! How many DTLS handshakes go on at once: each costs milliseconds, in which nobody else is served.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Most at once. Who gets no room is not answered, and asks again within a second (RFC 6347,
/// section 4.2.4.1).
const AT_ONCE: usize = 20;

/// How long one may take until its room is another's. Over a slow link it takes three round trips.
const TIME: Duration = Duration::from_secs(5);

/// Counts those that go on.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    count: Cell<usize>,
}

/// Room for one.
#[derive(Debug)]
pub(crate) struct Room {
    handshakes: Rc<Handshakes>,
    since: Instant,
}

impl Handshakes {
    /// Gives room, if there is any.
    pub(crate) fn enter(self: &Rc<Self>, now: Instant) -> Option<Room> {
        if self.count.get() >= AT_ONCE {
            return None;
        }
        self.count.set(self.count.get() + 1);
        Some(Room {
            handshakes: self.clone(),
            since: now,
        })
    }
}

impl Room {
    /// Says whether its time is over.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) > TIME
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let count = &self.handshakes.count;
        count.set(count.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_at_once_and_for_so_long() {
        let (handshakes, now) = (Rc::new(Handshakes::default()), Instant::now());
        let mut rooms: Vec<_> = std::iter::from_fn(|| handshakes.enter(now)).collect();
        assert_eq!(rooms.len(), AT_ONCE);
        rooms.pop();
        assert!(
            handshakes
                .enter(now)
                .is_some_and(|room| !room.is_over(now + TIME))
        );
        let room = handshakes.enter(now).unwrap();
        assert!(room.is_over(now + TIME + Duration::from_millis(1)));
    }
}
