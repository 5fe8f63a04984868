//! A build without libcamera becomes the one with it, where that is installed beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{directory, eventually, program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The program as the packages install it, with a stand-in for the other one that says who it is
/// and what it was given.
struct Installed {
    home: TempDir,
}

impl Installed {
    fn new() -> Self {
        let home = directory();
        for place in ["bin", "lib/eyelid"] {
            fs::create_dir_all(home.path().join(place)).unwrap();
        }
        let here = Self { home };
        // A copy, not a link: the program asks the kernel where it is.
        fs::copy(program().get_program(), here.program()).unwrap();
        here.install("#!/bin/sh\necho \"with libcamera: $$ $*\"\n");
        here
    }

    fn program(&self) -> PathBuf {
        self.home.path().join("bin/eyelid-capture")
    }

    fn full(&self) -> PathBuf {
        self.home.path().join("lib/eyelid/eyelid-capture-libcamera")
    }

    fn install(&self, script: &str) {
        fs::write(self.full(), script).unwrap();
        fs::set_permissions(self.full(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

/// Starts it; gives its process's number and what it prints until its end.
fn end_of(command: &mut Command) -> (u32, Option<i32>, String, String) {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        pid,
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn what_may_need_libcamera_is_for_the_build_that_has_it() {
    let installed = Installed::new();
    let slot = installed.path("slot");
    let slot = slot.to_str().unwrap();
    for arguments in [
        &["--list", "--json"][..],
        &["--list-controls", "--camera", "imx708"],
        &["--slot", slot, "--source", "libcamera", "--size", "64x48"],
        &["--slot", slot, "--source", "auto"],
    ] {
        let (pid, code, out, err) = end_of(Command::new(installed.program()).args(arguments));
        // $$ is this process: it has become the other, and whoever started it still has the right
        // one.
        let wanted = format!("with libcamera: {pid} {}\n", arguments.join(" "));
        assert_eq!((code, out), (Some(0), wanted), "{arguments:?}: {err}");
    }
}

#[test]
fn one_that_cannot_be_started_is_named() {
    let installed = Installed::new();
    installed.install("no program");
    fs::set_permissions(installed.full(), fs::Permissions::from_mode(0o644)).unwrap();
    let (_, code, _, err) = end_of(Command::new(installed.program()).arg("--list"));
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("eyelid-capture-libcamera") && err.contains("ermission denied"),
        "{err}"
    );
}

#[test]
fn a_source_that_becomes_libcamera_while_it_runs_is_for_it_too() {
    let installed = Installed::new();
    let (config, slot) = (installed.path("eyelid.toml"), installed.path("slot"));
    let write = |source: &str| {
        let text = format!("[cameras.default]\nslot = {slot:?}\nsource = {source:?}\n");
        fs::write(&config, text).unwrap();
    };
    write("test");
    let mut child = Command::new(installed.program())
        .arg("--config")
        .arg(&config)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("a frame", || {
        slot.join("current.jpg").exists().then_some(())
    });
    write("libcamera");
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGHUP,
    )
    .unwrap();
    eventually("its end", || child.try_wait().unwrap());
    let pid = child.id();
    let out = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    assert_eq!(
        out,
        format!("with libcamera: {pid} --config {}\n", config.display())
    );
    assert!(
        Path::exists(&slot.join("current.jpg")),
        "readers keep the last frame"
    );
}
