//! What a viewer by WebRTC costs `eyelid-video`, beside Janus and bare loops, and whether of many
//! one gets fewer pictures than others. What is seen in browsers `watched-video` measures.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use eyelid_bench::film::{Scene, Size};

use crate::network::{Host, ip};
use crate::process::{Cores, Program, Programs, REST, SERVER, pin_self, wait_until};
use crate::projector::Projector;
use crate::sections::{SETTLING, Window, slots};
use crate::statistics::median;
use crate::viewers::Watch;
use crate::webrtc::bare::Sending;
use crate::webrtc::{Gateway, Receivers};

/// In turn: what else the machine does then meets all alike, and the median leaves it out.
const ROUNDS: usize = 3;
const WINDOW: Duration = Duration::from_secs(4);

const VIEWERS: [usize; 3] = [1, 10, 100];

const SIZE: Size = Size {
    width: 640,
    height: 480,
};
const BITS_PER_SECOND: f64 = 1.5e6;

/// The encoder keeps to its bitrate on average; less than this share of it is another picture.
const LEAST_SHARE: f64 = 0.8;

/// The bytes of a picture of that bitrate.
const PICTURE_BYTES: usize = 6250;

/// Viewers have so many addresses: of one no more than 16 are served.
const ADDRESSES: u8 = 8;

const PEER: &str = "janus";
const HTTP_PORT: u16 = 8188;
const RTP_PORT: u16 = 5004;

/// Which gateways, or which viewers, are measured.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    programs: Programs,
    /// Rounds, of which the median is shown
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// Only so many viewers
    #[arg(long, value_delimiter = ',', default_values_t = VIEWERS)]
    viewers: Vec<usize>,
}

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Eyelid,
    Janus,
    Bare(Sending),
}

/// What came of so many viewers.
struct Figures {
    frames_per_s: f64,
    slowest: f64,
    kbit_per_s: f64,
    cpu: Duration,
    frames: f64,
    own_cpu_percent: f64,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    pin_self(REST)?;
    let programs = &arguments.programs;
    let mut servers = vec![
        Server::Eyelid,
        Server::Bare(Sending::Each),
        Server::Bare(Sending::Together),
    ];
    if programs.path(PEER).exists() {
        servers.insert(1, Server::Janus);
    }
    let host = Host::new("video", 1)?;
    let addresses = (0..ADDRESSES).map(|number| IpAddr::from([10, 12, 1, 100 + number]));
    let addresses: Vec<IpAddr> = addresses.collect();
    for address in &addresses {
        ip(&format!("addr add {address}/24 dev video"))?;
    }
    let mut rounds = Vec::new();
    for _ in 0..arguments.rounds {
        let of = |server: &Server| {
            let counts = arguments.viewers.iter();
            counts
                .map(|count| measure(programs, &host, &addresses, *server, *count))
                .collect()
        };
        rounds.push(servers.iter().map(of).collect::<anyhow::Result<_>>()?);
    }
    print(&servers, &arguments.viewers, &rounds);
    if !programs.path(PEER).exists() {
        println!("\nNot measured: Janus, which was not installed.");
    }
    Ok(())
}

/// Prints the table of what came in each round, of each server, of so many viewers.
fn print(servers: &[Server], viewers: &[usize], rounds: &[Vec<Vec<Figures>>]) {
    println!(
        "| viewers | | frames/s of each | slowest / median viewer | kbit/s of each | \
         CPU % in all | CPU µs for a frame of one more viewer | of Janus's | of the loop's that sends each packet | viewers' core % |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let place = |server| servers.iter().position(|it| *it == server);
    let (janus, bare) = (place(Server::Janus), place(Server::Bare(Sending::Each)));
    for (at, count) in viewers.iter().enumerate() {
        for (which, server) in servers.iter().enumerate() {
            let of = |value: &dyn Fn(&Figures) -> f64| {
                median(rounds.iter().map(|round| value(&round[which][at])))
            };
            let each = |round: &[Vec<Figures>], which: usize| marginal_us(&round[which], at);
            let ratio = |other: Option<usize>| {
                let ratios = rounds
                    .iter()
                    .filter_map(|round| Some(each(round, which) / each(round, other?)));
                or_nothing(median(ratios), 2)
            };
            println!(
                "| {count} | {} | {:.1} | {:.2} | {:.0} | {:.1} | {} | {} | {} | {:.0} |",
                server.name(),
                of(&|seen| seen.frames_per_s),
                of(&|seen| seen.slowest),
                of(&|seen| seen.kbit_per_s),
                of(&|seen| seen.cpu.as_secs_f64() / WINDOW.as_secs_f64() * 100.0),
                or_nothing(median(rounds.iter().map(|round| each(round, which))), 1),
                ratio(janus),
                ratio(bare),
                of(&|seen| seen.own_cpu_percent),
            );
        }
    }
}

/// CPU time of a frame that one more viewer gets, beside the first of the counts. NaN of that
/// itself.
fn marginal_us(seen: &[Figures], at: usize) -> f64 {
    let (cpu, frames) = (
        seen[at].cpu.as_secs_f64() - seen[0].cpu.as_secs_f64(),
        seen[at].frames - seen[0].frames,
    );
    cpu * 1e6 / frames
}

fn or_nothing(value: f64, decimals: usize) -> String {
    match value.is_nan() {
        true => String::new(),
        false => format!("{value:.decimals$}"),
    }
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Eyelid => "eyelid-video, encoder and all",
            Self::Janus => "Janus",
            Self::Bare(Sending::Each) => "bare loop: SRTP, send each packet",
            Self::Bare(Sending::Together) => "bare loop: SRTP, send with GSO",
        }
    }
}

