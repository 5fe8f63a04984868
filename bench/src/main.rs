//! `eyelid-bench`: measures what Eyelid promises, each section as a Markdown table on standard
//! output.
//!
//! `bench/run` runs all sections and puts the tables into `docs/performance.md`, which says what
//! they mean.

mod delay;
mod feeder;
#[cfg(feature = "video")]
mod forward;
mod herd;
mod instructions;
mod multipart;
mod network;
mod plot;
mod process;
mod projector;
mod pump;
mod pusher;
mod readers;
mod receivers;
mod rtp;
mod sections;
mod sink;
mod statistics;
mod trace;
mod viewers;
#[cfg(feature = "video")]
mod webrtc;
mod websocket;
mod worker;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::{Parser, Subcommand};
use eyelid_bench::film;
use eyelid_bench::picture::{Picture, Spec};

use crate::feeder::Feeder;
use crate::multipart::Moment;
use crate::plot::Plot;
use crate::process::{PEERS, Peer, Programs, REST};
use crate::projector::Projector;
use crate::pusher::{Library, Pusher, Pushing};
use crate::rtp::bare::{Frames, Pace};
use crate::viewers::{Seen, Viewers, Watch};
#[cfg(feature = "video")]
use crate::webrtc::bare::Sending;

/// Measures what Eyelid promises.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Age of frames and CPU time of the server, beside a bare loop
    Load(sections::load::Arguments),
    /// Age of frames and CPU time from a camera to the clients, beside ustreamer
    Camera(Programs),
    /// CPU time of capture and server with the test source
    Capture(Programs),
    /// Wake-ups and CPU time with nobody looking
    Idle(Programs),
    /// Memory of server and capture
    Memory(Programs),
    /// Time from the first connection to the first whole frame
    Cold(Programs),
    /// What one client that wants few frames makes the camera do
    Demand(Programs),
    /// Latency and freshness of snapshots for many clients
    Snapshots(Programs),
    /// CPU time, ages and memory of eyelid-receive, beside a bare loop
    Receive(sections::receive::Arguments),
    /// CPU time, losses and ages of eyelid-rtp, beside a bare loop and peers
    Rtp(sections::rtp::Arguments),
    /// CPU time of eyelid-video for viewers by WebRTC, beside bare loops and Janus
    #[cfg(feature = "video")]
    Video(sections::video::Arguments),
    /// Instructions of the server for each frame, compared with a baseline
    Instructions(instructions::Arguments),
    /// Puts frames into a slot until killed
    Feed {
        /// Directory of the slot
        #[arg(long)]
        slot: PathBuf,
        /// The frames: WIDTHxHEIGHT:BYTES
        #[arg(long)]
        frames: Spec,
    },
    /// Plays many cameras that sleep until somebody looks, until killed
    Herd {
        /// The directory of their slots, which are made
        #[arg(long)]
        slots: PathBuf,
        /// How many
        #[arg(long)]
        count: usize,
        /// The frames: WIDTHxHEIGHT:BYTES
        #[arg(long)]
        frames: Spec,
        /// How long each stays awake when nobody looks
        #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
        linger: f64,
    },
    /// Writes one frame to standard output, for a camera to stamp
    Picture {
        /// The frame: WIDTHxHEIGHT:BYTES
        #[arg(long)]
        frames: Spec,
    },
    /// Sends frames to everybody who connects until killed: the least a server can do
    Pump {
        /// Where to listen
        #[arg(long)]
        listen: SocketAddr,
        /// The frames: WIDTHxHEIGHT:BYTES
        #[arg(long)]
        frames: Spec,
    },
    /// Plays a camera that pushes until killed
    Push {
        /// Where the receiver listens
        #[arg(long, value_name = "ADDRESS")]
        to: SocketAddr,
        /// The camera's name
        #[arg(long)]
        camera: String,
        /// The frames: WIDTHxHEIGHT:BYTES
        #[arg(long)]
        frames: Spec,
        /// What it sends with
        #[arg(long, value_enum, default_value = "arduino")]
        library: Library,
        /// What its socket holds
        #[arg(long, value_name = "BYTES")]
        send_buffer_bytes: Option<usize>,
        /// What it may push with
        #[arg(long)]
        token: Option<String>,
    },
    /// Takes the frames that cameras push into slots until killed: the least a receiver can do
    Sink {
        /// Where to listen
        #[arg(long)]
        listen: SocketAddr,
        /// The directory of the slots
        #[arg(long)]
        slots: PathBuf,
        /// Hear of each reader, as a program must whose cameras sleep
        #[arg(long)]
        hear_readers: bool,
    },
    /// Sends frames as RTP/JPEG by UDP until killed: the least a sender can do
    Gso {
        /// Where to send them
        #[arg(long, value_name = "ADDRESS")]
        to: SocketAddr,
        #[command(flatten)]
        frames: GsoFrames,
        /// Spread a frame's packets as eyelid-rtp does
        #[arg(long)]
        spread: bool,
    },
    /// Puts planes into a slot until killed, in which it can be read when they were captured
    Film {
        /// Directory of the slot
        #[arg(long)]
        slot: PathBuf,
        /// Their size: WIDTHxHEIGHT
        #[arg(long)]
        size: film::Size,
        /// What is to be seen
        #[arg(long, value_enum, default_value = "quiet")]
        scene: film::Scene,
    },
    /// Sends as RTP what comes from a tap of eyelid-video, until that closes
    #[cfg(feature = "video")]
    Forward {
        /// The directory of the taps
        #[arg(long)]
        taps: PathBuf,
        /// Which camera
        #[arg(long)]
        camera: String,
        /// Where to send it
        #[arg(long, value_name = "ADDRESS")]
        to: SocketAddr,
    },
    /// Sends pictures as SRTP until killed: the least a server of WebRTC can do
    #[cfg(feature = "video")]
    Srtp {
        /// To whom
        #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
        to: Vec<SocketAddr>,
        /// The bytes of a picture
        #[arg(long)]
        bytes: usize,
        /// Let the kernel cut the packets (UDP GSO)
        #[arg(long)]
        together: bool,
    },
    /// Lets packets take a time from one TUN device to the other until killed
    Delay {
        /// Where they go in
        into: String,
        /// Where they come out
        out_of: String,
        /// How many milliseconds they take
        #[arg(long)]
        milliseconds: u64,
    },
    /// Draws lines
    Plot(Plot),
    /// Says what a link that faded did to a client: age p50 before, p50 and maximum after, longest
    /// pause, all in ms
    Fade {
        /// What `watch --trace` wrote
        trace: PathBuf,
        /// When it faded, in seconds since the watch began
        #[arg(long)]
        at: f64,
        /// When the watch ended
        #[arg(long)]
        end: f64,
    },
    /// Looks at a stream; prints frames a second and the frames' ages in ms: p50 and p99
    Watch {
        /// Where the server listens
        server: SocketAddr,
        /// How many seconds to count
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        /// How many seconds to look before
        #[arg(long, default_value_t = 2.0)]
        settling: f64,
        /// The server is this peer: ask for its stream, and take the moment of capture from the
        /// picture, for its X-Timestamp is another
        #[arg(long, value_name = "NAME", value_parser = peer)]
        peer: Option<Peer>,
        /// Write the moment of each receipt in seconds and the frame's age in ms, a line each
        #[arg(long, value_name = "FILE")]
        trace: Option<PathBuf>,
    },
}

