//! Reading the configuration again.
//!
//! Waits for SIGHUP, and for who takes the settings. Owns the signal. Ends with the program.

use std::convert::Infallible;

use eyelid_daemon::manager;
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;

use crate::settings::BrokerSettings;

/// Hands on what settings there are with each SIGHUP. With such as cannot be used all goes on as it
/// was, and the log says why.
pub(crate) async fn with_each_signal<T>(
    mut hang_ups: Signal,
    read: impl Fn() -> anyhow::Result<T>,
    changes: mpsc::Sender<T>,
) -> Infallible {
    while hang_ups.recv().await.is_some() {
        manager::reloading();
        match read() {
            Ok(settings) => {
                // Fails only where the program ends.
                let _ = changes.send(settings).await;
                log::info!("configuration read again");
            }
            Err(error) => log::error!("configuration not used: {error:#}"),
        }
        manager::ready();
    }
    // No signal can come any more.
    std::future::pending().await
}

/// Says what of the broker's settings is not used before the program is started again.
pub(crate) fn note_fixed(used: &BrokerSettings, read: &BrokerSettings) {
    let fixed = [
        ("connect", used.connect == read.connect),
        ("creds", used.creds == read.creds),
        ("ca", used.ca == read.ca),
    ];
    for (key, is_used) in fixed {
        if !is_used {
            note_restart(key);
        }
    }
}

/// Says that a change of this key is not used yet.
pub(crate) fn note_restart(key: &str) {
    log::warn!("configuration: a change of {key} takes a restart of eyelid-relay");
}
