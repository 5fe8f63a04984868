//! Whether a far camera has failed, and since when it cannot be reached.

use std::time::{Instant, SystemTime};

use eyelid_slot::{Phase, Rendition};

use super::{Far, PATIENCE, Trouble, UNANSWERED};
use crate::fetch::failure::FarFailure;
use crate::fetch::stream::Stream;
use crate::wire::{Reason, Subject};

impl Far {
    /// Says why it has failed, if so.
    ///
    /// # Errors
    /// Why it has.
    pub(in crate::fetch) fn advance(&mut self, now: Instant) -> Result<(), FarFailure> {
        let Some(started) = self.started else {
            return Ok(());
        };
        self.check_connection()?;
        self.streams
            .values_mut()
            .for_each(|stream| stream.advance(now));
        let wished = self.streams.values().filter(|it| it.wished().is_some());
        let silent = wished.filter_map(Stream::unreachable_since).min();
        if let Some(since) = silent
            && (since >= started || now >= started + PATIENCE)
        {
            // What is still outstanding is not waited for when it is asked again.
            self.disconnected();
            self.lose(since);
            return Err(FarFailure::Unreachable {
                host: self.camera.host.clone(),
                since: self.wall(since),
            });
        }
        match self.trouble {
            Some((at, trouble)) => self.explain(now, at, trouble),
            None => Ok(()),
        }
    }

    /// The same of what its host says; a camera that has failed is asked why first.
    fn explain(&self, now: Instant, at: Instant, trouble: Trouble) -> Result<(), FarFailure> {
        match trouble {
            Trouble::NotShared => Err(FarFailure::NotShared(self.camera.clone())),
            Trouble::Refused => {
                let subject = Subject::Frames(self.camera.clone(), None);
                Err(FarFailure::Refused(subject))
            }
            Trouble::TooLarge(bytes) => Err(FarFailure::TooLarge {
                bytes,
                max_bytes: self.max_bytes,
            }),
            Trouble::Failed => {
                let said = self.told.said_since(at);
                let reason = said.filter(|said| said.phase == Phase::Failed);
                let reason = reason.and_then(|said| said.error.clone());
                match reason {
                    Some(reason) => Err(FarFailure::Camera(reason)),
                    None if now >= at + UNANSWERED => {
                        let reason = "the camera has failed there, and does not say why";
                        Err(FarFailure::Camera(reason.to_owned()))
                    }
                    None => Ok(()),
                }
            }
        }
    }

    pub(super) fn check_connection(&mut self) -> Result<(), FarFailure> {
        let Some(since) = self.post.cut_since() else {
            return Ok(());
        };
        self.lose(since);
        Err(FarFailure::Cut {
            since: self.wall(since),
        })
    }

    /// It cannot be reached, since then.
    pub(in crate::fetch) fn lose(&mut self, since: Instant) {
        if self.lost_since.is_none() {
            self.lost_since = Some(since);
            self.post.note_lost(self.id, Some(self.wall(since)));
        }
    }

    /// Its host has said something.
    pub(in crate::fetch) fn find(&mut self) {
        if self.lost_since.take().is_some() {
            self.post.note_lost(self.id, None);
        }
    }

    /// Why its slot says that it has failed, if nobody looks.
    pub(in crate::fetch) fn why_lost(&self, since: Instant) -> FarFailure {
        let since = self.wall(since);
        match self.post.cut_since() {
            Some(_) => FarFailure::Cut { since },
            None => FarFailure::Unreachable {
                host: self.camera.host.clone(),
                since,
            },
        }
    }

    /// There is no frame, and that is not for want of a new one.
    pub(super) fn note_reason(
        &mut self,
        now: Instant,
        rendition: Option<Rendition>,
        reason: Reason,
    ) {
        let trouble = match (reason, rendition) {
            (Reason::Failed, _) => Trouble::Failed,
            (Reason::NotShared, Some(rendition)) => return self.told.has_not(rendition),
            (Reason::NotShared, None) => Trouble::NotShared,
            (Reason::TooLarge(bytes), _) => Trouble::TooLarge(bytes),
            (Reason::Held | Reason::Superseded | Reason::Other(_), _) => return,
        };
        self.note_trouble(now, trouble);
    }

    /// Takes note of it, since it was first said, as long as it is the same.
    pub(super) fn note_trouble(&mut self, now: Instant, trouble: Trouble) {
        let known = self.trouble.filter(|(_, known)| *known == trouble);
        self.trouble = known.or(Some((now, trouble)));
    }

    /// A moment on the clock that says the time of day.
    fn wall(&self, moment: Instant) -> SystemTime {
        let (now, wall) = self.clock;
        let ago = now.saturating_duration_since(moment);
        wall.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}
