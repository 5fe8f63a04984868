//! Connected cells that look different, and what of them light explains.

use std::ops::Range;

use crate::grid::{Bounds, Grid};

/// The most pieces of one picture; snow has more, and then the rest does not matter.
pub(crate) const MOST_BLOBS: usize = 512;
/// How much brighter or darker neighbours become unlike each other where only light changes, in
/// shares: the standard deviation, without noise.
const UNEVEN: f32 = 0.025;

/// The variance of a pair's ratio, by noise, from which it says nothing: that of things is about as
/// much.
const BLIND: f32 = 0.06;

/// How unlike neighbours in the background are where a thing would show by hiding it.
const LEAST_TEXTURE: f32 = 1.5;

/// A piece of connected different cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blob {
    pub(crate) bounds: Bounds,
    /// How many cells.
    pub(crate) area: usize,
    /// How many cells, those that stand out more counting more.
    pub(crate) strength: f32,
    /// Pairs of neighbours inside it.
    pub(crate) pairs: usize,
    /// The share of what is inside that differs less than half as much: light fades out.
    pub(crate) faded: f32,
    /// Pairs that waver so much that they say nothing of that, as those of a tree.
    pub(crate) blind: usize,
    /// Cells that have changed a moment ago.
    pub(crate) active: usize,
    /// Cells that did not look different in the picture before.
    pub(crate) fresh: usize,
    pub(crate) touches_border: bool,
    pub(crate) centre: (f32, f32),
    /// What it is, from the texture inside it.
    pub(crate) verdict: Verdict,
    /// Where its cells are in the list of all.
    first: usize,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The background is still seen in it, evenly brighter or darker.
    Light,
    /// It has a texture that is not the background's.
    Textured,
    /// Of one kind all over, and so is the background, or it is not seen in it: a shadow on a wall
    /// and a thing before it look alike.
    Plain,
    /// Too small or too thin to say.
    Open,
}

/// What is known of the cells of a picture.
pub(crate) struct Cells<'a> {
    pub(crate) picture: &'a [f32],
    pub(crate) expected: &'a [f32],
    pub(crate) noise: &'a [f32],
    /// Differences in units of what is to be noticed: 1 is different.
    pub(crate) excess: &'a [f32],
    /// Whether the difference has changed a moment ago.
    pub(crate) active: &'a [bool],
    /// Whether it looked different in the picture before.
    pub(crate) before: &'a [bool],
}

/// Finds pieces. Keeps its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlobFinder {
    /// The number of the blob of each cell, from 1; 0 is none.
    pub(crate) labels: Vec<u16>,
    /// The cells of all blobs, one blob after the other.
    members: Vec<u32>,
    pub(crate) blobs: Vec<Blob>,
    /// How much the cells inside a piece differ.
    depths: Vec<f32>,
}

/// What a cell needs to belong to a piece that begins beside it.
pub(crate) const WEAK: f32 = 0.55;

impl BlobFinder {
    /// Finds all pieces: cells of an excess of 1, and those beside them of [`WEAK`].
    pub(crate) fn find(&mut self, grid: Grid, cells: &Cells<'_>) {
        self.labels.clear();
        self.labels.resize(grid.cells(), 0);
        self.members.clear();
        self.members.reserve(grid.cells());
        self.blobs.clear();
        self.blobs.reserve(MOST_BLOBS);
        for cell in 0..grid.cells() {
            if cells.excess[cell] >= 1.0 && self.labels[cell] == 0 {
                if self.blobs.len() == MOST_BLOBS {
                    break;
                }
                let blob = self.fill(grid, cell, cells);
                self.blobs.push(blob);
            }
        }
        for index in 0..self.blobs.len() {
            self.compare(grid, index, cells);
        }
    }

    /// Collects a piece, cell by cell; `members` is its queue.
    fn fill(&mut self, grid: Grid, seed: usize, cells: &Cells<'_>) -> Blob {
        let label = self.blobs.len() as u16 + 1;
        let first = self.members.len();
        let mut bounds = Bounds::at(seed % grid.width, seed / grid.width);
        let (mut strength, mut active, mut fresh) = (0.0, 0, 0);
        let mut sums = (0.0, 0.0);
        self.labels[seed] = label;
        self.members.push(seed as u32);
        let mut next = first;
        while next < self.members.len() {
            let cell = self.members[next] as usize;
            next += 1;
            let (column, row) = (cell % grid.width, cell / grid.width);
            bounds.include(column, row);
            strength += cells.excess[cell].min(3.0);
            active += usize::from(cells.active[cell]);
            fresh += usize::from(!cells.before[cell]);
            sums.0 += column as f32 + 0.5;
            sums.1 += row as f32 + 0.5;
            for y in row.saturating_sub(1)..(row + 2).min(grid.height) {
                for x in column.saturating_sub(1)..(column + 2).min(grid.width) {
                    let other = y * grid.width + x;
                    if self.labels[other] == 0 && cells.excess[other] >= WEAK {
                        self.labels[other] = label;
                        self.members.push(other as u32);
                    }
                }
            }
        }
        let area = self.members.len() - first;
        Blob {
            bounds,
            area,
            strength,
            pairs: 0,
            faded: 0.0,
            blind: 0,
            active,
            fresh,
            touches_border: bounds.left == 0
                || bounds.top == 0
                || bounds.right + 1 == grid.width
                || bounds.bottom + 1 == grid.height,
            centre: (sums.0 / area as f32, sums.1 / area as f32),
            verdict: Verdict::Open,
            first,
        }
    }

