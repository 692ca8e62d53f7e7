//! Changing one service key, deleting it, forgetting what speaks against it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use keypool::KeyId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::events::{KeysChange, tell_keys};
use crate::admin::input::{Body, Name};
use crate::admin::service_keys::add::checked_tags;
use crate::admin::service_keys::listed::{Listed, ServiceKey, id_of, unknown};
use crate::admin::values::Text;
use crate::app::App;
use crate::store::service_keys::ServiceKeyChange;

/// What is to become different; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct KeyUpdate {
    /// Another note.
    #[serde(default)]
    #[schema(inline)]
    note: Option<Text<0, 1000>>,
    /// Other tags.
    #[serde(default)]
    #[schema(inline)]
    tags: Option<Vec<Text<1, 50>>>,
    /// Another project; empty for none.
    #[serde(default)]
    #[schema(inline)]
    project: Option<Text<0, 100>>,
    /// Another tier.
    #[serde(default)]
    tier: Option<u8>,
    /// Switches the key on or off.
    #[serde(default)]
    enabled: Option<bool>,
}

/// What was done to one key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyDone)]
pub(super) struct Done {
    /// The fact in words.
    message: String,
    /// The key.
    key_identifier: String,
}

/// What was done to all keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeysDone)]
pub(super) struct AllDone {
    /// The fact in words.
    message: &'static str,
    /// Always empty.
    details: Vec<String>,
}

/// Changes a service key.
#[utoipa::path(
    patch, path = "/api/keys/{key_identifier}", operation_id = "update_service_key", tag = "service keys", request_body = KeyUpdate,
    params(("key_identifier" = String, Path, description = "The key's identifier")),
    responses(
        (status = 200, description = "What the key has become", body = ServiceKey),
        (status = 404, description = "There is no such key", body = ErrorBody),
        (status = 422, description = "A value will not do", body = ErrorBody),
    ),
)]
pub(super) async fn update(
    State(app): State<Arc<App>>,
    Name(key_identifier): Name,
    Body(update): Body<KeyUpdate>,
) -> Result<Json<ServiceKey>, ApiError> {
    let change = ServiceKeyChange {
        note: update.note.map(Text::into_inner),
        tags: update.tags.map(checked_tags).transpose()?,
        project: update.project.map(Text::into_inner),
        tier: update.tier.map(i64::from),
        is_enabled: update.enabled,
    };
    let changing = Arc::clone(&app);
    let changed = app
        .commands
        .run_in_turn(async move { change_one(&changing, key_identifier, change).await });
    let key = changed.await.ok_or_else(ApiError::panicked)??;
    tracing::info!(key.id = %key.row.key_identifier, "a service key was changed");
    tell_keys(&app, KeysChange::Changed, vec![key.row.key_identifier.clone()]);
    Ok(Json(key.shown(&app.pool, None)))
}

async fn change_one(
    app: &App,
    key_identifier: String,
    change: ServiceKeyChange,
) -> Result<Listed, ApiError> {
    let before = Listed::one(app, key_identifier.clone()).await?;
    let is_enabled = change.is_enabled;
    app.store.update_service_keys(vec![before.row.id], change).await?;
    let after = Listed::one(app, key_identifier.clone()).await?;
    let (id, row) = (after.id(), &after.row);
    if (&row.project, row.tier) != (&before.row.project, before.row.tier) {
        let project = Some(row.project.as_str()).filter(|label| !label.is_empty());
        app.pool.assign(id, project, u8::try_from(row.tier.clamp(0, 255)).unwrap_or(u8::MAX));
    }
    match is_enabled {
        Some(true) => drop(app.pool.enable(id)),
        Some(false) => drop(app.pool.disable(id)),
        None => {}
    }
    Listed::one(app, key_identifier).await
}

/// Deletes a service key with its secret. Requests that use it end undisturbed; its log rows stay.
#[utoipa::path(
    delete, path = "/api/keys/{key_identifier}", operation_id = "delete_service_key", tag = "service keys",
    params(("key_identifier" = String, Path, description = "The key's identifier")),
    responses(
        (status = 200, description = "The key is deleted", body = Done),
        (status = 404, description = "There is no such key", body = ErrorBody),
    ),
)]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Name(key_identifier): Name,
) -> Result<Json<Done>, ApiError> {
    let (deleting, name) = (Arc::clone(&app), key_identifier.clone());
    let deleted = app.commands.run_in_turn(async move {
        let id = deleting.store.service_key_id(name).await?.ok_or_else(unknown)?;
        let found = deleting.store.delete_service_keys(vec![id], deleting.clock.wall_ms()).await?;
        deleting.pool.remove(KeyId(id.cast_unsigned()));
        found.first().map(|_| ()).ok_or_else(unknown)
    });
    deleted.await.ok_or_else(ApiError::panicked)??;
    tracing::info!(key.id = %key_identifier, "a service key was deleted");
    tell_keys(&app, KeysChange::Removed, vec![key_identifier.clone()]);
    let message = format!("Key {key_identifier} deleted successfully");
    Ok(Json(Done { message, key_identifier }))
}

/// Forgets everything that speaks against a service key and its project. A key that is switched
/// off stays so.
#[utoipa::path(
    post, path = "/api/keys/{key_identifier}/reset", operation_id = "reset_service_key", tag = "service keys",
    params(("key_identifier" = String, Path, description = "The key's identifier")),
    responses(
        (status = 200, description = "The key is as good as new", body = Done),
        (status = 404, description = "There is no such key", body = ErrorBody),
        (status = 409, description = "The key cannot be decrypted", body = ErrorBody),
    ),
)]
pub(super) async fn reset(
    State(app): State<Arc<App>>,
    Name(key_identifier): Name,
) -> Result<Json<Done>, ApiError> {
    let (resetting, name) = (Arc::clone(&app), key_identifier.clone());
    let reset = app.commands.run_in_turn(async move {
        let key = Listed::one(&resetting, name).await?;
        if !resetting.pool.reset(id_of(&key.row)) {
            return Err(unreadable());
        }
        Ok(resetting.pool.save_command(&resetting.store).await?)
    });
    reset.await.ok_or_else(ApiError::panicked)??;
    tracing::info!(key.id = %key_identifier, "a service key was reset");
    let message = format!("State for key {key_identifier} reset successfully");
    Ok(Json(Done { message, key_identifier }))
}

/// Forgets everything that speaks against any service key.
#[utoipa::path(
    post, path = "/api/keys/reset", operation_id = "reset_service_keys", tag = "service keys",
    responses((status = 200, description = "All keys are as good as new", body = AllDone)),
)]
pub(super) async fn reset_all(State(app): State<Arc<App>>) -> Result<Json<AllDone>, ApiError> {
    let resetting = Arc::clone(&app);
    let reset = app.commands.run_in_turn(async move {
        resetting.pool.reset_all();
        resetting.pool.save_command(&resetting.store).await
    });
    reset.await.ok_or_else(ApiError::panicked)??;
    tracing::info!("all service keys were reset");
    let message = "State for all keys reset successfully";
    Ok(Json(AllDone { message, details: Vec::new() }))
}

/// The refusal for a key whose secret does not open.
pub(super) fn unreadable() -> ApiError {
    ApiError::Conflict("The key cannot be decrypted. Delete it and add it again.")
}
