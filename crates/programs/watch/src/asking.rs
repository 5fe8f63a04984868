//! `try`: asks a judge once, and prints what it says.

use anyhow::bail;
use clap::Args;

use crate::OneCamera;

/// What is asked about.
#[derive(Args, Clone, Debug)]
pub(crate) struct TryArguments {
    #[command(flatten)]
    camera: OneCamera,
}

/// Asks.
///
/// # Errors
/// Why it cannot.
pub(crate) fn run(_: &TryArguments) -> anyhow::Result<()> {
    bail!("nothing is asked yet")
}
