//! The real server, a producer in this process, and a client that sees every byte.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{Phase, Publisher, Rendition, RenditionSize, State};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long anything may take before it counts as hung.
pub(crate) const HUNG: Duration = Duration::from_secs(20);

/// Polls for a condition.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + HUNG;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A directory for slots, on tmpfs where there is one.
pub(crate) fn slots() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    }
    .unwrap()
}

/// A running `eyelid-server`.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
    /// What it has logged since it listens, and who keeps that.
    log: Arc<Mutex<String>>,
    keeper: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts it on a port of its own.
    pub(crate) fn start(slots: &Path, arguments: &[&str]) -> Self {
        let mut child = command(slots, &[&["--listen", "127.0.0.1:0"], arguments].concat())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(
                log.read_line(&mut line).unwrap() > 0,
                "the server ended early"
            );
            if let Some((_, address)) = line.trim().split_once("listening on http://") {
                break address.to_owned();
            }
        };
        let kept: Arc<Mutex<String>> = Arc::default();
        let lines = kept.clone();
        let keeper = std::thread::spawn(move || {
            for line in log.lines() {
                let line = line.unwrap();
                eprintln!("{line}");
                lines.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self {
            child,
            address,
            log: kept,
            keeper: Some(keeper),
        }
    }

    /// What it has logged so far, since it listens.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it. Gives all that it has logged since it listens.
    pub(crate) fn log_to_its_end(mut self) -> String {
        assert!(self.terminate().success());
        self.keeper.take().unwrap().join().unwrap();
        self.log()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(HUNG)).unwrap();
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, "")
    }

    /// Sends one request and reads its answer; `headers` are lines with their CRLF.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &str) -> Response {
        exchange(self.connect(), method, path, headers)
    }

    pub(crate) fn stream(&self, path: &str) -> Stream {
        Stream::open(self.connect(), path)
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the server's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `eyelid-server`, not started yet.
pub(crate) fn command(slots: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyelid-server"));
    command
        .arg("--slots")
        .arg(slots)
        .args(arguments)
        .stderr(Stdio::piped())
        .env_remove("EYELID_LOG");
    command
}

/// Sends one request over a connection and reads its answer.
pub(crate) fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &str,
) -> Response {
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("a head")
        + 4;
    Response {
        head: String::from_utf8(bytes[..end].to_vec()).unwrap(),
        body: bytes[end..].to_vec(),
    }
}

pub(crate) struct Response {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut found = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(n, _)| n.eq_ignore_ascii_case(name));
    let value = found.next().map(|(_, value)| value);
    assert!(found.next().is_none(), "{name} stands twice in {head}");
    value
}

/// An open stream.
pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
    pub(crate) head: String,
}

/// Sends a request with more headers, each with the line's end.
pub(crate) fn ask(socket: &mut TcpStream, path: &str, headers: &str) {
    write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").unwrap();
}

/// One part of it.
pub(crate) struct Part {
    pub(crate) head: String,
    pub(crate) jpeg: Vec<u8>,
}

impl Stream {
    pub(crate) fn open(stream: TcpStream, path: &str) -> Self {
        Self::open_with(stream, path, "")
    }

    /// Opens it with more headers, each with the line's end.
    pub(crate) fn open_with(mut stream: TcpStream, path: &str, headers: &str) -> Self {
        ask(&mut stream, path, headers);
        let mut reader = BufReader::with_capacity(4096, stream);
        let head = until_empty_line(&mut reader);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "--boundarydonotcross\r\n", "after {head}");
        Self { reader, head }
    }

    /// Reads a part and the boundary that ends it.
    pub(crate) fn part(&mut self) -> Part {
        let head = until_empty_line(&mut self.reader);
        assert_eq!(header(&head, "Content-Type"), Some("image/jpeg"));
        let length = header(&head, "Content-Length")
            .expect("a length")
            .parse()
            .unwrap();
        let mut jpeg = vec![0; length];
        self.reader.read_exact(&mut jpeg).unwrap();
        let mut closing = [0; 24];
        self.reader.read_exact(&mut closing).unwrap();
        assert_eq!(&closing, b"\r\n--boundarydonotcross\r\n");
        Part { head, jpeg }
    }

    /// Reads until the server closes it.
    pub(crate) fn end(&mut self) {
        let mut rest = [0; 4096];
        loop {
            match self.reader.read(&mut rest) {
                // Reset, where the client has said something that nobody has read.
                Ok(0) => return,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Reads so many bytes, whatever they are.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads parts until one is a frame.
    pub(crate) fn frame(&mut self) -> Part {
        let deadline = Instant::now() + HUNG;
        loop {
            let part = self.part();
            assert!(Instant::now() < deadline, "no frame, only cards");
            if part.is_frame() {
                return part;
            }
        }
    }
}

impl Part {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(crate) fn is_frame(&self) -> bool {
        header(&self.head, "X-Eyelid-Signal").is_none()
    }

    pub(crate) fn number(&self) -> u64 {
        number(&self.jpeg)
    }
}

fn until_empty_line(reader: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(
            reader.read_line(&mut head).unwrap() > 0,
            "closed after {head:?}"
        );
    }
    head
}

/// A whole grey JPEG, as far as markers go, with a number in a comment and as many bytes as wanted.
pub(crate) fn numbered(number: u64, size: usize) -> Vec<u8> {
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xFE, 0, 10];
    jpeg.extend(number.to_be_bytes());
    jpeg.extend([0xFF, 0xC0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0]);
    jpeg.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
    jpeg.resize(size.max(jpeg.len() + 1), 0x55);
    jpeg.extend([0xFF, 0xD9]);
    jpeg
}

