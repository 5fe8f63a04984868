//! Cameras as the clients of a process see them: the newest frame, read once and shared by all.
//!
//! A program makes one [`Cameras`], lets it [`run`](Cameras::run), and gives each of its clients a
//! [`View`] of a camera. A client waits for a frame that is fresh enough for it ([`Freshness`],
//! [`Deadline`]), at a rate of its own ([`RateCap`]); one that takes every frame may have them
//! handed to it without being woken ([`Subscriber`]). Waiting for a frame is the wish for it, so
//! that a camera is awake while somebody looks (`docs/slot.md`).
//!
//! ```no_run
//! # use std::rc::Rc;
//! # use std::time::Duration;
//! # use eyelid_consumer::{Cameras, Configured, Deadline, Position, RateCap};
//! # use eyelid_daemon::pulse::Pulse;
//! # async fn program() -> Option<()> {
//! let cameras = Cameras::new("/run/eyelid".into(), Configured::new(), ());
//! let cameras = Rc::new(cameras);
//! let camera = cameras.camera(&"webcam".parse().ok()?)?;
//! let five_a_second = RateCap::new(Duration::from_millis(200));
//! let view = cameras.view(camera, Some(five_a_second));
//! let deadline = Deadline {
//!     timeout: Duration::from_secs(4),
//!     max_age: Duration::from_secs(2),
//! };
//! let look = async {
//!     let mut seen = Position::default();
//!     loop {
//!         match view.next(seen, deadline).await {
//!             Ok(frame) => seen = frame.position(),
//!             Err(reason) => println!("{reason}"),
//!         }
//!     }
//! };
//! let watchdog = Pulse::default();
//! tokio::join!(cameras.run(&watchdog), look);
//! # Some(())
//! # }
//! ```
//!
//! What decides (`tracker`, `wait`, `rate_cap`, `wanted`, `position`, `patience`, `no_frame`) takes
//! values and a time; `feed` is the thin shell that reads clocks and files for it. This crate knows
//! no network: how a frame leaves is the program's business, and an [`Envelope`] lets it leave in
//! one write. All of it runs on one thread.

mod camera;
mod cameras;
mod clock;
mod feed;
mod frame_number;
mod freshness;
mod measured_rate;
mod no_frame;
mod patience;
mod position;
mod rate_cap;
mod shared_frame;
mod subscribers;
mod tracker;
mod view;
mod wait;
mod wanted;
mod watches;

pub use camera::Camera;
pub use cameras::{Cameras, Configured};
pub use frame_number::FrameNumber;
pub use freshness::{Deadline, Freshness};
pub use measured_rate::MeasuredRate;
pub use no_frame::{Cause, NoFrame, Unreadable};
pub use position::Position;
pub use rate_cap::RateCap;
pub use shared_frame::{Envelope, EnvelopedJpeg, SharedFrame};
pub use subscribers::{Subscriber, Wake};
pub use view::View;
pub use wanted::{Largest, Wanted};
