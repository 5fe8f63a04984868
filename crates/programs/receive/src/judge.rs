//! What a message or picture of one connection is: a frame of now, a frame of before a silence, or
//! none.

use bytes::Bytes;

use crate::arrivals::{Arrivals, FrameArrival, Verdict};
use crate::camera::Camera;
use crate::prepare::{Prepared, Unusable, prepare};

/// How many in a row may be no frame. A camera that is out of step does not find back.
pub(crate) const MOST_BAD: u32 = 10;

/// Judges what comes by one connection, and counts it for its camera.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    arrivals: Arrivals,
    bad_in_a_row: u32,
}

/// Too many in a row were no frame.
#[derive(Debug)]
pub(crate) struct TooManyBad;

impl Judge {
    /// A whole message has come; gives it as a frame, if it is new.
    ///
    /// # Errors
    /// What makes it none; that is to be told to [`Judge::bad`].
    pub(crate) fn judge(
        &mut self,
        camera: &Camera,
        message: &Bytes,
        arrival: FrameArrival,
    ) -> Result<Option<Prepared>, Unusable> {
        let verdict = self.arrivals.arrived(arrival);
        let prepared = prepare(message, camera.settings().max_bytes)?;
        camera.intake.count(message.len(), arrival.whole);
        Ok(match verdict {
            Verdict::Current => Some(prepared),
            Verdict::Stale => {
                camera.intake.count_dropped();
                None
            }
        })
    }

    /// What came last was a frame, to its end.
    pub(crate) fn good(&mut self) {
        self.bad_in_a_row = 0;
    }

    /// What came was no frame, for this reason.
    ///
    /// # Errors
    /// [`TooManyBad`], once.
    pub(crate) fn bad(&mut self, camera: &Camera, reason: String) -> Result<(), TooManyBad> {
        camera.intake.count_refused(reason);
        self.bad_in_a_row += 1;
        match self.bad_in_a_row == MOST_BAD {
            true => Err(TooManyBad),
            false => Ok(()),
        }
    }

    /// The camera was asked to be silent.
    pub(crate) fn expect_silence(&mut self) {
        self.arrivals.expect_silence();
    }
}
