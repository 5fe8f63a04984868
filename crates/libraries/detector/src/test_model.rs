//! A network of three kilobytes that sees red, so that tests need no file.
//!
//! It takes and gives what the real one does. All its scores are low; where one of the 324 pixels
//! that it looks at is red, those of the outputs are high that lie there, and no box is moved.

use crate::runtime::{CLASSES, COORDINATES, OUTPUT_SHAPES, SIDE};

/// The network's scores are 142 channels of 18x18 pixels, 17 apart: 1917x24.
const SCORE_CHANNELS: usize = 142;
const SCORE_STEP: usize = 17;
const SCORE_SIDE: usize = 18;
/// And its boxes 213 channels of 6x6, 50 apart: 1917x4.
const BOX_CHANNELS: usize = 213;
const BOX_STEP: usize = 50;
/// The score of what it does not see; of what it sees it is the same above zero.
const SCORE: f32 = 4.0;

/// Which pixel of the network's square (x, y) must be red for this class of an anchor to be seen,
/// and no other but those at the same place of the 142 channels.
pub(crate) fn pixel(anchor: usize, class: usize) -> (u32, u32) {
    let within = (anchor * CLASSES + class) % (SCORE_SIDE * SCORE_SIDE);
    let at = |cell: usize| u32::try_from(cell * SCORE_STEP).unwrap();
    (at(within % SCORE_SIDE), at(within / SCORE_SIDE))
}

/// Gives the network that looks for this class of an anchor only, as an ONNX file.
pub(crate) fn onnx(anchor: usize, class: usize) -> Vec<u8> {
    let seen = (anchor * CLASSES + class) / (SCORE_SIDE * SCORE_SIDE);
    let mut weights = vec![0.0; SCORE_CHANNELS * 3];
    // -1 to 1 becomes -4 to 4.
    weights[3 * seen] = SCORE;
    let mut bias = vec![-SCORE; SCORE_CHANNELS];
    bias[seen] = 0.0;
    let shapes = OUTPUT_SHAPES;
    model(&graph(&[
        node("Conv", &["picture", "sw", "sb"], "s", Some(SCORE_STEP)),
        node("Reshape", &["s", "ss"], "scores", None),
        node("Conv", &["picture", "bw", "bb"], "b", Some(BOX_STEP)),
        node("Reshape", &["b", "bs"], "boxes", None),
        message(5, &floats("sw", &[SCORE_CHANNELS, 3, 1, 1], &weights)),
        message(5, &floats("sb", &[SCORE_CHANNELS], &bias)),
        message(
            5,
            &floats("bw", &[BOX_CHANNELS, 3, 1, 1], &[0.0; 3 * BOX_CHANNELS]),
        ),
        message(5, &floats("bb", &[BOX_CHANNELS], &[0.0; BOX_CHANNELS])),
        message(5, &integers("ss", &shapes[1])),
        message(5, &integers("bs", &shapes[0])),
        message(11, &value("picture", &[1, 3, SIDE as i64, SIDE as i64])),
        message(12, &value("boxes", &shapes[0])),
        message(12, &value("scores", &shapes[1])),
    ]))
}

/// Gives a network of one operation, as an ONNX file: what goes in comes out.
pub(crate) fn onnx_of(operation: &str, input: &[i64], output: &[i64]) -> Vec<u8> {
    model(&graph(&[
        node(operation, &["in"], "out", None),
        message(11, &value("in", input)),
        message(12, &value("out", output)),
    ]))
}

// What follows writes protobuf by the field numbers of onnx.proto3.

fn model(graph: &[u8]) -> Vec<u8> {
    let opset = [message(1, b""), number(2, 13)].concat();
    [number(1, 8), message(8, &opset), message(7, graph)].concat()
}

fn graph(parts: &[Vec<u8>]) -> Vec<u8> {
    [message(2, b"red"), parts.concat()].concat()
}

fn node(operation: &str, inputs: &[&str], output: &str, strides: Option<usize>) -> Vec<u8> {
    let mut node: Vec<u8> = inputs
        .iter()
        .flat_map(|name| message(1, name.as_bytes()))
        .collect();
    node.extend(message(2, output.as_bytes()));
    node.extend(message(4, operation.as_bytes()));
    if let Some(step) = strides {
        let step = step as u64;
        let attributes = [
            ("strides", &[step, step][..]),
            ("dilations", &[1, 1]),
            ("pads", &[0, 0, 0, 0]),
        ];
        for (name, values) in attributes {
            let values = values.iter().flat_map(|value| number(8, *value));
            let mut attribute = message(1, name.as_bytes());
            attribute.extend(values);
            // AttributeProto.INTS is 7.
            attribute.extend(number(20, 7));
            node.extend(message(5, &attribute));
        }
    }
    message(1, &node)
}

fn floats(name: &str, shape: &[usize], values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    constant(name, shape, 1, &bytes)
}

fn integers(name: &str, values: &[i64]) -> Vec<u8> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    constant(name, &[values.len()], 7, &bytes)
}

fn constant(name: &str, shape: &[usize], kind: u64, bytes: &[u8]) -> Vec<u8> {
    let sizes = shape.iter().flat_map(|size| number(1, *size as u64));
    let mut tensor: Vec<u8> = sizes.collect();
    tensor.extend(number(2, kind));
    tensor.extend(message(8, name.as_bytes()));
    tensor.extend(message(9, bytes));
    tensor
}

fn value(name: &str, shape: &[i64]) -> Vec<u8> {
    let sizes = shape.iter().flat_map(|size| {
        let size = match u64::try_from(*size) {
            Ok(size) => number(1, size),
            Err(_) => message(2, b"n"),
        };
        message(1, &size)
    });
    let sizes: Vec<u8> = sizes.collect();
    // A tensor of floats.
    let tensor = [number(1, 1), message(2, &sizes)].concat();
    [
        message(1, name.as_bytes()),
        message(2, &message(1, &tensor)),
    ]
    .concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn message(field: u64, bytes: &[u8]) -> Vec<u8> {
    let length = varint(bytes.len() as u64);
    [&varint(field << 3 | 2)[..], &length, bytes].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7F {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The boxes have as many numbers as they should.
const _: () = assert!(BOX_CHANNELS * 36 == 1917 * COORDINATES);
