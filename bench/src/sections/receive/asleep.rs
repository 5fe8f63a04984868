//! What cameras cost while nobody looks: nothing, where they sleep when they are told to, and
//! reading where they do not.

use std::thread::sleep;
use std::time::Duration;

use super::readers;
use crate::process::{Program, Programs};
use crate::pusher::{Library, Pusher, Pushing, TOLD};
use crate::receivers::{Receiver, Site};
use crate::sections::SETTLING;
use crate::sections::idle::wait_asleep;
use crate::viewers::Watch;

/// A connection is asked for a sign of life after so long.
const TIME: Duration = Duration::from_secs(30);

const SLEEPERS: usize = 32;

const LINGER: &str = "linger = \"500ms\"";

pub(super) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!("| nobody looks | CPU % | wake-ups in {TIME:?} | threads |");
    println!("| --- | --- | --- | --- |");
    let told = Pushing {
        protocol: Some(TOLD),
        ..Pushing::usual(Library::Arduino)
    };
    let slow = Pushing {
        fps: 20.0,
        ..Pushing::usual(Library::Arduino)
    };
    let sleepers = format!("{SLEEPERS} cameras that sleep when they are told to (eyelid.v1)");
    measure(programs, &sleepers, SLEEPERS, &told)?;
    measure(
        programs,
        "1 camera that sends 20 frames a second all the same",
        1,
        &slow,
    )
}

fn measure(
    programs: &Programs,
    what: &str,
    cameras: usize,
    pushing: &Pushing,
) -> anyhow::Result<()> {
    let site = Site::new(cameras, LINGER)?;
    let (program, address) = Receiver::Eyelid.start_here(programs, &site)?;
    let _pusher = Pusher::start(address, &site.names, pushing)?;
    // Somebody has looked before: what has never worked has nothing to wake for.
    readers(&site)?.watch(SETTLING)?;
    for slot in site.each_slot() {
        wait_asleep(&slot)?;
    }
    sleep(SETTLING);
    print(&program, what)
}

fn print(program: &Program, what: &str) -> anyhow::Result<()> {
    let before = program.usage()?;
    sleep(TIME);
    let after = program.usage()?;
    println!(
        "| {what} | {:.4} | {} | {} |",
        (after.cpu - before.cpu).as_secs_f64() / TIME.as_secs_f64() * 100.0,
        after.switches - before.switches,
        after.threads,
    );
    Ok(())
}
