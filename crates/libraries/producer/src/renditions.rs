//! The renditions of one camera: what it offers, and making them of an exposure.

use std::time::{Duration, Instant};

use eyelid_jpeg::{PictureError, RenditionMaker};
use eyelid_picture::Tables;
use eyelid_slot::{PublishError, Publisher, Rendition, RenditionSet, RenditionSize, State};

use crate::{EncodedFrame, PlanesFrame, Source};

/// How often an offer is tried again that the slot refused.
const OFFER_RETRY: Duration = Duration::from_secs(5);

/// What one camera offers beside its frames.
#[derive(Debug)]
pub(crate) struct Renditions {
    /// Made for the first one that is wished for: most cameras are never asked.
    maker: Option<RenditionMaker>,
    tables: Tables,
    offered: RenditionSet,
    /// Those in whose place more than a placeholder lies.
    made: RenditionSet,
    /// Width and height of full pictures.
    full_size: Option<(u32, u32)>,
    /// Nothing was offered or withdrawn yet: what lies in the slot is an earlier producer's.
    is_new: bool,
    retry_at: Option<Instant>,
}

/// Why a rendition was not published.
#[derive(Debug)]
pub(crate) enum Unmade {
    /// It cannot be made of this exposure.
    Picture(PictureError),
    /// The slot did not take it.
    Refused(PublishError),
}

/// What became of each of several renditions.
pub(crate) type Made = Vec<(Rendition, Result<(), Unmade>)>;

