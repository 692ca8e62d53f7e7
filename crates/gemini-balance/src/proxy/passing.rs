//! A request body that goes upstream as it comes in, within its limits: nothing of it is kept.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use crate::clock::Clock;
use crate::proxy::error::ProxyError;
use crate::proxy::read_body::{BodyLimits, PACE_BYTES_PER_SECOND};
use crate::upstream::SourceBroke;

/// How far a body has come, for whoever waits on the other side.
#[derive(Debug)]
pub(super) struct Progress {
    clock: Clock,
    bytes: AtomicU64,
    moved_ms: AtomicU64,
    /// Why it ended before its end.
    broke: Mutex<Option<ProxyError>>,
}

impl Progress {
    /// Nothing yet.
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        let moved_ms = AtomicU64::new(clock.monotonic_ms());
        Arc::new(Self { clock, bytes: AtomicU64::new(0), moved_ms, broke: Mutex::new(None) })
    }

    /// How many bytes have come.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// When the last of them came, on the monotonic clock.
    pub(super) fn moved_ms(&self) -> u64 {
        self.moved_ms.load(Ordering::Relaxed)
    }

    /// Why the body ended before its end.
    pub(super) fn broke(&self) -> ProxyError {
        self.broke.lock().clone().unwrap_or(ProxyError::BodyBroken)
    }
}

/// The body on its way through.
pub(super) struct Passing<B> {
    body: B,
    limits: BodyLimits,
    progress: Arc<Progress>,
    /// How long its sender has been waited for in all.
    waited: Duration,
    /// Since when, and until when, it is waited for.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<B: Body<Data = Bytes> + Unpin> Passing<B> {
    pub(super) fn new(body: B, limits: BodyLimits, progress: &Arc<Progress>) -> Self {
        let progress = Arc::clone(progress);
        Self { body, limits, progress, waited: Duration::ZERO, waiting: None }
    }

    fn fail(&self, error: ProxyError) -> Poll<Option<Result<Frame<Bytes>, SourceBroke>>> {
        *self.progress.broke.lock() = Some(error);
        Poll::Ready(Some(Err(SourceBroke)))
    }

    /// How long its sender may still be silent: for one pause, and in pace on the whole. An upstream
    /// that takes nothing is not the sender's fault, so only waiting counts.
    fn patience(&self) -> Duration {
        let earned = Duration::from_secs(self.progress.bytes() / PACE_BYTES_PER_SECOND);
        self.limits.idle.min((earned + self.limits.idle).saturating_sub(self.waited))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Passing<B> {
    type Data = Bytes;
    type Error = SourceBroke;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SourceBroke>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            let patience = this.patience();
            let (_, timer) = this
                .waiting
                .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(patience))));
            ready!(timer.as_mut().poll(cx));
            return this.fail(ProxyError::BodyTimeout);
        };
        if let Some((since, _)) = this.waiting.take() {
            this.waited += since.elapsed();
        }
        let data = match frame {
            None => return Poll::Ready(None),
            Some(Err(_)) => return this.fail(ProxyError::BodyBroken),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let length = data.len() as u64;
        let bytes = this.progress.bytes.fetch_add(length, Ordering::Relaxed) + length;
        this.progress.moved_ms.store(this.progress.clock.monotonic_ms(), Ordering::Relaxed);
        if bytes > this.limits.bytes_max {
            return this.fail(ProxyError::BodyTooLarge { bytes_max: this.limits.bytes_max });
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}
