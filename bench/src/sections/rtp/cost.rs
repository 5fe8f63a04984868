//! CPU time of a frame that is read from a slot and sent by UDP to a host at the other end of a
//! cable, and the memory that takes.

use std::time::Duration;

use anyhow::ensure;
use eyelid_bench::picture::{FPS, Spec};

use crate::feeder::Feeder;
use crate::network::Host;
use crate::process::Programs;
use crate::rtp::{Receiver, Sender};
use crate::sections::{SETTLING, slots};
use crate::statistics::{median, percentile};

/// In turn: what else the machine does then meets all alike, and the median leaves it out.
const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_secs(2);

/// With less of them, something else was measured.
const LEAST_SEEN: f64 = 0.8;

/// What a sender did in a window.
struct Window {
    frames: f64,
    packets: f64,
    cpu_us: f64,
    age_ms: f64,
    memory_kib: f64,
}

pub(super) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!(
        "| frames | | packets per frame | CPU µs per frame | per packet | of the bare loop's of the same pace | \
         age of the last packet p50 ms | anonymous memory KiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let host = Host::new("sender", 1)?;
    for spec in [Spec::SMALL, Spec::LARGE] {
        measure(programs, &host, spec)?;
    }
    Ok(())
}

fn measure(programs: &Programs, host: &Host, spec: Spec) -> anyhow::Result<()> {
    let senders = Sender::ALL.into_iter();
    let senders: Vec<_> = senders.filter(|sender| sender.is_here(programs)).collect();
    let mut rounds: Vec<Vec<Window>> = Vec::new();
    for _ in 0..ROUNDS {
        let windows = senders.iter();
        let windows = windows.map(|sender| window(programs, host, *sender, spec));
        rounds.push(windows.collect::<anyhow::Result<_>>()?);
    }
    for (index, sender) in senders.iter().enumerate() {
        let of = |value: &dyn Fn(&Window) -> f64| {
            median(rounds.iter().map(|round| value(&round[index])))
        };
        let bare = senders.iter().position(|other| *other == sender.bare());
        let cpu_us = |window: &Window| window.cpu_us / window.frames;
        let ratios = rounds
            .iter()
            .filter_map(|round| Some(cpu_us(&round[index]) / cpu_us(&round[bare?])));
        println!(
            "| {} | {} | {:.0} | {:.0} | {:.1} | {:.2} | {:.2} | {:.0} |",
            spec.size(),
            sender.name(),
            of(&|window| window.packets / window.frames),
            of(&cpu_us),
            of(&|window| window.cpu_us / window.packets),
            median(ratios),
            of(&|window| window.age_ms),
            of(&|window| window.memory_kib),
        );
    }
    Ok(())
}

fn window(programs: &Programs, host: &Host, sender: Sender, spec: Spec) -> anyhow::Result<Window> {
    let slots = slots()?;
    let _feeder = Feeder::start_for_rtp(slots.path(), spec)?;
    let mut receiver = Receiver::bind(host.router())?;
    let to = receiver.address()?;
    let program = sender.start(programs, host, slots.path(), spec, to)?;
    receiver.watch_frames(1)?;
    receiver.watch(SETTLING)?;
    let before = program.usage()?;
    let received = receiver.watch(WINDOW)?;
    let cpu = program.usage()?.cpu - before.cpu;
    let frames = received.frames.len() as f64;
    ensure!(
        frames > LEAST_SEEN * FPS * WINDOW.as_secs_f64(),
        "{}: {frames} frames came in {WINDOW:?}",
        sender.name()
    );
    Ok(Window {
        frames,
        packets: received.counts.packets as f64,
        cpu_us: cpu.as_secs_f64() * 1e6,
        age_ms: percentile(received.ages_ms()?, 50.0),
        memory_kib: program.anonymous_kib()? as f64,
    })
}
