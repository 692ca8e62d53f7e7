//! One thing done to many service keys, with an answer for each.
//!
//! Whatever the number, the store sees one transaction; the pool takes the keys a handful at a
//! time, so that no request waits for the lock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use keypool::KeyId;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use utoipa::ToSchema;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::events::{KeysChange, tell_keys};
use crate::admin::input::Body;
use crate::admin::problem::{Part, Problem};
use crate::admin::service_keys::add::too_many;
use crate::admin::service_keys::filter::Filter;
use crate::admin::service_keys::listed::Listed;
use crate::admin::service_keys::test::{self, Tested};
use crate::app::App;
use crate::store::service_keys::ServiceKeyChange;

/// Most keys that are named in one call.
const NAMED_MAX: usize = 100_000;
/// Most keys that are tested in one call.
const TESTED_MAX: usize = 100;
/// Tests under way at once.
const TESTS_AT_ONCE: usize = 8;

/// What to do, and to which keys.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BulkOrder)]
pub(super) struct Order {
    /// What to do.
    action: Action,
    /// The keys by name; or else `filter`.
    #[serde(default)]
    key_identifiers: Option<Vec<String>>,
    /// The keys by what they have in common, an empty filter for all; or else `key_identifiers`.
    #[serde(default)]
    filter: Option<Filter>,
}

/// The keys that are meant: either those named, or those that a filter meets.
#[derive(Debug)]
pub(super) enum Selection {
    /// Those of these names.
    Named(Vec<String>),
    /// Those that have this in common.
    Met(Filter),
}

/// What can be done to many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BulkAction)]
enum Action {
    /// Forgets everything that speaks against them.
    Reset,
    /// Switches them on.
    Enable,
    /// Switches them off.
    Disable,
    /// Deletes them.
    Delete,
    /// Asks the upstream about each; at most a hundred in one call.
    Test,
}

/// What became of the keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkOutcome)]
pub(super) struct Outcome {
    /// For how many it was done.
    done: usize,
    /// For how many it was not.
    failed: usize,
    /// What became of each, in the order in which they were named.
    results: Vec<KeyResult>,
}

/// What became of one key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkKeyResult)]
struct KeyResult {
    /// The key.
    key_identifier: String,
    /// What became of it.
    result: ResultWord,
    /// What its test has shown, if it was tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<Tested>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BulkResult)]
enum ResultWord {
    /// It was done; a test was passed.
    Done,
    /// The test was not passed.
    Failed,
    /// There is no key of this name.
    NotFound,
    /// The key cannot be decrypted; it can only be deleted.
    Unreadable,
}

/// Does one thing to many service keys.
#[utoipa::path(
    post, path = "/api/keys/bulk", operation_id = "change_service_keys", tag = "service keys", request_body = Order,
    responses(
        (status = 200, description = "What became of each key", body = Outcome),
        (status = 422, description = "The order cannot be understood", body = ErrorBody),
    ),
)]
pub(super) async fn bulk(
    State(app): State<Arc<App>>,
    Body(order): Body<Order>,
) -> Result<Json<Outcome>, ApiError> {
    let action = order.action;
    let selection = Selection::new(order.key_identifiers, order.filter)?;
    let results = match action {
        Action::Test => test_all(&app, selection).await?,
        Action::Reset | Action::Enable | Action::Disable | Action::Delete => {
            let changing = Arc::clone(&app);
            let changed =
                app.commands.run_in_turn(async move { change(&changing, action, selection).await });
            changed.await.ok_or_else(ApiError::panicked)??
        }
    };
    let done = results.iter().filter(|key| key.result == ResultWord::Done).count();
    let failed = results.len() - done;
    tracing::info!(?action, done, failed, "many service keys at once");
    Ok(Json(Outcome { done, failed, results }))
}

/// A key that was named, found or not.
pub(super) struct Named {
    /// Its name.
    pub(super) key_identifier: String,
    /// The key, if there is one.
    pub(super) key: Option<Listed>,
}

impl Selection {
    /// What a call names, one way or the other.
    ///
    /// # Errors
    ///
    /// Both ways, or neither, or too many names.
    pub(super) fn new(
        key_identifiers: Option<Vec<String>>,
        filter: Option<Filter>,
    ) -> Result<Self, ApiError> {
        match (key_identifiers, filter) {
            (Some(names), None) if names.len() <= NAMED_MAX => Ok(Self::Named(names)),
            (Some(_), None) => Err(too_many("key_identifiers", NAMED_MAX)),
            (None, Some(filter)) => Ok(Self::Met(filter)),
            (Some(_), Some(_)) | (None, None) => Err(ApiError::Invalid(vec![Problem::value(
                Part::Body,
                "key_identifiers",
                "Name the keys either by key_identifiers or by filter",
            )])),
        }
    }

