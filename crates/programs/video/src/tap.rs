//! Taps: cameras as H.264 for any program, by Unix sockets.
//!
//! Each camera has a socket, `NAME.h264`, at which a reader gets its pictures as they are (Annex
//! B). At another, `timed`, a reader names the camera first, and gets each picture behind a header
//! that says when it was captured: `docs/video.md` has both. To connect is demand. A tap is a
//! task that waits for readers, and has one for each; it ends when its camera goes, and with it
//! they do.

mod backlog;
mod reader;
mod slots;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use eyelid_daemon::listening::bind_unix;
use eyelid_figures::ViewerWay;
use eyelid_h264::TIMED_SOCKET;
use eyelid_http::Peer;
use eyelid_slot::CameraName;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::feeds::{About, Feeds, Pace, Viewer};
use reader::{Form, Reader};
pub(crate) use slots::NewSlots;

/// Connecting takes the right to write (unix(7)), which the usual umask takes from others.
const MODE: u32 = 0o666;

/// How many readers a socket has at once, each of which costs a descriptor and a task. A recorder,
/// an RTSP server and some curious people are few.
const MOST_READERS: usize = 32;

/// How long a reader may take to name a camera, and how long a name and its newline are at most.
const NAMING: Duration = Duration::from_secs(10);
const NAME_BYTES: usize = 65;

/// A pause after which it is tried again to accept, where there are no descriptors.
const SHORTAGE: Duration = Duration::from_secs(1);

/// All taps.
pub(crate) struct Taps {
    feeds: Rc<Feeds>,
    /// Where those of cameras are bound.
    directory: Option<PathBuf>,
    running: RefCell<BTreeMap<CameraName, AbortHandle>>,
    /// Ends with this: none of them is left behind.
    tasks: RefCell<JoinSet<()>>,
}

impl Taps {
    /// Has no socket yet.
    pub(crate) fn new(feeds: Rc<Feeds>, directory: Option<PathBuf>) -> Self {
        Self {
            feeds,
            directory,
            running: RefCell::default(),
            tasks: RefCell::default(),
        }
    }

    /// Listens where a camera is named first: at `passed`, or in the directory.
    ///
    /// # Errors
    /// The path, and what the system said.
    pub(crate) fn listen(&self, passed: Option<UnixListener>) -> anyhow::Result<()> {
        let socket = match (passed, &self.directory) {
            (Some(listener), _) => TapSocket::passed(listener),
            (None, Some(directory)) => TapSocket::bind(directory.join(TIMED_SOCKET))?,
            (None, None) => return Ok(()),
        };
        let feeds = self.feeds.clone();
        let serve = move |stream| named(feeds.clone(), stream);
        self.tasks.borrow_mut().spawn_local(accept(socket, serve));
        Ok(())
    }

    /// Has a socket for each of these cameras, and for no others. One that is there already, with
    /// its readers, is not disturbed.
    pub(crate) fn serve(&self, cameras: &[CameraName]) {
        // Those of cameras that went with the last reload have ended.
        while self.tasks.borrow_mut().try_join_next().is_some() {}
        let mut running = self.running.borrow_mut();
        running.retain(|name, task| {
            let stays = cameras.contains(name);
            if !stays {
                task.abort();
            }
            stays
        });
        drop(running);
        self.add(cameras);
    }

    /// Has a socket for each of these cameras, too.
    pub(crate) fn add(&self, cameras: &[CameraName]) {
        let Some(directory) = &self.directory else {
            return;
        };
        let mut running = self.running.borrow_mut();
        for name in cameras {
            if running.contains_key(name) {
                continue;
            }
            let socket = match TapSocket::bind(directory.join(format!("{name}.h264"))) {
                Ok(socket) => socket,
                Err(error) => {
                    log::error!("camera {:?} has no tap: {error:#}", name.as_str());
                    continue;
                }
            };
            let (feeds, camera) = (self.feeds.clone(), name.clone());
            let serve = move |stream| raw(feeds.clone(), camera.clone(), stream);
            let handle = self.tasks.borrow_mut().spawn_local(accept(socket, serve));
            running.insert(name.clone(), handle);
        }
    }
}

/// A socket that programs connect to, and its path if it is ours to remove.
struct TapSocket {
    listener: UnixListener,
    path: Option<PathBuf>,
}

impl TapSocket {
    fn passed(listener: UnixListener) -> Self {
        Self {
            listener,
            path: None,
        }
    }

    fn bind(path: PathBuf) -> anyhow::Result<Self> {
        let listener = bind(&path).with_context(|| format!("cannot listen on {path:?}"))?;
        Ok(Self {
            listener,
            path: Some(path),
        })
    }
}

/// Who may enter the directory may connect: the camera is no secret to who may read its slot.
fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let listener = bind_unix(path)?;
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    UnixListener::from_std(listener)
}

impl Drop for TapSocket {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// Accepts readers for as long as the tap is there.
async fn accept<F: Future<Output = ()> + 'static>(
    socket: TapSocket,
    serve: impl Fn(UnixStream) -> F,
) {
    let mut readers = JoinSet::new();
    loop {
        let is_full = readers.len() >= MOST_READERS;
        tokio::select! {
            biased;
            Some(_) = readers.join_next() => {}
            accepted = socket.listener.accept() => match accepted {
                // It is told so by the end.
                Ok((stream, _)) if is_full => drop(stream),
                Ok((stream, _)) => {
                    readers.spawn_local(serve(stream));
                }
                Err(error) => {
                    log::debug!("tap {:?}: {error}", socket.path);
                    sleep(SHORTAGE).await;
                }
            },
        }
    }
}

/// Serves a reader of one camera's socket.
async fn raw(feeds: Rc<Feeds>, camera: CameraName, stream: UnixStream) {
    if let Some(viewer) = watch(&feeds, &camera) {
        Reader::new(viewer, stream, Form::Raw).run().await;
    }
}

/// Serves a reader that names its camera.
async fn named(feeds: Rc<Feeds>, mut stream: UnixStream) {
    let Ok(Ok(name)) = timeout(NAMING, read_name(&mut stream)).await else {
        return;
    };
    match parse_name(&name).and_then(|camera| watch(&feeds, &camera)) {
        Some(viewer) => Reader::new(viewer, stream, Form::Timed).run().await,
        None => log::debug!("tap: no camera {:?}", String::from_utf8_lossy(&name)),
    }
}

/// Watches a camera for a program: recorders need keyframes from time to time.
fn watch(feeds: &Rc<Feeds>, camera: &CameraName) -> Option<Viewer> {
    let viewer = feeds.watch(camera, Pace::Misses)?;
    viewer.want_gop();
    viewer.set_about(About {
        way: ViewerWay::Tap,
        peer: Peer::Unix.to_string(),
    });
    Some(viewer)
}

/// Reads up to a newline, and nothing behind it.
async fn read_name(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut name = Vec::new();
    while name.len() < NAME_BYTES {
        match stream.read_u8().await? {
            b'\n' => return Ok(name),
            byte => name.push(byte),
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// The camera that a reader names.
pub(crate) fn parse_name(name: &[u8]) -> Option<CameraName> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
