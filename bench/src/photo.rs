//! A picture that is about as hard for JPEG as a photo: surfaces, textures of all sizes, edges, and
//! the grain of a sensor.

use eyelid_picture::{Nv12, SamplePlane, SampleRange, Yuv420, Yuyv};

/// One picture in each of the forms that cameras give. Sides have to be even.
pub struct Photo {
    width: u32,
    height: u32,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
    uv: Vec<u8>,
    yuyv: Vec<u8>,
}

impl Photo {
    pub fn new(width: u32, height: u32) -> Self {
        let plane = |width: u32, height: u32, value: &dyn Fn(u32, u32) -> f64| -> Vec<u8> {
            let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            places
                .map(|(x, y)| value(x, y).clamp(0.0, 255.0) as u8)
                .collect()
        };
        let y = plane(width, height, &|x, y| {
            let surface = if (x / 97 + y / 71) % 3 == 0 {
                40.0
            } else {
                0.0
            };
            let grain = f64::from(hash(x, y, 99) % 7) - 3.0;
            90.0 + surface + texture(x, y, 1) + grain
        });
        let colour = |seed| move |x: u32, y: u32| 128.0 + texture(x * 2, y * 2, seed) / 2.0;
        let u = plane(width / 2, height / 2, &colour(2));
        let v = plane(width / 2, height / 2, &colour(3));
        let uv = u.iter().zip(&v).flat_map(|(u, v)| [*u, *v]).collect();
        let mut yuyv = Vec::new();
        let half = width as usize / 2;
        for (row, luma) in y.chunks(width as usize).enumerate() {
            let start = row / 2 * half;
            let chroma = u[start..].iter().zip(&v[start..]);
            let pairs = luma.chunks_exact(2).zip(chroma);
            yuyv.extend(pairs.flat_map(|(y, (u, v))| [y[0], *u, y[1], *v]));
        }
        Self {
            width,
            height,
            y,
            u,
            v,
            uv,
            yuyv,
        }
    }

    pub fn yuv420(&self) -> Yuv420<'_> {
        Yuv420 {
            width: self.width,
            height: self.height,
            y: plane(&self.y, self.width),
            u: plane(&self.u, self.width / 2),
            v: plane(&self.v, self.width / 2),
            range: SampleRange::Full,
        }
    }

    pub fn nv12(&self) -> Nv12<'_> {
        Nv12 {
            width: self.width,
            height: self.height,
            y: plane(&self.y, self.width),
            uv: plane(&self.uv, self.width),
            range: SampleRange::Full,
        }
    }

    pub fn yuyv(&self) -> Yuyv<'_> {
        Yuyv {
            width: self.width,
            height: self.height,
            pixels: plane(&self.yuyv, self.width * 2),
            range: SampleRange::Full,
        }
    }
}

fn plane(bytes: &[u8], stride: u32) -> SamplePlane<'_> {
    SamplePlane {
        bytes,
        stride: stride as usize,
    }
}

/// Noise with less the finer it is, as photos have it.
fn texture(x: u32, y: u32, seed: u32) -> f64 {
    let octave = |bits: u32, amplitude: f64| {
        let cell = 1 << bits;
        let (left, top) = (x >> bits, y >> bits);
        let across = f64::from(x % cell) / f64::from(cell);
        let down = f64::from(y % cell) / f64::from(cell);
        let corner = |x, y| f64::from(hash(x, y, seed * 16 + bits) % 256) / 128.0 - 1.0;
        let upper = corner(left, top) * (1.0 - across) + corner(left + 1, top) * across;
        let lower = corner(left, top + 1) * (1.0 - across) + corner(left + 1, top + 1) * across;
        amplitude * (upper * (1.0 - down) + lower * down)
    };
    octave(8, 60.0) + octave(6, 30.0) + octave(4, 14.0) + octave(2, 7.0)
}

/// Mixes bits (the finaliser of MurmurHash3).
fn hash(x: u32, y: u32, seed: u32) -> u32 {
    let mut h = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA6B) ^ seed << 24;
    h = (h ^ h >> 16).wrapping_mul(0x85EB_CA6B);
    h = (h ^ h >> 13).wrapping_mul(0xC2B2_AE35);
    h ^ h >> 16
}