/// Where the frames come from that are sent.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct GsoFrames {
    /// This slot
    #[arg(long, value_name = "DIR")]
    slot: Option<PathBuf>,
    /// Nowhere, they are made: WIDTHxHEIGHT:BYTES
    #[arg(long)]
    frames: Option<Spec>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    process::raise_descriptors()?;
    match arguments.command {
        Command::Load(arguments) => sections::load::run(&arguments),
        Command::Camera(programs) => sections::camera::run(&programs),
        Command::Capture(programs) => sections::capture::run(&programs),
        Command::Idle(programs) => sections::idle::run(&programs),
        Command::Memory(programs) => sections::memory::run(&programs),
        Command::Cold(programs) => sections::cold::run(&programs),
        Command::Demand(programs) => sections::demand::run(&programs),
        Command::Snapshots(programs) => sections::snapshots::run(&programs),
        Command::Receive(arguments) => sections::receive::run(&arguments),
        Command::Rtp(arguments) => sections::rtp::run(&arguments),
        #[cfg(feature = "video")]
        Command::Video(arguments) => sections::video::run(&arguments),
        Command::Instructions(arguments) => instructions::run(&arguments),
        Command::Feed { slot, frames } => {
            process::pin_self(REST)?;
            Feeder::start(&slot, frames)?.wait()
        }
        Command::Herd {
            slots,
            count,
            frames,
            linger,
        } => herd::run(&slots, count, frames, Duration::from_secs_f64(linger)),
        Command::Picture { frames } => {
            let mut picture = Picture::new(frames)?;
            Ok(std::io::stdout().write_all(picture.stamped(SystemTime::UNIX_EPOCH))?)
        }
        Command::Pump { listen, frames } => pump::run(listen, frames),
        Command::Push {
            to,
            camera,
            frames,
            library,
            send_buffer_bytes,
            token,
        } => {
            let pushing = Pushing {
                frames,
                send_buffer_bytes,
                token,
                ..Pushing::usual(library)
            };
            process::pin_self(REST)?;
            Pusher::start(to, &[camera], &pushing)?.wait()
        }
        Command::Sink {
            listen,
            slots,
            hear_readers,
        } => {
            let readers = match hear_readers {
                true => sink::Readers::Heard,
                false => sink::Readers::Ignored,
            };
            sink::run(listen, &slots, readers)
        }
        Command::Gso { to, frames, spread } => {
            let pace = match spread {
                true => Pace::Spread,
                false => Pace::Burst,
            };
            rtp::bare::run(to, &frames.source()?, pace)
        }
        Command::Film { slot, size, scene } => Projector::start(&slot, size, scene)?.wait(),
        #[cfg(feature = "video")]
        Command::Forward { taps, camera, to } => forward::run(&taps, &camera, to),
        #[cfg(feature = "video")]
        Command::Srtp {
            to,
            bytes,
            together,
        } => {
            let sending = match together {
                true => Sending::Together,
                false => Sending::Each,
            };
            webrtc::bare::run(&to, bytes, sending)
        }
        Command::Delay {
            into,
            out_of,
            milliseconds,
        } => delay::run(&into, &out_of, Duration::from_millis(milliseconds)),
        Command::Plot(plot) => plot.run(),
        Command::Fade { trace, at, end } => {
            let fade = trace::fade(&trace::read(&trace)?, at, end)?;
            println!(
                "{:.1} {:.1} {:.1} {:.0}",
                fade.p50_before_ms, fade.p50_after_ms, fade.max_after_ms, fade.pause_ms
            );
            Ok(())
        }
        Command::Watch {
            server,
            seconds,
            settling,
            peer,
            trace,
        } => {
            let [settling, time] = [settling, seconds].map(Duration::from_secs_f64);
            let seen = watch(server, peer, settling, time)?;
            if let Some(path) = trace {
                trace::write(&path, &seen)?;
            }
            println!(
                "{:.2} {:.1} {:.1}",
                statistics::frames_per_s(&seen),
                statistics::age_ms(&seen, 50.0),
                statistics::age_ms(&seen, 99.0),
            );
            Ok(())
        }
    }
}

impl GsoFrames {
    fn source(self) -> anyhow::Result<Frames> {
        let slot = self.slot.map(Frames::Slot);
        let source = slot.or(self.frames.map(Frames::Made));
        source.context("neither a slot nor frames")
    }
}

fn peer(name: &str) -> Result<Peer, String> {
    let peer = PEERS.into_iter().find(|peer| peer.name == name);
    peer.ok_or_else(|| format!("peers are {}", PEERS.map(|peer| peer.name).join(", ")))
}

fn watch(
    server: SocketAddr,
    peer: Option<Peer>,
    settling: Duration,
    time: Duration,
) -> anyhow::Result<Vec<Seen>> {
    process::pin_self(REST)?;
    let (target, moment) = match peer {
        Some(peer) => (peer.target, Moment::Stamp),
        None => ("/stream", Moment::Header),
    };
    let mut viewers = Viewers::connect(server, target, 1)?.with_moment(moment);
    viewers.watch(settling)?;
    viewers.watch(time)
}
