//! One try with one key: build, send, wait for the head, look at the first content.
//!
//! An answer is accepted only when content has been seen (or cannot be expected): until then
//! nothing has reached the caller and another key may still serve. What was read on the way is
//! kept as it came and delivered first.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use dialect::resource::Use;
use dialect::{Failure, Shape, Tap};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode, response};
use http_body_util::BodyExt;

use crate::app::{App, Worker};
use crate::pool::ServiceKey;
use crate::proxy::call::Call;
use crate::proxy::error::ProxyError;
use crate::upstream::{AnswerBody, ConnectError, SendError};

/// How much of an answer is held back while waiting for content that proves it good. A whole
/// answer up to this size is checked to be complete before its status goes out.
const HELD_BYTES_MAX: usize = 256 * 1024;
/// How much of a refusal is read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// How long a refusal's body may take.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);

/// How an attempt went.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A good answer, with its first content.
    Accepted(Box<Accepted>),
    /// A complete answer that says no.
    Refused(Box<Refused>),
    /// No usable answer.
    Fault(Fault),
}

/// A good answer on its way to the caller.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) head: response::Parts,
    pub(super) body: AnswerBody,
    /// What has been read already, seen by the tap.
    pub(super) held: VecDeque<Bytes>,
    /// What the tap takes the body for; `None` where there is nothing to read.
    pub(super) shape: Option<Shape>,
    pub(super) tap: Option<Tap>,
    /// Whether `held` is the whole body.
    pub(super) is_whole: bool,
}

/// An upstream's refusal.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) failure: Failure,
    /// The `Retry-After` field, in ms.
    pub(super) retry_after_ms: Option<u64>,
}

impl Refused {
    /// How long the upstream asks us to wait: its own detail before the general field.
    pub(super) fn wait_ms(&self) -> Option<u64> {
        self.failure.retry_after_ms.or(self.retry_after_ms)
    }
}

/// Why there is no usable answer. None of these says anything about a key by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    ConnectTimeout,
    Connect,
    Proxy,
    Tls,
    /// The connection ended before an answer.
    Lost,
    /// Not HTTP, or a head beyond the limit.
    Protocol,
    HeadTimeout,
    /// Headers, and then silence.
    ContentTimeout,
    Redirect,
    Empty,
    /// HTML, a list, `null`, not JSON.
    Malformed,
    /// The body ended before its end.
    Truncated,
    /// Silence in a stream that had begun.
    StreamIdle,
    /// The request could not be built: our defect.
    OwnRequest,
}

impl Fault {
    /// The stable code for log rows and metrics.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::ConnectTimeout => "connect_timeout",
            Self::Connect => "connect_error",
            Self::Proxy => "outbound_proxy_error",
            Self::Tls => "tls_error",
            Self::Lost => "connection_lost",
            Self::Protocol => "protocol_error",
            Self::HeadTimeout => "first_byte_timeout",
            Self::ContentTimeout => "first_event_timeout",
            Self::Redirect => "redirect",
            Self::Empty => "empty_answer",
            Self::Malformed => "malformed_answer",
            Self::Truncated => "answer_cut",
            Self::StreamIdle => "stream_idle",
            Self::OwnRequest => "internal",
        }
    }

    /// What the caller is told when nothing else helped.
    pub(super) fn error(self) -> ProxyError {
        match self {
            Self::ConnectTimeout | Self::HeadTimeout | Self::ContentTimeout | Self::StreamIdle => {
                ProxyError::UpstreamTimeout
            }
            Self::Truncated => ProxyError::UpstreamBroke,
            Self::OwnRequest => ProxyError::Internal,
            Self::Connect
            | Self::Proxy
            | Self::Tls
            | Self::Lost
            | Self::Protocol
            | Self::Redirect
            | Self::Empty
            | Self::Malformed => ProxyError::UpstreamFault,
        }
    }
}

impl From<&SendError> for Fault {
    fn from(error: &SendError) -> Self {
        match error {
            SendError::Connect(ConnectError::Timeout) => Self::ConnectTimeout,
            SendError::Connect(ConnectError::Tcp(_)) => Self::Connect,
            SendError::Connect(ConnectError::Proxy(_)) => Self::Proxy,
            SendError::Connect(ConnectError::Tls(_)) => Self::Tls,
            SendError::Lost { .. } => Self::Lost,
            SendError::Protocol(_) | SendError::Framing(_) => Self::Protocol,
            SendError::Target | SendError::Credential | SendError::Source(_) => Self::OwnRequest,
        }
    }
}

/// Tries once, with one key; the head must arrive within `time_left` and the limit of a try.
///
/// # Cancellation
///
/// Dropping the future closes the connection in use.
pub(super) async fn attempt(
    worker: &Worker,
    call: &Call,
    key: &ServiceKey,
    time_left: Duration,
) -> Outcome {
    let app = &worker.app;
    let limit = Duration::from_millis(app.config.limits.attempt_timeout_ms).min(time_left);
    let sent = worker.upstream.send(call.dialect, &call.outgoing, &key.secret);
    let answer = match tokio::time::timeout(limit, sent).await {
        Err(_) => return Outcome::Fault(Fault::HeadTimeout),
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::debug!(
                request_id = %call.request_id, %error, cause = cause.unwrap_or_default(),
                "no answer from the upstream"
            );
            return Outcome::Fault(Fault::from(&error));
        }
        Ok(Ok(answer)) => answer,
    };
    let status = answer.status();
    if status.is_success() {
        accept(app, call, answer).await
    } else if status.is_redirection() || status.is_informational() {
        Outcome::Fault(Fault::Redirect)
    } else {
        refuse(answer, app.clock.wall_ms()).await
    }
}

