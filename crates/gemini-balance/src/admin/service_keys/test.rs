//! Testing a service key: one free call that shows whether the upstream lets it in.
//!
//! A test can bring a key back that the upstream had turned away; one that fails changes nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::{Name, Params};
use crate::admin::service_keys::edit::unreadable;
use crate::admin::service_keys::listed::{KeyState, Listed};
use crate::admin::values::Text;
use crate::app::App;
use crate::pool::{Probed, ServiceKey};

/// What to ask for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// The model whose tokens the upstream shall count; if absent, it is asked for its models.
    #[serde(default)]
    #[param(inline)]
    model: Option<Text<1, 200>>,
}

/// What a test has shown.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tested {
    /// Whether the upstream let the key in.
    pub(super) is_ok: bool,
    /// The upstream's status; `null` without an answer.
    pub(super) status: Option<u16>,
    /// A stable word for what went wrong.
    pub(super) error: Option<&'static str>,
    /// The upstream's words.
    pub(super) message: Option<String>,
    /// How long it took, in ms.
    pub(super) duration_ms: u64,
}

/// A test and the key afterwards.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestedKey {
    /// The key.
    key_identifier: String,
    /// Its state after the test.
    state: KeyState,
    #[serde(flatten)]
    tested: Tested,
}

/// Tests a service key with a call that costs no quota.
#[utoipa::path(
    post, path = "/api/keys/{key_identifier}/test", operation_id = "test_service_key", tag = "service keys",
    params(
        ("key_identifier" = String, Path, description = "The key's identifier"),
        Question,
    ),
    responses(
        (status = 200, description = "What the test has shown", body = TestedKey),
        (status = 404, description = "There is no such key", body = ErrorBody),
        (status = 409, description = "The key cannot be decrypted", body = ErrorBody),
    ),
)]
pub(super) async fn test(
    State(app): State<Arc<App>>,
    Name(key_identifier): Name,
    Params(question): Params<Question>,
) -> Result<Json<TestedKey>, ApiError> {
    let id = Listed::one(&app, key_identifier.clone()).await?.id();
    let key = app.pool.key(id).ok_or_else(unreadable)?;
    let model = question.model.map(Text::into_inner);
    let tested = ask(&app, &key, model.as_deref()).await?;
    let state = Listed::one(&app, key_identifier.clone()).await?.state();
    Ok(Json(TestedKey { key_identifier, state, tested }))
}

/// Asks the upstream about a key, and lets the key in again if the upstream does.
pub(super) async fn ask(
    app: &Arc<App>,
    key: &Arc<ServiceKey>,
    model: Option<&str>,
) -> Result<Tested, ApiError> {
    let probed = app.prober.probe(key, model).await;
    if probed.is_ok && app.pool.restore(key.id) {
        let restoring = Arc::clone(app);
        let saved =
            app.commands.run(async move { restoring.pool.save_command(&restoring.store).await });
        saved.await.ok_or_else(ApiError::panicked)??;
    }
    Ok(probed.into())
}

impl From<Probed> for Tested {
    fn from(probed: Probed) -> Self {
        Self {
            is_ok: probed.is_ok,
            status: probed.status,
            error: probed.error,
            message: probed.message,
            duration_ms: probed.duration_ms,
        }
    }
}
