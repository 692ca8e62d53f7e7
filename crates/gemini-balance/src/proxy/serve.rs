//! The search for a key that serves: one attempt after the other until one is accepted or
//! nothing is left to try.
//!
//! A try that fails on a key's side costs the request nothing but the round trip. A try that
//! fails on the upstream's side counts, and takes from a budget that the whole pool shares, so
//! that an upstream in trouble is not buried under retries.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dialect::resource::Use;
use dialect::{Dialect, FailureKind, Shape, UsageFilter};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use keypool::{KeyId, TroubleKind, Verdict};

use crate::app::{App, Worker};
use crate::clock::next_midnight_los_angeles_ms;
use crate::pool::{Lease, ServiceKey};
use crate::proxy::attempt::{Accepted, Fault, Outcome, Refused, attempt};
use crate::proxy::call::Call;
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::{Ending, Exchange};
use crate::proxy::headers;
use crate::proxy::judge::{Circumstances, Next, judge, judge_failure, judge_fault};
use crate::proxy::note::Note;
use crate::proxy::relay::{Looks, Relay};

/// Tries that may fail on the upstream's side when the configuration does not say.
const UPSTREAM_TRIES_MAX: u32 = 3;
/// The first pause after a failure on the upstream's side; doubles. A pause after a key's
/// failure would help nobody: the next key is another budget.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Keys that are asked for a resource of which it is not known whose it is. With thousands of keys, a
/// request for something that is nowhere would ask them all.
const DENIED_MAX: usize = 32;

/// What became of a request.
pub(super) enum Served {
    /// An answer is on its way.
    Accepted {
        /// Status and the header fields that cross.
        head: Head,
        /// The body.
        relay: Box<Relay>,
    },
    /// No.
    Refused(Answer),
}

/// Status and header fields of an accepted answer.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// A refusal, the gateway's own or the upstream's.
pub(super) enum Answer {
    /// Ours.
    Own(ProxyError),
    /// The upstream's, as it came.
    Upstream {
        /// Its status.
        status: StatusCode,
        /// The header fields that cross.
        headers: HeaderMap,
        /// Its body, without our key should it name it.
        body: Bytes,
    },
}

/// What has been tried so far.
#[derive(Default)]
pub(super) struct Tried {
    /// Keys that failed by themselves: never tried again.
    keys: Vec<KeyId>,
    /// Keys under which the upstream failed: others go first.
    under_fault: Vec<KeyId>,
    faults: u32,
    /// What the caller is told if nothing better comes.
    last: Option<Failed>,
}

/// The last failure, ready to be passed on.
pub(super) struct Failed {
    answer: Answer,
    code: &'static str,
    /// Whether it tells the caller more than that no key is left.
    is_telling: bool,
}

/// Tries keys until an answer is accepted or nothing is left to try.
///
/// # Cancellation
///
/// Dropping the future ends the exchange: the caller left.
pub(super) async fn serve(worker: Arc<Worker>, mut exchange: Exchange, call: Call) -> Served {
    let app = Arc::clone(&worker.app);
    let drained = app.lifecycle.drained().clone();
    let mut tried = Tried::default();
    loop {
        let left = time_left(&worker, &exchange);
        let search_began_us = app.clock.monotonic_us();
        let searching = find_lease(&worker, &call, &tried, left);
        let lease = tokio::select! {
            biased;
            lease = searching => lease,
            () = drained.cancelled() => Err(ProxyError::Draining),
        };
        let searched_us = app.clock.monotonic_us().saturating_sub(search_began_us);
        app.metrics.waited_for_key(Duration::from_micros(searched_us));
        // Found at once, it is work of ours; otherwise it was a wait.
        if 1_000 <= searched_us {
            exchange.waited_since(search_began_us);
        }
        let lease = match lease {
            Ok(lease) => lease,
            Err(error) => return Served::Refused(tried.give_up(&mut exchange, error)),
        };
        let key = exchange.begin_attempt(lease);
        let limit = time_left(&worker, &exchange);
        let sent_us = app.clock.monotonic_us();
        let outcome = tokio::select! {
            biased;
            outcome = attempt(&worker, &call, &key, limit) => outcome,
            () = drained.cancelled() => {
                return Served::cut_off(exchange, ProxyError::Draining);
            }
        };
        exchange.waited_since(sent_us);
        let outcome = match outcome {
            Outcome::Accepted(accepted) => return deliver(&worker, exchange, &call, *accepted),
            failed @ (Outcome::Refused(_) | Outcome::Fault(_)) => failed,
        };
        if let Some(failed) = tried.fail(&worker, &mut exchange, &call, outcome).await {
            return failed.with_overhead(&exchange).pass_on(exchange);
        }
    }
}

