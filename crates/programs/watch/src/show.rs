//! `show`: what the program sees, drawn into a picture.

use anyhow::bail;

use crate::OneCamera;

/// Does so.
///
/// # Errors
/// Why it cannot.
pub(crate) fn run(_: &OneCamera) -> anyhow::Result<()> {
    bail!("not yet")
}
