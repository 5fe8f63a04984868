//! What the receivers of a destination report, and what it comes to.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use eyelid_rtp_wire::{Farewell, Reception};

use super::Push;
use crate::push_socket::PushSocket;

/// A few lines in so long are about receivers with a destination's SSRC: by chance there is none.
pub(super) const COLLISIONS_LOGGED: Duration = Duration::from_secs(60);

impl Push {
    /// Hears what receivers report.
    pub(super) async fn listen(&self, socket: &PushSocket, to: SocketAddr) -> Infallible {
        let (mut own, mut of_group) = ([0; 2048], [0; 2048]);
        loop {
            let (packet, from) = tokio::select! {
                received = socket.pair.rtcp.recv_from(&mut own) => match received {
                    Ok((bytes, from)) => (&own[..bytes], from),
                    // A report of ours was refused: there is no port of RTCP.
                    Err(_) => continue,
                },
                Ok((bytes, from)) = receive(socket.group_reports.as_ref(), &mut of_group) => {
                    (&of_group[..bytes], from)
                }
            };
            if !to.ip().is_multicast() && from.ip() != to.ip() {
                continue;
            }
            let Some(heard) = self.stream.hear(packet) else {
                continue;
            };
            if heard.listens {
                self.want();
                self.members.on_report(from.ip());
            }
            if let Some(news) = heard.news {
                self.adapt(&news);
            }
            if heard.wants_key
                && let Some(video) = self.video.borrow().upgrade()
            {
                video.ask_key();
            }
            if heard.collides {
                self.on_collision(socket).await;
            }
        }
    }

    /// Leaves its SSRC to a receiver that has the same (RFC 3550, section 8.2), unless receivers
    /// were told of it: players end at the farewell. Who wants to do harm has it change no oftener
    /// than the log tells of it.
    async fn on_collision(&self, socket: &PushSocket) {
        let Some(suppressed) = self.collisions.allow(Instant::now()) else {
            return;
        };
        let ssrc = self.stream.ssrc();
        if self.settings.ssrc.is_some() || self.members.are_there() {
            log::warn!("{self}: a receiver has the SSRC {ssrc:#010X}, too; it stays{suppressed}");
            return;
        }
        // Who is gone needs not be told.
        let _ = self.report(socket, Farewell::Bye).await;
        match self.stream.change_ssrc() {
            Ok(()) => {
                let new = self.stream.ssrc();
                log::info!(
                    "{self}: a receiver has the SSRC {ssrc:#010X}, too; it is {new:#010X} now{suppressed}"
                );
            }
            Err(error) => log::warn!("{self}: no other SSRC: {error}"),
        }
    }

    /// Sends what arrives, by what a receiver reports.
    fn adapt(&self, news: &Reception) {
        if !self.settings.adapt {
            return;
        }
        let mut adaptation = self.adaptation.borrow_mut();
        let before = adaptation.size();
        adaptation.on_report(news.receiver, news.fraction_lost, Instant::now());
        let after = adaptation.size();
        if after != before {
            let lost = news.fraction_lost * 100.0;
            log::info!("{self}: {lost:.1} % lost; sending {after:?} instead of {before:?}");
        }
    }
}

async fn receive(
    socket: Option<&tokio::net::UdpSocket>,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => pending().await,
    }
}
