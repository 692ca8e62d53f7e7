//! Reads an upstream's refusal: whose fault it is, how long to wait, in which words.
//!
//! Google says the same thing in several shapes: an error object, a list of one, a string code, a
//! sentence, a web page. Each ends up as one [`FailureKind`]; an unknown shape falls into the mildest
//! kind that fits. A 400 may quote the caller's own request, so there a sentence only counts when the
//! message begins with it: nobody can talk a good key dead.

mod redact;
mod words;

pub use redact::redact_keys;

use serde_json::Value;
use words::Words;

use crate::frames::Close;

/// The longest message kept, in characters.
const MESSAGE_CHARS_MAX: usize = 500;

/// Longer bodies are not parsed, only quoted.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// One refusal by the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// The HTTP status, or for an error inside a stream the one its code stands for.
    pub status: u16,
    /// How long the body asks us to wait, in milliseconds, however absurd.
    pub retry_after_ms: Option<u64>,
    /// The upstream's words, cut at 500 characters. They may quote a key: see [`redact_keys`].
    pub message: String,
    /// The quota that was exceeded; of several, the one that decided the kind.
    pub quota_id: Option<String>,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The key is wrong, expired or unknown.
    KeyInvalid,
    /// The key or its project is suspended, leaked, blocked, or without the service or billing.
    KeySuspended,
    /// The project's credit or spending cap is used up.
    NoCredit,
    /// More or less than one credential arrived: our own fault or a known upstream defect, and no
    /// sign against the key.
    MultipleCredentials,
    /// The upstream does not serve the place this request left from.
    LocationUnsupported,
    /// The key may not use this model.
    ModelDenied,
    /// A file or cached content is missing or belongs to another key's project.
    ResourceDenied,
    /// A daily quota is used up; it returns at the provider's midnight, whatever `retry_after_ms`.
    QuotaPerDay,
    /// A quota per minute is used up.
    QuotaPerMinute,
    /// The quota is zero: this project never gets this model.
    NotEntitled,
    /// Too much, without naming a quota.
    RateLimited,
    /// Any other 4xx: the request itself.
    BadRequest,
    /// The upstream's own trouble: 5xx, 529, or no answer of the API at all.
    Upstream,
}

impl FailureKind {
    /// Returns the stable word for this kind in logs, statistics and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeyInvalid => "key_invalid",
            Self::KeySuspended => "key_suspended",
            Self::NoCredit => "no_credit",
            Self::MultipleCredentials => "multiple_credentials",
            Self::LocationUnsupported => "location_unsupported",
            Self::ModelDenied => "model_denied",
            Self::ResourceDenied => "resource_denied",
            Self::QuotaPerDay => "quota_per_day",
            Self::QuotaPerMinute => "quota_per_minute",
            Self::NotEntitled => "not_entitled",
            Self::RateLimited => "rate_limited",
            Self::BadRequest => "bad_request",
            Self::Upstream => "upstream_error",
        }
    }
}

/// Reads the body of an error answer: an error object of either dialect, a list of one, text, a web
/// page, or nothing.
pub fn read(status: u16, body: &[u8]) -> Failure {
    let value = match body.len() {
        0..=BODY_BYTES_MAX => serde_json::from_slice::<Value>(body).ok(),
        _ => None,
    };
    let words = match value.as_ref().and_then(error_of) {
        Some(error) => Words::of_error(error),
        None => Words::of_text(body),
    };
    of_words(status, &words)
}

/// Reads an error that came inside a 200; its code field stands for the status. Takes the error
/// itself or the object around it.
pub fn failure_of_value(error: &Value) -> Failure {
    let words = Words::of_error(error_of(error).unwrap_or(error));
    of_words(words.status().unwrap_or(500), &words)
}

/// Reads why an upstream closed a Live session; `None` if it says that all is well. The number tells
/// little: Google puts what an HTTP answer would say into the words, cut at 123 bytes.
pub fn of_close(close: &Close) -> Option<Failure> {
    let words = Words::of_text(close.reason.as_bytes());
    let status = match close.code {
        None | Some(1000) => return None,
        Some(code) => status_of_close(code, &words.message),
    };
    Some(of_words(status, &words))
}

