//! What Prometheus may know: counts and times, never a key, a prompt or a user.
//!
//! The model call itself carries the names of OpenTelemetry's GenAI conventions, everything of
//! our own the prefix `gemini_balance_`. Recording costs a few atomic steps under a read lock; the
//! number of series is bounded, since callers choose model names and must not fill our memory.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use self::family::Family;
use self::histogram::{Buckets, Histogram};
use self::models::{ModelLabel, Models};
use self::page::Page;

mod family;
mod histogram;
mod models;
pub mod otlp;
mod page;

/// Boundaries that the conventions give for `gen_ai.client.operation.*`.
const OPERATION_SECONDS: Buckets = Buckets::microseconds(&[
    10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000, 2_560_000, 5_120_000,
    10_240_000, 20_480_000, 40_960_000, 81_920_000,
]);

/// Boundaries that the conventions give for `gen_ai.client.token.usage`.
const TOKENS: Buckets = Buckets::units(&[
    1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
    67_108_864,
]);

const WAIT_SECONDS: Buckets = Buckets::microseconds(&[
    1_000, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
    30_000_000, 60_000_000,
]);

const OVERHEAD_SECONDS: Buckets = Buckets::microseconds(&[
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 1_000_000,
]);

/// What a request asks for, in the words of the conventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// OpenAI chat completions.
    Chat,
    /// Gemini content generation.
    GenerateContent,
    /// Embeddings of either protocol.
    Embeddings,
    /// A conversation over a WebSocket.
    Live,
    /// Everything that is forwarded without being understood.
    Other,
}

impl Operation {
    /// Its name in the conventions.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::GenerateContent => "generate_content",
            Self::Embeddings => "embeddings",
            Self::Live => "live",
            Self::Other => "other",
        }
    }
}

/// Who answers, in the words of the conventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// The Gemini API, also through its OpenAI layer.
    Gemini,
    /// An upstream that speaks OpenAI only.
    OpenAi,
}

impl Provider {
    /// Its name in the conventions.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Gemini => "gcp.gemini",
            Self::OpenAi => "openai",
        }
    }
}

/// How one exchange ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// What was asked for.
    pub operation: Operation,
    /// Who was asked.
    pub provider: Provider,
    /// The model by its plain name; empty when the request names none.
    pub model: &'a str,
    /// Status the caller got.
    pub status: u16,
    /// Stable code of what went wrong, if something did, also after the status was sent.
    pub error: Option<&'static str>,
    /// From the first byte of the request to the last of the answer.
    pub duration: Duration,
    /// To the first piece of a streamed answer.
    pub first_chunk: Option<Duration>,
    /// Tokens of the prompt, the cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, the thoughts included.
    pub output_tokens: Option<u64>,
}

/// What is not counted here but known elsewhere, at the moment the page is made.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Service keys by state, in the words of the pool.
    pub keys: Vec<(&'static str, u64)>,
    /// Active service keys that rest for at least one model.
    pub keys_resting: u64,
    /// Service keys in use.
    pub leases: u64,
    /// Requests waiting for a service key.
    pub waiting_for_key: u64,
    /// Requests waiting for a place.
    pub waiting_for_place: u64,
    /// Request log rows not yet stored.
    pub journal_rows_waiting: u64,
    /// Request log rows lost because storing was too slow, since the start.
    pub journal_rows_dropped: u64,
    /// Connections of callers.
    pub connections: u64,
    /// Live sessions.
    pub live_sessions: u64,
    /// Leases taken back because nothing moved, since the start.
    pub leases_reclaimed: u64,
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// When the newest scheduled backup was made, in ms since the epoch, if there is one.
    pub backup_ms: Option<i64>,
    /// Spans that no collector took, if there is one.
    pub spans_dropped: Option<u64>,
}

/// Exchanges that ended since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All of them.
    pub requests: u64,
    /// Those that ended with a status of 500 or above.
    pub failures: u64,
}

