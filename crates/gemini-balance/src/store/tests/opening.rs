//! Opening: what is ours is brought up to date, what is not is left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::store::Store;
use crate::store::error::{OpenError, StoreError};
use crate::store::open::{self, OpenOptions};
use crate::store::tests::{TestStore, options, row};

#[tokio::test]
async fn only_we_may_read_the_database() {
    let store = TestStore::new();
    store.set_meta("a", vec![1]).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    let path = store.path();

    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[tokio::test]
async fn a_second_process_is_refused_while_the_first_is_open() {
    let store = TestStore::new();

    let second = Store::open(&options(&store.directory));

    assert!(matches!(second, Err(OpenError::InUse { .. })));
    let store = store.reopened().await;
    assert_eq!(store.meta("a").await.unwrap(), None);
}

#[tokio::test]
async fn closing_leaves_one_file_with_everything_in_it() {
    let store = TestStore::new();
    store.insert(&[row(1)]).await;
    let path = store.path();

    store.close().await;

    assert!(!path.with_extension("db-wal").exists());
    assert!(matches!(store.size().await, Err(StoreError::Closed)));
    let store = store.reopened().await;
    assert_eq!(store.size().await.unwrap().log_rows, 1);
}

#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let store = TestStore::new();
    store.set_meta("a", vec![1]).await.unwrap();
    store.insert(&[row(1)]).await;
    let crashed = TempDir::new().unwrap();
    let copy = options(&crashed);
    fs::create_dir_all(copy.path.parent().unwrap()).unwrap();
    for extension in ["db", "db-wal"] {
        let name = store.path().with_extension(extension);
        fs::copy(name, copy.path.with_extension(extension)).unwrap();
    }

    let recovered = Store::open(&copy).unwrap();

    assert_eq!(recovered.meta("a").await.unwrap(), Some(vec![1]));
    assert_eq!(recovered.size().await.unwrap().log_rows, 1);
}

#[tokio::test]
async fn a_newer_database_is_refused_untouched() {
    let directory = made_and_closed().await;
    let path = options(&directory).path;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();

    let refused = Store::open(&options(&directory)).unwrap_err();

    assert!(matches!(refused, OpenError::Newer { found: 99, known: 4, .. }), "{refused}");
    assert!(refused.to_string().contains("99"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn foreign_files_are_refused_untouched() {
    let directory = TempDir::new().unwrap();
    let path = options(&directory).path;
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (a)").unwrap();

    for content in [fs::read(&path).unwrap(), vec![b'x'; 5_000]] {
        fs::write(&path, &content).unwrap();

        let refused = Store::open(&options(&directory)).unwrap_err();

        assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn damaged_files_are_refused_untouched_and_the_newest_good_backup_is_named() {
    let directory = made_and_closed().await;
    let options = options(&directory);
    fs::create_dir_all(&options.backup_dir).unwrap();
    let backup = options.backup_dir.join("gemini-balance.v1-17.backup");
    Store::backup_file(&options.path, &backup).unwrap();
    fs::write(options.backup_dir.join("gemini-balance.v1-99.backup"), b"torn").unwrap();
    let good = fs::read(&options.path).unwrap();
    let mut zeroed_header = good.clone();
    zeroed_header[..100].fill(0);
    let mut overwritten = good.clone();
    overwritten[4_096 * 2..].fill(0x5a);

    for damaged in [&good[..good.len() - 4_096], &good[..50], &[], &zeroed_header, &overwritten] {
        fs::write(&options.path, damaged).unwrap();

        let refused = Store::open(&options).unwrap_err();

        assert!(
            matches!(&refused, OpenError::Corrupt { backup: Some(found), .. } if *found == backup),
            "{} bytes: {refused:?}",
            damaged.len()
        );
        assert_eq!(fs::read(&options.path).unwrap(), damaged);
    }
}

#[tokio::test]
async fn a_file_left_by_an_interrupted_creation_does_no_harm() {
    let directory = TempDir::new().unwrap();
    let path = options(&directory).path;
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path.with_extension("db.new"), b"half").unwrap();
    fs::write(path.with_extension("db-wal"), b"of another database").unwrap();

    let store = Store::open(&options(&directory)).unwrap();

    assert_eq!(store.size().await.unwrap().log_rows, 0);
}

#[tokio::test]
async fn a_new_database_needs_no_backup() {
    let store = TestStore::new();

    assert!(!options(&store.directory).backup_dir.exists());
}

#[tokio::test]
async fn a_backup_taken_while_rows_are_written_is_whole() {
    let store = TestStore::new();
    store.insert(&(0..1_000).map(row).collect::<Vec<_>>()).await;
    let restored = TempDir::new().unwrap();
    let copy = options(&restored).path;
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    let path = copy.clone();

    let rows: Vec<_> = (1_000..2_000).map(row).collect();
    let (backup, ()) = tokio::join!(store.backup(path), store.insert(&rows));

    backup.unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = Store::open(&options(&restored)).unwrap();
    assert!(1_000 <= restored.size().await.unwrap().log_rows);
}

#[tokio::test]
async fn commands_fail_after_a_time_while_another_process_writes() {
    let store = TestStore::new();
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();

    let refused = store.set_meta("a", vec![1]).await;
    let read = store.meta("a").await;
    other.execute_batch("ROLLBACK").unwrap();
    let accepted = store.set_meta("a", vec![2]).await;

    assert!(matches!(refused, Err(StoreError::Busy)));
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(read.unwrap(), None);
    assert!(accepted.is_ok());
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let options = OpenOptions {
        path: "/proc/nowhere/gemini-balance.db".into(),
        backup_dir: "/proc/nowhere".into(),
        now_ms: 0,
        proof: [7; 32],
    };

    let refused = Store::open(&options).unwrap_err();

    assert!(refused.to_string().contains("/proc/nowhere"), "{refused}");
}

#[test]
fn the_mark_in_the_header_is_ours() {
    assert_eq!(open::APPLICATION_ID.to_be_bytes(), *b"GBal");
}

async fn made_and_closed() -> TempDir {
    let TestStore { store, directory } = TestStore::new();
    store.close().await;
    directory
}
