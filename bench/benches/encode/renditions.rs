//! Renditions of planes and of a JPEG, beside bare loops around libjpeg-turbo that encode planes of
//! the rendition's size, or decode the JPEG to planes of that size and encode them; and how much
//! memory is kept for them.

use std::process::Command;

use anyhow::Context;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use eyelid_bench::photo::Photo;
use eyelid_jpeg::RenditionMaker;
use eyelid_picture::{Encoder, Planes, Scale, Tables, write_y4m};
use eyelid_slot::Rendition;

use crate::bare::{Bare, BareDecoder};
use crate::table::Table;
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
    table.next(common(rendition, Of::Planes, bytes));
    let name = |way: &str| format!("{rendition} of planes, {way}");
    if scale == Scale::Whole {
        let limit = run(group, &name("bare loop"), || bare.encode(&scaled));
        table.row("bare loop: encode", limit, NOT_MEASURED);
    } else {
        // libjpeg-turbo scales no planes. Who does has to go over them once.
        let limit = run(group, &name("bare loop"), || {
            write_y4m(&picture, &mut copy).map_err(|_| "no planes")?;
            bare.encode(&scaled)
        });
        table.row(
            "bare loop: copy planes, encode smaller ones",
            limit,
            NOT_MEASURED,
        );
        let encode = run(group, &name("encode alone"), || bare.encode(&scaled));
        table.row("of that, encode", encode, NOT_MEASURED);
    }
    for way in [Way::Turbo, Way::Pure] {
        let mut maker = way.maker();
        let time = run(group, &name(way.name()), || {
            maker
                .from_planes(&picture, rendition)
                .map(|made| made.bytes.len())
        });
        table.row(way.name(), time, &kept(rendition, Of::Planes, way));
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
    let bytes = limit().map_err(anyhow::Error::msg)?;
    table.next(common(rendition, Of::Jpeg, bytes));
    let name = |way: &str| format!("{rendition} of a JPEG, {way}");
    let limit = run(group, &name("bare loop"), limit);
    table.row("bare loop: decode smaller, encode", limit, NOT_MEASURED);
    for way in [Way::Turbo, Way::Pure] {
        let mut maker = way.maker();
        let time = run(group, &name(way.name()), || {
            maker
                .from_jpeg(jpeg, rendition)
                .map(|made| made.bytes.len())
        });
        table.row(way.name(), time, &kept(rendition, Of::Jpeg, way));
    }
    Ok(())
}

fn y4m(group: &mut Group<'_>, table: &mut Table, photo: &Photo) -> anyhow::Result<()> {
    let picture = photo.yuv420();
    let planes = [picture.y, picture.u, picture.v];
    let mut copy = vec![0; planes.iter().map(|plane| plane.bytes.len()).sum()];
    table.next(common(Rendition::Y4m, Of::Planes, copy.len()));
    let limit = run(group, "y4m of planes, bare loop", || {
        let mut rest = &mut copy[..];
        for plane in planes {
            let (to, behind) = rest.split_at_mut(plane.bytes.len());
            to.copy_from_slice(plane.bytes);
            rest = behind;
        }
        Ok::<_, ()>(std::hint::black_box(&copy).len())
    });
    table.row("bare loop: copy", limit, NOT_MEASURED);
    let mut maker = Way::Turbo.maker();
    let time = run(group, "y4m of planes, eyelid", || {
        maker
            .from_planes(&picture, Rendition::Y4m)
            .map(|made| made.bytes.len())
    });
    table.row(
        "either",
        time,
        &kept(Rendition::Y4m, Of::Planes, Way::Turbo),
    );
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

/// What the rows of a rendition begin with.
fn common(rendition: Rendition, of: Of, bytes: usize) -> String {
    let source = match of {
        Of::Planes => "planes",
        Of::Jpeg => "a JPEG",
    };
    let kilobytes = bytes as f64 / 1e3;
    format!("| {rendition} | {source} | {kilobytes:.0} |")
}

/// The cell of memory of a bare loop, of which it is not measured.
const NOT_MEASURED: &str = "  |";

/// Set in a process that is there only to see how much memory is kept.
const KEPT: &str = "EYELID_BENCH_KEPT";

/// The cell of memory: how much a process has more of it once it makes this rendition beside its
/// frames.
fn kept(rendition: Rendition, of: Of, way: Way) -> String {
    let kilobytes = kept_bytes(rendition, of, way).map(|bytes| bytes as f64 / 1e3);
    kilobytes.map_or_else(|| NOT_MEASURED.to_owned(), |kept| format!(" {kept:.0} |"))
}

/// The same in bytes, of a process that is started for it: an allocator gives back what another
/// measurement has freed.
fn kept_bytes(rendition: Rendition, of: Of, way: Way) -> Option<usize> {
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
