//! Runs the network: a tensor in, two out.

#[cfg(feature = "onnxruntime")]
mod onnxruntime;
mod rten;

#[cfg(feature = "onnxruntime")]
pub use onnxruntime::Onnxruntime;
pub use rten::Rten;

use crate::anchors;
use crate::error::{NotThisModel, RuntimeError};

/// Pixels a side of the picture that the network takes.
pub(crate) const SIDE: usize = 300;
/// Numbers of a box: y, x, height, width.
pub(crate) const COORDINATES: usize = 4;
/// Scores of each anchor: that of the background, which comes first, and of each label.
pub(crate) const CLASSES: usize = 24;
/// Which of them is the background's.
pub(crate) const BACKGROUND: usize = 0;

/// Red, green and blue, each row by row (NCHW).
pub(crate) const INPUT_SHAPE: [i64; 4] = [1, 3, SIDE as i64, SIDE as i64];
/// Boxes, and scores.
pub(crate) const OUTPUT_SHAPES: [[i64; 3]; 2] = [
    [1, anchors::COUNT as i64, COORDINATES as i64],
    [1, anchors::COUNT as i64, CLASSES as i64],
];

/// A model's file has at most as many bytes: three times those of ours.
pub const MAX_MODEL_BYTES: u64 = 64 << 20;

/// What the network says of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// For each of 1917 anchors how its box is to be moved and sized: y, x, height, width.
    pub boxes: Vec<f32>,
    /// For each of them 24 scores, before the sigmoid: the background's, and each label's.
    pub scores: Vec<f32>,
}

/// What runs a network that has been loaded.
pub trait Runtime: Send {
    /// Runs it on 3x300x300 samples of -1 to 1.
    ///
    /// # Errors
    /// [`RuntimeError`]. The next picture may be run nevertheless.
    fn run(&mut self, tensor: &[f32]) -> Result<Answer, RuntimeError>;
}

/// Checks a model's inputs and outputs, by their shapes; whatever their names are. Gives which
/// output is the boxes, and which the scores.
fn check(inputs: &[Vec<i64>], outputs: &[Vec<i64>]) -> Result<[usize; 2], NotThisModel> {
    if !matches!(inputs, [only] if only[..] == INPUT_SHAPE) {
        return Err(NotThisModel::Inputs(inputs.to_vec()));
    }
    let place = |shape: &[i64; 3]| outputs.iter().position(|output| output[..] == *shape);
    match OUTPUT_SHAPES.each_ref().map(place) {
        [Some(boxes), Some(scores)] if outputs.len() == OUTPUT_SHAPES.len() => Ok([boxes, scores]),
        _ => Err(NotThisModel::Outputs(outputs.to_vec())),
    }
}

/// One line of what a runtime says, and no more than fits in a log.
fn in_one_line(said: &impl ToString) -> String {
    /// Characters of it.
    const MOST: usize = 300;
    let words = said.to_string();
    let words: Vec<&str> = words.split_whitespace().collect();
    words.join(" ").chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_told_apart_by_their_shapes() {
        let [boxes, scores] = OUTPUT_SHAPES.map(Vec::from);
        let picture = [INPUT_SHAPE.to_vec()];
        let both = [boxes.clone(), scores.clone()];
        assert_eq!(check(&picture, &both), Ok([0, 1]));
        let turned = [scores.clone(), boxes.clone()];
        assert_eq!(check(&picture, &turned), Ok([1, 0]));
        for outputs in [
            vec![],
            vec![boxes.clone()],
            vec![boxes.clone(), boxes.clone()],
        ] {
            let expected = NotThisModel::Outputs(outputs.clone());
            assert_eq!(check(&picture, &outputs), Err(expected));
        }
        let three = [boxes, scores, vec![1]];
        assert!(check(&picture, &three).is_err());
    }

    #[test]
    fn a_model_of_another_size_is_refused() {
        let both = OUTPUT_SHAPES.map(Vec::from);
        for inputs in [
            vec![],
            vec![vec![1, 300, 300, 3]],
            vec![vec![-1, 3, 300, 300]],
            vec![INPUT_SHAPE.to_vec(), INPUT_SHAPE.to_vec()],
        ] {
            let expected = NotThisModel::Inputs(inputs.clone());
            assert_eq!(check(&inputs, &both), Err(expected));
        }
    }
}
