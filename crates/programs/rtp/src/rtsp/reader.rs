//! What comes on a client's connection, cut into requests and interleaved packets (RFC 2326,
//! section 10.12). Everything that a stranger can grow is bounded.

use crate::rtsp::message::{Method, Request};

/// How many bytes the head of a request may have, as in the server.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// How many headers it may have.
const MAX_HEADERS: usize = 64;

/// How many bytes may follow it: parameters that nobody reads.
const MAX_BODY_BYTES: usize = 16 << 10;

/// How many bytes an interleaved packet may have: reports of no receiver have more (as those that
/// come by UDP). What is longer is not kept.
const MAX_PACKET_BYTES: usize = 2048;

/// What precedes the bytes of an interleaved packet: `$`, the channel and the length.
const INTERLEAVED_HEADER_BYTES: usize = 4;

/// Cuts what comes.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    /// Bytes at the front that have been given out.
    taken: usize,
    /// Bytes behind them in which no head ends.
    searched: usize,
    /// Bytes still to come of a packet that is not kept.
    unwanted: usize,
}

/// One thing that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A request.
    Request(Request),
    /// A packet of the client's, RTCP as a rule.
    Interleaved {
        /// On this channel.
        channel: u8,
        /// What it holds.
        packet: Vec<u8>,
    },
    /// The answer to a request of ours, of which there are none.
    Response,
}

/// What there is of a packet between messages.
enum Interleaved {
    /// All of it.
    Whole(Incoming),
    /// Not all of it, as yet.
    InPart,
    /// It is too long, and not kept.
    Unwanted,
}

/// Why nothing more can be read: where the next thing begins is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// Not RTSP.
    #[error("this is no RTSP")]
    Malformed,
    /// Another version of it.
    #[error("another version than RTSP/1.0")]
    Version,
    /// The head or the body is longer than is read.
    #[error("a request longer than is read")]
    TooLong,
}

impl Reader {
    /// Takes what has come.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives the next thing that has come whole.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, ReadError> {
        loop {
            self.skip_unwanted();
            self.skip_line_breaks();
            let rest = &self.buffer[self.taken..];
            match rest.first() {
                None => return Ok(None),
                Some(b'$') => match self.interleaved() {
                    Interleaved::Unwanted => {}
                    Interleaved::Whole(incoming) => return Ok(Some(incoming)),
                    Interleaved::InPart => return Ok(None),
                },
                // A method, or RTSP/1.0 of a response.
                Some(byte) if byte.is_ascii_uppercase() => return self.message(),
                Some(_) => return Err(ReadError::Malformed),
            }
        }
    }

    fn skip_unwanted(&mut self) {
        let skipped = self.unwanted.min(self.buffer.len() - self.taken);
        self.taken += skipped;
        self.unwanted -= skipped;
    }

    /// Some clients end a body or a packet with an empty line that nobody counts (RFC 9112, section
    /// 2.2 says the same of HTTP).
    fn skip_line_breaks(&mut self) {
        let rest = &self.buffer[self.taken..];
        let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let skipped = breaks.count();
        self.taken += skipped;
        self.searched = self.searched.saturating_sub(skipped);
    }

    fn interleaved(&mut self) -> Interleaved {
        let rest = &self.buffer[self.taken..];
        let Some((&[_, channel, high, low], rest)) =
            rest.split_first_chunk::<INTERLEAVED_HEADER_BYTES>()
        else {
            return Interleaved::InPart;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MAX_PACKET_BYTES {
            self.take(INTERLEAVED_HEADER_BYTES);
            self.unwanted = length;
            return Interleaved::Unwanted;
        }
        let Some(packet) = rest.get(..length) else {
            return Interleaved::InPart;
        };
        let packet = packet.to_vec();
        self.take(INTERLEAVED_HEADER_BYTES + length);
        Interleaved::Whole(Incoming::Interleaved { channel, packet })
    }

    fn message(&mut self) -> Result<Option<Incoming>, ReadError> {
        let rest = &self.buffer[self.taken..];
        let Some(head_bytes) = head_end(rest, self.searched) else {
            // Its last three bytes may be the beginning of the end.
            self.searched = rest.len().saturating_sub(3);
            return if rest.len() > MAX_HEAD_BYTES {
                Err(ReadError::TooLong)
            } else {
                Ok(None)
            };
        };
        if head_bytes > MAX_HEAD_BYTES {
            return Err(ReadError::TooLong);
        }
        let head = parse_head(&rest[..head_bytes])?;
        let body_bytes = content_length(head.as_ref())?;
        let Some(body) = rest.get(head_bytes..head_bytes + body_bytes) else {
            return Ok(None);
        };
        let body = body.to_vec();
        self.take(head_bytes + body_bytes);
        Ok(Some(head.map_or(Incoming::Response, |head| {
            Incoming::Request(Request { body, ..head })
        })))
    }

    fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        self.searched = 0;
    }
}

