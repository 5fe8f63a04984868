//! Renditions of planes and of a JPEG, beside bare loops around libjpeg-turbo that encode planes of
//! the rendition's size, or decode the JPEG to planes of that size and encode them; and how much
//! memory is kept for them.

use std::process::Command;

use anyhow::Context;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use eyelid_jpeg::RenditionMaker;
use eyelid_picture::{Encoder, Planes, Scale, Tables, write_y4m};
use eyelid_slot::Rendition;

use crate::bare::{Bare, BareDecoder};
use crate::photo::Photo;
use crate::timing::run;

/// The table's head.
pub(crate) const HEAD: &str =
    "| rendition | of | KB | | CPU ms | ratio to the bare loop | KB kept |
| --- | --- | --- | --- | --- | --- | --- |
";

type Group<'a> = BenchmarkGroup<'a, WallTime>;

const WIDTH: u32 = 1920;

const HEIGHT: u32 = 1080;

/// Of the frame that JPEGs are made of.
const QUALITY: u8 = 85;

/// Which rendition, how large it is and of which quality.
const RENDITIONS: [(Rendition, Scale, u8); 3] = [
    (Rendition::Low, Scale::Whole, 30),
    (Rendition::Half, Scale::Half, 70),
    (Rendition::Quarter, Scale::Quarter, 70),
];

/// Which decoder and encoder.
#[derive(Clone, Copy)]
enum Way {
    Turbo,
    Pure,
}

/// What a rendition is made of.
#[derive(Clone, Copy)]
enum Of {
    Planes,
    Jpeg,
}

/// Measures all; gives the rows of the table.
pub(crate) fn measure(criterion: &mut Criterion) -> anyhow::Result<String> {
    let photo = Photo::new(WIDTH, HEIGHT);
    let jpeg = Encoder::default()
        .encode_yuv420(&photo.yuv420(), QUALITY)?
        .to_vec();
    let mut group = criterion.benchmark_group("renditions");
    let mut table = Table::default();
    for (rendition, scale, quality) in RENDITIONS {
        of_planes(&mut group, &mut table, &photo, (rendition, scale, quality))?;
        of_jpeg(&mut group, &mut table, &jpeg, (rendition, scale, quality))?;
    }
    y4m(&mut group, &mut table, &photo)?;
    group.finish();
    Ok(table.rows)
}

fn of_planes(
    group: &mut Group<'_>,
    table: &mut Table,
    photo: &Photo,
    (rendition, scale, quality): (Rendition, Scale, u8),
) -> anyhow::Result<()> {
    let picture = photo.yuv420();
    let (mut planes, mut copy) = (Planes::default(), Vec::new());
    let scaled = planes.scaled(&picture, scale)?;
    let mut bare = Bare::new(scaled.width, scaled.height, quality).context("no libjpeg-turbo")?;
    let bytes = bare.encode(&scaled).map_err(anyhow::Error::msg)?;
    table.next(rendition, "planes", bytes);
    let name = |way: &str| format!("{rendition} of planes, {way}");
    if scale == Scale::Whole {
        let limit = run(group, &name("bare loop"), || bare.encode(&scaled));
        table.row("bare loop: encode", limit, None);
    } else {
        // libjpeg-turbo scales no planes. Who does has to go over them once.
        let limit = run(group, &name("bare loop"), || {
            write_y4m(&picture, &mut copy).map_err(|_| "no planes")?;
            bare.encode(&scaled)
        });
        table.row("bare loop: copy planes, encode smaller ones", limit, None);
        let encode = run(group, &name("encode alone"), || bare.encode(&scaled));
        table.row("of that, encode", encode, None);
    }
    for way in [Way::Turbo, Way::Pure] {
        let mut maker = way.maker();
        let time = run(group, &name(way.name()), || {
            maker
                .from_planes(&picture, rendition)
                .map(|made| made.bytes.len())
        });
        table.row(way.name(), time, kept(rendition, Of::Planes, way));
    }
    Ok(())
}

fn of_jpeg(
    group: &mut Group<'_>,
    table: &mut Table,
    jpeg: &[u8],
    (rendition, scale, quality): (Rendition, Scale, u8),
) -> anyhow::Result<()> {
    let mut decoder = BareDecoder::new(WIDTH, HEIGHT, scale.divisor()).context("no decoder")?;
    let (width, height) = (scale.side(WIDTH), scale.side(HEIGHT));
    let mut bare = Bare::new(width, height, quality).context("no libjpeg-turbo")?;
    let mut limit = || bare.encode(&decoder.decode(jpeg)?);
    table.next(rendition, "a JPEG", limit().map_err(anyhow::Error::msg)?);
    let name = |way: &str| format!("{rendition} of a JPEG, {way}");
    let limit = run(group, &name("bare loop"), limit);
    table.row("bare loop: decode smaller, encode", limit, None);
    for way in [Way::Turbo, Way::Pure] {
        let mut maker = way.maker();
        let time = run(group, &name(way.name()), || {
            maker
                .from_jpeg(jpeg, rendition)
                .map(|made| made.bytes.len())
        });
        table.row(way.name(), time, kept(rendition, Of::Jpeg, way));
    }
    Ok(())
}

