//! The thread that encodes: planes or a JPEG in, H.264 out, one picture at a time. What goes wrong
//! in it, and a panic too, is told to who waits for the picture and harms nobody else.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eyelid_encoder::{EncodeError, Encoded, Encoder, Key, Settings};
use eyelid_picture::Scale;
use tokio::sync::oneshot;

use crate::feeds::picture::{Decoder, Kind, PictureError};

/// Makes an encoder, in the thread that it will live in.
pub(crate) type MakeEncoder = Arc<dyn Fn(Settings) -> Box<dyn Encoder> + Send + Sync>;

/// So many pictures a second are expected at most; what comes has its moments.
const PICTURES_PER_SECOND: f32 = 30.0;

/// The thread. It ends when this is dropped, after the picture that it has.
#[derive(Debug)]
pub(crate) struct Worker {
    jobs: SyncSender<Job>,
}

/// A picture that is to be encoded, and who waits for it.
struct Job {
    picture: Picture,
    done: oneshot::Sender<Result<Done, WorkError>>,
}

/// A picture, and how it is to be encoded.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// Its bytes.
    pub(crate) bytes: Bytes,
    /// What they are.
    pub(crate) kind: Kind,
    /// How large it is to be.
    pub(crate) scale: Scale,
    /// The moment of capture, on a clock that does not go back.
    pub(crate) at: Duration,
    /// Whether it is to be a keyframe.
    pub(crate) key: Key,
    /// With how many bits a second.
    pub(crate) bits_per_second: u32,
}

/// What has become of a picture.
#[derive(Debug)]
pub(crate) struct Done {
    /// The encoder may leave one out.
    pub(crate) encoded: Option<Encoded>,
    /// Width and height in pixels, as it was encoded.
    pub(crate) size: (u32, u32),
    /// How long all of it took.
    pub(crate) took: Duration,
    /// Which encoder it was.
    pub(crate) encoder: Arc<str>,
}

/// Why a picture was not encoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    /// It is none that can be.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The encoder says why.
    #[error(transparent)]
    Encoder(#[from] EncodeError),
    /// There is no thread (any more).
    #[error("the encoder has ended unexpectedly")]
    Died,
    /// It still has the picture before.
    #[error("the encoder is busy")]
    Busy,
}

impl Worker {
    /// Starts the thread. The encoder is made with the first picture.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn start(make: MakeEncoder) -> io::Result<Self> {
        let (jobs, todo) = sync_channel::<Job>(1);
        let work = move || {
            let mut work = Work::new(make);
            while let Ok(Job { picture, done }) = todo.recv() {
                let result = work.encode(&picture);
                // Whoever has the frame may use its buffer again.
                drop(picture);
                // Nobody waits any more, perhaps.
                let _ = done.send(result);
            }
        };
        thread::Builder::new()
            .name("encoder".to_owned())
            .spawn(work)?;
        Ok(Self { jobs })
    }

    /// Encodes a picture.
    ///
    /// # Errors
    /// See [`WorkError`]. After [`WorkError::Died`] another is to be started.
    pub(crate) async fn encode(&self, picture: Picture) -> Result<Done, WorkError> {
        let (done, result) = oneshot::channel();
        let sent = self.jobs.try_send(Job { picture, done });
        sent.map_err(|error| match error {
            TrySendError::Full(_) => WorkError::Busy,
            TrySendError::Disconnected(_) => WorkError::Died,
        })?;
        result.await.unwrap_or(Err(WorkError::Died))
    }
}

/// What the thread has.
struct Work {
    make: MakeEncoder,
    running: Option<Running>,
    decoder: Decoder,
}

struct Running {
    encoder: Box<dyn Encoder>,
    description: Arc<str>,
    bits_per_second: u32,
}

impl Work {
    fn new(make: MakeEncoder) -> Self {
        Self {
            make,
            running: None,
            decoder: Decoder::default(),
        }
    }

    fn encode(&mut self, picture: &Picture) -> Result<Done, WorkError> {
        let start = Instant::now();
        let bits_per_second = picture.bits_per_second;
        let running = match &mut self.running {
            Some(running) => running,
            none => {
                let settings = Settings {
                    bits_per_second,
                    pictures_per_second: PICTURES_PER_SECOND,
                };
                let encoder = (self.make)(settings);
                let description = encoder.description().into();
                none.insert(Running {
                    encoder,
                    description,
                    bits_per_second,
                })
            }
        };
        let planes = self
            .decoder
            .planes(&picture.bytes, picture.kind, picture.scale)?;
        if running.bits_per_second != bits_per_second {
            running.encoder.set_bitrate(bits_per_second)?;
            running.bits_per_second = bits_per_second;
        }
        let size = (planes.width, planes.height);
        let encoded = running.encoder.encode(&planes, picture.at, picture.key)?;
        // One that takes over from another begins with a keyframe.
        if encoded.as_ref().is_some_and(|encoded| encoded.is_key) {
            let description = running.encoder.description();
            if *running.description != *description {
                running.description = description.into();
            }
        }
        Ok(Done {
            encoded,
            size,
            took: start.elapsed(),
            encoder: running.description.clone(),
        })
    }
}
