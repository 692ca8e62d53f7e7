//! The search for an upstream that lets a session in: before the caller is agreed to, and again as
//! long as the upstream has said nothing to it.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::SEC_WEBSOCKET_ACCEPT;
use keypool::{Kin, Verdict};

use crate::app::Worker;
use crate::proxy::attempt::{Fault, Outcome, refuse};
use crate::proxy::call::Call;
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::{Ending, Exchange};
use crate::proxy::pin::Pinned;
use crate::proxy::serve::{Answer, Tried, find_lease};
use crate::secret::Secret;
use crate::upstream::{Opened, Pass, Tunnel};

/// What a session is bound to that is resumed, in words for its caller.
pub(super) const SESSION: &str = "this session";

/// A session on its way to a key that serves it; owns its exchange.
pub(super) struct Search {
    pub(super) worker: Arc<Worker>,
    pub(super) exchange: Exchange,
    call: Call,
    /// What lets the session in at the upstream in place of the key.
    pub(super) token: Option<Secret>,
    tried: Tried,
}

/// An upstream that has agreed to a WebSocket.
pub(super) struct Found {
    pub(super) tunnel: Tunnel,
    /// Its word for the caller's nonce.
    pub(super) accept: HeaderValue,
}

impl Search {
    pub(super) fn new(
        worker: Arc<Worker>,
        exchange: Exchange,
        call: Call,
        token: Option<Secret>,
    ) -> Self {
        Self { worker, exchange, call, token, tried: Tried::default() }
    }

    /// Tries keys until an upstream agrees. Its attempt is then under way.
    ///
    /// # Errors
    ///
    /// What the caller is told; the exchange has ended with it.
    ///
    /// # Cancellation
    ///
    /// The attempt under way ends with the exchange.
    pub(super) async fn find(&mut self) -> Result<Found, Answer> {
        let Self { worker, exchange, call, token, tried } = self;
        let app = &worker.app;
        let drained = app.lifecycle.drained().clone();
        let began_ms = app.clock.monotonic_ms();
        loop {
            let spent_ms = app.clock.monotonic_ms().saturating_sub(began_ms);
            let limit_ms = app.config.limits.request_timeout_ms.saturating_sub(spent_ms);
            let limit = Duration::from_millis(limit_ms);
            let lease = tokio::select! {
                biased;
                lease = find_lease(worker, call, tried, limit) => lease,
                () = drained.cancelled() => Err(ProxyError::Draining),
            };
            let lease = match lease {
                Ok(lease) => lease,
                Err(error) => return Err(std::mem::take(tried).give_up(exchange, error)),
            };
            let key = exchange.begin_attempt(lease);
            let pass = token.as_ref().map_or(Pass::Key(&key.secret), Pass::Token);
            let outcome = tokio::select! {
                biased;
                opened = attempt(worker, call, pass, limit) => match opened {
                    Ok(found) => return Ok(found),
                    Err(outcome) => outcome,
                },
                () = drained.cancelled() => {
                    let error = ProxyError::Draining;
                    exchange.end(&Ending {
                        status: error.status().as_u16(),
                        error: Some(error.code()),
                        verdict: Verdict::Blameless,
                        reason: "",
                    });
                    return Err(Answer::Own(error));
                }
            };
            if let Some(failed) = tried.fail(worker, exchange, call, outcome).await {
                return Err(failed.tell(exchange));
            }
        }
    }

    /// Ends the attempt under way, which has agreed and then refused.
    ///
    /// # Errors
    ///
    /// What the caller is told, if no other key may be tried; the exchange has ended with it.
    pub(super) async fn failed(&mut self, outcome: Outcome) -> Result<(), Answer> {
        let Self { worker, exchange, call, tried, .. } = self;
        match tried.fail(worker, exchange, call, outcome).await {
            None => Ok(()),
            Some(failed) => Err(failed.tell(exchange)),
        }
    }

    /// What the caller is told when no other key may be tried after all; ends the exchange.
    pub(super) fn give_up(&mut self) -> Answer {
        std::mem::take(&mut self.tried).give_up(&mut self.exchange, ProxyError::UpstreamBroke)
    }

    /// From here on only these keys may serve the session.
    pub(super) fn bind(&mut self, kin: Kin) {
        self.call.pinned = Some(Pinned { kin, name: SESSION.to_owned() });
        self.exchange.abandon_attempt();
    }

    /// Whether only some keys may serve the session.
    pub(super) fn is_bound(&self) -> bool {
        self.call.pinned.is_some()
    }

    /// The upstream has spoken: there is no other key from here on.
    pub(super) fn is_over(&mut self) {
        self.tried = Tried::default();
        self.call.outgoing.headers = http::HeaderMap::new();
    }
}

/// Tries once; an outcome is why it failed.
async fn attempt(
    worker: &Worker,
    call: &Call,
    pass: Pass<'_>,
    time_left: Duration,
) -> Result<Found, Outcome> {
    let app = &worker.app;
    let limit = Duration::from_millis(app.config.limits.attempt_timeout_ms).min(time_left);
    let opened = tokio::time::timeout(limit, worker.upstream.open(&call.outgoing, pass)).await;
    match opened {
        Err(_) => Err(Outcome::Fault(Fault::HeadTimeout)),
        Ok(Err(error)) => {
            tracing::debug!(request_id = %call.request_id, %error, "no session at the upstream");
            Err(Outcome::Fault(Fault::from(&error)))
        }
        Ok(Ok(Opened::Tunnel { headers, tunnel })) => match headers.get(SEC_WEBSOCKET_ACCEPT) {
            Some(accept) => Ok(Found { tunnel, accept: accept.clone() }),
            None => Err(Outcome::Fault(Fault::Protocol)),
        },
        Ok(Ok(Opened::Answer(answer))) => {
            let status = answer.status();
            if status.is_success() {
                Err(Outcome::Fault(Fault::Protocol))
            } else if status.is_redirection() || status.is_informational() {
                Err(Outcome::Fault(Fault::Redirect))
            } else {
                Err(refuse(answer, app.clock.wall_ms()).await)
            }
        }
    }
}
