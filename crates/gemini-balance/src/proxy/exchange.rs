//! An exchange: one admitted request until its last byte, and the owner of its fate.
//!
//! Whatever happens, and also when the future or the body that owns it is simply dropped, an
//! exchange ends exactly once: the key goes back with a verdict, the permit is free again, and
//! exactly one log row is marked final.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use dialect::path::Target;
use dialect::{Dialect, Op, Usage};
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue};
use keypool::Verdict;

use crate::admission::Permit;
use crate::app::App;
use crate::log_row::{LogRow, Tokens};
use crate::metrics::{Ended, Operation, Provider};
use crate::otlp::{Span, TraceContext};
use crate::pool::{Lease, ServiceKey};
use crate::proxy::error::ProxyError;
use crate::random::RequestId;
use crate::user_keys::UserKey;

/// The status of a request whose caller left before its end (as nginx has it).
const STATUS_CALLER_LEFT: u16 = 499;
/// The error kind of such a request.
const CALLER_LEFT: &str = "client_closed";
/// How much of the time until an answer began was our own, in ms.
const OVERHEAD: HeaderName = HeaderName::from_static("x-gateway-overhead-ms");
/// Which trace a request belongs to.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How much of what a caller's program says of itself is kept.
const CLIENT_BYTES_MAX: usize = 128;

/// Who asks for what.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) request_id: RequestId,
    pub(super) caller: Arc<UserKey>,
    pub(super) dialect: Dialect,
    pub(super) op: Op,
    /// Empty where a call has none.
    pub(super) model: String,
    pub(super) is_stream: bool,
    /// What the caller's program says it is; empty if it says nothing.
    pub(super) client: String,
}

/// One admitted request until its last byte.
#[derive(Debug)]
pub(super) struct Exchange {
    app: Arc<App>,
    subject: Subject,
    /// On the monotonic clock.
    began_us: u64,
    /// Waits for the caller's body, for a place, for a key, for the upstream: what of the time until the
    /// answer begins is not our own.
    waited_us: u64,
    /// Its place in a trace, if traces are told.
    trace: Option<TraceContext>,
    permit: Option<Permit>,
    bytes_in: u64,
    /// Of a Live session.
    frames: Option<u64>,
    attempts: u32,
    current: Option<Current>,
    /// The last attempt that ended: final, unless another follows.
    last: Option<LogRow>,
    last_key: Option<Arc<ServiceKey>>,
    is_ended: bool,
}

/// The attempt under way.
#[derive(Debug)]
struct Current {
    lease: Lease,
    began_ms: u64,
    first_byte_ms: Option<u64>,
    bytes_out: u64,
    usage: Option<Usage>,
}

/// Makes attempts that run beside each other, as those of a list do, without the exchange at hand.
#[derive(Debug)]
pub(super) struct Branches {
    app: Arc<App>,
    /// What every row of the exchange says.
    blank: LogRow,
}

/// An attempt beside others. Dropping it gives the key back: nothing was learnt about it.
#[derive(Debug)]
pub(super) struct Branch {
    app: Arc<App>,
    blank: LogRow,
    current: Current,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) struct Ending<'a> {
    /// The upstream's status, or the one that the caller was given.
    pub(super) status: u16,
    /// A stable code; `None` for success.
    pub(super) error: Option<&'static str>,
    /// What it says about the key.
    pub(super) verdict: Verdict,
    /// The upstream's words, redacted.
    pub(super) reason: &'a str,
}

impl Subject {
    /// The subject of a request whose body is not known yet.
    pub(super) fn of(
        request_id: RequestId,
        caller: Arc<UserKey>,
        target: &Target,
        headers: &HeaderMap,
    ) -> Self {
        Self {
            request_id,
            caller,
            dialect: target.dialect,
            op: target.op,
            model: target.model.clone().unwrap_or_default(),
            is_stream: matches!(target.op, Op::StreamGenerate | Op::Live),
            client: client(headers),
        }
    }
}

