//! The built program: what a camera sends reaches its slot, when somebody looks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eyelid_picture::Encoder;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A receiver of one camera, "door", that falls asleep at once.
struct Receiver {
    child: Child,
    address: String,
    directory: TempDir,
}

impl Receiver {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("eyelid.toml");
        fs::write(&config, "[receive.cameras.door]\nlinger = \"300ms\"\n").unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_eyelid-receive"))
            .arg("--listen=127.0.0.1:0")
            .arg(format!(
                "--slots={}",
                directory.path().join("slots").display()
            ))
            .arg(format!("--config={}", config.display()))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log.find_map(|line| {
            let line = line.unwrap();
            line.split_once("http://")
                .map(|(_, address)| address.to_owned())
        });
        std::thread::spawn(move || log.for_each(drop));
        Self {
            child,
            address: address.unwrap(),
            directory,
        }
    }

    fn frame(&self) -> PathBuf {
        self.directory.path().join("slots/door/current.jpg")
    }

    /// Looks as `cat` does, until what lies in the slot is this.
    fn wait_for(&self, jpeg: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        while fs::read(self.frame()).ok().as_deref() != Some(jpeg) {
            assert!(Instant::now() < deadline, "the picture does not come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn post(&self, path: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    /// What it says of the camera.
    fn push(&self) -> serde_json::Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = "GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (_, json) = response.split_once("\r\n\r\n").unwrap();
        let status: serde_json::Value = serde_json::from_str(json).unwrap();
        status["cameras"][0]["push"].clone()
    }

    /// Waits until it says something of the camera.
    fn wait_until(&self, what: &str, is_so: impl Fn(&serde_json::Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let push = self.push();
            if is_so(&push) {
                return;
            }
            assert!(Instant::now() < deadline, "not {what}: {push}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn connect(&self, protocol: Option<&'static str>) -> WebSocket<TcpStream> {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let url = format!("ws://{}/door", self.address);
        let mut request = url.into_client_request().unwrap();
        if let Some(protocol) = protocol {
            let name = "Sec-WebSocket-Protocol";
            request
                .headers_mut()
                .insert(name, protocol.parse().unwrap());
        }
        tungstenite::client(request, stream).unwrap().0
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn jpeg(shade: u8) -> Vec<u8> {
    let mut encoder = Encoder::default();
    let rgb = [shade; 32 * 32 * 3];
    encoder.encode_rgb(&rgb, 32, 32, 80).unwrap().to_vec()
}

#[test]
fn a_posted_picture_lies_in_the_slot_and_what_is_none_is_refused() {
    let receiver = Receiver::start();
    let response = receiver.post("/door", &jpeg(10));
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    receiver.wait_for(&jpeg(10));
    let half = &jpeg(10)[..200];
    for (path, body, status) in [
        ("/door", half, "422"),
        ("/attic", &jpeg(10)[..], "404"),
        ("/door", &[0; 3 << 20], "413"),
    ] {
        let response = receiver.post(path, body);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}"
        );
    }
}

#[test]
fn a_camera_that_asks_is_told_to_sleep_and_to_wake() {
    let receiver = Receiver::start();
    let mut camera = receiver.connect(Some("eyelid.v1"));
    // A slot without a frame is wished for: nobody who looks could be seen there.
    assert_eq!(text(&mut camera), "{\"eyelid\":\"wake\"}");
    camera.send(Message::binary(jpeg(1))).unwrap();
    assert_eq!(text(&mut camera), "{\"eyelid\":\"sleep\"}");
    assert_eq!(fs::read(receiver.frame()).unwrap(), jpeg(1));
    assert_eq!(text(&mut camera), "{\"eyelid\":\"wake\"}");
    camera.send(Message::binary(jpeg(2))).unwrap();
    receiver.wait_for(&jpeg(2));
}

/// Waits for what the camera is told next that is news to it.
fn text(camera: &mut WebSocket<TcpStream>) -> String {
    camera.read().unwrap().into_text().unwrap().to_string()
}

#[test]
fn the_newest_connection_has_the_camera() {
    let receiver = Receiver::start();
    let mut old = receiver.connect(None);
    let mut new = receiver.connect(None);
    let Message::Close(Some(close)) = old.read().unwrap() else {
        panic!("it goes on");
    };
    assert_eq!(u16::from(close.code), 4001);
    new.send(Message::binary(jpeg(3))).unwrap();
    receiver.wait_for(&jpeg(3));
}

/// Waits for the code with which the camera is sent away.
fn close_code(camera: &mut WebSocket<TcpStream>) -> u16 {
    match camera.read().unwrap() {
        Message::Close(Some(close)) => close.code.into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_frame_that_comes_with_what_ends_the_connection_is_not_lost() {
    let receiver = Receiver::start();
    let too_long = vec![0xFF; (1 << 20) + 1];
    let no_jpegs = [vec![1; 3], vec![2; 70], vec![3; 9]];
    for (shade, bad, code) in [
        (
            4,
            &no_jpegs.into_iter().cycle().take(10).collect::<Vec<_>>(),
            1003,
        ),
        (5, &vec![jpeg_in(&too_long)], 1009),
    ] {
        let mut camera = receiver.connect(None);
        camera.write(Message::binary(jpeg(shade))).unwrap();
        for message in bad {
            camera.write(Message::binary(message.clone())).unwrap();
        }
        camera.flush().unwrap();
        assert_eq!(close_code(&mut camera), code);
        receiver.wait_for(&jpeg(shade));
    }
}

/// A whole JPEG with so much of a comment in it that it is longer than the bytes.
fn jpeg_in(bytes: &[u8]) -> Vec<u8> {
    let jpeg = jpeg(9);
    let comments = bytes.chunks(60_000).map(|piece| {
        let length = u16::try_from(piece.len() + 2).unwrap().to_be_bytes();
        [&[0xFF, 0xFE][..], &length, &vec![0; piece.len()]].concat()
    });
    [
        &jpeg[..2],
        &comments.collect::<Vec<_>>().concat(),
        &jpeg[2..],
    ]
    .concat()
}

#[test]
fn pictures_that_cannot_be_decoded_are_counted_as_bad_ones() {
    let receiver = Receiver::start();
    let mut camera = receiver.connect(None);
    let twelve_bits = include_bytes!("../../../../fuzz/cases/picture/jpeg-12-bits");
    for refused in 1..=10 {
        camera.send(Message::binary(&twelve_bits[..])).unwrap();
        // One at a time: of those that come together only the newest is decoded.
        receiver.wait_until("it is refused", |push| push["refused"] == refused);
    }
    assert_eq!(close_code(&mut camera), 1003);
}

/// A picture that lies on its side.
fn lying_jpeg() -> Vec<u8> {
    let exif =
        b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let jpeg = jpeg(120);
    [&jpeg[..2], exif, &jpeg[2..]].concat()
}

#[test]
fn a_picture_that_has_to_be_decoded_is_answered_when_it_is() {
    let receiver = Receiver::start();
    let response = receiver.post("/door", &lying_jpeg());
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let twelve_bits = include_bytes!("../../../../fuzz/cases/picture/jpeg-12-bits");
    let response = receiver.post("/door", &twelve_bits[..]);
    assert!(response.starts_with("HTTP/1.1 422 "), "{response}");
    assert_eq!(receiver.push()["refused"], 1);
}

#[test]
fn who_is_turned_away_is_told_when_to_come_again() {
    let receiver = Receiver::start();
    let half = b"POST /door HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n\xFF";
    let mut bodies = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut stream = TcpStream::connect(&receiver.address).unwrap();
        stream.write_all(half).unwrap();
        bodies.push(stream);
        let response = receiver.post("/door", &jpeg(1));
        if response.starts_with("HTTP/1.1 503 ") {
            assert!(response.contains("\r\nRetry-After: 2\r\n"), "{response}");
            return;
        }
        assert!(Instant::now() < deadline, "{response}");
    }
}
