//! Awake while somebody looks, silent otherwise.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant, SystemTime};

use crate::harness::{Capture, check, directory, eventually, program};
use eyelid_slot::{Phase, Reader};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn a_reader_that_opens_once_gets_a_newer_frame() {
    let capture = Capture::start("test", &["--size", "160x120"]);
    capture.wait_frame();
    let mut last = capture.captured().unwrap();
    for _ in 0..20 {
        last = capture.next_frame(last);
    }
    let state = capture.wait_size();
    assert_eq!(state.source.as_deref(), Some("test"));
    assert_eq!(
        (state.width, state.height, state.fps),
        (Some(160), Some(120), Some(30.0))
    );
    capture.wait_log("camera awake");
}

#[test]
fn without_demand_nothing_is_published() {
    let capture = Capture::start("test", &["--size", "160x120"]);
    capture.wait_frame();
    // Its own look at the slot may have been seen as a wish; a frame later there is none left.
    let before = capture.inode();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(capture.inode(), before);
    assert_eq!(capture.state().unwrap().state, Phase::Awake);
}

#[test]
fn asleep_it_is_not_woken_at_all_and_an_open_wakes_it() {
    let capture = Capture::start("test", &["--size", "160x120", "--linger", "200ms"]);
    capture.wait_frame();
    capture.wait_phase(Phase::Asleep);
    capture.wait_log("camera asleep");
    let before = capture.wait_silence();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!((capture.wake_ups(), capture.worked_ticks()), before);
    let woken = SystemTime::now();
    let newer = capture.next_frame(capture.captured().unwrap());
    assert!(newer >= woken, "a frame from before sleeping is not new");
    capture.wait_phase(Phase::Asleep);
}

#[test]
fn awake_it_wakes_once_per_frame() {
    let capture = Capture::start("test", &["--size", "160x120", "--fps", "20"]);
    capture.wait_frame();
    let (start, before) = (Instant::now(), capture.wake_ups());
    std::thread::sleep(Duration::from_millis(1000));
    let woken = capture.wake_ups() - before;
    let frames = 20.0 * start.elapsed().as_secs_f64();
    // A slow machine misses frames, and is woken less.
    assert!(
        woken as f64 <= frames + 4.0,
        "{woken} wake-ups for {frames:.1} frames"
    );
}

#[test]
fn a_frame_held_open_is_no_wish_but_keeps_the_camera_awake() {
    let capture = Capture::start("test", &["--size", "160x120", "--linger", "300ms"]);
    capture.wait_frame();
    capture.wait_phase(Phase::Asleep);
    let held = Reader::new(&capture.slot).read().unwrap();
    capture.wait_phase(Phase::Awake);
    // Two seconds of holding count as a wish (docs/slot.md).
    let captured = held.frame.captured;
    eventually("the wish of a reader that holds on", || {
        capture.captured().filter(|newer| *newer > captured)
    });
}

#[test]
fn signals_end_it_and_leave_nothing_behind() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut capture = Capture::start("test", &["--size", "160x120"]);
        capture.wait_frame();
        assert_eq!(capture.stop(signal).code(), Some(0));
        let left = capture.files();
        let is_known = |name: &String| eyelid_slot::files().any(|file| file == name);
        assert!(left.iter().all(is_known), "{left:?}");
        assert_eq!(capture.state().unwrap().state, Phase::Asleep);
    }
}

#[test]
fn a_lost_slot_is_made_again() {
    let mut capture = Capture::start("test", &["--size", "160x120"]);
    capture.wait_frame();
    for _ in 0..3 {
        // Fails where the camera writes its state in between.
        eventually("removal", || fs::remove_dir_all(&capture.slot).ok());
        eventually("frame and state", || {
            (capture.inode().is_some() && capture.state().is_some()).then_some(())
        });
        capture.next_frame(SystemTime::UNIX_EPOCH);
    }
    fs::remove_file(capture.slot.join("current.jpg")).unwrap();
    capture.wait_frame();
    fs::remove_file(capture.slot.join("state.json")).unwrap();
    capture.wait_phase(Phase::Awake);
    assert!(capture.running());
}

#[test]
fn a_slot_that_cannot_be_written_is_told_once_and_used_when_it_can() {
    let mut capture = Capture::start("test", &["--size", "160x120"]);
    capture.wait_frame();
    // A file in the directory's place: it cannot be made again.
    let blocked = loop {
        // The camera may be quicker in making it again.
        let _ = fs::remove_dir_all(&capture.slot);
        if fs::write(&capture.slot, "in the way").is_ok() {
            break capture.worked_ticks();
        }
    };
    capture.wait_log("trying again");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(capture.running());
    assert!(capture.worked_ticks() - blocked < 50, "it spins");
    assert!(
        capture.log().matches("trying again").count() <= 2,
        "{}",
        capture.log()
    );
    fs::remove_file(&capture.slot).unwrap();
    capture.wait_frame();
}

#[test]
fn size_rate_and_rotation_are_obeyed() {
    let arguments = ["--size", "200x100", "--fps", "5", "--rotate", "90"];
    let capture = Capture::start("test", &arguments);
    let frame = capture.frame_where("a frame", |_| true);
    let (width, height, _) = check(&frame.jpeg);
    assert_eq!((width, height), (100, 200));
    let (start, mut last) = (frame.captured, frame.captured);
    for _ in 0..4 {
        last = capture.next_frame(last);
    }
    let taken = last.duration_since(start).unwrap();
    assert!(
        taken >= Duration::from_millis(750),
        "{taken:?} for 4 frames at 5 fps"
    );
    assert_eq!(capture.wait_size().fps, Some(5.0));
}

#[test]
fn the_service_manager_hears_of_its_life() {
    let home = directory();
    let path = home.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut child = program()
        .args([
            "--source", "test", "--size", "64x48", "--linger", "1ms", "--slot",
        ])
        .arg(home.path().join("slot"))
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "100000")
        .spawn()
        .unwrap();
    let receive = || {
        let mut buffer = [0; 200];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    assert_eq!(receive(), "READY=1");
    // It goes on asleep: what is fed is the loop, not the camera.
    for _ in 0..10 {
        assert_eq!(receive(), "WATCHDOG=1");
    }
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    eventually("the last word", || {
        (receive() == "STOPPING=1").then_some(())
    });
    assert!(child.wait().unwrap().success());
}