/// Whether a 429 without details is the lot of all keys: then the next one would fare no better,
/// and the try counts like one that failed on the upstream's side.
fn is_throttled(app: &App, verdict: Verdict) -> bool {
    verdict == Verdict::RateLimited
        && app.pool.trouble().is_some_and(|trouble| trouble.kind == TroubleKind::RateLimited)
}

/// Whether the upstream says that what a request names is not there, and there is nobody left to ask:
/// to keys that see it, or to so many that may have made it.
fn is_last_word(call: &Call, tried: &Tried, outcome: &Outcome) -> bool {
    let Outcome::Refused(refused) = outcome else { return false };
    let is_denied = refused.failure.kind == FailureKind::ResourceDenied;
    is_denied && (call.pinned.is_some() || DENIED_MAX <= tried.keys.len() + 1)
}

/// What is left of the time in which the upstream must begin to answer.
fn time_left(worker: &Worker, exchange: &Exchange) -> Duration {
    let app = &worker.app;
    let spent_ms = app.clock.monotonic_ms().saturating_sub(exchange.began_ms());
    Duration::from_millis(app.config.limits.request_timeout_ms.saturating_sub(spent_ms))
}

/// A key that has not failed this request, preferably none under which the upstream failed.
pub(super) async fn find_lease(
    worker: &Worker,
    call: &Call,
    tried: &Tried,
    left: Duration,
) -> Result<Lease, ProxyError> {
    let app = &worker.app;
    if left.is_zero() {
        return Err(ProxyError::DeadlineExceeded);
    }
    let patience = Duration::from_millis(app.config.pool.no_key_wait_ms).min(left);
    if let Some(pinned) = &call.pinned {
        let leased = app.pool.lease_kin(&pinned.kin, &call.model, &tried.keys, patience).await;
        return leased.map_err(|refusal| {
            ProxyError::of_pinned_refusal(&refusal, &pinned.name, app.pool.now())
        });
    }
    if let (Some(kin), []) = (&call.preferred, tried.under_fault.as_slice())
        && let Ok(lease) = app.pool.lease_kin(kin, &call.model, &tried.keys, Duration::ZERO).await
    {
        return Ok(lease);
    }
    if !tried.under_fault.is_empty() {
        let avoided = [tried.keys.as_slice(), tried.under_fault.as_slice()].concat();
        if let Ok(lease) = app.pool.lease(&call.model, &avoided, Duration::ZERO).await {
            return Ok(lease);
        }
    }
    app.pool
        .lease(&call.model, &tried.keys, patience)
        .await
        .map_err(|refusal| ProxyError::of_refusal(&refusal, app.pool.now()))
}

fn tries_max(worker: &Worker) -> u32 {
    worker.app.config.pool.retries_max.map_or(UPSTREAM_TRIES_MAX, |retries| retries + 1)
}

/// What a refusal is judged by besides itself.
pub(super) fn circumstances(app: &App) -> Circumstances {
    let midnight_ms = next_midnight_los_angeles_ms(app.clock.wall_ms());
    Circumstances {
        quota_midnight: app.pool.time_of_wall(u64::try_from(midnight_ms).unwrap_or(0)),
        minute_wait_ms: app.config.pool.rate_limit_wait_ms,
    }
}

fn deliver(worker: &Worker, exchange: Exchange, call: &Call, accepted: Accepted) -> Served {
    let app = &worker.app;
    let mut head =
        Head { status: accepted.head.status, headers: headers::to_caller(&accepted.head.headers) };
    let filter = call.is_usage_ours.then(UsageFilter::new);
    let mut note = None;
    if call.touched != Use::None {
        let kin = exchange.key().and_then(|key| app.pool.kin(key.id));
        if let (Some(begins), Some(kin)) = (&call.begins, &kin) {
            begins.announce(app, kin, &accepted.head.headers, &mut head.headers);
        }
        headers::of_part(&accepted.head.headers, &mut head.headers);
        note = Note::of(&call.touched, kin, call.user);
    }
    // A stream may lose an event or gain a last one.
    if matches!(accepted.shape, Some(Shape::Sse | Shape::JsonArray)) {
        head.headers.remove(CONTENT_LENGTH);
    }
    exchange.tell_overhead(&mut head.headers);
    let relay = Relay::new(app, exchange, accepted, Looks { filter, note });
    Served::Accepted { head, relay: Box::new(relay) }
}

