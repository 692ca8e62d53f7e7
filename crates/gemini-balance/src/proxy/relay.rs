//! The response body: pass the frame, show it to the tap, end the exchange.
//!
//! The same bytes go on as they came; there is no channel, no task and no copy between the
//! upstream and the caller. Three traps, each with a test: a body of known length may never be
//! polled to its end, so its end is looked for after every frame; whoever leaves after the
//! protocol's last event, caller or upstream, leaves nothing out; and an upstream that breaks off
//! inside an event must not swallow the error event that follows.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use dialect::{Shape, Tap, UsageFilter};
use http_body::{Body, Frame, SizeHint};
use keypool::{Kin, Verdict};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::app::App;
use crate::config::Limits;
use crate::proxy::attempt::{Accepted, Fault};
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::{Ending, Exchange};
use crate::proxy::judge::judge_failure;
use crate::proxy::note::Note;
use crate::proxy::serve::circumstances;
use crate::upstream::AnswerBody;

/// The error kind of a stream that ended without a finish reason.
const INCOMPLETE: &str = "stream_incomplete";

/// The answer broke off and its framing has no place for an error: the connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("the upstream's answer broke off")]
pub(crate) struct Broken;

/// An answer on its way to the caller.
#[derive(Debug)]
pub(crate) struct Relay {
    app: Arc<App>,
    exchange: Exchange,
    body: AnswerBody,
    tap: Option<Tap>,
    shape: Option<Shape>,
    filter: Option<UsageFilter>,
    /// What is read about resources.
    note: Option<Note>,
    status: u16,
    /// Bytes ready for the caller.
    queue: VecDeque<Bytes>,
    /// How it ends once the queue is empty; nothing joins the queue any more.
    end: Option<End>,
    last_frame_ms: u64,
    last_sent_ms: u64,
    pace: Pace,
    timer: Pin<Box<Sleep>>,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Who looks at an answer on its way, besides the tap.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Takes out the event that the gateway has asked for.
    pub(super) filter: Option<UsageFilter>,
    /// Notes what it says of resources.
    pub(super) note: Option<Note>,
}

#[derive(Debug)]
struct End {
    error: Option<&'static str>,
    verdict: Verdict,
    reason: String,
    /// Whether the connection must be closed, for lack of another way to say that it broke.
    is_cut: bool,
    /// Whether what came before such an end has had its chance to leave.
    has_paused: bool,
}

/// How long a stream may be silent, and how long its caller is left without a sign of life.
#[derive(Debug, Clone, Copy)]
struct Pace {
    idle: Duration,
    heartbeat: Duration,
}

impl Pace {
    fn of(limits: &Limits) -> Self {
        let idle = Duration::from_millis(limits.stream_idle_timeout_ms);
        let heartbeat = match limits.heartbeat_ms {
            0 => Duration::MAX,
            ms => Duration::from_millis(ms),
        };
        Self { idle, heartbeat }
    }
}

impl Relay {
    pub(super) fn new(
        app: &Arc<App>,
        exchange: Exchange,
        accepted: Accepted,
        looks: Looks,
    ) -> Self {
        let Looks { filter, note } = looks;
        if let Some(note) = &note {
            note.accepted(app);
        }
        let now_ms = app.clock.monotonic_ms();
        let pace = Pace::of(&app.config.limits);
        let mut relay = Self {
            timer: Box::pin(tokio::time::sleep(pace.idle.min(pace.heartbeat))),
            pace,
            drained: Box::pin(app.lifecycle.drained().clone().cancelled_owned()),
            app: Arc::clone(app),
            exchange,
            body: accepted.body,
            tap: accepted.tap,
            shape: accepted.shape,
            filter,
            note,
            status: accepted.head.status.as_u16(),
            queue: VecDeque::new(),
            end: None,
            last_frame_ms: now_ms,
            last_sent_ms: now_ms,
        };
        relay.note();
        for chunk in accepted.held {
            relay.read(&chunk);
            relay.enqueue(chunk);
        }
        if accepted.is_whole || relay.body.is_end_stream() {
            relay.upstream_ended();
        }
        relay
    }

