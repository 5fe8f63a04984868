//! Ways to tell people, as the file has them.

use std::path::PathBuf;
use std::time::Duration;

use eyelid_config::{Config, ConfigError, HttpUrl, WatchNotifyOptions};

use super::wire;
use crate::Place;

/// One way to tell people of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotifySettings {
    /// What rules call it.
    pub(crate) name: String,
    pub(crate) way: Way,
    /// The file of the token, or of the broker's USER:PASSWORD.
    pub(crate) key_file: Option<PathBuf>,
    /// Whether the picture goes along.
    pub(crate) picture: bool,
    /// Where a click leads.
    pub(crate) click: Option<HttpUrl>,
    /// 1 to 5, as ntfy has it.
    pub(crate) priority: Option<u8>,
    /// For how long an alert is worth being told.
    pub(crate) within: Duration,
}

/// How.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A topic of ntfy.
    Ntfy(HttpUrl),
    /// JSON by POST.
    Webhook(HttpUrl),
    /// A shell command.
    Command(String),
    /// A broker.
    Mqtt(MqttSettings),
}

/// A broker, and what its topics begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MqttSettings {
    /// Its name or address, one of IPv6 in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) topic: String,
    pub(crate) discovery: String,
}

/// After how long nobody wants to be told any more, where nothing else is said.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// Gives all of the file's, in its order.
pub(super) fn all(place: &Place, file: &Config) -> Result<Vec<NotifySettings>, ConfigError> {
    let named = file.named::<WatchNotifyOptions>()?;
    let one = |(name, options): (String, WatchNotifyOptions)| {
        one(&name, options).map_err(|(key, message)| {
            let path = place.config_path();
            ConfigError::named::<WatchNotifyOptions>(path, &[name.as_str()], key, message)
        })
    };
    named.into_iter().map(one).collect()
}

type Wrong = (&'static str, String);

fn one(name: &str, options: WatchNotifyOptions) -> Result<NotifySettings, Wrong> {
    let given = [
        ("ntfy", options.ntfy.is_some()),
        ("webhook", options.webhook.is_some()),
        ("command", options.command.is_some()),
        ("mqtt", options.mqtt.is_some()),
    ];
    let mut given = given.iter().filter(|(_, is_given)| *is_given);
    let Some((key, _)) = given.next() else {
        let message = "one way has to be given: ntfy, webhook, command or mqtt".to_owned();
        return Err(("ntfy", message));
    };
    if let Some((other, _)) = given.next() {
        let message = format!("there are two ways, {key} and {other}: make two of it");
        return Err((other, message));
    }
    if options.key_file.is_some() && options.command.is_some() {
        let message = "only with ntfy, webhook and mqtt: a command reads its keys itself";
        return Err(("key-file", message.to_owned()));
    }
    for (key, is_given) in [
        ("topic", options.topic.is_some()),
        ("discovery", options.discovery.is_some()),
        (
            "password-in-the-clear",
            options.password_in_the_clear.is_some(),
        ),
    ] {
        if is_given && options.mqtt.is_none() {
            return Err((key, "only with mqtt".to_owned()));
        }
    }
    if options
        .priority
        .is_some_and(|priority| !(1..=5).contains(&priority))
    {
        return Err(("priority", "use 1 to 5".to_owned()));
    }
    let picture = (options.picture).unwrap_or(options.ntfy.is_some() || options.mqtt.is_some());
    let way = way(&options)?;
    if options.key_file.is_some() {
        check_wire(&way, options.password_in_the_clear.unwrap_or(false))?;
    }
    Ok(NotifySettings {
        name: name.to_owned(),
        way,
        key_file: options.key_file,
        picture,
        click: options.click,
        priority: options.priority,
        within: options.within.unwrap_or(A_DAY),
    })
}

/// The one that is given.
fn way(options: &WatchNotifyOptions) -> Result<Way, Wrong> {
    if let Some(url) = &options.ntfy {
        return Ok(Way::Ntfy(url.clone()));
    }
    if let Some(url) = &options.webhook {
        return Ok(Way::Webhook(url.clone()));
    }
    if let Some(command) = &options.command {
        return Ok(Way::Command(command.clone()));
    }
    let or = |topic: &Option<String>, usual: &str| topic.clone().unwrap_or(usual.to_owned());
    let (host, port) = broker(options.mqtt.as_deref().unwrap_or_default())?;
    Ok(Way::Mqtt(MqttSettings {
        host,
        port,
        topic: or(&options.topic, "eyelid"),
        discovery: or(&options.discovery, "homeassistant"),
    }))
}

/// Sees to it that a key goes over no wire in the clear, but for a password of which it is said
/// that it may.
fn check_wire(way: &Way, password_in_the_clear: bool) -> Result<(), Wrong> {
    let checked = match way {
        Way::Ntfy(url) | Way::Webhook(url) => wire::check("token", url),
        Way::Mqtt(broker) if !password_in_the_clear => {
            wire::check_broker(&broker.host, broker.port)
        }
        Way::Mqtt(_) | Way::Command(_) => Ok(()),
    };
    checked.map_err(|message| ("key-file", message))
}

/// The host and port of a broker's URL.
fn broker(url: &str) -> Result<(String, u16), Wrong> {
    let wrong = || {
        let message =
            format!("{url:?}: use mqtt://HOST:PORT, for example \"mqtt://127.0.0.1:1883\"");
        ("mqtt", message)
    };
    let rest = url.strip_prefix("mqtt://").ok_or_else(wrong)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (rest, Some(1883)),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:%".contains(&b);
    let port: u16 = port.filter(|port| *port > 0).ok_or_else(wrong)?;
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}
