//! What comes out of a stream or a snapshot, in any pieces.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use eyelid_bench::picture;

/// Larger than any header that is expected.
const HEADER_BYTES: usize = 4096;

/// How much of a frame is looked at: enough for the stamp.
const BEGINNING: usize = 64;

/// The end of a JPEG.
const EOI: [u8; 2] = [0xFF, 0xD9];

/// Which moment of capture holds.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Moment {
    /// `X-Timestamp`; a stamp in the picture has to say the same.
    #[default]
    Header,
    /// The stamp in the picture: some servers' `X-Timestamp` is when they sent it.
    Stamp,
}

/// Finds the frames.
#[derive(Default)]
pub(crate) struct Parser {
    moment: Moment,
    /// What has been read of a header or, in a frame, its beginning.
    read: Vec<u8>,
    frame: Option<Body>,
}

struct Body {
    captured: SystemTime,
    length: usize,
    left: usize,
    end: [u8; 2],
}

/// A frame that has been received whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part {
    /// Its moment of capture.
    pub(crate) captured: SystemTime,
    /// The bytes of the JPEG.
    pub(crate) bytes: usize,
}

impl Parser {
    pub(crate) fn new(moment: Moment) -> Self {
        Self {
            moment,
            ..Self::default()
        }
    }

    /// How many of the next bytes need not be looked at.
    pub(crate) fn skippable(&self) -> usize {
        match &self.frame {
            Some(body) if body.length - body.left >= BEGINNING => {
                body.left.saturating_sub(EOI.len())
            }
            _ => 0,
        }
    }

    /// So many of them came.
    pub(crate) fn skip(&mut self, bytes: usize) {
        if let Some(body) = &mut self.frame {
            body.left -= bytes;
        }
    }

    /// Takes in what came, up to the end of a frame, and that frame. The rest is for the next call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn push(&mut self, bytes: &mut &[u8]) -> anyhow::Result<Option<Part>> {
        while !bytes.is_empty() {
            if let Some(body) = &mut self.frame {
                let (now, rest) = bytes.split_at(body.left.min(bytes.len()));
                *bytes = rest;
                body.left -= now.len();
                let wanted = BEGINNING - self.read.len();
                self.read.extend(now.iter().take(wanted));
                for byte in &now[now.len().saturating_sub(2)..] {
                    body.end = [body.end[1], *byte];
                }
                if body.left == 0 {
                    return self.finish().map(Some);
                }
            } else {
                self.header(bytes)?;
            }
        }
        Ok(None)
    }

    /// Reads on to the end of a header: the response's, which may be a snapshot's, or a part's.
    fn header(&mut self, bytes: &mut &[u8]) -> anyhow::Result<()> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.read.push(*byte);
            if self.read.ends_with(b"\r\n\r\n") {
                let header = String::from_utf8(std::mem::take(&mut self.read))?;
                self.frame = frame(&header)?;
                return Ok(());
            }
            if self.read.len() > HEADER_BYTES {
                bail!("a header without an end");
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<Part> {
        let beginning = std::mem::take(&mut self.read);
        let body = self.frame.take().context("no frame")?;
        if !beginning.starts_with(&[0xFF, 0xD8]) || body.end != EOI {
            bail!("a frame of {} bytes is no whole JPEG", body.length);
        }
        let captured = match (self.moment, picture::stamp(&beginning)) {
            (Moment::Stamp, stamp) => stamp.context("a frame without a stamp")?,
            (Moment::Header, Some(stamp)) if later(stamp, body.captured) => {
                bail!("a frame's X-Timestamp is not the frame's")
            }
            (Moment::Header, _) => body.captured,
        };
        Ok(Part {
            captured,
            bytes: body.length,
        })
    }
}

/// Later by more than what `X-Timestamp` cuts off.
fn later(stamp: SystemTime, header: SystemTime) -> bool {
    stamp
        .duration_since(header)
        .is_ok_and(|late| late > Duration::from_micros(1))
}

/// The frame that follows a header, if one does.
fn frame(header: &str) -> anyhow::Result<Option<Body>> {
    let ok = ["HTTP/1.0 200 ", "HTTP/1.1 200 "];
    if header.starts_with("HTTP/") && !ok.iter().any(|ok| header.starts_with(ok)) {
        bail!("refused: {header}");
    }
    let field = |name: &str| {
        header.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let Some(length) = field("Content-Length") else {
        return Ok(None);
    };
    let length = length.parse().context("Content-Length")?;
    let (seconds, fraction) = field("X-Timestamp")
        .and_then(|text| text.split_once('.'))
        .with_context(|| format!("no X-Timestamp in {header:?}"))?;
    let since = Duration::from_secs(seconds.parse()?) + Duration::from_micros(fraction.parse()?);
    Ok(Some(Body {
        captured: UNIX_EPOCH + since,
        length,
        left: length,
        end: [0; 2],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_frames_however_they_come() {
        let jpeg = [&[0xFF, 0xD8][..], &[0; 96], &EOI].concat();
        let part = b"Content-Length: 100\r\nX-Timestamp: 1.000002\r\n\r\n";
        let boundary = b"\r\n--b\r\n";
        let stream = [
            b"HTTP/1.1 200 OK\r\n\r\n--b\r\n",
            &part[..],
            &jpeg,
            boundary,
            part,
            &jpeg,
        ];
        let stream = stream.concat();
        for piece in 1..stream.len() {
            let mut parser = Parser::default();
            let mut parts = Vec::new();
            for mut bytes in stream.chunks(piece) {
                while !bytes.is_empty() {
                    let skippable = parser.skippable().min(bytes.len());
                    parser.skip(skippable);
                    bytes = &bytes[skippable..];
                    parts.extend(parser.push(&mut bytes).unwrap());
                }
            }
            assert_eq!(parts.len(), 2, "in pieces of {piece}");
            assert_eq!(
                parts[1].captured,
                UNIX_EPOCH + Duration::from_micros(1_000_002)
            );
        }
        let mut unstamped = &stream[..];
        assert!(Parser::new(Moment::Stamp).push(&mut unstamped).is_err());
        let mut refusal: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\r\n";
        assert!(Parser::default().push(&mut refusal).is_err());
    }
}
