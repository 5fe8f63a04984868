//! Who may push to a camera: the decision, by what a request says and where it comes from.

use std::net::{IpAddr, SocketAddr};

use eyelid_http::{Peer, basic_credentials};
use eyelid_slot::CameraName;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};

use crate::tokens::Tokens;

/// What the two Arduino libraries say although no page sends it.
const ORIGINS_OF_LIBRARIES: [&str; 2] = ["file://", "https://github.com/gilmaimon/TinyWebsockets"];

/// What proxies add: who asks is elsewhere then, whatever the connection's address.
const OF_PROXIES: [HeaderName; 7] = [
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("via"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Why somebody may not push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A page asks (RFC 6455, section 10.2): it must not fill a slot.
    Page,
    /// The camera has no token, and the request is not from this machine.
    Elsewhere,
    /// The token is missing or wrong.
    Token,
}

/// Decides whether a request may push to a camera, which has these tokens if it has any.
pub(crate) fn check(
    headers: &HeaderMap,
    query: Option<&str>,
    peer: Peer,
    camera: &CameraName,
    tokens: Option<&Tokens>,
) -> Result<(), Refusal> {
    let is_page = |origin: &HeaderValue| {
        !ORIGINS_OF_LIBRARIES
            .iter()
            .any(|library| origin.as_bytes() == library.as_bytes())
            && !is_own(origin, headers)
    };
    if headers.get_all(ORIGIN).iter().any(is_page) {
        return Err(Refusal::Page);
    }
    let Some(tokens) = tokens else {
        return match is_local(headers, peer) {
            true => Ok(()),
            false => Err(Refusal::Elsewhere),
        };
    };
    let mut shown = shown_tokens(headers, query, camera);
    match shown.any(|token| tokens.admit(camera, &token)) {
        true => Ok(()),
        false => Err(Refusal::Token),
    }
}

/// Says whether an origin is the address that is asked: Python's websocket-client says that where
/// it is told nothing. A page of that origin can only be this program's, which has none: the name
/// of a page could have been made to lead here (DNS rebinding), but nobody owns an address.
fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let authority = |value: &HeaderValue| {
        let text = value.to_str().ok()?;
        text.split_once("://")
            .map(|(_, authority)| authority.to_owned())
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let (Some(origin), Some(host)) = (authority(origin), host) else {
        return false;
    };
    origin.eq_ignore_ascii_case(host) && is_address(host)
}

/// Says whether what is asked, with its port if it has one, is an address, or this machine.
fn is_address(host: &str) -> bool {
    let without_port = host.rsplit_once(':').map_or(host, |(name, _)| name);
    host.parse::<SocketAddr>().is_ok()
        || host.parse::<IpAddr>().is_ok()
        || without_port.eq_ignore_ascii_case("localhost")
}

/// Says whether a request comes from this machine, and not through a proxy on it.
pub(crate) fn is_local(headers: &HeaderMap, peer: Peer) -> bool {
    let is_local = match peer {
        Peer::Tcp(address) => address.ip().to_canonical().is_loopback(),
        Peer::Unix => true,
        Peer::Unknown => false,
    };
    is_local && !OF_PROXIES.iter().any(|name| headers.contains_key(name))
}

/// The tokens that a request shows, in any of the ways in which sketches and scripts do.
fn shown_tokens(
    headers: &HeaderMap,
    query: Option<&str>,
    camera: &CameraName,
) -> impl Iterator<Item = String> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    let authorization = text(&AUTHORIZATION).and_then(|value| authorization(value, camera));
    let api_key = text(&API_KEY).map(|value| value.trim().to_owned());
    // A token is base64url: nothing in it is ever written as %XX.
    let in_query = query.and_then(|query| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == "token").then(|| value.to_owned()))
    });
    [authorization, api_key, in_query].into_iter().flatten()
}

