//! Which cells are watched: polygons that are left out, and polygons that alone are watched.

use crate::grid::Grid;

/// The most polygons of each kind, and the most corners of one.
const MOST: usize = 64;

/// Polygons in percent of the picture, written as `"0,0 30,0 30,6 0,6"`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zones {
    masks: Vec<Polygon>,
    areas: Vec<Polygon>,
}

/// Why something is not a polygon in percent of the picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// A corner is not two numbers.
    #[error("corner {0:?} is not two numbers of 0 to 100 with a comma between (\"30,6\")")]
    Corner(String),
    /// Two corners make no area.
    #[error("polygon {0:?} has fewer than three corners")]
    TooFew(String),
    /// More than is looked at.
    #[error("more than {MOST} polygons, or corners of one")]
    TooMany,
}

#[derive(Clone, Debug, PartialEq)]
struct Polygon {
    /// Shares of the picture.
    corners: Vec<(f32, f32)>,
}

impl Zones {
    /// Reads what is left out (`masks`) and what alone is watched (`areas`; none: everything).
    ///
    /// # Errors
    /// See [`ZoneError`].
    pub fn new<S: AsRef<str>>(masks: &[S], areas: &[S]) -> Result<Self, ZoneError> {
        if masks.len() > MOST || areas.len() > MOST {
            return Err(ZoneError::TooMany);
        }
        let read = |texts: &[S]| -> Result<Vec<Polygon>, ZoneError> {
            texts.iter().map(|text| polygon(text.as_ref())).collect()
        };
        Ok(Self {
            masks: read(masks)?,
            areas: read(areas)?,
        })
    }

    /// Whether a point, in shares of the picture, is left out.
    pub fn is_masked(&self, x: f32, y: f32) -> bool {
        self.masks.iter().any(|polygon| polygon.contains(x, y))
    }

    /// Whether a point, in shares of the picture, is watched.
    pub fn is_watched(&self, x: f32, y: f32) -> bool {
        let in_area =
            self.areas.is_empty() || self.areas.iter().any(|polygon| polygon.contains(x, y));
        in_area && !self.is_masked(x, y)
    }

    /// Says of each cell whether it is watched. A cell that a mask covers in part is left out:
    /// the digits of a clock reach over its edge.
    pub(crate) fn watched(&self, grid: Grid, watched: &mut Vec<bool>) {
        watched.clear();
        for row in 0..grid.height {
            for column in 0..grid.width {
                let point = |x: f32, y: f32| {
                    let x = (column as f32 + x) / grid.width as f32;
                    (x, (row as f32 + y) / grid.height as f32)
                };
                let masked = [0.1, 0.5, 0.9].iter().any(|&y| {
                    [0.1, 0.5, 0.9].iter().any(|&x| {
                        let (x, y) = point(x, y);
                        self.is_masked(x, y)
                    })
                });
                let (x, y) = point(0.5, 0.5);
                watched.push(!masked && self.is_watched(x, y));
            }
        }
    }
}

fn polygon(text: &str) -> Result<Polygon, ZoneError> {
    let corners: Vec<_> = text
        .split_whitespace()
        .take(MOST + 1)
        .map(corner)
        .collect::<Result<_, _>>()?;
    match corners.len() {
        0..3 => Err(ZoneError::TooFew(text.to_owned())),
        count if count > MOST => Err(ZoneError::TooMany),
        _ => Ok(Polygon { corners }),
    }
}

fn corner(text: &str) -> Result<(f32, f32), ZoneError> {
    let share = |text: &str| {
        let percent: f32 = text.parse().ok()?;
        (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
    };
    text.split_once(',')
        .and_then(|(x, y)| Some((share(x)?, share(y)?)))
        .ok_or_else(|| ZoneError::Corner(text.to_owned()))
}

impl Polygon {
    /// Counts the edges to the right of the point: inside, they are odd.
    fn contains(&self, x: f32, y: f32) -> bool {
        let before = self.corners.iter().cycle().skip(self.corners.len() - 1);
        let edges = self.corners.iter().zip(before);
        let crossed = edges.filter(|((x1, y1), (x2, y2))| {
            (*y1 > y) != (*y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1
        });
        crossed.count() % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_leaves_out_and_an_area_alone_is_watched() {
        let zones = Zones::new(&["0,0 30,0 30,6 0,6"], &["0,0 50,0 50,100 0,100"]).unwrap();
        assert!(!zones.is_watched(0.1, 0.03));
        assert!(zones.is_watched(0.1, 0.5));
        assert!(!zones.is_watched(0.7, 0.5));
        assert!(Zones::default().is_watched(0.7, 0.5));
    }

    #[test]
    fn a_cell_that_a_mask_touches_is_left_out() {
        let grid = Grid {
            width: 10,
            height: 10,
        };
        let mut watched = Vec::new();
        let zones = Zones::new(&["0,0 13,0 13,13 0,13"], &[]).unwrap();
        zones.watched(grid, &mut watched);
        assert_eq!(watched.iter().filter(|watched| !**watched).count(), 4);
    }

    #[test]
    fn says_what_is_wrong_with_a_polygon() {
        let error = |text: &str| Zones::new(&[text], &[]).unwrap_err();
        assert_eq!(error("1,1 2,2"), ZoneError::TooFew("1,1 2,2".to_owned()));
        for corner in ["3", "3,x", "3,101", "-1,3", "NaN,3"] {
            let text = format!("1,1 2,2 {corner}");
            assert_eq!(error(&text), ZoneError::Corner(corner.to_owned()));
        }
        assert_eq!(error(&"1,1 ".repeat(65)), ZoneError::TooMany);
        assert_eq!(
            Zones::new(&["1,1 2,2 3,3"; 65], &[]).unwrap_err(),
            ZoneError::TooMany
        );
    }
}