    /// Compares neighbours inside a piece: light makes both brighter or darker by the same share.
    /// Cells at its edge are left out, which a shadow covers in part.
    fn compare(&mut self, grid: Grid, index: usize, cells: &Cells<'_>) {
        let label = index as u16 + 1;
        let (mut pairs, mut blind) = (0, 0);
        let mut sums = [0.0; 3];
        self.depths.clear();
        for position in self.range(index) {
            let cell = self.members[position] as usize;
            if !self.is_inside(grid, cell, label) {
                continue;
            }
            self.depths
                .push((cells.picture[cell] - cells.expected[cell]).abs());
            for other in [cell + 1, cell + grid.width] {
                if other < grid.cells() && self.is_inside(grid, other, label) {
                    match unlikeness(cells, cell, other) {
                        Some(unlike) => {
                            pairs += 1;
                            for (sum, unlike) in sums.iter_mut().zip(unlike) {
                                *sum += unlike;
                            }
                        }
                        None => blind += 1,
                    }
                }
            }
        }
        let inside = self.depths.len().max(1) as f32;
        let half = self.depths.iter().sum::<f32>() / inside / 2.0;
        let faded = self.depths.iter().filter(|depth| **depth < half).count();
        let blob = &mut self.blobs[index];
        blob.pairs = pairs;
        blob.blind = blind;
        blob.faded = faded as f32 / inside;
        blob.verdict = blob.judge(grid, sums.map(|sum| sum / pairs.max(1) as f32));
    }

    /// The cells of a piece.
    pub(crate) fn members(&self, index: usize) -> &[u32] {
        &self.members[self.range(index)]
    }

    fn range(&self, index: usize) -> Range<usize> {
        let Blob { first, area, .. } = self.blobs[index];
        first..first + area
    }

    fn is_inside(&self, grid: Grid, cell: usize, label: u16) -> bool {
        let (column, row) = (cell % grid.width, cell / grid.width);
        if column == 0 || row == 0 || column + 1 == grid.width || row + 1 == grid.height {
            return false;
        }
        let rows = [cell - grid.width, cell, cell + grid.width];
        rows.iter().all(|middle| {
            self.labels[middle - 1..=middle + 1]
                .iter()
                .all(|l| *l == label)
        })
    }
}

/// How unlike two neighbours' ratios to what is expected are, in squares of what noise makes them
/// (their roughness), and how unlike the two are in the background and in the picture (textures);
/// no pair says more than a bound. `None` where noise alone makes them as unlike as things are.
fn unlikeness(cells: &Cells<'_>, one: usize, other: usize) -> Option<[f32; 3]> {
    let blur = |cell: usize| {
        let darker = cells.picture[cell].min(cells.expected[cell]) + 3.0;
        (cells.noise[cell] / darker).powi(2)
    };
    let noise = 2.0 * (blur(one) + blur(other));
    if noise > BLIND {
        return None;
    }
    let apart = |levels: &[f32]| ((levels[one] + 3.0) / (levels[other] + 3.0)).ln();
    let (now, before) = (apart(cells.picture), apart(cells.expected));
    let squares = |apart: f32| (apart * apart / (UNEVEN * UNEVEN + noise)).min(16.0);
    Some([squares(now - before), squares(before), squares(now)])
}

impl Blob {
    /// Says what it is, by the mean [`unlikeness`] of the pairs inside it: `roughness` is 1 where
    /// there is only light and noise; a texture is 0 where background or picture are of one kind.
    fn judge(&self, grid: Grid, [roughness, in_background, in_picture]: [f32; 3]) -> Verdict {
        // Of one kind where the background is not.
        let hides = roughness > 1.5 && in_picture < 0.4 * roughness;
        if self.pairs >= 3 && roughness > 4.0 {
            Verdict::Textured
        } else if self.pairs < 25 || roughness >= 2.5 || (self.is_compact(grid) && self.area < 120)
        {
            Verdict::Open
        } else if in_background > LEAST_TEXTURE && !hides {
            Verdict::Light
        } else {
            Verdict::Plain
        }
    }

    /// Whether a piece of one kind has the outline of a thing: all of it within the picture, solid,
    /// not most of the view, and with an edge that does not fade out.
    pub(crate) fn is_outlined(&self, grid: Grid) -> bool {
        let box_area = (self.bounds.width() * self.bounds.height()) as f32;
        !self.touches_border
            && self.area as f32 > 0.45 * box_area
            && (self.area as f32) < 0.25 * grid.cells() as f32
            && self.bounds.longest() < 0.6 * grid.longest()
            && self.faded < 0.15
    }

    /// Whether it alone could be a thing.
    pub(crate) fn is_thinglike(&self, grid: Grid) -> bool {
        match self.verdict {
            Verdict::Light => false,
            Verdict::Textured => true,
            Verdict::Plain => self.is_outlined(grid),
            Verdict::Open => self.is_compact(grid) && !self.touches_border,
        }
    }

    /// Whether nothing can be said of its texture, since the background has no steady one.
    pub(crate) fn is_unclear(&self) -> bool {
        self.blind >= 25 && self.blind > 2 * self.pairs
    }

    /// Whether it has the shape of a thing: not a thin edge, not all over the picture.
    pub(crate) fn is_compact(&self, grid: Grid) -> bool {
        let longest = self.bounds.longest();
        let (width, height) = (self.bounds.width() as f32, self.bounds.height() as f32);
        let diagonal = width.hypot(height);
        let area = self.area as f32;
        longest < grid.longest() * 0.3
            && area * 8.0 > diagonal * diagonal
            && area > 0.3 * width * height
    }
}
