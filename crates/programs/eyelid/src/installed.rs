//! Where the programs are that are to be started: beside this one. Under `cargo run` they are built
//! first, for cargo builds only the program that it starts.

use std::io::{self, BufRead, BufReader, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::plan::Plan;
use crate::programs::{CAPTURE, Need, PROGRAMS, Program};

/// What this build of the launcher was given by `--features`, and so what its siblings are to be
/// built with.
const FEATURES: &str = match (cfg!(feature = "libcamera"), cfg!(feature = "turbojpeg")) {
    (false, false) => "",
    (true, false) => "libcamera",
    (false, true) => "turbojpeg",
    (true, true) => "libcamera,turbojpeg",
};

/// The programs that are there.
#[derive(Debug)]
pub(crate) struct Installed {
    directory: PathBuf,
}

impl Installed {
    /// Finds them beside this program. Under `cargo run` those are built first without which
    /// nothing works, and of the others those that the configuration wants: nobody else is to wait
    /// for what they are made of.
    ///
    /// # Errors
    /// Names one that is missing, though nothing works without it.
    pub(crate) fn find(wanted: &[&'static Program]) -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("cannot tell where this program is")?;
        let directory = this.parent().context("this program is in no directory")?;
        let installed = Self {
            directory: directory.to_owned(),
        };
        if let Some(cargo) = cargo_that_started_this(directory) {
            installed.build(cargo, wanted)?;
        }
        for program in required().map(|program| installed.path(program.name)) {
            if !program.is_file() {
                bail!(
                    "{program:?} is missing: install it beside eyelid (from source: cargo build --release)"
                );
            }
        }
        Ok(installed)
    }

    /// Says of a program that the configuration wants whether it is there.
    ///
    /// # Errors
    /// Names one that is not.
    pub(crate) fn check(&self, plan: &Plan) -> anyhow::Result<()> {
        for program in PROGRAMS.iter().filter(|program| program.is_wanted(plan)) {
            let path = self.path(program.name);
            if let Some(table) = program.table()
                && !path.is_file()
            {
                bail!(
                    "{path:?} is missing, and the configuration has {}: install package {name} (from source: cargo build --release -p {name})",
                    table,
                    name = program.name
                );
            }
        }
        Ok(())
    }

    /// The programs of the table that are there.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &'static Program> {
        let all = PROGRAMS.iter();
        all.filter(|program| self.path(program.name).is_file())
    }

    /// Where a program is, or would be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Has cargo build them, and says why: cargo has just said that it has finished.
    fn build(&self, mut cargo: Command, wanted: &[&'static Program]) -> anyhow::Result<()> {
        let programs = required().chain(wanted.iter().copied());
        let names: Vec<_> = programs.map(|program| program.name).collect();
        if !wanted.is_empty() {
            // Together with those that cargo builds by default, whose features they share.
            let own = std::iter::once(env!("CARGO_PKG_NAME"));
            let all = own.chain(names.iter().copied());
            cargo.args(all.flat_map(|name| ["--package", name]));
        }
        let before = version_of(&self.path(CAPTURE)).unwrap_or_default();
        if let Some(lost) = lost(features(&before), FEATURES) {
            eprintln!(
                "eyelid: this cargo run has no --features {lost}, so eyelid-capture, which was built with it, is built \
                 without; add it to have it again"
            );
        }
        let mut building = cargo
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start cargo")?;
        let said = BufReader::new(building.stderr.take().context("cargo has no stderr")?);
        let mut explained = false;
        // As bytes: what a compiler quotes need not be UTF-8.
        for line in said.split(b'\n') {
            let line = line.context("cannot read what cargo says")?;
            let line = String::from_utf8_lossy(&line);
            if !explained && line.contains("Compiling ") {
                explained = true;
                eprintln!("{}", explanation(&names));
            }
            eprintln!("{line}");
        }
        if !building.wait().context("cannot wait for cargo")?.success() {
            bail!("cargo could not build {}", names.join(" and "));
        }
        Ok(())
    }
}

/// The programs without which nothing works.
fn required() -> impl Iterator<Item = &'static Program> {
    let all = PROGRAMS.iter();
    all.filter(|program| program.need == Need::Required)
}

fn explanation(names: &[&str]) -> String {
    let with = match FEATURES {
        "" => String::new(),
        features => format!(" with {features}"),
    };
    format!(
        "eyelid: cargo run builds only what it starts; now {}{with}, for the first time or because something has changed",
        names.join(" and ")
    )
}

/// The build of the siblings with the same profile and features, where cargo started this program.
fn cargo_that_started_this(directory: &Path) -> Option<Command> {
    let started_by_cargo =
        std::env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == env!("CARGO_PKG_NAME"));
    let (Some(cargo), Some(manifest), true) = (
        std::env::var_os("CARGO"),
        std::env::var_os("CARGO_MANIFEST_DIR"),
        started_by_cargo,
    ) else {
        return None;
    };
    let profile = match directory.file_name()?.to_str()? {
        "debug" => "dev",
        profile => profile,
    };
    let mut command = Command::new(cargo);
    command
        // The workspace: the packages that are built together say which features their dependencies
        // have. With others than cargo has just taken, what is here already would be compiled
        // again.
        .current_dir(Path::new(&manifest).ancestors().nth(3)?)
        // It has just made Cargo.lock fit, or was told to leave it as it is.
        .args(["build", "--locked", "--profile", profile])
        .args(["--features", FEATURES])
        .arg("--target-dir")
        .arg(directory.parent()?);
    // What cargo has told this program of its package: ring's build script is one that runs again
    // where these differ, and then all that depends on it is compiled again.
    for (name, _) in std::env::vars_os() {
        let is_of_package = |prefix: &&str| name.as_bytes().starts_with(prefix.as_bytes());
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(is_of_package) {
            command.env_remove(name);
        }
    }
    if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    Some(command)
}

/// What a build of `eyelid-capture` says of itself, if it is there and runs.
fn version_of(capture: &Path) -> Option<String> {
    let said = Command::new(capture).arg("--version").output().ok()?;
    String::from_utf8(said.stdout).ok()
}

/// The features in what a build says of itself.
fn features(version: &str) -> &str {
    version.trim().split_once(" with ").map_or("", |(_, it)| it)
}

/// Those features of one build that another has not, if any.
fn lost(before: &str, now: &str) -> Option<String> {
    let is_lost = |feature: &&str| !feature.is_empty() && !now.split(',').any(|it| it == *feature);
    let lost: Vec<_> = before.split(',').filter(is_lost).collect();
    (!lost.is_empty()).then(|| lost.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_which_features_a_new_build_would_not_have() {
        let full = features("eyelid-capture 0.1.0 with libcamera,turbojpeg\n");
        let plain = features("eyelid-capture 0.1.0\n");
        assert_eq!(lost(full, plain).unwrap(), "libcamera,turbojpeg");
        assert_eq!(lost(full, "libcamera").unwrap(), "turbojpeg");
        for (before, now) in [
            (full, full),
            (plain, full),
            (plain, plain),
            ("turbojpeg", full),
        ] {
            assert_eq!(lost(before, now), None);
        }
    }
}
