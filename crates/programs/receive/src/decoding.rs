//! Pictures that have to be decoded and encoded again wait for their turn: it takes a core for as
//! long as it lasts, in a thread of its own.

use bytes::Bytes;
use eyelid_jpeg::PictureError;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::prepare::{Picture, encode_again};

/// The most pixels of a picture that waits for no larger one to be decoded: its camera sends many
/// of them while that takes.
const SMALL_PIXELS: u64 = 1 << 20;

/// Whose turn it is, of all cameras: one large picture at a time, and one small one beside it,
/// which has not the patience.
#[derive(Debug)]
pub(crate) struct Decoding {
    large: Semaphore,
    small: Semaphore,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            large: Semaphore::new(1),
            small: Semaphore::new(1),
        }
    }
}

impl Decoding {
    /// Decodes and encodes a picture of so many pixels when it is its turn.
    ///
    /// # Errors
    /// What makes it no frame.
    pub(crate) async fn encode_again(
        &self,
        jpeg: Bytes,
        pixels: u64,
    ) -> Result<Picture, PictureError> {
        let turns = match pixels > SMALL_PIXELS {
            true => &self.large,
            false => &self.small,
        };
        // It is never closed.
        let _turn = turns.acquire().await;
        let made = spawn_blocking(move || encode_again(&jpeg)).await;
        // It ends in another way only if it panics, which is a fault of ours.
        made.unwrap_or(Err(PictureError::Head))
    }
}
