//! The probe: one free call that shows whether the upstream lets a key in.
//!
//! `countTokens` when a model is named, otherwise the list of models; never a generation, which
//! would cost quota. Both are answered without looking at quota or credit, so they prove the key
//! and nothing else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dialect::{Dialect, FailureKind, Shape, Tap};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt, Limited};
use keypool::ProbeOutcome;
use serde::Serialize;

use crate::clock::Clock;
use crate::pool::ServiceKey;
use crate::upstream::{Outgoing, SendError, Upstream};

/// How long a probe may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// What `countTokens` is asked to count.
const QUESTION: &[u8] = br#"{"contents":[{"role":"user","parts":[{"text":"ping"}]}]}"#;

/// Makes probes.
#[derive(Debug)]
pub struct Prober {
    upstream: Upstream,
    clock: Clock,
}

/// What a probe found.
#[derive(Debug, Clone, Serialize)]
pub struct Probed {
    /// Whether the upstream served the call.
    pub is_ok: bool,
    /// The upstream's status; `None` without an answer.
    pub status: Option<u16>,
    /// A stable code for the kind of failure.
    pub error: Option<&'static str>,
    /// The upstream's words, redacted.
    pub message: Option<String>,
    /// How long it took, in ms.
    pub duration_ms: u64,
    /// What the answer says about the key, where it was a refusal.
    #[serde(skip)]
    pub failure: Option<FailureKind>,
}

impl Prober {
    /// Makes a prober on a client of its own.
    pub fn new(upstream: Upstream, clock: Clock) -> Self {
        Self { upstream, clock }
    }

    /// Asks the upstream whether it lets `key` in, for `model` if one is named.
    pub async fn probe(&self, key: &Arc<ServiceKey>, model: Option<&str>) -> Probed {
        self.ask(key, Dialect::Gemini, &question(model), is_answer).await
    }

    /// Has the upstream delete something that it keeps for the project of `key`; `name` is the whole
    /// one, as `files/abc`.
    pub async fn delete(&self, key: &Arc<ServiceKey>, name: &str) -> Probed {
        let (dialect, path) = dialect::resource::address(name);
        self.ask(key, dialect, &Outgoing::delete(path), |_| true).await
    }

    async fn ask(
        &self,
        key: &ServiceKey,
        dialect: Dialect,
        question: &Outgoing,
        is_answer: impl FnOnce(&[u8]) -> bool,
    ) -> Probed {
        let began_ms = self.clock.monotonic_ms();
        let sent = self.send(key, dialect, question, is_answer);
        let asked = tokio::time::timeout(TIMEOUT, sent).await;
        let probed = asked.unwrap_or_else(|_| Probed::fault("timeout"));
        let duration_ms = self.clock.monotonic_ms().saturating_sub(began_ms);
        Probed { duration_ms, ..probed }
    }

    async fn send(
        &self,
        key: &ServiceKey,
        dialect: Dialect,
        question: &Outgoing,
        is_answer: impl FnOnce(&[u8]) -> bool,
    ) -> Probed {
        let sent = self.upstream.send(dialect, question, &key.secret).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(SendError::Credential) => return Probed::fault("invalid_key_format"),
            Err(_) => return Probed::fault("unreachable"),
        };
        let status = answer.status();
        let body = match Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return Probed::fault("answer_cut"),
        };
        if status.is_success() && is_answer(&body) {
            return Probed {
                is_ok: true,
                status: Some(status.as_u16()),
                error: None,
                message: None,
                duration_ms: 0,
                failure: None,
            };
        }
        let failure = dialect::failure::read(status.as_u16(), &body);
        let message = failure.message.replace(key.secret.expose(), &key.brief);
        Probed {
            is_ok: false,
            status: Some(status.as_u16()),
            error: Some(failure.kind.code()),
            message: Some(dialect::failure::redact_keys(&message).into_owned()),
            duration_ms: 0,
            failure: Some(failure.kind),
        }
    }
}

/// Whether a body is what the API answers: a page of some proxy in between proves nothing.
fn is_answer(body: &[u8]) -> bool {
    let mut tap = Tap::new(Dialect::Gemini, Shape::Json);
    tap.see(body);
    tap.end();
    let seen = tap.seen();
    seen.is_complete && seen.has_content && !seen.is_malformed
}

/// The free call for one model, or for none in particular.
fn question(model: Option<&str>) -> Outgoing {
    match model {
        None => Outgoing::get("/v1beta/models?pageSize=1"),
        Some(model) => Outgoing {
            method: Method::POST,
            path_and_query: dialect::path::count_tokens(model),
            headers: HeaderMap::from_iter([(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            )]),
            body: Bytes::from_static(QUESTION),
        },
    }
}

impl Probed {
    fn fault(error: &'static str) -> Self {
        Self {
            is_ok: false,
            status: None,
            error: Some(error),
            message: None,
            duration_ms: 0,
            failure: None,
        }
    }

    /// What the upstream said, or why it said nothing.
    pub fn words(self) -> String {
        self.message.unwrap_or_else(|| self.error.unwrap_or("it does not say why").to_owned())
    }

    /// What the state machine learns.
    pub fn outcome(&self) -> ProbeOutcome {
        if self.is_ok { ProbeOutcome::Served } else { ProbeOutcome::Failed }
    }
}
