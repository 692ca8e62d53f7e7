//! Path segments: decoded once at the door, encoded strictly on the way out.
//!
//! Whatever a decoded segment holds, encoded it is exactly one segment: it cannot add another, a query
//! or a fragment.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::path::PathError;

/// No client needs a longer path, in bytes.
const PATH_BYTES_MAX: usize = 16 * 1024;

/// Everything but the unreserved characters of RFC 3986.
const ID: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A colon is only special before a verb.
const SEGMENT: AsciiSet = ID.remove(b':');

/// Splits a raw path into decoded segments, dropping empty ones.
///
/// # Errors
///
/// `BadPath` for what no honest client sends: too long, not UTF-8, control or bidirectional
/// characters, dots that would climb.
pub(crate) fn split(path: &str) -> Result<Vec<Cow<'_, str>>, PathError> {
    if PATH_BYTES_MAX < path.len() {
        return Err(PathError::BadPath("the path is too long"));
    }
    path.split('/').filter(|raw| !raw.is_empty()).map(decode).collect()
}

/// Encodes a segment, leaving a colon alone.
pub(crate) fn encode(segment: &str) -> Cow<'_, str> {
    encoded(segment, &SEGMENT)
}

/// Encodes an id so that it can also not add a verb.
pub(crate) fn encode_id(id: &str) -> Cow<'_, str> {
    encoded(id, &ID)
}

fn encoded<'t>(text: &'t str, set: &'static AsciiSet) -> Cow<'t, str> {
    if text.bytes().all(is_unreserved) {
        text.into()
    } else {
        utf8_percent_encode(text, set).into()
    }
}

/// What stands for itself in every part of a path.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn decode(raw: &str) -> Result<Cow<'_, str>, PathError> {
    let is_plain = raw.bytes().all(|byte| is_unreserved(byte) || byte == b':');
    if is_plain && !matches!(raw, "." | "..") {
        return Ok(raw.into());
    }
    let Ok(segment) = percent_decode_str(raw).decode_utf8() else {
        return Err(PathError::BadPath("the path is not UTF-8"));
    };
    if segment.chars().any(is_dangerous) {
        return Err(PathError::BadPath("the path has control characters in it"));
    }
    if segment.split(['/', '\\']).any(|part| matches!(part, "." | "..")) {
        return Err(PathError::BadPath("the path has `.` or `..` in it"));
    }
    Ok(segment)
}

/// Characters that end lines or turn text around where a path is logged or shown.
fn is_dangerous(char: char) -> bool {
    let is_bidirectional = matches!(
        char,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    );
    char.is_control() || is_bidirectional || matches!(char, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_one_segment_again() {
        for (raw, expected) in [
            ("a%2Fb", "a%2Fb"),
            ("a%3Fb%23c", "a%3Fb%23c"),
            ("a?b#c", "a%3Fb%23c"),
            ("%252e%252e", "%252e%252e"),
            ("a%3Ab", "a:b"),
            ("%E9%94%AE", "%E9%94%AE"),
            ("50%", "50%25"),
            ("a b+c", "a%20b%2Bc"),
        ] {
            assert_eq!(encode(&split(raw).unwrap().concat()), expected, "{raw}");
        }
    }

    #[test]
    fn what_no_honest_client_sends_is_refused() {
        let long = "a".repeat(64 * 1024);
        for raw in [
            "%00",
            "%0D%0A",
            "a\tb",
            "..",
            "%2e%2e",
            ".",
            "a%2F..%2Fb",
            "..%5Ca",
            "%FF",
            "%C0%AF",
            "%E2%80%AE",
            "%7F",
            long.as_str(),
        ] {
            assert!(matches!(split(raw), Err(PathError::BadPath(_))), "{raw:.20}");
        }
    }
}
