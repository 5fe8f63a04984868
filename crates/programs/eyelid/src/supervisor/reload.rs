//! Reading the configuration again.

use eyelid_daemon::manager;
use nix::sys::signal::Signal;

use super::Supervisor;
use crate::check;
use crate::jobs::{Job, adopt, end, jobs};
use crate::plan::Plan;
use crate::programs::{RECEIVE, RELAY, Start};

impl Supervisor<'_> {
    /// Reads the configuration again and has the programs do so. With one that cannot be used all
    /// goes on as it was.
    pub(super) async fn reload(&mut self) -> anyhow::Result<()> {
        manager::reloading();
        let read = Plan::new(self.arguments.clone()).and_then(|plan| {
            check::check(&plan, &self.installed, &self.resources.places)?;
            // One that has not changed was asked for at the start, and a program may bind it now.
            if plan.webrtc != self.plan.webrtc {
                check::check_ports(&plan, &self.installed, &[std::process::id()]);
            }
            Ok(plan)
        });
        match read {
            Ok(plan) => self.follow(plan).await,
            Err(error) => log::error!("configuration not used: {error:#}"),
        }
        if self.is_served() {
            self.start(|job| job.program.start == Start::Look && job.process.is_down())?;
        } else {
            self.lay_cards();
        }
        self.start_what_always_runs()?;
        manager::ready();
        Ok(())
    }

    async fn follow(&mut self, mut plan: Plan) {
        self.keep_what_is_fixed(&mut plan);
        let before = std::mem::replace(
            &mut self.jobs,
            jobs(&plan, &self.installed, &self.resources.places),
        );
        let mut gone = adopt(before, &mut self.jobs);
        // The other slots are removed, or are those of cameras that push from now on.
        let slots: Vec<_> = self
            .jobs
            .iter()
            .filter_map(|job| job.slot.as_deref())
            .collect();
        self.cameras.cards.keep(&slots);
        end(gone.iter_mut()).await;
        self.change_slots(&plan);
        self.plan = plan;
        // It reads its configuration when it starts, which it does again at once.
        let relays = self.jobs.iter_mut();
        end(relays.filter(|job| job.program.name == RELAY)).await;
        for job in &self.jobs {
            job.process.signal(Signal::SIGHUP);
        }
        log::info!("configuration read again");
    }

    /// Says what has changed that this process has for as long as it lives.
    fn keep_what_is_fixed(&self, plan: &mut Plan) {
        if plan.listen.addresses != self.plan.listen.addresses {
            log::warn!("configuration: a change of listen takes a restart of eyelid");
            plan.listen.clone_from(&self.plan.listen);
        }
        if plan.pushed.listen != self.plan.pushed.listen {
            log::warn!("configuration: a change of listen in [receive] takes a restart of eyelid");
            plan.pushed.listen.clone_from(&self.plan.pushed.listen);
        }
        if plan.slots != self.plan.slots {
            log::warn!("configuration: a change of slots takes a restart of eyelid");
            plan.slots.clone_from(&self.plan.slots);
        }
    }

    /// Makes the slots of new cameras, and removes those that no camera has any more. Of a camera
    /// that pushed, its program has the slot until it has read the configuration, and empties it
    /// then.
    fn change_slots(&mut self, plan: &Plan) {
        let is_receive = |job: &Job| job.program.name == RECEIVE && !job.process.is_down();
        let receives = self.jobs.iter().any(is_receive);
        let slots = &mut *self.resources.slots;
        let place = slots.path().to_owned();
        let stay: Vec<_> = plan.camera_slots(&place).collect();
        let pushed: Vec<_> = self.plan.pushed.slots(&place).collect();
        for slot in self.plan.camera_slots(&place) {
            if !(stay.contains(&slot) || receives && pushed.contains(&slot)) {
                slots.remove(&slot);
            }
        }
        for slot in stay {
            if let Err(error) = slots.add(&slot) {
                log::error!("{error:#}");
            }
        }
    }
}