/// Passes on a refusal that no other try can change, with what the key is to learn from it.
pub(super) fn pass_on_refusal(
    app: &App,
    mut exchange: Exchange,
    refused: Refused,
    (key, fields): (&ServiceKey, HeaderMap),
) -> Served {
    let (kind, status) = (refused.failure.kind, refused.status.as_u16());
    let (verdict, next) = judge_failure(kind, refused.wait_ms(), circumstances(app));
    let reason = redact(&refused.failure.message, key);
    let error = Some(kind.code());
    exchange.end_attempt(&Ending { status, error, verdict, reason: &reason });
    let mut failed = Failed::of_refusal(refused, key, next);
    if let Answer::Upstream { headers, .. } = &mut failed.answer {
        headers.extend(fields);
    }
    failed.pass_on(exchange)
}

/// Whether a refusal is about the key, and another one might do.
pub(super) fn is_of_key(app: &App, refused: &Refused) -> bool {
    let judged = judge_failure(refused.failure.kind, refused.wait_ms(), circumstances(app));
    judged.1 == Next::OtherKey
}

/// Ends a request that cannot be tried with another key, though the next one may have another: what
/// the upstream says of the key is none of the caller's business.
pub(super) fn give_up_key(
    app: &App,
    mut exchange: Exchange,
    refused: &Refused,
    key: &ServiceKey,
) -> Served {
    let kind = refused.failure.kind;
    let (verdict, _) = judge_failure(kind, refused.wait_ms(), circumstances(app));
    let reason = redact(&refused.failure.message, key);
    let (status, error) = (refused.status.as_u16(), Some(kind.code()));
    exchange.end_attempt(&Ending { status, error, verdict, reason: &reason });
    let failed = ProxyError::UpstreamFault;
    exchange.pass_on(failed.status().as_u16(), kind.code());
    Served::Refused(Answer::Own(failed))
}

/// Ends a request that got no usable answer and is not tried again.
pub(super) fn pass_on_fault(mut exchange: Exchange, fault: Fault) -> Served {
    let (verdict, _) = judge_fault(fault);
    let (status, code) = (fault.error().status().as_u16(), fault.code());
    exchange.end_attempt(&Ending { status, error: Some(code), verdict, reason: code });
    Failed::of_fault(fault).pass_on(exchange)
}

impl Served {
    /// A good answer, with the header fields that cross.
    pub(super) fn accepted(
        app: &Arc<App>,
        exchange: Exchange,
        accepted: Accepted,
        (headers, note): (HeaderMap, Option<Note>),
    ) -> Self {
        let head = Head { status: accepted.head.status, headers };
        let relay = Relay::new(app, exchange, accepted, Looks { filter: None, note });
        Self::Accepted { head, relay: Box::new(relay) }
    }

    /// A refusal of ours, without an attempt under way.
    pub(super) fn own(mut exchange: Exchange, error: ProxyError) -> Self {
        exchange.refuse(&error);
        Self::Refused(Answer::Own(error))
    }

    /// A refusal of ours that ends the attempt under way, through no fault of its key.
    pub(super) fn cut_off(mut exchange: Exchange, error: ProxyError) -> Self {
        exchange.end(&Ending {
            status: error.status().as_u16(),
            error: Some(error.code()),
            verdict: Verdict::Blameless,
            reason: "",
        });
        Self::Refused(Answer::Own(error))
    }
}

impl Tried {
    /// Keeps the failure that the caller can act on rather than a key's own.
    fn remember(&mut self, failed: Failed) {
        let is_kept = self.last.as_ref().is_some_and(|last| last.is_telling && !failed.is_telling);
        if !is_kept {
            self.last = Some(failed);
        }
    }

    /// Nothing is left to try: what the caller is told.
    pub(super) fn give_up(self, exchange: &mut Exchange, error: ProxyError) -> Answer {
        match self.last {
            Some(failed) if failed.is_telling => failed.tell(exchange),
            _ => {
                exchange.refuse(&error);
                Answer::Own(error)
            }
        }
    }

