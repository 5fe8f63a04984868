//! The page and its parts. All that a camera, a rule or a model says comes as JSON, and is put on
//! the page as text by its script: nothing is filled in here.

use bytes::Bytes;
use eyelid_http::response::{FullResponse, typed};
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, X_FRAME_OPTIONS};

use super::route::Asset;

const PAGE: &str = include_str!("assets/alerts.html");
const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/page.js");
const ASKING: &str = include_str!("assets/asking.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Everything that the page needs comes from this server. No page of others may frame it: a user
/// could be led to press what changes something.
const POLICY: &str = "default-src 'none'; img-src 'self'; connect-src 'self'; script-src 'self'; \
     style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; \
     require-trusted-types-for 'script'";

/// What a page may ask of the browser. Permission for notifications is no policy's.
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// Gives the page.
pub(crate) fn page() -> FullResponse {
    let mut response = typed(
        Bytes::from_static(PAGE.as_bytes()),
        "text/html; charset=utf-8",
    );
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    let none = HeaderValue::from_static("camera=(), microphone=(), geolocation=()");
    headers.insert(PERMISSIONS, none);
    response
}

/// Gives a part of it.
pub(crate) fn asset(asset: Asset) -> FullResponse {
    let (text, content_type) = match asset {
        Asset::Style => (STYLE, "text/css; charset=utf-8"),
        Asset::Script => (SCRIPT, "text/javascript; charset=utf-8"),
        Asset::Asking => (ASKING, "text/javascript; charset=utf-8"),
        Asset::Icon => (ICON, "image/svg+xml"),
    };
    typed(Bytes::from_static(text.as_bytes()), content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_is_relative_and_nothing_breaks_the_policy() {
        assert!(!PAGE.contains("=\"/") && !PAGE.contains("://"));
        assert!(!PAGE.contains("style=") && !PAGE.contains("onclick"));
        for script in [SCRIPT, ASKING] {
            for risky in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                assert!(!script.contains(risky), "{risky}");
            }
        }
    }
}
