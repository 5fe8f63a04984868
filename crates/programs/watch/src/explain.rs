//! `explain`: what each rule needs, what it may cost a day, and where it sends pictures; of those
//! that were made on the page, too.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use eyelid_config::WeekTimes;
use eyelid_words::{MOST_PICTURE_BYTES, MOST_PICTURES, MOST_PX};
use humantime::format_duration;

use crate::OneCamera;
use crate::settings::notify::{NotifySettings, Way};
use crate::settings::{CameraSettings, JudgeSettings, ModelSettings, RuleSettings, Settings};
use crate::watching::made_rules::MadeRules;
use crate::watching::pace::QUICK_FPS;

/// What looking costs, as docs/watch.md measured it (bench/watching).
const LOOKING: &str = "0.2 % of a core while nothing moves, 0.4 % while something does, and 0.8 and \
                       1.4 % for the camera's small pictures, however many rules there are \
                       (measured at 1280x720 and 2 frames a second, on a Xeon at 2.5 GHz)";

/// What the detector costs, as docs/watch.md measured it (bench/detector).
const DETECTING: &str = "53 ms of a core each, and 48 MB of memory";
const DETECTING_BY_ONNX_RUNTIME: &str = "15 ms of a core each, and 113 MB of memory";

/// Prints it.
///
/// # Errors
/// The settings are wrong.
pub(crate) fn run(camera: &OneCamera) -> anyhow::Result<()> {
    let (settings, camera) = camera.settings()?;
    print!("{}", explained(&settings, &camera));
    Ok(())
}

/// All of it, as text.
fn explained(settings: &Settings, camera: &CameraSettings) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_camera(&mut text, camera);
    for rule in &camera.rules {
        let _ = write_rule(&mut text, rule, "", settings);
    }
    let _ = write_made_rules(&mut text, camera, settings);
    let _ = write_alerts(&mut text, settings);
    text
}

/// What users have made on the page, and whether they may: each such rule sends pictures.
fn write_made_rules(
    to: &mut String,
    camera: &CameraSettings,
    settings: &Settings,
) -> std::fmt::Result {
    write!(to, "\nrules made on the page: ")?;
    if !settings.ask_on_page.has_anybody() {
        return writeln!(to, "none, and nobody may (ask-on-page)");
    }
    let Some(model) = &settings.model else {
        return writeln!(to, "none, for there is no [watch.model]");
    };
    let mut made = MadeRules::new(&settings.rules, &camera.name);
    let directory = &settings.rules;
    if let Err(error) = fs::read_dir(directory)
        && error.kind() != ErrorKind::NotFound
    {
        return writeln!(
            to,
            "{directory:?} cannot be read: {error}; try it as root, or as user eyelid-watch"
        );
    }
    made.look();
    let mut rules = camera.rules.clone();
    made.add_to(&mut rules, settings);
    let made = &rules[camera.rules.len()..];
    match made.len() {
        0 => write!(to, "none yet")?,
        count => write!(to, "{count}")?,
    }
    writeln!(
        to,
        "; users may make some, and try a sentence on a picture of now, which goes to {}",
        model.url
    )?;
    for rule in made {
        write_rule(to, rule, " (made on the page)", settings)?;
    }
    Ok(())
}

fn write_camera(to: &mut String, camera: &CameraSettings) -> std::fmt::Result {
    writeln!(to, "camera {}", camera.name)?;
    if camera.follow {
        writeln!(to, "  looks only while somebody else does; wakes nobody")?;
    } else {
        let fps = camera.fps;
        writeln!(
            to,
            "  {fps} frames a second, {} while something moves; the camera is awake meanwhile",
            fps.max(QUICK_FPS)
        )?;
    }
    writeln!(to, "  costs: {LOOKING}")?;
    writeln!(to, "  when: {}", hours(camera.at.as_ref()))?;
    let parts = |count: usize| if count == 1 { "part" } else { "parts" };
    match camera.mask.len() {
        0 => writeln!(to, "  mask: none (a clock in the picture is movement)")?,
        count => writeln!(to, "  mask: {count} {} of the picture", parts(count))?,
    }
    match camera.area.len() {
        0 => writeln!(to, "  area: all of the picture"),
        count => writeln!(to, "  area: {count} {} of the picture", parts(count)),
    }
}

