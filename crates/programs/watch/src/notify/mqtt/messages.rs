//! What goes to a broker, as values: what Home Assistant discovers the rules by (its MQTT
//! integration's discovery), what they are in, and alerts.

use eyelid_slot::CameraName;
use serde_json::{Value, json};

use crate::alert::{Alert, BLIND_RULE, Judge};
use crate::notify::{Now, RuleState};

/// Something to be published. What is retained is told to who comes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) is_retained: bool,
}

impl Message {
    fn retained(topic: String, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic,
            payload: payload.into(),
            is_retained: true,
        }
    }
}

/// The topics of one camera.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    camera: String,
    /// What they begin with.
    own: String,
    /// What Home Assistant's discovery begins with.
    discovery: String,
    /// By which things of this camera are told from those of others.
    id: String,
}

impl Topics {
    pub(super) fn new(camera: &CameraName, topic: &str, discovery: &str) -> Self {
        let (topic, camera) = (topic.trim_end_matches('/'), camera.as_str());
        Self {
            own: format!("{topic}/{camera}"),
            discovery: discovery.trim_end_matches('/').to_owned(),
            id: plain(&format!("{topic}_{camera}")),
            camera: camera.to_owned(),
        }
    }

    /// Where it stands whether the watcher runs.
    pub(super) fn availability(&self) -> String {
        format!("{}/availability", self.own)
    }

    /// The watcher runs, or no longer.
    pub(super) fn available(&self, is_there: bool) -> Message {
        let payload = if is_there { "online" } else { "offline" };
        Message::retained(self.availability(), payload)
    }

    /// What is discovered: each rule, whether nothing can be seen, the last alert's picture, and
    /// alerts as events.
    pub(super) fn discovery(&self, rules: &[RuleState]) -> Vec<Message> {
        let mut messages: Vec<Message> = (rules.iter())
            .map(|rule| {
                let mut more = json!({
                    "name": rule.name,
                    "state_topic": self.state(&rule.name),
                });
                if let Some(class) = device_class(rule.judge) {
                    more["device_class"] = class.into();
                }
                self.discovered("binary_sensor", &rule.name, more)
            })
            .collect();
        let blind = json!({
            "name": "Cannot see",
            "state_topic": self.state(BLIND_RULE),
            "device_class": "problem",
            "entity_category": "diagnostic",
        });
        messages.push(self.discovered("binary_sensor", BLIND_RULE, blind));
        let picture = json!({
            "name": "Last alert",
            "image_topic": self.picture(),
            "content_type": "image/jpeg",
        });
        messages.push(self.discovered("image", "picture", picture));
        let event = json!({
            "name": "Alert",
            "state_topic": self.alert(),
            "event_types": ["seen", "blind", "sees-again", "held-back"],
        });
        messages.push(self.discovered("event", "alert", event));
        messages
    }

    /// What holds now: `ON` and `OFF`.
    pub(super) fn states(&self, now: &Now) -> Vec<Message> {
        let state = |name: &str, is_on: bool| {
            Message::retained(self.state(name), if is_on { "ON" } else { "OFF" })
        };
        let rules = now
            .rules
            .iter()
            .map(|rule| state(&rule.name, rule.is_standing));
        rules.chain([state(BLIND_RULE, now.is_blind)]).collect()
    }

    /// An alert with its text, the picture first: who hears of the alert finds its picture.
    pub(super) fn of_alert(
        &self,
        alert: &Alert,
        text: String,
        picture: Option<Vec<u8>>,
    ) -> Vec<Message> {
        let mut event = serde_json::to_value(alert).unwrap_or_else(|_| json!({}));
        event["event_type"] = event["kind"].clone();
        event["title"] = alert.headline().into();
        event["text"] = text.into();
        let picture = picture.map(|jpeg| Message::retained(self.picture(), jpeg));
        let event = Message {
            topic: self.alert(),
            payload: event.to_string().into_bytes(),
            is_retained: false,
        };
        picture.into_iter().chain([event]).collect()
    }

