//! What one RTSP session gets: the frames of its camera, by the way that it has chosen.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use eyelid_config::Dscp;
use eyelid_http::Peer;
use eyelid_rtp_wire::{Farewell, Heard};
use tokio::time::sleep;

use crate::connection_writer::ConnectionWriter;
use crate::delivery::client_port::{ClientPort, Sender};
use crate::dscp::mark;
use crate::frames::Frames;
use crate::members::Member;
use crate::payload::Payload;
use crate::push::Push;
use crate::sessions::Sessions;
use crate::stream::RtpStream;
use crate::udp::{UdpPair, with_port};
use crate::video::Video;

mod client_port;
mod figures;

/// How often a session says that its group is wanted: as often as a receiver would report.
const GROUP_WANTED: Duration = Duration::from_secs(5);

/// A session's frames and their way.
pub(crate) struct Delivery {
    source: Source,
    stream: RtpStream,
    way: Way,
    is_playing: Cell<bool>,
    peer: Peer,
    since: SystemTime,
    /// All that there are.
    sessions: Rc<Sessions>,
}

/// What goes to a client.
pub(crate) enum Source {
    /// The camera's frames.
    Jpeg(Frames),
    /// The camera as H.264.
    H264(Video),
}

/// How packets go to a client.
pub(crate) enum Way {
    /// Between the messages of its connection.
    Interleaved {
        /// The channel of RTCP; that of RTP is the stream's.
        rtcp: u8,
    },
    /// To two ports of its.
    Udp(UdpWay),
    /// To a group, with others.
    Group(GroupWay),
}

/// A client that gets packets by UDP.
pub(crate) struct UdpWay {
    pair: UdpPair,
    /// These have the address of its connection: nobody else's packets count.
    rtp_to: ClientPort,
    rtcp_to: ClientPort,
}

/// A client that gets packets of a group.
pub(crate) struct GroupWay {
    destination: Rc<Push>,
    member: Rc<Member>,
}

impl Way {
    /// Has the client listen to this group.
    pub(crate) fn group(destination: Rc<Push>, client: Option<IpAddr>) -> Self {
        let member = destination.members.join(client);
        Self::Group(GroupWay {
            destination,
            member,
        })
    }

    /// Sends from this address to the client's ports.
    ///
    /// # Errors
    /// What the system said, as a rule that no two ports are free.
    pub(crate) fn udp(
        local: SocketAddr,
        peer: SocketAddr,
        rtp_port: u16,
        rtcp_port: u16,
        dscp: Dscp,
    ) -> io::Result<Self> {
        let to = |port| ClientPort::new(with_port(peer, port));
        let pair = UdpPair::bind(local, None)?;
        for socket in pair.sockets() {
            mark(&socket, dscp, peer.ip())?;
        }
        Ok(Self::Udp(UdpWay {
            pair,
            rtp_to: to(rtp_port),
            rtcp_to: to(rtcp_port),
        }))
    }
}

impl Delivery {
    /// Is ready to send to this client, as one of these.
    pub(crate) fn new(
        source: Source,
        stream: RtpStream,
        way: Way,
        peer: Peer,
        sessions: Rc<Sessions>,
    ) -> Rc<Self> {
        let delivery = Rc::new(Self {
            source,
            stream,
            way,
            is_playing: Cell::new(false),
            peer,
            since: SystemTime::now(),
            sessions,
        });
        delivery.sessions.enter(&delivery);
        delivery
    }

    /// The stream that the client gets.
    pub(crate) fn stream(&self) -> &RtpStream {
        match &self.way {
            Way::Group(group) => group.destination.stream(),
            Way::Interleaved { .. } | Way::Udp(_) => &self.stream,
        }
    }

    /// Sends from now on, or does no more. Gives whether it did before.
    pub(crate) fn set_playing(&self, is_playing: bool) -> bool {
        let before = self.is_playing.replace(is_playing);
        if let Way::Udp(udp) = &self.way
            && before != is_playing
        {
            for port in [&udp.rtp_to, &udp.rtcp_to] {
                if is_playing {
                    port.on_play(Instant::now());
                } else {
                    port.on_pause();
                }
            }
        }
        before
    }

    /// Sends while it is to play, and wakes the camera before. `hear` is called with each sign of
    /// life of the client's. It can be given up at any time.
    ///
    /// # Errors
    /// What the client's connection said.
    pub(crate) async fn run(
        &self,
        writer: &ConnectionWriter,
        hear: impl Fn(),
    ) -> io::Result<Infallible> {
        tokio::select! {
            ended = self.send_all(writer) => ended,
            ended = self.report_all(writer) => ended,
            ended = self.listen(hear) => ended,
        }
    }

    /// Takes note of what the client reports between the messages of its connection.
    pub(crate) fn hear(&self, channel: u8, packet: &[u8]) {
        if matches!(self.way, Way::Interleaved { rtcp } if rtcp == channel) {
            self.heed(self.stream.hear(packet).as_ref());
        }
    }

    /// Does what a report comes to.
    fn heed(&self, heard: Option<&Heard>) {
        if let Source::H264(video) = &self.source
            && heard.is_some_and(|heard| heard.wants_key)
        {
            video.ask_key();
        }
    }

