//! What moves on leaves nothing behind, and what does not move takes few bits: a box that has
//! nearly the brightness of what is behind it, and another colour. Each decoded picture is compared
//! with its source, block by block.

use super::*;

const WIDTH: usize = 320;
const HEIGHT: usize = 240;
const SIDE: usize = 80;
/// A frame of this width, where the box is one: a multiple of nothing that the encoder has.
const BORDER: usize = 10;

/// The mean of a block of 4x4 samples, of luma 8x8, may be off by so much: quantisation at the
/// lowest bitrate has 8, with the box's colour left behind it was 22 to 51.
const MOST_OFF: f64 = 14.0;

/// What the box is.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Filled,
    Frame,
}

/// A box on a slope of brightness, with the grain of a sensor.
struct Room {
    shape: Shape,
    /// How far the box is from what is behind it: Y, U, V.
    differs: [i32; 3],
    /// The grain of luma and of colour is within this, up and down.
    grain: i32,
    seed: u32,
    planes: [Vec<u8>; 3],
}

impl Room {
    fn new(shape: Shape, differs: [i32; 3], grain: i32) -> Self {
        let planes = [1, 4, 4].map(|share| vec![0; WIDTH * HEIGHT / share]);
        Self {
            shape,
            differs,
            grain,
            seed: 1,
            planes,
        }
    }

    fn grain(&mut self) -> i32 {
        // The constants are those of a full-period generator modulo 2^32.
        self.seed = self.seed.wrapping_mul(1_664_525);
        self.seed = self.seed.wrapping_add(1_013_904_223);
        let steps = 2 * self.grain as u32 + 1;
        ((self.seed >> 16) % steps) as i32 - self.grain
    }

    /// The picture in which the box is here.
    fn picture(&mut self, left: usize, top: usize) -> Yuv420<'_> {
        for plane in 0..3 {
            let step = if plane == 0 { 1 } else { 2 };
            let mut place = 0;
            for y in (0..HEIGHT).step_by(step) {
                for x in (0..WIDTH).step_by(step) {
                    let behind = if plane == 0 { 90 + x as i32 / 16 } else { 128 };
                    let is_box = self.has(x.wrapping_sub(left), y.wrapping_sub(top));
                    let shown = behind + if is_box { self.differs[plane] } else { 0 };
                    self.planes[plane][place] = (shown + self.grain()) as u8;
                    place += 1;
                }
            }
        }
        let plane = |bytes, stride| SamplePlane { bytes, stride };
        let [y, u, v] = &self.planes;
        Yuv420 {
            width: WIDTH as u32,
            height: HEIGHT as u32,
            y: plane(y, WIDTH),
            u: plane(u, WIDTH / 2),
            v: plane(v, WIDTH / 2),
            range: SampleRange::Limited,
        }
    }

    /// Says whether the box is here, seen from its corner.
    fn has(&self, x: usize, y: usize) -> bool {
        let inner = BORDER..SIDE - BORDER;
        x < SIDE
            && y < SIDE
            && match self.shape {
                Shape::Filled => true,
                Shape::Frame => !(inner.contains(&x) && inner.contains(&y)),
            }
    }
}

/// Where the box is: it goes, stands still, and goes on.
fn place(number: usize) -> (usize, usize) {
    let steps = number / 40 * 20 + (number % 40).min(20);
    let along = |step: usize, room: usize| {
        let way = (steps * step) % (2 * room);
        way.min(2 * room - way) & !1
    };
    (along(6, WIDTH - SIDE), along(4, HEIGHT - SIDE))
}

/// How far the mean of the worst block is off.
fn worst_block(shown: &[u8], stride: usize, source: SamplePlane<'_>, side: usize) -> f64 {
    let mut worst = 0_i32;
    let rows = source.bytes.len() / source.stride;
    for top in (0..rows).step_by(side) {
        for left in (0..source.stride).step_by(side) {
            let sum: i32 = (top..top + side)
                .map(|row| {
                    let shown = &shown[row * stride + left..][..side];
                    let source = &source.bytes[row * source.stride + left..][..side];
                    let pairs = shown.iter().zip(source);
                    pairs
                        .map(|(a, b)| i32::from(*a) - i32::from(*b))
                        .sum::<i32>()
                })
                .sum();
            worst = worst.max(sum.abs());
        }
    }
    f64::from(worst) / (side * side) as f64
}

/// Shows the room; gives the worst block of all pictures.
fn worst_of(mut room: Room, bits_per_second: u32) -> f64 {
    let mut encoder = OpenH264::new(settings(bits_per_second));
    let mut decoder = Decoder::new().unwrap();
    let mut worst = 0.0_f64;
    for number in 0..100 {
        let (left, top) = place(number);
        let source = room.picture(left, top);
        let encoded = encoder.encode(&source, at(number), Key::NotNeeded);
        let annex_b = encoded.unwrap().unwrap().annex_b;
        let shown = decoder.decode(&annex_b).unwrap().unwrap();
        let strides = shown.strides();
        for off in [
            worst_block(shown.y(), strides.0, source.y, 8),
            worst_block(shown.u(), strides.1, source.u, 4),
            worst_block(shown.v(), strides.2, source.v, 4),
        ] {
            worst = worst.max(off);
        }
    }
    worst
}

#[test]
fn nothing_stays_behind_of_what_is_as_bright_as_what_is_behind_it() {
    for (shape, differs) in [
        (Shape::Filled, [2, 30, -30]),
        (Shape::Filled, [0, 40, 0]),
        (Shape::Frame, [2, -80, 0]),
        (Shape::Frame, [-2, 0, 60]),
    ] {
        for grain in [0, 2] {
            for bits_per_second in [200_000, 1_000_000, 2_500_000] {
                let worst = worst_of(Room::new(shape, differs, grain), bits_per_second);
                let what = format!("{shape:?} {differs:?}, grain {grain}, {bits_per_second}");
                eprintln!("{what}: {worst:.1}");
                assert!(worst < MOST_OFF, "{what}: a block is off by {worst:.1}");
            }
        }
    }
}

#[test]
fn grain_where_nothing_moves_takes_few_bits() {
    let mut encoder = OpenH264::new(settings(2_500_000));
    let mut room = Room::new(Shape::Filled, [2, 30, -30], 2);
    let mut bytes = 0;
    for number in 0..90 {
        let picture = room.picture(100, 60);
        let encoded = encoder.encode(&picture, at(number), Key::NotNeeded);
        // After a second in which the picture becomes sharp.
        if number >= 30 {
            bytes += encoded.unwrap().unwrap().annex_b.len();
        }
    }
    let bits_per_second = bytes * 8 / 2;
    eprintln!("{bits_per_second}");
    assert!(bits_per_second < 250_000, "{bits_per_second} bits a second");
}
