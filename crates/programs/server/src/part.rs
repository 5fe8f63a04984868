//! The bytes of a stream: `multipart/x-mixed-replace` (RFC 2046, section 5.1) as mjpg-streamer's
//! clients expect it.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use eyelid_consumer::{Envelope, EnvelopedJpeg, SharedFrame};
use hyper::header::{ACCEPT, HeaderMap, USER_AGENT};

/// The boundary that mjpg-streamer uses; some clients look for it.
pub(crate) const BOUNDARY: &str = "boundarydonotcross";

/// What opens a stream's body: its very first bytes are the dashes (VLC accepts nothing before
/// them).
const OPENING: &str = "--boundarydonotcross\r\n";

/// What ends every part and opens the next. It leaves with the frame: browsers and Mainsail show a
/// frame only when they have seen more than the frame.
const CLOSING: &str = "\r\n--boundarydonotcross\r\n";

/// The header of a part of which nothing is known yet.
const IN_ADVANCE: &str = "Content-Type: image/jpeg\r\n\r\n";

/// When a client of a stream gets the header of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderTiming {
    /// With the frame, of which it says length and moment.
    WithFrame,
    /// With the frame before: of the next one nothing is known then but its type. Chromium's
    /// `<img>` draws a frame when the header of the next one has come (its issue 527446), and would
    /// always be a frame late.
    InAdvance,
}

impl HeaderTiming {
    /// Chromium, its kin, and programs that have it in them all say `Chrome`; what is read by a
    /// script is asked for as `*/*`, pictures and pages as `image/...`, too.
    pub(crate) fn of_client(request: &HeaderMap) -> Self {
        let says = |name, word| {
            let value = request.get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.contains(word))
        };
        if says(USER_AGENT, "Chrome/") && says(ACCEPT, "image/") {
            Self::InAdvance
        } else {
            Self::WithFrame
        }
    }

    /// What opens the body of a stream.
    pub(crate) fn opening(self) -> String {
        match self {
            Self::WithFrame => OPENING.to_owned(),
            Self::InAdvance => [OPENING, IN_ADVANCE].concat(),
        }
    }

    /// What the client gets of a frame that was read into a [`Part`].
    pub(crate) fn part_of(self, frame: &SharedFrame) -> &[u8] {
        self.cut(frame.enveloped(), frame.jpeg_start())
    }

    /// The bytes of a part that this client gets; the JPEG begins at `jpeg`.
    fn cut(self, part: &[u8], jpeg: usize) -> &[u8] {
        match self {
            Self::WithFrame => &part[..part.len() - IN_ADVANCE.len()],
            Self::InAdvance => &part[jpeg..],
        }
    }
}

/// What a part shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// A frame of the camera.
    Frame,
    /// A card that says why there is none.
    NoSignal,
}

/// Room that a part takes beside its JPEG: what [`begin`] and [`end`] need at most.
const FRAMING_BYTES: usize = 224;

/// The part around the JPEG of each frame that is read. It holds what clients of either
/// [`HeaderTiming`] get.
pub(crate) struct Part;

impl Envelope for Part {
    fn room_bytes(&self) -> usize {
        FRAMING_BYTES
    }

    fn begin(&self, buffer: &mut Vec<u8>, jpeg: &EnvelopedJpeg) {
        begin(buffer, jpeg.bytes, jpeg.captured, PartKind::Frame);
    }

    fn end(&self, buffer: &mut Vec<u8>) {
        end(buffer);
    }
}

/// Appends the header of a part, up to the JPEG of so many bytes.
fn begin(part: &mut Vec<u8>, jpeg_bytes: usize, captured: SystemTime, kind: PartKind) {
    // Writing to a Vec cannot fail.
    let _ = write!(
        part,
        "Content-Type: image/jpeg\r\nContent-Length: {jpeg_bytes}\r\nX-Timestamp: {}\r\n{}\r\n",
        timestamp(captured),
        if kind == PartKind::NoSignal {
            "X-Eyelid-Signal: none\r\n"
        } else {
            ""
        },
    );
}

/// Appends what follows the JPEG, for both kinds of [`HeaderTiming`].
fn end(part: &mut Vec<u8>) {
    part.extend_from_slice(CLOSING.as_bytes());
    part.extend_from_slice(IN_ADVANCE.as_bytes());
}

/// Gives a part made of a card: what a client of this timing gets.
pub(crate) fn card(jpeg: &[u8], timing: HeaderTiming, now: SystemTime) -> Vec<u8> {
    let mut part = Vec::new();
    begin(&mut part, jpeg.len(), now, PartKind::NoSignal);
    let jpeg_start = part.len();
    part.extend_from_slice(jpeg);
    end(&mut part);
    timing.cut(&part, jpeg_start).to_vec()
}

/// The moment of capture as `X-Timestamp` gives it: seconds and microseconds since 1970,
/// mjpg-streamer's form.
pub(crate) fn timestamp(captured: SystemTime) -> String {
    let since = captured.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use std::time::Duration;

    #[test]
    fn a_part_says_its_type_its_length_and_its_moment() {
        let captured = UNIX_EPOCH + Duration::new(1_795_207_369, 4_000);
        let sent = |signal, header: HeaderTiming| {
            let mut part = Vec::new();
            begin(&mut part, 4, captured, signal);
            let jpeg = part.len();
            part.extend_from_slice(b"JPEG");
            end(&mut part);
            assert!(part.len() <= FRAMING_BYTES + 4);
            String::from_utf8(header.cut(&part, jpeg).to_vec()).unwrap()
        };
        assert_eq!(
            sent(PartKind::Frame, HeaderTiming::WithFrame),
            "Content-Type: image/jpeg\r\nContent-Length: 4\r\nX-Timestamp: 1795207369.000004\r\n\r\n\
             JPEG\r\n--boundarydonotcross\r\n"
        );
        assert!(
            sent(PartKind::NoSignal, HeaderTiming::WithFrame)
                .contains("\r\nX-Eyelid-Signal: none\r\n\r\nJPEG")
        );
        for signal in [PartKind::Frame, PartKind::NoSignal] {
            assert_eq!(
                sent(signal, HeaderTiming::InAdvance),
                "JPEG\r\n--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n"
            );
        }
        assert_eq!(
            HeaderTiming::WithFrame.opening(),
            format!("--{BOUNDARY}\r\n")
        );
        assert_eq!(
            HeaderTiming::InAdvance.opening(),
            format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n")
        );
    }

    #[test]
    fn pictures_of_chromium_have_their_headers_in_advance() {
        const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0";
        const FIREFOX: &str =
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        const PICTURE: &str = "image/avif,image/webp,image/apng,image/*,*/*;q=0.8";
        const PAGE: &str = "text/html,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (agent, accept, header) in [
            (CHROME, PICTURE, HeaderTiming::InAdvance),
            (CHROME, PAGE, HeaderTiming::InAdvance),
            (CHROME, "*/*", HeaderTiming::WithFrame),
            (FIREFOX, PICTURE, HeaderTiming::WithFrame),
            ("curl/8", "*/*", HeaderTiming::WithFrame),
        ] {
            let request = [(USER_AGENT, agent), (ACCEPT, accept)]
                .map(|(name, value)| (name, HeaderValue::from_static(value)));
            let request = HeaderMap::from_iter(request);
            assert_eq!(
                HeaderTiming::of_client(&request),
                header,
                "{agent}, {accept}"
            );
        }
        assert_eq!(
            HeaderTiming::of_client(&HeaderMap::new()),
            HeaderTiming::WithFrame
        );
    }
}
