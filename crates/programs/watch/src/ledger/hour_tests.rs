//! An hour of a camera in simulated time, with all that goes wrong with one: no pictures, broken
//! ones, an endpoint that is down, a full disk, clocks that are set, and kill -9 at random moments.
//! Each thing is told once, each blindness once when it begins and once when it ends, and nothing
//! is lost.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Instant, UNIX_EPOCH};

use eyelid_picture::{Canvas, Encoder};

use super::*;
use crate::alert::{BLIND_RULE, Judge, Kind};
use crate::machine::{Looked, Machine, Told};
use crate::moment::Monotonic;
use crate::rules::{Answer, Question};
use crate::settings::{CameraSettings, RuleSettings};

const WAYS: [&str; 2] = ["phone", "home"];

/// How late may be told.
const WITHIN: Duration = Duration::from_hours(24);

/// What happens when, in seconds. Somebody walks about.
const VISITS: [(u32, u32); 5] = [
    (60, 100),
    (700, 740),
    (1850, 1890),
    (2400, 2440),
    (3300, 3340),
];
/// A parcel lies there, which only the model tells.
const PARCELS: [(u32, u32); 2] = [(1000, 1400), (2600, 3000)];
const CAMERA_GONE: (u32, u32) = (200, 440);
const BROKEN_FRAMES: (u32, u32) = (1500, 1740);
const ENDPOINT_DOWN: (u32, u32) = (800, 1040);
const DISK_FULL: (u32, u32) = (1800, 1920);
const HOME_IS_DOWN: (u32, u32) = (2300, 2700);
/// From when on the wall's clock is so many hours from what it should be.
const CLOCK_SET: [(u32, i64); 4] = [(300, -3), (1010, 5), (2410, -7), (3310, 0)];

fn is_in((from, to): (u32, u32), second: u32) -> bool {
    (from..to).contains(&second)
}

/// Looks a second while somebody is there.
const QUICK: u32 = 4;

fn moment(second: u32) -> Moment {
    let set = CLOCK_SET.iter().rfind(|(from, _)| *from <= second);
    let hours = set.map_or(0, |(_, hours)| *hours);
    let wall_s = 1_790_000_000 + i64::from(second) + hours * 3600;
    Moment {
        monotonic: Monotonic::from_millis(1000).plus(Duration::from_secs(second.into())),
        wall: UNIX_EPOCH + Duration::from_secs(u64::try_from(wall_s).unwrap()),
    }
}

/// Any sequence will do, as long as it is the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        // xorshift64 (Marsaglia, 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % u64::from(bound)) as u32
    }
}

/// The street, empty, or with somebody at one of so many places.
struct Street {
    empty: Vec<u8>,
    visited: Vec<Vec<u8>>,
}

impl Street {
    fn new() -> Self {
        let jpeg = |visitor: Option<i32>| {
            let mut canvas = Canvas::new(160, 96, [125, 130, 135]);
            canvas.rectangle(0, 66, 160, 30, [70, 95, 60]);
            if let Some(left) = visitor {
                canvas.rectangle(left, 30, 14, 44, [30, 60, 220]);
                canvas.rectangle(left, 36, 14, 6, [240, 240, 235]);
                canvas.rectangle(left, 48, 14, 6, [240, 240, 235]);
            }
            let mut encoder = Encoder::default();
            encoder
                .encode_rgb(canvas.rgb(), 160, 96, 90)
                .unwrap()
                .to_vec()
        };
        Self {
            empty: jpeg(None),
            visited: (0..24).map(|place| jpeg(Some(10 + place * 5))).collect(),
        }
    }

    /// What there is to be seen of a second, at its quarter of that number.
    fn at(&self, second: u32, quarter: u32) -> Option<&[u8]> {
        if is_in(CAMERA_GONE, second) {
            return None;
        }
        if is_in(BROKEN_FRAMES, second) {
            return Some(&self.empty[..self.empty.len() / 3]);
        }
        let is_visited = VISITS.iter().any(|visit| is_in(*visit, second));
        if !is_visited {
            return Some(&self.empty);
        }
        // To and fro.
        let steps = (second * QUICK + quarter) as usize % (2 * self.visited.len());
        let place = steps.min(2 * self.visited.len() - 1 - steps);
        Some(&self.visited[place])
    }
}

