//! A network that has been loaded, and what stands around it.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::Seen;
use crate::anchors::{self, Anchor, anchors};
use crate::decode::decode;
use crate::error::{DetectorError, NotThisModel, RuntimeError};
use crate::input::{Picture, tensor};
#[cfg(feature = "onnxruntime")]
use crate::runtime::Onnxruntime;
use crate::runtime::{Answer, CLASSES, COORDINATES, MAX_MODEL_BYTES, Rten, Runtime};

/// Where package `eyelid-detector` has the network.
pub const DEFAULT_MODEL: &str = "/usr/share/eyelid/detector.onnx";

/// Sees things in pictures. Has its memory once for all pictures.
pub struct Detector {
    runtime: Box<dyn Runtime>,
    anchors: Vec<Anchor>,
    tensor: Vec<f32>,
}

impl Detector {
    /// Loads the network in this file, to be run in Rust.
    ///
    /// # Errors
    /// See [`DetectorError`]; each says what to do.
    pub fn open(path: &Path) -> Result<Self, DetectorError> {
        let loaded = Rten::load(read(path)?);
        let runtime = loaded.map_err(|why| other(path, why))?;
        Ok(Self::new(Box::new(runtime)))
    }

    /// Loads the network in this file, to be run by the ONNX Runtime whose library this is.
    ///
    /// # Errors
    /// See [`DetectorError`]; each says what to do.
    #[cfg(feature = "onnxruntime")]
    pub fn open_with(path: &Path, library: &Path) -> Result<Self, DetectorError> {
        let onnx = read(path)?;
        let environment = Onnxruntime::open(library)?;
        let loaded = Onnxruntime::load(&environment, &onnx);
        let runtime = loaded.map_err(|why| other(path, why))?;
        Ok(Self::new(Box::new(runtime)))
    }

    /// Takes a network that has been loaded, however it is run.
    #[must_use]
    pub fn new(runtime: Box<dyn Runtime>) -> Self {
        Self {
            runtime,
            anchors: anchors(),
            tensor: Vec::new(),
        }
    }

    /// Gives the things in a picture of which the network is at least as sure as `confidence` (0 to
    /// 1), the surest first, 100 at most. Each is told of once for each label: a car may be a
    /// `vehicle`, too.
    ///
    /// # Errors
    /// [`RuntimeError`]. The next picture may be looked at nevertheless.
    pub fn detect(
        &mut self,
        picture: Picture<'_>,
        confidence: f32,
    ) -> Result<Vec<Seen>, RuntimeError> {
        let answer = self.ask(picture)?;
        Ok(decode(&answer, &self.anchors, confidence))
    }

    /// Gives what the network itself says of a picture, for those who compare.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub fn ask(&mut self, picture: Picture<'_>) -> Result<Answer, RuntimeError> {
        tensor(picture, &mut self.tensor);
        let answer = self.runtime.run(&self.tensor)?;
        let expected = [COORDINATES, CLASSES].map(|each| each * anchors::COUNT);
        let found = [answer.boxes.len(), answer.scores.len()];
        if found != expected {
            let why = format!("{found:?} numbers instead of {expected:?}");
            return Err(RuntimeError(why));
        }
        Ok(answer)
    }
}

/// Reads a file that is one, and no larger than a model is.
fn read(path: &Path) -> Result<Vec<u8>, DetectorError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => DetectorError::Missing {
            path: path.to_owned(),
        },
        _ => DetectorError::Read {
            path: path.to_owned(),
            source,
        },
    };
    let no_file = || DetectorError::NotAFile {
        path: path.to_owned(),
    };
    // Asked before it is opened, for opening a pipe waits for who writes to it.
    let found = fs::metadata(path).map_err(failed)?;
    if !found.is_file() || found.len() > MAX_MODEL_BYTES {
        return Err(no_file());
    }
    let file = fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::with_capacity(found.len() as usize);
    file.take(MAX_MODEL_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_MODEL_BYTES {
        return Err(no_file());
    }
    Ok(bytes)
}

