//! The side that fetches, with real slots and a broker in memory, and a host that shares.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use eyelid_slot::{Phase, Reader, Rendition, State};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::*;
use crate::engine::memory::{Hub, Memory};
use crate::settings::BrokerSettings;
use crate::wire::{FrameId, Head, HostName, Request, Subject, cut};

/// How long anything may take before it counts as hung.
const HUNG: Duration = Duration::from_secs(20);

/// A host that shares these cameras, and has a new frame for each request.
struct Host {
    name: HostName,
    cameras: Vec<&'static str>,
    jpeg: Vec<u8>,
    sequence: Cell<u64>,
    /// How often each of its cameras, or of their renditions, was asked.
    asked: RefCell<BTreeMap<String, usize>>,
    asked_for_states: Cell<usize>,
}

impl Host {
    fn new(name: &str, cameras: &[&'static str]) -> Self {
        Self {
            name: name.parse().unwrap(),
            cameras: cameras.to_vec(),
            jpeg: eyelid_picture::card(64, 48, "far", "a picture"),
            sequence: Cell::new(0),
            asked: RefCell::default(),
            asked_for_states: Cell::default(),
        }
    }

    async fn share(&self, engine: Memory, mut events: Events) {
        while let Some(event) = events.recv().await {
            let Event::Asked {
                subject,
                reply_to,
                message,
            } = event
            else {
                continue;
            };
            let request = Request::parse(&message).unwrap();
            for answer in self.answer(&subject, &request) {
                let _ = engine.answer(&reply_to, answer);
            }
        }
    }

    fn answer(&self, subject: &str, request: &Request) -> Vec<Vec<u8>> {
        let (id, instance) = (request.id, 5);
        match subject.parse().unwrap() {
            Subject::Hosts => {
                let presence = Presence {
                    id,
                    host: self.name.clone(),
                    instance,
                    revision: 1,
                };
                vec![presence.to_bytes()]
            }
            Subject::Host(host) => {
                let directory = Directory {
                    id,
                    host,
                    instance,
                    up_ms: 1,
                    cameras: self
                        .cameras
                        .iter()
                        .map(|name| name.parse().unwrap())
                        .collect(),
                };
                vec![directory.to_bytes().unwrap()]
            }
            Subject::State(_) => {
                self.asked_for_states.set(self.asked_for_states.get() + 1);
                let mut state = State::new(Phase::Awake, SystemTime::now());
                state.fps = Some(30.0);
                for rendition in [Rendition::Quarter, Rendition::Y4m] {
                    state
                        .renditions
                        .insert(rendition.name().into(), Default::default());
                }
                let state = FarState::new(id, state, SystemTime::now());
                vec![state.to_bytes().unwrap()]
            }
            Subject::Frames(..) => {
                *self
                    .asked
                    .borrow_mut()
                    .entry(subject.to_owned())
                    .or_default() += 1;
                self.sequence.set(self.sequence.get() + 1);
                let head = Head {
                    id,
                    frame: FrameId {
                        instance,
                        sequence: self.sequence.get(),
                    },
                    held_us: 0,
                    age_us: 5000,
                    width_px: 64,
                    height_px: 48,
                    bytes: self.jpeg.len() as u32,
                };
                cut(head, &self.jpeg, 1 << 20).unwrap().collect()
            }
        }
    }

    fn asked(&self) -> BTreeMap<String, usize> {
        self.asked.borrow().clone()
    }
}

struct World {
    home: TempDir,
    hub: Hub,
    host: Host,
}

impl World {
    fn new() -> Self {
        Self {
            home: TempDir::new().unwrap(),
            hub: Hub::new(1 << 20),
            host: Host::new("pi", &["bench", "default", "door"]),
        }
    }

    fn settings(&self) -> FetchSettings {
        FetchSettings {
            broker: BrokerSettings::default(),
            slots: self.home.path().to_owned(),
            only: vec!["*".parse().unwrap()],
            linger: Duration::from_millis(300),
            max_cameras: 10,
            max_frame_bytes: 1 << 20,
        }
    }

    /// Shares and fetches while something is done.
    async fn during<T>(&self, program: impl Future<Output = T>) -> T {
        let (far, asked) = self.hub.join(Some(self.host.name.clone()));
        let (near, events) = self.hub.join(None);
        let fetch = Fetch::new(self.settings(), near).unwrap();
        let (_change, changes) = mpsc::channel(1);
        let pulse = Pulse::default();
        tokio::select! {
            () = self.host.share(far, asked) => panic!("nobody shares any more"),
            ended = fetch.run(events, changes, &pulse) => panic!("{:?}", ended.err()),
            ended = timeout(HUNG * 2, program) => ended.expect("it hangs"),
        }
    }

