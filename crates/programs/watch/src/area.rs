//! Where alone a rule looks: polygons of the picture.

use eyelid_config::Polygon;
use eyelid_motion::Region;

/// How many points of a box are tried along each side. With 8 the least part that counts is found
/// to within a few hundredths.
const POINTS: u8 = 8;

/// How much of a box has to lie within. Boxes are larger than things, and reach over an edge that
/// the thing keeps to; whoever stands in a door has his feet in it.
const ENOUGH: f32 = 0.25;

/// Polygons, of which any counts; none at all is all of the picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Area(Vec<Polygon>);

impl Area {
    /// That of a rule.
    pub(crate) fn new(polygons: &[Polygon]) -> Self {
        Self(polygons.to_vec())
    }

    /// Says whether enough of a box lies within.
    pub(crate) fn has(&self, region: Region) -> bool {
        self.0.is_empty() || self.share(region) >= ENOUGH
    }

    /// Gives how much of a box lies within any of the polygons, 0 to 1.
    pub(crate) fn share(&self, region: Region) -> f32 {
        let at = |begin: f32, size: f32, step: u8| {
            100.0 * (begin + size * (f32::from(step) + 0.5) / f32::from(POINTS))
        };
        let points = (0..POINTS).flat_map(|row| (0..POINTS).map(move |column| (column, row)));
        let within = points.filter(|(column, row)| {
            let across = at(region.left, region.width, *column);
            let down = at(region.top, region.height, *row);
            self.0.iter().any(|polygon| contains(polygon, across, down))
        });
        within.count() as f32 / (f32::from(POINTS) * f32::from(POINTS))
    }
}

/// Says whether a point, in percent, lies within a polygon: whether a ray to its right crosses its
/// edge an odd number of times.
pub(crate) fn contains(polygon: &Polygon, across: f32, down: f32) -> bool {
    let corners = polygon.corners_percent();
    let edges = corners.iter().zip(corners.iter().cycle().skip(1));
    let crossed = edges.filter(|((x1, y1), (x2, y2))| {
        (*y1 > down) != (*y2 > down) && across < x1 + (down - y1) / (y2 - y1) * (x2 - x1)
    });
    crossed.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(text: &str) -> Area {
        Area::new(&[text.parse().unwrap()])
    }

    fn region(left: f32, top: f32, width: f32, height: f32) -> Region {
        Region {
            left,
            top,
            width,
            height,
        }
    }

    #[test]
    fn a_quarter_of_a_box_is_enough() {
        let left_half = area("0,0 50,0 50,100 0,100");
        assert!(left_half.has(region(0.2, 0.2, 0.2, 0.2)));
        assert!(left_half.has(region(0.4, 0.2, 0.2, 0.2)));
        assert!(!left_half.has(region(0.46, 0.2, 0.4, 0.2)));
        assert!(!left_half.has(region(0.6, 0.2, 0.2, 0.2)));
        assert!(Area::default().has(region(0.6, 0.2, 0.2, 0.2)));
    }

    #[test]
    fn a_polygon_may_have_any_form() {
        let l_shaped = area("0,0 100,0 100,20 20,20 20,100 0,100");
        assert!(l_shaped.has(region(0.0, 0.8, 0.1, 0.1)));
        assert!(!l_shaped.has(region(0.5, 0.5, 0.1, 0.1)));
    }
}