fn other(path: &Path, why: NotThisModel) -> DetectorError {
    DetectorError::Other {
        path: path.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{OUTPUT_SHAPES, SIDE};
    use crate::test_model;

    /// The class of "person", and an anchor in the middle.
    const PERSON: usize = 4;
    const ANCHOR: usize = 540;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        file
    }

    /// A blue picture whose pixels are red around those at these places of the network's square.
    fn picture(width: u32, height: u32, red: &[(u32, u32)]) -> Vec<u8> {
        let side = SIDE as u32;
        let near = |at: u32, of: u32, place: u32| (at * side / of).abs_diff(place) < 6;
        let pixel = |x: u32, y: u32| {
            let is_red = red
                .iter()
                .any(|red| near(x, width, red.0) && near(y, height, red.1));
            if is_red { [255, 0, 0] } else { [0, 0, 255] }
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        places.flat_map(|(x, y)| pixel(x, y)).collect()
    }

    #[test]
    fn sees_what_there_is_where_it_is_at_any_size() {
        let model = file(&test_model::onnx(ANCHOR, PERSON));
        let mut detector = Detector::open(model.path()).unwrap();
        let place = test_model::pixel(ANCHOR, PERSON);
        for (width, height) in [(300, 300), (640, 480), (480, 640), (1280, 720), (120, 90)] {
            let rgb = picture(width, height, &[place]);
            let picture = Picture::new(width, height, &rgb).unwrap();
            let seen = detector.detect(picture, 0.4).unwrap();
            assert_eq!(seen.len(), 1, "{width}x{height}: {seen:?}");
            assert_eq!(seen[0].label.name(), "person");
            assert!(seen[0].confidence > 0.9, "{seen:?}");
            // No box is moved, so it is its anchor: the one in the middle of the finest grid.
            let expected = [0.45, 0.45, 0.1, 0.1];
            let region = seen[0].region;
            let found = [region.left, region.top, region.width, region.height];
            let far = found
                .iter()
                .zip(expected)
                .any(|(a, b)| (a - b).abs() > 1e-4);
            assert!(!far, "{found:?}");
        }
    }

    #[test]
    fn sees_nothing_where_there_is_nothing_before_and_after() {
        let model = file(&test_model::onnx(ANCHOR, PERSON));
        let mut detector = Detector::open(model.path()).unwrap();
        let place = test_model::pixel(ANCHOR, PERSON);
        for (red, count) in [(&[][..], 0), (&[place], 1), (&[], 0), (&[(0, 0)], 0)] {
            let rgb = picture(300, 300, red);
            let picture = Picture::new(300, 300, &rgb).unwrap();
            assert_eq!(
                detector.detect(picture, 0.4).unwrap().len(),
                count,
                "{red:?}"
            );
        }
    }

    #[test]
    fn a_file_that_is_not_there_says_which_package_has_it() {
        let error = Detector::open(Path::new("/nowhere/at/all.onnx"))
            .err()
            .unwrap();
        let said = error.to_string();
        assert!(said.contains("\"/nowhere/at/all.onnx\""), "{said}");
        assert!(said.contains("install package eyelid-detector"), "{said}");
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let error = Detector::open(directory.path()).err().unwrap();
        assert!(matches!(error, DetectorError::NotAFile { .. }), "{error}");
        let large = tempfile::NamedTempFile::new().unwrap();
        large.as_file().set_len(MAX_MODEL_BYTES + 1).unwrap();
        let error = Detector::open(large.path()).err().unwrap();
        assert!(
            error.to_string().contains("no file of at most 64 MiB"),
            "{error}"
        );
    }

    #[test]
    fn another_model_says_what_is_other() {
        let shapes = OUTPUT_SHAPES;
        for (bytes, expected) in [
            (b"".to_vec(), "no model that can be loaded"),
            (b"no model at all".to_vec(), "no model that can be loaded"),
            (vec![0; 100_000], "no model that can be loaded"),
            (
                test_model::onnx_of("Relu", &[1, 3, 640, 640], &[1, 3, 640, 640]),
                "its inputs are 1x3x640x640, not one of 1x3x300x300",
            ),
            (
                test_model::onnx_of("Relu", &[1, 3, -1, -1], &[1, 3, -1, -1]),
                "its inputs are 1x3x?x?, not",
            ),
            (
                test_model::onnx_of("Relu", &[1, 3, 300, 300], &shapes[0]),
                "its outputs are 1x3x300x300, not 1x1917x4, 1x1917x24",
            ),
            (
                test_model::onnx_of("Einsum", &[1, 3, 300, 300], &shapes[0]),
                "Einsum",
            ),
        ] {
            let model = file(&bytes);
            let said = Detector::open(model.path()).err().unwrap().to_string();
            assert!(said.contains(expected), "{said}");
            assert!(said.contains("package eyelid-detector"), "{said}");
        }
    }

    #[test]
    fn a_model_that_is_cut_off_anywhere_or_damaged_is_an_error_or_sees() {
        let whole = test_model::onnx(ANCHOR, PERSON);
        let rgb = picture(300, 300, &[]);
        let picture = Picture::new(300, 300, &rgb).unwrap();
        let cut = (0..whole.len())
            .step_by(41)
            .map(|length| whole[..length].to_vec());
        let damaged = (0..whole.len()).step_by(59).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            bytes
        });
        let mut refused = 0;
        for bytes in cut.chain(damaged) {
            // What is damaged may be a weight: then it sees something else, or nothing.
            match Rten::load(bytes) {
                Ok(runtime) => drop(Detector::new(Box::new(runtime)).detect(picture, 0.4)),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > whole.len() / 41 / 2, "{refused}");
    }

    /// One that says too little.
    struct Short;

    impl Runtime for Short {
        fn run(&mut self, _: &[f32]) -> Result<Answer, RuntimeError> {
            Ok(Answer {
                boxes: vec![0.0; 4],
                scores: vec![0.0; 24],
            })
        }
    }

    #[test]
    fn a_runtime_that_says_too_little_has_failed() {
        let rgb = picture(4, 4, &[]);
        let picture = Picture::new(4, 4, &rgb).unwrap();
        let error = Detector::new(Box::new(Short))
            .detect(picture, 0.4)
            .unwrap_err();
        assert!(error.to_string().contains("[4, 24] numbers"), "{error}");
    }
}
