//! Tokens that open sessions from a browser: they let in here, for what the upstream allows, and
//! nowhere else.

use dialect::Dialect;
use serde_json::json;

use super::{leave, path};
use crate::support::{Gateway, LiveClient, Said, Setup, handshake};

/// Has a token made that opens so many sessions.
async fn token(gateway: &Gateway, uses: u64) -> String {
    let made = gateway.gemini().post("/v1alpha/auth_tokens", &json!({"uses": uses})).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    assert!(made.get("x_unknown").is_some(), "the rest is as it came: {made}");
    made["name"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_as_many_sessions_as_the_upstream_allows_with_the_project_that_made_it() {
    let keys: Vec<_> = (1..=8).map(|number| format!("service-key-{number}")).collect();
    let gateway = Setup::default().keys(keys.iter().map(String::as_str)).start().await;
    let token = token(&gateway, 3).await;
    let maker = gateway.upstream.seen().pop().unwrap().key.unwrap();
    let target = path("v1alpha", "BidiGenerateContentConstrained");
    let bare = format!("Token {token}");
    let in_query = format!("{target}?access_token={token}");
    let both: [(&str, &str); 2] = [("x-goog-api-key", &token), ("authorization", &bare)];

    for (target, fields) in [(&target, both.as_slice()), (&in_query, &[]), (&target, &both[1..])] {
        let mut client = LiveClient::open_at(gateway.address(), target, fields).await;
        client.set_up().await;
        client.turn("hello").await;
        leave(client).await;
        let seen = gateway.upstream.seen().pop().unwrap();
        let [credential] = seen.credentials.as_slice() else { panic!("{seen:?}") };
        assert!(credential.starts_with("auth_tokens/") && *credential != token);
        assert_eq!(seen.header("authorization"), Some(format!("Token {credential}").as_str()));
    }
    // Used up: the upstream says so, and it is nobody's fault but the token's.
    let mut client = LiveClient::open_at(gateway.address(), &target, &both).await;
    assert_eq!(client.next().await.close().0, 1007);
    client.close(1007, "").await;
    assert_eq!(client.next().await, Said::Gone);

    assert!(keys.iter().all(|key| gateway.state_of(key) == "active"));
    let rows = gateway.final_rows().await;
    let mut by = rows.iter().map(|row| row.service_key_id);
    let made_by = by.next().unwrap();
    assert!(by.all(|key| key == made_by), "by the project that made it: {maker}");
    assert_eq!(rows.last().unwrap().error_kind.as_deref(), Some("key_invalid"));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_of_no_use_elsewhere_nor_without_its_user_key() {
    let gateway = Gateway::start().await;
    let token = token(&gateway, 1).await;
    let target = path("v1alpha", "BidiGenerateContentConstrained");

    // What the upstream has made is not what was handed out, and does not let in here.
    let ask = async |credential: &str| {
        let mut wire = gateway.wire().await;
        wire.send(handshake(&target, &[("x-goog-api-key", credential)])).await;
        wire.read_reply().await
    };
    let mut other = token.clone();
    other.truncate(token.len() - 4);
    gateway.assert_error(&ask(&other).await, Dialect::Gemini, 401, "invalid_api_key");
    let reply = gateway
        .stranger()
        .with("x-goog-api-key", &token)
        .post("/v1beta/models/m:generateContent", &json!({"contents": []}))
        .await;
    gateway.assert_error(&reply, Dialect::Gemini, 401, "invalid_api_key");

    let app = gateway.app();
    let id = app.user_keys.id_of(&gateway.user_key).unwrap();
    app.user_keys.delete(id, app.clock.wall_ms()).await.unwrap();
    gateway.assert_error(&ask(&token).await, Dialect::Gemini, 401, "invalid_api_key");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_outlives_a_restart() {
    let gateway = Gateway::start().await;
    let token = token(&gateway, 1).await;

    let gateway = gateway.restart().await;

    let target = path("v1alpha", "BidiGenerateContentConstrained");
    let fields = [("x-goog-api-key", token.as_str())];
    let mut client = LiveClient::open_at(gateway.address(), &target, &fields).await;
    client.set_up().await;
    leave(client).await;
    gateway.close().await;
}
