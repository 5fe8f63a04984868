//! How many sessions of one kind there may be, and how fast they may be opened, from one address.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_http::Peer;
use hyper::StatusCode;

use crate::signalling::Rejection;

/// Most viewers of one address. A wall of sixteen cameras is one.
const OF_ADDRESS: usize = 16;

/// How fast one address may open sessions in the long run, and how many at once: a page that opens
/// a wall of cameras, and is loaded again.
const INTERVAL: Duration = Duration::from_millis(200);
const AT_ONCE: u32 = 32;

/// How much more all clients of this machine may, for they are a proxy as a rule and have no
/// address of their own.
const OF_PROXY: u32 = 4;

/// How many addresses are remembered. Those that have nothing open are forgotten first.
const ADDRESSES: usize = 1024;

/// Counts viewers, and the sessions that they open.
#[derive(Debug, Default)]
pub(crate) struct SessionLimits {
    counts: RefCell<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// By network ([`Peer::network`]); the clients of this machine are one.
    addresses: HashMap<Option<IpAddr>, Address>,
}

/// What one address has.
#[derive(Debug)]
struct Address {
    viewers: usize,
    /// When it would have opened all that it has, were it as fast as it may be in the long run.
    due: Instant,
}

/// The permit of one viewer. Another may have it when this is dropped.
#[derive(Debug)]
pub(crate) struct SessionPermit {
    limits: Rc<SessionLimits>,
    address: Option<IpAddr>,
}

impl SessionLimits {
    /// Gives a client a permit, which it takes from the moment on when it asks for a session;
    /// in all, so many are `free`.
    ///
    /// # Errors
    /// There is none, or it asks too fast.
    pub(crate) fn enter(
        self: &Rc<Self>,
        peer: Peer,
        free: usize,
        now: Instant,
    ) -> Result<SessionPermit, Rejection> {
        let address = peer.network().filter(|address| !address.is_loopback());
        self.counts.borrow_mut().enter(address, free, now)?;
        Ok(SessionPermit {
            limits: self.clone(),
            address,
        })
    }
}

impl SessionPermit {
    /// Whose it is ([`Peer::network`]); `None` of the clients of this machine.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl Counts {
    fn enter(
        &mut self,
        address: Option<IpAddr>,
        free: usize,
        now: Instant,
    ) -> Result<(), Rejection> {
        self.forget(now);
        if self.addresses.len() >= ADDRESSES && !self.addresses.contains_key(&address) {
            let what = "too many clients open sessions; try again later";
            return Err(Rejection::later(StatusCode::SERVICE_UNAVAILABLE, what));
        }
        let entry = self.addresses.entry(address).or_insert(Address {
            viewers: 0,
            due: now,
        });
        let interval = match address {
            Some(_) => INTERVAL,
            None => INTERVAL / OF_PROXY,
        };
        if entry.due.saturating_duration_since(now) > INTERVAL * (AT_ONCE - 1) {
            let what = "this address opens sessions too fast; try again later";
            return Err(Rejection::later(StatusCode::TOO_MANY_REQUESTS, what));
        }
        // What is refused counts, too: it is work.
        entry.due = entry.due.max(now) + interval;
        if free == 0 {
            let what = "there are as many viewers as may be; try again later";
            return Err(Rejection::later(StatusCode::SERVICE_UNAVAILABLE, what));
        }
        if address.is_some() && entry.viewers >= OF_ADDRESS {
            let what = format!("this address has {OF_ADDRESS} sessions already");
            return Err(Rejection::later(StatusCode::TOO_MANY_REQUESTS, what));
        }
        entry.viewers += 1;
        Ok(())
    }

    fn leave(&mut self, address: Option<IpAddr>) {
        if let Some(entry) = self.addresses.get_mut(&address) {
            entry.viewers -= 1;
        }
    }

