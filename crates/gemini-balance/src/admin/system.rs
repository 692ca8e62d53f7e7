//! The gateway itself: what it is, how it is set, how it is doing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use keypool::TroubleKind;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::admin::error::ApiError;
use crate::admin::routes::{Routes, get};
use crate::app::App;
use crate::config::live::LIVE;
use crate::config::{Setting, Source};
use crate::metrics::Gauges;
use crate::moment::Moment;
use crate::otlp::Otlp;

#[derive(OpenApi)]
#[openapi(paths(version, settings, setup, system))]
pub(super) struct Document;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(get("/api/version"), version)
        .add(get("/api/settings"), settings)
        .add(get("/api/setup"), setup)
        .add(get("/api/system"), system)
        .add(get("/metrics").open(), metrics)
}

/// What is running.
#[derive(Debug, Serialize, ToSchema)]
struct Version {
    /// The name of the program.
    name: &'static str,
    /// Its version.
    version: &'static str,
}

/// The settings in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Settings {
    /// Each setting, in the order of the documentation.
    settings: Vec<SettingInForce>,
    /// What is set and has no effect.
    notices: Vec<String>,
}

/// A setting in force. Secrets are replaced.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Setting)]
struct SettingInForce {
    /// Its name in the environment; in the file the same in lower case.
    name: &'static str,
    /// Other names that work.
    aliases: Vec<&'static str>,
    /// The heading it stands under.
    section: &'static str,
    /// What may be written.
    form: String,
    /// What holds when nothing is written; empty for nothing.
    default: String,
    /// What it means.
    doc: &'static str,
    /// What holds here.
    value: String,
    /// Where that was written: `environment`, `dot_env`, `file`, `stored` or `default`.
    #[schema(value_type = String)]
    source: Source,
    /// Whether it may change while the gateway runs. A call may do so unless it is written in the
    /// environment, in `.env` or in `gemini-balance.toml`.
    is_live: bool,
    /// What is written by now and holds from the next start on, if it is something else.
    after_restart: Option<String>,
}

/// How the gateway is doing.
#[derive(Debug, Serialize, ToSchema)]
struct System {
    /// The version of the program.
    version: &'static str,
    /// When the process started.
    started_at: Moment,
    /// For how long it has been running, in ms.
    uptime_ms: u64,
    /// How each part of it is.
    health: Vec<Health>,
    database: Database,
    retention: Retention,
    service_keys: ServiceKeyCounts,
    traffic: Traffic,
    journal: JournalCounts,
}

/// How one part is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// The part.
    part: &'static str,
    /// Whether it does its work.
    is_ok: bool,
    /// What is wrong and what to do; empty if nothing is.
    detail: &'static str,
}

/// What is stored.
#[derive(Debug, Serialize, ToSchema)]
struct Database {
    /// Size of the database file.
    file_bytes: u64,
    /// The part of it that is free for use.
    free_bytes: u64,
    /// User keys.
    user_keys: u64,
    /// Service keys.
    service_keys: u64,
    /// Rows of the request log.
    log_rows: u64,
    /// The oldest of them.
    oldest_log_at: Option<Moment>,
    /// The newest of them.
    newest_log_at: Option<Moment>,
}

/// How long the request log is kept.
#[derive(Debug, Serialize, ToSchema)]
struct Retention {
    /// Days; nought for ever.
    log_days: u32,
    /// Bytes; nought for any number.
    log_bytes_max: u64,
}

/// Service keys by state.
#[derive(Debug, Serialize, ToSchema)]
struct ServiceKeyCounts {
    total: usize,
    active: usize,
    /// Active keys that rest for a model at least.
    resting: usize,
    in_use: usize,
    invalid: usize,
    suspended: usize,
    no_credit: usize,
    disabled: usize,
    /// When the first bucket, or the credit of a project, that rests is back by itself.
    next_return_at: Option<Moment>,
}

