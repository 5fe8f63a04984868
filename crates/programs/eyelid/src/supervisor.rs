//! Starts the programs when somebody connects or opens a slot's frame, again when they die, and
//! ends them when nobody is there.

mod reload;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, bail};
use eyelid_daemon::timer::at;
use tokio::time::Instant;

use crate::arguments::Arguments;
use crate::asleep::Asleep;
use crate::doors::Doors;
use crate::health::Health;
use crate::installed::Installed;
use crate::jobs::{Job, end, jobs};
use crate::orphans;
use crate::plan::Plan;
use crate::process::Consequence;
use crate::programs::{Places, Start};
use crate::signals::{SignalStream, Signalled};
use crate::slots::{Slots, note_refused};
use crate::sockets::Sockets;
use crate::spawn::{Inherited, Password};
use crate::waking::{Waking, is_one_wanted};

/// How often it is looked whether a camera is still awake, while no server runs.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps the programs.
pub(crate) struct Supervisor<'a> {
    arguments: Arguments,
    plan: Plan,
    installed: Installed,
    resources: Resources<'a>,
    signals: SignalStream,
    jobs: Vec<Job>,
    cameras: Cameras,
}

/// What this process has for as long as it lives.
pub(crate) struct Resources<'a> {
    /// Where things are.
    pub(crate) places: Places,
    /// The slots directory.
    pub(crate) slots: &'a mut Slots,
    /// The sockets that clients of the server connect to.
    pub(crate) sockets: &'a Sockets,
    /// The sockets of all others.
    pub(crate) doors: &'a Doors,
    /// What is known of the programs that people connect to.
    pub(crate) health: &'a Health,
}

/// Whether the programs run that fill the slots.
struct Cameras {
    /// What lies in the slots of those that do not.
    cards: Asleep,
    /// When to look next whether one of the cameras is awake, while no server runs; `None` while
    /// they are at rest: nobody has looked since.
    look_at: Option<Instant>,
}

/// What the supervisor waits for.
#[derive(Debug)]
enum Event {
    /// A signal has come.
    Signal(Signalled),
    /// Somebody connects: the server is wanted, and the cameras.
    Connection,
    /// Somebody opened the frame of this slot: only that camera is wanted.
    Look(PathBuf),
    /// A connection waits for the program whose door has this name.
    Door(&'static str),
    /// It is time to start something again, or to look whether a camera is awake.
    Time,
}

impl<'a> Supervisor<'a> {
    /// Prepares for running what `plan` says, which was made of `arguments`.
    pub(crate) fn new(
        arguments: Arguments,
        plan: Plan,
        installed: Installed,
        resources: Resources<'a>,
        signals: SignalStream,
    ) -> Self {
        Self {
            jobs: jobs(&plan, &installed, &resources.places),
            arguments,
            plan,
            installed,
            resources,
            signals,
            cameras: Cameras {
                cards: Asleep::default(),
                look_at: None,
            },
        }
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// A program that cannot be started, or a server that refuses its configuration. All others
    /// have ended then.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        orphans::adopt();
        self.lay_cards();
        let ended = match self.start_what_always_runs() {
            Ok(()) => self.supervise().await,
            error => error,
        };
        end(self.jobs.iter_mut()).await;
        ended
    }

    async fn supervise(&mut self) -> anyhow::Result<()> {
        loop {
            self.take_note_of_exits()?;
            self.start_what_is_due()?;
            if self.is_idle() {
                self.rest().await;
            }
            let event = self.next_event().await;
            match event.context("cannot wait for connections and readers")? {
                Event::Signal(Signalled::End) => return Ok(()),
                Event::Signal(Signalled::Reload) => self.reload().await?,
                Event::Signal(Signalled::ChildEnded) | Event::Time => {}
                Event::Door(name) => self.open(name)?,
                Event::Connection => self.serve()?,
                Event::Look(slot) => self.wake(&slot)?,
            }
        }
    }

    async fn next_event(&mut self) -> io::Result<Event> {
        let is_served = self.is_served();
        let look_at = self.cameras.look_at.filter(|_| !is_served);
        let due = self.jobs.iter().filter_map(|job| job.process.due());
        let time = due.chain(look_at).min();
        let down: Vec<_> = self.jobs.iter().filter_map(Job::closed_door).collect();
        tokio::select! {
            signalled = self.signals.next() => Ok(Event::Signal(signalled)),
            ready = self.resources.sockets.wait_for_connection(), if !is_served => {
                ready.map(|()| Event::Connection)
            }
            opened = self.cameras.cards.opened() => opened.map(Event::Look),
            door = self.resources.doors.wait_for_connection(&down) => door.map(Event::Door),
            () = at(time) => Ok(Event::Time),
        }
    }

    /// Takes note of the programs that have ended, and of the orphans.
    fn take_note_of_exits(&mut self) -> anyhow::Result<()> {
        for index in 0..self.jobs.len() {
            if let Some(status) = self.jobs[index].process.exit_status()? {
                self.take_note_of_exit(index, status)?;
            }
        }
        // One that has ended meanwhile is left to the next call, and a signal tells of it.
        orphans::reap(|pid| self.jobs.iter().any(|job| job.process.pid() == Some(pid)));
        Ok(())
    }

