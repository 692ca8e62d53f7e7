//! Server-sent events, found in pieces of any size.
//!
//! [`Scanner`] splits a stream into the parts that matter without holding any of it: the bytes of
//! `data` fields, lines that are no event field at all, and the ends of events. It takes LF, CR and
//! CRLF line ends, a byte order mark, comments, and `data:` with or without its space.

use memchr::memchr2;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// A part of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Bytes of a `data` field; one field may come in several.
    Data(&'a [u8]),
    /// Bytes of a line that is no known field and no comment, such as bare JSON or a web page.
    Unknown {
        /// The bytes, without what already looked like a known field.
        bytes: &'a [u8],
        /// Whether the line begins here.
        is_start: bool,
    },
    /// The blank line that ends an event.
    EventEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Start,
    /// The line begins like `field`, up to `matched` bytes.
    Name {
        field: &'static [u8],
        matched: usize,
    },
    /// In a `data` field; the first space does not count.
    Data {
        is_start: bool,
    },
    Unknown,
    /// In a comment or a field nobody asks for.
    Ignored,
}

/// The incremental event scanner; see the module.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    line: Line,
    is_after_cr: bool,
    /// A field has gone by since the last blank line.
    has_field: bool,
    /// How much of the byte order mark has gone by; its length when it can no longer come.
    mark_bytes: usize,
}

impl Scanner {
    const DATA: &[u8] = b"data: ";

    pub(crate) fn new() -> Self {
        Self { line: Line::Start, is_after_cr: false, has_field: false, mark_bytes: 0 }
    }

    /// Says whether the last byte was a CR that ended a line, so that an LF now belongs to it.
    pub(crate) fn is_after_cr(&self) -> bool {
        self.is_after_cr
    }

    /// Says whether bytes may be put in here: no event is open, and no CR waits for its LF.
    pub(crate) fn is_at_boundary(&self) -> bool {
        self.closing().is_empty()
    }

    /// Returns what closes the open event, so that what is put in behind it is an event of its own
    /// for every client: some look for two line ends rather than for lines.
    pub(crate) fn closing(&self) -> &'static [u8] {
        let is_in_line = self.line != Line::Start || self.is_in_mark();
        let lacks_line_feed = is_in_line || self.is_after_cr;
        let lacks_blank_line = is_in_line || self.has_field;
        match (lacks_line_feed, lacks_blank_line) {
            (true, true) => b"\n\n",
            (true, false) | (false, true) => b"\n",
            (false, false) => b"",
        }
    }

    /// Takes the next piece off `input`; `None` when there is no more to be known from it.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Piece<'a>> {
        while let Some((&byte, tail)) = input.split_first() {
            if self.line == Line::Start
                && !self.is_in_mark()
                && let Some(data) = input.strip_prefix(Self::DATA)
            {
                // What nearly every line begins with, in one step.
                self.mark_bytes = BYTE_ORDER_MARK.len();
                self.is_after_cr = false;
                self.has_field = true;
                self.line = Line::Data { is_start: false };
                *input = data;
                continue;
            }
            let was_in_mark = self.is_in_mark();
            if self.is_mark(byte) {
                *input = tail;
                continue;
            }
            if was_in_mark {
                // What began like a mark is the beginning of a line that is no field.
                self.has_field = true;
                self.line = Line::Unknown;
            }
            let is_line_feed_of_cr = self.is_after_cr && byte == b'\n';
            self.is_after_cr = false;
            if is_line_feed_of_cr {
                *input = tail;
                continue;
            }
            if matches!(byte, b'\n' | b'\r') {
                *input = tail;
                self.is_after_cr = byte == b'\r';
                if self.line == Line::Start {
                    self.has_field = false;
                    return Some(Piece::EventEnd);
                }
                self.line = Line::Start;
                continue;
            }
            match self.line {
                Line::Start => {
                    self.has_field |= byte != b':';
                    self.line = line_starting_with(byte);
                    if self.line == Line::Unknown {
                        let bytes = take_line(input);
                        return Some(Piece::Unknown { bytes, is_start: true });
                    }
                    *input = tail;
                }
                Line::Name { field, matched } => match field.get(matched) {
                    Some(&expected) if expected == byte => {
                        self.line = Line::Name { field, matched: matched + 1 };
                        *input = tail;
                    }
                    None if byte == b':' => {
                        self.line = match field {
                            b"data" => Line::Data { is_start: true },
                            _ => Line::Ignored,
                        };
                        *input = tail;
                    }
                    Some(_) | None => {
                        self.line = Line::Unknown;
                        let bytes = take_line(input);
                        return Some(Piece::Unknown { bytes, is_start: true });
                    }
                },
                Line::Data { is_start } => {
                    self.line = Line::Data { is_start: false };
                    if is_start && byte == b' ' {
                        *input = tail;
                        continue;
                    }
                    return Some(Piece::Data(take_line(input)));
                }
                Line::Unknown => {
                    let bytes = take_line(input);
                    return Some(Piece::Unknown { bytes, is_start: false });
                }
                Line::Ignored => {
                    take_line(input);
                }
            }
        }
        None
    }

    /// Says whether a part of the byte order mark has gone by, and it may still be whole.
    fn is_in_mark(&self) -> bool {
        0 < self.mark_bytes && self.mark_bytes < BYTE_ORDER_MARK.len()
    }

    #[inline]
    fn is_mark(&mut self, byte: u8) -> bool {
        if BYTE_ORDER_MARK.get(self.mark_bytes) == Some(&byte) {
            self.mark_bytes += 1;
            return true;
        }
        self.mark_bytes = BYTE_ORDER_MARK.len();
        false
    }
}

