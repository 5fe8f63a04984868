//! How the frames of one connection are taken in: at once, or after they have been decoded beside
//! it.

use std::rc::Rc;
use std::time::SystemTime;

use eyelid_jpeg::PictureError;

use crate::camera::Camera;
use crate::cameras::Cameras;
use crate::decoding::{Decoder, Undecoded};
use crate::intake::Frame;
use crate::prepare::Prepared;

/// What has become of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is whole, and was the newest.
    AtHand,
    /// It was dropped before anybody saw whether it can be decoded.
    Unseen,
    /// It is to be decoded first; [`Taking::decoded`] says what comes of it.
    Later,
}

/// Takes in what one connection of a camera brings.
pub(crate) struct Taking {
    cameras: Rc<Cameras>,
    camera: Rc<Camera>,
    decoder: Decoder,
}

impl Taking {
    /// Has taken nothing yet.
    pub(crate) fn new(cameras: Rc<Cameras>, camera: Rc<Camera>) -> Self {
        let decoder = cameras.decoder();
        Self {
            cameras,
            camera,
            decoder,
        }
    }

    /// Takes the newest frame: publishes it if somebody wishes for it, else keeps it at hand. One
    /// that has to be decoded is dropped while nobody looks.
    pub(crate) fn take(&mut self, prepared: Prepared, captured: SystemTime) -> Taken {
        let intake = &self.camera.intake;
        match prepared {
            Prepared::Ready(picture) => {
                if self.decoder.forget() {
                    intake.count_dropped();
                }
                let frame = Frame {
                    picture,
                    captured,
                    sequence: intake.next_sequence(),
                };
                self.cameras.put(&self.camera, frame);
                Taken::AtHand
            }
            // The next comes soon. Of one that posts each by itself none may come.
            Prepared::Slow { .. } if !intake.is_awake() && intake.is_connected() => Taken::Unseen,
            Prepared::Slow { jpeg, pixels } => {
                let undecoded = Undecoded {
                    jpeg,
                    pixels,
                    captured,
                    sequence: intake.next_sequence(),
                };
                if self.decoder.add(undecoded) {
                    intake.count_dropped();
                }
                Taken::Later
            }
        }
    }

    /// Waits until a frame is decoded, and takes it unless a newer one has come. It is safe to
    /// drop.
    ///
    /// # Errors
    /// What makes it no frame.
    pub(crate) async fn decoded(&mut self) -> Result<(), PictureError> {
        let decoded = self.decoder.next().await;
        let frame = Frame {
            picture: decoded.picture?,
            captured: decoded.captured,
            sequence: decoded.sequence,
        };
        self.cameras.put(&self.camera, frame);
        Ok(())
    }

    /// Says whether a frame is to be decoded still.
    pub(crate) fn is_decoding(&self) -> bool {
        self.decoder.is_busy()
    }
}

#[cfg(test)]
mod tests;
