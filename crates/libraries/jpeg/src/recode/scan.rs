//! What a scan's header says (ITU-T T.81, B.2.3), and which blocks come in which order.

use super::RecodeError;
use super::layout::Layout;

/// A unit of several components has no more blocks (B.2.3).
pub(super) const MOST_BLOCKS_A_UNIT: usize = 10;

/// A scan, and its data between restart markers.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    /// In their order in each unit.
    pub(super) components: Vec<ScanComponent>,
    /// The first and the last coefficient of each block.
    pub(super) first: usize,
    pub(super) last: usize,
    /// Of each coefficient the bits from `low_bit` on are known after this scan, and those from
    /// `known_bit` on, if that is not 0, before it.
    pub(super) low_bit: u32,
    pub(super) known_bit: u32,
    /// Units across and down.
    pub(super) units_across: usize,
    pub(super) units_down: usize,
    /// The blocks of a unit.
    pub(super) blocks: Vec<UnitBlock>,
    /// The data of this many units each, but for the last.
    pub(super) stretches: Vec<&'a [u8]>,
    pub(super) units_a_stretch: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ScanComponent {
    /// Which of the layout's.
    pub(super) index: usize,
    /// The numbers of its tables.
    pub(super) dc: usize,
    pub(super) ac: usize,
    /// Its blocks in a unit, across and down.
    pub(super) across: usize,
    pub(super) down: usize,
}

/// A block of each unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitBlock {
    /// Which of the scan's components.
    pub(super) place: usize,
    /// Where it is among the component's blocks of this unit.
    pub(super) across: usize,
    pub(super) down: usize,
}

impl<'a> Scan<'a> {
    /// Reads the payload of an SOS segment; `data` lies behind it.
    pub(super) fn of(
        payload: &[u8],
        data: &'a [u8],
        layout: &Layout,
        restart_interval: u16,
    ) -> Result<Self, RecodeError> {
        let (count, rest) = payload.split_first().ok_or(RecodeError::Head)?;
        let parts = rest.split_at_checked(usize::from(*count) * 2);
        let (named, &[first, last, bits, ..]) = parts.ok_or(RecodeError::Head)? else {
            return Err(RecodeError::Head);
        };
        let components = components(named, layout)?;
        // A scan of one component has its blocks row by row, and none that fill up (A.2.2).
        let (units_across, units_down) = match components[..] {
            [] => return Err(RecodeError::Head),
            [ScanComponent { index, .. }] => {
                let component = &layout.components[index];
                (component.blocks_across, component.blocks_down)
            }
            _ => (layout.units_across, layout.units_down),
        };
        let blocks: Vec<UnitBlock> = (0..).zip(&components).flat_map(unit_blocks).collect();
        if last > 63 || first > last || blocks.len() > MOST_BLOCKS_A_UNIT {
            return Err(RecodeError::Head);
        }
        let units = units_across * units_down;
        let units_a_stretch = match restart_interval {
            0 => units,
            interval => usize::from(interval),
        };
        Ok(Self {
            components,
            first: usize::from(first),
            last: usize::from(last),
            low_bit: u32::from(bits & 15),
            known_bit: u32::from(bits >> 4),
            units_across,
            units_down,
            blocks,
            stretches: stretches(data, units.div_ceil(units_a_stretch))?,
            units_a_stretch,
        })
    }
}

fn components(named: &[u8], layout: &Layout) -> Result<Vec<ScanComponent>, RecodeError> {
    let (pairs, _) = named.as_chunks::<2>();
    let mut found: Vec<ScanComponent> = Vec::with_capacity(pairs.len());
    for [name, tables] in pairs {
        let index = layout.components.iter().position(|it| it.name == *name);
        let index = index.ok_or(RecodeError::Head)?;
        if found.iter().any(|other| other.index == index) {
            return Err(RecodeError::Head);
        }
        // Alone, a component has units of one block, whatever its factors are.
        let (across, down) = match pairs.len() {
            1 => (1, 1),
            _ => (
                layout.components[index].across,
                layout.components[index].down,
            ),
        };
        found.push(ScanComponent {
            index,
            dc: usize::from(tables >> 4),
            ac: usize::from(tables & 15),
            across,
            down,
        });
    }
    Ok(found)
}

fn unit_blocks(
    (place, component): (usize, &ScanComponent),
) -> impl Iterator<Item = UnitBlock> + use<> {
    let (columns, rows) = (component.across, component.down);
    (0..rows).flat_map(move |down| {
        (0..columns).map(move |across| UnitBlock {
            place,
            across,
            down,
        })
    })
}

/// Takes data apart at their restart markers, of which there have to be as many as this makes
/// necessary.
fn stretches(data: &[u8], expected: usize) -> Result<Vec<&[u8]>, RecodeError> {
    let mut found = vec![];
    let mut start = 0;
    for at in memchr::memchr_iter(0xFF, data) {
        let Some(&code @ 0xD0..=0xD7) = data.get(at + 1) else {
            continue;
        };
        if usize::from(code & 7) != found.len() % 8 {
            return Err(RecodeError::Broken("a restart marker out of order"));
        }
        found.push(&data[start..at]);
        start = at + 2;
    }
    // Some encoders also write one behind the last unit.
    if found.len() != expected || start < data.len() {
        found.push(&data[start..]);
    }
    if found.len() != expected {
        return Err(RecodeError::Broken(
            "more or fewer restart markers than it says",
        ));
    }
    Ok(found)
}
