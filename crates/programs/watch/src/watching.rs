//! Watching one camera, as long as the program runs.

use anyhow::bail;

use crate::Arguments;

/// Watches until it is told to end.
///
/// # Errors
/// Why it cannot go on.
pub(crate) fn run(_: &Arguments) -> anyhow::Result<()> {
    bail!("nothing is watched yet")
}
