//! Where frames come from.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant, SystemTime};

use eyelid_jpeg::EncodedPicture;
use eyelid_picture::Yuv420;
use eyelid_slot::{Rendition, RenditionSet};

use crate::OwnRenditions;
use crate::render_job::SharedFrame;

/// What a source says that works and gives no frame, where it knows no more of that.
pub const NO_NEW_PICTURE: &str = "the camera is on and gives no new picture";

/// One kind of camera, or what takes a camera's place. It is driven by one thread and never blocks
/// it.
pub trait Source {
    /// Why it gives no frames.
    type Error: SourceFailure;

    /// Starts taking frames. Those from before are at hand no longer, unless they are still the
    /// newest there is.
    ///
    /// # Errors
    /// Why it cannot; it is stopped then.
    fn start(&mut self, now: Instant) -> Result<(), Self::Error>;

    /// Stops taking frames. What takes its time goes on in [`Source::advance`] until
    /// [`Source::deadline`] is `None`.
    fn stop(&mut self, now: Instant);

    /// The descriptors that are readable when there is something to take in.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// When to call [`Source::advance`] although no descriptor is readable.
    fn deadline(&self) -> Option<Instant>;

    /// Takes in what has come.
    ///
    /// # Errors
    /// Why there will be no further frame; the caller stops it then.
    fn advance(&mut self, now: Instant) -> Result<(), Self::Error>;

    /// What it has, and how it does.
    fn status(&self) -> SourceStatus;

    /// Says whether [`Source::advance`] is called as soon as a new frame is at hand, each time.
    /// Readers need not be heard then while none is.
    fn tells_of_frames(&self) -> bool {
        false
    }

    /// Encodes the newest frame. `None` where it turns out to be unusable; another may come. Called
    /// again before another frame came, it gives the same one.
    ///
    /// # Errors
    /// Why there will be no further frame; the caller stops it then.
    fn encode(&mut self, now: Instant) -> Result<Option<EncodedFrame<'_>>, Self::Error>;

    /// Gives the newest frame before it is encoded, turned as [`Source::encode`] turns it. `None`
    /// where the camera gives JPEGs.
    ///
    /// # Errors
    /// Why there will be no further frame; the caller stops it then.
    fn planes(&mut self, _now: Instant) -> Result<Option<PlanesFrame<'_>>, Self::Error> {
        Ok(None)
    }

    /// Gives the newest frame, as [`Source::encode`] does, to a thread that makes renditions of it:
    /// where many cameras have one thread, none is to wait for what is made of another's. `None`
    /// where it is gone, or renditions are made in the thread that drives the camera.
    fn shared(&self) -> Option<SharedFrame> {
        None
    }

    /// The renditions that can be made of its frames: [`Rendition::Y4m`] only of planes.
    fn offers(&self) -> RenditionSet {
        [Rendition::Low, Rendition::Half, Rendition::Quarter]
            .into_iter()
            .collect()
    }

    /// Width and height of a picture in the camera's full resolution, turned as its frames are,
    /// where that is larger than they are. `None`: [`Rendition::Full`] is not offered.
    fn full_size(&self) -> Option<(u32, u32)> {
        None
    }

    /// Somebody wishes for a full picture. Called for as long as that is so, when nothing is due
    /// to be published of the newest frame, which may be lost by it. What takes its time goes on in
    /// [`Source::advance`], until [`SourceStatus::full`] says that the picture is at hand.
    ///
    /// # Errors
    /// Why there will be no further frame; the caller stops it then. That there will be no full
    /// picture is none.
    fn wish_full(&mut self, _now: Instant) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Encodes the full picture at hand, which is no longer so then. `None` where it turns out to
    /// be unusable.
    ///
    /// # Errors
    /// As of [`Source::wish_full`].
    fn encode_full(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, Self::Error> {
        Ok(None)
    }

    /// This is wished for now. Called while it runs, after anything has happened and all was
    /// published that could be: for who has to ask somebody else for each frame.
    ///
    /// # Errors
    /// Why there will be no further frame; the caller stops it then.
    fn wish(&mut self, _now: Instant, _wishes: Wishes) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Gives the newest of a rendition that comes by itself ([`SourceStatus::own`]). `None` where
    /// it turns out to be unusable.
    ///
    /// # Errors
    /// As of [`Source::wish`].
    fn own_rendition(
        &mut self,
        _now: Instant,
        _rendition: Rendition,
    ) -> Result<Option<EncodedFrame<'_>>, Self::Error> {
        Ok(None)
    }

    /// Why there is no new frame although it works, for those who wait for one. It is shown to
    /// everybody.
    fn waiting(&self) -> String {
        NO_NEW_PICTURE.to_owned()
    }

    /// Says whether something has come since this was asked last that makes a new try worthwhile at
    /// once.
    fn take_returned(&mut self) -> bool {
        false
    }
}

