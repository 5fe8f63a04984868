//! Cameras that push: the real `eyelid-receive` is started by who pushes, and ends by itself.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::doors::bare_house;
use crate::harness::{
    Configuration, Eyelid, HUNG, command_of, configuration, eventually, launcher,
};

/// Any picture will do.
const PICTURE: &[u8] = include_bytes!("../../src/asleep.jpg");

/// A file whose one camera pushes to a port that the system chooses.
fn door(idle_exit: &str) -> Configuration {
    configuration(&format!(
        "[receive]\nlisten = [\"127.0.0.1:0\"]\nidle-exit = \"{idle_exit}\"\n[receive.cameras.door]\n"
    ))
}

/// Where the greeting says that cameras push.
fn port(eyelid: &Eyelid) -> &str {
    let rest = eyelid.greeting.split("push      ws://").nth(1).unwrap();
    rest.split('/').next().unwrap()
}

/// Posts the picture; gives the answer.
fn post(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(HUNG)).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        PICTURE.len()
    );
    // Who takes nothing may close before all is written.
    let _ = socket.write_all(&[head.as_bytes(), PICTURE].concat());
    let mut answer = String::new();
    let _ = socket.read_to_string(&mut answer);
    answer
}

#[test]
fn who_pushes_starts_the_program_and_nothing_else() {
    let file = door("1s");
    let mut eyelid = Eyelid::start(&["--config", &file.path]);
    let port = port(&eyelid).to_owned();
    let slot = eyelid.slots.join("door");
    assert!(slot.is_dir(), "its slot is there, and no card in it");
    assert_eq!(fs::read_dir(&slot).unwrap().count(), 0);
    for round in 0..2 {
        assert_eq!(eyelid.names(), [""; 0], "{round}");
        let answer = post(&port, "/door");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let receive = eyelid.pid_of("eyelid-receive");
        assert_eq!(eyelid.names(), ["eyelid-receive"], "no camera is wanted");
        let environment = fs::read_to_string(format!("/proc/{receive}/environ")).unwrap();
        for variable in ["LISTEN_FDS=2", "LISTEN_FDNAMES=push:receive"] {
            assert!(
                environment.split('\0').any(|it| it == variable),
                "{variable} in {environment:?}"
            );
        }
        assert_eq!(
            fs::read(slot.join("current.jpg")).unwrap().len(),
            PICTURE.len()
        );
        eventually("its end", || eyelid.names().is_empty());
        assert!(slot.join("current.jpg").exists(), "what came last stays");
    }
    assert!(eyelid.end(Signal::SIGTERM).success());
    assert!(!eyelid.slots.exists(), "{:?} is left", eyelid.slots);
}

#[test]
fn a_camera_pushes_at_the_servers_door_too_and_is_seen_there() {
    let file = door("30s");
    let mut eyelid = Eyelid::start(&["--config", &file.path]);
    let answer = post(&eyelid.address, "/door/push");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(eyelid.names(), ["eyelid-receive", "eyelid-server"]);
    let port = port(&eyelid);
    // One that posts has no picture of later than the question, until it posts again.
    let status = std::thread::scope(|scope| {
        let asked = scope.spawn(|| eyelid.ask("/door/snapshot", ""));
        eventually("an answer", || {
            post(port, "/door");
            asked.is_finished()
        });
        asked.join().unwrap()
    });
    assert_eq!(status, 200);
    assert_eq!(eyelid.ask("/snapshot", ""), 404, "there is no test picture");
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn a_port_that_somebody_has_is_named_before_anybody_pushes() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = configuration(&format!("[receive]\nlisten = [\"{address}\"]\n"));
    let (code, said) = fails(launcher(), &file);
    assert_eq!(code, Some(1), "{said}");
    let words = format!("cannot listen on {address}; give another with listen in [receive]");
    assert!(said.contains(&words), "{said}");
}

#[test]
fn without_its_program_the_table_is_an_error() {
    let house = bare_house();
    let file = door("30s");
    let eyelid = house.path().join("eyelid");
    let (code, said) = fails(&eyelid, &file);
    assert_eq!(code, Some(1), "{said}");
    for words in ["eyelid-receive\" is missing", "[receive]"] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn what_is_wrong_in_the_table_is_told_before_anybody_pushes() {
    let file = configuration("[receive.cameras.door]\ntoken-file = \"/nowhere\"\n");
    let (code, said) = fails(launcher(), &file);
    assert_eq!(code, Some(78), "{said}");
    let words = "line 2, key \"receive.cameras.door.token-file\"";
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_program_that_cannot_run_with_its_configuration_keeps_no_camera_waiting() {
    let house = bare_house();
    let receive = house.path().join("eyelid-receive");
    let script = "#!/bin/sh\ncase \"$*\" in *--check) exit 0 ;; esac\nexit 78\n";
    fs::write(&receive, script).unwrap();
    fs::set_permissions(&receive, Permissions::from_mode(0o755)).unwrap();
    let file = door("30s");
    let path = house.path().join("eyelid");
    let mut eyelid = Eyelid::start_of(&path, &[], &["--config", &file.path]);
    for _ in 0..3 {
        assert_eq!(post(port(&eyelid), "/door"), "");
    }
    let refused = eyelid.log().matches("takes nobody over").count();
    assert_eq!(refused, 1, "{}", eyelid.log());
    assert!(eyelid.end(Signal::SIGTERM).success());
}

fn fails(eyelid: &Path, file: &Configuration) -> (Option<i32>, String) {
    let slots = TempDir::new().unwrap();
    let slots = slots.path().to_str().unwrap();
    let own = ["--slots", slots, "--listen", "127.0.0.1:0", "--config"];
    let mut command = command_of(eyelid, &[&own[..], &[&file.path]].concat());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    // One that runs on has no error to tell of.
    while child.try_wait().unwrap().is_none() && start.elapsed() < HUNG {
        sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}
