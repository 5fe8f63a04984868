//! Why a request comes to nothing.

use eyelid_http::response::{FullResponse, rejection};
use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};

/// Why a request comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    status: StatusCode,
    what: String,
    is_passing: bool,
}

impl Rejection {
    /// Says `what` is wrong.
    pub(crate) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self {
            status,
            what: what.into(),
            is_passing: false,
        }
    }

    /// Says so of a request that makes no sense.
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }

    /// Says that it may be tried again soon.
    pub(crate) fn later(status: StatusCode, what: impl Into<String>) -> Self {
        Self {
            is_passing: true,
            ..Self::new(status, what)
        }
    }

    /// Says that the system does not let it be done.
    pub(crate) fn system(what: &str, error: &std::io::Error) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{what}: {error}"),
        )
    }

    /// Its status.
    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Gives the response that says so, the last of its connection: what may follow is not read.
    pub(crate) fn response(&self) -> FullResponse {
        let mut response = rejection(self.status, &self.what);
        if self.is_passing {
            let seconds = HeaderValue::from_static("2");
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}
