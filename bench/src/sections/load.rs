//! Age of frames and CPU time of the server, beside a bare loop that does the same work in the same minute, and beside
//! ustreamer where it is installed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::feeder::Feeder;
use crate::multipart::Moment;
use crate::picture::Spec;
use crate::plot::{Axis, Line, Scale, lines};
use crate::process::{Program, Programs, REST, SERVER, own, pin_self};
use crate::sections::{Window, slots};
use crate::statistics::median;
use crate::viewers::Viewers;

/// How many clients look. A thousand at 1920x1080 (6 GB/s) are more than a core can send.
const SMALL_CLIENTS: &[usize] = &[1, 10, 100, 500, 1000];
const LARGE_CLIENTS: &[usize] = &[1, 10, 100, 500];

/// Many short windows, in turn: what else the machine does then meets both alike, and the median leaves it out.
const WINDOWS: usize = 5;
const PEER_WINDOWS: usize = 2;
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
    peer: Vec<Window>,
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
    if !arguments.programs.has_ustreamer() {
        println!("\nustreamer is not installed here.");
    }
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
            peer: Vec::new(),
        };
        for _ in 0..WINDOWS {
            let eyelid = eyelid(&arguments.programs, spec, clients)?;
            point.pairs.push((eyelid, bare(spec, clients)?));
        }
        for _ in 0..PEER_WINDOWS {
            point.peer.extend(peer(&arguments.programs, spec, clients)?);
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
    window(&server, address, clients, Moment::Header)
}

fn bare(spec: Spec, clients: usize) -> anyhow::Result<Window> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).to_string();
    let frames = format!("{}:{}", spec.size(), spec.bytes);
    let mut command = own(&["pump", "--listen", &listen, "--frames", &frames])?;
    let (pump, address) = Program::listening(&mut command, SERVER)?;
    window(&pump, address, clients, Moment::Header)
}

fn peer(programs: &Programs, spec: Spec, clients: usize) -> anyhow::Result<Option<Window>> {
    let Some((ustreamer, address)) = programs.ustreamer(spec, SERVER)? else {
        return Ok(None);
    };
    window(&ustreamer, address, clients, Moment::Stamp).map(Some)
}

fn window(
    server: &Program,
    address: SocketAddr,
    clients: usize,
    moment: Moment,
) -> anyhow::Result<Window> {
    let mut viewers = Viewers::connect(address, "/stream", clients)?.with_moment(moment);
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
        let mut rows =
            ["eyelid-server", "bare loop", "ratio", "ustreamer"].map(|who| format!("{who} |"));
        for (metric, digits, compared) in COLUMNS {
            let eyelid = median(self.eyelid().map(metric));
            let bare = median(self.bare().map(metric));
            let pairs = self.pairs.iter();
            let ratio = median(pairs.map(|(eyelid, bare)| metric(eyelid) / metric(bare)));
            let peer = median(self.peer.iter().map(metric));
            rows[0] += &format!(" {eyelid:.digits$} |");
            rows[1] += &format!(" {bare:.digits$} |");
            rows[2] += &if compared {
                format!(" {ratio:.2} |")
            } else {
                "  |".into()
            };
            rows[3] += &format!(" {peer:.digits$} |");
        }
        let shown = if self.peer.is_empty() { 3 } else { 4 };
        for row in &rows[..shown] {
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
        line("ustreamer", &|point| {
            median(point.peer.iter().map(cpu_us_per_frame))
        }),
    ];
    drawn.retain(|line| !line.points.is_empty());
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
