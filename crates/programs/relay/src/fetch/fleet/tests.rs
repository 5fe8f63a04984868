//! Hosts that come, go, lie and fall silent.

use super::silence::SILENT_STAYS;
use super::*;

const ASKER: Asker = Asker(7);
const SECOND: Duration = Duration::from_secs(1);

/// A fleet, and the hosts that answer what it asks.
struct World {
    fleet: Fleet,
    now: Instant,
    /// By their names: the cameras, and the revision.
    hosts: BTreeMap<HostName, (BTreeSet<String>, u64)>,
    /// How often a directory was asked for.
    directories: usize,
    cameras: BTreeSet<String>,
    other: Vec<News>,
}

impl World {
    fn new(patterns: &[&str], max_cameras: usize) -> Self {
        let patterns = patterns.iter().map(|text| text.parse().unwrap()).collect();
        let now = Instant::now();
        let mut fleet = Fleet::new(ASKER, patterns, max_cameras);
        fleet.connected(now);
        Self {
            fleet,
            now,
            hosts: BTreeMap::new(),
            directories: 0,
            cameras: BTreeSet::new(),
            other: Vec::new(),
        }
    }

    fn share(&mut self, host: &str, cameras: &[&str]) {
        let host = self.hosts.entry(host.parse().unwrap()).or_default();
        host.0 = cameras.iter().map(|camera| (*camera).to_owned()).collect();
        host.1 += 1;
    }

    fn stop(&mut self, host: &str) {
        self.hosts.remove(&host.parse().unwrap());
    }

    fn directory(&self, id: RequestId, host: &HostName) -> Option<Directory> {
        let (cameras, _) = self.hosts.get(host)?;
        Some(Directory {
            id,
            host: host.clone(),
            instance: 1,
            up_ms: 0,
            cameras: cameras
                .iter()
                .map(|camera| camera.parse().unwrap())
                .collect(),
        })
    }

    /// Asks and answers until nothing more is asked.
    fn talk(&mut self) {
        loop {
            let questions = self.fleet.next(self.now);
            if questions.is_empty() {
                break;
            }
            for Letter { subject, request } in questions {
                match subject {
                    Subject::Hosts => {
                        for (host, (_, revision)) in &self.hosts {
                            let presence = Presence {
                                id: request.id,
                                host: host.clone(),
                                instance: 1,
                                revision: *revision,
                            };
                            self.fleet.presence(self.now, &presence);
                        }
                    }
                    Subject::Host(host) => {
                        self.directories += 1;
                        match self.directory(request.id, &host) {
                            Some(directory) => self.fleet.directory(self.now, directory),
                            None => self.fleet.nobody_answers(request.id),
                        }
                    }
                    other => panic!("{other}"),
                }
            }
        }
        for news in self.fleet.take_news(usize::MAX) {
            match news {
                News::Come(far) => assert!(self.cameras.insert(slot(&far))),
                News::Gone(far) => assert!(self.cameras.remove(&slot(&far))),
                News::Heard(_) => {}
                other => self.other.push(other),
            }
        }
    }

    /// Goes on by rounds, and what is asked between them.
    fn rounds(&mut self, count: u32) {
        for _ in 0..count {
            let round = self.fleet.next_round;
            loop {
                self.now = self.fleet.deadline().unwrap();
                self.talk();
                if round.is_none() || self.fleet.next_round != round {
                    break;
                }
            }
        }
    }

    fn cameras(&self) -> Vec<&str> {
        self.cameras.iter().map(String::as_str).collect()
    }

    fn take_other(&mut self) -> Vec<News> {
        std::mem::take(&mut self.other)
    }
}

fn slot(far: &FarCamera) -> String {
    far.slot_name().unwrap().to_string()
}

#[test]
fn what_directories_list_is_fetched_as_far_as_it_is_meant() {
    let mut world = World::new(&["pi-*.door", "attic.*"], 100);
    world.share("pi-a", &["door", "bench"]);
    world.share("attic", &["default"]);
    world.share("cellar", &["door"]);
    world.talk();
    assert_eq!(world.cameras(), ["attic.default", "pi-a.door"]);
    // Who says nothing new is not asked again, but who is named.
    assert_eq!(world.directories, 3, "attic by its name, and by its word");
    world.rounds(3);
    assert_eq!(world.directories, 6 + EARLY.len());
    world.share("pi-a", &["door", "bench", "roof"]);
    world.rounds(1);
    assert_eq!(world.directories, 8 + EARLY.len());
}

