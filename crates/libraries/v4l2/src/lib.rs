//! Video devices as the kernel has them (V4L2, linux/videodev2.h): structures, ioctls and mapped
//! buffers, of cameras and of encoders. It decides nothing, and waits only in [`Node::wait`].
//!
//! By hand, for it is little: crates that wrap V4L2 make their bindings with bindgen, which needs
//! libclang, and the default build needs nothing but Rust and a C compiler. The one that knows
//! encoders (`v4l2r`) also waits without a deadline, and panics where a driver refuses.
//!
//! A [`Node`] is an open device. What depends on how pictures lie in memory is there twice:
//! `single_planar` is what cameras have, `multi_planar`, whose methods end in `_mplane`, what
//! encoders have. Sizes of structures are checked where they stand, for the number of an ioctl has
//! that of its structure in it. Unsafe code is in `node` and `buffer_map` alone.

mod buffer_map;
mod control;
mod multi_planar;
mod node;
mod rate;
mod single_planar;

pub use buffer_map::BufferMap;
pub use control::QueryControl;
pub use multi_planar::{DoneMplane, FormatMplane, Ready};
pub use node::{Capability, Node, Queue};
pub use rate::Fraction;
pub use single_planar::{PixelFormat, Span, V4l2Buffer};
