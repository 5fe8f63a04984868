//! Programs to which the server hands connections over: a stand-in for them lies beside the
//! launcher as `eyelid-video`.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Eyelid, HUNG, alive, build, command_of, eventually, launcher, send};

/// What the stand-in does when it is started, and when it is asked with `--check`.
struct Behaviour {
    run: &'static str,
    check: &'static str,
}

const WELL: Behaviour = Behaviour {
    run: "exec \"$STAND_IN\"",
    check: "exit 0",
};

/// A directory with the launcher, its programs, and the stand-in.
fn house(behaviour: &Behaviour) -> (TempDir, PathBuf) {
    let house = bare_house();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--check) {} ;; esac\n{}\n",
        behaviour.check, behaviour.run
    );
    let video = house.path().join("eyelid-video");
    fs::write(&video, script).unwrap();
    fs::set_permissions(&video, Permissions::from_mode(0o755)).unwrap();
    let eyelid = house.path().join("eyelid");
    (house, eyelid)
}

/// A directory with the launcher and those programs without which nothing works. It is on the same
/// file system, and so has them as links.
pub(crate) fn bare_house() -> TempDir {
    let house = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for name in ["eyelid", "eyelid-server", "eyelid-capture"] {
        fs::hard_link(launcher().with_file_name(name), house.path().join(name)).unwrap();
    }
    house
}

fn start(eyelid: &Path, variables: &[(&str, &str)]) -> Eyelid {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let what = ["--package", "eyelid-http", "--example", "stand_in"];
        build(launcher(), &what);
    });
    let stand_in = launcher().with_file_name("examples").join("stand_in");
    let stand_in = [("STAND_IN", stand_in.to_str().unwrap())];
    Eyelid::start_of(eyelid, &[&stand_in, variables].concat(), &[])
}

/// What is answered to a request for a path of the stand-in's.
fn answer(eyelid: &Eyelid) -> String {
    let mut client = TcpStream::connect(&eyelid.address).unwrap();
    client.set_read_timeout(Some(HUNG)).unwrap();
    let request = "GET /whep HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

/// The number of the stand-in that has answered.
fn answering_pid(eyelid: &Eyelid) -> u32 {
    let answer = answer(eyelid);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let pid = answer.split("\"pid\":").nth(1).unwrap();
    let digits = pid.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().unwrap()
}

#[test]
fn the_first_connection_for_a_program_starts_it_and_so_does_the_next_after_its_death() {
    let (_house, path) = house(&WELL);
    let mut eyelid = start(&path, &[]);
    assert_eq!(eyelid.names(), [""; 0]);
    let doors = eyelid.slots.join(".doors");
    assert_eq!(
        fs::metadata(&doors).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let mut there: Vec<_> = fs::read_dir(&doors)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    there.sort();
    // The second is where it tells the server what it does.
    let of_video = ["video", "video-status"];
    assert_eq!(there, of_video, "only of programs that are there");

    assert_eq!(eyelid.snapshot(), 200);
    assert_eq!(
        eyelid.names(),
        ["eyelid-capture", "eyelid-server"],
        "nobody asked for video"
    );
    let first = answering_pid(&eyelid);
    assert_eq!(eyelid.pid_of("stand_in"), first);
    assert_eq!(answering_pid(&eyelid), first, "it runs on");
    send(first, Signal::SIGKILL);
    assert_ne!(answering_pid(&eyelid), first);

    let children = eyelid.children();
    assert_eq!(children.len(), 3);
    assert!(eyelid.end(Signal::SIGTERM).success());
    assert!(!children.iter().any(|(_, pid)| alive(*pid)));
    assert!(!eyelid.slots.exists(), "{:?} is left", eyelid.slots);
}

#[test]
fn a_program_that_has_nothing_to_do_ends_and_is_started_again() {
    let (_house, path) = house(&WELL);
    let mut eyelid = start(&path, &[("STAND_IN_IDLE_MS", "50")]);
    for _ in 0..2 {
        let pid = answering_pid(&eyelid);
        eventually("the end of who has nothing to do", || !alive(pid));
    }
    assert!(!eyelid.log().contains("next start in"), "{}", eyelid.log());
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn a_program_that_dies_at_once_is_tried_again_for_who_waits() {
    let (_house, path) = house(&Behaviour {
        run: "[ -e \"$0.well\" ] || { touch \"$0.well\"; exit 1; }; exec \"$STAND_IN\"",
        ..WELL
    });
    let mut eyelid = start(&path, &[]);
    answering_pid(&eyelid);
    assert!(eyelid.log().contains("next start in"), "{}", eyelid.log());
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn a_program_that_cannot_run_with_its_configuration_keeps_nobody_waiting() {
    let (_house, path) = house(&Behaviour {
        run: "exit 78",
        ..WELL
    });
    let mut eyelid = start(&path, &[]);
    for _ in 0..2 {
        // By whether the server has passed the connection on when it is closed.
        let answer = answer(&eyelid);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 503"),
            "{answer}"
        );
    }
    assert_eq!(
        eyelid.log().matches("takes nobody over").count(),
        1,
        "{}",
        eyelid.log()
    );
    assert_eq!(eyelid.snapshot(), 200);
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn what_a_program_lacks_just_now_is_told_and_all_else_runs() {
    let (_house, path) = house(&Behaviour {
        check: "echo \"no codec\"; exit 1",
        ..WELL
    });
    let mut eyelid = start(&path, &[]);
    assert!(
        eyelid
            .log()
            .contains("eyelid-video: no codec; the others run"),
        "{}",
        eyelid.log()
    );
    assert_eq!(eyelid.snapshot(), 200);
    assert!(eyelid.end(Signal::SIGTERM).success());
}

#[test]
fn what_a_program_says_of_its_configuration_ends_the_start() {
    let (_house, path) = house(&Behaviour {
        check: "echo \"configuration: no\"; exit 78",
        ..WELL
    });
    let slots = path.with_file_name("slots");
    let own = [
        "--slots",
        slots.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ];
    let output = command_of(&path, &own).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("configuration: no"), "{said}");
    assert!(!slots.exists());
}
