//! Starts the launcher beside its programs, and looks at what it starts.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long anything may take before it counts as hung.
pub(crate) const HUNG: Duration = Duration::from_secs(20);

pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + HUNG;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Builds what is to lie beside the launcher, where only this package is tested and so only that
/// was built, unless it is newer than all that it may be built of.
fn build_siblings(eyelid: &Path) {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let newest = newest_below(&crates);
    let is_new = |name| modified(&eyelid.with_file_name(name)) >= newest;
    if !(is_new("eyelid-server") && is_new("eyelid-capture")) {
        // All that runs together, so that features are those of every other build.
        build(eyelid, &[]);
    }
    if !is_new("eyelid-receive") {
        build(eyelid, &["--package", "eyelid-receive"]);
    }
}

/// Has cargo build something to where the launcher is.
pub(crate) fn build(eyelid: &Path, what: &[&str]) {
    let directory = eyelid.parent().unwrap();
    let profile = match directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let built = Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .args(["build", "--locked", "--quiet", "--profile", profile])
        .args(what)
        .arg("--target-dir")
        .arg(directory.parent().unwrap())
        .status();
    assert!(built.unwrap().success());
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

fn newest_below(directory: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => newest_below(&entry.path()),
            false => modified(&entry.path()),
        })
        .max()
        .flatten()
}

/// The launcher, beside which all that it starts is.
pub(crate) fn launcher() -> &'static Path {
    static BUILT: Once = Once::new();
    let eyelid = Path::new(env!("CARGO_BIN_EXE_eyelid"));
    BUILT.call_once(|| build_siblings(eyelid));
    eyelid
}

/// The launcher, not started yet.
pub(crate) fn command(arguments: &[&str]) -> Command {
    command_of(launcher(), arguments)
}

pub(crate) fn command_of(eyelid: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(eyelid);
    command
        .args(arguments)
        .env_remove("CARGO_PKG_NAME")
        .env_remove("EYELID_LOG")
        .stdin(Stdio::null());
    command
}

/// A configuration file, which is there for as long as its directory.
pub(crate) struct Configuration {
    _home: TempDir,
    pub(crate) path: String,
}

pub(crate) fn configuration(text: &str) -> Configuration {
    let home = TempDir::new().unwrap();
    let path = home.path().join("eyelid.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    Configuration { _home: home, path }
}

pub(crate) struct Eyelid {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) greeting: String,
    pub(crate) slots: PathBuf,
    pub(crate) home: TempDir,
}

impl Eyelid {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(&[], arguments)
    }

    pub(crate) fn start_with(variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::start_of(launcher(), variables, arguments)
    }

    /// Starts a certain launcher.
    pub(crate) fn start_of(eyelid: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let memory = Path::new("/dev/shm");
        let home = if memory.is_dir() {
            TempDir::new_in(memory)
        } else {
            TempDir::new()
        }
        .unwrap();
        let slots = home.path().join("webcam");
        let own = [
            "--listen",
            "127.0.0.1:0",
            "--slots",
            slots.to_str().unwrap(),
        ];
        let log = File::create(home.path().join("log")).unwrap();
        let mut child = command_of(eyelid, &[&own, arguments].concat())
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut greeting = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.ends_with("Ctrl-C ends it.\n") {
            assert!(
                greeting.read_line(&mut text).unwrap() > 0,
                "ended after {text:?}"
            );
        }
        let address = text
            .split("http://")
            .nth(1)
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        for url in ["viewer    http", "stream    http", "snapshot  http"] {
            assert!(text.contains(url), "{text}");
        }
        Self {
            child,
            address,
            greeting: text,
            slots,
            home,
        }
    }

    /// The status of the answer to a request for `path` with further `headers`, each with its
    /// line's end.
    pub(crate) fn ask(&self, path: &str, headers: &str) -> u16 {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(HUNG)).unwrap();
        let host = if headers.contains("Host:") {
            ""
        } else {
            "Host: x\r\n"
        };
        let request = format!("GET {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[9..12]).parse().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    pub(crate) fn snapshot(&self) -> u16 {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(HUNG)).unwrap();
        status(&mut socket)
    }

    /// The running programs it started, by their names.
    pub(crate) fn children(&self) -> Vec<(String, u32)> {
        let pid = self.child.id();
        let children =
            fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let name = |pid: u32| {
            fs::read_link(format!("/proc/{pid}/exe"))
                .ok()?
                .file_name()?
                .to_str()
                .map(str::to_owned)
        };
        let pids = children.split_whitespace().map(|pid| pid.parse().unwrap());
        let mut named: Vec<_> = pids.filter_map(|pid| Some((name(pid)?, pid))).collect();
        named.sort();
        named
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.children().into_iter().map(|(name, _)| name).collect()
    }

    pub(crate) fn pid_of(&self, program: &str) -> u32 {
        let mut found = None;
        eventually(program, || {
            found = self
                .children()
                .into_iter()
                .find(|(name, _)| name == program);
            found.is_some()
        });
        found.unwrap().1
    }

    pub(crate) fn end(&mut self, signal: Signal) -> ExitStatus {
        send(self.child.id(), signal);
        let mut status = None;
        eventually("the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        if !status.success() {
            // A test that fails therefore shows why.
            eprintln!("{status}: {}", self.log());
        }
        status
    }
}

impl Drop for Eyelid {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

pub(crate) fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

/// Asks for a snapshot and gives the status of the answer, whose body must be a JPEG if it is 200.
pub(crate) fn status(socket: &mut (impl Read + Write)) -> u16 {
    socket
        .write_all(b"GET /snapshot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    assert!(status != 200 || answer.ends_with(&[0xFF, 0xD9]));
    status
}
