//! Handing service keys out in full: only after the password, and never without a trace.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::Body;
use crate::admin::login::confirm;
use crate::admin::peer::Peer;
use crate::admin::service_keys::bulk::{Named, Selection};
use crate::admin::service_keys::filter::Filter;
use crate::app::App;
use crate::jobs::Outcome;
use crate::secret::Secret;

/// Which keys, and the proof that it is still the admin who asks.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ExportOrder {
    /// The admin's password.
    #[schema(value_type = String)]
    password: Secret,
    /// The keys by name; or else `filter`.
    #[serde(default)]
    key_identifiers: Option<Vec<String>>,
    /// The keys by what they have in common, an empty filter for all; or else `key_identifiers`.
    #[serde(default)]
    filter: Option<Filter>,
}

/// Service keys in full.
#[derive(Serialize, ToSchema)]
pub(super) struct Exported {
    /// The keys that could be decrypted.
    keys: Vec<ExportedKey>,
    /// Those that are not among them.
    missing: Vec<MissingKey>,
}

/// A service key that cannot be exported.
#[derive(Serialize, ToSchema)]
struct MissingKey {
    /// Its name.
    key_identifier: String,
    /// Why: `not_found` or `unreadable`.
    outcome: Outcome,
}

/// A service key in full.
#[derive(Serialize, ToSchema)]
struct ExportedKey {
    /// Its name.
    key_identifier: String,
    /// The key itself.
    api_key: String,
    /// The label of its project.
    project: String,
    /// Its tier.
    tier: i64,
    /// The admin's note.
    note: String,
    /// The admin's tags.
    tags: Vec<String>,
    /// Whether it is switched on.
    enabled: bool,
}

/// Shows service keys in full, to move them elsewhere. The log tells of it.
#[utoipa::path(
    post, path = "/api/keys/export", operation_id = "export_service_keys", tag = "service keys", request_body = ExportOrder,
    responses(
        (status = 200, description = "The keys in full", body = Exported),
        (status = 403, description = "The password is wrong", body = ErrorBody),
        (status = 422, description = "The order cannot be understood", body = ErrorBody),
        (status = 429, description = "Too many attempts: wait as `Retry-After` says", body = ErrorBody),
    ),
)]
pub(super) async fn export(
    State(app): State<Arc<App>>,
    peer: Peer,
    Body(order): Body<ExportOrder>,
) -> Result<Json<Exported>, ApiError> {
    let selection = Selection::new(order.key_identifiers, order.filter)?;
    confirm(&app, peer, order.password).await?;
    let (mut keys, mut missing) = (Vec::new(), Vec::new());
    for Named { key_identifier, key } in selection.find(&app).await? {
        let Some(key) = key else {
            missing.push(MissingKey { key_identifier, outcome: Outcome::NotFound });
            continue;
        };
        let Some(secret) = app.pool.key(key.id()) else {
            missing.push(MissingKey { key_identifier, outcome: Outcome::Unreadable });
            continue;
        };
        let row = key.row;
        keys.push(ExportedKey {
            key_identifier,
            api_key: secret.secret.expose().to_owned(),
            project: row.project,
            tier: row.tier,
            note: row.note,
            tags: row.tags,
            enabled: row.is_enabled,
        });
    }
    tracing::warn!(count = keys.len(), address = %peer.address, "service keys were exported in full");
    Ok(Json(Exported { keys, missing }))
}