/// The newest exposure, as the source has it.
enum Exposure<'a> {
    Planes(PlanesFrame<'a>),
    Jpeg(EncodedFrame<'a>),
}

impl Renditions {
    /// Begins with none. What is encoded has these Huffman tables.
    pub(crate) fn new(tables: Tables) -> Self {
        Self {
            maker: None,
            tables,
            offered: RenditionSet::EMPTY,
            made: RenditionSet::EMPTY,
            full_size: None,
            is_new: true,
            retry_at: None,
        }
    }

    /// Offers what the source does, and nothing else. Gives what was put into the slot anew, or
    /// `None` where all was so already.
    ///
    /// # Errors
    /// What the slot said; the rest is tried again.
    pub(crate) fn offer<S: Source>(
        &mut self,
        source: &S,
        publisher: &mut Publisher,
        now: Instant,
    ) -> Result<Option<RenditionSet>, PublishError> {
        let (mut wanted, full_size) = (source.offers(), source.full_size());
        if full_size.is_some() {
            wanted.insert(Rendition::Full);
        }
        let missing = publisher.missing_renditions();
        let is_same = self.offered == wanted && self.full_size == full_size;
        let is_so = !self.is_new && is_same && missing.is_empty();
        if is_so || self.retry_at.is_some_and(|at| now < at) {
            return Ok(None);
        }
        self.retry_at = None;
        self.full_size = full_size;
        let all = || RenditionSet::from_iter(Rendition::ALL);
        let before = if self.is_new { all() } else { self.offered };
        for rendition in before.without(wanted).iter() {
            publisher.withdraw(rendition);
            self.offered.remove(rendition);
        }
        self.is_new = false;
        for rendition in missing.iter() {
            self.offered.remove(rendition);
        }
        let mut anew = RenditionSet::EMPTY;
        for rendition in wanted.without(self.offered).iter() {
            if let Err(error) = publisher.offer(rendition) {
                self.retry_at = Some(now + OFFER_RETRY);
                return Err(error);
            }
            self.offered.insert(rendition);
            self.made.remove(rendition);
            anew.insert(rendition);
        }
        Ok(Some(anew))
    }

    /// A rendition lies in the slot.
    pub(crate) fn note_made(&mut self, rendition: Rendition) {
        self.made.insert(rendition);
    }

    /// The slot has no room for the frame: what was made is removed, whoever wishes for more of it,
    /// and gives way to its placeholder with the next [`Renditions::offer`].
    pub(crate) fn give_way(&mut self, publisher: &mut Publisher) {
        for rendition in self.made.iter() {
            publisher.withdraw(rendition);
            self.offered.remove(rendition);
        }
        self.made = RenditionSet::EMPTY;
    }

    /// The camera does not run: what was made gives way to its placeholder, and where readers may
    /// have been missed everything does. What the slot does not take is offered anew.
    pub(crate) fn rest_in(&mut self, publisher: &mut Publisher, is_wish_assumed: bool) {
        let resting = if is_wish_assumed {
            self.offered
        } else {
            self.made
        };
        for rendition in resting.iter() {
            if publisher.offer(rendition).is_err() {
                self.offered.remove(rendition);
            }
            self.made.remove(rendition);
        }
    }

    /// Keeps no memory while the camera is asleep.
    pub(crate) fn rest(&mut self) {
        self.maker = None;
    }

    /// When to call [`Renditions::offer`] again although nothing has happened.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Says in the state what is offered. Sizes are those of the newest frame, if there is one.
    pub(crate) fn tell(&self, state: &mut State) {
        let frame = state.width.zip(state.height);
        let offered = self.offered.iter();
        let size = |rendition: Rendition| {
            let size = match rendition {
                Rendition::Full => self.full_size,
                _ => frame.and_then(|(width, height)| rendition.size(width, height)),
            };
            RenditionSize {
                width: size.map(|(width, _)| width),
                height: size.map(|(_, height)| height),
                ..RenditionSize::default()
            }
        };
        let told = offered.map(|rendition| (rendition.name().to_owned(), size(rendition)));
        state.renditions = told.collect();
    }

    /// Gives what makes renditions, to a job.
    pub(crate) fn take_maker(&mut self) -> RenditionMaker {
        let maker = self.maker.take();
        maker.unwrap_or_else(|| RenditionMaker::new(self.tables))
    }

    /// Takes it back from a job.
    pub(crate) fn put_maker(&mut self, maker: RenditionMaker) {
        self.maker = Some(maker);
    }

    /// Says whether this is offered.
    pub(crate) fn offers(&self, rendition: Rendition) -> bool {
        self.offered.contains(rendition)
    }

    /// Makes these renditions of the newest exposure, which is had once for all of them, and
    /// publishes them. `None` where it is of no use, or gone.
    ///
    /// # Errors
    /// The source gives nothing any more.
    pub(crate) fn publish<S: Source>(
        &mut self,
        renditions: RenditionSet,
        source: &mut S,
        publisher: &mut Publisher,
        now: Instant,
    ) -> Result<Option<Made>, S::Error> {
        let exposure = match source.planes(now)? {
            Some(frame) => Exposure::Planes(frame),
            None => match source.encode(now)? {
                Some(frame) => Exposure::Jpeg(frame),
                None => return Ok(None),
            },
        };
        let tables = self.tables;
        let maker = self
            .maker
            .get_or_insert_with(|| RenditionMaker::new(tables));
        let publish = |rendition| (rendition, exposure.publish(rendition, maker, publisher));
        Ok(Some(renditions.iter().map(publish).collect()))
    }
}

impl Exposure<'_> {
    /// Makes one rendition and publishes it.
    fn publish(
        &self,
        rendition: Rendition,
        maker: &mut RenditionMaker,
        publisher: &mut Publisher,
    ) -> Result<(), Unmade> {
        let (made, captured) = match self {
            Self::Planes(frame) => (maker.from_planes(&frame.planes, rendition), frame.captured),
            Self::Jpeg(frame) => (
                maker.from_jpeg(&frame.picture.jpeg, rendition),
                frame.captured,
            ),
        };
        let made = made.map_err(Unmade::Picture)?;
        publisher
            .publish_rendition(rendition, made.bytes, captured)
            .map_err(Unmade::Refused)
    }
}
