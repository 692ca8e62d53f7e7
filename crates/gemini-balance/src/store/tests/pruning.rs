//! Retention: bounds hold, sums outlive rows.

use rusqlite::Connection;

use crate::log_row::LogRow;
use crate::store::calendar::{DAY_MS, TimeRange};
use crate::store::error::StoreError;
use crate::store::log_pages::LogFilter;
use crate::store::prune::{Pruned, Retention};
use crate::store::tests::{TestStore, row};
use crate::store::user_keys::NewUserKey;

const KEEP_ALL: Retention =
    Retention { log_age_max_ms: None, bytes_max: None, sums_age_max_ms: 400 * DAY_MS };

#[tokio::test]
async fn old_rows_go_and_their_sums_stay() {
    let store = TestStore::new();
    let rows: Vec<_> = (0..3_000).map(|number| row(number * 60_000)).collect();
    store.insert(&rows).await;
    let now_ms = 3_000 * 60_000;
    let retention = Retention { log_age_max_ms: Some(1_000 * 60_000), ..KEEP_ALL };

    let pruned = store.prune(retention, now_ms).await.unwrap();
    let again = store.prune(retention, now_ms).await.unwrap();

    assert_eq!(pruned, Pruned { log_rows: 2_000, is_done: true });
    assert_eq!(again, Pruned { log_rows: 0, is_done: true });
    assert_eq!(store.size().await.unwrap().log_rows, 1_000);
    let slice = store.log_slice(TimeRange::ALL, 990, 50).await.unwrap();
    assert_eq!((slice.total, slice.rows.len()), (1_000, 10));
    assert_eq!(store.overview(TimeRange::ALL).await.unwrap().usage.sums.attempts, 3_000);
}

#[tokio::test]
async fn the_database_stays_within_its_size_and_the_file_shrinks() {
    let store = TestStore::new();
    let rows: Vec<_> = (0..80_000)
        .map(|number| LogRow { service_key_id: Some(number % 50), ..row(number * 1_000) })
        .collect();
    store.insert(&rows).await;
    let before = store.size().await.unwrap();
    let bytes_max = 3 << 20;

    let retention = Retention { bytes_max: Some(bytes_max), ..KEEP_ALL };
    let pruned = store.prune(retention, 80_000_000).await.unwrap();

    let after = store.size().await.unwrap();
    assert!(pruned.is_done);
    assert!(after.file_bytes - after.free_bytes <= bytes_max);
    assert!(after.free_bytes <= 4 << 20, "{before:?} {after:?}");
    assert!(after.file_bytes < before.file_bytes, "{before:?} {after:?}");
    assert!(0 < after.log_rows);
    let newest = store.log_page(LogFilter::ALL, None, 1).await.unwrap().rows;
    assert_eq!(newest[0].ended_at_ms, 79_999_000);
}

#[tokio::test]
async fn sums_and_deleted_keys_go_when_they_are_old_enough() {
    let store = TestStore::new();
    let key = store.create_user_key(key()).await.unwrap();
    let rows: Vec<_> =
        (0..20).map(|day| LogRow { user_key_id: Some(key.id), ..row(day * DAY_MS) }).collect();
    store.insert(&rows).await;
    store.delete_user_key(key.id, 5 * DAY_MS).await.unwrap();
    let short = Retention { sums_age_max_ms: 10 * DAY_MS, ..KEEP_ALL };

    store.prune(short, 20 * DAY_MS).await.unwrap();
    let sums = store.overview(TimeRange::ALL).await.unwrap().usage.sums;
    let name_with_rows = name_of_the_only_user(&store).await;
    let no_rows = Retention { log_age_max_ms: Some(0), ..short };
    store.prune(no_rows, 20 * DAY_MS).await.unwrap();

    assert_eq!(sums.attempts, 10);
    assert_eq!(name_with_rows.as_deref(), Some("alice"));
    assert_eq!(name_of_the_only_user(&store).await, None);
}

#[tokio::test]
async fn old_sums_by_service_key_are_kept_by_day_and_recent_ones_by_quarter_hour() {
    let store = TestStore::new();
    let hourly: Vec<_> = (0..60 * 24).map(|hour| row(hour * DAY_MS / 24)).collect();
    store.insert(&hourly).await;

    store.prune(KEEP_ALL, 60 * DAY_MS).await.unwrap();
    // Late ones are counted, too.
    store.insert(&[row(10 * DAY_MS), row(50 * DAY_MS)]).await;
    store.prune(KEEP_ALL, 60 * DAY_MS).await.unwrap();

    let count = async |start_ms, end_ms| {
        let range = TimeRange { start_ms, end_ms };
        let by_key = store.usage_by_service_key(range, 10).await.unwrap();
        let by_model = store.usage_by_model(range, 10).await.unwrap();
        (by_key[0].usage.sums.attempts, by_model[0].usage.sums.attempts)
    };
    let noon = DAY_MS / 2;
    assert_eq!(count(0, 60 * DAY_MS).await, (60 * 24 + 2, 60 * 24 + 2));
    assert_eq!(count(9 * DAY_MS + noon, 11 * DAY_MS + noon).await, (3 * 24 + 1, 2 * 24 + 1));
    assert_eq!(count(49 * DAY_MS + noon, 51 * DAY_MS + noon).await, (2 * 24 + 1, 2 * 24 + 1));
    assert_eq!(count(20 * DAY_MS + noon, 50 * DAY_MS + noon).await, (30 * 24 + 13, 30 * 24 + 1));
}

#[tokio::test]
async fn parts_of_the_log_go_with_their_rows() {
    let store = TestStore::new();
    for batch in 0..20 {
        store.insert(&(0..50).map(|number| row(batch * 50 + number)).collect::<Vec<_>>()).await;
    }
    let retention = Retention { log_age_max_ms: Some(300), ..KEEP_ALL };

    store.prune(retention, 1_000).await.unwrap();
    store.insert(&[row(2_000)]).await;

    let filter = LogFilter { service_key_id: Some(1), ..LogFilter::ALL };
    let found = store.log_page(filter, None, 1_000).await.unwrap().rows;
    assert_eq!(found.len(), 301);
    assert_eq!(store.size().await.unwrap().log_rows, 301);
    let database = Connection::open(store.path()).unwrap();
    let count = |sql| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    // What is left began within the fourth or the fifth of ten parts of a hundred rows.
    assert!(count("SELECT count(*) FROM log_parts") <= 5);
    assert_eq!(count("SELECT sum(rows) FROM log_counts WHERE level = 2"), 301);
    assert_eq!(count("SELECT count(*) FROM log_counts WHERE rows = 0"), 0);
}

#[tokio::test]
async fn a_closed_store_prunes_nothing() {
    let store = TestStore::new();
    store.close().await;

    assert!(matches!(store.prune(KEEP_ALL, 0).await, Err(StoreError::Closed)));
}

async fn name_of_the_only_user(store: &TestStore) -> Option<String> {
    store.usage_by_user_key(TimeRange::ALL, 10).await.unwrap().remove(0).name
}

fn key() -> NewUserKey {
    NewUserKey {
        name: "alice".to_owned(),
        hash: [1; 32],
        brief: String::new(),
        note: String::new(),
        is_enabled: true,
        created_at_ms: 1,
        expires_at_ms: None,
    }
}
