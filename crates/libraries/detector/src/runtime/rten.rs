//! Runs the network in Rust alone, by the crate `rten`, in one thread of its own. That is not told
//! to end, it ends with this, and waits without being woken while nothing is run.
//!
//! `rten` also makes its global threads, one for each core, when a network is first run, and lets
//! them sleep; `RTEN_NUM_THREADS=1` in the environment has it make one only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rten::{
    Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueView, op_registry,
};

use super::{Answer, Runtime, check, in_one_line};
use crate::error::{NotThisModel, RuntimeError};
use crate::runtime::INPUT_SHAPE;

/// A network that has been loaded by `rten`.
#[derive(Debug)]
pub struct Rten {
    model: Model,
    input: NodeId,
    boxes: NodeId,
    scores: NodeId,
    thread: Arc<ThreadPool>,
}

impl Rten {
    /// Loads a network from the bytes of an ONNX file.
    ///
    /// # Errors
    /// See [`NotThisModel`]. Of the operations of ONNX, only those of such networks are known.
    pub fn load(onnx: Vec<u8>) -> Result<Self, NotThisModel> {
        // No more than an SSD of MobileNets has: what is not named is not in the program either.
        let operations = op_registry!(
            Add,
            BatchNormalization,
            Clip,
            Concat,
            Conv,
            Identity,
            Mul,
            Relu,
            Reshape,
            Transpose
        );
        let model = contained(|| ModelOptions::with_ops(operations).load(onnx))
            .map_err(NotThisModel::Unreadable)?;
        let shapes = |nodes: &[NodeId]| -> Vec<Vec<i64>> {
            nodes.iter().map(|node| shape(&model, *node)).collect()
        };
        let outputs = model.output_ids();
        let [boxes, scores] = check(&shapes(model.input_ids()), &shapes(outputs))?;
        Ok(Self {
            input: model.input_ids()[0],
            boxes: outputs[boxes],
            scores: outputs[scores],
            model,
            thread: Arc::new(ThreadPool::with_num_threads(1)),
        })
    }
}

impl Runtime for Rten {
    fn run(&mut self, tensor: &[f32]) -> Result<Answer, RuntimeError> {
        let input = ValueView::from_shape(INPUT_SHAPE.map(|size| size as usize), tensor)
            .map_err(|error| RuntimeError(in_one_line(&error)))?;
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.thread)));
        let [boxes, scores] = contained(|| {
            let inputs = vec![(self.input, input.into())];
            let outputs = [self.boxes, self.scores];
            self.model.run_n(inputs, outputs, Some(options))
        })
        .map_err(RuntimeError)?;
        let numbers = |value: Value| match value.into_shape_vec::<f32, 3>() {
            Ok((_, numbers)) => Ok(numbers),
            Err(error) => Err(RuntimeError(in_one_line(&error))),
        };
        Ok(Answer {
            boxes: numbers(boxes)?,
            scores: numbers(scores)?,
        })
    }
}

fn shape(model: &Model, node: NodeId) -> Vec<i64> {
    let shape = model.node_info(node).and_then(|node| node.shape());
    let sizes = shape.into_iter().flatten();
    sizes
        .map(|size| match size {
            Dimension::Fixed(size) => i64::try_from(size).unwrap_or(i64::MAX),
            Dimension::Symbolic(_) => -1,
        })
        .collect()
}

/// Runs so that a file that finds a bug in `rten` is a broken file, not the end of the program.
fn contained<T, E: ToString>(run: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(in_one_line(&error)),
        Err(_) => Err("rten panicked".to_owned()),
    }
}
