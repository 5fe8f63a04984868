//! A socket that requests are read from and responses written to. It gives first what was read from
//! it before, if anything was; keeps what was read for who takes the connection over; and gives up
//! on a client that takes nothing.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::progress::Progress;
use crate::socket::{STALL, Socket};

/// The socket. A write fails with `TimedOut` when the client took nothing for [`STALL`].
pub(crate) struct StallTimeout {
    socket: Socket,
    /// What was read before, and is not given yet.
    already_read: Bytes,
    stall: Option<Pin<Box<Sleep>>>,
    progress: Rc<Progress>,
}

impl StallTimeout {
    /// `already_read` comes before what the socket gives. `progress` says from now on whether
    /// writing is blocked, and records what is read.
    pub(crate) fn new(socket: Socket, already_read: Bytes, progress: Rc<Progress>) -> Self {
        Self {
            socket,
            already_read,
            stall: None,
            progress,
        }
    }

    /// Gives the socket back.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    fn watched(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.progress.blocked.set(written.is_pending());
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for StallTimeout {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.already_read.is_empty() {
            ready!(Pin::new(&mut this.socket).poll_read(cx, buffer))?;
        } else {
            let fits = this.already_read.len().min(buffer.remaining());
            buffer.put_slice(&this.already_read.split_to(fits));
        }
        let mut recording = this.progress.recording.borrow_mut();
        recording.add(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for StallTimeout {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.watched(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, parts);
        this.watched(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn gives_up_on_a_client_that_takes_nothing_but_not_on_a_slow_one() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let progress = Rc::new(Progress::default());
        let mut writer = StallTimeout::new(Socket::Unix(near), Bytes::new(), progress.clone());
        writer.write_all(b"a little").await.unwrap();
        assert!(!progress.blocked.get());
        // Each time all but the last moment passes before the client takes something.
        for _ in 0..5 {
            let fill = async { while writer.write(&[0; 65536]).await.is_ok() {} };
            assert!(timeout(STALL * 9 / 10, fill).await.is_err());
            assert!(progress.blocked.get());
            let mut taken = 0;
            while taken < 1 << 19 {
                let read = timeout(STALL / 1000, far.read(&mut [0; 65536])).await;
                match read {
                    Ok(bytes) => taken += bytes.unwrap(),
                    Err(_) => break,
                }
            }
        }
        let start = Instant::now();
        let fill = async {
            loop {
                if let Err(error) = writer.write(&[0; 65536]).await {
                    return error;
                }
            }
        };
        assert_eq!(fill.await.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= STALL);
    }
}
