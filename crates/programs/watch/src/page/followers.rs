//! How many may follow alerts at once: each has a connection for as long as it likes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use eyelid_http::Peer;
use hyper::StatusCode;

use super::rejection::Rejection;

/// How many there may be: a household's browsers, and a few scripts.
pub(crate) const MOST: usize = 64;

/// How many of one address. A proxy of this machine, or a program of it, may have all.
const MOST_OF_ONE: usize = 16;

/// Those that follow.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    /// How many of each address; of those without one, under none.
    counts: RefCell<HashMap<Option<IpAddr>, usize>>,
}

/// Room for one.
#[derive(Debug)]
pub(crate) struct Follower {
    followers: Rc<Followers>,
    network: Option<IpAddr>,
}

impl Followers {
    /// Lets one in.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn enter(self: &Rc<Self>, peer: Peer) -> Result<Follower, Rejection> {
        let network = peer.network();
        let most = match network {
            Some(address) if !address.is_loopback() => MOST_OF_ONE,
            _ => MOST,
        };
        let mut counts = self.counts.borrow_mut();
        let all: usize = counts.values().sum();
        let own = counts.get(&network).copied().unwrap_or_default();
        if own >= most || all >= MOST {
            let what = "too many follow alerts; try again later";
            return Err(Rejection::later(StatusCode::SERVICE_UNAVAILABLE, what));
        }
        counts.insert(network, own + 1);
        Ok(Follower {
            followers: self.clone(),
            network,
        })
    }

    /// How many follow.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.counts.borrow().values().sum()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut counts = self.followers.counts.borrow_mut();
        if let Some(own) = counts.get_mut(&self.network) {
            *own -= 1;
            if *own == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_takes_the_room_of_others() {
        let followers = Rc::new(Followers::default());
        let peer = |text: &str| Peer::Tcp(text.parse().unwrap());
        let enter = |text: &str| followers.enter(peer(text));
        let one: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| enter("192.0.2.1:1").unwrap())
            .collect();
        assert!(enter("192.0.2.1:2").is_err());
        let other = enter("192.0.2.2:1").unwrap();
        drop(one);
        assert_eq!(followers.count(), 1);
        drop(enter("192.0.2.1:2").unwrap());
        let proxied: Vec<_> = (1..MOST).map(|_| enter("127.0.0.1:1").unwrap()).collect();
        assert!(enter("127.0.0.1:1").is_err() && enter("192.0.2.3:1").is_err());
        drop((other, proxied));
        assert_eq!(followers.count(), 0);
        assert!(followers.counts.borrow().is_empty());
    }
}
