//! The programs that are measured, and what the kernel says of them.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::Args;
use eyelid_bench::picture::{Picture, Spec};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::multipart::Moment;
use crate::viewers::Viewers;

/// Where the server runs, and where everything else does: two cores, so that neither waits for the
/// other.
pub(crate) const SERVER: Cores = Cores::One(0);
pub(crate) const REST: Cores = Cores::One(1);

/// What is preloaded into a program to have it see the camera.
const PRETENDED_CAMERA: &str = "pretended_camera.so";

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a program may run.
#[derive(Clone, Copy)]
pub(crate) enum Cores {
    One(usize),
    All,
}

/// A server of others, which `bench/run` could start here if it is installed (`bench/peers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// What clients of its stream ask for.
    pub(crate) target: &'static str,
}

/// All that there may be.
pub(crate) const PEERS: [Peer; 2] = [
    Peer {
        name: "ustreamer",
        target: "/stream",
    },
    Peer {
        name: "mjpg-streamer",
        target: "/?action=stream",
    },
];

/// Where the programs are.
#[derive(Args)]
pub(crate) struct Programs {
    /// Directory of eyelid, eyelid-server, eyelid-capture and eyelid-receive
    #[arg(long, value_name = "DIR")]
    bin: PathBuf,
}

/// A running program; told to end when dropped.
pub(crate) struct Program {
    child: Child,
    /// Kept so that what it writes has somewhere to go.
    output: Option<Box<dyn Read + Send + Sync>>,
}

impl Programs {
    /// Where one of them is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Starts `eyelid-server` on a port of its own.
    pub(crate) fn server(
        &self,
        slots: &Path,
        cores: Cores,
    ) -> anyhow::Result<(Program, SocketAddr)> {
        let mut command = Command::new(self.bin.join("eyelid-server"));
        command
            .args(["--listen", "127.0.0.1:0", "--slots"])
            .arg(slots);
        Program::listening(&mut command, cores)
    }

    /// Starts `eyelid-server` under callgrind, which writes into a file at the end.
    pub(crate) fn counted_server(
        &self,
        slots: &Path,
        counted: &Path,
    ) -> anyhow::Result<(Program, SocketAddr)> {
        let mut command = Command::new("valgrind");
        command.args(["--quiet", "--tool=callgrind"]);
        command.arg(format!("--callgrind-out-file={}", counted.display()));
        command.arg(self.bin.join("eyelid-server"));
        // Under valgrind everything takes its time.
        command.args(["--max-age", "1h"]);
        command
            .args(["--listen", "127.0.0.1:0", "--slots"])
            .arg(slots);
        Program::listening(&mut command, Cores::All)
    }

    /// Starts `eyelid-capture` with the test source.
    pub(crate) fn capture(&self, slot: &Path, arguments: &[&str]) -> anyhow::Result<Program> {
        let mut command = Command::new(self.bin.join("eyelid-capture"));
        command.args(["--source", "test", "--slot"]).arg(slot);
        command.args(arguments).stderr(Stdio::null());
        Program::start(&mut command, Cores::All)
    }

    /// Says whether `bench/run` could make the pretended camera.
    pub(crate) fn has_pretended_camera(&self) -> bool {
        self.bin.join(PRETENDED_CAMERA).exists()
    }

    /// Starts `eyelid-capture` on a pretended camera that gives such frames.
    pub(crate) fn camera(&self, slot: &Path, spec: Spec, cores: Cores) -> anyhow::Result<Program> {
        let mut picture = tempfile::tempfile()?;
        picture.write_all(Picture::new(spec)?.stamped(UNIX_EPOCH))?;
        picture.rewind()?;
        let mut command = Command::new(self.bin.join("eyelid-capture"));
        command.args(["--source", "v4l2:/dev/pretended", "--linger", "500ms"]);
        command.arg("--slot").arg(slot);
        command
            .env("LD_PRELOAD", self.bin.join(PRETENDED_CAMERA))
            .env("PRETENDED_CAMERA", spec.size())
            .stdin(picture)
            .stderr(Stdio::null());
        Program::spawn(&mut command, cores)
    }

    /// The peers that `bench/run` has found on this machine.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Peer> {
        PEERS
            .into_iter()
            .filter(|peer| self.bin.join(peer.name).exists())
    }

    /// Names those that it has not found, below a table.
    pub(crate) fn print_absent_peers(&self) {
        for peer in PEERS {
            if !self.bin.join(peer.name).exists() {
                println!("\nNot measured: {}, which was not installed.", peer.name);
            }
        }
    }

    /// Starts a peer on a pretended camera; its first frames are out when this returns.
    pub(crate) fn peer(
        &self,
        peer: Peer,
        spec: Spec,
        cores: Cores,
    ) -> anyhow::Result<(Program, SocketAddr)> {
        // It cannot choose a port itself; nobody else is in this network namespace.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(self.bin.join(peer.name));
        command.args([
            format!("{}:{}", spec.size(), spec.bytes),
            address.to_string(),
        ]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let program = Program::start(&mut command, cores)?;
        // Before the camera's pictures ustreamer shows one of its own.
        wait_until("a peer shows the camera", || {
            let viewers = Viewers::connect(address, peer.target, 1);
            Ok(
                viewers
                    .is_ok_and(|viewers| viewers.with_moment(Moment::Stamp).watch_once().is_ok()),
            )
        })?;
        Ok((program, address))
    }

    /// Starts `eyelid` on a port of its own.
    pub(crate) fn eyelid(&self, slots: &Path, size: &str) -> anyhow::Result<(Program, SocketAddr)> {
        let mut command = Command::new(self.bin.join("eyelid"));
        command.args([
            "--listen",
            "127.0.0.1:0",
            "--idle-exit",
            "200ms",
            "--linger",
            "200ms",
            "--size",
            size,
            "--slots",
        ]);
        command
            .arg(slots)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut program = Program::start(&mut command, Cores::All)?;
        let output = program.child.stdout.take().context("no output")?;
        let address = program.address(BufReader::new(output))?;
        Ok((program, address))
    }
}

