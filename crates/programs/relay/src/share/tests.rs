use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::*;
use crate::engine::memory::{Hub, Memory};
use crate::settings::BrokerSettings;
use crate::wire::{Asker, FrameId, Head, Part, Reply};

/// Longer than anything here takes, but a hang.
const HANG: Duration = Duration::from_secs(20);

/// One that asks by a broker in memory.
struct Viewer {
    engine: Memory,
    events: Events,
    number: u64,
}

fn settings(slots: &Path, only: &[&str]) -> ShareSettings {
    ShareSettings {
        broker: BrokerSettings::default(),
        slots: slots.to_owned(),
        host: "pi".parse().unwrap(),
        only: only.iter().map(|name| name.parse().unwrap()).collect(),
        max_cameras: 100,
    }
}

/// A whole JPEG of this size in bytes, for those who look no closer.
fn jpeg(bytes: usize) -> Vec<u8> {
    let mut jpeg =
        b"\xFF\xD8\xFF\xC0\0\x0B\x08\x01\xE0\x02\x80\x01\x01\x11\0\xFF\xDA\0\x02".to_vec();
    jpeg.resize(bytes - 2, 7);
    jpeg.extend(b"\xFF\xD9");
    jpeg
}

fn publish(slot: &Path, bytes: usize) -> Vec<u8> {
    let frame = jpeg(bytes);
    fs::create_dir_all(slot).unwrap();
    fs::write(slot.join(".new"), &frame).unwrap();
    fs::rename(slot.join(".new"), slot.join("current.jpg")).unwrap();
    frame
}

impl Viewer {
    fn new(hub: &Hub) -> Self {
        let (engine, events) = hub.join(None);
        Self {
            engine,
            events,
            number: 0,
        }
    }

    fn request(&mut self, subject: &str, have: Option<FrameId>, hold_ms: u16) -> Request {
        self.number += 1;
        let subject: Subject = subject.parse().unwrap();
        let request = Request {
            id: RequestId {
                asker: Asker(1),
                subject: SubjectTag::of(&subject),
                number: self.number,
            },
            have,
            is_alone: true,
            hold_ms,
            max_bytes: 1 << 20,
        };
        let asked = self.engine.ask(&subject, request.id, request.to_bytes());
        asked.unwrap();
        request
    }

    /// Waits until the share has heard that nobody else has its name.
    async fn is_answered(&mut self) {
        self.request("eyelid.v1", None, 0);
        self.reply().await;
    }

    /// Says whether nothing comes for a while.
    async fn is_silent(&mut self) -> bool {
        let end = tokio::time::Instant::now() + Duration::from_millis(100);
        while let Ok(event) = tokio::time::timeout_at(end, self.events.recv()).await {
            if matches!(event, Some(Event::Reply(_))) {
                return false;
            }
        }
        true
    }

    async fn reply(&mut self) -> Vec<u8> {
        loop {
            let event = timeout(HANG, self.events.recv()).await.expect("no reply");
            if let Some(Event::Reply(message)) = event {
                return message.to_vec();
            }
        }
    }

    /// Takes a whole frame.
    async fn frame(&mut self) -> (Head, Vec<u8>) {
        let message = self.reply().await;
        let Ok(Reply::Head(head, first)) = Reply::parse(&message) else {
            panic!("no head: {message:?}");
        };
        let mut frame = first.to_vec();
        while frame.len() < head.bytes as usize {
            let message = self.reply().await;
            let Ok(Reply::Part(Part { frame: id, .. }, bytes)) = Reply::parse(&message) else {
                panic!("no part: {message:?}");
            };
            assert_eq!(id, head.frame);
            frame.extend_from_slice(bytes);
        }
        (head, frame)
    }

    async fn no_frame(&mut self) -> Reason {
        let message = self.reply().await;
        match Reply::parse(&message) {
            Ok(Reply::NoFrame(no_frame)) => no_frame.reason,
            other => panic!("{other:?}"),
        }
    }
}

