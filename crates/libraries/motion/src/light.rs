//! What a camera does to a whole picture: more or less light, another tone, a little to the side.
//!
//! The picture is fitted to the background by least squares: `gain * background + offset`, and the
//! background's slopes times how far the view has shifted. Cells that fit badly are left out and
//! the rest is fitted again, so that a thing in front of the camera does not count. What a single
//! gain does not explain (infrared, gamma) a curve of tones may, if it explains most.

use crate::grid::Grid;

/// How often the fit is repeated without what fitted badly.
const ROUNDS: usize = 3;
/// Brightness above and below which a sensor clips.
const CLIPPED: (f32, f32) = (3.0, 250.0);
/// Sums are of what is above this, or single precision would not do.
const MIDDLE: f32 = 128.0;
/// The farthest shift that is explained, in cells: farther than any pole sways.
const FARTHEST_SHIFT: f32 = 1.0;
/// The tones of which a curve is made.
const TONES: usize = 16;
/// The least share of cells that says something about a tone.
const LEAST_TONE_SHARE: f32 = 0.005;

/// How the picture came from the background.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Light {
    pub(crate) gain: f32,
    pub(crate) offset: f32,
    /// How far the view has moved, in cells.
    pub(crate) shift: (f32, f32),
}

impl Light {
    pub(crate) const SAME: Self = Self {
        gain: 1.0,
        offset: 0.0,
        shift: (0.0, 0.0),
    };
}

/// Fits pictures to backgrounds. Keeps its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct LightFit {
    /// Half the differences across and down: the background's slopes.
    across: Vec<f32>,
    down: Vec<f32>,
    residuals: Vec<f32>,
}

impl LightFit {
    /// Fits a picture, and writes what the background would look like in its light. It begins with
    /// cells of an `excess` below 1.
    pub(crate) fn fit(
        &mut self,
        grid: Grid,
        picture: &[f32],
        background: &[f32],
        excess: &[f32],
        expected: &mut [f32],
    ) -> Light {
        self.slopes(grid, background);
        let mut light = Light::SAME;
        let mut within = f32::INFINITY;
        for round in 0..ROUNDS {
            let mut sums = Sums::default();
            // Every second cell says as much as all.
            for cell in (0..picture.len()).step_by(2) {
                let (f, b) = (picture[cell], background[cell]);
                let is_in = match round {
                    0 => excess[cell] < 1.0,
                    _ => (f - expected[cell]).abs() < within,
                };
                if is_in && f > CLIPPED.0 && f < CLIPPED.1 {
                    let slopes = (self.across[cell], self.down[cell]);
                    sums.add(b - MIDDLE, slopes, f - MIDDLE);
                }
            }
            // Too little is left to say anything.
            if sums.count < 0.05 * grid.cells() as f32 {
                break;
            }
            light = sums.solve();
            self.expect(light, background, expected);
            self.residuals.clear();
            let apart = picture.iter().zip(&*expected).map(|(f, e)| (f - e).abs());
            self.residuals.extend(apart);
            within = (2.5 * median(&self.residuals)).max(2.0);
        }
        self.expect(light, background, expected);
        light
    }

    fn expect(&self, light: Light, background: &[f32], expected: &mut [f32]) {
        let slopes = self.across.iter().zip(&self.down);
        for ((e, b), (across, down)) in expected.iter_mut().zip(background).zip(slopes) {
            let moved = light.shift.0 * across + light.shift.1 * down;
            *e = (light.gain * b + light.offset + moved).clamp(0.0, 255.0);
        }
    }

    fn slopes(&mut self, grid: Grid, background: &[f32]) {
        self.across.resize(grid.cells(), 0.0);
        self.down.resize(grid.cells(), 0.0);
        let width = grid.width;
        for (row, cells) in background.chunks_exact(width).enumerate() {
            let across = &mut self.across[row * width..][..width];
            for (slope, triple) in across[1..width - 1].iter_mut().zip(cells.windows(3)) {
                *slope = (triple[2] - triple[0]) / 2.0;
            }
            if row > 0 && row + 1 < grid.height {
                let above = &background[(row - 1) * width..][..width];
                let below = &background[(row + 1) * width..][..width];
                let down = &mut self.down[row * width..][..width];
                for (slope, (above, below)) in down.iter_mut().zip(above.iter().zip(below)) {
                    *slope = (below - above) / 2.0;
                }
            }
        }
    }

    /// How steep the background is at a cell, in brightness a cell.
    pub(crate) fn slope(&self, cell: usize) -> f32 {
        self.across[cell].abs().max(self.down[cell].abs())
    }
}

