//! CPU time of the whole chain, from the test source to the clients.

use std::time::Duration;

use anyhow::Context;
use eyelid_bench::picture::Spec;

use crate::process::{Cores, Programs, REST, pin_self};
use crate::sections::{CLIENTS, SETTLING, Window, slots};
use crate::statistics::median;
use crate::viewers::{Viewers, Watch};

const WINDOWS: usize = 5;
const WINDOW: Duration = Duration::from_secs(3);

pub(crate) fn run(programs: &Programs) -> anyhow::Result<()> {
    pin_self(REST)?;
    println!(
        "| size | KB a frame | clients | frames/s of each | capture: CPU ms per frame published | \
         capture: CPU µs per frame delivered | server: CPU µs per frame delivered | age p50 ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for size in [Spec::SMALL, Spec::LARGE].map(Spec::size) {
        for clients in CLIENTS {
            measure(programs, &size, clients)?;
        }
    }
    Ok(())
}

fn measure(programs: &Programs, size: &str, clients: usize) -> anyhow::Result<()> {
    let slots = slots()?;
    let (server, address) = programs.server(slots.path(), Cores::All)?;
    let capture = programs.capture(slots.path(), &["--size", size, "--fps", "30"])?;
    let mut viewers = Viewers::connect(address, "/stream", clients)?;
    viewers.watch(SETTLING)?;
    let mut windows = Vec::new();
    for _ in 0..WINDOWS {
        windows.push(Window::take(&mut viewers, WINDOW, &[&capture, &server])?);
    }
    let of = |value: &dyn Fn(&Window) -> f64| median(windows.iter().map(value));
    let bytes = windows[0].seen.first().context("no frame")?.bytes;
    println!(
        "| {size} | {:.0} | {clients} | {:.1} | {:.2} | {:.0} | {:.0} | {:.1} |",
        bytes as f64 / 1e3,
        of(&|window| window.frames_per_s() / clients as f64),
        of(&|window| window.cpu_us_per_frame(0) * clients as f64 / 1e3),
        of(&|window| window.cpu_us_per_frame(0)),
        of(&|window| window.cpu_us_per_frame(1)),
        of(&|window| window.age_ms(50.0)),
    );
    Ok(())
}
