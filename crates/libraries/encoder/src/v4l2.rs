//! The machine's own encoder, by the kernel: a stateful memory-to-memory device of V4L2, as the
//! Raspberry Pi 3, 4 and Zero 2 have one.
//!
//! Constrained baseline, one picture at a time, hardly a keyframe that nobody wants. The kernel's
//! interface is `eyelid-v4l2`'s, what is asked of a device is decided in `plan`, `session` does it,
//! and `access_unit` sees to the parameter sets. `device` finds one.

use std::time::Duration;

use eyelid_picture::{Planes, Yuv420};

use crate::encoder::{EncodeError, Encoded, Encoder, Key, Settings};

mod access_unit;
mod device;
mod plan;
mod session;

pub use device::{NoDevice, V4l2Device};
use session::Session;

const NAME: &str = "v4l2";

/// `V4L2_PIX_FMT_H264`: units behind start codes, an access unit in a buffer.
const H264: u32 = u32::from_le_bytes(*b"H264");
/// `V4L2_PIX_FMT_YUV420`: I420 in one piece.
const I420: u32 = u32::from_le_bytes(*b"YU12");

/// What comes out of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    H264,
    /// What the kernel's `vicodec` makes: a device to test with.
    #[cfg(test)]
    Fwht,
}

impl Coding {
    fn fourcc(self) -> u32 {
        match self {
            Self::H264 => H264,
            #[cfg(test)]
            Self::Fwht => u32::from_le_bytes(*b"FWHT"),
        }
    }
}

/// Encodes by a device of the kernel.
pub struct V4l2 {
    device: V4l2Device,
    coding: Coding,
    settings: Settings,
    /// One for each size; none before the first picture, and after an error.
    running: Option<Running>,
    limited: Planes,
}

struct Running {
    session: Session,
    size: (u32, u32),
    /// The moment of its first picture.
    since: Duration,
    /// The last moment that it was told, in microseconds, since then.
    last_us: u64,
}

impl V4l2 {
    /// Makes one of a device, which is opened when the first picture comes.
    pub fn new(device: V4l2Device, settings: Settings) -> Self {
        Self::of(device, Coding::H264, settings)
    }

    fn of(device: V4l2Device, coding: Coding, settings: Settings) -> Self {
        let bits_per_second = within(settings.bits_per_second);
        Self {
            device,
            coding,
            settings: Settings {
                bits_per_second,
                ..settings
            },
            running: None,
            limited: Planes::default(),
        }
    }

    fn start(&self, size: (u32, u32), at: Duration) -> Result<Running, EncodeError> {
        let session = Session::start(self.device.path(), self.coding, self.settings, size)?;
        Ok(Running {
            session,
            size,
            since: at,
            last_us: 0,
        })
    }
}

impl Encoder for V4l2 {
    fn encode(
        &mut self,
        picture: &Yuv420<'_>,
        at: Duration,
        key: Key,
    ) -> Result<Option<Encoded>, EncodeError> {
        picture.check()?;
        let size = encoded_size(picture.width, picture.height)?;
        let running = self.running.take().filter(|running| running.size == size);
        let mut running = match running {
            Some(running) => running,
            None => self.start(size, at)?,
        };
        let picture = self.limited.limited_range(picture)?;
        // One that failed is closed: whatever it has, it keeps.
        let encoded = running.encode(&picture, at, key)?;
        self.running = Some(running);
        Ok(encoded)
    }

    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), EncodeError> {
        let bits_per_second = within(bits_per_second);
        if let Some(running) = &mut self.running {
            running.session.set_bitrate(bits_per_second)?;
        }
        self.settings.bits_per_second = bits_per_second;
        Ok(())
    }

    fn description(&self) -> String {
        format!("{NAME} by {}", self.device.description())
    }
}

impl Running {
    fn encode(
        &mut self,
        picture: &Yuv420<'_>,
        at: Duration,
        key: Key,
    ) -> Result<Option<Encoded>, EncodeError> {
        let since = at.saturating_sub(self.since).as_micros();
        let now_us = u64::try_from(since).unwrap_or(u64::MAX >> 1);
        self.last_us = now_us.min(u64::MAX >> 1).max(self.last_us + 1);
        let moment = Duration::from_micros(self.last_us);
        self.session.encode(picture, moment, key)
    }
}

/// The size that a picture is encoded in: the last column or row is left out if it has no partner,
/// for two of each share their colour.
fn encoded_size(width: u32, height: u32) -> Result<(u32, u32), EncodeError> {
    let sides = plan::LEAST_PIXELS..=plan::MOST_PIXELS + 1;
    if sides.contains(&width) && sides.contains(&height) {
        return Ok((width & !1, height & !1));
    }
    Err(EncodeError::Size {
        width,
        height,
        encoder: NAME,
        least: plan::LEAST_PIXELS,
        most: format!("{0} by {0}", plan::MOST_PIXELS),
    })
}

fn within(bits_per_second: u32) -> u32 {
    bits_per_second.clamp(*plan::BITRATES.start(), *plan::BITRATES.end())
}

#[cfg(test)]
mod tests;