/// What is under way.
#[derive(Debug, Serialize, ToSchema)]
struct Traffic {
    /// Requests that are served.
    requests: u64,
    /// Connections of callers.
    connections: usize,
    /// Requests that wait for a place.
    waiting_for_place: usize,
    /// Requests that wait for a service key.
    waiting_for_key: usize,
    /// Live sessions that are open.
    live_sessions: usize,
    /// How many of them may be.
    live_sessions_max: usize,
}

/// The way of request log rows into the database.
#[derive(Debug, Serialize, ToSchema)]
struct JournalCounts {
    /// Rows that wait to be written.
    waiting: u64,
    /// Rows that were lost since the start.
    dropped: u64,
}

/// Says which program and version is running.
#[utoipa::path(
    get, path = "/api/version", tag = "system",
    responses((status = 200, description = "Name and version", body = Version)),
)]
async fn version() -> Json<Version> {
    Json(Version { name: "gemini-balance", version: env!("CARGO_PKG_VERSION") })
}

/// Shows the settings in force and where each was written, without any secret.
#[utoipa::path(
    get, path = "/api/settings", tag = "system",
    responses((status = 200, description = "The settings", body = Settings)),
)]
async fn settings(State(app): State<Arc<App>>) -> Json<Settings> {
    Json(settings_in_force(&app))
}

/// The settings in force, without any secret.
pub(super) fn settings_in_force(app: &App) -> Settings {
    let waiting = app.config.waiting_for_restart();
    let settings = app.config.settings.iter().map(|setting| {
        let next = waiting.iter().find(|it| it.name == setting.name && it.to != setting.value);
        SettingInForce {
            after_restart: next.map(|next| next.to.clone()),
            ..SettingInForce::from(setting)
        }
    });
    Settings { settings: settings.collect(), notices: app.config.notices.clone() }
}

impl From<&Setting> for SettingInForce {
    fn from(setting: &Setting) -> Self {
        Self {
            name: setting.name,
            aliases: setting.aliases.to_vec(),
            section: setting.section,
            form: setting.form.clone(),
            default: setting.default.clone(),
            doc: setting.doc,
            value: setting.value.clone(),
            source: setting.source,
            is_live: LIVE.contains(&setting.name),
            after_restart: None,
        }
    }
}

/// How far the gateway is from its first answer.
#[derive(Debug, Serialize, ToSchema)]
struct Setup {
    /// Service keys.
    service_keys: usize,
    /// Service keys that may serve.
    usable_service_keys: usize,
    /// User keys.
    user_keys: usize,
    /// Whether any request was ever answered, as far as the statistics go back.
    has_answered: bool,
}

/// Says what is there of what a first answer needs.
#[utoipa::path(
    get, path = "/api/setup", operation_id = "setup", tag = "system",
    responses((status = 200, description = "What is there", body = Setup)),
)]
async fn setup(State(app): State<Arc<App>>) -> Result<Json<Setup>, ApiError> {
    let counts = app.pool.counts();
    Ok(Json(Setup {
        service_keys: counts.total,
        usable_service_keys: counts.active,
        user_keys: app.store.user_keys().await?.len(),
        has_answered: app.store.has_successes().await?,
    }))
}

