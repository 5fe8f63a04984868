//! What one subject has: the frames of a camera, or of one of its renditions, as long as somebody
//! asks for them.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use eyelid_consumer::{Deadline, NoFrame, Position, SharedFrame, View};
use eyelid_jpeg::Header;
use eyelid_slot::Rendition;

use crate::answering::Offer;
use crate::wire::{Reason, SubjectTag};

/// How long a frame is waited for before it is said why there is none; whoever asks may go on
/// waiting.
const TIMEOUT: Duration = Duration::from_secs(4);

/// No older frame is sent: as eyelid-server's.
const MAX_AGE: Duration = Duration::from_secs(2);

/// How long the slot is still watched when nobody asks: the next request is on its way, as long as
/// somebody looks.
const IDLE: Duration = Duration::from_secs(1);

/// One subject.
pub(super) struct Feed {
    view: Rc<View>,
    rendition: Option<Rendition>,
    /// The newest that was read.
    newest: Option<Sent>,
    /// What is waited for: frames newer than those of these numbers, which are few: the newest, and
    /// those that were the newest just now.
    waits_after: BTreeSet<u64>,
    /// When nobody asked any more.
    idle_since: Option<Instant>,
}

/// A frame that was read, and may be sent.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) frame: Rc<SharedFrame>,
    pub(super) number: u64,
    pub(super) width_px: u32,
    pub(super) height_px: u32,
}

/// What waiting for a frame came to.
pub(super) type Waited = (SubjectTag, u64, Result<Rc<SharedFrame>, NoFrame>);

impl Feed {
    pub(super) fn new(view: View, rendition: Option<Rendition>) -> Self {
        if let Some(rendition) = rendition {
            view.want_only(rendition);
        }
        Self {
            view: Rc::new(view),
            rendition,
            newest: None,
            waits_after: BTreeSet::new(),
            idle_since: None,
        }
    }

    /// Begins to wait for a frame newer than that of the number `had`, unless it is waited for.
    pub(super) fn wait(
        &mut self,
        subject: SubjectTag,
        had: u64,
    ) -> Option<impl Future<Output = Waited> + use<>> {
        self.idle_since = None;
        let newest = self.newest.as_ref();
        let seen = newest.filter(|newest| newest.number <= had);
        let after = seen.map_or(0, |seen| seen.number);
        if self.waits_after.range(..=after).next().is_some() {
            return None;
        }
        self.waits_after.insert(after);
        let seen = seen.map_or(Position::default(), |seen| seen.frame.position());
        let view = self.view.clone();
        let deadline = Deadline {
            timeout: TIMEOUT,
            max_age: MAX_AGE,
        };
        Some(async move { (subject, after, view.next(seen, deadline).await) })
    }

    /// What was waited for has come, or not; `number` is that of its exposure.
    ///
    /// # Errors
    /// Why nothing can be sent.
    pub(super) fn came(
        &mut self,
        after: u64,
        came: Result<Rc<SharedFrame>, NoFrame>,
        number: impl FnOnce(SystemTime) -> u64,
    ) -> Result<Option<Sent>, Reason> {
        self.waits_after.remove(&after);
        let frame = match came {
            Ok(frame) => frame,
            Err(NoFrame::Failed(_)) => return Err(Reason::Failed),
            // It may still come: who asks says for how long that is waited for.
            Err(_) => return Ok(None),
        };
        if frame.rendition != self.rendition {
            return Err(Reason::NotShared);
        }
        let header = Header::of(&frame.jpeg).ok_or(Reason::Failed)?;
        let number = number(frame.captured);
        let sent = Sent {
            frame,
            number,
            width_px: header.width,
            height_px: header.height,
        };
        if self
            .newest
            .as_ref()
            .is_none_or(|newest| newest.number <= number)
        {
            self.newest = Some(sent.clone());
        }
        Ok(Some(sent))
    }

    /// Nobody asks now. Gives whether that has been so for long enough to be forgotten.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        *self.idle_since.get_or_insert(now) + IDLE <= now
    }
}

impl Sent {
    pub(super) fn offer(&self) -> Offer {
        Offer {
            sequence: self.number,
            // A frame has 32 MiB at most.
            bytes: self.frame.jpeg.len() as u32,
        }
    }
}
