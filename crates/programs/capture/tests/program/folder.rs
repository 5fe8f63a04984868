//! `folder`: pictures that other programs write, by whatever means.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use eyelid_slot::Phase;
use tempfile::TempDir;

use crate::harness::{Capture, case, check, directory, eventually, jpeg, shows};

fn start(folder: &Path, arguments: &[&str]) -> Capture {
    Capture::start(&format!("folder:{}", folder.display()), arguments)
}

fn write(path: &Path, bytes: &[u8], age_s: u64) {
    fs::write(path, bytes).unwrap();
    let moment = SystemTime::now() - Duration::from_secs(age_s);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(moment)
        .unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Half a picture with detail: a flat one has so few bytes that half of it is all headers.
fn detailed(grey: u8) -> Vec<u8> {
    let mut rgb = vec![grey; 128 * 128 * 3];
    for (index, value) in rgb.iter_mut().enumerate().take(128 * 64 * 3) {
        *value = (index * index / 7) as u8;
    }
    let mut encoder = eyelid_picture::Encoder::default();
    encoder.encode_rgb(&rgb, 128, 128, 90).unwrap().to_vec()
}

fn is_detailed(frame: &eyelid_slot::Frame, grey: u8) -> bool {
    let (width, _, rgb) = check(&frame.jpeg);
    width == 128
        && rgb[128 * 100 * 3..]
            .iter()
            .all(|value| value.abs_diff(grey) < 8)
}

#[test]
fn the_newest_is_shown_first_with_its_own_time() {
    let folder = directory();
    write(&folder.path().join("z.jpg"), &jpeg(64, 48, 50), 300);
    write(&folder.path().join("a.JPG"), &jpeg(64, 48, 150), 200);
    write(&folder.path().join("c.txt"), b"text", 0);
    fs::create_dir(folder.path().join("d.jpg")).unwrap();
    let capture = start(folder.path(), &[]);
    let frame = capture.frame_where("the newest", |frame| shows(frame, 150));
    let modified = fs::metadata(folder.path().join("a.JPG"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(frame.captured, modified);
    let state = capture.wait_size();
    assert_eq!(
        (state.width, state.height, state.fps),
        (Some(64), Some(48), None)
    );
    fs::remove_file(capture.slot.join("current.jpg")).unwrap();
    capture.wait_frame();
}

#[test]
fn every_way_to_write_is_seen() {
    let (folder, outside) = (directory(), directory());
    let file = |name: &str| folder.path().join(name);
    let capture = start(folder.path(), &[]);
    let seen = |grey: u8, way: &str| {
        capture.frame_where(way, |frame| shows(frame, grey));
    };
    fs::write(file("one.jpg"), jpeg(64, 48, 20)).unwrap();
    seen(20, "created");
    let mut open = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(file("one.jpg"))
        .unwrap();
    open.write_all(&jpeg(64, 48, 40)).unwrap();
    seen(40, "modified, and not closed");
    fs::write(file(".two.part"), jpeg(64, 48, 60)).unwrap();
    fs::rename(file(".two.part"), file("two.jpeg")).unwrap();
    seen(60, "renamed");
    fs::write(file("tmp"), jpeg(64, 48, 80)).unwrap();
    fs::rename(file("tmp"), file("one.jpg")).unwrap();
    seen(80, "renamed over");
    write(&outside.path().join("old.jpg"), &jpeg(64, 48, 100), 1000);
    fs::rename(outside.path().join("old.jpg"), file("moved.jpg")).unwrap();
    seen(100, "moved here with an old time");
    fs::write(outside.path().join("linked.jpg"), jpeg(64, 48, 120)).unwrap();
    fs::hard_link(outside.path().join("linked.jpg"), file("linked.jpg")).unwrap();
    seen(120, "linked");
}

#[test]
fn a_half_written_picture_is_shown_once_it_is_whole() {
    let folder = directory();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("first.jpg"), jpeg(64, 48, 30)).unwrap();
    let capture = start(folder.path(), &[]);
    capture.frame_where("the first", |frame| shows(frame, 30));
    let whole = detailed(90);
    let mut open = File::create(file("second.jpg")).unwrap();
    for piece in whole.chunks(whole.len() / 20) {
        open.write_all(piece).unwrap();
        open.flush().unwrap();
        let frame = capture.frame_where("a frame", |_| true);
        assert!(shows(&frame, 30) || is_detailed(&frame, 90));
        std::thread::sleep(Duration::from_millis(5));
    }
    capture.frame_where("the second", |frame| is_detailed(frame, 90));
    assert!(!capture.log().contains("skipped"), "{}", capture.log());
}

#[test]
fn a_truncated_picture_is_skipped_and_an_older_whole_one_shown() {
    let folder = directory();
    let file = |name: &str| folder.path().join(name);
    write(&file("old.jpg"), &jpeg(64, 48, 30), 100);
    let whole = detailed(90);
    write(&file("broken.jpg"), &whole[..whole.len() / 2], 50);
    write(&file("liar.png"), b"not a picture", 10);
    let capture = start(folder.path(), &[]);
    capture.frame_where("the old one", |frame| shows(frame, 30));
    capture.wait_log("liar.png");
    fs::write(file("broken.jpg"), &whole).unwrap();
    capture.frame_where("the repaired one", |frame| is_detailed(frame, 90));
    write(&file("new.jpg"), &whole[..whole.len() - 700], 0);
    eventually("giving it up", || {
        let frame = capture.frame_where("a frame", |_| true);
        assert!(is_detailed(&frame, 90), "nothing broken and nothing older");
        std::thread::sleep(Duration::from_millis(100));
        let since = SystemTime::now()
            .duration_since(fs::metadata(file("new.jpg")).unwrap().modified().unwrap());
        (since.unwrap() > Duration::from_secs(3)).then_some(())
    });
    fs::write(file("newest.jpg"), jpeg(64, 48, 200)).unwrap();
    capture.frame_where("the newest", |frame| shows(frame, 200));
}

#[test]
fn a_picture_that_would_fill_the_memory_is_refused_before_it_does() {
    for (name, bytes, size) in [
        ("wide.jpg", case!("jpeg-of-65535x65535"), "65535x65535"),
        (
            "fine.jpg",
            case!("jpeg-progressive-of-65535x65535"),
            "65535x65535",
        ),
        ("wide.png", case!("png-of-65535x65535"), "65535x65535"),
        (
            "endless.png",
            case!("png-of-2147483647x2147483647"),
            "2147483647x2147483647",
        ),
    ] {
        let folder = directory();
        write(&folder.path().join("old.jpg"), &jpeg(64, 48, 30), 100);
        let capture = start(folder.path(), &[]);
        capture.frame_where("the old one", |frame| shows(frame, 30));
        let before = capture.memory_peak_kb();
        fs::write(folder.path().join(name), bytes).unwrap();
        eventually("its refusal", || {
            // Only a wish makes it look.
            capture.frame_where("the old one", |frame| shows(frame, 30));
            let refusal = format!("{name}\" skipped: {size} are more than 64 megapixels");
            capture.log().contains(&refusal).then_some(())
        });
        let grown = capture.memory_peak_kb() - before;
        assert!(grown < 16 << 10, "{name} took {grown} KiB");
    }
}

#[test]
fn what_is_transparent_in_a_png_shows_black() {
    let folder = directory();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 64, 64);
    encoder.set_color(png::ColorType::Rgba);
    let mut writer = encoder.write_header().unwrap();
    let pixels: Vec<u8> = (0..64 * 64)
        .flat_map(|index| {
            if index < 64 * 32 {
                [200, 200, 200, 255]
            } else {
                [200, 200, 200, 0]
            }
        })
        .collect();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    fs::write(folder.path().join("Picture.PNG"), bytes).unwrap();
    let capture = start(folder.path(), &[]);
    let frame = capture.frame_where("a frame", |_| true);
    let (_, _, rgb) = check(&frame.jpeg);
    assert!(rgb[..64 * 24 * 3].iter().all(|v| v.abs_diff(200) < 8));
    assert!(rgb[64 * 40 * 3..].iter().all(|v| *v < 8));
}

#[test]
fn a_picture_is_turned_as_its_exif_says_and_as_asked_for() {
    let folder = directory();
    // Orientation 6 (turn right), then --rotate 90: upside down.
    let exif =
        b"\xFF\xE1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let mut rgb = vec![20; 64 * 48 * 3];
    rgb[64 * 24 * 3..].fill(220);
    let mut encoder = eyelid_picture::Encoder::default();
    let plain = encoder.encode_rgb(&rgb, 64, 48, 90).unwrap();
    let picture = [&plain[..2], exif, &plain[2..]].concat();
    fs::write(folder.path().join("a.jpg"), picture).unwrap();
    for (rotate, size, top) in [
        ("90", (64, 48), 220),
        ("0", (48, 64), 20),
        ("270", (64, 48), 20),
    ] {
        let capture = start(folder.path(), &["--rotate", rotate]);
        let frame = capture.frame_where("a frame", |_| true);
        let (width, height, rgb) = check(&frame.jpeg);
        assert_eq!((width, height), size);
        // Turned by a quarter only, light and dark lie side by side: light left.
        let corner = if rotate == "0" {
            rgb[(width as usize - 1) * 3]
        } else {
            rgb[0]
        };
        assert!(corner.abs_diff(top) < 20, "{rotate}: {corner}");
    }
}

#[test]
fn old_pictures_are_deleted_but_not_the_newest_and_nothing_else() {
    let folder = directory();
    let file = |name: &str| folder.path().join(name);
    for name in ["a.JPG", "b.jpeg", "c.png", "notes.txt", "d.jpg"] {
        let age = if name == "d.jpg" { 3000 } else { 3600 };
        write(&file(name), &jpeg(64, 48, 70), age);
    }
    fs::create_dir(file("deeper.jpg")).unwrap();
    let capture = start(folder.path(), &["--delete-older-than", "10s"]);
    capture.frame_where("the newest", |frame| shows(frame, 70));
    eventually("deletion", || {
        (names(folder.path()).len() == 3).then_some(())
    });
    assert_eq!(names(folder.path()), ["d.jpg", "deeper.jpg", "notes.txt"]);
    write(&file("e.jpg"), &jpeg(64, 48, 90), 2000);
    capture.frame_where("the new one", |frame| shows(frame, 90));
    eventually("deletion while awake", || {
        let _ = capture.frame_where("a frame", |_| true);
        (!file("d.jpg").exists()).then_some(())
    });
    assert_eq!(names(folder.path()), ["deeper.jpg", "e.jpg", "notes.txt"]);
}

#[test]
fn a_folder_that_goes_is_a_failure_until_it_returns() {
    let home: TempDir = directory();
    let folder = home.path().join("pictures");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.jpg"), jpeg(64, 48, 30)).unwrap();
    let mut capture = start(&folder, &[]);
    capture.frame_where("a frame", |frame| shows(frame, 30));
    fs::remove_dir_all(&folder).unwrap();
    let state = capture.wait_phase(Phase::Failed);
    assert!(state.error.unwrap().contains("pictures"));
    capture.wait_log("camera failed: folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("b.jpg"), jpeg(64, 48, 200)).unwrap();
    capture.frame_where("a frame after its return", |frame| shows(frame, 200));
    assert_eq!(capture.wait_phase(Phase::Awake).error, None);
    assert!(capture.running());
}

#[test]
fn asleep_it_does_not_watch_and_awake_it_finds_the_newest() {
    let folder = directory();
    fs::write(folder.path().join("a.jpg"), jpeg(64, 48, 30)).unwrap();
    let capture = start(folder.path(), &["--linger", "200ms"]);
    capture.wait_frame();
    capture.wait_phase(Phase::Asleep);
    let before = capture.wait_silence();
    for grey in [100, 150, 200] {
        fs::write(folder.path().join("b.jpg"), jpeg(64, 48, grey)).unwrap();
    }
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!((capture.wake_ups(), capture.worked_ticks()), before);
    capture.frame_where("the newest", |frame| shows(frame, 200));
}

#[test]
fn the_state_says_what_kind_of_jpeg_a_frame_is() {
    let folder = directory();
    for (jpeg, expected) in [
        (case!("jpeg-420"), "baseline-420"),
        (case!("jpeg-422-by-cjpeg"), "baseline-422"),
        (case!("jpeg-420-optimised"), "baseline-420-optimized"),
        (case!("jpeg-grey"), "baseline-grey"),
        (case!("jpeg-progressive"), "progressive-420"),
        (case!("jpeg-ycck"), "baseline-420"),
        (case!("png-rgb"), "baseline-420"),
    ] {
        fs::write(folder.path().join("a.jpg"), jpeg).unwrap();
        let capture = start(folder.path(), &[]);
        assert_eq!(capture.wait_size().jpeg.as_deref(), Some(expected));
    }
}

#[test]
fn kinds_that_alternate_are_not_told_with_each_frame() {
    let folder = directory();
    let capture = start(folder.path(), &[]);
    let inode = || {
        fs::metadata(capture.slot.join("state.json"))
            .ok()
            .map(|m| m.ino())
    };
    let jpegs = [case!("jpeg-420"), case!("jpeg-420-optimised")];
    let mut mixed = None;
    for jpeg in jpegs.iter().cycle().take(12) {
        fs::write(folder.path().join("a.jpg"), jpeg).unwrap();
        let written = fs::metadata(folder.path().join("a.jpg"))
            .unwrap()
            .modified();
        let written = written.unwrap();
        eventually("the frame", || {
            let _ = eyelid_slot::Reader::new(&capture.slot).wish();
            capture.captured().filter(|captured| *captured == written)
        });
        if let Some(state) = capture
            .state()
            .filter(|s| s.jpeg.as_deref() == Some("mixed"))
        {
            assert!(state.waiting.is_none(), "{state:?}");
            assert_eq!(*mixed.get_or_insert_with(inode), inode(), "written anew");
        }
    }
    assert!(mixed.is_some());
}

#[test]
fn the_state_says_why_a_folder_gives_no_frame() {
    let folder = directory();
    let file = |name: &str| folder.path().join(name);
    let capture = start(folder.path(), &[]);
    capture.wait_waiting("no picture in folder");
    // Older than the next: two files of one tick of the kernel's clock have no order.
    write(&file("text"), b"no picture", 10);
    fs::rename(file("text"), file("text.jpg")).unwrap();
    capture.wait_waiting("text.jpg\": neither JPEG nor PNG");
    fs::write(file("deep.jpg"), case!("jpeg-12-bits")).unwrap();
    capture.wait_waiting("deep.jpg\": JPEG with other than 8 bits a sample, which");
    fs::write(file("good.jpg"), jpeg(64, 48, 50)).unwrap();
    capture.frame_where("the good one", |frame| shows(frame, 50));
    capture.wait_waiting("no new picture in folder");
    fs::write(file("next.jpg"), jpeg(64, 48, 90)).unwrap();
    capture.frame_where("the next one", |frame| shows(frame, 90));
    eventually("an answer to the wish", || {
        (capture.state()?.waiting.is_none()).then_some(())
    });
}
