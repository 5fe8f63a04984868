//! The loop of one streaming client.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use eyelid_consumer::{Deadline, Freshness, NoFrame, SharedFrame, View, Wake, Wanted};
use tokio::time::Instant;

use crate::part;
use crate::turn::TurnTaker;
use crate::writer::StreamWriter;

/// How often the "no signal" card is sent again: within the patience of every proxy, and often
/// enough to notice soon that nobody is there.
const CARD_INTERVAL: Duration = Duration::from_secs(5);

/// Size of the card, in pixels, for a camera that does not say the size of its frames.
const CARD_SIZE: (u32, u32) = (640, 480);

/// A streaming client: where its frames come from and where they go.
pub(crate) struct Stream {
    /// The look at the camera, at most at the client's own rate.
    pub(crate) view: View,
    /// The client, the request read and nothing answered yet.
    pub(crate) writer: Rc<StreamWriter>,
    /// The response's head, to the empty line.
    pub(crate) head: Vec<u8>,
    /// How long to wait before the "no signal" card.
    pub(crate) deadline: Deadline,
}

impl Stream {
    /// Sends frames until the client closes or fails; which of the two does not matter to anybody.
    pub(crate) async fn run(self) {
        let ended = tokio::select! {
            sent = self.send_all() => sent.err(),
            () = self.writer.socket.peer_closed() => None,
        };
        let client = &self.writer.entry.client;
        let reason = ended.map_or_else(|| "it closed".into(), |error| error.to_string());
        log::debug!(
            "client {} of camera {:?} left: {reason}",
            client.address,
            client.camera.as_str()
        );
    }

    /// The newest-frame rule: wait until the socket has drained, take the newest frame there is,
    /// send it.
    async fn send_all(&self) -> io::Result<()> {
        let opening = self.writer.headers.opening();
        let head = [&self.head, opening.as_bytes()].concat();
        self.writer.send_bytes(&head).await?;
        loop {
            if self.writer.takes_part() {
                // Others wait for it until it has drained, however late its own next frame is due.
                self.writer.drained().await?;
            }
            self.view.until_due().await;
            self.writer.drained().await?;
            let adapted = self.writer.adapt(self.view.camera());
            if let Some(wanted) = adapted {
                self.view.want(wanted);
            }
            let next = if adapted.is_some_and(|wanted| wanted != Wanted::Frame) {
                // It is looked at between frames, so that it may get more.
                Box::pin(self.next_and_check()).await
            } else if !self.writer.takes_part() && self.follow().await? {
                continue;
            } else {
                self.next_in_turn().await
            };
            match next {
                Ok(frame) => self.writer.send(&frame, 0).await?,
                Err(reason) => self.show_card(reason).await?,
            }
        }
    }

    /// Waits for the next frame, and for the client's turn if it takes turns with others: the frame
    /// is the newest there is then.
    async fn next_in_turn(&self) -> Result<Rc<SharedFrame>, NoFrame> {
        let frame = self.view.next(self.writer.last(), self.deadline).await?;
        let Some(taker) = &self.writer.turn else {
            return Ok(frame);
        };
        taker.on_next_frame(self.view.camera().source_fps());
        if !taker.takes_part() {
            return Ok(frame);
        }
        // Apart, so that who keeps up needs no room for it.
        Box::pin(self.newest_in_turn(taker, frame)).await
    }

    /// Waits for the client's turn. Whoever waits wishes for frames, so that there is a new one
    /// when its turn comes.
    async fn newest_in_turn(
        &self,
        taker: &TurnTaker,
        mut frame: Rc<SharedFrame>,
    ) -> Result<Rc<SharedFrame>, NoFrame> {
        let mut turn = pin!(self.writer.turn());
        loop {
            let fresh = Freshness::NewerThan(frame.position());
            let newer = tokio::select! {
                biased;
                // A socket that fails is found out when the frame is sent.
                _ = &mut turn => return Ok(frame),
                newer = self.view.frame(fresh, self.deadline) => newer,
            };
            frame = newer.inspect_err(|_| taker.withdraw())?;
        }
    }

    /// Waits for the next frame, and looks at the socket meanwhile.
    async fn next_and_check(&self) -> Result<Rc<SharedFrame>, NoFrame> {
        let mut next = pin!(self.view.next(self.writer.last(), self.deadline));
        loop {
            tokio::select! {
                biased;
                frame = &mut next => return frame,
                () = self.writer.check() => {}
            }
        }
    }

    /// Lets frames come for as long as the client keeps up. Gives whether its socket must be looked
    /// at again.
    async fn follow(&self) -> io::Result<bool> {
        let last = self.writer.last();
        let max_age = self.deadline.max_age;
        match self.view.follow(self.writer.clone(), last, max_age).await {
            Wake::Recheck => {}
            Wake::Backlogged => return Ok(true),
            Wake::Partial(frame, sent_bytes) => self.writer.send(&frame, sent_bytes).await?,
            Wake::Failed(error) => return Err(error),
        }
        Ok(self.writer.last() != last)
    }

    /// Shows why there is no frame, again and again, until there is one or the reason changes.
    async fn show_card(&self, reason: NoFrame) -> io::Result<()> {
        let (width, height) = self.view.size().unwrap_or(CARD_SIZE);
        let jpeg = eyelid_picture::card(width, height, "no signal", &reason.to_string());
        let fresh = Freshness::NewerThan(self.writer.last());
        let short = Deadline {
            timeout: CARD_INTERVAL.min(self.deadline.timeout),
            ..self.deadline
        };
        loop {
            let part = part::card(&jpeg, self.writer.headers, SystemTime::now());
            self.writer.send_bytes(&part).await?;
            let again = Instant::now() + CARD_INTERVAL;
            while Instant::now() < again {
                match self.view.frame(fresh, short).await {
                    Err(still) if still.is_same_reason(&reason) => {}
                    _ => return Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
