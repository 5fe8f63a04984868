//! Whole responses, and the headers that all of them share.

use std::fmt::Write;

use bytes::Bytes;
use eyelid_config::Origin;
use http_body_util::Full;
use hyper::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL, CONNECTION,
    CONTENT_TYPE, EXPIRES, HeaderMap, HeaderName, HeaderValue, PRAGMA, REFERRER_POLICY,
    RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

/// What pages of other origins may read of a response, besides its length and type: a frame's
/// moment and size, and where a WebRTC session is.
const EXPOSED: &str = "X-Timestamp, Last-Modified, X-Rendition, ETag, Link, Location";

/// Whether nginx may buffer a response.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A response whose body is whole.
pub type FullResponse = Response<Full<Bytes>>;

/// What the JSON of [`problem`] says, noted in its extensions for programs that can say it as a
/// page, too.
#[derive(Clone, Debug)]
pub struct Problem(pub String);

/// Gives a response with this body.
pub fn typed(body: Bytes, content_type: &'static str) -> FullResponse {
    let mut response = Response::new(Full::new(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Says as JSON why there is nothing better.
pub fn problem(status: StatusCode, what: &str) -> FullResponse {
    let json = serde_json::json!({ "error": what }).to_string();
    let mut response = typed(Bytes::from(json), "application/json");
    *response.status_mut() = status;
    response.extensions_mut().insert(Problem(what.to_owned()));
    response
}

/// Says whether a `Content-Type` is of this type, whatever its parameters.
pub fn is_type(content_type: Option<&HeaderValue>, wanted: &str) -> bool {
    let Some(Ok(text)) = content_type.map(HeaderValue::to_str) else {
        return false;
    };
    let essence = text.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(wanted)
}

/// Says that there is nothing now; a client may try again soon.
pub fn unavailable(what: &str) -> FullResponse {
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, what);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

/// Says why, and that the connection ends: what may follow is not read.
pub fn rejection(status: StatusCode, what: &str) -> FullResponse {
    let mut response = problem(status, what);
    close(response.headers_mut());
    response
}

/// Says which `methods` there are, and that the connection ends.
pub fn not_allowed(methods: &'static str) -> FullResponse {
    let what = format!("only {methods} are answered here");
    let mut response = rejection(StatusCode::METHOD_NOT_ALLOWED, &what);
    let allow = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, allow);
    response
}

/// Answers `OPTIONS`: with which `methods` and `headers` pages of other origins may ask.
pub fn preflight(methods: &'static str, headers: &'static str) -> FullResponse {
    let mut response = FullResponse::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in [
        (ALLOW, methods),
        (ACCESS_CONTROL_ALLOW_METHODS, methods),
        (ACCESS_CONTROL_ALLOW_HEADERS, headers),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// Makes a response the last of its connection.
pub fn close(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Adds what every response carries. Nothing may be kept or changed on the way: without
/// `no-transform`, OctoPi's haproxy compresses JPEGs.
pub fn add_common_headers(headers: &mut HeaderMap, allow_origin: Option<&Origin>) {
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
            HeaderValue::from_static(EXPOSED),
        );
        if origin.as_str() != "*" {
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// The headers of a response that ends with its connection, and is sent as it comes: nginx is told
/// not to keep anything back.
pub fn live_headers(content_type: HeaderValue) -> HeaderMap {
    [
        (CONTENT_TYPE, content_type),
        (CONNECTION, HeaderValue::from_static("close")),
        (ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ]
    .into_iter()
    .collect()
}

/// Gives the bytes of a response's head, to the empty line, for who sends it past hyper. Where it
/// says no length, its end is the end of the connection (RFC 9112, section 6.3).
pub fn head_bytes(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let mut text = format!("HTTP/1.1 {status}\r\nDate: {date}\r\n");
    for (name, value) in headers {
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

/// `content-type` as `Content-Type`: names are case-insensitive, and some cameras' clients do not
/// know it.
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

/// Says whether a browser opens an address for a person, who can read a page; not for `<img>` and
/// scripts.
pub fn accepts_page(request: &Parts) -> bool {
    let mut accepted = request.headers.get_all(ACCEPT).iter();
    accepted.any(|value| value.to_str().is_ok_and(takes_html))
}

fn takes_html(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let media_type = range.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("text/html")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_written_as_other_servers_write_it() {
        let origin: Origin = "*".parse().unwrap();
        let mut headers = HeaderMap::new();
        close(&mut headers);
        add_common_headers(&mut headers, Some(&origin));
        let head = String::from_utf8(head_bytes(StatusCode::OK, &headers)).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nDate: ") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        for line in [
            "Connection: close",
            "Access-Control-Allow-Origin: *",
            "Cache-Control: no-store, no-cache, must-revalidate, no-transform",
        ] {
            assert_eq!(
                head.matches(&format!("\r\n{line}\r\n")).count(),
                1,
                "{line} in {head}"
            );
        }
    }

    #[test]
    fn browsers_that_open_an_address_take_html() {
        for (accept, takes) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("image/avif,image/webp, Text/HTML;q=0.5", true),
            ("*/*", false),
            ("image/avif,image/webp,image/*,*/*;q=0.8", false),
            ("text/htmlx, application/json", false),
            ("", false),
        ] {
            assert_eq!(takes_html(accept), takes, "{accept}");
        }
    }
}