/// Reads on until content proves the answer good.
async fn accept(app: &App, call: &Call, answer: Response<AnswerBody>) -> Outcome {
    let (head, mut body) = answer.into_parts();
    let mut held = VecDeque::new();
    let Some(shape) = call.shape else {
        let shape = shape_of(&head.headers);
        let tap = shape.map(|shape| Tap::new(call.dialect, shape));
        let is_telling = matches!(call.touched, Use::Makes { .. } | Use::Names { .. });
        let tap = if is_telling { tap.map(Tap::noting_resource) } else { tap };
        let accepted = Accepted { head, body, held, shape, tap, is_whole: false };
        return Outcome::Accepted(Box::new(accepted));
    };
    let mut tap = Tap::new(call.dialect, shape);
    let mut held_bytes = 0;
    let is_whole = loop {
        let silence = Duration::from_millis(app.config.limits.stream_idle_timeout_ms);
        let Ok(frame) = tokio::time::timeout(silence, body.frame()).await else {
            return Outcome::Fault(Fault::ContentTimeout);
        };
        let chunk = match frame {
            None => break true,
            Some(Err(_)) if held_bytes == 0 => return Outcome::Fault(Fault::Lost),
            Some(Err(_)) => return Outcome::Fault(Fault::Truncated),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        tap.see(&chunk);
        held_bytes += chunk.len();
        held.push_back(chunk);
        let seen = tap.seen();
        if seen.error.is_some() || seen.is_malformed {
            break false;
        }
        let is_proven = match shape {
            Shape::Sse | Shape::JsonArray => seen.has_content,
            Shape::Json => false,
        };
        if is_proven || held_bytes > HELD_BYTES_MAX {
            break false;
        }
    };
    if is_whole {
        tap.end();
    }
    if let Some(fault) = found_fault(shape, &tap, is_whole, held_bytes) {
        return fault;
    }
    let (shape, tap) = (Some(shape), Some(tap));
    Outcome::Accepted(Box::new(Accepted { head, body, held, shape, tap, is_whole }))
}

/// What is wrong with an answer whose first content, or whole body, has been seen.
fn found_fault(shape: Shape, tap: &Tap, is_whole: bool, held_bytes: usize) -> Option<Outcome> {
    let seen = tap.seen();
    if !seen.has_content
        && let Some(failure) = &seen.error
    {
        // A refusal inside a 200: judged like the status that it names.
        return Some(Outcome::Refused(Box::new(Refused::inside_success(failure.clone()))));
    }
    if seen.is_malformed {
        return Some(Outcome::Fault(Fault::Malformed));
    }
    if is_whole {
        let is_cut = matches!(shape, Shape::Json) && !seen.is_complete;
        return match (held_bytes, seen.has_content) {
            (0, _) | (_, false) => Some(Outcome::Fault(Fault::Empty)),
            (_, true) if is_cut => Some(Outcome::Fault(Fault::Truncated)),
            (_, true) => None,
        };
    }
    None
}

impl Refused {
    /// A refusal that came without a status of its own.
    pub(super) fn inside_success(failure: Failure) -> Self {
        let status = StatusCode::from_u16(failure.status)
            .ok()
            .filter(|status| status.is_client_error() || status.is_server_error())
            .unwrap_or(StatusCode::BAD_GATEWAY);
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            failure,
            retry_after_ms: None,
        }
    }
}

/// Reads a refusal.
pub(super) async fn refuse(answer: Response<AnswerBody>, wall_ms: i64) -> Outcome {
    let (head, body) = answer.into_parts();
    let read = http_body_util::Limited::new(body, REFUSAL_BYTES_MAX).collect();
    // A refusal is as clear without its body: what could not be read is left out.
    let body = match tokio::time::timeout(REFUSAL_TIMEOUT, read).await {
        Ok(Ok(whole)) => whole.to_bytes(),
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    let failure = dialect::failure::read(head.status.as_u16(), &body);
    Outcome::Refused(Box::new(Refused {
        status: head.status,
        retry_after_ms: head
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| retry_after_ms(value, wall_ms)),
        headers: head.headers,
        body,
        failure,
    }))
}

/// `Retry-After` as a number of seconds or as a date; anything else says nothing.
pub(super) fn retry_after_ms(value: &http::HeaderValue, wall_ms: i64) -> Option<u64> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let wait = Duration::try_from_secs_f64(seconds).ok()?;
        return u64::try_from(wait.as_millis()).ok();
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let ahead_ms = i64::try_from(since_epoch.as_millis()).ok()?.saturating_sub(wall_ms);
    Some(u64::try_from(ahead_ms).unwrap_or(0))
}

/// What an answer of an unknown call can be read as, by its own word.
fn shape_of(headers: &HeaderMap) -> Option<Shape> {
    dialect::resource::shape(headers.get(CONTENT_TYPE)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_date_and_never_as_garbage() {
        let read = |text| retry_after_ms(&http::HeaderValue::from_static(text), 1_000_000_000_000);

        assert_eq!(read("7"), Some(7_000));
        assert_eq!(read("1.5"), Some(1_500));
        assert_eq!(read("1000000000"), Some(1_000_000_000_000));
        assert_eq!(read("Sun, 09 Sep 2001 01:47:10 GMT"), Some(30_000));
        assert_eq!(read("Sun, 09 Sep 2001 01:46:00 GMT"), Some(0));
        for garbage in ["soon", "-5", "NaN", "inf", "1e999", ""] {
            assert_eq!(read(garbage), None, "{garbage}");
        }
    }
}
