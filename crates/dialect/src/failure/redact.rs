//! Takes upstream keys out of text: Google's own refusals repeat them.

use std::borrow::Cow;

/// What the two kinds of upstream keys begin with.
const PREFIXES: [&str; 2] = ["AIza", "AQ."];

/// Fewer characters behind a prefix are no key.
const TAIL_CHARS_MIN: usize = 8;

/// Replaces everything shaped like an upstream key by its brief form, `AIza...wxyz`.
///
/// The brief form is not shaped like a key, so doing it twice changes nothing.
pub fn redact_keys(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((before, key, after)) = split_at_key(rest) {
        clean.push_str(before);
        clean.push_str(&brief(key));
        rest = after;
    }
    if clean.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// Splits at the first key: what is before it, the key, what is behind it.
fn split_at_key(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(tail) = text.get(from..) {
        let (offset, prefix) =
            PREFIXES.iter().filter_map(|prefix| Some((tail.find(prefix)?, *prefix))).min()?;
        let start = from + offset;
        let (before, found) = text.split_at(start);
        let (_, behind) = found.split_at(prefix.len());
        let length = key_length(behind);
        if TAIL_CHARS_MIN <= length {
            let (key, after) = found.split_at(prefix.len() + length);
            return Some((before, key, after));
        }
        from = start + prefix.len();
    }
    None
}

/// How far the characters of a key go. A dot ends it unless it is that of another key which begins
/// inside this one: the two are taken for one, for the brief form of the first would spare the second.
fn key_length(text: &str) -> usize {
    let is_part = |at: usize, char: char| match char {
        '_' | '-' => true,
        '.' => text.get(..at).is_some_and(|before| before.ends_with("AQ")),
        _ => char.is_ascii_alphanumeric(),
    };
    let end = text.char_indices().find(|(at, char)| !is_part(*at, *char));
    end.map_or(text.len(), |(at, _)| at)
}

/// First four, last four. Keys are ASCII by shape.
fn brief(key: &str) -> String {
    let head = key.get(..4).unwrap_or_default();
    let tail = key.get(key.len().saturating_sub(4)..).unwrap_or_default();
    format!("{head}...{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_replaced_by_their_brief_form_wherever_they_stand() {
        for (text, expected) in [
            (
                "Consumer 'api_key:AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY' has been suspended.",
                "Consumer 'api_key:AIza...MBWY' has been suspended.",
            ),
            ("AQ.Ab8RN6LqZ_x-1234", "AQ.A...1234"),
            ("AIzaAIzaSyD1234wxyz,AQ.Ab8RN6Lq9876", "AIza...wxyz,AQ.A...9876"),
            ("AIzaSyD1234wxAQ.Ab8RN6Lq9876!", "AIza...9876!"),
            ("AIza short AIzaSyD1234wxyz", "AIza short AIza...wxyz"),
            ("键AIzaSyD1234wxyz键", "键AIza...wxyz键"),
        ] {
            let clean = redact_keys(text);
            assert_eq!(clean, expected);
            assert_eq!(redact_keys(&clean), expected, "twice");
        }
    }

    #[test]
    fn text_without_a_key_is_not_copied() {
        for text in ["", "nothing here", "AIza", "AIza...wxyz", "AQ. and so on"] {
            assert!(matches!(redact_keys(text), Cow::Borrowed(same) if same == text));
        }
    }
}
