//! One service key closely: how it stands, what the upstream said last, what it did in a day.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use keypool::Verdict;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::Name;
use crate::admin::service_keys::listed::{Listed, ServiceKey};
use crate::admin::time_range::DAY_MS;
use crate::app::App;
use crate::moment::Moment;
use crate::pool::{KeyPool, RefusedAttempt};
use crate::store::calendar::TimeRange;
use crate::store::scope::{Scope, Subject};
use crate::store::series::{HOURS, KeyModel};

/// Words of the upstream that are shown.
const WORDS_MAX: usize = 10;

/// A service key closely.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServiceKeyDetail)]
pub(super) struct Detail {
    /// The key.
    key: ServiceKey,
    /// What the upstream said of it last, latest first; kept until a restart as far as there is
    /// room.
    refusals: Vec<KeyRefusal>,
    /// When the first of the 24 hours of `models` begins.
    hours_from: Moment,
    /// What it was used for in the last 24 hours, by model, most attempts first.
    models: Vec<KeyModel>,
}

/// What the upstream said of a key.
#[derive(Debug, Serialize, ToSchema)]
struct KeyRefusal {
    /// When.
    at: Moment,
    /// The model that was asked for.
    model: String,
    /// What followed from it: `cooling`, `rate_limited`, `exhausted_today`, `not_entitled`,
    /// `model_denied`, `no_credit`, `invalid`, `suspended`, `faulty`, `unreached`, or `nothing` for the
    /// key.
    verdict: &'static str,
    /// The upstream's words, without secrets.
    message: String,
}

/// Shows a service key closely: its state, the upstream's last words, its models over 24 hours.
#[utoipa::path(
    get, path = "/api/keys/{key_identifier}/detail", operation_id = "service_key_detail", tag = "service keys",
    params(("key_identifier" = String, Path, description = "The key's identifier")),
    responses(
        (status = 200, description = "The key closely", body = Detail),
        (status = 404, description = "There is no such key", body = ErrorBody),
    ),
)]
pub(super) async fn detail(
    State(app): State<Arc<App>>,
    Name(key_identifier): Name,
) -> Result<Json<Detail>, ApiError> {
    let key = Listed::one(&app, key_identifier).await?;
    let hour_ms = DAY_MS / HOURS as i64;
    // Whole hours, the one that it is included.
    let end_ms = (app.clock.wall_ms().div_euclid(hour_ms) + 1) * hour_ms;
    let range = TimeRange { start_ms: end_ms - DAY_MS, end_ms };
    let subject = Subject::ServiceKey(key.row.id);
    let models = app.store.key_models(Scope { subject, ..Scope::from(range) }).await?;
    let refusals = app.pool.refusals(key.id(), WORDS_MAX);
    let refusals = refusals.into_iter().map(|refusal| KeyRefusal::shown(refusal, &app.pool));
    Ok(Json(Detail {
        refusals: refusals.collect(),
        hours_from: Moment::from_ms(range.start_ms),
        models,
        key: key.shown(&app.pool, None),
    }))
}

impl KeyRefusal {
    fn shown(refusal: RefusedAttempt, pool: &KeyPool) -> Self {
        let at_ms = pool.wall_of_time(refusal.at);
        Self {
            at: Moment::from_ms(i64::try_from(at_ms).unwrap_or(i64::MAX)),
            model: refusal.model.to_string(),
            verdict: word(refusal.verdict),
            message: refusal.words,
        }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy | Verdict::Blameless => "nothing",
        Verdict::Cooling { .. } => "cooling",
        Verdict::RateLimited => "rate_limited",
        Verdict::ExhaustedUntil { .. } => "exhausted_today",
        Verdict::NotEntitled => "not_entitled",
        Verdict::ModelDenied => "model_denied",
        Verdict::NoCredit => "no_credit",
        Verdict::Invalid => "invalid",
        Verdict::Suspended => "suspended",
        Verdict::Faulty => "faulty",
        Verdict::Unreached => "unreached",
    }
}
