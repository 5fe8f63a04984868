//! Asking others by HTTP/1.1 and HTTPS: a model, a telephone, a home's automation.
//!
//! Every request is bounded in time and in what its answer may weigh ([`Limits`]). Nobody is
//! followed: where an answer redirects, that is an error which says where to, for a picture or a
//! key must not go where the configuration did not send it. A [`Key`] goes over no wire in the
//! clear, only by https or to this very machine. Errors name the host and never the path, which
//! with many services is the secret itself; nothing is logged here. Connections are kept for the
//! next request.
//!
//! Cameras are asked by [`Client::open`], for their answers have no end: they are read piece by
//! piece. Whom to follow, and who is told a [`Login`], is the caller's to say there.
//!
//! No proxy, no cookie, no compression, no HTTP/2: whoever is asked here answers small JSON, or
//! pictures.

mod challenge;
mod client;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod key;
mod login;
mod opened;
mod pinned;
mod retry_after;
mod trust;
mod url;

pub use bytes::Bytes;
pub use client::{Answer, Client, Limits, Request};
pub use error::Error;
pub use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use hyper::{Method, StatusCode};
pub use key::{Key, KeyError, MOST_KEY_BYTES};
pub use login::{Authorization, Login, LoginError, MOST_LOGIN_BYTES};
pub use opened::Opened;
pub use retry_after::{LONGEST_RETRY_AFTER, retry_after};
pub use trust::{Trust, TrustError};
pub use url::{MOST_URL_BYTES, Url, UrlError};
