//! From a camera that gives JPEGs to the clients: capture and server together, beside the peers
//! that are installed, on the same camera.

use std::thread::sleep;
use std::time::{Duration, Instant};

use eyelid_bench::picture::Spec;

use crate::multipart::Moment;
use crate::process::{Peer, Program, Programs, REST, SERVER, pin_self};
use crate::sections::{CLIENTS, SETTLING, Window, slots};
use crate::statistics::median;
use crate::viewers::{Viewers, Watch};

/// In turn: what else the machine does then meets all alike, and the median leaves it out.
const WINDOWS: usize = 5;
const WINDOW: Duration = Duration::from_secs(2);

/// What was measured of one of them with so many clients.
#[derive(Default)]
struct Rows {
    windows: Vec<Window>,
    /// CPU time of a second with nobody looking, in µs.
    idle_us: Vec<f64>,
}

pub(crate) fn run(programs: &Programs) -> anyhow::Result<()> {
    pin_self(REST)?;
    if !programs.has_pretended_camera() {
        println!("There is no C compiler here, to make the camera with.");
        return Ok(());
    }
    println!(
        "| frames | clients | | frames/s | age p50 ms | age p99 ms | CPU µs per frame delivered | \
         CPU ms a second | with nobody looking |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for spec in [Spec::SMALL, Spec::LARGE] {
        for clients in CLIENTS {
            let mut eyelid = Rows::default();
            let mut peers: Vec<_> = programs
                .peers()
                .map(|peer| (peer, Rows::default()))
                .collect();
            for _ in 0..WINDOWS {
                measure_eyelid(programs, spec, clients, &mut eyelid)?;
                for (peer, rows) in &mut peers {
                    measure_peer(programs, *peer, spec, clients, rows)?;
                }
            }
            eyelid.print(spec, clients, "eyelid-capture and eyelid-server");
            for (peer, rows) in &peers {
                rows.print(spec, clients, peer.name);
            }
        }
    }
    programs.print_absent_peers();
    Ok(())
}

fn measure_eyelid(
    programs: &Programs,
    spec: Spec,
    clients: usize,
    rows: &mut Rows,
) -> anyhow::Result<()> {
    let slots = slots()?;
    let (server, address) = programs.server(slots.path(), SERVER)?;
    let capture = programs.camera(slots.path(), spec, SERVER)?;
    let both = [&server, &capture];
    let mut viewers = Viewers::connect(address, "/stream", clients)?.with_moment(Moment::Stamp);
    rows.watch(&mut viewers, &both)?;
    drop(viewers);
    // The camera falls asleep `--linger` after its last client.
    sleep(SETTLING * 2);
    rows.rest(&both)
}

fn measure_peer(
    programs: &Programs,
    peer: Peer,
    spec: Spec,
    clients: usize,
    rows: &mut Rows,
) -> anyhow::Result<()> {
    let (program, address) = programs.peer(peer, spec, SERVER)?;
    let mut viewers = Viewers::connect(address, peer.target, clients)?.with_moment(Moment::Stamp);
    rows.watch(&mut viewers, &[&program])?;
    drop(viewers);
    sleep(SETTLING * 2);
    rows.rest(&[&program])
}

impl Rows {
    fn watch(&mut self, viewers: &mut Viewers, programs: &[&Program]) -> anyhow::Result<()> {
        viewers.watch_once()?;
        viewers.watch(SETTLING)?;
        self.windows.push(Window::take(viewers, WINDOW, programs)?);
        Ok(())
    }

    fn rest(&mut self, programs: &[&Program]) -> anyhow::Result<()> {
        let used = || -> anyhow::Result<Duration> {
            programs
                .iter()
                .map(|program| Ok(program.usage()?.cpu))
                .sum()
        };
        let (before, begin) = (used()?, Instant::now());
        sleep(WINDOW);
        let used = used()? - before;
        self.idle_us
            .push(used.as_secs_f64() * 1e6 / begin.elapsed().as_secs_f64());
        Ok(())
    }

    fn print(&self, spec: Spec, clients: usize, who: &str) {
        let of = |value: &dyn Fn(&Window) -> f64| median(self.windows.iter().map(value));
        println!(
            "| {} | {clients} | {who} | {:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {:.1} |",
            spec.size(),
            of(&Window::frames_per_s),
            of(&|window| window.age_ms(50.0)),
            of(&|window| window.age_ms(99.0)),
            of(&Window::all_cpu_us_per_frame),
            of(&|window| window.all_cpu_us_per_frame() * window.frames_per_s() / 1e3),
            median(self.idle_us.iter().copied()) / 1e3,
        );
    }
}
