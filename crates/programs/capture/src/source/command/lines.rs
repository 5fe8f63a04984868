//! What a command writes to stderr, as lines for the log: bounded in length and in number.

use std::time::{Duration, Instant};

use eyelid_daemon::LogLimit;

/// A longer line is cut: it is for people.
const MOST_BYTES: usize = 400;

/// So many lines are shown in each second; of the others only the number.
const MOST_LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(1);

/// Lines in the making.
#[derive(Debug)]
pub(super) struct Lines {
    partial: Vec<u8>,
    last: Option<String>,
    limit: LogLimit,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            partial: Vec::new(),
            last: None,
            limit: LogLimit::new(MOST_LINES, WINDOW),
        }
    }
}

impl Lines {
    /// Takes the next bytes; gives the lines to show.
    pub(super) fn feed(&mut self, bytes: &[u8], now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        // ffmpeg and others end the lines of their progress with a carriage return alone.
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, ended) = match piece.split_last() {
                Some((b'\n' | b'\r', text)) => (text, true),
                _ => (piece, false),
            };
            let room = (MOST_BYTES + 1).saturating_sub(self.partial.len());
            self.partial.extend(text.iter().take(room));
            if ended {
                self.end_line(now, &mut lines);
            }
        }
        lines
    }

    /// Nothing follows; gives what is left to show.
    pub(super) fn finish(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        self.end_line(now, &mut lines);
        lines.extend(not_shown(self.limit.take_suppressed()));
        lines
    }

    /// The last line that said anything.
    pub(super) fn last(&self) -> Option<String> {
        self.last.clone()
    }

    fn end_line(&mut self, now: Instant, lines: &mut Vec<String>) {
        let line = readable(&self.partial);
        self.partial.clear();
        if line.is_empty() {
            return;
        }
        self.last = Some(line.clone());
        if let Some(suppressed) = self.limit.allow(now) {
            lines.extend(not_shown(suppressed.0));
            lines.push(line);
        }
    }
}

fn not_shown(lines: u64) -> Option<String> {
    (lines > 0).then(|| format!("({lines} more lines not shown)"))
}

/// Makes one line of text that can go into a log and into `state.json`.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST_BYTES)]);
    let printable: String = text.chars().filter(|c| !c.is_control()).collect();
    let mut line = without_passwords(printable.trim());
    if bytes.len() > MOST_BYTES {
        line.push_str("...");
    }
    line
}

/// Programs complain about the URL they were given; the user and password in it are nobody's
/// business.
fn without_passwords(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        safe.push_str(before);
        let authority = after.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\''));
        let authority = &after[..authority.unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                safe.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    safe.push_str(rest);
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_arrive() {
        let text = b"one\n\ntwo\rthree\r\nfour";
        let now = Instant::now();
        for split in 0..=text.len() {
            let mut lines = Lines::default();
            let mut shown = lines.feed(&text[..split], now);
            shown.extend(lines.feed(&text[split..], now));
            assert_eq!(shown, ["one", "two", "three"], "{split}");
            assert_eq!(lines.finish(now), ["four"]);
            assert_eq!(lines.last().as_deref(), Some("four"));
        }
    }

    #[test]
    fn long_lines_are_cut_and_strange_bytes_do_no_harm() {
        let mut lines = Lines::default();
        let now = Instant::now();
        for _ in 0..1000 {
            assert!(lines.feed(&[b'x'; 1000], now).is_empty());
            assert!(lines.partial.len() <= MOST_BYTES + 1);
        }
        let shown = lines.feed(b"\n\x1b[31mred\xFF\n", now);
        assert_eq!(shown[0], format!("{}...", "x".repeat(MOST_BYTES)));
        assert_eq!(shown[1], "[31mred\u{fffd}");
    }

    #[test]
    fn many_lines_are_counted_instead_of_shown() {
        let mut lines = Lines::default();
        let start = Instant::now();
        assert_eq!(lines.feed(&b"x\n".repeat(100), start).len(), 20);
        let shown = lines.feed(b"y\n", start + WINDOW);
        assert_eq!(shown, ["(80 more lines not shown)", "y"]);
        lines.feed(&b"z\n".repeat(30), start + WINDOW);
        assert_eq!(lines.finish(start + WINDOW), ["(11 more lines not shown)"]);
    }

    #[test]
    fn passwords_in_urls_are_not_shown() {
        for (line, safe) in [
            ("rtsp://me:p@ss@cam/1: refused", "rtsp://***@cam/1: refused"),
            (
                "http://cam/x@y \"rtsp://u@h\"",
                "http://cam/x@y \"rtsp://***@h\"",
            ),
            ("a@b, c: //d@e", "a@b, c: //d@e"),
        ] {
            assert_eq!(without_passwords(line), safe);
        }
    }
}