    /// Sends reports, the first one at once: some clients take the transport for broken that
    /// brings them nothing for 3 s, which a camera that wakes may take.
    async fn report_all(&self, writer: &ConnectionWriter) -> io::Result<Infallible> {
        if !self.is_playing.get() {
            return pending().await;
        }
        loop {
            self.report(writer, Farewell::None).await?;
            sleep(self.stream.next_report()).await;
        }
    }

    async fn report(&self, writer: &ConnectionWriter, farewell: Farewell) -> io::Result<()> {
        let report = self.stream.report(farewell);
        match &self.way {
            Way::Interleaved { rtcp } => {
                let bytes = report.len() as u16;
                let [high, low] = bytes.to_be_bytes();
                let header = [b'$', *rtcp, high, low];
                writer.write(&[&header[..], &report].concat()).await
            }
            Way::Udp(udp) => {
                // A client without a port of RTCP says so each time.
                let _ = udp.pair.rtcp.send_to(&report, udp.rtcp_to.address()).await;
                Ok(())
            }
            // Its own reports go to the group.
            Way::Group(_) => pending().await,
        }
    }

    /// Says that nothing more comes.
    pub(crate) async fn end(&self, writer: &ConnectionWriter) {
        if self.is_playing.get() && !matches!(self.way, Way::Group(_)) {
            // Who is gone needs not be told.
            let _ = self.report(writer, Farewell::Bye).await;
        }
    }

    async fn send_all(&self, writer: &ConnectionWriter) -> io::Result<Infallible> {
        if !self.is_playing.get() {
            // That of a group, too.
            match &self.source {
                Source::Jpeg(frames) => frames.wake().await,
                Source::H264(video) => video.wake().await,
            }
            return pending().await;
        }
        match &self.source {
            Source::Jpeg(frames) => frames.resume(),
            Source::H264(video) => video.begin_anew(),
        }
        loop {
            match &self.way {
                Way::Group(GroupWay { destination, .. }) => {
                    if destination.is_dropped.get() {
                        // Another stream may go there now, but not the one that was set up.
                        return Err(io::Error::other("its group is sent to no more"));
                    }
                    destination.want();
                    sleep(GROUP_WANTED).await;
                }
                Way::Interleaved { .. } => self.send_frame(writer, None).await?,
                Way::Udp(udp) => self.send_frame(writer, Some(udp)).await?,
            }
        }
    }

    /// Sends the next frame: by UDP, or between the messages of the connection when there is room.
    async fn send_frame(&self, writer: &ConnectionWriter, udp: Option<&UdpWay>) -> io::Result<()> {
        let room = async || match udp {
            Some(_) => Ok(()),
            None => writer.drained().await,
        };
        let frames = match &self.source {
            Source::Jpeg(frames) => frames,
            Source::H264(video) => {
                room().await?;
                let unit = video.next().await;
                let payload = Payload::H264(&unit.annex_b);
                return self.send_payload(payload, unit.captured, writer, udp).await;
            }
        };
        let frame = frames.next(room).await?;
        self.stream.count_dropped(frames.take_skipped());
        let mut recoded = None;
        let Some(payload) = frames.payload(&frame, &mut recoded).await else {
            self.stream.count_dropped(1);
            return Ok(());
        };
        let payload = Payload::Jpeg(&payload);
        self.send_payload(payload, frame.captured, writer, udp)
            .await
    }

    async fn send_payload(
        &self,
        payload: Payload<'_>,
        captured: SystemTime,
        writer: &ConnectionWriter,
        udp: Option<&UdpWay>,
    ) -> io::Result<()> {
        let Some(udp) = udp else {
            return self.stream.write(payload, captured, writer).await;
        };
        let to = udp.rtp_to.address();
        let sent = self
            .stream
            .send(payload, captured, &udp.pair, Some(to))
            .await;
        if let Err(error) = sent {
            log::debug!("{to}: {error}");
        }
        Ok(())
    }

    async fn listen(&self, hear: impl Fn()) -> io::Result<Infallible> {
        match &self.way {
            Way::Interleaved { .. } => pending().await,
            Way::Group(group) => loop {
                group.member.reported().await;
                hear();
            },
            Way::Udp(udp) => {
                let heed = |heard: Heard| {
                    self.heed(Some(&heard));
                    hear();
                };
                udp.listen(&self.stream, heed).await
            }
        }
    }
}

impl GroupWay {
    /// The destination that is the group.
    pub(crate) fn destination(&self) -> &Push {
        &self.destination
    }
}

impl UdpWay {
    /// The ports that packets come from.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn ports(&self) -> io::Result<(u16, u16)> {
        self.pair.ports()
    }

    /// Hears the client's reports, and where its packets come from: a router between may have given
    /// it another port than it knows of.
    async fn listen(&self, stream: &RtpStream, hear: impl Fn(Heard)) -> io::Result<Infallible> {
        let (mut rtp, mut rtcp) = ([0; 2048], [0; 2048]);
        loop {
            tokio::select! {
                Ok((_, from)) = self.pair.rtp.recv_from(&mut rtp) => {
                    self.rtp_to.on_packet(from, Instant::now());
                }
                Ok((bytes, from)) = self.pair.rtcp.recv_from(&mut rtcp) => {
                    if self.rtcp_to.on_packet(from, Instant::now()) == Sender::Client
                        && let Some(heard) = stream.hear(&rtcp[..bytes])
                    {
                        hear(heard);
                    }
                }
                // A socket that is no use any more: the client's silence ends the session.
                else => pending().await,
            }
        }
    }
}
