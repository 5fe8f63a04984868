//! Where a client is whose request a proxy of this machine passes on. That decides nothing: it is
//! told of in the log and in `/status`, where the proxy's own address would tell nobody anything.

use std::net::{AddrParseError, IpAddr, SocketAddr};

use hyper::header::{HeaderMap, HeaderName};

use crate::socket::Peer;

/// What proxies say of the client that has asked them: haproxy (`option forwardfor`), nginx
/// (`$proxy_add_x_forwarded_for`), Caddy, Traefik.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a client is, for people, without the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// Its address, or how it came.
    pub address: String,
    /// The proxy that has told it, if one has.
    pub proxy: Option<String>,
}

/// Gives where the client of a request is that came from this peer. A proxy is believed if it is on
/// this machine: any other peer may be the client itself, and say what it likes.
pub fn client_address(headers: &HeaderMap, peer: Peer) -> ClientAddress {
    let host = peer.host();
    match told(headers).filter(|_| is_of_this_machine(peer)) {
        Some(client) => ClientAddress {
            address: client.to_string(),
            proxy: Some(host),
        },
        None => ClientAddress {
            address: host,
            proxy: None,
        },
    }
}

fn is_of_this_machine(peer: Peer) -> bool {
    match peer {
        Peer::Tcp(address) => address.ip().to_canonical().is_loopback(),
        Peer::Unix => true,
        Peer::Unknown => false,
    }
}

/// The last address: the proxy has added what it saw to what it was told, in the same header or in
/// one more.
fn told(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
    let last = last.to_str().ok()?.rsplit(',').next()?.trim();
    address(last).ok().map(|ip| ip.to_canonical())
}

/// An address as proxies write it: some in brackets, some with a port.
fn address(text: &str) -> Result<IpAddr, AddrParseError> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>();
    plain.parse().or_else(|_| with_port().map(|both| both.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn client(peer: &str, forwarded_for: &[&str]) -> (String, Option<String>) {
        let mut headers = HeaderMap::new();
        for value in forwarded_for {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        let peer = Peer::try_from(peer.to_owned()).unwrap();
        let ClientAddress { address, proxy } = client_address(&headers, peer);
        (address, proxy)
    }

    #[test]
    fn a_proxy_of_this_machine_says_where_its_client_is() {
        for (peer, said, address) in [
            ("127.0.0.1:9", &["192.0.2.7"][..], "192.0.2.7"),
            ("[::ffff:127.0.0.1]:9", &["192.0.2.7"], "192.0.2.7"),
            ("[::1]:9", &["2001:db8::7"], "2001:db8::7"),
            ("unix", &["[2001:db8::7]"], "2001:db8::7"),
            ("unix", &["[2001:db8::7]:80"], "2001:db8::7"),
            ("unix", &["192.0.2.7:80"], "192.0.2.7"),
            ("unix", &["::ffff:192.0.2.7"], "192.0.2.7"),
        ] {
            let (told, proxy) = client(peer, said);
            assert_eq!(told, address, "{peer} {said:?}");
            let host = Peer::try_from(peer.to_owned()).unwrap().host();
            assert_eq!(proxy, Some(host));
        }
    }

    #[test]
    fn what_a_client_says_of_itself_is_not_believed() {
        let itself = ("198.51.100.9".to_owned(), Some("127.0.0.1".to_owned()));
        for said in [
            &["192.0.2.7, 198.51.100.9"][..],
            &["192.0.2.7", "198.51.100.9"],
            &["192.0.2.7,192.0.2.8", "evil, 198.51.100.9 "],
        ] {
            assert_eq!(client("127.0.0.1:9", said), itself, "{said:?}");
        }
        let stranger = ("203.0.113.1".to_owned(), None);
        assert_eq!(client("203.0.113.1:9", &["192.0.2.7"]), stranger);
        for said in [&[][..], &[""], &["unknown"], &["192.0.2.7, "], &["a b"]] {
            assert_eq!(client("unix", said), ("unix".to_owned(), None), "{said:?}");
        }
    }
}
