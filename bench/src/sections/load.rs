//! Age of frames and CPU time of the server, beside a bare loop that does the same work in the same
//! minute, and beside the peers that are installed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use eyelid_bench::picture::Spec;

use crate::feeder::Feeder;
use crate::multipart::Moment;
use crate::plot::{Axis, Line, Scale, lines};
use crate::process::{Peer, Program, Programs, REST, SERVER, own, pin_self};
use crate::sections::{Window, slots};
use crate::statistics::median;
use crate::viewers::{Viewers, Watch};

/// How many clients look. A thousand at 1920x1080 (6 GB/s) are more than a core can send.
const SMALL_CLIENTS: &[usize] = &[1, 10, 100, 500, 1000];
const LARGE_CLIENTS: &[usize] = &[1, 10, 100, 500];

/// Many short windows, in turn: what else the machine does then meets both alike, and the median
/// leaves it out.
const WINDOWS: usize = 5;
const PEER_WINDOWS: usize = 3;
const WINDOW: Duration = Duration::from_secs(2);

/// After every client has had a frame: long enough for TCP to know its path.
const SETTLING: Duration = Duration::from_millis(500);

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    programs: Programs,
    /// Only with so many clients
    #[arg(long, value_delimiter = ',', value_name = "N")]
    clients: Vec<usize>,
    /// Draw CPU time over clients
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// What was measured with some frames and clients.
struct Point {
    clients: usize,
    pairs: Vec<(Window, Window)>,
    peers: Vec<(Peer, Vec<Window>)>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    pin_self(REST)?;
    println!(
        "| frames | clients | | frames/s | slowest / median client | age p50 ms | age p99 ms | CPU µs per frame | \
         clients' core % |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let small = series(arguments, Spec::SMALL, SMALL_CLIENTS)?;
    series(arguments, Spec::LARGE, LARGE_CLIENTS)?;
    arguments.programs.print_absent_peers();
    match &arguments.plot {
        Some(path) => plot(path, &small),
        None => Ok(()),
    }
}

/// Measures frames of one size, and prints the rows.
fn series(arguments: &Arguments, spec: Spec, all: &[usize]) -> anyhow::Result<Vec<Point>> {
    let wanted =
        |clients: &&usize| arguments.clients.is_empty() || arguments.clients.contains(clients);
    let mut series = Vec::new();
    for &clients in all.iter().filter(wanted) {
        let mut point = Point {
            clients,
            pairs: Vec::new(),
            peers: Vec::new(),
        };
        for _ in 0..WINDOWS {
            let eyelid = eyelid(&arguments.programs, spec, clients)?;
            point.pairs.push((eyelid, bare(spec, clients)?));
        }
        for peer in arguments.programs.peers() {
            let windows =
                (0..PEER_WINDOWS).map(|_| of_peer(&arguments.programs, peer, spec, clients));
            point
                .peers
                .push((peer, windows.collect::<anyhow::Result<_>>()?));
        }
        point.print(spec);
        series.push(point);
    }
    Ok(series)
}

fn eyelid(programs: &Programs, spec: Spec, clients: usize) -> anyhow::Result<Window> {
    let slots = slots()?;
    let (server, address) = programs.server(slots.path(), SERVER)?;
    let _feeder = Feeder::start(slots.path(), spec)?;
    window(&server, address, "/stream", clients, Moment::Header)
}

fn bare(spec: Spec, clients: usize) -> anyhow::Result<Window> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).to_string();
    let frames = format!("{}:{}", spec.size(), spec.bytes);
    let mut command = own(&["pump", "--listen", &listen, "--frames", &frames])?;
    let (pump, address) = Program::listening(&mut command, SERVER)?;
    window(&pump, address, "/stream", clients, Moment::Header)
}

fn of_peer(programs: &Programs, peer: Peer, spec: Spec, clients: usize) -> anyhow::Result<Window> {
    let (program, address) = programs.peer(peer, spec, SERVER)?;
    window(&program, address, peer.target, clients, Moment::Stamp)
}

fn window(
    server: &Program,
    address: SocketAddr,
    target: &str,
    clients: usize,
    moment: Moment,
) -> anyhow::Result<Window> {
    let mut viewers = Viewers::connect(address, target, clients)?.with_moment(moment);
    viewers.watch_once()?;
    viewers.watch(SETTLING)?;
    Window::take(&mut viewers, WINDOW, &[server])
}

/// What a column shows, with how many digits, and whether a ratio of it says something.
type Column = (fn(&Window) -> f64, usize, bool);

const COLUMNS: [Column; 6] = [
    (Window::frames_per_s, 0, true),
    (Window::slowest_per_median, 2, false),
    (|window| window.age_ms(50.0), 2, true),
    (|window| window.age_ms(99.0), 2, true),
    (cpu_us_per_frame, 1, true),
    (Window::own_cpu_percent, 0, false),
];

fn cpu_us_per_frame(window: &Window) -> f64 {
    window.cpu_us_per_frame(0)
}

impl Point {
    fn eyelid(&self) -> impl Iterator<Item = &Window> {
        self.pairs.iter().map(|(eyelid, _)| eyelid)
    }

    fn bare(&self) -> impl Iterator<Item = &Window> {
        self.pairs.iter().map(|(_, bare)| bare)
    }

    fn print(&self, spec: Spec) {
        let mut rows = ["eyelid-server", "bare loop", "ratio"].map(|who| format!("{who} |"));
        let mut peers: Vec<_> = self
            .peers
            .iter()
            .map(|(peer, _)| format!("{} |", peer.name))
            .collect();
        for (metric, digits, compared) in COLUMNS {
            let eyelid = median(self.eyelid().map(metric));
            let bare = median(self.bare().map(metric));
            let pairs = self.pairs.iter();
            let ratio = median(pairs.map(|(eyelid, bare)| metric(eyelid) / metric(bare)));
            rows[0] += &format!(" {eyelid:.digits$} |");
            rows[1] += &format!(" {bare:.digits$} |");
            rows[2] += &if compared {
                format!(" {ratio:.2} |")
            } else {
                "  |".into()
            };
            for (row, (_, windows)) in peers.iter_mut().zip(&self.peers) {
                let value = median(windows.iter().map(metric));
                *row += &format!(" {value:.digits$} |");
            }
        }
        for row in rows.iter().chain(&peers) {
            println!("| {} | {} | {row}", spec.size(), self.clients);
        }
    }
}

/// Draws the CPU time of a frame over the number of clients.
fn plot(path: &Path, points: &[Point]) -> anyhow::Result<()> {
    let line = |name: &str, cpu: &dyn Fn(&Point) -> f64| {
        let points = points
            .iter()
            .map(|point| (point.clients as f64, cpu(point)));
        Line {
            name: name.into(),
            points: points.filter(|(_, cpu)| cpu.is_finite()).collect(),
        }
    };
    let mut drawn = vec![
        line("eyelid-server", &|point| {
            median(point.eyelid().map(cpu_us_per_frame))
        }),
        line("bare loop", &|point| {
            median(point.bare().map(cpu_us_per_frame))
        }),
    ];
    let peers = points.first().map_or(&[][..], |point| &point.peers);
    for (index, (peer, _)) in peers.iter().enumerate() {
        drawn.push(line(peer.name, &|point| {
            median(point.peers[index].1.iter().map(cpu_us_per_frame))
        }));
    }
    let axis = |label| Axis {
        label,
        scale: Scale::Logarithmic,
    };
    lines(
        path,
        "CPU time of the server for each frame delivered, 640x480, 30 frames a second",
        axis("clients"),
        axis("µs"),
        &drawn,
    )
}
