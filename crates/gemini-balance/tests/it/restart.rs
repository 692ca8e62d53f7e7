//! What a restart keeps, and what it refuses to touch.

use fake_upstream::{Answer, When};

use crate::support::leaks::files;
use crate::support::{Ask, MODEL, Setup, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_keys_their_states_users_and_the_log() {
    let keys = ["a-minute-key", "b-invalid-key", "c-broke-key", "d-good-key", "e-good-key"];
    let gateway = Setup::default().keys(keys).start().await;
    gateway.upstream.on(When::any().key(keys[0]), Answer::quota_per_minute(600));
    gateway.upstream.on(When::any().key(keys[1]), Answer::key_expired());
    gateway.upstream.on(When::any().key(keys[2]), Answer::no_credit());
    let admin = gateway.admin().await;
    let path = format!("/api/keys/{}", gateway.identifier_of(keys[4]));
    let edit = serde_json::json!({"project": "p", "tier": 3, "note": "spare"});
    admin.send_json(http::Method::PATCH, &path, &edit).await;
    for _ in 0..4 {
        Ask::openai().is_answered(&gateway.openai()).await;
    }
    let rest_ms = gateway.rest_ms_of(keys[0], MODEL);
    let rows = gateway.rows().await.len();

    let gateway = gateway.restart().await;

    let kept_ms = gateway.rest_ms_of(keys[0], MODEL);
    assert!(rest_ms > 590_000 && kept_ms > 580_000 && kept_ms <= rest_ms, "{rest_ms} {kept_ms}");
    assert_eq!(gateway.state_of(keys[1]), "invalid");
    assert_eq!(gateway.state_of(keys[2]), "no_credit");
    let spare = gateway.view_of(keys[4]);
    assert_eq!((spare.project.as_deref(), spare.tier), (Some("p"), 3));
    Ask::gemini().is_answered(&gateway.gemini()).await;
    assert_eq!(gateway.rows().await.len(), rows + 1);
    let admin = gateway.admin().await;
    let users = admin.get("/api/auth_keys").await.json();
    assert_eq!((&users[0]["alias"], &users[0]["call_count"]), (&"alice".into(), &5.into()));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learnt_while_the_database_was_locked_is_stored_when_it_is_free() {
    let gateway = Setup::default().keys(["the-only-key"]).start().await;
    let path = gateway.directory.path().join("data/gemini-balance.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    gateway.upstream.on(When::any(), Answer::quota_per_day(22));

    let refused = Ask::gemini().of(&gateway.gemini()).await;
    let app = gateway.app();
    eventually("writing has failed", async || app.journal.counts().failures > 1).await;
    other.execute_batch("ROLLBACK").unwrap();

    assert_eq!(refused.status, 429, "requests do not notice");
    eventually("all is stored", async || {
        let count = |sql| other.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        count("SELECT count(*) FROM budgets WHERE state = 'exhausted_today'") == 1
            && count("SELECT count(*) FROM request_logs") == 1
    })
    .await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_a_restart_and_ends_with_its_logout() {
    let gateway = Setup::default().start().await;
    let admin = gateway.admin_token().await;

    let gateway = gateway.restart().await;

    let client = gateway.stranger().bearer(&admin);
    assert_eq!(client.get("/api/auth/me").await.status, 200);
    client.post("/api/auth/logout", &serde_json::json!({})).await;
    assert_eq!(client.get("/api/auth/me").await.status, 401);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_stops_the_start_and_changes_nothing() {
    let gateway = Setup::default().start().await;
    let stopped = gateway.stop().await;
    let data = || {
        let mut files = files(stopped.directory.path());
        // A reader of the database leaves its shared memory and an empty log of writes behind.
        files.retain(|(path, bytes)| !path.ends_with("gemini-balance.db-shm") && !bytes.is_empty());
        files.sort();
        files
    };
    let before = data();
    assert!(!before.is_empty());

    let other = stopped.refusal("ENCRYPTION_KEY", "another-master-key-of-32-bytes-and-more").await;

    assert!(other.contains("another master key"), "{other}");
    assert!(data() == before, "nothing was written or removed");
    let secrets = stopped.directory.path().join("data/secrets");
    let kept = std::fs::read(&secrets).unwrap();
    std::fs::remove_file(&secrets).unwrap();
    let missing = stopped.refusal("LOG_LEVEL", "INFO").await;
    assert!(missing.contains("is missing: put it back"), "{missing}");
    assert!(!secrets.exists());
    assert!(data() == before, "nothing was written or removed");
    std::fs::write(&secrets, kept).unwrap();
    let gateway = stopped.start().await;
    Ask::gemini().is_answered(&gateway.gemini()).await;
    gateway.close().await;
}
