//! `try`: asks a judge once, and prints what it says.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use eyelid_slot::MAX_FRAME_BYTES;
use eyelid_words::{Answer, RuleInWords, Verdict};

use crate::files;
use crate::judges::obico::Obico;
use crate::judges::says::{Asked, Model, Occasion, Said, question_of};
use crate::local_clock::LocalClock;
use crate::schedule::WallClock;
use crate::settings::{CameraSettings, JudgeSettings, ModelSettings, RuleSettings, Settings};
use crate::{OneCamera, UnaskableError};

/// Pictures of which nobody says when they were captured are said to be so far apart.
const APART: Duration = Duration::from_secs(10);

/// What is asked about.
#[derive(Args, Clone, Debug)]
pub(crate) struct TryArguments {
    #[command(flatten)]
    camera: OneCamera,
    /// The rule that is asked about [default: all in words]
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// JPEGs in the order of their moments, the last of them now: one to three
    #[arg(value_name = "JPEG", required = true, num_args = 1..=3)]
    pictures: Vec<PathBuf>,
}

/// Asks.
///
/// # Errors
/// Why it cannot, or that there is no answer.
pub(crate) fn run(arguments: &TryArguments) -> anyhow::Result<()> {
    let (settings, camera) = arguments.camera.settings()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let asked = runtime.block_on(ask(arguments, &settings, &camera));
    runtime.shutdown_background();
    asked
}

async fn ask(
    arguments: &TryArguments,
    settings: &Settings,
    camera: &CameraSettings,
) -> anyhow::Result<()> {
    let pictures = pictures(&arguments.pictures)?;
    let rules = chosen(camera, arguments.rule.as_deref())?;
    match &rules[0].judge {
        JudgeSettings::Says(_) => {
            let model = settings
                .model
                .as_ref()
                .context("there is no [watch.model]")?;
            let rules = rules.into_iter().filter_map(in_words).collect();
            ask_in_words((settings, camera), model, rules, pictures).await
        }
        JudgeSettings::Obico {
            url,
            picture,
            key_file,
        } => {
            let obico = Obico::new(
                url,
                picture,
                key_file.as_deref(),
                settings.ca_file.as_deref(),
            )
            .with_context(|| UnaskableError(camera.name.clone()))?;
            let (found, took) = obico.look().await?;
            println!("ml_api looked at {}, not at the files", picture.as_str());
            print!("{found}");
            println!("{} ms", took.as_millis());
            Ok(())
        }
        _ => bail!(
            "rule {:?} asks nobody: eyelid-watch replay shows what it tells",
            rules[0].name
        ),
    }
}

/// The rule of that name, or all in words.
fn chosen<'a>(
    camera: &'a CameraSettings,
    name: Option<&str>,
) -> anyhow::Result<Vec<&'a RuleSettings>> {
    let rules = camera.rules.iter();
    let chosen: Vec<_> = match name {
        Some(name) => rules.filter(|rule| rule.name == name).collect(),
        None => rules.filter(|rule| in_words(rule).is_some()).collect(),
    };
    if chosen.is_empty() {
        let names: Vec<_> = camera.rules.iter().map(|rule| &rule.name[..]).collect();
        let wanted = name.map_or("a rule in words".to_owned(), |name| {
            format!("rule {name:?}")
        });
        bail!(
            "camera {:?} has no {wanted}; it has {}",
            camera.name.as_str(),
            names.join(", ")
        );
    }
    Ok(chosen)
}

fn in_words(rule: &RuleSettings) -> Option<RuleInWords> {
    match &rule.judge {
        JudgeSettings::Says(words) => Some(RuleInWords {
            name: rule.name.clone(),
            words: words.as_str().to_owned(),
        }),
        _ => None,
    }
}

fn pictures(paths: &[PathBuf]) -> anyhow::Result<Vec<(Bytes, SystemTime)>> {
    let now = SystemTime::now();
    let count = u32::try_from(paths.len()).unwrap_or_default();
    let read = |(index, path): (u32, &PathBuf)| {
        let jpeg = read(path)?;
        Ok((jpeg, now - APART * (count - 1 - index)))
    };
    (0..).zip(paths).map(read).collect()
}

fn read(path: &Path) -> anyhow::Result<Bytes> {
    let bytes = files::read(path, MAX_FRAME_BYTES as u64);
    Ok(Bytes::from(bytes.with_context(|| format!("{path:?}"))?))
}

async fn ask_in_words(
    (settings, camera): (&Settings, &CameraSettings),
    model_settings: &ModelSettings,
    rules: Vec<RuleInWords>,
    pictures: Vec<(Bytes, SystemTime)>,
) -> anyhow::Result<()> {
    let model = Model::new(model_settings, &settings.state)
        .with_context(|| UnaskableError(camera.name.clone()))?;
    let ahead_s = LocalClock::new().ahead_s(SystemTime::now());
    let question = question_of(pictures, rules, ahead_s)?;
    println!("model: {} at {}", model_settings.model, model_settings.url);
    let asked = model
        .ask("", Occasion::Confirming, &question, Instant::now())
        .await;
    let (an_hour, a_day) = model.asked();
    println!(
        "questions: {an_hour} of {} this hour, {a_day} of {} this day",
        model_settings.budget.an_hour, model_settings.budget.a_day
    );
    match asked {
        Asked::Said(said) => print_said(&said),
        Asked::NotNow(_) => bail!("another question is under way: try again"),
        Asked::Spent(spent) => bail!("{spent}"),
        Asked::Failed(why) => bail!("{why}"),
        Asked::Invalid(none) => bail!("no answer, which is not \"no\": {none}"),
    }
}

fn print_said(said: &Said) -> anyhow::Result<()> {
    let Said { verdicts, took } = said;
    println!("seen: {}", verdicts.seen);
    let mut missing = 0;
    for (name, verdict) in &verdicts.rules {
        match verdict {
            Ok(Verdict {
                answer,
                confidence,
                reason,
            }) => {
                let answer = match answer {
                    Answer::Yes => "yes",
                    Answer::No => "no",
                    Answer::Unsure => "unsure",
                };
                println!("{name}: {answer} ({confidence}): {reason}");
            }
            Err(none) => {
                missing += 1;
                println!("{name}: no answer, which is not \"no\": {none}");
            }
        }
    }
    match verdicts.usage {
        Some(usage) => println!(
            "tokens: {} asked, {} answered",
            usage.prompt_tokens, usage.completion_tokens
        ),
        None => println!("tokens: the endpoint does not say"),
    }
    println!("took: {} ms", took.as_millis());
    if missing > 0 {
        bail!("{missing} of {} rules have no answer", verdicts.rules.len());
    }
    Ok(())
}
