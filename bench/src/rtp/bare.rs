//! The bare loop of the section `rtp`: the least that a program with one thread can do to send the
//! frames of a slot as RTP/JPEG by UDP, cut by the kernel (UDP GSO). It hears of a frame by
//! inotify, reads it, writes the packets into one buffer, and sends that in as few pieces as may
//! be. What a frame is made of it has seen once: here all are alike. There is no report, no look
//! at the frame, no wish for one that has not come, and nobody else to send to. It can also spread
//! a frame as `eyelid-rtp` does, and make its frames itself, reading nothing.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use eyelid_bench::picture::{FPS, Picture, Spec};
use eyelid_slot::FRAME_FILE;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::UdpGsoSegment;

/// What `eyelid-rtp` takes if nothing else is said.
const PACKET_BYTES: usize = 1400;

/// How many packets go at once: a datagram of IPv4 has no more bytes.
const AT_ONCE: usize = 65_507 / PACKET_BYTES;

/// The headers of RTP and of JPEG in each packet, and that of tables with them in the first.
const HEADER_BYTES: usize = 20;
const TABLES_BYTES: usize = 132;

/// How `eyelid-rtp` spreads a frame at this rate: over half of the time to the next, in so many
/// steps, of at least so many packets.
const SPREAD_S: f64 = 0.5 / FPS;
const MOST_STEPS: usize = 11;
const LEAST_A_STEP: usize = 4;

/// Where frames come from.
#[derive(Clone, Debug)]
pub(crate) enum Frames {
    /// A slot.
    Slot(PathBuf),
    /// Nowhere: they are made at [`FPS`], and read from nothing.
    Made(Spec),
}

/// How a frame's packets follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// All at once.
    Burst,
    /// A few at a time.
    Spread,
}

/// Where in the frames that is which RTP carries.
struct Layout {
    tables: [usize; 2],
    scan: usize,
    /// In 8 pixels.
    size: [u8; 2],
}

/// Sends packets to one place.
struct Sender {
    socket: UdpSocket,
    pace: Pace,
    sequence: u16,
    packets: Vec<u8>,
}

/// Runs until killed.
pub(crate) fn run(to: SocketAddr, frames: &Frames, pace: Pace) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(to)?;
    setsockopt(&socket, UdpGsoSegment, &i32::try_from(PACKET_BYTES)?)?;
    let mut sender = Sender {
        socket,
        pace,
        sequence: 0,
        packets: Vec::new(),
    };
    match frames {
        Frames::Slot(slot) => pass_on(slot, &mut sender),
        Frames::Made(spec) => make(*spec, &mut sender),
    }
}

fn pass_on(slot: &Path, sender: &mut Sender) -> anyhow::Result<()> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    inotify.add_watch(slot, AddWatchFlags::IN_MOVED_TO)?;
    let frame = slot.join(FRAME_FILE);
    let (mut jpeg, mut layout) = (Vec::new(), None);
    loop {
        jpeg.clear();
        // Closed when it was read: that is the wish for the next.
        File::open(&frame)?.read_to_end(&mut jpeg)?;
        let layout = match &layout {
            Some(layout) => layout,
            None => layout.insert(Layout::of(&jpeg)?),
        };
        sender.send(&jpeg, layout)?;
        inotify.read_events()?;
    }
}

fn make(spec: Spec, sender: &mut Sender) -> anyhow::Result<()> {
    let mut picture = Picture::new(spec)?.with_stamped_table()?;
    let layout = Layout::of(picture.stamped(SystemTime::now()))?;
    let period = Duration::from_secs_f64(1.0 / FPS);
    let mut next = Instant::now();
    loop {
        sender.send(picture.stamped(SystemTime::now()), &layout)?;
        next += period;
        sleep(next.saturating_duration_since(Instant::now()));
    }
}

