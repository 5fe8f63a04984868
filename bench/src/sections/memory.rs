//! Memory of the programs, and whether it comes back.

use crate::picture::Spec;
use crate::process::{Cores, Program, Programs, REST, pin_self};
use crate::sections::idle::wait_asleep;
use crate::sections::{CLIENTS, SETTLING, slots};
use crate::viewers::{Viewers, look_once};

pub(crate) fn run(programs: &Programs) -> anyhow::Result<()> {
    pin_self(REST)?;
    println!("| program | size | PSS KiB | RSS KiB |");
    println!("| --- | --- | --- | --- |");
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
    // A thousand clients at 10 a time: what each leaves behind would show.
    for clients in CLIENTS {
        let mut viewers = Viewers::connect(address, "/stream", clients)?;
        viewers.watch(SETTLING * 2)?;
        print(&server, name, size, &format!("clients: {clients}"))?;
    }
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

fn print(program: &Program, name: &str, size: &str, when: &str) -> anyhow::Result<()> {
    let (pss, rss) = program.memory_kib()?;
    println!("| {name}, {when} | {size} | {pss} | {rss} |");
    Ok(())
}
