//! Version 1 of what travels between the two sides: names ([`Subject`]), messages ([`Request`],
//! [`Reply`]) and how a frame is cut into them ([`cut`], [`Assembly`]), a camera's state
//! ([`FarState`]), which hosts there are ([`Presence`]) and what each shares ([`Directory`]).
//!
//! Numbers are big-endian. All that is read here is a stranger's: every length is checked before
//! anything is done with it, and memory is taken for bytes that came, never for such as were only
//! claimed. A message that has more than its kind has is refused: another meaning needs another
//! version, which the subjects name, too. In JSON, keys that are not known are left alone.

mod directory;
mod far_state;
mod fields;
mod message;
mod name;
mod parts;
mod presence;
mod reply;
mod request;
mod subject;

pub use directory::{Directory, DirectoryError, MAX_CAMERAS, MAX_DIRECTORY_BYTES};
pub use far_state::{FarState, FarStateError, MAX_STATE_BYTES};
pub use message::{Asker, FormatError, FrameId, RequestId, SubjectTag};
pub use name::{FarCamera, HostError, HostName, SlotNameError};
pub use parts::{Assembly, AssemblyError, CutError, cut};
pub use presence::Presence;
pub use reply::{Head, NoFrame, Part, Reason, Reply};
pub use request::{MAX_HOLD, Request};
pub use subject::{Subject, SubjectError};
