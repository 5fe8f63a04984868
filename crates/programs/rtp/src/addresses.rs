//! The addresses of a destination, of which one is sent to: the first that has a way there and
//! takes packets, as they are sorted by the system (RFC 6724).

use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use anyhow::Context;
use eyelid_config::HostPort;
use tokio::net::lookup_host;

/// How long what a name led to is taken for true, and how long where nobody takes packets there:
/// the receiver may have another address now.
const FRESH_FOR: Duration = Duration::from_secs(60);
const FRESH_FOR_REFUSED: Duration = Duration::from_secs(5);

/// What a name leads to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    all: Vec<SocketAddr>,
    at: usize,
    looked_up: Option<Instant>,
}

/// Whether there are more addresses to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// There are.
    Goes,
    /// All have been tried, and this is the first one again.
    IsOver,
}

impl Addresses {
    /// The name leads to these now. The one that is sent to stays, if it is among them.
    pub(crate) fn set(&mut self, found: Vec<SocketAddr>, now: Instant) {
        let current = self.current();
        let known = found.iter().position(|it| Some(*it) == current);
        *self = Self {
            all: found,
            at: known.unwrap_or_default(),
            looked_up: Some(now),
        };
    }

    /// The one that is sent to; none before any is known.
    pub(crate) fn current(&self) -> Option<SocketAddr> {
        self.all.get(self.at).copied()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// Goes on to the next.
    pub(crate) fn advance(&mut self) -> Round {
        self.at += 1;
        if self.at < self.all.len() {
            return Round::Goes;
        }
        self.at = 0;
        Round::IsOver
    }

    /// Has the name looked up again before the next try.
    pub(crate) fn distrust(&mut self) {
        self.looked_up = None;
    }

    /// Says whether the name is to be looked up.
    pub(crate) fn are_stale(&self, is_refused: bool, now: Instant) -> bool {
        let fresh_for = if is_refused {
            FRESH_FOR_REFUSED
        } else {
            FRESH_FOR
        };
        let age = |at| now.saturating_duration_since(at);
        self.looked_up.is_none_or(|at| age(at) >= fresh_for)
    }
}

/// Gives the addresses of a destination, each once.
///
/// # Errors
/// There are none, and why.
pub(crate) async fn look_up(to: &HostPort) -> anyhow::Result<Vec<SocketAddr>> {
    if let Some((address, _)) = to.ipv6() {
        // Its zone is the interface's matter.
        return Ok(vec![SocketAddrV6::new(address, to.port, 0, 0).into()]);
    }
    let found = lookup_host((to.host.as_str(), to.port)).await;
    let found = found.with_context(|| format!("cannot find {:?}", to.host))?;
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    if all.is_empty() {
        let none = io::Error::new(io::ErrorKind::NotFound, "no address");
        return Err(none).with_context(|| format!("cannot find {:?}", to.host));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn each_is_tried_in_turn() {
        let mut addresses = Addresses::default();
        assert_eq!(addresses.current(), None);
        let three = all(&["192.0.2.1:2", "192.0.2.2:2", "[::1]:2"]);
        addresses.set(three.clone(), Instant::now());
        for round in [Round::Goes, Round::Goes, Round::IsOver] {
            assert_eq!(addresses.advance(), round);
        }
        assert_eq!(addresses.current(), Some(three[0]));
        addresses.set(three[..1].to_vec(), Instant::now());
        assert_eq!(addresses.advance(), Round::IsOver, "there is only one");
    }

    #[test]
    fn the_one_in_use_stays_while_it_is_one() {
        let mut addresses = Addresses::default();
        addresses.set(all(&["192.0.2.1:2", "192.0.2.2:2"]), Instant::now());
        addresses.advance();
        addresses.set(
            all(&["[::1]:2", "192.0.2.2:2", "192.0.2.1:2"]),
            Instant::now(),
        );
        assert_eq!(addresses.current(), Some("192.0.2.2:2".parse().unwrap()));
        addresses.set(all(&["192.0.2.9:2"]), Instant::now());
        assert_eq!(addresses.current(), Some("192.0.2.9:2".parse().unwrap()));
    }

    #[test]
    fn a_name_is_looked_up_again_and_sooner_where_nobody_is() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        assert!(addresses.are_stale(false, now));
        addresses.set(all(&["192.0.2.1:2"]), now);
        let later = now + FRESH_FOR_REFUSED;
        assert!(!addresses.are_stale(false, later));
        assert!(addresses.are_stale(true, later));
        assert!(addresses.are_stale(false, now + FRESH_FOR));
        addresses.distrust();
        assert!(addresses.are_stale(false, now));
    }

    #[tokio::test]
    async fn an_address_is_its_own_name() {
        for (to, found) in [
            ("192.0.2.1:2", "192.0.2.1:2"),
            ("[ff02::1%nowhere0]:2", "[ff02::1]:2"),
        ] {
            let found_now = look_up(&to.parse().unwrap()).await.unwrap();
            assert_eq!(found_now, all(&[found]));
        }
        let error = look_up(&"nowhere.invalid:2".parse().unwrap()).await;
        let error = format!("{:#}", error.unwrap_err());
        assert!(
            error.starts_with("cannot find \"nowhere.invalid\": "),
            "{error}"
        );
    }
}
