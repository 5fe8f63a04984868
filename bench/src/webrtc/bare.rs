//! The bare loop: the least that one thread can do to give pictures to viewers of WebRTC. It cuts,
//! encrypts and sends them, and neither encodes nor listens.

use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use eyelid_bench::picture::FPS;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;

/// What str0m's packets have of a picture, RTP's header without extensions, and the tag of
/// AEAD_AES_128_GCM (RFC 7714), which both take.
const PAYLOAD_BYTES: usize = 1120;
const HEADER_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const PACKET_BYTES: usize = HEADER_BYTES + PAYLOAD_BYTES + TAG_BYTES;

const KEY_BYTES: usize = 16;
const SALT: [u8; 12] = [0x5A; 12];

/// How the packets of a picture leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// One call for each.
    Each,
    /// One call, and the kernel cuts them (UDP GSO).
    Together,
}

struct Viewer {
    to: SocketAddr,
    cipher: CipherCtx,
    sequence: u16,
    ssrc: u32,
}

/// Sends pictures of so many bytes to each of these until killed.
///
/// # Errors
/// What OpenSSL or the system said.
pub(crate) fn run(to: &[SocketAddr], bytes: usize, sending: Sending) -> anyhow::Result<()> {
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    let mut viewers = Vec::new();
    for (number, to) in to.iter().enumerate() {
        let mut cipher = CipherCtx::new()?;
        let key = [number as u8; KEY_BYTES];
        cipher.encrypt_init(Some(Cipher::aes_128_gcm()), Some(&key), None)?;
        viewers.push(Viewer {
            to: *to,
            cipher,
            sequence: 0,
            ssrc: number as u32,
        });
    }
    let picture = vec![0x42; bytes];
    let mut packets = Vec::new();
    let period = Duration::from_secs_f64(1.0 / FPS);
    let (start, mut number) = (Instant::now(), 0);
    loop {
        number += 1;
        sleep((start + period * number).saturating_duration_since(Instant::now()));
        for viewer in &mut viewers {
            packets.clear();
            viewer.encrypt(&picture, number * 3000, &mut packets)?;
            viewer.send(&socket, &packets, sending)?;
        }
    }
}

impl Viewer {
    fn encrypt(&mut self, picture: &[u8], time: u32, packets: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut rest = picture;
        while !rest.is_empty() {
            let (payload, after) = rest.split_at(rest.len().min(PAYLOAD_BYTES));
            rest = after;
            let marker = if rest.is_empty() { 0x80 } else { 0 };
            let [high, low] = self.sequence.to_be_bytes();
            let at = packets.len();
            packets.extend([0x80, marker | 96, high, low]);
            packets.extend(time.to_be_bytes());
            packets.extend(self.ssrc.to_be_bytes());
            packets.extend_from_slice(payload);
            // RFC 7714, section 8.1; the sequence has not gone round.
            let mut iv = SALT;
            iv[2..6]
                .iter_mut()
                .zip(self.ssrc.to_be_bytes())
                .for_each(|(iv, it)| *iv ^= it);
            (iv[10], iv[11]) = (iv[10] ^ high, iv[11] ^ low);
            self.cipher.encrypt_init(None, None, Some(&iv))?;
            let (header, payload) = packets[at..].split_at_mut(HEADER_BYTES);
            self.cipher.cipher_update(header, None)?;
            self.cipher.cipher_update_inplace(payload, payload.len())?;
            self.cipher.cipher_final(&mut [])?;
            let mut tag = [0; TAG_BYTES];
            self.cipher.tag(&mut tag)?;
            packets.extend(tag);
            self.sequence = self.sequence.wrapping_add(1);
        }
        Ok(())
    }

    fn send(&self, socket: &UdpSocket, packets: &[u8], sending: Sending) -> anyhow::Result<()> {
        if sending == Sending::Each {
            for packet in packets.chunks(PACKET_BYTES) {
                socket.send_to(packet, self.to)?;
            }
            return Ok(());
        }
        let to = SockaddrStorage::from(self.to);
        let cut = [ControlMessage::UdpGsoSegments(&(PACKET_BYTES as u16))];
        let (fd, pieces) = (socket.as_raw_fd(), [IoSlice::new(packets)]);
        sendmsg(fd, &pieces, &cut, MsgFlags::empty(), Some(&to))?;
        Ok(())
    }
}
