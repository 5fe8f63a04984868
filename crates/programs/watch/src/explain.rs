//! `explain`: what each rule needs, what it costs a day, and where it sends pictures.

use anyhow::bail;

use crate::OneCamera;

/// Does so.
///
/// # Errors
/// Why it cannot.
pub(crate) fn run(_: &OneCamera) -> anyhow::Result<()> {
    bail!("not yet")
}
