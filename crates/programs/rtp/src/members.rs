//! The sessions that listen to a group. Their clients report to the group and not to their session,
//! which learns here that they are there still.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::{Rc, Weak};

use tokio::sync::Notify;

/// Those of one group.
#[derive(Default)]
pub(crate) struct Members(RefCell<Vec<Weak<Member>>>);

/// One of them, until it is dropped.
pub(crate) struct Member {
    /// Where its client is; nobody else's reports count. `None` where that has no address.
    client: Option<IpAddr>,
    reported: Notify,
}

impl Members {
    /// A session listens whose client is there.
    pub(crate) fn join(&self, client: Option<IpAddr>) -> Rc<Member> {
        let member = Rc::new(Member {
            client: client.map(|client| client.to_canonical()),
            reported: Notify::new(),
        });
        let mut all = self.0.borrow_mut();
        // There may be no report for long, and no end of clients that come and go.
        all.retain(|other| other.strong_count() > 0);
        all.push(Rc::downgrade(&member));
        member
    }

    /// Says whether any session listens.
    pub(crate) fn are_there(&self) -> bool {
        self.0.borrow().iter().any(|it| it.strong_count() > 0)
    }

    /// A report has come from there.
    pub(crate) fn on_report(&self, from: IpAddr) {
        self.0.borrow_mut().retain(|member| {
            let Some(member) = member.upgrade() else {
                return false;
            };
            if member.client == Some(from.to_canonical()) {
                member.reported.notify_one();
            }
            true
        });
    }
}

impl Member {
    /// Waits for its client's next report.
    pub(crate) async fn reported(&self) {
        self.reported.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn has_reported(member: &Member) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(member.reported()).poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn a_session_hears_of_its_own_clients_reports() {
        let members = Members::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let one = members.join(Some(address("::ffff:192.0.2.1")));
        let other = members.join(Some(address("192.0.2.2")));
        let nowhere = members.join(None);
        members.on_report(address("192.0.2.1"));
        assert!(has_reported(&one) && !has_reported(&one));
        assert!(!has_reported(&other) && !has_reported(&nowhere));
        drop((one, nowhere));
        assert!(members.are_there());
        members.on_report(address("192.0.2.2"));
        assert!(has_reported(&other));
        assert_eq!(members.0.borrow().len(), 1);
        drop(other);
        assert!(!members.are_there());
    }

    #[test]
    fn sessions_that_have_ended_are_forgotten_although_nobody_reports() {
        let members = Members::default();
        let _stays = members.join(None);
        for _ in 0..10 {
            drop(members.join(None));
        }
        assert_eq!(members.0.borrow().len(), 2);
    }
}