    /// Ends an attempt that has failed, and waits where the next one should come later; the failure
    /// if there is no next one. What an upstream says of a token is not said of the key.
    pub(super) async fn fail(
        &mut self,
        worker: &Worker,
        exchange: &mut Exchange,
        call: &Call,
        outcome: Outcome,
    ) -> Option<Failed> {
        let app = &worker.app;
        let key = exchange.key()?;
        let (verdict, next) = match &outcome {
            Outcome::Refused(_) if call.has_token => (Verdict::Blameless, Next::PassOn),
            Outcome::Accepted(_) | Outcome::Refused(_) | Outcome::Fault(_) => {
                judge(&outcome, || circumstances(app))
            }
        };
        let next = if is_throttled(app, verdict) { Next::OtherTry } else { next };
        let next = if is_last_word(call, self, &outcome) { Next::PassOn } else { next };
        let failed = match outcome {
            // Whoever was accepted has not failed.
            Outcome::Accepted(_) => return None,
            Outcome::Refused(refused) => {
                let reason = redact(&refused.failure.message, &key);
                exchange.end_attempt(&Ending {
                    status: refused.status.as_u16(),
                    error: Some(refused.failure.kind.code()),
                    verdict,
                    reason: &reason,
                });
                Failed::of_refusal(*refused, &key, next)
            }
            Outcome::Fault(fault) => {
                exchange.end_attempt(&Ending {
                    status: fault.error().status().as_u16(),
                    error: Some(fault.code()),
                    verdict,
                    reason: fault.code(),
                });
                Failed::of_fault(fault)
            }
        };
        match next {
            Next::Deliver | Next::PassOn | Next::GiveUp => return Some(failed),
            Next::OtherKey => {
                self.keys.push(key.id);
                self.remember(failed);
            }
            Next::OtherTry => {
                self.faults += 1;
                let is_last = self.faults >= tries_max(worker) || !app.pool.may_retry();
                if is_last {
                    return Some(failed);
                }
                self.under_fault.push(key.id);
                self.remember(failed);
                let pause_began_us = app.clock.monotonic_us();
                tokio::time::sleep(BACK_OFF * (1 << self.faults.min(8)) / 2).await;
                exchange.waited_since(pause_began_us);
            }
        }
        None
    }
}

impl Failed {
    fn of_refusal(refused: Refused, key: &ServiceKey, next: Next) -> Self {
        let code = refused.failure.kind.code();
        let is_telling =
            next == Next::OtherTry || refused.failure.kind == FailureKind::ResourceDenied;
        let is_json = matches!(refused.body.trim_ascii_start().first(), Some(b'{' | b'['));
        let answer = if next == Next::GiveUp {
            // Our own doing: the upstream's words would only puzzle the caller.
            Answer::Own(ProxyError::UpstreamFault)
        } else if is_json {
            Answer::Upstream {
                status: refused.status,
                headers: headers::to_caller(&refused.headers),
                body: without_key(refused.body, key),
            }
        } else {
            Answer::Own(ProxyError::UpstreamStatus { status: refused.status })
        };
        Self { answer, code, is_telling }
    }

    fn of_fault(fault: Fault) -> Self {
        Self { answer: Answer::Own(fault.error()), code: fault.code(), is_telling: true }
    }

    /// The same, telling how much of the time until now was our own.
    fn with_overhead(mut self, exchange: &Exchange) -> Self {
        if let Answer::Upstream { headers, .. } = &mut self.answer {
            exchange.tell_overhead(headers);
        }
        self
    }

    fn pass_on(self, mut exchange: Exchange) -> Served {
        Served::Refused(self.tell(&mut exchange))
    }

    /// What the caller is told; ends the exchange.
    pub(super) fn tell(self, exchange: &mut Exchange) -> Answer {
        exchange.pass_on(self.answer.status().as_u16(), self.code);
        self.answer
    }
}

impl Answer {
    fn status(&self) -> StatusCode {
        match self {
            Self::Own(error) => error.status(),
            Self::Upstream { status, .. } => *status,
        }
    }

    /// The complete answer.
    pub(super) fn response(self, dialect: Dialect) -> Response<Bytes> {
        match self {
            Self::Own(error) => error.response(dialect),
            Self::Upstream { status, mut headers, body } => {
                headers.remove(CONTENT_LENGTH);
                headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
                let mut response = Response::new(body);
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                response
            }
        }
    }

    /// The refusal as the last event of a stream that has begun.
    pub(super) fn event(&self, dialect: Dialect) -> Bytes {
        match self {
            Self::Own(error) => error.event(dialect),
            Self::Upstream { status, .. } => {
                ProxyError::UpstreamStatus { status: *status }.event(dialect)
            }
        }
    }
}

/// The upstream's words without anything that looks like a key.
pub(super) fn redact(message: &str, key: &ServiceKey) -> String {
    let message = message.replace(key.secret.expose(), &key.brief);
    dialect::failure::redact_keys(&message).into_owned()
}

/// A body as it came, unless it names our key: Google repeats a suspended one in full.
fn without_key(body: Bytes, key: &ServiceKey) -> Bytes {
    let secret = key.secret.expose().as_bytes();
    if memchr::memmem::find(&body, secret).is_none() {
        return body;
    }
    String::from_utf8_lossy(&body).replace(key.secret.expose(), &key.brief).into()
}
