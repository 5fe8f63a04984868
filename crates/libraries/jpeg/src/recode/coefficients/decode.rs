//! One block of one scan after another (ITU-T T.81, F.2.2 and G.2).

use super::super::RecodeError;
use super::super::bits::BitReader;
use super::super::code::{DecodeTable, DecodeTables};
use super::super::scan::Scan;
use super::Block;
use crate::kind::JpegProcess;

/// Coefficients of 8-bit pictures have no more bits (F.1.2.1), so neither is one known from higher
/// bits on.
const MOST_LOW_BITS: u32 = 13;

/// Decodes the blocks of a scan in their order.
pub(super) struct ScanDecoder<'a> {
    reader: BitReader<'a>,
    pass: Pass,
    first: usize,
    last: usize,
    low_bit: u32,
    /// Of each component of the scan: its tables, where the pass needs them.
    dc: Vec<Option<&'a DecodeTable>>,
    ac: Vec<Option<&'a DecodeTable>>,
    /// Of each component, the value of the last block.
    last_dc: [i32; 4],
    /// How many blocks more have no further coefficients.
    ended_blocks: u32,
}

/// What a scan has of each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// All.
    Sequential,
    /// The upper bits of the first coefficient.
    FirstDc,
    /// One more bit of it.
    RefineDc,
    /// The upper bits of others.
    FirstAc,
    /// One more bit of these.
    RefineAc,
}

impl Pass {
    fn of(scan: &Scan<'_>, process: JpegProcess) -> Result<Self, RecodeError> {
        let is_first = scan.known_bit == 0;
        let fits = scan.low_bit <= MOST_LOW_BITS && scan.known_bit <= MOST_LOW_BITS;
        match (scan.first, scan.last, process) {
            _ if !fits => Err(RecodeError::Head),
            (0, 0, JpegProcess::Progressive) if is_first => Ok(Self::FirstDc),
            (0, 0, JpegProcess::Progressive) => Ok(Self::RefineDc),
            (0, _, JpegProcess::Progressive) => Err(RecodeError::Head),
            (_, _, JpegProcess::Progressive) if scan.components.len() > 1 => Err(RecodeError::Head),
            (_, _, JpegProcess::Progressive) if is_first => Ok(Self::FirstAc),
            (_, _, JpegProcess::Progressive) => Ok(Self::RefineAc),
            (0, 63, _) if is_first && scan.low_bit == 0 => Ok(Self::Sequential),
            _ => Err(RecodeError::Head),
        }
    }

    fn needs_dc(self) -> bool {
        matches!(self, Self::Sequential | Self::FirstDc)
    }

    fn needs_ac(self) -> bool {
        matches!(self, Self::Sequential | Self::FirstAc | Self::RefineAc)
    }
}

impl<'a> ScanDecoder<'a> {
    pub(super) fn new(
        scan: &Scan<'a>,
        tables: &'a DecodeTables,
        process: JpegProcess,
    ) -> Result<Self, RecodeError> {
        let pass = Pass::of(scan, process)?;
        let (mut dc, mut ac) = (vec![], vec![]);
        for component in &scan.components {
            dc.push(
                pass.needs_dc()
                    .then(|| tables.dc(component.dc))
                    .transpose()?,
            );
            ac.push(
                pass.needs_ac()
                    .then(|| tables.ac(component.ac))
                    .transpose()?,
            );
        }
        Ok(Self {
            reader: BitReader::new(&[]),
            pass,
            first: scan.first,
            last: scan.last,
            low_bit: scan.low_bit,
            dc,
            ac,
            last_dc: [0; 4],
            ended_blocks: 0,
        })
    }

    /// Goes on with the data behind a restart marker.
    pub(super) fn restart(&mut self, data: &'a [u8]) {
        self.reader = BitReader::new(data);
        self.last_dc = [0; 4];
        self.ended_blocks = 0;
    }

    /// Looks whether the data were there.
    pub(super) fn check(&self) -> Result<(), RecodeError> {
        self.reader.check()
    }

    /// Decodes a block of this component of the scan.
    pub(super) fn block(&mut self, place: usize, block: &mut Block) -> Result<(), RecodeError> {
        self.reader.refill();
        match (self.pass, self.dc[place], self.ac[place]) {
            (Pass::Sequential, Some(dc), Some(ac)) => {
                self.first_dc(place, dc, block)?;
                self.sequential_ac(ac, block)
            }
            (Pass::FirstDc, Some(dc), _) => self.first_dc(place, dc, block),
            (Pass::FirstAc, _, Some(ac)) => self.first_ac(ac, block),
            (Pass::RefineAc, _, Some(ac)) => self.refine_ac(ac, block),
            _ => {
                let bit = self.reader.take(1) as i16;
                block[0] |= bit << self.low_bit;
                Ok(())
            }
        }
    }

