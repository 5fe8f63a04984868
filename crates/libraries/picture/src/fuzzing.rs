//! What has to hold for every file of a picture, whoever made it.

use crate::{read_y4m, write_y4m};

/// A file is refused, or its planes are all there, and are the same when they are written and read
/// again.
///
/// # Panics
/// When that is not so.
pub fn y4m(file: &[u8]) {
    let Ok(picture) = read_y4m(file) else {
        return;
    };
    let mut written = Vec::new();
    assert!(write_y4m(&picture, &mut written).is_ok());
    let Ok(again) = read_y4m(&written) else {
        panic!("it is as it is written");
    };
    assert_eq!((again.width, again.height), (picture.width, picture.height));
    assert_eq!(again.range, picture.range);
    for (one, other) in [
        (picture.y, again.y),
        (picture.u, again.u),
        (picture.v, again.v),
    ] {
        assert_eq!((one.bytes, one.stride), (other.bytes, other.stride));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_fuzzing_found_holds() {
        eyelid_replay::replay("y4m", super::y4m);
    }
}
