//! Connections handed over to other programs, with a program that stands in for one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use common::{HUNG, Producer, Response, Server, eventually, exchange, slots};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use serde_json::Value;
use tempfile::TempDir;

/// The built stand-in (crates/libraries/http/examples): cargo builds it for no test but its own
/// crate's.
static STAND_IN: LazyLock<PathBuf> = LazyLock::new(|| {
    let profile = Path::new(env!("CARGO_BIN_EXE_eyelid-server"))
        .parent()
        .unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--package", "eyelid-http"]);
    cargo.args(["--example", "stand_in", "--target-dir"]);
    cargo.arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success());
    profile.join("examples/stand_in")
});

/// A program that takes connections over.
struct StandIn(Child);

impl StandIn {
    fn start(doors: &Path, name: &str) -> Self {
        let mut child = Command::new(&*STAND_IN)
            .arg(doors.join(name))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        assert!(line.contains("handed over at"), "{line:?}");
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::stderr()));
        Self(child)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server, whose other programs are those that a test starts.
struct House {
    doors: TempDir,
    slots: TempDir,
    server: Server,
}

impl House {
    fn new(arguments: &[&str]) -> Self {
        let (doors, slots) = (TempDir::new().unwrap(), slots());
        fs::create_dir(slots.path().join("front")).unwrap();
        // Built before the server starts, which may end for want of connections.
        LazyLock::force(&STAND_IN);
        let there = ["--name", "default", "--doors"];
        let there = [&there[..], &[doors.path().to_str().unwrap()]].concat();
        let server = Server::start(slots.path(), &[&there, arguments].concat());
        Self {
            doors,
            slots,
            server,
        }
    }

    fn stand_in(&self, name: &str) -> StandIn {
        StandIn::start(self.doors.path(), name)
    }

    /// Opens a stream of ticks, and reads the first.
    fn ticks(&self) -> TcpStream {
        let mut client = self.server.connect();
        write!(client, "GET /front/mse?stream HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"abcde\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            read.extend(byte);
        }
        client
    }

    /// The clients that /status lists, as address and camera.
    fn clients(&self) -> Vec<(String, String)> {
        let status = self.server.get("/status").json();
        let text = |client: &Value, key: &str| client[key].as_str().unwrap().to_owned();
        let clients = status["clients"].as_array().unwrap().iter();
        clients
            .map(|client| (text(client, "address"), text(client, "camera")))
            .collect()
    }
}

/// Sends bytes as they are, and reads the answer to its end.
fn say(mut client: TcpStream, bytes: &[u8]) -> String {
    client.write_all(bytes).unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    said
}

