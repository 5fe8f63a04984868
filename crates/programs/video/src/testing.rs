//! What tests of several modules need: a runtime, a camera's name, pictures.

use std::time::{Duration, SystemTime};

use eyelid_slot::CameraName;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use crate::coded::Coded;

/// How long a test may take before it counts as hung.
const HUNG: Duration = Duration::from_secs(20);

/// Parameter sets of x264 for 64x48, baseline, level 1.0.
pub(crate) const SETS: &[u8] = &[
    0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x0A, 0xDA, 0x11, 0xEC, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40,
    0x00, 0x00, 0x0F, 0x03, 0xC4, 0x89, 0xA8, 0, 0, 0, 1, 0x68, 0xCE, 0x0F, 0xC8,
];

/// When the first picture of a test was captured, since 1970.
pub(crate) const START: Duration = Duration::from_secs(1_700_000_000);

/// A picture that was captured so long after the first: parameter sets, if it is a keyframe, and a
/// slice of these bytes.
pub(crate) fn coded_of(is_key: bool, number: u64, at_ms: u64, slice: &[u8]) -> Coded {
    let mut annex_b = if is_key { SETS.to_vec() } else { Vec::new() };
    annex_b.extend([0, 0, 0, 1, if is_key { 0x65 } else { 0x41 }]);
    annex_b.extend(slice);
    let captured = SystemTime::UNIX_EPOCH + START + Duration::from_millis(at_ms);
    Coded::new(annex_b, is_key, captured, number)
}

/// A small one.
pub(crate) fn coded(is_key: bool, number: u64, at_ms: u64) -> Coded {
    coded_of(is_key, number, at_ms, &[9, 8, 7])
}

/// A camera.
pub(crate) fn door() -> CameraName {
    "door".parse().unwrap()
}

/// Runs with a runtime of one thread, as the program does.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let within = async { timeout(HUNG, test).await.expect("it hangs") };
    LocalSet::new().block_on(&runtime, within);
}

/// Waits until something is so.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        sleep(Duration::from_millis(1)).await;
    }
}
