//! What H.264 costs: the encoder as `eyelid-video` has it beside a bare loop around openh264, and
//! planes by the slot's file beside a JPEG that is made and decoded again. Counted is the thread's
//! CPU time.
//!
//! `bench/run video` puts the tables that are printed last into `docs/performance.md`. What follows
//! `cargo bench --bench h264 --features video --` is criterion's: a part of a name, ...

#[path = "encode/table.rs"]
mod table;
#[path = "encode/timing.rs"]
mod timing;

use std::time::{Duration, SystemTime};

use anyhow::Context;
use criterion::Criterion;
use eyelid_bench::film::{Film, Scene, Size, to_and_fro};
use eyelid_bench::photo::Photo;
use eyelid_encoder::{Encoder as _, Key, OpenH264, Settings};
use eyelid_jpeg::PlanesDecoder;
use eyelid_picture::{Encoder, Planes, Scale, read_y4m, write_y4m};
use eyelid_slot::{Publisher, Reader, Rendition};
use openh264::encoder::{
    BitRate, Complexity, Encoder as Bare, EncoderConfig, FrameRate, Profile, QpRange,
    RateControlMode,
};
use openh264::formats::YUVSlices;
use openh264::{OpenH264API, Timestamp};

use crate::table::Table;
use crate::timing::run;

/// Sizes, and what such pictures are given as a rule.
const SIZES: [(u32, u32, u32); 3] = [
    (640, 480, 1_000_000),
    (1280, 720, 2_500_000),
    (1920, 1080, 5_000_000),
];
const FPS: u32 = 30;

/// Different pictures, shown to and fro.
const PICTURES: usize = 30;

const QUALITY: u8 = 85;

fn main() -> anyhow::Result<()> {
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let (mut encoders, mut ways) = (Table::default(), Table::default());
    for size in SIZES {
        for scene in [Scene::Quiet, Scene::Moving] {
            encode(&mut criterion, &mut encoders, size, scene)?;
        }
        hand_over(&mut criterion, &mut ways, size)?;
    }
    criterion.final_summary();
    if !encoders.rows.is_empty() {
        println!("\n| size | Mbit/s | scene | | CPU ms per picture | ratio to the bare loop |");
        println!("| --- | --- | --- | --- | --- | --- |\n{}", encoders.rows);
    }
    if !ways.rows.is_empty() {
        println!(
            "\n| size | from the camera's planes to the encoder's | CPU ms per picture | of the JPEG's |"
        );
        println!("| --- | --- | --- | --- |\n{}", ways.rows);
    }
    Ok(())
}

fn encode(
    criterion: &mut Criterion,
    table: &mut Table,
    (width, height, bits_per_second): (u32, u32, u32),
    scene: Scene,
) -> anyhow::Result<()> {
    let mut film = Film::new(Size { width, height }, scene)?;
    let files: Vec<Vec<u8>> = (0..PICTURES)
        .map(|_| film.next(SystemTime::now()).to_vec())
        .collect();
    let megabits = f64::from(bits_per_second) / 1e6;
    table.next(format!(
        "| {width}x{height} | {megabits} | {} |",
        format!("{scene:?}").to_lowercase()
    ));
    let mut group = criterion.benchmark_group(format!("encode {width}x{height} {scene:?}"));

    let limited = files.iter().map(|file| limited_range(file));
    let limited: Vec<[Vec<u8>; 3]> = limited.collect::<anyhow::Result<_>>()?;
    let mut bare = bare_encoder(bits_per_second)?;
    let (w, h) = (width as usize, height as usize);
    let mut number = 0;
    let time = run(&mut group, "bare loop", || {
        let [y, u, v] = &limited[to_and_fro(number, PICTURES - 1)];
        let picture = YUVSlices::new((y, u, v), (w, h), (w, w / 2, w / 2));
        let at = Timestamp::from_millis(1 + number as u64 * 1000 / u64::from(FPS));
        number += 1;
        bare.encode_at(&picture, at)
            .map(|stream| stream.num_layers())
    });
    table.row("bare loop: openh264", time, "");

    let mut own = OpenH264::new(Settings {
        bits_per_second,
        pictures_per_second: FPS as f32,
    });
    let mut number = 0;
    let time = run(&mut group, "eyelid", || {
        let picture = read_y4m(&files[to_and_fro(number, PICTURES - 1)])?;
        let at = Duration::from_secs(number as u64) / FPS;
        number += 1;
        let encoded = own.encode(&picture, at, Key::NotNeeded)?;
        anyhow::Ok(encoded.map_or(0, |encoded| encoded.annex_b.len()))
    });
    table.row("eyelid-video's, of the file", time, "");
    group.finish();
    Ok(())
}

/// A picture's planes, of the range that H.264 has: what has another is none of the encoder's
/// concern.
fn limited_range(file: &[u8]) -> anyhow::Result<[Vec<u8>; 3]> {
    let mut planes = Planes::default();
    let picture = planes.limited_range(&read_y4m(file)?)?;
    Ok([picture.y, picture.u, picture.v].map(|plane| plane.bytes.to_vec()))
}

/// With the settings of `eyelid-video`'s.
fn bare_encoder(bits_per_second: u32) -> anyhow::Result<Bare> {
    let config = EncoderConfig::new()
        .bitrate(BitRate::from_bps(bits_per_second))
        .max_frame_rate(FrameRate::from_hz(FPS as f32))
        .rate_control_mode(RateControlMode::Timestamp)
        .skip_frames(false)
        .profile(Profile::Baseline)
        .complexity(Complexity::Low)
        .num_threads(1)
        .qp(QpRange::new(24, 51))
        .background_detection(false)
        .scene_change_detect(false);
    Ok(Bare::with_api_config(OpenH264API::from_source(), config)?)
}

/// From planes to planes, in another process: by the slot, in memory.
fn hand_over(
    criterion: &mut Criterion,
    table: &mut Table,
    (width, height, _): (u32, u32, u32),
) -> anyhow::Result<()> {
    let slot = tempfile::tempdir_in("/dev/shm").context("no memory file system in /dev/shm")?;
    let mut publisher = Publisher::open(slot.path())?;
    let photo = Photo::new(width, height);
    let picture = photo.yuv420();
    let now = SystemTime::now();
    table.next(format!("| {width}x{height} |"));
    let mut group = criterion.benchmark_group(format!("hand over {width}x{height}"));

    let (mut encoder, mut decoder) = (Encoder::default(), PlanesDecoder::default());
    let reader = Reader::new(slot.path());
    let time = run(&mut group, "JPEG", || {
        publisher.publish(encoder.encode_yuv420(&picture, QUALITY)?, now)?;
        let held = reader.read()?;
        let planes = decoder.decode(&held.frame.jpeg, Scale::Whole)?;
        anyhow::Ok(planes.y.bytes.len())
    });
    table.row("a JPEG, made and decoded by turbojpeg", time, "");

    let reader = Reader::of(slot.path(), Some(Rendition::Y4m));
    let mut file = Vec::new();
    let time = run(&mut group, "planes", || {
        write_y4m(&picture, &mut file)?;
        publisher.publish_rendition(Rendition::Y4m, &file, now)?;
        let held = reader.read()?;
        anyhow::Ok(read_y4m(&held.frame.jpeg)?.y.bytes.len())
    });
    table.row("`current.y4m`", time, "");
    group.finish();
    Ok(())
}
