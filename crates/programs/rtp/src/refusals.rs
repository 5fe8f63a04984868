//! What the log says of clients that are refused: who, what was asked for, and why. Strangers cause
//! these lines, so of each status there is one in a while, which counts those left out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use eyelid_config::{RtpCodec, RtpSize};
use eyelid_daemon::LogLimit;
use eyelid_http::Peer;
use log::Level;

use crate::rtsp::message::{Request, Status};
use crate::rtsp::target::{NoTarget, Target, path_of};

/// How far apart lines of one status are.
const APART: Duration = Duration::from_secs(10);

/// How many characters of a client's words are shown.
const SHOWN: usize = 100;

/// The lines about refusals.
#[derive(Default)]
pub(crate) struct Refusals(RefCell<HashMap<Status, LogLimit>>);

impl Refusals {
    /// Tells of a client that has this status, and why.
    pub(crate) fn tell(&self, peer: Peer, status: Status, why: &str) {
        let mut limits = self.0.borrow_mut();
        let limit = limits
            .entry(status)
            .or_insert_with(|| LogLimit::new(1, APART));
        let Some(suppressed) = limit.allow(Instant::now()) else {
            return;
        };
        // What the client can mend is no fault here.
        let level = match status {
            Status::ServiceUnavailable | Status::MethodNotValidInThisState => Level::Warn,
            _ => Level::Info,
        };
        let number = status as u16;
        log::log!(
            level,
            "client {peer} is not served: {why} ({number}){suppressed}"
        );
    }
}

/// Says why a request has this status, where whoever runs the program may want to know it.
pub(crate) fn why(request: &Request, status: Status) -> Option<String> {
    // Without the host, for a user and password may stand before it.
    let path = shown(path_of(&request.url));
    match status {
        Status::NotFound => Some(match Target::parse(&request.url) {
            Err(NoTarget::Size) => format!("there is no such size: {path}; {}", all::<RtpSize>()),
            Err(NoTarget::Codec) => {
                format!("there is no such codec: {path}; {}", all::<RtpCodec>())
            }
            Ok(_) | Err(NoTarget::Camera | NoTarget::Malformed) => {
                format!("there is no camera, or no size of one, {path}")
            }
        }),
        Status::UnsupportedTransport => {
            let offers = shown(request.header("Transport").unwrap_or_default());
            Some(format!("no transport of {offers} can be had for {path}"))
        }
        _ => None,
    }
}

/// All values there are.
fn all<T: ValueEnum>() -> String {
    let values = T::value_variants().iter();
    let names = values.filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned()));
    format!("there are {}", names.collect::<Vec<_>>().join(", "))
}

/// What was asked for, in a few words.
pub(crate) fn asked(request: &Request) -> String {
    let method = match request.method.name() {
        "" => "a method that there is not",
        name => name,
    };
    format!("{method} {}", shown(path_of(&request.url)))
}

/// Why a client is refused that has no right password.
pub(crate) fn wrong_password(request: &Request) -> String {
    let path = shown(path_of(&request.url));
    format!("a wrong user or password for {path}")
}

/// Why a client that speaks SAT>IP is refused.
pub(crate) fn dialect(request: &Request) -> String {
    let who = request.header("User-Agent");
    let who = who.map_or_else(|| "it".to_owned(), shown);
    let path = shown(path_of(&request.url));
    format!(
        "{who} asks for {path} by SAT>IP, as VLC of Debian does, and not by RTSP; give it the server's http://HOST:8080/NAME/stream"
    )
}

/// A client's words, in quotation marks, and not all of them.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtsp::message::Method;

    fn request(url: &str, headers: &[(&str, &str)]) -> Request {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Request {
            method: Method::Setup,
            url: url.to_owned(),
            headers: headers.iter().map(owned).collect(),
            body: Vec::new(),
        }
    }

    #[test]
    fn says_what_was_asked_for_and_no_password() {
        let request = request(
            "rtsp://anna:secret@h:8554/door?size=half",
            &[("Transport", "RTP/AVP;multicast"), ("User-Agent", "VLC")],
        );
        for (status, words) in [
            (
                Status::NotFound,
                "there is no camera, or no size of one, \"/door?size=half\"",
            ),
            (
                Status::UnsupportedTransport,
                "no transport of \"RTP/AVP;multicast\" can be had for \"/door?size=half\"",
            ),
        ] {
            assert_eq!(why(&request, status).as_deref(), Some(words));
        }
        assert_eq!(why(&request, Status::Ok), None);
        let lacks = |url| why(&self::request(url, &[]), Status::NotFound).unwrap();
        let no_codec = "there is no such codec: \"/door?codec=h265\"; there are jpeg, h264";
        assert_eq!(lacks("rtsp://h/door?codec=h265"), no_codec);
        let no_size = lacks("rtsp://h/door?size=huge");
        assert!(
            no_size.starts_with("there is no such size: \"/door?size=huge\"; there are current, "),
            "{no_size}"
        );
        assert_eq!(asked(&request), "SETUP \"/door?size=half\"");
        assert_eq!(
            wrong_password(&request),
            "a wrong user or password for \"/door?size=half\""
        );
        assert!(dialect(&request).starts_with("\"VLC\" asks for \"/door?size=half\" by SAT>IP"));
    }

    #[test]
    fn strangers_write_no_lines_of_their_own_and_no_long_ones() {
        let url = format!("rtsp://h/\n{}", "ä".repeat(1000));
        let said = why(&request(&url, &[]), Status::NotFound).unwrap();
        assert!(!said.contains('\n') && said.ends_with("ä\"..."), "{said}");
        assert!(said.chars().count() < 200, "{said}");
        let nameless = dialect(&request("*", &[]));
        assert!(nameless.starts_with("it asks for \"*\""), "{nameless}");
    }
}
