//! Runs the network by a `libonnxruntime` of this machine, which is opened when it is asked for. It
//! is of 1.17 or newer, as Debian 13 has it. The network is run by the thread that asks.

use std::path::Path;

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use super::{Answer, INPUT_SHAPE, Runtime, check, in_one_line};
use crate::error::{DetectorError, NotThisModel, RuntimeError};

/// A network that has been loaded by ONNX Runtime.
#[derive(Debug)]
pub struct Onnxruntime {
    session: Session,
    boxes: String,
    scores: String,
}

impl Onnxruntime {
    /// Opens the library.
    ///
    /// # Errors
    /// [`DetectorError::NoRuntime`], also where the library is too old. A process opens one: where
    /// another has been opened, that stays.
    pub fn open(library: &Path) -> Result<Environment, DetectorError> {
        let failed = |reason: String| DetectorError::NoRuntime {
            library: library.to_owned(),
            reason,
        };
        let opened = ort::init_from(library).map_err(|error| failed(in_one_line(&error)))?;
        let environment = opened.with_name("eyelid").with_telemetry(false).build();
        environment.map_err(|error| failed(in_one_line(&error)))
    }

    /// Loads a network from the bytes of an ONNX file.
    ///
    /// # Errors
    /// See [`NotThisModel`].
    pub fn load(environment: &Environment, onnx: &[u8]) -> Result<Self, NotThisModel> {
        let loaded =
            one_thread(environment).and_then(|mut builder| builder.commit_from_memory(onnx));
        let session = loaded.map_err(|error| NotThisModel::Unreadable(in_one_line(&error)))?;
        let outputs = session.outputs();
        let [boxes, scores] = check(&shapes(session.inputs()), &shapes(outputs))?;
        let name = |at: usize| outputs[at].name().to_owned();
        Ok(Self {
            boxes: name(boxes),
            scores: name(scores),
            session,
        })
    }
}

impl Runtime for Onnxruntime {
    fn run(&mut self, tensor: &[f32]) -> Result<Answer, RuntimeError> {
        let failed = |error: ort::Error| RuntimeError(in_one_line(&error));
        let input = TensorRef::from_array_view((INPUT_SHAPE, tensor)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![input]).map_err(failed)?;
        let numbers = |name: &String| {
            let found = outputs[name.as_str()].try_extract_tensor::<f32>();
            found.map(|(_, numbers)| numbers.to_vec()).map_err(failed)
        };
        Ok(Answer {
            boxes: numbers(&self.boxes)?,
            scores: numbers(&self.scores)?,
        })
    }
}

fn one_thread(environment: &Environment) -> ort::Result<SessionBuilder> {
    let builder = SessionBuilder::new(environment)?;
    Ok(builder.with_intra_threads(1)?.with_inter_threads(1)?)
}

/// Gives the sizes of tensors; those of anything else are none.
fn shapes(values: &[Outlet]) -> Vec<Vec<i64>> {
    let shape = |value: &Outlet| match value.dtype() {
        ValueType::Tensor {
            ty: TensorElementType::Float32,
            shape,
            ..
        } => shape.to_vec(),
        _ => Vec::new(),
    };
    values.iter().map(shape).collect()
}
