//! Pictures in the camera's full resolution, of the test picture.

use std::time::{Duration, SystemTime};

use crate::harness::{Capture, check, eventually};
use eyelid_slot::{Held, Phase, Reader, Rendition};

fn full(capture: &Capture) -> Reader {
    Reader::of(&capture.slot, Some(Rendition::Full))
}

/// Wishes once for a full picture, and waits for it without asking again.
fn next_full(capture: &Capture) -> Held {
    let reader = full(capture);
    let before = eventually("an offer", || reader.captured());
    reader.wish().unwrap();
    eventually("a full picture after one wish", || {
        reader.captured().filter(|captured| *captured > before)
    });
    reader.read().unwrap()
}

#[test]
fn it_is_twice_as_large_taken_after_the_wish_and_frames_go_on() {
    let capture = Capture::start("test", &["--size", "160x120", "--rotate", "90"]);
    capture.wait_frame();
    let state = capture.wait_size();
    let told = &state.renditions["full"];
    assert_eq!((told.width, told.height), (Some(240), Some(320)));
    let asked = SystemTime::now();
    let picture = next_full(&capture).frame;
    let (width, height, _) = check(&picture.jpeg);
    assert_eq!((width, height), (240, 320));
    assert!(picture.captured >= asked, "taken before it was wished for");
    let newer = capture.next_frame(picture.captured);
    assert!(newer > picture.captured);
    let (width, height, _) = check(&Reader::new(&capture.slot).read().unwrap().frame.jpeg);
    assert_eq!((width, height), (120, 160));
    assert_eq!(capture.wait_phase(Phase::Awake).error, None);
    // The camera's change to the large size and back takes its time.
    let told = eventually("what it came to", || {
        let told = capture.state()?.more.get("full_pictures").cloned()?;
        (told["kept_ms"] != 0).then_some(told)
    });
    assert!(told["taken"].as_u64() >= Some(1), "{told}");
    assert!(told["kept_ms"].as_u64() >= Some(100), "{told}");
}

#[test]
fn a_wish_wakes_the_camera_and_nothing_is_taken_for_nobody() {
    let capture = Capture::start("test", &["--size", "160x120", "--linger", "200ms"]);
    capture.wait_frame();
    capture.wait_phase(Phase::Asleep);
    assert_eq!(full(&capture).captured(), Some(SystemTime::UNIX_EPOCH));
    let asked = SystemTime::now();
    let picture = next_full(&capture);
    assert!(picture.frame.captured >= asked);
    // The look at it was a wish, and is answered before the camera sleeps.
    eventually("the answer to the second look", || {
        full(&capture)
            .captured()
            .filter(|captured| *captured > picture.frame.captured)
    });
    capture.wait_phase(Phase::Asleep);
}

#[test]
fn who_never_has_enough_of_them_does_not_keep_others_from_frames() {
    let capture = Capture::start("test", &["--size", "160x120"]);
    capture.wait_frame();
    let (full, frames) = (full(&capture), Reader::new(&capture.slot));
    let start = SystemTime::now();
    let (mut pictures, mut seen) = (Vec::new(), Vec::new());
    while pictures.len() < 3 {
        // Both readers close what they have read at once.
        for (reader, moments) in [(&full, &mut pictures), (&frames, &mut seen)] {
            if let Ok(held) = reader.read()
                && held.frame.captured > start
                && moments.last() != Some(&held.frame.captured)
            {
                moments.push(held.frame.captured);
            }
        }
        assert!(start.elapsed().unwrap() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    // Two seconds at least from the end of one change to the next (source/still.rs), and 0.6 s
    // for the change.
    for pair in pictures.windows(2) {
        let apart = pair[1].duration_since(pair[0]).unwrap();
        assert!(apart >= Duration::from_millis(2500), "{apart:?}");
    }
    // Between any two pictures there were frames.
    for pair in pictures.windows(2) {
        let between = seen.iter().filter(|at| (pair[0]..pair[1]).contains(at));
        assert!(between.count() > 5, "{pictures:?} {seen:?}");
    }
}

#[test]
fn a_picture_that_would_be_too_large_to_draw_is_not_offered() {
    let capture = Capture::start("test", &["--size", "2100x2100", "--fps", "1"]);
    let state = capture.wait_size();
    let offered: Vec<_> = state.renditions.keys().map(String::as_str).collect();
    assert!(offered.contains(&"half") && !offered.contains(&"full"));
    assert_eq!(full(&capture).captured(), None);
}