/// The `User-Agent`, as far as it is kept.
fn client(headers: &HeaderMap) -> String {
    let client = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    client.get(..CLIENT_BYTES_MAX).unwrap_or(client).to_owned()
}

impl Exchange {
    /// Begins an exchange: from here on it ends exactly once.
    pub(super) fn begin(app: Arc<App>, subject: Subject) -> Self {
        let began_us = app.clock.monotonic_us();
        app.metrics.request_started();
        app.pool.count_request();
        Self {
            app,
            subject,
            began_us,
            waited_us: 0,
            trace: None,
            permit: None,
            bytes_in: 0,
            frames: None,
            attempts: 0,
            current: None,
            last: None,
            last_key: None,
            is_ended: false,
        }
    }

    /// The name of this exchange in every log line, row and answer.
    pub(super) fn request_id(&self) -> RequestId {
        self.subject.request_id
    }

    /// The protocol that the caller speaks.
    pub(super) fn dialect(&self) -> Dialect {
        self.subject.dialect
    }

    /// The user key that calls.
    pub(super) fn user(&self) -> i64 {
        self.subject.caller.id
    }

    /// The user key itself, as it was when the exchange began.
    pub(super) fn caller(&self) -> &UserKey {
        &self.subject.caller
    }

    /// The service key of the attempt under way.
    pub(super) fn key(&self) -> Option<Arc<ServiceKey>> {
        self.current.as_ref().map(|current| Arc::clone(current.lease.key()))
    }

    /// When the exchange began, on the monotonic clock.
    pub(super) fn began_ms(&self) -> u64 {
        self.began_us / 1_000
    }

    /// Finds its place in the trace that the caller's header fields name, if traces are told.
    pub(super) fn join_trace(&mut self, headers: &HeaderMap) {
        let unique = self.subject.request_id.0;
        self.trace = self.app.otlp.as_ref().map(|otlp| otlp.trace(headers, unique));
    }

    /// Tells the upstream that place.
    pub(super) fn tell_trace(&self, headers: &mut HeaderMap) {
        if let Some(place) = self.trace.and_then(|trace| trace.header()) {
            headers.insert(TRACEPARENT, place);
        }
    }

    /// Notes that since a moment on the monotonic clock, in microseconds, others were waited for.
    pub(super) fn waited_since(&mut self, since_us: u64) {
        let waited_us = self.app.clock.monotonic_us().saturating_sub(since_us);
        self.waited_us = self.waited_us.saturating_add(waited_us);
    }

