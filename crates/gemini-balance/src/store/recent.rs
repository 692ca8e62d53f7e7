//! What has happened in the last few minutes, from the log rows themselves: the sums are too coarse for that.
//!
//! Always true: at most [`ROWS_MAX`] rows are read; where more ended, the time that they cover is told.

use std::collections::HashMap;

use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::request_logs::{first_id, time_ms};
use crate::store::rollup::Sums;
use crate::store::stats::{ErrorCount, Percentiles, Usage, by_frequency, word};

/// Rows that are looked at: some ten ms.
const ROWS_MAX: u32 = 20_000;

/// What has happened in the last few minutes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Recent {
    /// The time that was looked at: shorter than asked for if very many attempts ended in it.
    pub span_ms: i64,
    /// What was used in it.
    #[serde(flatten)]
    pub usage: Usage,
    /// Requests that ended, by the minute.
    pub requests_per_minute: f64,
    /// Tokens, by the minute.
    pub tokens_per_minute: f64,
    /// Time to the end of successful requests, by the attempt that succeeded.
    pub latency: Percentiles,
    /// Time to the first byte of successful requests, by the attempt that succeeded.
    pub first_byte: Percentiles,
    /// Kinds of errors, the most frequent first.
    pub errors: Vec<ErrorCount>,
}

impl Store {
    /// What has happened in the `span_ms` before `now_ms`.
    ///
    /// # Errors
    /// As any read.
    pub async fn recent(&self, span_ms: i64, now_ms: i64) -> Result<Recent, StoreError> {
        self.read(move |connection| recent(connection, span_ms, now_ms)).await
    }
}

fn recent(connection: &Connection, span_ms: i64, now_ms: i64) -> Result<Recent, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT l.id, l.is_final, o.error_kind, l.first_byte_ms, l.duration_ms, coalesce(l.prompt_tokens, 0),
                coalesce(l.completion_tokens, 0), coalesce(l.cached_tokens, 0),
                coalesce(l.thinking_tokens, 0), coalesce(l.total_tokens, 0)
         FROM request_logs l CROSS JOIN outcomes o ON o.id = l.outcome_id
         WHERE ?1 <= l.id ORDER BY l.id DESC LIMIT ?2",
    )?;
    let mut rows = statement.query((first_id(now_ms.saturating_sub(span_ms)), ROWS_MAX))?;
    let (mut sums, mut count, mut oldest_ms) = (Sums::default(), 0, now_ms);
    let (mut durations, mut first_bytes) = (Vec::new(), Vec::new());
    let mut errors: HashMap<i64, (u64, u64)> = HashMap::new();
    while let Some(row) = rows.next()? {
        count += 1;
        oldest_ms = time_ms(row.get(0)?);
        let requests = u64::from(row.get::<_, bool>(1)?);
        let error: Option<i64> = row.get(2)?;
        sums.add(&Sums {
            attempts: 1,
            requests,
            successes: u64::from(error.is_none()),
            prompt_tokens: row.get::<_, u32>(5)?.into(),
            completion_tokens: row.get::<_, u32>(6)?.into(),
            cached_tokens: row.get::<_, u32>(7)?.into(),
            thinking_tokens: row.get::<_, u32>(8)?.into(),
            total_tokens: row.get::<_, u32>(9)?.into(),
        });
        match error {
            Some(kind) => {
                let (attempts, ends) = errors.entry(kind).or_default();
                *attempts += 1;
                *ends += requests;
            }
            None => {
                first_bytes.extend(row.get::<_, Option<u32>>(3)?);
                durations.push(row.get::<_, u32>(4)?);
            }
        }
    }
    let span_ms = if count == ROWS_MAX { now_ms.saturating_sub(oldest_ms).max(1) } else { span_ms };
    let per_minute = |count: u64| count as f64 * 60_000.0 / span_ms as f64;
    let mut counts = Vec::with_capacity(errors.len());
    for (kind, (attempts, requests)) in errors {
        counts.push(ErrorCount { error_kind: word(connection, kind)?, attempts, requests });
    }
    Ok(Recent {
        span_ms,
        requests_per_minute: per_minute(sums.requests),
        tokens_per_minute: per_minute(sums.total_tokens),
        usage: sums.into(),
        latency: percentiles(durations),
        first_byte: percentiles(first_bytes),
        errors: by_frequency(counts),
    })
}

