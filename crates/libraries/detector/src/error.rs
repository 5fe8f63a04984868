//! Why there is no detector, or it sees nothing now.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::runtime::{INPUT_SHAPE, MAX_MODEL_BYTES, OUTPUT_SHAPES};

/// Why a file is not used to detect things.
#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    /// There is none.
    #[error(
        "detector \"{}\": no such file (install package eyelid-detector, or name another: \
         detector = \"PATH\")",
        .path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("detector \"{}\"", .path.display())]
    Read {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no file, or too large for one.
    #[error(
        "detector \"{}\": no file of at most {} MiB (that of package eyelid-detector has 20)",
        .path.display(),
        MAX_MODEL_BYTES >> 20
    )]
    NotAFile {
        /// Where it is.
        path: PathBuf,
    },
    /// It is another model, or none.
    #[error(
        "detector \"{}\": {why} (it takes the model of package eyelid-detector, or one of the same \
         form)",
        .path.display()
    )]
    Other {
        /// Where it is.
        path: PathBuf,
        /// What is the matter with it.
        why: NotThisModel,
    },
    /// There is nothing to run it with.
    #[error(
        "ONNX Runtime \"{}\": {reason} (install it, as Debian's libonnxruntime1.21, or leave it to \
         the detector's own: no onnxruntime = \"PATH\")",
        .library.display()
    )]
    NoRuntime {
        /// The library.
        library: PathBuf,
        /// What its loader says.
        reason: String,
    },
}

/// What makes a file no model that a detector can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotThisModel {
    /// It is no ONNX, or has something in it that is not known.
    #[error("no model that can be loaded: {0}")]
    Unreadable(String),
    /// It wants something else than one picture.
    #[error("its inputs are {}, not one of {}", shapes(.0), Shape(&INPUT_SHAPE))]
    Inputs(Vec<Vec<i64>>),
    /// It says something else than boxes and scores.
    #[error("its outputs are {}, not {}", shapes(.0), shapes(&OUTPUT_SHAPES))]
    Outputs(Vec<Vec<i64>>),
}

/// Why a picture cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[error("the detector failed: {0}")]
pub struct RuntimeError(pub String);

/// A tensor's sizes, as `1x3x300x300`. One that only a run would show is `?`, and there is `-1`.
struct Shape<'a>(&'a [i64]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, size) in self.0.iter().enumerate() {
            let times = if at == 0 { "" } else { "x" };
            if *size < 0 {
                write!(f, "{times}?")?;
            } else {
                write!(f, "{times}{size}")?;
            }
        }
        Ok(())
    }
}

/// As many as are told of; a model may have thousands.
const TOLD: usize = 4;

fn shapes<S: AsRef<[i64]>>(shapes: &[S]) -> String {
    let told = shapes.iter().take(TOLD);
    let mut told: Vec<String> = told.map(|one| Shape(one.as_ref()).to_string()).collect();
    if shapes.is_empty() {
        told.push("none".to_owned());
    }
    if shapes.len() > TOLD {
        told.push(format!("and {} more", shapes.len() - TOLD));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_said_as_people_write_them() {
        let inputs = NotThisModel::Inputs(vec![vec![1, 3, -1, 640]]);
        let said = "its inputs are 1x3x?x640, not one of 1x3x300x300";
        assert_eq!(inputs.to_string(), said);
        let outputs = NotThisModel::Outputs(vec![]);
        let said = "its outputs are none, not 1x1917x4, 1x1917x24";
        assert_eq!(outputs.to_string(), said);
        let many = NotThisModel::Outputs(vec![vec![1]; 1000]);
        assert!(many.to_string().contains("1, 1, 1, 1, and 996 more"));
    }
}
