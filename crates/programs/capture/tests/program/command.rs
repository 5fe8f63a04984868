//! `command`: programs that write JPEGs to stdout, however they behave.

use std::fs;
use std::path::Path;
use std::time::Instant;

use eyelid_slot::Phase;
use nix::sys::signal::Signal;

use crate::harness::{Capture, alive, case, check, directory, eventually, jpeg, shows};

/// Writes a picture for the commands; gives its path quoted for a shell.
fn picture(folder: &Path, grey: u8) -> String {
    let path = folder.join(format!("{grey}.jpg"));
    fs::write(&path, jpeg(64, 48, grey)).unwrap();
    format!("'{}'", path.display())
}

fn pid_in(path: &Path) -> String {
    eventually("a pid", || {
        let pid = fs::read_to_string(path).ok()?;
        pid.ends_with('\n').then(|| pid.trim().to_owned())
    })
}

fn wait_gone(pid: &str) {
    eventually("the end of a process", || (!alive(pid)).then_some(()));
}

#[test]
fn raw_and_multipart_frames_are_shown_with_noise_between_them() {
    let home = directory();
    let photo = picture(home.path(), 100);
    for command in [
        format!("while :; do cat {photo}; sleep 0.05; done"),
        format!(
            "while :; do printf -- '--b\\r\\nContent-Type: image/jpeg\\r\\n\\r\\n'; cat {photo}; echo; sleep 0.05; done"
        ),
        format!("while :; do echo noise; head -c 640 {photo}; cat {photo}; sleep 0.05; done"),
    ] {
        let capture = Capture::start(&format!("command:{command}"), &[]);
        capture.frame_where("the picture", |frame| shows(frame, 100));
        let state = capture.wait_size();
        assert_eq!(
            state.source.as_deref(),
            Some("command"),
            "no command line in public"
        );
        assert_eq!((state.width, state.height), (Some(64), Some(48)));
        capture.next_frame(capture.captured().unwrap());
    }
}

#[test]
fn a_frame_that_would_fill_the_memory_of_who_looks_is_not_shown() {
    let home = directory();
    let path = home.path().join("bomb.jpg");
    fs::write(&path, case!("jpeg-of-65535x65535")).unwrap();
    let (small, go) = (picture(home.path(), 30), home.path().join("go"));
    let command = format!(
        "command:cat {small}; while ! [ -e '{}' ]; do sleep 0.02; done; cat '{}'; sleep 1000",
        go.display(),
        path.display()
    );
    let capture = Capture::start(&command, &[]);
    capture.frame_where("the small one", |frame| shows(frame, 30));
    let (shown, before) = (capture.inode(), capture.memory_peak_kb());
    fs::write(go, "").unwrap();
    capture.wait_log("broken frames dropped (1 so far)");
    let grown = capture.memory_peak_kb() - before;
    assert!(grown < 16 << 10, "took {grown} KiB");
    assert_eq!(capture.inode(), shown);
}

#[test]
fn its_environment_says_what_was_asked_for_and_its_frames_are_turned() {
    let home = directory();
    let photo = picture(home.path(), 100);
    let out = home.path().join("environment");
    let command = format!(
        "command:(env; cat /proc/self/status) > '{}'; while :; do cat {photo}; sleep 0.05; done",
        out.display()
    );
    let arguments = ["--size", "640x480", "--fps", "12.5", "--rotate", "270"];
    let capture = Capture::start(&command, &arguments);
    let frame = capture.frame_where("the picture", |frame| shows(frame, 100));
    assert_eq!(check(&frame.jpeg).0, 48);
    let environment = fs::read_to_string(out).unwrap();
    for line in ["EYELID_WIDTH=640", "EYELID_HEIGHT=480", "EYELID_FPS=12.5"] {
        assert!(environment.lines().any(|l| l == line), "{line}");
    }
    let mask = |name: &str| {
        let line = environment.lines().find_map(|l| l.strip_prefix(name));
        u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
    };
    assert_eq!(mask("SigBlk:"), 0, "it must hear SIGTERM");
    assert_eq!(mask("SigIgn:") >> 12 & 1, 0, "it must not ignore SIGPIPE");
}

#[test]
fn it_runs_on_demand_only_and_its_children_end_with_it() {
    let home = directory();
    let photo = picture(home.path(), 100);
    let (leader, child) = (home.path().join("leader"), home.path().join("child"));
    let command = format!(
        "command:sleep 100000 & echo $! > '{}'; echo $$ > '{}'; while :; do cat {photo}; sleep 0.05; done",
        child.display(),
        leader.display()
    );
    let mut capture = Capture::start(&command, &["--linger", "2s"]);
    capture.wait_frame();
    let first = [pid_in(&leader), pid_in(&child)];
    capture.wait_phase(Phase::Asleep);
    first.iter().for_each(|pid| wait_gone(pid));
    capture.next_frame(capture.captured().unwrap());
    let second = [pid_in(&leader), pid_in(&child)];
    assert!(first[0] != second[0] && second.iter().all(|pid| alive(pid)));
    assert_eq!(capture.stop(Signal::SIGTERM).code(), Some(0));
    second.iter().for_each(|pid| wait_gone(pid));
}

