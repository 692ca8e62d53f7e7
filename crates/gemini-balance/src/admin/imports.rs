//! `/api/imports`: moving in from another gateway. What is sent is looked at first, and taken over
//! by a job when the admin has seen what that would do.
//!
//! What was sent holds keys in clear, so it is kept in memory, one at a time, for half an hour.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::events::{KeysChange, tell_keys};
use crate::admin::input::{self, Body, Name};
use crate::admin::problem::{Part, Problem};
use crate::admin::routes::{Routes, delete, post};
use crate::app::App;
use crate::import::{
    self, Item, ItemKind, ItemOutcome, MoveError, Progress, Report, TEXT_BYTES_MAX, Taken, Upload,
};
use crate::jobs::{Action, Job, JobResult, Outcome, Plan, Work};
use crate::moment::Moment;
use crate::pool;
use crate::store::error::StoreError;

#[derive(OpenApi)]
#[openapi(paths(look, take, forget))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(post("/api/imports").body_up_to(TEXT_BYTES_MAX), look)
        .add(post("/api/imports/{id}"), take)
        .add(delete("/api/imports/{id}"), forget)
}

/// What was sent, looked at and kept.
#[derive(Debug, Serialize, ToSchema)]
struct MovingIn {
    /// Names it.
    id: String,
    /// Until when it can be taken over.
    expires_at: Moment,
    /// What would become of it.
    report: Report,
}

/// How to take it over.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
struct MoveInOrder {
    /// Leaves the request log out.
    #[serde(default)]
    without_log: bool,
}

/// Looks at the file of another gateway, whatever it is of what is known: a SQLite database, an SQL
/// dump, a `.env`, an export, a list of keys. The body is the file itself, up to 64 MiB; what is
/// larger goes by `gemini-balance import FILE`. Nothing is changed; it takes the place of what was
/// sent before.
#[utoipa::path(
    post, path = "/api/imports", operation_id = "look_at_import", tag = "moving in",
    request_body(content = String, content_type = "application/octet-stream", description = "The file"),
    responses(
        (status = 200, description = "What would become of it", body = MovingIn),
        (status = 413, description = "The file is larger than 64 MiB", body = ErrorBody),
        (status = 422, description = "It is nothing that is known, or damaged; the message says which", body = ErrorBody),
    ),
)]
async fn look(State(app): State<Arc<App>>, request: Request) -> Result<Json<MovingIn>, ApiError> {
    let bytes = input::read(request, &app).await?;
    let now_ms = app.clock.wall_ms();
    let read = bytes.clone();
    let reading = tokio::task::spawn_blocking(move || import::read_bytes(&read, now_ms));
    let findings = reading.await.map_err(ApiError::internal)??;
    let report = import::foresee(findings, Some((&app.store, app.vault.as_ref()))).await?;
    let id = app.request_ids.next().to_string();
    let upload = Upload { id: Arc::from(id.as_str()), bytes };
    let expires_at = Moment::from_ms(app.imports.keep(upload, now_ms));
    Ok(Json(MovingIn { id, expires_at, report }))
}

/// Begins a job that takes over what was looked at: all of it in one transaction, or nothing. Each
/// key has a result, in the order of the report.
#[utoipa::path(
    post, path = "/api/imports/{id}", operation_id = "take_import", tag = "moving in", request_body = MoveInOrder,
    params(("id" = String, Path, description = "The name of what was looked at")),
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 404, description = "It is not there any more", body = ErrorBody),
        (status = 409, description = "Too many jobs are not done yet", body = ErrorBody),
    ),
)]
async fn take(
    State(app): State<Arc<App>>,
    Name(id): Name,
    Body(order): Body<MoveInOrder>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let upload = app.imports.find(&id, app.clock.wall_ms()).ok_or_else(unknown)?;
    let job_id = app.request_ids.next().to_string();
    let plan = Plan { action: Action::MoveIn, total: 0, undoes: None };
    let work = app.jobs.begin(job_id.clone(), plan)?;
    let working = Arc::clone(&app);
    app.commands.begin(async move { carry_out(working, work, upload, order).await });
    let job = app.jobs.job(&job_id).ok_or_else(|| ApiError::internal("a job has vanished"))?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

/// Forgets what was looked at.
#[utoipa::path(
    delete, path = "/api/imports/{id}", operation_id = "forget_import", tag = "moving in",
    params(("id" = String, Path, description = "The name of what was looked at")),
    responses(
        (status = 204, description = "It is forgotten"),
        (status = 404, description = "It is not there any more", body = ErrorBody),
    ),
)]
async fn forget(State(app): State<Arc<App>>, Name(id): Name) -> Result<StatusCode, ApiError> {
    match app.imports.forget(&id) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown()),
    }
}