impl Program {
    /// Starts a program.
    pub(crate) fn start(command: &mut Command, cores: Cores) -> anyhow::Result<Self> {
        Self::spawn(command.stdin(Stdio::null()), cores)
    }

    fn spawn(command: &mut Command, cores: Cores) -> anyhow::Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        pin(Pid::from_raw(i32::try_from(child.id())?), cores)?;
        Ok(Self {
            child,
            output: None,
        })
    }

    /// Starts a program that says on standard error where it listens.
    pub(crate) fn listening(
        command: &mut Command,
        cores: Cores,
    ) -> anyhow::Result<(Self, SocketAddr)> {
        let mut program = Self::start(command.stderr(Stdio::piped()), cores)?;
        let output = program.child.stderr.take().context("no output")?;
        let address = program.address(BufReader::new(output))?;
        Ok((program, address))
    }

    fn address(
        &mut self,
        mut output: impl BufRead + Send + Sync + 'static,
    ) -> anyhow::Result<SocketAddr> {
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if let Some((_, rest)) = line.split_once("http://") {
                let address = rest.split(['/', '\n']).next().unwrap_or_default().parse()?;
                self.output = Some(Box::new(output));
                return Ok(address);
            }
        }
        bail!("it does not say where it listens: {line}");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says whether the program has started others that run.
    pub(crate) fn has_children(&self) -> anyhow::Result<bool> {
        let pid = self.pid();
        Ok(
            !fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?
                .trim()
                .is_empty(),
        )
    }

    /// What the program has used since it started.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let mut usage = Usage::default();
        for task in fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            let task = task?.path();
            let scheduled = fs::read_to_string(task.join("schedstat"))?;
            let nanoseconds = scheduled.split(' ').next().context("schedstat")?;
            usage.cpu += Duration::from_nanos(nanoseconds.parse()?);
            let status = fs::read_to_string(task.join("status"))?;
            usage.switches += number(&status, "voluntary_ctxt_switches:")?
                + number(&status, "nonvoluntary_ctxt_switches:")?;
            usage.threads += 1;
        }
        Ok(usage)
    }

    /// Its proportional and its resident set in KiB (proc_pid_smaps(5)).
    pub(crate) fn memory_kib(&self) -> anyhow::Result<(u64, u64)> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()))?;
        Ok((number(&rollup, "Pss:")?, number(&rollup, "Rss:")?))
    }

    /// What it holds in memory of its own, in KiB: without what is mapped from files
    /// (proc_pid_status(5)).
    pub(crate) fn anonymous_kib(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        number(&status, "RssAnon:")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// What the kernel's TCP holds in sockets, in KiB: the same number in every network namespace.
pub(crate) fn tcp_memory_kib() -> anyhow::Result<u64> {
    let sockets = fs::read_to_string("/proc/net/sockstat")?;
    let tcp = sockets.lines().find_map(|line| line.strip_prefix("TCP: "));
    let (_, pages) = tcp
        .and_then(|tcp| tcp.split_once("mem "))
        .context("no TCP in /proc/net/sockstat")?;
    let maps = fs::read_to_string("/proc/self/smaps")?;
    Ok(pages.trim().parse::<u64>()? * number(&maps, "KernelPageSize:")?)
}

/// What a program has used.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// CPU time, to the nanosecond.
    pub(crate) cpu: Duration,
    /// How often the kernel has switched away from it: once for each time it woke, at least.
    pub(crate) switches: u64,
    pub(crate) threads: u64,
}

/// The number in the line that starts with `key`.
fn number(text: &str, key: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let value = line.and_then(|line| line.split_whitespace().next());
    Ok(value.with_context(|| format!("no {key}"))?.parse()?)
}

/// Pins the thread that calls it, and all that it starts from now on.
pub(crate) fn pin_self(cores: Cores) -> anyhow::Result<()> {
    pin(Pid::from_raw(0), cores)
}

fn pin(pid: Pid, cores: Cores) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    match cores {
        Cores::One(core) => set.set(core)?,
        Cores::All => (0..CpuSet::count()).try_for_each(|core| set.set(core))?,
    }
    sched_setaffinity(pid, &set).context("cannot choose a core (two are needed)")
}

/// Allows this program, and all that it starts from now on, as many descriptors as there may be.
pub(crate) fn raise_descriptors() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// Waits until something is so.
pub(crate) fn wait_until(
    what: &str,
    mut so: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !so()? {
        if Instant::now() > end {
            bail!("waited in vain: {what}");
        }
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A command line of this program.
pub(crate) fn own(arguments: &[impl AsRef<OsStr>]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}