/// `origin` stands behind the rule's name.
fn write_rule(
    to: &mut String,
    rule: &RuleSettings,
    origin: &str,
    settings: &Settings,
) -> std::fmt::Result {
    writeln!(
        to,
        "\nrule {}{origin}: {}",
        rule.name,
        asks_for(&rule.judge)
    )?;
    let Explained {
        needs,
        costs,
        sends,
        cannot,
    } = explain(rule, settings);
    writeln!(to, "  needs: {needs}")?;
    writeln!(to, "  costs: {costs}")?;
    writeln!(to, "  sends: {sends}")?;
    writeln!(to, "  cannot tell: {cannot}")?;
    if rule.at.is_some() {
        writeln!(to, "  when: {}", hours(rule.at.as_ref()))?;
    }
    if !rule.area.is_empty() {
        writeln!(to, "  area: {} of its own", rule.area.len())?;
    }
    writeln!(
        to,
        "  an alert: after {} yes, not again within {}, {} an hour at most",
        rule.votes,
        format_duration(rule.cool_down),
        rule.an_hour
    )?;
    for name in &rule.notify {
        let way = settings.notify.iter().find(|way| way.name == *name);
        if let Some(way) = way {
            writeln!(to, "  tells {name}: {}", told_by(way))?;
        }
    }
    Ok(())
}

/// What is to be known of a judge.
struct Explained {
    needs: String,
    costs: String,
    sends: String,
    cannot: &'static str,
}

fn explain(rule: &RuleSettings, settings: &Settings) -> Explained {
    let nothing = || "nothing".to_owned();
    let looking = || "no more than looking at the camera does, above".to_owned();
    match &rule.judge {
        JudgeSettings::Motion => Explained {
            needs: nothing(),
            costs: looking(),
            sends: nothing(),
            cannot: "what it is that moves",
        },
        JudgeSettings::Left => Explained {
            needs: nothing(),
            costs: looking(),
            sends: nothing(),
            cannot: "what it is; what changes slowly",
        },
        JudgeSettings::Still(_) => Explained {
            needs: nothing(),
            costs: looking(),
            sends: nothing(),
            cannot: "why nothing moves",
        },
        JudgeSettings::Sees(_) => Explained {
            needs: detector(&settings.detector),
            costs: detecting(rule.every, settings.onnxruntime.is_some()),
            sends: nothing(),
            cannot: "parcels, faces, what somebody does",
        },
        JudgeSettings::Says(_) => in_words(rule, settings.model.as_ref()),
        JudgeSettings::Obico { url, picture, .. } => Explained {
            needs: format!("ml_api at {url}"),
            costs: format!("a question {}", how_often(rule)),
            sends: format!(
                "nothing by itself: {url} is told to get the picture from {picture}, as large as \
                 that gives it"
            ),
            cannot: "anything but failed prints",
        },
    }
}

fn in_words(rule: &RuleSettings, model: Option<&ModelSettings>) -> Explained {
    let (needs, costs, sends) = match model {
        None => (
            "[watch.model]".to_owned(),
            "nothing, without one".to_owned(),
            "nothing".to_owned(),
        ),
        Some(model) => (
            format!("the model {:?} at {}", model.model, model.url),
            format!(
                "a question {}, with those of all rules in words together; of all cameras {} an hour and {} a day at most",
                how_often(rule),
                model.budget.an_hour,
                model.budget.a_day
            ),
            format!(
                "up to {MOST_PICTURES} pictures a question, {MOST_PX} pixels wide and {} KiB each at \
                 most, to {}",
                MOST_PICTURE_BYTES >> 10,
                model.url
            ),
        ),
    };
    Explained {
        needs,
        costs,
        sends,
        cannot: "what is not to be seen in three still pictures; and it may be wrong",
    }
}

