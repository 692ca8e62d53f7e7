//! A database that cannot be written: locked, full, read-only. Callers notice nothing, admins are
//! told, and everything is caught up with when it can be written again.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fake_upstream::{Answer, Upstream, When};
use http::StatusCode;
use rusqlite::Connection;
use serde_json::json;

use crate::admin_logs::row;
use crate::support::disk::{self, can_mount, seen_by};
use crate::support::process::{Process, furnish, leading_to, log_in, with};
use crate::support::{Ask, Client, PASSWORD, PATIENCE, Setup, Spoken, eventually};

/// Between three requests, while nothing can be written.
const PACE: Duration = Duration::from_millis(10);
/// A model of which the key has no quota left.
const LIMITED: &str = "gemini-limited";
const UNWRITTEN: &str = "request log rows cannot be written at the moment";
/// How often a job may complain about the same thing.
const LINES_EVERY: Duration = Duration::from_secs(10);

/// A real gateway whose database is about to be in trouble.
struct Troubled {
    gateway: Process,
    upstream: Upstream,
    admin: Client,
    client: Client,
    /// Questions that were answered.
    asked: usize,
}

impl Troubled {
    async fn begin(mut gateway: Process, upstream: Upstream) -> Self {
        let address = gateway.address().await;
        let admin = log_in(address).await;
        let client = Client::new(address).bearer(&furnish(&admin).await);
        upstream.on(When::any().model(LIMITED), Answer::quota_per_minute(3_600));
        let mut troubled = Self { gateway, upstream, admin, client, asked: 0 };
        troubled.is_ready().await;
        troubled.serves().await;
        troubled
    }

    /// Asks in every way, and insists on the whole answer.
    async fn serves(&mut self) {
        for ask in [Ask::openai(), Ask::gemini(), Ask::openai().streamed()] {
            ask.is_answered(&self.client).await;
            self.asked += 1;
        }
    }

    /// Serves until the trouble is known, and for some time more. Learns something about the key.
    async fn serves_while_degraded(&mut self, time: Duration) {
        let limited = Ask::gemini().model(LIMITED).of(&self.client).await;
        assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
        self.asked += 1;
        self.serves().await;
        eventually("it says that rows cannot be written", async || {
            let ready = self.client.get("/ready").await;
            assert_eq!(ready.status, StatusCode::OK, "it serves all the same");
            let body = ready.json();
            body["status"] == "degraded" && body["reasons"][0] == UNWRITTEN
        })
        .await;
        let began = Instant::now();
        // Enough lines for a log file to meet the end of its disk in the middle of one.
        let rounds = 10;
        for round in 1.. {
            self.serves().await;
            if round >= rounds && began.elapsed() >= time {
                break;
            }
            // 300 requests a second: in a minute fewer than the journal keeps.
            tokio::time::sleep(PACE).await;
        }
    }

