//! What SETUP takes: room, and a way for packets to get to the client.

use std::io;
use std::rc::Rc;

use eyelid_config::RtpCodec;
use eyelid_http::Peer;
use eyelid_rtp_wire::{Framing, PacketBytes};

use crate::connection::Connection;
use crate::delivery::{Delivery, Source, Way};
use crate::frames::Frames;
use crate::payload::payload_type;
use crate::push::Push;
use crate::rtsp::message::{Request, Response};
use crate::rtsp::session::SetUp;
use crate::rtsp::target::Target;
use crate::rtsp::transport::{ServerSide, Transport};
use crate::shares::NoRoom;
use crate::stream::{PacketPace, RtpStream};
use crate::video::Video;

impl Connection {
    /// Makes ready to send.
    pub(super) fn set_up(&self, request: &Request, set_up: SetUp) -> Response {
        let mut session = self.session.borrow_mut();
        let Some(camera) = self.app.cameras.camera(&set_up.target.camera) else {
            return session.not_found(request);
        };
        if let Err(reason) = self.begin_session() {
            return self.unavailable(&session, request, &reason);
        }
        let app = &self.app;
        let source = match set_up.target.codec {
            RtpCodec::Jpeg => Source::Jpeg(Frames::new(
                &app.cameras,
                camera,
                set_up.target.size,
                None,
                app.streams.clone(),
            )),
            RtpCodec::H264 => {
                Source::H264(Video::new(set_up.target.camera.clone(), app.taps.clone()))
            }
        };
        match self.delivery(source, &set_up) {
            Ok((delivery, side)) => {
                let ssrc = delivery.stream().ssrc();
                self.deliver_instead(Some(delivery));
                session.set_up(request, set_up, side, ssrc)
            }
            Err(error) => {
                if session.current().is_none() {
                    self.end_session();
                }
                self.unavailable(&session, request, &error)
            }
        }
    }

    /// Takes the room of a session.
    fn begin_session(&self) -> Result<(), NoRoom> {
        let most = self.app.max_sessions();
        self.share.begin_session(most)?;
        if self.permit.serve(most) {
            return Ok(());
        }
        self.share.end_session();
        Err(NoRoom::Descriptors)
    }

    /// Frees it.
    pub(super) fn end_session(&self) {
        self.share.end_session();
        self.permit.wait();
    }

    fn delivery(&self, source: Source, set_up: &SetUp) -> io::Result<(Rc<Delivery>, ServerSide)> {
        let (framing, way) = match (set_up.transport, self.peer, self.local) {
            (Transport::Multicast, ..) => {
                let group = self.group(&set_up.target);
                let group = group.ok_or(io::ErrorKind::NotFound)?;
                (Framing::Datagrams, Way::group(group, self.peer.ip()))
            }
            (Transport::Interleaved { rtp, rtcp }, ..) => {
                let framing = Framing::Interleaved { channel: rtp };
                (framing, Way::Interleaved { rtcp })
            }
            (
                Transport::Udp {
                    rtp_port,
                    rtcp_port,
                },
                Peer::Tcp(peer),
                Some(local),
            ) => {
                let way = Way::udp(local, peer, rtp_port, rtcp_port, self.app.dscp())?;
                (Framing::Datagrams, way)
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let side = match &way {
            Way::Interleaved { .. } => ServerSide::Interleaved,
            Way::Udp(udp) => {
                let (rtp_port, rtcp_port) = udp.ports()?;
                ServerSide::Udp {
                    rtp_port,
                    rtcp_port,
                }
            }
            Way::Group(way) => {
                let destination = way.destination();
                let group = destination.group().ok_or(io::ErrorKind::NotFound)?;
                ServerSide::Multicast {
                    group: group.ip(),
                    port: group.port(),
                    ttl: destination.ttl(),
                }
            }
        };
        let packet_bytes = PacketBytes::default();
        let payload_type = payload_type(set_up.target.codec);
        let pace = PacketPace::default();
        let stream = RtpStream::new(None, payload_type, packet_bytes, framing, pace)?;
        let sessions = self.app.sessions.clone();
        let delivery = Delivery::new(source, stream, way, self.peer, sessions);
        Ok((delivery, side))
    }

    /// The group that a camera is sent to in this size, if it is to one.
    pub(super) fn group(&self, target: &Target) -> Option<Rc<Push>> {
        self.app.pushes.find(|destination| {
            let settings = &destination.settings;
            settings.camera == target.camera
                && settings.size == target.size
                && settings.codec == target.codec
                && destination.group().is_some()
        })
    }
}
