//! `/api/stats`: what was used in a range of time, by key, model, error, hour and day.
//!
//! Ranges are widened to whole quarter-hours; where there was nothing, the answer is `null` or has
//! no entry, never a number.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::OpenApi;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::moment::{QueryMoment, zone};
use crate::admin::parameters::{Both, Only};
use crate::admin::problem::{Part, Problem};
use crate::admin::routes::{Routes, get};
use crate::admin::values::Bounded;
use crate::app::App;
use crate::store::calendar::{TimeRange, Zone};
use crate::store::stats::{
    ErrorCount, ModelUsage, Overview, Point, ServiceKeyUsage, Step, UserKeyUsage, WeekHour,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// The longest range that is looked at quarter-hour by quarter-hour: five years.
const CALENDAR_DAYS_MAX: i64 = 5 * 366;

#[derive(OpenApi)]
#[openapi(paths(overview, by_user_key, by_service_key, by_model, errors, timeline, week_hours))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/api/stats/overview"), overview)
        .add(get("/api/stats/by_user_key"), by_user_key)
        .add(get("/api/stats/by_service_key"), by_service_key)
        .add(get("/api/stats/by_model"), by_model)
        .add(get("/api/stats/errors"), errors)
        .add(get("/api/stats/timeline"), timeline)
        .add(get("/api/stats/week_hours"), week_hours)
}

