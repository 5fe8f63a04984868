//! What an answer is, by its head: a stream, a picture, a page, or a refusal. No socket here.

use eyelid_http_client::{StatusCode, Url};

/// Bytes of a body that are read to say why there is no picture.
pub(super) const MOST_REASON_BYTES: usize = 4096;

/// Characters of it that are told.
const MOST_REASON_CHARS: usize = 200;

/// What is asked for below a page, in turn: Eyelid, ustreamer and camera-streamer have the first,
/// mjpg-streamer the second.
pub(super) const BELOW_A_PAGE: [&str; 2] = ["stream", "?action=stream"];

/// What an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// JPEGs, one after the other.
    Stream,
    /// One JPEG, so that it is asked for again and again.
    Picture,
    /// A page for people, beside which a stream may be.
    Page,
    /// Nothing of the kind.
    Other,
}

impl Kind {
    /// By the status and the `Content-Type`, in so far as there is one: what names no type may be
    /// anything.
    pub(super) fn of(status: StatusCode, content_type: Option<&str>) -> Self {
        if !status.is_success() {
            return Self::Other;
        }
        let Some(content_type) = content_type else {
            return Self::Stream;
        };
        let essence = content_type.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        match essence.split_once('/') {
            Some(("multipart", _)) => Self::Stream,
            Some(("image", "jpeg" | "jpg" | "pjpeg")) => Self::Picture,
            Some(("text", "html") | ("application", "xhtml+xml")) => Self::Page,
            Some(("video", kind)) if kind.contains("jpeg") => Self::Stream,
            Some(("application", "octet-stream")) => Self::Stream,
            _ => Self::Other,
        }
    }
}

/// The URL below a page that is asked next. A name with a dot is a file of its directory, any other
/// a directory (`http://h/cam` may be one that does not say so).
pub(super) fn below(page: &Url, wanted: &str) -> Option<Url> {
    let path = page.target().split('?').next().unwrap_or_default();
    let (directory, name) = path.rsplit_once('/').unwrap_or_default();
    if name.is_empty() || name.contains('.') {
        page.resolve(&format!("{directory}/{wanted}")).ok()
    } else {
        page.resolve(&format!("{path}/{wanted}")).ok()
    }
}

/// What an answer without pictures says: its status, and what its body says first.
pub(super) fn refusal(status: StatusCode, content_type: Option<&str>, body: &[u8]) -> String {
    let what = if status.is_success() {
        let kind = content_type.unwrap_or("nothing that is known");
        format!("answered with {}, not with JPEGs", one_line(kind))
    } else {
        format!("answered {status}")
    };
    match reason(content_type, body) {
        Some(reason) => format!("{what}: {reason:?}"),
        None => what,
    }
}

/// The first line of a text, the title of a page, or what JSON calls its error.
fn reason(content_type: Option<&str>, body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let kind = content_type.unwrap_or("text/plain").to_ascii_lowercase();
    let line = if kind.contains("json") {
        error_in(&text)?
    } else if kind.contains("html") {
        let from = text.to_ascii_lowercase().find("<title>")? + "<title>".len();
        text.get(from..)?.split('<').next()?.to_owned()
    } else if kind.starts_with("text/") {
        text.trim_start().lines().next()?.to_owned()
    } else {
        return None;
    };
    let line = one_line(&line);
    (!line.is_empty()).then_some(line)
}

/// Eyelid has `error`, problems of RFC 9457 `detail` and `title`, others `message`.
fn error_in(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let names = ["error", "detail", "message", "title"];
    let mut told = names.iter().filter_map(|name| value.get(name)?.as_str());
    told.next().map(str::to_owned)
}

fn one_line(text: &str) -> String {
    let plain = text.trim().chars().filter(|char| !char.is_control());
    plain.take(MOST_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_cameras_answer() {
        for (content_type, kind) in [
            ("multipart/x-mixed-replace; boundary=b", Kind::Stream),
            ("Multipart/X-Mixed-Replace;boundary=\"--b\"", Kind::Stream),
            ("multipart/mixed", Kind::Stream),
            ("video/x-motion-jpeg", Kind::Stream),
            ("application/octet-stream", Kind::Stream),
            ("image/jpeg", Kind::Picture),
            ("IMAGE/JPG ; x=y", Kind::Picture),
            ("text/html; charset=utf-8", Kind::Page),
            ("image/png", Kind::Other),
            ("application/json", Kind::Other),
            ("video/mp4", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(
                Kind::of(StatusCode::OK, Some(content_type)),
                kind,
                "{content_type}"
            );
            let none = Kind::of(StatusCode::NOT_FOUND, Some(content_type));
            assert_eq!(none, Kind::Other, "{content_type}");
        }
        assert_eq!(Kind::of(StatusCode::OK, None), Kind::Stream);
    }

    #[test]
    fn looks_for_a_stream_below_a_page() {
        for (page, stream, query) in [
            ("http://h/", "http://h/stream", "http://h/?action=stream"),
            (
                "http://h:1",
                "http://h:1/stream",
                "http://h:1/?action=stream",
            ),
            (
                "http://h/door/",
                "http://h/door/stream",
                "http://h/door/?action=stream",
            ),
            (
                "http://h/door",
                "http://h/door/stream",
                "http://h/door/?action=stream",
            ),
            (
                "http://h/a/index.html?x",
                "http://h/a/stream",
                "http://h/a/?action=stream",
            ),
        ] {
            let page: Url = page.parse().unwrap();
            let found = BELOW_A_PAGE.map(|wanted| below(&page, wanted).unwrap().secret());
            assert_eq!(found, [stream, query], "{page:?}");
        }
    }

    #[test]
    fn says_what_the_other_side_says() {
        let not_found = StatusCode::NOT_FOUND;
        for (content_type, body, words) in [
            (
                None,
                "no such camera\nmore",
                "404 Not Found: \"no such camera\"",
            ),
            (
                Some("text/plain"),
                "\n  lens cap is on \r\n",
                ": \"lens cap is on\"",
            ),
            (
                Some("application/json"),
                "{\"error\":\"no frame yet\"}",
                ": \"no frame yet\"",
            ),
            (
                Some("application/problem+json"),
                "{\"title\":\"Gone\"}",
                ": \"Gone\"",
            ),
            (
                Some("text/html"),
                "<html><TITLE>Not \x07here</title>",
                ": \"Not here\"",
            ),
            (Some("text/html"), "<html>", "404 Not Found"),
            (Some("image/png"), "\u{89}PNG", "404 Not Found"),
            (Some("application/json"), "{", "404 Not Found"),
        ] {
            let said = refusal(not_found, content_type, body.as_bytes());
            assert!(said.ends_with(words), "{said}");
        }
        let said = refusal(StatusCode::OK, Some("image/png"), b"");
        assert_eq!(said, "answered with image/png, not with JPEGs");
        let long = refusal(not_found, None, "x".repeat(5000).as_bytes());
        assert!(long.len() < 300, "{long}");
    }
}
