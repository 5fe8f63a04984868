//! The life of the process: bind, send, and end when there is a reason to.

use std::rc::Rc;

use anyhow::Context;
use eyelid_daemon::pulse::{self, Pulse};
use eyelid_daemon::{apart, manager};
use eyelid_figures::Answering;
use eyelid_http::{Acceptor, Sockets, end_signals, raise_descriptor_limit, reload_on_hang_up};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::settings::{Settings, UsageError, fixed_changes};
use crate::status;

/// Runs until it is told to end, or has been idle for long enough. `reread` gives what the
/// configuration says now; SIGHUP asks for it.
pub(crate) async fn run(
    settings: Settings,
    mut sockets: Sockets,
    reread: impl Fn() -> anyhow::Result<Settings>,
) -> anyhow::Result<()> {
    let descriptors = raise_descriptor_limit();
    sockets.bind_for("rtsp", &settings.rtsp)?;
    if sockets.is_empty() && settings.destinations.is_empty() {
        return Err(UsageError::Nothing.into());
    }
    let app = Rc::new(App::new(&settings, descriptors));
    app.pushes.set(&app, &settings.destinations);
    let answering = status::listen(settings.status.clone());
    let mut acceptor = Acceptor::speaking(app.clone());
    for socket in sockets.connections {
        acceptor.take(socket);
    }
    let mut signals = end_signals().context("cannot listen for signals")?;
    let hang_ups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let (accepting, watching) = (Pulse::default(), Pulse::default());
    let accepted = acceptor.accept_until_done(&sockets.listeners, &mut signals, &accepting);
    manager::ready();
    let reload = || {
        let after = reread()?;
        if let Some(warning) = after.warning() {
            log::warn!("{warning}");
        }
        for what in fixed_changes(&settings, &after) {
            log::warn!("{what} takes a restart to change");
        }
        app.reload(&after);
        anyhow::Ok(())
    };
    let figures = || status::figures(&app);
    let seldom = async {
        tokio::select! {
            end = accepted => log::info!("ending: {}", end.reason()),
            () = pulse::feed_watchdog([&accepting, &watching]) => {}
            () = reload_on_hang_up(hang_ups, reload) => {}
            never = Answering::answer_all(answering.as_ref(), figures) => match never {},
        }
    };
    tokio::select! {
        error = app.cameras.run(&watching) => return error.context("cannot read inotify"),
        () = apart(seldom) => {}
    }
    manager::stopping();
    drop(sockets.listeners);
    drop(answering);
    app.stop();
    acceptor.drain().await;
    app.pushes.drain().await;
    Ok(())
}
