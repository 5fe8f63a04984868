//! `show`: what counts, and what is seen, drawn into a picture of now.

mod drawing;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use eyelid_consumer::{Cameras, Configured};
use eyelid_daemon::pulse::Pulse;
use eyelid_jpeg::decode_jpeg;
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::eye::{DifferentCells, Eye, Seen};
use crate::judges::sees::Sees;
use crate::settings::{CameraSettings, Settings};
use crate::show::drawing::Drawing;
use crate::watching::frames::{Frames, Picture};
use crate::{OneCamera, UnaskableError};

/// How long the camera is looked at: the view is learned in two seconds, and then there is some
/// time for something to move.
const LOOKS_FOR: Duration = Duration::from_secs(5);

/// How often.
const INTERVAL: Duration = Duration::from_millis(200);

/// How long a camera may take to give its first picture.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is looked at.
#[derive(Args, Clone, Debug)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    camera: OneCamera,
    /// A JPEG to draw into [default: what the camera shows now]
    #[arg(value_name = "JPEG")]
    picture: Option<PathBuf>,
}

/// A picture, and what the eye has seen of it: nothing where that is the only one.
#[derive(Default)]
struct Looked {
    jpeg: Vec<u8>,
    seen: Seen,
    cells: DifferentCells,
}

/// Draws, and writes a JPEG to stdout.
///
/// # Errors
/// There is no picture.
pub(crate) fn run(arguments: &ShowArguments) -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        bail!("a JPEG is written to stdout: give it a file, `> cells.jpg`");
    }
    let (settings, camera) = arguments.camera.settings()?;
    let looked = match &arguments.picture {
        Some(path) => Looked {
            jpeg: fs::read(path).with_context(|| format!("cannot read {path:?}"))?,
            ..Looked::default()
        },
        None => look(&settings, &camera)?,
    };
    let drawn = draw(&settings, &camera, &looked)?;
    io::stdout()
        .write_all(&drawn)
        .context("cannot write to stdout")
}

fn draw(settings: &Settings, camera: &CameraSettings, looked: &Looked) -> anyhow::Result<Vec<u8>> {
    let jpeg = &looked.jpeg[..];
    let (header, length) = eyelid_jpeg::whole(jpeg)?;
    let mut drawing = Drawing::new(decode_jpeg(&jpeg[..length], header)?);
    drawing.tint_cells(&looked.cells);
    drawing.shade_masks(&camera.mask);
    drawing.outline_areas(&camera.area);
    for rule in &camera.rules {
        drawing.outline_rule(&rule.area);
    }
    drawing.mark_moving(&looked.seen.moving);
    let sees = Sees::new(settings, camera);
    if let Some(sees) = sees.with_context(|| UnaskableError(camera.name.clone()))? {
        let look = sees.look_now(jpeg)?;
        for rule in &camera.rules {
            drawing.mark_seen(&sees.judge(&rule.name, &look).answer);
        }
    }
    drawing.into_jpeg()
}

/// Looks at the camera for a while. Gives the last picture in which something moved, or the last.
fn look(settings: &Settings, camera: &CameraSettings) -> anyhow::Result<Looked> {
    let slots = settings.slots()?.to_owned();
    let configured: Configured = [(camera.name.clone(), camera.slot.clone())]
        .into_iter()
        .collect();
    let cameras = Rc::new(Cameras::new(slots, configured, ()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    LocalSet::new().block_on(&runtime, async {
        let pulse = Pulse::default();
        tokio::select! {
            error = cameras.run(&pulse) => bail!("cannot read inotify: {error:?}"),
            looked = look_for_a_while(&cameras, camera) => looked,
        }
    })
}

async fn look_for_a_while(
    cameras: &Rc<Cameras>,
    camera: &CameraSettings,
) -> anyhow::Result<Looked> {
    let mut frames = Frames::whole_of(cameras, &camera.name).context("there is no such camera")?;
    let mut eye = Eye::new(camera)?;
    let first = timeout(PATIENCE, first(&mut frames)).await;
    let first = first.context("the camera gives no picture")??;
    let mut best = Looked {
        jpeg: first.jpeg.to_vec(),
        ..Looked::default()
    };
    let started = Instant::now();
    let mut due = started;
    while started.elapsed() < LOOKS_FOR {
        due += INTERVAL;
        let picture = frames
            .next(due)
            .await
            .map_err(|why| anyhow::anyhow!("{why}"))?;
        let (seen, cells) = eye.look_closely(&picture.jpeg, started.elapsed())?;
        if seen.moves() || !best.seen.moves() {
            let jpeg = picture.jpeg.to_vec();
            best = Looked { jpeg, seen, cells };
        }
    }
    Ok(best)
}

/// Waits for a picture, however often there is none.
async fn first(frames: &mut Frames) -> anyhow::Result<Picture> {
    loop {
        if let Ok(picture) = frames.next(Instant::now()).await {
            return Ok(picture);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