fn measure(
    programs: &Programs,
    host: &Host,
    addresses: &[IpAddr],
    server: Server,
    count: usize,
) -> anyhow::Result<Figures> {
    let slots = slots()?;
    let _film;
    let http = SocketAddr::new(host.address(), HTTP_PORT);
    let (mut receivers, _others, measured);
    match server {
        Server::Bare(sending) => {
            receivers = Receivers::connect(Gateway::Bare, http, addresses, count)?;
            let to: Vec<String> = receivers.addresses().map(|it| it.to_string()).collect();
            let bytes = PICTURE_BYTES.to_string();
            let mut command = host.own(&["srtp", "--bytes", &bytes, "--to", &to.join(",")])?;
            if sending == Sending::Together {
                command.arg("--together");
            }
            measured = Program::start(&mut command, SERVER)?;
        }
        Server::Eyelid => {
            _film = Projector::start(&slots.path().join("film"), SIZE, Scene::Moving)?;
            measured = video(programs, host, slots.path(), http, "", SERVER)?;
            receivers = Receivers::connect(Gateway::Eyelid, http, addresses, count)?;
        }
        Server::Janus => {
            _film = Projector::start(&slots.path().join("film"), SIZE, Scene::Moving)?;
            let elsewhere = SocketAddr::new(host.address(), HTTP_PORT + 1);
            let gop = "[cameras.film]\ngop = \"1s\"\n";
            let encoder = video(programs, host, slots.path(), elsewhere, gop, REST)?;
            let mut command = host.command(programs.path(PEER));
            command.args([http.to_string(), RTP_PORT.to_string()]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            measured = Program::start(&mut command, SERVER)?;
            wait_listening(http)?;
            let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), RTP_PORT).to_string();
            let mut command = host.own(&["forward", "--camera", "film", "--to", &to, "--taps"])?;
            command.arg(slots.path().join(".taps"));
            _others = (encoder, Program::start(&mut command, REST)?);
            receivers = Receivers::connect(Gateway::Janus, http, addresses, count)?;
        }
    }
    receivers.settle(BITS_PER_SECOND * LEAST_SHARE)?;
    receivers.watch(SETTLING)?;
    let window = Window::take(&mut receivers, WINDOW, &[&measured])?;
    let bytes: usize = window.seen.iter().map(|seen| seen.bytes).sum();
    let each = count as f64 * WINDOW.as_secs_f64();
    Ok(Figures {
        frames_per_s: window.seen.len() as f64 / each,
        slowest: window.slowest_per_median(),
        kbit_per_s: bytes as f64 * 8e-3 / each,
        cpu: window.cpu[0],
        frames: window.seen.len() as f64,
        own_cpu_percent: window.own_cpu_percent(),
    })
}

/// Starts `eyelid-video` on a host.
fn video(
    programs: &Programs,
    host: &Host,
    slots: &Path,
    listen: SocketAddr,
    more: &str,
    cores: Cores,
) -> anyhow::Result<Program> {
    let taps = slots.join(".taps");
    let configuration = slots.join(".eyelid.toml");
    fs::write(
        &configuration,
        format!("[video]\nbitrate = \"1.5M\"\n{more}"),
    )?;
    let mut command = host.command(programs.path("eyelid-video"));
    command.arg("--slots").arg(slots).arg("--taps").arg(&taps);
    command.arg("--config").arg(&configuration);
    command.args(["--listen", &listen.to_string(), "--udp", "8189"]);
    command.env("EYELID_LOG", "error");
    let program = Program::start(&mut command, cores)?;
    wait_listening(listen)?;
    wait_until("taps", || Ok(taps.join("timed").exists()))?;
    ensure!(program.usage()?.threads > 0, "eyelid-video has ended");
    Ok(program)
}

fn wait_listening(server: SocketAddr) -> anyhow::Result<()> {
    wait_until(
        "a server listens",
        || Ok(TcpStream::connect(server).is_ok()),
    )
}
