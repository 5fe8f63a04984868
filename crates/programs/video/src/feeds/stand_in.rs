//! Feeds for tests: cameras without slots, and pictures that no encoder has made.

use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eyelid_slot::CameraName;

use super::{EncodeLimits, Feeds, MakeEncoder};
use crate::coded::Coded;

impl Feeds {
    /// Has these cameras, and pictures of [`Feeds::offer`] alone.
    pub(crate) fn stand_in(exists: impl Fn(&CameraName) -> bool + 'static) -> Self {
        let limits = EncodeLimits {
            most_bps: 2_500_000,
            gop: None,
        };
        let make: MakeEncoder = Arc::new(|_| unreachable!("nothing is encoded"));
        Self::of(None, move |name| exists(name).then_some(limits), make)
    }

    /// How many watch a camera.
    pub(crate) fn viewers(&self, camera: &CameraName) -> usize {
        let feed = self.feeds.borrow().get(camera).and_then(Weak::upgrade);
        feed.map_or(0, |feed| feed.viewers.borrow().len())
    }

    /// A picture of a camera, as if it had been encoded. Gives whether a keyframe is wanted next.
    pub(crate) fn offer(&self, camera: &CameraName, coded: Coded) -> bool {
        let feed = self.feeds.borrow().get(camera).and_then(Weak::upgrade);
        feed.is_some_and(|feed| {
            let now = Instant::now();
            feed.whole.shared.offer(&Rc::new(coded), now);
            let later = now + Duration::from_secs(1);
            feed.whole
                .shared
                .change(|policy| policy.order(later).is_key)
        })
    }
}