    /// Counts how much of the time until the answer begins, which is now, was our own, and tells it in
    /// the answer if that is wanted.
    pub(super) fn tell_overhead(&self, headers: &mut HeaderMap) {
        let all_us = self.app.clock.monotonic_us().saturating_sub(self.began_us);
        let took_us = all_us.saturating_sub(self.waited_us);
        self.app.metrics.overhead(Duration::from_micros(took_us));
        if !self.app.config.metrics.overhead_header {
            return;
        }
        let text = format!("{}.{:03}", took_us / 1_000, took_us % 1_000);
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(OVERHEAD, value);
        }
    }

    /// Keeps a place among the concurrent requests until the last byte.
    pub(super) fn hold_permit(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    /// Notes the size of the request's body.
    pub(super) fn note_body(&mut self, bytes: u64) {
        self.bytes_in = bytes;
    }

    /// Notes how many frames have passed in a Live session.
    pub(super) fn note_frames(&mut self, frames: u64) {
        self.frames = Some(frames);
    }

    /// Notes that a byte of the request has moved.
    pub(super) fn moved(&self, at_ms: u64) {
        if let Some(current) = &self.current {
            current.lease.touch(at_ms);
        }
    }

    /// Notes what the body says about the request.
    pub(super) fn describe(&mut self, model: &str, is_stream: bool) {
        model.clone_into(&mut self.subject.model);
        self.subject.is_stream = is_stream;
    }

    /// Begins the next attempt; the one before it was not the last.
    pub(super) fn begin_attempt(&mut self, lease: Lease) -> Arc<ServiceKey> {
        if let Some(row) = self.last.take() {
            self.app.journal.record(row);
        }
        self.attempts += 1;
        let key = Arc::clone(lease.key());
        self.last_key = Some(Arc::clone(&key));
        self.current = Some(Current::begin(lease, self.app.clock.monotonic_ms()));
        key
    }

    /// What makes attempts beside each other.
    pub(super) fn branches(&self) -> Branches {
        Branches { app: Arc::clone(&self.app), blank: self.blank_row() }
    }

    /// Takes up an attempt that ran beside others and has ended; the one before it was not the last.
    pub(super) fn follow(&mut self, row: LogRow, key: Arc<ServiceKey>) {
        self.attempts += 1;
        let row = LogRow { attempt: self.attempt_number(), ..row };
        if let Some(row) = self.last.replace(row) {
            self.app.journal.record(row);
        }
        self.last_key = Some(key);
    }

    /// Takes up an attempt that ran beside others as the one under way.
    pub(super) fn take_up(&mut self, branch: Branch) {
        if let Some(row) = self.last.take() {
            self.app.journal.record(row);
        }
        self.attempts += 1;
        self.last_key = Some(branch.key());
        self.current = Some(branch.current);
    }

    /// Gives the key of the attempt under way back as if it had never been taken: nobody has been asked
    /// anything.
    pub(super) fn abandon_attempt(&mut self) {
        if self.current.take().is_some() {
            self.attempts = self.attempts.saturating_sub(1);
        }
    }

    /// Notes bytes on their way to the caller.
    pub(super) fn passed(&mut self, bytes: usize, now_ms: u64) {
        if let Some(current) = &mut self.current {
            current.first_byte_ms.get_or_insert(now_ms);
            current.bytes_out += bytes as u64;
            current.lease.touch(now_ms);
        }
    }

    /// Notes what the answer says it cost.
    pub(super) fn metered(&mut self, usage: Option<&Usage>) {
        if let Some(current) = &mut self.current {
            current.usage = usage.cloned();
        }
    }

    /// Ends an attempt that may be followed by another.
    pub(super) fn end_attempt(&mut self, ending: &Ending<'_>) {
        self.last = self.settle(ending);
    }

    /// Ends the exchange well, after an attempt that was the last or without any.
    pub(super) fn complete(&mut self) {
        let row = self.last.take().map(|row| LogRow { error_kind: None, ..row });
        self.finish(row, 200, None);
    }

    /// Ends the exchange with its current attempt.
    pub(super) fn end(&mut self, ending: &Ending<'_>) {
        let row = self.settle(ending);
        self.finish(row, ending.status, ending.error);
    }

    /// Ends the exchange with an answer of ours.
    pub(super) fn refuse(&mut self, error: &ProxyError) {
        let (status, code) = (error.status().as_u16(), error.code());
        let row = match self.last.take() {
            Some(row) => LogRow { status: Some(status), ..row },
            None => self.row_without_key(status, Some(code)),
        };
        self.finish(Some(row), status, Some(code));
    }

    /// Ends the exchange with the refusal of its last attempt, passed on.
    pub(super) fn pass_on(&mut self, status: u16, code: &'static str) {
        let row = self.last.take();
        self.finish(row, status, Some(code));
    }

    /// Gives the key back and makes the attempt's row.
    fn settle(&mut self, ending: &Ending<'_>) -> Option<LogRow> {
        let current = self.current.take()?;
        let row = row(&self.app, self.blank_row(), &current, ending);
        self.app.metrics.attempt_ended(ending.error.unwrap_or("ok"));
        if let Some(error) = ending.error {
            tracing::debug!(
                request_id = %self.subject.request_id,
                key.id = %current.lease.key().identifier,
                model = %self.subject.model,
                attempt = self.attempts,
                status = ending.status,
                error,
                reason = ending.reason,
                "attempt failed"
            );
        }
        current.lease.settle(ending.verdict, ending.reason);
        Some(row)
    }

    fn count(&self, row: &LogRow, status: u16, error: Option<&'static str>, duration_ms: u64) {
        self.app.metrics.request_ended(&Ended {
            operation: operation(self.subject.op),
            provider: Provider::Gemini,
            model: &row.model,
            status,
            error,
            duration: Duration::from_millis(duration_ms),
            first_chunk: row
                .first_byte_ms
                .filter(|_| row.is_stream)
                .map(|ms| Duration::from_millis(u64::from(ms))),
            input_tokens: row.tokens.prompt.map(u64::from),
            output_tokens: row.tokens.completion.map(u64::from),
        });
    }

    /// Tells the exchange as a span, if traces are told and this one is among those that are.
    fn record_span(
        &self,
        row: &LogRow,
        status: u16,
        error: Option<&'static str>,
        duration_ms: u64,
    ) {
        let trace = self.trace.filter(|trace| trace.is_sampled);
        let (Some(otlp), Some(trace)) = (&self.app.otlp, trace) else { return };
        let LogRow { tokens, .. } = row;
        otlp.record(Span {
            trace,
            operation: operation(self.subject.op).label(),
            provider: Provider::Gemini.label(),
            model: row.model.clone(),
            is_stream: row.is_stream,
            request_id: self.subject.request_id.to_string(),
            attempts: self.attempts,
            status,
            error,
            ended_ms: self.app.clock.wall_ms(),
            duration_ms,
            first_chunk_ms: row.first_byte_ms.filter(|_| row.is_stream),
            tokens: [tokens.prompt, tokens.completion, tokens.cached, tokens.thinking],
        });
    }

    /// The row of an exchange that never got as far as a key.
    fn row_without_key(&self, status: u16, error: Option<&'static str>) -> LogRow {
        let now_ms = self.app.clock.monotonic_ms();
        LogRow {
            status: Some(status),
            error_kind: error.map(Cow::Borrowed),
            duration_ms: clamped(now_ms.saturating_sub(self.began_ms())),
            ..self.blank_row()
        }
    }

    fn blank_row(&self) -> LogRow {
        LogRow {
            request_id: self.subject.request_id,
            ended_at_ms: self.app.clock.wall_ms(),
            user_key_id: Some(self.subject.caller.id),
            service_key_id: None,
            model: self.subject.model.clone(),
            dialect: Cow::Borrowed(dialect_name(self.subject.dialect)),
            operation: Cow::Borrowed(self.subject.op.name()),
            is_stream: self.subject.is_stream,
            status: None,
            error_kind: None,
            attempt: self.attempt_number(),
            is_final: false,
            tokens: Tokens::default(),
            first_byte_ms: None,
            duration_ms: 0,
            bytes_in: self.bytes_in,
            bytes_out: 0,
            client: self.subject.client.clone(),
            frames: self.frames,
        }
    }

    fn attempt_number(&self) -> u16 {
        u16::try_from(self.attempts).unwrap_or(u16::MAX)
    }

    fn finish(&mut self, row: Option<LogRow>, status: u16, error: Option<&'static str>) {
        if self.is_ended {
            return;
        }
        self.is_ended = true;
        let now_ms = self.app.clock.monotonic_ms();
        let duration_ms = now_ms.saturating_sub(self.began_ms());
        let row = row.unwrap_or_else(|| self.row_without_key(status, error));
        self.count(&row, status, error, duration_ms);
        self.record_span(&row, status, error, duration_ms);
        tracing::info!(
            request_id = self.subject.request_id.hex().as_str(),
            user = &*self.subject.caller.name,
            key.id = self.last_key.as_ref().map_or("-", |key| key.identifier.as_str()),
            model = self.subject.model.as_str(),
            stream = self.subject.is_stream,
            status,
            error = error.unwrap_or("-"),
            attempts = self.attempts,
            duration_ms,
            tokens = row.tokens.total.unwrap_or(0),
            "request ended"
        );
        self.app.journal.record(LogRow { is_final: true, ..row });
        self.permit = None;
    }
}

