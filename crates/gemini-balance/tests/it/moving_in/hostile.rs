//! What cannot be taken over: said clearly, and nothing is changed.

use std::fs;

use rusqlite::Connection;

use crate::moving_in::{Desk, fixture, looks};
use crate::support::process::Process;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_or_something_else_changes_nothing() {
    let desk = Desk::new();
    let whole = fs::read(fixture(10)).unwrap();
    desk.file("cut.db", &whole[..whole.len() / 2]);
    desk.file("head.db", &whole[..60]);
    let mut garbled = whole.clone();
    garbled[4_096..8_192].fill(0xA5);
    desk.file("garbled.db", garbled);
    desk.file("empty.db", "");
    desk.file("utf16.txt", [0xFF, 0xFE, b'A', 0, b'I', 0]);
    desk.file("latin1.txt", b"Schl\xfcssel: AIzaSyExample-000000000001");
    desk.file("letter.txt", "Dear all,\nplease find no keys below.\n");
    desk.file("settings.env", "PASSWORD=a good one\nPORT=8090\n");
    desk.file("broken.json", "[\"AIzaSyExample-000000000001\"");
    desk.file("other.json", "{\"hello\": \"world\"}");
    desk.database(
        "other.db",
        "CREATE TABLE recipes (id INTEGER); CREATE VIEW key_states AS SELECT 1;",
    );
    desk.database("ours.db", "PRAGMA application_id = 1195532652; CREATE TABLE meta (key TEXT);");
    // Elsewhere, since all files of the desk are searched for secrets.
    let elsewhere = tempfile::tempdir().unwrap();
    let huge = elsewhere.path().join("huge.txt");
    fs::File::create(&huge).unwrap().set_len(10 << 30).unwrap();
    let before = looks(&desk.path("cut.db"));

    for (name, words) in [
        ("cut.db", "is damaged: it is cut short"),
        ("head.db", "is damaged: it is cut short"),
        ("garbled.db", "is damaged"),
        ("empty.db", "it is empty"),
        ("utf16.txt", "save it as UTF-8"),
        ("latin1.txt", "nor a text in UTF-8 (byte 4)"),
        ("letter.txt", "no line of it is a key"),
        ("settings.env", "no line of it is a key"),
        ("broken.json", "begins like JSON"),
        ("other.json", "JSON without a list of keys"),
        ("other.db", "not known here (tables: recipes)"),
        ("ours.db", "a database of this program"),
        (huge.to_str().unwrap(), "larger than any list of keys"),
        ("absent.db", "No such file"),
        (".", "directory"),
    ] {
        let (code, said) = desk.import(&[name]).await;
        assert_eq!(code, 1, "{name}: {said}");
        assert!(said.contains(words), "{name}: {said}");
        assert!(!said.contains("AIzaSyExample-0"), "{said}");
        assert!(!desk.path("data").exists(), "{name}: nothing was made");
    }
    assert_eq!(looks(&desk.path("cut.db")), before, "and nothing was touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_open_is_read_and_left_alone() {
    let desk = Desk::new();
    let old = desk.file("old/sqlite.db", fs::read(fixture(10)).unwrap());
    let writer = Connection::open(&old).unwrap();
    writer
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
         INSERT INTO auth_keys VALUES ('a-key-that-is-only-in-the-log', 'carol');",
        )
        .unwrap();
    let before = looks(&old);
    assert!(before.iter().any(|(path, _)| path.ends_with("sqlite.db-wal")));

    let (code, said) = desk.import(&["old/sqlite.db"]).await;

    assert_eq!(code, 0, "{said}");
    assert!(said.contains("10 service keys, 4 user keys, 3,823 log rows"), "{said}");
    assert_eq!(looks(&old), before, "database, log and index are untouched");
    let left = fs::read_dir(desk.path("data")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with("moving-in-")));
    drop(writer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_database_with_a_log_of_its_own_kind_is_left_without_one() {
    let desk = Desk::new();
    let old = desk.file("old/sqlite.db", fs::read(fixture(9)).unwrap());
    Connection::open(&old).unwrap().execute_batch("PRAGMA journal_mode = WAL;").unwrap();
    let before = looks(&old);
    assert_eq!(before.len(), 1);

    let (code, said) = desk.import(&["old/sqlite.db"]).await;

    assert_eq!(code, 0, "{said}");
    assert_eq!(looks(&old), before, "nothing came to lie beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_beside_a_damaged_database_says_what_to_do() {
    let desk = Desk::new();
    let whole = fs::read(fixture(10)).unwrap();
    desk.file("data/sqlite.db", &whole[..whole.len() / 2]);

    let mut refused = Process::start(desk.directory.path(), &[]);
    let code = refused.exit().await.code();
    assert_eq!(code, Some(1), "{}", refused.output());
    for words in ["data/sqlite.db", "cannot be taken over", "move it away", "cut short"] {
        assert!(refused.output().contains(words), "{words}: {}", refused.output());
    }
    fs::rename(desk.path("data/sqlite.db"), desk.path("broken.db")).unwrap();
    let mut started = Process::start(desk.directory.path(), &[]);
    started.address().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_beside_something_else_leaves_it_alone() {
    let desk = Desk::new();
    desk.database("data/sqlite.db", "CREATE TABLE recipes (id INTEGER);");

    let mut started = Process::start(desk.directory.path(), &[]);

    started.address().await;
    assert!(started.output().contains("this is left alone"), "{}", started.output());
}
