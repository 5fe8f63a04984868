//! What is told of a session to who asks.

use eyelid_config::RtpSize;
use eyelid_figures::{
    ReceptionFigures, SessionFigures, StreamCounts, StreamFigures, StreamState, StreamTransport,
};
use eyelid_slot::CameraName;

use super::{Delivery, Source, Way};

impl Delivery {
    /// What is so now.
    pub(crate) fn figures(&self) -> SessionFigures {
        let (obstacle, size, rendition) = match &self.source {
            Source::Jpeg(frames) => (frames.obstacle(), frames.size(), frames.shown()),
            Source::H264(video) => {
                let size = RtpSize::Current;
                (video.obstacle(), size, video.comes().then_some(size))
            }
        };
        let state = match &self.way {
            _ if !self.is_playing.get() => StreamState::Asleep,
            Way::Group(group) => group.destination.state(),
            Way::Interleaved { .. } | Way::Udp(_) if obstacle.is_some() => StreamState::Waiting,
            Way::Interleaved { .. } | Way::Udp(_) => StreamState::Sending,
        };
        let (transport, reception) = match &self.way {
            Way::Interleaved { .. } => (StreamTransport::Tcp, self.stream.reception()),
            Way::Udp(_) => (StreamTransport::Udp, self.stream.reception()),
            Way::Group(_) => (StreamTransport::Multicast, ReceptionFigures::default()),
        };
        SessionFigures {
            peer: self.peer.to_string(),
            stream: StreamFigures {
                camera: self.camera().clone(),
                transport,
                size,
                rendition,
                state,
                error: obstacle.filter(|_| state == StreamState::Waiting),
                since: self.since,
                counts: self.counts(),
                reception,
            },
        }
    }

    /// What went to this client alone: nothing, where its group gets it.
    pub(crate) fn counts(&self) -> StreamCounts {
        self.stream.counts()
    }

    /// The camera.
    pub(crate) fn camera(&self) -> &CameraName {
        match &self.source {
            Source::Jpeg(frames) => frames.camera(),
            Source::H264(video) => video.camera(),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.sessions.leave(self.camera(), self.counts());
    }
}
