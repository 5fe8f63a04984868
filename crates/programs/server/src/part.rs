//! The bytes of a stream: `multipart/x-mixed-replace` (RFC 2046, section 5.1) as mjpg-streamer's
//! clients expect it.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use eyelid_consumer::{Envelope, EnvelopedJpeg, SharedFrame};
use eyelid_slot::Rendition;
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
}

/// Whether parts say which rendition they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RenditionHeader {
    /// For who asked for a size: it need not be what was asked for.
    Sent,
    /// For who knows nothing of sizes.
    LeftOut,
}

/// Which headers of parts a client gets, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartHeaders {
    pub(crate) timing: HeaderTiming,
    /// Those that come in advance never say it: of the next frame nothing is known then.
    pub(crate) rendition: RenditionHeader,
}

impl PartHeaders {
    /// What opens the body of a stream.
    pub(crate) fn opening(self) -> String {
        match self.timing {
            HeaderTiming::WithFrame => OPENING.to_owned(),
            HeaderTiming::InAdvance => [OPENING, IN_ADVANCE].concat(),
        }
    }

    /// What the client gets of a frame that was read into a [`Part`].
    pub(crate) fn part_of(self, frame: &SharedFrame) -> &[u8] {
        let kind = PartKind::Frame(frame.rendition);
        self.cut(kind, frame.enveloped(), frame.jpeg_start())
    }

    /// The bytes of a part of this kind that this client gets; the JPEG begins at `jpeg`.
    fn cut(self, kind: PartKind, part: &[u8], jpeg: usize) -> &[u8] {
        match (self.timing, self.rendition) {
            (HeaderTiming::InAdvance, _) => &part[jpeg..],
            (HeaderTiming::WithFrame, RenditionHeader::Sent) => {
                &part[..part.len() - IN_ADVANCE.len()]
            }
            (HeaderTiming::WithFrame, RenditionHeader::LeftOut) => {
                &part[kind.first_line().len()..part.len() - IN_ADVANCE.len()]
            }
        }
    }
}

/// What a part shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// A frame of the camera, or a rendition of it.
    Frame(Option<Rendition>),
    /// A card that says why there is none.
    NoSignal,
}

impl PartKind {
    /// What not every client gets. It stands before all others, so that what a client gets lies in
    /// one piece.
    fn first_line(self) -> &'static str {
        match self {
            Self::NoSignal => "",
            Self::Frame(None) => "X-Rendition: current\r\n",
            Self::Frame(Some(Rendition::Low)) => "X-Rendition: low\r\n",
            Self::Frame(Some(Rendition::Half)) => "X-Rendition: half\r\n",
            Self::Frame(Some(Rendition::Quarter)) => "X-Rendition: quarter\r\n",
            Self::Frame(Some(Rendition::Full)) => "X-Rendition: full\r\n",
            Self::Frame(Some(Rendition::Y4m)) => "X-Rendition: y4m\r\n",
        }
    }
}

/// How clients are told what they got: the name of a rendition, or that it is the frame.
pub(crate) fn rendition_name(rendition: Option<Rendition>) -> &'static str {
    rendition.map_or(CURRENT, Rendition::name)
}

/// The name of the frame among renditions.
pub(crate) const CURRENT: &str = "current";

/// Room that a part takes beside its JPEG: what [`begin`] and [`end`] need at most.
const FRAMING_BYTES: usize = 256;

/// The part around the JPEG of each frame that is read. It holds what clients of all
/// [`PartHeaders`] get.
pub(crate) struct Part;

impl Envelope for Part {
    fn room_bytes(&self) -> usize {
        FRAMING_BYTES
    }

    fn begin(&self, buffer: &mut Vec<u8>, jpeg: &EnvelopedJpeg) {
        begin(
            buffer,
            jpeg.bytes,
            jpeg.captured,
            PartKind::Frame(jpeg.rendition),
        );
    }

    fn end(&self, buffer: &mut Vec<u8>) {
        end(buffer);
    }
}

/// Appends the header of a part, up to the JPEG of so many bytes.
fn begin(part: &mut Vec<u8>, jpeg_bytes: usize, captured: SystemTime, kind: PartKind) {
    part.extend_from_slice(kind.first_line().as_bytes());
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

/// Gives a part made of a card: what a client with these headers gets.
pub(crate) fn card(jpeg: &[u8], headers: PartHeaders, now: SystemTime) -> Vec<u8> {
    let kind = PartKind::NoSignal;
    let mut part = Vec::new();
    begin(&mut part, jpeg.len(), now, kind);
    let jpeg_start = part.len();
    part.extend_from_slice(jpeg);
    end(&mut part);
    headers.cut(kind, &part, jpeg_start).to_vec()
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
        let sent = |kind, timing, rendition| {
            let mut part = Vec::new();
            begin(&mut part, 4, captured, kind);
            let jpeg = part.len();
            part.extend_from_slice(b"JPEG");
            end(&mut part);
            assert!(part.len() <= FRAMING_BYTES + 4);
            let headers = PartHeaders { timing, rendition };
            String::from_utf8(headers.cut(kind, &part, jpeg).to_vec()).unwrap()
        };
        use HeaderTiming::{InAdvance, WithFrame};
        use RenditionHeader::{LeftOut, Sent};
        let kinds = || {
            let renditions = Rendition::ALL.into_iter().map(Some);
            renditions.chain([None]).map(PartKind::Frame)
        };
        let frame = "Content-Type: image/jpeg\r\nContent-Length: 4\r\nX-Timestamp: 1795207369.000004\r\n\r\n\
             JPEG\r\n--boundarydonotcross\r\n";
        for kind in kinds() {
            let PartKind::Frame(rendition) = kind else {
                unreachable!("another kind");
            };
            assert_eq!(sent(kind, WithFrame, LeftOut), frame);
            let line = format!("X-Rendition: {}\r\n", rendition_name(rendition));
            assert_eq!(sent(kind, WithFrame, Sent), line + frame);
        }
        for rendition in [Sent, LeftOut] {
            let card = sent(PartKind::NoSignal, WithFrame, rendition);
            assert!(
                card.contains("\r\nX-Eyelid-Signal: none\r\n\r\nJPEG"),
                "{card}"
            );
            assert!(card.starts_with("Content-Type"), "{card}");
            for kind in kinds().chain([PartKind::NoSignal]) {
                assert_eq!(
                    sent(kind, InAdvance, rendition),
                    "JPEG\r\n--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n"
                );
            }
            let opening = |timing| PartHeaders { timing, rendition }.opening();
            assert_eq!(opening(WithFrame), format!("--{BOUNDARY}\r\n"));
            let in_advance = format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n");
            assert_eq!(opening(InAdvance), in_advance);
        }
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
