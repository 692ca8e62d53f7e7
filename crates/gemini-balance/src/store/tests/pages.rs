//! Pages of the request log against rows in memory, under any filter.

use std::borrow::Cow;

use proptest::prelude::*;

use crate::log_row::LogRow;
use crate::random::RequestId;
use crate::store::calendar::{QUARTER_MS, TimeRange};
use crate::store::log_pages::{Cursor, LogEntry, LogFilter};
use crate::store::prune::Retention;
use crate::store::tests::{TestStore, row};

const NASTY: [&str; 5] = ["a' OR '1'='1", "%", "_", "m\"; DROP TABLE request_logs; --", "模型"];
const ERRORS: [&str; 3] = ["rate_limit", "other_http_error: 404", "'"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_hold_what_a_look_at_every_row_finds(
        rows in prop::collection::vec(any_row(), 0..300),
        batch in 10_usize..300,
        filters in prop::collection::vec(any_filter(), 1..20),
        limit in 1_u32..50,
    ) {
        runtime().block_on(async {
            let store = TestStore::new();
            for rows in rows.chunks(batch) {
                store.insert(rows).await;
            }
            let all = all_pages(&store, LogFilter::ALL, 1_000).await;
            assert_eq!(all.len(), rows.len());
            assert!(all.is_sorted_by(|a, b| b.id < a.id));

            for filter in filters {
                let found = all_pages(&store, filter.clone(), limit).await;
                let expected: Vec<_> =
                    all.iter().filter(|entry| passes(&filter, entry)).cloned().collect();
                assert_eq!(found, expected, "{filter:?}");
            }
        });
    }

    #[test]
    fn slices_hold_what_counting_every_row_finds(
        rows in prop::collection::vec(any_row(), 0..300),
        (start, length, offset) in (0_i64..250, 0_i64..250, 0_usize..120),
        kept in prop::option::of(0_i64..250),
    ) {
        runtime().block_on(async {
            let store = TestStore::new();
            store.insert(&rows).await;
            if let Some(kept) = kept {
                let log_age_max_ms = Some(kept * QUARTER_MS);
                let retention = Retention { log_age_max_ms, bytes_max: None, sums_age_max_ms: 0 };
                store.prune(retention, 250 * QUARTER_MS).await.unwrap();
            }
            // Both whole quarter-hours and ranges that cut them.
            for cut_ms in [0, 1, 400_000] {
                let start_ms = start * QUARTER_MS + cut_ms;
                let range = TimeRange { start_ms, end_ms: start_ms + length * QUARTER_MS + cut_ms };
                let all = all_pages(&store, LogFilter { range, ..LogFilter::ALL }, 1_000).await;

                let slice = store.log_slice(range, offset as u64, 20).await.unwrap();

                assert_eq!(slice.total, all.len() as u64);
                let skipped = all.into_iter().skip(offset).take(20);
                assert_eq!(slice.rows, skipped.collect::<Vec<_>>());
            }
        });
    }
}

#[tokio::test]
async fn a_row_is_shown_as_it_was_recorded() {
    let store = TestStore::new();
    let recorded = LogRow {
        error_kind: Some(Cow::Borrowed("rate_limit")),
        status: Some(429),
        bytes_out: u64::from(u32::MAX) + 1,
        frames: Some(u64::from(u32::MAX) + 2),
        ..row(1_763_757_296_435)
    };

    store.insert(std::slice::from_ref(&recorded)).await;

    let shown = &store.request(recorded.request_id).await.unwrap()[0];
    assert_eq!(shown.ended_at_ms, recorded.ended_at_ms);
    assert_eq!(shown.started_at_ms, recorded.ended_at_ms - 900);
    assert_eq!(shown.request_id, recorded.request_id);
    assert_eq!((shown.status, shown.is_success), (Some(429), false));
    assert_eq!(shown.error_kind.as_deref(), Some("rate_limit"));
    assert_eq!(shown.tokens, recorded.tokens);
    assert_eq!(shown.client.as_deref(), Some("curl/8.5.0"));
    assert_eq!((shown.bytes_out, shown.frames), (recorded.bytes_out, recorded.frames));
    assert!(shown.id < 1 << 53);
}

