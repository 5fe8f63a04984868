//! The directory of alerts as the page has it: what lies there now, what comes, and the cases that
//! users keep of it.

mod cases;
mod watching;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use eyelid_slot::MAX_FRAME_BYTES;
use tokio::sync::watch;
use tokio::time::sleep;

use super::index::{Arrival, Index, MOST_KNOWN};
use super::query::Query;
use super::rejection::Rejection;
use super::shown::ShownAlert;
use crate::alert::{AlertId, MOST_JSON_BYTES};
use crate::alerts;
use crate::files;
use cases::{Cases, Kept};
use watching::{Came, Watching};

/// How long it takes until a directory that is not there, or cannot be watched, is looked at again.
const AGAIN: Duration = Duration::from_secs(5);

/// How many files are read for one answer: more are left for the next one.
const MOST_READ: usize = 1000;

/// The alerts, and who is told of what comes.
pub(crate) struct Store {
    directory: PathBuf,
    /// Directories whose files say what rules there are and what they are in.
    rules: [PathBuf; 2],
    index: RefCell<Index>,
    cases: Cases,
    /// The number of the next arrival.
    arrivals: watch::Sender<u64>,
    is_watched: Cell<bool>,
}

/// Some alerts, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// The alerts.
    pub(crate) alerts: Vec<ShownAlert>,
    /// Behind this one there are more.
    pub(crate) next: Option<AlertId>,
}

impl Store {
    /// The alerts in this directory. Changes in those of `rules` are told of, too.
    pub(crate) fn new(directory: PathBuf, rules: [PathBuf; 2]) -> Self {
        let index = Index::new(scan(&directory).unwrap_or_default());
        Self {
            cases: Cases::new(directory.join("cases")),
            arrivals: watch::Sender::new(index.now()),
            index: RefCell::new(index),
            directory,
            rules,
            is_watched: Cell::new(false),
        }
    }

    /// Follows what comes, for ever.
    pub(crate) async fn follow(&self) -> Infallible {
        loop {
            if let Err(error) = self.follow_once().await {
                log::debug!("{:?}: {error}", self.directory);
            }
            self.is_watched.set(false);
            sleep(AGAIN).await;
        }
    }

    async fn follow_once(&self) -> io::Result<()> {
        let watching = Watching::new(&self.directory, &self.rules)?;
        // What came before it was watched is found now, and what comes from now on is told of.
        self.look();
        self.is_watched.set(true);
        loop {
            for came in watching.next().await? {
                match came {
                    Came::Alert(id) => self.index.borrow_mut().add(id),
                    Came::Gone(id) => self.index.borrow_mut().remove(&id),
                    Came::Rules => self.index.borrow_mut().note(Arrival::Rules),
                    Came::Anything => self.look(),
                }
            }
            self.tell();
        }
    }

    /// Looks what lies there.
    fn look(&self) {
        match scan(&self.directory) {
            Ok(ids) => self.index.borrow_mut().replace(ids),
            Err(error) => log::debug!("{:?}: {error}", self.directory),
        }
        self.tell();
    }

    fn tell(&self) {
        let now = self.index.borrow().now();
        self.arrivals.send_if_modified(|told| {
            let is_new = *told != now;
            *told = now;
            is_new
        });
    }

    /// Gives a way to wait for what comes.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// What is known of names and arrivals.
    pub(crate) fn index(&self) -> std::cell::Ref<'_, Index> {
        // Nobody is told of what comes while it is not watched: who asks sees it all the same.
        if !self.is_watched.get() {
            self.look();
        }
        self.index.borrow()
    }

    /// Gives the alerts that are asked for.
    pub(crate) fn list(&self, query: &Query) -> Listed {
        let mut listed = Listed::default();
        let mut read = 0;
        let index = self.index();
        let mut last: Option<&AlertId> = None;
        for id in index.before(query.before.as_ref()) {
            if !query.may_take(id) {
                continue;
            }
            if listed.alerts.len() == query.limit || read == MOST_READ {
                listed.next = last.cloned();
                break;
            }
            last = Some(id);
            read += 1;
            let Ok(shown) = self.alert(id) else { continue };
            let alert = shown.alert();
            if query.takes(alert.camera.as_str(), &alert.rule) {
                listed.alerts.push(shown);
            }
        }
        listed
    }

    /// Reads an alert.
    ///
    /// # Errors
    /// What the system said, or that it is none.
    pub(crate) fn alert(&self, id: &AlertId) -> io::Result<ShownAlert> {
        let json = files::read(&self.file(id, "json"), MOST_JSON_BYTES)?;
        Ok(ShownAlert::parse(id, &json, self.cases.has(id))?)
    }

    /// Reads an alert's picture.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn picture(&self, id: &AlertId) -> io::Result<Vec<u8>> {
        files::read(&self.file(id, "jpg"), MAX_FRAME_BYTES as u64)
    }

    /// Keeps an alert as a case, for `user` says that it was wrong.
    ///
    /// # Errors
    /// There is no such alert, or no room.
    pub(crate) fn keep(
        &self,
        id: &AlertId,
        user: &str,
        now: SystemTime,
    ) -> Result<Kept, Rejection> {
        let kept = self.cases.keep(id, &self.directory, user, now)?;
        self.judged(id);
        Ok(kept)
    }

    /// Keeps it no longer.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn let_go(&self, id: &AlertId) -> Result<(), Rejection> {
        self.cases.let_go(id)?;
        self.judged(id);
        Ok(())
    }

    fn judged(&self, id: &AlertId) {
        self.index.borrow_mut().note(Arrival::Judged(id.clone()));
        self.tell();
    }

    fn file(&self, id: &AlertId, kind: &str) -> PathBuf {
        alerts::path(&self.directory, id, kind)
    }
}

/// Reads the name of an alert's own file, whose presence is the alert.
fn id_of_file(name: &str) -> Option<AlertId> {
    name.strip_suffix(".json")?.parse().ok()
}

/// Gives the alerts that lie in a directory, in the order in which they came; of very many, the
/// newest.
fn scan(directory: &Path) -> io::Result<Vec<AlertId>> {
    let mut found = std::collections::BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if let Some(id) = name.to_str().and_then(id_of_file) {
            found.insert(id);
        }
        if found.len() > MOST_KNOWN {
            found.pop_first();
        }
    }
    let came = |id: &AlertId| {
        let file = fs::metadata(alerts::path(directory, id, "json"));
        file.and_then(|file| file.modified()).ok()
    };
    let mut in_order: Vec<_> = found.into_iter().map(|id| (came(&id), id)).collect();
    in_order.sort();
    Ok(in_order.into_iter().map(|(_, id)| id).collect())
}

#[cfg(test)]
mod tests;
