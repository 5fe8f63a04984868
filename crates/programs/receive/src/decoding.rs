//! Pictures that have to be decoded and encoded again wait for their turn: it takes a core for as
//! long as it lasts, in a thread of its own. Their connection is read meanwhile, and what comes by
//! it makes what waits useless.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use eyelid_jpeg::PictureError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::prepare::{Picture, encode_again};

/// The most pixels of a picture that waits for no larger one to be decoded: its camera sends many
/// of them while that takes.
const SMALL_PIXELS: u64 = 1 << 20;

/// Whose turn it is, of all cameras: one large picture at a time, and one small one beside it,
/// which has not the patience.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    large: Arc<Semaphore>,
    small: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            large: Arc::new(Semaphore::new(1)),
            small: Arc::new(Semaphore::new(1)),
        }
    }
}

/// How long a picture takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Small,
    Large,
}

impl Turns {
    /// Waits for one, which lasts until what is given is dropped.
    async fn enter(&self, size: Size) -> Option<OwnedSemaphorePermit> {
        let turns = match size {
            Size::Small => &self.small,
            Size::Large => &self.large,
        };
        // It is never closed.
        turns.clone().acquire_owned().await.ok()
    }
}

/// A picture that has to be decoded.
#[derive(Debug)]
pub(crate) struct Undecoded {
    /// The JPEG.
    pub(crate) jpeg: Bytes,
    /// How many pixels it has.
    pub(crate) pixels: u64,
    /// The moment of capture, as near as can be known.
    pub(crate) captured: SystemTime,
    /// Its place among the camera's frames.
    pub(crate) sequence: u64,
}

impl Undecoded {
    fn size(&self) -> Size {
        match self.pixels > SMALL_PIXELS {
            true => Size::Large,
            false => Size::Small,
        }
    }
}

/// What was made of one.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The picture, or what makes it no frame.
    pub(crate) picture: Result<Picture, PictureError>,
    /// As the picture had it.
    pub(crate) captured: SystemTime,
    /// As the picture had it.
    pub(crate) sequence: u64,
}

/// The pictures of one connection: one is decoded at a time, and of those that come meanwhile the
/// newest is the next.
pub(crate) struct Decoder {
    turns: Turns,
    /// The newest, until its turn has come.
    waiting: Rc<RefCell<Option<Undecoded>>>,
    /// What waits for a turn, or is decoded.
    running: Option<Pin<Box<dyn Future<Output = Option<Decoded>>>>>,
}

impl Decoder {
    /// Has none yet.
    pub(crate) fn new(turns: Turns) -> Self {
        Self {
            turns,
            waiting: Rc::default(),
            running: None,
        }
    }

    /// Takes a picture. Says whether another, which waited, is not needed any more for it.
    pub(crate) fn add(&mut self, picture: Undecoded) -> bool {
        let is_instead = self.waiting.replace(Some(picture)).is_some();
        self.running.get_or_insert_with(|| {
            let (turns, waiting) = (self.turns.clone(), self.waiting.clone());
            Box::pin(decode_newest(turns, waiting))
        });
        is_instead
    }

    /// Forgets what waits: a newer one needs not to be decoded. Says whether there was one.
    pub(crate) fn forget(&mut self) -> bool {
        self.waiting.take().is_some()
    }

    /// Says whether there is one that waits or is decoded.
    pub(crate) fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// Waits until one is decoded. It is safe to drop.
    pub(crate) async fn next(&mut self) -> Decoded {
        loop {
            let Some(running) = &mut self.running else {
                return pending().await;
            };
            let decoded = running.await;
            self.running = None;
            if let Some(newest) = self.waiting.take() {
                self.add(newest);
            }
            if let Some(decoded) = decoded {
                return decoded;
            }
        }
    }
}

/// Decodes what waits when its turn has come, or what waits then in its place. None if nothing
/// does.
async fn decode_newest(turns: Turns, waiting: Rc<RefCell<Option<Undecoded>>>) -> Option<Decoded> {
    loop {
        let size = waiting.borrow().as_ref()?.size();
        let turn = turns.enter(size).await?;
        // One that has come meanwhile may need another turn.
        let newest = waiting.borrow_mut().take_if(|it| it.size() == size);
        if let Some(newest) = newest {
            return Some(decode(newest, turn).await);
        }
    }
}

