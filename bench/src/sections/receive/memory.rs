//! Memory of `eyelid-receive`, without what is mapped from files: of a camera that pushes, and of
//! connections that say nothing.

use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;

use super::{messages, readers};
use crate::process::{Program, Programs};
use crate::pusher::{Camera, Library, Pusher, Pushing};
use crate::receivers::{Receiver, Site};
use crate::sections::SETTLING;
use crate::viewers::Watch;

/// How many cameras there may be if nothing else is said.
const CAMERAS: usize = 32;

/// Besides one.
const MANY: [usize; 2] = [10, CAMERAS];

/// Besides those of the cameras there are three connections for each.
const CONNECTIONS: usize = 3 * CAMERAS;

/// The most of so many moments counts: between two frames less is held.
const MOMENTS: usize = 40;
const MOMENT: Duration = Duration::from_millis(50);

pub(super) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!(
        "| eyelid-receive | anonymous memory KiB | KiB for each after the first | in frames |"
    );
    println!("| --- | --- | --- | --- |");
    for library in [Library::Arduino, Library::Espressif] {
        let messages = messages(library);
        let (one, frame_bytes) = pushing(programs, 1, library)?;
        println!("| 1 camera that pushes, {messages} | {one} |  |  |");
        for cameras in MANY {
            let (many, _) = pushing(programs, cameras, library)?;
            let each = (many as f64 - one as f64) / (cameras - 1) as f64;
            let frames = each * 1024.0 / frame_bytes as f64;
            println!(
                "| {cameras} cameras that push, {messages} | {many} | {each:.1} | {frames:.2} |"
            );
        }
    }
    connected(programs)
}

/// Gives the most that it holds with so many cameras, and how many bytes a frame has.
fn pushing(programs: &Programs, cameras: usize, library: Library) -> anyhow::Result<(u64, usize)> {
    let site = Site::new(cameras, "")?;
    let (program, address) = Receiver::Eyelid.start_here(programs, &site)?;
    let mut readers = readers(&site)?;
    let _pusher = Pusher::start(address, &site.names, &Pushing::usual(library))?;
    let seen = readers.watch(SETTLING * 2)?;
    let frame = seen.last().context("no frame")?;
    let mut most = 0;
    for _ in 0..MOMENTS {
        readers.watch(MOMENT)?;
        most = most.max(program.anonymous_kib()?);
    }
    Ok((most, frame.bytes))
}

/// Connections of cameras that have sent no frame yet, and of nobody who has said anything.
fn connected(programs: &Programs) -> anyhow::Result<()> {
    let site = Site::new(CAMERAS, "")?;
    let (program, address) = Receiver::Eyelid.start_here(programs, &site)?;
    let before = settled(&program)?;
    println!("| nobody connected, {CAMERAS} cameras in the configuration | {before} |  |  |");
    let pushing = Pushing::usual(Library::Arduino);
    let cameras = site.names.iter();
    let cameras = cameras.map(|name| Camera::connect(address, name, &pushing));
    let cameras: Vec<_> = cameras.collect::<anyhow::Result<_>>()?;
    let with_cameras = settled(&program)?;
    let each = (with_cameras as f64 - before as f64) / cameras.len() as f64;
    println!("| {CAMERAS} WebSockets that send nothing | {with_cameras} | {each:.1} |  |");
    let strangers = (0..CONNECTIONS).map(|_| TcpStream::connect(address));
    let strangers: Vec<_> = strangers.collect::<Result<_, _>>()?;
    let with_all = settled(&program)?;
    let each = (with_all as f64 - with_cameras as f64) / strangers.len() as f64;
    println!("| and {CONNECTIONS} connections without a request | {with_all} | {each:.1} |  |");
    Ok(())
}

fn settled(program: &Program) -> anyhow::Result<u64> {
    sleep(SETTLING);
    program.anonymous_kib()
}
