//! The keys of our callers: list, make, change, delete.
//!
//! The secret of a key is answered once, when it is made. Afterwards it is known by its id; scripts
//! written for the Python version may still name a key by its full text.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::{Body, Name};
use crate::admin::routes::{Routes, delete, get, post, put};
use crate::admin::values::{Text, present};
use crate::app::App;
use crate::moment::Moment;
use crate::store::error::{StoreError, Unique};
use crate::store::user_keys::{UserKey as Row, UserKeyChange};
use crate::user_keys::CreateError;

#[derive(OpenApi)]
#[openapi(paths(list, one, create, update, rotate, remove))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/api/auth_keys"), list)
        .add(post("/api/auth_keys"), create)
        .add(get("/api/auth_keys/{id}"), one)
        .add(put("/api/auth_keys/{id}"), update)
        .add(post("/api/auth_keys/{id}/rotate"), rotate)
        .add(delete("/api/auth_keys/{id}"), remove)
}

/// A user key.
#[derive(Debug, Serialize, ToSchema)]
struct UserKey {
    /// Names the key in paths and in the log.
    id: i64,
    /// First and last characters of the key; the whole key in the answer that makes it.
    api_key: String,
    /// Its name.
    alias: String,
    /// Requests made with it.
    call_count: u64,
    /// Tokens that its requests have cost.
    tokens: u64,
    /// Whether it lets anybody in.
    enabled: bool,
    /// A note of the admin.
    note: String,
    /// From when on it no longer lets anybody in.
    expires_at: Option<Moment>,
    /// When it was last used.
    last_used_at: Option<Moment>,
    /// When it was made.
    created_at: Moment,
}

impl From<Row> for UserKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            api_key: row.brief,
            alias: row.name,
            call_count: row.calls,
            tokens: row.tokens,
            enabled: row.is_enabled,
            note: row.note,
            expires_at: row.expires_at_ms.map(Moment::from_ms),
            last_used_at: row.last_used_at_ms.map(Moment::from_ms),
            created_at: Moment::from_ms(row.created_at_ms),
        }
    }
}

/// A user key to be made.
#[derive(Debug, Deserialize, ToSchema)]
struct NewUserKey {
    /// Its name.
    #[schema(value_type = String, min_length = 1, max_length = 50)]
    alias: Text<1, 50>,
    /// A note for the admin.
    #[serde(default)]
    #[schema(value_type = String, max_length = 1000)]
    note: Text<0, 1000>,
    /// From when on it no longer lets anybody in; never, if absent.
    #[serde(default)]
    #[schema(inline)]
    expires_at: Option<Moment>,
}

/// What is to become different; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
struct UserKeyUpdate {
    /// Another name.
    #[serde(default)]
    #[schema(inline)]
    alias: Option<Text<1, 50>>,
    /// Another note.
    #[serde(default)]
    #[schema(inline)]
    note: Option<Text<0, 1000>>,
    /// Lets the key in or shuts it out.
    #[serde(default)]
    enabled: Option<bool>,
    /// Another end; `null` for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<Moment>>,
}

/// Lists all user keys, by name.
#[utoipa::path(
    get, path = "/api/auth_keys", operation_id = "list_user_keys", tag = "user keys",
    responses((status = 200, description = "All user keys", body = [UserKey])),
)]
async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<UserKey>>, ApiError> {
    let rows = app.store.user_keys().await?;
    Ok(Json(rows.into_iter().map(UserKey::from).collect()))
}

/// Shows one user key.
#[utoipa::path(
    get, path = "/api/auth_keys/{id}", operation_id = "user_key", tag = "user keys",
    params(("id" = String, Path, description = "The id of the key, or the key itself")),
    responses(
        (status = 200, description = "The key", body = UserKey),
        (status = 404, description = "There is no such key", body = ErrorBody),
    ),
)]
async fn one(State(app): State<Arc<App>>, Name(name): Name) -> Result<Json<UserKey>, ApiError> {
    let row = app.store.user_key(id_of(&app, &name)?).await?.ok_or_else(not_found)?;
    Ok(Json(row.into()))
}

/// Makes a user key. Its secret is in this answer and never again.
#[utoipa::path(
    post, path = "/api/auth_keys", operation_id = "create_user_key", tag = "user keys", request_body = NewUserKey,
    responses(
        (status = 201, description = "The key, in full", body = UserKey),
        (status = 409, description = "Another key has this name", body = ErrorBody),
        (status = 422, description = "The name will not do", body = ErrorBody),
    ),
)]
async fn create(
    State(app): State<Arc<App>>,
    Body(new): Body<NewUserKey>,
) -> Result<(StatusCode, Json<UserKey>), ApiError> {
    let creating = Arc::clone(&app);
    let created = app.commands.run(async move {
        let (alias, note) = (new.alias.into_inner(), new.note.into_inner());
        let expires_at_ms = new.expires_at.map(Moment::as_ms);
        let now_ms = creating.clock.wall_ms();
        creating.user_keys.create(alias, note, expires_at_ms, now_ms).await
    });
    let (row, secret) =
        created.await.ok_or_else(ApiError::panicked)?.map_err(|error| match error {
            CreateError::Store(error) => taken(error),
            CreateError::Random(error) => ApiError::internal(error),
        })?;
    tracing::info!(user.id = row.id, user.name = %row.name, "a user key was made");
    let api_key = secret.expose().to_owned();
    Ok((StatusCode::CREATED, Json(UserKey { api_key, ..row.into() })))
}

