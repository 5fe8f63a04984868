//! What stands before a JPEG in a stream: the head of a part of `multipart/x-mixed-replace` (RFC
//! 2046, 5.1), as strangers write it. The JPEG itself is found by its markers, so neither boundary
//! nor length are needed: with dashes or without, quoted, wrong or left out, lines that end as they
//! like. What is wanted here is when it was captured, and whether it is a picture at all.

/// A moment is told in fewer characters.
const MOST_MOMENT_BYTES: usize = 40;

/// What a part says of its JPEG.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PartHead {
    /// `X-Timestamp`, which is in seconds since 1970, or since whenever the camera likes.
    pub(super) told_ms: Option<f64>,
    /// Another Eyelid has no picture of its camera, and shows why.
    pub(super) is_card: bool,
}

impl PartHead {
    /// Reads what stands between two JPEGs. Of two heads the later one counts.
    pub(super) fn read(preamble: &[u8]) -> Self {
        let mut head = Self::default();
        for line in preamble.split(|byte| matches!(byte, b'\n' | b'\r')) {
            // A boundary begins another head.
            if line.starts_with(b"--") {
                head = Self::default();
                continue;
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let (name, value) = line.split_at(colon);
            let (name, value) = (name.trim_ascii(), value[1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"x-timestamp") {
                head.told_ms = moment_ms(value);
            } else if name.eq_ignore_ascii_case(b"x-eyelid-signal") {
                head.is_card = value.eq_ignore_ascii_case(b"none");
            }
        }
        head
    }
}

/// A moment in milliseconds, of a text in seconds.
pub(super) fn moment_ms(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_plain || text.len() > MOST_MOMENT_BYTES {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    // A camera that does not know says 0.
    (seconds > 0.0).then_some(seconds * 1000.0)
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing {
    use super::PartHead;

    /// A moment is a number after 1970, and what else stands in other lines changes nothing.
    ///
    /// # Panics
    /// Where that does not hold.
    pub(crate) fn part_head(preamble: &[u8]) {
        let head = PartHead::read(preamble);
        assert!(head.told_ms.is_none_or(|ms| ms.is_finite() && ms > 0.0));
        let framed = [b"\r\n--x\r\n", preamble, b"\nContent-Length: 7\r\n\r\n"].concat();
        assert_eq!(PartHead::read(&framed), head);
        let said = [preamble, b"\nX-Timestamp: 5.25\n"].concat();
        assert_eq!(PartHead::read(&said).told_ms, Some(5250.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_heads_as_they_are_written() {
        for (text, told_ms) in [
            (
                "Content-Length: 9\r\nX-Timestamp: 1795220362.912061\r\n\r\n",
                1_795_220_362_912.061,
            ),
            // mjpg-streamer, ESP32; bare line feeds; another boundary in between.
            ("\r\n--b\r\nX-Timestamp: 12.000500\r\n\r\n", 12_000.5),
            ("--b\nx-timestamp:7\n\n", 7000.0),
            (
                "X-Timestamp: 1.0\r\n\r\n--b\r\nX-Timestamp : 2.0\r\n\r\n\u{0}",
                2000.0,
            ),
        ] {
            assert_eq!(
                PartHead::read(text.as_bytes()).told_ms,
                Some(told_ms),
                "{text:?}"
            );
        }
        let long = format!("X-Timestamp: {}\r\n", "1".repeat(50));
        for none in [
            "",
            "X-Timestamp\r\n",
            "X-Timestamp: \r\n",
            "X-Timestamp: 0.000000\r\n",
            "X-Timestamp: -1\r\n",
            "X-Timestamp: NaN\r\n",
            "X-Timestamp: 1e400\r\n",
            "X-Timestamp: 1.2.3\r\n",
            "Y-X-Timestamp: 1\r\n",
            "X-Timestamp: 1.0\r\n\r\n--b\r\n\r\n",
            &long,
        ] {
            assert_eq!(PartHead::read(none.as_bytes()).told_ms, None, "{none:?}");
        }
    }

    #[test]
    fn knows_the_card_of_another_eyelid() {
        let card = b"X-Timestamp: 1.5\r\nX-Eyelid-Signal: none\r\n\r\n";
        assert!(PartHead::read(card).is_card);
        assert!(!PartHead::read(b"X-Eyelid-Signal: live\r\n").is_card);
    }

    proptest::proptest! {
        #[test]
        fn holds_for_anything(text in "(--b|X-Timestamp: ?[0-9.e-]{0,9}|[ -~]{0,9}|\r|\n|:){0,20}") {
            fuzzing::part_head(text.as_bytes());
        }
    }
}
