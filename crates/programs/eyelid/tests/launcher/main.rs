//! The real launcher with the real programs beside it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod doors;
mod harness;
mod receive;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use harness::*;

fn fails(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn nothing_runs_until_somebody_connects_and_nothing_is_left_behind() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut eyelid = Eyelid::start(&[]);
        assert_eq!(eyelid.names(), [""; 0]);
        assert_eq!(eyelid.snapshot(), 200);
        assert_eq!(eyelid.names(), ["eyelid-capture", "eyelid-server"]);
        let children = eyelid.children();
        let server = eyelid.pid_of("eyelid-server");
        let environment = fs::read_to_string(format!("/proc/{server}/environ")).unwrap();
        for variable in ["LISTEN_FDS=1", "LISTEN_FDNAMES=http"] {
            assert!(
                environment.split('\0').any(|v| v == variable),
                "{variable} in {environment:?}"
            );
        }
        assert!(eyelid.end(signal).success());
        assert!(!children.iter().any(|(_, pid)| alive(*pid)));
        assert!(!eyelid.slots.exists(), "{:?} is left", eyelid.slots);
    }
}

#[test]
fn signals_end_nothing_but_what_they_are_to_end() {
    let mut eyelid = Eyelid::start(&[]);
    // Each has it look for connections, and some come at that very moment.
    for _ in 0..200_000 {
        send(eyelid.child.id(), Signal::SIGCHLD);
    }
    assert_eq!(eyelid.snapshot(), 200, "{}", eyelid.log());
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn both_end_when_idle_and_start_again_with_the_next_connection() {
    let mut eyelid = Eyelid::start(&["--idle-exit=200ms", "--linger=100ms"]);
    for _ in 0..3 {
        assert_eq!(eyelid.snapshot(), 200);
        assert_eq!(eyelid.snapshot(), 200);
        eventually("rest", || eyelid.names().is_empty());
        // Connections that the server took itself must not count as new ones.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(eyelid.names(), [""; 0]);
    }
    assert!(eyelid.end(Signal::SIGINT).success());
}

/// The date of the frame in the slot, without opening it.
fn captured(frame: &Path) -> Option<SystemTime> {
    fs::metadata(frame).ok()?.modified().ok()
}

#[test]
fn opening_the_frame_wakes_the_camera_as_a_connection_does() {
    let mut eyelid = Eyelid::start(&["--linger=300ms"]);
    let frame = eyelid.slots.join("current.jpg");
    for _ in 0..2 {
        eventually("the card", || {
            captured(&frame) == Some(SystemTime::UNIX_EPOCH)
        });
        assert_eq!(eyelid.names(), [""; 0], "nobody has looked");
        let start = SystemTime::now();
        fs::copy(&frame, eyelid.slots.with_file_name("copy.jpg")).unwrap();
        eventually("a frame", || captured(&frame) > Some(start));
        assert_eq!(eyelid.names(), ["eyelid-capture"], "nobody is connected");
        eventually("rest", || eyelid.names().is_empty());
    }
    fs::read(&frame).unwrap();
    assert_eq!(eyelid.snapshot(), 200, "somebody comes meanwhile");
    assert_eq!(eyelid.names(), ["eyelid-capture", "eyelid-server"]);
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn opening_one_cameras_frame_wakes_no_other() {
    let file = configuration(
        "[cameras.default]\nsource = \"test\"\nlinger = \"300ms\"\n\
         [cameras.back]\nsource = \"test\"\nlinger = \"2s\"\n",
    );
    let mut eyelid = Eyelid::start(&["--config", &file.path]);
    let frames = ["current.jpg", "back/current.jpg"].map(|file| eyelid.slots.join(file));
    let is_card = |frame: &Path| captured(frame) == Some(SystemTime::UNIX_EPOCH);
    // Read again and again until it is so: while the machine pauses, cameras fall asleep.
    let look = |frame: &Path| {
        let _ = fs::read(frame); // there is none while its program starts
        frame.exists() && !is_card(frame)
    };
    let look_at_one = |eyelid: &Eyelid| {
        eventually("a frame", || {
            let has_come = look(&frames[1]);
            assert!(is_card(&frames[0]), "the other camera sleeps on");
            has_come && eyelid.names() == ["eyelid-capture"]
        });
    };
    for looks_at_both in [false, true] {
        eventually("the cards", || frames.iter().all(|frame| is_card(frame)));
        look_at_one(&eyelid);
        if looks_at_both {
            // It is heard while the first one runs.
            eventually("both frames", || {
                let have_come = frames.each_ref().map(|frame| look(frame));
                have_come == [true; 2] && eyelid.names() == ["eyelid-capture"; 2]
            });
        }
        eventually("rest", || eyelid.names().is_empty());
        // Nobody looks, and the cards that were laid anew are no look.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(eyelid.names(), [""; 0]);
    }
    // What is left for one of them is taken away for a connection.
    look_at_one(&eyelid);
    assert_eq!(eyelid.snapshot(), 200);
    assert_eq!(
        eyelid.names(),
        ["eyelid-capture", "eyelid-capture", "eyelid-server"]
    );
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn a_connection_wakes_no_camera_but_that_which_is_looked_at() {
    let file = configuration(
        "[cameras.default]\nsource = \"test\"\nlinger = \"300ms\"\n\
         [cameras.back]\nsource = \"test\"\nlinger = \"300ms\"\n",
    );
    let mut eyelid = Eyelid::start(&["--config", &file.path, "--idle-exit=200ms"]);
    let frames = ["current.jpg", "back/current.jpg"].map(|file| eyelid.slots.join(file));
    let is_card = |frame: &Path| captured(frame) == Some(SystemTime::UNIX_EPOCH);
    for _ in 0..2 {
        eventually("the cards", || frames.iter().all(|frame| is_card(frame)));
        assert_eq!(eyelid.ask("/status", ""), 200);
        eventually("rest", || eyelid.names().is_empty());
        assert_eq!(eyelid.snapshot(), 200);
        assert_eq!(
            eyelid.names(),
            ["eyelid-capture", "eyelid-capture", "eyelid-server"]
        );
        assert!(!is_card(&frames[0]) && is_card(&frames[1]));
        eventually("rest", || eyelid.names().is_empty());
        let log = eyelid.log();
        assert!(!log.contains("back: camera awake"), "{log}");
    }
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn a_connection_wakes_a_camera_whose_slot_takes_no_card_beside_one_that_runs() {
    let file = configuration(
        "[cameras.default]\nsource = \"test\"\nlinger = \"3s\"\n\
         [cameras.back]\nsource = \"test\"\nlinger = \"300ms\"\n",
    );
    let mut eyelid = Eyelid::start(&["--config", &file.path, "--idle-exit=100ms"]);
    assert_eq!(eyelid.snapshot(), 200);
    // With its first frame nobody wishes for another.
    let back = eyelid.slots.join("back");
    eventually("a frame", || back.join("current.jpg").exists());
    let in_the_way = back.join(".current.jpg.tmp");
    eventually("what is in the way", || fs::create_dir(&in_the_way).is_ok());
    eventually("rest", || eyelid.names().is_empty());
    let frame = eyelid.slots.join("current.jpg");
    eventually("the card", || frame.exists());
    eventually("one camera", || {
        let _ = fs::read(&frame); // there is none while its program starts
        eyelid.names() == ["eyelid-capture"]
    });
    assert_eq!(eyelid.snapshot(), 200);
    assert_eq!(
        eyelid.names(),
        ["eyelid-capture", "eyelid-capture", "eyelid-server"]
    );
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn who_reads_the_frame_keeps_the_camera_when_the_last_client_has_gone() {
    let mut eyelid = Eyelid::start(&["--idle-exit=100ms", "--linger=3s"]);
    let frame = eyelid.slots.join("current.jpg");
    assert_eq!(eyelid.snapshot(), 200);
    eventually("the end of the server", || {
        fs::read(&frame).unwrap();
        eyelid.names() == ["eyelid-capture"]
    });
    let start = SystemTime::now();
    eventually("frames for longer than the camera lingers", || {
        let newest = captured(&frame);
        assert!(
            newest > Some(SystemTime::UNIX_EPOCH),
            "a card while somebody reads"
        );
        fs::read(&frame).unwrap();
        newest > Some(start + Duration::from_secs(4))
    });
    eventually("rest", || eyelid.names().is_empty());
    eventually("the card", || {
        captured(&frame) == Some(SystemTime::UNIX_EPOCH)
    });
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn what_dies_is_started_again() {
    let mut eyelid = Eyelid::start(&[]);
    assert_eq!(eyelid.snapshot(), 200);
    for program in ["eyelid-server", "eyelid-capture", "eyelid-server"] {
        let before = eyelid.pid_of(program);
        send(before, Signal::SIGKILL);
        eventually("another", || eyelid.pid_of(program) != before);
        eventually("pictures again", || eyelid.snapshot() == 200);
    }
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn the_programs_do_not_outlive_a_launcher_that_is_killed() {
    let mut eyelid = Eyelid::start(&[]);
    assert_eq!(eyelid.snapshot(), 200);
    let children = eyelid.children();
    assert_eq!(children.len(), 2);
    eyelid.end(Signal::SIGKILL);
    eventually("their end", || !children.iter().any(|(_, pid)| alive(*pid)));
}

#[test]
fn localhost_is_named_once_and_has_two_addresses() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let v4 = free.local_addr().unwrap().to_string();
    let v6 = v4.replace("127.0.0.1", "[::1]");
    drop(free);
    let mut addresses = vec![v4, v6];
    if TcpListener::bind("[::1]:0").is_err() {
        addresses.pop(); // a machine without IPv6
    }
    let listen = addresses.iter().flat_map(|address| ["--listen", address]);
    let mut eyelid = Eyelid::start(&listen.collect::<Vec<_>>());
    assert!(
        eyelid.greeting.contains(&addresses[0]),
        "{}",
        eyelid.greeting
    );
    assert!(!eyelid.greeting.contains("[::1]"), "{}", eyelid.greeting);
    for address in addresses {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(HUNG)).unwrap();
        assert_eq!(status(&mut socket), 200);
    }
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn listens_on_every_address_it_is_given() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("eyelid.sock");
    let unix = format!("unix:{}", path.display());
    let mut eyelid = Eyelid::start(&["--listen", &unix, "--listen", "127.0.0.1:0"]);
    assert_eq!(status(&mut UnixStream::connect(&path).unwrap()), 200);
    assert_eq!(eyelid.snapshot(), 200);
    let server = eyelid.pid_of("eyelid-server");
    let environment = fs::read_to_string(format!("/proc/{server}/environ")).unwrap();
    assert!(
        environment.contains("LISTEN_FDS=3\0")
            && environment.contains("LISTEN_FDNAMES=http:http:http\0")
    );
    assert!(eyelid.end(Signal::SIGINT).success());
    assert!(!path.exists());
}

#[test]
fn runs_every_camera_of_its_configuration() {
    let file = configuration(
        "[server]\nlisten = [\"127.0.0.1:1\"]\n[cameras.default]\nsource = \"test\"\n[cameras.back]\nsource = \"test\"\nfps = 5\n",
    );
    let eyelid = Eyelid::start(&["--config", &file.path]);
    assert_eq!(eyelid.snapshot(), 200);
    assert_eq!(
        eyelid.names(),
        ["eyelid-capture", "eyelid-capture", "eyelid-server"]
    );
    eventually("the second camera", || {
        eyelid.slots.join("back/current.jpg").exists()
    });
}

#[test]
fn says_what_is_wrong_before_anybody_connects() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let home = TempDir::new().unwrap();
    let slots = home.path().to_str().unwrap();
    let file = home.path().join("a-file");
    fs::write(&file, "").unwrap();
    let no_socket = format!("unix:{}", file.display());
    let listen = ["--slots", slots, "--listen", "127.0.0.1:0"];
    for (own, status, words) in [
        (&["--listen", &taken][..], 1, "cannot listen on"),
        (
            &["--listen", &no_socket],
            1,
            "a file that is no socket is there",
        ),
        (
            &["--slots", "/proc/nowhere"],
            1,
            "give another with --slots DIR",
        ),
        (
            &["--source", "folder:/nowhere"],
            1,
            "folder \"/nowhere\": cannot open it: No such file or directory (os error 2); make it",
        ),
        (
            &["--source", "libcamera"],
            1,
            "camera \"default\": source libcamera: ",
        ),
        (&["--source", "usb"], 2, "folder:PATH"),
        (&["--size", "big"], 2, "1280x720"),
        (&["--name", "door"], 2, "start eyelid-capture"),
        (&["--fps", "-5"], 2, "fps -5: use a number"),
        (
            &["--linger", "-5s"],
            2,
            "duration \"-5s\": use a number with its unit",
        ),
        (&["--control", "A=1"], 78, "--control: works with sources"),
        (
            &["--auth-file", "/nowhere/htpasswd"],
            78,
            "password file \"/nowhere/htpasswd\"",
        ),
        (&["--password-file", "/dev/null"], 78, "USER:PASSWORD"),
    ] {
        let arguments = if own[0] == "--slots" {
            own.to_vec()
        } else {
            [&listen[..2], own].concat()
        };
        let (code, text) = fails(&arguments);
        assert_eq!(code, Some(status), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    assert!(file.exists());
}

#[test]
fn says_which_line_of_the_file_is_wrong_before_anybody_connects() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let home = TempDir::new().unwrap();
    let slots = home.path().join("slots");
    let slots = slots.to_str().unwrap();
    let file = home.path().join("eyelid.toml");
    for (text, status, words) in [
        (
            "[server]\nslot = 1\n".to_owned(),
            78,
            "line 2, key \"slot\"",
        ),
        (
            format!("[server]\nlisten = [\"{taken}\"]\n"),
            1,
            "eyelid.toml\" has it in listen",
        ),
        (
            "[server]\nauth-file = \"/nowhere\"\n".into(),
            78,
            "line 2, key \"server.auth-file\": password file \"/nowhere\"",
        ),
        (
            "[cameras.door]\nsource = \"test\"\ncontrol = [\"A=1\"]\n".into(),
            78,
            "line 3, key \"cameras.door.control\": works with",
        ),
        (
            "[cameras.bed]\n".into(),
            78,
            "line 1, key \"cameras.bed\": no source",
        ),
        (
            "[cameras.a]\nsource = \"test\"\n[cameras.default]\nslot = \"SLOTS/a\"\n"
                .replace("SLOTS", slots),
            78,
            "key \"cameras.a\": the slot is that of camera \"default\", too",
        ),
        (
            "[cameras.a]\nsource = \"folder:/dev/shm\"\nslot = \"/dev/shm\"\n".into(),
            78,
            "line 3, key \"cameras.a.slot\": \"/dev/shm\" is the folder of the pictures",
        ),
    ] {
        fs::write(&file, &text).unwrap();
        let mut arguments = vec!["--config", file.to_str().unwrap(), "--slots", slots];
        if !text.contains("listen") {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        let (code, said) = fails(&arguments);
        assert_eq!(code, Some(status), "{text}: {said}");
        assert!(said.contains(words), "{text}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_camera_that_cannot_be_used_leaves_the_others_alone_and_is_told_at_the_start() {
    let file = configuration(
        "[cameras.default]\nsource = \"test\"\n[cameras.-x]\nsource = \"test\"\n\
         [cameras.door]\nsource = \"folder:/nowhere\"\n",
    );
    let mut eyelid = Eyelid::start(&["--config", &file.path]);
    for path in ["/snapshot", "/-x/snapshot"] {
        assert_eq!(eyelid.ask(path, ""), 200, "{path}");
    }
    assert_eq!(eyelid.ask("/door/snapshot", ""), 503);
    assert_eq!(eyelid.snapshot(), 200);
    assert!(eyelid.end(Signal::SIGINT).success());
    let warning = format!(
        "camera \"door\" of configuration {:?}: folder \"/nowhere\": cannot open it",
        fs::canonicalize(&file.path).unwrap()
    );
    assert!(eyelid.log().contains(&warning), "{}", eyelid.log());
}

#[test]
fn one_password_is_the_servers_alone() {
    let mut eyelid = Eyelid::start_with(&[("EYELID_PASSWORD", "anna:secret")], &[]);
    assert_eq!(eyelid.snapshot(), 401);
    assert_eq!(
        eyelid.ask("/snapshot", "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n"),
        200
    );
    let capture = eyelid.pid_of("eyelid-capture");
    let environment = fs::read(format!("/proc/{capture}/environ")).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("secret"));
    for (_, pid) in eyelid.children() {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(!String::from_utf8_lossy(&line).contains("secret"));
    }
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn checks_and_lists_without_starting_anything() {
    let home = TempDir::new().unwrap();
    let slots = home.path().join("slots");
    let slots = slots.to_str().unwrap();
    let check = |own: &[&str]| {
        let output = command(&[&["--check", "--slots", slots], own].concat()).output();
        let Output { status, stdout, .. } = output.unwrap();
        (status.code(), String::from_utf8(stdout).unwrap())
    };
    assert_eq!(check(&[]), (Some(0), String::new()));
    let (code, text) = check(&["--control", "A=1"]);
    assert!(
        code == Some(78) && text.starts_with("--control: works"),
        "{text}"
    );
    assert!(!Path::new(slots).exists());
    let eyelid = command(&["--list", "--json"]).output().unwrap();
    let capture = Path::new(env!("CARGO_BIN_EXE_eyelid")).with_file_name("eyelid-capture");
    let capture = Command::new(capture)
        .args(["--list", "--json"])
        .output()
        .unwrap();
    assert_eq!(
        (eyelid.status, eyelid.stdout),
        (capture.status, capture.stdout)
    );
}

#[test]
fn takes_the_options_of_its_programs() {
    let mut eyelid = Eyelid::start(&[
        "--size=64x48",
        "--quality=30",
        "--rotate=90",
        "--linger=20s",
        "--max-age=3s",
        "--max-clients=5",
        "--allow-host=camera.example.org",
    ]);
    assert_eq!(eyelid.snapshot(), 200);
    let state = eyelid.slots.join("state.json");
    eventually("a turned picture", || {
        fs::read_to_string(&state).is_ok_and(|state| state.contains("\"width\":48"))
    });
    assert_eq!(eyelid.ask("/status", "Host: camera.example.org\r\n"), 200);
    assert!(eyelid.end(Signal::SIGTERM).success());
}