    /// Finds the keys. A name that stands there twice counts once.
    pub(super) async fn find(self, app: &App) -> Result<Vec<Named>, ApiError> {
        let keys = Listed::all(app).await?;
        match self {
            Self::Named(names) => Ok(named(names, keys)),
            Self::Met(filter) => {
                let met = keys.into_iter().filter(|key| filter.meets(key));
                let found = met.map(|key| Named {
                    key_identifier: key.row.key_identifier.clone(),
                    key: Some(key),
                });
                Ok(found.collect())
            }
        }
    }
}

fn named(names: Vec<String>, keys: Vec<Listed>) -> Vec<Named> {
    let by_name = keys.into_iter().map(|key| (key.row.key_identifier.clone(), key));
    let mut keys: HashMap<String, Listed> = by_name.collect();
    let mut seen = HashSet::new();
    let once = names.into_iter().filter(|name| seen.insert(name.clone()));
    once.map(|key_identifier| Named { key: keys.remove(&key_identifier), key_identifier }).collect()
}

/// Carries out anything but a test.
async fn change(
    app: &App,
    action: Action,
    selection: Selection,
) -> Result<Vec<KeyResult>, ApiError> {
    let named = selection.find(app).await?;
    let found: Vec<i64> =
        named.iter().filter_map(|name| name.key.as_ref()).map(|key| key.row.id).collect();
    let ids: Vec<KeyId> = found.iter().map(|id| KeyId(id.cast_unsigned())).collect();
    match action {
        Action::Delete => {
            app.store.delete_service_keys(found, app.clock.wall_ms()).await?;
            app.pool.remove_all(&ids);
        }
        Action::Enable => {
            app.store.update_service_keys(found, switched(true)).await?;
            app.pool.enable_all(&ids);
        }
        Action::Disable => {
            app.store.update_service_keys(found, switched(false)).await?;
            app.pool.disable_all(&ids);
        }
        Action::Reset | Action::Test => {
            app.pool.reset_each(&ids);
            app.pool.save_command(&app.store).await?;
        }
    }
    let told = match action {
        Action::Delete => Some(KeysChange::Removed),
        Action::Enable | Action::Disable => Some(KeysChange::Changed),
        Action::Reset | Action::Test => None,
    };
    if let Some(change) = told {
        let done = named.iter().filter(|name| name.key.is_some());
        tell_keys(app, change, done.map(|name| name.key_identifier.clone()).collect());
    }
    let results = named.into_iter().map(|Named { key_identifier, key }| KeyResult {
        key_identifier,
        result: match key {
            None => ResultWord::NotFound,
            Some(key) if key.view.is_none() && action == Action::Reset => ResultWord::Unreadable,
            Some(_) => ResultWord::Done,
        },
        test: None,
    });
    Ok(results.collect())
}

fn switched(is_enabled: bool) -> ServiceKeyChange {
    ServiceKeyChange { is_enabled: Some(is_enabled), ..ServiceKeyChange::default() }
}

/// Tests the keys, a few at a time.
///
/// Dropped before its end, tests under way are given up; what was found out is stored.
async fn test_all(app: &Arc<App>, selection: Selection) -> Result<Vec<KeyResult>, ApiError> {
    let named = selection.find(app).await?;
    if TESTED_MAX < named.len() {
        return Err(too_many("key_identifiers", TESTED_MAX));
    }
    let mut results: Vec<Option<KeyResult>> = named.iter().map(|_| None).collect();
    let mut waiting = named.into_iter().enumerate();
    let mut tests = JoinSet::new();
    loop {
        while tests.len() < TESTS_AT_ONCE {
            let Some((place, name)) = waiting.next() else {
                break;
            };
            let app = Arc::clone(app);
            tests.spawn(async move { (place, test_one(&app, name).await) });
        }
        let Some(tested) = tests.join_next().await else {
            break;
        };
        let (place, tested) = tested.map_err(ApiError::internal)?;
        if let Some(result) = results.get_mut(place) {
            *result = Some(tested?);
        }
    }
    Ok(results.into_iter().flatten().collect())
}

async fn test_one(app: &Arc<App>, name: Named) -> Result<KeyResult, ApiError> {
    let Named { key_identifier, key } = name;
    let untested =
        |result| KeyResult { key_identifier: key_identifier.clone(), result, test: None };
    let Some(key) = key else {
        return Ok(untested(ResultWord::NotFound));
    };
    let Some(key) = app.pool.key(key.id()) else {
        return Ok(untested(ResultWord::Unreadable));
    };
    let tested = test::ask(app, &key, None).await?;
    let result = if tested.is_ok { ResultWord::Done } else { ResultWord::Failed };
    Ok(KeyResult { key_identifier, result, test: Some(tested) })
}
