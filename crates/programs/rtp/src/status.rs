//! What the server is told of all that is sent, when it asks (`eyelid-figures`).

use std::path::PathBuf;

use eyelid_figures::{Answering, RtpFigures};

use crate::app::App;

/// Listens for who asks. Where that cannot be, all else goes on, and the log says so.
pub(crate) fn listen(path: Option<PathBuf>) -> Option<Answering> {
    let answering = Answering::bind(path?).inspect_err(|error| {
        log::warn!("/status of the server says nothing of RTP: {error}");
    });
    answering.ok()
}

/// What is so now.
pub(crate) fn figures(app: &App) -> RtpFigures {
    RtpFigures {
        since: app.started,
        destinations: app.pushes.figures(),
        sessions: app.sessions.figures(),
        session_totals: app.sessions.totals(),
    }
}
