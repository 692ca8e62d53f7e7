//! Values of foreign tables, read without believing what the schema says of them.
//!
//! SQLite stores any kind of value in any column, and a program may have written what another
//! version would not. So a text may be a number and the other way round; what cannot be read as
//! what is wanted is absent.

use rusqlite::types::ValueRef;

/// Longest text of one value, in bytes: a channel may hold thousands of keys, one a line.
const TEXT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A value as a text; bytes that are no UTF-8 are replaced.
pub(super) fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            let bytes = bytes.get(..TEXT_BYTES_MAX).unwrap_or(bytes);
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

/// A value as a number that is one.
pub(super) fn number(value: ValueRef<'_>) -> Option<f64> {
    let number = match value {
        ValueRef::Null => return None,
        ValueRef::Integer(number) => number as f64,
        ValueRef::Real(number) => number,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            str::from_utf8(bytes).ok()?.trim().parse().ok()?
        }
    };
    number.is_finite().then_some(number)
}

/// A value as a count that fits; what is negative is none.
pub(super) fn count(value: ValueRef<'_>) -> Option<u32> {
    let number = number(value).filter(|number| 0.0 <= *number)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float that is too large becomes the largest count"
    )]
    Some(number as u32)
}

/// Seconds since the epoch as ms; `None` for what is no moment of this or the next centuries.
pub(super) fn moment_ms(seconds: f64) -> Option<i64> {
    const SECONDS_MAX: f64 = 32_503_680_000.0;
    if !(0.0..SECONDS_MAX).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds above")]
    Some((seconds * 1_000.0).floor() as i64)
}
