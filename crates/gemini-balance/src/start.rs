//! Start and end of the process's life as a server, in order.
//!
//! Up: secrets → database → keys → listeners → background tasks → workers. Down: refuse → drain
//! → settle → flush → close. What is started here is ended here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::admin;
use crate::admission::{Admission, BodyBudget};
use crate::alerts::Alerts;
use crate::app::{App, Worker};
use crate::backups::{self, Schedule};
use crate::clock::Clock;
use crate::commands::Commands;
use crate::config::Config;
use crate::config::live::LiveConfig;
use crate::data::{self, Data};
use crate::events::Events;
use crate::import::{self, Imports};
use crate::jobs::Jobs;
use crate::journal::Journal;
use crate::lifecycle::Lifecycle;
use crate::listener;
use crate::listener::Shift;
use crate::live::Live;
use crate::live_sessions::LiveSessions;
use crate::login_throttle::LoginThrottle;
use crate::lookout;
use crate::metrics::Metrics;
use crate::metrics::otlp::Span;
use crate::metrics_listener;
use crate::otlp::Otlp;
use crate::password::PasswordGate;
use crate::pool;
use crate::pool::{KeyPool, Prober};
use crate::random::{self, RequestIds};
use crate::resources::{self, Resources, Rules};
use crate::secret::Secret;
use crate::sessions::Sessions;
use crate::store::prune::Retention;
use crate::tls::{self, Tls};
use crate::token::Tokens;
use crate::tuning;
use crate::upstream::{Endpoint, Endpoints, Upstream, WayOut, tls_config};
use crate::user_keys::UserKeys;
use crate::web::Web;

/// How long the ends of cut-off streams may take to reach their callers.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often old log rows are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How long the sums behind the statistics are kept.
const SUMS_AGE_MS_MAX: i64 = 400 * 24 * 60 * 60 * 1_000;
/// How long the last log rows may take to be written at the end.
const JOURNAL_LIMIT: Duration = Duration::from_secs(5);

/// A gateway that serves.
#[derive(Debug)]
pub struct Running {
    app: Arc<App>,
    address: SocketAddr,
    workers: Vec<JoinHandle<()>>,
    background: TaskTracker,
    /// The password that was made because none was given; shown once.
    first_password: Option<Secret>,
    /// What became of the predecessor's data at this first start.
    moved_in: Option<import::Report>,
}

