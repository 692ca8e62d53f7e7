//! Settings that change while the gateway runs: at once, checked, and with a record of who did it.

use std::fs;

use fake_upstream::{Answer, When};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Ask, Gateway, Setup, eventually};

async fn patch(gateway: &Gateway, changes: Value) -> crate::support::Reply {
    let body = json!({"changes": changes});
    gateway.admin().await.send_json(Method::PATCH, "/api/settings", &body).await
}

/// Value and source of a setting, as the API shows them.
async fn shown(gateway: &Gateway, name: &str) -> (String, String) {
    let settings = gateway.admin().await.get("/api/settings").await.json();
    let settings = settings["settings"].as_array().unwrap().clone();
    let setting = settings.iter().find(|it| it["name"] == name).unwrap();
    let text = |field: &str| setting[field].as_str().unwrap().to_owned();
    (text("value"), text("source"))
}

async fn changes(gateway: &Gateway) -> Vec<Value> {
    let reply = gateway.admin().await.get("/api/settings/changes").await;
    reply.json()["changes"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_in_force_at_once_and_after_a_restart_and_can_be_taken_back() {
    let gateway = Gateway::start().await;
    gateway.upstream.on(When::any(), Answer::server_error(500));
    let tries = async |gateway: &Gateway| {
        let before = gateway.upstream.seen().len();
        Ask::gemini().of(&gateway.gemini()).await;
        gateway.upstream.seen().len() - before
    };
    assert_eq!(tries(&gateway).await, 3);

    let changed = patch(&gateway, json!({"MAX_RETRIES": "0", "OVERHEAD_HEADER": "false"})).await;

    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    assert_eq!(tries(&gateway).await, 1);
    assert_eq!(shown(&gateway, "MAX_RETRIES").await, ("0".into(), "stored".into()));
    let gateway = gateway.restart().await;
    assert_eq!(tries(&gateway).await, 1);
    let back = patch(&gateway, json!({"MAX_RETRIES": null})).await;
    assert_eq!(back.status, StatusCode::OK);
    assert_eq!(shown(&gateway, "MAX_RETRIES").await, ("-1".into(), "default".into()));
    let told = changes(&gateway).await;
    let of = |index: usize, field: &str| told[index][field].as_str().unwrap().to_owned();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(
        (of(0, "name"), of(0, "from"), of(0, "to")),
        ("MAX_RETRIES".into(), "0".into(), "-1".into())
    );
    assert!(told.iter().all(|it| it["by"] == "admin at 127.0.0.1"), "{told:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_rests_change_too() {
    let gateway = Setup::default().keys(["a-lone-key"]).set("MAX_RETRIES", 0).start().await;
    gateway.upstream.on(When::any(), Answer::server_error(500));
    Ask::gemini().of(&gateway.gemini()).await;
    assert!(gateway.buckets_of("a-lone-key").iter().all(|(_, state)| *state != "cooling"));

    patch(&gateway, json!({"API_KEY_FAILURE_THRESHOLD": "1"})).await;
    Ask::gemini().model("gemini-2.5-pro").of(&gateway.gemini()).await;

    let buckets = gateway.buckets_of("a-lone-key");
    assert!(buckets.iter().any(|(_, state)| *state == "cooling"), "{buckets:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_not_do_changes_nothing() {
    let gateway = Setup::default().set("DRAIN_SECONDS", 7).start().await;

    for (wanted, status, words) in [
        (json!({"MAX_RETRIES": "many"}), 422, "whole number"),
        (json!({"MAX_RETRIES": "1", "PORT": "1"}), 422, "while the gateway runs"),
        (json!({"MAX_RETRIES": "1", "NO_SUCH": "1"}), 422, "while the gateway runs"),
        (json!({"ATTEMPT_TIMEOUT_SECONDS": "9000"}), 422, "longer than REQUEST_TIMEOUT_SECONDS"),
        (json!({"DRAIN_SECONDS": "9"}), 409, "goes before"),
    ] {
        let reply = patch(&gateway, wanted).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(reply.text().contains(words), "{}", reply.text());
    }

    assert_eq!(shown(&gateway, "MAX_RETRIES").await.1, "default");
    assert!(changes(&gateway).await.is_empty());
    assert!(!gateway.directory.path().join("data/settings.toml").exists());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_in_a_file_is_taken_up_and_a_mistake_in_it_is_not() {
    let gateway = Gateway::start().await;
    let file = gateway.directory.path().join("gemini-balance.toml");

    fs::write(&file, "max_retries = 0\n").unwrap();
    eventually("it is taken up", async || shown(&gateway, "MAX_RETRIES").await.0 == "0").await;
    let told = changes(&gateway).await;
    fs::write(&file, "max_retries = \"many\"\ndrain_seconds = 3\n").unwrap();
    let looked = gateway.app().clock.monotonic_ms() + 6_000;
    eventually("it has looked", async || looked < gateway.app().clock.monotonic_ms()).await;

    assert_eq!(told[0]["by"], "gemini-balance.toml", "{told:?}");
    assert_eq!(shown(&gateway, "MAX_RETRIES").await.0, "0");
    assert_eq!(shown(&gateway, "DRAIN_SECONDS").await.1, "default");
    fs::remove_file(&file).unwrap();
    let gateway = gateway.restart().await;
    eventually("what was changed meanwhile is kept in mind", async || {
        changes(&gateway).await[0]["by"].as_str().unwrap().starts_with("the start")
    })
    .await;
    gateway.close().await;
}
