//! Whether a connection still is one.
//!
//! TCP does not find out that the other side is gone as long as nothing is sent, and then takes a
//! quarter of an hour. So whoever has said something and heard nothing since asks the server for a
//! word, which any server gives at once, and gives the connection up where none comes. Who has said
//! nothing has nothing to lose: while nobody looks, the server is asked seldom.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Client;
use futures_util::FutureExt;
use tokio::task::unconstrained;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often it is checked whether the server has answered what was said.
const CHECK: Duration = Duration::from_secs(2);

/// So many checks in a row may find that nothing was heard: a way that comes back before that has
/// its packets sent again within 3 s.
const MOST_SILENT: u32 = 2;

/// What the client says when it asks by itself.
const PING_BYTES: u64 = b"PING\r\n".len() as u64;

/// Checks a connection from time to time.
pub(super) struct Checks {
    client: Client,
    liveness: Liveness,
    times: Interval,
}

impl Checks {
    /// Begins with a connection that has just been made.
    pub(super) fn of(client: Client) -> Self {
        let [in_bytes, out_bytes] = in_and_out(&client);
        let mut times = interval(CHECK);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            liveness: Liveness::new(in_bytes, out_bytes),
            client,
            times,
        }
    }

    /// Waits for the next check, and gives what it comes to.
    pub(super) async fn next(&mut self) -> Checked {
        self.times.tick().await;
        let [in_bytes, out_bytes] = in_and_out(&self.client);
        self.liveness.check(in_bytes, out_bytes)
    }

    /// Has the server say something. The client cannot be told to ask (PING), but does when it has
    /// to know that nothing more comes to a subscription.
    pub(super) fn ask_for_a_word(&self, inbox: &str) {
        let asked = async {
            if let Ok(mut subscription) = self.client.subscribe(format!("{inbox}.word")).await {
                let _ = subscription.drain().await;
            }
        };
        // Where this would have to wait, enough waits already that is not answered.
        let _ = unconstrained(asked).now_or_never();
    }
}

/// How many bytes have come, and gone.
fn in_and_out(client: &Client) -> [u64; 2] {
    let statistics = client.statistics();
    let bytes = [&statistics.in_bytes, &statistics.out_bytes];
    bytes.map(|bytes| bytes.load(Ordering::Relaxed))
}

/// What a check of a connection comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// Nothing is waited for.
    Well,
    /// The server is to say something.
    Ask,
    /// It does not.
    Gone,
}

/// What has gone over a connection, as of the last check: the decision, apart from clocks and
/// sockets.
#[derive(Debug)]
struct Liveness {
    in_bytes: u64,
    out_bytes: u64,
    /// What was said last may not have been answered.
    is_open: bool,
    /// At so many checks nothing had been heard while that was so.
    silent: u32,
}

impl Liveness {
    /// Begins with a connection by which so much has come and gone.
    fn new(in_bytes: u64, out_bytes: u64) -> Self {
        Self {
            in_bytes,
            out_bytes,
            is_open: false,
            silent: 0,
        }
    }

    /// Checks it again.
    fn check(&mut self, in_bytes: u64, out_bytes: u64) -> Checked {
        let is_heard = in_bytes != self.in_bytes;
        let said = out_bytes.saturating_sub(self.out_bytes);
        (self.in_bytes, self.out_bytes) = (in_bytes, out_bytes);
        if is_heard {
            // Which of both came first is not known, but where an answer was waited for here.
            self.is_open = self.silent == 0 && said > PING_BYTES;
            self.silent = 0;
            return Checked::Well;
        }
        self.is_open |= said > 0;
        if !self.is_open {
            return Checked::Well;
        }
        self.silent += 1;
        match self.silent <= MOST_SILENT {
            true => Checked::Ask,
            false => Checked::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(liveness: &mut Liveness, checks: &[(u64, u64, Checked)]) {
        for (index, (in_bytes, out_bytes, checked)) in checks.iter().enumerate() {
            assert_eq!(
                liveness.check(*in_bytes, *out_bytes),
                *checked,
                "check {index}"
            );
        }
    }

    #[test]
    fn who_says_nothing_asks_for_nothing() {
        let checks = [
            (100, 50, Checked::Well),
            (100, 50, Checked::Well),
            // It is spoken to.
            (170, 50, Checked::Well),
            (170, 50, Checked::Well),
            // The client has asked by itself.
            (176, 56, Checked::Well),
            (176, 56, Checked::Well),
        ];
        check(&mut Liveness::new(100, 50), &checks);
    }

    #[test]
    fn what_may_be_unanswered_is_asked_after_once() {
        let checks = [
            (300, 400, Checked::Well),
            (700, 800, Checked::Well),
            (700, 800, Checked::Ask),
            (706, 840, Checked::Well),
            (706, 840, Checked::Well),
        ];
        check(&mut Liveness::new(100, 50), &checks);
    }

    #[test]
    fn a_server_that_says_nothing_more_is_gone() {
        // Within a conversation; after a silence, when what it is asked does not go out any more.
        for checks in [
            [
                (300, 400, Checked::Well),
                (300, 400, Checked::Ask),
                (300, 440, Checked::Ask),
                (300, 440, Checked::Gone),
            ],
            [
                (100, 50, Checked::Well),
                (100, 56, Checked::Ask),
                (100, 56, Checked::Ask),
                (100, 56, Checked::Gone),
            ],
        ] {
            check(&mut Liveness::new(100, 50), &checks);
        }
    }
}
