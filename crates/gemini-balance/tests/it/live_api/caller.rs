//! A session goes on for as long as its user key lets in.

use std::time::Duration;

use gemini_balance::clock::Clock;
use gemini_balance::store::user_keys::UserKeyChange;
use http::Method;
use serde_json::json;

use super::leave;
use crate::support::{Gateway, LIVE, LiveClient, Said, Setup};

const ENDED: &str = "The API key of this Live session is not valid here any more.";

/// Opens a session of another user; the id of their key.
async fn session_of(gateway: &Gateway, name: &str, expires_ms: Option<i64>) -> (LiveClient, i64) {
    let app = gateway.app();
    let now_ms = app.clock.wall_ms();
    let made = app.user_keys.create(name.to_owned(), String::new(), expires_ms, now_ms);
    let (row, secret) = made.await.unwrap();
    let fields = [("x-goog-api-key", secret.expose())];
    let mut client = LiveClient::open_at(gateway.address(), LIVE, &fields).await;
    client.set_up().await;
    client.turn("hello").await;
    (client, row.id)
}

async fn is_told_that_it_is_over(mut client: LiveClient) {
    assert_eq!(client.next().await.close(), (1008, ENDED.to_owned()));
    assert_eq!(client.next().await, Said::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_its_user_key_is_deleted_disabled_or_given_another_secret() {
    let gateway = Setup::default().set("HEARTBEAT_SECONDS", 0).start().await;
    let mut alice = LiveClient::open(&gateway).await;
    alice.set_up().await;
    let (deleted, delete) = session_of(&gateway, "deleted", None).await;
    let (disabled, disable) = session_of(&gateway, "disabled", None).await;
    let (rotated, rotate) = session_of(&gateway, "rotated", None).await;
    let (mut renamed, rename) = session_of(&gateway, "renamed", None).await;
    let admin = gateway.admin().await;
    let path = |id: i64| format!("/api/auth_keys/{id}");

    assert_eq!(
        admin.send_json(Method::PUT, &path(rename), &json!({"alias": "bob"})).await.status,
        200
    );
    assert_eq!(admin.delete(&path(delete)).await.status, 204);
    assert_eq!(
        admin.send_json(Method::PUT, &path(disable), &json!({"enabled": false})).await.status,
        200
    );
    let rotation = admin.post(&format!("{}/rotate", path(rotate)), &json!({})).await;
    assert_eq!(rotation.status, 200);

    for client in [deleted, disabled, rotated] {
        is_told_that_it_is_over(client).await;
    }
    // Whoever was not meant goes on.
    for client in [&mut alice, &mut renamed] {
        client.turn("and again").await;
    }
    leave(alice).await;
    leave(renamed).await;
    let rows = gateway.final_rows().await;
    let told = rows.iter().filter(|row| row.error_kind.as_deref() == Some("user_key_ended"));
    assert_eq!(told.clone().count(), 3);
    assert!(told.clone().all(|row| row.status == Some(101) && 0 < row.tokens.total.unwrap()));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_its_user_key_expires_and_not_when_it_would_have() {
    let clock = Clock::manual(1_800_000_000_000);
    let gateway = Setup::default().clock(&clock).set("HEARTBEAT_SECONDS", 0.1).start().await;
    let end_ms = clock.wall_ms() + 60_000;
    let (expiring, _) = session_of(&gateway, "expiring", Some(end_ms)).await;
    let (mut prolonged, id) = session_of(&gateway, "prolonged", Some(end_ms)).await;
    let change = UserKeyChange { expires_at_ms: Some(Some(end_ms * 2)), ..Default::default() };
    gateway.app().user_keys.update(id, change).await.unwrap();

    clock.advance(60_000);

    let mut expiring = expiring;
    let last = expiring.rest().await.pop().unwrap();
    assert_eq!(last.close(), (1008, ENDED.to_owned()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    prolonged.turn("and again").await;
    leave(prolonged).await;
    gateway.close().await;
}
