//! What an admin's call can be refused with: status, stable code, and words that say what to do.
//!
//! Every refusal looks alike: `{"detail": …, "error": {"code": …}, "request_id": …}`, where `detail`
//! is a sentence, or for what was not understood a list in the form of FastAPI, which existing
//! scripts know. Making the answer has no side effect; the frame around every call logs its cause.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::problem::Problem;
use crate::feed::TooManySubscribers;
use crate::jobs::TooManyJobs;
use crate::password::PasswordError;
use crate::sessions::{BeginError, SessionError};
use crate::store::error::StoreError;
use crate::token::TokenError;

/// When to look again for room at a feed.
const SUBSCRIBER_RETRY_S: u64 = 10;

/// Why an admin's call was refused or failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// No session token where one is needed.
    #[error("no session token")]
    NotAuthenticated,
    /// A session token that does not count.
    #[error("session token refused: {0}")]
    BadToken(SessionError),
    /// A call that a page of another site made in the admin's browser.
    #[error("call from a page of another origin")]
    ForeignOrigin,
    /// Another password than the admin's, at the login.
    #[error("wrong password")]
    WrongLogin,
    /// Another password than the admin's, from somebody who is logged in.
    #[error("wrong password within a session")]
    WrongPassword,
    /// Too many passwords were tried.
    #[error("too many passwords tried")]
    Throttled {
        /// When to come again.
        retry_after: Duration,
    },
    /// There is nothing of this name; the text says of what kind.
    #[error("{0}")]
    NotFound(&'static str),
    /// The path is there, for other methods.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// What is there already stands in the way.
    #[error("{0}")]
    Conflict(&'static str),
    /// What was sent is not what is expected here.
    #[error("request not understood")]
    Invalid(Vec<Problem>),
    /// A body that is neither JSON nor, at the login, a form.
    #[error("unknown content type")]
    MediaType,
    /// A body beyond the limit of its path.
    #[error("body too large")]
    BodyTooLarge,
    /// A body that did not arrive in time.
    #[error("body too slow")]
    BodyTimeout,
    /// A body that ended before its end.
    #[error("body broke off")]
    BodyBroken,
    /// The upstream did not delete what it keeps; the text holds its words.
    #[error("not deleted at the upstream: {0}")]
    NotDeleted(String),
    /// More watch a feed than may.
    #[error(transparent)]
    TooManySubscribers(#[from] TooManySubscribers),
    /// More jobs are not done yet than may be.
    #[error(transparent)]
    TooManyJobs(#[from] TooManyJobs),
    /// The database could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else that is our own fault.
    #[error("{0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The body of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// What is wrong and what to do about it.
    detail: Detail,
    error: ErrorCode,
    /// Names the call in the log.
    request_id: String,
}

/// The part of a refusal for programs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorCode {
    /// A stable word for the kind of error.
    code: &'static str,
}

/// A sentence, or the list of what was not understood.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Detail {
    /// For all errors but those of validation.
    Sentence(String),
    /// One entry for each mistake in the request.
    Problems(Vec<Problem>),
}

impl ApiError {
    /// A defect of ours with its cause.
    pub(super) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// A command of ours that did not come to its end.
    pub(super) fn panicked() -> Self {
        Self::internal("a command panicked")
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotAuthenticated | Self::BadToken(_) | Self::WrongLogin => {
                StatusCode::UNAUTHORIZED
            }
            Self::ForeignOrigin | Self::WrongPassword => StatusCode::FORBIDDEN,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) | Self::TooManyJobs(_) | Self::Store(StoreError::Taken(_)) => {
                StatusCode::CONFLICT
            }
            Self::Invalid(_) | Self::Store(StoreError::TooManyPoints(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::NotDeleted(_) => StatusCode::BAD_GATEWAY,
            Self::TooManySubscribers(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(
                StoreError::Busy
                | StoreError::Full
                | StoreError::ReadOnly
                | StoreError::Disk(_)
                | StoreError::Closed,
            ) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(StoreError::Corrupt(_) | StoreError::Failed(_)) | Self::Internal(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// The stable code.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NotAuthenticated => "not_authenticated",
            Self::BadToken(SessionError::Token(TokenError::Expired)) => "token_expired",
            Self::BadToken(SessionError::Token(_)) => "invalid_token",
            Self::BadToken(SessionError::Ended) => "session_ended",
            Self::ForeignOrigin => "foreign_origin",
            Self::WrongLogin | Self::WrongPassword => "wrong_password",
            Self::Throttled { .. } => "too_many_attempts",
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict(_) | Self::Store(StoreError::Taken(_)) => "conflict",
            Self::Invalid(_) => "validation_error",
            Self::MediaType => "unsupported_media_type",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyBroken => "body_incomplete",
            Self::NotDeleted(_) => "not_deleted",
            Self::TooManySubscribers(_) => "too_many_subscribers",
            Self::TooManyJobs(_) => "too_many_jobs",
            Self::Store(StoreError::Busy) => "database_busy",
            Self::Store(StoreError::Full) => "database_full",
            Self::Store(StoreError::ReadOnly) => "database_read_only",
            Self::Store(StoreError::Disk(_)) => "database_disk_failed",
            Self::Store(StoreError::Closed) => "shutting_down",
            Self::Store(StoreError::TooManyPoints(_)) => "range_too_large",
            Self::Store(StoreError::Corrupt(_) | StoreError::Failed(_)) => "database_failed",
            Self::Internal(_) => "internal",
        }
    }

    /// The whole body of the answer.
    pub(super) fn body(&self, request_id: String) -> ErrorBody {
        ErrorBody { detail: self.detail(), error: ErrorCode { code: self.code() }, request_id }
    }

    /// The sentence of the answer, for whoever reads it later.
    pub(super) fn words(&self) -> String {
        match self.detail() {
            Detail::Sentence(words) => words,
            Detail::Problems(_) => self.to_string(),
        }
    }

    fn detail(&self) -> Detail {
        let fixed = match self {
            Self::Invalid(problems) => return Detail::Problems(problems.clone()),
            Self::BadToken(error) => {
                return Detail::Sentence(format!("无效的认证凭据: {}", token_words(*error)));
            }
            Self::Throttled { retry_after } => {
                let seconds = retry_after.as_secs();
                return Detail::Sentence(format!(
                    "Too many attempts. Try again in {seconds} seconds."
                ));
            }
            Self::Store(StoreError::TooManyPoints(limit)) => {
                return Detail::Sentence(format!(
                    "The answer would have more than {limit} points in time. Ask for a shorter \
                     range or a longer unit."
                ));
            }
            Self::NotDeleted(words) => {
                return Detail::Sentence(format!(
                    "The upstream did not delete it: {words}. Try again later."
                ));
            }
            Self::TooManySubscribers(_) => {
                "Too many are watching already. Close one of them and try again."
            }
            Self::TooManyJobs(_) => {
                "Too many jobs are not done yet. Wait for one of them, or cancel it."
            }
            Self::NotAuthenticated => "Not authenticated",
            Self::ForeignOrigin => "A page of another site may not do this.",
            Self::WrongLogin => "不正确的用户名或密码",
            Self::WrongPassword => "The password is not the right one.",
            Self::NotFound(what) | Self::Conflict(what) => what,
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::MediaType => "Send the body as application/json.",
            Self::BodyTooLarge => "The request body is too large.",
            Self::BodyTimeout => "The request body did not arrive in time.",
            Self::BodyBroken => "The request body ended before its end.",
            Self::Store(StoreError::Taken(_)) => "This exists already.",
            Self::Store(StoreError::Busy) => "The database is busy. Try again shortly.",
            Self::Store(StoreError::Full) => {
                "The volume of the database is full. Free some space and try again."
            }
            Self::Store(StoreError::ReadOnly) => {
                "The database cannot be written. Look at the permissions of its directory."
            }
            Self::Store(StoreError::Disk(_)) => {
                "The disk of the database cannot be read or written. Look at its volume."
            }
            Self::Store(StoreError::Closed) => "The gateway is shutting down. Try again shortly.",
            Self::Store(StoreError::Corrupt(_) | StoreError::Failed(_)) | Self::Internal(_) => {
                "The gateway failed on this call. Its log says why."
            }
        };
        Detail::Sentence(fixed.to_owned())
    }

    /// Whole seconds after which to come again, where that is known.
    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Throttled { retry_after } => Some(retry_after.as_secs().max(1)),
            Self::Store(StoreError::Busy | StoreError::Closed) => Some(1),
            Self::TooManySubscribers(_) => Some(SUBSCRIBER_RETRY_S),
            Self::NotAuthenticated
            | Self::BadToken(_)
            | Self::ForeignOrigin
            | Self::WrongLogin
            | Self::WrongPassword
            | Self::NotFound(_)
            | Self::MethodNotAllowed
            | Self::Conflict(_)
            | Self::Invalid(_)
            | Self::MediaType
            | Self::BodyTooLarge
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::NotDeleted(_)
            | Self::TooManyJobs(_)
            | Self::Store(_)
            | Self::Internal(_) => None,
        }
    }
}

/// The words that scripts written for the Python version may look for.
fn token_words(error: SessionError) -> &'static str {
    match error {
        SessionError::Token(TokenError::Foreign) => "Not enough segments",
        SessionError::Token(TokenError::Forged | TokenError::Malformed) => {
            "Signature verification failed."
        }
        SessionError::Token(TokenError::Expired) => "Signature has expired.",
        SessionError::Token(TokenError::Early) => "The token is not yet valid (nbf)",
        SessionError::Ended => "Session has ended.",
    }
}

