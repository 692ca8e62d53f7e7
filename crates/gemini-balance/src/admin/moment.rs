//! Moments and time zones as people and scripts write them into a query string.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit};
use serde::{Deserialize, Deserializer};

use crate::store::calendar::Zone;

/// Numbers up to this size are seconds, larger ones milliseconds: where the Python version drew
/// the line, in the year 2603 for seconds and in August 1970 for milliseconds.
const SECONDS_MAX: i64 = 20_000_000_000;

/// A moment of a query: ISO 8601 with a zone, without one (then it is UTC), a date alone (its
/// midnight in UTC), or a number of seconds or milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueryMoment {
    /// Milliseconds since 1970.
    pub(super) ms: i64,
}

impl<'de> Deserialize<'de> for QueryMoment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let ms = moment_ms(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "Input should be a time such as 2027-01-31T12:00:00Z, or a number of seconds or \
                 milliseconds since 1970",
            )
        })?;
        Ok(Self { ms })
    }
}

/// Reads the name of a time zone.
pub(super) fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
    Zone::named(&String::deserialize(deserializer)?).ok_or_else(|| {
        serde::de::Error::custom("Input should be an IANA time zone such as Asia/Kolkata")
    })
}

/// The form in which the Python version wrote a time: microseconds, unless they are nought.
pub(super) fn written(time_ms: i64) -> String {
    let time = Timestamp::from_millisecond(time_ms).unwrap_or_default();
    let format = match time.subsec_nanosecond() {
        0 => "%Y-%m-%dT%H:%M:%SZ",
        _ => "%Y-%m-%dT%H:%M:%S.%6fZ",
    };
    time.strftime(format).to_string()
}

fn moment_ms(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        let is_seconds = (-SECONDS_MAX..=SECONDS_MAX).contains(&number);
        return checked(if is_seconds { number * 1_000 } else { number });
    }
    if let Ok(number) = text.parse::<f64>() {
        return fraction_ms(number);
    }
    // A plus sign that was not written as %2B arrives as a space.
    iso_ms(text).or_else(|| iso_ms(&text.replace(' ', "+")))
}

fn checked(ms: i64) -> Option<i64> {
    Timestamp::from_millisecond(ms).ok().map(Timestamp::as_millisecond)
}

fn fraction_ms(number: f64) -> Option<i64> {
    let is_seconds = number.abs() <= SECONDS_MAX as f64;
    let seconds = if is_seconds { number } else { number / 1_000.0 };
    let since = SignedDuration::try_from_secs_f64(seconds).ok()?;
    let since = since.round(Unit::Millisecond).ok()?;
    checked(i64::try_from(since.as_millis()).ok()?)
}

fn iso_ms(text: &str) -> Option<i64> {
    let timestamp = text.parse::<Timestamp>().or_else(|_| {
        let naive = text.parse::<DateTime>()?;
        naive.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
    });
    Some(timestamp.ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_every_form_people_write_it() {
        for text in [
            "2026-11-22T20:46:48.435Z",
            "2026-11-22T20:46:48.435123Z",
            "2026-11-22T20:46:48.435",
            "2026-11-22 20:46:48.435",
            "2026-11-23T02:16:48.435+05:30",
            "2026-11-23T02:16:48.435 05:30",
            "2026-11-22T15:46:48.435-05:00",
            "1795380408435",
            "1795380408.435",
        ] {
            assert_eq!(moment_ms(text), Some(1_795_380_408_435), "{text}");
        }
        assert_eq!(moment_ms("1795380408"), Some(1_795_380_408_000));
        assert_eq!(moment_ms("2026-11-22"), Some(1_795_305_600_000));
        assert_eq!(moment_ms("-1"), Some(-1_000));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let long = "9".repeat(10_000);
        for text in [
            "",
            " ",
            "NaN",
            "inf",
            "1e300",
            "yesterday",
            "2026-13-01",
            "9223372036854775807",
            &long,
        ] {
            assert_eq!(moment_ms(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_written_with_microseconds_or_none() {
        assert_eq!(written(1_795_380_408_435), "2026-11-22T20:46:48.435000Z");
        assert_eq!(written(1_795_380_408_000), "2026-11-22T20:46:48Z");
    }
}
