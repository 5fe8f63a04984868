//! What is allocated for a frame once the first ones have been encoded.
//!
//! Counted is what Rust allocates. libjpeg-turbo calls malloc(3) itself, a few times for each
//! picture, and frees all of it.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use eyelid_picture::{
    Encoder, Nv12, Planes, SamplePlane, SampleRange, Scale, Yuv420, Yuyv, write_y4m,
};

struct Counting;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    allocations: usize,
    bytes: usize,
    kept: isize,
}

thread_local! {
    static COUNT: Cell<Count> = const {
        Cell::new(Count { allocations: 0, bytes: 0, kept: 0 })
    };
}

fn count(allocated: usize, freed: usize) {
    let mut count = COUNT.get();
    count.allocations += usize::from(allocated > 0);
    count.bytes += allocated;
    count.kept += allocated as isize - freed as isize;
    COUNT.set(count);
}

// SAFETY: every call is passed on as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller keeps to the contract.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller keeps to the contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Odd, so that nothing can be taken as it lies.
const WIDTH: usize = 333;
const HEIGHT: usize = 251;

/// What is allocated for the third of three equal jobs.
fn third(mut job: impl FnMut()) -> Count {
    job();
    job();
    COUNT.set(Count::default());
    job();
    COUNT.get()
}

/// Does with each kind of picture, in each range, what `job` says, and gives what each has cost.
fn costs(mut job: impl FnMut(&Yuv420<'_>, &Nv12<'_>, &Yuyv<'_>, usize)) -> Vec<Count> {
    let bytes: Vec<u8> = (0..WIDTH * HEIGHT * 3)
        .map(|n| (n / 7 % 256) as u8)
        .collect();
    let stride = WIDTH.next_multiple_of(2);
    let plane = |stride| SamplePlane {
        bytes: &bytes,
        stride,
    };
    let (width, height) = (WIDTH as u32, HEIGHT as u32);
    let mut costs = Vec::new();
    for range in [SampleRange::Full, SampleRange::Limited] {
        let yuv420 = Yuv420 {
            width,
            height,
            y: plane(stride),
            u: plane(stride / 2),
            v: plane(stride / 2),
            range,
        };
        let nv12 = Nv12 {
            width,
            height,
            y: plane(stride),
            uv: plane(stride),
            range,
        };
        let yuyv = Yuyv {
            width,
            height,
            pixels: plane(stride * 2),
            range,
        };
        for kind in 0..4 {
            costs.push(third(|| job(&yuv420, &nv12, &yuyv, kind)));
        }
    }
    costs
}

/// What each kind of picture costs an encoder.
fn encoding(mut encoder: Encoder) -> Vec<Count> {
    let rgb: Vec<u8> = (0..WIDTH * HEIGHT * 3)
        .map(|n| (n / 7 % 256) as u8)
        .collect();
    costs(|yuv420, nv12, yuyv, kind| {
        let encoded = match kind {
            0 => encoder.encode_yuv420(yuv420, 85),
            1 => encoder.encode_nv12(nv12, 85),
            2 => encoder.encode_yuyv(yuyv, 85),
            _ => encoder.encode_rgb(&rgb, yuv420.width, yuv420.height, 85),
        };
        assert!(encoded.is_ok(), "{encoded:?}");
    })
}

#[test]
fn bringing_pictures_into_planes_allocates_nothing() {
    let mut planes = Planes::default();
    let costs = costs(|yuv420, nv12, yuyv, kind| {
        let picture = match kind {
            0 => planes.full_range(yuv420),
            1 => planes.from_nv12(nv12),
            _ => planes.from_yuyv(yuyv),
        };
        assert!(picture.is_ok(), "{picture:?}");
    });
    assert_eq!(costs, [Count::default(); 8]);
}

#[test]
fn scaling_and_a_y4m_allocate_nothing() {
    let (mut half, mut quarter) = (Planes::default(), Planes::default());
    let mut file = Vec::new();
    let costs = costs(|yuv420, _, _, kind| {
        let done = match kind {
            0 => half.scaled(yuv420, Scale::Half).map(drop),
            1 => quarter.scaled(yuv420, Scale::Quarter).map(drop),
            _ => write_y4m(yuv420, &mut file),
        };
        assert!(done.is_ok(), "{done:?}");
    });
    assert_eq!(costs, [Count::default(); 8]);
}

#[cfg(feature = "turbojpeg")]
#[test]
fn libjpeg_turbo_makes_rust_allocate_nothing() {
    assert_eq!(encoding(Encoder::default()), [Count::default(); 8]);
    let mut optimising = Encoder::default();
    optimising.set_tables(eyelid_picture::Tables::Optimised);
    assert_eq!(encoding(optimising), [Count::default(); 8]);
}

/// jpeg-encoder takes nothing that could be reused: its tables, its list of components and a strip
/// of 16 rows are allocated for each picture.
#[test]
fn jpeg_encoder_allocates_one_strip_and_keeps_nothing() {
    let strip = 3 * 16 * WIDTH.next_multiple_of(16);
    for cost in encoding(Encoder::pure_rust()) {
        assert!(cost.allocations <= 10, "{cost:?}");
        assert!(cost.bytes <= strip + 1024, "{cost:?}");
        assert_eq!(cost.kept, 0, "{cost:?}");
    }
}
