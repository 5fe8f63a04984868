//! The bytes of a stream: `multipart/x-mixed-replace` (RFC 2046, section 5.1) as mjpg-streamer's clients expect it.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// The boundary that mjpg-streamer uses; some clients look for it.
pub(crate) const BOUNDARY: &str = "boundarydonotcross";

/// What opens a stream's body: its very first bytes are the dashes (VLC accepts nothing before them).
pub(crate) const OPENING: &str = "--boundarydonotcross\r\n";

/// What ends every part and opens the next. It leaves with the frame: browsers and Mainsail show a frame only when they
/// have seen more than the frame.
pub(crate) const CLOSING: &str = "\r\n--boundarydonotcross\r\n";

/// What a part shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A frame of the camera.
    Frame,
    /// A card that says why there is none.
    None,
}

/// Room that a part takes beside its JPEG: what [`header`] and [`CLOSING`] need at most.
pub(crate) const FRAMING_BYTES: usize = 192;

/// Appends the header of a part, up to the JPEG of so many bytes.
pub(crate) fn header(part: &mut Vec<u8>, jpeg_bytes: usize, captured: SystemTime, signal: Signal) {
    // Writing to a Vec cannot fail.
    let _ = write!(
        part,
        "Content-Type: image/jpeg\r\nContent-Length: {jpeg_bytes}\r\nX-Timestamp: {}\r\n{}\r\n",
        timestamp(captured),
        if signal == Signal::None {
            "X-Eyelid-Signal: none\r\n"
        } else {
            ""
        },
    );
}

/// The moment of capture as `X-Timestamp` gives it: seconds and microseconds since 1970, mjpg-streamer's form.
pub(crate) fn timestamp(captured: SystemTime) -> String {
    let since = captured.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_part_says_its_type_its_length_and_its_moment() {
        let captured = UNIX_EPOCH + Duration::new(1_795_207_369, 4_000);
        let header = |signal| {
            let mut part = Vec::new();
            header(&mut part, 5, captured, signal);
            assert!(part.len() + CLOSING.len() <= FRAMING_BYTES);
            String::from_utf8(part).unwrap()
        };
        assert_eq!(
            header(Signal::Frame),
            "Content-Type: image/jpeg\r\nContent-Length: 5\r\nX-Timestamp: 1795207369.000004\r\n\r\n"
        );
        assert!(header(Signal::None).ends_with("X-Eyelid-Signal: none\r\n\r\n"));
        assert_eq!(OPENING, format!("--{BOUNDARY}\r\n"));
        assert_eq!(CLOSING, format!("\r\n--{BOUNDARY}\r\n"));
    }
}
