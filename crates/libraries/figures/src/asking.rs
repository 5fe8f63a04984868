//! The question and its answer. Who connects gets the figures as JSON, and then the end: there is
//! nothing to say in between, so `socat - UNIX:PATH` reads them, too.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::future::pending;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eyelid_daemon::listening::bind_unix;
use eyelid_slot::CameraName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

/// Where the sockets are among the doors: each in a directory of its own, which its program alone
/// can write.
const RTP_SOCKET: &str = "rtp/status";
const VIDEO_SOCKET: &str = "video-status/status";

/// What the names of such directories of `eyelid-watch` begin with; a camera's name follows.
const WATCH_PREFIX: &str = "watch-";

/// Where the socket of `eyelid-receive` is among the slots, which that program can write.
const PUSH_SOCKET: &str = ".push";

/// How long both sides have for it: `/status` is asked every few seconds by some, and is to tell of
/// all else while this program is stuck.
const PATIENCE: Duration = Duration::from_millis(500);

/// For how long nobody is answered after something failed: the process may have no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// More than this is not read: a thousand sessions have half of it.
const MOST_BYTES: u64 = 1 << 20;

/// Where `eyelid-rtp` answers, in the directory of the sockets of programs behind the server
/// (docs/architecture.md#handing-over).
pub fn rtp_socket(doors: &Path) -> PathBuf {
    doors.join(RTP_SOCKET)
}

/// Where `eyelid-video` answers.
pub fn video_socket(doors: &Path) -> PathBuf {
    doors.join(VIDEO_SOCKET)
}

/// Where the `eyelid-watch` of a camera answers: each has a directory of its own.
pub fn watch_socket(doors: &Path, camera: &CameraName) -> PathBuf {
    doors.join(format!("{WATCH_PREFIX}{camera}/status"))
}

/// The cameras of which there is such a directory, whether their `eyelid-watch` runs or not.
pub fn watched_cameras(doors: &Path) -> BTreeSet<CameraName> {
    let entries = std::fs::read_dir(doors).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.strip_prefix(WATCH_PREFIX)?.parse().ok()
    });
    names.collect()
}

/// Where `eyelid-receive` answers, in the directory of the slots.
pub fn push_socket(slots: &Path) -> PathBuf {
    slots.join(PUSH_SOCKET)
}

/// Why a program tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It does not run.
    #[error("nobody answers")]
    NotRunning,
    /// It does not run, and did not end by itself: its socket is still there.
    #[error("nobody answers at its socket")]
    Killed,
    /// It has, or had, more important things to do.
    #[error("no answer for {} ms", PATIENCE.as_millis())]
    TimedOut,
    /// What the system said.
    #[error(transparent)]
    System(io::Error),
    /// It says something else than what was expected.
    #[error("its answer is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Asks the program that answers at `path`. Nothing is started by it.
///
/// # Errors
/// Why it tells nothing.
pub async fn ask<Figures: DeserializeOwned>(path: &Path) -> Result<Figures, AskError> {
    ask_patiently(path, PATIENCE).await
}

/// The same of a program that may take its time: all others come before it.
///
/// # Errors
/// Why it tells nothing.
pub async fn ask_patiently<Figures: DeserializeOwned>(
    path: &Path,
    patience: Duration,
) -> Result<Figures, AskError> {
    let answer = timeout(patience, read(path));
    let json = answer.await.map_err(|_| AskError::TimedOut)?;
    Ok(serde_json::from_slice(&json.map_err(AskError::of)?)?)
}

async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let socket = UnixStream::connect(path).await?;
    let mut json = Vec::new();
    socket.take(MOST_BYTES).read_to_end(&mut json).await?;
    Ok(json)
}

impl AskError {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Killed,
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            // It ends at this very moment.
            | io::ErrorKind::ConnectionReset => Self::NotRunning,
            _ => Self::System(error),
        }
    }
}

/// Why nobody can ask.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {path:?}: {reason}")]
pub struct BindError {
    path: PathBuf,
    reason: io::Error,
}

