//! The build of this program with libcamera, where this one is without.
//!
//! Debian's packages have both: `eyelid` needs nothing that plain Debian lacks, and
//! `eyelid-capture-libcamera` adds the other. It has all that this one has, so who may want
//! libcamera becomes it, for good: the same process, with the same arguments.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use eyelid_config::SourceSpec;

/// Where the package puts it, seen from /usr where this program is in /usr/bin.
const PLACE: &str = "lib/eyelid/eyelid-capture-libcamera";

/// Becomes it if a source may be libcamera's.
///
/// # Errors
/// What the system said.
pub(crate) fn exec_for(source: &SourceSpec) -> anyhow::Result<()> {
    match source {
        SourceSpec::Libcamera | SourceSpec::Auto => exec(),
        SourceSpec::V4l2(_)
        | SourceSpec::Test
        | SourceSpec::Folder(_)
        | SourceSpec::Http(_)
        | SourceSpec::Command(_) => Ok(()),
    }
}

/// Becomes it. Does nothing where it is not installed, or this is it.
///
/// # Errors
/// What the system said.
fn exec() -> anyhow::Result<()> {
    let Some(program) = find() else {
        return Ok(());
    };
    log::debug!("becomes {program:?}, which has libcamera");
    // Signals that are blocked stay so (std::process::Command): one that comes meanwhile is for the
    // other to take.
    let error: io::Error = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(error).with_context(|| format!("cannot start {program:?}"))
}

fn find() -> Option<PathBuf> {
    if cfg!(feature = "libcamera") {
        return None;
    }
    let this = std::env::current_exe().ok()?;
    let program = this.parent()?.parent()?.join(PLACE);
    Path::is_file(&program).then_some(program)
}
