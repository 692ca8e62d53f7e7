//! Ready-made answers: every refusal, every strange 200, every way a connection breaks.

use crate::{
    answer::{Answer, Ending, Fault, Point, Step},
    live::Live,
    options::{Decoration, ErrorForm, LineEnd, Options, StreamError, UsageForm},
    refusal::Refusal,
};

impl Answer {
    /// 400 `API_KEY_INVALID`: the key is not valid.
    pub fn key_invalid() -> Self {
        Self::Refusal(Refusal::KeyInvalid)
    }

    /// 400 `API_KEY_INVALID`: the key has expired.
    pub fn key_expired() -> Self {
        Self::Refusal(Refusal::KeyExpired)
    }

    /// 400 `API_KEY_INVALID`: the key was not found.
    pub fn key_not_found() -> Self {
        Self::Refusal(Refusal::KeyNotFound)
    }

    /// 401 `ACCESS_TOKEN_TYPE_UNSUPPORTED`.
    pub fn unauthorized() -> Self {
        Self::Refusal(Refusal::Unauthorized)
    }

    /// 400: more than one credential.
    pub fn multiple_credentials() -> Self {
        Self::Refusal(Refusal::MultipleCredentials)
    }

    /// 400: the caller's country is not served.
    pub fn location_unsupported() -> Self {
        Self::Refusal(Refusal::LocationUnsupported)
    }

    /// 404: no such model.
    pub fn model_not_found() -> Self {
        Self::Refusal(Refusal::ModelNotFound)
    }

    /// 402: the prepaid credit is gone.
    pub fn no_credit() -> Self {
        Self::Refusal(Refusal::NoCredit)
    }

    /// 429 with the words of [`Answer::no_credit`].
    pub fn prepayment() -> Self {
        Self::Refusal(Refusal::Prepayment)
    }

    /// 429: the monthly spending cap is reached.
    pub fn spending_cap() -> Self {
        Self::Refusal(Refusal::SpendingCap)
    }

    /// 403 `CONSUMER_SUSPENDED`; repeats the whole key.
    pub fn suspended() -> Self {
        Self::Refusal(Refusal::Suspended)
    }

    /// 403: the key was reported as leaked.
    pub fn leaked() -> Self {
        Self::Refusal(Refusal::Leaked)
    }

    /// 403 `SERVICE_DISABLED`.
    pub fn service_disabled() -> Self {
        Self::Refusal(Refusal::ServiceDisabled)
    }

    /// 403 `API_KEY_SERVICE_BLOCKED`.
    pub fn service_blocked() -> Self {
        Self::Refusal(Refusal::ServiceBlocked)
    }

    /// 403 `BILLING_DISABLED`.
    pub fn billing_disabled() -> Self {
        Self::Refusal(Refusal::BillingDisabled)
    }

    /// 403: another project's file.
    pub fn file_denied() -> Self {
        Self::Refusal(Refusal::FileDenied)
    }

    /// 403: another project's cached content.
    pub fn cache_denied() -> Self {
        Self::Refusal(Refusal::CacheDenied)
    }

    /// 403: the key may not use this model.
    pub fn model_denied() -> Self {
        Self::Refusal(Refusal::ModelDenied)
    }

    /// 429: the quota is 0.
    pub fn limit_zero() -> Self {
        Self::Refusal(Refusal::LimitZero)
    }

    /// 429 without details.
    pub fn rate_limited_bare() -> Self {
        Self::Refusal(Refusal::RateLimitedBare)
    }

    /// 503: the model is overloaded.
    pub fn overloaded() -> Self {
        Self::Refusal(Refusal::Overloaded)
    }

