//! Cisco's encoder, in this process, built from its source.
//!
//! Constrained baseline, one slice, one thread, no picture out of order, no picture left out. Its
//! rate control goes by the moments of the pictures (`RC_TIMESTAMP_MODE`): it is we who leave
//! pictures out, so there is no rate that it could count on.

use std::ffi::{c_int, c_void};
use std::ptr::from_mut;
use std::time::Duration;

use eyelid_picture::{Planes, Yuv420};
use openh264::encoder::{
    BitRate, Complexity, Encoder as Cisco, EncoderConfig, FrameRate, FrameType, MatrixCoefficients,
    Profile, QpRange, RateControlMode, VuiConfig,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use openh264_sys2::{
    ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_TRACE_LEVEL, SBitrateInfo,
    SPATIAL_LAYER_0, SPATIAL_LAYER_ALL, WELS_LOG_QUIET,
};

use crate::encoder::{EncodeError, Encoded, Encoder, Key, Settings};

mod assembly;

const NAME: &str = "openh264";
/// Fewer are refused (`EncodeFrameInternal`).
const LEAST_PIXELS: u32 = 16;
/// Of the longer side, and of the shorter one: level 5.2.
const MOST_PIXELS: (u32, u32) = (3840, 2160);
/// It refuses fewer bits than pictures a second; more than these no level has (5.2, A.3.1).
const BITRATES: std::ops::RangeInclusive<u32> = 10_000..=240_000_000;
/// Of the quantisers that H.264 has (8.5.9), the finest that is used. What is finer goes to grain:
/// a room where nothing moves would take all bits that it may have. To 51, the coarsest, the
/// bitrate decides.
const QUANTISERS: QpRange = QpRange::new(24, 51);

/// In 140,000 years.
const LAST_MS: u64 = 1 << 52;

/// Encodes by openh264.
pub struct OpenH264 {
    settings: Settings,
    /// One for each size; none before the first picture, and after an error.
    running: Option<Running>,
    limited: Planes,
}

struct Running {
    encoder: Cisco,
    size: (u32, u32),
    /// The moment of its first picture.
    since: Duration,
    /// The last timestamp that it was given, in milliseconds.
    last_ms: u64,
    /// The highest bitrate that it takes now.
    most_bits_per_second: u32,
}

impl OpenH264 {
    /// Makes one. What it needs is taken when the first picture comes.
    pub fn new(settings: Settings) -> Self {
        let bits_per_second = within(settings.bits_per_second);
        Self {
            settings: Settings {
                bits_per_second,
                ..settings
            },
            running: None,
            limited: Planes::default(),
        }
    }
}

impl Encoder for OpenH264 {
    fn encode(
        &mut self,
        picture: &Yuv420<'_>,
        at: Duration,
        key: Key,
    ) -> Result<Option<Encoded>, EncodeError> {
        picture.check()?;
        let size = encoded_size(picture.width, picture.height)?;
        let picture = self.limited.limited_range(picture)?;
        let mut running = match self.running.take() {
            Some(running) if running.size == size => running,
            _ => Running::start(self.settings, size, at)?,
        };
        // One that refused a picture has given up its memory, and is not used again.
        let encoded = running.encode(&picture, at, key)?;
        self.running = Some(running);
        Ok(encoded)
    }

    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), EncodeError> {
        let bits_per_second = within(bits_per_second);
        if let Some(running) = &mut self.running {
            running.set_bitrate(bits_per_second)?;
        }
        self.settings.bits_per_second = bits_per_second;
        Ok(())
    }

    fn description(&self) -> String {
        format!("{NAME} with {}", assembly::instructions())
    }
}

impl Running {
    fn start(settings: Settings, size: (u32, u32), at: Duration) -> Result<Self, EncodeError> {
        let config = EncoderConfig::new()
            .bitrate(BitRate::from_bps(settings.bits_per_second))
            .max_frame_rate(FrameRate::from_hz(settings.pictures_per_second))
            .rate_control_mode(RateControlMode::Timestamp)
            .skip_frames(false)
            .profile(Profile::Baseline)
            .complexity(Complexity::Low)
            .num_threads(1)
            .qp(QUANTISERS)
            // What this takes for background is not encoded, and it goes by brightness: the colour
            // of a whole macroblock may be off by 640 (`KNOWN_CHROMA_TOO_LARGE`), all of it in one
            // corner. There, pieces of what moved on would stay until a keyframe comes.
            .background_detection(false)
            // A keyframe is what somebody asks for, not what the encoder takes for a new scene.
            .scene_change_detect(false)
            // JFIF's matrix. What cameras mean by their primaries, nobody says.
            .vui(VuiConfig::bt709().matrix_coefficients(MatrixCoefficients::Smpte170M));
        let mut encoder =
            Cisco::with_api_config(OpenH264API::from_source(), config).map_err(refused)?;
        // It would write to stderr that bitrates cannot be kept without leaving pictures out.
        set(&mut encoder, Setting::Quiet)?;
        Ok(Self {
            encoder,
            size,
            since: at,
            last_ms: 0,
            most_bits_per_second: settings.bits_per_second,
        })
    }

