//! Age of frames and CPU time of the server, beside a bare loop that does the same work in the same minute.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::feeder::Feeder;
use crate::picture::Spec;
use crate::process::{Program, Programs, REST, SERVER, own, pin_self};
use crate::sections::{CLIENTS, SETTLING, Window, slots};
use crate::statistics::median;
use crate::viewers::Viewers;

/// Many short windows, in turn: what else the machine does then meets both alike, and the median leaves it out.
const WINDOWS: usize = 5;
const WINDOW: Duration = Duration::from_secs(3);

pub(crate) fn run(programs: &Programs) -> anyhow::Result<()> {
    pin_self(REST)?;
    println!("| frames | clients | | frames/s | age p50 ms | age p99 ms | CPU µs per frame |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for spec in [Spec::SMALL, Spec::LARGE] {
        for clients in CLIENTS {
            let mut pairs = Vec::new();
            for _ in 0..WINDOWS {
                pairs.push((eyelid(programs, spec, clients)?, bare(spec, clients)?));
            }
            print(spec, clients, &pairs);
        }
    }
    Ok(())
}

fn eyelid(programs: &Programs, spec: Spec, clients: usize) -> anyhow::Result<Window> {
    let slots = slots()?;
    let (server, address) = programs.server(slots.path(), SERVER)?;
    let _feeder = Feeder::start(slots.path(), spec)?;
    window(&server, address, clients)
}

fn bare(spec: Spec, clients: usize) -> anyhow::Result<Window> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).to_string();
    let frames = format!("{}:{}", spec.size(), spec.bytes);
    let mut command = own(&["pump", "--listen", &listen, "--frames", &frames])?;
    let (pump, address) = Program::listening(&mut command, SERVER)?;
    window(&pump, address, clients)
}

fn window(server: &Program, address: SocketAddr, clients: usize) -> anyhow::Result<Window> {
    let mut viewers = Viewers::connect(address, "/stream", clients)?;
    viewers.watch(SETTLING)?;
    Window::take(&mut viewers, WINDOW, &[server])
}

/// What a column shows, and with how many digits.
type Column = (fn(&Window) -> f64, usize);

const COLUMNS: [Column; 4] = [
    (Window::frames_per_s, 0),
    (|window| window.age_ms(50.0), 2),
    (|window| window.age_ms(99.0), 2),
    (|window| window.cpu_us_per_frame(0), 1),
];

fn print(spec: Spec, clients: usize, pairs: &[(Window, Window)]) {
    let mut rows = ["eyelid-server", "bare loop", "ratio"].map(|who| format!("{who} |"));
    for (metric, digits) in COLUMNS {
        let eyelid = median(pairs.iter().map(|(eyelid, _)| metric(eyelid)));
        let bare = median(pairs.iter().map(|(_, bare)| metric(bare)));
        let ratio = median(
            pairs
                .iter()
                .map(|(eyelid, bare)| metric(eyelid) / metric(bare)),
        );
        rows[0] += &format!(" {eyelid:.digits$} |");
        rows[1] += &format!(" {bare:.digits$} |");
        rows[2] += &format!(" {ratio:.2} |");
    }
    for row in rows {
        println!("| {} | {clients} | {row}", spec.size());
    }
}
