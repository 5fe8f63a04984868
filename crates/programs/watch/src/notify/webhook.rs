//! A URL that takes an alert's JSON by POST.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use eyelid_http_client::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use eyelid_http_client::{Client, Key, Limits, Method, Request, Url};
use serde::Serialize;

use super::ntfy::read_key;
use super::way::{Refusal, taken};
use crate::alert::Alert;
use crate::settings::notify::NotifySettings;

const LIMITS: Limits = Limits {
    time_out: Duration::from_secs(30),
    largest_answer: 64 * 1024,
};

/// A URL.
pub(super) struct Webhook {
    url: Url,
    key_file: Option<PathBuf>,
    click: Option<String>,
}

/// What is sent: the alert as it lies on the disk, and what is easier to show.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    alert: &'a Alert,
    title: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    click: Option<&'a str>,
    /// The picture, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    jpeg_base64: Option<String>,
}

impl Webhook {
    /// # Errors
    /// The URL is none.
    pub(super) fn new(url: &str, settings: &NotifySettings) -> anyhow::Result<Self> {
        let name = &settings.name;
        Ok(Self {
            url: url
                .parse()
                .with_context(|| format!("notify {name:?}: webhook"))?,
            key_file: settings.key_file.clone(),
            click: settings.click.as_ref().map(|url| url.as_str().to_owned()),
        })
    }

    /// Sends it, with this text. Who gets it twice knows it by its name.
    pub(super) async fn tell(
        &self,
        client: &Client,
        alert: &Alert,
        text: String,
        picture: Option<Vec<u8>>,
    ) -> Result<(), Refusal> {
        let key = read_key(self.key_file.as_deref())?;
        let request = self.request(alert, text, picture, key)?;
        taken(client.send(&request, LIMITS).await)
    }

    fn request(
        &self,
        alert: &Alert,
        text: String,
        picture: Option<Vec<u8>>,
        key: Option<Key>,
    ) -> Result<Request, Refusal> {
        let body = Body {
            alert,
            title: alert.headline(),
            text,
            click: self.click.as_deref(),
            jpeg_base64: picture.map(|jpeg| STANDARD.encode(jpeg)),
        };
        let body = serde_json::to_vec(&body).map_err(|error| Refusal::Never(error.to_string()))?;
        let mut request = Request::new(Method::POST, self.url.clone());
        (request.body, request.key) = (Bytes::from(body), key);
        let json = HeaderValue::from_static("application/json");
        request.headers.insert(CONTENT_TYPE, json);
        if let Ok(id) = HeaderValue::from_str(alert.id.as_str()) {
            let name = HeaderName::from_static("idempotency-key");
            request.headers.insert(name, id);
        }
        Ok(request)
    }
}
