//! libcamera's own log, told in ours.
//!
//! libcamera writes its lines to a pipe, which one thread reads to its end. It takes them off at
//! once, so libcamera never waits for us; the last complaints are kept, because they say why there
//! is no camera.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use log::Level;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

/// How many complaints are kept.
const KEPT: usize = 4;

/// A line that nobody but [`LibraryLog::catch_up`] writes: all before it has been read when it
/// comes.
const MARK: &str = "\u{1}eyelid";

/// How long to wait for that.
const MARK_PATIENCE: Duration = Duration::from_secs(1);

/// The reading end, and what was read last.
pub(super) struct LibraryLog {
    writer: File,
    heard: Arc<Heard>,
    marks: Receiver<()>,
}

#[derive(Default)]
struct Heard {
    complaints: Mutex<VecDeque<String>>,
    /// News are only worth a debug line now.
    hushed: AtomicBool,
}

impl LibraryLog {
    /// Makes the pipe and starts the thread, which ends with the last writer. `direct` hands
    /// libcamera the path to write to.
    pub(super) fn start(direct: impl FnOnce(&str) -> io::Result<()>) -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        let writer = File::from(writer);
        // libcamera takes a path only; this one opens the pipe once more.
        direct(&format!("/proc/self/fd/{}", writer.as_raw_fd()))?;
        let heard = Arc::new(Heard::default());
        let (sender, marks) = channel();
        let hears = Arc::clone(&heard);
        std::thread::Builder::new()
            .name("libcamera-log".to_owned())
            .spawn(move || tell_all(BufReader::new(File::from(reader)), &hears, &sender))?;
        Ok(Self {
            writer,
            heard,
            marks,
        })
    }

    /// Takes libcamera's last warnings and errors.
    pub(super) fn complaints(&mut self) -> Vec<String> {
        self.catch_up();
        lock(&self.heard.complaints).drain(..).collect()
    }

    /// Does something of which libcamera tells more than anybody wants to know.
    pub(super) fn hushed<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.catch_up();
        self.heard.hushed.store(true, Ordering::Relaxed);
        let result = work();
        self.catch_up();
        self.heard.hushed.store(false, Ordering::Relaxed);
        result
    }

    /// Waits until all that was written has been read.
    fn catch_up(&mut self) {
        while self.marks.try_recv().is_ok() {}
        if writeln!(self.writer, "{MARK}").is_ok() {
            // Without the mark some lines may be missing, which is better than waiting for ever.
            let _ = self.marks.recv_timeout(MARK_PATIENCE);
        }
    }
}

fn lock(complaints: &Mutex<VecDeque<String>>) -> std::sync::MutexGuard<'_, VecDeque<String>> {
    complaints.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell_all(mut lines: impl BufRead, heard: &Heard, marks: &Sender<()>) {
    let mut bytes = Vec::new();
    while lines.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        if text == MARK {
            // Nobody may be waiting any more.
            let _ = marks.send(());
        } else if !text.is_empty() {
            let line = parse(text);
            if line.level <= Level::Warn {
                let mut kept = lock(&heard.complaints);
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back(line.message.to_owned());
            }
            let level = match line.level {
                Level::Info if heard.hushed.load(Ordering::Relaxed) => Level::Debug,
                level => level,
            };
            log::log!(level, "libcamera {}: {}", line.category, line.message);
        }
        bytes.clear();
    }
}

/// One line of libcamera's log.
#[derive(Debug, PartialEq)]
struct Line<'a> {
    level: Level,
    category: &'a str,
    message: &'a str,
}

/// Takes `[time] [thread] SEVERITY category file:line message` apart. Anything else is a warning as
/// it stands.
fn parse(text: &str) -> Line<'_> {
    let parts = || {
        let rest = text.strip_prefix('[')?.split_once("] [")?.1;
        let rest = rest.split_once(']')?.1.trim_start();
        let (severity, rest) = rest.split_once(' ')?;
        let (category, rest) = rest.trim_start().split_once(' ')?;
        let (place, message) = rest.split_once(' ')?;
        place.contains(':').then_some(())?;
        let level = match severity {
            "DEBUG" => Level::Debug,
            "INFO" => Level::Info,
            "WARN" => Level::Warn,
            "ERROR" | "FATAL" => Level::Error,
            _ => return None,
        };
        Some(Line {
            level,
            category,
            message,
        })
    };
    parts().unwrap_or(Line {
        level: Level::Warn,
        category: "says",
        message: text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_lines_apart() {
        let text =
            "[1:02:03.123456789] [4242]  INFO Camera camera_manager.cpp:340 libcamera v0.7.1";
        let expected = Line {
            level: Level::Info,
            category: "Camera",
            message: "libcamera v0.7.1",
        };
        assert_eq!(parse(text), expected);
        let text = "[0:00:00.000000001] [1] ERROR V4L2 v4l2_device.cpp:1 /dev/video0[17:cap]: busy";
        let line = parse(text);
        assert_eq!((line.level, line.category), (Level::Error, "V4L2"));
        assert_eq!(line.message, "/dev/video0[17:cap]: busy");
        for odd in [
            "",
            "x",
            "[1] [2]",
            "[1] [2] WARN A b",
            "[1] [2] NEWS A b.cpp:1 c",
        ] {
            assert_eq!((parse(odd).level, parse(odd).message), (Level::Warn, odd));
        }
    }

    #[test]
    fn keeps_the_last_complaints() {
        let mut path = String::new();
        let mut log = LibraryLog::start(|p| {
            path = p.to_owned();
            Ok(())
        })
        .unwrap();
        let mut libcamera = File::options().append(true).open(path).unwrap();
        assert!(log.complaints().is_empty());
        for n in 0..9 {
            writeln!(libcamera, "[0:0:0.1] [1]  WARN Test a.cpp:1 number {n}").unwrap();
            writeln!(libcamera, "[0:0:0.1] [1]  INFO Test a.cpp:1 news {n}").unwrap();
        }
        let expected: Vec<String> = (5..9).map(|n| format!("number {n}")).collect();
        assert_eq!(log.complaints(), expected);
        assert!(log.complaints().is_empty(), "told once");
    }
}
