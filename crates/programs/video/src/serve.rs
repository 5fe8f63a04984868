//! The life of the process: bind, serve, and end when there is a reason to.

use std::convert::Infallible;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use eyelid_consumer::Cameras;
use eyelid_daemon::manager;
use eyelid_daemon::pulse::{self, Pulse};
use eyelid_daemon::udp::{UdpError, bind_udp};
use eyelid_figures::Answering;
use eyelid_http::{
    Acceptor, Advice, Door, LiveConfig, ServeOptions, Sockets, end_signals, raise_descriptor_limit,
    reload_on_hang_up,
};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::app::App;
use crate::encoders::Chosen;
use crate::feeds::Feeds;
use crate::peers::Peers;
use crate::settings::{Settings, fixed_changes};
use crate::status;
use crate::tap::{NewSlots, Taps};

/// Connections there may be for each viewer: what asks, beside a WebSocket.
const CONNECTIONS_EACH: usize = 2;

/// ...and for who asks only what there is.
const MORE_CONNECTIONS: usize = 20;

/// What to do where another program has the port of WebRTC.
const UDP_CURE: &str = "end that program, or give another port with --udp ADDR, or udp in [video] of the configuration";

/// What was passed to the process.
pub(crate) struct Passed {
    /// To listen on.
    pub(crate) sockets: Sockets,
    /// For WebRTC.
    pub(crate) udp: Option<UdpSocket>,
    /// For those who read taps and name the camera.
    pub(crate) taps: Option<UnixListener>,
}

/// Runs until it is told to end, or has been idle for long enough. `reread` gives what the
/// configuration says now; SIGHUP asks for it.
pub(crate) async fn run(
    settings: Settings,
    passed: Passed,
    encoder: Chosen,
    reread: impl Fn() -> anyhow::Result<Settings>,
) -> anyhow::Result<()> {
    let descriptors = raise_descriptor_limit();
    let Passed {
        mut sockets,
        udp,
        taps: passed_tap,
    } = passed;
    let listens = !sockets.is_empty() || !settings.listen.is_empty();
    let has_taps = settings.taps.is_some() || passed_tap.is_some();
    if !listens && !has_taps {
        anyhow::bail!(
            "nothing to listen on: give --listen ADDR or --taps DIR, or listen or taps in [video] of the configuration"
        );
    }
    let cameras = Cameras::new(settings.slots.clone(), settings.cameras.clone(), ());
    let cameras = Rc::new(cameras);
    let limits = settings.limits.clone();
    let Chosen { make, said } = encoder;
    log::info!("encoder: {said}");
    let feeds = Feeds::new(cameras.clone(), move |name| limits.of(name), make);
    let feeds = Rc::new(feeds);
    let advice = Advice {
        program: "eyelid-video".to_owned(),
        has_file: true,
    };
    let door = Rc::new(Door::new(options(&settings), advice, descriptors)?);
    let address = settings.udp;
    let udp = match udp {
        Some(passed) => Some(passed),
        None => bind_or_go_without(address, !sockets.is_empty() || passed_tap.is_some())?,
    };
    let peers = Rc::new(Peers::new(udp, address, feeds.clone())?);
    let app = Rc::new(App::new(
        feeds.clone(),
        door.clone(),
        peers.clone(),
        has_taps,
        &settings,
    ));
    let taps = Taps::new(feeds.clone(), settings.taps.clone());
    taps.listen(passed_tap)?;
    // Before it is looked which there are.
    let new_slots = settings
        .taps
        .as_ref()
        .map(|_| NewSlots::watch(&settings.slots));
    taps.serve(&cameras.names());
    // Last: who hears that the program listens finds the taps, too.
    sockets.bind(&settings.listen)?;
    let answering = status::listen(settings.status.clone());
    let mut acceptor = Acceptor::new(door.clone(), app.clone());
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
        for what in fixed_changes(&settings, &after) {
            log::warn!("{what} takes a restart to change");
        }
        door.reload(LiveConfig::read(options(&after))?);
        cameras.reconfigure(after.cameras.clone());
        let limits = after.limits.clone();
        feeds.reconfigure(move |name| limits.of(name));
        taps.serve(&cameras.names());
        app.reload(&after);
        anyhow::Ok(())
    };
    let ended = tokio::select! {
        end = accepted => {
            log::info!("ending: {}", end.reason());
            Ok(())
        }
        never = peers.run() => match never {},
        error = cameras.run(&watching) => error.context("cannot read inotify"),
        () = feeds.died() => Err(anyhow::anyhow!("the task of a camera has ended unexpectedly")),
        () = idle(&feeds, settings.idle_exit) => {
            log::info!("ending: nobody watches");
            Ok(())
        }
        () = pulse::feed_watchdog([&accepting, &watching]) => Ok(()),
        () = reload_on_hang_up(hang_ups, reload) => Ok(()),
        never = add_taps(new_slots, || taps.add(&cameras.names())) => match never {},
        never = Answering::answer_all(answering.as_ref(), || app.figures()) => match never {},
    };
    manager::stopping();
    drop(sockets.listeners);
    drop(answering);
    drop(taps);
    peers.stop();
    door.stop();
    acceptor.drain().await;
    ended
}

/// Binds the port of WebRTC. Where another program has it, one that was started for somebody who
/// waits (`is_waited_for`) does without, for there is MSE; else that is why it does not start.
fn bind_or_go_without(
    address: SocketAddr,
    is_waited_for: bool,
) -> anyhow::Result<Option<UdpSocket>> {
    let error = match bind_udp(address) {
        Ok(socket) => return Ok(Some(socket)),
        Err(error) => UdpError::new(address, error),
    };
    if !is_waited_for {
        anyhow::bail!("{error}: {UDP_CURE}");
    }
    log::error!("{error}; there is no WebRTC until it is free: {UDP_CURE}");
    Ok(None)
}

/// Waits until nobody has watched for so long.
async fn idle(feeds: &Feeds, idle_exit: Option<Duration>) {
    let Some(idle_exit) = idle_exit else {
        return std::future::pending().await;
    };
    loop {
        feeds.until(false).await;
        if timeout(idle_exit, feeds.until(true)).await.is_err() {
            return;
        }
    }
}

/// Does so whenever there may be another camera.
async fn add_taps(new_slots: Option<NewSlots>, add: impl Fn()) -> Infallible {
    let Some(new_slots) = new_slots else {
        return std::future::pending().await;
    };
    loop {
        new_slots.come().await;
        add();
    }
}

fn options(settings: &Settings) -> ServeOptions {
    ServeOptions {
        max_clients: settings.max_viewers * CONNECTIONS_EACH + MORE_CONNECTIONS,
        ..ServeOptions::default()
    }
}
