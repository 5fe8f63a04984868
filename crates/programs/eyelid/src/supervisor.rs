//! Starts the programs when somebody connects or opens a slot's frame, again when they die, and ends them when nobody is
//! there.

use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, bail};
use eyelid_daemon::manager;
use eyelid_slot::{Phase, Reader};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use crate::arguments::Arguments;
use crate::asleep::Asleep;
use crate::health::Health;
use crate::plan::{Camera, Plan};
use crate::program::{Consequence, Program};
use crate::programs::Programs;
use crate::signals::{Order, Signals};
use crate::slots::{Slots, note_refused};
use crate::sockets::Sockets;
use crate::{check, orphans};

/// How long a camera that a reader woke may take to say that it is awake: libcamera takes 2 s on a Raspberry Pi.
const WAKING: Duration = Duration::from_secs(10);

/// How often it is looked whether a camera is still awake, while no server runs.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps the programs.
pub(crate) struct Supervisor<'a> {
    arguments: Arguments,
    plan: Plan,
    programs: Programs,
    slots: &'a mut Slots,
    sockets: &'a Sockets,
    health: &'a Health,
    signals: Signals,
    server: Program,
    captures: Vec<Capture>,
}

/// The program of one camera.
struct Capture {
    program: Program,
    slot: PathBuf,
}

/// What starts the programs.
#[derive(Debug)]
enum Woken {
    /// Somebody connects: the server is wanted, and the cameras.
    Connection,
    /// Somebody opened a slot's frame: only the cameras are wanted.
    Reader,
}

/// Why the programs were ended.
enum Ended {
    Idle,
    Told,
}

impl<'a> Supervisor<'a> {
    /// Prepares for running what `plan` says, which was made of `arguments`.
    pub(crate) fn new(
        arguments: Arguments,
        plan: Plan,
        programs: Programs,
        slots: &'a mut Slots,
        sockets: &'a Sockets,
        health: &'a Health,
        signals: Signals,
    ) -> Self {
        let server = Program::new(
            "eyelid-server".into(),
            programs.server.clone(),
            plan.server_arguments(slots.path()),
        );
        let cameras = plan.cameras.iter();
        let captures = cameras
            .map(|camera| Capture::new(&plan, camera, &programs, slots))
            .collect();
        Self {
            arguments,
            plan,
            programs,
            slots,
            sockets,
            health,
            signals,
            server,
            captures,
        }
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// A program that cannot be started, or a server that refuses its configuration. All others have ended then.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        orphans::adopt();
        while let Some(woken) = self.wait_for_somebody().await? {
            log::debug!("woken by a {woken:?}");
            let ended = self.keep_running(woken).await;
            self.end_all().await;
            self.health.server_ended();
            match ended? {
                Ended::Told => return Ok(()),
                Ended::Idle => {
                    log::info!("nobody looks: server and camera have ended until somebody does")
                }
            }
        }
        Ok(())
    }

    /// Waits, while nothing runs, for somebody who looks. `None` if a signal ends it.
    async fn wait_for_somebody(&mut self) -> anyhow::Result<Option<Woken>> {
        let mut asleep = self.lay_cards();
        loop {
            self.reap();
            let woken = tokio::select! {
                order = self.signals.next() => {
                    match order {
                        Order::End => return Ok(None),
                        Order::Reload => {
                            drop(asleep);
                            self.reload().await;
                            asleep = self.lay_cards();
                        }
                        Order::Reap => {}
                    }
                    continue;
                }
                knocked = self.sockets.knock() => knocked.map(|()| Woken::Connection),
                opened = asleep.opened() => opened.map(|()| Woken::Reader),
            };
            return Ok(Some(
                woken.context("cannot wait for connections and readers")?,
            ));
        }
    }

    fn lay_cards(&self) -> Asleep {
        let slots = self.captures.iter().map(|capture| capture.slot.as_path());
        Asleep::new(slots)
    }

    /// Keeps all programs running until the server has ended for want of connections, and no camera is awake for somebody
    /// who reads its slot.
    async fn keep_running(&mut self, woken: Woken) -> anyhow::Result<Ended> {
        let mut awake_until = Instant::now();
        match woken {
            Woken::Connection => self.start_server()?,
            Woken::Reader => awake_until += WAKING,
        }
        self.start_captures()?;
        loop {
            self.reap();
            let is_served = !self.server.is_down();
            tokio::select! {
                order = self.signals.next() => match order {
                    Order::End => return Ok(Ended::Told),
                    Order::Reload => {
                        self.reload().await;
                        self.start_captures()?;
                    }
                    Order::Reap => {}
                },
                status = self.server.event() => match status? {
                    Some(status) if status.success() => {
                        self.server.ended();
                        self.health.server_ended();
                        if !self.is_awake() {
                            return Ok(Ended::Idle);
                        }
                    }
                    Some(status) => {
                        if self.server.died(status) == Consequence::Refused {
                            bail!("{} cannot run with its configuration", self.server.label());
                        }
                        self.health.server_died(status);
                    }
                    None => self.start_server()?,
                },
                knocked = self.sockets.knock(), if !is_served => {
                    knocked.context("cannot wait for connections")?;
                    self.start_server()?;
                }
                () = sleep(LOOK), if !is_served => {
                    if self.is_awake() {
                        awake_until = Instant::now();
                    } else if awake_until <= Instant::now() {
                        return Ok(Ended::Idle);
                    }
                }
                (index, status) = any(&mut self.captures) => match status? {
                    Some(status) => self.captures[index].died(status),
                    None => self.captures[index].program.start(&[])?,
                },
            }
        }
    }