fn line_starting_with(byte: u8) -> Line {
    match byte {
        b':' => Line::Ignored,
        b'd' => Line::Name { field: b"data", matched: 1 },
        b'e' => Line::Name { field: b"event", matched: 1 },
        b'i' => Line::Name { field: b"id", matched: 1 },
        b'r' => Line::Name { field: b"retry", matched: 1 },
        _ => Line::Unknown,
    }
}

/// Takes everything up to the end of the line, or of the piece, off `input`.
fn take_line<'a>(input: &mut &'a [u8]) -> &'a [u8] {
    let length = memchr2(b'\n', b'\r', input).unwrap_or(input.len());
    let (line, rest) = input.split_at(length);
    *input = rest;
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_found_whatever_the_line_ends() {
        check("data: a\n\ndata:b\r\n\r\ndata:  c\r\rdata\n\n", "a|b| c||");
        check("\u{feff}data: a\n\n", "a|");
        check("event: x\nid: 1\nretry: 5\n: comment\ndata: a\ndata: b\n\n", "ab|");
        check("data: no end", "no end");
    }

    #[test]
    fn a_line_that_is_no_field_is_unknown() {
        check("<html>\n\n", "?<html>|");
        check("{\"error\":\n 1}\n", "?{\"error\":? 1}");
        check("internal error\n", "?nternal error");
    }

    #[test]
    fn half_a_byte_order_mark_begins_a_line_that_is_no_field() {
        for begun in [&b"\xEF"[..], b"\xEF\xBB"] {
            let stream = [begun, b"data: a\n\ndata: b\n\n"].concat();
            for chunks in [vec![&stream[..]], stream.chunks(1).collect()] {
                let found = pieces(chunks.into_iter());
                assert_eq!(found, "data: a|b|", "{begun:?}");
            }
        }
    }

    #[test]
    fn a_boundary_is_where_no_event_is_open() {
        for (text, expected) in [
            ("", true),
            ("\u{feff}", true),
            ("data: a", false),
            ("data: a\n", false),
            ("data: a\n\n", true),
            ("data: a\r\n\r", false),
            ("data: a\r\n\r\n", true),
            (": ping\n", true),
            (": ping", false),
            ("id: 7\n", false),
        ] {
            let mut scanner = Scanner::new();
            let mut input = text.as_bytes();
            while scanner.next(&mut input).is_some() {}
            assert_eq!(scanner.is_at_boundary(), expected, "{text:?}");
        }
    }

    fn check(stream: &str, expected: &str) {
        assert_eq!(pieces(std::iter::once(stream.as_bytes())), expected);
        assert_eq!(pieces(stream.as_bytes().chunks(1)), expected, "byte by byte");
    }

    fn pieces<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> String {
        let mut scanner = Scanner::new();
        let mut text = String::new();
        for mut input in chunks {
            while let Some(piece) = scanner.next(&mut input) {
                match piece {
                    Piece::Data(bytes) => text += str::from_utf8(bytes).unwrap(),
                    Piece::Unknown { bytes, is_start } => {
                        text += if is_start { "?" } else { "" };
                        text += str::from_utf8(bytes).unwrap();
                    }
                    Piece::EventEnd => text.push('|'),
                }
            }
        }
        text
    }
}
