//! What the network says becomes things: one box each, in shares of the picture.

use crate::anchors::Anchor;
use crate::runtime::{Answer, BACKGROUND, CLASSES, COORDINATES};
use crate::{Label, Region, Seen};

/// By how much the network's four numbers of a box were multiplied in training (TensorFlow's
/// `faster_rcnn_box_coder`: y, x, height, width).
const MIDDLE_SCALE: f32 = 10.0;
const SIZE_SCALE: f32 = 5.0;
/// A box is at most as much larger than its anchor: e to this power. What is beyond is no box, and
/// its exponential would be no number.
const LARGEST: f32 = 10.0;
/// Two of the same label that cover one another as much are one thing.
const SAME_THING: f32 = 0.5;
/// As many things of one picture are told of, the surest ones.
const MOST: usize = 100;

/// Gives the things that the network is at least as sure of as `confidence` (0 to 1), the surest
/// first.
pub(crate) fn decode(answer: &Answer, anchors: &[Anchor], confidence: f32) -> Vec<Seen> {
    // Compared before the sigmoid: nearly all of 44,091 scores are below.
    let score = (confidence / (1.0 - confidence)).ln();
    let outputs = answer
        .scores
        .chunks_exact(CLASSES)
        .zip(answer.boxes.chunks_exact(COORDINATES))
        .zip(anchors);
    let mut found: Vec<Seen> = outputs
        .flat_map(|((scores, coordinates), anchor)| {
            let classes = Label::all().zip(&scores[BACKGROUND + 1..]);
            classes
                .filter(move |(_, found)| **found >= score)
                .filter_map(move |(label, found)| {
                    Some(Seen {
                        label,
                        confidence: sigmoid(*found),
                        region: region(coordinates, *anchor)?,
                    })
                })
        })
        .collect();
    found.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
    once_each(found)
}

fn sigmoid(score: f32) -> f32 {
    1.0 / (1.0 + (-score).exp())
}

fn region(coordinates: &[f32], anchor: Anchor) -> Option<Region> {
    let [y, x, height, width] = *coordinates else {
        return None;
    };
    let y = y / MIDDLE_SCALE * anchor.height + anchor.y;
    let x = x / MIDDLE_SCALE * anchor.width + anchor.x;
    let half = |size: f32, of: f32| (size / SIZE_SCALE).min(LARGEST).exp() * of / 2.0;
    let (height, width) = (half(height, anchor.height), half(width, anchor.width));
    Region::between(x - width, y - height, x + width, y + height)
}

/// Leaves the surest box of each thing (non-maximum suppression).
fn once_each(sorted: Vec<Seen>) -> Vec<Seen> {
    let mut kept: Vec<Seen> = Vec::new();
    for seen in sorted {
        if kept.len() == MOST {
            break;
        }
        let is_there = kept.iter().any(|other| {
            other.label == seen.label && other.region.overlap(seen.region) > SAME_THING
        });
        if !is_there {
            kept.push(seen);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchors::{COUNT, anchors};

    /// What a network says that sees nothing.
    fn nothing() -> Answer {
        Answer {
            boxes: vec![0.0; COUNT * COORDINATES],
            scores: vec![-20.0; COUNT * CLASSES],
        }
    }

    fn says(answer: &mut Answer, anchor: usize, class: usize, score: f32) {
        answer.scores[anchor * CLASSES + class] = score;
    }

    const PERSON: usize = 4;
    const CAR: usize = 23;
    /// The anchor that is nearly the whole picture.
    const WHOLE: usize = 1911;

    #[test]
    fn a_thing_is_where_its_anchor_is_moved_to() {
        let mut answer = nothing();
        says(&mut answer, WHOLE, PERSON, 0.0);
        answer.boxes[WHOLE * COORDINATES..][..4].copy_from_slice(&[1.0, -2.0, -5.0, -10.0]);
        let seen = decode(&answer, &anchors(), 0.4);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].label.name(), "person");
        assert!((seen[0].confidence - 0.5).abs() < 1e-6);
        let region = seen[0].region;
        let middle = [
            region.left + region.width / 2.0,
            region.top + region.height / 2.0,
        ];
        // The anchor is 0.95 each way.
        let expected = [0.5 - 0.2 * 0.95, 0.5 + 0.1 * 0.95];
        assert!((middle[0] - expected[0]).abs() < 1e-5, "{middle:?}");
        assert!((middle[1] - expected[1]).abs() < 1e-5, "{middle:?}");
        assert!((region.height - 0.95 / 1f32.exp()).abs() < 1e-5);
        assert!((region.width - 0.95 / 2f32.exp()).abs() < 1e-5);
    }

    #[test]
    fn what_it_is_less_sure_of_is_not_told() {
        let mut answer = nothing();
        // Sigmoids of 0.45 and 0.62.
        says(&mut answer, 1200, PERSON, -0.2);
        says(&mut answer, WHOLE, CAR, 0.5);
        let names = |confidence| -> Vec<&str> {
            let seen = decode(&answer, &anchors(), confidence);
            seen.iter().map(|seen| seen.label.name()).collect()
        };
        assert_eq!(names(0.4), ["car", "person"]);
        assert_eq!(names(0.5), ["car"]);
        assert_eq!(names(0.9), [""; 0]);
        assert_eq!(names(1.0), [""; 0]);
        assert_eq!(names(0.0).len(), MOST);
    }

    #[test]
    fn the_background_is_no_thing() {
        let mut answer = nothing();
        says(&mut answer, WHOLE, BACKGROUND, 5.0);
        assert_eq!(decode(&answer, &anchors(), 0.4), []);
    }

    #[test]
    fn one_thing_is_told_of_once_and_two_labels_are_two() {
        let mut answer = nothing();
        // The last two anchors lie on one another nearly.
        says(&mut answer, WHOLE, PERSON, 1.0);
        says(&mut answer, 1916, PERSON, 2.0);
        says(&mut answer, WHOLE, CAR, 0.0);
        // And a small one within them is another person.
        says(&mut answer, 0, PERSON, 0.5);
        let seen = decode(&answer, &anchors(), 0.4);
        let told: Vec<(&str, bool)> = seen
            .iter()
            .map(|seen| (seen.label.name(), seen.region.width > 0.5))
            .collect();
        assert_eq!(told, [("person", true), ("person", false), ("car", true)]);
        assert!((seen[0].confidence - sigmoid(2.0)).abs() < 1e-6);
    }

    #[test]
    fn numbers_that_are_none_are_no_things() {
        let wild = [
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            -f32::MAX,
        ];
        for score in wild {
            for coordinate in wild {
                let mut answer = nothing();
                says(&mut answer, WHOLE, PERSON, score);
                answer.boxes[WHOLE * COORDINATES..][..4].fill(coordinate);
                for seen in decode(&answer, &anchors(), 0.4) {
                    let region = seen.region;
                    let edges = [region.left, region.top, region.right(), region.bottom()];
                    assert!(
                        edges.iter().all(|edge| (0.0..=1.0001).contains(edge)),
                        "{region:?}"
                    );
                    assert!((0.4..=1.0).contains(&seen.confidence));
                }
            }
        }
    }
}
