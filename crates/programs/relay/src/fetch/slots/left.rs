//! Whose the slots are: a lock while this process has them, and what is left of cameras that are
//! gone.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use eyelid_slot::{CameraName, LockError, Reader, STATE_FILE, SlotLock, State, is_placeholder};

use crate::FETCHED;

/// The file by which a second process is kept out of the slots.
const LOCK: &str = ".fetch.lock";

/// A slot that another producer has: hosts elsewhere choose what their cameras are called, and
/// those of this host keep their names.
#[derive(Debug, thiserror::Error)]
#[error(
    "slot {0:?} is another producer's: give that camera another name, or remove what is left of it"
)]
pub(super) struct Foreign(pub(super) PathBuf);

/// Sees whether a slot is free, or what this program has left of the same camera.
///
/// # Errors
/// It is another producer's, which may be asleep, or not running just now.
pub(super) fn check(slot: &Path) -> Result<(), Foreign> {
    let reader = Reader::new(slot);
    let is_own = match reader.state() {
        Some(state) => is_fetched(&state, slot),
        // A placeholder is the first thing that is put into a slot here.
        None => reader.captured().is_none_or(is_placeholder),
    };
    if is_own {
        Ok(())
    } else {
        Err(Foreign(slot.to_owned()))
    }
}

fn is_fetched(state: &State, slot: &Path) -> bool {
    let name = slot.file_name().and_then(OsStr::to_str);
    let source = state.source.as_deref();
    let camera = source.and_then(|source| source.strip_prefix(FETCHED));
    name.is_some() && camera == name
}

/// Removes a slot. What something else lies in stays.
pub(super) fn clear(slot: &Path) {
    for file in eyelid_slot::files() {
        let _ = fs::remove_file(slot.join(file));
    }
    let _ = fs::remove_dir(slot);
}

/// Takes away what this program says of a slot that is another producer's now.
pub(super) fn leave(slot: &Path) {
    let state = Reader::new(slot).state();
    if state.is_some_and(|state| is_fetched(&state, slot)) {
        let _ = fs::remove_file(slot.join(STATE_FILE));
    }
}

/// Keeps a second process out. `None` where locks cannot be had.
pub(super) fn lock(directory: &Path) -> Result<Option<SlotLock>, LockError> {
    let until = Instant::now() + SlotLock::HANDOVER;
    SlotLock::take_until(directory, &directory.join(LOCK), until)
}

/// Removes slots of ours that no camera has.
pub(super) fn sweep(directory: &Path, is_there: impl Fn(&Path) -> bool) {
    let entries = fs::read_dir(directory).into_iter().flatten();
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let is_name = name
            .to_str()
            .is_some_and(|it| it.parse::<CameraName>().is_ok());
        let is_own = || {
            let state = Reader::new(&path).state();
            state.is_some_and(|state| is_fetched(&state, &path))
        };
        if is_name && !is_there(&path) && is_own() {
            clear(&path);
        }
    }
}
