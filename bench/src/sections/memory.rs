//! Memory of the programs, and whether it comes back.

use eyelid_bench::picture::Spec;

use crate::process::{Cores, Program, Programs, REST, pin_self, tcp_memory_kib};
use crate::sections::idle::wait_asleep;
use crate::sections::{SETTLING, slots};
use crate::viewers::{Viewers, Watch, look_once};

/// A thousand is what the server takes at most, if it is not told otherwise.
const CLIENTS: [usize; 4] = [1, 10, 100, 1000];

pub(crate) fn run(programs: &Programs) -> anyhow::Result<()> {
    pin_self(REST)?;
    println!(
        "| program | size | PSS KiB | RSS KiB | PSS KiB for each client after the first | TCP in the kernel KiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for size in [Spec::SMALL, Spec::LARGE].map(Spec::size) {
        server(programs, &size)?;
    }
    for size in [Spec::SMALL, Spec::LARGE].map(Spec::size) {
        capture(programs, &size)?;
    }
    let slots = slots()?;
    let (eyelid, _) = programs.eyelid(slots.path(), "640x480")?;
    print(&eyelid, "eyelid", "", "nothing running")
}

fn server(programs: &Programs, size: &str) -> anyhow::Result<()> {
    let slots = slots()?;
    let (server, address) = programs.server(slots.path(), Cores::All)?;
    let _capture = programs.capture(slots.path(), &["--size", size])?;
    let name = "eyelid-server";
    print(&server, name, size, "no client yet")?;
    let mut first = None;
    for clients in CLIENTS {
        let mut viewers = Viewers::connect(address, "/stream", clients)?;
        viewers.watch_once()?;
        viewers.watch(SETTLING * 2)?;
        let (pss, rss) = server.memory_kib()?;
        // The frame, which all share, is there with the first.
        let first = *first.get_or_insert(pss);
        let each = match clients {
            1 => String::new(),
            _ => format!("{:.1}", (pss as f64 - first as f64) / (clients - 1) as f64),
        };
        let tcp = tcp_memory(&mut viewers)?;
        println!("| {name}, clients: {clients} | {size} | {pss} | {rss} | {each} | {tcp} |");
    }
    // A thousand clients more, at 10 a time: what each leaves behind would show.
    std::thread::sleep(SETTLING);
    print(&server, name, size, "no client any more")?;
    for _ in 0..100 {
        Viewers::connect(address, "/stream", 10)?.watch(SETTLING / 10)?;
    }
    std::thread::sleep(SETTLING);
    print(&server, name, size, "no client, after 1000 more")
}

fn capture(programs: &Programs, size: &str) -> anyhow::Result<()> {
    let slots = slots()?;
    let capture = programs.capture(slots.path(), &["--size", size, "--linger", "500ms"])?;
    let (_server, address) = programs.server(slots.path(), Cores::All)?;
    let name = "eyelid-capture";
    wait_asleep(slots.path())?;
    print(&capture, name, size, "asleep, after its first frame")?;
    let mut viewers = Viewers::connect(address, "/stream", 1)?;
    viewers.watch(SETTLING * 2)?;
    print(&capture, name, size, "awake")?;
    drop(viewers);
    wait_asleep(slots.path())?;
    print(&capture, name, size, "asleep again")?;
    for _ in 0..10 {
        look_once(address, "/stream")?;
        wait_asleep(slots.path())?;
    }
    print(&capture, name, size, "asleep, the 11th time")
}

/// The most of some moments: between two frames the sockets are empty.
fn tcp_memory(viewers: &mut Viewers) -> anyhow::Result<u64> {
    let mut most = 0;
    for _ in 0..50 {
        viewers.watch(SETTLING / 50)?;
        most = most.max(tcp_memory_kib()?);
    }
    Ok(most)
}

fn print(program: &Program, name: &str, size: &str, when: &str) -> anyhow::Result<()> {
    let (pss, rss) = program.memory_kib()?;
    println!("| {name}, {when} | {size} | {pss} | {rss} |  |  |");
    Ok(())
}
