//! Whose the slots are: locks, while a camera has one, and what is left where it has it no longer.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use eyelid_slot::{CameraName, LockError, SlotLock};

use crate::settings::CameraSettings;

/// How long an earlier process may take at the start of this one to leave the slots to it, and how
/// often that is looked for. When it is told to end it does so at once.
pub(crate) const HANDOVER: Duration = Duration::from_secs(2);
const LOCK_AGAIN: Duration = Duration::from_millis(20);

/// Locks a slot, so that no second process publishes into it. One that has it until then may be
/// ending. `None` where locks cannot be had, as beside a slot that was made by somebody else.
///
/// # Errors
/// Another process has it.
pub(crate) fn lock(
    settings: &CameraSettings,
    until: Instant,
) -> Result<Option<SlotLock>, LockError> {
    loop {
        match SlotLock::take(&settings.slot, &settings.lock) {
            Ok(lock) => return Ok(Some(lock)),
            Err(LockError::Taken { .. }) if Instant::now() < until => {
                std::thread::sleep(LOCK_AGAIN);
            }
            Err(error @ LockError::Taken { .. }) => return Err(error),
            Err(error) => {
                log::warn!("a second eyelid-receive would not be noticed: {error}");
                return Ok(None);
            }
        }
    }
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
