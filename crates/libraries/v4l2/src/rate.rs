//! How many pictures a second there are: what a camera is to give, and what an encoder gets.

use std::io;

use crate::{Node, Queue, Span};

/// `struct v4l2_fract`: seconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fraction {
    /// As many,
    pub numerator: u32,
    /// divided by this.
    pub denominator: u32,
}

/// `struct v4l2_frmivalenum`: one time between frames, or with another `kind` a range.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct FrameInterval {
    index: u32,
    fourcc: u32,
    width: u32,
    height: u32,
    kind: u32,
    /// The only one; or least, most, step.
    intervals: [Fraction; 3],
    reserved: [u32; 2],
}

/// `V4L2_FRMIVAL_TYPE_DISCRETE`.
const DISCRETE: u32 = 1;

/// `struct v4l2_streamparm` with a `struct v4l2_captureparm` or a `struct v4l2_outputparm`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct StreamParameters {
    kind: u32,
    capability: u32,
    mode: u32,
    interval: Fraction,
    extended_mode: u32,
    buffers: u32,
    reserved: [u32; 4],
    rest: [[u32; 20]; 2],
}

/// `V4L2_CAP_TIMEPERFRAME`.
const CAN_SET_INTERVAL: u32 = 0x1000;

const _: () = {
    assert!(size_of::<FrameInterval>() == 52);
    assert!(size_of::<StreamParameters>() == 204);
};

nix::ioctl_readwrite!(g_parm, b'V', 21, StreamParameters);
nix::ioctl_readwrite!(s_parm, b'V', 22, StreamParameters);
nix::ioctl_readwrite!(enum_frameintervals, b'V', 75, FrameInterval);

impl Node {
    /// The time between frames with this number, at a camera's format and size; `None` behind the
    /// last one.
    pub fn interval(
        &self,
        fourcc: u32,
        (width, height): (u32, u32),
        index: u32,
    ) -> Option<Span<Fraction>> {
        let mut interval = FrameInterval {
            index,
            fourcc,
            width,
            height,
            ..FrameInterval::default()
        };
        self.ask(enum_frameintervals, &mut interval).ok()?;
        let [min, max, step] = interval.intervals;
        Some(if interval.kind == DISCRETE {
            Span::One(min)
        } else {
            Span::Range { min, max, step }
        })
    }

    /// Sets the time between a camera's frames, where one is given; gives what it is. `None` where
    /// the camera does not say.
    ///
    /// # Errors
    /// What the driver says.
    pub fn set_interval(&self, interval: Option<Fraction>) -> io::Result<Option<Fraction>> {
        let mut parameters = StreamParameters {
            kind: Queue::Capture as u32,
            ..StreamParameters::default()
        };
        self.ask(g_parm, &mut parameters)?;
        if parameters.capability & CAN_SET_INTERVAL != 0
            && let Some(interval) = interval
        {
            parameters.interval = interval;
            self.ask(s_parm, &mut parameters)?;
        }
        let Fraction {
            numerator,
            denominator,
        } = parameters.interval;
        Ok((numerator > 0 && denominator > 0).then_some(parameters.interval))
    }

    /// Says to an encoder how many pictures a second are going to come.
    ///
    /// # Errors
    /// `ENOTTY`: it has no use for that.
    pub fn set_rate(&self, pictures_per_second: u32) -> io::Result<()> {
        let mut parameters = StreamParameters {
            kind: Queue::OutputMplane as u32,
            interval: Fraction {
                numerator: 1,
                denominator: pictures_per_second,
            },
            ..StreamParameters::default()
        };
        self.ask(s_parm, &mut parameters)
    }
}
