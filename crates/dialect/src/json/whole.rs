//! Where things end in bytes that hold the whole of them.
//!
//! This is what nearly all bytes of nearly every answer go through, so everything here is told by its
//! first byte and run over once. `None` always means that the end is not in these bytes, or that this
//! is no JSON, and has cost one look at them; the caller then goes on in smaller steps.

use memchr::memchr2;

/// A member of an object, up to its value.
pub(super) struct Member<'b> {
    /// The key as it stands between its quotes, without an escape in it.
    pub(super) key: &'b [u8],
    /// All that follows, from the first byte of the value.
    pub(super) value: &'b [u8],
}

impl<'b> Member<'b> {
    /// Reads the key that opens `bytes`.
    #[inline]
    pub(super) fn opening(bytes: &'b [u8]) -> Option<Self> {
        let text = bytes.strip_prefix(b"\"")?;
        let (key, rest) = text.split_at_checked(string_mark(text)?)?;
        let rest = behind_white_space(rest.strip_prefix(b"\"")?);
        Some(Self { key, value: behind_white_space(rest.strip_prefix(b":")?) })
    }
}

/// The length of the value that opens `bytes`.
#[inline]
pub(super) fn value_bytes(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' => string_end(bytes, 1),
        b'{' | b'[' => container_end(bytes),
        b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
            // One that reaches the end of the bytes may go on behind it.
            bytes.iter().position(|&byte| !is_scalar(byte))
        }
        _ => None,
    }
}

/// Whether a byte may be part of a number or a word.
#[inline]
pub(super) fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// What follows the white space that opens `bytes`.
#[inline]
pub(crate) fn behind_white_space(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some((b' ' | b'\n' | b'\r' | b'\t', behind)) = rest.split_first() {
        rest = behind;
    }
    rest
}

/// Where the next quote or backslash stands.
///
/// Most strings are short, and a search that is fast in long ones takes longer to begin than they take
/// to read; so the first bytes are looked at eight at a time.
#[inline]
pub(crate) fn string_mark(bytes: &[u8]) -> Option<usize> {
    const NEAR_BYTES: usize = 32;
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        if NEAR_BYTES <= at {
            return memchr2(b'"', b'\\', bytes.get(at..)?).map(|far| at + far);
        }
        let word = u64::from_le_bytes(*word);
        let marks = bytes_equal(word, b'"') | bytes_equal(word, b'\\');
        if marks != 0 {
            return Some(at + (marks.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|far| at + far)
}

/// Sets the high bit of every byte of `word` that equals `byte`. Only the first one set is certain:
/// the subtraction may carry into the bytes behind it.
#[inline]
fn bytes_equal(word: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let differences = word ^ u64::from_le_bytes([byte; 8]);
    differences.wrapping_sub(ONES) & !differences & (ONES << 7)
}

/// Where the string that is open at `from` has its end, behind its quote.
#[inline]
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let at = from + string_mark(bytes.get(from..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        from = at + 2;
    }
}

/// Where the container that opens `bytes` has its end: only strings and brackets count.
fn container_end(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at + 1)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return Some(at + 1),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}