fn how_often(rule: &RuleSettings) -> String {
    let moves = || "when something moves, 10 s apart".to_owned();
    rule.every.map_or_else(moves, each)
}

/// How often, whatever moves.
fn each(every: Duration) -> String {
    let a_day = 24 * 3600 / every.as_secs().max(1);
    format!("every {} ({a_day} a day)", format_duration(every))
}

fn detecting(every: Option<Duration>, has_onnxruntime: bool) -> String {
    let cost = if has_onnxruntime {
        DETECTING_BY_ONNX_RUNTIME
    } else {
        DETECTING
    };
    let usual = || "a second while something moves, and a minute while a thing stands".to_owned();
    let often = every.map_or_else(usual, each);
    format!("a look of the detector {often}, on this machine: {cost}")
}

fn detector(path: &Path) -> String {
    let there = if path.exists() {
        "there"
    } else {
        "not there: package eyelid-detector"
    };
    format!("the detector {path:?} ({there})")
}

fn asks_for(judge: &JudgeSettings) -> String {
    match judge {
        JudgeSettings::Motion => "something moves that is not light (motion)".to_owned(),
        JudgeSettings::Left => "something was left behind or taken away (left)".to_owned(),
        JudgeSettings::Still(for_long) => {
            format!(
                "nothing has moved for {} (still)",
                format_duration(*for_long)
            )
        }
        JudgeSettings::Sees(labels) => {
            let names: Vec<_> = labels.iter().map(|label| label.name()).collect();
            format!("{} (sees)", names.join(", "))
        }
        JudgeSettings::Says(words) => format!("{:?} (says)", words.as_str()),
        JudgeSettings::Obico { .. } => "a print has failed (obico)".to_owned(),
    }
}

fn told_by(way: &NotifySettings) -> String {
    let picture = if way.picture { "with" } else { "without" };
    match &way.way {
        Way::Ntfy(url) => format!("ntfy at {url}, {picture} the picture"),
        Way::Webhook(url) => format!("{url}, {picture} the picture"),
        Way::Command(command) => format!("the command {command:?}"),
        Way::Mqtt(mqtt) => {
            let (host, port, topic) = (&mqtt.host, mqtt.port, &mqtt.topic);
            format!("the broker {host}:{port}, topics {topic}/..., {picture} the picture")
        }
    }
}

fn hours(at: Option<&WeekTimes>) -> String {
    at.map_or_else(
        || "always, while the program runs".to_owned(),
        ToString::to_string,
    )
}

