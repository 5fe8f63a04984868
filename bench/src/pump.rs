//! The bare loop: the least that a program with one thread can do to send frames to many sockets.
//! It takes every request for one for the stream, makes a frame [`FPS`] times a second, and writes
//! it to each client that is done with its last one. There is no slot and no rule about when a
//! frame may be sent; socket options are the kernel's defaults.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eyelid_bench::picture::{FPS, Picture, Spec};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: multipart/x-mixed-replace; boundary=boundarydonotcross\r\n\r\n--boundarydonotcross\r\n";

/// What epoll calls the listener and the timer; clients have higher numbers.
const LISTENER: u64 = 0;
const TIMER: u64 = 1;
const FIRST_CLIENT: u64 = 2;

struct Client {
    socket: TcpStream,
    state: State,
}

enum State {
    New,
    Ready,
    /// So much of a frame was taken by the socket, the rest waits.
    Sending(Rc<[u8]>, usize),
}

/// Runs until killed.
pub(crate) fn run(listen: SocketAddr, spec: Spec) -> anyhow::Result<()> {
    let mut picture = Picture::new(spec)?;
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::empty())?;
    let period = TimeSpec::from_duration(Duration::from_secs_f64(1.0 / FPS));
    timer.set(Expiration::Interval(period), TimerSetTimeFlags::empty())?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
    let mut clients = HashMap::new();
    let mut next = FIRST_CLIENT;
    let mut events = [EpollEvent::empty(); 128];
    loop {
        let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(Errno::EINTR) => 0,
            result => result?,
        };
        for event in &events[..ready] {
            match event.data() {
                LISTENER => {
                    let socket = listener.accept()?.0;
                    clients.insert(next, Client::new(socket, &epoll, next)?);
                    next += 1;
                }
                TIMER => {
                    timer.wait()?;
                    let frame = frame(&mut picture);
                    clients.retain(|_, client| client.start(&frame).is_ok());
                }
                number => {
                    if let Some(client) = clients.get_mut(&number)
                        && client.serve().is_err()
                    {
                        clients.remove(&number);
                    }
                }
            }
        }
    }
}

/// A part as `eyelid-server` sends it.
fn frame(picture: &mut Picture) -> Rc<[u8]> {
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let jpeg = picture.stamped(now);
    let header = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}.{:06}\r\n\r\n",
        jpeg.len(),
        since.as_secs(),
        since.subsec_micros()
    );
    [header.as_bytes(), jpeg, b"\r\n--boundarydonotcross\r\n"]
        .concat()
        .into()
}

impl Client {
    fn new(socket: TcpStream, epoll: &Epoll, number: u64) -> anyhow::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        // Edges: a socket that could take more is of interest only after one that could not.
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        epoll.add(&socket, EpollEvent::new(flags, number))?;
        Ok(Self {
            socket,
            state: State::New,
        })
    }

    /// Answers the request, or goes on sending.
    fn serve(&mut self) -> io::Result<()> {
        match self.socket.read(&mut [0; 4096]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) if matches!(self.state, State::New) => {
                self.socket.write_all(RESPONSE)?;
                self.state = State::Ready;
            }
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        self.advance()
    }

    /// Starts a frame, if the last one is out.
    fn start(&mut self, frame: &Rc<[u8]>) -> io::Result<()> {
        if matches!(self.state, State::Ready) {
            self.state = State::Sending(frame.clone(), 0);
            return self.advance();
        }
        Ok(())
    }

    fn advance(&mut self) -> io::Result<()> {
        while let State::Sending(frame, sent) = &mut self.state {
            match self.socket.write(&frame[*sent..]) {
                Ok(bytes) => *sent += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if *sent == frame.len() {
                self.state = State::Ready;
            }
        }
        Ok(())
    }
}
