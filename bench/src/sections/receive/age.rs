//! How old frames are for a viewer of `eyelid-server`: from the camera's first write to the
//! viewer's last byte.

use std::time::Duration;

use crate::multipart::Moment;
use crate::process::{Programs, SERVER};
use crate::pusher::{Library, Pusher, Pushing};
use crate::receivers::{Receiver, Site};
use crate::sections::{SETTLING, Window};
use crate::statistics::median;
use crate::viewers::{Viewers, Watch};

const CAMERAS: [usize; 2] = [1, 32];

const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_secs(4);

/// Both are seen through the same server.
const RECEIVERS: [Receiver; 2] = [Receiver::Eyelid, Receiver::Bare];

pub(super) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!("| cameras, a viewer each | | frames/s | age p50 ms | age p99 ms |");
    println!("| --- | --- | --- | --- | --- |");
    for cameras in CAMERAS {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let windows = RECEIVERS.map(|receiver| window(programs, receiver, cameras));
            rounds.push(windows.into_iter().collect::<anyhow::Result<Vec<_>>>()?);
        }
        for (index, receiver) in RECEIVERS.iter().enumerate() {
            let of = |value: &dyn Fn(&Window) -> f64| {
                median(rounds.iter().map(|round| value(&round[index])))
            };
            println!(
                "| {cameras} | {} and eyelid-server | {:.0} | {:.2} | {:.2} |",
                receiver.name(),
                of(&Window::frames_per_s),
                of(&|window| window.age_ms(50.0)),
                of(&|window| window.age_ms(99.0)),
            );
        }
    }
    Ok(())
}

fn window(programs: &Programs, receiver: Receiver, cameras: usize) -> anyhow::Result<Window> {
    let site = Site::new(cameras, "")?;
    let (program, address) = receiver.start_here(programs, &site)?;
    let (server, door) = programs.server(site.slots(), SERVER)?;
    let _pusher = Pusher::start(address, &site.names, &Pushing::usual(Library::Arduino))?;
    let targets: Vec<_> = site
        .names
        .iter()
        .map(|name| format!("/{name}/stream"))
        .collect();
    let targets = targets.iter().map(String::as_str);
    let mut viewers = Viewers::connect_each(door, targets)?.with_moment(Moment::Stamp);
    viewers.watch_once()?;
    viewers.watch(SETTLING)?;
    Window::take(&mut viewers, WINDOW, &[&program, &server])
}