/// Where the head ends whose empty line is not within the first `searched` bytes. Lines may end
/// with LF alone, as RFC 2326 (section 4) has it.
fn head_end(bytes: &[u8], searched: usize) -> Option<usize> {
    let mut line_start = None;
    for (at, byte) in bytes.iter().enumerate().skip(searched) {
        match (byte, line_start) {
            (b'\n', Some(start)) if at == start || (at == start + 1 && bytes[start] == b'\r') => {
                return Some(at + 1);
            }
            (b'\n', _) => line_start = Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Gives the request without its body; `None` for a response.
fn parse_head(head: &[u8]) -> Result<Option<Request>, ReadError> {
    let line_end = head.iter().position(|byte| *byte == b'\n');
    let (line, fields) = head.split_at(line_end.map_or(head.len(), |at| at + 1));
    let line = std::str::from_utf8(line).map_err(|_| ReadError::Malformed)?;
    if line.starts_with("RTSP/") {
        return Ok(None);
    }
    let words: Vec<&str> = line.split_ascii_whitespace().take(4).collect();
    let [method, url, version] = words[..] else {
        return Err(ReadError::Malformed);
    };
    match version {
        "RTSP/1.0" => {}
        _ if version.starts_with("RTSP/") => return Err(ReadError::Version),
        _ => return Err(ReadError::Malformed),
    }
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let parsed = httparse::parse_headers(fields, &mut slots);
    let headers = match parsed {
        Ok(httparse::Status::Complete((_, headers))) => headers,
        Ok(httparse::Status::Partial) => return Err(ReadError::Malformed),
        Err(httparse::Error::TooManyHeaders) => return Err(ReadError::TooLong),
        Err(_) => return Err(ReadError::Malformed),
    };
    let headers = headers.iter().map(|header| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_owned(), value)
    });
    Ok(Some(Request {
        method: Method::of(method),
        url: url.to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
    }))
}

/// How many bytes follow a head. Those of a response nobody sends here, so it has none.
fn content_length(head: Option<&Request>) -> Result<usize, ReadError> {
    let Some(length) = head.and_then(|head| head.header("Content-Length")) else {
        return Ok(0);
    };
    let bytes: usize = length.parse().map_err(|_| ReadError::Malformed)?;
    if bytes > MAX_BODY_BYTES {
        return Err(ReadError::TooLong);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str =
        "OPTIONS rtsp://host/cam RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: a\r\nUser-Agent: b\r\n\r\n";

    fn read_all(bytes: &[u8], pieces: usize) -> Result<Vec<Incoming>, ReadError> {
        let mut reader = Reader::default();
        let mut all = Vec::new();
        for piece in bytes.chunks(pieces) {
            reader.push(piece);
            while let Some(incoming) = reader.next()? {
                all.push(incoming);
            }
        }
        Ok(all)
    }

    #[test]
    fn requests_and_packets_are_cut_however_they_come() {
        let mut bytes = OPTIONS.as_bytes().to_vec();
        bytes.extend_from_slice(b"$\x01\x00\x03abc");
        bytes
            .extend_from_slice(b"SET_PARAMETER * RTSP/1.0\nCSeq: 2\nContent-Length: 4\n\nA: 1\r\n");
        bytes.extend_from_slice(b"$\x00\x00\x00RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
        bytes.extend_from_slice(OPTIONS.as_bytes());
        let whole = read_all(&bytes, bytes.len()).unwrap();
        for pieces in 1..40 {
            assert_eq!(read_all(&bytes, pieces).unwrap(), whole, "{pieces}");
        }
        let [
            Incoming::Request(options),
            Incoming::Interleaved { channel: 1, packet },
            Incoming::Request(set),
            Incoming::Interleaved { channel: 0, .. },
            Incoming::Response,
            Incoming::Request(_),
        ] = &whole[..]
        else {
            panic!("{whole:?}");
        };
        assert_eq!(options.method, Method::Options);
        assert_eq!(options.header("user-agent"), Some("a"));
        assert_eq!(packet, b"abc");
        assert_eq!(
            (set.method, &set.body[..]),
            (Method::SetParameter, &b"A: 1"[..])
        );
    }

    #[test]
    fn a_packet_that_is_too_long_is_passed_over_and_not_kept() {
        for (length, kept) in [
            (MAX_PACKET_BYTES, 1),
            (MAX_PACKET_BYTES + 1, 0),
            (65_535, 0),
        ] {
            let mut bytes = vec![b'$', 1];
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
            bytes.resize(bytes.len() + length, b'$');
            bytes.extend_from_slice(OPTIONS.as_bytes());
            let whole = read_all(&bytes, bytes.len()).unwrap();
            assert_eq!(whole.len(), kept + 1, "{length}");
            for pieces in [1, 3, 1000] {
                assert_eq!(
                    read_all(&bytes, pieces).unwrap(),
                    whole,
                    "{length} by {pieces}"
                );
            }
        }
        let mut reader = Reader::default();
        reader.push(&[b'$', 0, 255, 255]);
        for _ in 0..60 {
            reader.push(&[0; 1000]);
            assert_eq!(reader.next(), Ok(None));
            assert!(
                reader.buffer.len() <= 1004,
                "it keeps {}",
                reader.buffer.len()
            );
        }
    }

    #[test]
    fn what_is_no_rtsp_or_too_long_is_refused() {
        let long = format!("OPTIONS * RTSP/1.0\r\nX: {}", "x".repeat(MAX_HEAD_BYTES));
        let many = format!("OPTIONS * RTSP/1.0\r\n{}\r\n", "X: y\r\n".repeat(65));
        let body = "OPTIONS * RTSP/1.0\r\nContent-Length: 99999\r\n\r\n";
        for (text, error) in [
            ("GET / HTTP/1.1\r\n\r\n", ReadError::Malformed),
            ("OPTIONS * RTSP/2.0\r\n\r\n", ReadError::Version),
            ("OPTIONS *\r\n\r\n", ReadError::Malformed),
            ("OPTIONS * RTSP/1.0 x\r\n\r\n", ReadError::Malformed),
            ("\x16\x03\x01", ReadError::Malformed),
            (
                "OPTIONS * RTSP/1.0\r\nno colon\r\n\r\n",
                ReadError::Malformed,
            ),
            (
                "OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n",
                ReadError::Malformed,
            ),
            (&long, ReadError::TooLong),
            (&many, ReadError::TooLong),
            (body, ReadError::TooLong),
        ] {
            assert_eq!(read_all(text.as_bytes(), 7), Err(error), "{text:.60}");
        }
    }
}
