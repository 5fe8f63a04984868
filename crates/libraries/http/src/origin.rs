//! Whose pages may ask what changes something. A browser sends a page's request to any server, with
//! the passwords it knows for that; CORS keeps the page from reading the response, not from asking.
//! But it says the page's origin, with every request that is no plain GET or HEAD, and with every
//! WebSocket (Fetch standard, append a request `Origin` header; RFC 6455, section 10.2). Programs
//! send none.

use eyelid_config::Origin;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};

/// What proxies that put their own name into `Host` say of the one that was asked. No page can have
/// it sent to a server that does not allow it first.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Gives the origin of the page that sent a request, if it is neither this server's own nor
/// `allowed`.
pub fn foreign<'a>(headers: &'a HeaderMap, allowed: Option<&Origin>) -> Option<&'a str> {
    let is_foreign = |origin: &str| {
        let is_allowed = allowed.is_some_and(|allowed| {
            allowed.as_str() == "*" || allowed.as_str().eq_ignore_ascii_case(origin)
        });
        // Behind a proxy the page may have come by HTTPS, so the scheme tells nothing.
        let own = origin.split_once("://").map(|(_, authority)| authority);
        !is_allowed && !own.is_some_and(|own| is_asked(headers, own))
    };
    let mut origins = headers.get_all(ORIGIN).iter();
    origins.find_map(|origin| match origin.to_str() {
        Ok(origin) => is_foreign(origin).then_some(origin),
        Err(_) => Some("?"),
    })
}

fn is_asked(headers: &HeaderMap, authority: &str) -> bool {
    let is_same = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    [HOST, FORWARDED_HOST]
        .iter()
        .filter_map(|name| headers.get(name))
        .any(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn foreign_in(headers: &[(&str, &str)], allowed: Option<&str>) -> Option<String> {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let allowed = allowed.map(|origin| origin.parse().unwrap());
        foreign(request.headers(), allowed.as_ref()).map(str::to_owned)
    }

    #[test]
    fn pages_of_this_server_and_those_allowed_may_ask_and_no_others() {
        let (host, origin) = ("Host", "Origin");
        let ours = (host, "octopi.local:8080");
        for own in [
            vec![ours],
            vec![ours, (origin, "http://octopi.local:8080")],
            vec![ours, (origin, "https://OctoPi.local:8080")],
            vec![
                (host, "127.0.0.1:8080"),
                ("X-Forwarded-Host", "cam.example.org"),
                (origin, "https://cam.example.org"),
            ],
        ] {
            assert_eq!(foreign_in(&own, None), None, "{own:?}");
        }
        for stranger in [
            "https://evil.example",
            "http://octopi.local",
            "null",
            "",
            "octopi.local:8080",
        ] {
            let headers = [ours, (origin, stranger)];
            assert_eq!(foreign_in(&headers, None).as_deref(), Some(stranger));
            assert_eq!(foreign_in(&headers, Some("*")), None, "{stranger}");
            let other = Some("https://a.example");
            assert_eq!(foreign_in(&headers, other).as_deref(), Some(stranger));
        }
        let headers = [ours, (origin, "https://a.example")];
        assert_eq!(foreign_in(&headers, Some("https://A.example")), None);
        let both = [
            ours,
            (origin, "http://octopi.local:8080"),
            (origin, "http://evil.example"),
        ];
        assert!(foreign_in(&both, None).is_some());
        assert!(foreign_in(&[ours, (origin, "http://\u{fc}")], None).is_some());
    }
}