fn percentiles(mut lengths_ms: Vec<u32>) -> Percentiles {
    lengths_ms.sort_unstable();
    let at = |percent: usize| {
        let rank = (lengths_ms.len() * percent).div_ceil(100).max(1);
        lengths_ms.get(rank - 1).copied()
    };
    Percentiles { p50_ms: at(50), p90_ms: at(90), p95_ms: at(95), p99_ms: at(99) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_row::{LogRow, Tokens};
    use crate::store::tests::{TestStore, row};

    const NOW_MS: i64 = 1_795_380_000_000;

    #[tokio::test]
    async fn the_last_minutes_are_counted_row_by_row() {
        let store = TestStore::new();
        let at = |age_ms: i64, duration_ms: u32| LogRow {
            ended_at_ms: NOW_MS - age_ms,
            is_final: true,
            error_kind: None,
            duration_ms,
            first_byte_ms: Some(duration_ms / 2),
            tokens: Tokens { total: Some(10), ..Tokens::default() },
            ..row(0)
        };
        let mut rows: Vec<LogRow> =
            (1..=100_u32).map(|number| at(i64::from(number) * 100, number)).collect();
        rows.push(at(120_001, 5_000));
        let failed =
            |is_final| LogRow { is_final, error_kind: Some("timeout".into()), ..at(5, 9_000) };
        rows.extend([failed(false), failed(true)]);
        store.insert(&rows).await;

        let recent = store.recent(120_000, NOW_MS).await.unwrap();

        assert_eq!(recent.span_ms, 120_000);
        let sums = recent.usage.sums;
        assert_eq!((sums.attempts, sums.requests, sums.successes), (102, 101, 100));
        assert_eq!((recent.requests_per_minute, recent.tokens_per_minute), (50.5, 510.0));
        let expected = |p50_ms, p90_ms, p95_ms, p99_ms| Percentiles {
            p50_ms: Some(p50_ms),
            p90_ms: Some(p90_ms),
            p95_ms: Some(p95_ms),
            p99_ms: Some(p99_ms),
        };
        assert_eq!(recent.latency, expected(50, 90, 95, 99));
        assert_eq!(recent.first_byte, expected(25, 45, 47, 49));
        let errors = [ErrorCount { error_kind: "timeout".to_owned(), attempts: 2, requests: 1 }];
        assert_eq!(recent.errors, errors);
    }

    #[tokio::test]
    async fn of_very_many_rows_the_newest_are_looked_at_and_the_time_they_cover_is_told() {
        let store = TestStore::new();
        let count = i64::from(ROWS_MAX) + 10;
        let rows: Vec<LogRow> = (0..count)
            .map(|number| LogRow { ended_at_ms: NOW_MS - number, is_final: true, ..row(number) })
            .collect();
        for some in rows.chunks(4_000) {
            store.insert(some).await;
        }

        let recent = store.recent(300_000, NOW_MS).await.unwrap();

        assert_eq!(recent.usage.sums.attempts, u64::from(ROWS_MAX));
        assert_eq!(recent.span_ms, i64::from(ROWS_MAX) - 1);
        assert!((recent.requests_per_minute - 60_003.0).abs() < 1.0, "{recent:?}");
    }

    #[tokio::test]
    async fn where_nothing_has_happened_there_is_no_rate() {
        let recent = TestStore::new().recent(60_000, NOW_MS).await.unwrap();

        assert_eq!((recent.usage.success_rate, recent.requests_per_minute), (None, 0.0));
        assert_eq!(recent.latency, Percentiles::default());
    }
}
