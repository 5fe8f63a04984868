//! What a person who has started this is to know.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::unistd::gethostname;

use crate::plan::Plan;
use crate::sockets::Bound;

/// Where avahi answers for NAME.local in the local network.
const AVAHI: &str = "/run/avahi-daemon/socket";

/// Interfaces that lead to containers and virtual machines of this computer, by the starts of their
/// names.
const INSIDE: [&str; 4] = ["docker", "br-", "veth", "virbr"];

/// What containers' engines, Docker and podman, put into containers.
const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// What other computers can call this one.
#[derive(Debug, Default)]
pub(crate) struct Names {
    addresses: Vec<IpAddr>,
    /// `NAME.local`
    local: Option<String>,
    /// Others know the container's host, and the port that is published there.
    in_container: bool,
}

impl Names {
    /// Asks the system.
    pub(crate) fn find() -> Self {
        let mut addresses = Vec::new();
        for interface in getifaddrs().into_iter().flatten() {
            let up = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
            let inside = INSIDE
                .iter()
                .any(|start| interface.interface_name.starts_with(start));
            let Some(address) = interface
                .address
                .filter(|_| !inside && interface.flags.contains(up))
            else {
                continue;
            };
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            let v6 = address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
            addresses.extend(v4.or(v6).filter(|address| is_reachable(*address)));
        }
        // Most people type an IPv4 address; a computer may have a dozen of the others, one is
        // enough.
        addresses.sort_by_key(IpAddr::is_ipv6);
        let v4 = addresses.iter().filter(|address| address.is_ipv4()).count();
        addresses.truncate(v4 + 1);
        let name = gethostname().ok().and_then(|name| name.into_string().ok());
        Self {
            addresses,
            local: name
                .filter(|name| !name.contains('.') && Path::new(AVAHI).exists())
                .map(|name| format!("{name}.local")),
            in_container: MARKS.iter().any(|mark| Path::new(mark).exists()),
        }
    }

    /// How others call a socket, the best first; this computer itself where nobody else can.
    fn hosts(&self, socket: SocketAddr) -> Vec<String> {
        if !socket.ip().is_unspecified() {
            return vec![socket.to_string()];
        }
        let port = socket.port();
        let mut addresses = self.addresses.clone();
        // A socket of IPv6 for all addresses takes IPv4 as well (ipv6(7), bindv6only).
        addresses.retain(|address| socket.is_ipv6() || address.is_ipv4());
        if addresses.is_empty() {
            addresses.push(if socket.is_ipv6() {
                Ipv6Addr::LOCALHOST.into()
            } else {
                Ipv4Addr::LOCALHOST.into()
            });
        }
        let addresses = addresses.iter();
        let addresses = addresses.map(|address| SocketAddr::new(*address, port).to_string());
        let local = self.local.iter().map(|name| format!("{name}:{port}"));
        addresses.chain(local).collect()
    }
}

fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

/// The greeting for what is listened on: for the server's clients, and for cameras that `push`.
pub(crate) fn greeting<'a>(
    bound: impl Iterator<Item = &'a Bound> + Clone,
    push: impl Iterator<Item = &'a Bound> + Clone,
    plan: &Plan,
    slots: &Path,
    names: &Names,
) -> String {
    let mut text = String::from("Eyelid is ready; the camera opens when you open one of these:\n");
    for address in bound.clone() {
        match address {
            Bound::Tcp(v6) if has_v4_of(bound.clone(), *v6) => {}
            Bound::Tcp(socket) => {
                let mut hosts = names.hosts(*socket).into_iter();
                if let Some(host) = hosts.next() {
                    addresses(&mut text, &format!("http://{host}"), plan);
                }
                for host in hosts {
                    line(&mut text, "or at", &format!("http://{host}/"));
                }
            }
            Bound::Unix(path) => {
                let path = path.display();
                let _ = writeln!(
                    text,
                    "  curl --unix-socket {path} http://localhost/snapshot"
                );
            }
        }
    }
    for slot in plan.camera_slots(slots) {
        line(&mut text, "slot", &slot.display().to_string());
    }
    push_addresses(&mut text, push.clone(), plan, names);
    let is_elsewhere =
        |address: &Bound| matches!(address, Bound::Tcp(socket) if !socket.ip().is_loopback());
    let is_open = bound.clone().any(is_elsewhere);
    if is_open && !plan.has_password {
        text.push_str(
            "Everybody who can reach this computer may look: give a password with --password-file or --auth-file.\n",
        );
    }
    if bound.chain(push).any(is_elsewhere) && names.in_container {
        text.push_str(
            "This is a container: others use its host's name, and the port that is published there.\n",
        );
    }
    text.push_str("Ctrl-C ends it.\n");
    text
}

/// The three addresses that programs ask for, at `url`.
fn addresses(text: &mut String, url: &str, plan: &Plan) {
    line(text, "viewer", &format!("{url}/"));
    for name in plan.names() {
        let prefix = match name.is_default() {
            true => String::new(),
            false => format!("{name}/"),
        };
        line(text, "stream", &format!("{url}/{prefix}stream"));
        line(text, "snapshot", &format!("{url}/{prefix}snapshot"));
    }
}

