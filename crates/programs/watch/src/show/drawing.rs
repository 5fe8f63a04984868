//! Lines and shades in a picture.

use anyhow::Context;
use eyelid_config::Polygon;
use eyelid_jpeg::Pixels;
use eyelid_motion::Region;
use eyelid_picture::Encoder;

use crate::area::contains;
use crate::eye::DifferentCells;
use crate::rules::Answer;

const AREA: [u8; 3] = [64, 224, 64];
const RULE: [u8; 3] = [64, 160, 255];
const MOVING: [u8; 3] = [255, 64, 64];
const DIFFERENT: [u8; 3] = [255, 128, 0];
const SEEN: [u8; 3] = [255, 224, 32];

/// How good the JPEG is that is written.
const QUALITY: u8 = 85;

/// A picture that is drawn into.
pub(super) struct Drawing {
    pixels: Pixels,
    /// Of lines, in pixels.
    thickness: u32,
}

impl Drawing {
    pub(super) fn new(pixels: Pixels) -> Self {
        Self {
            thickness: (pixels.width.max(pixels.height) / 400).max(1),
            pixels,
        }
    }

    /// Darkens what does not count.
    pub(super) fn shade_masks(&mut self, masks: &[Polygon]) {
        if masks.is_empty() {
            return;
        }
        let (width, height) = (self.pixels.width, self.pixels.height);
        for y in 0..height {
            for x in 0..width {
                let percent = |at: u32, of: u32| 100.0 * (at as f32 + 0.5) / of as f32;
                let (across, down) = (percent(x, width), percent(y, height));
                // A lattice shows where a dark picture is masked.
                if masks.iter().any(|mask| contains(mask, across, down)) {
                    let at = self.at(x, y);
                    let lattice = (x + y) % 16 == 0;
                    for sample in &mut self.pixels.rgb[at..at + 3] {
                        *sample = if lattice { 160 } else { *sample / 3 };
                    }
                }
            }
        }
    }

    /// Tints the cells that look different: half of what is seen there is their colour.
    pub(super) fn tint_cells(&mut self, cells: &DifferentCells) {
        let columns = cells.width;
        let rows = cells.different.len().checked_div(columns).unwrap_or(0);
        let (width, height) = (self.pixels.width, self.pixels.height);
        let cell_of = |x: u32, y: u32| {
            let share = |at: u32, of: u32, cells: usize| at as usize * cells / of as usize;
            share(y, height, rows) * columns + share(x, width, columns)
        };
        for y in 0..height {
            for x in 0..width {
                if cells.different.get(cell_of(x, y)) != Some(&true) {
                    continue;
                }
                let at = self.at(x, y);
                for (sample, colour) in self.pixels.rgb[at..at + 3].iter_mut().zip(DIFFERENT) {
                    *sample = sample.midpoint(colour);
                }
            }
        }
    }

    /// Outlines what alone counts.
    pub(super) fn outline_areas(&mut self, areas: &[Polygon]) {
        areas.iter().for_each(|area| self.outline(area, AREA));
    }

    /// Outlines where one rule looks.
    pub(super) fn outline_rule(&mut self, areas: &[Polygon]) {
        areas.iter().for_each(|area| self.outline(area, RULE));
    }

    /// Boxes around what moves.
    pub(super) fn mark_moving(&mut self, regions: &[Region]) {
        for region in regions {
            self.mark(region.left, region.top, region.width, region.height, MOVING);
        }
    }

    /// Boxes around what a judge says is there.
    pub(super) fn mark_seen(&mut self, answer: &Answer) {
        if let Answer::Yes { sightings, .. } = answer {
            for it in sightings {
                let [left, top, width, height] =
                    [it.left, it.top, it.width, it.height].map(|share| share as f32);
                self.mark(left, top, width, height, SEEN);
            }
        }
    }

    /// Gives it as a JPEG.
    pub(super) fn into_jpeg(self) -> anyhow::Result<Vec<u8>> {
        let (width, height) = (self.pixels.width, self.pixels.height);
        let mut encoder = Encoder::default();
        let jpeg = encoder.encode_rgb(&self.pixels.rgb, width, height, QUALITY);
        Ok(jpeg.context("the drawing")?.to_vec())
    }

