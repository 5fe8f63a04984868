//! How long those wait who showed no right token, and how many of one address may: guessing is
//! hopeless anyway, and this keeps it cheap.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use eyelid_http::Peer;
use tokio::time::sleep;

/// How long a refusal takes.
const DELAY: Duration = Duration::from_secs(1);

/// How many of one address may wait for theirs. All together are no more than there are clients.
const WAITING: usize = 8;

/// Those who wait, by address.
#[derive(Debug, Default)]
pub(crate) struct Refusals(RefCell<HashMap<Option<IpAddr>, usize>>);

/// Too many wait already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Refusals {
    /// Waits as long as a refusal takes.
    ///
    /// # Errors
    /// [`TooMany`], at once.
    pub(crate) async fn wait(&self, peer: Peer) -> Result<(), TooMany> {
        let _waiting = Waiting::enter(self, peer.network()).ok_or(TooMany)?;
        sleep(DELAY).await;
        Ok(())
    }
}

/// One who waits, until it is dropped.
struct Waiting<'a> {
    refusals: &'a Refusals,
    address: Option<IpAddr>,
}

impl<'a> Waiting<'a> {
    fn enter(refusals: &'a Refusals, address: Option<IpAddr>) -> Option<Self> {
        let mut all = refusals.0.borrow_mut();
        let waiting = all.entry(address).or_default();
        if *waiting == WAITING {
            return None;
        }
        *waiting += 1;
        Some(Self { refusals, address })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut all = self.refusals.0.borrow_mut();
        if let Some(waiting) = all.get_mut(&self.address) {
            *waiting -= 1;
            if *waiting == 0 {
                all.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use tokio::task::{LocalSet, spawn_local};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn eight_of_an_address_wait_and_others_are_not_kept_by_them() {
        let local = LocalSet::new();
        let test = local.run_until(async {
            let refusals = Rc::new(Refusals::default());
            let wait = |address: &str| {
                let (refusals, peer) = (refusals.clone(), Peer::Tcp(address.parse().unwrap()));
                spawn_local(async move { refusals.wait(peer).await })
            };
            let start = Instant::now();
            let first: Vec<_> = (0..WAITING)
                .map(|n| wait(&format!("192.0.2.1:{n}")))
                .collect();
            tokio::task::yield_now().await;
            assert_eq!(wait("192.0.2.1:99").await.unwrap(), Err(TooMany));
            assert_eq!(start.elapsed(), Duration::ZERO);
            assert_eq!(wait("192.0.2.2:1").await.unwrap(), Ok(()));
            assert_eq!(start.elapsed(), DELAY);
            for waiting in first {
                assert_eq!(waiting.await.unwrap(), Ok(()));
            }
            assert!(refusals.0.borrow().is_empty(), "who has gone is forgotten");
        });
        test.await;
    }
}
