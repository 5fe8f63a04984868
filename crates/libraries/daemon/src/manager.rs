//! What a daemon tells the service manager that started it (sd_notify(3)). Without one, nothing
//! happens.

use std::time::Duration;

use sd_notify::NotifyState;

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

fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        log::debug!("service manager not notified: {error}");
    }
}
