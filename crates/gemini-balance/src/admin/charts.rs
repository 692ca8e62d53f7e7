//! The predecessor's five charts, under `/api/stats`, in its shapes.
//!
//! What was wrong there is right here: zones and months, `null` where there was nothing, and a
//! parameter that makes no sense is refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::OpenApi;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::Params;
use crate::admin::moment::zone;
use crate::admin::problem::{Part, Problem};
use crate::admin::routes::{Routes, get};
use crate::admin::values::Bounded;
use crate::app::App;
use crate::store::calendar::{Periods, Unit, Zone};
use crate::store::charts::{ChartData, Measure};

#[derive(OpenApi)]
#[openapi(paths(
    daily_usage_chart,
    usage_stats,
    daily_usage_heatmap,
    success_rate,
    hourly_success_rate
))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/api/stats/daily_usage_chart"), daily_usage_chart)
        .add(get("/api/stats/usage_stats"), usage_stats)
        .add(get("/api/stats/daily_usage_heatmap"), daily_usage_heatmap)
        .add(get("/api/stats/success-rate"), success_rate)
        .add(get("/api/stats/hourly-success-rate"), hourly_success_rate)
}

/// Answers today's successful requests by service key and model.
#[utoipa::path(
    get, path = "/api/stats/daily_usage_chart", tag = "statistics", params(Today),
    responses(
        (status = 200, description = "A label per service key, a row per model", body = ChartData<u64>),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn daily_usage_chart(
    State(app): State<Arc<App>>,
    Params(today): Params<Today>,
) -> Result<Json<ChartData<u64>>, ApiError> {
    Ok(Json(app.store.daily_usage_chart(today.timezone_str, app.clock.wall_ms()).await?))
}

/// Answers usage by period and model.
#[utoipa::path(
    get, path = "/api/stats/usage_stats", tag = "statistics", params(LastPeriods),
    responses(
        (status = 200, description = "A label per period, a row per model", body = ChartData<u64>),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn usage_stats(
    State(app): State<Arc<App>>,
    Params(asked): Params<LastPeriods>,
) -> Result<Json<ChartData<u64>>, ApiError> {
    let periods = Periods::new(asked.unit, asked.offset, asked.num_periods).ok_or_else(|| {
        let words = "Input should be at most 1000 periods, at most 10000 periods away";
        ApiError::Invalid(vec![Problem::value(Part::Query, "num_periods", words)])
    })?;
    let now_ms = app.clock.wall_ms();
    Ok(Json(app.store.usage_stats(asked.measure, periods, asked.timezone_str, now_ms).await?))
}

/// Answers usage by day over the last 365 days: pairs of date and number, for days with any.
#[utoipa::path(
    get, path = "/api/stats/daily_usage_heatmap", tag = "statistics", params(LastYear),
    responses(
        (status = 200, description = "Pairs of date and number", body = Vec<(String, u64)>),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn daily_usage_heatmap(
    State(app): State<Arc<App>>,
    Params(asked): Params<LastYear>,
) -> Result<Json<Vec<(String, u64)>>, ApiError> {
    let now_ms = app.clock.wall_ms();
    Ok(Json(app.store.daily_usage_heatmap(asked.measure, asked.timezone_str, now_ms).await?))
}

/// Answers successes per attempt in percent, by day and model; `null` for a day without attempts.
#[utoipa::path(
    get, path = "/api/stats/success-rate", tag = "statistics", params(LastDays),
    responses(
        (status = 200, description = "A label per day, a row per model", body = ChartData<Option<f64>>),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn success_rate(
    State(app): State<Arc<App>>,
    Params(asked): Params<LastDays>,
) -> Result<Json<ChartData<Option<f64>>>, ApiError> {
    let days = u16::try_from(asked.days.get()).unwrap_or(u16::MAX);
    Ok(Json(app.store.success_rate(days, asked.timezone_str, app.clock.wall_ms()).await?))
}

/// Answers successes per attempt in percent, by hour of the day and model; `null` for an hour
/// without attempts.
#[utoipa::path(
    get, path = "/api/stats/hourly-success-rate", tag = "statistics", params(LastDaysByHour),
    responses(
        (status = 200, description = "Labels from 00 to 23, a row per model", body = ChartData<Option<f64>>),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn hourly_success_rate(
    State(app): State<Arc<App>>,
    Params(asked): Params<LastDaysByHour>,
) -> Result<Json<ChartData<Option<f64>>>, ApiError> {
    let days = u16::try_from(asked.days.get()).unwrap_or(u16::MAX);
    Ok(Json(app.store.hourly_success_rate(days, asked.timezone, app.clock.wall_ms()).await?))
}

/// The day that it is in a zone.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Today {
    /// An IANA time zone.
    #[serde(default = "new_york", deserialize_with = "zone", alias = "timezone")]
    #[param(value_type = String, default = "America/New_York")]
    timezone_str: Zone,
}

/// Some periods up to the present one.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LastPeriods {
    /// What is counted.
    #[serde(rename = "type")]
    #[param(inline)]
    measure: Measure,
    /// The length of a period; a day if absent.
    #[serde(default = "day")]
    #[param(inline)]
    unit: Unit,
    /// By how many periods the last one is moved; negative into the past.
    #[serde(default)]
    offset: i64,
    /// How many periods, at most 1000.
    #[serde(default = "seven")]
    #[param(default = 7)]
    num_periods: i64,
    /// An IANA time zone.
    #[serde(default = "new_york", deserialize_with = "zone", alias = "timezone")]
    #[param(value_type = String, default = "America/New_York")]
    timezone_str: Zone,
}

/// The last 365 days.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LastYear {
    /// What is counted.
    #[serde(rename = "type")]
    #[param(inline)]
    measure: Measure,
    /// An IANA time zone.
    #[serde(default = "new_york", deserialize_with = "zone", alias = "timezone")]
    #[param(value_type = String, default = "America/New_York")]
    timezone_str: Zone,
}

/// Some days up to today.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LastDays {
    /// How many days.
    #[serde(default = "week")]
    #[param(value_type = u32, minimum = 1, maximum = 90, default = 7)]
    days: Bounded<1, 90>,
    /// An IANA time zone.
    #[serde(default = "Zone::utc", deserialize_with = "zone", alias = "timezone")]
    #[param(value_type = String, default = "UTC")]
    timezone_str: Zone,
}

/// Some days up to today, seen as hours of the day.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LastDaysByHour {
    /// How many days.
    #[serde(default = "month")]
    #[param(value_type = u32, minimum = 1, maximum = 365, default = 30)]
    days: Bounded<1, 365>,
    /// An IANA time zone.
    #[serde(default = "Zone::utc", deserialize_with = "zone", alias = "timezone_str")]
    #[param(value_type = String, default = "UTC")]
    timezone: Zone,
}

fn new_york() -> Zone {
    Zone::named("America/New_York").unwrap_or_else(Zone::utc)
}

fn day() -> Unit {
    Unit::Day
}

fn seven() -> i64 {
    7
}

fn week() -> Bounded<1, 90> {
    Bounded::nearest(7)
}

fn month() -> Bounded<1, 365> {
    Bounded::nearest(30)
}
