//! Where clients are served: by RTSP, or by HTTP beside it.

use std::net::SocketAddr;
use std::path::Path;

use crate::network::Host;
use crate::process::{Program, Programs, SERVER};
use crate::rtp::{Players, Server, Source, Transport};
use crate::viewers::{Viewers, Watch};

/// Who serves.
#[derive(Clone, Copy)]
pub(super) enum Door {
    Rtsp(Server),
    /// `eyelid-server`, by HTTP.
    Http,
}

impl Door {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rtsp(server) => server.name(),
            Self::Http => "eyelid-server, HTTP",
        }
    }

    /// Starts it on a host, and a core for itself, serving this slot.
    pub(super) fn start(
        self,
        programs: &Programs,
        host: &Host,
        slot: &Path,
    ) -> anyhow::Result<(Program, SocketAddr)> {
        match self {
            Self::Rtsp(server) => server.start(programs, host, Source::Slot(slot)),
            Self::Http => {
                let any = SocketAddr::new(host.address(), 0).to_string();
                let mut command = host.command(programs.path("eyelid-server"));
                command.args(["--listen", &any, "--slots"]).arg(slot);
                Program::listening(&mut command, SERVER)
            }
        }
    }

    /// Connects so many clients; by HTTP the transport is TCP in any case.
    pub(super) fn connect(
        self,
        address: SocketAddr,
        transport: Transport,
        count: usize,
    ) -> anyhow::Result<Box<dyn Watch + Send>> {
        Ok(match self {
            Self::Rtsp(server) => {
                Box::new(Players::connect(address, server.path(), transport, count)?)
            }
            Self::Http => Box::new(Viewers::connect(address, "/stream", count)?),
        })
    }
}
