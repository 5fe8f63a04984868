//! How people are told.

mod outbox;

pub(crate) use outbox::{Entry, Outbox};
