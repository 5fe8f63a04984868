//! The headers that answers share, and the head of a stream.

use std::fmt::Write;

use bytes::Bytes;
use eyelid_config::Origin;
use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, EXPIRES, HeaderMap,
    HeaderName, HeaderValue, PRAGMA, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use crate::answer::Answer;
use crate::part::BOUNDARY;

/// The moment of capture, as mjpg-streamer names it.
pub(crate) const TIMESTAMP: HeaderName = HeaderName::from_static("x-timestamp");

/// Tells nginx not to buffer the answer.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Adds what every answer carries. Nothing may be kept or changed on the way: without `no-transform`, OctoPi's haproxy
/// compresses JPEGs.
pub(crate) fn common(headers: &mut HeaderMap, allow_origin: Option<&Origin>) {
    let fixed = [
        (
            CACHE_CONTROL,
            "no-store, no-cache, must-revalidate, no-transform",
        ),
        (PRAGMA, "no-cache"),
        (EXPIRES, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let Some(origin) = allow_origin else { return };
    if let Ok(value) = HeaderValue::from_str(origin.as_str()) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("X-Timestamp, Last-Modified"),
        );
        if origin.as_str() != "*" {
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// Makes an answer the last of its connection.
pub(crate) fn close(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Answers `OPTIONS`: what may be asked here.
pub(crate) fn preflight() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, OPTIONS"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type"),
    );
    headers.insert(
        hyper::header::ALLOW,
        HeaderValue::from_static("GET, HEAD, OPTIONS"),
    );
    answer
}

/// The head of a stream's answer, without a body.
pub(crate) fn stream_answer() -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    let headers = answer.headers_mut();
    let content_type = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    close(headers);
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    answer
}

/// The bytes of a stream's head. Its end is the end of the connection (RFC 9112, section 6.3), as with all servers of
/// this kind: many clients do not understand chunks.
pub(crate) fn stream_bytes(allow_origin: Option<&Origin>) -> Vec<u8> {
    let mut answer = stream_answer();
    common(answer.headers_mut(), allow_origin);
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let mut text = format!("HTTP/1.1 200 OK\r\nDate: {date}\r\n");
    for (name, value) in answer.headers() {
        // Writing to a String cannot fail; every value was made from text.
        let _ = write!(
            text,
            "{}: {}\r\n",
            title_case(name.as_str()),
            value.to_str().unwrap_or_default()
        );
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// `content-type` as `Content-Type`: names are case-insensitive, and some cameras' clients do not know it.
fn title_case(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|c| {
            let upper = start;
            start = c == '-';
            if upper { c.to_ascii_uppercase() } else { c }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_starts_as_mjpg_streamers_does() {
        let origin: Origin = "*".parse().unwrap();
        let head = String::from_utf8(stream_bytes(Some(&origin))).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        for line in [
            "Content-Type: multipart/x-mixed-replace; boundary=boundarydonotcross",
            "Connection: close",
            "Access-Control-Allow-Origin: *",
            "Cache-Control: no-store, no-cache, must-revalidate, no-transform",
            "X-Accel-Buffering: no",
        ] {
            assert_eq!(
                head.matches(&format!("\r\n{line}\r\n")).count(),
                1,
                "{line} in {head}"
            );
        }
        assert!(
            !head.contains("Transfer-Encoding") && !head.contains("Content-Length"),
            "{head}"
        );
        let closed = String::from_utf8(stream_bytes(None)).unwrap();
        assert!(!closed.contains("Access-Control"), "{closed}");
    }
}
