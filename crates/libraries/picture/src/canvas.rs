//! Pixels in memory.

/// Red, green and blue, 0 to 255 each.
pub type Colour = [u8; 3];

/// A picture of 3 bytes per pixel. What is drawn beyond its edges is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canvas {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Canvas {
    /// Makes a canvas of one colour.
    pub fn new(width: u32, height: u32, colour: Colour) -> Self {
        let pixels = width as usize * height as usize;
        Self {
            width,
            height,
            rgb: colour.repeat(pixels),
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, row by row from the top left.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Becomes a copy of `other`, in the memory it has.
    pub fn copy_from(&mut self, other: &Self) {
        self.width = other.width;
        self.height = other.height;
        self.rgb.clone_from(&other.rgb);
    }

    /// Fills everything.
    pub fn fill(&mut self, colour: Colour) {
        self.rectangle(0, 0, self.width, self.height, colour);
    }

    /// Fills the rectangle whose top left corner is at `x`, `y`.
    pub fn rectangle(&mut self, x: i32, y: i32, width: u32, height: u32, colour: Colour) {
        let (left, right) = clip(x, width, self.width);
        let (top, bottom) = clip(y, height, self.height);
        let row_bytes = self.width as usize * 3;
        if row_bytes == 0 {
            return;
        }
        let rows = self.rgb.chunks_exact_mut(row_bytes);
        for row in rows.take(bottom).skip(top) {
            for pixel in row[left * 3..right * 3].chunks_exact_mut(3) {
                pixel.copy_from_slice(&colour);
            }
        }
    }

    /// Gives every pixel the colour that `colour` says for its place.
    pub fn paint(&mut self, colour: impl Fn(u32, u32) -> Colour) {
        let width = self.width.max(1);
        for (index, pixel) in (0u32..).zip(self.rgb.chunks_exact_mut(3)) {
            pixel.copy_from_slice(&colour(index % width, index / width));
        }
    }
}

/// The part of `start..start + length` that lies in `0..limit`.
fn clip(start: i32, length: u32, limit: u32) -> (usize, usize) {
    let within = |at: i64| at.clamp(0, i64::from(limit)) as usize;
    let start = i64::from(start);
    (within(start), within(start + i64::from(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Colour = [255, 0, 0];

    #[test]
    fn clips_what_is_drawn_beyond_its_edges() {
        let mut canvas = Canvas::new(4, 3, [0; 3]);
        canvas.rectangle(-2, -2, 3, 3, RED);
        canvas.rectangle(3, 2, u32::MAX, u32::MAX, RED);
        canvas.rectangle(9, 9, 1, 1, RED);
        canvas.rectangle(i32::MIN, 0, 1, 1, RED);
        let red: Vec<usize> = (0..12)
            .filter(|i| canvas.rgb()[i * 3..][..3] == RED)
            .collect();
        assert_eq!(red, [0, 11]);
        Canvas::new(0, 0, RED).fill(RED);
    }

    #[test]
    fn paints_by_place_and_copies() {
        let mut canvas = Canvas::new(3, 2, RED);
        canvas.paint(|x, y| [x as u8, y as u8, 7]);
        assert_eq!(canvas.rgb()[15..], [2, 1, 7]);
        let mut copy = Canvas::new(1, 1, RED);
        copy.copy_from(&canvas);
        assert_eq!(copy, canvas);
        copy.fill(RED);
        assert_eq!(copy, Canvas::new(3, 2, RED));
    }
}
