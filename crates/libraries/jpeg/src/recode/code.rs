//! Huffman codes (ITU-T T.81, annex C): of a JPEG's own tables to read by, of the standard ones to
//! write by.

use super::RecodeError;
use super::bits::BitReader;
use crate::huffman::STANDARD_TABLES;
use crate::kind::add_huffman_tables;

/// Codes of so many bits are looked up at once; longer ones are rare.
const LOOKUP_BITS: u32 = 9;

/// From codes to symbols.
#[derive(Clone, Debug)]
pub(super) struct DecodeTable {
    /// By the next bits: how many of them are a code, and its symbol; 0 bits if it is longer.
    lookup: Box<[(u8, u8); 1 << LOOKUP_BITS]>,
    /// For each length, in 16 bits: the first code that is longer.
    limits: [u32; 17],
    /// For each length: what has to be added to a code to get its place among the symbols.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

/// The tables that a JPEG has defined so far, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct DecodeTables {
    dc: [Option<DecodeTable>; 4],
    ac: [Option<DecodeTable>; 4],
}

/// From symbols to codes; 0 bits where there is none.
#[derive(Clone, Debug)]
pub(super) struct EncodeTable([(u16, u8); 256]);

/// The standard tables of brightness and of colours.
#[derive(Clone, Debug)]
pub(super) struct StandardCodes {
    dc: [EncodeTable; 2],
    ac: [EncodeTable; 2],
}

impl StandardCodes {
    /// DC and AC codes of a scan's component; the first is the brightness.
    pub(super) fn of_component(&self, place: usize) -> [&EncodeTable; 2] {
        let kind = usize::from(place > 0);
        [&self.dc[kind], &self.ac[kind]]
    }
}

