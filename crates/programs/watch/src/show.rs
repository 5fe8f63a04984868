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

use crate::OneCamera;
use crate::eye::{Eye, Seen};
use crate::judges::sees::Sees;
use crate::settings::{CameraSettings, Settings};
use crate::show::drawing::Drawing;
use crate::watching::frames::{Frames, Picture};

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

/// Draws, and writes a JPEG to stdout.
///
/// # Errors
/// There is no picture.
pub(crate) fn run(arguments: &ShowArguments) -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        bail!("a JPEG is written to stdout: give it a file, `> cells.jpg`");
    }
    let (settings, camera) = arguments.camera.settings()?;
    let (jpeg, seen) = match &arguments.picture {
        Some(path) => {
            let jpeg = fs::read(path).with_context(|| format!("cannot read {path:?}"))?;
            (jpeg, Seen::default())
        }
        None => look(&settings, &camera)?,
    };
    let drawn = draw(&settings, &camera, &jpeg, &seen)?;
    io::stdout()
        .write_all(&drawn)
        .context("cannot write to stdout")
}

fn draw(
    settings: &Settings,
    camera: &CameraSettings,
    jpeg: &[u8],
    seen: &Seen,
) -> anyhow::Result<Vec<u8>> {
    let (header, length) = eyelid_jpeg::whole(jpeg)?;
    let mut drawing = Drawing::new(decode_jpeg(&jpeg[..length], header)?);
    drawing.shade_masks(&camera.mask);
    drawing.outline_areas(&camera.area);
    for rule in &camera.rules {
        drawing.outline_rule(&rule.area);
    }
    drawing.mark_moving(&seen.moving);
    if let Some(sees) = Sees::new(settings, camera)? {
        let look = sees.look_now(jpeg)?;
        for rule in &camera.rules {
            drawing.mark_seen(&sees.judge(&rule.name, &look).answer);
        }
    }
    drawing.into_jpeg()
}

/// Looks at the camera for a while. Gives the last picture in which something moved, or the last.
fn look(settings: &Settings, camera: &CameraSettings) -> anyhow::Result<(Vec<u8>, Seen)> {
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
) -> anyhow::Result<(Vec<u8>, Seen)> {
    let mut frames = Frames::whole_of(cameras, &camera.name).context("there is no such camera")?;
    let mut eye = Eye::new(camera)?;
    let first = timeout(PATIENCE, first(&mut frames)).await;
    let mut best = (
        first.context("the camera gives no picture")??,
        Seen::default(),
    );
    let started = Instant::now();
    let mut due = started;
    while started.elapsed() < LOOKS_FOR {
        due += INTERVAL;
        let picture = frames
            .next(due)
            .await
            .map_err(|why| anyhow::anyhow!("{why}"))?;
        let seen = eye.look(&picture.jpeg, started.elapsed())?;
        if seen.moves() || !best.1.moves() {
            best = (picture, seen);
        }
    }
    Ok((best.0.jpeg.to_vec(), best.1))
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
