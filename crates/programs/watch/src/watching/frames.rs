//! The pictures of the camera that is watched: small ones to look at for movement, and the frame
//! itself when there is something to be asked or told.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use eyelid_consumer::{Cameras, Deadline, Freshness, NoFrame, Position, View, Wanted};
use eyelid_slot::{CameraName, Rendition};
use tokio::time::sleep_until;

use super::following::Following;
use crate::earlier::Earlier;
use crate::settings::CameraSettings;

/// How long a frame is waited for before that is known to have failed, and how old one may be: as
/// the server has them where nothing is said.
const DEADLINE: Deadline = Deadline {
    timeout: Duration::from_secs(4),
    max_age: Duration::from_secs(2),
};

/// How long the frame itself is waited for when a small one of it has come: nothing is looked at
/// meanwhile.
const WHOLE_DEADLINE: Deadline = Deadline {
    timeout: Duration::from_secs(1),
    max_age: Duration::from_secs(2),
};

/// A picture of the camera.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) jpeg: Bytes,
    pub(crate) captured: SystemTime,
    /// Which rendition it is; `None` is the frame.
    pub(crate) rendition: Option<Rendition>,
    /// What a model was shown beside it.
    pub(crate) earlier: Vec<Earlier>,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum NoPicture {
    /// The camera gives none.
    NoFrame(NoFrame),
    /// Nothing can be heard of the slot.
    Slot(std::io::Error),
}

/// Where pictures come from.
pub(crate) enum Frames {
    /// They are wished for: the camera is awake.
    Wished(Box<Wished>),
    /// Others wish for them.
    Followed(Box<Following>),
}

/// What a camera is looked at by, as its settings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookedAt {
    /// A small picture of it, that is wished for.
    Wished(Rendition),
    /// What others wish for.
    Followed,
}

/// What is wished for.
pub(crate) struct Wished {
    cameras: Rc<Cameras>,
    name: CameraName,
    view: View,
    last: Position,
}

impl Frames {
    /// Looks at a camera; it wakes with the first picture that is waited for.
    pub(crate) fn wished(
        cameras: &Rc<Cameras>,
        name: &CameraName,
        rendition: Rendition,
    ) -> Option<Self> {
        Self::looking(cameras, name, Some(rendition))
    }

    /// Looks at the frame itself.
    pub(crate) fn whole_of(cameras: &Rc<Cameras>, name: &CameraName) -> Option<Self> {
        Self::looking(cameras, name, None)
    }

    fn looking(
        cameras: &Rc<Cameras>,
        name: &CameraName,
        rendition: Option<Rendition>,
    ) -> Option<Self> {
        let view = cameras.view(cameras.camera(name)?, None);
        if let Some(rendition) = rendition {
            view.want(Wanted::Rendition(rendition));
        }
        Some(Self::Wished(Box::new(Wished {
            cameras: cameras.clone(),
            name: name.clone(),
            view,
            last: Position::default(),
        })))
    }

    /// Waits for the next picture to look at, of those that come when it is due.
    ///
    /// # Errors
    /// See [`NoPicture`].
    pub(crate) async fn next(&mut self, due: Instant) -> Result<Picture, NoPicture> {
        match self {
            Self::Wished(wished) => wished.next(due).await,
            Self::Followed(following) => following.next(due).await.map_err(NoPicture::Slot),
        }
    }

    /// Waits for the frame itself, captured at that moment or later; nothing where the camera is
    /// only followed, or gives none in time.
    pub(crate) async fn whole(&self, since: SystemTime) -> Option<Picture> {
        let Self::Wished(wished) = self else {
            return None;
        };
        let view = (wished.cameras).view(wished.cameras.camera(&wished.name)?, None);
        let freshness = Freshness::CapturedSince(since);
        let frame = view.frame(freshness, WHOLE_DEADLINE).await.ok()?;
        Some(Picture {
            jpeg: frame.jpeg.clone(),
            captured: frame.captured,
            rendition: None,
            earlier: Vec::new(),
        })
    }
}

impl LookedAt {
    /// What the settings say. A model that is asked in words is shown what was looked at before,
    /// and needs more of it than movement does.
    pub(crate) fn of(camera: &CameraSettings) -> Self {
        if camera.follow && camera.slot.is_some() {
            return Self::Followed;
        }
        let is_asked = camera.rules.iter().any(|rule| rule.judge.is_in_words());
        Self::Wished(if is_asked {
            Rendition::Half
        } else {
            Rendition::Quarter
        })
    }
}

impl Wished {
    async fn next(&mut self, due: Instant) -> Result<Picture, NoPicture> {
        sleep_until(due.into()).await;
        let freshness = Freshness::NewerThan(self.last);
        let frame = self.view.frame(freshness, DEADLINE).await;
        let frame = frame.map_err(NoPicture::NoFrame)?;
        self.last = frame.position();
        Ok(Picture {
            jpeg: frame.jpeg.clone(),
            captured: frame.captured,
            rendition: frame.rendition,
            earlier: Vec::new(),
        })
    }
}

impl fmt::Display for NoPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFrame(reason) => reason.fmt(f),
            Self::Slot(reason) => write!(f, "cannot hear of the slot: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::RuleSettings;

    #[test]
    fn the_first_rule_in_words_has_larger_pictures_looked_at() {
        let mut camera = CameraSettings {
            slot: Some("/run/eyelid/door".into()),
            ..CameraSettings::of("door")
        };
        let quarter = LookedAt::Wished(Rendition::Quarter);
        assert_eq!(LookedAt::of(&camera), quarter);
        let words = "a parcel".parse().unwrap();
        camera
            .rules
            .push(RuleSettings::words("parcel".to_owned(), words, Vec::new()));
        assert_eq!(LookedAt::of(&camera), LookedAt::Wished(Rendition::Half));
        camera.follow = true;
        assert_eq!(LookedAt::of(&camera), LookedAt::Followed);
    }
}
