//! A far camera as the source that its slot is filled from.

use std::borrow::Cow;
use std::cell::RefCell;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use eyelid_jpeg::EncodedPicture;
use eyelid_producer::{EncodedFrame, NO_NEW_PICTURE, Source, SourceStatus, Wishes};
use eyelid_slot::{Rendition, RenditionSet};

use super::failure::FarFailure;
use super::far::Far;
use super::stream::Newest;

/// A far camera, which answers reach by another way.
#[derive(Debug)]
pub(super) struct FarSource {
    far: Rc<RefCell<Far>>,
    /// What is being published.
    publishing: Option<Newest>,
}

impl FarSource {
    pub(super) fn new(far: Rc<RefCell<Far>>) -> Self {
        Self {
            far,
            publishing: None,
        }
    }

    fn at(&self, now: Instant) -> std::cell::RefMut<'_, Far> {
        let mut far = self.far.borrow_mut();
        far.set_clock(now, SystemTime::now());
        far
    }

    /// Takes what is at hand: who wishes for the next is to have another.
    fn take(&mut self, rendition: Option<Rendition>) -> Option<EncodedFrame<'_>> {
        let newest = self.far.borrow_mut().take_newest(rendition)?;
        let frame = self.publishing.insert(newest);
        Some(EncodedFrame {
            picture: EncodedPicture {
                jpeg: Cow::Borrowed(&frame.jpeg),
                width: frame.width_px,
                height: frame.height_px,
                kind: frame.kind,
            },
            captured: frame.captured,
        })
    }
}

impl Source for FarSource {
    type Error = FarFailure;

    fn start(&mut self, now: Instant) -> Result<(), FarFailure> {
        self.at(now).start(now)
    }

    fn stop(&mut self, _: Instant) {
        self.publishing = None;
        self.far.borrow_mut().stop();
    }

    /// Answers come by the broker's connection.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn deadline(&self) -> Option<Instant> {
        self.far.borrow().deadline()
    }

    fn advance(&mut self, now: Instant) -> Result<(), FarFailure> {
        self.publishing = None;
        self.at(now).advance(now)
    }

    fn status(&self) -> SourceStatus {
        self.far.borrow().status()
    }

    fn encode(&mut self, _: Instant) -> Result<Option<EncodedFrame<'_>>, FarFailure> {
        Ok(self.take(None))
    }

    fn offers(&self) -> RenditionSet {
        self.far.borrow().told().offers()
    }

    fn full_size(&self) -> Option<(u32, u32)> {
        self.far.borrow().told().full_size()
    }

    fn wish(&mut self, now: Instant, wishes: Wishes) -> Result<(), FarFailure> {
        self.at(now).wish(now, wishes);
        Ok(())
    }

    fn own_rendition(
        &mut self,
        _: Instant,
        rendition: Rendition,
    ) -> Result<Option<EncodedFrame<'_>>, FarFailure> {
        Ok(self.take(Some(rendition)))
    }

    fn waiting(&self) -> String {
        let far = self.far.borrow();
        let said = far.told().said();
        let waiting = said.and_then(|said| said.waiting.clone());
        waiting.unwrap_or_else(|| NO_NEW_PICTURE.to_owned())
    }

    fn take_returned(&mut self) -> bool {
        self.far.borrow_mut().take_returned()
    }
}