#[test]
fn one_that_ignores_sigterm_is_killed_with_all_it_started() {
    let home = directory();
    let photo = picture(home.path(), 100);
    let (leader, child) = (home.path().join("leader"), home.path().join("child"));
    let command = format!(
        "command:trap '' TERM INT HUP; (while :; do sleep 1; done) & echo $! > '{}'; echo $$ > '{}'; \
         while :; do cat {photo}; sleep 0.05; done",
        child.display(),
        leader.display()
    );
    let mut capture = Capture::start(&command, &["--linger", "300ms"]);
    capture.wait_frame();
    let first = [pid_in(&leader), pid_in(&child)];
    capture.wait_phase(Phase::Asleep);
    first.iter().for_each(|pid| wait_gone(pid));
    let children = format!("/proc/{0}/task/{0}/children", capture.pid());
    eventually("reaping", || {
        let left = fs::read_to_string(&children).unwrap();
        (!left.contains(&first[0])).then_some(())
    });
    capture.next_frame(capture.captured().unwrap());
    let second = [pid_in(&leader), pid_in(&child)];
    let asked = Instant::now();
    assert_eq!(capture.stop(Signal::SIGTERM).code(), Some(0));
    assert!(second.iter().all(|pid| !alive(pid)), "they outlived us");
    assert!(asked.elapsed().as_secs() < 20);
}

#[test]
fn one_that_exits_has_failed_and_recovers() {
    let home = directory();
    let photo = picture(home.path(), 100);
    let (count, go) = (home.path().join("count"), home.path().join("go"));
    let command = format!(
        "command:echo start >> '{}'; [ -e '{}' ] || {{ echo 'lens cap is on' >&2; exit 3; }}; \
         while :; do cat {photo}; sleep 0.05; done",
        count.display(),
        go.display()
    );
    let mut capture = Capture::start(&command, &[]);
    let error = capture.wait_phase(Phase::Failed).error.unwrap();
    assert_eq!(error, "command exited with status 3 (\"lens cap is on\")");
    eventually("another try", || {
        let tries = fs::read_to_string(&count).unwrap().lines().count();
        (tries >= 3).then_some(())
    });
    assert_eq!(
        capture.log().matches("camera failed").count(),
        1,
        "told once"
    );
    fs::write(&go, "").unwrap();
    capture.frame_where("the picture", |frame| shows(frame, 100));
    assert_eq!(capture.wait_phase(Phase::Awake).error, None);
    assert!(capture.running());
}

#[test]
fn one_that_falls_silent_has_failed_and_is_started_again() {
    let home = directory();
    let photo = picture(home.path(), 100);
    let pid = home.path().join("pid");
    let command = format!(
        "command:echo $$ > '{}'; cat {photo}; exec sleep 100000",
        pid.display()
    );
    let capture = Capture::start(&command, &["--linger", "1h"]);
    capture.wait_frame();
    let first = pid_in(&pid);
    eventually("its failure", || {
        let _ = eyelid_slot::Reader::new(&capture.slot).wish();
        capture.state().filter(|state| state.state == Phase::Failed)
    });
    capture.wait_log("gave no complete frame for 10s");
    wait_gone(&first);
    eventually("another try", || {
        let _ = eyelid_slot::Reader::new(&capture.slot).wish();
        (pid_in(&pid) != first).then_some(())
    });
}

#[test]
fn one_that_closes_its_output_or_cannot_start_has_failed() {
    for (command, words) in [
        ("exec >&-; exec sleep 100000", "closed its output"),
        ("/nowhere/at-all --now", "/nowhere/at-all"),
        ("kill -SEGV $$", "SIGSEGV"),
        (
            "echo 'rtsp://me:secret@cam refused' >&2; exit 1",
            "***@cam refused",
        ),
    ] {
        let capture = Capture::start(&format!("command:{command}"), &[]);
        let error = capture.wait_phase(Phase::Failed).error.unwrap();
        assert!(error.contains(words), "{error}");
        capture.wait_log("next try in 1s");
    }
}

#[test]
fn a_flood_of_bytes_and_complaints_does_not_stop_it() {
    let home = directory();
    let photo = picture(home.path(), 100);
    let command = format!(
        "command:(yes complaint | head -n 50000; echo the end) >&2 & cat /dev/zero | head -c 100000000; \
         while :; do cat {photo}; sleep 0.05; done"
    );
    let capture = Capture::start(&command, &[]);
    capture.frame_where("the picture", |frame| shows(frame, 100));
    capture.wait_log("more lines not shown");
    assert!(capture.log().lines().count() < 300);
    // Always something to read: the slot and the signals get their turn all the same.
    let flood = Capture::start(&format!("command:cat {photo}; exec cat /dev/zero"), &[]);
    flood.wait_frame();
    for capture in [flood, capture].iter_mut() {
        assert_eq!(capture.stop(Signal::SIGINT).code(), Some(0));
    }
}

#[test]
fn the_state_says_why_a_command_gives_no_frame() {
    let home = directory();
    let path = home.path().join("deep.jpg");
    fs::write(&path, case!("jpeg-12-bits")).unwrap();
    let deep = path.display();
    for (command, words) in [
        ("exec sleep 1000", "has written nothing yet"),
        (
            "printf '\\0\\0\\0\\1\\47\\144\\0\\50'; exec sleep 1000",
            "the command writes H.264, not JPEGs",
        ),
        ("echo Not found; exec sleep 1000", "writes text, not JPEGs"),
        (
            &format!("cat '{deep}'; exec sleep 1000"),
            "gives no usable picture: JPEG with other than 8 bits a sample, which",
        ),
    ] {
        let capture = Capture::start(&format!("command:{command}"), &[]);
        capture.wait_waiting(words);
    }
}
