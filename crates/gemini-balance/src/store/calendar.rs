//! Time as people count it: days, weeks and months of any IANA zone, laid over quarter-hours.
//!
//! Always true: every present-day offset is a multiple of a quarter-hour, so a quarter-hour belongs to exactly one local
//! hour and day, and sums of quarter-hours are exact in every zone, on days of 23, 24 and 25 hours alike.

use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) const QUARTER_MS: i64 = 15 * 60 * 1_000;
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// The first ms that is not stored: late in 2109.
pub(super) const TIME_MS_MAX: i64 = 1 << 42;

/// How many periods one question may ask for.
const PERIODS_MAX: i64 = 1_000;
/// How far from the present, in periods, one question may begin.
const OFFSET_MAX: i64 = 10_000;

/// The first quarter-hour, numbered since the epoch, that begins at `time_ms` or later.
pub(super) fn first_quarter(time_ms: i64) -> i64 {
    time_ms.div_euclid(QUARTER_MS) + i64::from(time_ms.rem_euclid(QUARTER_MS) != 0)
}

/// From `start_ms` to just before `end_ms`, in ms since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The first ms.
    pub start_ms: i64,
    /// The first ms after it.
    pub end_ms: i64,
}

impl TimeRange {
    /// Everything that is stored.
    pub const ALL: Self = Self { start_ms: 0, end_ms: TIME_MS_MAX };

    /// The range within what can be stored; empty rather than reversed.
    pub(super) fn clamped(self) -> Self {
        let start_ms = self.start_ms.clamp(0, TIME_MS_MAX);
        Self { start_ms, end_ms: self.end_ms.clamp(start_ms, TIME_MS_MAX) }
    }

    /// The quarter-hours that hold a part of the range, numbered since the epoch.
    pub(super) fn quarters(self) -> Range<i64> {
        let Self { start_ms, end_ms } = self.clamped();
        let first = start_ms.div_euclid(QUARTER_MS);
        if start_ms == end_ms {
            return first..first;
        }
        first..first_quarter(end_ms)
    }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    zone: TimeZone,
}

impl Zone {
    /// The zone of this name, as `Asia/Kolkata`; `None` if there is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(|zone| Self { zone })
    }

    /// The zone without offset.
    #[must_use]
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC }
    }

    /// The local date and time at `time_ms`, and the offset from UTC that makes it.
    pub(super) fn local(&self, time_ms: i64) -> (jiff::civil::DateTime, jiff::tz::Offset) {
        let timestamp = Timestamp::from_millisecond(time_ms).unwrap_or_default();
        let offset = self.zone.to_offset(timestamp);
        (offset.to_datetime(timestamp), offset)
    }

    /// The local date at `time_ms`.
    pub(super) fn date(&self, time_ms: i64) -> Date {
        self.local(time_ms).0.date()
    }

    /// The first ms of a local date; `None` at the ends of the calendar.
    pub(super) fn start_of(&self, date: Date) -> Option<i64> {
        let midnight = date.to_zoned(self.zone.clone()).ok()?;
        Some(midnight.timestamp().as_millisecond())
    }
}

/// A length of time in the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

impl Unit {
    /// The first day of the period that holds `date`.
    pub(super) fn first_day(self, date: Date) -> Date {
        match self {
            Self::Day => date,
            Self::Week => {
                let days = i64::from(date.weekday().to_monday_zero_offset());
                date.saturating_sub(Span::new().days(days))
            }
            Self::Month => date.first_of_month(),
        }
    }

    /// The name of the period that begins with `first_day`: `2026-11-22`, `2026-46` (as `%Y-%W`), `2026-11`.
    pub(super) fn label(self, first_day: Date) -> String {
        let format = match self {
            Self::Day => "%Y-%m-%d",
            Self::Week => "%Y-%W",
            Self::Month => "%Y-%m",
        };
        first_day.strftime(format).to_string()
    }

    /// The first day of the period after the one that holds `date`.
    pub(super) fn next_day(self, date: Date) -> Option<Date> {
        self.shifted(self.first_day(date), 1)
    }

    /// The first day of the period `count` periods after the one that begins with `first_day`.
    fn shifted(self, first_day: Date, count: i64) -> Option<Date> {
        let span = match self {
            Self::Day => Span::new().try_days(count),
            Self::Week => Span::new().try_weeks(count),
            Self::Month => Span::new().try_months(count),
        };
        first_day.checked_add(span.ok()?).ok()
    }
}

/// Some periods in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    unit: Unit,
    offset: i64,
    count: i64,
}