fn unknown() -> ApiError {
    ApiError::NotFound("This file is not here any more. Send it again.")
}

async fn carry_out(app: Arc<App>, mut work: Work, upload: Upload, order: MoveInOrder) {
    work.start().await;
    if work.is_cancelled() {
        return work.end();
    }
    let taking = Arc::clone(&app);
    let id = Arc::clone(&upload.id);
    let taken = app
        .commands
        .run_in_turn(async move { take_over(&taking, upload, order).await })
        .await
        .unwrap_or_else(|| Err(StoreError::Failed("a command panicked".into()).into()));
    match taken {
        Ok(report) => {
            app.imports.forget(&id);
            tracing::info!(job.id = work.id(), "{}", report.headline());
            work.expect(report.items.len());
            work.note(report.items.into_iter().enumerate().map(result).collect(), None);
            work.end();
        }
        Err(error) => {
            tracing::error!(job.id = work.id(), %error, "moving in has failed");
            work.fail(words(error));
        }
    }
}

/// Of what is ours the cause stands in the log alone.
fn words(error: MoveError) -> String {
    if error.is_ours() { ApiError::from(error).words() } else { error.to_string() }
}

/// The store first, then whoever has the keys in memory.
async fn take_over(app: &App, upload: Upload, order: MoveInOrder) -> Result<Report, MoveError> {
    let now_ms = app.clock.wall_ms();
    let reading = tokio::task::spawn_blocking(move || import::read_bytes(&upload.bytes, now_ms));
    let failed = |error| MoveError::from(StoreError::Failed(Box::new(error)));
    let mut findings = reading.await.map_err(failed)??;
    if order.without_log {
        findings.without_log();
    }
    let taking = import::take(findings, &app.store, &app.vault, now_ms, Progress::default());
    let Taken { report, service_key_ids } = taking.await?;
    pool::take_in(&app.pool, &app.store, &app.vault, &service_key_ids).await?;
    app.user_keys.refresh().await?;
    let added = report
        .items
        .iter()
        .filter(|item| item.kind == ItemKind::ServiceKey && item.outcome == ItemOutcome::Added);
    tell_keys(app, KeysChange::Added, added.filter_map(|item| item.name.clone()).collect());
    Ok(report)
}

/// A line of the report as a result of the job.
fn result((place, item): (usize, Item)) -> JobResult {
    let outcome = match item.outcome {
        ItemOutcome::Added => Outcome::Added,
        ItemOutcome::Duplicate => Outcome::Duplicate,
        ItemOutcome::Invalid => Outcome::Invalid,
    };
    let message = Some(item.line());
    let is_service_key = item.kind == ItemKind::ServiceKey;
    JobResult {
        key_identifier: item.name.filter(|_| is_service_key),
        key_brief: item.brief,
        message,
        ..JobResult::of_line(place, outcome)
    }
}

impl From<MoveError> for ApiError {
    fn from(error: MoveError) -> Self {
        if let MoveError::Store(error) = error {
            return Self::Store(error);
        }
        if error.is_ours() {
            return Self::internal(error);
        }
        Self::Invalid(vec![Problem::value(Part::Body, "file", &error.to_string())])
    }
}
