//! `eyelid-manual DIRECTORY`; see the library.

use std::path::PathBuf;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let directory = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .context("usage: eyelid-manual DIRECTORY")?;
    eyelid_manual::write(&directory)?;
    Ok(())
}
