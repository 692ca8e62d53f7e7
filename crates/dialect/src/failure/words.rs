//! What an error body says, whatever its shape, before anyone draws a conclusion from it.

use std::time::Duration;

use serde_json::Value;

/// How much of a body that is no error object is read, in bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// The words of one error.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) message: String,
    /// Reasons out of `ErrorInfo`, and string codes.
    pub(super) reasons: Vec<String>,
    /// The body is a web page, so it is not the API that answers.
    pub(super) is_page: bool,
    /// The number in `code`.
    number: Option<u16>,
    /// The `google.rpc` name, or OpenAI's `type`.
    names: Vec<String>,
    violations: Vec<Violation>,
    /// The longest wait among the details, in milliseconds.
    delay_ms: Option<u64>,
}

/// One exceeded quota.
#[derive(Clone, Debug)]
struct Violation {
    id: String,
    metric: String,
    is_zero: bool,
}

impl Words {
    /// Reads an error object, or an error that is only a string.
    pub(super) fn of_error(error: &Value) -> Self {
        let mut words = Self::default();
        match error {
            Value::String(message) => message.clone_into(&mut words.message),
            Value::Object(_) => words.read_object(error),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                words.message = error.to_string();
            }
        }
        words
    }

    /// Reads a body that is no error object: text, a web page, nothing.
    pub(super) fn of_text(body: &[u8]) -> Self {
        let (start, _) = body.split_at(body.len().min(TEXT_BYTES_MAX));
        let text = String::from_utf8_lossy(start);
        let text = text.trim();
        let is_page = text.starts_with('<');
        let message = if is_page { title(text).unwrap_or("a web page") } else { text };
        Self { message: message.to_owned(), is_page, ..Self::default() }
    }

    /// The status an error inside a stream stands for, by its number or its names.
    pub(super) fn status(&self) -> Option<u16> {
        let named = || self.reasons.iter().chain(&self.names).find_map(|name| status_named(name));
        self.number.or_else(named)
    }

    pub(super) fn retry_after_ms(&self) -> Option<u64> {
        self.delay_ms.or_else(|| {
            let (_, behind) = self.message.split_once("retry in ")?;
            duration_ms(behind.split_whitespace().next()?.trim_end_matches(['.', ',']))
        })
    }

    /// The quota that says most: none at all before a daily one before any other.
    pub(super) fn quota_id(&self) -> Option<&str> {
        let find = |wanted: fn(&Violation) -> bool| self.violations.iter().find(|it| wanted(it));
        find(|it| it.is_zero)
            .or_else(|| find(Violation::is_daily))
            .or_else(|| find(Violation::is_by_the_minute))
            .or_else(|| self.violations.first())
            .map(|violation| violation.id.as_str())
            .filter(|id| !id.is_empty())
    }

    pub(super) fn has_zero_limit(&self) -> bool {
        self.violations.iter().any(|violation| violation.is_zero)
            || self.message.split("limit:").skip(1).any(starts_with_zero)
    }

    pub(super) fn is_daily(&self) -> bool {
        match self.violations.as_slice() {
            [] => says_daily(&self.message),
            violations => violations.iter().any(Violation::is_daily),
        }
    }

    pub(super) fn is_by_the_minute(&self) -> bool {
        match self.violations.as_slice() {
            [] => says_by_the_minute(&self.message),
            violations => violations.iter().any(Violation::is_by_the_minute),
        }
    }

    fn read_object(&mut self, error: &Value) {
        self.message = text_of(error, "message").unwrap_or_default().to_owned();
        match error.get("code") {
            Some(Value::Number(code)) => {
                self.number = code.as_u64().and_then(|code| u16::try_from(code).ok());
            }
            Some(Value::String(code)) => match code.parse() {
                Ok(number) => self.number = Some(number),
                Err(_) => self.reasons.push(code.clone()),
            },
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {}
        }
        self.number = self.number.filter(|code| (400..600).contains(code));
        let names = ["status", "type"].into_iter().filter_map(|key| text_of(error, key));
        self.names.extend(names.map(str::to_owned));
        for detail in list_of(error, "details") {
            self.read_detail(detail);
        }
    }

    /// Details come in any order and are told apart by what they hold.
    fn read_detail(&mut self, detail: &Value) {
        if let Some(reason) = text_of(detail, "reason") {
            self.reasons.push(reason.to_owned());
        }
        if let Some(delay) = text_of(detail, "retryDelay") {
            self.delay_ms = self.delay_ms.max(duration_ms(delay));
        }
        for violation in list_of(detail, "violations") {
            let text = |key| text_of(violation, key).unwrap_or_default().to_owned();
            let is_zero = match violation.get("quotaValue") {
                Some(Value::String(value)) => value == "0",
                Some(Value::Number(value)) => value.as_u64() == Some(0),
                Some(_) | None => false,
            };
            self.violations.push(Violation {
                id: text("quotaId"),
                metric: text("quotaMetric"),
                is_zero,
            });
        }
    }
}

