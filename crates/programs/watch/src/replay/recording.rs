//! Recorded pictures: those of a directory, which may be a case, or of a video by ffmpeg.

use std::collections::VecDeque;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use eyelid_jpeg::Splitter;
use eyelid_slot::MAX_FRAME_BYTES;

use super::name_order::by_name;
use crate::case;

/// So many bytes are looked at at once: no JPEG that shows anything has fewer, so that no two end
/// in one piece.
const PIECE_BYTES: usize = 128;

/// So many pictures a second there are where nothing is said.
const FPS: f64 = 10.0;

/// Pictures, one after the other. One of them is in memory at a time.
pub(super) enum Recording {
    /// The files of a directory that are left, each with its moment.
    Folder(VecDeque<(PathBuf, Duration)>),
    /// A video.
    Video(Box<Video>),
}

/// A picture.
pub(super) struct Recorded {
    /// Its file's, where it has one.
    pub(super) name: Option<String>,
    pub(super) jpeg: Vec<u8>,
    /// After the recording's begin.
    pub(super) at: Duration,
}

impl Recording {
    /// Opens a directory, or has ffmpeg make pictures of a video; there are `fps` a second. The
    /// pictures of a case have moments of their own, and are looked at `fps` times a second, else
    /// as often as its camera is.
    ///
    /// # Errors
    /// It cannot be read, or there is no ffmpeg.
    pub(super) fn open(path: &Path, fps: Option<f64>, camera_fps: f64) -> anyhow::Result<Self> {
        let found = fs::metadata(path).with_context(|| format!("cannot read {path:?}"))?;
        if !found.is_dir() {
            let video = Video::open(path, fps.unwrap_or(FPS))?;
            return Ok(Self::Video(Box::new(video)));
        }
        if let Some(looks) = case::looks(path, fps.unwrap_or(camera_fps))? {
            return Ok(Self::Folder(looks));
        }
        let fps = fps.unwrap_or(FPS);
        let paths = (0..).zip(pictures_of(path)?);
        let looks = paths.map(|(number, path)| (path, moment(number, fps)));
        Ok(Self::Folder(looks.collect()))
    }

    /// Gives the next picture.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Recorded>> {
        match self {
            Self::Folder(looks) => {
                let Some((path, at)) = looks.pop_front() else {
                    return Ok(None);
                };
                let jpeg = read(&path).with_context(|| format!("cannot read {path:?}"))?;
                let name = path.file_name().map(|name| name.to_string_lossy().into());
                Ok(Some(Recorded { name, jpeg, at }))
            }
            Self::Video(video) => video.next_picture(),
        }
    }
}

/// The moment of a picture of that number, counted from 0.
fn moment(number: u32, fps: f64) -> Duration {
    Duration::from_secs_f64(f64::from(number) / fps)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    let most = MAX_FRAME_BYTES as u64;
    fs::File::open(path)?.take(most).read_to_end(&mut jpeg)?;
    Ok(jpeg)
}

/// The JPEGs of a directory in the order of their names ([`by_name`]).
fn pictures_of(directory: &Path) -> anyhow::Result<VecDeque<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {directory:?}"))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if is_jpeg(&path) && !path.is_dir() {
            paths.push(path);
        }
    }
    let name = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    paths.sort_by(|one, other| by_name(&name(one), &name(other)));
    Ok(paths.into())
}

/// By its name. One that begins with a dot is a picture that is being written, or what another
/// system keeps of one (`._1.jpg`): it would count as a moment at which nothing was seen.
fn is_jpeg(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let is_hidden = name.as_encoded_bytes().starts_with(b".");
    let ending = path.extension().unwrap_or_default();
    let is_ending = |known: &&str| ending.eq_ignore_ascii_case(known);
    !is_hidden && ["jpg", "jpeg"].iter().any(is_ending)
}

/// A video that ffmpeg makes JPEGs of.
pub(super) struct Video {
    ffmpeg: Child,
    output: ChildStdout,
    splitter: Splitter,
    buffer: Vec<u8>,
    /// What of the buffer has not been looked at.
    rest: std::ops::Range<usize>,
    path: PathBuf,
    fps: f64,
    /// How many pictures there were.
    number: u32,
}

impl Video {
    fn open(path: &Path, fps: f64) -> anyhow::Result<Self> {
        let mut command = Command::new("ffmpeg");
        command
            .args(["-nostdin", "-loglevel", "error", "-i"])
            // A name that begins with a dash, or has a colon in it, is a file's all the same.
            .arg(format!("file:{}", path.display()))
            .args(["-vf", &format!("fps={fps}")])
            .args(["-f", "image2pipe", "-c:v", "mjpeg", "-q:v", "3", "-"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut ffmpeg = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow::anyhow!(
                "a video takes ffmpeg (Debian: apt install ffmpeg), or give a directory of JPEGs"
            ),
            _ => anyhow::Error::from(error).context("cannot start ffmpeg"),
        })?;
        let output = ffmpeg.stdout.take().context("ffmpeg has no output")?;
        Ok(Self {
            ffmpeg,
            output,
            splitter: Splitter::default(),
            buffer: vec![0; 64 << 10],
            rest: 0..0,
            path: path.to_owned(),
            fps,
            number: 0,
        })
    }

    fn next_picture(&mut self) -> anyhow::Result<Option<Recorded>> {
        let jpeg = self.next()?;
        let at = moment(self.number, self.fps);
        self.number += 1;
        let name = None;
        Ok(jpeg.map(|jpeg| Recorded { name, jpeg, at }))
    }

    fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        loop {
            while !self.rest.is_empty() {
                let end = (self.rest.start + PIECE_BYTES).min(self.rest.end);
                let piece = &self.buffer[self.rest.start..end];
                self.splitter.feed_bounded(piece, SystemTime::UNIX_EPOCH)?;
                self.rest.start = end;
                if let Some((jpeg, _)) = self.splitter.take_newest() {
                    return Ok(Some(jpeg));
                }
            }
            let read = self.output.read(&mut self.buffer);
            let read =
                read.with_context(|| format!("cannot read what ffmpeg makes of {:?}", self.path))?;
            self.rest = 0..read;
            if read == 0 {
                let status = self.ffmpeg.wait().context("cannot wait for ffmpeg")?;
                if !status.success() {
                    bail!("ffmpeg cannot read {:?}: {status}", self.path);
                }
                return Ok(None);
            }
        }
    }
}

impl Drop for Video {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.ffmpeg.kill();
        let _ = self.ffmpeg.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_taken_of_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let others = ["notes.txt", "3.png", "._1.jpg", ".jpg", "jpg"];
        for name in ["2.jpg", "10.JPEG", "1.jpg", "0.1.jpg", "0.05.jpg"]
            .into_iter()
            .chain(others)
        {
            fs::write(directory.path().join(name), name).unwrap();
        }
        fs::create_dir(directory.path().join("0.jpg")).unwrap();
        let mut recording = Recording::open(directory.path(), None, 2.0).unwrap();
        let (mut names, mut moments_ms) = (Vec::new(), Vec::new());
        while let Some(Recorded { name, jpeg, at }) = recording.next().unwrap() {
            assert_eq!(name.as_deref().map(str::as_bytes), Some(&jpeg[..]));
            names.extend(name);
            moments_ms.push(at.as_millis());
        }
        assert_eq!(names, ["0.05.jpg", "0.1.jpg", "1.jpg", "2.jpg", "10.JPEG"]);
        assert_eq!(moments_ms, [0, 100, 200, 300, 400]);
        assert!(Recording::open(Path::new("/nowhere"), None, 2.0).is_err());
    }
}