/// The HTTP status that a close would have been. What a client has written may be quoted, so only
/// the beginning of the words counts.
fn status_of_close(code: u16, reason: &str) -> u16 {
    const FORBIDDEN: [&str; 6] = [
        "Your API key was reported as leaked",
        "Consumer ",
        "Permission denied: Consumer ",
        "Generative Language API has not been used",
        "Gemini API has not been used",
        "Requests to this API",
    ];
    const TOO_MANY: [&str; 5] = [
        "You exceeded your current quota",
        "Quota exceeded",
        "Resource has been exhausted",
        "Resource exhausted",
        "RESOURCE_EXHAUSTED",
    ];
    let begins = |openings: &[&str]| openings.iter().any(|opening| reason.starts_with(opening));
    match code {
        1002 | 1003 | 1007..=1011 if begins(&TOO_MANY) => 429,
        1002 | 1003 | 1007..=1011 if begins(&FORBIDDEN) => 403,
        1011 if by_opening(&Words::of_text(reason.as_bytes())).is_some() => 400,
        1002 | 1003 | 1007..=1010 => 400,
        1001 | 1012 | 1013 => 503,
        1014 => 502,
        // Numbers of an application's own say nothing about the upstream.
        3000.. => 400,
        _ => 500,
    }
}

/// Reads the raw `error` of a stream event; it may have been cut off at a limit.
pub(crate) fn in_stream(raw: &[u8]) -> Failure {
    match serde_json::from_slice::<Value>(raw) {
        Ok(error) => failure_of_value(&error),
        Err(_) => of_words(500, &Words::of_text(raw)),
    }
}

/// Reads an error event that has its raw fields at the top, as the Responses API does.
pub(crate) fn of_event(code: Option<&[u8]>, message: Option<&[u8]>) -> Failure {
    let text = |raw: &[u8]| Value::from(String::from_utf8_lossy(raw));
    let value = |raw: &[u8]| serde_json::from_slice(raw).unwrap_or_else(|_| text(raw));
    let fields = [("code", code), ("message", message)];
    let fields = fields.into_iter().filter_map(|(key, raw)| Some((key, value(raw?))));
    failure_of_value(&fields.collect())
}

