//! The same rows in the predecessor's schema, and what its pages ask, in SQL that computes the same.
//!
//! Its tables and indexes are those of its last version. It groups by a fixed offset from UTC where it means a zone, and so
//! does the SQL here; for the time that takes it makes no difference.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::support::Client;

use super::log::{self, Log};
use super::report::{ms, table};
use super::stage::timed;

const SCHEMA: &str = "
    CREATE TABLE key_states (
        key_identifier TEXT PRIMARY KEY, api_key TEXT NOT NULL, cool_down_until REAL,
        request_fail_count INTEGER, cool_down_entry_count INTEGER,
        current_cool_down_seconds INTEGER, last_usage_time REAL, is_in_use INTEGER DEFAULT 0,
        is_cooled_down INTEGER DEFAULT 0);
    CREATE TABLE auth_keys (api_key TEXT PRIMARY KEY, alias TEXT NOT NULL UNIQUE);
    CREATE TABLE request_logs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL, request_time REAL NOT NULL,
        key_identifier TEXT NOT NULL, auth_key_alias TEXT NOT NULL, model_name TEXT NOT NULL,
        is_success INTEGER NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER,
        total_tokens INTEGER, error_type TEXT, key_brief TEXT);
    CREATE INDEX idx_request_logs_request_time ON request_logs (request_time);
    CREATE INDEX idx_request_logs_key_identifier ON request_logs (key_identifier);";

/// How often ours is asked; theirs once, after a first time that fills the caches.
const ASKED: usize = 11;
const DAY_S: i64 = 24 * 60 * 60;
/// What New York is away from UTC in winter.
const OFFSET_S: i64 = -5 * 60 * 60;

/// One page of the predecessor.
struct Page {
    name: &'static str,
    /// What asks ours for the same.
    path: String,
    /// What it asks of its database.
    queries: Vec<String>,
}

/// Moves the rows in, asks both for each page, and prints how long that took.
pub(super) async fn compare(admin: &Client, log: Log, directory: &Path) {
    let file = directory.join("predecessor.db");
    let began = Instant::now();
    let theirs = move_in(log, &file);
    let moved_in = began.elapsed();
    let bytes = std::fs::metadata(&file).unwrap().len();
    let mut rows = Vec::new();
    for page in pages(log) {
        let mut ours: Vec<Duration> = Vec::new();
        for _ in 0..ASKED {
            let (reply, took) = timed(admin, &page.path).await;
            assert_eq!(reply.status, 200, "{}: {}", page.path, reply.text());
            ours.push(took);
        }
        ours.sort_unstable();
        let ours = ours[ASKED / 2];
        ask(&theirs, &page);
        let theirs = ask(&theirs, &page);
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        rows.push(vec![page.name.to_owned(), ms(theirs), ms(ours), format!("{ratio:.0}")]);
    }
    let title = format!(
        "The predecessor's SQL on the same rows (moved in in {:.0} s, {} bytes a row)",
        moved_in.as_secs_f64(),
        bytes / log.rows.unsigned_abs()
    );
    table(&title, &["its SQL alone, ms", "ours, whole answer, ms", "ratio"], &rows);
    drop(theirs);
    std::fs::remove_file(file).unwrap();
}

fn move_in(log: Log, file: &Path) -> Connection {
    let mut database = Connection::open(file).unwrap();
    database.execute_batch(SCHEMA).unwrap();
    let transaction = database.transaction().unwrap();
    {
        let sql = "INSERT INTO request_logs VALUES (NULL, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?, ?)";
        let mut insert = transaction.prepare(sql).unwrap();
        for number in 0..log.rows {
            let row = log.row(number);
            let key = log::service_key(number);
            let values = params![
                &row.request_id.to_string()[24..],
                row.ended_at_ms as f64 / 1_000.0,
                format!("key_sha256_{key:08x}"),
                format!("user-{}", log::user_key(number)),
                row.model,
                row.is_success(),
                row.tokens.total,
                row.error_kind,
                format!("AIza...{key:04x}"),
            ];
            insert.execute(values).unwrap();
        }
    }
    transaction.commit().unwrap();
    database
}