impl Branches {
    /// Begins an attempt.
    pub(super) fn begin(&self, lease: Lease) -> Branch {
        let app = Arc::clone(&self.app);
        let current = Current::begin(lease, app.clock.monotonic_ms());
        Branch { app, blank: self.blank.clone(), current }
    }
}

impl Branch {
    /// Its service key.
    pub(super) fn key(&self) -> Arc<ServiceKey> {
        Arc::clone(self.current.lease.key())
    }

    /// Gives the key back; the row that says what became of the attempt.
    pub(super) fn end(self, ending: &Ending<'_>) -> LogRow {
        let Self { app, blank, current } = self;
        let row = row(&app, blank, &current, ending);
        app.metrics.attempt_ended(ending.error.unwrap_or("ok"));
        current.lease.settle(ending.verdict, ending.reason);
        row
    }
}

impl Current {
    fn begin(lease: Lease, began_ms: u64) -> Self {
        Self { lease, began_ms, first_byte_ms: None, bytes_out: 0, usage: None }
    }
}

impl Drop for Exchange {
    /// The caller left, or we panicked: nothing was learnt about the key.
    fn drop(&mut self) {
        if self.is_ended {
            return;
        }
        let (status, code) = if std::thread::panicking() {
            (ProxyError::Internal.status().as_u16(), ProxyError::Internal.code())
        } else {
            (STATUS_CALLER_LEFT, CALLER_LEFT)
        };
        let ending = Ending { status, error: Some(code), verdict: Verdict::Blameless, reason: "" };
        let row = self.settle(&ending).or_else(|| {
            let row = self.last.take()?;
            Some(LogRow { status: Some(status), error_kind: Some(code.into()), ..row })
        });
        self.finish(row, status, Some(code));
    }
}

