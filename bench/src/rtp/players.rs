//! Clients of RTSP, any number of them in one thread.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{Player, Transport};
use crate::viewers::{Seen, Watch};

/// Clients that play.
pub(crate) struct Players {
    epoll: Epoll,
    players: Vec<Player>,
}

impl Players {
    /// Connects so many.
    ///
    /// # Errors
    /// What the system or the server said.
    pub(crate) fn connect(
        server: SocketAddr,
        path: &str,
        transport: Transport,
        count: usize,
    ) -> anyhow::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut players = Vec::new();
        for number in 0..count {
            let player = Player::play(server, path, transport)?;
            let event = || EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
            let (connection, rtp) = player.sockets();
            epoll.add(connection, event())?;
            rtp.map(|rtp| epoll.add(rtp, event())).transpose()?;
            players.push(player);
        }
        Ok(Self { epoll, players })
    }
}

impl Watch for Players {
    fn count(&self) -> usize {
        self.players.len()
    }

    fn receive(
        &mut self,
        time: Duration,
        start: Instant,
        seen: &mut Vec<Seen>,
    ) -> anyhow::Result<()> {
        let mut events = [EpollEvent::empty(); 128];
        // Rounded up: a wait of 0 ms would spin.
        let wait = EpollTimeout::try_from(time + Duration::from_millis(1))?;
        let ready = match self.epoll.wait(&mut events, wait) {
            Err(Errno::EINTR) => 0,
            result => result?,
        };
        for event in &events[..ready] {
            let client = event.data() as usize;
            for frame in self.players[client].receive()? {
                seen.push(Seen {
                    client,
                    after: start.elapsed(),
                    age: frame.age()?,
                    bytes: frame.bytes,
                });
            }
        }
        Ok(())
    }
}
