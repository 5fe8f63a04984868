//! What a receiver has to know before the first picture.

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
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYFRAME: &[u8] = &[
        0, 0, 0, 1, 0x67, 0x42, 0xC0, 0x1F, 0x8C, 0, 0, 0, 1, 0x68, 0xCE, 0, 0, 1, 0x65, 1,
    ];

    #[test]
    fn tells_them_and_what_profile_they_have() {
        let sets = ParameterSets::of(KEYFRAME).unwrap();
        assert_eq!(sets.profile_level_id(), "42c01f");
        assert_eq!(
            (sets.sps(), sets.pps()),
            (&KEYFRAME[4..9], &KEYFRAME[13..15])
        );
    }

    #[test]
    fn there_are_none_unless_there_are_both() {
        assert_eq!(ParameterSets::of(&KEYFRAME[9..]), None);
        assert_eq!(ParameterSets::of(&KEYFRAME[..9]), None);
        assert_eq!(ParameterSets::of(&[0, 0, 1, 0x67, 0, 0, 1, 0x68]), None);
    }
}