#[tokio::test]
async fn the_attempts_of_a_request_are_in_their_order() {
    let store = TestStore::new();
    let attempts = [(3, 2_000), (1, 0), (2, 1_000)].map(|(attempt, at_ms)| LogRow {
        request_id: RequestId(7),
        attempt,
        ..row(at_ms)
    });
    store.insert(&attempts).await;
    store.insert(&[row(500)]).await;

    let shown = store.request(RequestId(7)).await.unwrap();

    assert_eq!(shown.iter().map(|entry| entry.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.request(RequestId(8)).await.unwrap(), []);
}

#[tokio::test]
async fn a_search_for_what_never_meets_ends_in_steps() {
    let store = TestStore::new();
    // Two models take turns in long runs, and each user uses only one of them.
    let rows: Vec<_> = (0..40_000_i64)
        .map(|number| LogRow {
            user_key_id: Some(number % 2),
            model: format!("model-{}", number % 2),
            ..row(number)
        })
        .collect();
    store.insert(&rows).await;
    let filter =
        LogFilter { user_key_id: Some(0), model: Some("model-1".to_owned()), ..LogFilter::ALL };

    let found = all_pages(&store, filter, 10).await;

    assert_eq!(found, []);
}

#[test]
fn a_cursor_is_read_only_as_it_was_written() {
    let cursor = Cursor::parse("3f2a").unwrap();

    assert_eq!(cursor.to_string(), "3f2a");
    for bad in ["", "-1", "+1", "03f2a", "3F2A", "zz", "ffffffffffffffffff", "1 OR 1"] {
        assert_eq!(Cursor::parse(bad), None, "{bad}");
    }
}

async fn all_pages(store: &TestStore, filter: LogFilter, limit: u32) -> Vec<LogEntry> {
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.log_page(filter.clone(), cursor, limit).await.unwrap();
        assert!(page.rows.len() <= limit as usize);
        rows.extend(page.rows);
        match page.next {
            Some(next) => cursor = Cursor::parse(&next.to_string()),
            None => return rows,
        }
    }
}

fn passes(filter: &LogFilter, entry: &LogEntry) -> bool {
    fn is<T: PartialEq>(wanted: &Option<T>, found: Option<&T>) -> bool {
        wanted.as_ref().is_none_or(|wanted| Some(wanted) == found)
    }
    filter.range.start_ms <= entry.ended_at_ms
        && entry.ended_at_ms < filter.range.end_ms
        && is(&filter.user_key_id, entry.user_key_id.as_ref())
        && is(&filter.service_key_id, entry.service_key_id.as_ref())
        && is(&filter.model, Some(&entry.model))
        && is(&filter.is_success, Some(&entry.is_success))
        && is(&filter.status, entry.status.as_ref())
        && is(&filter.error_kind, entry.error_kind.as_ref())
        && is(&filter.is_stream, Some(&entry.is_stream))
        && is(&filter.is_final, Some(&entry.is_final))
        && is(&filter.request_id, Some(&entry.request_id))
}

prop_compose! {
    fn any_row()(
        at in 0_i64..250 * QUARTER_MS,
        request in 0_u128..40,
        user_key_id in prop::option::of(1_i64..4),
        service_key_id in prop::option::of(1_i64..6),
        model in prop::sample::select(&NASTY[..]),
        is_stream in any::<bool>(),
        status in prop::option::of(prop::sample::select(vec![200_u16, 429, 500])),
        error_kind in prop::option::of(prop::sample::select(&ERRORS[..])),
        is_final in any::<bool>(),
    ) -> LogRow {
        LogRow {
            request_id: RequestId(request),
            user_key_id,
            service_key_id,
            model: model.to_owned(),
            is_stream,
            status,
            error_kind: error_kind.map(Cow::Borrowed),
            is_final,
            // Coarse, so that many rows share a ms.
            ..row(at / 60_000 * 60_000)
        }
    }
}

prop_compose! {
    fn any_filter()(
        range in prop::option::of((0_i64..250, 0_i64..250)),
        user_key_id in prop::option::weighted(0.3, 1_i64..5),
        service_key_id in prop::option::weighted(0.3, 1_i64..7),
        model in prop::option::weighted(0.3, prop::sample::select(vec![NASTY[0], NASTY[1], NASTY[3], "m%", ""])),
        is_success in prop::option::weighted(0.3, any::<bool>()),
        status in prop::option::weighted(0.3, prop::sample::select(vec![200_u16, 429, 404])),
        error_kind in prop::option::weighted(0.2, prop::sample::select(vec![ERRORS[0], ERRORS[2], "%"])),
        is_stream in prop::option::weighted(0.3, any::<bool>()),
        is_final in prop::option::weighted(0.3, any::<bool>()),
        request in prop::option::weighted(0.2, 0_u128..42),
    ) -> LogFilter {
        let range = range.map_or(TimeRange::ALL, |(start, end)| TimeRange {
            start_ms: start * QUARTER_MS,
            end_ms: end * QUARTER_MS,
        });
        LogFilter {
            range,
            user_key_id,
            service_key_id,
            model: model.map(str::to_owned),
            is_success,
            status,
            error_kind: error_kind.map(str::to_owned),
            is_stream,
            is_final,
            request_id: request.map(RequestId),
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}