    fn encode(
        &mut self,
        picture: &Yuv420<'_>,
        at: Duration,
        key: Key,
    ) -> Result<Option<Encoded>, EncodeError> {
        if key == Key::Wanted {
            self.encoder.force_intra_frame();
        }
        let since = at.saturating_sub(self.since).as_millis();
        // It takes 0 for "no moment is said", and one that goes back for one picture at its rate.
        let now_ms = u64::try_from(since).map_or(LAST_MS, |ms| LAST_MS.min(ms + 1));
        self.last_ms = now_ms.max(self.last_ms + 1);
        let source = Source {
            picture,
            size: self.size,
        };
        let stream = self
            .encoder
            .encode_at(&source, Timestamp::from_millis(self.last_ms))
            .map_err(refused)?;
        let is_key = match stream.frame_type() {
            FrameType::IDR => true,
            FrameType::I | FrameType::P => false,
            FrameType::Skip | FrameType::Invalid | FrameType::IPMixed => return Ok(None),
        };
        let annex_b = stream.to_vec();
        Ok(Some(Encoded { annex_b, is_key }))
    }

    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), EncodeError> {
        if bits_per_second > self.most_bits_per_second {
            set(&mut self.encoder, Setting::MostBitrate(bits_per_second))?;
            self.most_bits_per_second = bits_per_second;
        }
        set(&mut self.encoder, Setting::Bitrate(bits_per_second))
    }
}

/// A picture of which the last column or row is left out if it has no partner: two of each share
/// their colour.
struct Source<'a> {
    picture: &'a Yuv420<'a>,
    size: (u32, u32),
}

impl YUVSource for Source<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.size.0 as usize, self.size.1 as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let Yuv420 { y, u, v, .. } = self.picture;
        (y.stride, u.stride, v.stride)
    }

    fn y(&self) -> &[u8] {
        self.picture.y.bytes
    }

    fn u(&self) -> &[u8] {
        self.picture.u.bytes
    }

    fn v(&self) -> &[u8] {
        self.picture.v.bytes
    }
}

/// The size that a picture is encoded in.
fn encoded_size(width: u32, height: u32) -> Result<(u32, u32), EncodeError> {
    let (longer, shorter) = (width.max(height), width.min(height));
    if shorter < LEAST_PIXELS || longer > MOST_PIXELS.0 || shorter > MOST_PIXELS.1 {
        return Err(EncodeError::Size {
            width,
            height,
            encoder: NAME,
            least: LEAST_PIXELS,
            most: "3840 by 2160".to_owned(),
        });
    }
    Ok((width & !1, height & !1))
}

fn within(bits_per_second: u32) -> u32 {
    bits_per_second.clamp(*BITRATES.start(), *BITRATES.end())
}

fn refused(error: openh264::Error) -> EncodeError {
    EncodeError::Encoder {
        encoder: NAME,
        reason: error.to_string(),
    }
}

/// What the crate has no function for.
#[derive(Clone, Copy, Debug)]
enum Setting {
    /// Nothing is written to stderr.
    Quiet,
    /// Bits a second.
    Bitrate(u32),
    /// The most that `Bitrate` may be.
    MostBitrate(u32),
}

#[expect(unsafe_code, reason = "only the C interface has it")]
fn set(encoder: &mut Cisco, setting: Setting) -> Result<(), EncodeError> {
    let mut quiet = WELS_LOG_QUIET as c_int;
    let bitrate = |layer, bits_per_second| SBitrateInfo {
        iLayer: layer,
        // `within` keeps it far below what overflows.
        iBitrate: bits_per_second as i32,
    };
    let mut info;
    let (option, value): (_, *mut c_void) = match setting {
        Setting::Quiet => (ENCODER_OPTION_TRACE_LEVEL, from_mut(&mut quiet).cast()),
        Setting::Bitrate(bits_per_second) => {
            // It passes this on to its one layer.
            info = bitrate(SPATIAL_LAYER_ALL, bits_per_second);
            (ENCODER_OPTION_BITRATE, from_mut(&mut info).cast())
        }
        Setting::MostBitrate(bits_per_second) => {
            info = bitrate(SPATIAL_LAYER_0, bits_per_second);
            (ENCODER_OPTION_MAX_BITRATE, from_mut(&mut info).cast())
        }
    };
    // SAFETY: the crate keeps none of these options itself but the trace level, which it sets to
    // the same.
    let interface = unsafe { encoder.raw_api() };
    // SAFETY: each value is of the type that SetOption reads for its option (codec_app_def.h),
    // lives until the call has returned, and no pointer to it is kept. Before the first picture
    // SetOption takes nothing but the trace level, and refuses the rest.
    let result = unsafe { interface.set_option(option, value) };
    if result == 0 {
        return Ok(());
    }
    Err(EncodeError::Encoder {
        encoder: NAME,
        reason: format!("{setting:?} is refused ({result})"),
    })
}

#[cfg(test)]
mod tests;
