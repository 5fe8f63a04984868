//! How many DTLS handshakes go on at once: each costs milliseconds, in which nobody else is served.
//! One address has as much of that as others leave.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Most at once. Who gets no room is not answered, and asks again within a second (RFC 6347,
/// section 4.2.4.1).
const AT_ONCE: usize = 20;

/// How long one may take until its room is another's that needs it. Over a slow link it takes three
/// round trips.
const TIME: Duration = Duration::from_secs(5);

/// Those that go on.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    /// The oldest first.
    holders: RefCell<Vec<Holder>>,
    next_id: Cell<u64>,
}

/// One that goes on.
#[derive(Debug)]
struct Holder {
    id: u64,
    address: Option<IpAddr>,
    since: Instant,
}

/// Room for one, until another needs it more.
#[derive(Debug)]
pub(crate) struct Room {
    handshakes: Rc<Handshakes>,
    id: u64,
}

impl Handshakes {
    /// Gives room to a client of this address ([`Peer::network`](eyelid_http::Peer::network)), if
    /// there is any, or one of whom it can be taken.
    pub(crate) fn enter(self: &Rc<Self>, address: Option<IpAddr>, now: Instant) -> Option<Room> {
        let mut holders = self.holders.borrow_mut();
        if holders.len() >= AT_ONCE {
            let at = who_gives_way(&holders, address, now)?;
            holders.remove(at);
        }
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        holders.push(Holder {
            id,
            address,
            since: now,
        });
        let handshakes = self.clone();
        Some(Room { handshakes, id })
    }
}

/// Whose room is one more's of this address: that of who has had it for long enough; else the
/// oldest of the address that has most, if that has more than this one then.
fn who_gives_way(holders: &[Holder], address: Option<IpAddr>, now: Instant) -> Option<usize> {
    let is_over = |holder: &Holder| now.saturating_duration_since(holder.since) > TIME;
    if let Some(at) = holders.iter().position(is_over) {
        return Some(at);
    }
    let count = |address| holders.iter().filter(|it| it.address == address).count();
    let counts = holders.iter().map(|it| count(it.address));
    // Of those that are equal the last one is the greatest.
    let (at, most) = counts.enumerate().rev().max_by_key(|(_, count)| *count)?;
    (most > count(address) + 1).then_some(at)
}

impl Room {
    /// Says whether it is nobody else's by now.
    pub(crate) fn is_held(&self) -> bool {
        let holders = self.handshakes.holders.borrow();
        holders.iter().any(|holder| holder.id == self.id)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut holders = self.handshakes.holders.borrow_mut();
        holders.retain(|holder| holder.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, number]))
    }

    fn rooms(handshakes: &Rc<Handshakes>, number: u8, at: Instant) -> Vec<Room> {
        std::iter::from_fn(|| handshakes.enter(address(number), at)).collect()
    }

    fn held(rooms: &[Room]) -> usize {
        rooms.iter().filter(|room| room.is_held()).count()
    }

    #[test]
    fn there_is_room_for_so_many_at_once_and_for_so_long() {
        let (handshakes, now) = (Rc::new(Handshakes::default()), Instant::now());
        let mut all = rooms(&handshakes, 1, now);
        assert_eq!(all.len(), AT_ONCE);
        all.pop();
        all.extend(handshakes.enter(address(1), now));
        assert_eq!(held(&all), AT_ONCE);
        assert!(handshakes.enter(address(1), now + TIME).is_none());
        // Nobody needed it, so it was its own for longer.
        let late = now + TIME + Duration::from_millis(1);
        let next = handshakes.enter(address(1), late).unwrap();
        assert!(next.is_held() && !all[0].is_held() && all[1].is_held());
        drop(all);
        assert_eq!(handshakes.holders.borrow().len(), 1);
    }

    #[test]
    fn one_address_has_what_others_leave() {
        let (handshakes, now) = (Rc::new(Handshakes::default()), Instant::now());
        let first = rooms(&handshakes, 1, now);
        let second = rooms(&handshakes, 2, now);
        assert_eq!((held(&first), held(&second)), (10, 10));
        let third = rooms(&handshakes, 3, now);
        assert_eq!(
            [held(&first), held(&second), held(&third)]
                .iter()
                .sum::<usize>(),
            AT_ONCE
        );
        assert!(
            third.iter().all(Room::is_held) && third.len() >= 6,
            "{}",
            third.len()
        );
        // Those that had room ask again, and take none of who has less.
        for number in [1, 2] {
            assert!(rooms(&handshakes, number, now).len() <= 1);
        }
        let other = handshakes.enter(address(4), now).unwrap();
        assert!(other.is_held() && held(&third) >= 5);
    }

    #[test]
    fn where_each_has_one_the_next_has_to_wait() {
        let (handshakes, now) = (Rc::new(Handshakes::default()), Instant::now());
        let each: Vec<_> = (0..AT_ONCE as u8)
            .map(|number| handshakes.enter(address(number), now).unwrap())
            .collect();
        assert!(handshakes.enter(address(99), now).is_none());
        let late = now + TIME + Duration::from_millis(1);
        assert!(handshakes.enter(address(99), late).is_some());
        assert!(!each[0].is_held() && each[1].is_held());
    }
}
