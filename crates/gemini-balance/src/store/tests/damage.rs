//! Damage: what a crash, a full disk or a careless hand can leave behind is refused untouched, or
//! read as something that was true once.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::store::Store;
use crate::store::error::{OpenError, StoreError};
use crate::store::log_pages::LogFilter;
use crate::store::open::OpenOptions;
use crate::store::tests::{TestStore, options, row};
use crate::store::writer::Durability;

/// Bytes of a page, and of a page with its head in the write-ahead log.
const PAGE: usize = 4_096;
const FRAME: usize = 24 + PAGE;
/// Bytes of the head of the write-ahead log.
const WAL_HEAD: usize = 32;

/// The files of a database at one moment.
struct Files {
    database: Vec<u8>,
    wal: Vec<u8>,
}

impl Files {
    fn of(path: &Path) -> Self {
        Self { database: fs::read(path).unwrap(), wal: fs::read(wal_of(path)).unwrap() }
    }

    /// Lays them into a new directory.
    fn laid_out(&self) -> (TempDir, OpenOptions) {
        let directory = TempDir::new().unwrap();
        let options = options(&directory);
        fs::create_dir_all(options.path.parent().unwrap()).unwrap();
        fs::write(&options.path, &self.database).unwrap();
        fs::write(wal_of(&options.path), &self.wal).unwrap();
        (directory, options)
    }

    /// How many of the steps of [`written_step_by_step`] a start finds, all of them whole.
    async fn steps_found(&self) -> usize {
        let (_directory, options) = self.laid_out();
        let store = Store::open(&options).unwrap();
        let rows = store.log_page(LogFilter::ALL, None, 1_000).await.unwrap().rows.len();
        let command = store.meta("step").await.unwrap().map_or(0, |value| usize::from(value[0]));
        store.close().await;
        assert_eq!(finding(&options.path), "ok");
        assert!(command == rows || command == rows + 1, "step {command} and {rows} rows");
        rows + command
    }
}

/// A database whose write-ahead log holds commands and rows in turn: command 1, row 1, command 2 …
async fn written_step_by_step(steps: u8) -> Files {
    let store = TestStore::new();
    for step in 1..=steps {
        store.set_meta("step", vec![step]).await.unwrap();
        store.insert(&[row(step.into())]).await;
    }
    Files::of(&store.path())
}

#[tokio::test]
async fn what_the_disk_lost_of_the_write_ahead_log_is_the_end_and_nothing_else() {
    let whole = written_step_by_step(12).await;
    assert_eq!(whole.steps_found().await, 24);

    let mut found = Vec::new();
    // Around the edges of pages, and in the middle of them.
    for end in (0..whole.wal.len()).step_by(FRAME / 3).chain([WAL_HEAD, whole.wal.len() - 1]) {
        let database = whole.database.clone();
        let torn = Files { database, wal: whole.wal[..end].to_vec() };
        found.push((end, torn.steps_found().await));
    }

    found.sort_unstable();
    assert!(found.is_sorted_by_key(|(_, steps)| *steps), "{found:?}");
    assert_eq!((found[0].1, found.last().unwrap().1), (0, 23));
}

#[tokio::test]
async fn what_the_disk_wrote_too_late_or_wrongly_ends_the_write_ahead_log_there() {
    let whole = written_step_by_step(6).await;
    let frames = (whole.wal.len() - WAL_HEAD) / FRAME;

    let mut found = Vec::new();
    for frame in 0..frames {
        let at = WAL_HEAD + frame * FRAME;
        let mut lost = whole.wal.clone();
        lost[at..at + FRAME].fill(0);
        let mut torn = whole.wal.clone();
        torn[at + FRAME / 2..at + FRAME].fill(0x5a);
        let mut steps = Vec::new();
        for wal in [lost, torn] {
            steps.push(Files { database: whole.database.clone(), wal }.steps_found().await);
        }
        assert_eq!(steps[0], steps[1]);
        found.push(steps[0]);
    }

    assert!(found.is_sorted() && *found.last().unwrap() == 11, "{found:?}");
}

#[tokio::test]
async fn a_command_is_on_the_disk_when_it_is_answered_and_a_batch_with_the_system() {
    let store = TestStore::new();
    let synchronous = async |durability| {
        let pragma = store.write(durability, |transaction, _| {
            Ok(transaction.pragma_query_value(None, "synchronous", |row| row.get::<_, i32>(0))?)
        });
        pragma.await.unwrap()
    };

    // FULL is 2: each commit waits for the disk. NORMAL is 1: only a checkpoint does.
    assert_eq!(synchronous(Durability::OnDisk).await, 2);
    assert_eq!(synchronous(Durability::Batched).await, 1);
    assert_eq!(synchronous(Durability::OnDisk).await, 2);
}

