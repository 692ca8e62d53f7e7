//! Backups: made while the gateway serves, put back elsewhere, refused when they will not do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fake_upstream::Upstream;
use gemini_balance::clock::Clock;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::process::{Process, furnish, leading_to, log_in, with};
use crate::support::{Ask, Client, Setup, eventually};

const PASSPHRASE: &str = "a passphrase nobody guesses";
const SEALED: [(&str, &str); 1] = [("BACKUP_PASSPHRASE", PASSPHRASE)];

/// A data directory with one user key and one service key in it, and no gateway on it.
struct House {
    directory: TempDir,
    settings: Vec<(String, String)>,
    user_key: String,
    upstream: Upstream,
}

impl House {
    async fn furnished() -> Self {
        let upstream = Upstream::start().await.unwrap();
        let (directory, settings) = (tempfile::tempdir().unwrap(), leading_to(&upstream));
        let mut house = Self { directory, settings, user_key: String::new(), upstream };
        let (gateway, admin) = house.serve().await;
        house.user_key = furnish(&admin).await;
        end(gateway).await;
        house
    }

    async fn serve(&self) -> (Process, Client) {
        serve(self.path(), &self.settings).await
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn database(&self) -> PathBuf {
        self.path().join("data/gemini-balance.db")
    }

    /// Runs a command on this directory.
    async fn run(&self, command: &[&str], more: &[(&str, &str)]) -> (i32, String) {
        run(self.path(), command, more).await
    }
}

async fn serve(directory: &Path, settings: &[(String, String)]) -> (Process, Client) {
    let mut gateway = Process::start(directory, &with(settings, &[]));
    let admin = log_in(gateway.address().await).await;
    (gateway, admin)
}

async fn end(mut gateway: Process) {
    gateway.signal("TERM");
    assert!(gateway.exit().await.success(), "{}", gateway.output());
}

async fn run(directory: &Path, command: &[&str], settings: &[(&str, &str)]) -> (i32, String) {
    let mut process = Process::run(directory, command, settings);
    let code = process.exit().await.code().unwrap();
    (code, process.output())
}

/// Every row of a database but the sessions, which end with a restore.
fn contents(database: &Path) -> BTreeMap<String, Vec<String>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = Connection::open_with_flags(database, flags).unwrap();
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sessions'";
    let mut tables = connection.prepare(sql).unwrap();
    let names = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows_of = |table: &str| -> Vec<String> {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap()));
            Ok(values.collect::<Vec<_>>().join(" "))
        });
        let mut rows: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        rows.sort_unstable();
        rows
    };
    names.map(|name| name.unwrap()).map(|name| (name.clone(), rows_of(&name))).collect()
}

/// Every file of a data directory with its bytes, but for the lock and what a reader leaves.
fn bytes_of(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(bytes_of(&path));
        } else if !path.to_string_lossy().ends_with(".lock") {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_under_load_is_restored_elsewhere_whole() {
    let house = House::furnished().await;
    let (gateway, admin) = house.serve().await;
    let caller = Client::new(admin.address()).bearer(&house.user_key);
    let is_enough = Arc::<AtomicBool>::default();
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let (caller, is_enough) = (caller.clone(), Arc::clone(&is_enough));
        callers.spawn(async move {
            let mut asked = 0;
            while !is_enough.load(Ordering::Relaxed) {
                Ask::openai().is_answered(&caller).await;
                asked += 1;
            }
            asked
        });
    }
    eventually("the log has rows", async || {
        admin.get("/api/request_logs").await.json()["total"].as_u64().unwrap() > 100
    })
    .await;

    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("backup.sealed");
    let file = file.to_str().unwrap();
    let (made, said) = house.run(&["backup", file], &SEALED).await;
    is_enough.store(true, Ordering::Relaxed);
    let asked: usize = callers.join_all().await.into_iter().sum();
    end(gateway).await;
    let (restored, said_then) = run(elsewhere.path(), &["restore", file], &SEALED).await;

    assert_eq!((made, restored), (0, 0), "{said}{said_then}");
    let then = contents(&elsewhere.path().join("data/gemini-balance.db"));
    let now = contents(&house.database());
    for table in ["admin", "meta", "user_keys", "service_keys"] {
        let ours = |it: &BTreeMap<String, Vec<String>>| it[table].len();
        assert_eq!(ours(&then), ours(&now), "{table}");
    }
    let rows = &then["request_logs"];
    assert!(100 <= rows.len() && rows.len() <= asked, "{} rows of {asked}", rows.len());
    assert!(rows.iter().all(|row| now["request_logs"].contains(row)), "each is one of the others");
    assert_eq!(attempts_in_sums(elsewhere.path()), rows.len(), "rows and sums are of one moment");
    let (gateway, admin) = serve(elsewhere.path(), &house.settings).await;
    let caller = Client::new(admin.address()).bearer(&house.user_key);
    Ask::openai().is_answered(&caller).await;
    let keys = admin.get("/api/keys").await.json();
    assert_eq!((&keys["total"], &keys["keys"][0]["state"]), (&1.into(), &"active".into()));
    end(gateway).await;
}

