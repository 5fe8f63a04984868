//! Where a client is told to send to (ICE host candidates): addresses, never names, which Firefox
//! does not take from a server.

use std::net::{IpAddr, SocketAddr};

/// Most candidates that are told. A machine with many virtual interfaces has more addresses, and
/// browsers check them all.
const TOLD: usize = 16;

/// What is known of the ways here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways<'a> {
    /// The address by which the client's request came, if it came by one.
    pub(crate) came_by: Option<IpAddr>,
    /// Where the UDP socket is bound.
    pub(crate) bound: SocketAddr,
    /// The addresses of this machine's interfaces.
    pub(crate) interfaces: &'a [IpAddr],
    /// Other addresses that lead here: those of a forwarded port, or of a container's host.
    pub(crate) configured: &'a [IpAddr],
}

impl Ways<'_> {
    /// Gives the candidates, the likeliest first. It is the address by which the client came, for
    /// that is how it reaches this machine, unless that is of this machine alone: then a proxy is
    /// between, and only the client knows which address leads here.
    pub(crate) fn candidates(&self) -> Vec<SocketAddr> {
        let bound = self.bound.ip().to_canonical();
        let own = self.own(bound);
        let configured = self.configured.iter().copied();
        let mut told: Vec<IpAddr> = Vec::new();
        for address in own.into_iter().chain(configured) {
            let address = address.to_canonical();
            if !told.contains(&address) {
                told.push(address);
            }
        }
        // The configured ones were wanted by somebody.
        while told.len() > TOLD {
            let last = told.iter().rposition(|one| !self.configured.contains(one));
            told.remove(last.unwrap_or(TOLD));
        }
        let port = self.bound.port();
        told.into_iter().map(|ip| (ip, port).into()).collect()
    }

    fn own(&self, bound: IpAddr) -> Vec<IpAddr> {
        if !bound.is_unspecified() {
            return vec![bound];
        }
        // One of 0.0.0.0 hears nothing by IPv6; one of [::] hears both, as this program binds it.
        let is_heard = |address: &IpAddr| address.is_ipv4() || self.bound.is_ipv6();
        let came_by = self.came_by.map(|address| address.to_canonical());
        if let Some(address) = came_by.filter(|address| is_far(address) && is_heard(address)) {
            return vec![address];
        }
        let interfaces = self.interfaces.iter().copied().filter(is_heard);
        let (far, near): (Vec<_>, Vec<_>) = interfaces.partition(is_far);
        // A browser on this machine; it takes that of another interface, too, where there is one.
        let local = near.into_iter().filter(IpAddr::is_loopback);
        far.into_iter().chain(local).collect()
    }
}

/// Says whether an address leads here from other machines. One of a link does not by itself: who
/// sends there has to know by which of its own interfaces.
fn is_far(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(came_by: Option<&str>, bound: &str, configured: &[&str]) -> Vec<String> {
        let ip = |text: &&str| text.parse::<IpAddr>().unwrap();
        let interfaces = [
            "127.0.0.1",
            "::1",
            "192.168.1.5",
            "fe80::1",
            "2001:db8::5",
            "10.0.0.5",
        ];
        let ways = Ways {
            came_by: came_by.map(|text| ip(&text)),
            bound: bound.parse().unwrap(),
            interfaces: &interfaces.iter().map(ip).collect::<Vec<_>>(),
            configured: &configured.iter().map(ip).collect::<Vec<_>>(),
        };
        ways.candidates()
            .iter()
            .map(SocketAddr::to_string)
            .collect()
    }

    #[test]
    fn the_address_by_which_the_client_came_is_told_and_those_configured() {
        let all = "[::]:8189";
        assert_eq!(told(Some("192.168.1.5"), all, &[]), ["192.168.1.5:8189"]);
        assert_eq!(told(Some("::ffff:10.0.0.5"), all, &[]), ["10.0.0.5:8189"]);
        let configured = ["203.0.113.7", "10.0.0.5"];
        let both = ["10.0.0.5:8189", "203.0.113.7:8189"];
        assert_eq!(told(Some("10.0.0.5"), all, &configured), both);
        assert_eq!(told(Some("2001:db8::5"), all, &[]), ["[2001:db8::5]:8189"]);
    }

    #[test]
    fn behind_a_local_proxy_all_addresses_are_told_and_that_of_the_machine_last() {
        let all = [
            "192.168.1.5:8189",
            "[2001:db8::5]:8189",
            "10.0.0.5:8189",
            "127.0.0.1:8189",
            "[::1]:8189",
        ];
        for near in [None, Some("127.0.0.1"), Some("::1"), Some("fe80::1")] {
            assert_eq!(told(near, "[::]:8189", &[]), all, "{near:?}");
        }
    }

    #[test]
    fn only_what_the_socket_hears_is_told() {
        let v4 = ["192.168.1.5:1", "10.0.0.5:1", "127.0.0.1:1"];
        assert_eq!(told(None, "0.0.0.0:1", &[]), v4);
        assert_eq!(told(Some("2001:db8::5"), "0.0.0.0:1", &[]), v4);
        assert_eq!(
            told(Some("10.0.0.5"), "192.168.1.5:1", &[]),
            ["192.168.1.5:1"]
        );
        assert_eq!(
            told(None, "127.0.0.1:1", &["192.0.2.1"]),
            ["127.0.0.1:1", "192.0.2.1:1"]
        );
    }

    #[test]
    fn never_too_many_are_told_and_those_configured_always() {
        let interfaces: Vec<IpAddr> = (0..200).map(|last| [10, 0, 0, last].into()).collect();
        let configured = ["203.0.113.7".parse().unwrap()];
        let ways = Ways {
            came_by: None,
            bound: "[::]:1".parse().unwrap(),
            interfaces: &interfaces,
            configured: &configured,
        };
        let told = ways.candidates();
        assert_eq!(told.len(), TOLD);
        assert_eq!(told[TOLD - 1].ip(), configured[0]);
    }
}