fn camera() -> CameraSettings {
    let ways: Vec<String> = WAYS.iter().map(ToString::to_string).collect();
    let mut moves = RuleSettings::motion();
    moves.notify.clone_from(&ways);
    // After a restart the view is learned anew, and for about ten seconds who walks in it is not
    // seen: with the usual ten they would count as gone.
    moves.cool_down = Duration::from_secs(60);
    let words = "a parcel lies there".parse().unwrap();
    let mut parcel = RuleSettings::words("parcel".to_owned(), words, ways);
    parcel.every = Some(Duration::from_secs(20));
    CameraSettings {
        rules: vec![moves, parcel],
        ..CameraSettings::of("door")
    }
}

/// One life of the program.
struct Life {
    ledger: Ledger,
    machine: Machine,
}

impl Life {
    fn begin(directory: &Path, now: Moment) -> Self {
        let alerts = Alerts::new(directory.join("alerts"), Bounds::default());
        let ways: Vec<String> = WAYS.iter().map(ToString::to_string).collect();
        let states = directory.join("states");
        let name = "door".parse().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let (ledger, saved) = loop {
            match Ledger::open(&name, &states, alerts.clone(), &ways, now) {
                // A test beside this one that starts a command forks, and its child has our files,
                // and with them the lock of the life before, until it becomes that command.
                Err(LedgerError::Taken(_)) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(1));
                }
                opened => break opened.unwrap(),
            }
        };
        let mut machine = Machine::new(&camera(), saved, &ledger.boot, now).unwrap();
        machine.rules.watch(true, now);
        Self { ledger, machine }
    }

    /// Looks at what is to be seen in that second, at its quarter of that number; gives what is to
    /// be told.
    fn look(&mut self, (second, quarter): (u32, u32), jpeg: Option<&[u8]>) -> Vec<Told> {
        let part = Duration::from_secs(1) / QUICK * quarter;
        let (now, at) = (
            moment(second).plus(part),
            Duration::from_secs(second.into()) + part,
        );
        let looked = jpeg.map(|jpeg| self.machine.look(jpeg, at, now, |_| true));
        let mut told = Vec::new();
        if let Some(Ok(Looked {
            seen,
            told: seen_now,
        })) = looked
        {
            told = seen_now;
            if !seen.is_learning {
                told.extend(self.ask(second));
            }
        }
        told.extend(self.machine.rules.tick(now).into_iter().map(Told::from));
        told
    }

    /// Asks the model, if that is due. It sees what is there.
    fn ask(&mut self, second: u32) -> Vec<Told> {
        let now = moment(second);
        let rules = &mut self.machine.rules;
        let mut parcel = rules.rules().iter();
        if !parcel.any(|rule| rule.name() == "parcel" && rule.is_due(now)) {
            return Vec::new();
        }
        rules.asked("parcel", now);
        let is_there = PARCELS.iter().any(|parcel| is_in(*parcel, second));
        let (came_to, answer) = match (is_in(ENDPOINT_DOWN, second), is_there) {
            (true, _) => (Question::Failed, Answer::Missing),
            (false, false) => (Question::Answered, Answer::No),
            (false, true) => {
                let yes = Answer::Yes {
                    sightings: Vec::new(),
                    confidence: Some(0.7),
                };
                (Question::Answered, yes)
            }
        };
        let raised = rules.question(Judge::Says, came_to, now);
        let mut told: Vec<Told> = raised.into_iter().map(Told::from).collect();
        told.extend(self.machine.judged("parcel", &answer.into(), now));
        told
    }

    /// Makes alerts. Dies at one of its steps, where there are so many; says whether it lives.
    fn record(
        &mut self,
        told: &[Told],
        jpeg: Option<&[u8]>,
        now: Moment,
        dies: Option<u32>,
    ) -> bool {
        self.ledger.steps_left = dies;
        let new = told.iter().map(|Told { raise, .. }| {
            let mut alert = Alert::new("door".parse().unwrap(), &raise.rule, raise.kind, now.wall);
            (alert.judge, alert.cause) = (raise.judge, raise.cause);
            Recorded {
                alert,
                jpeg: jpeg.filter(|_| raise.kind == Kind::Seen),
                earlier: Vec::new(),
                ways: WAYS.iter().map(ToString::to_string).collect(),
            }
        });
        self.ledger
            .record(&mut self.machine.rules, new.collect(), now);
        let lives = self.ledger.steps_left != Some(0);
        self.ledger.steps_left = None;
        lives
    }

    /// Tells what is to be told, as long as the other side is there.
    fn tell(&self, second: u32, told: &mut Vec<(&'static str, u32, Alert)>) {
        let outbox = self.ledger.outbox();
        let mut outbox = outbox.lock().unwrap();
        for way in WAYS {
            if way == "home" && is_in(HOME_IS_DOWN, second) {
                continue;
            }
            while let Some(entry) = outbox.next(way, WITHIN, moment(second)) {
                told.push((way, second, entry.alert.clone()));
                outbox.remove(&entry);
            }
        }
    }
}

