//! Ended between any two steps, and gone on with: each alert is there once, and told once.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use crate::alert::{Judge, Kind};
use crate::alerts::Bounds;
use crate::moment::Monotonic;
use crate::rules::{Answer, State, Terms};

fn at(seconds: u64) -> Moment {
    Moment {
        monotonic: Monotonic::from_millis(1000).plus(Duration::from_secs(seconds)),
        wall: UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds),
    }
}

fn ways() -> Vec<String> {
    vec!["phone".to_owned(), "home".to_owned()]
}

/// A watcher's files, and its rules.
struct Watcher {
    ledger: Ledger,
    rules: CameraRules,
}

impl Watcher {
    fn start(directory: &Path, now: Moment) -> Self {
        let alerts = Alerts::new(directory.join("alerts"), Bounds::default());
        let camera = "door".parse().unwrap();
        let states = directory.join("states");
        let (ledger, saved) = Ledger::open(&camera, &states, alerts, &ways(), now).unwrap();
        let terms = ["a", "b"].map(|name| (name.to_owned(), Terms::of(Judge::Motion)));
        let rules = CameraRules::new(terms.to_vec(), saved, &ledger.boot, now);
        Self { ledger, rules }
    }

    /// Both rules see something.
    fn look(&mut self, now: Moment) -> Vec<Alert> {
        let yes = Answer::Yes {
            sightings: Vec::new(),
            confidence: None,
        };
        let raised: Vec<_> = ["a", "b"]
            .into_iter()
            .filter_map(|rule| self.rules.look(rule, &yes, now))
            .collect();
        if raised.is_empty() {
            self.ledger.keep(&mut self.rules, now);
            return Vec::new();
        }
        let new = raised.iter().map(|raised| Recorded {
            alert: Alert::new("door".parse().unwrap(), &raised.rule, Kind::Seen, now.wall),
            jpeg: Some(b"jpeg"),
            ways: ways(),
        });
        self.ledger.record(&mut self.rules, new.collect(), now)
    }

    fn to_be_told(&self) -> Vec<String> {
        let outbox = self.ledger.outbox();
        let mut outbox = outbox.lock().unwrap();
        let mut told = Vec::new();
        for way in ways() {
            while let Some(entry) = outbox.next(&way, Duration::from_secs(24 * 3600), at(1000)) {
                told.push(format!("{way} {}", entry.alert.rule));
                outbox.remove(&entry);
            }
        }
        told
    }
}

fn files(directory: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(directory.join("alerts")).unwrap();
    files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn whenever_it_is_killed_each_alert_is_there_once_and_told_once() {
    for steps in 0..12 {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let mut watcher = Watcher::start(directory, at(0));
        watcher.ledger.steps_left = Some(steps);
        watcher.look(at(1));
        let mut told = watcher.to_be_told();
        drop(watcher);
        // It finishes that, whatever it is.
        let mut watcher = Watcher::start(directory, at(2));
        watcher.look(at(3));
        told.extend(watcher.to_be_told());
        for second in 4..8 {
            assert_eq!(watcher.look(at(second)), [], "{steps}");
        }
        told.extend(watcher.to_be_told());
        told.sort();
        assert_eq!(told, ["home a", "home b", "phone a", "phone b"], "{steps}");
        let files = files(directory);
        let alerts = files.iter().filter(|name| name.ends_with(".json")).count();
        assert_eq!(alerts, 2, "{steps}: {files:?}");
        for alert in files.iter().filter_map(|name| name.strip_suffix(".json")) {
            assert!(
                files.contains(&format!("{alert}.jpg")),
                "{steps}: {files:?}"
            );
        }
    }
}

#[test]
fn what_is_told_before_a_restart_is_not_told_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::start(directory.path(), at(0));
    assert_eq!(watcher.look(at(1)).len(), 2);
    assert_eq!(watcher.to_be_told().len(), 4);
    drop(watcher);
    let mut watcher = Watcher::start(directory.path(), at(2));
    assert_eq!(watcher.rules.rules()[0].state(), State::Standing);
    assert_eq!(watcher.look(at(3)), []);
    assert_eq!(watcher.to_be_told(), [] as [String; 0]);
}

#[test]
fn a_strange_state_is_an_empty_one_and_kept_aside() {
    let directory = tempfile::tempdir().unwrap();
    let states = directory.path().join("states");
    fs::create_dir(&states).unwrap();
    for strange in [&b"{\"version\":1,\"came"[..], b"", b"[]", &[0xff; 9]] {
        fs::write(states.join("door.json"), strange).unwrap();
        let watcher = Watcher::start(directory.path(), at(0));
        assert_eq!(watcher.rules.rules()[0].state(), State::Quiet);
        assert_eq!(fs::read(states.join("door.json.bad")).unwrap(), strange);
    }
}

#[test]
fn a_camera_has_one_watcher() {
    let directory = tempfile::tempdir().unwrap();
    let _watcher = Watcher::start(directory.path(), at(0));
    let alerts = Alerts::new(directory.path().join("alerts"), Bounds::default());
    let states = directory.path().join("states");
    let second = Ledger::open(&"door".parse().unwrap(), &states, alerts, &ways(), at(0));
    assert!(matches!(second, Err(LedgerError::Taken(_))));
}

#[test]
fn what_others_say_in_the_state_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::start(directory.path(), at(0));
    watcher.look(at(1));
    drop(watcher);
    let file = directory.path().join("states/door.json");
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    state["questions"] = serde_json::json!({"today": 3});
    fs::write(&file, state.to_string()).unwrap();
    let mut watcher = Watcher::start(directory.path(), at(2));
    watcher.ledger.save(&watcher.rules, Vec::new(), at(100));
    let state: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(state["questions"]["today"], 3);
    assert_eq!(state["rules"]["a"]["state"], "standing");
    assert_eq!(state["camera"], "door");
}

#[test]
fn a_disk_that_refuses_costs_the_picture_and_not_the_alert() {
    let directory = tempfile::tempdir().unwrap();
    // In the place of the directory of alerts: nothing can be written there.
    fs::write(directory.path().join("alerts"), b"").unwrap();
    let mut watcher = Watcher::start(directory.path(), at(0));
    let alerts = watcher.look(at(1));
    assert!(alerts.len() == 2 && alerts.iter().all(|alert| !alert.picture));
    assert_eq!(watcher.to_be_told().len(), 4);
    assert_eq!(watcher.look(at(2)), []);
    let _: SystemTime = alerts[0].at;
}
