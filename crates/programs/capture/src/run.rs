//! The program, from its arguments to its end.

use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use eyelid_config::SourceSpec;
use eyelid_daemon::signals::{Order, Signals};
use eyelid_daemon::{logging, manager};
use eyelid_producer::{Driver, DriverId, DriverOptions, Precedence, Producers, Rest};
use eyelid_slot::{Publisher, State};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::source::AnySource;
use crate::{Arguments, Settings, fit, full_build, source};

/// Captures until SIGINT or SIGTERM. SIGHUP has the configuration read again.
///
/// # Errors
/// A [`crate::SetupError`] for options that make no camera, else what keeps the camera from being
/// driven at all. A camera or a slot that fails later does not end the program.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    logging::start("eyelid-capture", arguments.camera_of_several());
    if let Some(request) = arguments.list() {
        full_build::exec_for(&request.source)?;
        return Ok(source::print(&request)?);
    }
    let mut settings = arguments.clone().resolve()?;
    full_build::exec_for(&settings.source)?;
    if arguments.is_check() {
        return Ok(source::check(&settings)?);
    }
    warn_of_ignored_options(&settings);
    // Before the source: libcamera's threads would not have the signals blocked otherwise, and die
    // of them.
    let signals = Signals::new().context("signals")?;
    let source = match source::open(&settings) {
        Ok(source) => source,
        Err(error) => {
            say_failed(&settings, &error);
            return Err(error.into());
        }
    };
    let mut producers = Producers::new()?;
    let publisher = producers.open(&settings.slot)?;
    let mut camera = producers.add(driver(&settings, publisher, source));
    manager::ready();
    let result = loop {
        match drive(&mut producers, &signals, manager::watchdog_interval()) {
            Ok(Order::Reload) => {
                manager::reloading();
                if let Some(changed) = reread(&arguments, &settings) {
                    camera = reopen(&mut producers, camera, &mut settings, changed)?;
                }
                manager::ready();
            }
            Ok(Order::End) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    manager::stopping();
    producers.end();
    result
}

/// Captures until a signal comes; gives what it asks for.
///
/// # Errors
/// What only a new process may mend.
fn drive(
    producers: &mut Producers<AnySource>,
    signals: &Signals,
    watchdog: Option<Duration>,
) -> anyhow::Result<Order> {
    let mut feed_at = watchdog.map(|_| Instant::now());
    loop {
        if let Some(order) = signals.order() {
            return Ok(order);
        }
        let now = Instant::now();
        producers.step(now).context("cannot read inotify")?;
        if let Some(reason) = producers.fatal() {
            bail!("{reason}");
        }
        if let (Some(at), Some(interval)) = (feed_at, watchdog)
            && at <= now
        {
            manager::alive();
            feed_at = Some(now + interval);
        }
        let deadline = producers.deadline().into_iter().chain(feed_at).min();
        wait(producers, signals, deadline).context("poll")?;
    }
}

/// Sleeps until something happens.
fn wait(
    producers: &Producers<AnySource>,
    signals: &Signals,
    deadline: Option<Instant>,
) -> nix::Result<()> {
    let descriptors = producers.descriptors().into_iter().chain([signals.as_fd()]);
    let mut descriptors: Vec<PollFd> = descriptors
        .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
        .collect();
    let timeout =
        deadline.map(|at| TimeSpec::from_duration(at.saturating_duration_since(Instant::now())));
    match ppoll(&mut descriptors, timeout, None) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn driver(settings: &Settings, publisher: Publisher, source: AnySource) -> Driver<AnySource> {
    let options = DriverOptions {
        tables: settings.tables(),
        log_name: "camera".to_owned(),
        shown_source: fit::shown(&settings.source),
        max_fps: settings.fps.map(|fps| fps.per_second()),
        linger: settings.linger,
        rest: Rest::Frame,
        precedence: Precedence::Own,
    };
    Driver::new(options, publisher, source, Instant::now())
}

/// Tells who looks why there is no picture: this process will not be there to do so.
fn say_failed(settings: &Settings, error: &source::SourceError) {
    let said = Publisher::open(&settings.slot)
        .map_err(anyhow::Error::from)
        .and_then(|mut slot| {
            Ok(slot.set_state(&State::failed(error.to_string(), SystemTime::now()))?)
        });
    if let Err(error) = said {
        log::debug!("{error:#}");
    }
}

/// Reads the configuration again; gives the settings if they have changed and can be used by this
/// process.
fn reread(arguments: &Arguments, settings: &Settings) -> Option<Settings> {
    match arguments.clone().resolve() {
        Ok(new) if new == *settings => {
            log::info!("configuration read again: nothing has changed");
            None
        }
        Ok(new) if new.slot != settings.slot => {
            log::warn!(
                "configuration not used: slot {:?} in place of {:?} takes a restart",
                new.slot,
                settings.slot
            );
            None
        }
        Ok(new) => Some(new),
        Err(error) => {
            log::error!("configuration not used: {error}");
            None
        }
    }
}

/// Opens the camera with other settings; readers keep the slot. With settings that make no camera,
/// it goes on as it was.
fn reopen(
    producers: &mut Producers<AnySource>,
    camera: DriverId,
    settings: &mut Settings,
    changed: Settings,
) -> anyhow::Result<DriverId> {
    // A camera is often exclusive: it is released before it is opened again.
    let publisher = producers.remove(camera).context("no camera to reopen")?;
    let opened = match full_build::exec_for(&changed.source) {
        Ok(()) => source::open(&changed).map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    let source = match opened {
        Ok(source) => {
            *settings = changed;
            log::info!("configuration read again: the camera starts anew");
            warn_of_ignored_options(settings);
            source
        }
        Err(error) => {
            log::error!("configuration not used: {error:#}");
            source::open(settings)?
        }
    };
    Ok(producers.add(driver(settings, publisher, source)))
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
