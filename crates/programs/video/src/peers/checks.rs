//! Which checks of ICE a session takes, of those that have its password: none that was heard on its
//! way and is sent again from elsewhere, and from no end of addresses. Each address becomes a
//! candidate, which is kept for as long as the session, and may become where pictures go.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::stun::{Transaction, transaction};

/// How many checks are known again. Browsers send one in 2.5 s while all is well (webrtc.org,
/// `STRONG_AND_STABLE_WRITABLE_CONNECTION_PING_INTERVAL`), so they are those of 20 minutes.
const REMEMBERED: usize = 512;

/// From how many addresses a session takes checks in all. A client asks from each interface, and
/// from another port when a router has forgotten it; one that needs more opens another session.
const ADDRESSES: usize = 64;

/// The checks that a session has taken.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// The newest come last.
    taken: VecDeque<(Transaction, SocketAddr)>,
    addresses: Vec<SocketAddr>,
}

impl Checks {
    /// Says whether to take a check that is right and came from there.
    pub(crate) fn take(&mut self, check: &[u8], from: SocketAddr) -> bool {
        let Some(transaction) = transaction(check) else {
            return false;
        };
        let mut taken = self.taken.iter().rev();
        if let Some((_, first)) = taken.find(|(known, _)| *known == transaction) {
            // One that was lost, or its answer, is sent again from where it was.
            return *first == from;
        }
        if !self.addresses.contains(&from) {
            if self.addresses.len() == ADDRESSES {
                return false;
            }
            self.addresses.push(from);
        }
        if self.taken.len() == REMEMBERED {
            self.taken.pop_front();
        }
        self.taken.push_back((transaction, from));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: u32) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0];
        message.extend(number.to_be_bytes());
        message
    }

    fn from(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn what_was_heard_on_its_way_is_taken_from_nowhere_else() {
        let mut checks = Checks::default();
        assert!(checks.take(&check(1), from(1)) && checks.take(&check(2), from(2)));
        assert!(checks.take(&check(1), from(1)), "sent again");
        assert!(!checks.take(&check(1), from(2)) && !checks.take(&check(1), from(3)));
        assert!(checks.take(&check(3), from(2)), "a client that has moved");
        assert!(!checks.take(&check(4)[..19], from(1)));
    }

    #[test]
    fn checks_and_addresses_are_bounded() {
        let mut checks = Checks::default();
        for number in 0..5000 {
            let is_taken = checks.take(&check(number), from(number as u16));
            assert_eq!(is_taken, number < ADDRESSES as u32);
        }
        for number in 5000..9000 {
            assert!(checks.take(&check(number), from(0)));
        }
        assert_eq!(
            (checks.taken.len(), checks.addresses.len()),
            (REMEMBERED, ADDRESSES)
        );
    }
}
