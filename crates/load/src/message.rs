//! Reading HTTP/1.1 messages, requests and answers alike, out of bytes that come in any pieces.
//!
//! Only what peers on this machine send: a length or chunks, no trailer, no pipelining. Everything
//! else is an error that ends the connection, so that a broken answer is counted and never passes
//! for a fast one.

use anyhow::{Context as _, ensure};

const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// One message on its way in.
#[derive(Debug, Default)]
pub(crate) struct Message {
    head: Vec<u8>,
    next: Next,
}

/// What the next byte belongs to.
#[derive(Debug, Default, Clone, Copy)]
enum Next {
    #[default]
    Head,
    Body {
        left: u64,
    },
    /// The line with the size of a chunk, of which so much was read.
    ChunkSize {
        size: u64,
    },
    Chunk {
        left: u64,
    },
    /// The line end behind a chunk.
    ChunkEnd {
        left: usize,
    },
    /// The empty line behind the last chunk.
    LastLine {
        left: usize,
    },
    Nothing,
}

impl Message {
    /// Begins the next message on the same connection.
    pub(crate) fn clear(&mut self) {
        self.head.clear();
        self.next = Next::Head;
    }

    /// Returns whether the message is complete.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.next, Next::Nothing)
    }

    /// Returns whether nothing of the message has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// Returns first line and fields, once they are complete.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Returns the status of a complete answer.
    pub(crate) fn status(&self) -> Option<u16> {
        let line = self.head.strip_prefix(b"HTTP/1.1 ")?;
        str::from_utf8(line.get(..3)?).ok()?.parse().ok()
    }

    /// Returns whether the connection ends behind this message, or is to end behind its answer.
    pub(crate) fn is_last(&self) -> bool {
        let line = self.head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        line.ends_with(b" HTTP/1.0")
            || field(&self.head, b"connection")
                .is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
    }

    /// Takes in the next bytes and shows each piece of the body to `see`.
    ///
    /// # Errors
    ///
    /// If the bytes are no message, or go on behind its end.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut see: impl FnMut(&[u8]),
    ) -> anyhow::Result<()> {
        while let Some(&byte) = bytes.first() {
            let used = match self.next {
                Next::Head => self.read_head(bytes)?,
                Next::Body { left } | Next::Chunk { left } => {
                    let piece = bytes.get(..at_most(left, bytes)).unwrap_or(bytes);
                    see(piece);
                    self.pass_body(piece);
                    piece.len()
                }
                Next::ChunkSize { size } => {
                    self.read_size(size, byte)?;
                    1
                }
                Next::ChunkEnd { left } => {
                    self.next = line_end(byte, left, Next::ChunkSize { size: 0 }, |left| {
                        Next::ChunkEnd { left }
                    })?;
                    1
                }
                Next::LastLine { left } => {
                    self.next =
                        line_end(byte, left, Next::Nothing, |left| Next::LastLine { left })?;
                    1
                }
                Next::Nothing => anyhow::bail!("bytes behind the end of a message"),
            };
            bytes = bytes.get(used..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes in bytes of the head and returns how many belong to it.
    fn read_head(&mut self, bytes: &[u8]) -> anyhow::Result<usize> {
        let seen = self.head.len();
        self.head.extend_from_slice(bytes);
        // The end may have begun in the piece before.
        let from = seen.saturating_sub(HEAD_END.len() - 1);
        let Some(at) = position(self.head.get(from..).unwrap_or_default(), HEAD_END) else {
            ensure!(self.head.len() < HEAD_BYTES_MAX, "the head is too long");
            return Ok(bytes.len());
        };
        self.head.truncate(from + at + HEAD_END.len());
        self.next = if field(&self.head, b"transfer-encoding").is_some() {
            Next::ChunkSize { size: 0 }
        } else {
            let length = match field(&self.head, b"content-length") {
                Some(value) => str::from_utf8(value)?.parse().context("no length")?,
                None => 0,
            };
            body(length)
        };
        Ok(self.head.len() - seen)
    }

    fn pass_body(&mut self, piece: &[u8]) {
        let passed = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.next = match self.next {
            Next::Body { left } => body(left - passed),
            Next::Chunk { left } if left == passed => Next::ChunkEnd { left: 2 },
            Next::Chunk { left } => Next::Chunk { left: left - passed },
            other @ (Next::Head
            | Next::ChunkSize { .. }
            | Next::ChunkEnd { .. }
            | Next::LastLine { .. }
            | Next::Nothing) => other,
        };
    }

    fn read_size(&mut self, size: u64, byte: u8) -> anyhow::Result<()> {
        self.next = match byte {
            b'\r' => Next::ChunkSize { size },
            b'\n' if size == 0 => Next::LastLine { left: 2 },
            b'\n' => Next::Chunk { left: size },
            digit => {
                let digit = char::from(digit).to_digit(16).context("no size of a chunk")?;
                let size = size.checked_mul(16).context("a chunk is too long")?;
                Next::ChunkSize { size: size + u64::from(digit) }
            }
        };
        Ok(())
    }
}

fn body(left: u64) -> Next {
    if left == 0 { Next::Nothing } else { Next::Body { left } }
}

fn at_most(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len())
}

/// Reads a byte of a line end of which `left` bytes are to come.
fn line_end(byte: u8, left: usize, then: Next, again: fn(usize) -> Next) -> anyhow::Result<Next> {
    ensure!(matches!((left, byte), (2, b'\r') | (1, b'\n')), "no line end behind a chunk");
    Ok(if left == 1 { then } else { again(left - 1) })
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Returns the value of a field, without the spaces around it.
fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_with_its_length() {
        check("HTTP/1.1 200 OK\r\ncontent-Length: 5\r\n\r\nhello", "hello");
        check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "");
        check("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "");
    }

    #[test]
    fn a_body_in_chunks_ends_with_the_empty_one() {
        check(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0b\r\n, you there\r\n0\r\n\r\n",
            "hello, you there",
        );
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "");
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        refuse("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello!");
        refuse("HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello");
        refuse("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n");
        refuse("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n");
        refuse("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n");
        refuse(&"x".repeat(HEAD_BYTES_MAX));
    }

    #[test]
    fn a_connection_has_one_message_after_another() {
        let mut message = Message::default();
        message.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", |_| {}).unwrap();
        message.clear();
        assert!(message.is_empty() && !message.is_complete());

        message
            .feed(b"HTTP/1.1 503 No\r\ncontent-length: 1\r\nConnection: close\r\n\r\nb", |_| {})
            .unwrap();

        assert!(message.is_complete() && message.is_last());
        assert_eq!(message.status(), Some(503));
    }

    /// Feeds the text in pieces of every size.
    fn check(text: &str, expected: &str) {
        for size in 1..=text.len() {
            let mut message = Message::default();
            let mut body = Vec::new();
            for (index, piece) in text.as_bytes().chunks(size).enumerate() {
                assert!(!message.is_complete(), "{text} was complete before piece {index}");
                message.feed(piece, |bytes| body.extend_from_slice(bytes)).unwrap();
            }

            assert!(message.is_complete(), "{text} in pieces of {size}");
            assert_eq!(String::from_utf8_lossy(&body), expected);
        }
    }

    fn refuse(text: &str) {
        assert!(Message::default().feed(text.as_bytes(), |_| {}).is_err(), "{text}");
    }
}
