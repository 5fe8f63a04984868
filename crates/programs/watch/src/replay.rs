//! `replay`: the whole machine on recorded pictures. It needs no camera and no state, writes no
//! alerts, asks nobody unless it is told to, and prints what would have been alerted.

mod asking;
mod lent;
mod name_order;
mod recording;
mod replaying;
mod start_time;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use eyelid_config::Fps;
use serde::Serialize;
use tokio::task::LocalSet;

use crate::OneCamera;
use crate::alert::{Judge, Kind, Sighting};
use crate::eye::Seen;
use crate::judges::marked;
use crate::local_clock::LocalClock;
use crate::machine::Told;
use crate::settings::{CameraSettings, Settings};
use crate::watching::pace::{Pace, Stir};

use asking::Asking;
use recording::{Recorded, Recording};
use replaying::Replaying;
use start_time::StartTime;

/// What is looked at.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    camera: OneCamera,
    /// A directory of JPEGs, in the order of their names; one of cases/ in the directory of alerts;
    /// or a video (with ffmpeg)
    #[arg(value_name = "FOLDER|VIDEO")]
    pictures: PathBuf,
    /// How many pictures a second there are; of a video, how many are looked at [default: 10; of a
    /// case, as many as of its camera]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    fps: Option<Fps>,
    /// When the first picture was taken, by this machine's zone (2026-11-28T22:00), or by UTC with
    /// a Z behind it: hours (at) count then [default: they do not]
    #[arg(long, value_name = "TIME")]
    start: Option<StartTime>,
    /// Ask the model (says) and ml_api (obico); a question counts, and costs, as one of a watcher
    /// [default: neither is judged]
    #[arg(long)]
    ask: bool,
    /// Take what says and obico answer from this file, and ask nobody; with --ask, write it there
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// With --ask and obico: have ml_api get the recorded pictures at this address of this machine,
    /// which it has to reach (port 0: any)
    #[arg(long, value_name = "ADDR:PORT", requires = "ask")]
    lend: Option<SocketAddr>,
    /// Print a line for every picture, too: whether something moves, and where
    #[arg(long)]
    every_look: bool,
    /// Look only at the pictures that a watcher would: as often as it is configured, and more
    /// often while something moves
    #[arg(long)]
    paced: bool,
}

/// An alert as it is printed.
#[derive(Serialize)]
struct Printed<'a> {
    rule: &'a str,
    /// Seconds after the first picture.
    at_s: f64,
    judge: Option<Judge>,
    kind: Kind,
    camera: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    boxes: &'a [Sighting],
    held_back: u32,
    /// Of a folder, the picture's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<&'a str>,
}

/// A look as it is printed.
#[derive(Serialize)]
struct PrintedLook {
    look_s: f64,
    moving: bool,
    learning: bool,
    boxes: Vec<Sighting>,
}

/// Looks at the pictures, and prints each alert as a line of JSON.
///
/// # Errors
/// The pictures cannot be read, the settings are wrong, or who is asked does not answer.
pub(crate) fn run(arguments: &ReplayArguments) -> anyhow::Result<()> {
    let (settings, camera) = arguments.camera.settings_for_recordings()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let replayed = replay(arguments, &settings, &camera);
    let replayed = LocalSet::new().block_on(&runtime, replayed);
    runtime.shutdown_background();
    replayed
}

async fn replay(
    arguments: &ReplayArguments,
    settings: &Settings,
    camera: &CameraSettings,
) -> anyhow::Result<()> {
    let fps = arguments.fps.map(Fps::per_second);
    let start = arguments.start.map(|start| start.at(&LocalClock::new()));
    let asking = Asking::new(arguments, settings, camera).await?;
    let mut replaying = Replaying::new(camera, asking, start)?;
    let mut recording = Recording::open(&arguments.pictures, fps, camera.fps)?;
    let mut output = io::stdout().lock();
    let (begin, mut pace) = (Instant::now(), Pace::new(camera.fps));
    let (mut number, mut looks) = (0u32, 0u32);
    while let Some(Recorded { name, jpeg, at }) = recording.next()? {
        number += 1;
        if arguments.paced && pace.due(begin + at) > begin + at {
            continue;
        }
        let looked = match replaying.look(jpeg.into(), at).await? {
            Ok(looked) => looked,
            Err(error) => {
                pace.looked(begin + at, Stir::None);
                let name = name.as_deref().unwrap_or("of the video");
                log::warn!("picture {name}, number {number}: {error}");
                continue;
            }
        };
        looks += 1;
        let stir = looked.seen.as_ref().map_or(Stir::None, Stir::of);
        pace.looked(begin + at, stir);
        let at_s = rounded_s(at);
        if arguments.every_look
            && let Some(seen) = &looked.seen
        {
            print(&mut output, &printed_look(seen, at_s))?;
        }
        for told in &looked.told {
            let camera = camera.name.as_str();
            print(&mut output, &printed(told, at_s, camera, name.as_deref()))?;
        }
    }
    if looks == 0 {
        let what = if number == 0 {
            ""
        } else {
            " that can be decoded"
        };
        anyhow::bail!("{:?} has no pictures{what}", arguments.pictures);
    }
    replaying.asking.sum_up(arguments.answers.as_deref());
    Ok(())
}

/// To the millisecond.
fn rounded_s(at: Duration) -> f64 {
    (at.as_secs_f64() * 1000.0).round() / 1000.0
}

fn printed<'a>(
    told: &'a Told,
    at_s: f64,
    camera: &'a str,
    picture: Option<&'a str>,
) -> Printed<'a> {
    let raise = &told.raise;
    Printed {
        rule: &raise.rule,
        at_s,
        judge: raise.judge,
        kind: raise.kind,
        camera,
        asked: raise.asked.as_deref(),
        reason: told.reason.as_deref(),
        confidence: raise.confidence,
        boxes: &raise.sightings,
        held_back: raise.held_back,
        picture,
    }
}

fn printed_look(seen: &Seen, look_s: f64) -> PrintedLook {
    let boxes = seen.moving.iter().map(|region| marked(*region, None));
    PrintedLook {
        look_s,
        moving: seen.moves(),
        learning: seen.is_learning,
        boxes: boxes.collect(),
    }
}

/// Prints one line, and at once: who reads along waits for it.
fn print(to: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)
        .and_then(|()| to.flush())
        .context("cannot write to stdout")
}