/// Runs the queries of a page to their ends.
fn ask(database: &Connection, page: &Page) -> Duration {
    let began = Instant::now();
    for query in &page.queries {
        let mut statement = database.prepare(query).unwrap();
        let mut rows = statement.query([]).unwrap();
        while rows.next().unwrap().is_some() {}
    }
    began.elapsed()
}

fn pages(log: Log) -> Vec<Page> {
    let now_s = log.ended_at_ms(log.rows) / 1_000;
    let midnight_s =
        |days_ago: i64| (now_s + OFFSET_S) / DAY_S * DAY_S - OFFSET_S - days_ago * DAY_S;
    let list = |filter: &str, offset: i64| {
        vec![
            format!(
                "SELECT * FROM request_logs {filter} ORDER BY request_time DESC LIMIT 100 OFFSET {offset}"
            ),
            format!("SELECT count(*) FROM request_logs {filter}"),
            "SELECT min(request_time), max(request_time) FROM request_logs".to_owned(),
        ]
    };
    let by_time = |format: &str, value: &str, since: i64, also: &str| {
        vec![format!(
            "SELECT strftime('{format}', request_time + {OFFSET_S}, 'unixepoch'), model_name, {value}
             FROM request_logs WHERE request_time >= {} {also} GROUP BY 1, 2",
            midnight_s(since)
        )]
    };
    let (from_ms, to_ms) = (log.ended_at_ms(log.rows / 4), log.ended_at_ms(log.rows / 2));
    let range = format!(
        "WHERE request_time >= {} AND request_time <= {}",
        from_ms as f64 / 1_000.0,
        to_ms as f64 / 1_000.0
    );
    let (logs, stats) = ("/api/request_logs", "/api/stats");
    let success = "AND is_success = 1";
    let rate = "avg(is_success) * 100";
    vec![
        Page { name: "log, first page", path: logs.into(), queries: list("", 0) },
        Page {
            name: "log, page in the middle",
            path: format!("{logs}?offset={}", log.rows / 2),
            queries: list("", log.rows / 2),
        },
        Page {
            name: "log, first page of a quarter of the time",
            path: format!("{logs}?request_time_start={from_ms}&request_time_end={to_ms}"),
            queries: list(&range, 0),
        },
        Page {
            name: "usage of today by key and model",
            path: format!("{stats}/daily_usage_chart"),
            queries: vec![format!(
                "SELECT key_brief, model_name, count(*) FROM request_logs
                 WHERE request_time >= {} {success} GROUP BY 1, 2",
                midnight_s(0)
            )],
        },
        Page {
            name: "requests of 7 days",
            path: format!("{stats}/usage_stats?type=requests"),
            queries: by_time("%Y-%m-%d", "count(*)", 6, success),
        },
        Page {
            name: "tokens of 12 months",
            path: format!("{stats}/usage_stats?type=tokens&unit=month&num_periods=12"),
            queries: by_time("%Y-%m", "sum(total_tokens)", 360, success),
        },
        Page {
            name: "heat map of a year",
            path: format!("{stats}/daily_usage_heatmap?type=requests"),
            queries: vec![format!(
                "SELECT date(request_time + {OFFSET_S}, 'unixepoch'), count(*) FROM request_logs
                 WHERE request_time >= {} {success} GROUP BY 1",
                midnight_s(364)
            )],
        },
        Page {
            name: "success rate of 7 days",
            path: format!("{stats}/success-rate?days=7"),
            queries: by_time("%Y-%m-%d", rate, 6, ""),
        },
        Page {
            name: "success rate of 90 days",
            path: format!("{stats}/success-rate?days=90"),
            queries: by_time("%Y-%m-%d", rate, 89, ""),
        },
        Page {
            name: "success rate by hour, of 30 days",
            path: format!("{stats}/hourly-success-rate?days=30"),
            queries: by_time("%H", rate, 29, ""),
        },
        Page {
            name: "user keys with their calls",
            path: "/api/auth_keys".into(),
            queries: vec![
                "SELECT auth_key_alias, count(DISTINCT request_id) FROM request_logs GROUP BY 1"
                    .to_owned(),
            ],
        },
    ]
}
