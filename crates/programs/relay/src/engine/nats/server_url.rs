//! Where a server is, and what may go there in the clear.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use async_nats::ServerAddr;

/// How many servers may be given.
const MAX_SERVERS: usize = 8;

/// A server, as it was given.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    address: ServerAddr,
    /// `tls://`: TLS whatever the server says.
    wants_tls: bool,
}

/// Why that is no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    /// It has another form.
    #[error("server {0:?}: use tls://HOST:PORT or nats://HOST:PORT")]
    Form(String),
    /// There are too many.
    #[error("{0} servers: {MAX_SERVERS} at most")]
    TooMany(usize),
}

/// How a connection is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// By TLS.
    Tls,
    /// In the clear: to this machine, or where the server does not want TLS within a network of
    /// one's own.
    AsTheServerWants,
}

impl ServerUrl {
    /// Reads one URL, or several with commas between them.
    pub(crate) fn all(text: &str) -> Result<Vec<Self>, UrlError> {
        let urls: Vec<&str> = text.split(',').map(str::trim).collect();
        if urls.len() > MAX_SERVERS {
            return Err(UrlError::TooMany(urls.len()));
        }
        urls.into_iter().map(str::parse).collect()
    }

    /// Its host's name or address.
    pub(crate) fn host(&self) -> &str {
        self.address.host()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// User and password, if the URL has them; a token is a user without a password.
    pub(crate) fn login(&self) -> Option<(&str, Option<&str>)> {
        let user = self.address.username()?;
        Some((user, self.address.password()))
    }

    /// The address for a connection that is protected so; one in the clear goes to `ip` and nowhere
    /// else, for another look-up of the name could lead elsewhere.
    pub(crate) fn address(&self, protection: Protection, ip: IpAddr) -> ServerAddr {
        let host = match protection {
            Protection::Tls => return self.address.clone(),
            Protection::AsTheServerWants if ip.is_ipv6() => format!("[{ip}]"),
            Protection::AsTheServerWants => ip.to_string(),
        };
        let url = format!("nats://{host}:{}", self.port()).parse();
        url.unwrap_or_else(|_| self.address.clone())
    }

    /// Decides what protects the connection to this server, whose name leads to `ip`. Pictures go
    /// in the clear within this machine, and within networks that no stranger's packets cross; a
    /// password within this machine alone. An nkey, or that of a JWT, only signs what the server
    /// has just made up.
    pub(crate) fn protection(&self, ip: IpAddr) -> Protection {
        let has_secret = self.login().is_some();
        let may_be_clear = ip.is_loopback() || (is_private(ip) && !has_secret);
        if self.wants_tls || !may_be_clear {
            Protection::Tls
        } else {
            Protection::AsTheServerWants
        }
    }
}

/// Says whether no router of the Internet leads there (RFC 1918, 3927, 4193, 4291).
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        // Without what may be a password.
        let shown = text.rsplit_once('@').map_or(text, |(_, shown)| shown);
        let wrong = || UrlError::Form(shown.chars().take(100).collect());
        let (scheme, _) = text.split_once("://").ok_or_else(wrong)?;
        let wants_tls = match scheme {
            "tls" => true,
            "nats" => false,
            _ => return Err(wrong()),
        };
        let address: ServerAddr = text.parse().map_err(|_| wrong())?;
        if address.host().is_empty() {
            return Err(wrong());
        }
        Ok(Self { address, wants_tls })
    }
}

/// Without user and password.
impl fmt::Display for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.wants_tls { "tls" } else { "nats" };
        let (host, port) = (self.host(), self.port());
        if host.contains(':') {
            write!(formatter, "{scheme}://[{host}]:{port}")
        } else {
            write!(formatter, "{scheme}://{host}:{port}")
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ServerUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_wanted_where_a_stranger_could_listen() {
        use Protection::{AsTheServerWants, Tls};
        for (url, ip, wanted) in [
            ("nats://me:secret@h", "127.0.0.1", AsTheServerWants),
            ("nats://h", "::1", AsTheServerWants),
            ("tls://h", "127.0.0.1", Tls),
            ("nats://h", "192.168.1.2", AsTheServerWants),
            ("nats://h", "fd00::1", AsTheServerWants),
            ("nats://h", "::ffff:10.0.0.1", AsTheServerWants),
            ("nats://me:secret@h", "10.0.0.1", Tls),
            ("nats://token@h", "10.0.0.1", Tls),
            ("nats://h", "203.0.113.1", Tls),
            ("nats://h", "2001:db8::1", Tls),
        ] {
            let server: ServerUrl = url.parse().unwrap();
            assert_eq!(server.protection(ip.parse().unwrap()), wanted, "{url} {ip}");
        }
    }

    #[test]
    fn what_is_shown_has_no_password() {
        let url: ServerUrl = "nats://me:secret@hub.lan:4333".parse().unwrap();
        assert_eq!(url.to_string(), "nats://hub.lan:4333");
        assert_eq!(url.login(), Some(("me", Some("secret"))));
        for bad in ["http://me:secret@h", "me:secret@h", "nats://", "tls://a b"] {
            let error = bad.parse::<ServerUrl>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(ServerUrl::all("tls://a, nats://b:1").unwrap().len(), 2);
        assert!(ServerUrl::all(&"nats://a,".repeat(9)).is_err());
    }

    #[test]
    fn in_the_clear_it_goes_where_it_was_looked_up() {
        let url: ServerUrl = "nats://hub:4333".parse().unwrap();
        let address = |ip: &str| url.address(Protection::AsTheServerWants, ip.parse().unwrap());
        assert_eq!(address("10.0.0.1").as_url_str(), "nats://10.0.0.1:4333");
        assert_eq!(address("fd00::1").as_url_str(), "nats://[fd00::1]:4333");
        let tls = url.address(Protection::Tls, "10.0.0.1".parse().unwrap());
        assert_eq!(tls.host(), "hub");
    }
}