pub(crate) fn number(jpeg: &[u8]) -> u64 {
    u64::from_be_bytes(jpeg[6..14].try_into().unwrap())
}

/// How many bytes a rendition has, where the frame has so many: nobody mistakes one for another.
pub(crate) fn rendition_bytes(rendition: Rendition, frame_bytes: usize) -> usize {
    frame_bytes / (2 + rendition as usize)
}

/// A producer that keeps to the contract, with a new frame every so often.
pub(crate) struct Producer {
    published: Arc<AtomicU64>,
    exposed: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Producer {
    pub(crate) fn start(slot: &Path, interval: Duration, size: usize) -> Self {
        Self::offering(slot, interval, size, &[])
    }

    /// Offers renditions, too.
    pub(crate) fn offering(
        slot: &Path,
        interval: Duration,
        size: usize,
        renditions: &[Rendition],
    ) -> Self {
        let slot: PathBuf = slot.to_owned();
        let (published, exposed): (Arc<AtomicU64>, Arc<AtomicU64>) = Default::default();
        let stop: Arc<AtomicBool> = Default::default();
        let (count, newest, ended) = (published.clone(), exposed.clone(), stop.clone());
        let mut publisher = Publisher::open(&slot).unwrap();
        let offered = renditions.iter().map(|rendition| {
            publisher.offer(*rendition).unwrap();
            (rendition.name().to_owned(), RenditionSize::default())
        });
        let state = State {
            renditions: offered.collect(),
            ..state(Phase::Awake, None)
        };
        publisher.set_state(&state).unwrap();
        let thread = std::thread::spawn(move || {
            let (mut number, mut out, start) = (0, 0, Instant::now());
            let mut captured = SystemTime::now();
            let mut renditions_out = [0; Rendition::ALL.len()];
            while !ended.load(Ordering::Acquire) {
                let due = (start.elapsed().as_nanos() / interval.as_nanos()) as u64 + 1;
                if due > number {
                    (number, captured) = (due, SystemTime::now());
                    newest.store(number, Ordering::Release);
                }
                publisher.take_in(Instant::now()).unwrap();
                if publisher.wished(Instant::now()) && number > out {
                    // Who sees a frame finds it counted.
                    count.fetch_add(1, Ordering::AcqRel);
                    if publisher.publish(&numbered(number, size), captured).is_ok() {
                        out = number;
                    } else {
                        // The directory may be missing for a moment in some tests.
                        count.fetch_sub(1, Ordering::AcqRel);
                    }
                }
                for rendition in publisher.wished_renditions(Instant::now()).iter() {
                    let out = &mut renditions_out[rendition as usize];
                    if number > *out {
                        let jpeg = numbered(number, rendition_bytes(rendition, size));
                        let made = publisher.publish_rendition(rendition, &jpeg, captured);
                        made.unwrap();
                        *out = number;
                    }
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self {
            published,
            exposed,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    pub(crate) fn exposed(&self) -> u64 {
        self.exposed.load(Ordering::Acquire)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.take().unwrap().join().unwrap();
    }
}

pub(crate) fn state(phase: Phase, error: Option<&str>) -> State {
    State {
        source: Some("test".into()),
        width: Some(16),
        height: Some(16),
        fps: Some(50.0),
        error: error.map(Into::into),
        ..State::new(phase, SystemTime::now())
    }
}
