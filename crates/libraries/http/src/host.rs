//! For which names requests are answered. A stranger's page can have its own name lead here (DNS
//! rebinding), and the browser then takes our pictures for that page's. But it sends the name in
//! `Host`, and it must be a name that can be registered: one that is neither ours nor local is
//! refused (RFC 9110, section 7.4).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use eyelid_config::{AllowedHost, host_name};
use eyelid_daemon::LogLimit;
use hyper::Version;
use hyper::header::HOST;
use hyper::http::request::Parts;
use nix::unistd::gethostname;

/// What nobody can register a name below: reserved for names of this machine and of this network
/// (RFC 6761, 6762 with its appendix G, 8375; ICANN's resolutions 2018.02.04.12 and 2024.07.29.06),
/// or, as fritz.box, the router maker's own.
const LOCAL: [&str; 11] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "fritz.box",
];

/// How many unknown names are remembered, so that each is logged once.
const REMEMBERED: usize = 32;

/// How far apart the lines about them are.
const PAUSE: Duration = Duration::from_secs(10);

/// What a request says it is for.
#[derive(Debug, PartialEq)]
pub(crate) enum Host {
    /// An IP address. It needs no name server, so none can have lied.
    Address,
    /// A name, in lower case and without a dot at its end.
    Name(String),
    /// Nothing: no browser sends this.
    Unsaid,
}

/// Why a request is no HTTP (RFC 9112, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    /// It says more than once what it is for.
    #[error("more than one Host")]
    Repeated,
    /// It does not say what it is for, although its version has to.
    #[error("no Host")]
    Missing,
    /// What it says it is for is nothing.
    #[error("Host is no name or address with a port")]
    Malformed,
}

/// Gives what a request is for, as its `Host` and its target say.
///
/// # Errors
/// Why it is no HTTP.
pub(crate) fn asked(request: &Parts) -> Result<[Host; 2], HostError> {
    let mut headers = request.headers.get_all(HOST).iter();
    let header = match (headers.next(), headers.next()) {
        (Some(_), Some(_)) => return Err(HostError::Repeated),
        (Some(header), None) => header.to_str().ok().and_then(Host::parse),
        (None, _) if request.version >= Version::HTTP_11 => return Err(HostError::Missing),
        (None, _) => Some(Host::Unsaid),
    };
    let target = match request.uri.authority() {
        Some(authority) => Host::parse(authority.as_str()),
        None => Some(Host::Unsaid),
    };
    match (header, target) {
        (Some(header), Some(target)) => Ok([header, target]),
        _ => Err(HostError::Malformed),
    }
}

impl Host {
    /// Reads `HOST[:PORT]`.
    fn parse(text: &str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(inner) => {
                let (address, rest) = inner.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                (None, rest)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                (Some(&text[..end]), &text[end..])
            }
        };
        let port = rest.strip_prefix(':').unwrap_or_default();
        if rest.len() > 1 + port.len() || !port.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        match host {
            None => Some(Self::Address),
            Some("") if rest.is_empty() => Some(Self::Unsaid),
            Some(host) if host.parse::<Ipv4Addr>().is_ok() => Some(Self::Address),
            Some(host) => host_name(host).map(Self::Name),
        }
    }
}

/// The names that are answered to.
pub(crate) struct KnownHosts {
    own: Option<String>,
    allowed: Vec<AllowedHost>,
}

impl KnownHosts {
    /// Those `allowed`, this machine's own, and all that nobody can register.
    pub(crate) fn new(allowed: Vec<AllowedHost>) -> Self {
        let own = gethostname()
            .ok()
            .and_then(|own| host_name(&own.into_string().ok()?));
        Self { own, allowed }
    }

