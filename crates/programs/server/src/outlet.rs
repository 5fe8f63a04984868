//! One streaming client's way out: its socket, and what is known of how that drains.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::time::Duration;

use eyelid_pacing::{Pacer, tcp_info, unacknowledged_bytes};
use tokio::time::{Instant, sleep};

use crate::clients::Entry;
use crate::metrics::StreamCounters;
use crate::part::Header;
use crate::shown::Shown;
use crate::socket::{STALL, Socket};

/// Where a stream's frames go.
pub(crate) struct Outlet {
    /// The client's socket.
    pub(crate) socket: Socket,
    /// The client's place in the list.
    pub(crate) entry: Entry,
    /// When it gets the headers of parts.
    pub(crate) header: Header,
    counters: StreamCounters,
    pacer: RefCell<Pacer>,
    /// The number of the last frame that went, or began to go.
    last: Cell<u64>,
}

/// What became of a frame that a socket was offered.
pub(crate) enum Offered {
    /// The socket took it.
    Taken,
    /// The socket took so many bytes of its part; the rest must follow.
    Begun(usize),
    /// Too much of older frames lies in the socket.
    NotDrained,
    /// The socket failed.
    Failed(io::Error),
}

impl Outlet {
    pub(crate) fn new(
        socket: Socket,
        entry: Entry,
        header: Header,
        counters: StreamCounters,
    ) -> Self {
        Self {
            socket,
            entry,
            header,
            counters,
            pacer: RefCell::new(Pacer::new(Instant::now().into_std())),
            last: Cell::default(),
        }
    }

    /// The number of the last frame that was sent; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last.get()
    }

    /// Sends a frame as far as that goes without waiting.
    pub(crate) fn offer(&self, shown: &Shown, now: Instant) -> Offered {
        let drained = unacknowledged_bytes(&self.socket)
            .map(|bytes| self.pacer.borrow_mut().can_send(now.into_std(), bytes));
        match drained {
            Ok(true) => {}
            Ok(false) => return Offered::NotDrained,
            Err(error) => return Offered::Failed(error),
        }
        let part = shown.part(self.header);
        match self.socket.try_write(part) {
            Ok(bytes) if bytes == part.len() => {
                self.sent(shown, now);
                Offered::Taken
            }
            Ok(bytes) => Offered::Begun(bytes),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Offered::NotDrained,
            Err(error) => Offered::Failed(error),
        }
    }

    /// Sends a frame's part from the byte `done` on.
    ///
    /// # Errors
    /// What the socket said.
    pub(crate) async fn send(&self, shown: &Shown, done: usize) -> io::Result<()> {
        let began = Instant::now();
        self.socket.send(&shown.part(self.header)[done..]).await?;
        self.sent(shown, began);
        Ok(())
    }

    /// Sends bytes that are no frame of the camera.
    ///
    /// # Errors
    /// What the socket said.
    pub(crate) async fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let began = Instant::now();
        self.socket.send(bytes).await?;
        let mut pacer = self.pacer.borrow_mut();
        pacer.on_write(began.into_std(), bytes.len() as u64);
        Ok(())
    }

    /// Waits until so little lies unacknowledged that the next frame may be chosen ([`Pacer`]).
    ///
    /// # Errors
    /// What the socket said; `TimedOut` when nothing left it for [`STALL`].
    pub(crate) async fn drained(&self) -> io::Result<()> {
        while let Some(pause) = self.look()? {
            sleep(pause).await;
        }
        Ok(())
    }

    fn look(&self) -> io::Result<Option<Duration>> {
        let unacknowledged = unacknowledged_bytes(&self.socket)?;
        let (mut pacer, now) = (self.pacer.borrow_mut(), Instant::now().into_std());
        // Asked for only when it matters.
        let path = if unacknowledged > 0 || pacer.wants_tcp_info(now) {
            tcp_info(&self.socket)
        } else {
            None
        };
        let pause = pacer.delay(now, unacknowledged, path);
        if pause.is_some() && pacer.stalled_for(now) > STALL {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(pause)
    }

    fn sent(&self, shown: &Shown, began: Instant) {
        let bytes = shown.part(self.header).len() as u64;
        let skipped = match self.last.replace(shown.number) {
            0 => 0,
            last => shown.number.saturating_sub(last + 1),
        };
        self.pacer.borrow_mut().on_write(began.into_std(), bytes);
        self.entry.client.sent(bytes, skipped, began);
        self.counters.sent(bytes, skipped);
    }
}
