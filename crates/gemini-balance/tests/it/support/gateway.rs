//! A gateway of a test's own: port 0, a temporary data directory, a scripted upstream.
//!
//! [`Gateway::close`] checks the house rules: no lease, permit or body memory is out, no
//! connection to the upstream has a request under way, every exchange has exactly one final row,
//! and nothing secret shows anywhere.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use fake_upstream::Upstream;
use gemini_balance::app::App;
use gemini_balance::clock::Clock;
use gemini_balance::config::Config;
use gemini_balance::import::Report;
use gemini_balance::live::Live;
use gemini_balance::service_keys::{self, Common, LineResult};
use gemini_balance::start::{self, Running};
use tempfile::TempDir;

use crate::support::canary::KEYS_MAX;
use crate::support::rows::check_rows;
use crate::support::{Canaries, Client, Spoken, Wire, eventually};

/// The admin's password in every test.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// What a test wants of its gateway.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    keys: Vec<String>,
    settings: Vec<(String, String)>,
    clock: Option<Clock>,
    caller: Option<&'static str>,
}

/// A running gateway in front of a scripted upstream.
pub(crate) struct Gateway {
    running: Running,
    pub(crate) upstream: Upstream,
    pub(crate) directory: Arc<TempDir>,
    /// A user key that lets in.
    pub(crate) user_key: String,
    pub(super) canaries: Arc<Canaries>,
    /// How much the process had said before this gateway began.
    pub(super) silent_bytes: usize,
    settings: Vec<(String, String)>,
    clock: Clock,
}

/// What a gateway leaves behind.
pub(crate) struct Stopped {
    pub(crate) upstream: Upstream,
    pub(crate) directory: Arc<TempDir>,
    user_key: String,
    canaries: Arc<Canaries>,
    silent_bytes: usize,
    settings: Vec<(String, String)>,
    clock: Clock,
}

impl Setup {
    /// These service keys instead of three good ones.
    pub(crate) fn keys<'a>(mut self, keys: impl IntoIterator<Item = &'a str>) -> Self {
        self.keys.extend(keys.into_iter().map(str::to_owned));
        self
    }

    /// One more setting.
    pub(crate) fn set(mut self, name: &str, value: impl Display) -> Self {
        let value = format!("{value}");
        self.settings.push((name.to_owned(), value));
        self
    }

    /// This clock instead of the system's.
    pub(crate) fn clock(mut self, clock: &Clock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// This name for the user key instead of `alice`.
    pub(crate) fn caller(mut self, name: &'static str) -> Self {
        self.caller = Some(name);
        self
    }

    /// Starts the gateway.
    pub(crate) async fn start(self) -> Gateway {
        let silent_bytes = Spoken::listen().bytes();
        let upstream = Upstream::start().await.unwrap();
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let clock = self.clock.unwrap_or_else(Clock::system);
        let starting = run(&upstream, directory.path(), &self.settings, clock.clone());
        let running = starting.await.unwrap();
        let app = running.app();
        let keys = if self.keys.is_empty() {
            (1..=3).map(|number| format!("service-key-{number}")).collect()
        } else {
            self.keys
        };
        let canaries = Arc::<Canaries>::default();
        canaries.learn(PASSWORD);
        canaries.learn_secrets_file(&directory.path().join("data"));
        self.settings.iter().for_each(|(name, value)| canaries.learn_setting(name, value));
        keys.iter().take(KEYS_MAX).for_each(|key| canaries.learn(key));
        let now_ms = app.clock.wall_ms();
        let pool = Some(&app.pool);
        let added =
            service_keys::add(&app.store, &app.vault, pool, keys, Common::default(), now_ms).await;
        assert!(added.unwrap().iter().all(|line| matches!(line, LineResult::Added { .. })));
        let name = self.caller.unwrap_or("alice").to_owned();
        let created = app.user_keys.create(name, String::new(), None, now_ms).await;
        let user_key = created.unwrap().1.expose().to_owned();
        let settings = self.settings;
        Gateway { running, upstream, directory, user_key, canaries, silent_bytes, settings, clock }
    }
}

async fn run(
    upstream: &Upstream,
    directory: &Path,
    settings: &[(String, String)],
    clock: Clock,
) -> anyhow::Result<Running> {
    let base = [
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", "0".to_owned()),
        ("WORKERS", "2".to_owned()),
        ("PASSWORD", PASSWORD.to_owned()),
        ("DATA_DIR", directory.join("data").display().to_string()),
        ("GEMINI_API_BASE_URL", upstream.url()),
        ("OPENAI_API_BASE_URL", format!("{}/v1beta/openai", upstream.url())),
        ("UPSTREAM_ALLOW_PRIVATE", "true".to_owned()),
    ];
    let base = base.map(|(name, value)| (name.to_owned(), value));
    // A later value of the same name wins.
    let all: std::collections::HashMap<_, _> =
        base.into_iter().chain(settings.iter().cloned()).collect();
    let config = Config::load(all.into_iter(), directory).unwrap();
    let live = Live::new(config.logging.history_lines, clock.wall_ms());
    start::start(config, clock, live).await
}

