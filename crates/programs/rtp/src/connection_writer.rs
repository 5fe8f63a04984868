//! How responses and frames leave by one connection, whole and one after the other.
//!
//! A session that is paused or ended is given up wherever it is, also within a frame. What its
//! socket has not yet taken stays here, and goes before anything else: after half a packet a client
//! would find nothing more.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::time::Instant;

use eyelid_http::{STALL, Socket};
use eyelid_pacing::{Pacer, tcp_info, unacknowledged_bytes};
use tokio::time::{sleep, timeout};

/// Writes to one client.
pub(crate) struct ConnectionWriter {
    socket: Socket,
    /// What is to go before all else.
    pending: RefCell<Vec<u8>>,
    /// How much of it has gone.
    gone: Cell<usize>,
    pacer: RefCell<Pacer>,
}

impl ConnectionWriter {
    /// Writes to this socket.
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            pending: RefCell::default(),
            gone: Cell::default(),
            pacer: RefCell::new(Pacer::new(Instant::now())),
        }
    }

    /// Reads what the client sends.
    ///
    /// # Errors
    /// What the socket said.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer).await
    }

    /// Writes all of this. Once begun it goes to its end, even if this is given up.
    ///
    /// # Errors
    /// What the socket said; `TimedOut` when it took nothing for [`STALL`].
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_telling(bytes, || {}).await
    }

    /// Writes all of this; `on_begun` hears when it has begun, from when on it goes to its end.
    ///
    /// # Errors
    /// As for [`ConnectionWriter::write`].
    pub(crate) async fn write_telling(
        &self,
        bytes: &[u8],
        on_begun: impl FnOnce(),
    ) -> io::Result<()> {
        let began = Instant::now();
        self.flush().await?;
        on_begun();
        let taken = self.try_write(bytes)?;
        self.pending.borrow_mut().extend_from_slice(&bytes[taken..]);
        self.pacer.borrow_mut().on_write(began, bytes.len() as u64);
        self.flush().await
    }

    /// Waits until so little lies unacknowledged that the next frame may be chosen ([`Pacer`]).
    ///
    /// # Errors
    /// What the socket said; `TimedOut` when nothing left it for [`STALL`].
    pub(crate) async fn drained(&self) -> io::Result<()> {
        self.flush().await?;
        loop {
            let unacknowledged = unacknowledged_bytes(&self.socket)?;
            let now = Instant::now();
            let pause = {
                let mut pacer = self.pacer.borrow_mut();
                let pause = pacer.delay(now, unacknowledged, || tcp_info(&self.socket));
                if pause.is_some() && pacer.stalled_for(now) > STALL {
                    return Err(ErrorKind::TimedOut.into());
                }
                pause
            };
            match pause {
                Some(pause) => sleep(pause).await,
                None => return Ok(()),
            }
        }
    }

    /// Ends the connection so that the client can still read the last response.
    pub(crate) async fn close(self) {
        if self.flush().await.is_ok() {
            self.socket.lingering_close().await;
        }
    }

    async fn flush(&self) -> io::Result<()> {
        loop {
            let gone = self.gone.get();
            let taken = {
                let pending = self.pending.borrow();
                if gone == pending.len() {
                    break;
                }
                self.try_write(&pending[gone..])?
            };
            self.gone.set(gone + taken);
            if taken == 0 {
                timeout(STALL, self.socket.writable()).await?;
            }
        }
        self.pending.borrow_mut().clear();
        self.gone.set(0);
        Ok(())
    }

    /// Writes what the socket takes now.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.try_write(bytes) {
            Ok(0) if !bytes.is_empty() => Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            taken => taken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixStream;

    #[tokio::test]
    async fn what_was_begun_goes_to_its_end_before_what_comes_next() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let writer = ConnectionWriter::new(Socket::Unix(near));
        // More than the socket takes.
        let frame = vec![7; 4 << 20];
        tokio::select! {
            biased;
            _ = writer.write(&frame) => panic!("all of it was taken"),
            () = ready(()) => {}
        }
        let read = async {
            let mut read = vec![0; frame.len() + 2];
            far.read_exact(&mut read).await.unwrap();
            read
        };
        let (written, read) = tokio::join!(writer.write(b"OK"), read);
        written.unwrap();
        assert_eq!(&read[..frame.len()], frame);
        assert_eq!(&read[frame.len()..], b"OK");
    }
}
