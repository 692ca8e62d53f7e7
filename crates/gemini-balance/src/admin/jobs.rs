//! `/api/jobs`: how far jobs are, what became of each key, calling them off and undoing them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::input::{Name, Params};
use crate::admin::routes::{Routes, get, post};
use crate::admin::service_keys;
use crate::admin::values::Bounded;
use crate::app::App;
use crate::jobs::{Job, NotUndone, Outcome, Page, TooManyJobs};

#[derive(OpenApi)]
#[openapi(paths(list, one, results, cancel, undo))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/api/jobs"), list)
        .add(get("/api/jobs/{id}"), one)
        .add(get("/api/jobs/{id}/results"), results)
        .add(post("/api/jobs/{id}/cancel"), cancel)
        .add(post("/api/jobs/{id}/undo"), undo)
}

/// The jobs that are known.
#[derive(Debug, Serialize, ToSchema)]
struct JobList {
    /// The latest first; those that are over for up to an hour.
    jobs: Vec<Job>,
}

/// Which results, how many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ResultQuestion {
    /// Only those of this outcome.
    #[serde(default)]
    #[param(inline)]
    outcome: Option<Outcome>,
    /// Results per page.
    #[serde(default = "limit")]
    #[param(inline)]
    limit: Bounded<1, 10_000>,
    /// Results before the page.
    #[serde(default = "offset")]
    #[param(inline)]
    offset: Bounded<0, 1_000_000>,
}

const fn limit() -> Bounded<1, 10_000> {
    Bounded::nearest(1_000)
}

const fn offset() -> Bounded<0, 1_000_000> {
    Bounded::nearest(0)
}

/// Lists jobs: those that are not over, and those that ended within the last hour.
#[utoipa::path(
    get, path = "/api/jobs", operation_id = "list_jobs", tag = "jobs",
    responses((status = 200, description = "The jobs", body = JobList)),
)]
async fn list(State(app): State<Arc<App>>) -> Json<JobList> {
    Json(JobList { jobs: app.jobs.list() })
}

/// Says how far a job is.
#[utoipa::path(
    get, path = "/api/jobs/{id}", operation_id = "job", tag = "jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job", body = Job),
        (status = 404, description = "There is no such job", body = ErrorBody),
    ),
)]
async fn one(State(app): State<Arc<App>>, Name(id): Name) -> Result<Json<Job>, ApiError> {
    app.jobs.job(&id).map(Json).ok_or_else(unknown)
}

/// Lists what became of each key or line, in the order in which that was found out.
#[utoipa::path(
    get, path = "/api/jobs/{id}/results", operation_id = "job_results", tag = "jobs",
    params(("id" = String, Path, description = "The job's id"), ResultQuestion),
    responses(
        (status = 200, description = "Some results", body = Page),
        (status = 404, description = "There is no such job", body = ErrorBody),
        (status = 422, description = "A parameter will not do", body = ErrorBody),
    ),
)]
async fn results(
    State(app): State<Arc<App>>,
    Name(id): Name,
    Params(question): Params<ResultQuestion>,
) -> Result<Json<Page>, ApiError> {
    let part = (question.offset.get() as usize, question.limit.get() as usize);
    app.jobs.results(&id, question.outcome, part).map(Json).ok_or_else(unknown)
}

/// Calls a job off. What it has done stays done; a piece that has begun comes to its end.
#[utoipa::path(
    post, path = "/api/jobs/{id}/cancel", operation_id = "cancel_job", tag = "jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 202, description = "The job, which ends shortly if it is not over", body = Job),
        (status = 404, description = "There is no such job", body = ErrorBody),
    ),
)]
async fn cancel(
    State(app): State<Arc<App>>,
    Name(id): Name,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let job = app.jobs.cancel(&id).ok_or_else(unknown)?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

/// Undoes what a job has done, by another job. Within ten minutes after its end, once: keys that it
/// switched, tagged, added or deleted. Deleted keys come back as they were but for their buckets.
#[utoipa::path(
    post, path = "/api/jobs/{id}/undo", operation_id = "undo_job", tag = "jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 202, description = "The job that undoes it", body = Job),
        (status = 404, description = "There is no such job", body = ErrorBody),
        (status = 409, description = "It cannot be undone", body = ErrorBody),
    ),
)]
async fn undo(
    State(app): State<Arc<App>>,
    Name(id): Name,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let by = app.request_ids.next().to_string();
    let (work, undo) = app.jobs.undo(&id, by.clone()).map_err(|why| match why {
        NotUndone::Unknown => unknown(),
        NotUndone::Unfinished => ApiError::Conflict("The job is not over yet. Cancel it first."),
        NotUndone::Undone => ApiError::Conflict("The job was undone already."),
        NotUndone::Nothing => ApiError::Conflict("There is nothing left to undo of this job."),
        NotUndone::TooMany => ApiError::TooManyJobs(TooManyJobs),
    })?;
    service_keys::undo(&app, work, undo);
    app.jobs.job(&by).map(|job| (StatusCode::ACCEPTED, Json(job))).ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::NotFound("There is no such job.")
}
