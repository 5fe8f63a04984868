//! Wrong options are told in one line that says what to do.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::harness::{Capture, check, directory, eventually, program, run};
use eyelid_slot::{Frame, Reader};
use nix::sys::signal::{Signal, kill};

#[test]
fn usage_is_2_configuration_78_and_a_slot_that_cannot_be_1() {
    let home = directory();
    let file = home.path().join("eyelid.toml");
    fs::write(&file, "[cameras.front]\nsource = \"test\"\nzoom = 2\n").unwrap();
    let good = home.path().join("good.toml");
    fs::write(&good, "[cameras.front]\n[cameras.back]\n").unwrap();
    let (file, good) = (file.to_str().unwrap(), good.to_str().unwrap());
    let slot = home.path().join("slot");
    let slot = slot.to_str().unwrap();
    for (arguments, code, words) in [
        (&["--nonsense"][..], 2, &["--nonsense"][..]),
        (
            &["--slot", slot, "--source", "usb"],
            2,
            &["usb", "folder:PATH"],
        ),
        (
            &["--slot", slot, "--source", "test", "--fps", "0"],
            2,
            &["fps 0"],
        ),
        (
            &["--slot", slot, "--source", "test", "--size", "big"],
            2,
            &["big", "WIDTHxHEIGHT"],
        ),
        (
            &["--slot", slot, "--source", "test", "--rotate", "45"],
            2,
            &["--rotate", "45", "0, 90, 180, 270"],
        ),
        (&["--config", file], 78, &[file, "line 3", "zoom"]),
        (&["--config", "/nowhere/e.toml"], 78, &["/nowhere/e.toml"]),
        (
            &["--config", good, "--name", "side"],
            78,
            &["side", "front, back"],
        ),
        (&["--config", good, "--name", "front"], 78, &["--slot"]),
        (&["--source", "test"], 78, &["--slot"]),
        (&["--slot", slot], 78, &["--source"]),
        (
            &[
                "--slot",
                slot,
                "--source",
                "test",
                "--delete-older-than",
                "1h",
            ],
            78,
            &["delete-older-than", "folder"],
        ),
        (
            &["--slot", "/proc/slot", "--source", "test"],
            1,
            &["/proc/slot"],
        ),
    ] {
        let (got, text) = run(arguments);
        assert_eq!(got, code, "{arguments:?}: {text}");
        for words in words {
            assert!(
                text.contains(words),
                "{arguments:?}: {words:?} is not in {text}"
            );
        }
        if code != 2 {
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

#[test]
fn a_check_says_on_stdout_what_is_wrong_and_opens_nothing() {
    let home = directory();
    let file = home.path().join("eyelid.toml");
    fs::write(
        &file,
        "[cameras.front]\nsource = \"test\"\ncontrol = [\"A=1\"]\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let slot = home.path().join("slot");
    for (arguments, code, words) in [
        (&["--source", "test"][..], 0, ""),
        (
            &["--source", "folder:/nowhere/at all"],
            1,
            "/nowhere/at all",
        ),
        (
            &["--config", file, "--name", "front"],
            78,
            "line 3, key \"cameras.front.control\": works with",
        ),
    ] {
        let mut command = program();
        command.arg("--check").arg("--slot").arg(&slot);
        let output = command.args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), usize::from(code != 0), "{text}");
        assert!(output.stderr.is_empty() && !slot.exists());
    }
}

#[test]
fn the_file_describes_a_camera_whose_name_is_in_the_log() {
    let home = directory();
    let file = home.path().join("eyelid.toml");
    let slots = home.path().join("slots");
    let text = format!(
        "[server]\nslots = {slots:?}\n[cameras.front]\nsource = \"test\"\nsize = \"160x120\"\n"
    );
    fs::write(&file, text).unwrap();
    let mut child = program()
        .args(["--name", "front", "--size", "64x48", "--config"])
        .arg(&file)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let reader = Reader::new(&slots.join("front"));
    let state = eventually("a frame", || reader.state().filter(|s| s.width.is_some()));
    assert_eq!((state.width, state.height), (Some(64), Some(48)));
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    eventually("its end", || child.try_wait().unwrap());
    let mut log = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut log).unwrap();
    assert!(log.contains("info: front: camera awake"), "{log}");
}

#[test]
fn a_size_that_cannot_be_applied_is_told() {
    let home = directory();
    let source = format!("folder:{}", home.path().display());
    let capture = Capture::start(&source, &["--size", "64x48"]);
    capture.wait_log("warn: size 64x48 is not applied");
}

#[test]
fn help_and_version_are_help_and_version() {
    let output = program().arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for option in [
        "--slot",
        "--source",
        "--camera",
        "--size",
        "--min-size",
        "--max-size",
        "--smallest",
        "--fps",
        "--quality",
        "--optimize",
        "--rotate",
        "--flip",
        "--control",
        "--buffers",
        "--frame-timeout",
        "--list",
        "--list-controls",
        "--json",
        "--linger",
        "--delete-older-than",
        "--config",
        "--name",
    ] {
        assert!(text.contains(option), "{option}");
    }
    let output = program().arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let expected = concat!("eyelid-capture ", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(expected), "{version}");
    for (feature, has) in [
        ("libcamera", cfg!(feature = "libcamera")),
        ("turbojpeg", cfg!(feature = "turbojpeg")),
    ] {
        assert_eq!(version.contains(feature), has, "{version}");
    }
}

#[cfg(not(feature = "libcamera"))]
#[test]
fn without_libcamera_it_says_how_to_get_it() {
    for arguments in [
        &["--slot", "/tmp", "--source", "libcamera"][..],
        &["--list", "--source", "libcamera"],
        &[
            "--list-controls",
            "--camera",
            "imx708",
            "--source",
            "libcamera",
        ],
    ] {
        let output = program().args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{error}");
        assert!(
            error.contains("eyelid-capture-libcamera") && error.contains("--features libcamera"),
            "{error}"
        );
    }
}

#[test]
fn sighup_has_the_configuration_read_again_and_readers_keep_the_slot() {
    let home = directory();
    let config = home.path().join("eyelid.toml");
    let write = |text: &str| fs::write(&config, format!("[cameras.default]\n{text}\n"));
    write("size = \"64x48\"").unwrap();
    let capture = Capture::start("test", &["--config", config.to_str().unwrap()]);
    let width = |wanted: u32| {
        let size = |frame: &Frame| check(&frame.jpeg).0 == wanted;
        capture.frame_where(&format!("{wanted} pixels wide"), size);
    };
    width(64);
    let slot = fs::metadata(&capture.slot).unwrap().ino();

    write("size = \"128x96\"\nrotate = 90").unwrap();
    kill(capture.pid(), Signal::SIGHUP).unwrap();
    width(96);

    write("size = 5").unwrap();
    kill(capture.pid(), Signal::SIGHUP).unwrap();
    capture.wait_log("configuration not used");
    width(96);
    assert_eq!(fs::metadata(&capture.slot).unwrap().ino(), slot);
}
