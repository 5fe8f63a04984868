//! Where a client's packets go: to the port that it has said, until it shows another.
//!
//! A router with NAT gives a client ports that it does not know of. Its first packet shows them; it
//! comes soon, for nothing gets through before. Later ones do not count: behind that router are
//! others with the same address, and whoever forges it would send the stream where they like.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::rtsp::transport::FIRST_CLIENT_PORT;

/// How long after PLAY a port can be shown: clients give UDP some 3 s, then try another way.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// One port of a client, for RTP or for RTCP.
#[derive(Debug)]
pub(crate) struct ClientPort {
    to: Cell<SocketAddr>,
    learning: Cell<Learning>,
}

/// Whether a packet may show another port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learning {
    /// It may, before PLAY.
    Begun,
    /// It may until then.
    Until(Instant),
    /// It may after the next PLAY.
    Paused,
    /// One has shown it.
    Done,
}

/// Whose a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The client's.
    Client,
    /// Nobody's that counts.
    Stranger,
}

impl ClientPort {
    /// The one that the client has said at SETUP.
    pub(crate) fn new(said: SocketAddr) -> Self {
        Self {
            to: Cell::new(said),
            learning: Cell::new(Learning::Begun),
        }
    }

    /// Where packets go.
    pub(crate) fn address(&self) -> SocketAddr {
        self.to.get()
    }

    /// The client plays from `now` on.
    pub(crate) fn on_play(&self, now: Instant) {
        if let Learning::Begun | Learning::Paused = self.learning.get() {
            self.learning.set(Learning::Until(now + SHOWN_WITHIN));
        }
    }

    /// The client has paused. Its router may forget its ports meanwhile, so it may show them anew
    /// when it plays, which nobody can ask for but itself.
    pub(crate) fn on_pause(&self) {
        self.learning.set(Learning::Paused);
    }

    /// Says whose a packet is that came from there `now`, and learns the port of the client's
    /// first.
    pub(crate) fn on_packet(&self, from: SocketAddr, now: Instant) -> Sender {
        let known = self.to.get();
        let may_learn = match self.learning.get() {
            Learning::Begun => true,
            Learning::Until(end) => now < end,
            Learning::Paused | Learning::Done => false,
        };
        let is_known = from.port() == known.port();
        let is_learnt = may_learn && from.port() >= FIRST_CLIENT_PORT;
        if from.ip() != known.ip() || !(is_known || is_learnt) {
            return Sender::Stranger;
        }
        if may_learn {
            self.to.set(from);
            self.learning.set(Learning::Done);
        }
        Sender::Client
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Sender::{Client, Stranger};

    fn at(port: u16) -> SocketAddr {
        SocketAddr::new([192, 0, 2, 1].into(), port)
    }

    #[test]
    fn the_first_packet_shows_the_port_and_no_later_one_does() {
        let now = Instant::now();
        for plays_first in [false, true] {
            let client = ClientPort::new(at(5000));
            if plays_first {
                client.on_play(now);
            }
            let other = SocketAddr::new([192, 0, 2, 2].into(), 5000);
            for stranger in [other, at(53), at(1023)] {
                assert_eq!(client.on_packet(stranger, now), Stranger, "{stranger}");
            }
            assert_eq!(client.address(), at(5000));
            assert_eq!(client.on_packet(at(1024), now), Client);
            client.on_play(now);
            for stranger in [at(5000), at(40000), at(53)] {
                assert_eq!(client.on_packet(stranger, now), Stranger, "{stranger}");
            }
            assert_eq!(client.on_packet(at(1024), now), Client);
            assert_eq!(client.address(), at(1024));
        }
    }

    #[test]
    fn a_client_behind_no_router_is_told_from_others_by_its_first_packet() {
        let now = Instant::now();
        let client = ClientPort::new(at(5000));
        assert_eq!(client.on_packet(at(5000), now), Client);
        assert_eq!(client.on_packet(at(40000), now), Stranger);
    }

    #[test]
    fn who_shows_no_port_soon_gets_packets_where_it_said() {
        let (client, start) = (ClientPort::new(at(5000)), Instant::now());
        client.on_play(start);
        // Not for longer, though it says so again.
        client.on_play(start + SHOWN_WITHIN / 2);
        let end = start + SHOWN_WITHIN;
        assert_eq!(client.on_packet(at(40000), end), Stranger);
        assert_eq!(client.on_packet(at(5000), end), Client);
        assert_eq!(client.address(), at(5000));
    }

    #[test]
    fn after_a_pause_another_port_can_be_shown() {
        let (client, now) = (ClientPort::new(at(5000)), Instant::now());
        client.on_packet(at(40000), now);
        client.on_play(now);
        client.on_pause();
        assert_eq!(client.on_packet(at(40002), now), Stranger);
        assert_eq!(client.on_packet(at(40000), now), Client);
        client.on_play(now);
        assert_eq!(client.on_packet(at(40002), now), Client);
        assert_eq!(client.on_packet(at(40000), now), Stranger);
        assert_eq!(client.address(), at(40002));
    }
}