/// Answers everything in a range of time, with how long it took.
#[utoipa::path(
    get, path = "/api/stats/overview", tag = "statistics", params(Range),
    responses(
        (status = 200, description = "The sums", body = Overview),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn overview(
    State(app): State<Arc<App>>,
    Only(range): Only<Range>,
) -> Result<Json<Overview>, ApiError> {
    Ok(Json(app.store.overview(range.since(&app)?).await?))
}

/// Lists what each user key used, most attempts first.
#[utoipa::path(
    get, path = "/api/stats/by_user_key", tag = "statistics", params(Range, Top),
    responses(
        (status = 200, description = "One entry per user key", body = [UserKeyUsage]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn by_user_key(
    State(app): State<Arc<App>>,
    Both(range, top): Both<Range, Top>,
) -> Result<Json<Vec<UserKeyUsage>>, ApiError> {
    Ok(Json(app.store.usage_by_user_key(range.since(&app)?, top.limit()).await?))
}

/// Lists what each service key was used for, most attempts first.
#[utoipa::path(
    get, path = "/api/stats/by_service_key", tag = "statistics", params(Range, Top),
    responses(
        (status = 200, description = "One entry per service key", body = [ServiceKeyUsage]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn by_service_key(
    State(app): State<Arc<App>>,
    Both(range, top): Both<Range, Top>,
) -> Result<Json<Vec<ServiceKeyUsage>>, ApiError> {
    Ok(Json(app.store.usage_by_service_key(range.since(&app)?, top.limit()).await?))
}

/// Lists what each model was used for, most attempts first.
#[utoipa::path(
    get, path = "/api/stats/by_model", tag = "statistics", params(Range, Top),
    responses(
        (status = 200, description = "One entry per model", body = [ModelUsage]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn by_model(
    State(app): State<Arc<App>>,
    Both(range, top): Both<Range, Top>,
) -> Result<Json<Vec<ModelUsage>>, ApiError> {
    Ok(Json(app.store.usage_by_model(range.since(&app)?, top.limit()).await?))
}

/// Lists how often each kind of error occurred, the most frequent first.
#[utoipa::path(
    get, path = "/api/stats/errors", tag = "statistics", params(Range),
    responses(
        (status = 200, description = "One entry per kind of error", body = [ErrorCount]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn errors(
    State(app): State<Arc<App>>,
    Only(range): Only<Range>,
) -> Result<Json<Vec<ErrorCount>>, ApiError> {
    Ok(Json(app.store.errors_by_kind(range.since(&app)?).await?))
}

/// Lists what was used in each hour, day, week or month of a range, oldest first.
#[utoipa::path(
    get, path = "/api/stats/timeline", tag = "statistics", params(Range, Scale),
    responses(
        (status = 200, description = "One entry per period", body = [Point]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn timeline(
    State(app): State<Arc<App>>,
    Both(range, scale): Both<Range, Scale>,
) -> Result<Json<Vec<Point>>, ApiError> {
    let range = calendar(range.since(&app)?)?;
    let step = scale.step.unwrap_or_else(|| step_of(range));
    Ok(Json(app.store.timeline(range, step, scale.timezone).await?))
}

/// Lists what was used in each of the 168 hours of the week, over a range of time.
#[utoipa::path(
    get, path = "/api/stats/week_hours", tag = "statistics", params(Range, Clock),
    responses(
        (status = 200, description = "168 entries, from Monday 00 on", body = [WeekHour]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn week_hours(
    State(app): State<Arc<App>>,
    Both(range, clock): Both<Range, Clock>,
) -> Result<Json<Vec<WeekHour>>, ApiError> {
    let range = calendar(range.since(&app)?)?;
    Ok(Json(app.store.week_hours(range, clock.timezone).await?))
}

/// A range of time.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Range {
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
struct Top {
    /// Entries at most.
    #[serde(default = "hundred")]
    #[param(inline, default = 100)]
    limit: Bounded<1, 10_000>,
}

/// Steps of the calendar, in ranges of at most five years.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Scale {
    /// The length of a period; one that suits the range if absent.
    #[param(inline)]
    step: Option<Step>,
    /// The IANA time zone whose clock and calendar count.
    #[serde(default = "Zone::utc", deserialize_with = "zone")]
    #[param(value_type = String, default = "UTC")]
    timezone: Zone,
}

/// Hours of a clock, in ranges of at most five years.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Clock {
    /// The IANA time zone whose clock and calendar count.
    #[serde(default = "Zone::utc", deserialize_with = "zone")]
    #[param(value_type = String, default = "UTC")]
    timezone: Zone,
}

impl Range {
    fn since(&self, app: &App) -> Result<TimeRange, ApiError> {
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
    fn limit(&self) -> usize {
        usize::try_from(self.limit.get()).unwrap_or(usize::MAX)
    }
}

fn calendar(range: TimeRange) -> Result<TimeRange, ApiError> {
    match range.end_ms - range.start_ms <= CALENDAR_DAYS_MAX * DAY_MS {
        true => Ok(range),
        false => Err(problem("Input should be at most five years before the end of the range")),
    }
}

/// The step that makes some tens or hundreds of points of a range.
fn step_of(range: TimeRange) -> Step {
    match (range.end_ms - range.start_ms) / DAY_MS {
        0..=7 => Step::Hour,
        8..=366 => Step::Day,
        _ => Step::Month,
    }
}

fn problem(words: &str) -> ApiError {
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

    #[test]
    fn the_step_suits_the_range_and_five_years_are_the_limit() {
        let range = |days| TimeRange { start_ms: 0, end_ms: days * DAY_MS };

        assert_eq!(step_of(range(7)), Step::Hour);
        assert_eq!(step_of(range(31)), Step::Day);
        assert_eq!(step_of(range(800)), Step::Month);
        assert!(calendar(range(CALENDAR_DAYS_MAX)).is_ok());
        assert!(calendar(range(CALENDAR_DAYS_MAX + 1)).is_err());
    }

    fn check(from: Option<i64>, to: Option<i64>, expected: Option<(i64, i64)>) {
        let moment = |ms: Option<i64>| ms.map(|ms| QueryMoment { ms });
        let range = Range { from: moment(from), to: moment(to) };

        let read = range.at(NOW_MS).ok().map(|range| (range.start_ms, range.end_ms));

        assert_eq!(read, expected, "from {from:?} to {to:?}");
    }
}