impl DecodeTable {
    /// Reads 16 counts and the symbols behind them. `None` where there are more codes than bits for
    /// them.
    pub(super) fn new(counts_and_symbols: &[u8]) -> Option<Self> {
        let (counts, symbols) = counts_and_symbols.split_first_chunk::<16>()?;
        let mut table = Self {
            lookup: Box::new([(0, 0); 1 << LOOKUP_BITS]),
            limits: [0; 17],
            offsets: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0_u32, 0_usize);
        for (length, count) in (1_u32..).zip(counts) {
            let first = place;
            table.offsets[length as usize] = first as i32 - code as i32;
            for symbol in symbols.get(first..first + usize::from(*count))? {
                table.fill(code, length, *symbol);
                code += 1;
                place += 1;
            }
            if code > 1 << length {
                return None;
            }
            table.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    fn fill(&mut self, code: u32, length: u32, symbol: u8) {
        if length <= LOOKUP_BITS {
            let start = (code << (LOOKUP_BITS - length)) as usize;
            let end = start + (1 << (LOOKUP_BITS - length));
            // Beyond it there is nothing: the table is refused soon.
            if let Some(entries) = self.lookup.get_mut(start..end) {
                entries.fill((length as u8, symbol));
            }
        }
    }

    /// Takes the next symbol. There have to be 16 bits at hand.
    #[inline]
    pub(super) fn symbol(&self, reader: &mut BitReader<'_>) -> Result<u8, RecodeError> {
        let (length, symbol) = self.lookup[reader.peek(LOOKUP_BITS) as usize];
        if length > 0 {
            reader.skip(u32::from(length));
            return Ok(symbol);
        }
        self.long_symbol(reader)
    }

    #[cold]
    fn long_symbol(&self, reader: &mut BitReader<'_>) -> Result<u8, RecodeError> {
        let next = reader.peek(16);
        let lengths = LOOKUP_BITS as usize + 1..=16;
        let symbol = lengths.clone().find(|length| next < self.limits[*length]);
        let symbol = symbol.and_then(|length| {
            let code = (next >> (16 - length)) as i32;
            reader.skip(length as u32);
            let place = usize::try_from(code + self.offsets[length]).ok()?;
            self.symbols.get(place).copied()
        });
        symbol.ok_or(RecodeError::Broken("a code that is in no table"))
    }
}

impl DecodeTables {
    /// Those of a JPEG without any, as USB cameras send: the standard ones.
    pub(super) fn standard() -> Result<Self, RecodeError> {
        let mut tables = Self::default();
        tables.define(&STANDARD_TABLES[4..])?;
        Ok(tables)
    }

    /// Reads the payload of a DHT segment.
    pub(super) fn define(&mut self, payload: &[u8]) -> Result<(), RecodeError> {
        let mut found = [None; 32];
        add_huffman_tables(payload, &mut found).ok_or(RecodeError::Head)?;
        for (label, table) in found.iter().enumerate() {
            let tables = if label < 16 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            if let (Some(table), Some(known)) = (table, tables.get_mut(label % 16)) {
                *known = Some(DecodeTable::new(table).ok_or(RecodeError::Head)?);
            }
        }
        Ok(())
    }

    /// The DC table of this number.
    pub(super) fn dc(&self, number: usize) -> Result<&DecodeTable, RecodeError> {
        self.dc.get(number).and_then(Option::as_ref).ok_or(MISSING)
    }

    /// The AC table of this number.
    pub(super) fn ac(&self, number: usize) -> Result<&DecodeTable, RecodeError> {
        self.ac.get(number).and_then(Option::as_ref).ok_or(MISSING)
    }
}

const MISSING: RecodeError = RecodeError::Broken("a Huffman table is missing");

impl EncodeTable {
    /// Reads counts and symbols, of which there are no more than codes.
    fn new(counts_and_symbols: &[u8]) -> Self {
        let mut codes = [(0, 0); 256];
        let (counts, symbols) = counts_and_symbols.split_at(16);
        let lengths = (1_u8..).zip(counts);
        let lengths = lengths.flat_map(|(length, count)| (0..*count).map(move |_| length));
        let (mut code, mut last) = (0_u16, 0);
        for (length, symbol) in lengths.zip(symbols) {
            code <<= length - last;
            last = length;
            codes[usize::from(*symbol)] = (code, length);
            code += 1;
        }
        Self(codes)
    }

    /// The code of a symbol, and its bits.
    ///
    /// # Errors
    /// Baseline JPEGs have no such symbol.
    #[inline]
    pub(super) fn code(&self, symbol: u8) -> Result<(u32, u32), RecodeError> {
        match self.0[usize::from(symbol)] {
            (_, 0) => Err(RecodeError::Symbol(symbol)),
            (code, length) => Ok((u32::from(code), u32::from(length))),
        }
    }
}

impl Default for StandardCodes {
    fn default() -> Self {
        let mut rest = &STANDARD_TABLES[4..];
        let mut next = || {
            let symbols: usize = rest[1..17].iter().map(|count| usize::from(*count)).sum();
            let (table, behind) = rest.split_at(17 + symbols);
            rest = behind;
            EncodeTable::new(&table[1..])
        };
        let [dc_brightness, ac_brightness, dc_colour, ac_colour] = std::array::from_fn(|_| next());
        Self {
            dc: [dc_brightness, dc_colour],
            ac: [ac_brightness, ac_colour],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::BitWriter;
    use super::*;

    /// Each table by which it is read, and written.
    fn standard() -> Vec<(DecodeTable, EncodeTable)> {
        let [mut at, mut tables] = [4, 0].map(|n: usize| n);
        let codes = StandardCodes::default();
        let mut found = vec![];
        for encode in [&codes.dc[0], &codes.ac[0], &codes.dc[1], &codes.ac[1]] {
            let counts = &STANDARD_TABLES[at + 1..at + 17];
            let length = 17 + counts.iter().map(|n| usize::from(*n)).sum::<usize>();
            let decode = DecodeTable::new(&STANDARD_TABLES[at + 1..at + length]).unwrap();
            found.push((decode, encode.clone()));
            at += length;
            tables += 1;
        }
        assert_eq!((at, tables), (STANDARD_TABLES.len(), 4));
        found
    }

    #[test]
    fn every_standard_symbol_is_read_as_it_is_written() {
        let counts = standard().iter().map(check).collect::<Vec<_>>();
        assert_eq!(counts, [12, 162, 12, 162]);
    }

    fn check((decode, encode): &(DecodeTable, EncodeTable)) -> usize {
        let symbols: Vec<u8> = (0..=255).filter(|it| encode.code(*it).is_ok()).collect();
        let mut bytes = vec![];
        let mut writer = BitWriter::new(&mut bytes);
        for symbol in &symbols {
            let (code, length) = encode.code(*symbol).unwrap();
            writer.put(code, length);
        }
        writer.align();
        let mut reader = BitReader::new(&bytes);
        for symbol in &symbols {
            reader.refill();
            assert_eq!(decode.symbol(&mut reader).unwrap(), *symbol);
        }
        assert!(reader.check().is_ok());
        symbols.len()
    }

    #[test]
    fn a_code_in_no_table_is_an_error() {
        for (decode, _) in standard() {
            let mut reader = BitReader::new(&[0xFF, 0, 0xFF, 0, 0xFF, 0]);
            reader.refill();
            assert!(decode.symbol(&mut reader).is_err(), "all ones are no code");
        }
    }

    #[test]
    fn more_codes_than_bits_are_no_table() {
        let mut counts = vec![0; 16];
        counts[0] = 3;
        counts.extend([1, 2, 3]);
        assert!(DecodeTable::new(&counts).is_none());
        counts[0] = 2;
        assert!(DecodeTable::new(&counts).is_some());
        counts[1] = 1;
        assert!(DecodeTable::new(&counts).is_none());
        assert!(DecodeTable::new(&[0; 15]).is_none());
        let cut_off = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        assert!(DecodeTable::new(&cut_off).is_none());
    }
}
