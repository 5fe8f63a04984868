//! What one stream takes of a camera as H.264: each picture of its tap, and after a gap what can be
//! decoded. While there is no tap it is tried again.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use eyelid_daemon::backoff::{Backoff, jitter};
use eyelid_h264::ParameterSets;
use eyelid_slot::CameraName;
use tokio::time::{sleep, timeout};

use crate::key_asks::KeyAsks;
use crate::tap::{AccessUnit, Tap};

/// The pauses before a tap is tried again.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));

/// How long who asks for a description waits for a camera that has to wake, as for a frame.
const DESCRIBE: Duration = Duration::from_secs(4);

/// The pictures of one stream.
pub(crate) struct Video {
    camera: CameraName,
    taps: Rc<Taps>,
    /// The connection, while there is one.
    tap: RefCell<Option<Tap>>,
    backoff: Cell<Backoff>,
    /// Receivers that need a keyframe.
    asks: KeyAsks,
    /// A picture came, and none has been missing since.
    comes: Cell<bool>,
    /// Why none comes.
    obstacle: RefCell<Option<String>>,
}

/// What all streams have in common.
#[derive(Default)]
pub(crate) struct Taps {
    /// Where the sockets are.
    directory: Option<PathBuf>,
    /// What was last known of each camera.
    known: RefCell<HashMap<CameraName, ParameterSets>>,
}

impl Taps {
    /// Finds taps in this directory.
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            ..Self::default()
        }
    }

    async fn connect(&self, camera: &CameraName) -> io::Result<Tap> {
        let Some(directory) = &self.directory else {
            let why = "no directory of taps is configured (taps in [video], or --taps DIR)";
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        };
        let tap = Tap::connect(directory, camera).await;
        tap.map_err(|error| {
            let why = format!("eyelid-video cannot be reached in {directory:?}: {error}");
            io::Error::new(error.kind(), why)
        })
    }

    fn note(&self, camera: &CameraName, unit: &AccessUnit) {
        if unit.is_key
            && let Some(sets) = ParameterSets::of(&unit.annex_b)
        {
            let mut known = self.known.borrow_mut();
            if known.get(camera) != Some(&sets) {
                known.insert(camera.clone(), sets);
            }
        }
    }

    /// What a receiver of this camera has to know beforehand: as it was last, or of a camera that
    /// is woken to find out.
    ///
    /// # Errors
    /// Why no picture comes.
    pub(crate) async fn parameter_sets(&self, camera: &CameraName) -> io::Result<ParameterSets> {
        let known = || self.known.borrow().get(camera).cloned();
        if let Some(sets) = known() {
            return Ok(sets);
        }
        let first = async {
            let mut tap = self.connect(camera).await?;
            tap.next(&KeyAsks::default()).await
        };
        let unit = timeout(DESCRIBE, first).await;
        let unit = unit.map_err(|_| io::Error::other("no picture of H.264 came in time"))??;
        self.note(camera, &unit);
        known().ok_or_else(|| io::Error::other("the first picture of H.264 was no keyframe"))
    }
}

impl Video {
    /// Looks at a camera, without waking it yet.
    pub(crate) fn new(camera: CameraName, taps: Rc<Taps>) -> Self {
        Self {
            camera,
            taps,
            tap: RefCell::default(),
            backoff: Cell::new(BACKOFF),
            asks: KeyAsks::default(),
            comes: Cell::default(),
            obstacle: RefCell::default(),
        }
    }

    /// The camera.
    pub(crate) fn camera(&self) -> &CameraName {
        &self.camera
    }

