//! `eyelid-relay`: slots across hosts. A host *shares* its cameras, another one *fetches* them and
//! has them as slots of its own; between them is a message broker.
//!
//! Whoever pushes frames over a hop drops the wrong ones, or sends the past. So they are pulled: a
//! request that is held is the wish for the next frame, as closing the file is in a slot, and each
//! hop is a slot again. This crate has the parts that decide, with values and a time: [`wire`] are
//! the bytes and names that travel, [`asking`] is the side that fetches, [`answering`] the one that
//! shares. None of them knows a broker, a socket, a file or a clock.

pub mod answering;
pub mod asking;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod wire;
