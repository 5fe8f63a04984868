//! The life of the process: bind, receive, and end when there is a reason to.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use eyelid_daemon::pulse::{self, Pulse};
use eyelid_daemon::{apart, manager};
use eyelid_figures::Answering;
use eyelid_http::{
    Acceptor, Advice, Door, LiveConfig, ServeOptions, Sockets, end_signals, raise_descriptor_limit,
    reload_on_hang_up,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::cameras::Cameras;
use crate::settings::{Settings, fixed_changes};
use crate::status;

/// How long connections have to say that the program ends: some turns of theirs.
const FAREWELL: Duration = Duration::from_millis(50);

/// Runs until it is told to end, or has been idle for long enough. `reread` gives what the
/// configuration says now; SIGHUP asks for it.
pub(crate) async fn run(
    settings: Settings,
    mut sockets: Sockets,
    reread: impl Fn() -> anyhow::Result<Settings>,
) -> anyhow::Result<()> {
    let descriptors = raise_descriptor_limit();
    sockets.bind(&settings.listen)?;
    if sockets.is_empty() {
        anyhow::bail!(
            "nothing to listen on: give --listen ADDR, or listen in [receive] of the configuration"
        );
    }
    if settings.cameras.is_empty() {
        log::warn!("no camera may push: name each in the configuration, as [receive.cameras.NAME]");
    }
    let fixed = settings.clone();
    let cameras = Rc::new(Cameras::new(settings.cameras.clone())?);
    let advice = Advice {
        program: "eyelid-receive".to_owned(),
        has_file: true,
    };
    let answering = status::listen(settings.slots.as_deref());
    let door = Rc::new(Door::new(options(&settings), advice, descriptors)?);
    let app = Rc::new(App::new(cameras.clone()));
    let mut acceptor = Acceptor::new(door.clone(), app);
    for socket in sockets.connections {
        acceptor.take(socket);
    }
    let mut signals = end_signals().context("cannot listen for signals")?;
    let hang_ups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let (accepting, watching) = (Pulse::default(), Pulse::default());
    let accepted = acceptor.accept_until_done(&sockets.listeners, &mut signals, &accepting);
    manager::ready();
    let reload = || {
        let settings = reread()?;
        for what in fixed_changes(&fixed, &settings) {
            log::warn!("{what} takes a restart to change");
        }
        door.reload(LiveConfig::read(options(&settings))?);
        cameras.reconfigure(settings.cameras);
        anyhow::Ok(())
    };
    let figures = || status::figures(&cameras);
    let seldom = async {
        tokio::select! {
            end = accepted => log::info!("ending: {}", end.reason()),
            () = pulse::feed_watchdog([&accepting, &watching]) => {}
            () = reload_on_hang_up(hang_ups, reload) => {}
            never = Answering::answer_all(answering.as_ref(), figures) => match never {},
        }
    };
    let ended = tokio::select! {
        Err(error) = cameras.run(&watching) => Err(error),
        () = apart(seldom) => Ok(()),
    };
    manager::stopping();
    drop(sockets.listeners);
    // Before the slots are left, for whoever waits for them answers there, too.
    drop(answering);
    // Before connections end, and what they have sent with them.
    cameras.end();
    // They tell the cameras so.
    tokio::time::sleep(FAREWELL).await;
    door.stop();
    acceptor.drain().await;
    ended
}

/// Who may push is decided for each camera, so the door lets everybody ask.
fn options(settings: &Settings) -> ServeOptions {
    ServeOptions {
        idle_exit: settings.idle_exit,
        max_clients: settings.max_connections,
        ..ServeOptions::default()
    }
}