/// Starts a gateway on the current runtime, which becomes that of the control plane.
///
/// # Errors
///
/// Everything that keeps it from serving, in words that say what to do. Nothing has been
/// changed then but what the message names.
pub async fn start(config: Config, clock: Clock, live: Live) -> anyhow::Result<Running> {
    let way_out = way_out(&config)?;
    let tls = config.server.tls.as_ref().map(Tls::load).transpose()?.map(Arc::new);
    let worker_count = match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let listeners = listener::bind(config.server.listen, worker_count)
        .with_context(|| in_use(config.server.listen))?;
    let address = listeners
        .first()
        .context("no listener")?
        .local_addr()
        .context("the listener has no address")?;

    let Data { vault, store } = data::open(&config, &clock).await?;
    import::sweep(&config.storage.data_dir);
    backups::sweep(&config.storage.data_dir, clock.wall_ms());
    let moved_in = import::at_first_start(&config, &store, &vault, clock.wall_ms()).await;
    let moved_in = match moved_in {
        Ok(moved_in) => moved_in,
        Err(error) => {
            store.close().await;
            return Err(error);
        }
    };
    let first_password =
        data::ensure_password(&store, config.admin.password.as_ref(), &clock).await?;
    let seed = u64::from_le_bytes(random::random_bytes()?);
    let key_pool = KeyPool::new(pool::policy(&config), seed, clock.clone());
    pool::load(&key_pool, &store, &vault).await?;
    let (tokens, life_ms) = (Tokens::new(vault.token_key()), config.admin.token_life_ms);
    let sessions = Sessions::load(store.clone(), tokens, life_ms, clock.wall_ms()).await?;
    let rules =
        Rules { is_shared: config.pool.share_resources, together_ms: config.pool.keep_together_ms };
    let resources = Resources::load(&store, Arc::clone(&vault), clock.clone(), rules).await?;
    let background = TaskTracker::new();
    // Not among the tasks that the shutdown waits for: its idle connections end with the process.
    let prober = Upstream::new(&way_out, clock.clone(), TaskTracker::new());
    let (lifecycle, events) = (Lifecycle::default(), Events::new(clock.wall_ms()));
    let alerts = Alerts::new(&config.alerts, &config.upstream.proxy, &way_out.tls)?;
    let otlp = config.otlp.as_ref();
    let otlp = otlp.map(|it| Otlp::new(it, &config.upstream.proxy, &way_out.tls)).transpose()?;
    let (otlp, exporters) = match otlp {
        Some((otlp, spans, metrics)) => (Some(otlp), Some((spans, metrics))),
        None => (None, None),
    };
    let jobs = Jobs::new(events.clone(), clock.clone(), lifecycle.draining().clone());
    let app = Arc::new(App {
        admission: Admission::new(
            config.limits.concurrent_requests_max,
            Duration::from_millis(config.limits.concurrency_timeout_ms),
        ),
        live_sessions: LiveSessions::new(config.limits.live_sessions_max),
        body_budget: BodyBudget::new(config.limits.body_budget_bytes as u64),
        prober: Arc::new(Prober::new(prober, clock.clone())),
        pool: key_pool,
        resources: Arc::new(resources),
        user_keys: UserKeys::load(store.clone(), Arc::clone(&vault)).await?,
        request_ids: RequestIds::seeded()?,
        connections: Arc::default(),
        journal: Journal::start(store.clone()).context("the journal could not be started")?,
        metrics: Metrics::new(),
        otlp,
        alerts: Arc::new(alerts),
        backups: Arc::default(),
        imports: Imports::default(),
        lifecycle,
        sessions,
        login_throttle: LoginThrottle::default(),
        password_gate: PasswordGate::new(),
        commands: Commands::new(background.clone()),
        web: Web::load(),
        tls,
        store,
        vault,
        config: LiveConfig::new(config),
        events,
        jobs,
        clock,
        live,
    });
    app.pool.tell_to(app.events.clone());
    app.journal.tell_to(app.events.clone());
    app.metrics.watch_tasks(Handle::current());
    start_background(&app, &background);
    if let Some((spans, metrics)) = exporters {
        background.spawn(spans.run(app.lifecycle.clone()));
        let read = Arc::clone(&app);
        background.spawn(metrics.run(app.lifecycle.clone(), move || otlp_metrics(&read)));
    }
    if let Some(address) = app.config.metrics.listen {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on METRICS_LISTEN {address}"))?;
        background.spawn(metrics_listener::serve(Arc::clone(&app), listener));
    }
    let control = admin::router(Arc::clone(&app));
    let mut workers = Vec::with_capacity(listeners.len());
    let shifts = Shift::of(listeners.len());
    for (number, (listener, shift)) in listeners.into_iter().zip(shifts).enumerate() {
        let seat = Seat {
            app: Arc::clone(&app),
            way_out: way_out.clone(),
            control: control.clone(),
            control_runtime: Handle::current(),
            shift,
        };
        let thread = std::thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || seat.work(listener))
            .context("a worker thread could not be started")?;
        workers.push(thread);
    }
    Ok(Running { app, address, workers, background, first_password, moved_in })
}

fn in_use(address: SocketAddr) -> String {
    format!(
        "cannot listen on {address}: is another program, or another gateway, on this port? \
         Set PORT to another one, or HOST to an address of this machine"
    )
}

/// How requests leave, as the settings have it.
///
/// # Errors
///
/// What only opening a file or building a header can show to be wrong.
pub fn way_out(config: &Config) -> anyhow::Result<WayOut> {
    let upstream = &config.upstream;
    Ok(WayOut {
        endpoints: Arc::new(Endpoints {
            openai: Endpoint::new(&upstream.openai, &upstream.proxy)?,
            gemini: Endpoint::new(&upstream.gemini, &upstream.proxy)?,
        }),
        tls: tls_config(upstream.ca_file.as_deref())?,
        reach: upstream.reach,
        cloudflare: upstream.cloudflare_authorization.clone().filter(|_| upstream.cloudflare),
        connect_timeout: Duration::from_millis(config.limits.connect_timeout_ms),
    })
}

/// Everything that runs beside the requests.
fn start_background(app: &Arc<App>, tasks: &TaskTracker) {
    let lifecycle = &app.lifecycle;
    tasks.spawn(pool::keep(Arc::clone(&app.pool), Arc::clone(&app.prober), lifecycle.clone()));
    tasks.spawn(pool::remember(Arc::clone(&app.pool), app.store.clone(), lifecycle.clone()));
    let resources = Arc::clone(&app.resources);
    tasks.spawn(resources::remember(resources, app.store.clone(), lifecycle.clone()));
    tasks.spawn(prune(Arc::clone(app)));
    let schedule = Schedule {
        settings: app.config.backups.clone(),
        data_dir: app.config.storage.data_dir.clone(),
        store: app.store.clone(),
        all: app.config.as_env(),
        clock: app.clock.clone(),
        backups: Arc::clone(&app.backups),
    };
    tasks.spawn(tuning::watch(Arc::clone(app)));
    tasks.spawn(schedule.keep(lifecycle.clone()));
    if !app.alerts.is_empty() {
        tasks.spawn(lookout::watch(Arc::clone(app)));
    }
    if let Some(tls) = &app.tls {
        tasks.spawn(tls::watch(Arc::clone(tls), lifecycle.clone()));
    }
}

