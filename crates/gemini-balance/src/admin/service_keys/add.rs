//! Adding service keys, with an answer for every line.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::events::{KeysChange, tell_keys};
use crate::admin::input::Body;
use crate::admin::problem::{Part, Problem};
use crate::admin::values::Text;
use crate::app::App;
use crate::service_keys::{self, AddError, Common, LineResult};

/// Most keys in one call.
const LINES_MAX: usize = 100_000;
/// Most tags of a key.
pub(super) const TAGS_MAX: usize = 20;

/// Keys to be added, and what they have in common.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewKeys {
    /// The keys. One entry may hold several, one on each line.
    api_keys: Vec<String>,
    /// The label of the project whose quota they share; if absent, each is alone.
    #[serde(default)]
    #[schema(value_type = String, max_length = 100)]
    project: Text<0, 100>,
    /// Keys of a lower tier serve first.
    #[serde(default)]
    tier: u8,
    /// A note for the admin.
    #[serde(default)]
    #[schema(value_type = String, max_length = 1000)]
    note: Text<0, 1000>,
    /// Words to find them by.
    #[serde(default)]
    #[schema(inline)]
    tags: Vec<Text<1, 50>>,
}

/// What became of the keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AddedKeys {
    /// The whole, in words.
    message: &'static str,
    /// First and last characters of those that were added.
    details: Vec<String>,
    /// What became of each line, in their order.
    results: Vec<LineResult>,
}

/// Adds service keys, all in one transaction. What is there already or is no key is left out and
/// told.
#[utoipa::path(
    post, path = "/api/keys", operation_id = "add_service_keys", tag = "service keys", request_body = NewKeys,
    responses(
        (status = 201, description = "What became of each line", body = AddedKeys),
        (status = 422, description = "The list cannot be read", body = ErrorBody),
    ),
)]
pub(super) async fn add(
    State(app): State<Arc<App>>,
    Body(new): Body<NewKeys>,
) -> Result<(StatusCode, Json<AddedKeys>), ApiError> {
    let (lines, common) = new.checked()?;
    let adding = Arc::clone(&app);
    let added = app.commands.run_in_turn(async move {
        let (store, vault, pool) = (&adding.store, &adding.vault, Some(&adding.pool));
        service_keys::add(store, vault, pool, lines, common, adding.clock.wall_ms()).await
    });
    let results = added.await.ok_or_else(ApiError::panicked)??;
    let details: Vec<String> = results.iter().filter_map(brief_of_added).collect();
    tracing::info!(added = details.len(), lines = results.len(), "service keys were added");
    tell_keys(&app, KeysChange::Added, results.iter().filter_map(name_of_added).collect());
    let message = "Keys added successfully";
    Ok((StatusCode::CREATED, Json(AddedKeys { message, details, results })))
}

impl NewKeys {
    /// The lines, and what their keys have in common.
    ///
    /// # Errors
    ///
    /// Too many lines or tags.
    pub(super) fn checked(self) -> Result<(Vec<String>, Common), ApiError> {
        let lines = self.api_keys.iter().flat_map(|entry| entry.split('\n'));
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        if LINES_MAX < lines.len() {
            return Err(too_many("api_keys", LINES_MAX));
        }
        let common = Common {
            project: self.project.into_inner(),
            tier: self.tier,
            note: self.note.into_inner(),
            tags: checked_tags(self.tags)?,
        };
        Ok((lines, common))
    }
}

impl From<AddError> for ApiError {
    fn from(error: AddError) -> Self {
        match error {
            AddError::Store(error) => Self::Store(error),
            AddError::Vault(error) => Self::internal(error),
        }
    }
}

fn brief_of_added(result: &LineResult) -> Option<String> {
    match result {
        LineResult::Added { brief, .. } => Some(brief.clone()),
        LineResult::Duplicate { .. } | LineResult::Invalid { .. } => None,
    }
}

/// The name of a key that was added.
pub(super) fn name_of_added(result: &LineResult) -> Option<String> {
    match result {
        LineResult::Added { key_identifier, .. } => Some(key_identifier.clone()),
        LineResult::Duplicate { .. } | LineResult::Invalid { .. } => None,
    }
}

/// Tags as they are stored.
pub(super) fn checked_tags(tags: Vec<Text<1, 50>>) -> Result<Vec<String>, ApiError> {
    if TAGS_MAX < tags.len() {
        return Err(too_many("tags", TAGS_MAX));
    }
    Ok(tags.into_iter().map(Text::into_inner).collect())
}

/// The refusal of a list that is too long.
pub(super) fn too_many(field: &str, limit: usize) -> ApiError {
    let words = format!("List should have at most {limit} items");
    ApiError::Invalid(vec![Problem::value(Part::Body, field, &words)])
}
