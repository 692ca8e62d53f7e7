//! OpenTelemetry: traces and metrics to a collector, by OTLP over HTTP in its JSON form.
//!
//! Off unless a collector is set. On the path of a request there is a bounded queue and nothing else:
//! what does not fit is counted and gone. One span stands for one exchange, with the names of the GenAI
//! conventions; never a prompt, an answer, a key or a user is in it.

mod json;
mod trace;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};

pub use trace::{Span, TraceContext};

use crate::config::Otlp as Settings;
use crate::config::outbound_proxy::OutboundProxy;
use crate::lifecycle::Lifecycle;
use crate::upstream::Line;

/// Spans that wait; at a thousand requests a second, those of some seconds.
const QUEUE_MAX: usize = 8_192;
/// Spans in one message.
const BATCH_MAX: usize = 512;
/// How long a span waits for others.
const GATHER: Duration = Duration::from_secs(2);
/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may hold up the end of the process.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where exchanges hand their spans in.
#[derive(Debug)]
pub struct Otlp {
    spans: Sender<Span>,
    sample: f64,
    dropped: Arc<AtomicU64>,
}

/// Sends what was handed in.
#[derive(Debug)]
pub struct Exporter {
    line: Line,
    settings: Settings,
    spans: Receiver<Span>,
    dropped: Arc<AtomicU64>,
}

/// Sends metrics.
#[derive(Debug)]
pub struct MetricsExporter {
    line: Line,
    settings: Settings,
}

impl Otlp {
    /// Prepares the way to the collector.
    ///
    /// # Errors
    ///
    /// A host that no header can carry.
    pub fn new(
        settings: &Settings,
        proxies: &OutboundProxy,
        tls: &Arc<ClientConfig>,
    ) -> Result<(Self, Exporter, MetricsExporter), http::Error> {
        let line = || Line::new(&settings.endpoint.base, proxies, Arc::clone(tls), TIMEOUT);
        let (sender, receiver) = channel(QUEUE_MAX);
        let dropped = Arc::<AtomicU64>::default();
        let exporter = Exporter {
            line: line()?,
            settings: settings.clone(),
            spans: receiver,
            dropped: Arc::clone(&dropped),
        };
        let metrics = MetricsExporter { line: line()?, settings: settings.clone() };
        Ok((Self { spans: sender, sample: settings.sample, dropped }, exporter, metrics))
    }

    /// The place of an exchange in the trace that its caller names, or in one of its own.
    #[must_use]
    pub fn trace(&self, headers: &HeaderMap, unique: u128) -> TraceContext {
        TraceContext::of(headers, unique, self.sample)
    }

    /// Hands a span in. Never waits: what does not fit is gone.
    pub fn record(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Spans that were lost since the start, since they came faster than the collector took them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Exporter {
    /// Sends spans until the shutdown has drained the requests, and then what is left.
    pub async fn run(mut self, lifecycle: Lifecycle) {
        let mut is_well = true;
        loop {
            let mut batch = Vec::new();
            let taken = tokio::select! {
                taken = self.spans.recv_many(&mut batch, BATCH_MAX) => taken,
                () = lifecycle.drained().cancelled() => 0,
            };
            if taken == 0 {
                // What does not leave in time is lost with the process.
                let _ = tokio::time::timeout(FAREWELL, self.send_rest()).await;
                return;
            }
            let gathering = async {
                while batch.len() < BATCH_MAX {
                    let room = BATCH_MAX - batch.len();
                    if self.spans.recv_many(&mut batch, room).await == 0 {
                        return;
                    }
                }
            };
            tokio::select! {
                () = gathering => {}
                () = tokio::time::sleep(GATHER) => {}
                () = lifecycle.drained().cancelled() => {}
            }
            let was_well = is_well;
            is_well = self.send(&batch).await;
            if was_well && !is_well {
                tracing::warn!("the collector of traces takes nothing; spans are lost meanwhile");
            }
        }
    }

    async fn send_rest(&mut self) {
        loop {
            let mut batch = Vec::new();
            while let Some(span) =
                (batch.len() < BATCH_MAX).then(|| self.spans.try_recv().ok()).flatten()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            self.send(&batch).await;
        }
    }

    /// Whether the collector took them; what it did not take is lost.
    async fn send(&self, batch: &[Span]) -> bool {
        let body = json::traces(batch, &self.settings.service_name);
        let is_taken = post(&self.line, &self.settings, "/v1/traces", &body).await;
        if !is_taken {
            self.dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        is_taken
    }
}

impl MetricsExporter {
    /// Sends metrics every so often until the shutdown begins; `read` answers them as OTLP has them.
    pub async fn run(self, lifecycle: Lifecycle, read: impl Fn() -> Value + Send) {
        let mut is_well = true;
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(self.settings.interval_ms)) => {}
                () = lifecycle.draining().cancelled() => return,
            }
            let body = json::metrics(&read(), &self.settings.service_name);
            let was_well = is_well;
            is_well = post(&self.line, &self.settings, "/v1/metrics", &body).await;
            if was_well && !is_well {
                tracing::warn!("the collector of metrics takes nothing");
            }
        }
    }
}

async fn post(line: &Line, settings: &Settings, path: &str, body: &Value) -> bool {
    let base = settings.endpoint.path.expose();
    let path = format!("{}{path}", base.trim_end_matches('/'));
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        let name = name.parse::<HeaderName>();
        let value = HeaderValue::try_from(value.expose());
        if let (Ok(name), Ok(mut value)) = (name, value) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let sent = line.post(&path, headers, Bytes::from(body.to_string())).await;
    match sent {
        Ok(status) if status.is_success() => true,
        Ok(status) => {
            tracing::debug!(status = status.as_u16(), "the collector refused");
            false
        }
        Err(error) => {
            tracing::debug!(%error, "the collector was not reached");
            false
        }
    }
}
