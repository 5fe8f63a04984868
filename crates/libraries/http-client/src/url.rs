//! Where a request goes.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Scheme;

/// What a URL may have: longer ones are refused by the servers that there are (nginx: 8 KiB for a
/// whole line).
pub const MOST_URL_BYTES: usize = 4096;

/// An address of `http` or `https` with a host. `Display` and `Debug` give its origin alone
/// (`https://ntfy.sh`): what follows is the secret itself with some services.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    uri: Uri,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither `http://` nor `https://`.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// Nobody is named.
    #[error("names no host")]
    Host,
    /// `http://user:password@host`.
    #[error("has a user or password in it: a file of the key goes beside the URL")]
    Credentials,
    /// A part that is for readers alone and never sent.
    #[error("has a fragment (#...), which is never sent: leave it out")]
    Fragment,
    /// No URL at all, or one that is too long.
    #[error("is no URL of at most 4096 characters, those but ASCII written as %XX")]
    Malformed,
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text.len() > MOST_URL_BYTES {
            return Err(UrlError::Malformed);
        }
        if text.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err(UrlError::Scheme);
        }
        if rest.is_empty() || rest.starts_with(['/', '?', ':']) {
            return Err(UrlError::Host);
        }
        let uri: Uri = text.parse().map_err(|_| UrlError::Malformed)?;
        let authority = uri.authority().ok_or(UrlError::Host)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::Credentials);
        }
        // A port that is none (`:99999`, `:`) has no number.
        if authority.host().len() < authority.as_str().len() && authority.port_u16().is_none() {
            return Err(UrlError::Malformed);
        }
        Ok(Self { uri })
    }
}

impl Url {
    /// Its host, as it was written: a name, an address, an address of IPv6 in brackets.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// Whether what goes there is encrypted.
    pub fn is_https(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }

