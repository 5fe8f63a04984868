//! The viewer page, filled with the cameras there are, and the page that says why there is no
//! other.

use bytes::Bytes;
use eyelid_config::Title;
use eyelid_http::response::FullResponse;
use eyelid_slot::CameraName;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use indexmap::IndexMap;

const PAGE: &str = include_str!("viewer/index.html");
const CAMERA: &str = include_str!("viewer/camera.html");
const ENTRY: &str = include_str!("viewer/entry.html");
const HOST: &str = include_str!("viewer/host.html");
const LISTED: &str = include_str!("viewer/listed.html");
const PROBLEM: &str = include_str!("viewer/problem.html");

/// viewer.css
pub(crate) const STYLE: &str = include_str!("viewer/viewer.css");
/// viewer.js, as one: a browser waits for none after another, and no camera is named like a part.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("viewer/reading.js"),
    include_str!("viewer/camera.js"),
    include_str!("viewer/page.js"),
    include_str!("viewer/showing.js"),
    include_str!("viewer/hand.js"),
    include_str!("viewer/list.js"),
    include_str!("viewer/start.js"),
);
/// video.js
pub(crate) const VIDEO: &str = include_str!("viewer/video.js");
/// icon.svg
pub(crate) const ICON: &str = include_str!("viewer/icon.svg");

/// Everything a page needs comes from this server, and nothing may be added to it. A video that a
/// script puts together has an address of its own (`blob:`).
const POLICY: &str = "default-src 'none'; img-src 'self' blob:; media-src blob:; connect-src 'self'; \
     script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'";

/// A page of more cameras than this lists them, and its script makes of those that are to be seen
/// what a page of few has of all: their markup takes some 3 KB each.
const MOST_WHOLE: usize = 24;

/// Which cameras the page shows, and from where in the tree of URLs.
#[derive(Clone, Debug)]
pub(crate) enum Page {
    /// All of them, at `/`.
    All(Vec<Card>),
    /// One, at `/NAME/`.
    One(Card),
}

/// A camera on the page.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    /// Its name, for URLs.
    pub(crate) name: CameraName,
    /// How people call it.
    pub(crate) title: Option<Title>,
}

impl Page {
    /// Gives the HTML, which says which programs there are. All its links are relative, for the
    /// proxies that put it below a prefix.
    pub(crate) fn html(&self, programs: &[&str]) -> String {
        let (root, title, cameras) = match self {
            Self::All(cards) if is_list(cards) => ("", "Eyelid".to_owned(), list(cards)),
            Self::All(cards) => {
                let cards = cards.iter().map(|card| card.html(&card.below_root(), ""));
                ("", "Eyelid".to_owned(), cards.collect())
            }
            Self::One(card) => (
                "../",
                format!("{} · Eyelid", card.label()),
                card.html("", "../"),
            ),
        };
        fill(
            PAGE,
            &[
                ("root", root),
                ("title", &title),
                ("programs", &programs.join(" ")),
                ("cameras", &cameras),
            ],
        )
    }
}

/// Says whether a page of these cameras is a list: of many, or of other hosts' cameras.
fn is_list(cards: &[Card]) -> bool {
    cards.len() > MOST_WHOLE || cards.iter().any(|card| card.host().is_some())
}

/// The cameras by host, in the order in which the first of each comes; those of this host have no
/// heading. Behind them is what the script makes cards of.
fn list(cards: &[Card]) -> String {
    let mut hosts: IndexMap<Option<&str>, Vec<&Card>> = IndexMap::new();
    for card in cards {
        hosts.entry(card.host()).or_default().push(card);
    }
    let groups = hosts.into_iter().map(|(host, cards)| {
        let entries: String = cards.iter().map(|card| card.entry()).collect();
        match host {
            None => format!("<div class=\"cameras\">{entries}</div>\n"),
            Some(host) => {
                let count = cards.len().to_string();
                let values = [("host", host), ("count", &count), ("cameras", &entries)];
                fill(HOST, &values)
            }
        }
    });
    let card = fill(CAMERA, &[]);
    let values = [("groups", &*groups.collect::<String>()), ("card", &card)];
    fill(LISTED, &values)
}

impl Card {
    /// The host that it was fetched from (docs/relay.md): what stands before the first dot of its
    /// name.
    fn host(&self) -> Option<&str> {
        let (host, name) = self.name.as_str().split_once('.')?;
        (!name.is_empty()).then_some(host)
    }

    /// Its part of a list. Below the name of its host it is called by the rest of its own.
    fn entry(&self) -> String {
        let name = self.name.as_str();
        let own = self.host().map_or(name, |host| &name[host.len() + 1..]);
        let label = match &self.title {
            Some(_) => self.label(),
            None if self.name.is_default() => self.label(),
            None => own.to_owned(),
        };
        fill(ENTRY, &[("name", name), ("label", &label)])
    }

    fn below_root(&self) -> String {
        if self.name.is_default() {
            String::new()
        } else {
            format!("{}/", self.name)
        }
    }

    /// What stands on the page, escaped. `default` is a word of the configuration's.
    fn label(&self) -> String {
        match &self.title {
            Some(title) => escaped(title.as_str()),
            None if self.name.is_default() => "Camera".to_owned(),
            None => self.name.to_string(),
        }
    }

