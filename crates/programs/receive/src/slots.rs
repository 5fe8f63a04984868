//! Whose the slots are: locks, while a camera has one, and what is left where it has it no longer.

use std::fs;
use std::path::Path;
use std::time::Instant;

use eyelid_slot::{CameraName, LockError, SlotLock};

use crate::settings::CameraSettings;

/// Locks a slot, so that no second process publishes into it. One that has it until then may be
/// ending. `None` where locks cannot be had.
///
/// # Errors
/// Another process has it.
pub(crate) fn lock(
    settings: &CameraSettings,
    until: Instant,
) -> Result<Option<SlotLock>, LockError> {
    SlotLock::take_until(&settings.slot, &settings.lock, until)
}

/// Takes away what a camera has left in a slot that is its own no longer: who lists the slots would
/// take it for a camera that is there.
pub(crate) fn clear(name: &CameraName, slot: &Path) {
    for file in eyelid_slot::files() {
        let _ = fs::remove_file(slot.join(file));
    }
    // One that is not called so was perhaps not made for the camera alone. What something else lies
    // in stays.
    if slot.file_name() == Some(name.as_str().as_ref()) {
        let _ = fs::remove_dir(slot);
    }
}