    fn state(&self, rule: &str) -> String {
        format!("{}/rule/{rule}", self.own)
    }

    fn picture(&self) -> String {
        format!("{}/picture", self.own)
    }

    fn alert(&self) -> String {
        format!("{}/alert", self.own)
    }

    fn discovered(&self, component: &str, name: &str, mut more: Value) -> Message {
        let (id, name) = (&self.id, plain(name));
        more["unique_id"] = format!("{id}_{component}_{name}").into();
        more["availability_topic"] = self.availability().into();
        more["device"] = json!({
            "identifiers": [id],
            "name": format!("Eyelid {}", self.camera),
            "manufacturer": "Eyelid",
            "model": "eyelid-watch",
            "sw_version": env!("CARGO_PKG_VERSION"),
        });
        let topic = format!("{}/{component}/{id}/{name}/config", self.discovery);
        Message::retained(topic, more.to_string())
    }
}

/// What Home Assistant shows of it.
fn device_class(judge: Judge) -> Option<&'static str> {
    match judge {
        Judge::Motion => Some("motion"),
        Judge::Sees => Some("occupancy"),
        Judge::Still | Judge::Obico => Some("problem"),
        Judge::Left | Judge::Says => None,
    }
}

/// What discovery takes in its topics: `A-Z a-z 0-9 _ -`.
fn plain(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Kind;

    fn topics() -> Topics {
        Topics::new(&"front.door".parse().unwrap(), "eyelid/", "homeassistant")
    }

    fn rules() -> Vec<RuleState> {
        vec![RuleState {
            name: "visitor".to_owned(),
            judge: Judge::Sees,
            is_standing: true,
        }]
    }

    #[test]
    fn a_rule_is_discovered_and_on_while_it_stands() {
        let discovery = topics().discovery(&rules());
        assert_eq!(
            discovery[0].topic,
            "homeassistant/binary_sensor/eyelid_front_door/visitor/config"
        );
        let config: Value = serde_json::from_slice(&discovery[0].payload).unwrap();
        assert_eq!(config["state_topic"], "eyelid/front.door/rule/visitor");
        assert_eq!(config["device_class"], "occupancy");
        let now = Now {
            rules: rules(),
            is_blind: false,
        };
        let states = topics().states(&now);
        let told: Vec<_> = states
            .iter()
            .map(|state| (state.topic.as_str(), &state.payload[..], state.is_retained))
            .collect();
        assert_eq!(
            told,
            [
                ("eyelid/front.door/rule/visitor", &b"ON"[..], true),
                ("eyelid/front.door/rule/blind", b"OFF", true),
            ]
        );
    }

    #[test]
    fn an_alert_is_an_event_and_its_picture_comes_before_it() {
        let at = std::time::UNIX_EPOCH;
        let alert = Alert::new(
            "front.door".parse().unwrap(),
            "visitor",
            Kind::SeesAgain,
            at,
        );
        let text = "It is seen. 15:02:40 CET".to_owned();
        let messages = topics().of_alert(&alert, text.clone(), Some(b"jpeg".to_vec()));
        assert_eq!(
            (messages[0].payload.as_slice(), messages[0].is_retained),
            (&b"jpeg"[..], true)
        );
        assert!(!messages[1].is_retained);
        let event: Value = serde_json::from_slice(&messages[1].payload).unwrap();
        assert_eq!(
            (&event["event_type"], &event["rule"]),
            (&json!("sees-again"), &json!("visitor"))
        );
        assert_eq!(event["text"], text);
        // What is discovered says that there are such events.
        let discovery = topics().discovery(&[]);
        let of_event = discovery
            .iter()
            .find(|one| one.topic.contains("/event/"))
            .unwrap();
        let config: Value = serde_json::from_slice(&of_event.payload).unwrap();
        for kind in [Kind::Seen, Kind::Blind, Kind::SeesAgain, Kind::HeldBack] {
            let kind = serde_json::to_value(kind).unwrap();
            assert!(config["event_types"].as_array().unwrap().contains(&kind));
        }
    }
}
