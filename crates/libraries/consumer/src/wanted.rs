//! Which of the files of an exposure a client wants, and which of those on offer that is.

use eyelid_slot::{Rendition, State};

/// What a client wants to see of an exposure. Where that is not on offer it is the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The frame as configured.
    #[default]
    Frame,
    /// A rendition.
    Rendition(Rendition),
    /// The smallest picture that is so wide: a quarter, a half, the frame, and what is the
    /// `largest`. Never [`Rendition::Low`], which is as wide as the frame and only less sharp.
    AtLeastWide {
        /// Width in pixels.
        width: u32,
        /// The largest picture that may be chosen.
        largest: Largest,
    },
}

/// The largest picture that may be chosen by its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Largest {
    /// The frame: a camera that must be set up anew for each still picture is no stream.
    Frame,
    /// The largest still picture.
    Full,
}

impl Wanted {
    /// The rendition that this is, of those that a producer in this `state` offers; `None` is the
    /// frame.
    pub(crate) fn rendition(self, state: Option<&State>) -> Option<Rendition> {
        match self {
            Self::Frame => None,
            Self::Rendition(rendition) => state?.rendition(rendition).map(|_| rendition),
            Self::AtLeastWide { width, largest } => at_least_wide(state?, width, largest),
        }
    }
}

fn at_least_wide(state: &State, width: u32, largest: Largest) -> Option<Rendition> {
    let is_wide = |rendition| size_of(state, rendition).is_some_and(|(own, _)| own >= width);
    if let Some(smaller) = [Rendition::Quarter, Rendition::Half]
        .into_iter()
        .find(|rendition| state.rendition(*rendition).is_some() && is_wide(Some(*rendition)))
    {
        return Some(smaller);
    }
    let (frame_width, _) = size_of(state, None)?;
    let full = state.rendition(Rendition::Full)?;
    // Before the first one nobody knows how wide it is.
    let is_wide = full.width.is_none_or(|own| own >= width);
    (largest == Largest::Full && frame_width < width && is_wide).then_some(Rendition::Full)
}

/// Width and height in pixels of a rendition, or of the frame, as far as the producer says; from
/// those of the frame where that has come and the rendition has not.
pub(crate) fn size_of(state: &State, rendition: Option<Rendition>) -> Option<(u32, u32)> {
    let frame = || Some((state.width?, state.height?));
    let Some(rendition) = rendition else {
        return frame();
    };
    let size = state.rendition(rendition)?;
    if let (Some(width), Some(height)) = (size.width, size.height) {
        return Some((width, height));
    }
    let divided_by = |divisor: u32| {
        frame().map(|(width, height)| (width.div_ceil(divisor), height.div_ceil(divisor)))
    };
    match rendition {
        Rendition::Low | Rendition::Y4m => frame(),
        Rendition::Half => divided_by(2),
        Rendition::Quarter => divided_by(4),
        Rendition::Full => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    use eyelid_slot::{Phase, RenditionSize};

    /// A producer of this frame, which offers these renditions.
    fn offers(frame: Option<(u32, u32)>, offered: &[(Rendition, Option<(u32, u32)>)]) -> State {
        let renditions = offered.iter().map(|(rendition, size)| {
            let size = RenditionSize {
                width: size.map(|(width, _)| width),
                height: size.map(|(_, height)| height),
                ..RenditionSize::default()
            };
            (rendition.name().to_owned(), size)
        });
        State {
            width: frame.map(|(width, _)| width),
            height: frame.map(|(_, height)| height),
            renditions: renditions.collect(),
            ..State::new(Phase::Awake, SystemTime::now())
        }
    }

    #[test]
    fn what_is_not_offered_is_the_frame() {
        let half = Wanted::Rendition(Rendition::Half);
        let offered = offers(None, &[(Rendition::Half, None)]);
        assert_eq!(half.rendition(Some(&offered)), Some(Rendition::Half));
        assert_eq!(half.rendition(Some(&offers(None, &[]))), None);
        assert_eq!(half.rendition(None), None);
        assert_eq!(Wanted::Frame.rendition(Some(&offered)), None);
    }

    #[test]
    fn the_smallest_that_is_wide_enough_is_taken() {
        const NONE: Option<(u32, u32)> = None;
        let frame = Some((1920, 1080));
        let all = [
            (Rendition::Low, frame),
            (Rendition::Half, NONE),
            (Rendition::Quarter, Some((480, 270))),
            (Rendition::Full, Some((4608, 2592))),
        ];
        let state = offers(frame, &all);
        for (width, expected) in [
            (1, Some(Rendition::Quarter)),
            (480, Some(Rendition::Quarter)),
            (481, Some(Rendition::Half)),
            (960, Some(Rendition::Half)),
            (961, None),
            (1920, None),
            (1921, Some(Rendition::Full)),
            (4608, Some(Rendition::Full)),
            (4609, None),
        ] {
            let wanted = |largest| Wanted::AtLeastWide { width, largest };
            let full = wanted(Largest::Full).rendition(Some(&state));
            assert_eq!(full, expected, "{width}");
            let stream = wanted(Largest::Frame).rendition(Some(&state));
            let expected = expected.filter(|rendition| *rendition != Rendition::Full);
            assert_eq!(stream, expected, "{width}, of a stream");
        }
        let (width, largest) = (3000, Largest::Full);
        let wanted = Wanted::AtLeastWide { width, largest };
        let offered = [(Rendition::Full, NONE)];
        let unknown = offers(frame, &offered);
        assert_eq!(wanted.rendition(Some(&unknown)), Some(Rendition::Full));
        // The frame may be wide enough.
        assert_eq!(wanted.rendition(Some(&offers(NONE, &offered))), None);
    }

    #[test]
    fn sizes_that_are_not_said_follow_from_the_frames() {
        let all = Rendition::ALL.map(|rendition| (rendition, None));
        let state = offers(Some((1921, 1080)), &all);
        let size = |rendition| size_of(&state, Some(rendition));
        assert_eq!(size(Rendition::Low), Some((1921, 1080)));
        assert_eq!(size(Rendition::Half), Some((961, 540)));
        assert_eq!(size(Rendition::Quarter), Some((481, 270)));
        assert_eq!(size(Rendition::Full), None);
        assert_eq!(size_of(&state, None), Some((1921, 1080)));
        assert_eq!(size_of(&offers(None, &all), Some(Rendition::Half)), None);
    }
}