    /// The keys that see what the answer tells of, before its end.
    pub(super) fn kin(&self) -> Option<Kin> {
        self.exchange.key().and_then(|key| self.app.pool.kin(key.id))
    }

    /// Shows a chunk to the tap and puts it in the queue.
    fn take(&mut self, chunk: Bytes) {
        if let Some(tap) = &mut self.tap {
            tap.see(&chunk);
            self.note();
        }
        self.read(&chunk);
        self.enqueue(chunk);
    }

    fn read(&mut self, chunk: &[u8]) {
        if let Some(note) = &mut self.note {
            note.read(&self.app, chunk);
        }
    }

    /// Notes what the answer says of a resource, before the caller can read it.
    fn note(&mut self) {
        if let (Some(note), Some(tap)) = (&mut self.note, &self.tap) {
            note.look(&self.app, &tap.seen().made);
        }
    }

    fn enqueue(&mut self, chunk: Bytes) {
        match &mut self.filter {
            None => self.queue.push_back(chunk),
            Some(filter) => self.queue.extend(filter.pass(chunk)),
        }
    }

    /// The upstream has sent everything that it will.
    fn upstream_ended(&mut self) {
        if self.end.is_some() {
            return;
        }
        if let Some(rest) = self.filter.as_mut().and_then(UsageFilter::finish) {
            self.queue.push_back(rest);
        }
        let Some(tap) = &mut self.tap else {
            return self.end_with(None, Verdict::Healthy, String::new());
        };
        tap.end();
        let seen = tap.seen();
        if let Some(failure) = &seen.error {
            let circumstances = circumstances(&self.app);
            let (verdict, _) = judge_failure(failure.kind, failure.retry_after_ms, circumstances);
            let (code, reason) = (failure.kind.code(), failure.message.clone());
            return self.end_with(Some(code), verdict, reason);
        }
        // An array without its bracket is of no use to its reader, finish reason or not.
        if seen.is_finished && (self.shape != Some(Shape::JsonArray) || seen.is_complete) {
            return self.end_with(None, Verdict::Healthy, String::new());
        }
        match self.shape {
            // Where the closed connection is the only end there is, an upstream that dies looks
            // like one that is done; without a finish reason the caller must not believe it.
            Some(Shape::Sse | Shape::JsonArray) if self.body.is_close_delimited() => {
                self.break_off(
                    &ProxyError::UpstreamBroke,
                    Fault::Truncated.code(),
                    Verdict::Faulty,
                );
            }
            _ => self.end_with(Some(INCOMPLETE), Verdict::Blameless, String::new()),
        }
    }

    /// Ends a stream that will not be continued: with one error event where something is missing,
    /// or by closing the connection where there is no room for one.
    fn break_off(&mut self, error: &ProxyError, code: &'static str, verdict: Verdict) {
        if self.nothing_is_missing() {
            return self.upstream_ended();
        }
        if let Some(rest) = self.filter.as_mut().and_then(UsageFilter::finish) {
            self.queue.push_back(rest);
        }
        let tap = self.tap.as_ref();
        let last_words = tap.and_then(|tap| error.with_body(|body| tap.closing_error(body)));
        let is_cut = last_words.is_none();
        self.queue.extend(last_words.map(Bytes::from));
        self.end_with(Some(code), verdict, String::new());
        if let Some(end) = &mut self.end {
            end.is_cut = is_cut;
        }
    }

    /// Whether the stream has said its last word, be it an error, so that only the end of its body
    /// is still to come.
    fn nothing_is_missing(&self) -> bool {
        let Some(seen) = self.tap.as_ref().map(Tap::seen) else { return false };
        match self.shape {
            Some(Shape::Sse) => seen.at_boundary && (seen.is_finished || seen.error.is_some()),
            Some(Shape::JsonArray) => seen.is_complete,
            Some(Shape::Json) | None => false,
        }
    }

