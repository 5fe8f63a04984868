//! What the tests of several modules need.

/// A small picture out of the fuzz targets' cases: those of `picture`, or of another target.
macro_rules! case {
    ($name:literal) => {
        case!("picture", $name)
    };
    ($target:literal, $name:literal) => {
        &include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../fuzz/cases/",
            $target,
            "/",
            $name
        ))[..]
    };
}
pub(crate) use case;
