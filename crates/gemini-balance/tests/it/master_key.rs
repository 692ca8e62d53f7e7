//! Another master key: everything is sealed anew, everybody is still known, and a death in between
//! leaves one of the two keys in force.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fake_upstream::Upstream;
use serde_json::json;
use tempfile::TempDir;

use crate::support::process::{Process, furnish, leading_to, log_in, with};
use crate::support::{Ask, Canaries, Client};

const FIRST: &str = "9a6f0c3b57d1e284f3a1c2d4e5b60718";
const SECOND: &str = "f3a1c2d4e5b60718293a4b5c6d7e8f90";

/// A data directory, with these settings besides.
struct House {
    directory: TempDir,
    settings: Vec<(String, String)>,
    user_key: String,
    upstream: Upstream,
}

impl House {
    async fn furnished(more: &[(&str, &str)]) -> Self {
        let upstream = Upstream::start().await.unwrap();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings = leading_to(&upstream).into_iter().chain(more.iter().map(own)).collect();
        let directory = tempfile::tempdir().unwrap();
        let mut house = Self { directory, settings, user_key: String::new(), upstream };
        let (gateway, admin) = house.serve().await;
        house.user_key = furnish(&admin).await;
        drop(gateway);
        house
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    async fn serve(&self) -> (Process, Client) {
        let mut gateway = Process::start(self.path(), &with(&self.settings, &[]));
        let admin = log_in(gateway.address().await).await;
        (gateway, admin)
    }

    async fn run(&self, command: &[&str], input: &str) -> (i32, String) {
        let mut process = Process::feed(self.path(), command, &with(&self.settings, &[]), input);
        let code = process.exit().await.code().unwrap();
        (code, process.output())
    }

    /// Everybody is known, every key opens, and another can be added.
    async fn serves_as_before(&self) {
        let (_gateway, admin) = self.serve().await;
        Ask::openai().is_answered(&Client::new(admin.address()).bearer(&self.user_key)).await;
        let added = admin.post("/api/keys", &json!({"api_keys": ["a-later-service-key"]})).await;
        assert_eq!(added.json()["results"][0]["result"], "added");
        let name = added.json()["results"][0]["key_identifier"].as_str().unwrap().to_owned();
        let again = admin.post("/api/keys", &json!({"api_keys": ["a-later-service-key"]})).await;
        assert_eq!(again.json()["results"][0]["result"], "duplicate");
        admin.delete(&format!("/api/keys/{name}")).await;
    }

    fn secrets(&self) -> String {
        fs::read_to_string(self.path().join("data/secrets")).unwrap()
    }

    fn sealed(&self) -> Vec<u8> {
        let database = self.path().join("data/gemini-balance.db");
        let connection = rusqlite::Connection::open(database).unwrap();
        let sql = "SELECT sealed FROM service_keys WHERE sealed IS NOT NULL";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_another_master_key_everybody_is_still_known() {
    let house = House::furnished(&[]).await;
    let (secrets, sealed) = (house.secrets(), house.sealed());

    let (code, said) = house.run(&["rotate-key"], "").await;

    assert_eq!(code, 0, "{said}");
    assert!(said.contains("1 service keys are sealed"), "{said}");
    assert_ne!(house.secrets(), secrets);
    assert_ne!(house.sealed(), sealed);
    let bytes = fs::read(house.path().join("data/gemini-balance.db")).unwrap();
    assert!(memchr::memmem::find(&bytes, &sealed).is_none(), "the former seal is gone");
    house.serves_as_before().await;
    let (code, said) = house.run(&["rotate-key"], "").await;
    assert_eq!(code, 0, "a second time: {said}");
    house.serves_as_before().await;
    let latest = house.secrets();
    fs::write(house.path().join("data/secrets"), secrets).unwrap();
    let (code, said) = house.run(&["keys", "list"], "").await;
    assert_eq!(code, 1);
    assert!(said.contains("another master key"), "{said}");
    fs::write(house.path().join("data/secrets"), latest).unwrap();
    house.serves_as_before().await;
    assert!(house.upstream.seen().len() >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_master_key_is_changed_for_the_one_that_is_given() {
    let mut house = House::furnished(&[("ENCRYPTION_KEY", FIRST)]).await;
    Canaries::of_processes().learn(SECOND);

    let (same, why) = house.run(&["rotate-key"], &format!("{FIRST}\n")).await;
    let (weak, why_weak) = house.run(&["rotate-key"], "short\n").await;
    house.serves_as_before().await;
    let (code, said) = house.run(&["rotate-key"], &format!("{SECOND}\n")).await;

    assert_eq!((same, weak, code), (1, 1, 0), "{said}");
    assert!(why.contains("is the one that is in force"), "{why}");
    assert!(why_weak.contains("shorter than 32 bytes"), "{why_weak}");
    let (former, why) = house.run(&["keys", "list"], "").await;
    assert_eq!(former, 1);
    assert!(why.contains("another master key"), "{why}");
    house.settings.retain(|(name, _)| name != "ENCRYPTION_KEY");
    house.settings.push(("ENCRYPTION_KEY".to_owned(), SECOND.to_owned()));
    house.serves_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_dies_leaves_one_of_the_two_keys_in_force() {
    let house = House::furnished(&[]).await;

    for round in 0..20 {
        let changing = Process::run(house.path(), &["rotate-key"], &with(&house.settings, &[]));
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        drop(changing);

        let (code, said) = house.run(&["keys", "list"], "").await;
        assert_eq!(code, 0, "{said}");
        assert_eq!(said.matches("active").count(), 1, "its key can be read: {said}");
        assert!(!house.path().join("data/secrets.next").exists(), "it was settled");
    }
    house.serves_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_lies_between_the_two_files_the_database_decides() {
    let house = House::furnished(&[]).await;
    let (data, next) = (house.path().join("data"), house.path().join("data/secrets.next"));
    let (former, database) = (house.secrets(), data.join("gemini-balance.db"));
    // What a killed gateway left beside the database goes into it.
    house.run(&["keys", "list"], "").await;
    let before = fs::read(&database).unwrap();
    house.run(&["rotate-key"], "").await;
    let (latter, after) = (house.secrets(), fs::read(&database).unwrap());

    // Died before the database changed, and behind it.
    for (kept, in_force) in [(&before, &former), (&after, &latter)] {
        fs::write(&database, kept).unwrap();
        fs::write(data.join("secrets"), &former).unwrap();
        fs::write(&next, &latter).unwrap();

        let (code, said) = house.run(&["keys", "list"], "").await;

        assert_eq!((code, said.matches("active").count()), (0, 1), "{said}");
        assert_eq!(house.secrets(), *in_force);
        assert!(!next.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_running_gateway_is_left_alone() {
    let house = House::furnished(&[]).await;
    let (_gateway, _) = house.serve().await;
    let secrets = house.secrets();

    let (code, said) = house.run(&["rotate-key"], "").await;

    assert_eq!(code, 1);
    assert!(said.contains("in use by another process"), "{said}");
    assert_eq!(house.secrets(), secrets);
    assert!(!house.path().join("data/secrets.next").exists());
}
