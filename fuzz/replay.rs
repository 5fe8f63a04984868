//! Gives the inputs that fuzzing left in the tree to the checks again, without a fuzzer. Each crate that has checks
//! takes this file in as a module of its tests.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Runs a target's check on its corpus and on its named cases.
pub(crate) fn replay(target: &str, check: fn(&[u8])) {
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
            let path = input.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&bytes))) {
                eprintln!("that was {path:?}");
                resume_unwind(panic);
            }
            count += 1;
        }
        assert!(count > 0, "{directory:?} is empty");
    }
}
