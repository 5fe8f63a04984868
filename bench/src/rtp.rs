//! RTP and RTSP: who sends, who serves, who receives, and the least that a sender can do.

mod assembly;
pub(crate) mod bare;
mod player;
mod players;
mod receiver;
mod senders;
mod servers;

pub(crate) use assembly::Frame;
pub(crate) use player::{Player, Transport};
pub(crate) use players::Players;
pub(crate) use receiver::Receiver;
pub(crate) use senders::Sender;
pub(crate) use servers::{Server, Source};
