//! The journal on a real store.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::journal::{Counts, Journal};
use crate::store::log_pages::LogFilter;
use crate::store::tests::{TestStore, row};

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_recorded_row_is_written_within_a_quarter_of_a_second() {
    let store = TestStore::new();
    let journal = Journal::start((*store).clone()).unwrap();
    let recorded_at = Instant::now();

    journal.record(row(1));
    while journal.counts().written == 0 && recorded_at.elapsed() < LIMIT {
        tokio::task::yield_now().await;
    }

    // The time a batch is gathered and the time a loaded machine may take to write it.
    assert!(recorded_at.elapsed() < Duration::from_millis(250 + 750));
    assert_eq!(rows(&store).await, 1);
}

#[tokio::test]
async fn a_flush_returns_when_all_that_was_recorded_is_written() {
    let store = TestStore::new();
    let journal = Journal::start((*store).clone()).unwrap();

    (0..10_000).for_each(|number| journal.record(row(number)));
    journal.flush().await.unwrap();
    let counts = journal.counts();
    journal.flush().await.unwrap();

    assert_eq!(counts, Counts { recorded: 10_000, written: 10_000, ..Counts::default() });
    assert_eq!(store.size().await.unwrap().log_rows, 10_000);
}

#[tokio::test]
async fn closing_writes_what_is_left_and_takes_nothing_more() {
    let store = TestStore::new();
    let journal = Journal::start((*store).clone()).unwrap();

    journal.record(row(1));
    journal.close(LIMIT).await;
    journal.record(row(2));
    journal.close(LIMIT).await;

    assert_eq!(journal.counts(), Counts { recorded: 1, written: 1, dropped: 1, failures: 0 });
    assert_eq!(rows(&store).await, 1);
}

#[tokio::test]
async fn rows_wait_while_another_process_writes_and_lose_nothing_within_the_bound() {
    let store = TestStore::new();
    let journal = Journal::with_bound((*store).clone(), 100).unwrap();
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    (0..130).for_each(|number| journal.record(row(number)));
    let refused = journal.flush().await;
    let during = journal.counts();
    other.execute_batch("ROLLBACK").unwrap();
    while journal.flush().await.is_err() {}

    assert!(refused.is_err());
    assert_eq!((during.recorded, during.dropped), (100, 30));
    assert_eq!((during.written, during.failures), (0, 1));
    assert_eq!(journal.counts(), Counts { recorded: 100, written: 100, dropped: 30, failures: 0 });
    assert_eq!(rows(&store).await, 100);
}

#[tokio::test]
async fn closing_gives_up_at_its_limit_and_counts_what_is_lost() {
    let store = TestStore::new();
    let journal = Journal::start((*store).clone()).unwrap();
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    journal.record(row(1));
    let begun = Instant::now();

    journal.close(Duration::from_millis(50)).await;

    assert!(begun.elapsed() < LIMIT);
    assert_eq!(journal.counts().dropped, 1);
}

#[tokio::test]
async fn a_closed_store_never_reaches_a_request() {
    let store = TestStore::new();
    let journal = Journal::start((*store).clone()).unwrap();
    store.close().await;

    journal.record(row(1));
    let refused = journal.flush().await;

    assert!(refused.is_err());
    journal.close(LIMIT).await;
    assert_eq!(journal.counts().written, 0);
}

async fn rows(store: &TestStore) -> usize {
    store.log_page(LogFilter::ALL, None, 1_000).await.unwrap().rows.len()
}