impl Periods {
    /// `count` periods up to and including the present one, moved by `offset` periods (negative: into the past).
    ///
    /// No periods if `count` is not positive; `None` if more than 1,000 are asked for, or some that lie more than
    /// 10,000 periods away.
    #[must_use]
    pub fn new(unit: Unit, offset: i64, count: i64) -> Option<Self> {
        let count = count.max(0);
        let is_near = (-OFFSET_MAX..=OFFSET_MAX).contains(&offset);
        (is_near && count <= PERIODS_MAX).then_some(Self { unit, offset, count })
    }

    /// The unit they are counted in.
    #[must_use]
    pub fn unit(self) -> Unit {
        self.unit
    }

    /// The first day of each period, oldest first, and after them the first day that belongs to none.
    pub(super) fn first_days(self, zone: &Zone, now_ms: i64) -> Vec<Date> {
        let present = self.unit.first_day(zone.date(now_ms));
        (self.offset - self.count + 1..=self.offset + 1)
            .filter_map(|count| self.unit.shifted(present, count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_counted_by_the_calendar() {
        check("2026-03-01T12:00:00Z", Unit::Month, 0, &["2026-01", "2026-02", "2026-03"]);
        check("2026-03-31T12:00:00Z", Unit::Month, -1, &["2025-12", "2026-01", "2026-02"]);
        check("2026-12-31T12:00:00Z", Unit::Month, 1, &["2026-11", "2026-12", "2027-01"]);
    }

    #[test]
    fn weeks_begin_on_monday_and_are_numbered_as_in_python() {
        check("2026-11-22T12:00:00Z", Unit::Week, 0, &["2026-44", "2026-45", "2026-46"]);
        check("2027-01-03T12:00:00Z", Unit::Week, 0, &["2026-50", "2026-51", "2026-52"]);
        check("2024-01-01T12:00:00Z", Unit::Week, 0, &["2023-51", "2023-52", "2024-01"]);
    }

    #[test]
    fn days_cross_months_and_leap_days() {
        check("2028-03-01T00:00:00Z", Unit::Day, 0, &["2028-02-28", "2028-02-29", "2028-03-01"]);
        check("2026-03-01T00:00:00Z", Unit::Day, -1, &["2026-02-26", "2026-02-27", "2026-02-28"]);
    }

    #[test]
    fn a_day_of_daylight_saving_has_its_true_length() {
        let hours = |zone: &str, date: &str| {
            let zone = Zone::named(zone).unwrap();
            let date: Date = date.parse().unwrap();
            let next = zone.start_of(date.tomorrow().unwrap()).unwrap();
            (next - zone.start_of(date).unwrap()) as f64 / 3_600_000.0
        };

        assert_eq!(hours("America/New_York", "2026-03-08"), 23.0);
        assert_eq!(hours("America/New_York", "2026-11-01"), 25.0);
        assert_eq!(hours("Australia/Lord_Howe", "2026-10-04"), 23.5);
        assert_eq!(hours("Australia/Lord_Howe", "2026-04-05"), 24.5);
        assert_eq!(hours("Asia/Kathmandu", "2026-04-05"), 24.0);
    }

    #[test]
    fn absurd_questions_are_refused_and_empty_ones_are_not() {
        assert_eq!(Periods::new(Unit::Day, 0, 1_001), None);
        assert_eq!(Periods::new(Unit::Day, 1_000_000_000, 1), None);
        let none = Periods::new(Unit::Day, 0, -1).unwrap();
        assert_eq!(none.first_days(&Zone::utc(), 0).len(), 1);
        assert_eq!(Zone::named("Mars/Olympus"), None);
    }

    #[test]
    fn every_present_day_offset_is_a_multiple_of_a_quarter_hour() {
        let now = "2026-11-22T12:00:00Z".parse::<Timestamp>().unwrap();

        for name in jiff::tz::db().available() {
            let zone = Zone::named(name.as_str()).unwrap();
            let (_, offset) = zone.local(now.as_millisecond());
            assert_eq!(offset.seconds() % 900, 0, "{name}");
        }
    }

    fn check(now: &str, unit: Unit, offset: i64, expected: &[&str]) {
        let now: Timestamp = now.parse().unwrap();
        let periods = Periods::new(unit, offset, 3).unwrap();

        let mut days = periods.first_days(&Zone::utc(), now.as_millisecond());

        days.pop();
        let labels: Vec<_> = days.into_iter().map(|day| unit.label(day)).collect();
        assert_eq!(labels, expected);
    }
}