    /// 400 `INVALID_ARGUMENT` with these words.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::Refusal(Refusal::BadRequest { message: message.into() })
    }

    /// 429: quota per minute, with this wait.
    pub fn quota_per_minute(seconds: u64) -> Self {
        Self::Refusal(Refusal::QuotaPerMinute { seconds })
    }

    /// 429: quota per day, with this wait.
    pub fn quota_per_day(seconds: u64) -> Self {
        Self::Refusal(Refusal::QuotaPerDay { seconds })
    }

    /// 429: quotas per minute and per day at once, with this wait.
    pub fn quota_per_minute_and_day(seconds: u64) -> Self {
        Self::Refusal(Refusal::QuotaPerMinuteAndDay { seconds })
    }

    /// 429 without details but with this `Retry-After` header.
    pub fn retry_after(value: impl Into<String>) -> Self {
        Self::Refusal(Refusal::RetryAfter { value: value.into() })
    }

    /// A 5xx with the words that go with it.
    pub fn server_error(code: u16) -> Self {
        Self::Refusal(Refusal::ServerError { code })
    }

    /// A status with a body of this type.
    pub fn status(code: u16, content_type: &str, body: impl Into<String>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::Status { code, headers, body: body.into() }
    }

    /// A status with a JSON body.
    pub fn json(code: u16, body: impl Into<String>) -> Self {
        Self::status(code, "application/json; charset=UTF-8", body)
    }

    /// 200 with a web page.
    pub fn html_200() -> Self {
        Self::status(200, "text/html", "<!DOCTYPE html><html><body>Sign in</body></html>")
    }

    /// 200 with an empty body.
    pub fn empty_200() -> Self {
        Self::json(200, "")
    }

    /// 200 that claims to be JSON and is not.
    pub fn not_json_200() -> Self {
        Self::json(200, r#"{"candidates":[{"content":"#)
    }

    /// 200 with an empty list.
    pub fn list_200() -> Self {
        Self::json(200, "[]")
    }

    /// 200 with `null`.
    pub fn null_200() -> Self {
        Self::json(200, "null")
    }

    /// 200 with an error object.
    pub fn error_in_200() -> Self {
        let error = r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#;
        Self::json(200, error)
    }

    /// A redirection to another place.
    pub fn redirect(code: u16, location: impl Into<String>) -> Self {
        let headers = vec![("location".to_owned(), location.into())];
        Self::Status { code, headers, body: String::new() }
    }

    /// Declares so many bytes more than it sends, then closes.
    pub fn short_body(missing_bytes: u32) -> Self {
        Self::believable().with(Fault::Length { difference: i64::from(missing_bytes) })
    }

    /// Declares so many bytes fewer than it sends, then closes.
    pub fn long_body(extra_bytes: u32) -> Self {
        Self::believable().with(Fault::Length { difference: -i64::from(extra_bytes) })
    }

    /// The believable answer with so many headers of one KiB each.
    pub fn huge_headers(kib: usize) -> Self {
        let filler = |number| (format!("x-filler-{number}"), "x".repeat(1000));
        Self::believable().with(Fault::Headers((0..kib).map(filler).collect()))
    }

    /// The believable answer with headers that are nobody's business but the upstream's.
    pub fn private_headers() -> Self {
        let headers = [
            ("set-cookie", "NID=secret; Path=/"),
            ("location", "https://example.com/"),
            ("x-goog-api-key", "leaked-by-upstream"),
            ("alt-svc", "h3=\":443\"; ma=2592000"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self::believable().with(Fault::Headers(headers.into_iter().map(owned).collect()))
    }

    /// The believable answer, stopped at a point.
    pub fn cut(at: Point, ending: Ending) -> Self {
        Self::believable().with(Fault::Cut { at, ending })
    }

    /// A reset before any byte.
    pub fn reset() -> Self {
        Self::cut(Point::Start, Ending::Reset)
    }

    /// A close before any byte.
    pub fn close() -> Self {
        Self::cut(Point::Start, Ending::Close)
    }

    /// Silence before any byte.
    pub fn stall() -> Self {
        Self::cut(Point::Start, Ending::Stall)
    }

    /// A reset behind so many events; behind the headers for 0.
    pub fn reset_after(events: usize) -> Self {
        Self::cut(Point::Events(events), Ending::Reset)
    }

    /// A close behind so many events; behind the headers for 0.
    pub fn close_after(events: usize) -> Self {
        Self::cut(Point::Events(events), Ending::Close)
    }

    /// Silence behind so many events; behind the headers for 0.
    pub fn stall_after(events: usize) -> Self {
        Self::cut(Point::Events(events), Ending::Stall)
    }

    /// The body a byte at a time.
    pub fn one_byte_per_write() -> Self {
        Self::believable().with(Fault::Pieces { bytes: 1 })
    }

    /// An error event in the stream behind so many events.
    pub fn error_event_after(events: usize, code: u16) -> Self {
        Self::stream_error(events, code, ErrorForm::Event)
    }

    /// A JSON error in bare lines in the stream behind so many events.
    pub fn bare_error_after(events: usize, code: u16) -> Self {
        Self::stream_error(events, code, ErrorForm::BareLines)
    }

    fn stream_error(after_events: usize, code: u16, form: ErrorForm) -> Self {
        let error = Some(StreamError { after_events, code, form });
        Self::Default(Options { error, ..Options::default() })
    }

    /// Never says why it ended.
    pub fn no_finish_reason() -> Self {
        Self::Default(Options { finish: false, ..Options::default() })
    }

    /// An OpenAI stream without `[DONE]`.
    pub fn no_done() -> Self {
        Self::decorated([Decoration::NoDone])
    }

    /// A stream without a blank line behind its last event.
    pub fn no_last_blank_line() -> Self {
        Self::decorated([Decoration::NoLastBlankLine])
    }

    /// Token counts in this form.
    pub fn usage(usage: UsageForm) -> Self {
        Self::Default(Options { usage, ..Options::default() })
    }

    /// A stream with these line ends.
    pub fn line_end(line_end: LineEnd) -> Self {
        Self::Default(Options { line_end: Some(line_end), ..Options::default() })
    }

    /// A stream written in an unusual way.
    pub fn decorated(decorations: impl Into<Vec<Decoration>>) -> Self {
        Self::Default(Options { decorations: decorations.into(), ..Options::default() })
    }

    /// One event with a data line of so many MiB.
    pub fn giant_line(mib: usize) -> Self {
        Self::Default(Options { chunks: 1, text_bytes: mib << 20, ..Options::default() })
    }

    /// A paced stream.
    pub fn paced(chunks: usize, pace_ms: u64) -> Self {
        Self::Default(Options { chunks, pace_ms, ..Options::default() })
    }

    /// A prompt refused in an answer of status 200.
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self::Default(Options { block_reason: Some(reason.into()), ..Options::default() })
    }

    /// Exactly these steps.
    pub fn steps(steps: impl Into<Vec<Step>>) -> Self {
        Self::Steps(steps.into())
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<Live> for Answer {
    fn from(live: Live) -> Self {
        Self::Live(live)
    }
}

impl From<Options> for Answer {
    fn from(options: Options) -> Self {
        Self::Default(options)
    }
}
