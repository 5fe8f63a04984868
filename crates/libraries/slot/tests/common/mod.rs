//! What the tests of slots have in common.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use eyelid_slot::Publisher;
use tempfile::TempDir;

/// How long anything may take before it counts as hung.
pub(crate) const HUNG: Duration = Duration::from_secs(20);

/// A tmpfs where there is one: the slot's usual home, and fast.
pub(crate) fn slot() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    }
    .unwrap()
}

/// Says whether the next frame is wanted, after all that has happened.
pub(crate) fn wished(publisher: &Publisher) -> bool {
    let now = Instant::now();
    publisher.take_in(now).unwrap();
    publisher.wished(now)
}

/// Has the kernel drop events: opens and closes of a file that is watched, of which no two in a row
/// are the same, fill the queue.
pub(crate) fn overflow(file: &Path) {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let events: usize = limit.trim().parse().unwrap();
    for _ in 0..=events / 2 {
        drop(File::open(file).unwrap());
    }
}
