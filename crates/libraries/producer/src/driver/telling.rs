//! What a driver is told of its camera by others than its source, and says in the slot.

use std::time::Instant;

use eyelid_slot::Phase;

use super::Driver;
use crate::Source;

impl<S: Source> Driver<S> {
    /// Says more in the slot than all producers say: the value of a key of `state.json` that is
    /// none of theirs.
    pub fn tell(&mut self, key: &str, value: serde_json::Value) {
        if self.state().more.get(key) != Some(&value) {
            self.told.change().more.insert(key.to_owned(), value);
        }
    }

    /// Says in the slot of a camera that is asleep that it fails, of which others have told: it is
    /// tried when somebody looks.
    pub fn say_failed(&mut self, reason: &S::Error, now: Instant) {
        if self.machine.phase() == Phase::Asleep {
            self.machine.failed_asleep(now);
            self.told.change().error = Some(reason.to_string());
        }
    }

    /// Takes it that what made the camera fail is over: it is asleep until somebody looks.
    pub fn mend(&mut self) {
        self.machine.mended();
    }

    /// Says in the slot how many frames a second there are at most, of a source that has learnt it.
    pub fn tell_fps(&mut self, fps: Option<f64>) {
        self.told.set(|state| &mut state.fps, fps);
    }
}
