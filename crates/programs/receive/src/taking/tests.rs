//! Whole connections, in this process, where a test can have the decoding last as long as it wants,
//! and look at what is kept. All goes by what has happened.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use eyelid_http::{Acceptor, Advice, Door, ServeOptions, Socket};
use eyelid_picture::Encoder;
use eyelid_slot::CameraName;
use futures_util::SinkExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::task::{LocalSet, spawn_blocking};
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::app::App;
use crate::camera::Camera;
use crate::cameras::Cameras;
use crate::settings::CameraSettings;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(60);

/// One camera, and a connection of it.
struct Pushed {
    camera: Rc<Camera>,
    cameras: Rc<Cameras>,
    frame: PathBuf,
    _acceptor: Acceptor<eyelid_http::Http<App>>,
    _directory: TempDir,
}

impl Pushed {
    fn start() -> (Self, UnixStream) {
        let directory = tempfile::tempdir().unwrap();
        let slot = directory.path().join("door");
        let settings = CameraSettings {
            slot: slot.clone(),
            lock: directory.path().join("lock"),
            tokens: None,
            linger: PATIENCE,
            max_bytes: 1 << 20,
        };
        let name = CameraName::default();
        let cameras = Rc::new(Cameras::new([(name.clone(), settings)].into()).unwrap());
        let advice = Advice {
            program: "eyelid-receive".to_owned(),
            has_file: true,
        };
        let door = Door::new(ServeOptions::default(), advice, 100).unwrap();
        let app = Rc::new(App::new(cameras.clone()));
        let mut acceptor = Acceptor::new(Rc::new(door), app);
        let (theirs, ours) = UnixStream::pair().unwrap();
        acceptor.take(Socket::Unix(theirs));
        let pushed = Self {
            camera: cameras.camera(&name).unwrap(),
            cameras,
            frame: slot.join(eyelid_slot::FRAME_FILE),
            _acceptor: acceptor,
            _directory: directory,
        };
        (pushed, ours)
    }

    fn report(&self) -> Value {
        serde_json::to_value(self.camera.intake.report(Instant::now())).unwrap()
    }

    /// Has others do what they can do until this is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "not {what}: {}", self.report());
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Looks until this picture lies in the slot.
    async fn until_shown(&self, jpeg: &[u8]) {
        self.until("it is shown", |it| {
            it.cameras.connection_changed(&it.camera);
            fs::read(&it.frame).ok().as_deref() == Some(jpeg)
        })
        .await;
    }
}

fn jpeg(shade: u8) -> Vec<u8> {
    let rgb = [shade; 32 * 16 * 3];
    let mut encoder = Encoder::default();
    encoder.encode_rgb(&rgb, 32, 16, 80).unwrap().to_vec()
}

/// One that lies on its side.
fn lying() -> Vec<u8> {
    let exif =
        b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let jpeg = jpeg(1);
    [&jpeg[..2], exif, &jpeg[2..]].concat()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // What is decoded waits until the test lets go of it.
        .max_blocking_threads(1)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

async fn open(stream: UnixStream) -> WebSocketStream<UnixStream> {
    let opened = tokio_tungstenite::client_async("ws://localhost/default", stream);
    opened.await.unwrap().0
}

/// Has a picture come that is to be decoded, and another before that is done: `connect` gives what
/// sends by a connection.
fn a_whole_frame_wins<C>(
    connect: impl AsyncFn(UnixStream) -> C,
    send: impl AsyncFn(&mut C, Vec<u8>),
) {
    run(async {
        let (pushed, stream) = Pushed::start();
        let (let_go, held) = mpsc::channel::<()>();
        let thread = spawn_blocking(move || held.recv());
        let mut connection = connect(stream).await;
        send(&mut connection, lying()).await;
        pushed
            .until("it has come", |it| it.report()["frames"] == 1)
            .await;
        send(&mut connection, jpeg(2)).await;
        pushed.until_shown(&jpeg(2)).await;
        assert_eq!(pushed.report()["dropped"], 0, "the first is decoded still");
        drop(let_go);
        assert!(thread.await.unwrap().is_err());
        pushed
            .until("the first came too late", |it| it.report()["dropped"] == 1)
            .await;
        assert_eq!(pushed.report()["refused"], 0);
        pushed.until_shown(&jpeg(2)).await;
        drop(connection);
    });
}

#[test]
fn a_websocket_is_read_while_a_picture_of_it_is_decoded() {
    let send = async |socket: &mut WebSocketStream<UnixStream>, jpeg| {
        socket.send(Message::binary(jpeg)).await.unwrap();
    };
    a_whole_frame_wins(open, send);
}

#[test]
fn a_body_is_read_while_a_picture_of_it_is_decoded() {
    let connect = async |mut stream: UnixStream| {
        let head = b"POST /default HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        stream
    };
    let send = async |stream: &mut UnixStream, jpeg: Vec<u8>| {
        let chunk = format!("{:x}\r\n", jpeg.len());
        let chunk = [chunk.as_bytes(), &jpeg, b"\r\n"].concat();
        stream.write_all(&chunk).await.unwrap();
    };
    a_whole_frame_wins(connect, send);
}

#[test]
fn the_next_frame_comes_into_the_memory_of_the_last_but_one() {
    run(async {
        let (pushed, stream) = Pushed::start();
        let mut socket = open(stream).await;
        for shade in [1, 2, 3] {
            let spare_bytes = pushed.cameras.buffers().spare_bytes();
            assert_eq!(spare_bytes > 0, shade == 3, "{spare_bytes}");
            let jpeg = jpeg(shade);
            socket.send(Message::binary(jpeg.clone())).await.unwrap();
            pushed.until_shown(&jpeg).await;
        }
    });
}
