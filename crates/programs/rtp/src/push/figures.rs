//! What is told of a destination: to who asks, and to the log.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use eyelid_config::RtpSize;
use eyelid_figures::{DestinationFigures, StreamFigures, StreamState, StreamTransport};
use tokio::time::sleep_until;

use super::Push;
use crate::app::App;

/// Statistics come no more often.
const LEAST_STATS_INTERVAL: Duration = Duration::from_secs(1);

impl Push {
    /// What is so now.
    pub(crate) fn figures(&self) -> DestinationFigures {
        let frames = self.frames.borrow().upgrade();
        let video = self.video.borrow().upgrade();
        let obstacle = frames.as_ref().and_then(|frames| frames.obstacle());
        let obstacle = obstacle.or_else(|| video.as_ref()?.obstacle());
        let shown = frames.and_then(|frames| frames.shown());
        let of_video = video
            .filter(|video| video.comes())
            .map(|_| RtpSize::Current);
        let error = self.error.borrow().clone();
        let address = self.address.get();
        let state = state(Situation {
            has_failed: error.is_some(),
            is_refused: self.reach.is_refused(),
            has_address: address.is_some(),
            is_wanted: self.reach.is_wanted(),
            has_obstacle: obstacle.is_some(),
        });
        let settings = &self.settings;
        let ip = address.map(|address| address.ip());
        let ip = ip.or_else(|| settings.to.ip());
        DestinationFigures {
            to: settings.to.clone(),
            address,
            stream: StreamFigures {
                camera: settings.camera.clone(),
                transport: match ip {
                    Some(ip) if ip.is_multicast() => StreamTransport::Multicast,
                    _ => StreamTransport::Udp,
                },
                size: settings.size,
                rendition: shown.or(of_video),
                state,
                error: match state {
                    StreamState::Sending | StreamState::Asleep => None,
                    StreamState::Waiting => obstacle,
                    StreamState::Refused => self.reach.refusal(),
                    StreamState::Failed => error,
                },
                since: self.since,
                counts: self.stream.counts(),
                reception: self.stream.reception(),
            },
        }
    }

    /// What happens with the packets that go there.
    pub(crate) fn state(&self) -> StreamState {
        self.figures().stream.state
    }

    /// Tells the log what was sent.
    pub(super) async fn tell(&self, app: &App) -> Infallible {
        loop {
            let due = Instant::now() + app.stats_interval().max(LEAST_STATS_INTERVAL);
            let before = self.stream.counts();
            sleep_until(due.into()).await;
            let went = self.stream.counts() - before;
            if went.frames + went.dropped > 0 {
                log::info!(
                    "{self}: {} frames, {} packets, {} bytes, {} dropped{}",
                    went.frames,
                    went.packets,
                    went.bytes,
                    went.dropped,
                    self.stream.reception_text()
                );
            }
        }
    }
}

/// What is known of a destination.
#[derive(Clone, Copy, Debug)]
struct Situation {
    /// It cannot be sent to.
    has_failed: bool,
    /// Nobody takes packets there.
    is_refused: bool,
    /// Where it is has been found out.
    has_address: bool,
    /// Frames are to go.
    is_wanted: bool,
    /// No frame can be had.
    has_obstacle: bool,
}

/// What happens there: the first thing in the way.
fn state(situation: Situation) -> StreamState {
    if situation.has_failed {
        StreamState::Failed
    } else if situation.is_refused {
        StreamState::Refused
    } else if !situation.has_address {
        StreamState::Waiting
    } else if !situation.is_wanted {
        StreamState::Asleep
    } else if situation.has_obstacle {
        StreamState::Waiting
    } else {
        StreamState::Sending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    #[test]
    fn a_group_is_one_before_anything_is_sent_to_it() {
        use StreamTransport::{Multicast, Udp};
        for (to, transport) in [
            ("239.0.0.1:2", Multicast),
            ("[ff15::1]:2", Multicast),
            ("[ff02::1%lo]:2", Multicast),
            ("[fe80::1%lo]:2", Udp),
            ("192.0.2.1:2", Udp),
            ("name:2", Udp),
        ] {
            let settings = settings("", &[&format!("--to={to}")]).unwrap();
            let push = Push::new(settings.destinations[0].clone()).unwrap();
            assert_eq!(push.figures().stream.transport, transport, "{to}");
        }
    }

    #[test]
    fn the_first_thing_in_the_way_is_told() {
        let mut situation = Situation {
            has_failed: false,
            is_refused: false,
            has_address: true,
            is_wanted: true,
            has_obstacle: false,
        };
        assert_eq!(state(situation), StreamState::Sending);
        situation.has_obstacle = true;
        assert_eq!(state(situation), StreamState::Waiting);
        situation.is_wanted = false;
        assert_eq!(state(situation), StreamState::Asleep);
        situation.has_address = false;
        assert_eq!(state(situation), StreamState::Waiting);
        situation.is_refused = true;
        assert_eq!(state(situation), StreamState::Refused);
        situation.has_failed = true;
        assert_eq!(state(situation), StreamState::Failed);
    }
}