impl Gateway {
    /// A gateway with three good keys.
    pub(crate) async fn start() -> Self {
        Setup::default().start().await
    }

    /// A client without credentials.
    pub(crate) fn stranger(&self) -> Client {
        Client::watched(self.running.address(), &self.canaries)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// A connection of bare bytes.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(self.running.address()).await
    }

    /// A client with a user key, as OpenAI's SDKs send it.
    pub(crate) fn openai(&self) -> Client {
        self.stranger().bearer(&self.user_key)
    }

    /// A client with a user key, as Google's SDKs send it.
    pub(crate) fn gemini(&self) -> Client {
        self.stranger().with("x-goog-api-key", &self.user_key)
    }

    /// A client that is logged in as the admin.
    pub(crate) async fn admin(&self) -> Client {
        self.stranger().bearer(&self.admin_token().await)
    }

    /// The token of a new session of the admin.
    pub(crate) async fn admin_token(&self) -> String {
        let body = serde_json::json!({"username": "admin", "password": PASSWORD});
        let reply = self.stranger().post("/api/auth/login", &body).await;
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        self.running.app()
    }

    /// What was taken over from the Python version at this start.
    pub(crate) fn report(&self) -> Option<&Report> {
        self.running.moved_in()
    }

    /// The word for a key's state, by the key itself.
    pub(crate) fn state_of(&self, key: &str) -> String {
        let views = self.app().pool.views();
        let (_, view) = views.iter().find(|(one, _)| one.secret.expose() == key).unwrap();
        view.word().to_owned()
    }

    /// The words for a key's buckets, by the key itself.
    pub(crate) fn buckets_of(&self, key: &str) -> Vec<(String, &'static str)> {
        let views = self.app().pool.views();
        let (_, view) = views.iter().find(|(one, _)| one.secret.expose() == key).unwrap();
        view.buckets.iter().map(|bucket| (bucket.model.clone(), bucket.state.word())).collect()
    }

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        let app = self.app();
        eventually("no lease, permit, place or body is out", async || {
            app.pool.counts().leases == 0
                && app.admission.in_use() == 0
                && app.admission.queued() == 0
                && app.pool.waiting() == 0
                && app.body_budget.free_bytes() == app.config.limits.body_budget_bytes as u64
                && app.metrics.in_flight() == 0
        })
        .await;
        self.upstream.wait_for_requests(|open| open == 0).await.unwrap();
    }

    /// Shuts down and starts again on the same data and upstream.
    pub(crate) async fn restart(self) -> Self {
        self.stop().await.start().await
    }

    /// Shuts down; data and upstream stay.
    pub(crate) async fn stop(self) -> Stopped {
        self.idle().await;
        let Self {
            running,
            upstream,
            directory,
            user_key,
            canaries,
            silent_bytes,
            settings,
            clock,
        } = self;
        running.shutdown().await;
        // A program that another test was just starting may have inherited it for a moment.
        let lock =
            std::fs::File::open(directory.path().join("data/gemini-balance.db.lock")).unwrap();
        eventually("nobody holds the lock", async || lock.try_lock().is_ok()).await;
        drop(lock);
        Stopped { upstream, directory, user_key, canaries, silent_bytes, settings, clock }
    }

    /// Checks the house rules and shuts down.
    pub(crate) async fn close(self) {
        check_rows(&self.rows().await);
        self.close_with_made_up_rows().await;
    }

    /// As [`Gateway::close`], for a test that put rows of its own into the log.
    pub(crate) async fn close_with_made_up_rows(self) {
        self.idle().await;
        let leaks = self.leaks().await;
        assert!(leaks.is_empty(), "{leaks:#?}");
        self.running.shutdown().await;
        self.upstream.stop().await;
    }
}

impl Stopped {
    /// Starts again.
    pub(crate) async fn start(self) -> Gateway {
        let Self { upstream, directory, user_key, canaries, silent_bytes, settings, clock } = self;
        let running = run(&upstream, directory.path(), &settings, clock.clone()).await.unwrap();
        Gateway { running, upstream, directory, user_key, canaries, silent_bytes, settings, clock }
    }

    /// Tries to start with this setting besides, and tells why that does not work.
    pub(crate) async fn refusal(&self, name: &str, value: &str) -> String {
        let more = (name.to_owned(), value.to_owned());
        let settings: Vec<_> = self.settings.iter().cloned().chain([more]).collect();
        let started = run(&self.upstream, self.directory.path(), &settings, self.clock.clone());
        format!("{:#}", started.await.expect_err("it must not start"))
    }
}
