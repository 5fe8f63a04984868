//! One reader of a tap: it gets the next picture when it has read the last ones, and may ask for a
//! keyframe.

use std::io;
use std::time::Instant;

use eyelid_h264::TimedHeader;
use eyelid_pacing::unacknowledged_bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{self, sleep, timeout};

use super::backlog::{Backlog, Verdict};
use crate::coded::Coded;
use crate::feeds::Viewer;

/// How long a reader may take no byte of a picture before it is none.
const STALL: std::time::Duration = eyelid_http::STALL;

/// What asks for a keyframe.
const KEY: u8 = b'k';

/// In what form a reader gets pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Raw,
    /// Each behind a header.
    Timed,
}

/// A reader.
pub(crate) struct Reader {
    viewer: Viewer,
    stream: UnixStream,
    form: Form,
}

impl Reader {
    pub(crate) fn new(viewer: Viewer, stream: UnixStream, form: Form) -> Self {
        Self {
            viewer,
            stream,
            form,
        }
    }

    /// Sends pictures until the reader is gone.
    pub(crate) async fn run(self) {
        let (reading, writing) = self.stream.into_split();
        let ended = tokio::select! {
            ended = listen(&self.viewer, reading) => ended,
            ended = send(&self.viewer, writing, self.form) => ended,
        };
        if let Err(error) = ended {
            log::debug!("a reader of a tap is gone: {error}");
        }
    }
}

/// Hears what the reader asks for, until it closes.
async fn listen(viewer: &Viewer, mut reading: OwnedReadHalf) -> io::Result<()> {
    let mut heard = [0; 64];
    loop {
        let bytes = reading.read(&mut heard).await?;
        if bytes == 0 {
            return Ok(());
        }
        if heard[..bytes].contains(&KEY) {
            viewer.ask_key();
        }
    }
}

async fn send(viewer: &Viewer, mut writing: OwnedWriteHalf, form: Form) -> io::Result<()> {
    let mut backlog = Backlog::default();
    let mut last = None;
    loop {
        keeps_up(&writing, &mut backlog).await?;
        let coded = viewer.next().await;
        let bytes = match form {
            Form::Raw => None,
            Form::Timed => Some(header(&coded, last)?),
        };
        last = Some(coded.number);
        let all = async {
            if let Some(header) = bytes {
                writing.write_all(&header).await?;
            }
            writing.write_all(&coded.annex_b).await
        };
        timeout(STALL, all).await??;
    }
}

/// Waits until the next picture may be chosen.
async fn keeps_up(writing: &OwnedWriteHalf, backlog: &mut Backlog) -> io::Result<()> {
    loop {
        let unread = unacknowledged_bytes(writing.as_ref())?;
        match backlog.judge(unread, now()) {
            Verdict::Send => return Ok(()),
            Verdict::Wait(pause) => sleep(pause).await,
            Verdict::Dead => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// What stands before a picture.
fn header(coded: &Coded, last: Option<u64>) -> io::Result<[u8; TimedHeader::BYTES]> {
    let header = TimedHeader {
        length: u32::try_from(coded.annex_b.len()).map_err(io::Error::other)?,
        is_key: coded.is_key,
        is_after_gap: last.is_some_and(|last| coded.number != last.wrapping_add(1)),
        captured: coded.captured,
        number: coded.number,
    };
    Ok(header.to_bytes())
}

/// Tokio's clock, which tests may stop.
fn now() -> Instant {
    time::Instant::now().into_std()
}