    /// Gives the first that is not known.
    pub(crate) fn unknown<'a>(&self, hosts: &'a [Host]) -> Option<&'a str> {
        hosts.iter().find_map(|host| match host {
            Host::Name(name) if !self.know(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn know(&self, name: &str) -> bool {
        let below = |local: &&str| {
            name.strip_suffix(*local)
                .is_some_and(|rest| rest.ends_with('.'))
        };
        !name.contains('.')
            || LOCAL.iter().any(below)
            || self.own.as_deref() == Some(name)
            || self.allowed.iter().any(|allowed| allowed.allows(name))
    }
}

/// Tells the log of unknown names: each once, some of them, and not all at once.
pub(crate) struct UnknownHosts {
    advice: Advice,
    seen: RefCell<BTreeSet<String>>,
    limit: LogLimit,
}

impl UnknownHosts {
    pub(crate) fn new(advice: Advice) -> Self {
        Self {
            advice,
            seen: RefCell::default(),
            limit: LogLimit::new(1, PAUSE),
        }
    }

    /// A request for `name` is refused. Gives what its sender is told.
    pub(crate) fn refuse(&self, name: &str, now: Instant) -> String {
        let what = self.advice.on(name);
        self.log(name, &what, now);
        what
    }

    fn log(&self, name: &str, what: &str, now: Instant) {
        let mut seen = self.seen.borrow_mut();
        if seen.len() >= REMEMBERED || seen.contains(name) {
            return;
        }
        if self.limit.allow(now).is_none() {
            return;
        }
        log::warn!("refused a request: {what}");
        seen.insert(name.to_owned());
    }
}

/// What this server's owner can do about a name that it does not know.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The program that people start.
    pub program: String,
    /// There is a configuration file.
    pub has_file: bool,
}

impl Advice {
    /// Says what is to be done if an unknown name is this server's.
    fn on(&self, name: &str) -> String {
        let in_file = if self.has_file {
            format!("say allow-host = [{name:?}] in [server] of the configuration, or ")
        } else {
            String::new()
        };
        let program = &self.program;
        format!(
            "host {name:?} is not known to be this server; if it is, {in_file}start {program} with --allow-host {name}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;
    use proptest::prelude::*;

    fn names(own: Option<&str>, allowed: &[&str]) -> KnownHosts {
        KnownHosts {
            own: own.map(str::to_owned),
            allowed: allowed.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    fn known(names: &KnownHosts, host: &str) -> bool {
        names.unknown(&[Host::parse(host).unwrap()]).is_none()
    }

    #[test]
    fn what_nobody_can_register_is_known_and_nothing_else() {
        let names = names(None, &[]);
        for host in [
            "127.0.0.1",
            "192.168.1.5:8080",
            "[::1]",
            "[2001:db8::1]:8080",
            "localhost",
            "LocalHost:8080",
            "eyelid.localhost",
            "octopi",
            "octoprint_camera:8080",
            "OctoPi.local",
            "octopi.local.",
            "octopi.local.:80",
            "octopi.lan",
            "octopi.home",
            "octopi.home.arpa",
            "octopi.internal",
            "host.docker.internal:8080",
            "octopi.fritz.box",
            "octopi.",
            "",
        ] {
            assert!(known(&names, host), "{host}");
        }
        for host in [
            "example.org",
            "octopi.example.org:8080",
            "127.0.0.1.example.org",
            "localhost.example.org",
            "octopi.local.example.org",
            "evillocal.org",
            "notfritz.box",
            "x.arpa",
            "127.1",
            "192-168-1-5.nip.io",
        ] {
            assert!(!known(&names, host), "{host}");
        }
    }

    #[test]
    fn the_machines_own_name_and_those_allowed_are_known() {
        let names = names(Some("cam.example.org"), &["eye.example.net", "*.ts.net"]);
        for host in ["cam.example.org", "eye.example.net:443", "pi.tail1.ts.net"] {
            assert!(known(&names, host), "{host}");
        }
        for host in ["example.org", "a.cam.example.org", "x.eye.example.net"] {
            assert!(!known(&names, host), "{host}");
        }
        assert!(KnownHosts::new(vec![AllowedHost::Any]).know("anything.example.org"));
    }

    #[test]
    fn a_host_that_is_none_is_no_http() {
        for wrong in [
            "a b",
            "user@example.org",
            "example.org/",
            "example.org:http",
            "example.org:80:80",
            "a..b",
            ".",
            ":80",
            "[::1",
            "[::1]8080",
            "[fe80::1%25eth0]",
            "[127.0.0.1]",
            "%6c%6f.local",
            "a,b",
            &format!("{}.local", "x".repeat(300)),
        ] {
            assert_eq!(Host::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_target_counts_as_the_header_does() {
        let ask = |version, target: &str, hosts: &[&str]| {
            let mut request = Request::builder().version(version).uri(target);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            asked(&request.body(()).unwrap().into_parts().0)
        };
        let (old, new) = (Version::HTTP_10, Version::HTTP_11);
        assert_eq!(ask(old, "/", &[]), Ok([Host::Unsaid, Host::Unsaid]));
        assert_eq!(ask(new, "/", &["1.2.3.4"]).unwrap()[0], Host::Address);
        for (target, hosts) in [
            ("/", vec!["evil.example"]),
            ("http://evil.example/", vec!["octopi"]),
            ("http://octopi/", vec!["evil.example"]),
        ] {
            let hosts = ask(new, target, &hosts).unwrap();
            assert_eq!(names(None, &[]).unknown(&hosts), Some("evil.example"));
        }
        for (version, hosts, why) in [
            (new, vec![], HostError::Missing),
            (new, vec!["a", "a"], HostError::Repeated),
            (old, vec!["a", "b"], HostError::Repeated),
            (new, vec!["a b"], HostError::Malformed),
        ] {
            assert_eq!(ask(version, "/", &hosts), Err(why), "{hosts:?}");
        }
    }

    #[test]
    fn the_advice_is_for_the_program_that_runs() {
        let advice = |program: &str, has_file| {
            let program = program.into();
            Advice { program, has_file }.on("a.example")
        };
        let said = advice("eyelid", false);
        assert!(said.ends_with("if it is, start eyelid with --allow-host a.example"));
        let said = advice("eyelid-server", true);
        assert!(
            said.contains("allow-host = [\"a.example\"] in [server]"),
            "{said}"
        );
        assert!(said.ends_with("or start eyelid-server with --allow-host a.example"));
    }

    #[test]
    fn each_unknown_name_is_logged_once_and_not_all_at_once() {
        let unknown_hosts = UnknownHosts::new(Advice {
            program: "eyelid".into(),
            has_file: false,
        });
        let count = || unknown_hosts.seen.borrow().len();
        let start = Instant::now();
        for name in ["a.example", "a.example", "b.example"] {
            unknown_hosts.refuse(name, start);
        }
        assert_eq!(count(), 1);
        for number in 0..100u32 {
            let later = start + (number + 1) * PAUSE;
            unknown_hosts.refuse("a.example", later);
            unknown_hosts.refuse(&format!("{number}.example"), later);
        }
        assert_eq!(count(), REMEMBERED);
    }

    proptest! {
        #[test]
        fn never_panics_and_knows_nobody_elses_name(text in ".*", name in "[a-z.]{1,20}\\.(org|net|io)") {
            Host::parse(&text);
            if let Some(host) = Host::parse(&name) {
                prop_assert!(names(None, &[]).unknown(&[host]).is_some());
            }
        }
    }
}
