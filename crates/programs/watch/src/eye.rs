//! The eye: what it sees of a JPEG, whoever asks.

use std::time::Duration;

use anyhow::Context;
use eyelid_config::Polygon;
use eyelid_jpeg::{LumaCells, LumaDecoder, PictureError};
use eyelid_motion::{Change, Look, Luma, Motion, Region, Zones};

use crate::settings::CameraSettings;

/// What is seen of one picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// What moves.
    pub(crate) moving: Vec<Region>,
    /// Whether something is there that may turn out to move.
    pub(crate) may_move: bool,
    /// What is not as it was in the picture before: what moves to and fro for long, too.
    pub(crate) stirring: Vec<Region>,
    /// What was left or taken, said once.
    pub(crate) changed: Vec<Change>,
    /// Whether what the view looks like is still being learned: nothing can be told then.
    pub(crate) is_learning: bool,
}

impl Seen {
    /// Says whether something moves.
    pub(crate) fn moves(&self) -> bool {
        !self.moving.is_empty()
    }

    /// How much of the picture moves, 0 to 1, as far as boxes say.
    pub(crate) fn moving_share(&self) -> f32 {
        let areas = self
            .moving
            .iter()
            .map(|region| region.width * region.height);
        areas.sum()
    }
}

/// The cells of one picture that look different, whatever the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DifferentCells {
    /// How many cells are in a row.
    pub(crate) width: usize,
    /// Row by row, whether a cell is one.
    pub(crate) different: Vec<bool>,
}

/// Looks at the pictures of one camera.
#[derive(Debug)]
pub(crate) struct Eye {
    decoder: LumaDecoder,
    motion: Motion,
    zones: Zones,
    /// Width and height in cells of the picture before.
    size: Option<(usize, usize)>,
}

impl Eye {
    /// Looks where the camera's settings say.
    ///
    /// # Errors
    /// More polygons than can be watched.
    pub(crate) fn new(camera: &CameraSettings) -> anyhow::Result<Self> {
        let zones = zones(camera)?;
        Ok(Self {
            decoder: LumaDecoder::default(),
            motion: Motion::new(zones.clone()),
            zones,
            size: None,
        })
    }

    /// Looks elsewhere from now on, if the settings say so.
    ///
    /// # Errors
    /// More polygons than can be watched.
    pub(crate) fn reconfigure(&mut self, camera: &CameraSettings) -> anyhow::Result<()> {
        let zones = zones(camera)?;
        if zones != self.zones {
            self.zones = zones;
            self.forget();
        }
        Ok(())
    }

    /// Looks at a picture of that moment, which never goes back.
    ///
    /// # Errors
    /// Why it cannot be decoded.
    pub(crate) fn look(&mut self, jpeg: &[u8], at: Duration) -> Result<Seen, PictureError> {
        let cells = self.decoder.decode(jpeg)?;
        self.size = Some((cells.width, cells.height));
        Ok(self.motion.look(&luma(cells), at).into())
    }

    /// Looks at a picture as [`Eye::look`] does, and gives the cells as well by which that is
    /// decided.
    ///
    /// # Errors
    /// Why it cannot be decoded.
    pub(crate) fn look_closely(
        &mut self,
        jpeg: &[u8],
        at: Duration,
    ) -> Result<(Seen, DifferentCells), PictureError> {
        let cells = self.decoder.decode(jpeg)?;
        self.size = Some((cells.width, cells.height));
        let look = self.motion.look(&luma(cells), at);
        let cells = DifferentCells {
            width: look.size.0,
            different: look.cells.to_vec(),
        };
        Ok((look.into(), cells))
    }

    /// Looks once more, at another picture of about the same moment, and forgets that it has: what
    /// is said once of a view is not said here. `None` where that has not as many cells as the last
    /// one, so that the view would have to be learned anew.
    ///
    /// # Errors
    /// Why it cannot be decoded.
    pub(crate) fn look_again(
        &mut self,
        jpeg: &[u8],
        at: Duration,
    ) -> Result<Option<Seen>, PictureError> {
        let cells = self.decoder.decode(jpeg)?;
        let is_comparable = self.size == Some((cells.width, cells.height));
        Ok(is_comparable.then(|| self.motion.clone().look(&luma(cells), at).into()))
    }

    /// The camera was not looked at for a while: what it sees is learned anew.
    pub(crate) fn forget(&mut self) {
        self.motion = Motion::new(self.zones.clone());
        self.size = None;
    }
}

fn luma(cells: LumaCells<'_>) -> Luma<'_> {
    Luma {
        width: cells.width,
        height: cells.height,
        samples: cells.samples,
    }
}

impl From<Look<'_>> for Seen {
    fn from(look: Look<'_>) -> Self {
        Self {
            moving: look.moving,
            may_move: look.may_move,
            stirring: look.stirring,
            changed: look.changed,
            is_learning: look.is_learning,
        }
    }
}

fn zones(camera: &CameraSettings) -> anyhow::Result<Zones> {
    let texts = |polygons: &[Polygon]| -> Vec<String> {
        polygons.iter().map(ToString::to_string).collect()
    };
    Zones::new(&texts(&camera.mask), &texts(&camera.area))
        .with_context(|| format!("camera {:?}: mask and area", camera.name.as_str()))
}
