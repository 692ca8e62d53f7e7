//! `/api/resources`: what upstreams keep for the projects of our service keys – files, caches, batches and the like –,
//! whose each is and until when.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use dialect::FailureKind;
use keypool::KeyId;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::parameters::{Both, Only};
use crate::admin::routes::{Routes, delete, get};
use crate::admin::values::Bounded;
use crate::app::App;
use crate::moment::Moment;
use crate::pool::ServiceKey;
use crate::resources::{Kept, Wanted};

#[derive(OpenApi)]
#[openapi(paths(list, remove))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(get("/api/resources"), list).add(delete("/api/resources"), remove)
}

/// Resources that fulfil everything that is given; all of them, if nothing is.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// A text within the name; case does not matter.
    #[serde(default)]
    q: Option<String>,
    /// What they are, as `files`.
    #[serde(default)]
    kind: Option<String>,
    /// Whose they are.
    #[serde(default)]
    user_key_id: Option<i64>,
    /// Which service key has made them.
    #[serde(default)]
    service_key_id: Option<i64>,
}

/// How many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Part {
    /// Resources per page.
    #[serde(default = "limit")]
    #[param(inline)]
    limit: Bounded<1, 1_000>,
    /// Resources before the page.
    #[serde(default = "offset")]
    #[param(inline)]
    offset: Bounded<0, 1_000_000>,
}

const fn limit() -> Bounded<1, 1_000> {
    Bounded::nearest(100)
}

const fn offset() -> Bounded<0, 1_000_000> {
    Bounded::nearest(0)
}

/// Something that an upstream keeps.
#[derive(Debug, Serialize, ToSchema)]
struct Resource {
    /// Its full name, as `files/abc`.
    name: String,
    /// What it is, as `files`.
    kind: String,
    /// The user key that had it made.
    user_key_id: i64,
    /// That key's name; `null` if it was deleted.
    user_key: Option<String>,
    /// The service key that made it.
    service_key_id: i64,
    /// First and last characters of that key; `null` if it was deleted.
    key_brief: Option<String>,
    /// Names that key in paths; `null` if it was deleted.
    key_identifier: Option<String>,
    /// The project of that key; empty if it is alone.
    project: String,
    /// When it was made.
    created_at: Moment,
    /// When it ends by itself; `null` if it does not, or that is not known.
    expires_at: Option<Moment>,
}

/// A page of resources.
#[derive(Debug, Serialize, ToSchema)]
struct ResourcePage {
    /// Those that end first come first.
    resources: Vec<Resource>,
    /// How many there are on all pages.
    total: usize,
    /// How many there are of each kind, whatever kind was asked for; most frequent first.
    kinds: Vec<ResourceKind>,
}

/// How many resources are of a kind.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct ResourceKind {
    /// The kind.
    kind: String,
    /// The resources.
    count: usize,
}

/// Which one.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Named {
    /// The full name, as `files/abc`.
    name: String,
}

/// What has become of a resource that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Removal {
    /// The upstream has deleted it.
    Deleted,
    /// The upstream did not have it any more.
    WasGone,
    /// No key can reach it any more; only our note of it is gone.
    Forgotten,
}

/// The end of a resource.
#[derive(Debug, Serialize, ToSchema)]
struct ResourceRemoved {
    /// What has become of it.
    outcome: Removal,
}

/// Lists what upstreams keep, as far as it was made through the gateway.
#[utoipa::path(
    get, path = "/api/resources", operation_id = "list_resources", tag = "resources", params(Filter, Part),
    responses(
        (status = 200, description = "A page of resources", body = ResourcePage),
        (status = 422, description = "A parameter is unknown or will not do", body = ErrorBody),
    ),
)]
async fn list(
    State(app): State<Arc<App>>,
    Both(filter, part): Both<Filter, Part>,
) -> Result<Json<ResourcePage>, ApiError> {
    let wanted = Wanted {
        words: filter.q.as_deref().unwrap_or_default().trim().to_lowercase(),
        kind: filter.kind,
        user: filter.user_key_id,
        key: filter.service_key_id.map(|id| KeyId(id.cast_unsigned())),
    };
    let page = app.resources.page(&wanted, part.offset.get() as usize, part.limit.get() as usize);
    let users = app.store.user_keys().await?;
    let users: HashMap<i64, String> = users.into_iter().map(|user| (user.id, user.name)).collect();
    let resources = page.kept.into_iter().map(|kept| {
        let key = app.pool.key(kept.kin.key);
        let user_key = users.get(&kept.user);
        shown(&kept, user_key, key.as_deref())
    });
    let resources = resources.collect();
    let mut kinds: Vec<_> =
        page.kinds.into_iter().map(|(kind, count)| ResourceKind { kind, count }).collect();
    kinds.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.kind.cmp(&b.kind)));
    Ok(Json(ResourcePage { resources, total: page.total, kinds }))
}

fn shown(kept: &Kept, user_key: Option<&String>, key: Option<&ServiceKey>) -> Resource {
    Resource {
        kind: kept.kind().to_owned(),
        name: kept.name.to_string(),
        user_key_id: kept.user,
        user_key: user_key.cloned(),
        service_key_id: kept.kin.key.0.cast_signed(),
        key_brief: key.map(|key| key.brief.clone()),
        key_identifier: key.map(|key| key.identifier.clone()),
        project: kept.kin.project.as_deref().unwrap_or_default().to_owned(),
        created_at: Moment::from_ms(kept.created_ms),
        expires_at: kept.expires_ms.map(Moment::from_ms),
    }
}

/// Deletes a resource where it lies, with a key that sees it. One that no key sees any more is forgotten.
#[utoipa::path(
    delete, path = "/api/resources", operation_id = "delete_resource", tag = "resources", params(Named),
    responses(
        (status = 200, description = "It is gone", body = ResourceRemoved),
        (status = 404, description = "No such resource is remembered", body = ErrorBody),
        (status = 502, description = "The upstream did not delete it", body = ErrorBody),
    ),
)]
async fn remove(
    State(app): State<Arc<App>>,
    Only(Named { name }): Only<Named>,
) -> Result<Json<ResourceRemoved>, ApiError> {
    let not_found = || ApiError::NotFound("There is no such resource");
    let kept = app.resources.kept(&name).ok_or_else(not_found)?;
    let deleting = Arc::clone(&app);
    let outcome = app.commands.run(async move { deleted(&deleting, &kept).await });
    let outcome = outcome.await.ok_or_else(ApiError::panicked)??;
    tracing::info!(resource = %name, ?outcome, "a resource was removed");
    Ok(Json(ResourceRemoved { outcome }))
}

async fn deleted(app: &App, kept: &Kept) -> Result<Removal, ApiError> {
    let outcome = match app.pool.key_of_kin(&kept.kin) {
        None => Removal::Forgotten,
        Some(key) => {
            let answered = app.prober.delete(&key, &kept.name).await;
            // Google says 403 of files and caches that are not there, in words of their own.
            let is_denied = answered.failure == Some(FailureKind::ResourceDenied);
            match answered.status {
                Some(200..300) => Removal::Deleted,
                Some(404 | 410) => Removal::WasGone,
                Some(_) if is_denied => Removal::WasGone,
                Some(_) | None => return Err(ApiError::NotDeleted(answered.words())),
            }
        }
    };
    app.resources.forget(&kept.name);
    Ok(outcome)
}
