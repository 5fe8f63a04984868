//! What is to run under a plan, and what runs of it.

use std::path::PathBuf;

use eyelid_slot::{Phase, Reader, is_placeholder};
use nix::sys::signal::Signal;

use crate::installed::Installed;
use crate::plan::Plan;
use crate::process::Process;
use crate::programs::{Instance, Places, Program, Start};
use crate::waking::{Seen, Waking};

/// A process of one of the programs.
#[derive(Debug)]
pub(crate) struct Job {
    /// The program.
    pub(crate) program: &'static Program,
    /// The process.
    pub(crate) process: Process,
    /// The slot that it fills, if it does.
    pub(crate) slot: Option<PathBuf>,
    /// It cannot run with its configuration, and is not started before that is read again.
    pub(crate) is_refused: bool,
    /// Until when its camera is waited for.
    pub(crate) waking: Waking,
}

impl Job {
    fn new(program: &'static Program, instance: Instance, installed: &Installed) -> Self {
        let path = installed.path(program.name);
        Self {
            program,
            process: Process::new(instance.label, path, instance.arguments),
            slot: instance.slot,
            is_refused: false,
            waking: Waking::default(),
        }
    }

    /// The name of the sockets at which a connection is to start it, if it does not run.
    pub(crate) fn closed_door(&self) -> Option<&'static str> {
        match self.program.start {
            Start::Door(name) if self.process.is_down() => Some(name),
            _ => None,
        }
    }

    /// What is seen of its camera.
    pub(crate) fn seen(&self) -> Seen {
        let (Some(slot), Some(_)) = (&self.slot, self.process.pid()) else {
            return Seen::Nothing;
        };
        let reader = Reader::new(slot);
        // The producer says that it is awake before it publishes a frame. Asked for in the other
        // order, one that wakes meanwhile would be taken for one that is awake no longer.
        let has_frame = reader.captured().is_some_and(|at| !is_placeholder(at));
        match reader.state() {
            Some(state) if state.state == Phase::Awake => Seen::Awake,
            _ if has_frame => Seen::BeenAwake,
            _ => Seen::Nothing,
        }
    }

    /// Says whether its process may be kept for the job `other` of a new plan. The process reads
    /// the configuration again by itself; but a camera's arguments were given when it started, and
    /// must be the same.
    fn goes_on_as(&self, other: &Self) -> bool {
        let same_program = self.process.label() == other.process.label() && self.slot == other.slot;
        match self.program.start {
            Start::Connection | Start::Door(_) | Start::Table(_) => same_program,
            Start::Look => same_program && self.process.arguments() == other.process.arguments(),
        }
    }
}

/// Everything that is to run under a plan.
pub(crate) fn jobs(plan: &Plan, installed: &Installed, places: &Places) -> Vec<Job> {
    let mut jobs = Vec::new();
    for program in installed.programs() {
        let instances = program.instances(plan, places);
        let of_instance = |instance| Job::new(program, instance, installed);
        jobs.extend(instances.into_iter().map(of_instance));
    }
    jobs
}

/// Ends jobs: all are signalled before the first is waited for.
pub(crate) async fn end<'j>(jobs: impl Iterator<Item = &'j mut Job>) {
    let mut signalled: Vec<_> = jobs.collect();
    for job in &signalled {
        job.process.signal(Signal::SIGTERM);
    }
    for job in &mut signalled {
        job.process.wait_for_end().await;
    }
}

/// Has the jobs of a new plan go on with the processes of those `before` where they can. Gives
/// those that have no place in the new plan.
pub(crate) fn adopt(before: Vec<Job>, jobs: &mut [Job]) -> Vec<Job> {
    let mut before = before;
    for job in jobs {
        let Some(index) = before.iter().position(|old| old.goes_on_as(job)) else {
            continue;
        };
        let mut old = before.swap_remove(index);
        let arguments = job.process.arguments().to_vec();
        if old.process.arguments() != arguments {
            if !old.process.is_down() {
                log::warn!(
                    "configuration: a change of idle-exit is used once {} has ended",
                    job.process.label()
                );
            }
            old.process.set_arguments(arguments);
        }
        job.process = old.process;
        job.waking = old.waking;
    }
    before
}
