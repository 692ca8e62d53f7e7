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
use crate::admin::parameters::{Both, Only, Three};
use crate::admin::problem::{Part, Problem};
use crate::admin::routes::{Routes, get};
use crate::admin::time_range::{DAY_MS, Range, Top, problem};
use crate::admin::values::Bounded;
use crate::app::App;
use crate::store::calendar::{TimeRange, Zone};
use crate::store::recent::Recent;
use crate::store::scope::{Scope, Subject};
use crate::store::series::{By, Chart, LatencyPoint};
use crate::store::stats::{
    ErrorCount, ModelUsage, Overview, Point, ServiceKeyUsage, Step, UserKeyUsage, WeekHour,
};

/// The longest range that is looked at quarter-hour by quarter-hour: five years.
const CALENDAR_DAYS_MAX: i64 = 5 * 366;
/// The longest range of which each histogram is read.
const LATENCY_DAYS_MAX: i64 = 100;

#[derive(OpenApi)]
#[openapi(paths(
    now,
    overview,
    by_user_key,
    by_service_key,
    by_model,
    errors,
    timeline,
    week_hours,
    chart,
    latencies,
))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/api/stats/now"), now)
        .add(get("/api/stats/overview"), overview)
        .add(get("/api/stats/by_user_key"), by_user_key)
        .add(get("/api/stats/by_service_key"), by_service_key)
        .add(get("/api/stats/by_model"), by_model)
        .add(get("/api/stats/errors"), errors)
        .add(get("/api/stats/timeline"), timeline)
        .add(get("/api/stats/week_hours"), week_hours)
        .add(get("/api/stats/chart"), chart)
        .add(get("/api/stats/latencies"), latencies)
}

