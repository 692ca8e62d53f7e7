//! A long log that is made up: each row follows from its number, so what a question has to find
//! can be told without looking at the database.

use std::path::Path;
use std::sync::Arc;

use gemini_balance::log_row::{LogRow, Tokens};
use gemini_balance::random::RequestId;
use gemini_balance::store::Store;
use gemini_balance::store::open::OpenOptions;
use gemini_balance::store::prune::Retention;
use rusqlite::Connection;

/// How far back the log reaches: not quite as far as sums are kept.
pub(super) const SPAN_DAYS: i64 = 390;
const SPAN_MS: i64 = SPAN_DAYS * DAY_MS;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Keys that take turns.
pub(super) const SERVICE_KEYS: i64 = 50_000;
pub(super) const USER_KEYS: i64 = 1_000;
/// Rows of one transaction.
const BATCH_ROWS: i64 = 10_000;

/// Each user key asks for some of them only: `user_key_id` 1 never for `model-1`.
const MODELS: [&str; 12] = [
    "model-0", "model-1", "model-2", "model-3", "model-4", "model-5", "model-6", "model-7",
    "model-8", "model-9", "model-10", "model-11",
];
/// Names that want to be more than text.
const HOSTILE_MODELS: [&str; 6] = ["%", "a_b", "axb", "' OR 1=1 --", "\u{0}", "NaN"];
const ERRORS: [(&str, Option<u16>); 4] =
    [("rate_limited", Some(429)), ("upstream_error", Some(503)), ("timeout", None), ("%", None)];

/// So many rows, evenly spread over more than a year.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    pub(super) rows: i64,
    pub(super) start_ms: i64,
}

impl Log {
    /// A log of `rows` rows that ends at `end_ms`.
    pub(super) fn new(rows: i64, end_ms: i64) -> Self {
        Self { rows, start_ms: end_ms - SPAN_MS }
    }

    /// When row `number` ended.
    pub(super) fn ended_at_ms(self, number: i64) -> i64 {
        self.start_ms + number * (SPAN_MS / self.rows)
    }

    /// Writes every row and its sums into a database that no gateway has open.
    pub(super) async fn fill(self, database: &Path) {
        let store = open(database, self.start_ms);
        let filling = store.clone();
        let writing = tokio::task::spawn_blocking(move || {
            for first in (0..self.rows).step_by(usize::try_from(BATCH_ROWS).unwrap()) {
                let end = (first + BATCH_ROWS).min(self.rows);
                let rows: Arc<[LogRow]> = (first..end).map(|number| self.row(number)).collect();
                filling.insert_log_rows(rows).unwrap();
            }
        });
        writing.await.unwrap();
        // As a gateway does each minute.
        let keep_all =
            Retention { log_age_max_ms: None, bytes_max: None, sums_age_max_ms: 400 * DAY_MS };
        let end_ms = self.ended_at_ms(self.rows);
        while !store.prune(keep_all, end_ms).await.unwrap().is_done {}
        store.close().await;
    }

    pub(super) fn row(self, number: i64) -> LogRow {
        let error = error(number);
        LogRow {
            request_id: request_id(number),
            ended_at_ms: self.ended_at_ms(number),
            user_key_id: Some(user_key(number)),
            service_key_id: Some(service_key(number)),
            model: model(number).to_owned(),
            dialect: "openai".into(),
            operation: "chat/completions".into(),
            is_stream: is_stream(number),
            status: error.map_or(Some(200), |(_, status)| status),
            error_kind: error.map(|(kind, _)| kind.into()),
            attempt: 1,
            is_final: is_final(number),
            tokens: Tokens { total: Some(7), ..Tokens::default() },
            first_byte_ms: Some(3),
            duration_ms: u32::try_from(number % 3_000).unwrap(),
            bytes_in: 10,
            bytes_out: 20,
            client: format!("client-{}", number % 40),
            frames: None,
        }
    }
}

/// Spread over all numbers, as those of real requests.
pub(super) fn request_id(number: i64) -> RequestId {
    const ODD: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    RequestId(u128::from(number.unsigned_abs() + 1).wrapping_mul(ODD))
}

pub(super) fn user_key(number: i64) -> i64 {
    number % USER_KEYS + 1
}

pub(super) fn service_key(number: i64) -> i64 {
    number % SERVICE_KEYS + 1
}

pub(super) fn model(number: i64) -> &'static str {
    let of =
        |names: &[&'static str], number: i64| names[usize::try_from(number).unwrap() % names.len()];
    match number {
        0..10 => "an-old-model",
        _ if number % 100_000 == 77 => "a-rare-model",
        _ if number % 50 == 49 => of(&HOSTILE_MODELS, number / 50),
        _ => of(&MODELS, number),
    }
}

/// What went wrong and the status of that: with each eleventh row.
pub(super) fn error(number: i64) -> Option<(&'static str, Option<u16>)> {
    (number % 11 == 6).then(|| ERRORS[usize::try_from(number / 11).unwrap() % ERRORS.len()])
}

/// The first half of the user keys ask for streams only, the others never.
pub(super) fn is_stream(number: i64) -> bool {
    number % USER_KEYS < USER_KEYS / 2
}

pub(super) fn is_final(number: i64) -> bool {
    error(number).is_none() || number % 3 == 0
}

/// The store of a database that no gateway has open.
pub(super) fn open(database: &Path, now_ms: i64) -> Store {
    let options = OpenOptions {
        path: database.to_owned(),
        backup_dir: database.with_file_name("backups"),
        now_ms,
        proof: proof(database),
    };
    Store::open(&options).unwrap()
}

/// What the master key proves itself with to a database.
fn proof(database: &Path) -> [u8; 32] {
    let sql = "SELECT value FROM meta WHERE key = 'vault_check_value'";
    Connection::open(database).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}