impl Violation {
    fn is_daily(&self) -> bool {
        says_daily(&self.id) || says_daily(&self.metric)
    }

    fn is_by_the_minute(&self) -> bool {
        says_by_the_minute(&self.id) || says_by_the_minute(&self.metric)
    }
}

fn says_daily(text: &str) -> bool {
    ["PerDay", "Daily", "per_day", "per day"].iter().any(|word| text.contains(word))
}

fn says_by_the_minute(text: &str) -> bool {
    ["PerMinute", "per_minute", "per minute"].iter().any(|word| text.contains(word))
}

/// Tells `limit: 0` from `limit: 0.5` and `limit: 05`.
fn starts_with_zero(behind: &str) -> bool {
    let Some(behind) = behind.trim_start().strip_prefix('0') else {
        return false;
    };
    let mut next = behind.chars();
    match next.next() {
        Some('.') => !next.next().is_some_and(|digit| digit.is_ascii_digit()),
        Some(digit) => !digit.is_ascii_digit(),
        None => true,
    }
}

fn status_named(name: &str) -> Option<u16> {
    match name {
        "invalid_request" | "failed_precondition" | "parameter_unknown" => Some(400),
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => Some(400),
        "invalid_request_error" => Some(400),
        "authentication" | "authentication_error" | "UNAUTHENTICATED" => Some(401),
        "payment_required" => Some(402),
        "permission_denied" | "permission_error" | "PERMISSION_DENIED" => Some(403),
        "not_found" | "model_not_found" | "NOT_FOUND" => Some(404),
        "out_of_range" => Some(416),
        "rate_limit_exceeded" | "quota_exceeded" | "insufficient_quota" => Some(429),
        "rate_limit_error" | "RESOURCE_EXHAUSTED" => Some(429),
        "cancelled" | "CANCELLED" => Some(499),
        "UNIMPLEMENTED" => Some(501),
        "UNAVAILABLE" | "unavailable" | "overloaded_error" => Some(503),
        "DEADLINE_EXCEEDED" | "deadline_exceeded" => Some(504),
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" | "server_error" => Some(500),
        _ => None,
    }
}

/// Reads `34.07s`, `900ms`, `1h2m3.5s`. Nonsense and negative waits are none, enormous ones the
/// largest number.
fn duration_ms(text: &str) -> Option<u64> {
    let mut total_ms: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let is_part = |char: char| char.is_ascii_digit() || char == '.';
        let length = rest.find(|char| !is_part(char))?;
        let (number, tail) = rest.split_at(length);
        let (scale_ms, tail) = unit(tail)?;
        total_ms = total_ms.saturating_add(scaled(number.parse().ok()?, scale_ms)?);
        rest = tail;
    }
    Some(total_ms)
}

/// Takes a unit off and returns its length in milliseconds.
fn unit(text: &str) -> Option<(f64, &str)> {
    [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3600e3)]
        .into_iter()
        .find_map(|(name, scale_ms)| Some((scale_ms, text.strip_prefix(name)?)))
}

fn scaled(number: f64, scale_ms: f64) -> Option<u64> {
    let seconds = number * scale_ms / 1e3;
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Some(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// The title of a web page says more than its first line.
fn title(page: &str) -> Option<&str> {
    let (_, behind) = page.split_once("<title>")?;
    let (title, _) = behind.split_once("</title>")?;
    Some(title.trim()).filter(|title| !title.is_empty())
}

fn text_of<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

fn list_of<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_wait_is_read() {
        for (text, expected) in [
            ("34.07s", Some(34_070)),
            ("900ms", Some(900)),
            ("65205s", Some(65_205_000)),
            ("1h2m3.5s", Some(3_723_500)),
            ("0s", Some(0)),
            ("1000000000s", Some(1_000_000_000_000)),
            ("99999999999999999999999999s", Some(u64::MAX)),
            ("1e9", None),
            ("-5s", None),
            ("s", None),
            ("5", None),
            ("", None),
            ("..s", None),
            ("soon", None),
            ("٣s", None),
        ] {
            assert_eq!(duration_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn a_wait_in_the_message_counts_when_the_details_have_none() {
        for (message, expected) in [
            ("Quota exceeded. Please retry in 34.07s.", Some(34_070)),
            ("Please retry in 900ms, or pay", Some(900)),
            ("Please retry in a while", None),
            ("Please retry in ", None),
        ] {
            let words = Words { message: message.to_owned(), ..Words::default() };
            assert_eq!(words.retry_after_ms(), expected, "{message}");
        }
    }

    #[test]
    fn a_zero_limit_is_not_a_small_limit() {
        for (message, expected) in [
            ("limit: 0", true),
            ("limit: 0, model: x", true),
            ("limit:0.", true),
            ("limit: 0.5", false),
            ("limit: 05", false),
            ("limit: 10", false),
            ("limit: 10, limit: 0\nPlease", true),
        ] {
            let words = Words { message: message.to_owned(), ..Words::default() };
            assert_eq!(words.has_zero_limit(), expected, "{message}");
        }
    }
}