    fn end_with(&mut self, error: Option<&'static str>, verdict: Verdict, reason: String) {
        self.end = Some(End { error, verdict, reason, is_cut: false, has_paused: false });
        if self.queue.is_empty() {
            self.speak_end();
        }
    }

    /// Ends the exchange as decided; doing so twice changes nothing.
    fn speak_end(&mut self) {
        let Some(end) = &self.end else { return };
        self.exchange.metered(self.tap.as_ref().and_then(|tap| tap.seen().usage.as_ref()));
        self.exchange.end(&Ending {
            status: self.status,
            error: end.error,
            verdict: end.verdict,
            reason: &end.reason,
        });
    }

    /// What time asks for while the upstream is silent: the end of the drain, the idle limit, a
    /// heartbeat. Ready when something has joined the queue or the end has been decided.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.drained.as_mut().poll(cx).is_ready() {
            let error = ProxyError::Draining;
            self.break_off(&error, error.code(), Verdict::Blameless);
            return Poll::Ready(());
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let Pace { idle, heartbeat } = self.pace;
            let now_ms = self.app.clock.monotonic_ms();
            let since = |at_ms: u64| Duration::from_millis(now_ms.saturating_sub(at_ms));
            let (silent, unsent) = (since(self.last_frame_ms), since(self.last_sent_ms));
            if silent >= idle {
                let fault = Fault::StreamIdle;
                self.break_off(&fault.error(), fault.code(), Verdict::Faulty);
                return Poll::Ready(());
            }
            // A heartbeat that is due but not safe here is due again a whole pause later.
            let is_due = unsent >= heartbeat;
            let next_beat = if is_due { heartbeat } else { heartbeat - unsent };
            self.timer.as_mut().reset(Instant::now() + next_beat.min(idle - silent));
            if is_due && self.may_beat() {
                let beat = self.exchange.dialect().heartbeat();
                self.queue.push_back(Bytes::from_static(beat));
                return Poll::Ready(());
            }
        }
    }

    /// Whether a heartbeat is safe here: between two events, when nothing is held back either.
    fn may_beat(&self) -> bool {
        let is_between_events = self.tap.as_ref().is_some_and(|tap| tap.seen().at_boundary);
        self.shape == Some(Shape::Sse) && is_between_events
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        loop {
            if let Some(chunk) = this.queue.pop_front() {
                this.last_sent_ms = this.app.clock.monotonic_ms();
                this.exchange.passed(chunk.len(), this.last_sent_ms);
                // A body of known length is not polled again after its last byte.
                if this.queue.is_empty() {
                    this.speak_end();
                }
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            match &mut this.end {
                // The engine throws away what it has not sent yet when a body fails.
                Some(end) if end.is_cut && !end.has_paused => {
                    end.has_paused = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(end) if end.is_cut => return Poll::Ready(Some(Err(Broken))),
                Some(_) => return Poll::Ready(None),
                None => {}
            }
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.last_frame_ms = this.app.clock.monotonic_ms();
                    if let Ok(chunk) = frame.into_data() {
                        this.take(chunk);
                    }
                    if this.body.is_end_stream() {
                        this.upstream_ended();
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    let fault = Fault::Truncated;
                    this.break_off(&fault.error(), fault.code(), Verdict::Faulty);
                }
                Poll::Ready(None) => this.upstream_ended(),
                Poll::Pending => ready!(this.poll_time(cx)),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.queue.is_empty() && self.end.as_ref().is_some_and(|end| !end.is_cut)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Relay {
    /// A caller who leaves after the protocol's last event has everything.
    fn drop(&mut self) {
        let Some(tap) = &self.tap else { return };
        let seen = tap.seen();
        self.exchange.metered(seen.usage.as_ref());
        if seen.is_finished && seen.error.is_none() && self.queue.is_empty() {
            self.end.get_or_insert(End {
                error: None,
                verdict: Verdict::Healthy,
                reason: String::new(),
                is_cut: false,
                has_paused: false,
            });
            self.speak_end();
        }
    }
}