/// Answers what has happened in the last minutes, row by row, for at most 20,000 attempts.
#[utoipa::path(
    get, path = "/api/stats/now", operation_id = "stats_now", tag = "statistics", params(Minutes),
    responses(
        (status = 200, description = "Rates, sums and errors", body = Recent),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn now(
    State(app): State<Arc<App>>,
    Only(Minutes { minutes }): Only<Minutes>,
) -> Result<Json<Recent>, ApiError> {
    let span_ms = i64::from(minutes.get()) * 60_000;
    Ok(Json(app.store.recent(span_ms, app.clock.wall_ms()).await?))
}

/// Answers everything in a range of time, with how long it took; that is not known of one key alone.
#[utoipa::path(
    get, path = "/api/stats/overview", tag = "statistics", params(Range, Of),
    responses(
        (status = 200, description = "The sums", body = Overview),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn overview(
    State(app): State<Arc<App>>,
    Both(range, of): Both<Range, Of>,
) -> Result<Json<Overview>, ApiError> {
    Ok(Json(app.store.overview(of.scope(range.since(&app)?)?).await?))
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
    get, path = "/api/stats/by_model", tag = "statistics", params(Range, Top, Of),
    responses(
        (status = 200, description = "One entry per model", body = [ModelUsage]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn by_model(
    State(app): State<Arc<App>>,
    Three(range, top, of): Three<Range, Top, Of>,
) -> Result<Json<Vec<ModelUsage>>, ApiError> {
    Ok(Json(app.store.usage_by_model(of.scope(range.since(&app)?)?, top.limit()).await?))
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

/// Lists what was used in each quarter-hour, hour, day, week or month of a range, oldest first.
#[utoipa::path(
    get, path = "/api/stats/timeline", tag = "statistics", params(Range, Scale, Of),
    responses(
        (status = 200, description = "One entry per period", body = [Point]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn timeline(
    State(app): State<Arc<App>>,
    Three(range, scale, of): Three<Range, Scale, Of>,
) -> Result<Json<Vec<Point>>, ApiError> {
    let range = calendar(range.since(&app)?)?;
    let step = scale.step.unwrap_or_else(|| step_of(range));
    Ok(Json(app.store.timeline(of.scope(range)?, step, scale.timezone).await?))
}

/// Lists what was used in each of the 168 hours of the week, over a range of time.
#[utoipa::path(
    get, path = "/api/stats/week_hours", tag = "statistics", params(Range, Clock, Of),
    responses(
        (status = 200, description = "168 entries, from Monday 00 on", body = [WeekHour]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn week_hours(
    State(app): State<Arc<App>>,
    Three(range, clock, of): Three<Range, Clock, Of>,
) -> Result<Json<Vec<WeekHour>>, ApiError> {
    let range = calendar(range.since(&app)?)?;
    Ok(Json(app.store.week_hours(of.scope(range)?, clock.timezone).await?))
}

/// Answers the largest models, keys or kinds of errors as lines over time, and all others as one.
#[utoipa::path(
    get, path = "/api/stats/chart", operation_id = "stats_chart", tag = "statistics", params(Range, Scale, LinesQuestion),
    responses(
        (status = 200, description = "The lines over their periods", body = Chart),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn chart(
    State(app): State<Arc<App>>,
    Three(range, scale, lines): Three<Range, Scale, LinesQuestion>,
) -> Result<Json<Chart>, ApiError> {
    let range = calendar(range.since(&app)?)?;
    let step = scale.step.unwrap_or_else(|| step_of(range));
    let lines = (range, lines.by, lines.limit.get() as usize);
    Ok(Json(app.store.chart(lines, step, scale.timezone).await?))
}

/// Lists how long successful requests took in each period of a range of at most 100 days, of one
/// model or of all.
#[utoipa::path(
    get, path = "/api/stats/latencies", operation_id = "stats_latencies", tag = "statistics", params(Range, Scale, OfModel),
    responses(
        (status = 200, description = "One entry per period", body = [LatencyPoint]),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn latencies(
    State(app): State<Arc<App>>,
    Three(range, scale, of): Three<Range, Scale, OfModel>,
) -> Result<Json<Vec<LatencyPoint>>, ApiError> {
    let range = range.since(&app)?;
    if LATENCY_DAYS_MAX * DAY_MS < range.end_ms - range.start_ms {
        return Err(problem("Input should be at most 100 days before the end of the range"));
    }
    let step = scale.step.unwrap_or_else(|| step_of(range));
    let scope = Scope { model: of.model, ..Scope::from(range) };
    Ok(Json(app.store.latencies(scope, step, scale.timezone).await?))
}

/// How far back.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Minutes {
    /// The last minutes that count.
    #[serde(default = "five")]
    #[param(value_type = u32, minimum = 1, maximum = 60, default = 5)]
    minutes: Bounded<1, 60>,
}

fn five() -> Bounded<1, 60> {
    Bounded::nearest(5)
}

/// Of whom and what; everything if nothing is given.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Of {
    /// Of this user key.
    user_key_id: Option<i64>,
    /// Of this service key, by its number in the log.
    service_key_id: Option<i64>,
    /// Of exactly this model.
    model: Option<String>,
}

/// Of which model; of all if it is not given.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct OfModel {
    /// Of exactly this model.
    model: Option<String>,
}

/// Which lines.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct LinesQuestion {
    /// What each line stands for.
    #[param(inline)]
    by: By,
    /// Lines at most; the rest is one line.
    #[serde(default = "eight")]
    #[param(value_type = u32, minimum = 1, maximum = 20, default = 8)]
    limit: Bounded<1, 20>,
}

fn eight() -> Bounded<1, 20> {
    Bounded::nearest(8)
}

impl Of {
    /// The sums that are meant.
    ///
    /// # Errors
    ///
    /// Two keys at once: their requests are not counted together.
    fn scope(self, range: TimeRange) -> Result<Scope, ApiError> {
        let subject = match (self.user_key_id, self.service_key_id) {
            (None, None) => Subject::All,
            (Some(id), None) => Subject::UserKey(id),
            (None, Some(id)) => Subject::ServiceKey(id),
            (Some(_), Some(_)) => {
                let words = "Ask either for a user key or for a service key";
                let problem = Problem::value(Part::Query, "service_key_id", words);
                return Err(ApiError::Invalid(vec![problem]));
            }
        };
        Ok(Scope { range, subject, model: self.model })
    }
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
