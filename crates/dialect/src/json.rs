//! Reads a few known values out of JSON that goes by in pieces.
//!
//! The scanner knows the handful of places where the protocols keep usage, finish reasons and errors,
//! and walks past everything else counting brackets. It keeps only the value it is reading, up to a
//! limit, so a document of any size costs the same. It is not a validator: inside what it skips,
//! only strings and brackets have to add up.
//!
//! Members that stand whole in a piece are taken in one step each ([`whole`]), and that is nearly all
//! of them. The states are for what is cut; they find the same, byte by byte.
//!
//! A root must be an object or a list of objects; anything else is [`Find::Broken`]. A key that is
//! spelt with escapes is not recognised. Of a repeated key, the last value is found last.

mod place;
mod whole;

pub(crate) use place::Want;
pub(crate) use whole::{behind_white_space, string_mark};

use place::{Place, Role};
use whole::{Member, is_scalar};

use crate::usage::Count;

/// The longest key worth remembering, in bytes; one more than the longest known.
const KEY_BYTES_MAX: usize = 32;

/// Something worth knowing that the scanner came across.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Find<'a> {
    /// The root is a list, its elements are the documents.
    ListOpened,
    /// A key at the top of a document.
    Key(&'a [u8]),
    /// A known value, as raw JSON, cut off at its limit.
    Value(Want, &'a [u8]),
    /// A number out of a usage object.
    Count(Count, u64),
    /// The list of choices has an element.
    Choice,
    /// The list of choices was empty.
    NoChoices,
    /// A document (the root object, or an element of the root list) is whole.
    DocumentClosed,
    /// The root is whole; whatever follows is not looked at.
    RootClosed,
    /// This is not JSON of the kind we read; whatever follows is not looked at.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but white space so far.
    Root,
    /// After `{`.
    FirstKey,
    /// After a comma in an object.
    Key,
    Colon,
    /// After `[`.
    FirstElement,
    /// After a colon, or a comma in a list.
    Value,
    /// After a value.
    Next,
    InKey {
        is_escaped: bool,
    },
    InString {
        is_escaped: bool,
    },
    InScalar,
    InSkipped {
        depth: u64,
        is_string: bool,
        is_escaped: bool,
    },
    Done,
    Broken,
}

/// The incremental scanner; see the module.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    state: State,
    /// The known containers we are in, outermost first; never more than five.
    places: Vec<Place>,
    role: Role,
    /// The key or value being read, as far as somebody wants it.
    kept: Vec<u8>,
    kept_max: usize,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Root,
            places: Vec::new(),
            role: Role::Skip,
            kept: Vec::new(),
            kept_max: 0,
        }
    }

    /// Gets ready for another root, keeping the buffers.
    pub(crate) fn reset(&mut self) {
        self.state = State::Root;
        self.places.clear();
        self.role = Role::Skip;
        self.kept.clear();
        self.kept_max = 0;
    }

    /// Says where in a root list (or before or behind any root) the scanner stands.
    pub(crate) fn gap(&self) -> Gap {
        match (self.state, self.places.as_slice()) {
            (State::Root, _) => Gap::Before,
            (State::Done, _) => Gap::Behind,
            (State::FirstElement | State::Value, [Place::List]) => Gap::Vacant,
            (State::Next, [Place::List]) => Gap::Occupied,
            _ => Gap::Inside,
        }
    }

    /// What the scanner holds of what it read.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.kept.capacity()
    }

    /// Reads on, reporting what is found in order.
    pub(crate) fn scan(&mut self, bytes: &[u8], mut found: impl FnMut(Find<'_>)) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = match self.state {
                State::InKey { is_escaped } => self.in_key(rest, is_escaped, &mut found),
                State::InString { is_escaped } => self.in_string(rest, is_escaped, &mut found),
                State::InScalar => self.in_scalar(rest, &mut found),
                State::InSkipped { .. } => self.in_skipped(rest, &mut found),
                State::Done | State::Broken => return,
                State::FirstKey | State::Key if byte == b'"' => self.members(rest, &mut found),
                State::Root | State::FirstKey | State::Key | State::Colon => {
                    self.structural(byte, &mut found);
                    tail
                }
                State::FirstElement | State::Value | State::Next => {
                    self.structural(byte, &mut found);
                    tail
                }
            };
        }
    }

    fn structural(&mut self, byte: u8, found: &mut impl FnMut(Find<'_>)) {
        match (self.state, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') => {}
            // A byte order mark is let through, as every client but the strictest does.
            (State::Root, 0xEF | 0xBB | 0xBF) => {}
            (State::Root, b'{') => self.enter(Place::Document, found),
            (State::Root, b'[') => self.enter(Place::List, found),
            (State::Colon, b':') => self.state = State::Value,
            (State::Next, b',') => self.after_comma(),
            (State::FirstKey | State::Next, b'}') if !self.is_in_list() => self.leave(found),
            (State::FirstElement, b']') => {
                if self.places.last() == Some(&Place::Choices) {
                    found(Find::NoChoices);
                }
                self.leave(found);
            }
            (State::Next, b']') if self.is_in_list() => self.leave(found),
            (State::FirstElement | State::Value, _) => self.value(byte, found),
            _ => self.fail(found),
        }
    }

    /// Before a key. Members that stand whole in `bytes` are taken as they stand; that is where nearly
    /// all bytes go. One that does not is left to the states, from its key on.
    fn members<'b>(&mut self, bytes: &'b [u8], found: &mut impl FnMut(Find<'_>)) -> &'b [u8] {
        let place = self.place();
        let mut rest = bytes;
        while let Some(Member { key, value }) = Member::opening(rest) {
            let (key, _) = key.split_at(key.len().min(KEY_BYTES_MAX));
            let role = place.member(key);
            if let Role::Enter(inner) = role
                && let Some((&bracket, inside)) = value.split_first()
                && bracket == inner.bracket()
            {
                found_key(place, key, found);
                self.enter(inner, found);
                return inside;
            }
            let Some(length) = whole::value_bytes(value) else { break };
            let (value, behind) = value.split_at(length);
            found_key(place, key, found);
            found_value(role, value, found);
            let behind = behind_white_space(behind);
            let Some(next) = behind.strip_prefix(b",") else {
                self.state = State::Next;
                return behind;
            };
            self.state = State::Key;
            rest = behind_white_space(next);
        }
        if let Some(key) = rest.strip_prefix(b"\"") {
            self.keep(KEY_BYTES_MAX);
            self.state = State::InKey { is_escaped: false };
            return key;
        }
        rest
    }

    fn after_comma(&mut self) {
        match self.places.last() {
            Some(place) if place.is_list() => {
                self.role = place.element();
                self.state = State::Value;
            }
            _ => self.state = State::Key,
        }
    }

    /// The first byte of a value.
    fn value(&mut self, byte: u8, found: &mut impl FnMut(Find<'_>)) {
        match (byte, self.role) {
            (_, Role::Enter(place)) if byte == place.bracket() => self.enter(place, found),
            (_, Role::Enter(Place::Document)) => self.fail(found),
            (b'{' | b'[', role) => {
                match role {
                    Role::Keep(Want::Error) => self.keep(Want::Error.bytes_max()),
                    Role::Enter(_) | Role::Keep(_) | Role::Count(_) | Role::Skip => {
                        self.role = Role::Skip;
                        self.keep(0);
                    }
                }
                self.record(&[byte]);
                self.state = State::InSkipped { depth: 1, is_string: false, is_escaped: false };
            }
            (b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n', role) => {
                self.keep(match role {
                    Role::Keep(want) => want.bytes_max(),
                    Role::Count(_) => KEY_BYTES_MAX,
                    Role::Enter(_) | Role::Skip => 0,
                });
                self.record(&[byte]);
                self.state = match byte {
                    b'"' => State::InString { is_escaped: false },
                    _ => State::InScalar,
                };
            }
            _ => self.fail(found),
        }
    }

    fn in_key<'b>(
        &mut self,
        bytes: &'b [u8],
        is_escaped: bool,
        found: &mut impl FnMut(Find<'_>),
    ) -> &'b [u8] {
        let run = StringRun::of(bytes, is_escaped);
        self.record(run.text);
        self.state = State::InKey { is_escaped: run.is_escaped };
        if run.is_closed {
            let place = self.place();
            found_key(place, &self.kept, found);
            self.role = place.member(&self.kept);
            self.state = State::Colon;
        }
        run.rest
    }

    fn in_string<'b>(
        &mut self,
        bytes: &'b [u8],
        is_escaped: bool,
        found: &mut impl FnMut(Find<'_>),
    ) -> &'b [u8] {
        let run = StringRun::of(bytes, is_escaped);
        self.record(run.text);
        self.state = State::InString { is_escaped: run.is_escaped };
        if run.is_closed {
            self.record(b"\"");
            self.value_end(found);
        }
        run.rest
    }

    fn in_scalar<'b>(&mut self, bytes: &'b [u8], found: &mut impl FnMut(Find<'_>)) -> &'b [u8] {
        let length = bytes.iter().take_while(|&&byte| is_scalar(byte)).count();
        let (scalar, rest) = bytes.split_at(length);
        self.record(scalar);
        if !rest.is_empty() {
            self.value_end(found);
        }
        rest
    }

    /// Inside a container that is not walked into: only strings and brackets count.
    fn in_skipped<'b>(&mut self, bytes: &'b [u8], found: &mut impl FnMut(Find<'_>)) -> &'b [u8] {
        let State::InSkipped { mut depth, mut is_string, mut is_escaped } = self.state else {
            return bytes;
        };
        let mut rest = bytes;
        while depth > 0 {
            if is_string {
                let run = StringRun::of(rest, is_escaped);
                is_escaped = run.is_escaped;
                is_string = !run.is_closed;
                rest = run.rest;
                if is_string {
                    break;
                }
            }
            let Some((byte, tail)) = rest.split_first() else { break };
            match byte {
                b'"' => is_string = true,
                b'{' | b'[' => depth = depth.saturating_add(1),
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            rest = tail;
        }
        let (skipped, rest) = bytes.split_at(bytes.len() - rest.len());
        self.record(skipped);
        self.state = State::InSkipped { depth, is_string, is_escaped };
        if depth == 0 {
            self.value_end(found);
        }
        rest
    }

    fn value_end(&mut self, found: &mut impl FnMut(Find<'_>)) {
        found_value(self.role, &self.kept, found);
        self.role = Role::Skip;
        self.state = State::Next;
    }

    fn enter(&mut self, place: Place, found: &mut impl FnMut(Find<'_>)) {
        match place {
            Place::List => found(Find::ListOpened),
            Place::Choice => found(Find::Choice),
            Place::Document | Place::Inner | Place::File | Place::Choices => {}
            Place::Usage | Place::Details | Place::Feedback => {}
            Place::Turn | Place::Resumption => {}
        }
        self.places.push(place);
        self.role = place.element();
        self.state = if place.is_list() { State::FirstElement } else { State::FirstKey };
    }

    fn leave(&mut self, found: &mut impl FnMut(Find<'_>)) {
        self.state = State::Next;
        if self.places.pop() == Some(Place::Document) {
            found(Find::DocumentClosed);
        }
        if self.places.is_empty() {
            self.state = State::Done;
            found(Find::RootClosed);
        }
    }

    fn fail(&mut self, found: &mut impl FnMut(Find<'_>)) {
        self.state = State::Broken;
        found(Find::Broken);
    }

    /// The container we are in, if it is an object.
    fn place(&self) -> Place {
        self.places.last().copied().unwrap_or(Place::Document)
    }

    fn is_in_list(&self) -> bool {
        self.places.last().is_some_and(|place| place.is_list())
    }

    fn keep(&mut self, bytes_max: usize) {
        self.kept.clear();
        self.kept_max = bytes_max;
    }

    #[inline]
    fn record(&mut self, bytes: &[u8]) {
        if self.kept_max <= self.kept.len() {
            return;
        }
        let free = self.kept_max.saturating_sub(self.kept.len());
        let (fitting, _) = bytes.split_at(free.min(bytes.len()));
        self.kept.extend_from_slice(fitting);
    }
}

#[inline]
fn found_key(place: Place, key: &[u8], found: &mut impl FnMut(Find<'_>)) {
    if place == Place::Document {
        found(Find::Key(key));
    }
}

/// A value of a role, as much of it as there is.
#[inline]
fn found_value(role: Role, raw: &[u8], found: &mut impl FnMut(Find<'_>)) {
    let is_container = matches!(raw.first(), Some(b'{' | b'['));
    match role {
        Role::Keep(want) if want == Want::Error || !is_container => {
            let (raw, _) = raw.split_at(raw.len().min(want.bytes_max()));
            found(Find::Value(want, raw));
        }
        Role::Count(count) => {
            let (raw, _) = raw.split_at(raw.len().min(KEY_BYTES_MAX));
            if let Some(tokens) = number(raw) {
                found(Find::Count(count, tokens));
            }
        }
        Role::Keep(_) | Role::Enter(_) | Role::Skip => {}
    }
}

/// Where a scanner stands, as seen by somebody who wants to put bytes in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Before the root.
    Before,
    /// In the root list, where the next element may begin.
    Vacant,
    /// In the root list, right behind an element.
    Occupied,
    /// Behind the root.
    Behind,
    /// Anywhere else: nothing may be put here.
    Inside,
}

/// A stretch of a string up to its closing quote or to the end of the piece.
struct StringRun<'b> {
    text: &'b [u8],
    rest: &'b [u8],
    is_closed: bool,
    is_escaped: bool,
}

impl<'b> StringRun<'b> {
    #[inline]
    fn of(bytes: &'b [u8], is_escaped: bool) -> Self {
        let mut from = usize::from(is_escaped);
        loop {
            let Some(at) = bytes.get(from..).and_then(string_mark) else {
                // The piece may end right behind a backslash, once or once more.
                let is_escaped = from > bytes.len();
                return Self { text: bytes, rest: &[], is_closed: false, is_escaped };
            };
            let at = from + at;
            if bytes.get(at) == Some(&b'"') {
                let (text, rest) = bytes.split_at(at);
                let (_, rest) = rest.split_at(1);
                return Self { text, rest, is_closed: true, is_escaped: false };
            }
            from = at + 2;
        }
    }
}

/// A count: nearly always bare digits.
#[inline]
fn number(raw: &[u8]) -> Option<u64> {
    let mut tokens = 0_u64;
    for &byte in raw {
        if !byte.is_ascii_digit() {
            return oddly_spelt_number(raw);
        }
        tokens = tokens.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    Some(tokens)
}

/// A count that is quoted (protobuf writes 64-bit numbers as strings), or has a fraction of zero.
#[cold]
fn oddly_spelt_number(raw: &[u8]) -> Option<u64> {
    let text = str::from_utf8(raw).ok()?.trim_matches('"');
    let whole = text.strip_suffix(".0").unwrap_or(text);
    whole.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_found_wherever_the_protocols_keep_them() {
        check(
            r#"{"candidates":[{"content":{"usage":{"total_tokens":9}},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7}}"#,
            r#"key candidates, choice, Finish "STOP", key usageMetadata, Prompt=7, document, root"#,
        );
        check(
            r#"{"choices":[],"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":"4"},"x":{"total_tokens":3}}}"#,
            "key choices, no choices, key usage, Prompt=1, Cached=4, document, root",
        );
        check(
            r#"{"type":"response.failed","response":{"error":{"code":"x","y":[1,{}]},"usage":null}}"#,
            r#"key type, Type "response.failed", key response, Error {"code":"x","y":[1,{}]}, document, root"#,
        );
        check(
            r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#,
            r#"key promptFeedback, BlockReason "SAFETY", document, root"#,
        );
    }

    #[test]
    fn a_list_at_the_root_holds_documents() {
        check(
            r#"[{"error":null}, {"code":5}]"#,
            "list, key error, Error null, document, key code, Code 5, document, root",
        );
        check("[]", "list, root");
    }

    #[test]
    fn strings_hide_quotes_and_brackets() {
        check(
            r#"{"a\"}":"\\\"{[","b":["}\\",{"c":"]"}],"code":"\\"}"#,
            r#"key a\"}, key b, key code, Code "\\", document, root"#,
        );
    }

    #[test]
    fn what_cannot_be_json_is_broken() {
        for text in ["null", "12", "\"x\"", "<html>", "{a", "{\"a\" 1", "{\"a\":}", "[1]", "[DONE]"]
        {
            let finds = finds([text.as_bytes()]);
            assert!(finds.ends_with("broken"), "{text}: {finds}");
        }
    }

    #[test]
    fn a_value_beyond_its_limit_is_cut_and_costs_no_more() {
        let text = format!(r#"{{"error":"{}","type":"{}"}}"#, "e".repeat(1 << 20), "t".repeat(99));
        let mut scanner = Scanner::new();
        let mut lengths = Vec::new();

        scanner.scan(text.as_bytes(), |find| {
            if let Find::Value(_, raw) = find {
                lengths.push(raw.len());
            }
        });

        assert_eq!(lengths, [64 * 1024, 64]);
        assert!(scanner.held_bytes() <= 128 * 1024);
    }

    #[test]
    fn depth_costs_nothing() {
        let text = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        check(&text, "key a, document, root");
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(finds([text.as_bytes()]), expected);
        assert_eq!(finds(text.as_bytes().chunks(1)), expected, "byte by byte");
    }

    fn finds<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut scanner = Scanner::new();
        let mut words: Vec<String> = Vec::new();
        for piece in pieces {
            scanner.scan(piece, |find| {
                words.push(match find {
                    Find::ListOpened => "list".into(),
                    Find::Key(key) => format!("key {}", String::from_utf8_lossy(key)),
                    Find::Value(want, raw) => format!("{want:?} {}", String::from_utf8_lossy(raw)),
                    Find::Count(count, tokens) => format!("{count:?}={tokens}"),
                    Find::Choice => "choice".into(),
                    Find::NoChoices => "no choices".into(),
                    Find::DocumentClosed => "document".into(),
                    Find::RootClosed => "root".into(),
                    Find::Broken => "broken".into(),
                });
            });
        }
        words.join(", ")
    }
}
