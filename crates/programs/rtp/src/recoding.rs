//! Frames with Huffman tables of their own, and progressive ones, coded as RTP can carry them: once
//! for all streams, and beside the one thread that sends, for it takes milliseconds.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use eyelid_consumer::{FrameNumber, SharedFrame};
use eyelid_jpeg::{RecodeError, Recoder};
use eyelid_rtp_wire::Cure;
use eyelid_slot::{CameraName, Rendition};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// The newest frame of each camera that was recoded.
#[derive(Default)]
pub(crate) struct Recoding {
    /// Keeps its memory from frame to frame. One frame at a time: who comes second may find that
    /// it is done.
    recoder: Arc<Mutex<Recoder>>,
    newest: RefCell<HashMap<(CameraName, Option<Rendition>), Recoded>>,
}

struct Recoded {
    number: FrameNumber,
    /// Or why it cannot be: that takes as long to find out.
    jpeg: Result<Rc<Vec<u8>>, RecodeError>,
}

impl Recoding {
    /// Gives a frame of a camera recoded.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) async fn recode(
        &self,
        camera: &CameraName,
        frame: &SharedFrame,
    ) -> Result<Rc<Vec<u8>>, RecodeError> {
        let mut recoder = self.recoder.clone().lock_owned().await;
        let key = (camera.clone(), frame.rendition);
        if let Some(recoded) = self.newest.borrow().get(&key)
            && recoded.number == frame.number
        {
            return recoded.jpeg.clone();
        }
        let jpeg = frame.jpeg.clone();
        let recoded = spawn_blocking(move || {
            let jpeg = recoder.recode(&jpeg).map(<[u8]>::to_vec);
            (jpeg, recoder)
        });
        // The next one has its turn when this one is known.
        let (jpeg, _recoder) = match recoded.await {
            Ok((jpeg, recoder)) => (jpeg.map(Rc::new), recoder),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        let recoded = Recoded {
            number: frame.number,
            jpeg: jpeg.clone(),
        };
        self.newest.borrow_mut().insert(key, recoded);
        jpeg
    }

    /// Keeps no frame of a camera at which nobody looks any more.
    pub(crate) fn forget(&self, camera: &CameraName) {
        let mut newest = self.newest.borrow_mut();
        newest.retain(|(name, _), _| name != camera);
    }
}

/// What may help where a frame cannot be recoded. One that is broken is not what the camera's
/// frames are like.
pub(crate) fn cure(error: RecodeError) -> Cure {
    match error {
        RecodeError::Markers(_) | RecodeError::Head | RecodeError::Broken(_) => Cure::Nothing,
        RecodeError::Process(_)
        | RecodeError::Bits(_)
        | RecodeError::TooLarge(_)
        | RecodeError::TooManyScans
        | RecodeError::Symbol(_) => Cure::Rendition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_replay::case;

    #[test]
    fn a_broken_scan_is_one_frames_and_not_the_cameras() {
        let whole = case!("jpeg-420-optimised");
        let (kept, end) = (&whole[..whole.len() - 40], &whole[whole.len() - 2..]);
        let broken = [kept, end].concat();
        let unsendable = eyelid_rtp_wire::JpegPayload::of(&broken).unwrap_err();
        assert_eq!(unsendable.cure(), Cure::Recode, "its head is well");
        let mut recoder = Recoder::default();
        let error = recoder.recode(&broken).unwrap_err();
        assert_eq!(cure(error), Cure::Nothing, "{error}");
        let error = recoder.recode(case!("jpeg-12-bits")).unwrap_err();
        assert_eq!(cure(error), Cure::Rendition, "{error}");
    }
}
