//! The bytes of a stream: `multipart/x-mixed-replace` (RFC 2046, section 5.1) as mjpg-streamer's clients expect it.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use eyelid_slot::Frame;

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

/// The header of a part, up to the JPEG.
pub(crate) fn header(frame: &Frame, signal: Signal) -> Vec<u8> {
    let mut header = Vec::with_capacity(128);
    // Writing to a Vec cannot fail.
    let _ = write!(
        header,
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\n{}\r\n",
        frame.jpeg.len(),
        timestamp(frame.captured),
        if signal == Signal::None {
            "X-Eyelid-Signal: none\r\n"
        } else {
            ""
        },
    );
    header
}

/// The moment of capture as `X-Timestamp` gives it: seconds and microseconds since 1970, mjpg-streamer's form.
pub(crate) fn timestamp(captured: SystemTime) -> String {
    let since = captured.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::time::Duration;

    #[test]
    fn a_part_says_its_type_its_length_and_its_moment() {
        let captured = UNIX_EPOCH + Duration::new(1_795_207_369, 4_000);
        let frame = Frame {
            jpeg: Bytes::from_static(b"12345"),
            captured,
        };
        assert_eq!(
            String::from_utf8(header(&frame, Signal::Frame)).unwrap(),
            "Content-Type: image/jpeg\r\nContent-Length: 5\r\nX-Timestamp: 1795207369.000004\r\n\r\n"
        );
        assert!(header(&frame, Signal::None).ends_with(b"X-Eyelid-Signal: none\r\n\r\n"));
        assert_eq!(OPENING, format!("--{BOUNDARY}\r\n"));
        assert_eq!(CLOSING, format!("\r\n--{BOUNDARY}\r\n"));
    }
}
