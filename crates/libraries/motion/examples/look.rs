//! Looks at the JPEGs of directories, and prints for each a line of JSON: what moves.
//!
//!     cargo run -p eyelid-motion --example look -- FPS [--every N] DIRECTORY...
//!
//! FPS is that of the JPEGs; with `--every` only each Nth is looked at.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use eyelid_jpeg::LumaDecoder;
use eyelid_motion::{Luma, Motion, Zones};
use serde_json::json;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let fps: f64 = arguments
        .next()
        .context("usage: look FPS DIRECTORY...")?
        .parse()?;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut every = 1;
    while let Some(argument) = arguments.next() {
        if argument == "--every" {
            every = arguments.next().context("--every N")?.parse()?;
        } else {
            look(Path::new(&argument), fps, every, &mut output)?;
        }
    }
    Ok(())
}

fn look(directory: &Path, fps: f64, every: usize, output: &mut impl Write) -> anyhow::Result<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jpg"));
    files.sort();
    let mut motion = Motion::new(Zones::default());
    let mut decoder = LumaDecoder::default();
    for (number, file) in files.iter().enumerate().step_by(every) {
        let jpeg = std::fs::read(file)?;
        let cells = decoder
            .decode(&jpeg)
            .with_context(|| file.display().to_string())?;
        let luma = Luma {
            width: cells.width,
            height: cells.height,
            samples: cells.samples,
        };
        let found = motion.look(&luma, Duration::from_secs_f64(number as f64 / fps));
        let boxes: Vec<_> = found
            .moving
            .iter()
            .map(|r| [r.left, r.top, r.width, r.height])
            .collect();
        let changed: Vec<_> = found
            .changed
            .iter()
            .map(|c| json!({ "kind": format!("{:?}", c.kind), "box": [c.region.left, c.region.top, c.region.width, c.region.height] }))
            .collect();
        let stirring: Vec<_> = found
            .stirring
            .iter()
            .map(|r| [r.left, r.top, r.width, r.height])
            .collect();
        let line = json!({
            "directory": directory, "frame": number, "moving": boxes, "changed": changed,
            "learning": found.is_learning, "stirring": stirring,
            "different": found.cells.iter().filter(|c| **c).count(),
        });
        writeln!(output, "{line}")?;
    }
    Ok(())
}
