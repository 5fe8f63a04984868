//! What the server is told of all that is encoded, when it asks (`eyelid-figures`).

use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use eyelid_figures::Answering;
use tokio::time::sleep;

use crate::app::App;

/// For how long nobody is answered after something failed: the process may have no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens for who asks. Where that cannot be, all else goes on, and the log says so.
pub(crate) fn listen(path: Option<PathBuf>) -> Option<Answering> {
    let path = path?;
    let told = path.display().to_string();
    match Answering::bind(path) {
        Ok(answering) => Some(answering),
        Err(error) => {
            log::warn!(
                "/status of the server says nothing of H.264: cannot listen at {told:?}: {error}"
            );
            None
        }
    }
}

/// Answers, for ever.
pub(crate) async fn answer_all(answering: Option<&Answering>, app: &App) -> Infallible {
    let Some(answering) = answering else {
        return pending().await;
    };
    loop {
        if let Err(error) = answering.answer(|| app.figures()).await {
            log::debug!("who asked what is encoded was not answered: {error}");
            sleep(PAUSE).await;
        }
    }
}