#[tokio::test]
async fn leftovers_beside_a_good_database_do_no_harm() {
    let (_directory, options) = closed_with_rows(1).await;
    let foreign = written_step_by_step(3).await.wal;

    for (suffix, leftover) in [
        ("-wal", vec![]),
        ("-wal", vec![0; 2 * FRAME]),
        ("-wal", b"of another program".repeat(500)),
        ("-wal", foreign[..WAL_HEAD + FRAME / 2].to_vec()),
        ("-shm", vec![0x5a; 32_768]),
        ("-journal", vec![]),
        (".new", b"half".to_vec()),
    ] {
        fs::write(named(&options.path, suffix), leftover).unwrap();

        let store = Store::open(&options).unwrap();

        assert_eq!(store.meta("a").await.unwrap(), Some(vec![1]), "{suffix}");
        store.close().await;
        assert_eq!(finding(&options.path), "ok", "{suffix}");
    }
}

#[tokio::test]
async fn a_backup_that_is_put_back_is_not_mixed_with_a_log_that_was_left() {
    let (directory, options) = closed_with_rows(50).await;
    let backup = directory.path().join("copy.backup");
    Store::backup_file(&options.path, &backup).unwrap();
    let copy = fs::read(&backup).unwrap();
    let left = written_step_by_step(3).await.wal;

    for suffix in ["-wal", "-journal"] {
        fs::write(&options.path, &copy).unwrap();
        let stray = named(&options.path, suffix);
        fs::write(&stray, &left).unwrap();

        let refused = Store::open(&options).unwrap_err();

        assert!(matches!(&refused, OpenError::Stray { path } if *path == stray), "{refused:?}");
        assert!(refused.to_string().ends_with("move it away"), "{refused}");
        assert_eq!(fs::read(&options.path).unwrap(), copy);
        fs::remove_file(stray).unwrap();
        let store = Store::open(&options).unwrap();
        assert_eq!(store.meta("a").await.unwrap(), Some(vec![1]));
        store.close().await;
    }
}

#[tokio::test]
async fn a_write_ahead_log_of_another_gateway_is_refused() {
    let directory = TempDir::new().unwrap();
    let options = OpenOptions { proof: [8; 32], ..options(&directory) };
    Store::open(&options).unwrap().close().await;
    let before = fs::read(&options.path).unwrap();
    let left = written_step_by_step(3).await.wal;
    fs::write(wal_of(&options.path), &left).unwrap();

    let refused = Store::open(&options);

    assert!(matches!(refused, Err(OpenError::OtherMasterKey { .. })), "{refused:?}");
    assert_eq!(fs::read(&options.path).unwrap(), before);
    assert_eq!(fs::read(wal_of(&options.path)).unwrap(), left);
}

#[tokio::test]
async fn damage_found_while_running_is_an_error_of_that_call_alone() {
    let (_directory, options) = closed_with_rows(2_000).await;
    let store = Store::open(&options).unwrap();
    let damaged = damage_table(&options.path, "request_logs");

    let read = store.log_page(LogFilter::ALL, None, 1_000).await;
    let other = store.meta("a").await;

    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    assert_eq!(other.unwrap(), Some(vec![1]));
    store.close().await;
    let refused = Store::open(&options);
    assert!(matches!(refused, Err(OpenError::Corrupt { .. })), "{refused:?}");
    assert_eq!(fs::read(&options.path).unwrap(), damaged);
}

#[tokio::test]
async fn a_backup_of_a_damaged_database_is_none() {
    let (directory, options) = closed_with_rows(2_000).await;
    let store = Store::open(&options).unwrap();
    damage_table(&options.path, "request_logs");
    let backup = directory.path().join("copy.backup");

    let refused = store.backup(backup.clone()).await;

    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert!(!backup.exists());
}

/// A closed database with rows and a value.
async fn closed_with_rows(count: i64) -> (TempDir, OpenOptions) {
    let store = TestStore::new();
    store.set_meta("a", vec![1]).await.unwrap();
    store.insert(&(0..count).map(row).collect::<Vec<_>>()).await;
    let TestStore { store, directory } = store;
    store.close().await;
    let options = options(&directory);
    (directory, options)
}

/// Overwrites every page of a table's tree but its root, and answers the bytes of the file.
fn damage_table(path: &Path, table: &str) -> Vec<u8> {
    let connection = Connection::open(path).unwrap();
    let pages: Vec<u32> = connection
        .prepare("SELECT pageno - 1 FROM dbstat WHERE name = ?1 ORDER BY pageno LIMIT -1 OFFSET 1")
        .unwrap()
        .query_map([table], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    drop(connection);
    let mut bytes = fs::read(path).unwrap();
    for page in pages {
        let page = page as usize;
        bytes[page * PAGE..(page + 1) * PAGE].fill(0x5a);
    }
    fs::write(path, &bytes).unwrap();
    bytes
}

fn finding(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap()
}

fn wal_of(path: &Path) -> PathBuf {
    named(path, "-wal")
}

fn named(path: &Path, suffix: &str) -> PathBuf {
    crate::store::open::beside(path, suffix)
}
