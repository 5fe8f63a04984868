//! What the programs do while nobody looks: nothing.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use eyelid_bench::picture::Spec;
use eyelid_slot::{Phase, Reader};

use crate::feeder::Feeder;
use crate::process::{Cores, Programs, wait_until};
use crate::sections::slots;
use crate::viewers::look_once;

const TIME: Duration = Duration::from_secs(60);

pub(crate) fn run(programs: &Programs) -> anyhow::Result<()> {
    let (asleep, fed, launched) = (slots()?, slots()?, slots()?);
    // All of them have worked before: what has never run has nothing to wake for.
    let (server, address) = programs.server(asleep.path(), Cores::All)?;
    let capture = programs.capture(asleep.path(), &["--linger", "500ms"])?;
    look_once(address, "/stream")?;
    wait_asleep(asleep.path())?;
    let (beside, address) = programs.server(fed.path(), Cores::All)?;
    let _feeder = Feeder::start(fed.path(), Spec::SMALL)?;
    look_once(address, "/stream")?;
    let (eyelid, address) = programs.eyelid(launched.path(), "640x480")?;
    look_once(address, "/snapshot")?;
    wait_until("eyelid ends its children", || Ok(!eyelid.has_children()?))?;
    // The last of what connections leave behind.
    sleep(Duration::from_secs(1));

    let all = [
        ("eyelid-server, no client", &server),
        ("eyelid-server, no client, a producer that could", &beside),
        ("eyelid-capture, asleep", &capture),
        ("eyelid, nothing running", &eyelid),
    ];
    let before = all.map(|(_, program)| program.usage());
    sleep(TIME);
    let after = all.map(|(_, program)| program.usage());

    println!("| program | wake-ups per second | CPU % | wake-ups in {TIME:?} | threads |");
    println!("| --- | --- | --- | --- | --- |");
    for (((name, _), before), after) in all.iter().zip(before).zip(after) {
        let (before, after) = (before?, after?);
        let wakes = after.switches - before.switches;
        println!(
            "| {name} | {:.2} | {:.4} | {wakes} | {} |",
            wakes as f64 / TIME.as_secs_f64(),
            (after.cpu - before.cpu).as_secs_f64() / TIME.as_secs_f64() * 100.0,
            after.threads,
        );
    }
    Ok(())
}

/// Waits until the camera of a slot says that it sleeps.
pub(crate) fn wait_asleep(slot: &Path) -> anyhow::Result<()> {
    let reader = Reader::new(slot);
    wait_until("the camera falls asleep", || {
        Ok(reader
            .state()
            .is_some_and(|state| state.state == Phase::Asleep))
    })
}
