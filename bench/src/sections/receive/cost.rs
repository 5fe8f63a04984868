//! CPU time of a frame that is received and published, each slot having a reader that wishes for
//! every frame.

use std::time::Duration;

use anyhow::ensure;
use eyelid_bench::picture::FPS;

use super::{messages, readers};
use crate::process::Programs;
use crate::pusher::{Library, Pusher, Pushing};
use crate::receivers::{Receiver, Site};
use crate::sections::{SETTLING, Window};
use crate::statistics::median;
use crate::viewers::Watch;

const POINTS: [(usize, Library); 6] = [
    (1, Library::Arduino),
    (10, Library::Arduino),
    (32, Library::Arduino),
    (1, Library::Espressif),
    (10, Library::Espressif),
    (32, Library::Espressif),
];

/// In turn: what else the machine does then meets all alike, and the median leaves it out.
const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_secs(2);

/// With less of them, something else was measured.
const LEAST_SEEN: f64 = 0.9;

pub(super) fn run(programs: &Programs, only: Option<usize>) -> anyhow::Result<()> {
    println!(
        "| cameras | messages | | frames/s | CPU µs per frame | of the bare loop's | age in the slot p50 ms | p99 ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let is_wanted = |(cameras, _): &(usize, Library)| only.is_none_or(|only| *cameras == only);
    for (cameras, library) in POINTS.into_iter().filter(is_wanted) {
        measure(programs, cameras, library)?;
    }
    if !Receiver::all(programs).contains(&Receiver::Python) {
        println!("\nNot measured: Python's websockets, which was not installed.");
    }
    Ok(())
}

fn measure(programs: &Programs, cameras: usize, library: Library) -> anyhow::Result<()> {
    let all = Receiver::all(programs);
    let mut rounds: Vec<Vec<Window>> = Vec::new();
    for _ in 0..ROUNDS {
        let windows = all.iter();
        let windows = windows.map(|receiver| window(programs, *receiver, cameras, library));
        rounds.push(windows.collect::<anyhow::Result<_>>()?);
    }
    let cpu_us = |window: &Window| window.cpu_us_per_frame(0);
    let bare = all.iter().position(|who| *who == Receiver::Bare);
    for (index, receiver) in all.iter().enumerate() {
        let of = |value: &dyn Fn(&Window) -> f64| {
            median(rounds.iter().map(|round| value(&round[index])))
        };
        let ratios = rounds
            .iter()
            .filter_map(|round| Some(cpu_us(&round[index]) / cpu_us(&round[bare?])));
        println!(
            "| {cameras} | {} | {} | {:.0} | {:.1} | {:.2} | {:.2} | {:.2} |",
            messages(library),
            receiver.name(),
            of(&Window::frames_per_s),
            of(&cpu_us),
            median(ratios),
            of(&|window| window.age_ms(50.0)),
            of(&|window| window.age_ms(99.0)),
        );
    }
    Ok(())
}

fn window(
    programs: &Programs,
    receiver: Receiver,
    cameras: usize,
    library: Library,
) -> anyhow::Result<Window> {
    let site = Site::new(cameras, "")?;
    let (program, address) = receiver.start_here(programs, &site)?;
    let mut readers = readers(&site)?;
    let _pusher = Pusher::start(address, &site.names, &Pushing::usual(library))?;
    readers.watch(SETTLING)?;
    let window = Window::take(&mut readers, WINDOW, &[&program])?;
    let expected = FPS * cameras as f64;
    ensure!(
        window.frames_per_s() > LEAST_SEEN * expected,
        "{}: {:.0} of {expected:.0} frames a second were published",
        receiver.name(),
        window.frames_per_s()
    );
    Ok(window)
}
