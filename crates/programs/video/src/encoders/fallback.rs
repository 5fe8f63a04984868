//! `auto`: the machine's own encoder, and the processor's for what that one does not do, or does no
//! more. Who watches sees a keyframe then, and no end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use eyelid_encoder::{EncodeError, Encoded, Encoder, Key, Settings};
use eyelid_picture::Yuv420;

use super::Make;

/// For how long a device that failed is left alone. It may take seconds to see that it hangs, and
/// each encode begins with it.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// What all encodes know of the machine's encoder.
#[derive(Debug, Default)]
pub(super) struct Failures {
    last: Mutex<Option<Instant>>,
}

impl Failures {
    fn note(&self, now: Instant) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Says whether it failed not long ago.
    fn are_recent(&self, now: Instant) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| now.duration_since(last) < LEFT_ALONE)
    }
}

/// One encode.
pub(super) struct Fallback {
    /// The one that encodes.
    encoder: Box<dyn Encoder>,
    /// The processor's, while it is not that.
    processor: Option<Make>,
    settings: Settings,
    failures: Arc<Failures>,
}

impl Fallback {
    /// Begins with the machine's.
    pub(super) fn new(
        machines: Box<dyn Encoder>,
        processor: Make,
        settings: Settings,
        failures: Arc<Failures>,
    ) -> Self {
        if failures.are_recent(Instant::now()) {
            return Self {
                encoder: processor(settings),
                processor: None,
                settings,
                failures,
            };
        }
        Self {
            encoder: machines,
            processor: Some(processor),
            settings,
            failures,
        }
    }

    /// Goes on with the processor's; `Err`, with the error: it is that already, or none would do
    /// better.
    fn fall_back(&mut self, error: EncodeError) -> Result<(), EncodeError> {
        let Some(processor) = self.processor.take_if(|_| !is_pictures(&error)) else {
            return Err(error);
        };
        // A camera may be too large for it at any time, and that is no fault of the device's.
        if let EncodeError::Size { .. } = error {
            log::debug!("{error}; the processor encodes it instead");
        } else {
            log::warn!("{error}; the processor encodes instead");
            self.failures.note(Instant::now());
        }
        self.encoder = processor(self.settings);
        Ok(())
    }
}

fn is_pictures(error: &EncodeError) -> bool {
    matches!(error, EncodeError::Picture(_))
}

impl Encoder for Fallback {
    fn encode(
        &mut self,
        picture: &Yuv420<'_>,
        at: Duration,
        key: Key,
    ) -> Result<Option<Encoded>, EncodeError> {
        match self.encoder.encode(picture, at, key) {
            Ok(encoded) => Ok(encoded),
            Err(error) => {
                self.fall_back(error)?;
                self.encoder.encode(picture, at, key)
            }
        }
    }

    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), EncodeError> {
        self.settings.bits_per_second = bits_per_second;
        match self.encoder.set_bitrate(bits_per_second) {
            Ok(()) => Ok(()),
            Err(error) => self.fall_back(error),
        }
    }

    fn description(&self) -> String {
        self.encoder.description()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_picture::{SamplePlane, SampleRange};

    /// One that says who it is by its bits.
    struct StandIn {
        fails: Option<fn() -> EncodeError>,
        settings: Settings,
    }

    impl Encoder for StandIn {
        fn encode(
            &mut self,
            _: &Yuv420<'_>,
            _: Duration,
            _: Key,
        ) -> Result<Option<Encoded>, EncodeError> {
            match self.fails {
                Some(error) => Err(error()),
                None => Ok(Some(Encoded {
                    annex_b: self.settings.bits_per_second.to_be_bytes().to_vec(),
                    is_key: true,
                })),
            }
        }

        fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), EncodeError> {
            self.settings.bits_per_second = bits_per_second;
            Ok(())
        }

        fn description(&self) -> String {
            match self.fails {
                Some(_) => "the machine's".to_owned(),
                None => "the processor's".to_owned(),
            }
        }
    }

    const SETTINGS: Settings = Settings {
        bits_per_second: 1,
        pictures_per_second: 30.0,
    };

    fn fallback(error: fn() -> EncodeError, failures: &Arc<Failures>) -> Fallback {
        let stand_in = |fails, settings| Box::new(StandIn { fails, settings });
        let processor: Make = |settings| {
            Box::new(StandIn {
                fails: None,
                settings,
            })
        };
        let machines = stand_in(Some(error), SETTINGS);
        Fallback::new(machines, processor, SETTINGS, failures.clone())
    }

    fn encode(encoder: &mut Fallback) -> Result<Option<Encoded>, EncodeError> {
        let plane = SamplePlane {
            bytes: &[0; 4],
            stride: 2,
        };
        let picture = Yuv420 {
            width: 2,
            height: 2,
            y: plane,
            u: plane,
            v: plane,
            range: SampleRange::Limited,
        };
        encoder.encode(&picture, Duration::ZERO, Key::NotNeeded)
    }

    fn hangs() -> EncodeError {
        EncodeError::Encoder {
            encoder: "v4l2",
            reason: "it hangs".to_owned(),
        }
    }

    fn too_large() -> EncodeError {
        EncodeError::Size {
            width: 4000,
            height: 4000,
            encoder: "v4l2",
            least: 32,
            most: "2032 by 2032".to_owned(),
        }
    }

    #[test]
    fn the_processor_encodes_the_picture_that_the_machine_did_not() {
        let failures = Arc::default();
        let mut encoder = fallback(hangs, &failures);
        assert_eq!(encoder.description(), "the machine's");
        encoder.set_bitrate(7).unwrap();
        let encoded = encode(&mut encoder).unwrap().unwrap();
        assert_eq!(encoded.annex_b, [0, 0, 0, 7], "with the bitrate that holds");
        assert_eq!(encoder.description(), "the processor's");
        assert!(encode(&mut encoder).is_ok());
    }

    #[test]
    fn a_device_that_failed_is_left_alone_for_a_while_but_not_for_a_size() {
        let failures = Arc::default();
        encode(&mut fallback(too_large, &failures)).unwrap();
        assert_eq!(fallback(hangs, &failures).description(), "the machine's");
        encode(&mut fallback(hangs, &failures)).unwrap();
        assert_eq!(fallback(hangs, &failures).description(), "the processor's");
        let now = Instant::now();
        assert!(failures.are_recent(now));
        assert!(!failures.are_recent(now + LEFT_ALONE));
    }

    #[test]
    fn a_picture_that_is_none_is_nobodys_fault() {
        let failures = Arc::default();
        let broken = || {
            EncodeError::Picture(eyelid_picture::EncodeError::Size {
                width: 0,
                height: 0,
            })
        };
        let mut encoder = fallback(broken, &failures);
        assert!(encode(&mut encoder).is_err());
        assert_eq!(encoder.description(), "the machine's");
    }
}
