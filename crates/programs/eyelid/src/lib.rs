//! `eyelid`: server and capture without systemd, for a first look, for containers, for OpenRC.
//!
//! It does what systemd does for the packaged units: it holds the listening sockets, starts
//! `eyelid-server` and one `eyelid-capture` for each camera with the first connection, restarts
//! what dies, and ends all of them when the server has been idle. `eyelid-receive` is started when
//! a camera connects to it. It reads no frame and answers no request itself.

mod arguments;
mod asleep;
mod check;
mod doors;
mod greeting;
mod health;
mod installed;
mod jobs;
mod orphans;
mod plan;
mod process;
mod programs;
mod pushed;
mod signals;
mod slots;
mod sockets;
mod spawn;
mod supervisor;
mod waking;

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use eyelid_config::{ConfigError, EXIT_CONFIG};

pub use crate::arguments::Arguments;
use crate::check::Refused;
use crate::doors::Doors;
use crate::greeting::{Names, greeting};
use crate::health::Health;
use crate::installed::Installed;
use crate::plan::Plan;
use crate::programs::{CAPTURE, PROGRAMS, Places, RECEIVE_DOOR};
use crate::signals::SignalStream;
use crate::slots::Slots;
use crate::sockets::Sockets;
use crate::supervisor::{Resources, Supervisor};

/// Runs server and capture until it is told to end; or does what else was asked for, and ends.
///
/// # Errors
/// Why it cannot go on; see [`exit_status`].
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    if arguments.healthcheck {
        let line = health::ask(&arguments.slots()?)?;
        return writeln!(io::stdout(), "{line}").context("cannot write the answer");
    }
    if let Some(list) = arguments.list()? {
        let capture = Installed::find(&[])?.path(CAPTURE);
        let error = Command::new(&capture).args(list).exec();
        return Err(error).with_context(|| format!("cannot start {capture:?}"));
    }
    let plan = Plan::new(arguments.clone())?;
    let wanted: Vec<_> = PROGRAMS.iter().filter(|it| it.is_wanted(&plan)).collect();
    let installed = Installed::find(&wanted)?;
    if arguments.check {
        let possible = slots::possible(&plan).into_iter();
        let running: Vec<_> = possible
            .filter_map(|slots| slots::taken_by(&slots))
            .collect();
        check::check_ports(&plan, &installed, &running);
        return check::check(
            &plan,
            &installed,
            &places(&plan, &installed, plan.likely_slots()),
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        // Before there is anything to clear away: the checks take seconds on a slow machine.
        let signals = SignalStream::new()?;
        let mut slots = Slots::take(&plan)?;
        let places = places(&plan, &installed, slots.path().to_owned());
        check::check(&plan, &installed, &places)?;
        check::check_ports(&plan, &installed, &[]);
        let sockets = Sockets::bind(&plan.listen)?;
        let doors = Doors::bind(places.doors.clone(), &plan, &installed)?;
        let push = doors.bound(RECEIVE_DOOR);
        let greeting = greeting(sockets.bound(), push, &plan, slots.path(), &Names::find());
        // Nobody may be reading; the camera works all the same.
        let _ = io::stdout().write_all(greeting.as_bytes());
        eyelid_daemon::manager::ready();
        let health = Health::default();
        let claim = slots.claim().context("cannot answer about health")?;
        let resources = Resources {
            places,
            slots: &mut slots,
            sockets: &sockets,
            doors: &doors,
            health: &health,
        };
        let supervisor = Supervisor::new(arguments, plan, installed, resources, signals);
        let ended = tokio::select! {
            ended = supervisor.run() => ended,
            error = health.answer(claim, &sockets, &doors) => error.map(|never| match never {}).context("cannot answer about health"),
        };
        eyelid_daemon::manager::stopping();
        ended
    })
}

/// Where things are that the programs have in common.
fn places(plan: &Plan, installed: &Installed, slots: PathBuf) -> Places {
    Places {
        doors: doors::directory(plan, installed, &slots),
        slots,
    }
}

/// The exit status for an error of [`run`].
pub fn exit_status(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() || error.is::<Refused>() {
        EXIT_CONFIG
    } else {
        1
    }
}