impl Layout {
    fn of(jpeg: &[u8]) -> anyhow::Result<Self> {
        let (mut at, mut tables, mut size) = (2, Vec::new(), [0; 2]);
        loop {
            let [_, marker, high, low] = *jpeg[at..].first_chunk().context("no segment")?;
            let bytes = usize::from(u16::from_be_bytes([high, low]));
            let next = at + 2 + bytes;
            match marker {
                // Each table has a byte before it.
                0xDB => tables.extend((at + 5..next).step_by(65)),
                0xC0 => {
                    let pixels = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
                    size = [pixels(at + 7), pixels(at + 5)].map(|pixels| pixels.div_ceil(8) as u8);
                }
                0xDA => {
                    let tables = tables.first_chunk().context("less than two tables")?;
                    return Ok(Self {
                        tables: *tables,
                        scan: next,
                        size,
                    });
                }
                _ => {}
            }
            at = next;
        }
    }
}

impl Sender {
    fn send(&mut self, jpeg: &[u8], layout: &Layout) -> anyhow::Result<()> {
        self.write(jpeg, layout);
        let packets = self.packets.len().div_ceil(PACKET_BYTES);
        let (a_step, gap) = match self.pace {
            Pace::Burst => (AT_ONCE, Duration::ZERO),
            Pace::Spread => {
                let a_step = packets.div_ceil(MOST_STEPS).max(LEAST_A_STEP);
                let gap = SPREAD_S / packets.div_ceil(a_step) as f64;
                (a_step, Duration::from_secs_f64(gap))
            }
        };
        let mut due = Instant::now();
        for piece in self.packets.chunks(a_step * PACKET_BYTES) {
            sleep(due.saturating_duration_since(Instant::now()));
            due += gap;
            let sent = self.socket.send(piece)?;
            ensure!(sent == piece.len(), "{sent} bytes went of {}", piece.len());
        }
        Ok(())
    }

    fn write(&mut self, jpeg: &[u8], layout: &Layout) {
        let scan = &jpeg[layout.scan..jpeg.len() - 2];
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let time_90k = (now.unwrap_or_default().as_nanos() * 9 / 100_000) as u32;
        self.packets.clear();
        let mut offset = 0;
        while offset < scan.len() {
            let tables = if offset == 0 { TABLES_BYTES } else { 0 };
            let room = PACKET_BYTES - HEADER_BYTES - tables;
            let end = scan.len().min(offset + room);
            let marker = if end == scan.len() { 0x80 } else { 0 };
            self.packets.extend([0x80, marker | 26]);
            self.packets.extend(self.sequence.to_be_bytes());
            self.packets.extend(time_90k.to_be_bytes());
            self.packets.extend([0; 4]);
            self.packets.extend((offset as u32).to_be_bytes());
            let [width, height] = layout.size;
            self.packets.extend([1, 255, width, height]);
            if offset == 0 {
                self.packets.extend([0, 0, 0, 128]);
                for table in layout.tables {
                    self.packets.extend_from_slice(&jpeg[table..table + 64]);
                }
            }
            self.packets.extend_from_slice(&scan[offset..end]);
            self.sequence = self.sequence.wrapping_add(1);
            offset = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Receiver;

    /// What the loop sends is what a receiver takes for frames, whatever the pace.
    #[test]
    fn its_packets_are_whole_frames() {
        let mut picture = Picture::new(Spec::SMALL)
            .unwrap()
            .with_stamped_table()
            .unwrap();
        for pace in [Pace::Burst, Pace::Spread] {
            let mut receiver = Receiver::bind(Ipv4Addr::LOCALHOST.into()).unwrap();
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.connect(receiver.address().unwrap()).unwrap();
            setsockopt(&socket, UdpGsoSegment, &1400).unwrap();
            let mut sender = Sender {
                socket,
                pace,
                sequence: u16::MAX - 3,
                packets: Vec::new(),
            };
            let layout = Layout::of(picture.stamped(SystemTime::now())).unwrap();
            for _ in 0..3 {
                sender
                    .send(picture.stamped(SystemTime::now()), &layout)
                    .unwrap();
            }
            let received = receiver.watch_frames(2).unwrap();
            assert_eq!((received.frames.len(), received.counts.lost), (2, 0));
            assert_eq!(received.ages_ms().unwrap().len(), 2);
        }
    }
}