/// The sums of a least squares fit of four unknowns: gain, offset, and the shift across and down.
#[derive(Default)]
struct Sums {
    bb: f32,
    b: f32,
    ba: f32,
    bd: f32,
    a: f32,
    d: f32,
    aa: f32,
    ad: f32,
    dd: f32,
    bf: f32,
    f: f32,
    af: f32,
    df: f32,
    count: f32,
}

impl Sums {
    #[inline]
    fn add(&mut self, b: f32, (a, d): (f32, f32), f: f32) {
        self.bb += b * b;
        self.b += b;
        self.ba += b * a;
        self.bd += b * d;
        self.a += a;
        self.d += d;
        self.aa += a * a;
        self.ad += a * d;
        self.dd += d * d;
        self.bf += b * f;
        self.f += f;
        self.af += a * f;
        self.df += d * f;
        self.count += 1.0;
    }

    /// Solves by elimination. A little is added to the squares of the shift, so that a view without
    /// slopes does not move, and to that of the gain, so that an even one keeps it near 1.
    fn solve(&self) -> Light {
        let n = self.count;
        let mut rows = [
            [self.bb + n, self.b, self.ba, self.bd, self.bf + n],
            [self.b, n, self.a, self.d, self.f],
            [self.ba, self.a, self.aa + 0.2 * n, self.ad, self.af],
            [self.bd, self.d, self.ad, self.dd + 0.2 * n, self.df],
        ];
        for pivot in 0..4 {
            let upper = rows[pivot];
            if upper[pivot].abs() < 1e-3 {
                return Light::SAME;
            }
            for row in &mut rows[pivot + 1..] {
                let factor = row[pivot] / upper[pivot];
                for (value, above) in row.iter_mut().zip(&upper) {
                    *value -= factor * above;
                }
            }
        }
        let mut x = [0.0; 4];
        for row in (0..4).rev() {
            let known: f32 = (row + 1..4).map(|k| rows[row][k] * x[k]).sum();
            x[row] = (rows[row][4] - known) / rows[row][row];
        }
        let shift = |cells: f32| cells.clamp(-FARTHEST_SHIFT, FARTHEST_SHIFT);
        let gain = x[0].clamp(0.1, 8.0);
        Light {
            gain,
            offset: x[1] + MIDDLE - gain * MIDDLE,
            shift: (shift(x[2]), shift(x[3])),
        }
    }
}

/// The median of absolute brightness differences, to a quarter.
pub(crate) fn median(differences: &[f32]) -> f32 {
    let mut counts = [0u32; 256];
    for difference in differences {
        counts[((difference * 4.0) as usize).min(255)] += 1;
    }
    let half = differences.len() as u32 / 2;
    let mut sum = 0;
    for (quarter, count) in counts.iter().enumerate() {
        sum += count;
        if sum > half {
            return (quarter as f32 + 0.5) / 4.0;
        }
    }
    64.0
}

/// Corrects what is expected by a curve over the background's tones: the median of what is left in
/// each. Writes the result to `corrected`.
pub(crate) fn with_tones(
    picture: &[f32],
    background: &[f32],
    expected: &[f32],
    corrected: &mut [f32],
) {
    const LEVELS: usize = 128; // of 2 each, so -128 to 126
    let mut counts = [[0u32; LEVELS]; TONES];
    let tone = |b: f32| ((b / 16.0) as usize).min(TONES - 1);
    for ((f, b), e) in picture.iter().zip(background).zip(expected) {
        let level = ((f - e + 128.0) / 2.0).clamp(0.0, LEVELS as f32 - 1.0);
        counts[tone(*b)][level as usize] += 1;
    }
    let least = (LEAST_TONE_SHARE * picture.len() as f32) as u32;
    let mut known = [(0.0f32, 0.0f32); TONES];
    let mut number = 0;
    for (index, counts) in counts.iter().enumerate() {
        let all: u32 = counts.iter().sum();
        if all < least.max(8) {
            continue;
        }
        let mut sum = 0;
        let middle = counts.iter().position(|count| {
            sum += count;
            sum * 2 >= all
        });
        let middle = middle.unwrap_or(LEVELS / 2) as f32 * 2.0 - 127.0;
        known[number] = (index as f32 * 16.0 + 8.0, middle);
        number += 1;
    }
    let known = &known[..number];
    for ((c, b), e) in corrected.iter_mut().zip(background).zip(expected) {
        *c = (e + between(known, *b)).clamp(0.0, 255.0);
    }
}

/// The value at a place between known ones; beyond them, that of the nearest.
fn between(known: &[(f32, f32)], at: f32) -> f32 {
    let after = known.iter().position(|(place, _)| *place >= at);
    match after {
        None => known.last().map_or(0.0, |(_, value)| *value),
        Some(0) => known[0].1,
        Some(after) => {
            let ((x0, y0), (x1, y1)) = (known[after - 1], known[after]);
            y0 + (y1 - y0) * (at - x0) / (x1 - x0)
        }
    }
}
