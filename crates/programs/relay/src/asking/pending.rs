//! One request that is outstanding, and what has come of its answer.

use std::time::{Duration, Instant};

use crate::wire::{Assembly, AssemblyError, FrameId, Head, Part, RequestId};

/// How long nothing may come of a frame under way: a part of 16 KiB takes 2 s at 64 kbit/s.
const STALL: Duration = Duration::from_secs(3);

/// A request that is outstanding.
#[derive(Debug)]
pub(super) struct Pending {
    id: RequestId,
    asked: Instant,
    was_alone: bool,
    end: Instant,
    coming: Option<Coming>,
}

/// A frame under way.
#[derive(Debug)]
struct Coming {
    head: Head,
    /// When its head came, and when its last part did.
    began: Instant,
    last: Instant,
    /// How many of its bytes came with the head.
    first_bytes: u32,
    /// The largest part that has come.
    part_bytes: u32,
    captured: Option<Instant>,
    assembly: Assembly,
}

/// How far a frame under way has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// When its last part came.
    pub(super) at: Instant,
    /// How long after its head that was.
    pub(super) took: Duration,
    /// How many bytes came in that time.
    pub(super) came_bytes: u32,
    /// How many are to come.
    pub(super) left_bytes: u32,
}

/// What a message made of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// More is to come.
    Part,
    /// All has come.
    All,
}

/// A frame that has come whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) id: FrameId,
    pub(super) bytes: Vec<u8>,
    pub(super) captured: Option<Instant>,
    pub(super) width_px: u32,
    pub(super) height_px: u32,
    /// How many bytes came after the head, and how long after it.
    pub(super) came_bytes: u32,
    pub(super) took: Duration,
    /// How many of them came at once, at most.
    pub(super) part_bytes: u32,
}

impl Pending {
    /// Begins with a request that was sent, with no other outstanding if it `was_alone`. It is
    /// given up at its `end`.
    pub(super) fn new(id: RequestId, asked: Instant, was_alone: bool, end: Instant) -> Self {
        Self {
            id,
            asked,
            was_alone,
            end,
            coming: None,
        }
    }

    pub(super) fn id(&self) -> RequestId {
        self.id
    }

    pub(super) fn asked(&self) -> Instant {
        self.asked
    }

    pub(super) fn was_alone(&self) -> bool {
        self.was_alone
    }

    /// When it is given up.
    pub(super) fn end(&self) -> Instant {
        let coming = self.coming.as_ref();
        coming.map_or(self.end, |coming| coming.last + STALL)
    }

    pub(super) fn has_head(&self) -> bool {
        self.coming.is_some()
    }

    /// How far its frame has come; `None` where that has not begun.
    pub(super) fn progress(&self) -> Option<Progress> {
        let coming = self.coming.as_ref()?;
        let received_bytes = coming.assembly.received_bytes();
        Some(Progress {
            at: coming.last,
            took: coming.last.saturating_duration_since(coming.began),
            came_bytes: received_bytes - coming.first_bytes,
            left_bytes: coming.assembly.bytes() - received_bytes,
        })
    }

    /// Its frame begins to come.
    pub(super) fn head(
        &mut self,
        now: Instant,
        head: &Head,
        first: &[u8],
        captured: Option<Instant>,
        max_bytes: u32,
    ) -> Result<Came, AssemblyError> {
        let assembly = Assembly::new(head, first, max_bytes)?;
        let came = came(&assembly);
        self.coming = Some(Coming {
            head: *head,
            began: now,
            last: now,
            first_bytes: assembly.received_bytes(),
            part_bytes: 0,
            captured,
            assembly,
        });
        Ok(came)
    }

    /// More of it comes.
    pub(super) fn part(
        &mut self,
        now: Instant,
        part: &Part,
        bytes: &[u8],
    ) -> Result<Came, AssemblyError> {
        // Without its head it is another frame's: one that was given up.
        let coming = self.coming.as_mut().ok_or(AssemblyError::Another)?;
        coming.assembly.push(part, bytes)?;
        // Not more than the frame has.
        coming.part_bytes = coming.part_bytes.max(bytes.len() as u32);
        coming.last = now;
        Ok(came(&coming.assembly))
    }

    /// Gives the frame; `None` where not all of it has come.
    pub(super) fn into_frame(self) -> Option<Whole> {
        let progress = self.progress()?;
        let coming = self.coming.filter(|coming| coming.assembly.is_whole())?;
        Some(Whole {
            id: coming.head.frame,
            bytes: coming.assembly.into_received(),
            captured: coming.captured,
            width_px: coming.head.width_px,
            height_px: coming.head.height_px,
            came_bytes: progress.came_bytes,
            took: progress.took,
            part_bytes: coming.part_bytes,
        })
    }
}

fn came(assembly: &Assembly) -> Came {
    if assembly.is_whole() {
        Came::All
    } else {
        Came::Part
    }
}
