//! Bodies of requests: a little JSON, or nothing.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::body::Body;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::rejection::Rejection;

/// Most bytes: a sentence of 200 characters, each of them escaped, has 2400.
pub(crate) const MOST_BYTES: usize = 4 << 10;

/// How long one may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a whole body.
///
/// # Errors
/// It is too long, takes too long, or does not come.
pub(crate) async fn read<B>(body: B) -> Result<Bytes, Rejection>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match timeout(PATIENCE, Limited::new(body, MOST_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let what = format!("more than {MOST_BYTES} bytes are not read");
            Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, what))
        }
        Ok(Err(error)) => Err(Rejection::malformed(format!(
            "the body is not whole: {error}"
        ))),
        Err(_) => {
            let what = format!("the body did not come within {} s", PATIENCE.as_secs());
            Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, what))
        }
    }
}

/// Reads what a body says.
///
/// # Errors
/// It is not what is expected.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    let wrong = |error: serde_json::Error| Rejection::malformed(format!("the body: {error}"));
    serde_json::from_slice(body).map_err(wrong)
}