fn y4m(group: &mut Group<'_>, table: &mut Table, photo: &Photo) -> anyhow::Result<()> {
    let picture = photo.yuv420();
    let planes = [picture.y, picture.u, picture.v];
    let mut copy = vec![0; planes.iter().map(|plane| plane.bytes.len()).sum()];
    table.next(Rendition::Y4m, "planes", copy.len());
    let limit = run(group, "y4m of planes, bare loop", || {
        let mut rest = &mut copy[..];
        for plane in planes {
            let (to, behind) = rest.split_at_mut(plane.bytes.len());
            to.copy_from_slice(plane.bytes);
            rest = behind;
        }
        Ok::<_, ()>(std::hint::black_box(&copy).len())
    });
    table.row("bare loop: copy", limit, None);
    let mut maker = Way::Turbo.maker();
    let time = run(group, "y4m of planes, eyelid", || {
        maker
            .from_planes(&picture, Rendition::Y4m)
            .map(|made| made.bytes.len())
    });
    table.row("either", time, kept(Rendition::Y4m, Of::Planes, Way::Turbo));
    Ok(())
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Turbo => "turbojpeg",
            Self::Pure => "pure Rust",
        }
    }

    fn encoder(self) -> Encoder {
        match self {
            Self::Turbo => Encoder::default(),
            Self::Pure => Encoder::pure_rust(),
        }
    }

    fn maker(self) -> RenditionMaker {
        match self {
            Self::Turbo => RenditionMaker::new(Tables::Standard),
            Self::Pure => RenditionMaker::pure_rust(),
        }
    }
}

/// Rows, and what those for the same rendition have in common.
#[derive(Default)]
struct Table {
    rows: String,
    common: String,
    limit_ms: Option<f64>,
}

impl Table {
    fn next(&mut self, rendition: Rendition, source: &str, bytes: usize) {
        let kilobytes = bytes as f64 / 1e3;
        self.common = format!("| {rendition} | {source} | {kilobytes:.0} |");
        self.limit_ms = None;
    }

    fn row(&mut self, way: &str, milliseconds: Option<f64>, kept: Option<usize>) {
        // Not measured if criterion was told to leave it out.
        let Some(milliseconds) = milliseconds else {
            return;
        };
        let limit = *self.limit_ms.get_or_insert(milliseconds);
        let ratio = milliseconds / limit;
        let kept = kept.map_or_else(String::new, |bytes| format!("{:.0}", bytes as f64 / 1e3));
        let common = &self.common;
        self.rows += &format!("{common} {way} | {milliseconds:.2} | {ratio:.2} | {kept} |\n");
    }
}

/// Set in a process that is there only to see how much memory is kept.
const KEPT: &str = "EYELID_BENCH_KEPT";

/// How many bytes of memory a process has more once it makes this rendition beside its frames: of
/// one that is started for it, for an allocator gives back what another measurement has freed.
fn kept(rendition: Rendition, of: Of, way: Way) -> Option<usize> {
    let child = Command::new(std::env::current_exe().ok()?)
        .env(KEPT, format!("{rendition} {} {}", of as u8, way as u8))
        .output()
        .ok()?;
    String::from_utf8(child.stdout).ok()?.trim().parse().ok()
}

/// In such a process: prints the bytes. Says whether it is one.
pub(crate) fn is_print_kept() -> anyhow::Result<bool> {
    let Ok(asked) = std::env::var(KEPT) else {
        return Ok(false);
    };
    let words: Vec<&str> = asked.split(' ').collect();
    let [rendition, of, way] = words[..] else {
        anyhow::bail!("{KEPT}: three words");
    };
    let rendition: Rendition = rendition.parse()?;
    let way = if way == "0" { Way::Turbo } else { Way::Pure };
    let photo = Photo::new(WIDTH, HEIGHT);
    let mut frames = way.encoder();
    let jpeg = frames.encode_yuv420(&photo.yuv420(), QUALITY)?.to_vec();
    let mut maker = way.maker();
    let before = resident_bytes();
    for _ in 0..5 {
        if of == "0" {
            maker.from_planes(&photo.yuv420(), rendition)?;
        } else {
            maker.from_jpeg(&jpeg, rendition)?;
        }
    }
    println!("{}", resident_bytes().saturating_sub(before));
    Ok(true)
}

/// proc_pid_statm(5): the second number, in pages of 4 KiB where this is measured.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = statm.split_whitespace().nth(1);
    resident.map_or(0, |pages| pages.parse::<usize>().unwrap_or(0) * 4096)
}
