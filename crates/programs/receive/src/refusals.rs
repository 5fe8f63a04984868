//! How long those wait who showed no right token, and how many of one address may: guessing is
//! hopeless anyway, and this keeps it cheap.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use eyelid_http::Peer;
use tokio::time::sleep;

/// How long a refusal takes.
const DELAY: Duration = Duration::from_secs(1);

/// How many of one address may be refused at once. All together are no clients
/// ([`eyelid_http::Outcome::Refused`]), which bounds them.
const MOST: usize = 8;

/// Those who are refused, by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Rc<RefCell<HashMap<Option<IpAddr>, usize>>>);

impl Refusals {
    /// Begins to refuse one; none where too many of its address are being refused.
    pub(crate) fn enter(&self, peer: Peer) -> Option<Refused> {
        let address = peer.network();
        let mut all = self.0.borrow_mut();
        let count = all.entry(address).or_default();
        (*count < MOST).then(|| {
            *count += 1;
            let refusals = self.clone();
            Refused { refusals, address }
        })
    }
}

/// One who is refused, until this is dropped: with its connection, where that is to be told.
#[derive(Debug)]
pub(crate) struct Refused {
    refusals: Refusals,
    address: Option<IpAddr>,
}

impl Refused {
    /// Waits as long as a refusal takes.
    pub(crate) async fn wait(&self) {
        sleep(DELAY).await;
    }
}

impl Drop for Refused {
    fn drop(&mut self) {
        let mut all = self.refusals.0.borrow_mut();
        if let Some(count) = all.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn eight_of_an_address_are_refused_and_others_are_not_kept_by_them() {
        let refusals = Refusals::default();
        let enter = |address: &str| refusals.enter(Peer::Tcp(address.parse().unwrap()));
        let mut first: Vec<_> = (0..MOST)
            .map(|n| enter(&format!("192.0.2.1:{n}")).unwrap())
            .collect();
        assert!(enter("192.0.2.1:99").is_none());
        let start = Instant::now();
        let other = enter("192.0.2.2:1").unwrap();
        other.wait().await;
        assert_eq!(start.elapsed(), DELAY);
        first[0].wait().await;
        assert!(enter("192.0.2.1:99").is_none(), "it has not gone yet");
        first.pop();
        assert!(enter("192.0.2.1:99").is_some());
        drop((first, other));
        assert!(refusals.0.borrow().is_empty(), "who has gone is forgotten");
    }
}
