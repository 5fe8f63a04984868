//! The destinations that there are now: each has a task, and none waits for another.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use eyelid_figures::DestinationFigures;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::app::App;
use crate::destinations::DestinationSettings;
use crate::push::Push;

/// How long a word at the end may take, which is one packet.
const DRAIN: Duration = Duration::from_millis(200);

/// All destinations.
#[derive(Default)]
pub(crate) struct Pushes {
    running: RefCell<Vec<(Rc<Push>, AbortHandle)>>,
    tasks: RefCell<JoinSet<()>>,
}

impl Pushes {
    /// Sends to these, and to no others. One whose settings are as they were is not disturbed.
    pub(crate) fn set(&self, app: &Rc<App>, all: &[DestinationSettings]) {
        let mut running = self.running.borrow_mut();
        running.retain(|(destination, task)| {
            let stays = all.contains(&destination.settings);
            if !stays {
                destination.is_dropped.set(true);
                // A player may end at a farewell, though another stream goes there from now on.
                let is_taken_over = all.iter().any(|next| next.to == destination.settings.to);
                if is_taken_over || !destination.leave() {
                    task.abort();
                }
            }
            stays
        });
        for settings in all {
            if running.iter().any(|(known, _)| known.settings == *settings) {
                continue;
            }
            let destination = match Push::new(settings.clone()) {
                Ok(destination) => Rc::new(destination),
                Err(error) => {
                    let to = &settings.to;
                    log::error!("nothing is sent to {to}: {error:#}");
                    continue;
                }
            };
            let (app, sent) = (app.clone(), destination.clone());
            let task = async move { sent.run(&app).await };
            let handle = self.tasks.borrow_mut().spawn_local(task);
            running.push((destination, handle));
        }
    }

    /// Gives the first that `is_meant`.
    pub(crate) fn find(&self, is_meant: impl Fn(&Push) -> bool) -> Option<Rc<Push>> {
        let running = self.running.borrow();
        let mut destinations = running.iter().map(|(destination, _)| destination);
        destinations.find(|it| is_meant(it)).cloned()
    }

    /// How many send to this host and are refused.
    pub(crate) fn count_refused_by(&self, host: IpAddr) -> u32 {
        let running = self.running.borrow();
        let refused = running.iter().filter(|(it, _)| it.is_refused_by(host));
        refused.count() as u32
    }

    /// What is so of each now.
    pub(crate) fn figures(&self) -> Vec<DestinationFigures> {
        let running = self.running.borrow();
        running.iter().map(|(push, _)| push.figures()).collect()
    }

    /// Waits until all have told their receivers that the program ends; but not for long.
    pub(crate) async fn drain(&self) {
        let mut tasks = self.tasks.take();
        let all = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(DRAIN, all).await;
    }
}
