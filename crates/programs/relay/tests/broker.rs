//! The side that shares, by a real server of NATS. Where none is installed (Debian:
//! `apt install nats-server`) these tests say so and pass.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are not known to be of tests"
)]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{Phase, Publisher, Reader, Rendition, RenditionSize, State};
use tempfile::TempDir;

/// Longer than anything here takes, but a hang.
const HANG: Duration = Duration::from_secs(30);

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn ended(&mut self) -> i32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(start.elapsed() < HANG, "goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

struct Server {
    _process: Process,
    port: u16,
    _directory: TempDir,
}

impl Server {
    fn start(configuration: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("nats.conf");
        let ports = directory.path().display();
        let text = format!("listen: 127.0.0.1:-1\nports_file_dir: \"{ports}\"\n{configuration}");
        fs::write(&file, text).unwrap();
        let started = ["nats-server", "/usr/sbin/nats-server"]
            .iter()
            .find_map(|program| {
                let mut command = Command::new(program);
                command
                    .arg("-c")
                    .arg(&file)
                    .stderr(Stdio::null())
                    .stdout(Stdio::null());
                command.spawn().ok()
            });
        let Some(child) = started else {
            eprintln!("no nats-server here: nothing is tested");
            return None;
        };
        let process = Process(child);
        let start = Instant::now();
        let port = loop {
            if let Some(port) = port_in(directory.path()) {
                break port;
            }
            assert!(start.elapsed() < HANG, "nats-server does not start");
            std::thread::sleep(Duration::from_millis(10));
        };
        Some(Self {
            _process: process,
            port,
            _directory: directory,
        })
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

fn port_in(directory: &Path) -> Option<u16> {
    let mut entries = fs::read_dir(directory).ok()?.flatten();
    let file = entries.find(|entry| entry.path().extension().is_some_and(|it| it == "ports"))?;
    let text = fs::read_to_string(file.path()).ok()?;
    let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
    let url = ports["nats"][0].as_str()?;
    url.rsplit_once(':')?.1.parse().ok()
}

fn share(server: &Server, slots: &Path, flags: &[&str]) -> (Process, PathBuf) {
    relay(server, &["share", "--as", "near"], slots, flags)
}

fn relay(server: &Server, side: &[&str], slots: &Path, flags: &[&str]) -> (Process, PathBuf) {
    let log = slots.join(format!(".log-{}", fastrand::u64(..)));
    let child = Command::new(env!("CARGO_BIN_EXE_eyelid-relay"))
        .args(side)
        .args(["--connect", &server.url(), "--slots"])
        .arg(slots)
        .args(flags)
        .stderr(fs::File::create(&log).unwrap())
        .spawn();
    (Process(child.unwrap()), log)
}

fn says(log: &Path, words: &str) {
    let start = Instant::now();
    loop {
        let mut text = String::new();
        fs::File::open(log)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        if text.contains(words) {
            return;
        }
        assert!(start.elapsed() < HANG, "{words:?} is not in {text}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_second_of_one_name_ends_with_the_status_of_a_configuration() {
    let Some(server) = Server::start("") else {
        return;
    };
    let slots = tempfile::tempdir().unwrap();
    let (_first, log) = share(&server, slots.path(), &[]);
    says(&log, "connected");
    let (mut second, log) = share(&server, slots.path(), &[]);
    assert_eq!(second.ended(), 78);
    says(&log, "is shared already");
}

#[test]
fn what_the_server_refuses_is_said() {
    let user = nkeys::KeyPair::new_user();
    let permissions = "permissions: {subscribe: [\"_INBOX.>\"], publish: [\"_INBOX.>\"]}";
    let users = format!(
        "authorization: {{users: [{{nkey: {}, {permissions}}}]}}",
        user.public_key()
    );
    let Some(server) = Server::start(&users) else {
        return;
    };
    let slots = tempfile::tempdir().unwrap();
    let (_anonymous, log) = share(&server, slots.path(), &[]);
    says(&log, "--creds FILE");
    let creds = slots.path().join(".seed");
    fs::write(&creds, user.seed().unwrap()).unwrap();
    let flags = ["--creds", creds.to_str().unwrap()];
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&creds, fs::Permissions::from_mode(0o644)).unwrap();
    let (mut open, log) = share(&server, slots.path(), &flags);
    assert_eq!(open.ended(), 78);
    says(&log, "chmod 600");
    fs::set_permissions(&creds, fs::Permissions::from_mode(0o600)).unwrap();
    let (_known, log) = share(&server, slots.path(), &flags);
    says(&log, "Permissions Violation for Subscription to");
}

/// A camera that gives a picture for each wish, and counts them.
struct Camera {
    wishes: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Camera {
    fn new(slot: &Path) -> Self {
        let mut publisher = Publisher::open(slot).unwrap();
        let quarter = Rendition::Quarter;
        publisher.offer_frame().unwrap();
        publisher.offer(quarter).unwrap();
        let mut state = State::new(Phase::Awake, SystemTime::now());
        let size = RenditionSize::default();
        state.renditions.insert(quarter.name().to_owned(), size);
        publisher.set_state(&state).unwrap();
        let (wishes, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (count, end) = (wishes.clone(), is_over.clone());
        let jpeg = eyelid_picture::card(320, 240, "door", "near");
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let now = Instant::now();
                publisher.take_in(now).unwrap();
                if publisher.wished(now) {
                    count.fetch_add(1, Ordering::Relaxed);
                    publisher.publish(&jpeg, SystemTime::now()).unwrap();
                }
                if publisher.wished_renditions(now).contains(quarter) {
                    count.fetch_add(1, Ordering::Relaxed);
                    let published = publisher.publish_rendition(quarter, &jpeg, SystemTime::now());
                    published.unwrap();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self {
            wishes,
            is_over,
            thread: Some(thread),
        }
    }

    fn wishes(&self) -> u64 {
        self.wishes.load(Ordering::Relaxed)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn unreachable_since(state: &State) -> Option<&str> {
    state.more.get("unreachable_since")?.as_str()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANG, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_is_shared_is_fetched_and_nobody_wakes_it_but_who_looks() {
    let Some(server) = Server::start("") else {
        return;
    };
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let camera = Camera::new(&near.path().join("door"));
    let (sharing, _) = share(&server, near.path(), &[]);
    let (_fetching, _) = relay(&server, &["fetch"], far.path(), &["--only", "near.*"]);
    let slot = far.path().join("near.door");
    let reader = Reader::new(&slot);
    eventually("a slot", || {
        reader.captured() == Some(SystemTime::UNIX_EPOCH)
    });
    eventually("its state", || reader.state().is_some());
    let state = reader.state().unwrap();
    assert_eq!((state.state, camera.wishes()), (Phase::Asleep, 0));

    for rendition in [None, Some(Rendition::Quarter)] {
        let reader = Reader::of(&slot, rendition);
        for _ in 0..10 {
            let before = reader.captured();
            reader.wish().unwrap();
            eventually("a newer one", || reader.captured() > before);
        }
        let held = reader.read().unwrap();
        assert_eq!(
            held.frame.jpeg,
            eyelid_picture::card(320, 240, "door", "near")
        );
        let age = SystemTime::now().duration_since(held.frame.captured);
        assert!(age.unwrap() < HANG);
    }
    assert!(camera.wishes() >= 20);
    // Nobody shares any more: who looks is told, and it is back by itself.
    drop(sharing);
    eventually("failure", || {
        let _ = reader.wish();
        let state = reader.state().unwrap();
        state.state == Phase::Failed && unreachable_since(&state).is_some()
    });
    let (_sharing, _) = share(&server, near.path(), &[]);
    let before = reader.captured();
    eventually("a frame again", || {
        let _ = reader.wish();
        reader.captured() > before
    });
    let state = || reader.state().unwrap();
    eventually("its state", || unreachable_since(&state()).is_none());
}