#[test]
fn what_is_listed_no_more_goes_after_a_minute_and_comes_back() {
    let mut world = World::new(&["*"], 100);
    world.share("pi", &["bench", "door"]);
    world.talk();
    world.share("pi", &["door"]);
    world.rounds(2);
    assert_eq!(world.cameras(), ["pi.bench", "pi.door"], "it may come back");
    world.rounds(2);
    assert_eq!(world.cameras(), ["pi.door"]);
    world.share("pi", &["bench", "door"]);
    world.rounds(1);
    assert_eq!(world.cameras(), ["pi.bench", "pi.door"]);
    assert_eq!(world.take_other(), []);
}

#[test]
fn a_host_that_comes_with_the_connection_is_soon_found() {
    let mut world = World::new(&["*"], 100);
    world.talk();
    let began = world.now;
    world.share("a", &["door"]);
    world.now = world.fleet.deadline().unwrap();
    world.talk();
    assert_eq!(world.cameras(), ["a.door"]);
    assert!(world.now - began <= SECOND);
    // What is asked early is little.
    let early = std::iter::from_fn(|| {
        world.now = world.fleet.deadline().unwrap();
        world.talk();
        (world.now - began < ROUND).then_some(())
    });
    assert_eq!(early.count(), 3);
}

#[test]
fn a_silent_host_is_told_of_once_and_harms_no_other() {
    let mut world = World::new(&["*"], 100);
    world.share("a", &["door"]);
    world.share("b", &["door"]);
    world.talk();
    let since = world.now;
    world.stop("b");
    world.rounds(2);
    assert_eq!(world.take_other(), []);
    world.rounds(3);
    let b: HostName = "b".parse().unwrap();
    assert_eq!(world.take_other(), [News::Silent(b.clone(), since)]);
    assert_eq!(world.cameras(), ["a.door", "b.door"]);
    world.share("b", &["door"]);
    world.rounds(1);
    assert_eq!(world.take_other(), [News::Back(b.clone())]);
    world.stop("b");
    world.rounds(119);
    assert_eq!(world.cameras(), ["a.door", "b.door"]);
    world.rounds(2);
    assert_eq!(world.cameras(), ["a.door"], "an hour is enough");
    assert_eq!(world.take_other().len(), 1);
}

#[test]
fn a_broker_that_is_gone_makes_all_hosts_silent_and_none_go() {
    let mut world = World::new(&["*"], 100);
    world.share("a", &["door"]);
    world.talk();
    let since = world.now;
    world.fleet.disconnected(since);
    world.rounds(1);
    let a: HostName = "a".parse().unwrap();
    assert_eq!(world.take_other(), [News::Cut(a.clone(), since)]);
    assert_eq!(world.fleet.deadline(), None);
    world.now += SILENT_STAYS * 2;
    assert_eq!(world.fleet.next(world.now), []);
    world.fleet.connected(world.now);
    world.talk();
    world.rounds(1);
    assert_eq!(world.cameras(), ["a.door"]);
    assert_eq!(world.take_other(), [News::Back(a)]);
    // One that is short is not told of.
    world.fleet.disconnected(world.now);
    world.fleet.connected(world.now + SECOND);
    world.rounds(2);
    assert_eq!(world.take_other(), []);
}

#[test]
fn named_cameras_are_there_whether_their_host_is_or_not() {
    let mut world = World::new(&["pi.door"], 100);
    world.talk();
    assert_eq!(world.cameras(), ["pi.door"]);
    world.rounds(200);
    assert_eq!(world.cameras(), ["pi.door"]);
    assert_eq!(world.take_other().len(), 1, "it has been silent");
    world.share("pi", &["bench"]);
    world.rounds(10);
    assert_eq!(world.cameras(), ["pi.door"]);
}

#[test]
fn there_are_no_more_than_may_be_and_that_is_said() {
    let mut world = World::new(&["*"], 3);
    world.share("a", &["1", "2"]);
    world.share("b", &["1", "2"]);
    world.share("c", &["1"]);
    world.talk();
    assert_eq!(world.cameras.len(), 3);
    assert_eq!(world.take_other(), [News::TooMany(1)]);
    world.rounds(1);
    assert_eq!(world.take_other(), [News::TooMany(2)]);
    world.rounds(3);
    assert_eq!(world.take_other(), [], "said once");
    world.share("a", &[]);
    world.rounds(5);
    assert_eq!(
        world.cameras(),
        ["b.1", "b.2", "c.1"],
        "there is room again"
    );
}

