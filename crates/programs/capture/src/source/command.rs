//! `command`: the JPEGs that any command writes to its standard output, run only while somebody
//! looks.
//!
//! The command runs under `sh -c` in a process group of its own, so that all it starts can be ended
//! with it. What it writes is split at JPEG markers, so raw JPEGs and multipart MJPEG are the same.
//! The moment of capture is when the first byte of a frame arrived here.

mod ending;
mod lines;
mod process;

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};

use eyelid_daemon::LogLimit;
use eyelid_jpeg::{Check, FrameMaker, Splitter};
use eyelid_producer::{EncodedFrame, Source, SourceStatus};

use super::SourceError;
use super::opening::Opening;
use crate::Settings;
use ending::{Ending, kill};
use lines::Lines;
use process::{Process, exit};

/// How long a command may be without a complete frame. rpicam-vid and RTSP cameras need up to 5 s
/// for their first.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a command that has closed its output may take to exit, so that its exit status can be
/// told.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How often to look whether it has.
const LAST_WORDS_STEP: Duration = Duration::from_millis(20);

/// Bytes read in one go, and how often in one [`Source::advance`]: a command that never stops
/// writing must not keep this thread from its other work.
const CHUNK_BYTES: usize = 128 << 10;
const MOST_CHUNKS: usize = 64;

/// How often broken frames are logged at most.
const BROKEN_PAUSE: Duration = Duration::from_secs(60);

/// A command and what it has written.
pub(crate) struct Command {
    shell: String,
    environment: Vec<(&'static str, String)>,
    running: Option<RunningCommand>,
    ending: Option<Ending>,
    wanted: bool,
    splitter: Splitter,
    maker: FrameMaker,
    chunk: Vec<u8>,
    unusable: u64,
    /// What is wrong with the newest frame.
    problem: Option<String>,
    /// How many broken frames the log has told of.
    broken_logged: u64,
    broken_limit: LogLimit,
}

struct RunningCommand {
    process: Process,
    lines: Lines,
    frames: u64,
    /// How many frames there were before it was started.
    frames_before: u64,
    heard_at: Instant,
    opening: Opening,
    closed_at: Option<Instant>,
    look_at: Option<Instant>,
}

impl Command {
    pub(crate) fn new(shell: &str, settings: &Settings) -> Self {
        let mut environment = Vec::new();
        if let Some(size) = settings.size {
            environment.push(("EYELID_WIDTH", size.width.to_string()));
            environment.push(("EYELID_HEIGHT", size.height.to_string()));
        }
        if let Some(fps) = settings.fps {
            environment.push(("EYELID_FPS", fps.to_string()));
        }
        Self {
            shell: shell.to_owned(),
            environment,
            running: None,
            ending: None,
            wanted: false,
            splitter: Splitter::default(),
            maker: FrameMaker::new(settings.frame_options()),
            chunk: vec![0; CHUNK_BYTES],
            unusable: 0,
            problem: None,
            broken_logged: 0,
            broken_limit: LogLimit::new(1, BROKEN_PAUSE),
        }
    }

    fn run(&mut self, now: Instant) -> Result<(), SourceError> {
        self.wanted = false;
        self.problem = None;
        let process = Process::spawn(&self.shell, &self.environment).map_err(|reason| {
            SourceError::System {
                what: "start /bin/sh",
                reason,
            }
        })?;
        self.running = Some(RunningCommand {
            process,
            lines: Lines::default(),
            frames: self.splitter.count(),
            frames_before: self.splitter.count(),
            heard_at: now,
            opening: Opening::default(),
            closed_at: None,
            look_at: None,
        });
        Ok(())
    }

    fn log_broken(&mut self, now: Instant) {
        let broken = self.splitter.broken() + self.unusable;
        if broken > self.broken_logged && self.broken_limit.allow(now).is_some() {
            self.broken_logged = broken;
            log::warn!("command: broken frames dropped ({broken} so far)");
        }
    }
}

impl Source for Command {
    type Error = SourceError;

    fn start(&mut self, now: Instant) -> Result<(), SourceError> {
        self.splitter.clear();
        // A camera is often exclusive: the next command waits for the end of the last.
        if self.ending.is_some() {
            self.wanted = true;
            return Ok(());
        }
        self.run(now)
    }

    fn stop(&mut self, now: Instant) {
        self.wanted = false;
        self.splitter.clear();
        if let Some(mut running) = self.running.take() {
            running.finish_lines(now);
            self.ending = Some(Ending::begin(running.process.group(), now));
        }
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.running
            .iter()
            .flat_map(RunningCommand::descriptors)
            .collect()
    }

    fn deadline(&self) -> Option<Instant> {
        let running = self.running.as_ref().map(RunningCommand::deadline);
        let ending = self.ending.as_ref().map(Ending::deadline);
        running.into_iter().chain(ending).min()
    }

    fn advance(&mut self, now: Instant) -> Result<(), SourceError> {
        if self
            .ending
            .as_mut()
            .is_some_and(|ending| ending.is_over(now))
        {
            self.ending = None;
            if self.wanted {
                self.run(now)?;
            }
        }
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let read = running.read(&mut self.splitter, &mut self.chunk, now);
        let verdict = read.and_then(|()| running.judge(now));
        self.log_broken(now);
        verdict
    }

    fn status(&self) -> SourceStatus {
        let sequence = self.splitter.newest().map(|_| self.splitter.count());
        SourceStatus {
            sequence,
            works: sequence.is_some(),
            ..SourceStatus::default()
        }
    }

    fn waiting(&self) -> String {
        match (&self.running, &self.problem) {
            (None, _) => "the last command has yet to end".to_owned(),
            (Some(_), Some(problem)) => format!("the command gives no usable picture: {problem}"),
            (Some(running), None) => running.waiting(),
        }
    }

