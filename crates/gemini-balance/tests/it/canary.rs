//! That the search for secrets finds them: without that, its silence would mean nothing.

use serde_json::json;

use crate::support::{Gateway, Setup};

const KEY: &str = "AIzaSyCanary-0123456789-abcdefghijklm01";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_found_wherever_it_gets_out() {
    let gateway = Setup::default().keys([KEY]).start().await;
    let app = gateway.app();
    assert!(gateway.leaks().await.is_empty(), "{:#?}", gateway.leaks().await);

    // The key is of this test alone: the log is everybody's.
    std::fs::write(gateway.directory.path().join("dump"), gateway.user_key.as_bytes()).unwrap();
    app.user_keys.create("bob".to_owned(), KEY.to_owned(), None, 0).await.unwrap();
    tracing::trace!(target: "gemini_balance::canary", "{KEY}");
    let leaks = gateway.leaks().await;

    for (secret, place) in [
        (gateway.user_key.as_str(), "/dump"),
        (KEY, "/api/auth_keys"),
        (KEY, "gemini-balance.db-wal"),
        (KEY, "the log"),
    ] {
        let is_it = |leak: &&String| leak.starts_with(secret) && leak.ends_with(place);
        assert!(leaks.iter().any(|leak| is_it(&leak)), "{secret} in {place}: {leaks:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "POST /api/auth_keys shows")]
async fn an_answer_with_a_secret_fails_the_test_that_reads_it() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    // Fails here already: what is made is shown.
    admin.post("/api/auth_keys", &json!({"alias": "bob", "note": "uses service-key-1"})).await;
}