/// `Bearer TOKEN` (RFC 6750), or `Basic` with the camera's name as the user.
fn authorization(value: &str, camera: &CameraName) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    let (user, token) = basic_credentials(value.as_bytes())?;
    (user == camera.as_str()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::new_token;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use std::fs;

    const LOCAL: &str = "127.0.0.1:1000";
    const REMOTE: &str = "192.0.2.1:1000";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        };
        pairs.iter().map(pair).collect()
    }

    fn tcp(address: &str) -> Peer {
        Peer::Tcp(address.parse().unwrap())
    }

    fn door() -> CameraName {
        "door".parse().unwrap()
    }

    #[test]
    fn without_a_token_only_this_machine_may_push() {
        let may = |peer, pairs: &[_]| check(&headers(pairs), None, peer, &door(), None);
        for local in [
            tcp(LOCAL),
            tcp("[::1]:1"),
            tcp("[::ffff:127.0.0.1]:1"),
            Peer::Unix,
        ] {
            assert_eq!(may(local, &[]), Ok(()));
            for proxy in [
                "cf-connecting-ip",
                "forwarded",
                "via",
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-proto",
                "x-real-ip",
            ] {
                assert_eq!(
                    may(local, &[(proxy, "x")]),
                    Err(Refusal::Elsewhere),
                    "{proxy}"
                );
            }
        }
        for remote in [tcp(REMOTE), tcp("[2001:db8::1]:1"), Peer::Unknown] {
            assert_eq!(may(remote, &[]), Err(Refusal::Elsewhere));
        }
    }

    #[test]
    fn no_page_may_push_and_libraries_that_say_an_origin_may() {
        let may = |origin| {
            check(
                &headers(&[("origin", origin)]),
                None,
                tcp(LOCAL),
                &door(),
                None,
            )
        };
        for library in ORIGINS_OF_LIBRARIES {
            assert_eq!(may(library), Ok(()));
        }
        for page in [
            "http://127.0.0.1:8765",
            "https://evil.example",
            "null",
            "file:///x",
            "",
        ] {
            assert_eq!(may(page), Err(Refusal::Page), "{page:?}");
        }
    }

    #[test]
    fn who_says_the_address_it_asks_is_no_page_of_others() {
        let may = |origin: &str, host: &str| {
            let headers = headers(&[("origin", origin), ("host", host)]);
            check(&headers, None, tcp(LOCAL), &door(), None)
        };
        assert_eq!(may("http://127.0.0.1:8765", "127.0.0.1:8765"), Ok(()));
        assert_eq!(may("http://[::1]:8765", "[::1]:8765"), Ok(()));
        assert_eq!(may("http://LocalHost:8765", "localhost:8765"), Ok(()));
        // A name may be a stranger's, who has it lead here.
        let stranger = may("http://evil.example:8765", "evil.example:8765");
        assert_eq!(stranger, Err(Refusal::Page));
        for origin in ["http://127.0.0.1:8766", "http://evil.example", "http://"] {
            assert_eq!(
                may(origin, "127.0.0.1:8765"),
                Err(Refusal::Page),
                "{origin}"
            );
        }
    }

    #[test]
    fn a_token_is_shown_in_any_of_four_ways() {
        let (token, line) = new_token(&door()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tokens");
        fs::write(&file, line).unwrap();
        let tokens = Tokens::load(&file).unwrap();
        let may =
            |pairs: &[_], query| check(&headers(pairs), query, tcp(REMOTE), &door(), Some(&tokens));
        let bearer = format!("Bearer {token}");
        let basic = |user: &str| format!("basic {}", STANDARD.encode(format!("{user}:{token}")));
        let (right_user, wrong_user) = (basic("door"), basic("bed"));
        let query = format!("a=b&token={token}");
        assert_eq!(may(&[("authorization", &bearer)], None), Ok(()));
        assert_eq!(may(&[("authorization", &right_user)], None), Ok(()));
        assert_eq!(may(&[("x-api-key", &token)], None), Ok(()));
        assert_eq!(may(&[], Some(&query)), Ok(()));
        let other = format!("Bearer {token}x");
        for wrong in [
            vec![],
            vec![("authorization", other.as_str())],
            vec![("authorization", &wrong_user)],
            vec![("authorization", &token)],
            vec![("x-api-key", "")],
        ] {
            assert_eq!(may(&wrong, None), Err(Refusal::Token), "{wrong:?}");
        }
        let local = check(&headers(&[]), None, tcp(LOCAL), &door(), Some(&tokens));
        assert_eq!(
            local,
            Err(Refusal::Token),
            "who has a token shows it, from here too"
        );
    }
}
