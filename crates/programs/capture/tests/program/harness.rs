//! What the tests share: the real program on a slot of its own. Every wait is for a condition, with
//! a deadline that only a hang can reach.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{Frame, Phase, Reader, State};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A private directory, on tmpfs where there is one.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory).unwrap()
    } else {
        TempDir::new().unwrap()
    }
}

/// `eyelid-capture` at work.
pub(crate) struct Capture {
    pub(crate) slot: PathBuf,
    child: Child,
    log: Arc<Mutex<String>>,
    _home: TempDir,
}

impl Capture {
    pub(crate) fn start(source: &str, arguments: &[&str]) -> Self {
        let home = directory();
        let slot = home.path().join("slot");
        let mut command = program();
        command.arg("--slot").arg(&slot).args(["--source", source]);
        let mut child = command
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, writer) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("{line}");
                writer.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        Self {
            slot,
            child,
            log,
            _home: home,
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn wait_log(&self, words: &str) {
        eventually(&format!("{words:?} in the log"), || {
            self.log().contains(words).then_some(())
        });
    }

    /// The moment of capture of the frame in the slot, without opening it.
    pub(crate) fn captured(&self) -> Option<SystemTime> {
        Reader::new(&self.slot).captured()
    }

    /// Which file lies in the slot, without opening it.
    pub(crate) fn inode(&self) -> Option<u64> {
        fs::metadata(self.slot.join("current.jpg"))
            .ok()
            .map(|m| m.ino())
    }

    /// Waits for a frame without asking for one.
    pub(crate) fn wait_frame(&self) {
        eventually("a frame", || self.inode());
    }

    /// Asks for frames until one is as wanted.
    pub(crate) fn frame_where(&self, what: &str, wanted: impl Fn(&Frame) -> bool) -> Frame {
        eventually(what, || {
            let frame = Reader::new(&self.slot).read().ok()?.frame.clone();
            check(&frame.jpeg);
            wanted(&frame).then_some(frame)
        })
    }

    /// Asks once for a frame newer than `moment` and waits for it without asking again.
    pub(crate) fn next_frame(&self, after: SystemTime) -> SystemTime {
        Reader::new(&self.slot).wish().unwrap();
        eventually("a newer frame after one wish", || {
            self.captured().filter(|captured| *captured > after)
        })
    }

    pub(crate) fn state(&self) -> Option<State> {
        Reader::new(&self.slot).state()
    }

    /// Waits until the state tells of a frame: it does so a moment after the frame can be read.
    pub(crate) fn wait_size(&self) -> State {
        eventually("a size in the state", || {
            self.state().filter(|state| state.width.is_some())
        })
    }

    /// Asks for frames until the state says why there is none, in these words.
    pub(crate) fn wait_waiting(&self, words: &str) {
        eventually(&format!("{words:?} in the state"), || {
            let _ = Reader::new(&self.slot).wish();
            let state = self.state()?;
            assert_eq!(state.error, None);
            (state.state == Phase::Awake && state.waiting?.contains(words)).then_some(())
        });
    }

    pub(crate) fn wait_phase(&self, phase: Phase) -> State {
        eventually(&format!("state {phase:?}"), || {
            self.state().filter(|state| state.state == phase)
        })
    }

    /// How often the program has slept and been woken so far.
    pub(crate) fn wake_ups(&self) -> u64 {
        self.status("voluntary_ctxt_switches").parse().unwrap()
    }

    /// The most memory that it has asked for so far, used or not (VmPeak of proc(5)).
    pub(crate) fn memory_peak_kb(&self) -> u64 {
        self.status("VmPeak")
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    }

    fn status(&self, key: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(name, _)| *name == key).unwrap();
        value.trim().to_owned()
    }

    /// How long it has worked so far, in ticks of 10 ms (utime and stime of proc(5)): one that
    /// spins is never woken.
    pub(crate) fn worked_ticks(&self) -> u64 {
        let fields = self.stat();
        let times = fields[11..13].iter();
        times.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// What /proc/PID/stat has behind the name, from the process's state on.
    fn stat(&self) -> Vec<String> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields = stat.rsplit(") ").next().unwrap().split_whitespace();
        fields.map(Into::into).collect()
    }

    /// Waits until it sleeps for good: what it has told is read a moment before it falls asleep.
    /// One that would run but has to wait for a processor does not sleep.
    pub(crate) fn wait_silence(&self) -> (u64, u64) {
        let now = || (self.wake_ups(), self.worked_ticks());
        eventually("silence", || {
            let before = now();
            std::thread::sleep(Duration::from_millis(100));
            (self.stat()[0] == "S" && now() == before).then_some(before)
        })
    }

    pub(crate) fn running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn stop(&mut self, signal: Signal) -> ExitStatus {
        kill(self.pid(), signal).unwrap();
        eventually("its end", || self.child.try_wait().unwrap())
    }

    /// Everything in the slot, hidden files too.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.slot).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // A test that failed leaves it running.
        if self.running() {
            let _ = kill(self.pid(), Signal::SIGTERM);
            let deadline = Instant::now() + Duration::from_secs(10);
            while self.running() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The program, not started.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyelid-capture"));
    command
        .stdin(Stdio::null())
        .env_remove("EYELID_LOG")
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .env_remove("WATCHDOG_PID")
        .env_remove("JOURNAL_STREAM");
    command
}

/// Runs the program to its end; gives its exit code and what it wrote to stderr.
pub(crate) fn run(arguments: &[&str]) -> (i32, String) {
    let mut child = program()
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = eventually("its end", || child.try_wait().unwrap());
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    (status.code().unwrap(), text)
}

/// Says whether a process runs; zombies do not.
pub(crate) fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// Checks what clients demand of a frame's bytes, and decodes it.
pub(crate) fn check(jpeg: &[u8]) -> (u32, u32, Vec<u8>) {
    let (header, length) = eyelid_jpeg::whole(jpeg).unwrap();
    assert_eq!(length, jpeg.len());
    assert!(jpeg[6..].starts_with(b"JFIF\0"));
    let pixels = eyelid_jpeg::decode_jpeg(jpeg, header).unwrap();
    (header.width, header.height, pixels.rgb)
}

/// A small picture out of the fuzz targets' cases.
macro_rules! case {
    ($name:literal) => {
        &include_bytes!(concat!("../../../../../fuzz/cases/picture/", $name))[..]
    };
}
pub(crate) use case;

/// A JPEG of one grey, whole.
pub(crate) fn jpeg(width: u32, height: u32, grey: u8) -> Vec<u8> {
    let rgb = vec![grey; (width * height * 3) as usize];
    let mut encoder = eyelid_picture::Encoder::default();
    encoder
        .encode_rgb(&rgb, width, height, 90)
        .unwrap()
        .to_vec()
}

/// Says whether a frame shows that grey everywhere.
pub(crate) fn shows(frame: &Frame, grey: u8) -> bool {
    let (_, _, rgb) = check(&frame.jpeg);
    rgb.iter().all(|value| value.abs_diff(grey) < 8)
}
