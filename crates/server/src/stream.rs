//! The loop of one streaming client.

use std::io::{self, IoSlice};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use eyelid_slot::Frame;
use tokio::time::{Instant, sleep_until};

use crate::camera::{Need, Patience};
use crate::clients::{Client, Entry};
use crate::drain::Drain;
use crate::metrics::StreamCounters;
use crate::part::{self, CLOSING, OPENING, Signal};
use crate::slots::View;
use crate::socket::Socket;

/// How often the "no signal" card is sent again: within the patience of every proxy, and often enough to notice soon
/// that nobody is there.
const CARD_INTERVAL: Duration = Duration::from_secs(5);

/// Size of the card, in pixels, for a camera that does not say the size of its frames.
const CARD_SIZE: (u32, u32) = (640, 480);

/// A streaming client: where its frames come from and where they go.
pub(crate) struct Stream {
    /// The look at the camera.
    pub(crate) view: View,
    /// The client's socket, the request read and nothing answered yet.
    pub(crate) socket: Socket,
    /// The response's head, to the empty line.
    pub(crate) head: Vec<u8>,
    /// At most so many frames a second.
    pub(crate) fps: Option<f64>,
    /// How long to wait before the "no signal" card.
    pub(crate) patience: Patience,
    /// The client's place in the list.
    pub(crate) entry: Entry,
    /// The counters of this camera's streams.
    pub(crate) counters: StreamCounters,
}

/// What was sent last.
struct Sent {
    number: u64,
    /// The moment from which the client's own rate counts on.
    due: Option<Instant>,
}

impl Stream {
    /// Sends frames until the client closes or fails; which of the two does not matter to anybody.
    pub(crate) async fn run(self) {
        let ended = tokio::select! {
            sent = self.send_all() => sent.err(),
            () = self.socket.gone() => None,
        };
        let client = self.client();
        let reason = ended.map_or_else(|| "it closed".into(), |error| error.to_string());
        log::debug!(
            "client {} of camera {:?} left: {reason}",
            client.address,
            client.camera.as_str()
        );
    }

    /// The newest-frame rule: wait until the socket has drained, take the newest frame there is, send it.
    async fn send_all(&self) -> io::Result<()> {
        let mut drain = Drain::default();
        let mut last = Sent {
            number: 0,
            due: None,
        };
        self.socket
            .send(&mut [IoSlice::new(&self.head), IoSlice::new(OPENING.as_bytes())])
            .await?;
        loop {
            self.pace(&last).await;
            self.socket.drained(&mut drain).await?;
            match self
                .view
                .frame(Need::NewerThan(last.number), self.patience)
                .await
            {
                Ok(shown) => {
                    let skipped = if last.number == 0 {
                        0
                    } else {
                        shown.number - last.number - 1
                    };
                    last.due = self.due(&last, Instant::now());
                    let bytes = self.send(&shown.frame, Signal::Frame).await?;
                    last.number = shown.number;
                    self.client().sent(bytes, skipped);
                    self.counters.sent(bytes, skipped);
                }
                Err(reason) => self.show_card(&reason, &last).await?,
            }
        }
    }

    /// Waits until this client's own rate allows the next frame.
    async fn pace(&self, last: &Sent) {
        if let (Some(fps), Some(due)) = (self.fps, last.due) {
            sleep_until(due + Duration::from_secs_f64(1.0 / fps)).await;
        }
    }

    /// The moment from which the rate counts on, for a frame sent now: the one it was due at, so that waiting for frames
    /// does not lower the rate, unless that was too long ago to be made up for.
    fn due(&self, last: &Sent, now: Instant) -> Option<Instant> {
        let interval = Duration::from_secs_f64(1.0 / self.fps?);
        Some(match last.due {
            Some(due) if due + interval * 2 > now => due + interval,
            _ => now,
        })
    }

    async fn send(&self, frame: &Frame, signal: Signal) -> io::Result<u64> {
        let header = part::header(frame, signal);
        let mut parts = [&header, &frame.jpeg[..], CLOSING.as_bytes()].map(IoSlice::new);
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        self.socket.send(&mut parts).await?;
        Ok(bytes)
    }

    /// Shows why there is no frame, again and again, until there is one or the reason changes.
    async fn show_card(&self, reason: &str, last: &Sent) -> io::Result<()> {
        let (width, height) = self.view.camera.size().unwrap_or(CARD_SIZE);
        let card = Frame {
            jpeg: Bytes::from(eyelid_picture::card(width, height, "no signal", reason)),
            captured: SystemTime::now(),
        };
        let short = Patience {
            timeout: CARD_INTERVAL.min(self.patience.timeout),
            ..self.patience
        };
        loop {
            self.send(&card, Signal::None).await?;
            let again = Instant::now() + CARD_INTERVAL;
            while Instant::now() < again {
                match self.view.frame(Need::NewerThan(last.number), short).await {
                    Err(same) if same == reason => {}
                    _ => return Ok(()),
                }
            }
        }
    }

    fn client(&self) -> &Client {
        &self.entry.client
    }
}
