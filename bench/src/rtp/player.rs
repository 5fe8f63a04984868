//! A client of RTSP 1.0 (RFC 2326) that looks at one stream, by TCP or by UDP.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail, ensure};

use super::Frame;
use super::assembly::Assembly;

/// A response takes less, also that of a server whose camera wakes first.
const PATIENCE: Duration = Duration::from_secs(20);

/// What packets between messages have before them (RFC 2326, section 10.12).
const INTERLEAVED_BYTES: usize = 4;

/// How packets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// A client.
pub(crate) struct Player {
    connection: TcpStream,
    url: String,
    session: Option<String>,
    requests: u32,
    /// What has come and was not taken yet is from here on.
    buffer: Vec<u8>,
    taken: usize,
    /// Where packets come by UDP: those of RTP, and those of RTCP.
    ports: Option<[UdpSocket; 2]>,
    assembly: Assembly,
    /// Frames that came and nobody has asked for.
    frames: Vec<Frame>,
}

/// What a connection brings.
enum Item {
    Response(Response),
    /// A packet between the messages, or a part of one: there is more to come.
    Other,
}

struct Response {
    head: String,
    body: String,
}

impl Player {
    /// Connects, and plays what is at this path.
    ///
    /// # Errors
    /// What the system or the server said.
    pub(crate) fn play(
        server: SocketAddr,
        path: &str,
        transport: Transport,
    ) -> anyhow::Result<Self> {
        let connection = TcpStream::connect(server)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let mut player = Self {
            url: format!("rtsp://{server}{path}"),
            connection,
            session: None,
            requests: 0,
            buffer: Vec::new(),
            taken: 0,
            ports: None,
            assembly: Assembly::default(),
            frames: Vec::new(),
        };
        let described = player.ask(
            "DESCRIBE",
            &player.url.clone(),
            "Accept: application/sdp\r\n",
        )?;
        let base = described.header("Content-Base").unwrap_or(&player.url);
        let base = base.trim_end_matches('/').to_owned();
        let track = match described.control()? {
            whole if whole.starts_with("rtsp://") => whole.to_owned(),
            part => format!("{base}/{part}"),
        };
        let transport = player.transport(transport)?;
        let set_up = player.ask("SETUP", &track, &format!("Transport: {transport}\r\n"))?;
        let session = set_up.header("Session").context("SETUP gives no session")?;
        let session = session.split(';').next().unwrap_or(session);
        player.session = Some(session.to_owned());
        player.ask("PLAY", &format!("{base}/"), "Range: npt=0.000-\r\n")?;
        player.connection.set_nonblocking(true)?;
        Ok(player)
    }

    /// The connection, and where packets come besides.
    pub(crate) fn sockets(&self) -> (&TcpStream, Option<&UdpSocket>) {
        (&self.connection, self.ports.as_ref().map(|[rtp, _]| rtp))
    }

