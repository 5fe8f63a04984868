//! Sends what was decided.

use std::time::{Duration, Instant, SystemTime};

use super::Share;
use super::feed::Sent;
use crate::answering::{Answer, What};
use crate::engine::{Engine, Link, ReplyTo};
use crate::wire::{FrameId, Head, NoFrame, cut};

impl<E: Engine> Share<E> {
    /// Sends answers; those that are a frame, with this one.
    pub(super) fn send_all(&self, answers: Vec<Answer<ReplyTo>>, sent: Option<&Sent>) {
        for answer in answers {
            match (answer.what, sent) {
                (What::Frame(frame), Some(sent)) => self.send_frame(&answer, frame, sent),
                // Frames are offered with themselves.
                (What::Frame(_), None) => {}
                (What::NoFrame(reason), _) => {
                    let no_frame = NoFrame {
                        id: answer.id,
                        reason,
                        instance: self.instance,
                        held_us: micros(answer.held),
                    };
                    self.send(&answer.reply_to, no_frame.to_bytes());
                }
            }
        }
    }

    fn send_frame(&self, answer: &Answer<ReplyTo>, frame: FrameId, sent: &Sent) {
        let Link::Connected { max_message_bytes } = self.engine.state() else {
            return;
        };
        let age = SystemTime::now().duration_since(sent.frame.captured);
        let head = Head {
            id: answer.id,
            frame,
            held_us: micros(answer.held),
            age_us: u64::try_from(age.unwrap_or_default().as_micros()).unwrap_or(u64::MAX),
            width_px: sent.width_px,
            height_px: sent.height_px,
            bytes: sent.offer().bytes,
        };
        match cut(head, &sent.frame.jpeg, max_message_bytes) {
            Ok(messages) => {
                for message in messages {
                    if !self.send(&answer.reply_to, message) {
                        return;
                    }
                }
            }
            Err(error) => self.complain("frames", &error.to_string()),
        }
    }

    /// Sends a message. Gives whether that could be done: what was not sent is found out by whoever
    /// waits for it.
    pub(super) fn send(&self, to: &ReplyTo, message: Vec<u8>) -> bool {
        let sent = self.engine.answer(to, message);
        if let Err(error) = &sent
            && let Some(suppressed) = self.complaints.allow(Instant::now())
        {
            log::warn!("an answer is not sent: {error}{suppressed}");
        }
        sent.is_ok()
    }
}

fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}
