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
use crate::admin::moment::zone;
use crate::admin::parameters::{Both, Only};
use crate::admin::routes::{Routes, get};
use crate::admin::time_range::{DAY_MS, Range, Top, problem};
use crate::app::App;
use crate::store::calendar::{TimeRange, Zone};
use crate::store::stats::{
    ErrorCount, ModelUsage, Overview, Point, ServiceKeyUsage, Step, UserKeyUsage, WeekHour,
};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_suits_the_range_and_five_years_are_the_limit() {
        let range = |days| TimeRange { start_ms: 0, end_ms: days * DAY_MS };

        assert_eq!(step_of(range(7)), Step::Hour);
        assert_eq!(step_of(range(31)), Step::Day);
        assert_eq!(step_of(range(800)), Step::Month);
        assert!(calendar(range(CALENDAR_DAYS_MAX)).is_ok());
        assert!(calendar(range(CALENDAR_DAYS_MAX + 1)).is_err());
    }
}
