//! What a caller is told when the answer is ours and not the upstream's.
//!
//! Every failure has one status, one stable code (also in the log row and the metrics) and one
//! sentence that says what to do. The sentences come from this file alone: no upstream address,
//! key or internal text can reach a caller through them.

use bytes::Bytes;
use dialect::path::PathError;
use dialect::{BadBody, Dialect, ErrorBody};
use http::header::{
    ALLOW, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use keypool::Time;

use crate::admission::NotAdmitted;
use crate::request_head::BadHead;

/// A retry further away than this is not worth an automatic one.
const RETRY_MS_MAX: u64 = 120_000;

/// Why a request got no answer from an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProxyError {
    /// No user key in any of its places.
    NoCredential,
    /// A user key that we do not know, or do not accept any more.
    UnknownCaller,
    /// Two user keys that differ.
    ConflictingCredentials,
    /// A head that means different things to different servers.
    BadHead(BadHead),
    /// A path that is none of ours; the text names the right one.
    NotFound(&'static str),
    /// A path with a part that can go nowhere.
    BadPath(&'static str),
    /// A method that no LLM API has.
    MethodNotAllowed,
    /// A body that is not one JSON object.
    BadBody(String),
    /// A compressed body.
    BodyEncoding,
    /// A body beyond the limit.
    BodyTooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// A body that stopped coming, or came too slowly.
    BodyTimeout,
    /// A body that ended before its end.
    BodyBroken,
    /// A Live session is a WebSocket, and this is none.
    UpgradeNeeded,
    /// A web page of an origin that may not call.
    OriginNotAllowed,
    /// Too many Live sessions.
    LiveSessionsFull,
    /// A Live session in which nobody has said anything for too long.
    LiveIdle,
    /// The user key under an open Live session lets in no more.
    CallerEnded,
    /// No room for another body.
    BodyBudget,
    /// Too many concurrent requests, and the wait for a place was too long.
    QueueTimeout,
    /// Too many requests wait already.
    QueueFull,
    /// The gateway is shutting down.
    Draining,
    /// No service key can be used at all.
    NoUsableKey,
    /// No service key may use this model.
    NoKeyForModel,
    /// All service keys rest for this model.
    AllKeysResting {
        /// How long until the first returns, if time alone brings one back.
        retry_after_ms: Option<u64>,
    },
    /// All service keys are at their concurrency limit.
    AllKeysBusy,
    /// It names a resource that is not there for this caller.
    NoSuchResource {
        /// Its name.
        name: String,
    },
    /// It names resources that no one project sees together.
    ResourcesApart {
        /// The name of one.
        first: String,
        /// The name of another.
        second: String,
    },
    /// The service keys that see what it names all rest.
    ResourceKeyResting {
        /// What it names.
        name: String,
        /// How long until the first returns, if time alone brings one back.
        retry_after_ms: Option<u64>,
    },
    /// The service keys that see what it names are at their concurrency limit.
    ResourceKeyBusy {
        /// What it names.
        name: String,
    },
    /// No service key that sees what it names can be used.
    ResourceKeyUnusable {
        /// What it names.
        name: String,
    },
    /// An upload that was not begun here, or too long ago.
    NoSuchUpload,
    /// A page token that was not handed out here.
    BadPageToken,
    /// The upstream gave no usable answer.
    UpstreamFault,
    /// The upstream refused in words that are no JSON.
    UpstreamStatus {
        /// Its status.
        status: StatusCode,
    },
    /// The upstream gave no answer in time.
    UpstreamTimeout,
    /// The upstream's answer broke off.
    UpstreamBroke,
    /// The request's whole time is used up.
    DeadlineExceeded,
    /// A defect of the gateway.
    Internal,
}

impl ProxyError {
    /// The refusal of the pool, in a caller's terms.
    pub(super) fn of_refusal(refusal: &keypool::Refusal, now: Time) -> Self {
        use keypool::Refusal;
        let wait = |until: Time| Some(until.millis_since(now));
        match refusal {
            Refusal::NoUsableKey => Self::NoUsableKey,
            Refusal::NotEntitled => Self::NoKeyForModel,
            Refusal::Resting { until } => Self::AllKeysResting { retry_after_ms: wait(*until) },
            Refusal::Busy { .. } => Self::AllKeysBusy,
            Refusal::Exhausted { until } => {
                Self::AllKeysResting { retry_after_ms: until.and_then(wait) }
            }
        }
    }

    /// The refusal of the pool to lend one of the keys that see `name`.
    pub(super) fn of_pinned_refusal(refusal: &keypool::Refusal, name: &str, now: Time) -> Self {
        use keypool::Refusal;
        let name = name.to_owned();
        let wait = |until: Time| Some(until.millis_since(now));
        match refusal {
            Refusal::NoUsableKey => Self::ResourceKeyUnusable { name },
            Refusal::NotEntitled => Self::NoKeyForModel,
            Refusal::Resting { until } => {
                Self::ResourceKeyResting { name, retry_after_ms: wait(*until) }
            }
            Refusal::Busy { .. } => Self::ResourceKeyBusy { name },
            Refusal::Exhausted { until } => {
                Self::ResourceKeyResting { name, retry_after_ms: until.and_then(wait) }
            }
        }
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoCredential | Self::UnknownCaller | Self::CallerEnded => {
                StatusCode::UNAUTHORIZED
            }
            Self::ConflictingCredentials | Self::BadPath(_) | Self::BadBody(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::BodyBroken | Self::ResourcesApart { .. } | Self::BadPageToken => {
                StatusCode::BAD_REQUEST
            }
            // As the upstream has it, which does not tell either what others have.
            Self::NoSuchResource { name } => match name.split('/').next() {
                Some("files" | "generatedFiles" | "cachedContents") => StatusCode::FORBIDDEN,
                Some(_) | None => StatusCode::NOT_FOUND,
            },
            Self::UpgradeNeeded => StatusCode::UPGRADE_REQUIRED,
            Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::NoSuchUpload => StatusCode::NOT_FOUND,
            Self::BadHead(bad) => bad.status(),
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout | Self::LiveIdle => StatusCode::REQUEST_TIMEOUT,
            Self::AllKeysResting { .. } | Self::ResourceKeyResting { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::BodyBudget
            | Self::QueueTimeout
            | Self::QueueFull
            | Self::LiveSessionsFull
            | Self::Draining
            | Self::NoUsableKey
            | Self::NoKeyForModel
            | Self::AllKeysBusy
            | Self::ResourceKeyBusy { .. }
            | Self::ResourceKeyUnusable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamStatus { status } => *status,
            Self::UpstreamFault | Self::UpstreamBroke => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout | Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable code: in the answer, the log row and the metrics.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoCredential => "missing_api_key",
            Self::UnknownCaller => "invalid_api_key",
            Self::ConflictingCredentials => "conflicting_credentials",
            Self::BadHead(bad) => bad.code(),
            Self::NotFound(_) => "unknown_path",
            Self::BadPath(_) => "invalid_path",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BadBody(_) => "invalid_body",
            Self::BodyEncoding => "unsupported_encoding",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyBroken => "body_incomplete",
            Self::UpgradeNeeded => "upgrade_needed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::LiveSessionsFull => "live_sessions_full",
            Self::LiveIdle => "live_idle_timeout",
            Self::CallerEnded => "user_key_ended",
            Self::BodyBudget => "body_budget",
            Self::QueueTimeout => "queue_timeout",
            Self::QueueFull => "queue_full",
            Self::Draining => "shutting_down",
            Self::NoUsableKey => "no_usable_key",
            Self::NoKeyForModel => "no_key_for_model",
            Self::AllKeysResting { .. } => "all_keys_resting",
            Self::AllKeysBusy => "all_keys_busy",
            Self::NoSuchResource { .. } => "no_such_resource",
            Self::ResourcesApart { .. } => "resources_apart",
            Self::ResourceKeyResting { .. } => "resource_key_resting",
            Self::ResourceKeyBusy { .. } => "resource_key_busy",
            Self::ResourceKeyUnusable { .. } => "resource_key_unusable",
            Self::NoSuchUpload => "no_such_upload",
            Self::BadPageToken => "invalid_page_token",
            Self::UpstreamFault => "upstream_fault",
            Self::UpstreamStatus { .. } => "upstream_status",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamBroke => "upstream_broke",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Internal => "internal",
        }
    }

    /// The sentence for the caller.
    pub(super) fn message(&self) -> String {
        let fixed = match self {
            Self::BadHead(bad) => bad.hint(),
            Self::NotFound(hint) | Self::BadPath(hint) => hint,
            Self::BadBody(hint) => return hint.clone(),
            Self::BodyTooLarge { bytes_max } => {
                return format!("The request body is larger than {bytes_max} bytes.");
            }
            Self::UpstreamStatus { status } => {
                return format!("The upstream answered {}.", status.as_u16());
            }
            Self::NoSuchResource { name } => return no_such(name),
            Self::ResourcesApart { first, second } => {
                return format!(
                    "{first} and {second} were made with different service keys, and no key sees \
                     both. Make one of them anew in a request that names the other."
                );
            }
            Self::ResourceKeyResting { name, .. } => {
                return format!(
                    "The quota of the only service key that sees {name} is used up. Try again later."
                );
            }
            Self::ResourceKeyBusy { name } => {
                return format!(
                    "The only service key that sees {name} is busy. Try again shortly."
                );
            }
            Self::ResourceKeyUnusable { name } => {
                return format!(
                    "The service key that made {name} cannot be used, and no other sees it. Make it \
                     anew, or ask the admin to look at that key."
                );
            }
            Self::NoSuchUpload => {
                "There is no such upload here, or it began too long ago. Begin it anew."
            }
            Self::BadPageToken => {
                "This page token was not handed out here. Begin with the first page."
            }
            Self::NoCredential => {
                "No API key. Send yours as `Authorization: Bearer`, `x-goog-api-key` or `?key=`."
            }
            Self::UnknownCaller => "This API key is not valid here. Ask your admin for another.",
            Self::ConflictingCredentials => {
                "The request carries two different API keys. Send only one."
            }
            Self::MethodNotAllowed => "This method is not allowed here.",
            Self::BodyEncoding => "Compressed request bodies are not accepted. Send plain JSON.",
            Self::BodyTimeout => "The request body stopped arriving, or came too slowly.",
            Self::BodyBroken => "The request body ended before its end.",
            Self::UpgradeNeeded => {
                "This is the path of a Live session: open it as a WebSocket (version 13, over HTTP/1.1)."
            }
            Self::OriginNotAllowed => {
                "Web pages of this origin may not call. The admin can allow it with CORS_ORIGINS."
            }
            Self::LiveSessionsFull => "Too many Live sessions at once. Try again shortly.",
            Self::LiveIdle => "Nobody has said anything in this Live session for too long.",
            Self::CallerEnded => "The API key of this Live session is not valid here any more.",
            Self::BodyBudget => "Too many large requests at once. Try again shortly.",
            Self::QueueTimeout | Self::QueueFull => "Too many requests at once. Try again shortly.",
            Self::Draining => "The gateway is restarting. Try again shortly.",
            Self::NoUsableKey => {
                "No service key can be used. The admin must add one or look at the existing ones."
            }
            Self::NoKeyForModel => "No service key may use this model. Choose another model.",
            Self::AllKeysResting { .. } => {
                "The quota of every service key is used up for this model. Try again later."
            }
            Self::AllKeysBusy => "Every service key is busy. Try again shortly.",
            Self::UpstreamFault => "The upstream gave no usable answer. Try again shortly.",
            Self::UpstreamTimeout => "The upstream gave no answer in time.",
            Self::UpstreamBroke => "The upstream's answer broke off.",
            Self::DeadlineExceeded => "The request took longer than the gateway allows.",
            Self::Internal => "The gateway failed on this request. The admin finds why in the log.",
        };
        fixed.to_owned()
    }

    /// When to try again, if that is known.
    fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::AllKeysResting { retry_after_ms }
            | Self::ResourceKeyResting { retry_after_ms, .. } => *retry_after_ms,
            Self::BodyBudget | Self::QueueTimeout | Self::QueueFull | Self::AllKeysBusy => {
                Some(1_000)
            }
            Self::ResourceKeyBusy { .. } => Some(1_000),
            Self::LiveSessionsFull | Self::Draining => Some(5_000),
            Self::NoCredential
            | Self::UnknownCaller
            | Self::ConflictingCredentials
            | Self::BadHead(_)
            | Self::NotFound(_)
            | Self::BadPath(_)
            | Self::MethodNotAllowed
            | Self::BadBody(_)
            | Self::BodyEncoding
            | Self::BodyTooLarge { .. }
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::UpgradeNeeded
            | Self::OriginNotAllowed
            | Self::LiveIdle
            | Self::CallerEnded
            | Self::NoUsableKey
            | Self::NoKeyForModel
            | Self::NoSuchResource { .. }
            | Self::ResourcesApart { .. }
            | Self::ResourceKeyUnusable { .. }
            | Self::NoSuchUpload
            | Self::BadPageToken
            | Self::UpstreamFault
            | Self::UpstreamStatus { .. }
            | Self::UpstreamTimeout
            | Self::UpstreamBroke
            | Self::DeadlineExceeded
            | Self::Internal => None,
        }
    }

    /// The error as one event of a stream that has begun.
    pub(super) fn event(&self, dialect: Dialect) -> Bytes {
        self.with_body(|body| dialect.error_event(body).into())
    }

    /// The complete answer in the caller's dialect.
    pub(super) fn response(&self, dialect: Dialect) -> Response<Bytes> {
        let mut response = Response::new(self.with_body(|body| dialect.error_body(body).into()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if *self == Self::UpgradeNeeded {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        if *self == Self::MethodNotAllowed {
            headers.insert(ALLOW, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
        }
        if let Some(retry_after_ms) = self.retry_after_ms() {
            announce_retry(headers, retry_after_ms);
        }
        response
    }

    /// Hands the error to whoever writes it.
    pub(super) fn with_body<T>(&self, make: impl FnOnce(&ErrorBody<'_>) -> T) -> T {
        make(&ErrorBody {
            status: self.status().as_u16(),
            message: &self.message(),
            code: self.code(),
            retry_after_ms: self.retry_after_ms(),
        })
    }
}

impl From<NotAdmitted> for ProxyError {
    fn from(reason: NotAdmitted) -> Self {
        match reason {
            NotAdmitted::QueueFull => Self::QueueFull,
            NotAdmitted::QueueTimeout => Self::QueueTimeout,
            NotAdmitted::Closed => Self::Draining,
        }
    }
}

impl From<PathError> for ProxyError {
    fn from(error: PathError) -> Self {
        match error {
            PathError::NotOurs | PathError::Slip(_) => Self::NotFound(error.hint()),
            PathError::BadModel(hint) | PathError::BadPath(hint) => Self::BadPath(hint),
        }
    }
}

impl From<BadBody> for ProxyError {
    fn from(error: BadBody) -> Self {
        Self::BadBody(error.to_string())
    }
}

/// What the upstream says of a resource that is not there, or not for this caller.
fn no_such(name: &str) -> String {
    match name.split_once('/') {
        Some(("files" | "generatedFiles", id)) => {
            format!("You do not have permission to access the File {id} or it may not exist.")
        }
        Some(("cachedContents", _)) => "CachedContent not found (or permission denied)".to_owned(),
        Some(_) | None => format!("{name} was not found."),
    }
}

/// Says when to come back, and whether a client should do so by itself.
///
/// openai-python gives up by itself beyond two minutes, openai-node falls back to its own short
/// back-off: `x-should-retry` tells both.
fn announce_retry(headers: &mut HeaderMap, retry_after_ms: u64) {
    headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_ms.div_ceil(1_000).max(1)));
    if retry_after_ms > RETRY_MS_MAX {
        headers
            .insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_rest_is_announced_truly_and_without_an_automatic_retry() {
        let error = ProxyError::AllKeysResting { retry_after_ms: Some(3_600_400) };

        let response = error.response(Dialect::OpenAi);

        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "3601");
        assert_eq!(response.headers()["x-should-retry"], "false");
    }

    #[test]
    fn a_short_rest_leaves_the_retry_to_the_client() {
        let error = ProxyError::AllKeysResting { retry_after_ms: Some(200) };

        let response = error.response(Dialect::Gemini);

        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert!(!response.headers().contains_key("x-should-retry"));
    }

    #[test]
    fn an_unknown_caller_learns_how_to_authenticate() {
        let response = ProxyError::UnknownCaller.response(Dialect::OpenAi);

        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    }
}