fn body(said: &str) -> Value {
    serde_json::from_str(said.rsplit("\r\n\r\n").next().unwrap()).unwrap()
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn is_refused(answer: &Response, status: u16, words: &str) {
    assert_eq!(answer.status(), status, "{}", answer.head);
    let json = answer.json();
    let said = json["error"].as_str().unwrap();
    assert!(said.contains(words), "{said}");
}

#[test]
fn what_is_not_installed_names_its_package() {
    let house = House::new(&[]);
    for (method, path, package) in [
        ("POST", "/front/whep", "eyelid-video"),
        ("GET", "/webcam/webrtc", "eyelid-video"),
        ("DELETE", "/front/whep/7f", "eyelid-video"),
        ("GET", "/front/push", "eyelid-receive"),
        ("OPTIONS", "/alerts", "eyelid-watch"),
        ("PUT", "/option?key=focus", "eyelid-control"),
    ] {
        let answer = house.server.request(method, path, "");
        is_refused(&answer, 404, &format!("package {package} has it"));
    }
    let page = house.server.request("GET", "/mse", "Accept: text/html\r\n");
    assert!(
        String::from_utf8(page.body)
            .unwrap()
            .contains("eyelid-video")
    );
}

#[test]
fn the_other_program_gets_the_request_and_what_is_known() {
    let house = House::new(&["--allow-origin", "https://a.example"]);
    let _video = house.stand_in("video");
    let answer = house
        .server
        .request("PATCH", "/front/whep/7f?x=1", "X-A: b\r\n");
    assert_eq!(answer.status(), 200);
    let origin = answer.header("Access-Control-Allow-Origin");
    assert_eq!(origin, Some("https://a.example"));
    assert_eq!(answer.header("Connection"), Some("close"));
    let said = answer.json();
    assert_eq!(said["method"], "PATCH");
    assert_eq!(said["target"], "/front/whep/7f?x=1");
    assert_eq!(said["headers"], 3);
    assert_eq!(said["known"]["camera"], "front");
    assert_eq!(said["known"]["user"], Value::Null);
    let peer = said["known"]["peer"].as_str().unwrap();
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    is_refused(
        &house.server.get("/nowhere/whep"),
        404,
        "no camera \"nowhere\"",
    );
}

#[test]
fn every_byte_arrives_that_was_read_already() {
    let house = House::new(&[]);
    let _video = house.stand_in("video");
    let large = "x".repeat(100_000);
    let head = "POST /front/whep HTTP/1.1\r\nHost: x\r\n";
    for (rest, body_there) in [
        ("Content-Length: 4\r\n\r\nbody".to_owned(), "body"),
        (
            "Transfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1\r\ny\r\n0\r\n\r\n".to_owned(),
            "body",
        ),
        (format!("Content-Length: 100000\r\n\r\n{large}"), &large),
    ] {
        let said = say(house.server.connect(), format!("{head}{rest}").as_bytes());
        assert_eq!(body(&said)["body"], *body_there);
    }

    // Nothing has asked for the body before the other program does.
    let mut client = house.server.connect();
    let headers = "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    client
        .write_all(format!("{head}{headers}").as_bytes())
        .unwrap();
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut said = vec![0; go_on.len()];
    client.read_exact(&mut said).unwrap();
    assert_eq!(String::from_utf8(said).unwrap(), go_on);
    assert_eq!(body(&say(client, b"body"))["body"], "body");

    // What another protocol says behind its head, which came behind another request.
    let client = house.server.connect();
    let all = b"GET /icon.svg HTTP/1.1\r\nHost: x\r\n\r\n\
        GET /front/whep HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly\xff";
    let mut reader = client.try_clone().unwrap();
    (&client).write_all(all).unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"early\xff") {
        let mut byte = [0];
        reader.read_exact(&mut byte).unwrap();
        said.extend(byte);
    }
    assert!(said.starts_with(b"HTTP/1.1 200 OK\r\n"));
    (&client).write_all(b"late").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "late");
}

#[test]
fn who_may_come_in_is_the_servers_to_say() {
    let passwords = tempfile::NamedTempFile::new().unwrap();
    fs::write(passwords.path(), "anna:secret\n").unwrap();
    let file = passwords.path().to_str().unwrap();
    let house = House::new(&["--password-file", file, "--max-clients", "2"]);
    let _video = house.stand_in("video");
    let ask = |headers: &str| house.server.request("GET", "/front/whep", headers);
    is_refused(&ask(""), 401, "password");
    is_refused(
        &ask("Authorization: Basic YW5uYTp3cm9uZw==\r\n"),
        401,
        "password",
    );
    let right = "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n";
    assert_eq!(ask(right).json()["known"]["user"], "anna");
    // A preflight brings no password, and is the other program's.
    let preflight = house.server.request("OPTIONS", "/front/whep", "");
    assert_eq!(preflight.json()["method"], "OPTIONS");
    // A page elsewhere has the browser send the password, too.
    let page = |origin: &str| ask(&format!("{right}Origin: {origin}\r\n"));
    is_refused(&page("https://evil.example"), 403, "evil.example");
    assert_eq!(
        page("http://x").status(),
        200,
        "its own: the tests ask for host x"
    );
    let stranger = "GET /front/whep HTTP/1.1\r\nHost: evil.example\r\n\
        Authorization: Basic YW5uYTpzZWNyZXQ=\r\nConnection: close\r\n\r\n";
    let said = say(house.server.connect(), stranger.as_bytes());
    assert!(said.starts_with("HTTP/1.1 421 "), "{said}");
}