fn write_alerts(to: &mut String, settings: &Settings) -> std::fmt::Result {
    let keeping = settings.keeping;
    writeln!(
        to,
        "\nalerts: {:?}, kept {}, {} and {} MB at most",
        settings.alerts,
        format_duration(keeping.age),
        keeping.count,
        keeping.bytes / 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_config::{Config, WatchOptions};

    use crate::Place;

    /// What is explained of the camera `door` by this text of a configuration.
    fn of_door(directory: &Path, text: &str) -> String {
        let path = directory.join("eyelid.toml");
        fs::write(&path, text).unwrap();
        let camera = OneCamera {
            place: Place {
                slots: None,
                config: Some(path),
            },
            name: "door".parse().unwrap(),
            watch: WatchOptions {
                rules: Some(directory.join("rules")),
                ..WatchOptions::default()
            },
        };
        let (settings, camera) = camera.settings().unwrap();
        explained(&settings, &camera)
    }

    #[test]
    fn rules_made_on_the_page_send_pictures_and_are_listed() {
        let directory = tempfile::tempdir().unwrap();
        let rules = directory.path().join("rules");
        let model = "[watch.model]\nurl = \"http://127.0.0.1:11434/v1\"\nmodel = \"m\"\n";
        let phone = "[watch.notify.phone]\nntfy = \"https://ntfy.example.org/topic\"\n";
        let text = format!("[watch]\nask-on-page = true\n{model}{phone}");
        let explained = || of_door(directory.path(), &text);
        let none = "rules made on the page: none yet; users may make some, and try a sentence on a \
                    picture of now, which goes to http://127.0.0.1:11434/v1\n";
        assert!(explained().contains(none), "{}", explained());
        fs::create_dir(&rules).unwrap();
        let made = r#"{"version":1,"rules":[{"name":"dog","says":"a dog is there"}]}"#;
        fs::write(rules.join("door.json"), made).unwrap();
        let told = explained();
        let (_, made) = told.split_once("rules made on the page: 1;").unwrap();
        for words in [
            "\nrule dog (made on the page): \"a dog is there\" (says)\n",
            "  sends: up to 3 pictures a question, 640 pixels wide and 512 KiB each at most, to \
             http://127.0.0.1:11434/v1\n",
            "  tells phone: ntfy at https://ntfy.example.org/topic, with the picture\n",
        ] {
            assert!(made.contains(words), "{words} in {told}");
        }
        let nobody = of_door(directory.path(), &text.replace("true", "false"));
        assert!(nobody.contains("none, and nobody may (ask-on-page)\n"));
        assert!(!nobody.contains("a dog"), "{nobody}");
    }

    #[test]
    fn what_a_judge_costs_is_said_in_what_was_measured() {
        let directory = tempfile::tempdir().unwrap();
        let rule = |keys: &str| {
            let text = format!("[cameras.door.watch.rules.it]\n{keys}\n");
            of_door(directory.path(), &text)
        };
        let costs = |text: &str| {
            let lines = text
                .lines()
                .filter_map(|line| line.strip_prefix("  costs: "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let motion = costs(&rule("motion = true"));
        assert!(motion[0].starts_with("0.2 % of a core while nothing moves, 0.4 % while"));
        assert_eq!(motion[1], "no more than looking at the camera does, above");
        let sees = &costs(&rule("sees = [\"person\"]"))[1];
        let looks = "a look of the detector a second while something moves, and a minute while";
        assert!(
            sees.starts_with(looks) && sees.ends_with("53 ms of a core each, and 48 MB of memory")
        );
        let sees = &costs(&rule("sees = [\"person\"]\nevery = \"10s\""))[1];
        assert!(
            sees.starts_with("a look of the detector every 10s (8640 a day), on"),
            "{sees}"
        );
    }

    #[test]
    fn every_address_that_gets_a_picture_is_named() {
        let path = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../docs/eyelid.toml"
        ));
        let place = Place {
            slots: None,
            config: Some(path.to_owned()),
        };
        let file = Config::load(Some(path)).unwrap();
        let settings = Settings::new(&place, &WatchOptions::default(), &file).unwrap();
        let door = "door".parse().unwrap();
        let camera = CameraSettings::new(&place, &file, &door, &settings).unwrap();
        let text = explained(&settings, &camera);
        for words in [
            "rule parcel: \"a parcel has been left at the door\" (says)",
            "to http://127.0.0.1:11434/v1",
            "ml_api at http://127.0.0.1:3333",
            "get the picture from http://192.0.2.10:8080/door/snapshot",
            "tells phone: ntfy at https://ntfy.example.org/my-secret-topic, with the picture",
            "tells home: http://homeassistant.local:8123/api/webhook/door, without the picture",
            "every 10m (144 a day)",
            "20 an hour and 200 a day at most",
            "when: Mo Tu We Th Fr 22:00-06:00, Sa 10:00-12:00",
            "kept 30days, 1000 and 200 MB at most",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }
}