/// What a source has, and how it does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SourceStatus {
    /// The number of the newest frame at hand. Each has a higher one than all before it.
    pub sequence: Option<u64>,
    /// It has shown since it was started that it works.
    pub works: bool,
    /// It takes frames no faster than asked for, so that none has to be held back.
    pub keeps_rate: bool,
    /// It has just been started and still looks for the right exposure: frames may be too dark or
    /// too bright.
    pub settling: bool,
    /// Frames per second that it gives at most, where it knows.
    pub fps: Option<f64>,
    /// The number of the full picture at hand, which was taken after [`Source::wish_full`]. Each
    /// has a higher one than all before it.
    pub full: Option<u64>,
    /// What full pictures came to so far.
    pub full_totals: FullTotals,
    /// Of the renditions on offer those that are not made of its frames.
    pub own: OwnRenditions,
}

/// What readers of a slot wish for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The next frame.
    pub frame: bool,
    /// Renditions.
    pub renditions: RenditionSet,
}

/// What full pictures came to since the program started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FullTotals {
    /// How many were taken.
    pub taken: u64,
    /// How long the camera was kept from its stream by them, and by those that failed.
    pub kept: Duration,
}

/// Why a source gives no frames. What it says is shown to everybody.
pub trait SourceFailure: std::error::Error {
    /// Says whether only a new process may help.
    fn is_fatal(&self) -> bool {
        false
    }

    /// Says whether the camera is just not there, as may be: nobody has to be warned.
    fn is_absence(&self) -> bool {
        false
    }

    /// Within which time it is worth another try, however often it has failed: where that costs
    /// next to nothing.
    fn retry_within(&self) -> Option<Duration> {
        None
    }
}

/// A frame that can be published.
#[derive(Debug)]
pub struct EncodedFrame<'a> {
    /// The JPEG, and its size.
    pub picture: EncodedPicture<'a>,
    /// The moment of capture.
    pub captured: SystemTime,
}

/// A frame that was not encoded.
#[derive(Debug)]
pub struct PlanesFrame<'a> {
    /// Its samples.
    pub planes: Yuv420<'a>,
    /// The moment of capture.
    pub captured: SystemTime,
}

impl<S: Source + ?Sized> Source for Box<S> {
    type Error = S::Error;

    fn start(&mut self, now: Instant) -> Result<(), Self::Error> {
        (**self).start(now)
    }

    fn stop(&mut self, now: Instant) {
        (**self).stop(now);
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        (**self).descriptors()
    }

    fn deadline(&self) -> Option<Instant> {
        (**self).deadline()
    }

    fn advance(&mut self, now: Instant) -> Result<(), Self::Error> {
        (**self).advance(now)
    }

    fn status(&self) -> SourceStatus {
        (**self).status()
    }

    fn tells_of_frames(&self) -> bool {
        (**self).tells_of_frames()
    }

    fn encode(&mut self, now: Instant) -> Result<Option<EncodedFrame<'_>>, Self::Error> {
        (**self).encode(now)
    }

    fn planes(&mut self, now: Instant) -> Result<Option<PlanesFrame<'_>>, Self::Error> {
        (**self).planes(now)
    }

    fn shared(&self) -> Option<SharedFrame> {
        (**self).shared()
    }

    fn offers(&self) -> RenditionSet {
        (**self).offers()
    }

    fn full_size(&self) -> Option<(u32, u32)> {
        (**self).full_size()
    }

    fn wish_full(&mut self, now: Instant) -> Result<(), Self::Error> {
        (**self).wish_full(now)
    }

    fn encode_full(&mut self, now: Instant) -> Result<Option<EncodedFrame<'_>>, Self::Error> {
        (**self).encode_full(now)
    }

    fn wish(&mut self, now: Instant, wishes: Wishes) -> Result<(), Self::Error> {
        (**self).wish(now, wishes)
    }

    fn own_rendition(
        &mut self,
        now: Instant,
        rendition: Rendition,
    ) -> Result<Option<EncodedFrame<'_>>, Self::Error> {
        (**self).own_rendition(now, rendition)
    }

    fn waiting(&self) -> String {
        (**self).waiting()
    }

    fn take_returned(&mut self) -> bool {
        (**self).take_returned()
    }
}