/// Runs a test beside a share of a directory.
fn beside<F: Future<Output = ()>>(
    only: &[&str],
    max_message_bytes: usize,
    test: impl FnOnce(TempDir, Hub) -> F,
) {
    beside_changing(only, max_message_bytes, |directory, hub, _| {
        test(directory, hub)
    });
}

/// The same, with the way by which the share gets other settings.
fn beside_changing<F: Future<Output = ()>>(
    only: &[&str],
    max_message_bytes: usize,
    test: impl FnOnce(TempDir, Hub, mpsc::Sender<ShareSettings>) -> F,
) {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::new(max_message_bytes);
    let settings = settings(directory.path(), only);
    let (engine, mut events) = hub.join(Some(settings.host.clone()));
    let (change, mut changes) = mpsc::channel(1);
    let mut share = Share::new(settings, engine);
    let cameras = share.roster.cameras().clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let pulse = Pulse::default();
    let all = async {
        tokio::select! {
            ended = share.run(&mut events, &mut changes, &pulse) => panic!("{ended:?}"),
            ended = cameras.run(&pulse) => panic!("{ended:?}"),
            ended = timeout(HANG * 2, test(directory, hub, change)) => ended.expect("hangs"),
        }
    };
    LocalSet::new().block_on(&runtime, all);
}

#[test]
fn a_held_request_is_answered_with_the_next_frame_and_never_with_the_same() {
    beside(&[], 20_000, async |directory, hub| {
        let slot = directory.path().join("door");
        fs::create_dir(&slot).unwrap();
        let mut viewer = Viewer::new(&hub);
        viewer.is_answered().await;
        let first = publish(&slot, 50_000);
        viewer.request("eyelid.v1.pi.door", None, 1000);
        let (head, frame) = viewer.frame().await;
        assert!(frame == first, "another frame");
        assert_eq!((head.width_px, head.height_px), (640, 480));
        viewer.request("eyelid.v1.pi.door", Some(head.frame), 200);
        assert_eq!(viewer.no_frame().await, Reason::Held);
        viewer.request("eyelid.v1.pi.door", Some(head.frame), 5000);
        let second = publish(&slot, 1_000);
        let (newer, frame) = viewer.frame().await;
        assert!(frame == second, "another frame");
        assert!(newer.frame.sequence > head.frame.sequence);
    });
}

#[test]
fn a_connection_that_was_cut_is_gone_on_with() {
    beside(&[], 20_000, async |directory, hub| {
        let slot = directory.path().join("door");
        fs::create_dir(&slot).unwrap();
        let mut viewer = Viewer::new(&hub);
        viewer.is_answered().await;
        viewer.request("eyelid.v1.pi.door", None, 5000);
        hub.cut();
        hub.mend();
        publish(&slot, 2_000);
        assert!(
            viewer.is_silent().await,
            "it was asked by the old connection"
        );
        viewer.request("eyelid.v1.pi.door", None, 5000);
        viewer.frame().await;
    });
}

#[test]
fn what_is_not_shared_is_not_there() {
    beside(&["door"], 1 << 20, async |directory, hub| {
        publish(&directory.path().join("door"), 1000);
        publish(&directory.path().join("bed"), 1000);
        let mut viewer = Viewer::new(&hub);
        viewer.is_answered().await;
        for subject in [
            "eyelid.v1.pi.bed",
            "eyelid.v1.pi.door.y4m",
            "eyelid.v1.pi.none",
        ] {
            viewer.request(subject, None, 5000);
            assert_eq!(viewer.no_frame().await, Reason::NotShared, "{subject}");
        }
        let request = viewer.request("eyelid.v1.pi", None, 0);
        let directory = Directory::parse(&viewer.reply().await).unwrap();
        assert_eq!(directory.id, request.id);
        assert_eq!(directory.cameras, ["door".parse().unwrap()].into());
        viewer.request("eyelid.v1", None, 0);
        let presence = Presence::parse(&viewer.reply().await).unwrap();
        assert_eq!(
            (presence.host.as_str(), presence.instance),
            ("pi", directory.instance)
        );
        viewer.request("eyelid.v1.pi.bed.state", None, 0);
        let state = FarState::parse(&viewer.reply().await).unwrap().state;
        assert_eq!(state.state, Phase::Failed);
    });
}