/// Carries the error beside an empty body: the frame, which knows the name of the call, writes it.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        let headers = response.headers_mut();
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        Self::BadToken(error)
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Throttled { retry_after: Duration::from_secs(1) },
            PasswordError::Hash(_) | PasswordError::Random(_) | PasswordError::Stopped => {
                Self::internal(error)
            }
        }
    }
}

impl From<BeginError> for ApiError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Store(error) => Self::Store(error),
            BeginError::Random(_) | BeginError::Token(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_is_told_in_the_words_that_scripts_know() {
        let error = ApiError::BadToken(SessionError::Token(TokenError::Expired));

        assert_eq!(
            serde_json::to_value(error.body("ab12".to_owned())).unwrap(),
            serde_json::json!({
                "detail": "无效的认证凭据: Signature has expired.",
                "error": {"code": "token_expired"},
                "request_id": "ab12",
            })
        );
        assert_eq!(error.into_response().headers()[WWW_AUTHENTICATE], "Bearer");
    }

    #[test]
    fn nothing_of_a_cause_reaches_the_answer() {
        for error in [
            ApiError::internal("canary"),
            ApiError::Store(StoreError::Corrupt("canary".to_owned())),
            ApiError::Store(StoreError::Failed("canary".into())),
        ] {
            let body = serde_json::to_string(&error.body(String::new())).unwrap();

            assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert!(!body.contains("canary"), "{body}");
            assert!(error.to_string().contains("canary"), "the log has it");
        }
    }

    #[test]
    fn who_must_wait_is_told_how_long() {
        let throttled = ApiError::Throttled { retry_after: Duration::from_secs(10) };

        assert_eq!(throttled.into_response().headers()[RETRY_AFTER], "10");
        let busy = ApiError::Store(StoreError::Busy).into_response();
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers()[RETRY_AFTER], "1");
    }
}
