//! How a picture is turned for what the options ask for.

use eyelid_config::{Flip, Rotation};
use eyelid_jpeg::Turn;

/// What a user asks for: a mirror, and then a rotation.
pub(crate) fn wished(flip: Option<Flip>, rotation: Rotation) -> Turn {
    let flipped = match flip {
        None => Turn::NONE,
        Some(Flip::Horizontal) => Turn::MIRRORED,
        Some(Flip::Vertical) => Turn::MIRRORED.followed_by(Turn::HALF),
    };
    flipped.followed_by(match rotation {
        Rotation::None => Turn::NONE,
        Rotation::Right => Turn::RIGHT,
        Rotation::Half => Turn::HALF,
        Rotation::Left => Turn::LEFT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_before_it_rotates() {
        for (flip, rotation, exif) in [
            (None, Rotation::None, 1),
            (None, Rotation::Right, 6),
            (None, Rotation::Half, 3),
            (None, Rotation::Left, 8),
            (Some(Flip::Horizontal), Rotation::None, 2),
            (Some(Flip::Vertical), Rotation::None, 4),
            (Some(Flip::Vertical), Rotation::Right, 5),
            (Some(Flip::Horizontal), Rotation::Right, 7),
        ] {
            let expected = Turn::from_exif(exif);
            assert_eq!(wished(flip, rotation), expected, "{flip:?} {rotation:?}");
        }
    }
}
