//! What writes frames to one streaming client: its socket, and what is known of how that drains.

use std::cell::{Cell, RefCell};
use std::future;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_consumer::{Camera, Position, SharedFrame, Subscriber, Wake, Wanted};
use eyelid_http::{STALL, Socket};
use eyelid_pacing::{Pacer, Sending, Waited, tcp_info, unacknowledged_bytes};
use tokio::time::{self, sleep, sleep_until};

use crate::adapter::Adapter;
use crate::clients::Entry;
use crate::metrics::StreamCounters;
use crate::part::{PartHeaders, RenditionHeader};
use crate::turn::TurnTaker;

/// Writes a stream's frames to its client.
pub(crate) struct StreamWriter {
    /// The client's socket.
    pub(crate) socket: Rc<Socket>,
    /// The client's place in the list.
    pub(crate) entry: Entry,
    /// Which headers of parts it gets.
    pub(crate) headers: PartHeaders,
    counters: StreamCounters,
    pacer: RefCell<Pacer>,
    /// Says which rendition comes next, where the stream is to fit its link.
    adapter: Option<Box<Adapter>>,
    /// Where it is: the last frame that went, or began to go.
    last: Cell<Position>,
    /// Its part among clients that do not keep up, where it may have one.
    pub(crate) turn: Option<Box<TurnTaker>>,
}

impl StreamWriter {
    pub(crate) fn new(
        socket: Rc<Socket>,
        entry: Entry,
        headers: PartHeaders,
        counters: StreamCounters,
        adapter: Option<Adapter>,
        turn: Option<TurnTaker>,
    ) -> Self {
        Self {
            socket,
            entry,
            headers,
            counters,
            pacer: RefCell::new(Pacer::new(now())),
            adapter: adapter.map(Box::new),
            last: Cell::default(),
            turn: turn.map(Box::new),
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
        if let Some(turn) = &self.turn {
            // Before: what does not fit into the socket at once takes as long as most of the frame.
            turn.on_write(began, part.len() as u64);
        }
        self.socket.send(&part[sent_bytes..]).await?;
        self.sent(frame, part.len() as u64, began);
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
        let mut waited = Waited::No;
        while let Some(pause) = self.poll(waited)? {
            sleep(pause).await;
            waited = Waited::Yes;
        }
        Ok(())
    }

    /// Polls the socket, and says so where the client may take turns.
    fn poll(&self, waited: Waited) -> io::Result<Option<Duration>> {
        let Some(turn) = &self.turn else {
            return self.poll_socket();
        };
        let sending = turn.sending();
        self.pacer.borrow_mut().set_sending(sending);
        let pause = self.poll_socket()?;
        let (mut pacer, now) = (self.pacer.borrow_mut(), now());
        if pacer.has_drained(now) {
            if sending == Sending::InTurns {
                pacer.on_turn_over();
            }
            // What is paused for from now on is not the link.
            turn.on_drained(waited, pacer.shows_link(now));
        }
        Ok(pause)
    }

    /// Waits for the client's turn, if it takes turns with others.
    ///
    /// # Errors
    /// What the socket said.
    pub(crate) async fn turn(&self) -> io::Result<()> {
        if let Some(turn) = &self.turn
            && turn.comes().await
        {
            let unacknowledged = unacknowledged_bytes(&self.socket)?;
            self.pacer.borrow_mut().on_turn(now(), unacknowledged);
        }
        Ok(())
    }

    /// Says whether the client takes part among those that do not keep up.
    pub(crate) fn takes_part(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.takes_part())
    }

    /// What the client is to get next, now that its socket has drained; `None` where its stream is
    /// not adapted.
    pub(crate) fn adapt(&self, camera: &Camera) -> Option<Wanted> {
        let adapter = self.adapter.as_ref()?;
        let now = now();
        adapter.on_offer(now, camera);
        Some(self.next_wanted(adapter, now))
    }

    fn next_wanted(&self, adapter: &Adapter, now: Instant) -> Wanted {
        let wanted = adapter.next(now, &self.pacer.borrow());
        self.entry.client.adapted.set(Some(adapter.in_effect()));
        wanted
    }

    /// Looks at the socket once more, when that may show that a larger rendition would fit; never
    /// completes where there is nothing to be seen.
    pub(crate) async fn check(&self) {
        let check = self.adapter.as_ref().and_then(|adapter| {
            let at = adapter.check_at(now(), &self.pacer.borrow())?;
            Some((adapter, at))
        });
        let Some((adapter, at)) = check else {
            return future::pending().await;
        };
        sleep_until(at.into()).await;
        // A socket that fails is found out when the next frame is sent.
        if let Ok(unacknowledged) = unacknowledged_bytes(&self.socket) {
            let (mut pacer, now) = (self.pacer.borrow_mut(), now());
            pacer.observe(now, unacknowledged);
            adapter.on_check(now, &pacer);
        }
    }

    fn poll_socket(&self) -> io::Result<Option<Duration>> {
        let unacknowledged = unacknowledged_bytes(&self.socket)?;
        let (mut pacer, now) = (self.pacer.borrow_mut(), now());
        let pause = pacer.delay(now, unacknowledged, || tcp_info(&self.socket));
        if pause.is_some() && pacer.stalled_for(now) > STALL {
            return Err(ErrorKind::TimedOut.into());
        }
        if let (Some(pause), Some(adapter)) = (pause, &self.adapter) {
            return Ok(Some(adapter.on_wait(now, pause, &pacer)));
        }
        Ok(pause)
    }

    /// A frame went: its part, of so many bytes.
    fn sent(&self, frame: &SharedFrame, bytes: u64, began: Instant) {
        let skipped = frame.skipped_since(self.last.replace(frame.position()));
        let mut pacer = self.pacer.borrow_mut();
        if let Some(adapter) = &self.adapter {
            adapter.on_write(began, frame.rendition, bytes, &pacer);
        }
        pacer.on_write(began, bytes);
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
pub(crate) fn now() -> Instant {
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
        if let Some(adapter) = &self.adapter
            && self.next_wanted(adapter, now) != Wanted::Frame
        {
            // The task is to want it.
            return ControlFlow::Break(Wake::Backlogged);
        }
        let part = self.headers.part_of(frame);
        ControlFlow::Break(match self.socket.try_write(part) {
            Ok(bytes) if bytes == part.len() => {
                if let Some(turn) = &self.turn {
                    turn.on_write_in_passing(now);
                }
                self.sent(frame, bytes as u64, now);
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
