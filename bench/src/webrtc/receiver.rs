//! One receiver: str0m in a socket of its own. It counts pictures and decodes none.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::crypto::from_feature_flags;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

/// Some pictures: nothing is lost at the receiver.
const BUFFER_BYTES: usize = 1 << 20;

/// More than any packet has.
const PACKET_BYTES: usize = 2048;

/// RTP's second byte: the marker, which the last packet of a picture has, and the payload type, of
/// which those of RTCP are none (RFC 5761).
const MARKER: u8 = 0x80;

/// The receiver.
pub(super) struct Receiver {
    socket: UdpSocket,
    address: SocketAddr,
    /// None: what comes is not decrypted.
    rtc: Option<Rtc>,
    due: Option<Instant>,
    assembly: Assembly,
}

/// Which packets have come.
#[derive(Default)]
struct Assembly {
    next: Option<u64>,
    bytes: usize,
    is_broken: bool,
}

impl Receiver {
    /// Offers to receive video; `ask` gets the answer.
    pub(super) fn offer(
        from: IpAddr,
        ask: impl FnOnce(&str) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let (mut this, mut rtc) = Self::new(from)?;
        let mut changes = rtc.sdp_api();
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().context("nothing to offer")?;
        let answer = SdpAnswer::from_sdp_string(&ask(&offer.to_sdp_string())?)?;
        rtc.sdp_api().accept_answer(pending, answer)?;
        this.rtc = Some(rtc);
        Ok(this)
    }

    /// Takes an offer; `tell` is told the answer.
    pub(super) fn answer(
        from: IpAddr,
        offer: &str,
        tell: impl FnOnce(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let (mut this, mut rtc) = Self::new(from)?;
        let answer = rtc
            .sdp_api()
            .accept_offer(SdpOffer::from_sdp_string(offer)?)?;
        tell(&answer.to_sdp_string())?;
        this.rtc = Some(rtc);
        Ok(this)
    }

    /// Receives what is sent to it, as it is.
    pub(super) fn bare(from: IpAddr) -> anyhow::Result<Self> {
        Ok(Self::new(from)?.0)
    }

    fn new(from: IpAddr) -> anyhow::Result<(Self, Rtc)> {
        let socket = UdpSocket::bind((from, 0))?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, RcvBufForce, &BUFFER_BYTES)?;
        let address = socket.local_addr()?;
        let now = Instant::now();
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(Arc::new(from_feature_flags()))
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_h264(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp)?);
        let this = Self {
            socket,
            address,
            rtc: None,
            due: Some(now),
            assembly: Assembly::default(),
        };
        Ok((this, rtc))
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// When [`Receiver::drive`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.rtc.as_ref().and(self.due)
    }

    /// Does what is due.
    ///
    /// # Errors
    /// What is wrong with the connection.
    pub(super) fn drive(&mut self, now: Instant) -> anyhow::Result<()> {
        let Some(rtc) = self
            .rtc
            .as_mut()
            .filter(|_| self.due.is_some_and(|due| due <= now))
        else {
            return Ok(());
        };
        rtc.handle_input(Input::Timeout(now))?;
        self.run(&mut |_| ())
    }

    /// Takes what has come; the bytes of each picture that is whole go to `see`.
    ///
    /// # Errors
    /// What is wrong with the connection.
    pub(super) fn receive(&mut self, see: &mut impl FnMut(usize)) -> anyhow::Result<()> {
        let mut packet = [0; PACKET_BYTES];
        loop {
            let (bytes, from) = match self.socket.recv_from(&mut packet) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                received => received?,
            };
            let packet = &packet[..bytes];
            match &mut self.rtc {
                Some(rtc) => {
                    let received = Receive::new(Protocol::Udp, from, self.address, packet)?;
                    rtc.handle_input(Input::Receive(Instant::now(), received))?;
                    self.run(see)?;
                }
                None => {
                    let sequence = u16::from_be_bytes([packet[2], packet[3]]);
                    let has_ended = packet[1] & MARKER != 0;
                    self.assembly.push(sequence.into(), bytes, has_ended, see);
                }
            }
        }
    }

    fn run(&mut self, see: &mut impl FnMut(usize)) -> anyhow::Result<()> {
        let rtc = self.rtc.as_mut().context("no WebRTC")?;
        loop {
            match rtc.poll_output()? {
                Output::Timeout(due) => {
                    self.due = Some(due);
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    // What does not go is lost, as on the way.
                    let _ = self
                        .socket
                        .send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let (sequence, bytes) = (*packet.seq_no, packet.payload.len());
                    self.assembly
                        .push(sequence, bytes, packet.header.marker, see);
                }
                Output::Event(Event::Closed) => bail!("the server has closed the connection"),
                Output::Event(_) => {}
            }
        }
    }
}

impl Assembly {
    fn push(&mut self, sequence: u64, bytes: usize, has_ended: bool, see: &mut impl FnMut(usize)) {
        // Those of the bare loop go round.
        self.is_broken |= self.next.is_some_and(|next| next as u16 != sequence as u16);
        self.next = Some(sequence + 1);
        self.bytes += bytes;
        if has_ended {
            if !self.is_broken {
                see(self.bytes);
            }
            (self.bytes, self.is_broken) = (0, false);
        }
    }
}