/// Decodes a picture and encodes it again. The turn is over when the thread is done with it, and
/// not when nobody waits for it any more.
async fn decode(undecoded: Undecoded, turn: OwnedSemaphorePermit) -> Decoded {
    let Undecoded {
        jpeg,
        captured,
        sequence,
        ..
    } = undecoded;
    let made = spawn_blocking(move || {
        let made = encode_again(&jpeg);
        drop(turn);
        made
    });
    Decoded {
        // It ends in another way only if it panics, which is a fault of ours.
        picture: made.await.unwrap_or(Err(PictureError::Head)),
        captured,
        sequence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn no_picture(sequence: u64, pixels: u64) -> Undecoded {
        Undecoded {
            jpeg: Bytes::from_static(b"x"),
            pixels,
            captured: SystemTime::UNIX_EPOCH,
            sequence,
        }
    }

    #[tokio::test]
    async fn of_those_that_come_before_their_turn_the_newest_is_decoded() {
        let turns = Turns::default();
        let mut decoder = Decoder::new(turns.clone());
        let turn = turns.enter(Size::Small).await;
        assert!(!decoder.add(no_picture(1, 1)));
        assert!(decoder.next().now_or_never().is_none());
        assert!(decoder.add(no_picture(2, 1)) && decoder.add(no_picture(3, 1)));
        drop(turn);
        assert_eq!(decoder.next().await.sequence, 3);
        assert!(!decoder.is_busy());
    }

    #[tokio::test]
    async fn what_comes_while_one_is_decoded_is_the_next() {
        let mut decoder = Decoder::new(Turns::default());
        assert!(!decoder.add(no_picture(1, 1)));
        assert!(decoder.next().now_or_never().is_none(), "it is on its way");
        assert!(!decoder.add(no_picture(2, 1)) && decoder.add(no_picture(3, 1)));
        let decoded = decoder.next().await;
        assert!(decoded.sequence == 1 && decoded.picture.is_err());
        assert_eq!(decoder.next().await.sequence, 3);
        assert!(!decoder.is_busy());
    }

    #[tokio::test]
    async fn each_size_has_a_turn_of_its_own() {
        let turns = Turns::default();
        let mut decoder = Decoder::new(turns.clone());
        let small = turns.enter(Size::Small).await;
        decoder.add(no_picture(1, 1));
        assert!(decoder.next().now_or_never().is_none());
        let large = turns.enter(Size::Large).await;
        decoder.add(no_picture(2, SMALL_PIXELS + 1));
        drop(small);
        assert!(decoder.next().now_or_never().is_none(), "it is large");
        drop(large);
        assert_eq!(decoder.next().await.sequence, 2);
    }

    #[tokio::test]
    async fn what_is_forgotten_is_not_decoded() {
        let turns = Turns::default();
        let mut decoder = Decoder::new(turns.clone());
        let turn = turns.enter(Size::Small).await;
        decoder.add(no_picture(1, 1));
        assert!(decoder.next().now_or_never().is_none());
        assert!(decoder.forget() && !decoder.forget());
        drop(turn);
        assert!(decoder.next().now_or_never().is_none());
        assert!(!decoder.is_busy());
    }

    #[tokio::test]
    async fn the_turn_of_one_that_nobody_waits_for_lasts_to_its_end() {
        let turns = Turns::default();
        let turn = turns.enter(Size::Small).await.unwrap();
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        // As `decode` has it, of a picture that takes until it is let go.
        let thread = spawn_blocking(move || {
            let _ = begun.recv();
            drop(turn);
        });
        let mut other = Decoder::new(turns);
        other.add(no_picture(1, 1));
        assert!(other.next().now_or_never().is_none());
        drop(begin);
        assert_eq!(other.next().await.sequence, 1);
        thread.await.unwrap();
    }
}
