//! What cameras have in common that libcamera or V4L2 drives: which format and size to take, what a
//! control takes, how a buffer becomes a frame, when it was captured, whether the rate is kept, and
//! who has a camera that is busy.

pub(crate) mod buffer_encoder;
pub(crate) mod choice;
pub(crate) mod control;
pub(crate) mod frame_rate;
pub(crate) mod full_pictures;
pub(crate) mod holder;
pub(crate) mod list;
pub(crate) mod silence;
pub(crate) mod timestamp;