    fn first_dc(
        &mut self,
        place: usize,
        table: &DecodeTable,
        block: &mut Block,
    ) -> Result<(), RecodeError> {
        let category = table.symbol(&mut self.reader)?;
        let difference = self.value(category)?;
        let value = self.last_dc[place] + difference;
        block[0] = i16::try_from(i64::from(value) << self.low_bit).map_err(|_| TOO_LARGE)?;
        self.last_dc[place] = value;
        Ok(())
    }

    fn sequential_ac(&mut self, table: &DecodeTable, block: &mut Block) -> Result<(), RecodeError> {
        let mut at = 1;
        while at < 64 {
            self.reader.refill();
            let symbol = table.symbol(&mut self.reader)?;
            match (symbol >> 4, symbol & 15) {
                (15, 0) => at += 16,
                (_, 0) => break,
                (zeros, category) => {
                    at += usize::from(zeros);
                    *block.get_mut(at).ok_or(TOO_FAR)? = self.value(category)? as i16;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn first_ac(&mut self, table: &DecodeTable, block: &mut Block) -> Result<(), RecodeError> {
        if self.ended_blocks > 0 {
            self.ended_blocks -= 1;
            return Ok(());
        }
        let mut at = self.first;
        while at <= self.last {
            self.reader.refill();
            let symbol = table.symbol(&mut self.reader)?;
            match (symbol >> 4, symbol & 15) {
                (15, 0) => at += 16,
                (run, 0) => {
                    // This block is one of them.
                    self.ended_blocks = self.run_of_blocks(run) - 1;
                    break;
                }
                (zeros, category) => {
                    at += usize::from(zeros);
                    let value = i64::from(self.value(category)?) << self.low_bit;
                    *block.get_mut(at).ok_or(TOO_FAR)? =
                        i16::try_from(value).map_err(|_| TOO_LARGE)?;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn refine_ac(&mut self, table: &DecodeTable, block: &mut Block) -> Result<(), RecodeError> {
        let mut at = self.first;
        while at <= self.last && self.ended_blocks == 0 {
            self.reader.refill();
            let symbol = table.symbol(&mut self.reader)?;
            let (zeros, value) = match (symbol >> 4, symbol & 15) {
                (15, 0) => (15, 0),
                (run, 0) => {
                    self.ended_blocks = self.run_of_blocks(run);
                    break;
                }
                (zeros, _) => {
                    let is_positive = self.reader.take(1) == 1;
                    (zeros, if is_positive { 1 } else { -1 } << self.low_bit)
                }
            };
            at = self.refine_until(at, usize::from(zeros), block);
            if at <= self.last {
                // A place of zero: nothing is lost if the value is one, too.
                block[at] |= value;
                at += 1;
            } else if value != 0 {
                return Err(TOO_FAR);
            }
        }
        if self.ended_blocks > 0 {
            self.refine_until(at, ALL_ZEROS, block);
            self.ended_blocks -= 1;
        }
        Ok(())
    }

    /// Reads a bit for each coefficient that is known already, from one on, up to the zero behind
    /// so many others. Gives that zero's place; it is beyond the last one if there is none.
    fn refine_until(&mut self, from: usize, zeros: usize, block: &mut Block) -> usize {
        let bit = 1 << self.low_bit;
        let mut zeros = zeros;
        let places = block.get_mut(from..=self.last).unwrap_or_default();
        for (number, coefficient) in places.iter_mut().enumerate() {
            if *coefficient == 0 {
                if zeros == 0 {
                    return from + number;
                }
                zeros -= 1;
                continue;
            }
            self.reader.refill();
            if self.reader.take(1) == 1 {
                let more = if *coefficient > 0 { bit } else { -bit };
                *coefficient = coefficient.saturating_add(more);
            }
        }
        self.last + 1
    }

    /// How many blocks end here (G.1.2.2).
    fn run_of_blocks(&mut self, run: u8) -> u32 {
        let run = u32::from(run);
        (1 << run) + self.reader.take(run)
    }

    /// The value of a category that the next bits say (F.2.2.1).
    fn value(&mut self, category: u8) -> Result<i32, RecodeError> {
        let category = u32::from(category);
        if category > 15 {
            return Err(TOO_LARGE);
        }
        let bits = self.reader.take(category).cast_signed();
        let is_negative = category > 0 && bits < 1 << (category - 1);
        Ok(if is_negative {
            bits - (1 << category) + 1
        } else {
            bits
        })
    }
}

/// More than a block has.
const ALL_ZEROS: usize = 64;

const TOO_FAR: RecodeError = RecodeError::Broken("a block of more than 64 coefficients");
const TOO_LARGE: RecodeError = RecodeError::Broken("a coefficient of more than 16 bits");