    fn slot(&self, name: &str) -> PathBuf {
        self.home.path().join(format!("pi.{name}"))
    }

    fn state(&self, name: &str) -> Option<State> {
        Reader::new(&self.slot(name)).state()
    }

    async fn wait_for_slots(&self) {
        for name in ["bench", "default", "door"] {
            let reader = Reader::new(&self.slot(name));
            eventually("a slot", || reader.captured().is_some()).await;
        }
    }
}

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HUNG, "never happened: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

fn is_placeholder(reader: &Reader) -> bool {
    reader.captured() == Some(SystemTime::UNIX_EPOCH)
}

/// Wishes, and waits for the file that is the answer.
async fn look(slot: &Path, rendition: Option<Rendition>) {
    let reader = Reader::of(slot, rendition);
    let before = reader.newest();
    reader.wish().unwrap();
    eventually("an answer", || reader.newest() != before).await;
    let read = reader.read().unwrap();
    assert!(eyelid_jpeg::whole(&read.frame.jpeg).is_ok());
    let age = SystemTime::now().duration_since(read.frame.captured);
    assert!(age.unwrap() < HUNG);
}

#[tokio::test]
async fn far_cameras_are_slots_and_are_asked_only_while_somebody_looks() {
    let world = World::new();
    world
        .during(async {
            world.wait_for_slots().await;
            for name in ["bench", "default", "door"] {
                let reader = Reader::new(&world.slot(name));
                assert!(is_placeholder(&reader));
                eventually("its state", || reader.state().is_some()).await;
                let state = reader.state().unwrap();
                assert_eq!(state.state, Phase::Asleep);
                assert_eq!(state.source, Some(format!("{}pi.{name}", crate::FETCHED)));
                assert_eq!(state.more["far"]["host"], "pi");
            }
            assert!(world.host.asked().is_empty(), "who lists wakes nobody");
            assert_eq!(world.host.asked_for_states.get(), 0);

            look(&world.slot("door"), None).await;
            let asked: Vec<_> = world.host.asked().into_keys().collect();
            assert_eq!(asked, ["eyelid.v1.pi.door"]);
            let state = || world.state("door").unwrap();
            eventually("what it offers", || {
                state().renditions.keys().eq(["quarter"]) && state().fps == Some(30.0)
            })
            .await;
            look(&world.slot("door"), Some(Rendition::Quarter)).await;
            let asked: Vec<_> = world.host.asked().into_keys().collect();
            assert_eq!(asked, ["eyelid.v1.pi.door", "eyelid.v1.pi.door.quarter"]);

            // Nobody looks any more.
            eventually("sleep", || state().state == Phase::Asleep).await;
            let asked = world.host.asked();
            sleep(Duration::from_millis(300)).await;
            assert_eq!(world.host.asked(), asked);
        })
        .await;
    let state = world.state("door").unwrap();
    assert_eq!(state.state, Phase::Asleep);
}

#[tokio::test]
async fn any_number_of_readers_is_one_pull() {
    let world = World::new();
    world
        .during(async {
            world.wait_for_slots().await;
            look(&world.slot("door"), None).await;
            let before = world.host.asked()["eyelid.v1.pi.door"];
            let readers: Vec<_> = (0..50).map(|_| Reader::new(&world.slot("door"))).collect();
            const ROUNDS: usize = 20;
            for _ in 0..ROUNDS {
                let newest = readers[0].newest();
                readers.iter().for_each(|reader| reader.wish().unwrap());
                eventually("a frame", || readers[0].newest() != newest).await;
            }
            let asked = world.host.asked()["eyelid.v1.pi.door"] - before;
            // This host has a frame for each request at once, so that two are answered each time.
            assert!(asked <= 3 * ROUNDS, "{asked} requests for {ROUNDS} frames");
        })
        .await;
}

#[tokio::test]
async fn a_broker_that_goes_is_told_of_and_all_is_well_when_it_is_back() {
    let world = World::new();
    world
        .during(async {
            world.wait_for_slots().await;
            let slot = world.slot("bench");
            look(&slot, None).await;
            world.hub.cut();
            let reader = Reader::new(&slot);
            eventually("failure", || {
                let _ = reader.wish();
                let state = reader.state().unwrap();
                let since = state.more.get("unreachable_since");
                let is_since = since.is_some_and(|since| since.is_string());
                let error = state.error.unwrap_or_default();
                state.state == Phase::Failed
                    && error.starts_with("no connection to the broker")
                    && is_since
            })
            .await;
            let others = world.state("door").unwrap();
            assert_eq!(others.state, Phase::Asleep, "nobody looks at it");
            world.hub.mend();
            look(&slot, None).await;
            eventually("it is well", || {
                let state = reader.state().unwrap();
                state.state != Phase::Failed
                    && state.error.is_none()
                    && (state.more.get("unreachable_since")).is_none_or(|since| since.is_null())
            })
            .await;
        })
        .await;
}

#[tokio::test]
async fn what_an_earlier_run_left_goes_and_what_others_have_stays() {
    let world = World::new();
    let settings = world.settings();
    let mut old = Slots::new(&settings, Asker(1)).unwrap();
    let far = |name: &str| crate::wire::FarCamera {
        host: "gone".parse().unwrap(),
        camera: name.parse().unwrap(),
    };
    old.add(far("door")).unwrap();
    old.step(Instant::now()).unwrap();
    assert!(
        Slots::new(&settings, Asker(1)).is_err(),
        "a second one is kept out"
    );
    drop(old);
    let other = world.home.path().join("gone.other");
    let mut publisher = eyelid_slot::Publisher::open(&other).unwrap();
    publisher
        .set_state(&State::new(Phase::Awake, SystemTime::now()))
        .unwrap();
    let mut slots = Slots::new(&settings, Asker(1)).unwrap();
    slots.add(far("bench")).unwrap();
    slots.step(Instant::now()).unwrap();
    slots.sweep();
    let is_there = |name: &str| world.home.path().join(name).is_dir();
    assert!(!is_there("gone.door") && is_there("gone.other") && is_there("gone.bench"));
    slots.remove(&far("bench"));
    assert!(!is_there("gone.bench"));
}

#[tokio::test]
async fn a_camera_of_this_host_keeps_its_slot() {
    let world = World::new();
    let slot = world.home.path().join("pi.door");
    let far = crate::wire::FarCamera {
        host: "pi".parse().unwrap(),
        camera: "door".parse().unwrap(),
    };
    let mut publisher = eyelid_slot::Publisher::open(&slot).unwrap();
    publisher.publish(b"picture", SystemTime::now()).unwrap();
    let mut slots = Slots::new(&world.settings(), Asker(1)).unwrap();
    let refused = |slots: &mut Slots| slots.add(far.clone()).unwrap_err().to_string();
    assert!(refused(&mut slots).contains("another producer's"));
    let mut state = State::new(Phase::Asleep, SystemTime::now());
    state.source = Some("v4l2:/dev/video0".to_owned());
    publisher.set_state(&state).unwrap();
    assert!(refused(&mut slots).contains("another producer's"));
    slots.remove(&far);
    assert!(slot.join("current.jpg").is_file());

    // Nor is a slot removed that somebody has taken over.
    std::fs::remove_dir_all(&slot).unwrap();
    slots.add(far.clone()).unwrap();
    slots.step(Instant::now()).unwrap();
    let mut publisher = eyelid_slot::Publisher::open(&slot).unwrap();
    publisher.set_state(&state).unwrap();
    slots.remove(&far);
    assert!(slot.join("state.json").is_file());
}

#[tokio::test]
async fn a_camera_of_this_host_that_comes_later_has_its_slot() {
    let world = World::new();
    world
        .during(async {
            world.wait_for_slots().await;
            let slot = world.slot("door");
            eventually("its state", || world.state("door").is_some()).await;
            let mut publisher = eyelid_slot::Publisher::open(&slot).unwrap();
            let mut state = State::new(Phase::Awake, SystemTime::UNIX_EPOCH);
            state.source = Some("v4l2:/dev/video0".to_owned());
            publisher.set_state(&state).unwrap();
            let at = SystemTime::now();
            publisher.publish(&world.host.jpeg, at).unwrap();
            let reader = Reader::new(&slot);
            for _ in 0..3 {
                reader.wish().unwrap();
                look(&world.slot("bench"), None).await;
                assert_eq!(reader.captured(), Some(at), "it is written over");
                assert_eq!(reader.state(), Some(state.clone()));
            }
            assert!(!world.host.asked().contains_key("eyelid.v1.pi.door"));

            // One that says nothing of itself: what the far camera's slot said goes.
            let slot = world.slot("default");
            let mut publisher = eyelid_slot::Publisher::open(&slot).unwrap();
            publisher.publish(&world.host.jpeg, at).unwrap();
            let reader = Reader::new(&slot);
            eventually("no state", || reader.state().is_none()).await;
            assert_eq!(reader.captured(), Some(at));
        })
        .await;
    let state = world.state("door").unwrap();
    assert_eq!(state.source.as_deref(), Some("v4l2:/dev/video0"));
}