/// A disk that is full has no room for alerts, nor for the state.
fn fill(directory: &Path, is_full: bool) {
    let (alerts, away) = (directory.join("alerts"), directory.join("away"));
    let state = directory.join("states/.door.json.tmp");
    if is_full {
        fs::rename(&alerts, &away).unwrap();
        fs::write(&alerts, b"").unwrap();
        fs::create_dir(&state).unwrap();
    } else {
        fs::remove_file(&alerts).unwrap();
        fs::rename(&away, &alerts).unwrap();
        fs::remove_dir(&state).unwrap();
    }
}

/// An hour, in which the program is killed where chance has it.
fn hour(directory: &Path, seed: u64) -> (Vec<(&'static str, u32, Alert)>, u32) {
    let (street, mut chance) = (Street::new(), Chance(seed));
    let mut life = Life::begin(directory, moment(0));
    let (mut told, mut deaths) = (Vec::new(), 0);
    let mut next_death = 30 + chance.below(100);
    let mut may_die_telling = true;
    let mut second = 0;
    while second < 3600 {
        if second == DISK_FULL.0 || second == DISK_FULL.1 {
            fill(directory, second == DISK_FULL.0);
        }
        let looks = match VISITS.iter().any(|visit| is_in(*visit, second)) {
            true => QUICK,
            false => 1,
        };
        let (mut to_tell, mut jpeg) = (Vec::new(), None);
        for quarter in 0..looks {
            jpeg = street.at(second, quarter);
            to_tell.extend(life.look((second, quarter), jpeg));
        }
        // With nowhere to write, a life that ends then may have told what the next tells again.
        let is_careful = is_in((DISK_FULL.0 - 10, DISK_FULL.1 + 40), second);
        let mut lives = is_careful || second < next_death;
        if to_tell.is_empty() {
            life.ledger.keep(&mut life.machine.rules, moment(second));
        } else {
            let dies = (may_die_telling && !is_careful).then(|| chance.below(14));
            may_die_telling = !may_die_telling;
            lives &= life.record(&to_tell, jpeg, moment(second), dies);
        }
        if lives {
            life.tell(second, &mut told);
        } else {
            drop(life);
            deaths += 1;
            second += 1 + chance.below(4);
            life = Life::begin(directory, moment(second));
            next_death = second + 75 + chance.below(100);
        }
        second += 1;
    }
    life.tell(3600, &mut told);
    (told, deaths)
}

#[test]
fn an_hour_of_faults_loses_nothing_and_tells_nothing_twice() {
    for seed in [0x5eed, 0xca11] {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        fs::create_dir_all(directory.join("states")).unwrap();
        fs::create_dir_all(directory.join("alerts")).unwrap();
        let (told, deaths) = hour(directory, seed);
        assert!(deaths > 20, "seed {seed:x}: {deaths}");
        for way in WAYS {
            let of_way = told.iter().filter(|(told_in, ..)| *told_in == way);
            let mut counts = BTreeMap::new();
            for (_, _, alert) in of_way {
                let cause = alert.cause.and_then(|cause| crate::alert::word(&cause));
                let what = (alert.rule.as_str(), alert.kind == Kind::Seen, cause);
                *counts.entry(what).or_insert(0) += 1;
            }
            let cause = |cause: &str| (BLIND_RULE, false, Some(cause.to_owned()));
            let expected = BTreeMap::from([
                (("motion", true, None), VISITS.len()),
                (("parcel", true, None), PARCELS.len()),
                // Each when it begins, and when it ends.
                (cause("no-frames"), 4),
                (cause("endpoint-down"), 2),
            ]);
            assert_eq!(counts, expected, "seed {seed:x}, {way}: {told:#?}");
        }
        let mut ids: Vec<_> = told
            .iter()
            .map(|(way, _, alert)| (*way, &alert.id))
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), told.len(), "seed {seed:x}");
        // What was told lies there, with its picture, but for what the disk had no room for.
        for (_, second, alert) in &told {
            let alerts = Alerts::new(directory.join("alerts"), Bounds::default());
            let is_there = !is_in(DISK_FULL, *second);
            let (is_written, has_picture) = alerts.has(&alert.id);
            assert_eq!(is_written, is_there, "seed {seed:x}: {alert:?}");
            let has_any = is_there && alert.kind == Kind::Seen;
            assert_eq!(has_picture, has_any, "seed {seed:x}: {alert:?}");
        }
    }
}
