//! What the camera is made to do by one client that wants few frames, and how old they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use eyelid_slot::FRAME_FILE;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::process::{Cores, Programs, REST, pin_self};
use crate::sections::{SETTLING, Window, slots};
use crate::viewers::{Viewers, Watch};

const TIME: Duration = Duration::from_secs(15);

pub(crate) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!(
        "| request | published per second | received per second | age p50 ms | age max ms | capture CPU % | server CPU % |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    pin_self(REST)?;
    for target in ["/stream?fps=1", "/stream?fps=5", "/stream"] {
        let slots = slots()?;
        let (server, address) = programs.server(slots.path(), Cores::All)?;
        let capture = programs.capture(slots.path(), &["--fps", "30"])?;
        let mut viewers = Viewers::connect(address, target, 1)?;
        viewers.watch(SETTLING * 2)?;
        let published = count_frames(slots.path())?;
        let before = published.load(Ordering::Relaxed);
        let window = Window::take(&mut viewers, TIME, &[&capture, &server])?;
        let published = published.load(Ordering::Relaxed) - before;
        println!(
            "| `GET {target}` | {:.2} | {:.2} | {:.1} | {:.1} | {:.2} | {:.2} |",
            published as f64 / TIME.as_secs_f64(),
            window.frames_per_s(),
            window.age_ms(50.0),
            window.age_ms(100.0),
            window.cpu[0].as_secs_f64() / TIME.as_secs_f64() * 100.0,
            window.cpu[1].as_secs_f64() / TIME.as_secs_f64() * 100.0,
        );
    }
    Ok(())
}

/// Counts renames in a slot from now on, without opening anything in it. The thread ends with the
/// slot.
pub(crate) fn count_frames(slot: &std::path::Path) -> anyhow::Result<Arc<AtomicU64>> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    inotify.add_watch(
        slot,
        AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE_SELF,
    )?;
    let count = Arc::new(AtomicU64::new(0));
    let counter = count.clone();
    thread::spawn(move || {
        while let Ok(events) = inotify.read_events() {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_DELETE_SELF) {
                    return;
                }
                if event.name.is_some_and(|name| name == FRAME_FILE) {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });
    Ok(count)
}