/// Shows how the gateway is doing.
#[utoipa::path(
    get, path = "/api/system", tag = "system",
    responses((status = 200, description = "Size, health and traffic", body = System)),
)]
async fn system(State(app): State<Arc<App>>) -> Result<Json<System>, ApiError> {
    let size = app.store.size().await?;
    let uptime_ms = app.clock.monotonic_ms();
    let started_ms = app.clock.wall_ms().saturating_sub(uptime_ms.cast_signed());
    let counts = app.pool.counts();
    let storage = &app.config.storage;
    let (waiting, dropped) = journal_rows(&app);
    Ok(Json(System {
        version: env!("CARGO_PKG_VERSION"),
        started_at: Moment::from_ms(started_ms),
        uptime_ms,
        health: health(&app),
        database: Database {
            file_bytes: size.file_bytes,
            free_bytes: size.free_bytes,
            user_keys: size.user_keys,
            service_keys: size.service_keys,
            log_rows: size.log_rows,
            oldest_log_at: size.log_time_ms.map(|(oldest_ms, _)| Moment::from_ms(oldest_ms)),
            newest_log_at: size.log_time_ms.map(|(_, newest_ms)| Moment::from_ms(newest_ms)),
        },
        retention: Retention {
            log_days: storage.log_retention_days,
            log_bytes_max: storage.log_bytes_max,
        },
        service_keys: ServiceKeyCounts {
            total: counts.total,
            active: counts.active,
            resting: counts.resting,
            in_use: counts.in_use,
            invalid: counts.invalid,
            suspended: counts.suspended,
            no_credit: counts.no_credit,
            disabled: counts.disabled,
            next_return_at: app.pool.soonest_return().map(|at| {
                Moment::from_ms(i64::try_from(app.pool.wall_of_time(at)).unwrap_or(i64::MAX))
            }),
        },
        traffic: Traffic {
            requests: app.metrics.in_flight(),
            connections: app.connections.open(),
            waiting_for_place: app.admission.queued(),
            waiting_for_key: app.pool.waiting(),
            live_sessions: app.live_sessions.count(),
            live_sessions_max: app.live_sessions.limit(),
        },
        journal: JournalCounts { waiting, dropped },
    }))
}

fn health(app: &App) -> Vec<Health> {
    let counts = app.pool.counts();
    let keys = match (counts.total, counts.active) {
        (0, _) => "No service key has been added yet.",
        (_, 0) => "No service key is usable. Look at their states.",
        _ => "",
    };
    let upstream = match app.pool.trouble().map(|trouble| trouble.kind) {
        Some(TroubleKind::Faulty) => {
            "Many keys fail alike: the upstream, or the way to it, is in trouble."
        }
        Some(TroubleKind::RateLimited) => {
            "Many keys are refused alike: the upstream limits this gateway as a whole."
        }
        None => "",
    };
    let journal = match app.journal.counts().failures {
        0 => "",
        _ => "Request log rows cannot be written. Look at the volume of the database.",
    };
    let backups = match app.backups.is_failing() {
        true => "The last scheduled backup failed. The log says why.",
        false => "",
    };
    let parts = [
        ("service_keys", keys),
        ("upstream", upstream),
        ("journal", journal),
        ("backups", backups),
    ];
    // The answer itself proves that the database can be read.
    [("database", "")]
        .into_iter()
        .chain(parts)
        .map(|(part, detail)| Health { part, is_ok: detail.is_empty(), detail })
        .collect()
}

/// Rows of the request log that wait, and that were lost.
fn journal_rows(app: &App) -> (u64, u64) {
    let counts = app.journal.counts();
    (counts.recorded.saturating_sub(counts.written), counts.dropped)
}

/// The page for Prometheus, if it is to be seen on this port.
async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    if !app.config.metrics.public {
        return Err(ApiError::NotFound("Not Found"));
    }
    let format = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((format, metrics_page(&app)).into_response())
}

/// The page for Prometheus.
pub fn metrics_page(app: &App) -> String {
    app.metrics.render(&gauges(app))
}

/// What metrics tell that is counted nowhere.
pub fn gauges(app: &App) -> Gauges {
    let counts = app.pool.counts();
    let number = |count: usize| count as u64;
    let (journal_rows_waiting, journal_rows_dropped) = journal_rows(app);
    Gauges {
        keys: vec![
            ("active", number(counts.active)),
            ("invalid", number(counts.invalid)),
            ("suspended", number(counts.suspended)),
            ("no_credit", number(counts.no_credit)),
            ("disabled", number(counts.disabled)),
        ],
        keys_resting: number(counts.resting),
        leases: number(counts.leases),
        waiting_for_key: number(app.pool.waiting()),
        waiting_for_place: number(app.admission.queued()),
        journal_rows_waiting,
        journal_rows_dropped,
        connections: number(app.connections.open()),
        live_sessions: number(app.live_sessions.count()),
        leases_reclaimed: app.pool.leases_taken_back(),
        uptime_ms: app.clock.monotonic_ms(),
        backup_ms: app.backups.last_ms(),
        spans_dropped: app.otlp.as_ref().map(Otlp::dropped),
    }
}
