//! Where an answer's body ends (RFC 9112, 6 and 7), and its bytes without their framing.
//!
//! A piece as it was read goes in, and its content comes out in place: what belongs to the framing
//! is closed over, so that everything that had arrived leaves as one piece. Any cut of the bytes
//! into pieces yields the same content.

use std::ops::Range;

/// Longest line of a chunk's size with its extensions, and most bytes of all trailers together.
const LINE_BYTES_MAX: u32 = 16 * 1024;

/// Most digits of a chunk's size: as many as fit, leading zeros included.
const SIZE_DIGITS_MAX: u32 = 16;

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// By a chunk without content.
    Chunked(Chunks),
    /// By the end of the connection.
    UntilClose,
}

/// Where a chunked body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// In the digits of a chunk's size, of which some have been read.
    Size { value: u64, digits: u32 },
    /// Behind the digits, up to the end of the line; so many bytes of it have been passed over.
    Extension { size: u64, bytes: u32 },
    /// Before the line feed that ends the line of a size.
    SizeEnd { size: u64 },
    /// In a chunk, with so many bytes still to come.
    Content { left: u64 },
    /// Before the carriage return behind a chunk.
    ContentEnd,
    /// Before the line feed behind it.
    ContentLineFeed,
    /// Behind the last chunk, in a trailer or at its beginning; so many bytes of them were read.
    Trailer { bytes: u32, is_line_empty: bool },
    /// Before a line feed among the trailers.
    TrailerLineFeed { bytes: u32, is_line_empty: bool },
    /// Behind the last byte.
    Ended,
}

/// The body is not framed as HTTP/1.1 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not framed as HTTP/1.1 has it")]
pub struct BadFraming;

/// What a piece held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unframed {
    /// Where in the piece its content lies.
    pub(super) content: Range<usize>,
    /// How much of the piece belonged to this body.
    pub(super) consumed: usize,
}

impl Chunks {
    /// Before the first chunk.
    pub(super) const START: Self = Self::Size { value: 0, digits: 0 };
}

impl Framing {
    /// Whether the last byte has been seen. Where the connection's end is the body's, only the
    /// connection knows.
    pub(super) fn is_ended(self) -> bool {
        match self {
            Self::Length(left) => left == 0,
            Self::Chunked(chunks) => chunks == Chunks::Ended,
            Self::UntilClose => false,
        }
    }

    /// Takes the framing out of a piece, in place.
    ///
    /// # Errors
    ///
    /// [`BadFraming`]; the connection is of no further use then.
    pub(super) fn unframe(&mut self, piece: &mut [u8]) -> Result<Unframed, BadFraming> {
        match self {
            Self::Length(left) => {
                let taken = piece.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                Ok(Unframed { content: 0..taken, consumed: taken })
            }
            Self::UntilClose => Ok(Unframed { content: 0..piece.len(), consumed: piece.len() }),
            Self::Chunked(chunks) => chunks.unframe(piece),
        }
    }
}

impl Chunks {
    fn unframe(&mut self, piece: &mut [u8]) -> Result<Unframed, BadFraming> {
        let mut content = 0..0;
        let mut at = 0;
        while at < piece.len() && *self != Self::Ended {
            if let Self::Content { left } = *self {
                let rest = piece.len() - at;
                let taken = rest.min(usize::try_from(left).unwrap_or(usize::MAX));
                if content.is_empty() {
                    content = at..at + taken;
                } else {
                    piece.copy_within(at..at + taken, content.end);
                    content.end += taken;
                }
                at += taken;
                *self = match left - taken as u64 {
                    0 => Self::ContentEnd,
                    left => Self::Content { left },
                };
            } else if let Some(byte) = piece.get(at) {
                *self = self.after(*byte)?;
                at += 1;
            }
        }
        Ok(Unframed { content, consumed: at })
    }

