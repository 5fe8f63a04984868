//! A topic of ntfy (<https://docs.ntfy.sh/publish/>): the picture by PUT, all else in headers.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use eyelid_http_client::{
    Client, HeaderMap, HeaderName, HeaderValue, Key, Limits, Method, Request, Url,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Entry;
use super::way::{Refusal, taken};
use crate::alert::{Alert, Kind};
use crate::settings::notify::NotifySettings;

/// A picture may take a while on a slow line.
const SEND: Limits = Limits {
    time_out: Duration::from_secs(60),
    largest_answer: 64 * 1024,
};

/// A topic's messages of a while.
const ASK: Limits = Limits {
    time_out: Duration::from_secs(15),
    largest_answer: 1024 * 1024,
};

/// A topic.
pub(super) struct Ntfy {
    topic: Url,
    /// Where what was sent there can be read.
    messages: String,
    key_file: Option<PathBuf>,
    click: Option<String>,
    priority: Option<u8>,
}

/// What is read of a message.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    sequence_id: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

impl Ntfy {
    /// # Errors
    /// The URL is none.
    pub(super) fn new(url: &str, settings: &NotifySettings) -> anyhow::Result<Self> {
        let name = &settings.name;
        let topic = url
            .parse()
            .with_context(|| format!("notify {name:?}: ntfy"))?;
        let path = url.split(['?', '#']).next().unwrap_or(url);
        Ok(Self {
            topic,
            messages: format!("{}/json?poll=1", path.trim_end_matches('/')),
            key_file: settings.key_file.clone(),
            click: settings.click.as_ref().map(|url| url.as_str().to_owned()),
            priority: settings.priority,
        })
    }

    /// Sends it, with this text.
    pub(super) async fn tell(
        &self,
        client: &Client,
        alert: &Alert,
        text: &str,
        picture: Option<Vec<u8>>,
    ) -> Result<(), Refusal> {
        let key = read_key(self.key_file.as_deref())?;
        let request = self.request(alert, text, picture, key);
        taken(client.send(&request, SEND).await)
    }

    fn request(
        &self,
        alert: &Alert,
        text: &str,
        picture: Option<Vec<u8>>,
        key: Option<Key>,
    ) -> Request {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(&encoded(value)) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("title", &alert.headline());
        set("tags", tags(alert.kind));
        set("priority", &priority(alert.kind, self.priority).to_string());
        // Known since ntfy 2.16, by which the same is shown once; unknown headers do no harm.
        set("x-sequence-id", &sequence_id(alert));
        if let Some(click) = &self.click {
            set("click", click);
        }
        let body = match picture {
            Some(jpeg) => {
                set("message", text);
                set("filename", &format!("{}.jpg", alert.id));
                jpeg
            }
            None => text.as_bytes().to_vec(),
        };
        Request {
            headers,
            key,
            body: Bytes::from(body),
            ..Request::new(Method::PUT, self.topic.clone())
        }
    }

    /// Asks whether the topic has it already. Where that cannot be known, it is sent again, and
    /// shown once by whoever knows its sequence's name.
    pub(super) async fn has(
        &self,
        client: &Client,
        entry: &Entry,
        text: &str,
    ) -> Result<bool, Refusal> {
        let key = read_key(self.key_file.as_deref())?;
        // By the server's clock, which need not be ours.
        let age = SystemTime::now().duration_since(entry.made_at());
        let since = age.unwrap_or_default().as_secs() + 600;
        let Ok(url) = format!("{}&since={since}s", self.messages).parse() else {
            return Ok(false);
        };
        let request = Request {
            key,
            ..Request::new(Method::GET, url)
        };
        Ok(match client.send(&request, ASK).await {
            Ok(answer) if answer.status.is_success() => is_among(&answer.body, &entry.alert, text),
            _ => false,
        })
    }
}

/// Says whether an alert of this text is one of these messages, a line of JSON each.
fn is_among(messages: &[u8], alert: &Alert, text: &str) -> bool {
    let (sequence_id, title) = (sequence_id(alert), alert.headline());
    messages.split(|byte| *byte == b'\n').any(|line| {
        serde_json::from_slice::<Message>(line).is_ok_and(|message| {
            message.sequence_id.as_ref() == Some(&sequence_id)
                || (message.title.as_ref() == Some(&title)
                    && message.message.as_deref() == Some(text))
        })
    })
}

/// Reads the key each time: who mends it need not start anything anew.
pub(super) fn read_key(path: Option<&std::path::Path>) -> Result<Option<Key>, Refusal> {
    let key = path.map(Key::read).transpose();
    key.map_err(|error| Refusal::later(error.to_string()))
}

/// An alert's name for ntfy, which takes 64 of `A-Z a-z 0-9 _ -`.
fn sequence_id(alert: &Alert) -> String {
    let digest = Sha256::digest(alert.id.as_str());
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A text as a header's value: as it is, or as RFC 2047 has it, which ntfy reads.
fn encoded(text: &str) -> String {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        text.to_owned()
    } else {
        format!("=?UTF-8?B?{}?=", STANDARD.encode(text))
    }
}

/// Shown as pictures in front of the title.
fn tags(kind: Kind) -> &'static str {
    match kind {
        Kind::Seen => "eyes",
        Kind::Blind => "see_no_evil",
        Kind::SeesAgain => "white_check_mark",
        Kind::HeldBack => "mute",
    }
}

/// How urgent it is, 1 to 5, where 3 is ntfy's own. That it sees again wakes nobody up.
fn priority(kind: Kind, configured: Option<u8>) -> u8 {
    match kind {
        Kind::Seen | Kind::Blind => configured.unwrap_or(4),
        Kind::SeesAgain | Kind::HeldBack => configured.unwrap_or(3).min(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert() -> Alert {
        let at = humantime::parse_rfc3339("2026-11-28T14:02:40.123Z").unwrap();
        Alert::new("door".parse().unwrap(), "a", Kind::Seen, at)
    }

    #[test]
    fn what_was_sent_is_known_again() {
        let alert = alert();
        let by_id = format!("{{\"sequence_id\":\"{}\"}}", sequence_id(&alert));
        let by_text = serde_json::json!({"title": alert.headline(), "message": "a text"});
        let other = r#"{"id":"x","event":"message","title":"door: a","message":"another"}"#;
        for (messages, is_there) in [
            (format!("{other}\n{by_id}\n"), true),
            (format!("{by_text}\n{other}"), true),
            (format!("{other}\nnonsense\n\n"), false),
            (String::new(), false),
        ] {
            assert_eq!(
                is_among(messages.as_bytes(), &alert, "a text"),
                is_there,
                "{messages}"
            );
        }
        assert_eq!(sequence_id(&alert).len(), 32);
    }

    #[test]
    fn headers_are_ascii_whatever_a_model_says() {
        assert_eq!(encoded("door: a (100 %)"), "door: a (100 %)");
        assert_eq!(encoded("Tür"), "=?UTF-8?B?VMO8cg==?=");
        assert_eq!(encoded("a\r\nb"), "=?UTF-8?B?YQ0KYg==?=");
    }
}