#[test]
fn who_asks_before_the_name_is_its_own_is_told_then() {
    beside(&[], 1 << 20, async |directory, hub| {
        fs::create_dir(directory.path().join("door")).unwrap();
        let mut viewer = Viewer::new(&hub);
        let asked = viewer.request("eyelid.v1", None, 0);
        let presence = Presence::parse(&viewer.reply().await).unwrap();
        assert_eq!(presence.id, asked.id);
    });
}

#[test]
fn nothing_is_opened_for_a_listing_or_a_state() {
    beside(&[], 1 << 20, async |directory, hub| {
        let slot = directory.path().join("door");
        publish(&slot, 1000);
        fs::write(
            slot.join("state.json"),
            State::new(Phase::Asleep, SystemTime::now()).to_json(),
        )
        .unwrap();
        let opened = Opened::of(&slot.join("current.jpg"));
        let mut viewer = Viewer::new(&hub);
        for subject in ["eyelid.v1.pi", "eyelid.v1.pi.door.state"] {
            viewer.request(subject, None, 0);
            viewer.reply().await;
        }
        viewer.is_answered().await;
        assert!(!opened.any());
        viewer.request("eyelid.v1.pi.door", None, 1000);
        viewer.frame().await;
        assert!(opened.any(), "it would be seen");
    });
}

/// Whether a file was opened, as a producer sees it.
struct Opened(nix::sys::inotify::Inotify);

impl Opened {
    fn of(path: &Path) -> Self {
        use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        inotify.add_watch(path, AddWatchFlags::IN_OPEN).unwrap();
        Self(inotify)
    }

    fn any(&self) -> bool {
        self.0.read_events().is_ok()
    }
}

#[test]
fn the_second_of_one_name_ends() {
    let hub = Hub::new(1 << 20);
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path(), &[]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let pulse = Pulse::default();
        let (_change, mut changes) = mpsc::channel(1);
        let (_other_change, mut other_changes) = mpsc::channel(1);
        let (engine, mut first_events) = hub.join(Some(settings.host.clone()));
        let mut first = Share::new(settings.clone(), engine);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let (engine, mut events) = hub.join(Some(settings.host.clone()));
        let mut second = Share::new(settings, engine);
        let both = async {
            tokio::select! {
                ended = first.run(&mut first_events, &mut changes, &pulse) => {
                    panic!("the first: {ended:?}")
                }
                ended = second.run(&mut events, &mut other_changes, &pulse) => ended.unwrap_err(),
            }
        };
        let error = timeout(HANG, both).await.expect("both go on");
        assert!(error.is::<NameTaken>(), "{error}");
    });
}

#[test]
fn what_is_shared_changes_while_somebody_waits() {
    beside_changing(&["door"], 1 << 20, async |directory, hub, change| {
        for name in ["bed", "door"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let mut viewer = Viewer::new(&hub);
        viewer.is_answered().await;
        viewer.request("eyelid.v1.pi.door", None, 5000);
        let mut only_bed = settings(directory.path(), &["bed"]);
        only_bed.host = "another".parse().unwrap();
        change.send(only_bed).await.unwrap();
        assert_eq!(viewer.no_frame().await, Reason::NotShared, "it waits on");
        viewer.request("eyelid.v1.pi", None, 0);
        let told = Directory::parse(&viewer.reply().await).unwrap();
        assert_eq!(told.host.as_str(), "pi", "its name takes a restart");
        assert_eq!(told.cameras, ["bed".parse().unwrap()].into());
        let frame = publish(&directory.path().join("bed"), 1000);
        viewer.request("eyelid.v1.pi.bed", None, 5000);
        assert!(viewer.frame().await.1 == frame);
        change.send(settings(directory.path(), &[])).await.unwrap();
        loop {
            viewer.request("eyelid.v1.pi", None, 0);
            let told = Directory::parse(&viewer.reply().await).unwrap();
            if told.cameras == ["bed", "door"].map(|it| it.parse().unwrap()).into() {
                break;
            }
        }
    });
}
