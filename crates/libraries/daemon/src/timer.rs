//! Waiting for a moment that there may not be.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Waits until this moment; for ever, if there is none.
pub async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
