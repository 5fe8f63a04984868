//! Cameras that push: any number of them in one thread, each with a WebSocket of its own, which it
//! fills as one of the usual libraries does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::str;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use clap::ValueEnum;
use eyelid_bench::picture::{FPS, Picture, Spec};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};

use crate::websocket::{Frame, Kind, apply_mask, header};
use crate::worker::Worker;

/// Receivers answer and take at once, or something is wrong with them.
const PATIENCE: Duration = Duration::from_secs(30);

/// The protocol of cameras that want to be told whether anybody looks.
pub(crate) const TOLD: &str = "eyelid.v1";

/// `buffer_size` of esp_websocket_client, if it is not told otherwise.
const FRAGMENT_BYTES: usize = 1024;

/// What a camera sends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Library {
    /// Links2004/arduinoWebSockets: a message is one frame, masked with zeros, and its header is
    /// written by itself.
    Arduino,
    /// Espressif's esp_websocket_client: a message is fragments of 1 KB, each masked at random.
    Espressif,
}

/// How cameras push.
#[derive(Clone, Debug)]
pub(crate) struct Pushing {
    pub(crate) library: Library,
    pub(crate) frames: Spec,
    pub(crate) fps: f64,
    /// The protocol that is asked for. Cameras of [`TOLD`] send nothing before they are told to.
    pub(crate) protocol: Option<&'static str>,
    /// What a camera's own socket holds, if not what Linux gives it.
    pub(crate) send_buffer_bytes: Option<usize>,
    pub(crate) token: Option<String>,
}

/// A camera's connection.
pub(crate) struct Camera {
    socket: TcpStream,
    library: Library,
    is_sending: bool,
    /// What has come from the receiver and is not whole yet.
    received: Vec<u8>,
    /// The newest mask is made of this.
    random: u32,
}

/// A thread that plays cameras.
pub(crate) struct Pusher(Worker);

impl Pushing {
    /// Cameras of 640x480 and 30 frames a second.
    pub(crate) fn usual(library: Library) -> Self {
        Self {
            library,
            frames: Spec::SMALL,
            fps: FPS,
            protocol: None,
            send_buffer_bytes: None,
            token: None,
        }
    }
}

impl Pusher {
    /// Connects a camera of each of these names, and lets them push from now on.
    pub(crate) fn start(
        receiver: SocketAddr,
        names: &[String],
        pushing: &Pushing,
    ) -> anyhow::Result<Self> {
        let cameras: anyhow::Result<Vec<_>> = names
            .iter()
            .map(|name| Camera::connect(receiver, name, pushing))
            .collect();
        let (cameras, picture) = (cameras?, Picture::new(pushing.frames)?);
        let period = Duration::from_secs_f64(1.0 / pushing.fps);
        Ok(Self(Worker::start("pusher", move |stop| {
            push(cameras, picture, period, stop)
        })))
    }

    /// Waits until it fails.
    pub(crate) fn wait(self) -> anyhow::Result<()> {
        self.0.wait()
    }
}

/// Has each camera expose once in a period, and send that at once. Cameras know nothing of each
/// other, so their exposures are spread over the period. One that was kept from sending skips what
/// it has missed.
fn push(
    mut cameras: Vec<Camera>,
    mut picture: Picture,
    period: Duration,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let step = period.div_f64(cameras.len() as f64);
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        sleep(step.mul_f64(turn as f64).saturating_sub(start.elapsed()));
        let number = turn % cameras.len();
        let camera = &mut cameras[number];
        let pushed = camera.listen().and_then(|()| match camera.is_sending {
            true => camera.send(picture.stamped(SystemTime::now())),
            false => Ok(()),
        });
        pushed.with_context(|| format!("camera {number}"))?;
        let newest = start.elapsed().div_duration_f64(step) as usize;
        turn = (turn + 1).max((newest + 1).saturating_sub(cameras.len()));
    }
    Ok(())
}

impl Camera {
    /// Connects, and is accepted.
    pub(crate) fn connect(
        receiver: SocketAddr,
        name: &str,
        pushing: &Pushing,
    ) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(receiver)
            .with_context(|| format!("cannot connect to {receiver}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        if let Some(bytes) = &pushing.send_buffer_bytes {
            setsockopt(&socket, sockopt::SndBuf, bytes)?;
        }
        let protocol = pushing
            .protocol
            .map(|it| format!("Sec-WebSocket-Protocol: {it}\r\n"));
        let token = pushing.token.as_ref();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        write!(
            socket,
            "GET /{name} HTTP/1.1\r\nHost: {receiver}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}{}\r\n",
            protocol.unwrap_or_default(),
            token.unwrap_or_default()
        )?;
        Ok(Self {
            received: accepted(&mut socket)?,
            socket,
            library: pushing.library,
            is_sending: pushing.protocol != Some(TOLD),
            random: 1,
        })
    }

    /// Takes in what the receiver has said, and answers.
    fn listen(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 512];
        match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => bail!("the receiver closed the connection"),
            Ok(got) => self.received.extend(&buffer[..got]),
            Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
        while let Some(frame) = Frame::parse(&self.received) {
            let payload = self.received[frame.payload.clone()].to_vec();
            self.received.drain(..frame.payload.end);
            match frame.kind {
                Kind::Text => self.is_sending = str::from_utf8(&payload)?.contains("wake"),
                Kind::Ping => {
                    let mut pong = header(Kind::Pong, true, [0; 4], payload.len());
                    pong.extend(payload);
                    self.socket.write_all(&pong)?;
                }
                Kind::Close => bail!("closed: {}", String::from_utf8_lossy(&payload)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends a frame; waits until the socket has taken it, as long as that takes.
    fn send(&mut self, jpeg: &[u8]) -> anyhow::Result<()> {
        match self.library {
            Library::Arduino => {
                let header = header(Kind::Binary, true, [0; 4], jpeg.len());
                self.socket.write_all(&header)?;
                self.socket.write_all(jpeg)?;
            }
            Library::Espressif => {
                let count = jpeg.chunks(FRAGMENT_BYTES).count();
                for (number, fragment) in jpeg.chunks(FRAGMENT_BYTES).enumerate() {
                    let kind = match number {
                        0 => Kind::Binary,
                        _ => Kind::Continuation,
                    };
                    let mask = self.mask();
                    let mut frame = header(kind, number + 1 == count, mask, fragment.len());
                    let start = frame.len();
                    frame.extend(fragment);
                    apply_mask(&mut frame[start..], mask);
                    self.socket.write_all(&frame)?;
                }
            }
        }
        Ok(())
    }

    fn mask(&mut self) -> [u8; 4] {
        // The constants are those of a full-period generator modulo 2^32.
        self.random = self
            .random
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.random.to_ne_bytes()
    }
}

/// Reads the answer to a handshake. Gives what has come behind it.
fn accepted(socket: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut buffer = [0; 512];
    loop {
        let end = read.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end {
            if !read.starts_with(b"HTTP/1.1 101 ") {
                bail!("refused: {}", String::from_utf8_lossy(&read[..end]));
            }
            return Ok(read.split_off(end + 4));
        }
        match socket.read(&mut buffer)? {
            0 => bail!("the receiver closed the connection"),
            got => read.extend(&buffer[..got]),
        }
    }
}