/// Finds the error in a body: under `error`, in the first element that has one, or the body itself.
fn error_of(body: &Value) -> Option<&Value> {
    match body {
        Value::Array(elements) => elements.iter().find_map(error_of),
        Value::Object(fields) => match fields.get("error") {
            Some(error) if !error.is_null() => Some(error),
            Some(_) | None => fields.contains_key("message").then_some(body),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn of_words(status: u16, words: &Words) -> Failure {
    Failure {
        kind: classify(status, words),
        status,
        retry_after_ms: words.retry_after_ms(),
        quota_id: words.quota_id().map(str::to_owned),
        message: words.message.chars().take(MESSAGE_CHARS_MAX).collect(),
    }
}

fn classify(status: u16, words: &Words) -> FailureKind {
    match status {
        401 | 403 if words.is_page => FailureKind::Upstream,
        400..=499 => by_reason(words)
            .or_else(|| by_opening(words))
            .unwrap_or_else(|| by_status(status, words)),
        _ => FailureKind::Upstream,
    }
}

/// A machine-readable reason is certain, whatever the status.
fn by_reason(words: &Words) -> Option<FailureKind> {
    words.reasons.iter().find_map(|reason| match reason.as_str() {
        "API_KEY_INVALID" | "invalid_api_key" => Some(FailureKind::KeyInvalid),
        "ACCESS_TOKEN_TYPE_UNSUPPORTED" => Some(FailureKind::KeyInvalid),
        "CONSUMER_SUSPENDED" | "CONSUMER_INVALID" => Some(FailureKind::KeySuspended),
        "SERVICE_DISABLED" | "BILLING_DISABLED" => Some(FailureKind::KeySuspended),
        "API_KEY_SERVICE_BLOCKED" | "API_KEY_HTTP_REFERRER_BLOCKED" => {
            Some(FailureKind::KeySuspended)
        }
        "API_KEY_IP_ADDRESS_BLOCKED" | "API_KEY_ANDROID_APP_BLOCKED" => {
            Some(FailureKind::KeySuspended)
        }
        "API_KEY_IOS_APP_BLOCKED" => Some(FailureKind::KeySuspended),
        "insufficient_quota" | "payment_required" => Some(FailureKind::NoCredit),
        "quota_exceeded" => Some(FailureKind::QuotaPerDay),
        _ => None,
    })
}

/// A sentence counts when the message begins with it.
fn by_opening(words: &Words) -> Option<FailureKind> {
    const OPENINGS: [(&str, FailureKind); 11] = [
        ("API key not valid", FailureKind::KeyInvalid),
        ("API key expired", FailureKind::KeyInvalid),
        ("API key not found", FailureKind::KeyInvalid),
        ("Multiple authentication credentials", FailureKind::MultipleCredentials),
        ("Missing or invalid Authorization header", FailureKind::MultipleCredentials),
        ("Method doesn't allow unregistered callers", FailureKind::MultipleCredentials),
        ("User location is not supported", FailureKind::LocationUnsupported),
        ("Gemini API free tier is not available in your country", FailureKind::LocationUnsupported),
        ("The free tier is not available in your country", FailureKind::LocationUnsupported),
        ("Your prepayment credits are depleted", FailureKind::NoCredit),
        ("Your project has exceeded its monthly spending cap", FailureKind::NoCredit),
    ];
    OPENINGS.iter().find(|(opening, _)| words.message.starts_with(opening)).map(|(_, kind)| *kind)
}

fn by_status(status: u16, words: &Words) -> FailureKind {
    match status {
        401 => FailureKind::KeyInvalid,
        402 => FailureKind::NoCredit,
        403 => forbidden(words),
        408 => FailureKind::Upstream,
        429 => too_many(words),
        _ => FailureKind::BadRequest,
    }
}

/// The mildest 403 is about the one model; the harder ones have to say so.
fn forbidden(words: &Words) -> FailureKind {
    let says = |text: &str| words.message.contains(text);
    if says("access the File") || says("CachedContent not found") || says("or it may not exist") {
        return FailureKind::ResourceDenied;
    }
    let is_suspended = says("has been suspended")
        || says("reported as leaked")
        || says("has not been used in project")
        || says("billing")
        || says("are blocked");
    if is_suspended { FailureKind::KeySuspended } else { FailureKind::ModelDenied }
}

/// The quota decides, not the wait: a daily refusal may ask for 25 seconds.
fn too_many(words: &Words) -> FailureKind {
    let says = |text: &str| words.message.contains(text);
    if says("prepayment credits") || says("spending cap") || says("spend-based limit") {
        FailureKind::NoCredit
    } else if words.has_zero_limit() {
        FailureKind::NotEntitled
    } else if words.is_daily() {
        FailureKind::QuotaPerDay
    } else if words.is_by_the_minute() {
        FailureKind::QuotaPerMinute
    } else {
        FailureKind::RateLimited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_cannot_talk_a_key_dead() {
        let quoting = |text: &str| {
            format!(r#"{{"error":{{"code":400,"message":"Invalid value: \"{text}\""}}}}"#)
        };

        for text in ["API key not valid", "Your API key was reported as leaked", "API_KEY_INVALID"]
        {
            check(400, &quoting(text), FailureKind::BadRequest);
        }
    }

    #[test]
    fn a_close_is_understood_by_its_words() {
        let kind = |code, reason: &str| {
            of_close(&Close { code: Some(code), reason: reason.to_owned() }).map(|it| it.kind)
        };
        assert_eq!(of_close(&Close::default()), None);
        assert_eq!(kind(1000, "API key not valid."), None);
        for (code, reason, expected) in [
            (1007, "API key not valid. Please pass a valid API key.", FailureKind::KeyInvalid),
            (1008, "API key expired. Please renew the API key.", FailureKind::KeyInvalid),
            (
                1008,
                "Method doesn't allow unregistered callers (callers without established identity).",
                FailureKind::MultipleCredentials,
            ),
            (
                1008,
                "models/x is not found for API version v1beta, or is not supported for bidi",
                FailureKind::BadRequest,
            ),
            (1008, "models/Consumer has been suspended is not found", FailureKind::BadRequest),
            (1007, "Invalid JSON payload received. Unknown name \"x\"", FailureKind::BadRequest),
            (1008, "Your API key was reported as leaked. Please", FailureKind::KeySuspended),
            (1008, "Consumer 'api_key:AIzaSyX' has been suspended.", FailureKind::KeySuspended),
            (1011, "Your prepayment credits are depleted. Please", FailureKind::NoCredit),
            (1011, "Your project has exceeded its monthly spending cap.", FailureKind::NoCredit),
            (1011, "You exceeded your current quota, please check", FailureKind::RateLimited),
            (1008, "Resource has been exhausted (e.g. check quota).", FailureKind::RateLimited),
            (1011, "Internal error encountered.", FailureKind::Upstream),
            (1001, "", FailureKind::Upstream),
            (1013, "The service is currently unavailable.", FailureKind::Upstream),
            (4000, "whatever", FailureKind::BadRequest),
        ] {
            assert_eq!(kind(code, reason), Some(expected), "{code} {reason}");
        }
    }

    #[test]
    fn every_status_has_a_mildest_kind() {
        for (status, kind) in [
            (400, FailureKind::BadRequest),
            (401, FailureKind::KeyInvalid),
            (402, FailureKind::NoCredit),
            (403, FailureKind::ModelDenied),
            (404, FailureKind::BadRequest),
            (408, FailureKind::Upstream),
            (413, FailureKind::BadRequest),
            (429, FailureKind::RateLimited),
            (500, FailureKind::Upstream),
            (529, FailureKind::Upstream),
            (302, FailureKind::Upstream),
        ] {
            for body in ["", "{}", "[]", "null", "some words", r#"{"error":null}"#, "\u{0}\u{1}"] {
                check(status, body, kind);
            }
        }
    }

    #[test]
    fn a_web_page_in_the_way_is_not_the_key() {
        let page = "<!DOCTYPE html><html><head><title>Access denied</title></head></html>";

        check(403, page, FailureKind::Upstream);
        check(401, page, FailureKind::Upstream);
        assert_eq!(read(403, page.as_bytes()).message, "Access denied");
    }

    #[test]
    fn the_code_of_an_error_in_a_stream_stands_for_its_status() {
        for (error, status, kind) in [
            (r#"{"code":503,"message":"overloaded"}"#, 503, FailureKind::Upstream),
            (r#"{"error":{"code":"429"}}"#, 429, FailureKind::RateLimited),
            (r#"{"code":"rate_limit_exceeded"}"#, 429, FailureKind::RateLimited),
            (r#"{"code":"quota_exceeded"}"#, 429, FailureKind::QuotaPerDay),
            (r#"{"status":"RESOURCE_EXHAUSTED"}"#, 429, FailureKind::RateLimited),
            (r#"{"type":"invalid_request_error","code":null}"#, 400, FailureKind::BadRequest),
            (r#"{"code":1e9}"#, 500, FailureKind::Upstream),
            (r#""broken""#, 500, FailureKind::Upstream),
        ] {
            let failure = failure_of_value(&serde_json::from_str(error).unwrap());
            assert_eq!((failure.status, failure.kind), (status, kind), "{error}");
        }
    }

    #[test]
    fn a_message_is_cut_by_characters() {
        let body = format!(r#"{{"error":{{"message":"{}"}}}}"#, "键".repeat(600));

        assert_eq!(read(400, body.as_bytes()).message, "键".repeat(500));
    }

    #[test]
    fn a_body_nested_too_deep_is_only_text() {
        let body = "[".repeat(100_000);

        check(429, &body, FailureKind::RateLimited);
    }

    fn check(status: u16, body: &str, kind: FailureKind) {
        assert_eq!(read(status, body.as_bytes()).kind, kind, "{status} {body:.60}");
    }
}
