//! One request over a connection of its own, from one of this machine's addresses.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::Context;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};

const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked.
pub(super) struct Request<'a> {
    method: &'static str,
    path: &'a str,
    content_type: &'static str,
    body: &'a str,
}

/// What is answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl<'a> Request<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            content_type: "text/plain",
            body: "",
        }
    }

    pub(super) fn post(path: &'a str, content_type: &'static str, body: &'a str) -> Self {
        Self {
            method: "POST",
            path,
            content_type,
            body,
        }
    }
}

/// Asks by HTTP/1.0, so that no answer is in chunks, and reads to the end of the connection.
///
/// # Errors
/// What the system said, or an answer that is none.
pub(super) fn ask(server: SocketAddr, from: IpAddr, request: &Request) -> anyhow::Result<Answer> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    bind(
        fd.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(from, 0)),
    )?;
    connect(fd.as_raw_fd(), &SockaddrStorage::from(server))?;
    let mut stream = TcpStream::from(fd);
    stream.set_read_timeout(Some(PATIENCE))?;
    let Request {
        method,
        path,
        content_type,
        body,
    } = request;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {server}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok(Answer {
        status,
        body: body.to_owned(),
    })
}
