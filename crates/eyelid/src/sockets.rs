//! The listening sockets, held from start to end so that no connection is ever refused.

use std::fmt::Write;
use std::future::poll_fn;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::task::Poll;
use std::{fs, io};

use anyhow::Context;
use eyelid_config::Address;
use eyelid_daemon::listening::{bind_tcp, bind_unix};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::unix::AsyncFd;

use crate::plan::Plan;
use crate::spawn;

/// All listening sockets.
pub(crate) struct Sockets(Vec<Listening>);

struct Listening {
    socket: AsyncFd<OwnedFd>,
    address: Bound,
}

enum Bound {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Sockets {
    /// Binds all addresses.
    ///
    /// # Errors
    /// Names the address that cannot be had.
    pub(crate) fn bind(addresses: &[Address]) -> anyhow::Result<Self> {
        let bind = |address: &Address| {
            bind(address).with_context(|| {
                format!("cannot listen on {address}; give another with --listen ADDR")
            })
        };
        Ok(Self(
            addresses.iter().map(bind).collect::<anyhow::Result<_>>()?,
        ))
    }

    /// The sockets, in the order of the addresses.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.0
            .iter()
            .map(|listening| listening.socket.get_ref().as_fd())
            .collect()
    }

    /// Waits until somebody wants to connect, and leaves the connection to the server.
    pub(crate) async fn knock(&self) -> io::Result<()> {
        poll_fn(|cx| {
            for listening in &self.0 {
                while let Poll::Ready(ready) = listening.socket.poll_read_ready(cx) {
                    // Forgotten before it is looked at: the runtime still remembers those whom the server let in.
                    ready?.clear_ready();
                    let mut socket = [PollFd::new(
                        listening.socket.get_ref().as_fd(),
                        PollFlags::POLLIN,
                    )];
                    if poll(&mut socket, PollTimeout::ZERO)? > 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Says whether somebody has connected whom the server has not let in yet.
    pub(crate) fn somebody_waits(&self) -> bool {
        let mut sockets: Vec<_> = self
            .0
            .iter()
            .map(|listening| PollFd::new(listening.socket.get_ref().as_fd(), PollFlags::POLLIN))
            .collect();
        poll(&mut sockets, PollTimeout::ZERO).is_ok_and(|count| count > 0)
    }

    /// Says whether this is IPv6's localhost, and IPv4's is listened on as well.
    fn has_v4_of(&self, address: SocketAddr) -> bool {
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
        let is_v4 =
            |listening: &Listening| matches!(listening.address, Bound::Tcp(other) if other == v4);
        address.ip() == Ipv6Addr::LOCALHOST && self.0.iter().any(is_v4)
    }

    /// What a person who started this is to know.
    pub(crate) fn greeting(&self, plan: &Plan) -> String {
        let mut text =
            String::from("Eyelid is ready; the camera opens when you open one of these:\n");
        for listening in &self.0 {
            let url = match &listening.address {
                Bound::Tcp(address) if self.has_v4_of(*address) => continue,
                Bound::Tcp(address) => format!("http://{}", reachable(*address)),
                Bound::Unix(path) => {
                    // Writing to a String cannot fail.
                    let _ = writeln!(
                        text,
                        "  curl --unix-socket {} http://localhost/snapshot",
                        path.display()
                    );
                    continue;
                }
            };
            let _ = writeln!(text, "  viewer    {url}/");
            for camera in &plan.cameras {
                let prefix = if camera.name.is_default() {
                    String::new()
                } else {
                    format!("{}/", camera.name)
                };
                let _ = writeln!(
                    text,
                    "  stream    {url}/{prefix}stream\n  snapshot  {url}/{prefix}snapshot"
                );
            }
        }
        text.push_str("Ctrl-C ends it.\n");
        text
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for listening in &self.0 {
            if let Bound::Unix(path) = &listening.address {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn bind(address: &Address) -> io::Result<Listening> {
    let (socket, address): (OwnedFd, Bound) = match address {
        Address::Tcp(text) => {
            let listener = bind_tcp(text)?;
            let address = listener.local_addr()?;
            (listener.into(), Bound::Tcp(address))
        }
        Address::Unix(path) => (bind_unix(path)?.into(), Bound::Unix(path.clone())),
    };
    Ok(Listening {
        socket: spawn::readiness(socket)?,
        address,
    })
}

/// An address that can be opened: the host's name where every address is listened on.
fn reachable(address: SocketAddr) -> String {
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    match (address.ip().is_unspecified(), host) {
        (true, Some(host)) => format!("{host}:{}", address.port()),
        _ => address.to_string(),
    }
}
