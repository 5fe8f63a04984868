//! The loop of one streaming client.

use std::io;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use crate::fanout::Turn;
use crate::need::{Need, Patience};
use crate::outlet::Outlet;
use crate::part::{self, Signal};
use crate::slots::View;

/// How often the "no signal" card is sent again: within the patience of every proxy, and often enough to notice soon
/// that nobody is there.
const CARD_INTERVAL: Duration = Duration::from_secs(5);

/// Size of the card, in pixels, for a camera that does not say the size of its frames.
const CARD_SIZE: (u32, u32) = (640, 480);

/// A streaming client: where its frames come from and where they go.
pub(crate) struct Stream {
    /// The look at the camera.
    pub(crate) view: View,
    /// The client, the request read and nothing answered yet.
    pub(crate) outlet: Rc<Outlet>,
    /// The response's head, to the empty line.
    pub(crate) head: Vec<u8>,
    /// At most so many frames a second.
    pub(crate) fps: Option<f64>,
    /// How long to wait before the "no signal" card.
    pub(crate) patience: Patience,
}

impl Stream {
    /// Sends frames until the client closes or fails; which of the two does not matter to anybody.
    pub(crate) async fn run(self) {
        let ended = tokio::select! {
            sent = self.send_all() => sent.err(),
            () = self.outlet.socket.gone() => None,
        };
        let client = &self.outlet.entry.client;
        let reason = ended.map_or_else(|| "it closed".into(), |error| error.to_string());
        log::debug!(
            "client {} of camera {:?} left: {reason}",
            client.address,
            client.camera.as_str()
        );
    }

    /// The newest-frame rule: wait until the socket has drained, take the newest frame there is, send it.
    async fn send_all(&self) -> io::Result<()> {
        let opening = self.outlet.header.opening();
        let head = [&self.head, opening.as_bytes()].concat();
        self.outlet.send_bytes(&head).await?;
        let mut due = None;
        loop {
            self.pace(due).await;
            self.outlet.drained().await?;
            if self.fps.is_none() && self.follow().await? {
                continue;
            }
            let need = Need::NewerThan(self.outlet.last());
            match self.view.frame(need, self.patience).await {
                Ok(shown) => {
                    due = self.due(due, Instant::now());
                    self.outlet.send(&shown, 0).await?;
                }
                Err(reason) => self.show_card(&reason).await?,
            }
        }
    }

    /// Lets frames come for as long as the client keeps up. Gives whether its socket must be looked at again.
    async fn follow(&self) -> io::Result<bool> {
        let last = self.outlet.last();
        let max_age = self.patience.max_age;
        match self.view.camera.follow(&self.outlet, max_age).await {
            Turn::Look => {}
            Turn::Drain => return Ok(true),
            Turn::Finish(shown, done) => self.outlet.send(&shown, done).await?,
            Turn::Failed(error) => return Err(error),
        }
        Ok(self.outlet.last() > last)
    }

    /// Waits until this client's own rate allows the next frame.
    async fn pace(&self, due: Option<Instant>) {
        if let (Some(fps), Some(due)) = (self.fps, due) {
            sleep_until(due + Duration::from_secs_f64(1.0 / fps)).await;
        }
    }

    /// The moment from which the rate counts on, for a frame sent now: the one it was due at, so that waiting for frames
    /// does not lower the rate, unless that was too long ago to be made up for.
    fn due(&self, last: Option<Instant>, now: Instant) -> Option<Instant> {
        let interval = Duration::from_secs_f64(1.0 / self.fps?);
        Some(match last {
            Some(due) if due + interval * 2 > now => due + interval,
            _ => now,
        })
    }

    /// Shows why there is no frame, again and again, until there is one or the reason changes.
    async fn show_card(&self, reason: &str) -> io::Result<()> {
        let (width, height) = self.view.camera.size().unwrap_or(CARD_SIZE);
        let jpeg = eyelid_picture::card(width, height, "no signal", reason);
        let need = Need::NewerThan(self.outlet.last());
        let short = Patience {
            timeout: CARD_INTERVAL.min(self.patience.timeout),
            ..self.patience
        };
        loop {
            let mut part = Vec::new();
            part::begin(&mut part, jpeg.len(), SystemTime::now(), Signal::None);
            let start = part.len();
            part.extend_from_slice(&jpeg);
            part::end(&mut part);
            let part = self.outlet.header.cut(&part, start);
            self.outlet.send_bytes(part).await?;
            let again = Instant::now() + CARD_INTERVAL;
            while Instant::now() < again {
                match self.view.frame(need, short).await {
                    Err(same) if same == reason => {}
                    _ => return Ok(()),
                }
            }
        }
    }
}
