//! The head of a stream's response.

use eyelid_config::Origin;
use eyelid_http::response::{FullResponse, add_common_headers, head_bytes, live_headers};
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use crate::part::BOUNDARY;

/// The moment of capture, as mjpg-streamer names it.
pub(crate) const TIMESTAMP: HeaderName = HeaderName::from_static("x-timestamp");

/// Which rendition was sent, to who asked for a size.
pub(crate) const RENDITION: HeaderName = HeaderName::from_static("x-rendition");

/// The rate that a stream keeps to, to who asked for one: a relay need not hold its frames back.
const FPS: HeaderName = HeaderName::from_static("x-fps");

/// The head of a stream's response, without a body.
pub(crate) fn response() -> FullResponse {
    let mut response = FullResponse::default();
    let content_type = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    if let Ok(content_type) = HeaderValue::from_str(&content_type) {
        *response.headers_mut() = live_headers(content_type);
    }
    response
}

/// The bytes of a stream's head. Its end is the end of the connection, as with all servers of this
/// kind: many clients do not understand chunks. `fps` are the frames a second that it has at most,
/// if the client said so.
pub(crate) fn bytes(allow_origin: Option<&Origin>, fps: Option<f64>) -> Vec<u8> {
    let mut response = response();
    if let Some(fps) = fps.and_then(|fps| HeaderValue::from_str(&fps.to_string()).ok()) {
        response.headers_mut().insert(FPS, fps);
    }
    add_common_headers(response.headers_mut(), allow_origin);
    head_bytes(StatusCode::OK, response.headers())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_starts_as_mjpg_streamers_does() {
        let origin: Origin = "*".parse().unwrap();
        let head = String::from_utf8(bytes(Some(&origin), None)).unwrap();
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
        let closed = String::from_utf8(bytes(None, None)).unwrap();
        assert!(!closed.contains("Access-Control"), "{closed}");
        assert!(!closed.contains("X-Fps") && !head.contains("X-Fps"));
        let capped = String::from_utf8(bytes(None, Some(2.5))).unwrap();
        assert!(capped.contains("\r\nX-Fps: 2.5\r\n"), "{capped}");
    }
}
