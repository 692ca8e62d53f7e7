//! Looking at service keys: a page of those that are meant, or one.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::{Name, Params};
use crate::admin::service_keys::filter::{Filter, StateFilter};
use crate::admin::service_keys::listed::{Listed, ServiceKey};
use crate::admin::time_range::DAY_MS;
use crate::admin::values::Bounded;
use crate::app::App;
use crate::pool::KeyPool;
use crate::store::calendar::TimeRange;
use crate::store::series::Amount;
use crate::store::service_keys::PartByAge;

/// Which keys, in which order, how many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// A text within identifier, brief, note, project or a tag; case does not matter.
    #[serde(default)]
    q: Option<String>,
    /// How the keys stand.
    #[serde(default)]
    #[param(inline)]
    state: Option<StateFilter>,
    /// The project's label; empty for keys that are alone.
    #[serde(default)]
    project: Option<String>,
    /// One of the tags.
    #[serde(default)]
    tag: Option<String>,
    /// The tier.
    #[serde(default)]
    tier: Option<u8>,
    /// Whether they are switched on.
    #[serde(default)]
    enabled: Option<bool>,
    /// What they are sorted by; with a minus sign in front, the other way round.
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
    /// Whether to tell what each key did in the last 24 hours.
    #[serde(default)]
    usage: bool,
    /// Keys per page.
    #[serde(default = "limit")]
    #[param(inline)]
    limit: Bounded<1, 1_000>,
    /// Keys before the page.
    #[serde(default = "offset")]
    #[param(inline)]
    offset: Bounded<0, 1_000_000_000>,
}

const fn limit() -> Bounded<1, 1_000> {
    Bounded::nearest(100)
}

const fn offset() -> Bounded<0, 1_000_000_000> {
    Bounded::nearest(0)
}

/// What keys are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
pub(super) enum Sort {
    /// The oldest first.
    #[default]
    #[serde(rename = "created_at")]
    Oldest,
    /// The latest first.
    #[serde(rename = "-created_at")]
    Latest,
    /// Those never used first, then those whose last use is longest ago.
    #[serde(rename = "last_used_at")]
    Idle,
    /// Those used last first.
    #[serde(rename = "-last_used_at")]
    Busy,
    /// Active ones first.
    #[serde(rename = "state")]
    State,
    /// Active ones last.
    #[serde(rename = "-state")]
    StateBack,
    /// By the project's label.
    #[serde(rename = "project")]
    Project,
    /// By the project's label, backwards.
    #[serde(rename = "-project")]
    ProjectBack,
    /// Those that serve first first.
    #[serde(rename = "tier")]
    Tier,
    /// Those that serve first last.
    #[serde(rename = "-tier")]
    TierBack,
}

/// A page of service keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServiceKeyPage)]
pub(super) struct Page {
    /// The keys.
    keys: Vec<ServiceKey>,
    /// How many there are on all pages.
    total: usize,
}

/// Lists service keys.
#[utoipa::path(
    get, path = "/api/keys", operation_id = "list_service_keys", tag = "service keys", params(Listing),
    responses(
        (status = 200, description = "A page of keys", body = Page),
        (status = 422, description = "A parameter will not do", body = ErrorBody),
    ),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Params(listing): Params<Listing>,
) -> Result<Json<Page>, ApiError> {
    let (limit, offset) = (listing.limit.get(), listing.offset.get());
    let sort = listing.sort;
    let filter = Filter {
        q: listing.q,
        state: listing.state,
        project: listing.project,
        tag: listing.tag,
        tier: listing.tier,
        enabled: listing.enabled,
    };
    let (page, total) = match sort.by_age(limit, offset).filter(|_| filter.is_everything()) {
        Some(part) => Listed::part(&app, part).await?,
        None => {
            let mut keys = Listed::all(&app).await?;
            keys.retain(|key| filter.meets(key));
            keys.sort_by(|one, two| sort.order(one, two, &app.pool));
            let total = keys.len();
            let page = keys.into_iter().skip(offset as usize).take(limit as usize);
            (page.collect(), total)
        }
    };
    let last_day = match listing.usage {
        true => Some(last_day(&app, &page).await?),
        false => None,
    };
    let keys = page.into_iter().map(|key| key.shown(&app.pool, last_day.as_ref()));
    Ok(Json(Page { keys: keys.collect(), total }))
}

/// Shows one service key.
#[utoipa::path(
    get, path = "/api/keys/{key_identifier}", operation_id = "service_key", tag = "service keys",
    params(("key_identifier" = String, Path, description = "The key's identifier")),
    responses(
        (status = 200, description = "The key", body = ServiceKey),
        (status = 404, description = "There is no such key", body = ErrorBody),
    ),
)]
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Name(key_identifier): Name,
) -> Result<Json<ServiceKey>, ApiError> {
    let key = Listed::one(&app, key_identifier).await?;
    Ok(Json(key.shown(&app.pool, None)))
}

/// What keys did in the last 24 hours.
async fn last_day(app: &App, keys: &[Listed]) -> Result<HashMap<i64, Amount>, ApiError> {
    let end_ms = app.clock.wall_ms();
    let range = TimeRange { start_ms: end_ms - DAY_MS, end_ms };
    let ids = keys.iter().map(|key| key.row.id).collect();
    Ok(app.store.use_of_service_keys(ids, range).await?)
}

impl Sort {
    /// The part of all keys that a page is, where age alone is the order.
    fn by_age(self, limit: u32, offset: u32) -> Option<PartByAge> {
        let is_latest_first = self == Self::Latest;
        let is_by_age = is_latest_first || self == Self::Oldest;
        is_by_age.then_some(PartByAge { is_latest_first, offset, limit })
    }

    /// The order of two keys; of two alike, the older one comes first.
    fn order(self, one: &Listed, two: &Listed, pool: &KeyPool) -> Ordering {
        let last_used = || one.last_used_ms(pool).cmp(&two.last_used_ms(pool));
        let state = || one.state().cmp(&two.state());
        let project = || one.row.project.cmp(&two.row.project);
        let tier = || one.row.tier.cmp(&two.row.tier);
        let by_column = match self {
            Self::Oldest => Ordering::Equal,
            Self::Latest => two.row.id.cmp(&one.row.id),
            Self::Idle => last_used(),
            Self::Busy => last_used().reverse(),
            Self::State => state(),
            Self::StateBack => state().reverse(),
            Self::Project => project(),
            Self::ProjectBack => project().reverse(),
            Self::Tier => tier(),
            Self::TierBack => tier().reverse(),
        };
        by_column.then(one.row.id.cmp(&two.row.id))
    }
}