/// Where cameras push, each by its first way in.
fn push_addresses<'a>(
    text: &mut String,
    push: impl Iterator<Item = &'a Bound> + Clone,
    plan: &Plan,
    names: &Names,
) {
    let is_first = |address: SocketAddr| !has_v4_of(push.clone(), address);
    let hosts = push.clone().filter_map(|address| match address {
        Bound::Tcp(socket) => is_first(*socket).then(|| names.hosts(*socket)),
        Bound::Unix(_) => None,
    });
    for host in hosts.filter_map(|hosts| hosts.into_iter().next()) {
        for camera in &plan.pushed.cameras {
            let name = &camera.name;
            let both = format!("ws://{host}/{name}, or POST to http://{host}/{name}");
            line(text, "push", &both);
        }
    }
}

fn line(text: &mut String, what: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {what:<9} {value}");
}

/// Says whether this is IPv6's localhost, and IPv4's is listened on as well.
fn has_v4_of<'a>(mut bound: impl Iterator<Item = &'a Bound>, address: SocketAddr) -> bool {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    address.ip() == Ipv6Addr::LOCALHOST
        && bound.any(|other| matches!(other, Bound::Tcp(other) if *other == v4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::Parser;

    fn greet(bound: &[&str], arguments: &[&str]) -> String {
        greet_both(bound, &[], arguments)
    }

    fn greet_both(bound: &[&str], push: &[&str], arguments: &[&str]) -> String {
        let [bound, push] = [bound, push].map(|addresses| {
            let addresses = addresses.iter();
            let bound = addresses.map(|text| Bound::Tcp(text.parse().unwrap()));
            bound.collect::<Vec<_>>()
        });
        let plan = Plan::new(Arguments::parse_from([&["eyelid"], arguments].concat())).unwrap();
        let names = Names {
            addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            local: Some("pi.local".into()),
            in_container: false,
        };
        greeting(bound.iter(), push.iter(), &plan, Path::new("/s"), &names)
    }

    #[test]
    fn names_where_cameras_push_and_where_they_are_seen() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("eyelid.toml");
        std::fs::write(&file, "[receive.cameras.door]\n").unwrap();
        let file = ["--config", file.to_str().unwrap()];
        let local = ["127.0.0.1:8765", "[::1]:8765"];
        let text = greet_both(&["127.0.0.1:80"], &local, &file);
        for words in [
            "stream    http://127.0.0.1:80/door/stream\n",
            "slot      /s/door\n",
            "push      ws://127.0.0.1:8765/door, or POST to http://127.0.0.1:8765/door\n",
        ] {
            assert!(text.contains(words), "{text}");
        }
        assert!(!text.contains("[::1]") && !text.contains("/s\n"), "{text}");
        let text = greet_both(&["127.0.0.1:80"], &["0.0.0.0:8765"], &file);
        assert!(text.contains("ws://192.0.2.1:8765/door"), "{text}");
        assert!(
            !text.contains("Everybody"),
            "pushing is not looking: {text}"
        );
    }

    #[test]
    fn names_each_address_that_others_can_use_and_the_slot() {
        let text = greet(&["0.0.0.0:80"], &[]);
        for words in [
            "viewer    http://192.0.2.1:80/\n",
            "stream    http://192.0.2.1:80/stream\n",
            "or at     http://pi.local:80/\n",
            "slot      /s\n",
        ] {
            assert!(text.contains(words), "{text}");
        }
        assert!(
            !text.contains("0.0.0.0") && !text.contains("2001"),
            "{text}"
        );
        let text = greet(&["[::]:80"], &[]);
        assert!(
            text.contains("http://192.0.2.1:80/")
                && text.contains("or at     http://[2001:db8::1]:80/"),
            "{text}"
        );
        let nobody = Names::default().hosts("0.0.0.0:80".parse().unwrap());
        assert_eq!(nobody, ["127.0.0.1:80"]);
    }

    #[test]
    fn says_in_a_container_that_its_addresses_are_not_the_hosts() {
        let plan = Plan::new(Arguments::parse_from(["eyelid"])).unwrap();
        for (bound, in_container, said) in [
            ("0.0.0.0:80", true, true),
            ("127.0.0.1:80", true, false),
            ("0.0.0.0:80", false, false),
        ] {
            let bound = [Bound::Tcp(bound.parse().unwrap())];
            let names = Names {
                in_container,
                ..Names::default()
            };
            let none = [].iter();
            let text = greeting(bound.iter(), none, &plan, Path::new("/s"), &names);
            assert_eq!(text.contains("This is a container"), said, "{text}");
        }
    }

    #[test]
    fn says_that_everybody_may_look_where_that_is_so() {
        let password = ["--password-file", "/p"];
        for (bound, arguments, open) in [
            (&["127.0.0.1:80", "[::1]:80"][..], &[][..], false),
            (&["0.0.0.0:80"], &[], true),
            (&["127.0.0.1:80", "192.0.2.1:80"], &[], true),
            (&["0.0.0.0:80"], &password, false),
        ] {
            let text = greet(bound, arguments);
            assert_eq!(text.contains("Everybody"), open, "{text}");
        }
    }
}
