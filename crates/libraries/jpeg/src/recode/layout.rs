//! Where the blocks of a JPEG lie (ITU-T T.81, A.1 and A.2).

use std::collections::BTreeSet;

use super::RecodeError;
use crate::kind::JpegKind;
use crate::segments::Segment;
use crate::walk::Header;

/// How a picture is divided into units of all components, and these into blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// One to four.
    pub(super) components: Vec<Component>,
    /// How many units there are across and down.
    pub(super) units_across: usize,
    pub(super) units_down: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    /// By this, scans speak of it.
    pub(super) name: u8,
    /// Blocks of a unit, across and down.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Blocks of the picture itself, without those that fill up the last units.
    pub(super) blocks_across: usize,
    pub(super) blocks_down: usize,
}

impl Layout {
    /// Reads the frame header.
    pub(super) fn of(head: &[Segment<'_>], header: Header) -> Result<Self, RecodeError> {
        let components = JpegKind::frame_components(head).ok_or(RecodeError::Head)?;
        let factors = |it: &[u8; 3]| (usize::from(it[1] >> 4), usize::from(it[1] & 15));
        let are_known = components.iter().all(|it| {
            let (across, down) = factors(it);
            (1..=4).contains(&across) && (1..=4).contains(&down)
        });
        // Scans name them: two of the same name could not be told apart.
        let names: BTreeSet<u8> = components.iter().map(|it| it[0]).collect();
        let are_known = are_known && names.len() == components.len();
        if !are_known || !(1..=4).contains(&components.len()) {
            return Err(RecodeError::Head);
        }
        let most_across = components.iter().map(|it| factors(it).0).max().unwrap_or(1);
        let most_down = components.iter().map(|it| factors(it).1).max().unwrap_or(1);
        let (width, height) = (header.width as usize, header.height as usize);
        let component = |it: &[u8; 3]| {
            let (across, down) = factors(it);
            Component {
                name: it[0],
                across,
                down,
                blocks_across: (width * across).div_ceil(8 * most_across),
                blocks_down: (height * down).div_ceil(8 * most_down),
            }
        };
        Ok(Self {
            components: components.iter().map(component).collect(),
            units_across: width.div_ceil(8 * most_across),
            units_down: height.div_ceil(8 * most_down),
        })
    }
}
