//! What writes frames to one streaming client: its socket, and what is known of how that drains.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_consumer::{Position, SharedFrame, Subscriber, Wake};
use eyelid_http::{STALL, Socket};
use eyelid_pacing::{Pacer, tcp_info, unacknowledged_bytes};
use tokio::time::{self, sleep};

use crate::clients::Entry;
use crate::metrics::StreamCounters;
use crate::part::{PartHeaders, RenditionHeader};

/// Writes a stream's frames to its client.
pub(crate) struct StreamWriter {
    /// The client's socket.
    pub(crate) socket: Socket,
    /// The client's place in the list.
    pub(crate) entry: Entry,
    /// Which headers of parts it gets.
    pub(crate) headers: PartHeaders,
    counters: StreamCounters,
    pacer: RefCell<Pacer>,
    /// Where it is: the last frame that went, or began to go.
    last: Cell<Position>,
}

impl StreamWriter {
    pub(crate) fn new(
        socket: Socket,
        entry: Entry,
        headers: PartHeaders,
        counters: StreamCounters,
    ) -> Self {
        Self {
            socket,
            entry,
            headers,
            counters,
            pacer: RefCell::new(Pacer::new(now())),
            last: Cell::default(),
        }
    }

    /// Where the client is: the last frame that was sent.
    pub(crate) fn last(&self) -> Position {
        self.last.get()
    }

    /// Sends a frame's part but for its first bytes, which have been sent.
    ///
    /// # Errors
    /// What the socket said.
    pub(crate) async fn send(&self, frame: &SharedFrame, sent_bytes: usize) -> io::Result<()> {
        let began = now();
        let part = self.headers.part_of(frame);
        self.socket.send(&part[sent_bytes..]).await?;
        self.sent(frame, began);
        Ok(())
    }

    /// Sends bytes that are no frame of the camera.
    ///
    /// # Errors
    /// What the socket said.
    pub(crate) async fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let began = now();
        self.socket.send(bytes).await?;
        let mut pacer = self.pacer.borrow_mut();
        pacer.on_write(began, bytes.len() as u64);
        Ok(())
    }

    /// Waits until so little lies unacknowledged that the next frame may be chosen ([`Pacer`]).
    ///
    /// # Errors
    /// What the socket said; `TimedOut` when nothing left it for [`STALL`].
    pub(crate) async fn drained(&self) -> io::Result<()> {
        while let Some(pause) = self.poll_socket()? {
            sleep(pause).await;
        }
        Ok(())
    }

    fn poll_socket(&self) -> io::Result<Option<Duration>> {
        let unacknowledged = unacknowledged_bytes(&self.socket)?;
        let (mut pacer, now) = (self.pacer.borrow_mut(), now());
        let pause = pacer.delay(now, unacknowledged, || tcp_info(&self.socket));
        if pause.is_some() && pacer.stalled_for(now) > STALL {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(pause)
    }

    fn sent(&self, frame: &SharedFrame, began: Instant) {
        let bytes = self.headers.part_of(frame).len() as u64;
        let skipped = frame.skipped_since(self.last.replace(frame.position()));
        self.pacer.borrow_mut().on_write(began, bytes);
        self.entry
            .client
            .sent(bytes, skipped, frame.rendition, began);
        self.counters.sent(bytes, skipped);
        if self.headers.rendition == RenditionHeader::Sent {
            self.counters.sent_rendition(frame.rendition);
        }
    }
}

/// Tokio's clock, which tests may stop.
fn now() -> Instant {
    time::Instant::now().into_std()
}

impl Subscriber for StreamWriter {
    fn offer(&self, frame: &Rc<SharedFrame>, now: Instant) -> ControlFlow<Wake> {
        let drained = unacknowledged_bytes(&self.socket)
            .map(|bytes| self.pacer.borrow_mut().can_send(now, bytes));
        match drained {
            Ok(true) => {}
            Ok(false) => return ControlFlow::Break(Wake::Backlogged),
            Err(error) => return ControlFlow::Break(Wake::Failed(error)),
        }
        let part = self.headers.part_of(frame);
        ControlFlow::Break(match self.socket.try_write(part) {
            Ok(bytes) if bytes == part.len() => {
                self.sent(frame, now);
                return ControlFlow::Continue(());
            }
            Ok(bytes) => Wake::Partial(frame.clone(), bytes),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Wake::Backlogged,
            Err(error) => Wake::Failed(error),
        })
    }
}

#[cfg(test)]
mod tests;