    /// What an admin is told who wants something stored.
    async fn refuses(&self, code: &str, words: &str) {
        let mut replies = Vec::new();
        for (path, body) in [
            ("/api/auth_keys", json!({"alias": format!("bob-{}", self.asked)})),
            ("/api/keys", json!({"api_keys": ["another-service-key"]})),
            ("/api/auth/login", json!({"username": "admin", "password": PASSWORD})),
        ] {
            replies.push(self.admin.post(path, &body).await);
        }
        for reply in replies {
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.text());
            let body = reply.json();
            assert_eq!(body["error"]["code"], code, "{body}");
            assert!(body["detail"].as_str().unwrap().contains(words), "{body}");
        }
    }

    async fn is_ready(&self) {
        eventually("it is ready", async || {
            self.client.get("/ready").await.json() == json!({"status": "ready", "reasons": []})
        })
        .await;
    }

    /// Comes back by itself, with everything that happened meanwhile.
    async fn recovers(&mut self, database: &Path) {
        self.is_ready().await;
        self.serves().await;
        let asked = self.asked;
        let mut rows = serde_json::Value::Null;
        let written = async {
            while rows != asked {
                rows = self.admin.get("/api/request_logs").await.json()["total"].take();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let written = tokio::time::timeout(PATIENCE, written).await;
        assert!(written.is_ok(), "{rows} rows for {asked} requests");
        let made = self.admin.post("/api/auth_keys", &json!({"alias": "carol"})).await;
        assert!(made.status.is_success(), "{}", made.text());
        assert_eq!(ask_a_copy(database, "PRAGMA integrity_check"), "ok");
        let keys = self.admin.get("/api/keys").await.json();
        assert_eq!(keys["total"], 1, "{keys}");
        assert_eq!(self.upstream.seen().len(), asked, "one upstream request for each");
    }

    /// Ends as asked, having complained no more often than it may.
    async fn ends(mut self, trouble: Duration) -> String {
        self.gateway.signal("TERM");
        assert!(self.gateway.exit().await.success(), "{}", self.gateway.output());
        let output = self.gateway.output();
        let lines_max = 1 + usize::try_from(trouble.as_secs() / LINES_EVERY.as_secs()).unwrap();
        for complaint in [
            "the request log cannot be written",
            "key states could not be stored",
            "old log rows could not be removed",
        ] {
            let lines = output.matches(complaint).count();
            assert!(lines <= lines_max, "{lines} lines: {output}");
        }
        assert!(output.contains("the request log cannot be written"), "{output}");
        assert_eq!(output.matches("the request log is written again").count(), 1, "{output}");
        output
    }
}

/// Whether a database remembers what was learnt about the key while it could not be written.
fn remembers(database: &Path) -> bool {
    let sql = format!("SELECT state FROM budgets WHERE model = '{LIMITED}' UNION SELECT 'none'");
    ask_a_copy(database, &sql) == "cooling"
}

/// Asks a copy of a database: SQLite does not find its way into another process's mounts.
fn ask_a_copy(database: &Path, sql: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    fs::copy(database, &copy).unwrap();
    let wal = database.with_extension("db-wal");
    if wal.exists() {
        fs::copy(wal, copy.with_extension("db-wal")).unwrap();
    }
    Connection::open(copy).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Another process holds the write lock for a while.
async fn check_lock(time: Duration) {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let gateway = Process::start(directory.path(), &with(&leading_to(&upstream), &[]));
    let mut troubled = Troubled::begin(gateway, upstream).await;
    let began = Instant::now();
    let path = directory.path().join("data/gemini-balance.db");
    let other = Connection::open(&path).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    troubled.serves_while_degraded(time).await;
    troubled.refuses("database_busy", "Try again shortly").await;
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    troubled.recovers(&path).await;

    troubled.ends(began.elapsed()).await;
    assert!(remembers(&path));
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_notice_that_another_process_holds_the_lock() {
    check_lock(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a minute"]
async fn callers_do_not_notice_a_lock_that_is_held_for_a_minute() {
    check_lock(Duration::from_secs(60)).await;
}

/// The disk of data and log files fills up, and has room again.
async fn check_full_disk(time: Duration) {
    if !can_mount() {
        return;
    }
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = leading_to(&upstream);
    let more = [("LOG_FILE_DIR", "data/logs"), ("LOG_FORMAT", "json")];
    let gateway = disk::start_on_small_disk(directory.path(), 64, &with(&settings, &more));
    let mut troubled = Troubled::begin(gateway, upstream).await;
    let began = Instant::now();
    let data = seen_by(&troubled.gateway, &directory.path().join("data"));
    disk::fill(&data.join("ballast"));

    troubled.serves_while_degraded(time).await;
    troubled.refuses("database_full", "Free some space").await;
    fs::remove_file(data.join("ballast")).unwrap();
    let database = data.join("gemini-balance.db");
    troubled.recovers(&database).await;

    if !time.is_zero() {
        let storing = async {
            while !remembers(&database) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // The pause between two attempts may just have begun.
        let stored = tokio::time::timeout(2 * LINES_EVERY, storing).await;
        assert!(stored.is_ok(), "what was learnt is not stored");
    }
    // Whatever the full disk took, what is there are whole lines.
    let log = fs::read_to_string(data.join("logs/gemini-balance.log")).unwrap();
    let ids: Vec<u64> = log.lines().map(line_id).collect();
    assert!(ids.is_sorted() && ids.first() < ids.last(), "{ids:?}");
    let output = troubled.ends(began.elapsed()).await;
    let said = output.lines().filter(|line| line.starts_with('{')).map(line_id);
    let missing = said.collect::<HashSet<_>>().difference(&ids.iter().copied().collect()).count();
    assert!(missing > 0, "the disk of the log was full as well");
}

fn line_id(line: &str) -> u64 {
    let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    line["id"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_notice_a_full_disk() {
    check_full_disk(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: a minute"]
async fn callers_do_not_notice_a_disk_that_is_full_for_a_minute() {
    check_full_disk(Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_notice_a_disk_that_refuses_to_be_written() {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = leading_to(&upstream);
    let more = [("LOG_FILE_DIR", "logs"), ("LOG_FORMAT", "json")];
    let gateway = disk::start_on_fickle_disk(directory.path(), &with(&settings, &more));
    let mut troubled = Troubled::begin(gateway, upstream).await;
    let began = Instant::now();
    disk::refuse_writes(&troubled.gateway);

    troubled.serves_while_degraded(Duration::ZERO).await;
    troubled.refuses("database_disk_failed", "Look at its volume").await;
    disk::accept_writes(&troubled.gateway);
    let database = directory.path().join("data/gemini-balance.db");
    troubled.recovers(&database).await;

    troubled.ends(began.elapsed()).await;
    assert!(remembers(&database));
    let log = fs::read_to_string(directory.path().join("logs/gemini-balance.log")).unwrap();
    assert!(log.lines().map(line_id).is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_a_disk_that_refuses_to_be_written() {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = leading_to(&upstream);
    let gateway = disk::start_on_fickle_disk(directory.path(), &with(&settings, &[]));
    let mut troubled = Troubled::begin(gateway, upstream).await;
    disk::refuse_writes(&troubled.gateway);
    troubled.serves_while_degraded(Duration::ZERO).await;
    troubled.gateway.line_after("key states could not be stored; trying again").await;

    troubled.gateway.signal("TERM");
    let began = Instant::now();
    let status = troubled.gateway.exit().await;

    let output = troubled.gateway.output();
    assert!(status.success(), "{output}");
    // What the journal may try, and what a busy machine needs.
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    for words in ["key states learnt last could not be stored", "log rows lost"] {
        assert!(output.contains(words), "{output}");
    }
    let lines = output.matches("key states could not be stored; trying again").count();
    assert_eq!(lines, 1, "{output}");
    let mut again = Process::start(directory.path(), &with(&settings, &[]));
    log_in(again.address().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_beyond_the_bound_are_dropped_and_counted_for_all_to_see() {
    let spoken = Spoken::listen();
    let gateway = Setup::default().set("METRICS_PUBLIC", "true").start().await;
    let path = gateway.directory.path().join("data/gemini-balance.db");
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    Ask::openai().is_answered(&gateway.openai()).await;
    let made_up = row(1);

    let journal = &gateway.app().journal;
    for _ in 0..gemini_balance::journal::ROWS_MAX + 99 {
        journal.record(made_up.clone());
    }
    Ask::openai().is_answered(&gateway.openai()).await;
    let metrics = gateway.stranger().get("/metrics").await.text();
    other.execute_batch("ROLLBACK").unwrap();

    let dropped = format!("gemini_balance_journal_rows_dropped_total {}", 99 + 2);
    assert!(metrics.contains(&dropped), "{metrics}");
    eventually("the rest is written", async || gateway.app().journal.flush().await.is_ok()).await;
    assert_eq!(journal.counts().written, gemini_balance::journal::ROWS_MAX as u64);
    assert!(spoken.contains("rows_dropped=101"));
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_at_the_start_is_named() {
    if !can_mount() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let settings = [("PASSWORD", PASSWORD)];
    fs::create_dir(directory.path().join("data")).unwrap();
    let mut empty = disk::start_read_only(directory.path(), &settings);
    let of_empty = empty.exit().await.code();
    let mut first = Process::start(directory.path(), &settings);
    first.address().await;
    first.signal("TERM");
    first.exit().await;
    let database = directory.path().join("data/gemini-balance.db");
    let before = fs::read(&database).unwrap();

    let mut second = disk::start_read_only(directory.path(), &settings);
    let of_second = second.exit().await.code();
    let mut third = disk::start_on_full_disk(directory.path(), &settings);
    let of_third = third.exit().await.code();

    for (code, output, words) in [
        (of_empty, empty.output(), "Read-only file system"),
        (of_second, second.output(), "Read-only file system"),
        (of_third, third.output(), "no space left"),
    ] {
        assert_eq!(code, Some(1), "{output}");
        let lines: Vec<_> = output.lines().filter(|line| line.contains("data/")).collect();
        assert_eq!(lines.len(), 1, "{output}");
        assert!(lines[0].contains(words), "{output}");
    }
    assert_eq!(fs::read(&database).unwrap(), before);
}