/// The metrics as OTLP has them.
fn otlp_metrics(app: &App) -> serde_json::Value {
    let to_ms = app.clock.wall_ms();
    let from_ms = to_ms.saturating_sub(app.clock.monotonic_ms().cast_signed());
    app.metrics.otlp(&admin::gauges(app), Span { from_ms, to_ms })
}

/// Keeps the request log within its bounds, a small step at a time.
async fn prune(app: Arc<App>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PRUNE_EVERY) => {}
            () = app.lifecycle.draining().cancelled() => return,
        }
        let pruning = app.store.prune(retention(&app.config), app.clock.wall_ms());
        let pruned = tokio::select! {
            pruned = pruning => pruned,
            () = app.lifecycle.draining().cancelled() => return,
        };
        app.jobs.forget_old();
        app.imports.forget_old(app.clock.wall_ms());
        if let Err(error) = pruned {
            tracing::warn!(%error, "old log rows could not be removed; trying again in a minute");
        }
    }
}

/// How much of the past is kept.
fn retention(config: &Config) -> Retention {
    let storage = &config.storage;
    let days = Some(storage.log_retention_days).filter(|days| *days > 0);
    Retention {
        log_age_max_ms: days.map(|days| i64::from(days) * 24 * 60 * 60 * 1_000),
        bytes_max: Some(storage.log_bytes_max).filter(|bytes| *bytes > 0),
        sums_age_max_ms: SUMS_AGE_MS_MAX,
    }
}

/// What a worker thread takes with it to build its [`Worker`].
struct Seat {
    app: Arc<App>,
    way_out: WayOut,
    control: axum::Router,
    control_runtime: Handle,
    shift: Shift,
}

impl Seat {
    /// Serves on a runtime of this thread's own until the listener has been drained.
    ///
    /// A worker that ends, by whatever fault, takes the others with it: half a gateway would look
    /// like a whole one to whoever starts it again when it ends.
    fn work(self, listener: std::net::TcpListener) {
        let _end = self.app.lifecycle.draining().clone().drop_guard();
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "a worker has no runtime; the gateway shuts down");
                return;
            }
        };
        self.app.metrics.watch_tasks(runtime.handle().clone());
        let connections = TaskTracker::new();
        let upstream = Upstream::new(&self.way_out, self.app.clock.clone(), connections);
        let worker = Arc::new(Worker {
            app: self.app,
            upstream,
            control: self.control,
            control_runtime: self.control_runtime,
        });
        let serving = listener::serve(worker, listener, self.shift);
        if let Err(error) = runtime.block_on(serving) {
            tracing::error!(%error, "a worker cannot listen; the gateway shuts down");
        }
    }
}

impl Running {
    /// Where the gateway listens; with port 0 in the settings, the port that was free.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handles of the running gateway.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The admin password that was made at this first start, if none was given.
    pub fn first_password(&self) -> Option<&Secret> {
        self.first_password.as_ref()
    }

    /// What was taken over from the predecessor at this first start, if it had left anything.
    pub fn moved_in(&self) -> Option<&import::Report> {
        self.moved_in.as_ref()
    }

    /// Waits until a worker has ended, which none does by itself unless something is broken.
    pub async fn failed(&self) {
        self.app.lifecycle.draining().cancelled().await;
    }

    /// Shuts down: no new connection, what is under way may end within the drain time, the rest
    /// is told that it is over, everything learnt is stored.
    ///
    /// # Cancellation
    ///
    /// Must be awaited to its end; dropped before, rows may be missing as after a crash.
    pub async fn shutdown(self) {
        let Self { app, workers, background, .. } = self;
        app.lifecycle.drain();
        let drain = Duration::from_millis(app.config.limits.drain_ms);
        let mut joined =
            tokio::task::spawn_blocking(move || workers.into_iter().for_each(|w| drop(w.join())));
        if tokio::time::timeout(drain, &mut joined).await.is_err() {
            app.lifecycle.end_drain();
            if tokio::time::timeout(FAREWELL, &mut joined).await.is_err() {
                tracing::warn!("some connections did not end in time and are cut");
            }
        }
        app.lifecycle.end_drain();
        background.close();
        background.wait().await;
        app.journal.close(JOURNAL_LIMIT).await;
        app.store.close().await;
    }
}