fn attempts_in_sums(directory: &Path) -> usize {
    let connection = Connection::open(directory.join("data/gemini-balance.db")).unwrap();
    let sql = "SELECT sum(attempts) FROM loose_sums WHERE dimension = 0";
    let attempts: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    usize::try_from(attempts).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_is_the_same_row_for_row() {
    let house = House::furnished().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let [plain, sealed] = ["copy.db", "copy.sealed"].map(|name| elsewhere.path().join(name));
    let [plain, sealed] = [&plain, &sealed].map(|path| path.to_str().unwrap());
    let secrets = house.path().join("data/secrets");
    let secrets = secrets.to_str().unwrap();
    let before = contents(&house.database());

    for (file, made_with, words) in [
        (plain, &[][..], &["restore", plain, "--secrets", secrets][..]),
        (sealed, &SEALED[..], &["restore", sealed][..]),
    ] {
        let place = tempfile::tempdir().unwrap();
        let (made, said) = house.run(&["backup", file], made_with).await;
        let (restored, said_then) = run(place.path(), words, made_with).await;

        assert_eq!((made, restored), (0, 0), "{said}{said_then}");
        assert_eq!(contents(&place.path().join("data/gemini-balance.db")), before);
        let settings = fs::read_to_string(place.path().join("data/restored.env"));
        assert_eq!(settings.is_ok(), !made_with.is_empty(), "a sealed one holds the settings");
        assert!(settings.is_ok_and(|it| it.contains("BACKUP_PASSPHRASE=")) || made_with.is_empty());
        drop(fs::remove_file(place.path().join("data/restored.env")));
        let kept = [secrets, place.path().join("data/secrets").to_str().unwrap()].map(fs::read);
        assert_eq!(kept[0].as_ref().unwrap(), kept[1].as_ref().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_a_restore_is_kept() {
    let (one, two) = (House::furnished().await, House::furnished().await);
    let file = one.path().join("one.sealed");
    let file = file.to_str().unwrap();
    one.run(&["backup", file], &SEALED).await;
    let (ones, twos) = (contents(&one.database()), contents(&two.database()));

    let (code, said) = two.run(&["restore", file], &SEALED).await;

    assert_eq!(code, 0, "{said}");
    assert_eq!(contents(&two.database()), ones);
    let kept = said.lines().find_map(|line| line.split_once("is kept as ")).unwrap().1;
    let secrets = fs::read_dir(two.path().join("data/backups")).unwrap();
    let secrets = secrets.map(|entry| entry.unwrap().path());
    let secrets = secrets.into_iter().find(|it| it.to_string_lossy().contains("secrets")).unwrap();
    let back = ["restore", kept, "--secrets", secrets.to_str().unwrap()];
    let (code, said) = two.run(&back, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(contents(&two.database()), twos);
    let (gateway, admin) = two.serve().await;
    Ask::openai().is_answered(&Client::new(admin.address()).bearer(&two.user_key)).await;
    end(gateway).await;
    assert!(!two.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_will_not_do_says_why_and_changes_nothing() {
    let house = House::furnished().await;
    let shelf = tempfile::tempdir().unwrap();
    let on_shelf = |name: &str| shelf.path().join(name).to_str().unwrap().to_owned();
    let [sealed, plain] = ["a.sealed", "a.db"].map(on_shelf);
    house.run(&["backup", &sealed], &SEALED).await;
    house.run(&["backup", &plain], &[]).await;
    let bytes = fs::read(&sealed).unwrap();
    let [cut, junk, newer, foreign] = ["cut", "junk", "newer.db", "foreign.db"].map(on_shelf);
    fs::write(&cut, &bytes[..bytes.len() - 100]).unwrap();
    fs::write(&junk, "no backup at all").unwrap();
    fs::copy(&plain, &newer).unwrap();
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    let other = [("BACKUP_PASSPHRASE", "another passphrase altogether")];
    let empty = tempfile::tempdir().unwrap();
    let before = bytes_of(&house.path().join("data"));

    for (file, settings, words) in [
        (&sealed, &[][..], "it is sealed"),
        (&sealed, &other[..], "the passphrase is another one"),
        (&cut, &SEALED[..], "damaged or cut off"),
        (&junk, &[][..], "no backup of this program"),
        (&newer, &[][..], "use a newer program"),
        (&foreign, &[][..], "not a database of this program"),
        (&on_shelf("absent"), &[][..], "cannot be read"),
    ] {
        let (code, said) = house.run(&["restore", file], settings).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(words), "{said}");
        assert_eq!(bytes_of(&house.path().join("data")), before, "{file}");
    }
    let (code, said) = run(empty.path(), &["restore", &plain], &[]).await;
    assert_eq!(code, 1);
    assert!(said.contains("--secrets"), "{said}");
    let stranger = [("ENCRYPTION_KEY", "f3a1c2d4e5b60718293a4b5c6d7e8f90")];
    let (code, said) = run(empty.path(), &["restore", &plain], &stranger).await;
    assert_eq!(code, 1);
    assert!(said.contains("another master key"), "{said}");
    assert_eq!(bytes_of(&empty.path().join("data")), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_is_backed_up_and_not_restored_over() {
    let house = House::furnished().await;
    let (gateway, _) = house.serve().await;
    let file = house.path().join("a.sealed");
    let file = file.to_str().unwrap();

    let (made, _) = house.run(&["backup", file], &SEALED).await;
    let (restored, said) = house.run(&["restore", file], &SEALED).await;
    let own = house.database();
    let (over_itself, why) = house.run(&["backup", own.to_str().unwrap()], &[]).await;

    assert_eq!((made, restored, over_itself), (0, 1, 1));
    assert!(said.contains("a gateway runs on") && said.contains("stop it first"), "{said}");
    assert!(why.contains("belongs to the gateway"), "{why}");
    end(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_dies_leaves_all_of_the_old_or_all_of_the_new() {
    let (one, two) = (House::furnished().await, House::furnished().await);
    let file = one.path().join("one.db");
    let file = file.to_str().unwrap();
    one.run(&["backup", file], &[]).await;
    let secrets = one.path().join("data/secrets");
    let words = ["restore", file, "--secrets", secrets.to_str().unwrap()];
    let names = [&one, &two].map(|house| identity(&house.database()));

    for round in 0..16 {
        let restoring = Process::run(two.path(), &words, &[]);
        tokio::time::sleep(Duration::from_millis(4 * round)).await;
        drop(restoring);

        let (code, said) = two.run(&["keys", "list"], &[]).await;
        assert_eq!(code, 0, "{said}");
        assert_eq!(said.matches("active").count(), 1, "its key can be read: {said}");
        assert!(names.contains(&identity(&two.database())));
    }
}

/// Tells one database from another.
fn identity(database: &Path) -> Vec<u8> {
    let connection = Connection::open(database).unwrap();
    let sql = "SELECT value FROM meta WHERE key = 'vault_check_value'";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_made_by_themselves_and_the_last_ones_kept() {
    let clock = Clock::manual(1_796_000_000_000);
    let mut gateway = Setup::default()
        .clock(&clock)
        .set("BACKUP_EVERY_HOURS", 1)
        .set("BACKUP_KEEP", 2)
        .start()
        .await;
    let directory = gateway.directory.path().join("data/backups");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|it| it.file_name().into_string().unwrap()).collect();
        names.sort();
        names.retain(|name| name.ends_with(".backup"));
        names
    };
    let mut seen = Vec::new();

    for hour in 0..4 {
        eventually("a backup is there", async || {
            names().last().is_some_and(|name| !seen.contains(name))
        })
        .await;
        seen.push(names().last().unwrap().clone());
        eventually("older ones are gone", async || names().len() == (hour + 1).min(2)).await;
        gateway = gateway.restart().await;
        assert_eq!(names().last(), seen.last(), "none before its time");
        clock.advance(60 * 60 * 1_000);
        gateway = gateway.restart().await;
    }

    let copy = Connection::open(directory.join(&seen[3])).unwrap();
    let keys: i64 =
        copy.query_row("SELECT count(*) FROM service_keys", [], |row| row.get(0)).unwrap();
    assert_eq!(keys, 3);
    let health = gateway.admin().await.get("/api/system").await.json()["health"].clone();
    let of_backups = health.as_array().unwrap().iter().find(|it| it["part"] == "backups").unwrap();
    assert_eq!(of_backups["is_ok"], true);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_backup_that_fails_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let gateway = Setup::default()
        .set("BACKUP_EVERY_HOURS", 1)
        .set("BACKUP_DIR", file.join("below").display())
        .start()
        .await;
    let admin = gateway.admin().await;

    eventually("it is told", async || {
        let health = admin.get("/api/system").await.json()["health"].clone();
        let parts = health.as_array().unwrap().clone();
        parts.iter().any(|it| it["part"] == "backups" && it["is_ok"] == false)
    })
    .await;
    gateway.close().await;
}
