//! Where the server asks what is encoded (`eyelid-figures`).

use std::path::PathBuf;

use eyelid_figures::Answering;

/// Listens for who asks. Where that cannot be, all else goes on, and the log says so.
pub(crate) fn listen(path: Option<PathBuf>) -> Option<Answering> {
    let answering = Answering::bind(path?).inspect_err(|error| {
        log::warn!("/status of the server says nothing of H.264: {error}");
    });
    answering.ok()
}
