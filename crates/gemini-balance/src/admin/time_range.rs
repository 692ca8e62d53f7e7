//! A range of time, and how much of a list: what questions about the past have in common.

use serde::Deserialize;

use crate::admin::error::ApiError;
use crate::admin::moment::QueryMoment;
use crate::admin::problem::{Part, Problem};
use crate::admin::values::Bounded;
use crate::app::App;
use crate::store::calendar::TimeRange;

/// A day in ms.
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A range of time.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Range {
    /// Its start: ISO 8601 (UTC if without a zone), or a number of seconds or milliseconds since 1970; a day before its end if absent.
    #[param(value_type = Option<String>)]
    from: Option<QueryMoment>,
    /// The first moment after it, in the same forms; now if absent.
    #[param(value_type = Option<String>)]
    to: Option<QueryMoment>,
}

/// How much of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Top {
    /// Entries at most.
    #[serde(default = "hundred")]
    #[param(value_type = u32, minimum = 1, maximum = 10_000, default = 100)]
    limit: Bounded<1, 10_000>,
}

impl Range {
    /// The range as it is at this moment.
    ///
    /// # Errors
    ///
    /// It ends before it begins.
    pub(super) fn since(&self, app: &App) -> Result<TimeRange, ApiError> {
        self.at(app.clock.wall_ms())
    }

    /// The range as it is at `now_ms`.
    fn at(&self, now_ms: i64) -> Result<TimeRange, ApiError> {
        let end_ms = self.to.map_or(now_ms, |to| to.ms);
        let start_ms = self.from.map_or(end_ms - DAY_MS, |from| from.ms);
        match start_ms < end_ms {
            true => Ok(TimeRange { start_ms, end_ms }),
            false => Err(problem("Input should be earlier than the end of the range")),
        }
    }
}

impl Top {
    /// Entries at most.
    pub(super) fn limit(&self) -> usize {
        usize::try_from(self.limit.get()).unwrap_or(usize::MAX)
    }
}

/// The refusal of a range.
pub(super) fn problem(words: &str) -> ApiError {
    ApiError::Invalid(vec![Problem::value(Part::Query, "from", words)])
}

fn hundred() -> Bounded<1, 10_000> {
    Bounded::nearest(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_380_408_435;

    #[test]
    fn a_range_is_the_last_day_unless_it_is_given() {
        check(None, None, Some((NOW_MS - DAY_MS, NOW_MS)));
        check(Some(NOW_MS - 5), None, Some((NOW_MS - 5, NOW_MS)));
        check(None, Some(DAY_MS), Some((0, DAY_MS)));
        check(Some(1), Some(2), Some((1, 2)));
        check(Some(2), Some(2), None);
        check(Some(NOW_MS + 1), None, None);
    }

    fn check(from: Option<i64>, to: Option<i64>, expected: Option<(i64, i64)>) {
        let moment = |ms: Option<i64>| ms.map(|ms| QueryMoment { ms });
        let range = Range { from: moment(from), to: moment(to) };

        let read = range.at(NOW_MS).ok().map(|range| (range.start_ms, range.end_ms));

        assert_eq!(read, expected, "from {from:?} to {to:?}");
    }
}
