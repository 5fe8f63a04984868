//! Servers of RTSP: `eyelid-rtp`, and those that it is measured beside. Each is on a host of its
//! own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context;

use super::{Player, Transport};
use crate::network::Host;
use crate::process::{Program, Programs, SERVER, wait_until};

const PORT: u16 = 8554;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Eyelid,
    /// `GstRtspServer`.
    GStreamer,
    MediaMtx,
    Go2rtc,
}

/// Where a server has its frames from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// The slot. Who cannot follow it reads its file 30 times a second.
    Slot(&'a Path),
    /// The same camera, asked for only while somebody plays: the slot, or for who cannot wake one
    /// this stream of `eyelid-server`.
    OnDemand(&'a Path, &'a str),
}

impl Server {
    /// All that there may be.
    pub(crate) const ALL: [Self; 4] = [Self::Eyelid, Self::GStreamer, Self::MediaMtx, Self::Go2rtc];

    /// What tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Eyelid => "eyelid-rtp",
            Self::GStreamer => "GStreamer's RTSP server",
            Self::MediaMtx => "MediaMTX",
            Self::Go2rtc => "go2rtc",
        }
    }

    /// Its file in `bench/peers`, if it is a peer.
    fn peer(self) -> Option<&'static str> {
        match self {
            Self::Eyelid => None,
            Self::GStreamer => Some("gstreamer-rtsp"),
            Self::MediaMtx => Some("mediamtx-rtsp"),
            Self::Go2rtc => Some("go2rtc-rtsp"),
        }
    }

    /// Says whether it can be measured here.
    pub(crate) fn is_here(self, programs: &Programs) -> bool {
        self.peer().is_none_or(|peer| programs.path(peer).exists())
    }

    /// Says whether packets can go this way.
    pub(crate) fn serves(self, transport: Transport) -> bool {
        // go2rtc's RTSP has TCP alone.
        self != Self::Go2rtc || transport == Transport::Tcp
    }

    /// What clients play.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Eyelid => "/",
            _ => "/camera",
        }
    }

    /// Starts it on a host, and a core for itself; it plays when this returns.
    pub(crate) fn start(
        self,
        programs: &Programs,
        host: &Host,
        source: Source,
    ) -> anyhow::Result<(Program, SocketAddr)> {
        let address = SocketAddr::new(host.address(), PORT);
        let listen = address.to_string();
        let mut command = match self.peer() {
            None => {
                let (Source::Slot(slot) | Source::OnDemand(slot, _)) = source;
                let mut command = host.command(programs.path("eyelid-rtp"));
                command.args(["--max-sessions", "1000", "--rtsp", &listen, "--slots"]);
                command.arg(slot);
                command.env("EYELID_LOG", "warn");
                command
            }
            Some(peer) => {
                let mut command = host.command(programs.path(peer));
                command.arg(&listen);
                match source {
                    Source::Slot(slot) => command.arg(slot),
                    Source::OnDemand(_, url) => command.arg(url),
                };
                command.stdout(Stdio::null()).stderr(Stdio::null());
                command
            }
        };
        let program = Program::start(&mut command, SERVER)?;
        // That it listens is not enough where its source comes later.
        let mut last = None;
        wait_until("a server of RTSP plays", || {
            last = Player::play(address, self.path(), Transport::Tcp).err();
            Ok(last.is_none())
        })
        .with_context(|| format!("{}: {last:?}", self.name()))?;
        Ok((program, address))
    }
}
