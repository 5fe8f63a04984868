//! Whose the slots are: a lock while this process has them, and what is left of cameras that are
//! gone.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use eyelid_slot::{CameraName, LockError, Reader, SlotLock};

use crate::FETCHED;

/// The file by which a second process is kept out of the slots.
const LOCK: &str = ".fetch.lock";

/// How long an earlier process may take to leave the slots to this one, and how often that is
/// looked for.
const HANDOVER: Duration = Duration::from_secs(2);
const LOCK_AGAIN: Duration = Duration::from_millis(20);

/// Removes a slot. What something else lies in stays.
pub(super) fn clear(slot: &Path) {
    for file in eyelid_slot::files() {
        let _ = fs::remove_file(slot.join(file));
    }
    let _ = fs::remove_dir(slot);
}

/// Keeps a second process out. `None` where locks cannot be had.
pub(super) fn lock(directory: &Path) -> Result<Option<SlotLock>, LockError> {
    let until = Instant::now() + HANDOVER;
    loop {
        match SlotLock::take(directory, &directory.join(LOCK)) {
            Ok(lock) => return Ok(Some(lock)),
            Err(LockError::Taken { .. }) if Instant::now() < until => {
                std::thread::sleep(LOCK_AGAIN);
            }
            Err(error @ LockError::Taken { .. }) => return Err(error),
            Err(error) => {
                log::warn!("a second eyelid-relay fetch would not be noticed: {error}");
                return Ok(None);
            }
        }
    }
}

/// Removes slots of ours that no camera has.
pub(super) fn sweep(directory: &Path, is_there: impl Fn(&Path) -> bool) {
    let entries = fs::read_dir(directory).into_iter().flatten();
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|it| it.parse::<CameraName>().ok()) else {
            continue;
        };
        let is_own = || {
            let source = Reader::new(&path).state().and_then(|state| state.source);
            source.is_some_and(|source| source == format!("{FETCHED}{name}"))
        };
        if !is_there(&path) && is_own() {
            clear(&path);
        }
    }
}
