//! Further files of an exposure: each made for who looks at it, and nothing for nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use eyelid_slot::{Reader, Rendition};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::harness::{Capture, check, directory, eventually, jpeg};

/// Those that are made of JPEGs, too.
const JPEGS: [Rendition; 3] = [Rendition::Low, Rendition::Half, Rendition::Quarter];

fn captured(capture: &Capture, rendition: Rendition) -> Option<SystemTime> {
    Reader::of(&capture.slot, Some(rendition)).captured()
}

/// Opens and closes a rendition once, and waits for it without asking again.
fn look(capture: &Capture, rendition: Rendition) -> (Vec<u8>, SystemTime) {
    let reader = Reader::of(&capture.slot, Some(rendition));
    let before = eventually("what the producer offers", || reader.newest());
    reader.wish().unwrap();
    eventually(&format!("{rendition} after one wish"), || {
        reader.newest().filter(|newest| *newest != before)
    });
    let held = reader.read().unwrap();
    (held.frame.jpeg.to_vec(), held.frame.captured)
}

fn placeholder_is_dated_1970(capture: &Capture, rendition: Rendition) {
    let moment = eventually("a placeholder", || captured(capture, rendition));
    assert_eq!(moment, SystemTime::UNIX_EPOCH, "{rendition}");
}

/// Which files were renamed into a slot. Equal events that nobody has read yet are one
/// (inotify(7)), so it is no count.
struct Renames(Inotify);

impl Renames {
    fn watch(slot: &Path) -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        inotify.add_watch(slot, AddWatchFlags::IN_MOVED_TO).unwrap();
        Self(inotify)
    }

    fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        while let Ok(events) = self.0.read_events() {
            let of_events = events.into_iter().filter_map(|event| event.name);
            names.extend(of_events.map(|name| name.into_string().unwrap()));
        }
        names.remove("state.json");
        names
    }
}

#[test]
fn each_is_made_for_who_looks_at_it_in_its_size() {
    let capture = Capture::start("test", &["--size", "161x122", "--rotate", "90"]);
    capture.wait_frame();
    for rendition in JPEGS {
        placeholder_is_dated_1970(&capture, rendition);
        let begun = SystemTime::now() - Duration::from_secs(1);
        let (jpeg, moment) = look(&capture, rendition);
        let (width, height, _) = check(&jpeg);
        assert_eq!(
            Some((width, height)),
            rendition.size(122, 161),
            "{rendition}"
        );
        assert!(moment > begun && moment <= SystemTime::now());
    }
    let told = capture.wait_size().renditions;
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(names, ["full", "half", "low", "quarter", "y4m"]);
    let half = (told["half"].width, told["half"].height);
    assert_eq!(half, (Some(61), Some(81)));
}

#[test]
fn those_of_one_exposure_have_one_moment() {
    let capture = Capture::start("test", &["--size", "160x120", "--fps", "2"]);
    let reader = Reader::new(&capture.slot);
    capture.wait_frame();
    eventually("frame and renditions of one exposure", || {
        let all = [None, Some(Rendition::Half), Some(Rendition::Y4m)];
        let readers = all.map(|rendition| Reader::of(&capture.slot, rendition));
        readers.iter().for_each(|reader| drop(reader.wish()));
        let frame = reader.captured()?;
        readers
            .iter()
            .all(|reader| reader.captured() == Some(frame))
            .then_some(())
    });
}

#[test]
fn nothing_is_made_unasked() {
    let capture = Capture::start("test", &["--size", "160x120"]);
    capture.wait_frame();
    placeholder_is_dated_1970(&capture, Rendition::Half);
    capture.next_frame(capture.captured().unwrap());
    let renames = Renames::watch(&capture.slot);
    for _ in 0..10 {
        capture.next_frame(capture.captured().unwrap());
    }
    assert_eq!(renames.names(), ["current.jpg".to_owned()].into());
    for _ in 0..10 {
        look(&capture, Rendition::Half);
    }
    assert_eq!(renames.names(), ["current.half.jpg".to_owned()].into());
    // The last look closed its file, which asked for one more.
    let half = Reader::of(&capture.slot, Some(Rendition::Half));
    let shown = half.read().unwrap().id;
    let last = eventually("the last one", || {
        half.newest().filter(|newest| *newest != shown)
    });
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(half.newest(), Some(last), "and for no further");
    for rendition in [Rendition::Low, Rendition::Quarter, Rendition::Y4m] {
        placeholder_is_dated_1970(&capture, rendition);
    }
}

#[test]
fn a_look_at_one_wakes_the_camera() {
    let capture = Capture::start("test", &["--size", "160x120", "--linger", "100ms"]);
    capture.wait_frame();
    let mut before = capture.captured().unwrap();
    for rendition in [Rendition::Quarter, Rendition::Y4m] {
        capture.wait_phase(eyelid_slot::Phase::Asleep);
        let (_, moment) = look(&capture, rendition);
        assert!(moment > before, "{rendition}");
        before = moment;
    }
}

#[test]
fn the_y4m_has_the_planes_of_the_frame() {
    let capture = Capture::start("test", &["--size", "66x50"]);
    capture.wait_frame();
    let (file, _) = look(&capture, Rendition::Y4m);
    let head = b"YUV4MPEG2 W66 H50 F25:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\nFRAME\n";
    let samples = file.strip_prefix(head).unwrap();
    assert_eq!(samples.len(), 66 * 50 + 2 * 33 * 25);
    // The first bar is grey of 75 %, the second yellow.
    assert_eq!(samples[66 * 3 + 3], 191);
    let chroma = &samples[66 * 50..];
    assert_eq!(chroma[33 * 2 + 1], 128);
    assert!(chroma[33 * 2 + 7] < 60, "yellow has little blue");
}

#[test]
fn a_folder_s_picture_has_renditions_whenever_they_are_asked_for() {
    let folder = directory();
    let path = folder.path().join("a.jpg");
    fs::write(&path, jpeg(101, 75, 150)).unwrap();
    let source = format!("folder:{}", folder.path().display());
    let capture = Capture::start(&source, &["--flip", "horizontal"]);
    capture.wait_frame();
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    fs::remove_file(&path).unwrap();
    for rendition in JPEGS {
        placeholder_is_dated_1970(&capture, rendition);
        let (jpeg, moment) = look(&capture, rendition);
        let (width, height, rgb) = check(&jpeg);
        assert_eq!(Some((width, height)), rendition.size(101, 75));
        assert!(rgb.iter().all(|value| value.abs_diff(150) < 8));
        assert_eq!(moment, written, "{rendition}");
    }
    assert_eq!(captured(&capture, Rendition::Y4m), None, "it has JPEGs");
    assert_eq!(capture.captured(), Some(written));
}

#[test]
fn a_command_s_only_frame_has_renditions_too() {
    let home = directory();
    let path = home.path().join("a.jpg");
    fs::write(&path, jpeg(64, 48, 90)).unwrap();
    let command = format!("command:cat '{}'; sleep 1000", path.display());
    let capture = Capture::start(&command, &[]);
    capture.wait_frame();
    let frame = capture.captured().unwrap();
    for rendition in JPEGS {
        let (jpeg, moment) = look(&capture, rendition);
        let (width, height, rgb) = check(&jpeg);
        assert_eq!(Some((width, height)), rendition.size(64, 48));
        assert!(rgb.iter().all(|value| value.abs_diff(90) < 8));
        assert_eq!(moment, frame, "{rendition}");
    }
    assert_eq!(captured(&capture, Rendition::Y4m), None, "it has JPEGs");
}
