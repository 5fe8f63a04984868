//! What the programs say of their options before anybody waits for a picture.
//!
//! Only they know what their builds can do, and what they make of a file: each is asked with the
//! arguments that it will be started with, and `--check`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use eyelid_daemon::udp::{UdpError, bind_udp};

use crate::installed::Installed;
use crate::plan::{FETCH, Plan};
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
/// run, or a program that the configuration wants and that is not there. A camera that cannot be
/// used as things are is told; it fails by itself, beside others that work.
///
/// # Errors
/// [`Refused`], or that no camera can be used.
pub(crate) fn check(plan: &Plan, installed: &Installed, places: &Places) -> anyhow::Result<()> {
    plan.check_slots(&places.slots)?;
    installed.check(plan)?;
    let (mut usable, mut unusable) = (0, Vec::new());
    for program in installed.programs() {
        for instance in program.instances(plan, places) {
            let finding = ask(&installed.path(program.name), instance.arguments)?;
            let Some(Finding { is_written, text }) = finding else {
                usable += usize::from(program.start == Start::Look);
                continue;
            };
            match program.start {
                _ if is_written => return Err(Refused(text).into()),
                Start::Connection => return Err(Refused(text).into()),
                Start::Look => unusable.push(format!("{}: {text}", instance.place)),
                Start::Door(_) | Start::Table(_) => {
                    log::warn!("{}: {text}; the others run", instance.place)
                }
            }
        }
    }
    // Of one that pushes, or is fetched, nobody knows before it comes.
    let comes_by_itself = !plan.pushed.cameras.is_empty() || plan.relay_sides.contains(&FETCH);
    if usable == 0 && !comes_by_itself {
        bail!("no camera can be used: {}", unusable.join("; "));
    }
    for text in unusable {
        log::warn!("{text}; the other cameras run");
    }
    Ok(())
}

/// Says which of the UDP ports that programs bind when they are started another program has now:
/// who asks for a picture could not see that. One that a program has which an `eyelid` of these
/// processes has started is as it should be.
pub(crate) fn check_ports(plan: &Plan, installed: &Installed, own: &[u32]) {
    for program in installed.programs() {
        let Some(address) = program.udp.map(|udp| udp(plan)) else {
            continue;
        };
        let Err(error) = bind_udp(address) else {
            continue;
        };
        let error = UdpError::new(address, error);
        if own
            .iter()
            .any(|eyelid| error.is_held_by_programs_of(*eyelid))
        {
            continue;
        }
        log::warn!(
            "{}: {error}; there is no WebRTC until it is free: end that program, or give another port with udp in [video] of the configuration",
            program.name,
        );
    }
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
