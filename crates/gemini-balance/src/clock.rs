//! The only room that asks the system for the time.
//!
//! There are two times and they are never mixed: the monotonic one counts milliseconds since this
//! clock was made and decides how long something waits; the wall one counts milliseconds since
//! 1970 and is what is stored and shown. The wall clock may jump, the monotonic one never does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Tells both times; clones share one origin, so their readings may be compared.
#[derive(Clone, Debug)]
pub struct Clock(Source);

impl Clock {
    /// Reads the system's clocks; the monotonic time starts at zero here.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// Stands still at `wall_ms` (and monotonic zero) until [`Clock::advance`] is called.
    #[must_use]
    pub fn manual(wall_ms: i64) -> Self {
        Self(Source::Manual(Arc::new(Hands {
            monotonic_ms: AtomicU64::new(0),
            wall_ms: AtomicI64::new(wall_ms),
        })))
    }

    /// Milliseconds since the clock was made; never goes back.
    #[must_use]
    pub fn monotonic_ms(&self) -> u64 {
        match &self.0 {
            Source::System(origin) => {
                u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX)
            }
            Source::Manual(hands) => hands.monotonic_ms.load(Ordering::SeqCst),
        }
    }

    /// The same in microseconds, for what is too short to be told in milliseconds.
    #[must_use]
    pub fn monotonic_us(&self) -> u64 {
        match &self.0 {
            Source::System(origin) => {
                u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX)
            }
            Source::Manual(hands) => {
                hands.monotonic_ms.load(Ordering::SeqCst).saturating_mul(1_000)
            }
        }
    }

    /// Milliseconds since 1970-01-01 UTC, signed as the database and the calendar hold them.
    #[must_use]
    pub fn wall_ms(&self) -> i64 {
        match &self.0 {
            Source::System(_) => system_wall_ms(),
            Source::Manual(hands) => hands.wall_ms.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock forward on both times; a system clock is not ours to move.
    pub fn advance(&self, ms: u32) {
        match &self.0 {
            Source::System(_) => {}
            Source::Manual(hands) => {
                hands.monotonic_ms.fetch_add(u64::from(ms), Ordering::SeqCst);
                hands.wall_ms.fetch_add(i64::from(ms), Ordering::SeqCst);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Source {
    System(Instant),
    Manual(Arc<Hands>),
}

#[derive(Debug)]
struct Hands {
    monotonic_ms: AtomicU64,
    wall_ms: AtomicI64,
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
fn system_wall_ms() -> i64 {
    // A clock set before 1970 reads as 1970: every stored time stays positive.
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// The first midnight in Los Angeles after `wall_ms`, daylight saving included: there Google's
/// daily quotas begin anew. A time beyond the calendar's year 9999 gets a plain day added.
#[must_use]
pub fn next_midnight_los_angeles_ms(wall_ms: i64) -> i64 {
    midnight_after(wall_ms).unwrap_or_else(|_| wall_ms.saturating_add(DAY_MS))
}

fn midnight_after(wall_ms: i64) -> Result<i64, jiff::Error> {
    let zone = TimeZone::get("America/Los_Angeles")?;
    let there = Timestamp::from_millisecond(wall_ms)?.to_zoned(zone);
    Ok(there.tomorrow()?.start_of_day()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daily_quota_returns_at_the_next_midnight_in_los_angeles() {
        check("2026-11-22T20:46:48Z", "2026-11-23T08:00:00Z");
        check("2026-11-23T07:59:59.999Z", "2026-11-23T08:00:00Z");
        check("2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z");
        check("2026-07-01T12:00:00Z", "2026-07-02T07:00:00Z");
    }

    #[test]
    fn a_day_of_23_or_25_hours_ends_at_its_own_midnight() {
        check("2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z");
        check("2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z");
    }

    #[test]
    fn a_time_beyond_the_calendar_still_gets_an_answer() {
        assert_eq!(next_midnight_los_angeles_ms(i64::MAX), i64::MAX);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_its_clones_move_with_it() {
        let clock = Clock::manual(1_000);
        let clone = clock.clone();

        clock.advance(250);

        assert_eq!((clone.monotonic_ms(), clone.wall_ms()), (250, 1_250));
    }

    #[test]
    fn the_system_clock_tells_a_plausible_time_and_cannot_be_moved() {
        let clock = Clock::system();

        clock.advance(u32::MAX);

        assert!(clock.monotonic_ms() < 60_000);
        assert!(clock.wall_ms() > 1_700_000_000_000);
    }

    fn check(now: &str, expected: &str) {
        let ms = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();

        assert_eq!(next_midnight_los_angeles_ms(ms(now)), ms(expected), "after {now}");
    }
}
