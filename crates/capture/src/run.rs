//! The program, from its arguments to its end.

use std::time::Instant;

use anyhow::Context;
use eyelid_config::SourceSpec;
use eyelid_daemon::signals::Termination;
use eyelid_daemon::{logging, manager};
use eyelid_slot::Publisher;

use crate::camera::Camera;
use crate::{Arguments, Settings, source};

/// Captures until SIGINT or SIGTERM.
///
/// # Errors
/// A [`crate::SetupError`] for options that make no camera, else what keeps the camera from being driven at all. A
/// camera or a slot that fails later does not end the program.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    logging::start("eyelid-capture");
    if let Some(request) = arguments.list() {
        return Ok(source::print(&request)?);
    }
    let settings = arguments.settle()?;
    warn_of_ignored_options(&settings);
    // Before the source: libcamera's threads would not have the signals blocked otherwise, and die of them.
    let termination = Termination::new().context("signals")?;
    let source = source::open(&settings)?;
    let publisher = Publisher::open(&settings.slot)?;
    let mut camera = Camera::new(&settings, publisher, source, Instant::now());
    manager::ready();
    let result = camera.run(&termination, manager::watchdog_interval());
    manager::stopping();
    camera.end();
    result
}

fn warn_of_ignored_options(settings: &Settings) {
    if let Some(size) = settings.size
        && matches!(settings.source, SourceSpec::Folder(_))
    {
        log::warn!(
            "size {size} is not applied: pictures of a folder are published in the size they have"
        );
    }
    if settings.optimize && !cfg!(feature = "turbojpeg") {
        log::warn!("optimize is not applied: this build is without turbojpeg, which does it");
    }
}
