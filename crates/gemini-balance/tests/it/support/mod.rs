//! What every house test stands on: a gateway in front of a scripted upstream, and a client.

mod client;
mod gateway;

pub(crate) use client::{Client, Reply, Stream};
pub(crate) use gateway::{Gateway, PASSWORD, Setup};

use std::time::Duration;

/// How long a fact may take to become true before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until something holds.
///
/// # Panics
///
/// When it does not hold in time; `what` says what was waited for.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(in_time.is_ok(), "waited too long until {what}");
}
