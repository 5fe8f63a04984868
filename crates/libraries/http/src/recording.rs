//! What was read of a connection and not answered yet, byte by byte, for who takes the connection
//! over: hyper does not give back what it has parsed.

/// How much is recorded: a request's header, and what hyper reads behind it before somebody wants
/// more (each of the two 16 KiB at most), twice.
const LIMIT: usize = 64 << 10;

/// The bytes since the first of the request that is being answered.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    bytes: Vec<u8>,
    /// More came than is recorded.
    overflowed: bool,
}

impl Recording {
    /// These were read.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.overflowed |= self.bytes.len() + bytes.len() > LIMIT;
        if self.overflowed {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The first request, which has no body, was answered; what follows is the next.
    pub(crate) fn request_ended(&mut self) {
        match head_length(&self.bytes) {
            Some(length) if length < self.bytes.len() => drop(self.bytes.drain(..length)),
            _ => self.bytes.clear(),
        }
    }

    /// Gives what was recorded, from the first byte of the request on, unless that is not all.
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        let bytes = std::mem::take(&mut self.bytes);
        (!self.overflowed).then_some(bytes)
    }
}

/// Gives how long a request's head is, with its empty line and those before it (RFC 9112, section
/// 2.2), as hyper reads it.
pub(crate) fn head_length(bytes: &[u8]) -> Option<usize> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = bytes.iter().position(|byte| !is_end(byte))?;
    let mut line_ends = (start..bytes.len()).filter(|at| bytes[*at] == b'\n');
    line_ends.find_map(|at| match bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_dropped_with_its_answer_and_nothing_behind_it() {
        let requests = [
            "GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
            "\r\n\r\nGET /b HTTP/1.1\nHost: x\n\r\n",
            "GET /c HTTP/1.0\n\n",
            "POST /d HTTP/1.1\r\nContent-Length: 4\r\n\r\nb\n\ny",
        ];
        let all = requests.concat();
        // Read byte by byte, and all at once.
        for size in [1, all.len()] {
            let mut recording = Recording::default();
            for piece in all.as_bytes().chunks(size) {
                recording.add(piece);
            }
            (0..3).for_each(|_| recording.request_ended());
            assert_eq!(recording.take().as_deref(), Some(requests[3].as_bytes()));
            assert_eq!(recording.take().as_deref(), Some(&b""[..]));
        }
        assert_eq!(
            head_length(requests[3].as_bytes()),
            Some(requests[3].len() - 4)
        );
        for part in ["", "\r\n", "GET / HTTP/1.1\r\nHost: x\r\n", "\n\n\n"] {
            assert_eq!(head_length(part.as_bytes()), None, "{part:?}");
        }
    }

    #[test]
    fn more_than_fits_is_nothing() {
        let mut recording = Recording::default();
        recording.add(&[b'x'; LIMIT]);
        assert_eq!(recording.bytes.len(), LIMIT);
        recording.add(b"x");
        assert_eq!((recording.bytes.capacity(), recording.take()), (0, None));
    }
}
