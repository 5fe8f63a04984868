//! Gives the inputs that fuzzing left in `fuzz/` to a fuzz target's property again, without a
//! fuzzer, and single ones of them to other tests. Only tests depend on it.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Runs a target's property on its corpus and on its named cases.
///
/// # Panics
/// When the property does not hold, with the input's path on stderr; when there is no input.
pub fn replay(target: &str, property: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz");
    // Miri takes a thousand times as long.
    let kinds: &[&str] = if cfg!(miri) {
        &["cases"]
    } else {
        &["cases", "corpus"]
    };
    for kind in kinds {
        let directory = fuzz.join(kind).join(target);
        let inputs =
            fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
        let mut count = 0;
        for input in inputs {
            let path = input
                .unwrap_or_else(|error| panic!("{directory:?}: {error}"))
                .path();
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(&bytes))) {
                eprintln!("that was {path:?}");
                resume_unwind(panic);
            }
            count += 1;
        }
        assert!(count > 0, "{directory:?} is empty");
    }
}

/// A named case of the fuzz target `picture`, or of another one, as `&[u8]`: for tests of the
/// libraries.
#[macro_export]
macro_rules! case {
    ($name:literal) => {
        $crate::case!("picture", $name)
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
