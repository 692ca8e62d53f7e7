//! A list of keys: one a line, or with commas between.

use crate::import::error::MoveError;
use crate::import::findings::{Findings, FoundServiceKey, Source};

/// How the keys of Google begin.
const GOOGLE_KEYS: [&str; 2] = ["AIza", "AQ."];

/// Whether a text looks like a key of Google.
pub(super) fn is_google_key(text: &str) -> bool {
    GOOGLE_KEYS.iter().any(|start| text.starts_with(start))
}

/// Whether a text looks like what gpt-load has encrypted: a nonce, a text and a tag, in hex.
pub(super) fn is_encrypted(text: &str) -> bool {
    const BYTES_MIN: usize = 12 + 16 + 8;
    BYTES_MIN * 2 <= text.len()
        && text.len().is_multiple_of(2)
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// Reads lines; those without a key are told, unless none has one.
pub(super) fn read<'t>(lines: impl Iterator<Item = &'t str>) -> Result<Findings, MoveError> {
    let mut findings = Findings::new(Source::KeyList, "text");
    for (number, line) in (1_usize..).zip(lines) {
        for part in parts(line) {
            let place = format!("line {number}");
            findings.service_keys.push(if is_encrypted(part) {
                FoundServiceKey::refused(place, "is encrypted")
            } else if is_setting(part) {
                FoundServiceKey::refused(place, "is a setting, not a key")
            } else {
                FoundServiceKey::new(place, part)
            });
        }
    }
    let is_list = findings
        .service_keys
        .iter()
        .any(|found| found.key.as_ref().is_ok_and(|key| looks_like_a_key(key.expose())));
    if !is_list {
        return Err(MoveError::NoKeys(
            "no line of it is a key, nor is it anything else that is known",
        ));
    }
    findings.bounded()
}

/// Whether a word is so long and mixed that a text with it may be a list of keys.
fn looks_like_a_key(word: &str) -> bool {
    const BYTES_MIN: usize = 16;
    BYTES_MIN <= word.len() && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a word is a name and its value.
fn is_setting(word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    word.split_once('=').is_some_and(|(name, value)| {
        let is_name = !name.is_empty() && name.bytes().all(is_part);
        is_name && !value.trim_start_matches('=').is_empty()
    })
}

/// The keys of a line, without what people write around them.
fn parts(line: &str) -> Vec<&str> {
    let line = line.split(" #").next().unwrap_or(line).trim();
    if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
        return Vec::new();
    }
    let mut parts = Vec::new();
    for part in line.split([',', ';']) {
        let part = part.trim_matches(|letter: char| {
            letter.is_whitespace() || matches!(letter, '"' | '\'' | '[' | ']' | '-' | '*')
        });
        if part.is_empty() {
            continue;
        }
        let words = || part.split_whitespace();
        match words().all(is_google_key) {
            true => parts.extend(words()),
            false => parts.push(part),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_among_what_people_write_around_them() {
        let text = "# mine\nAIzaSy-one-0123456789\n\n  \"AIzaSy-two-0123456789\",\n\
            AIzaSy-three-01234567, AIzaSy-four-012345678 # paid\n- AIzaSy-five-012345678\n\
            AIzaSy-six-0123456789 AIzaSy-seven-01234567\na line of words\n";

        let found = read(text.lines()).unwrap().service_keys;

        let shown: Vec<_> = found
            .iter()
            .map(|found| (found.place.as_str(), found.key.as_ref().map(|key| key.expose().len())))
            .collect();
        assert_eq!(shown.len(), 8, "{shown:?}");
        assert_eq!(shown[..7].iter().filter(|(_, key)| *key == Ok(21)).count(), 7);
        assert_eq!(shown[7].0, "line 8");
        assert!(shown[7].1.is_err());
    }

    #[test]
    fn a_text_without_keys_is_no_list() {
        assert!(matches!(read("Dear all,\nhello!\n".lines()), Err(MoveError::NoKeys(_))));
    }

    #[test]
    fn what_is_encrypted_is_told_from_a_key() {
        assert!(is_encrypted(&"0a".repeat(67)));
        assert!(!is_encrypted("AIzaSyExample-0123456789_abcdefghijklmn"));
        assert!(!is_encrypted(&"0a".repeat(16)), "a user key may be hex");
    }
}
