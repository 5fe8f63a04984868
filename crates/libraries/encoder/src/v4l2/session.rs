//! A device that encodes pictures of one size, from its opening to its closing: formats, buffers
//! and controls, in the order of the kernel's "Memory-to-memory Stateful Video Encoder Interface".
//!
//! One picture is in it at a time, so that there is nothing to drain: what went wrong is closed.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use eyelid_picture::Yuv420;
use eyelid_v4l2::{BufferMap, DoneMplane, FormatMplane, Node, Queue, Ready};
use nix::errno::Errno;

use super::access_unit::{Assembler, Bits};
use super::plan::{self, Layout};
use super::{Coding, I420, NAME};
use crate::encoder::{EncodeError, Encoded, Key, Settings};

/// A device that has taken a picture gives it back within some 50 ms, its first within 200.
const HUNG_AFTER: Duration = Duration::from_secs(2);

/// The one that is encoded, and the one that a device may want besides.
const CODED_BUFFERS: u32 = 2;

/// Pictures from a keyframe that nobody asked for to the next: half an hour's. Who comes asks for
/// one. The Raspberry Pi's driver takes far more, but hands it on to firmware that nobody has read.
const KEYFRAME_PERIOD: i32 = 30 * 60 * 30;

/// `V4L2_COLORSPACE_SMPTE170M`, JFIF's matrix, and `V4L2_QUANTIZATION_LIM_RANGE`: what the pictures
/// have. The Raspberry Pi's driver does not tell its hardware, nor that the decoder.
const COLORSPACE: u32 = 1;
const LIMITED_RANGE: u8 = 2;

/// Controls (`V4L2_CID_MPEG_VIDEO_...`, linux/v4l2-controls.h) and values of theirs.
mod control {
    const BASE: u32 = 0x0099_0900;
    pub(super) const GOP_SIZE: u32 = BASE + 203;
    pub(super) const BITRATE: u32 = BASE + 207;
    pub(super) const HEADER_MODE: u32 = BASE + 216;
    pub(super) const REPEAT_SEQ_HEADER: u32 = BASE + 226;
    pub(super) const FORCE_KEY_FRAME: u32 = BASE + 229;
    pub(super) const H264_I_PERIOD: u32 = BASE + 358;
    pub(super) const H264_LEVEL: u32 = BASE + 359;
    pub(super) const H264_PROFILE: u32 = BASE + 363;
    /// `V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME`.
    pub(super) const JOINED_WITH_FIRST_FRAME: i32 = 1;
    /// `V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE`.
    pub(super) const CONSTRAINED_BASELINE: i32 = 1;
}

/// A device at work.
pub(super) struct Session {
    node: Node,
    /// Where it is, for people.
    path: String,
    coding: Coding,
    layout: Layout,
    input: BufferMap,
    coded: Vec<BufferMap>,
    can_force_key: bool,
    /// Whether a picture went through since it was started.
    has_begun: bool,
    assembler: Assembler,
}