#[test]
fn who_was_not_asked_is_not_believed() {
    let mut world = World::new(&["*"], 100);
    world.share("a", &["door"]);
    let questions = world.fleet.next(world.now);
    let id = questions[0].request.id;
    let presence = |id, host: &str| Presence {
        id,
        host: host.parse().unwrap(),
        instance: 1,
        revision: 1,
    };
    world.fleet.presence(world.now, &presence(id, "a"));
    let asked = world.fleet.next(world.now)[0].request.id;
    let a: HostName = "a".parse().unwrap();
    let mut lie = world.directory(asked, &a).unwrap();
    // For another host, to another asker, to another request.
    lie.host = "b".parse().unwrap();
    world.fleet.directory(world.now, lie);
    for id in [
        RequestId {
            asker: Asker(8),
            ..asked
        },
        RequestId {
            number: asked.number + 1,
            ..asked
        },
        RequestId {
            subject: id.subject,
            ..asked
        },
    ] {
        let lie = world.directory(id, &a).unwrap();
        world.fleet.directory(world.now, lie);
    }
    let old = RequestId {
        number: id.number - 1,
        ..id
    };
    world.fleet.presence(world.now, &presence(old, "c"));
    world.fleet.presence(world.now, &presence(asked, "c"));
    assert!(!world.fleet.has_news() && world.fleet.next(world.now).is_empty());
    let truth = world.directory(asked, &a).unwrap();
    world.fleet.directory(world.now, truth.clone());
    let news = world.fleet.take_news(10);
    assert!(
        matches!(&news[..], [News::Heard(_), News::Come(_)]),
        "{news:?}"
    );
    // And that once: it may be replayed.
    let mut replayed = truth;
    replayed.cameras.clear();
    world.fleet.directory(world.now, replayed);
    assert_eq!(world.fleet.cameras_of(&a).count(), 1);
    assert_eq!(
        world
            .fleet
            .cameras
            .values()
            .filter(|it| it.unlisted.is_some())
            .count(),
        0
    );
}

#[test]
fn hosts_that_claim_to_be_there_are_bounded() {
    let mut world = World::new(&["*"], 100);
    let id = world.fleet.next(world.now)[0].request.id;
    for n in 0..MAX_HOSTS + 100 {
        let presence = Presence {
            id,
            host: format!("h{n}").parse().unwrap(),
            instance: 1,
            revision: 1,
        };
        world.fleet.presence(world.now, &presence);
    }
    assert_eq!(world.fleet.hosts.len(), MAX_HOSTS);
}

#[test]
fn who_says_again_and_again_that_it_is_there_is_heard_once() {
    let mut world = World::new(&["*"], 100);
    world.share("a", &["door"]);
    world.talk();
    world.now = world.fleet.deadline().unwrap();
    let presence = Presence {
        id: world.fleet.next(world.now)[0].request.id,
        host: "a".parse().unwrap(),
        instance: 1,
        revision: 1,
    };
    for _ in 0..100 {
        world.fleet.presence(world.now, &presence);
    }
    assert_eq!(world.fleet.take_news(100).len(), 1);
}

#[test]
fn other_patterns_are_followed_at_once() {
    let mut world = World::new(&["pi.*"], 10);
    world.share("pi", &["bench", "door"]);
    world.share("shop", &["door"]);
    world.talk();
    assert_eq!(world.cameras(), ["pi.bench", "pi.door"]);
    let reconfigure = |world: &mut World, patterns: &[&str], max_cameras| {
        let patterns = patterns.iter().map(|text| text.parse().unwrap()).collect();
        world.fleet.reconfigure(world.now, patterns, max_cameras);
        world.talk();
    };
    reconfigure(&mut world, &["*.door"], 10);
    assert_eq!(world.cameras(), ["pi.door", "shop.door"]);
    // A host that is named and silent, and one that is no more.
    reconfigure(&mut world, &["pi.*", "loft.roof"], 10);
    assert_eq!(world.cameras(), ["loft.roof", "pi.bench", "pi.door"]);
    reconfigure(&mut world, &["*"], 2);
    assert_eq!(world.cameras(), ["loft.roof", "pi.bench"]);
    assert_eq!(world.take_other(), [News::TooMany(1)]);
    reconfigure(&mut world, &["*"], 10);
    let all = ["loft.roof", "pi.bench", "pi.door", "shop.door"];
    assert_eq!(world.cameras(), all);
}
