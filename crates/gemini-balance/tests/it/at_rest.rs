//! What lies on the disk: nothing secret in clear, and everything that a restart needs.

use std::path::Path;

use fake_upstream::{Answer, When};
use gemini_balance::clock::Clock;
use gemini_balance::store::calendar::TimeRange;
use http::StatusCode;
use serde_json::json;

use crate::support::{Ask, Gateway, MODEL, PASSWORD, Setup, Spoken};

/// Every file below a directory, with its bytes.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            found.push((entry.file_name().to_string_lossy().into_owned(), bytes));
        }
    }
    found
}

fn database(directory: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(directory.join("data/gemini-balance.db")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_a_running_gateway_holds_a_secret_in_clear() {
    let keys = ["canary-service-key-suspended", "canary-service-key-2"];
    let gateway = Setup::default().keys(keys).start().await;
    Ask::openai().is_answered(&gateway.openai()).await;
    let token = gateway.admin_token().await;
    gateway.rows().await;
    let backup = gateway.directory.path().join("copy.db");
    gateway.app().store.backup(backup).await.unwrap();

    let files = files(gateway.directory.path());

    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["gemini-balance.db", "gemini-balance.db-wal", "copy.db", "secrets"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let token_key = std::fs::read_to_string(gateway.directory.path().join("data/secrets")).unwrap();
    let master_key = token_key.split("master_key = ").nth(1).unwrap().get(..64).unwrap();
    for (name, bytes) in &files {
        for secret in [keys[0], keys[1], &gateway.user_key, PASSWORD, &token] {
            let found = memchr::memmem::find(bytes, secret.as_bytes());
            assert!(found.is_none(), "{secret} in {name}");
        }
        let has_master_key = memchr::memmem::find(bytes, master_key.as_bytes()).is_some();
        assert_eq!(has_master_key, name == "secrets", "the master key in {name}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_key_is_left_out_and_the_others_serve() {
    let gateway = Setup::default().keys(["the-damaged-key", "the-sound-key"]).start().await;
    let stopped = gateway.stop().await;
    let connection = database(stopped.directory.path());
    let mut sealed: Vec<u8> = connection
        .query_row("SELECT sealed FROM service_keys ORDER BY id LIMIT 1", [], |row| row.get(0))
        .unwrap();
    sealed[40] ^= 1;
    connection
        .execute(
            "UPDATE service_keys SET sealed = ?1 WHERE id = (SELECT min(id) FROM service_keys)",
            [&sealed],
        )
        .unwrap();
    drop(connection);

    let gateway = stopped.start().await;

    for _ in 0..3 {
        Ask::gemini().is_answered(&gateway.gemini()).await;
    }
    assert_eq!(gateway.keys_seen(), ["the-sound-key"; 3]);
    assert_eq!(gateway.app().pool.counts().total, 1);
    // Nothing is thrown away: the bit may be flipped back in a backup.
    let kept: Vec<u8> = database(gateway.directory.path())
        .query_row("SELECT sealed FROM service_keys ORDER BY id LIMIT 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, sealed);
    // The admin sees which one it is, and that it must be added again.
    let admin = gateway.admin().await;
    let damaged = admin.get("/api/keys?state=unreadable").await.json();
    assert_eq!(damaged["total"], 1, "{damaged}");
    let name = damaged["keys"][0]["key_identifier"].as_str().unwrap();
    assert!(Spoken::listen().contains("a service key cannot be decrypted"), "the log says so");
    let reset = admin.post(&format!("/api/keys/{name}/reset"), &json!({})).await;
    assert_eq!(reset.status, StatusCode::CONFLICT);
    assert_eq!(admin.delete(&format!("/api/keys/{name}")).await.status, StatusCode::OK);
    let added = admin.post("/api/keys", &json!({"api_keys": ["the-damaged-key"]})).await;
    assert_eq!(added.json()["results"][0]["result"], "added");
    assert_eq!(gateway.app().pool.counts().active, 2);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_lasts_until_the_same_wall_time_however_often_the_gateway_restarts() {
    let clock = Clock::manual(1_800_043_200_000);
    let keys = ["a-minute-key", "b-day-key", "c-zero-key", "d-failing-key"];
    let gateway = Setup::default()
        .keys(keys)
        .clock(&clock)
        .set("API_KEY_FAILURE_THRESHOLD", 1)
        .set("MAX_RETRIES", 0)
        .start()
        .await;
    for (key, answer) in [
        (keys[0], Answer::quota_per_minute(3_600)),
        (keys[1], Answer::quota_per_day(22)),
        (keys[2], Answer::limit_zero()),
        (keys[3], Answer::server_error(500)),
    ] {
        gateway.upstream.on(When::any().key(key), answer);
    }
    Ask::gemini().of(&gateway.gemini()).await;
    let (failing_ms, day_ms) =
        (gateway.rest_ms_of(keys[3], MODEL), gateway.rest_ms_of(keys[1], MODEL));

    clock.advance(60_000);
    let gateway = gateway.restart().await;
    clock.advance(60_000);
    let gateway = gateway.restart().await;

    assert_eq!(gateway.rest_ms_of(keys[0], MODEL), 3_600_000 - 120_000);
    assert_eq!(gateway.rest_ms_of(keys[1], MODEL), day_ms - 120_000);
    assert_eq!(gateway.rest_ms_of(keys[3], MODEL), failing_ms - 120_000);
    assert_eq!(gateway.bucket_of(keys[3], MODEL).unwrap().level, 1);
    assert_eq!(gateway.buckets_of(keys[2]), [(MODEL.to_owned(), "not_entitled")]);
    clock.advance(u32::try_from(failing_ms).unwrap() - 120_000);
    Ask::gemini().of(&gateway.gemini()).await;
    let again_ms = gateway.rest_ms_of(keys[3], MODEL);
    assert!(
        (540_000..=660_000).contains(&again_ms),
        "the second rest is twice as long: {again_ms}"
    );
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_and_log_are_the_same_after_a_restart() {
    let gateway = Gateway::start().await;
    gateway.upstream.on(When::any().nth(2), Answer::server_error(500));
    for _ in 0..5 {
        Ask::openai().streamed().is_answered(&gateway.openai()).await;
    }
    let known = async |gateway: &Gateway| {
        let store = &gateway.app().store;
        (gateway.rows().await, store.overview(TimeRange::ALL).await.unwrap())
    };
    let before = known(&gateway).await;

    let gateway = gateway.restart().await;

    assert_eq!(known(&gateway).await, before);
    assert_eq!((before.0.len(), before.1.usage.sums.attempts), (6, 6));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_wrong_keeps_no_key_away_for_good() {
    let clock = Clock::manual(1_800_043_200_000);
    let gateway = Setup::default().keys(["the-only-key"]).clock(&clock).start().await;
    gateway.upstream.on(When::any().times(1), Answer::quota_per_minute(600));
    let refused = Ask::gemini().of(&gateway.gemini()).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let stopped = gateway.stop().await;
    // As if the clock had been ten years ahead when the rest was written.
    database(stopped.directory.path())
        .execute("UPDATE budgets SET until_ms = until_ms + 315360000000", [])
        .unwrap();

    let gateway = stopped.start().await;

    assert_eq!(gateway.rest_ms_of("the-only-key", MODEL), 25 * 3_600_000);
    gateway.close().await;
}
