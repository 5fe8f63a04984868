//! What need not be asked again: a scene that looks as it did when the answer was "no".

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A model may have been wrong: after this a scene is asked about again, unchanged as it is.
const BELIEVED_FOR: Duration = Duration::from_mins(30);

/// Levels by which a cell must differ to have changed: above what sensors make of a still scene in
/// an eighth of their size.
const CHANGED: i32 = 12;

/// Cells that must have changed for a scene to be another: fewer are flicker. Rather too few, as a
/// question too many costs less than one too few.
const CHANGED_CELLS: usize = 4;

/// A scene as brightness in cells: what the motion judge looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    width: usize,
    cells: Vec<u8>,
}

impl Scene {
    /// Cells row by row. `None` where they make no rows of `width`.
    pub fn new(width: usize, cells: Vec<u8>) -> Option<Self> {
        (!cells.is_empty() && width > 0 && cells.len().is_multiple_of(width))
            .then_some(Self { width, cells })
    }

    /// Whether nothing but the light of the whole has changed since `other`.
    pub fn looks_like(&self, other: &Self) -> bool {
        if (self.width, self.cells.len()) != (other.width, other.cells.len()) {
            return false;
        }
        let pairs = || self.cells.iter().zip(&other.cells);
        let mut differences: Vec<i32> = pairs()
            .map(|(&now, &then)| i32::from(now) - i32::from(then))
            .collect();
        let middle = differences.len() / 2;
        let (_, &mut brighter, _) = differences.select_nth_unstable(middle);
        let changed = |(now, then): (&u8, &u8)| {
            (i32::from(*now) - i32::from(*then) - brighter).abs() > CHANGED
        };
        pairs().filter(|&it| changed(it)).count() < CHANGED_CELLS
    }
}

/// What each rule was last answered "no" about.
#[derive(Debug, Default)]
pub struct LastNo {
    rules: HashMap<String, (Arc<Scene>, Instant)>,
}

impl LastNo {
    /// Whether `rule` need not be asked about `scene`.
    pub fn holds(&self, rule: &str, scene: &Scene, now: Instant) -> bool {
        self.rules.get(rule).is_some_and(|(then, at)| {
            now.saturating_duration_since(*at) < BELIEVED_FOR && scene.looks_like(then)
        })
    }

    /// The answer about `scene` was "no". One too many rules are kept until they are asked again;
    /// they are as many as the camera has.
    pub fn answered_no(&mut self, rule: &str, scene: Arc<Scene>, now: Instant) {
        self.rules.insert(rule.to_owned(), (scene, now));
    }

    /// The answer was another, or the rule has changed: what was "no" says nothing any more.
    pub fn forget(&mut self, rule: &str) {
        self.rules.remove(rule);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 160;

    fn scene(cell: impl Fn(usize, usize) -> i32) -> Scene {
        let cells = (0..90 * WIDTH).map(|it| cell(it % WIDTH, it / WIDTH).clamp(0, 255));
        let cells = cells.map(|it| u8::try_from(it).unwrap()).collect();
        Scene::new(WIDTH, cells).unwrap()
    }

    fn road(x: usize, y: usize) -> i32 {
        i32::try_from((x * 7 + y * 13) % 120).unwrap() + 60
    }

    #[test]
    fn light_and_noise_are_the_same_scene() {
        let before = scene(road);
        let darker = scene(|x, y| road(x, y) - 30);
        let noisy = scene(|x, y| road(x, y) + i32::try_from((x * 31 + y * 17) % 11).unwrap() - 5);
        assert!(darker.looks_like(&before));
        assert!(noisy.looks_like(&before));
    }

    #[test]
    fn a_small_thing_is_another_scene() {
        let before = scene(road);
        let parcel = scene(|x, y| {
            let there = (80..84).contains(&x) && (60..62).contains(&y);
            if there { 20 } else { road(x, y) }
        });
        assert!(!parcel.looks_like(&before));
        assert!(!before.looks_like(&Scene::new(80, vec![0; 80 * 45]).unwrap()));
    }

    #[test]
    fn no_is_believed_for_a_while_and_for_that_rule() {
        let start = Instant::now();
        let mut last = LastNo::default();
        let before = scene(road);
        last.answered_no("parcel", Arc::new(before.clone()), start);
        assert!(last.holds("parcel", &before, start + BELIEVED_FOR / 2));
        assert!(!last.holds("visitor", &before, start));
        assert!(!last.holds("parcel", &before, start + BELIEVED_FOR));
        assert!(!last.holds("parcel", &scene(|x, _| if x < 9 { 0 } else { 200 }), start));
        last.forget("parcel");
        assert!(!last.holds("parcel", &before, start));
    }

    #[test]
    fn cells_make_rows() {
        assert_eq!(Scene::new(7, vec![0; 8]), None);
        assert_eq!(Scene::new(0, vec![]), None);
    }
}
