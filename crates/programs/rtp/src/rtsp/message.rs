//! Requests and responses of RTSP 1.0.

use std::fmt::{self, Write};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// What is to be done.
    pub(crate) method: Method,
    /// With what: a URL as a rule, or `*`.
    pub(crate) url: String,
    /// Names as they came, and values without the blanks around them; in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// What follows the head.
    pub(crate) body: Vec<u8>,
}

/// The methods of a server that plays (RFC 2326, section 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Options,
    Describe,
    Setup,
    Play,
    Pause,
    GetParameter,
    SetParameter,
    Teardown,
    /// One that this server does not have.
    Other,
}

/// The methods with their names, in the order in which `Public` gives them.
const METHODS: [(&str, Method); 8] = [
    ("OPTIONS", Method::Options),
    ("DESCRIBE", Method::Describe),
    ("SETUP", Method::Setup),
    ("PLAY", Method::Play),
    ("PAUSE", Method::Pause),
    ("GET_PARAMETER", Method::GetParameter),
    ("SET_PARAMETER", Method::SetParameter),
    ("TEARDOWN", Method::Teardown),
];

impl Method {
    /// The method with this name; names are of capital letters.
    pub(crate) fn of(name: &str) -> Self {
        let known = METHODS.iter().find(|(known, _)| *known == name);
        known.map_or(Self::Other, |(_, method)| *method)
    }

    /// Its name; that of a method which this server does not have is empty.
    pub(crate) fn name(self) -> &'static str {
        let known = METHODS.iter().find(|(_, method)| *method == self);
        known.map_or("", |(name, _)| name)
    }

    /// All names, for `Public`.
    pub(crate) fn names() -> String {
        METHODS.map(|(name, _)| name).join(", ")
    }
}

impl Request {
    /// Gives the first value of a header. Some clients send one twice (rtspsrc's `User-Agent`).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }
}

/// What comes of a request, with its reason phrase (RFC 2326, section 7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Ok = 200,
    BadRequest = 400,
    Unauthorized = 401,
    NotFound = 404,
    NotAcceptable = 406,
    RequestEntityTooLarge = 413,
    SessionNotFound = 454,
    MethodNotValidInThisState = 455,
    AggregateOperationNotAllowed = 459,
    UnsupportedTransport = 461,
    NotImplemented = 501,
    ServiceUnavailable = 503,
    VersionNotSupported = 505,
    OptionNotSupported = 551,
}

impl Status {
    fn phrase(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::BadRequest => "Bad Request",
            Self::Unauthorized => "Unauthorized",
            Self::NotFound => "Not Found",
            Self::NotAcceptable => "Not Acceptable",
            Self::RequestEntityTooLarge => "Request Entity Too Large",
            Self::SessionNotFound => "Session Not Found",
            Self::MethodNotValidInThisState => "Method Not Valid In This State",
            Self::AggregateOperationNotAllowed => "Aggregate Operation Not Allowed",
            Self::UnsupportedTransport => "Unsupported Transport",
            Self::NotImplemented => "Not Implemented",
            Self::ServiceUnavailable => "Service Unavailable",
            Self::VersionNotSupported => "RTSP Version Not Supported",
            Self::OptionNotSupported => "Option Not Supported",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", *self as u16, self.phrase())
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// What came of it.
    pub(crate) status: Status,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    /// One without headers or body.
    pub(crate) fn new(status: Status) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// The same with one more header. A line break in the value ends it, so that what came from the
    /// client cannot add headers.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let mut value = value.into();
        if let Some(end) = value.find(['\r', '\n']) {
            value.truncate(end);
        }
        self.headers.push((name, value));
        self
    }

    /// The same with a body of this type.
    pub(crate) fn with_body(self, kind: &'static str, body: String) -> Self {
        Self {
            body,
            ..self.with("Content-Type", kind)
        }
    }

    /// Gives the value of a header, for tests.
    #[cfg(test)]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| *known == name);
        header.map(|(_, value)| value.as_str())
    }

    /// Gives what is written.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("RTSP/1.0 {}\r\n", self.status);
        for (name, value) in &self.headers {
            // Writing to a String cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if !self.body.is_empty() {
            let _ = write!(text, "Content-Length: {}\r\n", self.body.len());
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_says_its_length_and_takes_no_header_from_a_value() {
        let response = Response::new(Status::Ok)
            .with("CSeq", "1\r\nX: y")
            .with_body("application/sdp", "v=0\r\n".to_owned());
        assert_eq!(
            String::from_utf8(response.to_bytes()).unwrap(),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
        );
        let bare = Response::new(Status::UnsupportedTransport).to_bytes();
        assert_eq!(bare, b"RTSP/1.0 461 Unsupported Transport\r\n\r\n");
    }
}