    fn start_server(&mut self) -> anyhow::Result<()> {
        self.server.start(&self.sockets.descriptors())?;
        self.health.server_runs();
        Ok(())
    }

    /// Starts those that neither run nor are about to.
    fn start_captures(&mut self) -> anyhow::Result<()> {
        for capture in &mut self.captures {
            if capture.program.is_down() {
                capture.program.start(&[])?;
            }
        }
        Ok(())
    }

    /// Says whether a camera is awake, by what its program says: that one knows of every reader.
    fn is_awake(&self) -> bool {
        let running = self
            .captures
            .iter()
            .filter(|capture| capture.program.pid().is_some());
        running
            .filter_map(|capture| Reader::new(&capture.slot).state())
            .any(|state| state.state == Phase::Awake)
    }

    fn reap(&self) {
        orphans::reap(|pid| self.all().any(|program| program.pid() == Some(pid)));
    }

    fn all(&self) -> impl Iterator<Item = &Program> {
        let captures = self.captures.iter().map(|capture| &capture.program);
        std::iter::once(&self.server).chain(captures)
    }

    async fn end_all(&mut self) {
        for program in self.all() {
            program.tell(Signal::SIGTERM);
        }
        self.server.wait_for_end().await;
        for capture in &mut self.captures {
            capture.program.wait_for_end().await;
        }
    }

    /// Reads the configuration again and has the programs do so. With one that cannot be used all goes on as it was.
    async fn reload(&mut self) {
        manager::reloading();
        let read = Plan::new(self.arguments.clone()).and_then(|plan| {
            check::check(&plan, &self.programs, self.slots.path())?;
            Ok(plan)
        });
        match read {
            Ok(plan) => self.follow(plan).await,
            Err(error) => log::error!("configuration not used: {error:#}"),
        }
        manager::ready();
    }

    async fn follow(&mut self, mut plan: Plan) {
        self.keep_what_is_fixed(&mut plan);
        let mut before = std::mem::take(&mut self.captures);
        for camera in &plan.cameras {
            let new = Capture::new(&plan, camera, &self.programs, self.slots);
            let same = before.iter().position(|old| old.is_like(&new));
            self.captures.push(match same {
                // It finds out by itself what has changed for it.
                Some(index) => before.swap_remove(index),
                None => new,
            });
        }
        for mut gone in before {
            gone.program.tell(Signal::SIGTERM);
            gone.program.wait_for_end().await;
            if !self.captures.iter().any(|other| other.slot == gone.slot) {
                self.slots.remove(&gone.slot);
            }
        }
        for capture in &self.captures {
            if let Err(error) = self.slots.add(&capture.slot) {
                log::error!("{}: {error:#}", capture.program.label());
            }
        }
        self.plan = plan;
        for program in self.all() {
            program.tell(Signal::SIGHUP);
        }
        log::info!("configuration read again");
    }

    /// Says what has changed that this process, or a server that runs, has for as long as it lives.
    fn keep_what_is_fixed(&mut self, plan: &mut Plan) {
        if plan.listen != self.plan.listen {
            log::warn!("configuration: a change of listen takes a restart of eyelid");
            plan.listen.clone_from(&self.plan.listen);
        }
        if plan.slots != self.plan.slots {
            log::warn!("configuration: a change of slots takes a restart of eyelid");
            plan.slots.clone_from(&self.plan.slots);
        }
        let arguments = plan.server_arguments(self.slots.path());
        if self.server.arguments() != arguments {
            if !self.server.is_down() {
                log::warn!(
                    "configuration: a change of idle-exit is used once the server has ended"
                );
            }
            self.server.set_arguments(arguments);
        }
    }
}

impl Capture {
    fn new(plan: &Plan, camera: &Camera, programs: &Programs, slots: &Slots) -> Self {
        Self {
            program: Program::new(
                format!("eyelid-capture of camera {:?}", camera.name.as_str()),
                programs.capture.clone(),
                plan.capture_arguments(camera, slots.path()),
            ),
            slot: camera.slot(slots.path()),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.slot == other.slot && self.program.arguments() == other.program.arguments()
    }

    /// One camera that cannot be used harms no other: who looks at it is told why, and it is started again with the next
    /// first connection.
    fn died(&mut self, status: ExitStatus) {
        if self.program.died(status) == Consequence::Refused {
            log::error!(
                "{} cannot run with its configuration; it stays failed until that is read again",
                self.program.label()
            );
            note_refused(&self.slot);
        }
    }
}

/// Waits for the first event of several programs.
async fn any(captures: &mut [Capture]) -> (usize, io::Result<Option<ExitStatus>>) {
    let mut events: Vec<_> = captures
        .iter_mut()
        .map(|capture| Box::pin(capture.program.event()))
        .collect();
    poll_fn(|cx| {
        for (index, event) in events.iter_mut().enumerate() {
            if let Poll::Ready(result) = event.as_mut().poll(cx) {
                return Poll::Ready((index, result));
            }
        }
        Poll::Pending
    })
    .await
}
