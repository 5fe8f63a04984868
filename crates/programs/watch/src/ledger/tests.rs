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

fn terms() -> Vec<(String, Terms)> {
    let terms = ["a", "b"].map(|name| (name.to_owned(), Terms::of(Judge::Motion)));
    terms.to_vec()
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
        let rules = CameraRules::new(terms(), saved, &ledger.boot, now);
        Self { ledger, rules }
    }

    /// Both rules have seen nothing so far.
    fn begin_anew(&mut self, now: Moment) {
        self.rules = CameraRules::new(terms(), None, "", now);
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
            earlier: Vec::new(),
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

#[test]
fn alerts_go_by_themselves_when_they_are_too_old_and_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let count = || files(directory.path()).len();
    let (month, hour) = (30 * 24 * 3600, 3600);
    let mut watcher = Watcher::start(directory.path(), at(0));
    let keep = |watcher: &mut Watcher, seconds| {
        let now = at(seconds);
        let is_due = watcher.ledger.until_expiry(now).is_zero();
        watcher.ledger.keep(&mut watcher.rules, now);
        is_due
    };
    assert!(keep(&mut watcher, 0) && !keep(&mut watcher, 1));
    // Two alerts, and two more an hour later.
    assert_eq!(watcher.look(at(2)).len(), 2);
    watcher.begin_anew(at(hour));
    assert_eq!(watcher.look(at(hour)).len(), 2);
    keep(&mut watcher, month);
    assert_eq!(count(), 8);
    assert_eq!(
        watcher.ledger.until_expiry(at(month)),
        Duration::from_secs(2)
    );
    assert!(keep(&mut watcher, month + 2));
    assert_eq!(count(), 4, "two alerts with their pictures");
    assert!(!keep(&mut watcher, month + 3));
    drop(watcher);
    // Where all would go at the start, it may be the clock that is wrong.
    let mut watcher = Watcher::start(directory.path(), at(month + 2 * hour));
    assert!(keep(&mut watcher, month + 2 * hour));
    assert_eq!(count(), 4);
    assert!(keep(&mut watcher, month + 3 * hour));
    assert_eq!(count(), 0);
}

#[test]
fn what_became_too_old_while_nobody_watched_goes_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let month = 30 * 24 * 3600;
    let (mut watcher, mut made) = (Watcher::start(directory.path(), at(0)), 0);
    for seconds in [2, month] {
        watcher.begin_anew(at(seconds));
        made += watcher.look(at(seconds)).len();
    }
    assert_eq!((made, files(directory.path()).len()), (4, 8));
    drop(watcher);
    let mut watcher = Watcher::start(directory.path(), at(month + 60));
    watcher.ledger.keep(&mut watcher.rules, at(month + 60));
    assert_eq!(files(directory.path()).len(), 4);
    // Fewer may be kept from now on.
    let bounds = Bounds {
        count: 1,
        ..Bounds::default()
    };
    watcher.ledger.set_bounds(bounds);
    watcher.ledger.keep(&mut watcher.rules, at(month + 61));
    assert_eq!(files(directory.path()).len(), 2);
}
