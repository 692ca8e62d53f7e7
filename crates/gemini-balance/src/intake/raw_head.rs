//! Looks for a length in a head, before hyper has understood a word of it.

/// The one name that is looked for.
const LENGTH: &[u8] = b"content-length";

/// Where in a head the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RawHead {
    /// Before the request line, where empty lines do not count.
    #[default]
    Before,
    /// In the first word, which is a method if a space ends it.
    Method,
    /// In the rest of a line that does not matter.
    Rest,
    /// At the beginning of a line.
    Line,
    /// So far into a name that may be the one.
    Name(usize),
    /// Behind a whole head of a request without a length.
    Lengthless,
    /// Behind a length, or behind a line that begins no request.
    Doubtful,
}

impl RawHead {
    /// What it is after these bytes.
    pub(super) fn after(self, bytes: &[u8]) -> Self {
        let (mut head, mut rest) = (self, bytes);
        while !matches!(head, Self::Lengthless | Self::Doubtful) {
            if head == Self::Rest {
                // Most of a head is of no interest.
                rest =
                    memchr::memchr(b'\n', rest).and_then(|end| rest.get(end..)).unwrap_or_default();
            }
            let Some((byte, behind)) = rest.split_first() else { break };
            (head, rest) = (head.step(*byte), behind);
        }
        head
    }

    fn step(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Before, b'\r' | b'\n') => Self::Before,
            (Self::Before, _) => Self::Method,
            (Self::Method, b' ') => Self::Rest,
            (Self::Method, b':' | b'\n') => Self::Doubtful,
            (Self::Method, _) => Self::Method,
            (Self::Line, b'\n') => Self::Lengthless,
            (Self::Line, b'\r') => Self::Line,
            (Self::Rest | Self::Name(_), b'\n') => Self::Line,
            (Self::Rest, _) => Self::Rest,
            (Self::Line, _) => Self::Name(0).step(byte),
            (Self::Name(matched), b':') if matched == LENGTH.len() => Self::Doubtful,
            (Self::Name(matched), _) => match LENGTH.get(matched) {
                Some(expected) if byte.eq_ignore_ascii_case(expected) => Self::Name(matched + 1),
                _ => Self::Rest,
            },
            (Self::Lengthless | Self::Doubtful, _) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, expected: RawHead) {
        assert_eq!(RawHead::default().after(head.as_bytes()), expected, "{head:?}");
        let bytewise = head.bytes().fold(RawHead::default(), |raw, byte| raw.after(&[byte]));
        assert_eq!(bytewise, expected, "{head:?}, byte by byte");
    }

    #[test]
    fn a_length_is_found_in_any_case_and_place_and_nothing_else_is_one() {
        for (fields, expected) in [
            ("Content-Length: 5\r\n", RawHead::Doubtful),
            ("a: b\r\ncONTENT-lENGTH:5\r\nc: d\r\n", RawHead::Doubtful),
            ("a: b\nContent-Length: 5\n", RawHead::Doubtful),
            ("", RawHead::Lengthless),
            ("a: Content-Length: 5\r\n", RawHead::Lengthless),
            ("X-Content-Length: 5\r\nContent-Lengths: 5\r\n", RawHead::Lengthless),
            ("Content-Lengt: 5\r\nContent: 5\r\n", RawHead::Lengthless),
        ] {
            check(&format!("POST / HTTP/1.1\r\n{fields}\r\nContent-Length: 5\r\n"), expected);
            check(&format!("\r\nGET http://h:1/ HTTP/1.1\r\n{fields}\r\n"), expected);
        }
    }

    #[test]
    fn half_a_head_is_no_head() {
        check("", RawHead::Before);
        check("POST / HTTP/1.1\r\na: b\r\n\r", RawHead::Line);
        check("Transfer-Encoding: chunked\r\n\r\n", RawHead::Doubtful);
        check("encoding\r\n\r\n", RawHead::Doubtful);
    }
}
