//! How many bytes wait to be sent. The client bounds the number of messages alone, and who asks for
//! a large directory again and again, through a slow link, has as many of those wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// How many bytes may wait: as many as 4,096 parts of frames, or two of the largest frames.
const MAX_BYTES: usize = 64 << 20;

/// What waits to be sent by one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing(Arc<AtomicUsize>);

/// A message that waits, until it is dropped.
struct Waiting {
    message: Vec<u8>,
    bytes: Arc<AtomicUsize>,
}

impl Outgoing {
    /// Counts a message; `None` where there is no room for it.
    pub(super) fn add(&self, message: Vec<u8>) -> Option<Bytes> {
        let bytes = self.0.load(Ordering::Relaxed) + message.len();
        if bytes > MAX_BYTES {
            return None;
        }
        // Only this adds to it, by one thread.
        self.0.fetch_add(message.len(), Ordering::Relaxed);
        let bytes = self.0.clone();
        Some(Bytes::from_owner(Waiting { message, bytes }))
    }
}

impl AsRef<[u8]> for Waiting {
    fn as_ref(&self) -> &[u8] {
        &self.message
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.bytes.fetch_sub(self.message.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_been_sent_makes_room() {
        let outgoing = Outgoing::default();
        let quarter = || outgoing.add(vec![7; MAX_BYTES / 4]);
        let waiting = [quarter(), quarter(), quarter()];
        let last = quarter();
        assert!(last.is_some() && waiting.iter().all(Option::is_some));
        assert_eq!(outgoing.add(vec![1]), None);
        let part = last.as_ref().map(|last| last.slice(1..));
        drop(last);
        assert_eq!(outgoing.add(vec![1]), None, "part of it is still there");
        drop(part);
        assert_eq!(outgoing.add(vec![1]).as_deref(), Some(&[1][..]));
    }
}