impl Session {
    /// Opens a device, and has it ready for pictures of this size, both sides of which are even.
    pub(super) fn start(
        path: &Path,
        coding: Coding,
        settings: Settings,
        size: (u32, u32),
    ) -> Result<Self, EncodeError> {
        let said = path.display().to_string();
        let failed = |what: &'static str| {
            let said = said.clone();
            move |error: io::Error| refused(&said, &format!("{what}: {error}"))
        };
        let node = Node::open(path).map_err(failed("cannot be opened"))?;
        let layout = set_formats(&node, &said, coding, size)?;
        let rate = plan::rate(settings.pictures_per_second);
        // One that has no use for it does not know it.
        if let Err(error) = node.set_rate(rate)
            && error.raw_os_error() != Some(Errno::ENOTTY as i32)
        {
            return Err(failed("takes no rate")(error));
        }
        set_controls(&node, coding, plan::level(size, rate))
            .map_err(failed("refuses a setting"))?;
        let map = |queue, index| {
            node.map_mplane(queue, index)
                .map_err(failed("has no memory"))
        };
        let ask = |queue, count| {
            let got = node.request_buffers(queue, count);
            got.map_err(failed("has no memory for pictures"))
        };
        let (inputs, coded) = (
            ask(Queue::OutputMplane, 1)?,
            ask(Queue::CaptureMplane, CODED_BUFFERS)?,
        );
        if inputs == 0 || coded == 0 {
            return Err(refused(&said, "has no memory for pictures"));
        }
        let input = map(Queue::OutputMplane, 0)?;
        let coded = (0..coded).map(|index| map(Queue::CaptureMplane, index));
        let mut session = Self {
            layout,
            coding,
            input,
            coded: coded.collect::<Result<_, _>>()?,
            can_force_key: node.control(control::FORCE_KEY_FRAME).is_some(),
            has_begun: false,
            assembler: Assembler::default(),
            path: said,
            node,
        };
        if session.input.bytes().len() < layout.bytes() {
            return Err(session.refused("has buffers that are too small for a picture"));
        }
        session.set_bitrate(settings.bits_per_second)?;
        session
            .begin()
            .map_err(|error| session.failed("does not start", &error))?;
        Ok(session)
    }

    /// Sets how many bits a second the next pictures are to have, as near as the device can.
    pub(super) fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), EncodeError> {
        let Some((least, most)) = self.node.control(control::BITRATE) else {
            return match self.coding {
                Coding::H264 => Err(self.refused("has no control of its bitrate")),
                #[cfg(test)]
                Coding::Fwht => Ok(()),
            };
        };
        let wanted = i32::try_from(bits_per_second).unwrap_or(i32::MAX);
        let set = (self.node).set_control(control::BITRATE, wanted.max(least).min(most));
        set.map_err(|error| self.failed("refuses a bitrate", &error))
    }

    /// Encodes a picture.
    pub(super) fn encode(
        &mut self,
        picture: &Yuv420<'_>,
        at: Duration,
        key: Key,
    ) -> Result<Option<Encoded>, EncodeError> {
        // The first one is a keyframe in any case.
        if key == Key::Wanted && self.has_begun {
            self.force_key()
                .map_err(|error| self.failed("makes no keyframe", &error))?;
        }
        self.has_begun = true;
        let bytes = self.layout.bytes();
        self.layout
            .write(picture, &mut self.input.bytes_mut()[..bytes]);
        // It fits, for no picture has 4 GB.
        let queued = self
            .node
            .queue_mplane(Queue::OutputMplane, 0, bytes as u32, at);
        queued.map_err(|error| self.failed("takes no picture", &error))?;
        self.wait()
    }

    /// Waits for the picture that the device has, and for its buffer.
    fn wait(&mut self) -> Result<Option<Encoded>, EncodeError> {
        let deadline = Instant::now() + HUNG_AFTER;
        let mut missing = Ready {
            capture: true,
            output: true,
        };
        let mut picture = None;
        while missing != Ready::default() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.refused(
                    "took a picture and has not encoded it within 2 s: it hangs (if it goes on \
                     so, restart the machine, or take encoder = \"openh264\")",
                ));
            }
            let ready = self.node.wait(missing, left);
            let ready = ready.map_err(|error| self.failed("fails", &error))?;
            if missing.output && ready.output && self.dequeue(Queue::OutputMplane)?.is_some() {
                missing.output = false;
            }
            if missing.capture
                && ready.capture
                && let Some(done) = self.dequeue(Queue::CaptureMplane)?
                && let Some(taken) = self.take(done)?
            {
                picture = Some(taken);
                missing.capture = false;
            }
        }
        Ok(picture.flatten())
    }

    fn dequeue(&self, queue: Queue) -> Result<Option<DoneMplane>, EncodeError> {
        let done = self.node.dequeue_mplane(queue);
        let done = done.map_err(|error| self.failed("gives no picture back", &error))?;
        if done.is_some_and(|done| done.is_broken()) {
            return Err(self.refused("could not encode a picture"));
        }
        Ok(done)
    }

    /// Takes what is in a buffer, and gives that back to the device. `None`: it is no picture yet;
    /// within that: it was left out.
    fn take(&mut self, done: DoneMplane) -> Result<Option<Option<Encoded>>, EncodeError> {
        let (from, bytes) = (done.offset as usize, done.bytes as usize);
        let map = self.coded.get(done.index as usize).map(BufferMap::bytes);
        let Some((map, bits)) = map.and_then(|map| Some((map, map.get(from..from + bytes)?)))
        else {
            return Err(self.refused("gives back a buffer that it has not got"));
        };
        if from + bytes == map.len() {
            return Err(self.refused("made more bits of a picture than it has room for"));
        }
        let taken = match self.coding {
            _ if bits.is_empty() => Some(None),
            Coding::H264 => match self.assembler.take(bits) {
                Bits::Picture(encoded) => Some(Some(encoded)),
                Bits::BeforePicture => None,
                Bits::WithoutParameterSets => {
                    return Err(self.refused("made a keyframe without parameter sets"));
                }
            },
            #[cfg(test)]
            Coding::Fwht => Some(Some(Encoded {
                annex_b: bits.to_vec(),
                // `V4L2_FWHT_FL_I_FRAME` of its header (codec-fwht.h).
                is_key: bits.get(22).is_some_and(|flags| flags & 0x04 != 0),
            })),
        };
        let queued = (self.node).queue_mplane(Queue::CaptureMplane, done.index, 0, Duration::ZERO);
        queued.map_err(|error| self.failed("takes no buffer back", &error))?;
        Ok(taken)
    }

    /// Has the next picture be a keyframe: by a control, or, where there is none, by beginning
    /// anew.
    fn force_key(&mut self) -> io::Result<()> {
        if self.can_force_key {
            return self.node.set_control(control::FORCE_KEY_FRAME, 1);
        }
        for queue in [Queue::OutputMplane, Queue::CaptureMplane] {
            self.node.stream_off(queue)?;
        }
        self.begin()
    }

    /// Gives the device all buffers for bits, and starts it.
    fn begin(&self) -> io::Result<()> {
        // There are a few.
        for index in 0..self.coded.len() as u32 {
            self.node
                .queue_mplane(Queue::CaptureMplane, index, 0, Duration::ZERO)?;
        }
        self.node.stream_on(Queue::CaptureMplane)?;
        self.node.stream_on(Queue::OutputMplane)
    }

    fn refused(&self, what: &str) -> EncodeError {
        refused(&self.path, what)
    }

    fn failed(&self, what: &str, error: &io::Error) -> EncodeError {
        refused(&self.path, &format!("{what}: {error}"))
    }
}