    /// Whether it is this very machine, by its address or as `localhost`: nobody listens between.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
            || bare.parse().is_ok_and(|ip: Ipv6Addr| ip.is_loopback())
    }

    /// Whether a key may go there: nobody can read it under way.
    pub fn may_be_given_keys(&self) -> bool {
        self.is_https() || self.is_loopback()
    }

    /// The whole of it. May be a secret: for no log and no page.
    pub fn secret(&self) -> String {
        self.uri.to_string()
    }

    /// This one with `below` behind its path, for APIs that are named by their base. What follows a
    /// `?` stays at the end.
    ///
    /// # Errors
    /// [`UrlError::Malformed`] where that is none.
    pub fn join(&self, below: &str) -> Result<Self, UrlError> {
        let path = self.uri.path().trim_end_matches('/');
        let query = self.uri.query().map(|query| format!("?{query}"));
        let query = query.unwrap_or_default();
        format!("{self}{path}/{below}{query}").parse()
    }

    /// Where a `Location` leads that an answer from here has (RFC 3986, 5.2): a whole address, or
    /// one that leaves out what is as it is here. A fragment is for readers, and left out.
    ///
    /// # Errors
    /// What is wrong with the address that it comes to.
    pub fn resolve(&self, reference: &str) -> Result<Self, UrlError> {
        let reference = reference.split('#').next().unwrap_or_default();
        let colon = reference.find(':').unwrap_or(usize::MAX);
        let path_begins = reference.find(['/', '?']).unwrap_or(usize::MAX);
        if colon < path_begins {
            return reference.parse();
        }
        if reference.starts_with("//") {
            let scheme = self.uri.scheme_str().unwrap_or_default();
            return format!("{scheme}:{reference}").parse();
        }
        let path = self.uri.path();
        match reference.as_bytes() {
            [] => Ok(self.clone()),
            [b'/', ..] => format!("{self}{reference}").parse(),
            [b'?', ..] => format!("{self}{path}{reference}").parse(),
            _ => {
                let directory = path.rfind('/').map_or("", |slash| &path[..slash]);
                format!("{self}{directory}/{reference}").parse()
            }
        }
    }

    /// Whether both are of one server: scheme, host and port. What is secret goes to no other.
    pub fn is_same_origin(&self, other: &Self) -> bool {
        let scheme = self.uri.scheme() == other.uri.scheme();
        scheme && self.host().eq_ignore_ascii_case(other.host()) && self.port() == other.port()
    }

    /// Path and query, as a request has them. May be a secret.
    pub fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |it| it.as_str())
    }

    fn port(&self) -> u16 {
        let usual = if self.is_https() { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(usual)
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map_or("", |it| it.as_str());
        write!(
            out,
            "{}://{authority}",
            self.uri.scheme_str().unwrap_or_default()
        )
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Url({self}/..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_can_be_asked() {
        for text in [
            "http://127.0.0.1:11434/v1",
            "https://ntfy.sh/topic?up=1",
            "HTTPS://Example.org",
            "http://[::1]:8080/",
            "http://printer",
        ] {
            assert!(text.parse::<Url>().is_ok(), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_the_others() {
        let long = format!("http://h/{}", "a".repeat(MOST_URL_BYTES));
        for (text, error) in [
            ("", UrlError::Scheme),
            ("ntfy.sh/topic", UrlError::Scheme),
            ("ftp://host/", UrlError::Scheme),
            ("file:///etc/passwd", UrlError::Scheme),
            ("http://", UrlError::Host),
            ("http:///path", UrlError::Host),
            ("http://:80/", UrlError::Host),
            ("http://u:p@host/", UrlError::Credentials),
            ("https://host/#there", UrlError::Fragment),
            ("http://host:99999/", UrlError::Malformed),
            ("http://host:/", UrlError::Malformed),
            ("http://host/a b", UrlError::Malformed),
            ("http://host/\r\nX: y", UrlError::Malformed),
            (&long, UrlError::Malformed),
        ] {
            assert_eq!(text.parse::<Url>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn knows_its_own_machine() {
        for (text, own) in [
            ("http://127.0.0.1/", true),
            ("http://127.9.8.7:1/", true),
            ("http://[::1]/", true),
            ("http://LOCALHOST:11434/v1", true),
            ("http://localhost.example.org/", false),
            ("http://127.0.0.1.example.org/", false),
            ("http://192.168.1.5/", false),
            ("http://[fe80::1]/", false),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!(url.is_loopback(), own, "{text}");
            assert_eq!(url.may_be_given_keys(), own, "{text}");
        }
    }

    #[test]
    fn is_shown_without_its_path() {
        let url: Url = "https://ntfy.sh/secret-topic?auth=abc".parse().unwrap();
        assert_eq!(url.to_string(), "https://ntfy.sh");
        assert!(!format!("{url:?}").contains("secret"));
        assert_eq!(url.secret(), "https://ntfy.sh/secret-topic?auth=abc");
    }

    #[test]
    fn follows_a_reference() {
        let from = |base: &str, reference: &str| {
            let base: Url = base.parse().unwrap();
            base.resolve(reference).map(|url| url.secret())
        };
        for (base, reference, to) in [
            ("http://h:1/a/b?c", "https://g/x", "https://g/x"),
            ("https://h/a", "//g:2/x?y", "https://g:2/x?y"),
            ("http://h:1/a/b?c", "/x", "http://h:1/x"),
            (
                "http://h:1/a/b?c",
                "?action=stream",
                "http://h:1/a/b?action=stream",
            ),
            (
                "http://h:1/a/b?c",
                "x?y=http://z/",
                "http://h:1/a/x?y=http://z/",
            ),
            ("http://h:1/a/", "x", "http://h:1/a/x"),
            ("http://h:1", "x", "http://h:1/x"),
            ("http://h:1/a?b", "#there", "http://h:1/a?b"),
            ("http://h:1/a?b", "/x#there", "http://h:1/x"),
        ] {
            assert_eq!(from(base, reference).as_deref(), Ok(to), "{reference}");
        }
        for (reference, error) in [
            ("javascript:alert(1)", UrlError::Scheme),
            ("ftp://h/", UrlError::Scheme),
            ("//u:p@g/", UrlError::Credentials),
            ("///x", UrlError::Host),
            ("/a b", UrlError::Malformed),
        ] {
            assert_eq!(from("http://h/", reference), Err(error), "{reference}");
        }
    }

    #[test]
    fn knows_one_server_from_another() {
        let same = |one: &str, other: &str| {
            let (one, other): (Url, Url) = (one.parse().unwrap(), other.parse().unwrap());
            one.is_same_origin(&other)
        };
        assert!(same("http://Pi.lan/a", "http://pi.lan:80/b?c"));
        assert!(same("https://h:443", "https://h/"));
        for other in [
            "https://h/",
            "http://h:8080/",
            "http://h.example/",
            "http://x.h/",
        ] {
            assert!(!same("http://h/", other), "{other}");
        }
    }

    #[test]
    fn joins_what_is_asked_below_a_base() {
        for (base, joined) in [
            ("http://h:1/v1", "http://h:1/v1/chat/completions"),
            ("http://h:1/v1/", "http://h:1/v1/chat/completions"),
            ("http://h", "http://h/chat/completions"),
            ("http://h/v1?a=b", "http://h/v1/chat/completions?a=b"),
        ] {
            let base: Url = base.parse().unwrap();
            assert_eq!(base.join("chat/completions").unwrap().secret(), joined);
        }
    }
}
