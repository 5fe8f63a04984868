//! What the tests of several modules need.

/// A small picture out of the fuzz targets' cases.
macro_rules! case {
    ($name:literal) => {
        &include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../fuzz/cases/picture/",
            $name
        ))[..]
    };
}
pub(crate) use case;
