//! `replay`: the whole machine on recorded pictures. It needs no camera, no state and no network,
//! writes no alerts, and prints what would have been alerted.

mod recording;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::Args;
use eyelid_config::Fps;
use serde::Serialize;

use crate::OneCamera;
use crate::alert::{Judge, Kind, Sighting};
use crate::eye::Seen;
use crate::judges::marked;
use crate::judges::sees::Sees;
use crate::machine::{Looked, Machine, Told};
use crate::moment::{Moment, Monotonic};
use crate::replay::recording::Recording;

/// How many pictures a second there are where nothing is said.
const FPS: f64 = 10.0;

/// What is looked at.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    camera: OneCamera,
    /// A directory of JPEGs, in the order of their names, or a video (with ffmpeg)
    #[arg(value_name = "FOLDER|VIDEO")]
    pictures: PathBuf,
    /// How many pictures a second there are; of a video, how many are looked at [default: 10]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    fps: Option<Fps>,
    /// Print a line for every picture, too: whether something moves, and where
    #[arg(long)]
    every_look: bool,
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
/// The pictures cannot be read, or the settings are wrong.
pub(crate) fn run(arguments: &ReplayArguments) -> anyhow::Result<()> {
    let (settings, camera) = arguments.camera.settings()?;
    let sees = Sees::new(&settings, &camera)?;
    let fps = arguments.fps.map_or(FPS, Fps::per_second);
    let begin = Moment {
        monotonic: Monotonic::default(),
        wall: SystemTime::UNIX_EPOCH,
    };
    let mut machine = Machine::new(&camera, None, "", begin)?;
    machine.rules.watch(true, begin);
    let mut recording = Recording::open(&arguments.pictures, fps)?;
    let mut output = io::stdout().lock();
    let mut number = 0u32;
    while let Some((name, jpeg)) = recording.next()? {
        let at = Duration::from_secs_f64(f64::from(number) / fps);
        number += 1;
        let now = begin.plus(at);
        let looked = machine.look(&jpeg, at, now, |_| true);
        let Looked { seen, mut told } = match looked {
            Ok(looked) => looked,
            Err(error) => {
                let name = name.as_deref().unwrap_or("of the video");
                log::warn!("picture {name}, number {number}: {error}");
                continue;
            }
        };
        if let Some(sees) = &sees
            && !seen.is_learning
        {
            told.extend(detected(&mut machine, sees, (&jpeg, &seen), now)?);
        }
        told.extend(machine.rules.tick(now).into_iter().map(Told::from));
        let at_s = (at.as_secs_f64() * 1000.0).round() / 1000.0;
        if arguments.every_look {
            print(&mut output, &printed_look(&seen, at_s))?;
        }
        for told in &told {
            let camera = camera.name.as_str();
            print(&mut output, &printed(told, at_s, camera, name.as_deref()))?;
        }
    }
    if number == 0 {
        anyhow::bail!("{:?} has no pictures", arguments.pictures);
    }
    Ok(())
}

/// Asks the detector for the rules that are due, as a watcher does, and waits for it.
fn detected(
    machine: &mut Machine,
    sees: &Sees,
    (jpeg, seen): (&[u8], &Seen),
    now: Moment,
) -> anyhow::Result<Vec<Told>> {
    let due = machine.rules.rules().iter().filter(|rule| {
        let moves = machine.moves_for(rule.name(), seen);
        rule.terms().judge == Judge::Sees && rule.is_due(moves, now)
    });
    let due: Vec<String> = due.map(|rule| rule.name().to_owned()).collect();
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let look = sees.look_now(jpeg)?;
    let mut told = Vec::new();
    for rule in due {
        machine.rules.asked(&rule, now);
        told.extend(machine.judged(&rule, &sees.judge(&rule, &look), now));
    }
    Ok(told)
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