/// All counters and histograms of this process.
#[derive(Debug)]
pub struct Metrics {
    models: Models,
    in_flight: AtomicI64,
    requests: Family<(Operation, ModelLabel, &'static str), AtomicU64>,
    refusals: Family<&'static str, AtomicU64>,
    attempts: Family<&'static str, AtomicU64>,
    panics: AtomicU64,
    place_wait: Histogram,
    key_wait: Histogram,
    overhead: Histogram,
    duration: Family<Call, Histogram>,
    first_chunk: Family<Call, Histogram>,
    tokens: Family<(Call, &'static str), Histogram>,
    runtimes: Mutex<Vec<Handle>>,
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            models: Models::default(),
            in_flight: AtomicI64::new(0),
            requests: Family::new(AtomicU64::default),
            refusals: Family::new(AtomicU64::default),
            attempts: Family::new(AtomicU64::default),
            panics: AtomicU64::new(0),
            place_wait: Histogram::new(WAIT_SECONDS),
            key_wait: Histogram::new(WAIT_SECONDS),
            overhead: Histogram::new(OVERHEAD_SECONDS),
            duration: Family::new(|| Histogram::new(OPERATION_SECONDS)),
            first_chunk: Family::new(|| Histogram::new(OPERATION_SECONDS)),
            tokens: Family::new(|| Histogram::new(TOKENS)),
            runtimes: Mutex::default(),
        }
    }

    /// All exchanges that ended, and those of them that failed by our fault or the upstream's.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.requests.each(|(_, _, status), count| {
            totals.requests += load(count);
            if *status == "5xx" {
                totals.failures += load(count);
            }
        });
        totals
    }

    /// Counts the tasks of one more runtime.
    pub fn watch_tasks(&self, runtime: Handle) {
        self.runtimes.lock().push(runtime);
    }

    /// An exchange began.
    pub fn request_started(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Exchanges running now.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        at_least_zero(&self.in_flight)
    }

    /// An exchange ended; to be called once for each that began.
    pub fn request_ended(&self, ended: &Ended<'_>) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        // Only a model that exists earns a label of its own.
        let model = match ended.status {
            101 | 200..300 => self.models.admitted(ended.model),
            _ => self.models.known(ended.model),
        };
        let status = status_class(ended.status);
        self.requests.with((ended.operation, model.clone(), status), increment);
        let call = Call {
            operation: ended.operation,
            provider: ended.provider,
            model,
            error: ended.error,
        };
        for (token_type, count) in [("input", ended.input_tokens), ("output", ended.output_tokens)]
        {
            if let Some(count) = count {
                let call = Call { error: None, ..call.clone() };
                self.tokens.with((call, token_type), |tokens| tokens.observe(count));
            }
        }
        if let Some(first_chunk) = ended.first_chunk {
            self.first_chunk.with(call.clone(), |times| times.observe_duration(first_chunk));
        }
        self.duration.with(call, |times| times.observe_duration(ended.duration));
    }

    /// A request was turned away before it became an exchange; `reason` is a stable code.
    pub fn request_refused(&self, reason: &'static str) {
        self.refusals.with(reason, increment);
    }

    /// One try with one service key ended; `outcome` is a stable code, `ok` or an error kind.
    pub fn attempt_ended(&self, outcome: &'static str) {
        self.attempts.with(outcome, increment);
    }

    /// A request waited for a place among those served at once.
    pub fn waited_for_place(&self, wait: Duration) {
        self.place_wait.observe_duration(wait);
    }

    /// A request waited for a service key.
    pub fn waited_for_key(&self, wait: Duration) {
        self.key_wait.observe_duration(wait);
    }

    /// So much of the time until an answer began was our own.
    pub fn overhead(&self, took: Duration) {
        self.overhead.observe_duration(took);
    }

    /// A panic was caught and ended one request.
    pub fn panic_caught(&self) {
        increment(&self.panics);
    }

    /// The page for Prometheus, text format 0.0.4.
    #[must_use]
    pub fn render(&self, gauges: &Gauges) -> String {
        let mut page = Page::default();
        self.render_requests(&mut page);
        self.render_calls(&mut page);
        render_gauges(&mut page, gauges);
        page.into_text()
    }

    fn render_requests(&self, page: &mut Page) {
        page.metric("gemini_balance_requests_total", "counter", "Exchanges that ended.");
        self.requests.each(|(operation, model, status), count| {
            let labels =
                [("operation", operation.label()), ("model", model.text()), ("status", status)];
            page.sample(&labels, load(count));
        });
        page.metric("gemini_balance_requests_in_flight", "gauge", "Exchanges running.");
        page.sample(&[], self.in_flight());
        page.metric(
            "gemini_balance_requests_refused_total",
            "counter",
            "Requests turned away at the door.",
        );
        self.refusals.each(|reason, count| page.sample(&[("reason", reason)], load(count)));
        page.metric("gemini_balance_attempts_total", "counter", "Tries with one service key.");
        self.attempts.each(|outcome, count| page.sample(&[("outcome", outcome)], load(count)));
        page.metric("gemini_balance_tasks", "gauge", "Tasks alive, on all threads.");
        let runtimes = self.runtimes.lock();
        let tasks: usize = runtimes.iter().map(|it| it.metrics().num_alive_tasks()).sum();
        page.sample(&[], tasks);
        page.metric("gemini_balance_panics_total", "counter", "Panics that ended one request.");
        page.sample(&[], load(&self.panics));
        page.metric(
            "gemini_balance_place_wait_seconds",
            "histogram",
            "Waits for a place among the requests served at once.",
        );
        page.histogram(&[], &self.place_wait);
        page.metric("gemini_balance_key_wait_seconds", "histogram", "Waits for a service key.");
        page.histogram(&[], &self.key_wait);
        page.metric(
            "gemini_balance_overhead_seconds",
            "histogram",
            "The gateway's own part of the time until answers began.",
        );
        page.histogram(&[], &self.overhead);
    }

    fn render_calls(&self, page: &mut Page) {
        page.metric(
            "gen_ai_client_operation_duration_seconds",
            "histogram",
            "Duration of model calls.",
        );
        self.duration.each(|call, times| page.histogram(&call.labels(), times));
        page.metric(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "histogram",
            "Time to the first piece of streamed answers.",
        );
        self.first_chunk.each(|call, times| page.histogram(&call.labels(), times));
        page.metric("gen_ai_client_token_usage", "histogram", "Tokens of model calls.");
        self.tokens.each(|(call, token_type), tokens| {
            let mut labels = call.labels();
            labels.push(("gen_ai_token_type", token_type));
            page.histogram(&labels, tokens);
        });
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What the conventions want to tell model calls apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    operation: Operation,
    provider: Provider,
    model: ModelLabel,
    error: Option<&'static str>,
}

