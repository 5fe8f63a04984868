//! What has to hold for every stream, whoever made it.

use crate::{NalType, ParameterSets, Sps, length_prefixed, nal_units};

/// A stream is taken apart and put together again.
///
/// # Panics
/// When that is not so.
pub fn h264(stream: &[u8]) {
    let units: Vec<&[u8]> = nal_units(stream).collect();
    let mut again = Vec::new();
    for unit in &units {
        assert!(!unit.is_empty() && unit.last() != Some(&0));
        assert!(!unit.windows(3).any(|three| three == [0, 0, 1]));
        again.extend_from_slice(&[0, 0, 0, 1]);
        again.extend_from_slice(unit);
        if let Ok(sps) = Sps::parse(unit) {
            assert_eq!(NalType::of(unit), Some(NalType::Sps));
            assert!(sps.width > 0 && sps.height > 0);
            // Behind two zeros stands a byte that is none of its own (ITU-T H.264, 7.4.1).
            let level = unit[if unit[1..4] == [0, 0, 3] { 4 } else { 3 }];
            assert_eq!(
                [unit[1], unit[2], level],
                [sps.profile, sps.constraints, sps.level]
            );
        }
    }
    assert!(nal_units(&again).eq(units.iter().copied()));
    if let Some(sets) = ParameterSets::of(stream) {
        let again = [&[0, 0, 1], sets.sps(), &[0, 0, 1], sets.pps()].concat();
        assert_eq!(ParameterSets::of(&again).as_ref(), Some(&sets));
        assert_eq!(sets.profile_level_id().len(), 6);
    }
    let mut sample = Vec::new();
    length_prefixed(stream, &mut sample);
    let mut rest = &sample[..];
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (unit, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
        assert!(units.contains(&unit));
        rest = behind;
    }
    assert!(rest.is_empty());
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_fuzzing_found_holds() {
        eyelid_replay::replay("h264", super::h264);
    }
}
