//! Stamps: the instant at which a chunk was sent, written into the chunk itself.
//!
//! A stamp is `@` and sixteen digits, the microseconds of the wall clock, since that is the one
//! clock whose reading means the same in two processes. Nothing but a stamp holds an `@`.

use std::time::{SystemTime, UNIX_EPOCH};

/// The mark before the digits.
const MARK: u8 = b'@';
/// Enough until the year 2286.
pub(crate) const DIGITS: usize = 16;

/// Returns what the clock says, in microseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "both ends of a bench are programs of their own, and this is their common clock"
)]
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Returns a stamp as it stands in a chunk.
pub(crate) fn stamp(us: u64) -> String {
    format!("{}{us:0DIGITS$}", char::from(MARK))
}

/// Finds stamps in bytes that come in any pieces.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    us: u64,
    digits_left: usize,
}

impl Scanner {
    /// Looks through the next bytes and shows each stamp that ends in them.
    pub(crate) fn scan(&mut self, bytes: &[u8], mut found: impl FnMut(u64)) {
        for &byte in bytes {
            if byte == MARK {
                *self = Self { us: 0, digits_left: DIGITS };
            } else if 0 < self.digits_left {
                self.us = self.us * 10 + u64::from(byte.saturating_sub(b'0').min(9));
                self.digits_left -= 1;
                if self.digits_left == 0 {
                    found(self.us);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_however_the_bytes_are_cut() {
        let text = format!("data: {} x\n\ndata: {}", stamp(1_763_900_000_000_001), stamp(7));

        for size in 1..=text.len() {
            let mut scanner = Scanner::default();
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                scanner.scan(piece, |us| found.push(us));
            }

            assert_eq!(found, [1_763_900_000_000_001, 7], "in pieces of {size}");
        }
    }

    #[test]
    fn half_a_stamp_is_none() {
        Scanner::default().scan(b"@123", |us| panic!("found {us}"));
    }
}
