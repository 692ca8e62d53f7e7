//! Fills the request log of a gateway that does not run: as if it had been used for a long time.
//!
//! ```text
//! cargo run --example long_log -- DATA_DIR ROWS DAYS USER_KEYS SERVICE_KEYS
//! ```
//!
//! Rows are of the keys with the ids from 1 on. For pictures of the web UI and for measuring it with
//! a long log; each row follows from its number.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context as _;
use gemini_balance::clock::Clock;
use gemini_balance::log_row::{LogRow, Tokens};
use gemini_balance::random::RequestId;
use gemini_balance::store::Store;
use gemini_balance::store::open::OpenOptions;
use rusqlite::Connection;

const DAY_MS: f64 = 24.0 * 60.0 * 60.0 * 1_000.0;
/// Rows of one transaction.
const BATCH_ROWS: u32 = 10_000;
/// By how much of the average the busiest hour of a day, and day of a week, is busier.
const SWING: f64 = 0.5;
const WEEK_SWING: f64 = 0.3;
/// What callers' programs say of themselves.
const CLIENTS: [&str; 4] = [
    "OpenAI/Python 3.54.0",
    "google-genai-sdk/3.4.0 gl-python/3.13.1",
    "Open WebUI (https://openwebui.com)",
    "GeminiCLI-tui/0.61.0/gemini-2.5-pro (linux; x64)",
];
/// The models and how many of 100 rows are theirs.
const MODELS: [(&str, u32); 5] = [
    ("gemini-2.5-flash", 46),
    ("gemini-2.5-pro", 24),
    ("gemini-2.5-flash-lite", 16),
    ("gemini-2.0-flash", 9),
    ("gemini-embedding-001", 5),
];
/// What goes wrong, and how many of 100 failures are such.
const ERRORS: [(&str, Option<u16>, u32); 5] = [
    ("quota_per_minute", Some(429), 58),
    ("upstream_error", Some(503), 22),
    ("timeout", None, 11),
    ("bad_request", Some(400), 6),
    ("key_invalid", Some(400), 3),
];

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, rows, days, user_keys, service_keys] = words.as_slice() else {
        anyhow::bail!("long_log DATA_DIR ROWS DAYS USER_KEYS SERVICE_KEYS");
    };
    let past = Past {
        rows: read(rows)?,
        days: read(days)?,
        user_keys: read(user_keys)?,
        service_keys: read(service_keys)?,
        end_ms: Clock::system().wall_ms(),
    };
    tokio::runtime::Runtime::new()?
        .block_on(past.fill(&Path::new(folder).join("gemini-balance.db")))
}

fn read<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    word: &str,
) -> anyhow::Result<T> {
    word.parse().with_context(|| format!("{word} is no number"))
}

/// A log that is made up.
#[derive(Debug, Clone, Copy)]
struct Past {
    rows: u32,
    days: u32,
    user_keys: u32,
    service_keys: u32,
    end_ms: i64,
}

impl Past {
    async fn fill(self, database: &Path) -> anyhow::Result<()> {
        let options = OpenOptions {
            path: database.to_owned(),
            backup_dir: database.with_file_name("backups"),
            now_ms: self.end_ms,
            proof: proof(database)?,
        };
        let store = Store::open(&options)?;
        let filling = store.clone();
        let writing = tokio::task::spawn_blocking(move || {
            for first in (0..self.rows).step_by(BATCH_ROWS as usize) {
                let end = first.saturating_add(BATCH_ROWS).min(self.rows);
                let rows: Arc<[LogRow]> = (first..end).map(|number| self.row(number)).collect();
                filling.insert_log_rows(rows)?;
            }
            anyhow::Ok(())
        });
        writing.await??;
        store.close().await;
        Ok(())
    }

    /// Of twelve rows, one is a failure; most of those are made good by the row after them.
    fn row(self, number: u32) -> LogRow {
        let chance = chance(number);
        let is_failure = |number: u32| number % 12 == 7;
        let is_second = number.checked_sub(1).is_some_and(is_failure) && !number.is_multiple_of(5);
        let is_failed = is_failure(number);
        let is_final = !is_failed || (number + 1).is_multiple_of(5);
        let first = if is_second { number - 1 } else { number };
        let (kind, status) = if is_failed { failure(chance % 100) } else { (None, Some(200)) };
        let prompt = 40 + chance % 1_900;
        let completion = if is_failed { 0 } else { 20 + chance / 7 % 900 };
        let first_byte_ms = 180 + chance / 3 % 700;
        LogRow {
            request_id: RequestId(
                u128::from(first + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835),
            ),
            ended_at_ms: self.ended_at_ms(number),
            user_key_id: Some(i64::from(first % self.user_keys.max(1) + 1)),
            service_key_id: Some(i64::from(chance % self.service_keys.max(1) + 1)),
            model: model(self::chance(first) % 100).to_owned(),
            dialect: if first % 3 == 0 { "openai" } else { "gemini" }.into(),
            operation: if first % 3 == 0 { "chat/completions" } else { "streamGenerateContent" }
                .into(),
            is_stream: first % 3 != 0,
            status,
            error_kind: kind.map(Into::into),
            attempt: if is_second { 2 } else { 1 },
            is_final,
            tokens: Tokens {
                prompt: Some(prompt),
                completion: Some(completion),
                total: Some(prompt + completion),
                ..Tokens::default()
            },
            first_byte_ms: (!is_failed).then_some(first_byte_ms),
            duration_ms: first_byte_ms + chance / 11 % 5_200,
            bytes_in: u64::from(prompt) * 4 + 120,
            bytes_out: u64::from(completion) * 5 + 300,
            client: CLIENTS
                .get(first as usize % CLIENTS.len())
                .copied()
                .unwrap_or_default()
                .to_owned(),
            frames: None,
        }
    }

    /// Rows are spread over the days, thinner in the night, in the order of their numbers.
    fn ended_at_ms(self, number: u32) -> i64 {
        let even = f64::from(self.days) * f64::from(number) / f64::from(self.rows.max(1));
        let swing = |strength: f64, days: f64| strength * days / TAU * (TAU * even / days).sin();
        let day = even - swing(SWING, 1.0) - swing(WEEK_SWING, 7.0);
        #[expect(clippy::cast_possible_truncation, reason = "days of a calendar, in ms")]
        let before_ms = ((f64::from(self.days) - day) * DAY_MS) as i64;
        self.end_ms - before_ms.max(1)
    }
}

fn model(percent: u32) -> &'static str {
    let mut left = percent;
    for (name, share) in MODELS {
        if left < share {
            return name;
        }
        left -= share;
    }
    MODELS[0].0
}

fn failure(percent: u32) -> (Option<&'static str>, Option<u16>) {
    let mut left = percent;
    for (kind, status, share) in ERRORS {
        if left < share {
            return (Some(kind), status);
        }
        left -= share;
    }
    (Some(ERRORS[0].0), ERRORS[0].1)
}

/// A number without visible order that follows from another one.
fn chance(number: u32) -> u32 {
    let mixed = (number ^ 0x5BD1_E995).wrapping_mul(0x9E37_79B1);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x85EB_CA77) >> 4
}

/// What the master key proves itself with to a database.
fn proof(database: &Path) -> anyhow::Result<[u8; 32]> {
    let path = PathBuf::from(database);
    let sql = "SELECT value FROM meta WHERE key = 'vault_check_value'";
    let connection = Connection::open(path).context("there is no database")?;
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}
