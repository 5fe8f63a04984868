//! Where the network looks: each of its outputs is about one of these rectangles.
//!
//! They are those of the model's training (TensorFlow's `ssd_anchor_generator`, Liu et al. §2.2):
//! six grids over the picture, and about the middle of each cell rectangles of some shapes.

/// Cells a side of each grid: 300 pixels by strides of 16, 32, 64, 128, 256 and 512.
const GRIDS: [u16; 6] = [19, 10, 5, 3, 2, 1];
/// The share of the picture that the smallest and the largest of these rectangles are high.
const SCALES: [f32; 2] = [0.2, 0.95];
/// Width by height of those in each cell.
const SHAPES: [f32; 5] = [1.0, 2.0, 0.5, 3.0, 0.3333];
/// In the finest grid there are three only, and the square one is of this size.
const FINEST: f32 = 0.1;

/// How many there are.
pub(crate) const COUNT: usize = 1917;

/// One rectangle by its middle and size, in shares of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Anchor {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
}

/// Gives all, in the order of the network's outputs.
pub(crate) fn anchors() -> Vec<Anchor> {
    let scale = |grid: usize| {
        let step = (SCALES[1] - SCALES[0]) / (GRIDS.len() - 1) as f32;
        SCALES[0] + step * grid as f32
    };
    let mut all = Vec::with_capacity(COUNT);
    for (grid, cells) in GRIDS.into_iter().enumerate() {
        let here = scale(grid);
        let next = if grid + 1 < GRIDS.len() {
            scale(grid + 1)
        } else {
            1.0
        };
        let shapes: Vec<(f32, f32)> = if grid == 0 {
            vec![(FINEST, 1.0), (here, 2.0), (here, 0.5)]
        } else {
            let between = (here * next).sqrt();
            let each = SHAPES.map(|shape| (here, shape));
            each.into_iter().chain([(between, 1.0)]).collect()
        };
        for (row, column) in (0..cells).flat_map(|row| (0..cells).map(move |column| (row, column)))
        {
            all.extend(shapes.iter().map(|(size, shape)| Anchor {
                x: (f32::from(column) + 0.5) / f32::from(cells),
                y: (f32::from(row) + 0.5) / f32::from(cells),
                width: size * shape.sqrt(),
                height: size / shape.sqrt(),
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_the_network_has_outputs() {
        assert_eq!(anchors().len(), COUNT);
    }

    #[test]
    fn they_are_those_that_the_model_was_trained_with() {
        let all = anchors();
        let near = |anchor: Anchor, expected: [f32; 4]| {
            let found = [anchor.x, anchor.y, anchor.width, anchor.height];
            let far = found
                .iter()
                .zip(expected)
                .any(|(a, b)| (a - b).abs() > 1e-4);
            assert!(!far, "{found:?}, not {expected:?}");
        };
        // The first cell of the finest grid, the last one of the next, and the whole picture.
        near(all[0], [0.0263, 0.0263, 0.1, 0.1]);
        near(all[1], [0.0263, 0.0263, 0.2828, 0.1414]);
        near(all[2], [0.0263, 0.0263, 0.1414, 0.2828]);
        near(all[3], [0.0789, 0.0263, 0.1, 0.1]);
        near(all[1083 + 599], [0.95, 0.95, 0.4183, 0.4183]);
        near(all[1911], [0.5, 0.5, 0.95, 0.95]);
        near(all[1916], [0.5, 0.5, 0.9747, 0.9747]);
    }
}
