//! What a command or a server sends instead of JPEGs, told by how it begins: most often H.264,
//! where an option is missing.

use memchr::memmem;

/// As much as it takes to tell: two packets of MPEG-TS.
const MOST_BYTES: usize = 2 * 188;

/// The first bytes that came.
#[derive(Debug, Default)]
pub(crate) struct Opening(Vec<u8>);

impl Opening {
    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let room = MOST_BYTES - self.0.len();
        self.0.extend(bytes.iter().take(room));
    }

    /// Says whether nothing came at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it is, unless a JPEG begins in it.
    pub(crate) fn what(&self) -> Option<&'static str> {
        if memmem::find(&self.0, b"\xFF\xD8\xFF").is_some() {
            return None;
        }
        Some(match self.0.as_slice() {
            [0, 0, 0, 1, rest @ ..] | [0, 0, 1, rest @ ..] => video(rest),
            [0x47, ..] if self.0.get(188) == Some(&0x47) => "MPEG-TS",
            [0x1A, 0x45, 0xDF, 0xA3, ..] => "Matroska",
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => "MP4",
            [b'R', b'I', b'F', b'F', ..] => "AVI or another RIFF",
            [b'F', b'L', b'V', ..] => "FLV",
            [0x89, b'P', b'N', b'G', ..] => "PNG",
            [b'G', b'I', b'F', b'8', ..] => "GIF",
            bytes if bytes.starts_with(b"YUV4MPEG2") => "raw video (Y4M)",
            bytes if bytes.iter().all(|byte| is_text(*byte)) => "text",
            _ => "something",
        })
    }
}

/// Which codec the first NAL unit is of. H.265 has a header of two bytes, of which the second is 1
/// in all that cameras give; its parameter sets and delimiter are 32 to 35.
fn video(unit: &[u8]) -> &'static str {
    match *unit {
        [first, 1, ..] if matches!(first >> 1, 32..=35) => "H.265",
        [first, ..] if matches!(first, 0..0x80) && matches!(first & 31, 1..=9) => "H.264",
        _ => "video",
    }
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_cameras_write_when_they_are_not_told_otherwise() {
        let mut packets = vec![0xFF; 300];
        (packets[0], packets[188]) = (0x47, 0x47);
        for (bytes, expected) in [
            // rpicam-vid without --codec; ffmpeg -c:v libx264; the same with a delimiter first.
            (&b"\0\0\0\x01\x27\x64\0\x28"[..], "H.264"),
            (b"\0\0\0\x01\x67\x42\xC0\x1F", "H.264"),
            (b"\0\0\0\x01\x09\x10", "H.264"),
            (b"\0\0\0\x01\x40\x01\x0C\x01", "H.265"),
            (b"\0\0\x01\xB3", "video"),
            (&packets, "MPEG-TS"),
            (&packets[..188], "something"),
            (b"\x1A\x45\xDF\xA3\x01", "Matroska"),
            (b"\0\0\0\x1Cftypisom", "MP4"),
            (b"\x89PNG\r\n", "PNG"),
            (b"<html>\r\n\t", "text"),
            (b"\x01\x02", "something"),
        ] {
            let mut opening = Opening::default();
            bytes.chunks(3).for_each(|piece| opening.feed(piece));
            assert_eq!(opening.what(), Some(expected), "{bytes:02X?}");
        }
    }

    #[test]
    fn a_jpeg_that_is_not_whole_is_nothing_else() {
        let mut opening = Opening::default();
        opening.feed(b"--part\r\nContent-Type: image/jpeg\r\n\r\n\xFF\xD8\xFF\xE0");
        assert_eq!(opening.what(), None);
    }

    #[test]
    fn keeps_no_more_than_it_needs() {
        let mut opening = Opening::default();
        assert!(opening.is_empty());
        for _ in 0..1000 {
            opening.feed(b"many bytes");
        }
        assert_eq!(opening.0.len(), MOST_BYTES);
    }
}