    fn take_note_of_exit(&mut self, index: usize, status: ExitStatus) -> anyhow::Result<()> {
        let Job {
            program,
            process,
            slot,
            is_refused,
            ..
        } = &mut self.jobs[index];
        match program.start {
            Start::Connection if status.success() => {
                process.ended();
                self.resources.health.ended(program.name);
                self.cameras.look_at = Some(Instant::now());
            }
            Start::Connection => {
                if process.exited(status) == Consequence::Refused {
                    bail!("{} cannot run with its configuration", process.label());
                }
                self.resources.health.exited(program.name, status);
            }
            // One camera that cannot be used harms no other: who looks at it is told why, and it is
            // started again with the next first connection.
            Start::Look => {
                if process.exited(status) == Consequence::Refused {
                    log::error!(
                        "{} cannot run with its configuration; it stays failed until that is read again",
                        process.label()
                    );
                    if let Some(slot) = slot {
                        note_refused(slot);
                    }
                }
            }
            Start::Table(_) => {
                if process.exited(status) == Consequence::Refused {
                    log::error!(
                        "{} cannot run with its configuration; it does not until that is read again",
                        process.label()
                    );
                }
            }
            Start::Door(_) if status.success() => {
                process.ended();
                self.resources.health.ended(program.name);
            }
            Start::Door(door) => {
                self.resources.health.ended(program.name);
                if process.exited(status) == Consequence::Refused {
                    log::error!(
                        "{} cannot run with its configuration; it takes nobody over until that is read again",
                        process.label()
                    );
                    *is_refused = true;
                } else if self.resources.doors.has_port(door) {
                    self.resources.health.exited(program.name, status);
                }
            }
        }
        Ok(())
    }

    fn start_what_is_due(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let is_due = |job: &Job| job.process.due().is_some_and(|due| due <= now);
        for job in self.jobs.iter_mut().filter(|job| is_due(job)) {
            // It has rested: the next connection starts it, which may be waiting already.
            if let Start::Door(_) = job.program.start {
                job.process.ended();
                self.resources.health.ended(job.program.name);
            }
        }
        self.start(is_due)
    }

    /// Starts the program for which a connection waits.
    fn open(&mut self, name: &'static str) -> anyhow::Result<()> {
        let is_it = |job: &Job| job.program.start == Start::Door(name);
        if self.jobs.iter().any(|job| is_it(job) && job.is_refused) {
            self.resources.doors.turn_away(name);
            return Ok(());
        }
        log::debug!("woken by a connection for {name}");
        self.start(is_it)
    }

    /// Starts the server, to which somebody connects, and the programs of all cameras: which of
    /// them is meant is known when the server has read the request, and its program is to be ready
    /// then. The others' cameras sleep on.
    fn serve(&mut self) -> anyhow::Result<()> {
        log::debug!("woken by a connection");
        self.cameras.cards.leave();
        self.cameras.look_at = Some(Instant::now() + LOOK);
        self.start(|job| job.program.start == Start::Look && job.process.is_down())?;
        self.start(|job| job.program.start == Start::Connection && job.process.is_down())
    }

    /// Starts the camera of this slot, whose frame somebody has opened.
    fn wake(&mut self, slot: &Path) -> anyhow::Result<()> {
        log::debug!("woken by a look at {slot:?}");
        let now = Instant::now();
        self.cameras.look_at = Some(now + LOOK);
        let is_meant =
            |job: &Job| job.program.start == Start::Look && job.slot.as_deref() == Some(slot);
        for job in self.jobs.iter_mut().filter(|job| is_meant(job)) {
            job.waking = Waking::woken(now);
        }
        self.start(|job| is_meant(job) && job.process.is_down())
    }

    /// Starts what runs for as long as this program does.
    fn start_what_always_runs(&mut self) -> anyhow::Result<()> {
        self.start(|job| matches!(job.program.start, Start::Table(_)) && job.process.is_down())
    }

    fn start(&mut self, is_wanted: impl Fn(&Job) -> bool) -> anyhow::Result<()> {
        for job in self.jobs.iter_mut().filter(|job| is_wanted(job)) {
            match job.program.start {
                Start::Connection => {
                    let sockets = self.resources.sockets.descriptors().into_iter();
                    job.process.start(&Inherited {
                        sockets: sockets.map(|socket| ("http", socket)).collect(),
                        password: Password::Given,
                    })?;
                    self.resources.health.runs(job.program.name);
                }
                Start::Look | Start::Table(_) => job.process.start(&Inherited {
                    sockets: Vec::new(),
                    password: Password::Withheld,
                })?,
                Start::Door(name) => {
                    job.process.start(&Inherited {
                        sockets: self.resources.doors.sockets(name),
                        password: Password::Withheld,
                    })?;
                    if self.resources.doors.has_port(name) {
                        self.resources.health.runs(job.program.name);
                    }
                }
            }
        }
        Ok(())
    }

    /// Says whether a server runs, or is about to.
    fn is_served(&self) -> bool {
        let mut servers = self.jobs.iter();
        servers.any(|job| job.program.start == Start::Connection && !job.process.is_down())
    }

    /// Says whether the server has ended for want of connections, and no camera is awake, or about
    /// to be, for somebody who reads its slot.
    fn is_idle(&mut self) -> bool {
        let now = Instant::now();
        if self.is_served() || self.cameras.look_at.is_none_or(|at| now < at) {
            return false;
        }
        self.cameras.look_at = Some(now + LOOK);
        let seen = self.jobs.iter_mut().map(|job| {
            let seen = job.seen();
            (&mut job.waking, seen)
        });
        !is_one_wanted(seen, now)
    }

    /// Ends what runs while somebody looks.
    async fn rest(&mut self) {
        let cameras = self.jobs.iter_mut();
        end(cameras.filter(|job| job.program.start == Start::Look)).await;
        log::info!("nobody looks: server and camera have ended until somebody does");
        self.lay_cards();
        self.cameras.look_at = None;
    }

    /// Has cards lie in the slots of the cameras whose programs do not run.
    fn lay_cards(&mut self) {
        let down = self.jobs.iter().filter(|job| job.process.is_down());
        let slots: Vec<_> = down.filter_map(|job| job.slot.as_deref()).collect();
        self.cameras.cards.lay(&slots);
    }
}
