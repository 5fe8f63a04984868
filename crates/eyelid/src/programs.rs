//! Where the programs are that are to be started: beside this one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The programs.
#[derive(Debug)]
pub(crate) struct Programs {
    /// `eyelid-server`
    pub(crate) server: PathBuf,
    /// `eyelid-capture`
    pub(crate) capture: PathBuf,
}

impl Programs {
    /// Finds them beside this program.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("cannot tell where this program is")?;
        let directory = this.parent().context("this program is in no directory")?;
        build_under_cargo(directory)?;
        let programs = Self {
            server: directory.join("eyelid-server"),
            capture: directory.join("eyelid-capture"),
        };
        for program in [&programs.server, &programs.capture] {
            if !program.is_file() {
                bail!(
                    "{program:?} is missing: install it beside eyelid (from source: cargo build --workspace)"
                );
            }
        }
        Ok(programs)
    }
}

/// `cargo run` builds only the program that it starts. For a newcomer it is to be enough all the same, so this program,
/// where cargo started it, has cargo build the other two.
fn build_under_cargo(directory: &Path) -> anyhow::Result<()> {
    let started_by_cargo =
        std::env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == env!("CARGO_PKG_NAME"));
    let (Some(cargo), Some(manifest), true) = (
        std::env::var_os("CARGO"),
        std::env::var_os("CARGO_MANIFEST_DIR"),
        started_by_cargo,
    ) else {
        return Ok(());
    };
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(profile) => profile,
        None => return Ok(()),
    };
    let status = Command::new(cargo)
        .current_dir(manifest)
        .args([
            "build",
            "--package",
            "eyelid-server",
            "--package",
            "eyelid-capture",
            "--profile",
            profile,
        ])
        .arg("--target-dir")
        .arg(directory.parent().unwrap_or(directory))
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo could not build eyelid-server and eyelid-capture");
    }
    Ok(())
}