    /// Why no picture comes, if none does.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.obstacle.borrow().clone()
    }

    /// Says whether pictures come.
    pub(crate) fn comes(&self) -> bool {
        self.comes.get()
    }

    /// Asks for a keyframe: a receiver lacks something.
    pub(crate) fn ask_key(&self) {
        self.asks.ask();
    }

    /// What comes next is to be a keyframe.
    pub(crate) fn begin_anew(&self) {
        self.tap.take();
    }

    /// Wakes the camera, and waits until it has woken or cannot.
    pub(crate) async fn wake(&self) {
        // What comes of it is told to who waits for the pictures themselves.
        if let Ok(mut tap) = self.taps.connect(&self.camera).await {
            let _ = tap.next(&self.asks).await;
        }
    }

    /// Waits for the next picture. Where that is given up, the one after it is a keyframe.
    pub(crate) async fn next(&self) -> AccessUnit {
        loop {
            match self.try_next().await {
                Ok(unit) => {
                    self.backoff.set(BACKOFF);
                    self.comes.set(true);
                    if self.obstacle.take().is_some() {
                        log::info!("camera {:?}: H.264 comes again", self.camera.as_str());
                    }
                    self.taps.note(&self.camera, &unit);
                    return unit;
                }
                Err(error) => self.miss(&error).await,
            }
        }
    }

    async fn try_next(&self) -> io::Result<AccessUnit> {
        // Out of its place: a picture that is broken off takes the connection with it.
        let mut tap = match self.tap.take() {
            Some(tap) => tap,
            None => self.taps.connect(&self.camera).await?,
        };
        let unit = tap.next(&self.asks).await?;
        if unit.is_key {
            self.asks.answer();
        }
        self.tap.replace(Some(tap));
        Ok(unit)
    }

    async fn miss(&self, error: &io::Error) {
        self.comes.set(false);
        let before = self.obstacle.replace(Some(error.to_string()));
        if before.is_none() {
            log::warn!("camera {:?}: no H.264: {error}", self.camera.as_str());
        }
        let mut backoff = self.backoff.get();
        let pause = backoff.failed(jitter());
        self.backoff.set(backoff);
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{UnixListener, UnixStream};

    const KEY: &[u8] = &[
        0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x1F, 0x8C, 0, 0, 0, 1, 0x68, 0xCE, 0, 0, 1, 0x65, 1,
    ];

    /// A tap that is read from: its first reader.
    async fn accept(listener: &UnixListener) -> UnixStream {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut name = [0; 5];
        stream.read_exact(&mut name).await.unwrap();
        assert_eq!(&name, b"door\n");
        stream
    }

    async fn send(stream: &mut UnixStream, unit: &[u8], is_key: bool) {
        let mut bytes = (unit.len() as u32).to_be_bytes().to_vec();
        bytes.extend(u32::from(is_key).to_be_bytes());
        bytes.extend([0; 16]);
        bytes.extend_from_slice(unit);
        stream.write_all(&bytes).await.unwrap();
    }

    fn door() -> CameraName {
        "door".parse().unwrap()
    }

    #[tokio::test]
    async fn a_description_is_of_a_camera_that_is_woken_once() {
        let directory = tempfile::tempdir().unwrap();
        let taps = Taps::new(Some(directory.path().to_owned()));
        let error = taps.parameter_sets(&door()).await.unwrap_err();
        assert!(error.to_string().contains("eyelid-video"), "{error}");
        let listener = UnixListener::bind(directory.path().join("timed")).unwrap();
        let serve = async {
            let mut stream = accept(&listener).await;
            send(&mut stream, KEY, true).await;
            stream
        };
        let camera = door();
        let (sets, _far) = tokio::join!(taps.parameter_sets(&camera), serve);
        assert_eq!(sets.unwrap().profile_level_id(), "42c01f");
        drop(listener);
        assert!(taps.parameter_sets(&door()).await.is_ok());
        let error = Taps::new(None).parameter_sets(&door()).await.unwrap_err();
        assert!(error.to_string().contains("--taps"), "{error}");
    }

    #[tokio::test]
    async fn pictures_come_again_when_the_tap_does() {
        let directory = tempfile::tempdir().unwrap();
        let taps = Rc::new(Taps::new(Some(directory.path().to_owned())));
        let video = Video::new(door(), taps);
        let path = directory.path().join("timed");
        let listener = UnixListener::bind(&path).unwrap();
        let serve = async {
            let mut stream = accept(&listener).await;
            send(&mut stream, KEY, true).await;
            // Broken off within its header.
            stream.write_all(&[0, 0]).await.unwrap();
            drop(stream);
            let mut stream = accept(&listener).await;
            send(&mut stream, &[0, 0, 1, 0x65, 2], true).await;
            stream
        };
        let look = async {
            assert_eq!(video.next().await.annex_b, KEY);
            assert!(video.comes());
            assert_eq!(video.next().await.annex_b, [0, 0, 1, 0x65, 2]);
            assert_eq!(video.obstacle(), None);
        };
        let ((), mut far) = tokio::join!(look, serve);
        // What follows PLAY begins with a keyframe: the tap is asked anew.
        video.begin_anew();
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    }
}
