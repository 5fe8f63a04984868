//! The life of the page: bind, serve, and end when there is a reason to.

use std::rc::Rc;

use anyhow::Context;
use eyelid_daemon::manager;
use eyelid_daemon::pulse::{self, Pulse};
use eyelid_http::{
    Acceptor, Advice, Door, LiveConfig, Sockets, end_signals, raise_descriptor_limit,
    reload_on_hang_up,
};
use tokio::signal::unix::{SignalKind, signal};

use super::app::PageApp;
use super::settings::PageSettings;
use super::store::Store;

/// Serves the page until it is told to end, or nobody has been connected for long enough. `reread`
/// gives what the configuration says now; SIGHUP asks for it.
///
/// # Errors
/// Why it cannot go on.
pub(crate) async fn run(
    settings: PageSettings,
    mut sockets: Sockets,
    reread: impl Fn() -> anyhow::Result<PageSettings>,
) -> anyhow::Result<()> {
    let descriptors = raise_descriptor_limit();
    if sockets.is_empty() && settings.listen.is_empty() {
        anyhow::bail!("nothing to listen on: give --listen ADDR, or --name NAME to watch a camera");
    }
    let advice = Advice {
        program: "eyelid-watch".to_owned(),
        has_file: true,
    };
    let door = Rc::new(Door::new(settings.serve.clone(), advice, descriptors)?);
    let rules = [settings.rules.clone(), settings.state.clone()];
    let store = Rc::new(Store::new(settings.alerts.clone(), rules));
    sockets.bind(&settings.listen)?;
    let app = Rc::new(PageApp::new(door.clone(), store.clone(), settings));
    let mut acceptor = Acceptor::new(door.clone(), app.clone());
    for socket in sockets.connections {
        acceptor.take(socket);
    }
    let mut signals = end_signals().context("cannot listen for signals")?;
    let hang_ups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let accepting = Pulse::default();
    let accepted = acceptor.accept_until_done(&sockets.listeners, &mut signals, &accepting);
    manager::ready();
    let reload = || {
        let after = reread()?;
        door.reload(LiveConfig::read(after.serve.clone())?);
        app.reload(after);
        anyhow::Ok(())
    };
    tokio::select! {
        end = accepted => log::info!("ending: {}", end.reason()),
        never = store.follow() => match never {},
        () = pulse::feed_watchdog([&accepting]) => {}
        () = reload_on_hang_up(hang_ups, reload) => {}
    }
    manager::stopping();
    drop(sockets.listeners);
    door.stop();
    acceptor.drain().await;
    Ok(())
}