/// Changes a user key, at once and for every request that follows. One that is disabled ends its open
/// Live sessions.
#[utoipa::path(
    put, path = "/api/auth_keys/{id}", operation_id = "update_user_key", tag = "user keys", request_body = UserKeyUpdate,
    params(("id" = String, Path, description = "The id of the key, or the key itself")),
    responses(
        (status = 200, description = "What the key has become", body = UserKey),
        (status = 404, description = "There is no such key", body = ErrorBody),
        (status = 409, description = "Another key has this name", body = ErrorBody),
        (status = 422, description = "A value will not do", body = ErrorBody),
    ),
)]
async fn update(
    State(app): State<Arc<App>>,
    Name(name): Name,
    Body(update): Body<UserKeyUpdate>,
) -> Result<Json<UserKey>, ApiError> {
    let id = id_of(&app, &name)?;
    let change = UserKeyChange {
        name: update.alias.map(Text::into_inner),
        note: update.note.map(Text::into_inner),
        is_enabled: update.enabled,
        expires_at_ms: update.expires_at.map(|end| end.map(Moment::as_ms)),
    };
    let updating = Arc::clone(&app);
    let updated = app.commands.run(async move { updating.user_keys.update(id, change).await });
    let row =
        updated.await.ok_or_else(ApiError::panicked)?.map_err(taken)?.ok_or_else(not_found)?;
    tracing::info!(user.id = row.id, user.name = %row.name, "a user key was changed");
    Ok(Json(row.into()))
}

/// Gives a user key another secret, which is in this answer and never again. From then on the one
/// before lets nobody in, and its open Live sessions end; name, note, expiry, counts and log stay.
#[utoipa::path(
    post, path = "/api/auth_keys/{id}/rotate", operation_id = "rotate_user_key", tag = "user keys",
    params(("id" = String, Path, description = "The id of the key, or the key itself")),
    responses(
        (status = 200, description = "The key, with its secret in full", body = UserKey),
        (status = 404, description = "There is no such key", body = ErrorBody),
    ),
)]
async fn rotate(State(app): State<Arc<App>>, Name(name): Name) -> Result<Json<UserKey>, ApiError> {
    let id = id_of(&app, &name)?;
    let rotating = Arc::clone(&app);
    let rotated = app.commands.run(async move { rotating.user_keys.rotate(id).await });
    let rotated = rotated.await.ok_or_else(ApiError::panicked)?.map_err(|error| match error {
        CreateError::Store(error) => ApiError::Store(error),
        CreateError::Random(error) => ApiError::internal(error),
    })?;
    let (row, secret) = rotated.ok_or_else(not_found)?;
    tracing::warn!(user.id = row.id, user.name = %row.name, "a user key has another secret");
    let api_key = secret.expose().to_owned();
    Ok(Json(UserKey { api_key, ..row.into() }))
}

/// Deletes a user key, and ends its open Live sessions. Its log rows keep its name; a new key of the
/// same name begins without them.
#[utoipa::path(
    delete, path = "/api/auth_keys/{id}", operation_id = "delete_user_key", tag = "user keys",
    params(("id" = String, Path, description = "The id of the key, or the key itself")),
    responses(
        (status = 204, description = "The key is deleted"),
        (status = 404, description = "There is no such key", body = ErrorBody),
    ),
)]
async fn remove(State(app): State<Arc<App>>, Name(name): Name) -> Result<StatusCode, ApiError> {
    let id = id_of(&app, &name)?;
    let deleting = Arc::clone(&app);
    let deleted = app
        .commands
        .run(async move { deleting.user_keys.delete(id, deleting.clock.wall_ms()).await });
    if !deleted.await.ok_or_else(ApiError::panicked)?? {
        return Err(not_found());
    }
    tracing::info!(user.id = id, "a user key was deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// The key that a path names, by its id or in full.
fn id_of(app: &App, name: &str) -> Result<i64, ApiError> {
    name.parse().ok().or_else(|| app.user_keys.id_of(name)).ok_or_else(not_found)
}

fn not_found() -> ApiError {
    ApiError::NotFound("Auth key not found.")
}

fn taken(error: StoreError) -> ApiError {
    if matches!(error, StoreError::Taken(Unique::Name)) {
        return ApiError::Conflict("Alias already exists.");
    }
    ApiError::Store(error)
}
