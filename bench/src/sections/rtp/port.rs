//! What arrives through a port of 100 Mbit/s with a queue of 32 KB, as small switches have them.

use eyelid_bench::picture::Spec;

use crate::feeder::Feeder;
use crate::network::Host;
use crate::process::Programs;
use crate::rtp::{Receiver, Sender};
use crate::sections::slots;
use crate::statistics::percentile;

/// The port: packets are cut before it, and two of them go at once at most.
const PORT: &str = "rate 100mbit burst 3k limit 32k";

/// How many frames: of those that lose none, and of others.
const FRAMES: u64 = 1000;
const FRAMES_OF_PEERS: u64 = 300;

const SPEC: Spec = Spec {
    width: 1920,
    height: 1080,
    bytes: 147_000,
};

const SENDERS: [Sender; 5] = [
    Sender::Eyelid,
    Sender::EyelidBurst,
    Sender::Bare,
    Sender::GStreamer,
    Sender::Ffmpeg,
];

pub(super) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!(
        "| frames of {} KB | frames whole | packets lost % | age of the last packet p50 ms | p99 ms |",
        SPEC.bytes / 1000
    );
    println!("| --- | --- | --- | --- | --- |");
    let (host, receiver) = (Host::new("sender", 1)?, Host::new("receiver", 2)?);
    receiver.shape(PORT)?;
    for sender in SENDERS {
        if sender.is_here(programs) {
            measure(programs, &host, &receiver, sender)?;
        }
    }
    Ok(())
}

fn measure(
    programs: &Programs,
    host: &Host,
    receiver: &Host,
    sender: Sender,
) -> anyhow::Result<()> {
    let frames = match sender {
        Sender::Eyelid => FRAMES,
        _ => FRAMES_OF_PEERS,
    };
    let slots = slots()?;
    let _feeder = Feeder::start_for_rtp(slots.path(), SPEC)?;
    let mut receiver = receiver.within(|| Receiver::bind(receiver.address()))?;
    let to = receiver.address()?;
    let _program = sender.start(programs, host, slots.path(), SPEC, to)?;
    receiver.watch_frames(10)?;
    let received = receiver.watch_frames(frames)?;
    let counts = received.counts;
    let lost = counts.lost as f64 / (counts.lost + counts.packets) as f64 * 100.0;
    let ages = received.ages_ms()?;
    let age = |percent| match percentile(ages.clone(), percent) {
        age if age.is_nan() => String::new(),
        age => format!("{age:.1}"),
    };
    println!(
        "| {} | {} of {frames} | {lost:.1} | {} | {} |",
        sender.name(),
        ages.len(),
        age(50.0),
        age(99.0),
    );
    Ok(())
}
