//! What every house test stands on: a gateway in front of a scripted upstream, and a client.

mod ask;
mod canary;
mod client;
pub(crate) mod disk;
mod form;
mod gateway;
pub(crate) mod leaks;
mod live;
mod metrics;
pub(crate) mod page;
mod pool;
pub(crate) mod process;
pub(crate) mod receiver;
mod refusal;
mod rows;
mod spoken;
mod wire;

pub(crate) use ask::{Ask, FORMS, Mode};
pub(crate) use canary::{Canaries, Kind};
pub(crate) use client::{Client, Reply, Stream};
pub(crate) use form::{Form, MODEL};
pub(crate) use gateway::{Gateway, PASSWORD, Setup};
pub(crate) use live::{LIVE, LiveClient, SETUP, Said, handshake};
pub(crate) use metrics::Metrics;
pub(crate) use spoken::{DEFECT, Spoken};
pub(crate) use wire::{Wire, statuses};

use std::task::Poll;
use std::time::Duration;

/// How long a fact may take to become true before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

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

/// Runs checks side by side, so that their waiting costs its time only once.
pub(crate) async fn together(checks: impl IntoIterator<Item = impl Future<Output = ()>>) {
    let mut running: Vec<_> = checks.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        running.retain_mut(|check| check.as_mut().poll(cx).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
