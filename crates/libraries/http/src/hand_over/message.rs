//! The message that comes with a connection: a line of JSON, then the bytes read from the client.

use eyelid_config::Origin;
use eyelid_slot::CameraName;
use serde::{Deserialize, Serialize};

use crate::socket::Peer;

/// The version of the message. Keys may be added to one, and are ignored by who does not know them.
const VERSION: u32 = 1;

/// Largest message. A request's header has 16 KiB at most and as much again may have been read
/// behind it; what is known is part of that header. A socket takes 208 KiB at once
/// (net.core.wmem_default).
pub(crate) const MESSAGE_BYTES: usize = 128 << 10;

/// What is known of a connection that is handed over, all of it checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// The client.
    pub peer: Peer,
    /// The camera that the request names, where its path names one.
    pub camera: Option<CameraName>,
    /// The user whose password came with the request, where passwords are asked for.
    pub user: Option<String>,
    /// Whose pages may read responses (CORS).
    pub allow_origin: Option<Origin>,
}

/// A message that is none.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Its first line does not end, or is not what it should be.
    #[error("it does not begin with a line of JSON: {0}")]
    Malformed(String),
    /// A newer program sent it.
    #[error("it has version {0}; this program knows version {VERSION}")]
    Version(u32),
    /// It has more bytes than fit in.
    #[error("it has {0} bytes, more than {MESSAGE_BYTES}")]
    TooLong(usize),
}

#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    known: &'a Known,
}

/// What every version says.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Known {
    /// Gives the line that begins a message.
    ///
    /// # Errors
    /// Together with `read_bytes` behind it, it would be too long.
    pub(crate) fn to_line(&self, read_bytes: usize) -> Result<Vec<u8>, MessageError> {
        let head = Line {
            version: VERSION,
            known: self,
        };
        let malformed = |error: serde_json::Error| MessageError::Malformed(error.to_string());
        let mut line = serde_json::to_vec(&head).map_err(malformed)?;
        line.push(b'\n');
        match line.len() + read_bytes {
            fits if fits <= MESSAGE_BYTES => Ok(line),
            bytes => Err(MessageError::TooLong(bytes)),
        }
    }

    /// Reads a message. Gives what is known, and the bytes read from the client.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn parse(message: &[u8]) -> Result<(Self, &[u8]), MessageError> {
        if message.len() > MESSAGE_BYTES {
            return Err(MessageError::TooLong(message.len()));
        }
        let malformed = |what: &str| MessageError::Malformed(what.to_owned());
        // JSON has no bare line feed in a string, so the first one ends the line.
        let end = message.iter().position(|byte| *byte == b'\n');
        let (line, read) = message.split_at(end.ok_or_else(|| malformed("it has no end"))?);
        let not_json = |error: serde_json::Error| malformed(&error.to_string());
        let Version { version } = serde_json::from_slice(line).map_err(not_json)?;
        if version != VERSION {
            return Err(MessageError::Version(version));
        }
        let known = serde_json::from_slice(line).map_err(not_json)?;
        Ok((known, &read[1..]))
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing {
    use super::{Known, MESSAGE_BYTES};

    /// A message is refused, or what it says can be written down and read again, and the bytes
    /// behind it are as they were.
    ///
    /// # Panics
    /// Where that does not hold.
    pub fn handed(message: &[u8]) {
        let Ok((known, read)) = Known::parse(message) else {
            return;
        };
        assert!(message.ends_with(read) && message.len() <= MESSAGE_BYTES);
        assert_eq!(message[message.len() - read.len() - 1], b'\n');
        let Ok(line) = known.to_line(0) else {
            panic!("what was read cannot be written: {known:?}");
        };
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        match Known::parse(&[&line, read].concat()) {
            Ok(again) => assert_eq!(again, (known, read)),
            // Numbers and escapes may be written longer than they were read.
            Err(error) => assert!(line.len() + read.len() > MESSAGE_BYTES, "{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            peer: Peer::Tcp("[2001:db8::1]:1000".parse().unwrap()),
            camera: Some("front".parse().unwrap()),
            user: Some("anna \"the\n\u{fc}ser\"".into()),
            allow_origin: Some("*".parse().unwrap()),
        }
    }

    #[test]
    fn what_is_written_is_read_with_the_bytes_behind_it() {
        for read in [&b"GET / HTTP/1.1\r\n\r\n\xff\n"[..], b""] {
            let message = [&known().to_line(read.len()).unwrap()[..], read].concat();
            assert_eq!(Known::parse(&message).unwrap(), (known(), read));
        }
        for peer in [Peer::Unix, Peer::Unknown] {
            let known = Known { peer, ..known() };
            let line = known.to_line(0).unwrap();
            assert_eq!(Known::parse(&line).unwrap().0, known);
        }
    }

    #[test]
    fn a_newer_program_may_say_more_but_not_something_else() {
        let line = b"{\"version\":1,\"peer\":\"unix\",\"link\":{\"bytes\":[1,2]}}\nrest";
        let (known, read) = Known::parse(line).unwrap();
        assert_eq!(
            (known.peer, known.camera, read),
            (Peer::Unix, None, &b"rest"[..])
        );
        let error = Known::parse(b"{\"version\":2}\n").unwrap_err();
        assert!(matches!(error, MessageError::Version(2)), "{error}");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for wrong in [
            &b""[..],
            b"{\"version\":1,\"peer\":\"unix\"}",
            b"GET / HTTP/1.1\r\n\r\n",
            b"{\"version\":1}\n",
            b"{\"version\":1,\"peer\":\"nobody\"}\n",
            b"{\"version\":1,\"peer\":\"unix\",\"camera\":\"../x\"}\n",
            b"{\"version\":1,\"peer\":\"unix\",\"allow_origin\":\"a\\r\\nb\"}\n",
            &[b' '; MESSAGE_BYTES + 1],
        ] {
            assert!(Known::parse(wrong).is_err(), "{}", wrong.escape_ascii());
        }
        assert!(known().to_line(MESSAGE_BYTES).is_err());
    }
}
