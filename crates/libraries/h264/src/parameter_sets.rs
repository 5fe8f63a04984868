//! What a receiver has to know before the first picture, in the shapes in which it is told.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::annex_b::{NalType, nal_units};
use crate::sps::{Sps, SpsError};

/// The parameter sets of a keyframe: one of the sequence and one of its pictures, without start
/// codes. One that has more than one of each is not made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSets {
    /// Of the sequence. At least the four bytes that say what profile it has, and at most 65535.
    sps: Vec<u8>,
    /// Of its pictures. At most 65535 bytes.
    pps: Vec<u8>,
}

impl ParameterSets {
    /// Those that stand before a picture, the first of each; `None` where one is missing.
    pub fn of(access_unit: &[u8]) -> Option<Self> {
        let first = |wanted| {
            let mut units = nal_units(access_unit);
            units.find(|unit| NalType::of(unit) == Some(wanted))
        };
        let (sps, pps) = (first(NalType::Sps)?, first(NalType::Pps)?);
        let can_be_told = sps.len() >= 4 && [sps, pps].iter().all(|set| set.len() <= 0xFFFF);
        can_be_told.then(|| Self {
            sps: sps.to_vec(),
            pps: pps.to_vec(),
        })
    }

    /// That of the sequence, without its start code.
    pub fn sps(&self) -> &[u8] {
        &self.sps
    }

    /// That of its pictures, without its start code.
    pub fn pps(&self) -> &[u8] {
        &self.pps
    }

    /// What the one of the sequence says.
    ///
    /// # Errors
    /// See [`SpsError`].
    pub fn parse(&self) -> Result<Sps, SpsError> {
        Sps::parse(&self.sps)
    }

    /// Profile, constraints and level in six hexadecimal digits: `profile-level-id` of SDP (RFC
    /// 6184, 8.1), and what follows `avc1.` in a MIME type (RFC 6381).
    pub fn profile_level_id(&self) -> String {
        let [_, profile, constraints, level, ..] = self.sps[..] else {
            return String::new();
        };
        format!("{profile:02x}{constraints:02x}{level:02x}")
    }

    /// `sprop-parameter-sets` of SDP (RFC 6184, 8.1).
    pub fn sprop(&self) -> String {
        format!(
            "{},{}",
            STANDARD.encode(&self.sps),
            STANDARD.encode(&self.pps)
        )
    }

    /// Both behind start codes, as they stand before a keyframe.
    pub fn annex_b(&self) -> Vec<u8> {
        [&self.sps, &self.pps]
            .iter()
            .flat_map(|set| [&[0, 0, 0, 1], &set[..]].concat())
            .collect()
    }

    /// An AVCDecoderConfigurationRecord, which MP4 has in its box `avcC` (ISO/IEC 14496-15,
    /// 5.3.3.1), with lengths of four bytes. For baseline, main and extended: others say their
    /// chroma format behind it.
    pub fn avcc(&self) -> Vec<u8> {
        let mut record = vec![1];
        record.extend_from_slice(&self.sps[1..4]);
        record.push(0xFC | 3);
        for (count, set) in [(0xE0 | 1, &self.sps), (1, &self.pps)] {
            record.push(count);
            // `of` takes none that is longer.
            record.extend_from_slice(&(set.len() as u16).to_be_bytes());
            record.extend_from_slice(set);
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYFRAME: &[u8] = &[
        0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x1F, 0x8C, 0, 0, 0, 1, 0x68, 0xCE, 0, 0, 1, 0x65, 1,
    ];

    #[test]
    fn tells_them_as_sdp_and_mp4_want_them() {
        let sets = ParameterSets::of(KEYFRAME).unwrap();
        assert_eq!(sets.profile_level_id(), "42c01f");
        assert_eq!(sets.sprop(), "Z0LAH4w=,aM4=");
        assert_eq!(sets.annex_b(), KEYFRAME[..15]);
        assert_eq!(
            sets.avcc(),
            [
                1, 0x42, 0xC0, 0x1F, 0xFF, 0xE1, 0, 5, 0x67, 0x42, 0xC0, 0x1F, 0x8C, 1, 0, 2, 0x68,
                0xCE
            ]
        );
    }

    #[test]
    fn there_are_none_unless_there_are_both() {
        assert_eq!(ParameterSets::of(&KEYFRAME[9..]), None);
        assert_eq!(ParameterSets::of(&KEYFRAME[..9]), None);
        assert_eq!(ParameterSets::of(&[0, 0, 1, 0x67, 0, 0, 1, 0x68]), None);
    }
}