    /// Forgets, where there are many, those of whom there is nothing to know.
    fn forget(&mut self, now: Instant) {
        if self.addresses.len() >= ADDRESSES {
            let is_known = |address: &Address| address.viewers > 0 || address.due > now;
            self.addresses.retain(|_, address| is_known(address));
        }
    }
}

impl Drop for SessionPermit {
    fn drop(&mut self) {
        self.limits.counts.borrow_mut().leave(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> Peer {
        let [a, b, c, d] = (0x0a00_0000 + number).to_be_bytes();
        Peer::Tcp(([a, b, c, d], 1000).into())
    }

    fn status(entered: Result<SessionPermit, Rejection>) -> u16 {
        entered.map_or_else(|rejection| rejection.status().as_u16(), |_| 201)
    }

    #[test]
    fn a_permit_is_free_again_when_its_viewer_leaves() {
        let (limits, now) = (Rc::new(SessionLimits::default()), Instant::now());
        let permits: Vec<_> = (0..OF_ADDRESS)
            .map(|_| limits.enter(peer(1), 9, now).unwrap())
            .collect();
        assert_eq!(status(limits.enter(peer(1), 9, now)), 429);
        drop(permits);
        assert_eq!(status(limits.enter(peer(1), 9, now)), 201);
        assert_eq!(status(limits.enter(peer(1), 0, now)), 503);
    }

    #[test]
    fn one_address_has_its_share_and_a_proxy_all() {
        let (limits, now) = (Rc::new(SessionLimits::default()), Instant::now());
        let open = |peer| {
            let mut permits = Vec::new();
            while let Ok(permit) = limits.enter(peer, 9, now) {
                permits.push(permit);
            }
            permits
        };
        let permits = open(peer(1));
        assert_eq!(permits.len(), OF_ADDRESS);
        assert_eq!(status(limits.enter(peer(2), 9, now)), 201);
        for local in ["127.0.0.1:1", "[::ffff:127.0.0.1]:1", "[::1]:1"] {
            let local = Peer::Tcp(local.parse().unwrap());
            assert!(!open(local).is_empty() || status(limits.enter(local, 9, now)) == 429);
        }
        assert_eq!(limits.counts.borrow().addresses[&None].viewers, 0);
        let late = now + Duration::from_secs(60);
        let local: Vec<_> = (0..AT_ONCE * OF_PROXY)
            .map_while(|_| limits.enter(Peer::Unix, 9, late).ok())
            .collect();
        assert!(local.len() >= 100, "{}", local.len());
    }

    #[test]
    fn sessions_are_opened_at_a_bounded_rate_also_those_refused() {
        let (limits, now) = (Rc::new(SessionLimits::default()), Instant::now());
        let enter = |at| status(limits.enter(peer(1), 9, at)) == 201;
        let at = |at| (0..100).filter(move |_| enter(at));
        assert_eq!(at(now).count(), AT_ONCE as usize);
        assert_eq!(status(limits.enter(peer(1), 9, now)), 429);
        assert_eq!(at(now + Duration::from_secs(1)).count(), 5);
        assert_eq!(
            at(now + Duration::from_secs(3600)).count(),
            AT_ONCE as usize
        );
        let late = now + Duration::from_secs(7200);
        let refused = (0..40).map(|_| status(limits.enter(peer(1), 0, late)));
        assert_eq!(
            refused.filter(|status| *status == 503).count(),
            AT_ONCE as usize
        );
    }

    #[test]
    fn addresses_are_forgotten_and_bounded() {
        let (limits, now) = (Rc::new(SessionLimits::default()), Instant::now());
        let kept = limits.enter(peer(0), 9, now).unwrap();
        let entered = (1..2000).filter(|number| status(limits.enter(peer(*number), 9, now)) == 201);
        assert_eq!(entered.count(), ADDRESSES - 1);
        let later = now + Duration::from_secs(1);
        assert_eq!(status(limits.enter(peer(5000), 9, later)), 201);
        assert_eq!(limits.counts.borrow().addresses.len(), 2);
        assert!(limits.counts.borrow().addresses[&kept.address].viewers == 1);
    }
}
