//! The life of the process: bind, serve, and end when there is a reason to.

use std::rc::Rc;

use anyhow::Context;
use eyelid_daemon::pulse::{self, Pulse};
use eyelid_daemon::{apart, manager};
use eyelid_http::{Acceptor, Sockets, end_signals, raise_descriptor_limit, reload_on_hang_up};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::settings::Settings;

/// Runs the server until it is told to end, has been idle for long enough, or (with connections
/// passed to it and no listening socket) has served them. `reread` gives what the configuration
/// says now; SIGHUP asks for it.
pub(crate) async fn run(
    settings: Settings,
    mut sockets: Sockets,
    reread: impl Fn() -> anyhow::Result<Settings>,
) -> anyhow::Result<()> {
    let descriptors = raise_descriptor_limit();
    sockets.bind(&settings.listen)?;
    if sockets.is_empty() {
        anyhow::bail!("nothing to listen on: give --listen ADDR, or let systemd pass a socket");
    }
    let app = Rc::new(App::new(settings.clone(), descriptors)?);
    let mut acceptor = Acceptor::new(app.door.clone(), app.clone());
    for socket in sockets.connections {
        acceptor.take(socket);
    }
    let mut signals = end_signals().context("cannot listen for signals")?;
    let hang_ups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let (accepting, watching) = (Pulse::default(), Pulse::default());
    let accepted = acceptor.accept_until_done(&sockets.listeners, &mut signals, &accepting);
    manager::ready();
    let seldom = async {
        tokio::select! {
            end = accepted => log::info!("ending: {}", end.reason()),
            () = pulse::feed_watchdog([&accepting, &watching]) => {}
            () = reload_on_hang_up(hang_ups, || reload(&app, &settings, reread())) => {}
            never = app.looks.run() => match never {},
        }
    };
    tokio::select! {
        error = app.cameras.run(&watching) => return error.context("cannot read inotify"),
        () = apart(seldom) => {}
    }
    manager::stopping();
    drop(sockets.listeners);
    app.door.stop();
    acceptor.drain().await;
    app.looks.end();
    Ok(())
}

/// Reads the configuration again. Clients stay, and those that have begun a stream notice nothing,
/// unless they may look no more.
fn reload(app: &App, fixed: &Settings, read: anyhow::Result<Settings>) -> anyhow::Result<()> {
    let settings = read?;
    for (what, differs) in [
        ("listen", settings.listen != fixed.listen),
        ("slots", settings.slots != fixed.slots),
        ("doors", settings.doors != fixed.doors),
    ] {
        if differs {
            log::warn!("{what} takes a restart to change");
        }
    }
    app.reload(settings)?;
    Ok(())
}