    /// The state after a byte of the framing.
    fn after(self, byte: u8) -> Result<Self, BadFraming> {
        match (self, byte) {
            (Self::Size { value, digits }, _)
                if byte.is_ascii_hexdigit() && digits < SIZE_DIGITS_MAX =>
            {
                let digit = char::from(byte).to_digit(16).ok_or(BadFraming)?;
                let value = value.checked_mul(16).ok_or(BadFraming)? + u64::from(digit);
                Ok(Self::Size { value, digits: digits + 1 })
            }
            (Self::Size { digits: 0, .. }, _) => Err(BadFraming),
            (Self::Size { value: size, .. }, b'\r') => Ok(Self::SizeEnd { size }),
            (Self::Size { value: size, .. }, b';' | b' ' | b'\t') => {
                Ok(Self::Extension { size, bytes: 1 })
            }
            (Self::Extension { size, .. }, b'\r') => Ok(Self::SizeEnd { size }),
            (Self::Extension { size, bytes }, _) if byte != b'\n' && bytes < LINE_BYTES_MAX => {
                Ok(Self::Extension { size, bytes: bytes + 1 })
            }
            (Self::SizeEnd { size: 0 }, b'\n') => {
                Ok(Self::Trailer { bytes: 0, is_line_empty: true })
            }
            (Self::SizeEnd { size }, b'\n') => Ok(Self::Content { left: size }),
            (Self::ContentEnd, b'\r') => Ok(Self::ContentLineFeed),
            (Self::ContentLineFeed, b'\n') => Ok(Self::START),
            (Self::Trailer { bytes, is_line_empty }, b'\r') => {
                Ok(Self::TrailerLineFeed { bytes, is_line_empty })
            }
            (Self::Trailer { bytes, .. }, _) if byte != b'\n' && bytes < LINE_BYTES_MAX => {
                Ok(Self::Trailer { bytes: bytes + 1, is_line_empty: false })
            }
            (Self::TrailerLineFeed { is_line_empty: true, .. }, b'\n') => Ok(Self::Ended),
            (Self::TrailerLineFeed { bytes, is_line_empty: false }, b'\n') => {
                Ok(Self::Trailer { bytes, is_line_empty: true })
            }
            _ => Err(BadFraming),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The content of a body that arrives in these pieces, and what is left of the last one.
    fn unframed(mut framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize), BadFraming> {
        let (mut content, mut left) = (Vec::new(), 0);
        for piece in pieces {
            let mut piece = piece.to_vec();
            let found = framing.unframe(&mut piece)?;
            content.extend_from_slice(&piece[found.content]);
            left = piece.len() - found.consumed;
        }
        assert!(framing.is_ended() || framing == Framing::UntilClose);
        Ok((content, left))
    }

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        let content = unframed(Framing::Chunked(Chunks::START), &[body.as_bytes()]);
        let expected = expected.map(|text| (text.as_bytes().to_vec(), 0)).ok_or(BadFraming);
        assert_eq!(content, expected, "{body:?}");
    }

    #[test]
    fn chunks_that_arrive_together_leave_as_one_piece() {
        check("0\r\n\r\n", Some(""));
        check("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Some("abcde"));
        check("0A;name=\"value\"\r\n0123456789\r\n1 \r\nx\r\n0\r\n\r\n", Some("0123456789x"));
        check("1\r\na\r\n0\r\nx-trailer: 1\r\nother: 2\r\n\r\n", Some("a"));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for body in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "1\na",
            "1;x\na",
            "1\r\nab\r\n",
            "1\r\na\n0\r\n\r\n",
            "11111111111111111\r\n",
            "00000000000000001\r\nx",
            "0\r\nx: 1\n\r\n",
            &format!("1;{}\r\n", "x".repeat(1 << 15)),
            &format!("0\r\n{}", "x: 1\r\n".repeat(1 << 13)),
        ] {
            check(body, None);
        }
    }

    #[test]
    fn a_length_takes_so_many_bytes_and_leaves_the_rest() {
        let pieces: [&[u8]; 2] = [b"abc", b"defg"];

        assert_eq!(unframed(Framing::Length(5), &pieces), Ok((b"abcde".to_vec(), 2)));
        assert_eq!(unframed(Framing::UntilClose, &pieces), Ok((b"abcdefg".to_vec(), 0)));
    }

    proptest! {
        #[test]
        fn however_a_chunked_body_is_cut_its_content_is_the_same(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cuts in prop::collection::vec(1..20_usize, 1..60),
            excess in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let length = body.len();
            body.extend_from_slice(&excess);
            let mut framing = Framing::Chunked(Chunks::START);
            let (mut content, mut consumed, mut rest) = (Vec::new(), 0, body.as_slice());
            for cut in cuts.into_iter().cycle() {
                let (piece, later) = rest.split_at(cut.min(rest.len()));
                let mut piece = piece.to_vec();
                let found = framing.unframe(&mut piece).unwrap();
                content.extend_from_slice(&piece[found.content]);
                consumed += found.consumed;
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }

            prop_assert_eq!(content, chunks.concat());
            prop_assert_eq!(consumed, length);
            prop_assert!(framing.is_ended());
        }

        #[test]
        fn no_bytes_make_it_fall_over(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..20)) {
            let mut framing = Framing::Chunked(Chunks::START);
            for mut piece in pieces {
                match framing.unframe(&mut piece) {
                    Ok(found) => prop_assert!(found.content.end <= found.consumed),
                    Err(BadFraming) => break,
                }
            }
        }
    }
}