/// A program's own socket, which goes with it.
#[derive(Debug)]
pub struct Answering {
    path: PathBuf,
    socket: UnixListener,
}

impl Answering {
    /// Binds the socket, in the place of one that nobody has any more. Only this user and its group
    /// may ask: the figures say who looks.
    ///
    /// # Errors
    /// What the system said.
    pub fn bind(path: PathBuf) -> Result<Self, BindError> {
        Self::bind_with(path, 0o660)
    }

    /// The same where every user of this machine may ask.
    ///
    /// # Errors
    /// What the system said.
    pub fn bind_for_all(path: PathBuf) -> Result<Self, BindError> {
        Self::bind_with(path, 0o666)
    }

    fn bind_with(path: PathBuf, mode: u32) -> Result<Self, BindError> {
        match listen(&path, mode) {
            Ok(socket) => Ok(Self { path, socket }),
            Err(reason) => Err(BindError { path, reason }),
        }
    }

    /// Answers all that ask, each with what `figures` gives then, for ever. Without a socket nobody
    /// asks.
    pub async fn answer_all<Figures: Serialize>(
        answering: Option<&Self>,
        figures: impl Fn() -> Figures,
    ) -> Infallible {
        let Some(answering) = answering else {
            return pending().await;
        };
        loop {
            if let Err(error) = answering.answer(&figures).await {
                let path = &answering.path;
                log::debug!("who asked at {path:?} was not answered: {error}");
                sleep(PAUSE).await;
            }
        }
    }

    /// Answers the next one that asks with what `figures` gives then. One after the other: who may
    /// ask is few, and takes what it has asked for.
    ///
    /// # Errors
    /// What the system said, of the socket or of this one's connection.
    pub async fn answer<Figures: Serialize>(
        &self,
        figures: impl FnOnce() -> Figures,
    ) -> io::Result<()> {
        let (mut socket, _) = self.socket.accept().await?;
        let json = serde_json::to_vec(&figures())?;
        timeout(PATIENCE, socket.write_all(&json)).await?
    }
}

fn listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let socket = bind_unix(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    UnixListener::from_std(socket)
}

impl Drop for Answering {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask_for_numbers(path: &Path) -> Result<Vec<u32>, AskError> {
        ask(path).await
    }

    #[tokio::test]
    async fn who_asks_is_told_what_is_so_now() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status");
        let program = Answering::bind(path.clone()).unwrap();
        // More than a socket takes at once.
        for length in [0, 3, 100_000] {
            let figures = || (0..length).collect::<Vec<u32>>();
            let (answered, told) = tokio::join!(program.answer(figures), ask_for_numbers(&path));
            answered.unwrap();
            assert_eq!(told.unwrap().len(), length as usize);
        }
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o660);
        drop(program);
        let _program = Answering::bind_for_all(path.clone()).unwrap();
        assert_eq!(mode(), 0o666);
    }

    #[tokio::test]
    async fn one_that_does_not_run_tells_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status");
        let missing = ask_for_numbers(&path).await.unwrap_err();
        assert!(matches!(missing, AskError::NotRunning), "{missing}");
        // As one leaves it that is killed.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let killed = ask_for_numbers(&path).await.unwrap_err();
        assert!(matches!(killed, AskError::Killed), "{killed}");
        drop(Answering::bind(path.clone()).unwrap());
        assert!(!path.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_stuck_is_not_waited_for_long() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status");
        let _stuck = Answering::bind(path.clone()).unwrap();
        let error = ask_for_numbers(&path).await.unwrap_err();
        assert!(matches!(error, AskError::TimedOut), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_figures_is_not_taken_for_some() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status");
        let program = Answering::bind(path.clone()).unwrap();
        let (_, told) = tokio::join!(program.answer(|| "seven"), ask_for_numbers(&path));
        let error = told.unwrap_err();
        assert!(matches!(error, AskError::Malformed(_)), "{error}");
    }
}