/// The row of an attempt.
fn row(app: &App, blank: LogRow, current: &Current, ending: &Ending<'_>) -> LogRow {
    let now_ms = app.clock.monotonic_ms();
    let first_byte_ms = current.first_byte_ms.map(|at| at.saturating_sub(current.began_ms));
    LogRow {
        ended_at_ms: app.clock.wall_ms(),
        service_key_id: Some(current.lease.key().id.0.cast_signed()),
        status: Some(ending.status),
        error_kind: ending.error.map(Cow::Borrowed),
        tokens: current.usage.as_ref().map(tokens).unwrap_or_default(),
        first_byte_ms: first_byte_ms.map(clamped),
        duration_ms: clamped(now_ms.saturating_sub(current.began_ms)),
        bytes_out: current.bytes_out,
        ..blank
    }
}

/// The word for a dialect in the log.
fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAi => "openai",
        Dialect::Gemini => "gemini",
    }
}

fn operation(op: Op) -> Operation {
    match op {
        Op::Chat | Op::Completions | Op::Responses => Operation::Chat,
        Op::Generate | Op::StreamGenerate => Operation::GenerateContent,
        Op::Embed | Op::Embeddings => Operation::Embeddings,
        Op::Live => Operation::Live,
        Op::Count | Op::Images | Op::Audio | Op::ModelList | Op::ModelGet | Op::Other => {
            Operation::Other
        }
    }
}

fn tokens(usage: &Usage) -> Tokens {
    let clamp = |count: Option<u64>| count.map(clamped);
    Tokens {
        prompt: clamp(usage.prompt),
        completion: clamp(usage.completion),
        cached: clamp(usage.cached),
        thinking: clamp(usage.thinking),
        total: clamp(usage.total),
    }
}

/// A number as the log keeps it: what is larger than four billion is not worth telling apart.
fn clamped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