    /// Takes what has come. Gives the frames that are whole with it.
    ///
    /// # Errors
    /// The server has closed, or sent what is no packet.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Vec<Frame>> {
        if let Some([rtp, _]) = &self.ports {
            let mut packet = [0; 2048];
            loop {
                match rtp.recv(&mut packet) {
                    Ok(bytes) => {
                        let frame = self.assembly.push(&packet[..bytes], SystemTime::now())?;
                        self.frames.extend(frame);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        while self.read()? {
            while self.next()?.is_some() {}
        }
        Ok(std::mem::take(&mut self.frames))
    }

    /// Blocks until a whole frame has come by TCP; gives it.
    ///
    /// # Errors
    /// As for [`Player::receive`], and none comes.
    pub(crate) fn first(&mut self) -> anyhow::Result<Frame> {
        self.connection.set_nonblocking(false)?;
        while self.frames.is_empty() {
            if self.next()?.is_none() {
                ensure!(self.read()?, "no frame in {PATIENCE:?}");
            }
        }
        Ok(self.frames.remove(0))
    }

    /// What the request for this way says, its ports being taken.
    fn transport(&mut self, transport: Transport) -> anyhow::Result<String> {
        if transport == Transport::Tcp {
            return Ok("RTP/AVP/TCP;unicast;interleaved=0-1".to_owned());
        }
        let here = self.connection.local_addr()?.ip();
        let ports = loop {
            let rtp = UdpSocket::bind((here, 0))?;
            let port = rtp.local_addr()?.port();
            if port % 2 == 0
                && let Ok(rtcp) = UdpSocket::bind((here, port + 1))
            {
                rtp.set_nonblocking(true)?;
                self.ports = Some([rtp, rtcp]);
                break format!("{port}-{}", port + 1);
            }
        };
        Ok(format!("RTP/AVP;unicast;client_port={ports}"))
    }

    /// Asks for something; gives the response, which says that it was done.
    fn ask(&mut self, method: &str, url: &str, headers: &str) -> anyhow::Result<Response> {
        self.request(method, url, headers)?;
        loop {
            match self.next()? {
                Some(Item::Response(response)) => {
                    let status = response.head.lines().next().unwrap_or_default();
                    ensure!(status.contains(" 200 "), "{method} {url}: {status}");
                    return Ok(response);
                }
                Some(Item::Other) => {}
                None => ensure!(self.read()?, "{method} {url}: no response"),
            }
        }
    }

    fn request(&mut self, method: &str, url: &str, headers: &str) -> anyhow::Result<()> {
        self.requests += 1;
        let number = self.requests;
        let session = match &self.session {
            Some(session) => format!("Session: {session}\r\n"),
            None => String::new(),
        };
        let request =
            format!("{method} {url} RTSP/1.0\r\nCSeq: {number}\r\n{session}{headers}\r\n");
        Ok(self.connection.write_all(request.as_bytes())?)
    }

    /// Reads what has come. Gives whether anything had.
    fn read(&mut self) -> anyhow::Result<bool> {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        let filled = self.buffer.len();
        self.buffer.resize(filled + (1 << 16), 0);
        let got = self.connection.read(&mut self.buffer[filled..]);
        self.buffer.truncate(filled + *got.as_ref().unwrap_or(&0));
        match got {
            Ok(0) => bail!("the server closed the connection"),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the next message or packet, if it has come whole.
    fn next(&mut self) -> anyhow::Result<Option<Item>> {
        let rest = &self.buffer[self.taken..];
        let Some(first) = rest.first() else {
            return Ok(None);
        };
        if *first == b'$' {
            let Some([_, channel, high, low]) = rest.first_chunk() else {
                return Ok(None);
            };
            let bytes = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(packet) = rest.get(INTERLEAVED_BYTES..INTERLEAVED_BYTES + bytes) else {
                return Ok(None);
            };
            if *channel == 0 {
                let frame = self.assembly.push(packet, SystemTime::now())?;
                self.frames.extend(frame);
            }
            self.taken += INTERLEAVED_BYTES + bytes;
            return Ok(Some(Item::Other));
        }
        let Some(head_bytes) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(&rest[..head_bytes]).into_owned();
        let mut response = Response {
            head,
            body: String::new(),
        };
        let body_bytes = response.header("Content-Length").unwrap_or("0").parse()?;
        let body = &rest[head_bytes + 4..];
        let Some(body) = body.get(..body_bytes) else {
            return Ok(None);
        };
        response.body = String::from_utf8_lossy(body).into_owned();
        self.taken += head_bytes + 4 + body_bytes;
        Ok(Some(Item::Response(response)))
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // The end of the connection says it as well.
        let _ = self.request("TEARDOWN", &self.url.clone(), "");
    }
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = headers.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }

    /// What the description calls its stream of video.
    fn control(&self) -> anyhow::Result<&str> {
        let video = self.body.find("m=video").context("no video described")?;
        let mut lines = self.body[video..].lines();
        let control = lines.find_map(|line| line.strip_prefix("a=control:"));
        control.context("a stream without a=control")
    }
}
