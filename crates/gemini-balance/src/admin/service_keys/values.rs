//! What service keys can be filtered by, with how many keys there are of each.
//!
//! Each list is counted among the keys that meet all the *other* conditions, so that choosing one of
//! its entries never leads to another number than the one beside it.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::parameters::Only;
use crate::admin::service_keys::filter::{Facet, Filter, rests};
use crate::admin::service_keys::listed::{KeyState, Listed};
use crate::app::App;

/// Tags and projects in one answer; the rarer ones are left out and told by `distinct`.
const NAMES_MAX: usize = 1_000;

/// What keys can be filtered by.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = KeyValues)]
pub(super) struct Values {
    /// Keys that meet everything that was given.
    total: usize,
    /// Keys in each state, in the order of the list of keys.
    states: Vec<StateCount>,
    /// Of the active ones, those that rest for a model at least.
    resting: usize,
    /// Those that serve a request at this moment.
    in_use: usize,
    /// Keys that are switched on.
    enabled: usize,
    /// Keys that are switched off.
    disabled: usize,
    /// Keys with each tag.
    tags: Names,
    /// Keys of each project; the empty one is that of keys that are alone.
    projects: Names,
    /// Keys of each tier, the one that serves first at the beginning.
    tiers: Vec<TierCount>,
}

/// How many keys are in a state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyStateCount)]
struct StateCount {
    /// The state.
    state: KeyState,
    /// The keys.
    count: usize,
}

/// How many keys have each name.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = KeyNames)]
struct Names {
    /// The names, most frequent first; at most a thousand.
    names: Vec<NameCount>,
    /// How many different ones there are.
    distinct: usize,
}

/// How many keys have a name.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeyNameCount)]
struct NameCount {
    /// The name.
    name: String,
    /// The keys.
    count: usize,
}

/// How many keys have a tier.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyTierCount)]
struct TierCount {
    /// The tier.
    tier: i64,
    /// The keys.
    count: usize,
}

/// Counts what service keys can be filtered by. Each list is counted under all the other conditions.
#[utoipa::path(
    get, path = "/api/keys/values", operation_id = "count_service_key_values", tag = "service keys", params(Filter),
    responses(
        (status = 200, description = "The values with their counts", body = Values),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
pub(super) async fn values(
    State(app): State<Arc<App>>,
    Only(filter): Only<Filter>,
) -> Result<Json<Values>, ApiError> {
    Ok(Json(count(&Listed::all(&app).await?, &filter)))
}

fn count(keys: &[Listed], filter: &Filter) -> Values {
    let mut values = Values::default();
    let (mut states, mut tiers) = (BTreeMap::new(), BTreeMap::new());
    let (mut tags, mut projects) = (HashMap::new(), HashMap::new());
    for key in keys {
        let failed = filter.failed(key);
        let counts = |facet: Facet| failed.iter().all(|other| *other == facet);
        values.total += usize::from(failed.is_empty());
        if counts(Facet::State) {
            let state = key.state();
            increment(states.entry(state).or_default());
            let view = key.view.as_ref();
            let is_resting = state == KeyState::Active && view.is_some_and(rests);
            values.resting += usize::from(is_resting);
            values.in_use += usize::from(view.is_some_and(|view| 0 < view.leases));
        }
        if counts(Facet::Enabled) {
            values.enabled += usize::from(key.row.is_enabled);
            values.disabled += usize::from(!key.row.is_enabled);
        }
        if counts(Facet::Tag) {
            key.row.tags.iter().for_each(|tag| increment(tags.entry(tag.as_str()).or_default()));
        }
        if counts(Facet::Project) {
            increment(projects.entry(key.row.project.as_str()).or_default());
        }
        if counts(Facet::Tier) {
            increment(tiers.entry(key.row.tier).or_default());
        }
    }
    values.states = states.into_iter().map(|(state, count)| StateCount { state, count }).collect();
    values.tiers = tiers.into_iter().map(|(tier, count)| TierCount { tier, count }).collect();
    values.tags = Names::of(tags);
    values.projects = Names::of(projects);
    values
}

fn increment(count: &mut usize) {
    *count += 1;
}

impl Names {
    fn of<S: Into<String> + Eq + Hash>(counts: HashMap<S, usize>) -> Self {
        let distinct = counts.len();
        let counts = counts.into_iter().map(|(name, count)| NameCount { name: name.into(), count });
        let mut names: Vec<NameCount> = counts.collect();
        names.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        names.truncate(NAMES_MAX);
        Self { names, distinct }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_the_most_frequent_are_told() {
        let counts = (0..NAMES_MAX + 5).map(|count| (format!("p{count}"), count));

        let names = Names::of(counts.collect::<HashMap<_, _>>());

        assert_eq!((names.names.len(), names.distinct), (NAMES_MAX, NAMES_MAX + 5));
        assert_eq!(names.names[0], NameCount { name: "p1004".to_owned(), count: 1_004 });
        assert_eq!(names.names[NAMES_MAX - 1].count, 5);
    }
}
