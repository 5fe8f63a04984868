//! What makes a program's options a table of the file.

use std::ffi::OsString;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::flags;

/// Stands for the name of a camera in the place of a table.
pub(crate) const CAMERA: &str = "*";

/// Stands for another name that the user gives, in the place of a table.
pub(crate) const NAME: &str = CAMERA;

/// Options that are a table of the file. Their keys are checked (`sections`) and need no
/// `deny_unknown_fields`, which would refuse the tables of other programs that lie in them.
pub trait Section: Clone + Debug + Default + PartialEq + DeserializeOwned + Serialize {
    /// The keys that lead to the table, `*` for the name of a camera, or another that the
    /// user gives: `["server"]`, `["cameras", "*"]`.
    const PLACE: &'static [&'static str];

    /// Gives all that are set as flags, for a program that is to be started.
    ///
    /// # Errors
    /// A path that is not UTF-8.
    fn to_flags(&self) -> Result<Vec<OsString>, toml::ser::Error> {
        flags::of(self)
    }

    /// Says whether an option is set, by its name.
    fn is_set(&self, key: &str) -> bool {
        flags::is_set(self, key)
    }
}
