//! `test`: a moving picture with a clock, for trying everything without a camera and for measuring
//! glass to glass.
//!
//! A frame is only a number and a moment until somebody wants it: then its picture is drawn.

mod full;
mod painter;
mod scene;

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant, SystemTime};

use eyelid_config::Size;
use eyelid_producer::{EncodedFrame, NO_NEW_PICTURE, PlanesFrame, Source, SourceStatus};
use eyelid_slot::RenditionSet;

use super::SourceError;
use crate::Settings;
use full::FullTest;
use painter::Painter;

const DEFAULT_SIZE: Size = Size {
    width: 640,
    height: 480,
};

const DEFAULT_FPS: f64 = 30.0;

/// The test picture.
pub(crate) struct TestPicture {
    fps: f64,
    interval: Duration,
    next: Option<Instant>,
    number: u64,
    newest: Option<SystemTime>,
    painter: Painter,
    full: Option<FullTest>,
    settings: Settings,
}

impl TestPicture {
    pub(crate) fn new(settings: &Settings) -> Self {
        let size = settings.size.unwrap_or(DEFAULT_SIZE);
        let fps = settings.fps.map_or(DEFAULT_FPS, |fps| fps.per_second());
        let interval = Duration::from_secs_f64(1.0 / fps);
        Self {
            fps,
            interval,
            next: None,
            number: 0,
            newest: None,
            painter: Painter::new(size, fps, settings),
            full: FullTest::of(size, interval),
            settings: settings.clone(),
        }
    }

    /// Takes a frame if it is time, at `clock`, which is `now` on the wall. Frames that were missed
    /// are skipped.
    fn take_frame(&mut self, now: Instant, clock: SystemTime) {
        let Some(due) = self.next.filter(|due| *due <= now) else {
            return;
        };
        let late = now.duration_since(due);
        let missed = late.div_duration_f64(self.interval).floor();
        let since_last = late.saturating_sub(self.interval.mul_f64(missed));
        self.number += 1 + missed as u64;
        self.newest = Some(clock.checked_sub(since_last).unwrap_or(clock));
        self.next = Some(due + self.interval.mul_f64(missed + 1.0));
        if let Some(full) = &mut self.full {
            full.stream_goes_on(now);
        }
    }

    /// Takes what there is of a full picture; the stream goes on after it.
    fn take_full(&mut self, now: Instant, clock: SystemTime) {
        if let Some(goes_on) = self.full.as_mut().and_then(|full| full.advance(now, clock)) {
            self.next = Some(goes_on);
        }
    }
}

impl Source for TestPicture {
    type Error = SourceError;

    fn start(&mut self, now: Instant) -> Result<(), SourceError> {
        self.next = Some(now);
        Ok(())
    }

    fn stop(&mut self, now: Instant) {
        self.next = None;
        self.newest = None;
        if let Some(full) = &mut self.full {
            full.stop(now);
        }
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn deadline(&self) -> Option<Instant> {
        let full = self.full.as_ref().and_then(FullTest::deadline);
        self.next.into_iter().chain(full).min()
    }

    fn advance(&mut self, now: Instant) -> Result<(), SourceError> {
        let clock = SystemTime::now();
        self.take_frame(now, clock);
        self.take_full(now, clock);
        Ok(())
    }

    fn status(&self) -> SourceStatus {
        let full = self.full.as_ref();
        SourceStatus {
            sequence: self.newest.map(|_| self.number),
            works: self.newest.is_some(),
            keeps_rate: true,
            fps: Some(self.fps),
            full: full.and_then(FullTest::sequence),
            full_totals: full.map(FullTest::totals).unwrap_or_default(),
            ..SourceStatus::default()
        }
    }

    fn encode(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        let Some(captured) = self.newest else {
            return Ok(None);
        };
        self.painter.frame(self.number, captured).map(Some)
    }

    fn planes(&mut self, _now: Instant) -> Result<Option<PlanesFrame<'_>>, SourceError> {
        let Some(captured) = self.newest else {
            return Ok(None);
        };
        self.painter.planes(self.number, captured).map(Some)
    }

    fn offers(&self) -> RenditionSet {
        super::renditions_of_planes(self.painter.size())
    }

    fn full_size(&self) -> Option<(u32, u32)> {
        let full = self.full.as_ref()?.size()?;
        Some(self.settings.turn().size(full.width, full.height))
    }

    fn wish_full(&mut self, now: Instant) -> Result<(), SourceError> {
        // The first frame of the stream comes first.
        if let Some(full) = &mut self.full
            && self.newest.is_some()
            && full.begin(now)
        {
            self.next = None;
            self.newest = None;
        }
        Ok(())
    }

    fn encode_full(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        let full = self.full.as_mut();
        Ok(full.and_then(|full| full.encode(self.fps, self.number, &self.settings)))
    }

