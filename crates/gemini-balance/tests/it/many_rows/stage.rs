//! The real program with a long log and many keys.

#![expect(clippy::disallowed_methods, reason = "how long is said from outside, as is no setting")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use fake_upstream::{Options, Settings, Upstream};
use http::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::support::process::{Process, furnish, leading_to, log_in, with};
use crate::support::{Ask, Client, Reply};

use super::log::{Log, SERVICE_KEYS};
use super::report::{ms, say, table};

/// The variable that says how many rows the log has. Half a million or more: what a short log gives
/// up is kept for use, and no file shrinks.
const ROWS: &str = "LOG_ROWS";
const ROWS_USUAL: i64 = 1_000_000;

/// A gateway with a long log, in front of an upstream that remembers nothing.
pub(super) struct Stage {
    pub(super) log: Log,
    pub(super) admin: Client,
    pub(super) client: Client,
    /// How long the keys took to come in, and each start to its first answer.
    pub(super) took: Took,
    directory: TempDir,
    gateway: Process,
    upstream: Upstream,
    user_key: String,
}

/// What setting a stage took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    /// The very first start, which makes the database and hashes the password.
    pub(super) first_start: Duration,
    /// A start with an empty database.
    pub(super) empty_start: Duration,
    /// Bringing in all service keys in one call.
    pub(super) import: Duration,
    /// A start with these keys and no rows.
    pub(super) start_with_keys: Duration,
    /// A start with keys and rows.
    pub(super) full_start: Duration,
}

impl Stage {
    /// Fills a database and starts the gateway on it, with some more settings.
    pub(super) async fn set(more: &[(&str, &str)]) -> Self {
        let rows = std::env::var(ROWS).map_or(ROWS_USUAL, |rows| rows.parse().unwrap());
        let settings = Settings { options: Options::default(), is_strict: false, seen_max: 0 };
        let upstream = Upstream::start_with(([127, 0, 0, 1], 0).into(), settings).await.unwrap();
        // Elsewhere, so that no row of a call of ours is among those that are asked for.
        let trial = tempfile::tempdir().unwrap();
        let (mut gateway, client, first_start) = start(trial.path(), &upstream, None, more).await;
        let user_key = furnish(&log_in(client.address()).await).await;
        stop(&mut gateway).await;
        let (mut gateway, _, empty_start) =
            start(trial.path(), &upstream, Some(&user_key), more).await;
        stop(&mut gateway).await;
        drop(gateway);

        let directory = tempfile::tempdir().unwrap();
        let start = async || start(directory.path(), &upstream, None, more).await;
        let (mut gateway, client, _) = start().await;
        let user_key = furnish(&log_in(client.address()).await).await;
        let import = import(&log_in(client.address()).await).await;
        stop(&mut gateway).await;
        let (mut gateway, _, start_with_keys) = start().await;
        stop(&mut gateway).await;
        drop(gateway);

        let began = Instant::now();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let log = Log::new(rows, i64::try_from(now.as_millis()).unwrap());
        log.fill(&directory.path().join("data/gemini-balance.db")).await;
        let filled = began.elapsed();
        let (gateway, client, full_start) = start().await;
        let client = client.bearer(&user_key);
        let admin = log_in(client.address()).await;
        let took = Took { first_start, empty_start, import, start_with_keys, full_start };
        let stage = Self { log, admin, client, took, directory, gateway, upstream, user_key };
        say(&format!(
            "{rows} rows, written in {:.0} s ({:.0} rows/s); the file has {} MiB, {} bytes for each row.",
            filled.as_secs_f64(),
            rows as f64 / filled.as_secs_f64(),
            stage.file_bytes() >> 20,
            stage.file_bytes() / rows.unsigned_abs(),
        ));
        stage
    }

    /// Where the gateway has its data.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The size of the database's file.
    pub(super) fn file_bytes(&self) -> u64 {
        std::fs::metadata(self.database()).unwrap().len()
    }

    /// How much memory the gateway holds, in MiB, and the most it has held.
    pub(super) fn memory_mib(&self) -> (u64, u64) {
        let (now, most) = self.gateway.memory_kib();
        (now >> 10, most >> 10)
    }

    /// Starts the gateway again, with other settings.
    pub(super) async fn restart(&mut self, more: &[(&str, &str)]) {
        stop(&mut self.gateway).await;
        let (directory, key) = (self.directory.path(), Some(self.user_key.as_str()));
        (self.gateway, self.client, _) = start(directory, &self.upstream, key, more).await;
        self.admin = log_in(self.client.address()).await;
    }

    /// Ends the gateway, and answers where its database is.
    pub(super) async fn end(&mut self) -> PathBuf {
        stop(&mut self.gateway).await;
        self.database()
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("data/gemini-balance.db")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Whether a secret lies on the disk is for tests whose files are read within a second.
        drop(std::fs::remove_file(self.database()));
    }
}

impl Took {
    pub(super) fn print(&self) {
        let row = |what: &str, took, most: u32| {
            vec![what.to_owned(), ms(took), ms(Duration::from_millis(most.into()))]
        };
        let keys = format!("{SERVICE_KEYS} service keys come in, in one call");
        let rows = [
            row(
                "the first start of all: makes the database, hashes the password",
                self.first_start,
                100,
            ),
            row("a start with an empty database", self.empty_start, 100),
            row(&keys, self.import, 3_000),
            row("a start with these keys", self.start_with_keys, 500),
            row("a start with keys and rows", self.full_start, 1_000),
        ];
        table(
            "Starts, from the birth of the process to its first answer",
            &["ms", "target ms"],
            &rows,
        );
    }
}

/// Starts a gateway, and answers a client that has had an answer, and how long that took: with a user key to a call,
/// without one as soon as it says that it is alive.
async fn start(
    directory: &Path,
    upstream: &Upstream,
    user_key: Option<&str>,
    more: &[(&str, &str)],
) -> (Process, Client, Duration) {
    let base = leading_to(upstream);
    let quiet = [("LOG_LEVEL", "INFO"), ("LOG_MAX_MB", "0"), ("WORKERS", "2")];
    let settings = with(&base, &[&quiet, more].concat());
    let began = Instant::now();
    let mut gateway = Process::start(directory, &settings);
    let mut client = Client::new(gateway.address().await);
    match user_key {
        Some(user_key) => {
            client = client.bearer(user_key);
            Ask::openai().is_answered(&client).await;
        }
        None => assert_eq!(client.get("/health").await.status, 200),
    }
    (gateway, client, began.elapsed())
}

async fn stop(gateway: &mut Process) {
    gateway.signal("TERM");
    assert!(gateway.exit().await.success(), "{}", gateway.output());
}

/// Brings all service keys in.
async fn import(admin: &Client) -> Duration {
    // One is there already.
    let keys: Vec<String> =
        (1..SERVICE_KEYS).map(|number| format!("AIzaSyManyRows-{number:024}")).collect();
    let began = Instant::now();
    let reply = admin.send_json(Method::POST, "/api/keys", &json!({"api_keys": keys})).await;
    let took = began.elapsed();
    assert_eq!(reply.status, 201);
    took
}

/// Asks, and answers what came and how long that took.
pub(super) async fn timed(admin: &Client, path: &str) -> (Reply, Duration) {
    let began = Instant::now();
    let reply = admin.get(path).await;
    (reply, began.elapsed())
}
