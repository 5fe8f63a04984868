//! What the programs say of their options before anybody waits for a picture.
//!
//! Only they know what their builds can do, and what they make of a file: each is asked with the
//! arguments that it will be started with, and `--check`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::installed::Installed;
use crate::plan::Plan;
use crate::process::is_refusal;
use crate::programs::{Places, Start};

/// Options or a configuration file with which a program does not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

/// Why a program cannot do its work.
struct Finding {
    /// It is what is written down that is wrong, and not the state of the world.
    is_written: bool,
    text: String,
}

/// Asks all programs. What is written down wrong ends the start, and so does a server that cannot
/// run. A camera that cannot be used as things are is told; it fails by itself, beside others that
/// work.
///
/// # Errors
/// [`Refused`], or that no camera can be used.
pub(crate) fn check(plan: &Plan, installed: &Installed, places: &Places) -> anyhow::Result<()> {
    plan.check_slots(&places.slots)?;
    let (mut usable, mut unusable) = (0, Vec::new());
    for program in installed.programs() {
        for instance in program.instances(plan, places) {
            match ask(&installed.path(program.name), instance.arguments)? {
                Some(Finding { is_written, text })
                    if is_written || program.start == Start::Connection =>
                {
                    return Err(Refused(text).into());
                }
                Some(finding) => unusable.push(format!("{}: {}", instance.place, finding.text)),
                None if program.start == Start::Look => usable += 1,
                None => {}
            }
        }
    }
    if usable == 0 {
        bail!("no camera can be used: {}", unusable.join("; "));
    }
    for text in unusable {
        log::warn!("{text}; the other cameras run");
    }
    Ok(())
}

fn ask(program: &Path, arguments: Vec<OsString>) -> anyhow::Result<Option<Finding>> {
    let output = Command::new(program)
        .args(arguments)
        .arg("--check")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program:?}"))?;
    if output.status.success() {
        return Ok(None);
    }
    // What it does not know as an option it says on stderr.
    let said = [&output.stdout, &output.stderr]
        .into_iter()
        .find(|said| !said.is_empty());
    let said = said.map(|said| String::from_utf8_lossy(said).trim().to_owned());
    Ok(Some(Finding {
        is_written: is_refusal(output.status),
        text: said.unwrap_or_else(|| format!("{program:?} --check ended ({})", output.status)),
    }))
}
