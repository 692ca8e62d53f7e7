//! A refusal is always understood as something, within limits, and no key gets through a redaction.

use dialect::failure::{failure_of_value, read};
use dialect::{Failure, FailureKind, redact_keys};

/// Input: the status in three digits, and the body.
pub fn holds(input: &[u8]) {
    let (digits, body) = input.split_at(input.len().min(3));
    let status = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(500);
    let failure = read(status, body);
    assert_eq!(failure.status, status);
    is_within_limits(&failure);
    if let Ok(value) = serde_json::from_slice(body) {
        is_within_limits(&failure_of_value(&value));
    }
    hides_every_key(&failure.message);
    hides_every_key(&String::from_utf8_lossy(body));
}

fn is_within_limits(failure: &Failure) {
    assert!(failure.message.chars().count() <= 500);
    if !(400..=499).contains(&failure.status) {
        assert_eq!(failure.kind, FailureKind::Upstream);
    }
}

fn hides_every_key(text: &str) {
    let clean = redact_keys(text);
    for prefix in ["AIza", "AQ."] {
        for (at, _) in clean.match_indices(prefix) {
            let is_part = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
            let behind = clean[at + prefix.len()..].chars().take_while(is_part).count();
            assert!(behind < 8, "a key is left in {clean:?}");
        }
    }
    assert_eq!(redact_keys(&clean), clean, "twice");
}
