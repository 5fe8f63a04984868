//! Of the room there is, what one address may have. All connections and sessions together are
//! bounded (`Admission`, `max-sessions`); without this one address could have all of them, and
//! nobody else would get in.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use eyelid_http::Peer;

/// How many connections without a session one address may have: more than all its players need,
/// which have none for a moment, and an eighth of all that may wait (`Admission`).
const CONNECTIONS: usize = 64;

/// How many sessions an address may have although fewer are left: those of a player and a recorder
/// with two cameras.
const FEW: usize = 4;

/// What each address has.
#[derive(Default)]
pub(crate) struct Shares {
    taken: RefCell<HashMap<IpAddr, Taken>>,
    /// Sessions of all, also of those that are not told apart.
    sessions: Cell<usize>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Taken {
    connections: usize,
    sessions: usize,
}

/// The share of one connection, free again when this is dropped.
pub(crate) struct Share {
    shares: Rc<Shares>,
    /// Whose it is; `None` of programs of this machine, which are proxies or belong here.
    network: Option<IpAddr>,
    has_session: Cell<bool>,
}

/// Why there is no room, as the log says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRoom {
    /// There are as many sessions as may be.
    #[error("there are {0} sessions already")]
    All(usize),
    /// The address has so many, and no more are left for all others.
    #[error("its address has {0} sessions, and no more are left for all others")]
    Address(usize),
    /// The address has so many connections without a session.
    #[error("its address has {CONNECTIONS} connections without a session")]
    Connections,
    /// Sessions leave too few descriptors for all else.
    #[error("this process may have no more files open")]
    Descriptors,
}

impl Shares {
    /// Lets a connection in, without a session yet.
    ///
    /// # Errors
    /// Its address has too many.
    pub(crate) fn enter(self: &Rc<Self>, peer: Peer) -> Result<Share, NoRoom> {
        let network = network(peer);
        if let Some(network) = network {
            let mut taken = self.taken.borrow_mut();
            let of_address = taken.entry(network).or_default();
            if of_address.connections >= CONNECTIONS {
                return Err(NoRoom::Connections);
            }
            of_address.connections += 1;
        }
        Ok(Share {
            shares: self.clone(),
            network,
            has_session: Cell::new(false),
        })
    }

    fn change(&self, network: Option<IpAddr>, change: impl FnOnce(&mut Taken)) {
        let Some(network) = network else {
            return;
        };
        let mut all = self.taken.borrow_mut();
        let taken = all.entry(network).or_default();
        change(taken);
        if *taken == Taken::default() {
            all.remove(&network);
        }
    }
}

impl Share {
    /// Gives the connection a session, if it has none, where there may be `most` of all.
    ///
    /// # Errors
    /// There are too many, of all or of its address.
    pub(crate) fn begin_session(&self, most: usize) -> Result<(), NoRoom> {
        if self.has_session.get() {
            return Ok(());
        }
        let sessions = self.shares.sessions.get();
        let left = most.saturating_sub(sessions);
        if left == 0 {
            return Err(NoRoom::All(sessions));
        }
        let taken = self.network.and_then(|network| {
            let taken = self.shares.taken.borrow();
            taken.get(&network).map(|taken| taken.sessions)
        });
        if let Some(taken) = taken
            && taken >= left.max(FEW)
        {
            return Err(NoRoom::Address(taken));
        }
        self.has_session.set(true);
        self.shares.sessions.set(sessions + 1);
        self.shares.change(self.network, |taken| {
            taken.connections -= 1;
            taken.sessions += 1;
        });
        Ok(())
    }

    /// The connection has no session any more.
    pub(crate) fn end_session(&self) {
        if self.has_session.replace(false) {
            self.shares.sessions.set(self.shares.sessions.get() - 1);
            self.shares.change(self.network, |taken| {
                taken.connections += 1;
                taken.sessions -= 1;
            });
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.end_session();
        self.shares
            .change(self.network, |taken| taken.connections -= 1);
    }
}

fn network(peer: Peer) -> Option<IpAddr> {
    peer.network().filter(|network| !network.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str) -> Peer {
        Peer::Tcp((ip.parse::<IpAddr>().unwrap(), 5000).into())
    }

    /// As many sessions of an address as there can be, where there may be `most` of all.
    fn fill(shares: &Rc<Shares>, ip: &str, most: usize) -> Vec<Share> {
        let mut all = Vec::new();
        loop {
            let share = shares.enter(peer(ip)).unwrap();
            if share.begin_session(most).is_err() {
                return all;
            }
            all.push(share);
        }
    }

    #[test]
    fn an_address_may_have_as_many_sessions_as_are_left_for_others() {
        let shares = Rc::new(Shares::default());
        let one = fill(&shares, "192.0.2.1", 100);
        let other = fill(&shares, "2001:db8::1", 100);
        let neighbour = fill(&shares, "2001:db8::ffff:1", 100);
        let third = fill(&shares, "::ffff:192.0.2.3", 100);
        let counts = [&one, &other, &neighbour, &third].map(Vec::len);
        assert_eq!(counts, [50, 25, 0, 13], "one network of IPv6 is one host");
        let share = shares.enter(peer("192.0.2.3")).unwrap();
        assert_eq!(share.begin_session(100), Err(NoRoom::Address(13)));
        // One that ends makes room for another.
        third[0].end_session();
        assert_eq!(share.begin_session(100), Ok(()));
        assert_eq!(share.begin_session(100), Ok(()), "it has one");
        drop((one, other, neighbour, third, share));
        assert!(shares.taken.borrow().is_empty() && shares.sessions.get() == 0);
    }

    #[test]
    fn a_few_may_have_all_that_few_are() {
        let shares = Rc::new(Shares::default());
        let one = fill(&shares, "192.0.2.1", 4);
        assert_eq!(one.len(), 4);
        let share = shares.enter(peer("192.0.2.2")).unwrap();
        assert_eq!(share.begin_session(4), Err(NoRoom::All(4)));
    }

    #[test]
    fn programs_of_this_machine_are_not_told_apart() {
        for local in ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"] {
            let shares = Rc::new(Shares::default());
            assert_eq!(fill(&shares, local, 100).len(), 100, "{local}");
        }
    }

    #[test]
    fn an_address_has_so_many_connections_without_a_session() {
        let shares = Rc::new(Shares::default());
        let enter = |ip| shares.enter(peer(ip));
        let waiting: Vec<_> = (0..CONNECTIONS)
            .map(|_| enter("192.0.2.1").unwrap())
            .collect();
        let refused = enter("192.0.2.1").err();
        assert_eq!(refused, Some(NoRoom::Connections));
        assert!(enter("192.0.2.2").is_ok() && enter("127.0.0.1").is_ok());
        waiting[0].begin_session(100).unwrap();
        assert!(enter("192.0.2.1").is_ok());
        waiting[0].end_session();
        assert!(enter("192.0.2.1").is_err());
    }
}
