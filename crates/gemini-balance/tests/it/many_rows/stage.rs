//! The real program with a long log.

#![expect(clippy::disallowed_methods, reason = "how long is said from outside, as is no setting")]

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use fake_upstream::{Options, Settings, Upstream};
use tempfile::TempDir;

use crate::support::process::{Process, furnish, leading_to, log_in, with};
use crate::support::{Client, Reply};

use super::log::Log;

/// The variable that says how many rows the log has. Half a million or more: what a short log gives
/// up is kept for use, and no file shrinks.
const ROWS: &str = "LOG_ROWS";
const ROWS_USUAL: i64 = 1_000_000;

/// A gateway with a long log, in front of an upstream that remembers nothing.
pub(super) struct Stage {
    pub(super) log: Log,
    pub(super) admin: Client,
    pub(super) client: Client,
    directory: TempDir,
    _gateway: Process,
    _upstream: Upstream,
}

impl Stage {
    /// Fills a database and starts the gateway on it, with some more settings.
    pub(super) async fn set(more: &[(&str, &str)]) -> Self {
        let rows = std::env::var(ROWS).map_or(ROWS_USUAL, |rows| rows.parse().unwrap());
        let settings = Settings { options: Options::default(), is_strict: false, seen_max: 0 };
        let upstream = Upstream::start_with(([127, 0, 0, 1], 0).into(), settings).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let settings = leading_to(&upstream);
        let quiet = [("LOG_LEVEL", "INFO"), ("LOG_MAX_MB", "0"), ("WORKERS", "2")];
        let settings = with(&settings, &[&quiet, more].concat());
        let mut gateway = Process::start(directory.path(), &settings);
        let user_key = furnish(&log_in(gateway.address().await).await).await;
        gateway.signal("TERM");
        assert!(gateway.exit().await.success(), "{}", gateway.output());
        drop(gateway);

        let began = Instant::now();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let log = Log::new(rows, i64::try_from(now.as_millis()).unwrap());
        log.fill(&directory.path().join("data/gemini-balance.db")).await;
        let mut gateway = Process::start(directory.path(), &settings);
        let address = gateway.address().await;
        let (admin, client) = (log_in(address).await, Client::new(address).bearer(&user_key));
        let stage = Self { log, admin, client, directory, _gateway: gateway, _upstream: upstream };
        let mib = stage.file_bytes() >> 20;
        println!("{rows} rows of {mib} MiB, written in {:.1?}", began.elapsed());
        stage
    }

    /// The size of the database's file.
    pub(super) fn file_bytes(&self) -> u64 {
        let path: PathBuf = self.directory.path().join("data/gemini-balance.db");
        std::fs::metadata(path).unwrap().len()
    }
}

/// Asks, and answers what came and how long that took.
pub(super) async fn timed(admin: &Client, path: &str) -> (Reply, Duration) {
    let began = Instant::now();
    let reply = admin.get(path).await;
    (reply, began.elapsed())
}
