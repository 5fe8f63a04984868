//! What must not be lost, nor told twice, whoever is killed when: the state of a camera's rules,
//! its alerts, and who is to be told of them, brought to the disk in an order that can be gone on
//! with from any point.
//!
//! 1. The pictures, and those from before: without an alert they are none.
//! 2. The state of the rules, as it is with these alerts, and the alerts themselves in it,
//!    *pending*. From here on they are made; up to here nothing has happened, and the rules will
//!    come to them again.
//! 3. The alerts' own files, and what is to be told of them.
//! 4. The state again, with nothing pending. Only now anybody is told.
//!
//! Who finds pending alerts in the state does 3 again, which changes nothing where it was done.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use eyelid_daemon::LogLimit;
use eyelid_slot::CameraName;

use crate::alert::Alert;
use crate::alerts::{Alerts, Bounds, ClockCheck, Expiry};
use crate::earlier::Earlier;
use crate::files;
use crate::moment::{Moment, boot_id};
use crate::notify::Outbox;
use crate::rules::{CameraRules, MOST_BYTES, Pending, Saved};

/// How often what is remembered is written down anew although nothing changes: what this program
/// knows of times is wrong by as much, after it was killed and the clock set.
const EVERY: Duration = Duration::from_secs(30);

/// An alert that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Recorded<'a> {
    pub(crate) alert: Alert,
    /// The very picture that was judged.
    pub(crate) jpeg: Option<&'a [u8]>,
    /// What was before that.
    pub(crate) earlier: Vec<Earlier>,
    /// The ways in which it is to be told.
    pub(crate) ways: Vec<String>,
}

/// Why nothing can be written down at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// Another process does.
    #[error("{0:?}: another eyelid-watch watches this camera (end that, or give another --state)")]
    Taken(PathBuf),
    /// The system refuses.
    #[error("{0:?}: {1} (the watcher must own it)")]
    Io(PathBuf, io::Error),
}

/// The files of one camera's watcher.
#[derive(Debug)]
pub(crate) struct Ledger {
    camera: CameraName,
    state: PathBuf,
    alerts: Alerts,
    outbox: Arc<Mutex<Outbox>>,
    boot: String,
    clock: ClockCheck,
    /// When alerts are looked at for their age.
    expiry: Expiry,
    /// What others wrote into the state's file.
    more: serde_json::Map<String, serde_json::Value>,
    saved: Option<Moment>,
    /// Why rules of the page are not watched for.
    made_rules: Option<String>,
    /// That is not written down yet.
    is_news: bool,
    /// The last state could not be written.
    is_behind: bool,
    refused: LogLimit,
    /// Locked for as long as this lives.
    _lock: File,
    #[cfg(test)]
    steps_left: Option<u32>,
}

