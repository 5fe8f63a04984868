//! What has come for a session and was not read yet.

use std::cell::RefCell;
use std::collections::VecDeque;

use tokio::sync::Notify;

use crate::peers::udp::Datagram;

/// How many datagrams wait for a session. It reads them within a turn of the runtime, but for one
/// that has offered and was not answered yet: of what comes meanwhile it needs the last checks.
const DATAGRAMS: usize = 64;

/// The datagrams of one session, the newest of them.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: RefCell<VecDeque<Datagram>>,
    changed: Notify,
}

impl Inbox {
    /// Adds one; if there are too many, the oldest goes.
    pub(crate) fn push(&self, datagram: Datagram) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() == DATAGRAMS {
            waiting.pop_front();
        }
        waiting.push_back(datagram);
        self.changed.notify_one();
    }

    /// Gives the oldest.
    pub(crate) fn take(&self) -> Option<Datagram> {
        self.waiting.borrow_mut().pop_front()
    }

    /// Waits until there is one. Nothing is lost by giving up on it.
    pub(crate) async fn until_some(&self) {
        while self.waiting.borrow().is_empty() {
            self.changed.notified().await;
        }
    }
}