fn refused(path: &str, what: &str) -> EncodeError {
    EncodeError::Encoder {
        encoder: NAME,
        reason: format!("{path} {what}"),
    }
}

/// Sets what comes out, then what goes in: that order is the interface's.
fn set_formats(
    node: &Node,
    path: &str,
    coding: Coding,
    size: (u32, u32),
) -> Result<Layout, EncodeError> {
    let (width, height) = size;
    let set = |queue, fourcc, bytes_per_line, image_bytes| {
        let wanted = FormatMplane {
            fourcc,
            width,
            height,
            colorspace: COLORSPACE,
            quantization: LIMITED_RANGE,
            bytes_per_line,
            image_bytes,
            planes: 1,
        };
        let got = node.set_format_mplane(queue, wanted);
        let got = got.map_err(|error| refused(path, &format!("refuses a format: {error}")))?;
        // A driver takes another where it has not got this one.
        if got.fourcc != fourcc {
            return Err(refused(path, "makes no H.264 of I420"));
        }
        Ok(got)
    };
    set(Queue::CaptureMplane, coding.fourcc(), 0, plan::CODED_BYTES)?;
    let row_bytes = plan::row_bytes(width);
    let raw = set(
        Queue::OutputMplane,
        I420,
        row_bytes,
        row_bytes * height / 2 * 3,
    )?;
    if raw.width < width || raw.height < height {
        return Err(EncodeError::Size {
            width,
            height,
            encoder: NAME,
            least: plan::LEAST_PIXELS,
            most: format!("{} by {}", raw.width, raw.height),
        });
    }
    let Some(layout) = Layout::new(size, &raw) else {
        return Err(refused(
            path,
            &format!("has no room for I420 as it is: {raw:?}"),
        ));
    };
    if (raw.width, raw.height) != size {
        let cropped = node.set_crop(size);
        let cropped = cropped.map_err(|error| refused(path, &format!("cannot crop: {error}")))?;
        if cropped != size {
            return Err(refused(
                path,
                &format!("crops to {cropped:?}, not {size:?}"),
            ));
        }
    }
    Ok(layout)
}

/// Sets what holds for all pictures. What a device has no control for, it does as it does.
fn set_controls(node: &Node, coding: Coding, level: i32) -> io::Result<()> {
    for period in [control::H264_I_PERIOD, control::GOP_SIZE] {
        if let Some((_, most)) = node.control(period) {
            node.set_control(period, most.min(KEYFRAME_PERIOD))?;
        }
    }
    if coding != Coding::H264 {
        return Ok(());
    }
    for (id, value) in [
        (control::H264_PROFILE, control::CONSTRAINED_BASELINE),
        (control::H264_LEVEL, level),
        (control::HEADER_MODE, control::JOINED_WITH_FIRST_FRAME),
        (control::REPEAT_SEQ_HEADER, 1),
    ] {
        if node.control(id).is_some() {
            node.set_control(id, value)?;
        }
    }
    Ok(())
}
