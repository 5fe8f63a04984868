//! What makes a program's options a table of the file.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Stands for the name of a camera in the place of a table.
pub(crate) const CAMERA: &str = "*";

/// Options that are a table of the file. Their keys are checked (`sections`) and need no
/// `deny_unknown_fields`, which would refuse the tables of other programs that lie in them.
pub trait Section: Clone + Debug + Default + PartialEq + DeserializeOwned + Serialize {
    /// The keys that lead to the table, `*` for the name of a camera: `["server"]`, `["cameras",
    /// "*"]`.
    const PLACE: &'static [&'static str];
}
