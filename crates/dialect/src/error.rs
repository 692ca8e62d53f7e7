//! The gateway's own errors in the words of each dialect.
//!
//! Clients choose their exception by status and then read the body by name, so both envelopes are
//! complete: OpenAI has all four keys, Gemini the number, the text and the `google.rpc` name.

use serde_json::Value;

use crate::Dialect;

/// An error the gateway has to tell a caller.
#[derive(Clone, Copy, Debug)]
pub struct ErrorBody<'a> {
    /// The HTTP status of the answer, or the one it would have had.
    pub status: u16,
    /// What went wrong and what to do about it, for people.
    pub message: &'a str,
    /// The stable snake_case name of the error; OpenAI's `code`.
    pub code: &'a str,
    /// How long the caller should wait, in milliseconds; Gemini's `RetryInfo`.
    pub retry_after_ms: Option<u64>,
}

impl ErrorBody<'_> {
    pub(crate) fn render(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::OpenAi => self.openai(),
            Dialect::Gemini => self.gemini(),
        }
    }

    fn openai(&self) -> String {
        let message = Value::from(self.message);
        let code = Value::from(self.code);
        let kind = openai_type(self.status, self.code);
        format!(r#"{{"error":{{"message":{message},"type":"{kind}","param":null,"code":{code}}}}}"#)
    }

    fn gemini(&self) -> String {
        let code = self.status;
        let message = Value::from(self.message);
        let status = google_status(code);
        let details = match self.retry_after_ms {
            Some(delay_ms) => format!(
                r#","details":[{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{}"}}]"#,
                seconds(delay_ms)
            ),
            None => String::new(),
        };
        format!(r#"{{"error":{{"code":{code},"message":{message},"status":"{status}"{details}}}}}"#)
    }
}

/// The customary `type` beside a status; there is no list of them, only habit.
fn openai_type(status: u16, code: &str) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 if code == "insufficient_quota" => "insufficient_quota",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// The `google.rpc.Code` that Google sends with a status.
fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        405 | 501 => "UNIMPLEMENTED",
        409 => "ABORTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        499 => "CANCELLED",
        400..=499 => "INVALID_ARGUMENT",
        502 | 503 | 529 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

/// A protobuf duration: `7s`, or `34.070s` where milliseconds are needed.
fn seconds(delay_ms: u64) -> String {
    match delay_ms % 1000 {
        0 => format!("{}s", delay_ms / 1000),
        fraction => format!("{}.{fraction:03}s", delay_ms / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openai_error_has_all_four_keys() {
        check(
            Dialect::OpenAi,
            429,
            None,
            r#"{"error":{"message":"say \"when\"","type":"rate_limit_error","param":null,"code":"no_key"}}"#,
        );
        check(
            Dialect::OpenAi,
            502,
            Some(5),
            r#"{"error":{"message":"say \"when\"","type":"server_error","param":null,"code":"no_key"}}"#,
        );
    }

    #[test]
    fn a_gemini_error_has_the_rpc_status_of_its_number() {
        check(
            Dialect::Gemini,
            404,
            None,
            r#"{"error":{"code":404,"message":"say \"when\"","status":"NOT_FOUND"}}"#,
        );
        check(
            Dialect::Gemini,
            502,
            None,
            r#"{"error":{"code":502,"message":"say \"when\"","status":"UNAVAILABLE"}}"#,
        );
    }

    #[test]
    fn a_gemini_error_tells_the_wait_as_retry_info() {
        check(
            Dialect::Gemini,
            429,
            Some(34_070),
            r#"{"error":{"code":429,"message":"say \"when\"","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.070s"}]}}"#,
        );
        assert_eq!(seconds(7_000), "7s");
    }

    #[test]
    fn an_error_event_is_one_data_line_and_a_blank_line() {
        let error = ErrorBody { status: 500, message: "a\nb", code: "x", retry_after_ms: None };

        for dialect in [Dialect::OpenAi, Dialect::Gemini] {
            let event = String::from_utf8(dialect.error_event(&error)).unwrap();
            assert!(event.starts_with("data: {\"error\":{"));
            assert!(event.ends_with("}\n\n"));
            assert_eq!(event.matches('\n').count(), 2);
        }
    }

    fn check(dialect: Dialect, status: u16, retry_after_ms: Option<u64>, expected: &str) {
        let error = ErrorBody { status, message: "say \"when\"", code: "no_key", retry_after_ms };
        let body = String::from_utf8(dialect.error_body(&error)).unwrap();
        assert_eq!(body, expected);
        assert!(serde_json::from_str::<Value>(&body).is_ok());
    }
}
