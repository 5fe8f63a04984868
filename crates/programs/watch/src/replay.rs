//! `replay`: the whole machine on recorded pictures.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::OneCamera;

/// What is looked at.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    camera: OneCamera,
    /// A directory of JPEGs, in the order of their names, or a video
    #[arg(value_name = "FOLDER|VIDEO")]
    pictures: PathBuf,
    /// How many pictures a second these are [default: 10; of a video, its own]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    fps: Option<eyelid_config::Fps>,
}

/// Looks at them.
///
/// # Errors
/// Why it cannot.
pub(crate) fn run(_: &ReplayArguments) -> anyhow::Result<()> {
    bail!("nothing is replayed yet")
}