    fn mark(&mut self, left: f32, top: f32, width: f32, height: f32, colour: [u8; 3]) {
        let (right, bottom) = (left + width, top + height);
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        self.lines(&corners, colour);
    }

    fn outline(&mut self, polygon: &Polygon, colour: [u8; 3]) {
        let corners = polygon.corners_percent().iter();
        let corners: Vec<_> = corners.map(|(x, y)| (x / 100.0, y / 100.0)).collect();
        self.lines(&corners, colour);
    }

    /// A closed line through points, in shares of the picture.
    fn lines(&mut self, corners: &[(f32, f32)], colour: [u8; 3]) {
        let size = (self.pixels.width as f32, self.pixels.height as f32);
        let next = corners.iter().cycle().skip(1);
        for ((x1, y1), (x2, y2)) in corners.iter().zip(next) {
            let (across, down) = ((x2 - x1) * size.0, (y2 - y1) * size.1);
            let steps = across.abs().max(down.abs()).max(1.0) as u32;
            for step in 0..=steps {
                let part = step as f32 / steps as f32;
                let x = x1 * size.0 + across * part;
                let y = y1 * size.1 + down * part;
                self.dot(x as u32, y as u32, colour);
            }
        }
    }

    fn dot(&mut self, x: u32, y: u32, colour: [u8; 3]) {
        for y in y..y.saturating_add(self.thickness).min(self.pixels.height) {
            for x in x..x.saturating_add(self.thickness).min(self.pixels.width) {
                let at = self.at(x, y);
                self.pixels.rgb[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    fn at(&self, x: u32, y: u32) -> usize {
        3 * (y as usize * self.pixels.width as usize + x as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_differ_are_tinted_and_no_others() {
        let mut drawing = Drawing::new(Pixels {
            width: 100,
            height: 50,
            rgb: vec![0; 3 * 100 * 50],
        });
        drawing.tint_cells(&DifferentCells::default());
        assert!(drawing.pixels.rgb.iter().all(|sample| *sample == 0));
        let mut different = vec![false; 10 * 5];
        different[3 * 10 + 7] = true;
        drawing.tint_cells(&DifferentCells {
            width: 10,
            different,
        });
        for (x, y) in (0..100).flat_map(|x| (0..50).map(move |y| (x, y))) {
            let is_it = (70..80).contains(&x) && (30..40).contains(&y);
            let at = drawing.at(x, y);
            assert_eq!(drawing.pixels.rgb[at] == 127, is_it, "{x},{y}");
        }
    }

    #[test]
    fn masks_are_dark_and_boxes_are_where_they_belong() {
        let mut drawing = Drawing::new(Pixels {
            width: 100,
            height: 50,
            rgb: vec![120; 3 * 100 * 50],
        });
        drawing.shade_masks(&["0,0 50,0 50,100 0,100".parse().unwrap()]);
        let region = Region {
            left: 0.6,
            top: 0.2,
            width: 0.2,
            height: 0.4,
        };
        drawing.mark_moving(&[region]);
        let pixel = |drawing: &Drawing, x, y| {
            let at = drawing.at(x, y);
            [0, 1, 2].map(|n| drawing.pixels.rgb[at + n])
        };
        assert_eq!(pixel(&drawing, 10, 10), [40; 3]);
        assert_eq!(pixel(&drawing, 55, 5), [120; 3]);
        assert_eq!(pixel(&drawing, 60, 20), MOVING);
        assert_eq!(pixel(&drawing, 70, 20), [120; 3]);
        // What reaches over the edge is cut.
        drawing.mark_moving(&[Region {
            left: 0.9,
            width: 0.2,
            ..region
        }]);
        assert_eq!(pixel(&drawing, 90, 20), MOVING);
        let jpeg = drawing.into_jpeg().unwrap();
        assert_eq!(eyelid_jpeg::whole(&jpeg).unwrap().0.width, 100);
    }
}