impl Ledger {
    /// Opens the files of a camera below the directory of states, and finishes what another run of
    /// this program began. Gives the state that the rules go on with, and what is to be told;
    /// `ways` are the names of those that are configured.
    ///
    /// # Errors
    /// See [`LedgerError`]. A state that cannot be read is no error but an empty one.
    pub(crate) fn open(
        camera: &CameraName,
        states: &Path,
        alerts: Alerts,
        ways: &[String],
        now: Moment,
    ) -> Result<(Self, Option<Saved>), LedgerError> {
        let boot = boot_id();
        let outbox = states.join(format!("{}.outbox", camera.as_str()));
        let refused = |path: &Path| {
            let path = path.to_owned();
            |error| LedgerError::Io(path, error)
        };
        let outbox_files = Outbox::open(outbox.clone(), &boot, ways).map_err(refused(&outbox))?;
        let lock = File::open(&outbox).map_err(refused(&outbox))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::Taken(outbox)),
            Err(TryLockError::Error(error)) => return Err(refused(&outbox)(error)),
        }
        let state = states.join(format!("{}.json", camera.as_str()));
        let mut saved = read(&state);
        let mut ledger = Self {
            camera: camera.clone(),
            state,
            alerts,
            outbox: Arc::new(Mutex::new(outbox_files)),
            boot,
            clock: ClockCheck::new(now),
            expiry: Expiry::default(),
            more: saved
                .as_ref()
                .map(|saved| saved.more.clone())
                .unwrap_or_default(),
            saved: None,
            made_rules: None,
            is_news: false,
            is_behind: false,
            refused: LogLimit::new(1, Duration::from_secs(3600)),
            _lock: lock,
            #[cfg(test)]
            steps_left: None,
        };
        if ledger.alerts.are_all_too_old(now.wall) {
            // Nobody has watched for as long, or the clock is wrong, as that of a machine without a
            // battery may be until it is set.
            ledger.clock.doubt(now);
        }
        if let Some(saved) = &mut saved {
            ledger.finish(saved, now);
        }
        Ok((ledger, saved))
    }

    /// What is to be told, for who tells it.
    pub(crate) fn outbox(&self) -> Arc<Mutex<Outbox>> {
        self.outbox.clone()
    }

    fn outbox_now(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps alerts within these bounds from now on.
    pub(crate) fn set_bounds(&mut self, bounds: Bounds) {
        self.alerts = Alerts::new(self.alerts.directory().to_owned(), bounds);
        self.expiry = Expiry::default();
    }

    /// Has the next state say why rules of the page are not watched for, if they are not. Says
    /// whether that is another reason than before.
    pub(crate) fn say_of_made_rules(&mut self, untold: Option<String>) -> bool {
        let is_news = self.made_rules != untold;
        self.is_news |= is_news;
        self.made_rules = untold;
        is_news
    }

    /// How long until [`Self::keep`] is to look at alerts for their age.
    pub(crate) fn until_expiry(&self, now: Moment) -> Duration {
        self.expiry.until(now)
    }

    /// Has these ways to tell from now on.
    pub(crate) fn set_ways(&self, ways: &[String]) {
        self.outbox_now().set_ways(ways);
    }

    /// Writes the state down if it has changed, or was written long ago and goes on. Says what
    /// could not be done in the log, and tries again the next time. Removes alerts that have become
    /// too old.
    pub(crate) fn keep(&mut self, rules: &mut CameraRules, now: Moment) {
        if self.expiry.until(now).is_zero() {
            self.make_room(0, now);
        }
        let is_old = self
            .saved
            .is_none_or(|saved| now.monotonic.since(saved.monotonic) >= EVERY);
        let is_changed = rules.take_changed() | std::mem::take(&mut self.is_news);
        if is_changed || (is_old && (rules.is_remembering() || self.is_behind)) {
            self.save(rules, Vec::new(), now);
        }
    }

    /// Makes alerts, which `rules` has just come to, and lets them be told. Gives them as they are
    /// made: a full disk leaves no room for some pictures, and nothing else is lost with it.
    pub(crate) fn record(
        &mut self,
        rules: &mut CameraRules,
        new: Vec<Recorded<'_>>,
        now: Moment,
    ) -> Vec<Alert> {
        rules.take_changed();
        let mut pending = Vec::new();
        for Recorded {
            mut alert,
            jpeg,
            earlier,
            ways,
        } in new
        {
            let bytes = jpeg.map_or(0, <[u8]>::len) as u64 + 4096;
            let bytes = bytes + earlier.iter().map(|it| it.jpeg.len() as u64).sum::<u64>();
            self.make_room(bytes, now);
            self.alerts.name(&mut alert);
            self.expiry.added(self.alerts.expires(alert.at));
            alert.picture = jpeg.is_some_and(|jpeg| {
                let written = self.alerts.write_picture(&alert.id, jpeg);
                self.has_written("an alert's picture", written)
            });
            if alert.picture && !earlier.is_empty() {
                let written = self.alerts.write_earlier(&alert.id, &earlier);
                self.has_written("the pictures before an alert's", written);
            }
            pending.push(Pending {
                alert,
                notify: ways,
            });
        }
        let alerts = pending
            .iter()
            .map(|pending| pending.alert.clone())
            .collect();
        if self.is_dead() {
            return alerts;
        }
        self.save(rules, pending.clone(), now);
        if self.is_dead() {
            return alerts;
        }
        let to_be_told = self.make(&pending, now);
        if self.is_dead() {
            return alerts;
        }
        self.save(rules, Vec::new(), now);
        if !self.is_dead() {
            self.outbox_now().add(to_be_told);
        }
        alerts
    }

    /// Keeps the alerts' bounds, where so many bytes more are to come.
    fn make_room(&mut self, bytes: u64, now: Moment) {
        let clock = self.clock.look(now);
        // The directory need not be there yet.
        let oldest = self.alerts.make_room(bytes, now.wall, clock);
        self.expiry = Expiry::looked(now, oldest.unwrap_or_default(), clock);
    }

    /// Does what is left of alerts that were made when this program was ended.
    fn finish(&mut self, saved: &mut Saved, now: Moment) {
        let mut pending = std::mem::take(&mut saved.pending);
        if pending.is_empty() {
            return;
        }
        for Pending { alert, .. } in &mut pending {
            alert.picture &= self.alerts.has(&alert.id).1;
            log::info!("alert {}: was made when this program ended last", alert.id);
        }
        let to_be_told = self.make(&pending, now);
        if self.is_dead() {
            return;
        }
        let written = files::replace(&self.state, &saved.to_json());
        self.is_behind = !self.has_written("the state of the rules", written);
        if !self.is_dead() {
            self.outbox_now().add(to_be_told);
        }
    }

    /// Writes alerts' files, and what is to be told of them.
    fn make(&mut self, pending: &[Pending], now: Moment) -> Vec<crate::notify::Entry> {
        let mut to_be_told = Vec::new();
        for Pending { alert, notify } in pending {
            if self.is_dead() {
                return to_be_told;
            }
            if !self.alerts.has(&alert.id).0 {
                let written = self.alerts.write(alert);
                self.has_written("an alert", written);
            }
            if self.is_dead() {
                return to_be_told;
            }
            let (new, written) = self.outbox_now().write(alert, notify, now);
            self.has_written("what is to be told", written);
            to_be_told.extend(new);
        }
        to_be_told
    }

    fn save(&mut self, rules: &CameraRules, pending: Vec<Pending>, now: Moment) {
        let mut saved = rules.save(self.camera.as_str(), &self.boot, now);
        saved.pending = pending;
        saved.made_rules.clone_from(&self.made_rules);
        saved.more.clone_from(&self.more);
        let written = files::replace(&self.state, &saved.to_json());
        self.is_behind = !self.has_written("the state of the rules", written);
        self.saved = Some(now);
    }

    /// Says in the log what could not be written, once an hour, and whether it was.
    fn has_written(&self, what: &str, written: io::Result<()>) -> bool {
        let Err(error) = written else {
            return true;
        };
        if let Some(suppressed) = self.refused.allow(Instant::now()) {
            let camera = self.camera.as_str();
            log::warn!(
                "camera {camera:?}: {what} cannot be written: {error}; alerts are told without \
                 what is missing, and may be told again after a restart{suppressed}"
            );
        }
        false
    }

    /// Tests end it between any two steps.
    #[cfg(test)]
    fn is_dead(&mut self) -> bool {
        match &mut self.steps_left {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    #[cfg(not(test))]
    fn is_dead(&self) -> bool {
        false
    }
}

/// Reads a state. One that is torn or strange is none.
fn read(path: &Path) -> Option<Saved> {
    let json = match files::read(path, MOST_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        json => json,
    };
    let parsed = json.map_err(|error| error.to_string());
    let parsed = parsed.and_then(|json| Saved::parse(&json).map_err(|error| error.to_string()));
    match parsed {
        Ok(saved) => Some(saved),
        Err(error) => {
            log::warn!("{path:?}: {error}; it begins anew, and may alert of what stands again");
            // Kept for who wants to know; it is replaced with the next one.
            let _ = fs::rename(path, path.with_extension("json.bad"));
            None
        }
    }
}

#[cfg(test)]
mod hour_tests;
#[cfg(test)]
mod tests;
