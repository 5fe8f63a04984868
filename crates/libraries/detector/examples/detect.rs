//! usage: detect [--onnxruntime LIBRARY] [--confidence 0.4] [--raw FILE] [--times N]
//!        MODEL PICTURE...
//!
//! Prints for each picture one line of JSON: what is seen, how many milliseconds of wall and CPU
//! time the network took with what stands around it (the least of N times), and the largest memory
//! that the process has had. `--raw` writes what the network says of the last one: boxes, then
//! scores, as 32-bit floats of this machine. `tests/watch` and `bench/detector` compare by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use eyelid_detector::{Detector, Picture, Seen};
use eyelid_jpeg::Pixels;
use serde_json::json;

/// What is asked for.
#[derive(Default)]
struct Options {
    library: Option<PathBuf>,
    confidence: Option<f32>,
    raw: Option<PathBuf>,
    times: Option<u32>,
    files: Vec<PathBuf>,
}

fn main() -> Result<()> {
    let options = options()?;
    let [model, pictures @ ..] = &options.files[..] else {
        bail!("which model?");
    };
    let mut detector = open(model, options.library.as_deref())?;
    for path in pictures {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        let decoded = decode(&bytes)?;
        let picture = Picture::new(decoded.width, decoded.height, &decoded.rgb)?;
        let confidence = options.confidence.unwrap_or(0.4);
        let mut least = [Duration::MAX; 2];
        let mut seen = Vec::new();
        for _ in 0..options.times.unwrap_or(1) {
            let (began, cpu) = (Instant::now(), cpu_time()?);
            seen = detector.detect(picture, confidence)?;
            let took = [began.elapsed(), cpu_time()?.saturating_sub(cpu)];
            least = [least[0].min(took[0]), least[1].min(took[1])];
        }
        println!("{}", line(path, &seen, least)?);
        if let Some(raw) = &options.raw {
            let answer = detector.ask(picture)?;
            let numbers = answer.boxes.iter().chain(&answer.scores);
            let bytes: Vec<u8> = numbers.flat_map(|number| number.to_ne_bytes()).collect();
            fs::write(raw, bytes).with_context(|| raw.display().to_string())?;
        }
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument}: which?"))
        };
        match argument.as_str() {
            "--onnxruntime" => options.library = Some(value()?.into()),
            "--confidence" => options.confidence = Some(value()?.parse()?),
            "--raw" => options.raw = Some(value()?.into()),
            "--times" => options.times = Some(value()?.parse()?),
            _ => options.files.push(argument.into()),
        }
    }
    Ok(options)
}

/// Decodes a JPEG, or a PNG: what is compared number by number must not depend on a decoder.
fn decode(bytes: &[u8]) -> Result<Pixels> {
    if bytes.starts_with(b"\x89PNG") {
        return Ok(eyelid_jpeg::decode_png(bytes)?);
    }
    let (header, _) = eyelid_jpeg::whole(bytes)?;
    Ok(eyelid_jpeg::decode_jpeg(bytes, header)?)
}

fn open(model: &Path, library: Option<&Path>) -> Result<Detector> {
    Ok(match library {
        Some(library) => Detector::open_with(model, library)?,
        None => Detector::open(model)?,
    })
}

fn line(path: &Path, seen: &[Seen], [wall, cpu]: [Duration; 2]) -> Result<serde_json::Value> {
    let boxes: Vec<serde_json::Value> = seen
        .iter()
        .map(|seen| {
            json!({
                "label": seen.label.name(),
                "confidence": seen.confidence,
                "left": seen.region.left,
                "top": seen.region.top,
                "width": seen.region.width,
                "height": seen.region.height,
            })
        })
        .collect();
    Ok(json!({
        "picture": path,
        "boxes": boxes,
        "wall_ms": wall.as_secs_f64() * 1e3,
        "cpu_ms": cpu.as_secs_f64() * 1e3,
        "peak_kb": peak_kb()?,
    }))
}

/// Gives the CPU time of all threads so far (schedstat of each: proc_pid_schedstat(5)).
fn cpu_time() -> Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += stat.split(' ').next().unwrap_or("").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}

/// Gives the largest resident memory so far, in kB (proc_pid_status(5)).
fn peak_kb() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().split(' ').next());
    Ok(number.context("no VmHWM in /proc/self/status")?.parse()?)
}
