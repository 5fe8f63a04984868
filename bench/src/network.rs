//! Hosts of their own: network namespaces, each joined to this one by a cable. This one is the
//! router between them, and a cable may be slow in the direction to its host.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::thread;

use anyhow::{Context, anyhow, ensure};
use nix::sched::{CloneFlags, setns};

use crate::process;

/// A host. It is gone when dropped.
pub(crate) struct Host {
    name: String,
    number: u8,
}

impl Host {
    /// Makes a host. Its number is in its addresses, so no other has it.
    ///
    /// # Errors
    /// What `ip` said.
    pub(crate) fn new(name: &str, number: u8) -> anyhow::Result<Self> {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        ip(&format!("netns add {name}"))?;
        let host = Self {
            name: name.to_owned(),
            number,
        };
        ip(&format!(
            "link add {name} type veth peer name uplink netns {name}"
        ))?;
        ip(&format!("addr add {}/24 dev {name}", host.router()))?;
        ip(&format!("link set {name} up"))?;
        ip(&format!(
            "-n {name} addr add {}/24 dev uplink",
            host.address()
        ))?;
        ip(&format!("-n {name} link set lo up"))?;
        ip(&format!("-n {name} link set uplink up"))?;
        // cubic, as most hosts have it.
        ip(&format!(
            "-n {name} route add default via {} congctl cubic",
            host.router()
        ))?;
        Ok(host)
    }

    /// Its own address.
    pub(crate) fn address(&self) -> IpAddr {
        Ipv4Addr::new(10, 12, self.number, 2).into()
    }

    /// That of this namespace on its cable.
    pub(crate) fn router(&self) -> IpAddr {
        Ipv4Addr::new(10, 12, self.number, 1).into()
    }

    /// Has its cable carry no more than this, an argument of tbf (tc-tbf(8)).
    ///
    /// # Errors
    /// What `tc` said.
    pub(crate) fn shape(&self, tbf: &str) -> anyhow::Result<()> {
        let name = &self.name;
        run("tc", &format!("qdisc replace dev {name} root tbf {tbf}"))
    }

    /// A command line that runs a program there.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// A command line that runs this program there.
    pub(crate) fn own(&self, arguments: &[impl AsRef<OsStr>]) -> anyhow::Result<Command> {
        let own = process::own(arguments)?;
        let mut command = self.command(own.get_program());
        command.args(own.get_args());
        Ok(command)
    }

    /// Does something there. Sockets that it makes are that host's, whoever uses them.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) fn within<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        let namespace = File::open(format!("/run/netns/{}", self.name))?;
        let work = || {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            work()
        };
        thread::scope(|scope| scope.spawn(work).join())
            .map_err(|_| anyhow!("what was done at {} panicked", self.name))?
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Its cable goes with it.
        if let Err(error) = ip(&format!("netns del {}", self.name)) {
            eprintln!("{error}");
        }
    }
}

/// Runs `ip`.
///
/// # Errors
/// What it said.
pub(crate) fn ip(arguments: &str) -> anyhow::Result<()> {
    run("ip", arguments)
}

fn run(program: &str, arguments: &str) -> anyhow::Result<()> {
    let status = Command::new(program).args(arguments.split(' ')).status();
    let status =
        status.with_context(|| format!("cannot start {program} (Debian's package iproute2)"))?;
    ensure!(status.success(), "{program} {arguments}: {status}");
    Ok(())
}
