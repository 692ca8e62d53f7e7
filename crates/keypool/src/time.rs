//! Points on the pool's own time line.
//!
//! The pool never asks a clock. Whoever calls it reads a monotonic clock and passes the reading in, so a
//! test can let twelve hours pass in a microsecond and a jump of the wall clock changes nothing.

/// A point on a monotonic line, in milliseconds since a moment the caller has chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The point `millis` milliseconds after the caller's zero.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the caller's zero.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The point `millis` later; the end of the line is never passed.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds that have passed since `earlier`; 0 if `earlier` is not earlier.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_leaves_its_line() {
        let end = Time::from_millis(u64::MAX);

        assert_eq!(end.plus_millis(1), end);
        assert_eq!(Time::from_millis(3).millis_since(end), 0);
        assert_eq!(end.millis_since(Time::from_millis(u64::MAX - 7)), 7);
    }
}
