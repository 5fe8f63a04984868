//! The page of alerts, behind the door at `/alerts`: what was seen, live, and rules in words.
//!
//! It knows no camera but by what lies in directories: alerts that others write, the states of
//! rules, and the rules that are made here, which others read. What a model, a rule or a camera
//! says leaves here as JSON alone, and becomes text in the browser.

mod access;
mod app;
mod assets;
mod body;
mod events;
mod followers;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod index;
mod query;
mod rejection;
mod route;
pub(crate) mod rule_name;
pub(crate) mod rules;
pub(crate) mod rules_file;
mod serve;
pub(crate) mod settings;
mod shown;
mod store;
mod trying;

use anyhow::Context;
use eyelid_config::Config;
use eyelid_daemon::sockets::Passed;
use eyelid_http::Sockets;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::Arguments;
use settings::PageSettings;

/// Serves the page until it is told to end, or nobody has been connected for long enough.
///
/// # Errors
/// Why it cannot go on.
pub(crate) fn run(arguments: &Arguments, file: &Config, passed: Vec<Passed>) -> anyhow::Result<()> {
    let has_sockets = !passed.is_empty();
    let settings = PageSettings::new(arguments, file, has_sockets)?;
    let reread = || {
        let file = Config::load(arguments.place.config.as_deref())?;
        PageSettings::new(arguments, &file, has_sockets)
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    LocalSet::new().block_on(&runtime, async {
        serve::run(settings, Sockets::adopt(passed)?, reread).await
    })
}