    fn encode(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        let Some((jpeg, captured)) = self.splitter.newest() else {
            return Ok(None);
        };
        match self.maker.jpeg(jpeg, Check::Markers) {
            Ok(picture) => {
                self.problem = None;
                Ok(Some(EncodedFrame { picture, captured }))
            }
            Err(error) => {
                log::debug!("command: frame dropped: {error}");
                self.problem = Some(error.to_string());
                self.unusable += 1;
                Ok(None)
            }
        }
    }
}

impl RunningCommand {
    fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let stdout = self.process.stdout.as_ref().map(AsFd::as_fd);
        stdout
            .into_iter()
            .chain(self.process.stderr.as_ref().map(AsFd::as_fd))
    }

    fn deadline(&self) -> Instant {
        let silence = self.heard_at + SILENCE;
        self.look_at.map_or(silence, |look_at| silence.min(look_at))
    }

    /// Takes what is there on both pipes, within bounds.
    fn read(
        &mut self,
        splitter: &mut Splitter,
        chunk: &mut [u8],
        now: Instant,
    ) -> Result<(), SourceError> {
        let opening = &mut self.opening;
        drain(&mut self.process.stdout, chunk, |bytes| {
            opening.feed(bytes);
            splitter.feed(bytes, SystemTime::now());
        })?;
        // After stdout, whose end is that of the command: what it said last is there by then.
        let lines = &mut self.lines;
        drain(&mut self.process.stderr, chunk, |bytes| {
            lines
                .feed(bytes, now)
                .iter()
                .for_each(|line| log_line(line));
        })?;
        if splitter.count() > self.frames {
            self.frames = splitter.count();
            self.heard_at = now;
        }
        if self.process.stdout.is_none() {
            self.closed_at.get_or_insert(now);
        }
        Ok(())
    }

    /// Why there is no new frame.
    fn waiting(&self) -> String {
        if self.opening.is_empty() {
            return "the command has written nothing yet".to_owned();
        }
        let what = self.instead_of_frames();
        let what = what.unwrap_or_else(|| "gives no new picture".to_owned());
        format!("the command {what}")
    }

    /// What the command does in place of writing JPEGs, where it has written none.
    fn instead_of_frames(&self) -> Option<String> {
        if self.frames > self.frames_before {
            return None;
        }
        Some(match self.opening.what() {
            Some(what) => {
                format!("writes {what}, not JPEGs (rpicam-vid has --codec mjpeg, ffmpeg -f mjpeg)")
            }
            None => "has begun a JPEG that is not whole yet".to_owned(),
        })
    }

    /// Says what is wrong with the command, if anything.
    fn judge(&mut self, now: Instant) -> Result<(), SourceError> {
        let what = if let Some(closed_at) = self.closed_at {
            match exit(self.process.group()) {
                Some(how) => how,
                None if now.duration_since(closed_at) < LAST_WORDS => {
                    self.look_at = Some(now + LAST_WORDS_STEP);
                    return Ok(());
                }
                None => "closed its output".to_owned(),
            }
        } else if now.duration_since(self.heard_at) < SILENCE {
            return Ok(());
        } else if self.opening.is_empty() {
            format!("said nothing for {}s", SILENCE.as_secs())
        } else {
            let what = self.instead_of_frames();
            let it = what.map_or_else(String::new, |what| format!(": it {what}"));
            format!("gave no complete frame for {}s{it}", SILENCE.as_secs())
        };
        self.finish_lines(now);
        Err(SourceError::Command {
            what,
            last_line: self.lines.last(),
        })
    }

    fn finish_lines(&mut self, now: Instant) {
        self.lines
            .finish(now)
            .iter()
            .for_each(|line| log_line(line));
    }
}

/// Nothing may outlive the program, even one that panics.
impl Drop for Command {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            kill(running.process.group());
        }
    }
}

fn log_line(line: &str) {
    log::info!("command: {line}");
}

/// Reads a pipe until it is empty, but not for ever. Drops it at its end.
fn drain(
    pipe: &mut Option<std::fs::File>,
    chunk: &mut [u8],
    mut take: impl FnMut(&[u8]),
) -> Result<(), SourceError> {
    for _ in 0..MOST_CHUNKS {
        let Some(open) = pipe else { break };
        match open.read(chunk) {
            Ok(0) => *pipe = None,
            Ok(length) => take(&chunk[..length]),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => break,
                io::ErrorKind::Interrupted => {}
                _ => {
                    return Err(SourceError::System {
                        what: "read its output",
                        reason: error,
                    });
                }
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::Parser;

    #[test]
    fn an_exposure_can_be_had_again_until_there_is_another() {
        let mut encoder = eyelid_picture::Encoder::default();
        let jpeg = encoder.encode_rgb(&[99; 16 * 16 * 3], 16, 16, 80).unwrap();
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.jpg");
        std::fs::write(&path, jpeg).unwrap();
        let shell = format!("cat {}; sleep 1000", path.display());
        let given = ["eyelid-capture", "--slot", "/x", "--source", "test"];
        let settings = Arguments::parse_from(given).resolve().unwrap();
        let mut command = Command::new(&shell, &settings);
        command.start(Instant::now()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while command.status().sequence.is_none() {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(5));
            command.advance(Instant::now()).unwrap();
        }
        let encoded = |command: &mut Command| {
            let frame = command.encode(Instant::now()).unwrap().unwrap();
            (frame.picture.jpeg.into_owned(), frame.captured)
        };
        let first = encoded(&mut command);
        assert_eq!(first.0, jpeg);
        assert_eq!(encoded(&mut command), first);
    }
}