impl Call {
    fn labels(&self) -> Vec<(&'static str, &str)> {
        let mut labels = vec![
            ("gen_ai_operation_name", self.operation.label()),
            ("gen_ai_provider_name", self.provider.label()),
            ("gen_ai_request_model", self.model.text()),
        ];
        labels.extend(self.error.map(|error| ("error_type", error)));
        labels
    }
}

fn render_gauges(page: &mut Page, gauges: &Gauges) {
    page.metric("gemini_balance_pool_keys", "gauge", "Service keys by state.");
    for (state, count) in &gauges.keys {
        page.sample(&[("state", state)], *count);
    }
    for (name, kind, help, value) in [
        (
            "pool_keys_resting",
            "gauge",
            "Active service keys that rest for at least one model.",
            gauges.keys_resting,
        ),
        ("pool_leases", "gauge", "Service keys in use.", gauges.leases),
        ("pool_waiting", "gauge", "Requests waiting for a service key.", gauges.waiting_for_key),
        ("queue_waiting", "gauge", "Requests waiting for a place.", gauges.waiting_for_place),
        (
            "journal_rows_waiting",
            "gauge",
            "Request log rows not yet stored.",
            gauges.journal_rows_waiting,
        ),
        (
            "journal_rows_dropped_total",
            "counter",
            "Request log rows lost.",
            gauges.journal_rows_dropped,
        ),
        (
            "leases_reclaimed_total",
            "counter",
            "Leases taken back because nothing moved.",
            gauges.leases_reclaimed,
        ),
        ("connections", "gauge", "Connections of callers.", gauges.connections),
        ("live_sessions", "gauge", "Live sessions open.", gauges.live_sessions),
        ("uptime_seconds", "gauge", "Time since the start.", gauges.uptime_ms / 1_000),
    ] {
        page.metric(&format!("gemini_balance_{name}"), kind, help);
        page.sample(&[], value);
    }
    page.metric(
        "gemini_balance_backup_last_success_timestamp_seconds",
        "gauge",
        "When the newest scheduled backup was made.",
    );
    if let Some(backup_ms) = gauges.backup_ms {
        page.sample(&[], backup_ms / 1_000);
    }
    page.metric("gemini_balance_otlp_spans_dropped_total", "counter", "Spans that were lost.");
    if let Some(dropped) = gauges.spans_dropped {
        page.sample(&[], dropped);
    }
    page.metric("gemini_balance_build_info", "gauge", "Version of the program.");
    page.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}

fn status_class(status: u16) -> &'static str {
    match status {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn at_least_zero(gauge: &AtomicI64) -> u64 {
    u64::try_from(gauge.load(Ordering::Relaxed)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
