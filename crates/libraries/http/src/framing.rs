//! Where a request ends. Proxies and servers that disagree about it can be made to take one
//! client's bytes for another's request (RFC 9112, section 11.2). hyper refuses lengths that
//! contradict each other or are none, and takes chunks for what counts where both are given; nobody
//! needs a body here, so a request that has one is the last of its connection.

use hyper::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};

/// Says whether something follows a request's header that is not the next request.
pub(crate) fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .any(|length| length != "0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    #[test]
    fn what_might_have_a_body_has_one() {
        let read = |headers: &[(&str, &str)]| {
            let mut request = Request::builder();
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            has_body(request.body(()).unwrap().headers())
        };
        let length = |value| ("Content-Length", value);
        let chunked = ("Transfer-Encoding", "chunked");
        assert!(!read(&[]));
        assert!(!read(&[length("0")]));
        assert!(read(&[length("5")]));
        assert!(read(&[length("00")]));
        assert!(read(&[chunked]));
        assert!(read(&[length("0"), chunked]));
        assert!(read(&[length("0"), length("6")]));
    }
}