#[test]
fn a_client_counts_as_one_until_it_is_gone() {
    let mut house = House::new(&["--max-clients", "2", "--idle-exit", "2s"]);
    let _video = house.stand_in("video");
    let mut client = house.ticks();
    let address = client.local_addr().unwrap().to_string();
    assert_eq!(house.clients(), [(address, "front".to_owned())]);
    let other = house.ticks();
    is_refused(&house.server.get("/status"), 503, "too many clients");
    drop(other);
    eventually("room for another", || {
        house.server.get("/status").status() == 200
    });
    // No tick comes sooner than 20 ms after the last: this takes longer than idle-exit.
    client.read_exact(&mut [0; 16 * 125]).unwrap();
    assert!(house.server.child.try_wait().unwrap().is_none());
    drop(client);
    assert!(house.server.wait().success());
}

#[test]
fn when_the_program_dies_its_own_clients_alone_suffer() {
    let house = House::new(&[]);
    let _front = Producer::start(
        &house.slots.path().join("front"),
        Duration::from_millis(20),
        1000,
    );
    let mut stream = house.server.stream("/front/stream");
    stream.frame();
    let mut video = house.stand_in("video");
    let mut client = house.ticks();
    assert_eq!(house.clients().len(), 2);
    video.0.kill().unwrap();
    video.0.wait().unwrap();
    let mut rest = Vec::new();
    match client.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    eventually("its permit's end", || house.clients().len() == 1);
    let answer = house.server.get("/front/whep");
    is_refused(&answer, 503, "eyelid-video takes no connection now");
    assert_eq!(answer.header("Retry-After"), Some("2"));
    stream.frame();
    let _again = house.stand_in("video");
    assert_eq!(house.server.get("/front/whep").status(), 200);
    stream.frame();
}

#[test]
fn who_was_handed_over_outlives_the_server() {
    let mut house = House::new(&[]);
    let _video = house.stand_in("video");
    let mut client = house.ticks();
    assert!(house.server.terminate().success());
    let mut tick = [0; 16];
    // What was under way at the server's end, and one tick more.
    for _ in 0..3 {
        client.read_exact(&mut tick).unwrap();
    }
    assert_eq!(&tick, b"0123456789abcde\n");
}

#[test]
fn a_program_that_takes_nothing_keeps_nobody_waiting() {
    let house = House::new(&[]);
    let path = house.doors.path().join("video");
    let listener = socket(
        AddressFamily::Unix,
        SockType::SeqPacket,
        SockFlag::empty(),
        None,
    )
    .unwrap();
    bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    listen(&listener, Backlog::new(1).unwrap()).unwrap();
    let mut waiting = Vec::new();
    // One more than the backlog may wait (listen(2)); each of these has been handed over when the
    // server knows it.
    for count in 1..=2 {
        let mut client = house.server.connect();
        write!(client, "GET /front/whep HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        waiting.push(client);
        eventually("handing over", || house.clients().len() == count);
    }
    let answer = house.server.get("/front/whep");
    is_refused(&answer, 503, "eyelid-video takes no connection now");
    drop(listener);
    for mut client in waiting {
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
    }
    eventually("their permits' end", || house.clients().is_empty());
    // A file that is no socket, and a socket of another kind, take nothing either.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "notes").unwrap();
    is_refused(&house.server.get("/front/whep"), 503, "takes no connection");
    fs::remove_file(&path).unwrap();
    let _stream = std::os::unix::net::UnixListener::bind(&path).unwrap();
    is_refused(&house.server.get("/front/whep"), 503, "takes no connection");
}

#[test]
fn a_thousand_leave_no_descriptor_behind() {
    let house = House::new(&[]);
    let video = house.stand_in("video");
    assert_eq!(house.server.get("/front/whep").status(), 200);
    let settled = |pid, before| {
        eventually("descriptors closed", || descriptors(pid) <= before);
    };
    let (server, video) = (house.server.child.id(), video.0.id());
    eventually("the first is gone", || house.clients().is_empty());
    // The connection of the question itself is open meanwhile.
    let before = (descriptors(server), descriptors(video));
    for number in 0..1000 {
        let path = if number % 2 == 0 {
            "/front/whep"
        } else {
            "/front/mse"
        };
        let mut client = house.server.connect();
        match number % 4 {
            // Clients that leave without reading, and in the middle of their body.
            0 => write!(client, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap(),
            1 => write!(
                client,
                "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"
            )
            .unwrap(),
            _ => assert_eq!(exchange(client, "GET", path, "").status(), 200),
        }
    }
    settled(server, before.0);
    settled(video, before.1);
    assert!(house.clients().is_empty(), "after {HUNG:?} at most");
}