    /// Its part of the page, `root` being the way to the viewer. The name needs no escaping
    /// ([`CameraName`]).
    fn html(&self, path: &str, root: &str) -> String {
        let (name, label) = (self.name.as_str(), self.label());
        let values = [
            ("name", name),
            ("path", path),
            ("label", &label),
            ("root", root),
        ];
        fill(CAMERA, &values)
    }
}

/// A page that says why there is no other, `root` being the way to the viewer.
pub(crate) fn problem(status: StatusCode, what: &str, root: &str) -> String {
    let title = status.canonical_reason().unwrap_or("Error");
    let what = escaped(&sentence(what));
    fill(
        PROBLEM,
        &[("root", root), ("title", title), ("what", &what)],
    )
}

/// Makes a page what an answer says.
pub(crate) fn put(html: String, answer: &mut FullResponse) {
    *answer.body_mut() = Full::new(Bytes::from(html));
    let headers = answer.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
}

/// Puts values into their places, once from left to right: a value that looks like a place stays as
/// it is.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut parts = template.split("{{");
    let mut html = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (place, rest) = part.split_once("}}").unwrap_or((part, ""));
        let value = values.iter().find(|(name, _)| *name == place);
        html.push_str(value.map_or("", |(_, value)| *value));
        html.push_str(rest);
    }
    html
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(characters)
        .chain(".".chars())
        .collect()
}

/// For the text and the quoted attributes of HTML.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, character| {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cards() -> Vec<Card> {
        let card = |name: &str, title: Option<&str>| Card {
            name: name.parse().unwrap(),
            title: title.map(|title| title.parse().unwrap()),
        };
        vec![
            card("default", None),
            card("front", Some("<b> & \"{{root}}\"")),
        ]
    }

    #[test]
    fn every_link_is_relative_and_every_camera_there() {
        let all = Page::All(cards()).html(&["receive", "video"]);
        assert!(all.contains("data-programs=\"receive video\""));
        assert!(
            all.contains("\"stream\"")
                && all.contains("\"front/stream\"")
                && all.contains("\"viewer.js\"")
        );
        let one = Page::One(cards().remove(1)).html(&[]);
        assert!(one.contains("\"stream\"") && one.contains("\"../viewer.js\""));
        assert!(all.contains("\"alerts\"") && all.contains("\"alerts?camera=front\""));
        assert!(one.contains("\"../alerts\"") && one.contains("\"../alerts?camera=front\""));
        let problem = problem(StatusCode::NOT_FOUND, "nothing", "../../");
        assert!(problem.contains("\"./../../\"") && problem.contains("<p>Nothing.</p>"));
        for html in [all, one, problem] {
            let filled = html.replace("{{root}}&quot;", "");
            assert!(
                !filled.contains("{{") && !html.contains("=\"/") && !html.contains("://"),
                "{html}"
            );
            assert!(
                !html.contains("style=") && !html.contains("onclick"),
                "the policy forbids it"
            );
        }
    }

    #[test]
    fn cameras_of_other_hosts_are_a_list_by_host() {
        let card = |(name, title): (&str, Option<&str>)| Card {
            name: name.parse().unwrap(),
            title: title.map(|title| title.parse().unwrap()),
        };
        let cards = [
            ("default", None),
            ("front", None),
            ("pi-1.door", None),
            ("pi-1.yard.2", Some("Yard <2>")),
            ("pi-2.door", None),
        ];
        let html = Page::All(cards.map(card).into()).html(&["video"]);
        let order = [
            "<a href=\"default/\">Camera</a>",
            "<a href=\"front/\">front</a>",
            "pi-1",
            "<a href=\"pi-1.door/\">door</a>",
            "<a href=\"pi-1.yard.2/\">Yard &lt;2&gt;</a>",
            "pi-2",
            "<a href=\"pi-2.door/\">door</a>",
            "<template",
        ];
        let places = order.map(|part| html.find(part).expect(part));
        assert!(places.is_sorted(), "{html}");
        assert!(!html.contains("{{") && !html.contains("style="), "{html}");
        assert_eq!(html.matches("<canvas").count(), 1, "that of the template");

        let many = |count: usize| {
            let cards = (0..count).map(|number| card((&format!("c{number}"), None)));
            Page::All(cards.collect()).html(&[])
        };
        assert_eq!(many(MOST_WHOLE).matches("<canvas").count(), MOST_WHOLE);
        let list = many(10_000);
        assert_eq!(list.matches("<canvas").count(), 1);
        assert!(list.len() < 10_000 * 150, "{} bytes", list.len());
        assert!(!list.contains("<details"));
    }

    #[test]
    fn titles_are_text_and_default_is_no_title() {
        let all = Page::All(cards()).html(&[]);
        assert!(
            all.contains("<h2>Camera</h2>") && !all.contains(">default<"),
            "{all}"
        );
        let escaped = "&lt;b&gt; &amp; &quot;{{root}}&quot;";
        assert!(all.contains(&format!("<h2>{escaped}</h2>")), "{all}");
        assert!(!all.contains("<b>"), "{all}");
        let one = Page::One(cards().remove(1)).html(&[]);
        assert!(
            one.contains(&format!("<title>{escaped} · Eyelid</title>")),
            "{one}"
        );
    }
}
