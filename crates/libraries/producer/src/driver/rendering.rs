//! What a driver does about renditions: it offers them, and makes those that are wished for.

use std::time::Instant;

use eyelid_slot::{Phase, Rendition, RenditionSet};
use serde_json::json;

use super::Driver;
use crate::render_job::{Aside, RenderJob, Rendered};
use crate::renditions::Unmade;
use crate::{FullTotals, Source, Wishes};

impl<S: Source> Driver<S> {
    /// Offers what the source can make. Says whether anything was written into the slot.
    pub(super) fn offer(&mut self, now: Instant) -> bool {
        match self
            .renditions
            .offer(&self.source, &mut self.publisher, now)
        {
            Ok(None) => false,
            Ok(Some(anew)) => {
                for rendition in anew.iter() {
                    self.machine.rendition_lost(rendition);
                }
                self.renditions.tell(self.told.change());
                true
            }
            Err(error) => {
                self.complain(&error, now);
                false
            }
        }
    }

    /// Makes renditions of the exposure of this number and publishes them.
    pub(super) fn render(&mut self, now: Instant, sequence: u64, renditions: RenditionSet) {
        let (source, publisher) = (&mut self.source, &mut self.publisher);
        match self.renditions.publish(renditions, source, publisher, now) {
            Ok(Some(made)) => {
                for (rendition, made) in made {
                    self.note_rendered(now, sequence, rendition, made);
                }
            }
            Ok(None) => self.machine.unusable(sequence),
            Err(error) => self.fail(now, &error),
        }
    }

    /// Says whether a job is to be done for the camera.
    pub(crate) fn wants_job(&self) -> bool {
        matches!(self.aside, Aside::Wanted(..))
    }

    /// Does all there is to do now. Gives a job if renditions are still to be made then.
    pub(crate) fn take_job(&mut self, now: Instant) -> Option<RenderJob> {
        if !self.wants_job() {
            return None;
        }
        // As it is now, not as it was when it began to wait for its turn.
        self.aside = Aside::Idle;
        self.act(now);
        let Aside::Wanted(sequence, renditions) = self.aside else {
            return None;
        };
        let Some(frame) = self.source.shared() else {
            self.aside = Aside::Idle;
            return None;
        };
        self.aside = Aside::Making(sequence, renditions);
        Some(RenderJob {
            frame,
            renditions,
            maker: self.renditions.take_maker(),
        })
    }

    /// Publishes what came of a job; `None` where that was lost.
    pub(crate) fn finish_job(&mut self, now: Instant, rendered: Option<Rendered>) {
        let Aside::Making(sequence, renditions) = std::mem::take(&mut self.aside) else {
            return;
        };
        let Some(rendered) = rendered else {
            let lost = renditions.iter();
            return lost.for_each(|rendition| self.machine.rendered(now, sequence, rendition));
        };
        for (rendition, made) in rendered.made {
            let published = made.map_err(Unmade::Picture).and_then(|bytes| {
                // The slot may have needed the room meanwhile.
                match self.renditions.offers(rendition) {
                    true => self
                        .publisher
                        .publish_rendition(rendition, &bytes, rendered.captured)
                        .map_err(Unmade::Refused),
                    false => Ok(()),
                }
            });
            self.note_rendered(now, sequence, rendition, published);
        }
        if self.machine.phase() == Phase::Awake {
            self.renditions.put_maker(rendered.maker);
        }
    }

    /// Encodes the full picture of this number and publishes it.
    pub(super) fn publish_full(&mut self, now: Instant, number: u64) {
        let full = Rendition::Full;
        let frame = match self.source.encode_full(now) {
            Ok(Some(frame)) => frame,
            Ok(None) => return self.machine.rendered(now, number, full),
            Err(error) => return self.fail(now, &error),
        };
        let (publisher, jpeg) = (&mut self.publisher, &frame.picture.jpeg);
        let published = publisher.publish_rendition(full, jpeg, frame.captured);
        self.note_rendered(now, number, full, published.map_err(Unmade::Refused));
    }

    /// Tells the source of a wish for a full picture.
    pub(super) fn wish_full(&mut self, now: Instant) {
        if self.machine.wants_full(now, self.slot_status)
            && let Err(error) = self.source.wish_full(now)
        {
            self.fail(now, &error);
        }
    }

    /// Publishes the rendition of this number, which came by itself.
    pub(super) fn publish_own(&mut self, now: Instant, rendition: Rendition, number: u64) {
        let frame = match self.source.own_rendition(now, rendition) {
            Ok(Some(frame)) => frame,
            Ok(None) => return self.machine.rendered(now, number, rendition),
            Err(error) => return self.fail(now, &error),
        };
        let (publisher, jpeg) = (&mut self.publisher, &frame.picture.jpeg);
        let published = publisher.publish_rendition(rendition, jpeg, frame.captured);
        let published = published.map_err(Unmade::Refused);
        self.note_rendered(now, number, rendition, published);
    }

    /// Tells the source what is wished for.
    pub(super) fn wish(&mut self, now: Instant) {
        let wishes = Wishes {
            frame: self.slot_status.wished,
            renditions: self.slot_status.renditions,
        };
        if self.machine.runs()
            && let Err(error) = self.source.wish(now, wishes)
        {
            self.fail(now, &error);
        }
    }

    /// Says in the slot what full pictures came to, once there is anything to say.
    pub(super) fn tell_full(&mut self, totals: FullTotals) {
        if totals != self.full_totals {
            self.full_totals = totals;
            let kept_ms = u64::try_from(totals.kept.as_millis()).unwrap_or(u64::MAX);
            let told = json!({ "taken": totals.taken, "kept_ms": kept_ms });
            self.tell("full_pictures", told);
        }
    }

    fn note_rendered(
        &mut self,
        now: Instant,
        sequence: u64,
        rendition: Rendition,
        made: Result<(), Unmade>,
    ) {
        match made {
            Ok(()) => {
                self.renditions.note_made(rendition);
                self.resting.published();
                self.machine.rendered(now, sequence, rendition);
                self.slot_log.well();
            }
            Err(Unmade::Picture(error)) => {
                log::debug!("{}: no rendition {rendition}: {error}", self.log_name);
                self.machine.rendered(now, sequence, rendition);
            }
            Err(Unmade::Refused(error)) => {
                self.machine.refused(now);
                self.complain(&error, now);
            }
        }
    }
}
