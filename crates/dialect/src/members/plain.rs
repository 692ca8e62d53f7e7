//! Walks through an object that is as JSON should be, several times faster than a parser that has to
//! say what is wrong with one that is not.
//!
//! Nothing is let through that the grammar of JSON forbids. What is too deep for us is not told from
//! what is wrong: both are for a slower reader to look at.

use crate::json::{behind_white_space, string_mark};

/// Deeper values are left to a reader without recursion.
const DEPTH_MAX: usize = 64;

/// Shows every key, with its quotes, and every value of the object that is the whole of `text`. `None`
/// if there was more to be shown, or the object is followed by anything.
pub(super) fn walk<'a>(
    text: &'a [u8],
    mut show: impl FnMut(Span<'a>, Span<'a>) -> Option<()>,
) -> Option<()> {
    let inside = behind_white_space(text).strip_prefix(b"{")?;
    let walk = Walk { has_control: has_control(text) };
    let rest = walk.behind_object(inside, DEPTH_MAX, &mut show)?;
    behind_white_space(rest).is_empty().then_some(())
}

/// A part of a text, as that part with all that follows, and what follows.
#[derive(Clone, Copy)]
pub(super) struct Span<'a> {
    pub(super) from: &'a [u8],
    pub(super) behind: &'a [u8],
}

/// What is known of the text that is walked through.
#[derive(Clone, Copy)]
struct Walk {
    /// A byte that no string may have is somewhere in it, such as the end of a line between members.
    has_control: bool,
}

impl Walk {
    fn behind_object<'a>(
        self,
        inside: &'a [u8],
        depth_left: usize,
        show: &mut impl FnMut(Span<'a>, Span<'a>) -> Option<()>,
    ) -> Option<&'a [u8]> {
        let mut rest = behind_white_space(inside);
        if let Some(behind) = rest.strip_prefix(b"}") {
            return Some(behind);
        }
        loop {
            let behind_key = self.behind_string(rest.strip_prefix(b"\"")?)?;
            let key = Span { from: rest, behind: behind_key };
            let value = behind_white_space(behind_white_space(behind_key).strip_prefix(b":")?);
            let behind = self.behind_value(value, depth_left)?;
            let (mark, next) = behind_white_space(behind).split_first()?;
            if !matches!(mark, b',' | b'}') {
                return None;
            }
            show(key, Span { from: value, behind })?;
            if *mark == b'}' {
                return Some(next);
            }
            rest = behind_white_space(next);
        }
    }

    fn behind_list(self, inside: &[u8], depth_left: usize) -> Option<&[u8]> {
        let mut rest = behind_white_space(inside);
        if let Some(behind) = rest.strip_prefix(b"]") {
            return Some(behind);
        }
        loop {
            let behind = self.behind_value(rest, depth_left)?;
            match behind_white_space(behind).split_first()? {
                (b',', next) => rest = behind_white_space(next),
                (b']', behind) => return Some(behind),
                _ => return None,
            }
        }
    }

    fn behind_value(self, text: &[u8], depth_left: usize) -> Option<&[u8]> {
        let (first, rest) = text.split_first()?;
        match first {
            b'"' => self.behind_string(rest),
            b'{' => self.behind_object(rest, depth_left.checked_sub(1)?, &mut |_, _| Some(())),
            b'[' => self.behind_list(rest, depth_left.checked_sub(1)?),
            b't' => rest.strip_prefix(b"rue"),
            b'f' => rest.strip_prefix(b"alse"),
            b'n' => rest.strip_prefix(b"ull"),
            b'-' => behind_number(rest),
            b'0'..=b'9' => behind_number(text),
            _ => None,
        }
    }

    /// What follows a string whose opening quote has been taken off.
    fn behind_string(self, text: &[u8]) -> Option<&[u8]> {
        let mut rest = text;
        loop {
            let (plain, marked) = rest.split_at_checked(string_mark(rest)?)?;
            if self.has_control && has_control(plain) {
                return None;
            }
            rest = match marked.split_first()? {
                (b'"', behind) => return Some(behind),
                (_, escape) => behind_escape(escape)?,
            };
        }
    }
}

/// Looks at every byte, because a loop that may end early is not done sixteen bytes at a time.
fn has_control(text: &[u8]) -> bool {
    text.iter().fold(false, |has_control, &byte| has_control | (byte < b' '))
}

fn behind_escape(escape: &[u8]) -> Option<&[u8]> {
    match escape.split_first()? {
        (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest) => Some(rest),
        (b'u', rest) => {
            let (digits, rest) = rest.split_at_checked(4)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(rest)
        }
        _ => None,
    }
}

/// What follows a number whose sign has been taken off.
fn behind_number(text: &[u8]) -> Option<&[u8]> {
    let mut rest = match text.strip_prefix(b"0") {
        Some(rest) => rest,
        None => behind_digits(text)?,
    };
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = behind_digits(fraction)?;
    }
    let Some((b'e' | b'E', exponent)) = rest.split_first() else {
        return Some(rest);
    };
    match exponent.split_first()? {
        (b'+' | b'-', digits) => behind_digits(digits),
        _ => behind_digits(exponent),
    }
}

/// What follows the digits that open `text`, of which there must be one.
fn behind_digits(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let Some((b'0'..=b'9', behind)) = rest.split_first() {
        rest = behind;
    }
    (rest.len() < text.len()).then_some(rest)
}
