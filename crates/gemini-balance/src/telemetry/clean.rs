//! Makes a text fit for a log line: keys gone, no control characters, not too long.
//!
//! Nobody should log a key in the first place; this is the last door on the way out. What looks
//! like one is replaced wherever it stands, in a message, an address or an upstream's own words.

use std::borrow::Cow;
use std::fmt;

/// Longest value of one field.
pub(super) const FIELD_BYTES_MAX: usize = 1_024;

/// Longest sentence.
pub(super) const MESSAGE_BYTES_MAX: usize = 4_096;

/// Taken in beyond the limit before cutting, so that no key is cut short of being recognised.
const LOOKAHEAD_BYTES: usize = 256;

/// How keys begin, and whether that counts in the middle of a word too.
const KEY_STARTS: [(&str, bool); 4] =
    [("AIza", true), ("AQ.", true), ("sk-", false), ("gb-", false)];

/// What follows the beginning of a key is at least this long.
const KEY_BYTES_MIN: usize = 20;

/// After these, whatever follows is a credential.
const CREDENTIAL_MARKS: [&str; 10] = [
    "?key=",
    "&key=",
    "?ticket=",
    "&ticket=",
    "?token=",
    "&token=",
    "?access_token=",
    "&access_token=",
    "?api_key=",
    "&api_key=",
];

const REDACTED: &str = "[redacted]";

/// Takes text up to a limit and a little more, then asks the formatter to stop.
pub(super) struct Bounded {
    text: String,
    bytes_max: usize,
}

impl Bounded {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { text: String::new(), bytes_max: bytes_max + LOOKAHEAD_BYTES }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes_max - self.text.len();
        self.text.push_str(head(text, room));
        if text.len() <= room { Ok(()) } else { Err(fmt::Error) }
    }
}

/// The text as it may be written: without keys, on one line, with at most `bytes_max` bytes and an
/// ellipsis.
pub(super) fn clean(text: &str, bytes_max: usize) -> String {
    let text = head(text, bytes_max + LOOKAHEAD_BYTES);
    let escaped = escaped(&redacted(text)).into_owned();
    if escaped.len() <= bytes_max {
        return escaped;
    }
    format!("{}…", head(&escaped, bytes_max))
}

/// The longest beginning of `text` that has at most `bytes_max` bytes and cuts no character.
fn head(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

fn redacted(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut kept_from = 0;
    while let Some((start, end)) = next_secret(text, kept_from) {
        clean.push_str(text.get(kept_from..start).unwrap_or_default());
        clean.push_str(REDACTED);
        kept_from = end;
    }
    if kept_from == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(text.get(kept_from..).unwrap_or_default());
    Cow::Owned(clean)
}

/// Where the next secret begins and ends, looked for from a place on.
fn next_secret(text: &str, from: usize) -> Option<(usize, usize)> {
    let may_begin = |(_, byte): &(usize, &u8)| matches!(byte, b'A' | b's' | b'g' | b'?' | b'&');
    let bytes = text.as_bytes().iter().enumerate().skip(from);
    bytes.filter(may_begin).find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        // Behind a secret stands what ended it, which is no part of a word.
        let before = before.filter(|_| from < at);
        let (kept, secret) = key_at(rest, before).or_else(|| credential_at(rest))?;
        Some((at + kept, at + kept + secret))
    })
}

/// If a key begins here: how much of it may be shown, and the length of the rest.
fn key_at(text: &str, before: Option<char>) -> Option<(usize, usize)> {
    let is_in_word = before.is_some_and(char::is_alphanumeric);
    let (start, _) = KEY_STARTS.into_iter().find(|(start, counts_in_word)| {
        text.starts_with(start) && (*counts_in_word || !is_in_word)
    })?;
    let length = text.bytes().skip(start.len()).take_while(|byte| is_key_byte(*byte)).count();
    (length >= KEY_BYTES_MIN).then_some((start.len(), length))
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=')
}

/// If a credential's name ends here: its length, and the length of the value.
fn credential_at(text: &str) -> Option<(usize, usize)> {
    let mark = CREDENTIAL_MARKS.into_iter().find(|mark| text.starts_with(mark))?;
    let value = text.get(mark.len()..)?;
    let length = value
        .find(|letter: char| letter.is_whitespace() || matches!(letter, '&' | '#' | '"' | '\''))
        .unwrap_or(value.len());
    (length > 0).then_some((mark.len(), length))
}

/// Whatever could end a line, move the cursor or turn the reading direction is written out.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_plain || !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_unprintable(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    Cow::Owned(escaped)
}

fn is_unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn what_looks_like_a_key_does_not_get_out() {
        let key = "A".repeat(35);
        check(&format!("key AIza{key} failed"), "key AIza[redacted] failed");
        check(&format!("xAIza{key}"), "xAIza[redacted]");
        check(&format!("AQ.{key}-_{key}"), "AQ.[redacted]");
        check(&format!("(sk-{key})"), "(sk-[redacted])");
        check(&format!("gb-{key},gb-{key}"), "gb-[redacted],gb-[redacted]");
        check("AIza...ok01", "AIza...ok01");
        check(&format!("task-{key}"), &format!("task-{key}"));
    }

    #[test]
    fn a_credential_in_an_address_does_not_get_out() {
        check(
            "GET /v1beta/models?key=abc&alt=sse 200",
            "GET /v1beta/models?key=[redacted]&alt=sse 200",
        );
        check("/x?alt=sse&key=abc", "/x?alt=sse&key=[redacted]");
        check("/x?ticket=abc#y", "/x?ticket=[redacted]#y");
        check("/x?a&token=abc", "/x?a&token=[redacted]");
        check("/x?monkey=abc", "/x?monkey=abc");
        check("/x?key=", "/x?key=");
    }

    #[test]
    fn nothing_can_end_a_line_or_steer_a_terminal() {
        check("a\r\nb", r"a\r\nb");
        check("\u{1b}[31mred", r"\u{1b}[31mred");
        check("a\0b\u{7f}\u{9b}", r"a\u{0}b\u{7f}\u{9b}");
        check("a\u{2028}b\u{2029}c\u{202e}d", r"a\u{2028}b\u{2029}c\u{202e}d");
        check("schön 漢字 🙂", "schön 漢字 🙂");
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(clean("äää", 6), "äää");
        assert_eq!(clean("äää", 5), "ää…");
        assert_eq!(clean(&"x".repeat(1 << 20), FIELD_BYTES_MAX).len(), FIELD_BYTES_MAX + "…".len());
    }

    #[test]
    fn a_huge_text_is_not_even_collected() {
        let mut text = Bounded::new(FIELD_BYTES_MAX);

        assert!(write!(text, "{}", "x".repeat(1 << 20)).is_err());
        assert_eq!(text.into_text().len(), FIELD_BYTES_MAX + LOOKAHEAD_BYTES);
    }

    #[test]
    fn a_key_across_the_cut_is_recognised() {
        let text = format!("{}AIza{}", "x".repeat(FIELD_BYTES_MAX - 10), "A".repeat(35));

        assert!(!clean(&text, FIELD_BYTES_MAX).contains("AIzaA"));
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(clean(text, FIELD_BYTES_MAX), expected);
    }
}
