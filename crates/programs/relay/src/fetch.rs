//! The side that fetches.

use crate::engine::{Engine, Events};
use crate::settings::FetchSettings;

/// Fetches until the program is told to end.
///
/// # Errors
/// It does nothing yet.
pub(crate) async fn run<E: Engine>(
    settings: FetchSettings,
    _engine: E,
    _events: Events,
) -> anyhow::Result<()> {
    anyhow::bail!("{settings:?}: fetching is not there yet")
}
