//! What a daemon tells the service manager that started it (sd_notify(3)), and is told by it.
//! Without one, nothing happens.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use sd_notify::NotifyState;

/// What systemd says of `RuntimeDirectory=` (systemd.exec(5)).
const RUNTIME_DIRECTORY: &str = "RUNTIME_DIRECTORY";

/// Says that the program does its work from now on.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Says that the program reads its configuration again; [`ready`] says that it has
/// (systemd.service(5), notify-reload).
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => log::debug!("service manager not notified: {error}"),
    }
}

/// Says that the program is about to end.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Says that the program has made progress.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// How often [`alive`] is to be called at least: half of what the manager waits for
/// (sd_watchdog_enabled(3) advises so). `None` where no watchdog watches.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 2)
}

/// Gives the directories that the manager has made for the program, in their order.
pub fn runtime_directories() -> Vec<PathBuf> {
    let all = env::var_os(RUNTIME_DIRECTORY);
    // With colons between, as in PATH.
    all.iter().flat_map(env::split_paths).collect()
}

fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        log::debug!("service manager not notified: {error}");
    }
}