    fn waiting(&self) -> String {
        let full = self.full.as_ref();
        full.map_or_else(|| NO_NEW_PICTURE.to_owned(), FullTest::waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::Parser;

    fn test_picture(arguments: &[&str]) -> TestPicture {
        let given = ["eyelid-capture", "--slot", "/x", "--source", "test"];
        let arguments = Arguments::parse_from(given.iter().chain(arguments));
        TestPicture::new(&arguments.resolve().unwrap())
    }

    #[test]
    fn takes_frames_by_the_clock_without_drift_and_skips_what_it_missed() {
        let mut picture = test_picture(&["--fps", "10"]);
        let (start, wall) = (
            Instant::now(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(1000),
        );
        let ms = Duration::from_millis;
        let at = |picture: &mut TestPicture, after_ms: u64| {
            picture.take_frame(start + ms(after_ms), wall + ms(after_ms));
            let moment = picture.newest.map(|t| t.duration_since(wall).unwrap());
            (
                picture.status().sequence,
                moment,
                picture.deadline().map(|d| d - start),
            )
        };
        assert_eq!(at(&mut picture, 0), (None, None, None));
        picture.start(start).unwrap();
        assert_eq!(at(&mut picture, 0), (Some(1), Some(ms(0)), Some(ms(100))));
        assert_eq!(at(&mut picture, 99), (Some(1), Some(ms(0)), Some(ms(100))));
        assert_eq!(
            at(&mut picture, 130),
            (Some(2), Some(ms(100)), Some(ms(200)))
        );
        assert_eq!(
            at(&mut picture, 555),
            (Some(6), Some(ms(500)), Some(ms(600)))
        );
        picture.stop(start);
        assert_eq!(
            (picture.status().sequence, picture.deadline()),
            (None, None)
        );
        picture.start(start + ms(9000)).unwrap();
        assert_eq!(
            picture.status().sequence,
            None,
            "nothing from before sleeping"
        );
    }

    #[test]
    fn is_encoded_at_the_size_asked_for_and_turned() {
        for (rotate, size) in [("0", (160, 120)), ("90", (120, 160)), ("180", (160, 120))] {
            let mut picture = test_picture(&["--size", "160x120", "--rotate", rotate]);
            let now = Instant::now();
            picture.start(now).unwrap();
            assert!(picture.encode(now).unwrap().is_none());
            picture.advance(now).unwrap();
            let frame = picture.encode(now).unwrap().unwrap().picture;
            let (header, _) = eyelid_jpeg::whole(&frame.jpeg).unwrap();
            assert_eq!((header.width, header.height), size);
            assert_eq!((frame.width, frame.height), size);
        }
    }

    fn frame_luma(picture: &mut TestPicture, now: Instant) -> Vec<u8> {
        let frame = picture.planes(now).unwrap().unwrap();
        frame.planes.y.bytes.to_vec()
    }

    #[test]
    fn an_exposure_can_be_had_again_encoded_or_as_planes() {
        for rotate in ["0", "90"] {
            let mut picture = test_picture(&["--size", "160x121", "--rotate", rotate]);
            let now = Instant::now();
            picture.start(now).unwrap();
            assert!(picture.planes(now).unwrap().is_none());
            picture.advance(now).unwrap();
            let encoded = |picture: &mut TestPicture| {
                let frame = picture.encode(now).unwrap().unwrap();
                (frame.picture.jpeg.into_owned(), frame.captured)
            };
            let (jpeg, captured) = encoded(&mut picture);
            let frame = picture.planes(now).unwrap().unwrap();
            assert_eq!(frame.captured, captured);
            let (header, _) = eyelid_jpeg::whole(&jpeg).unwrap();
            let size = (frame.planes.width, frame.planes.height);
            assert_eq!(size, (header.width, header.height));
            let luma = eyelid_jpeg::decode_luma(&jpeg, header).unwrap().samples;
            let planes = frame.planes.y.bytes.iter();
            let sum: f64 = planes
                .zip(&luma)
                .map(|(a, b)| f64::from(a.abs_diff(*b)))
                .sum();
            assert!(sum / (luma.len() as f64) < 4.0, "it shows the same");
            assert_eq!(encoded(&mut picture), (jpeg, captured));
            // The next one is drawn anew.
            let luma = frame_luma(&mut picture, now);
            let later = now + Duration::from_millis(100);
            picture.advance(later).unwrap();
            assert_ne!(frame_luma(&mut picture, later), luma);
        }
    }

    #[test]
    fn a_full_picture_takes_the_frames_away_for_a_while() {
        let mut picture = test_picture(&["--size", "160x120", "--fps", "10"]);
        assert_eq!(picture.full_size(), Some((320, 240)));
        let (start, wall) = (
            Instant::now(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(1000),
        );
        let ms = Duration::from_millis;
        let see = |picture: &mut TestPicture, after_ms: u64| {
            picture.take_frame(start + ms(after_ms), wall + ms(after_ms));
            picture.take_full(start + ms(after_ms), wall + ms(after_ms));
            let status = picture.status();
            (status.sequence, status.full)
        };
        picture.start(start).unwrap();
        picture.wish_full(start).unwrap();
        assert_eq!(see(&mut picture, 0), (Some(1), None), "the frame first");
        picture.wish_full(start).unwrap();
        assert_eq!(see(&mut picture, 100), (None, None));
        assert!(picture.encode(start).unwrap().is_none());
        assert_eq!(see(&mut picture, 599), (None, None));
        // 200 ms for the change, 400 ms for the exposure.
        assert_eq!(see(&mut picture, 605), (None, Some(1)));
        let full = picture.encode_full(start).unwrap().unwrap();
        let (width, height) = (full.picture.width, full.picture.height);
        assert_eq!((width, height, full.captured), (320, 240, wall + ms(600)));
        assert!(picture.encode_full(start).unwrap().is_none(), "once");
        assert_eq!(see(&mut picture, 620), (None, None));
        assert_eq!(picture.deadline(), Some(start + ms(820)));
        assert_eq!(see(&mut picture, 820).1, None);
        assert!(picture.status().sequence > Some(1));
    }
}
