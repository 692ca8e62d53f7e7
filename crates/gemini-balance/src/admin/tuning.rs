//! Changing settings while the gateway runs, and who has changed what.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::Body;
use crate::admin::peer::Peer;
use crate::admin::problem::{Part, Problem};
use crate::admin::routes::{Routes, get, patch};
use crate::admin::system::{Settings, settings_in_force};
use crate::app::App;
use crate::moment::Moment;
use crate::tuning::{self, ChangeError};

#[derive(OpenApi)]
#[openapi(paths(change, changes))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(patch("/api/settings"), change).add(get("/api/settings/changes"), changes)
}

/// What is to hold from now on.
#[derive(Debug, Deserialize, ToSchema)]
struct SettingsChange {
    /// Settings by name, each with its value as it would be written, or `null` for what holds elsewhere.
    changes: BTreeMap<String, Option<String>>,
}

/// Who has changed what.
#[derive(Debug, Serialize, ToSchema)]
struct SettingChanges {
    /// The latest first; the last five hundred are kept.
    changes: Vec<SettingChange>,
}

/// One change of a setting.
#[derive(Debug, Serialize, ToSchema)]
struct SettingChange {
    /// When.
    at: Moment,
    /// Who, or the file in which it was written.
    by: String,
    /// The setting.
    name: String,
    /// What held before.
    from: String,
    /// What holds since.
    to: String,
}

/// Changes settings that may change while the gateway runs; all that are named, or none. They are in
/// force at once and outlive a restart.
#[utoipa::path(
    patch, path = "/api/settings", operation_id = "change_settings", tag = "system", request_body = SettingsChange,
    responses(
        (status = 200, description = "The settings", body = Settings),
        (status = 409, description = "A setting is written elsewhere, which goes before", body = ErrorBody),
        (status = 422, description = "A value will not do, or a setting needs a restart", body = ErrorBody),
    ),
)]
async fn change(
    State(app): State<Arc<App>>,
    peer: Peer,
    Body(order): Body<SettingsChange>,
) -> Result<Json<Settings>, ApiError> {
    let changing = Arc::clone(&app);
    let by = format!("admin at {}", peer.address);
    let changed =
        app.commands.run(async move { tuning::change(&changing, order.changes, by).await });
    changed.await.ok_or_else(ApiError::panicked)??;
    Ok(Json(settings_in_force(&app)))
}

/// Tells who has changed which settings.
#[utoipa::path(
    get, path = "/api/settings/changes", operation_id = "list_setting_changes", tag = "system",
    responses((status = 200, description = "The changes", body = SettingChanges)),
)]
async fn changes(State(app): State<Arc<App>>) -> Result<Json<SettingChanges>, ApiError> {
    let changes = tuning::history(&app).await?.into_iter().map(|change| SettingChange {
        at: Moment::from_ms(change.at_ms),
        by: change.by,
        name: change.name,
        from: change.from,
        to: change.to,
    });
    Ok(Json(SettingChanges { changes: changes.collect() }))
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Fixed(name) => {
                let words = "cannot be changed while the gateway runs";
                Self::Invalid(vec![Problem::value(Part::Body, &name, words)])
            }
            ChangeError::Mistakes(errors) => {
                let problems = errors.0.iter();
                let problems =
                    problems.map(|error| Problem::value(Part::Body, &error.name, &error.problem));
                Self::Invalid(problems.collect())
            }
            ChangeError::Elsewhere { .. } => Self::Conflict(
                "A setting is written in the environment or in a file, which goes before. Change it \
                 there.",
            ),
            ChangeError::TooMany(_) => Self::Conflict(
                "The settings were changed too often since the start. Restart the gateway.",
            ),
            ChangeError::Io(error) => Self::internal(error),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}
