//! What a credential is worth: a user key over every carrier and through its life, and every
//! token that is not the admin's.

use dialect::Dialect;
use fake_upstream::{Answer, When};
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::{Ask, Client, Gateway, Reply};

/// The places of a user key.
const CARRIERS: [&str; 5] = ["authorization", "x-goog-api-key", "x-api-key", "api-key", "?key="];
const MODELS: &str = "/v1beta/models";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_a_user_key_holds_for_every_place_of_it() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let bob = admin.post("/api/auth_keys", &json!({"alias": "bob"})).await.json();
    let (path, key) = (format!("/api/auth_keys/{}", bob["id"]), bob["api_key"].as_str().unwrap());
    let check = async |what: &str, status: u16| {
        let mut bodies = Vec::new();
        for carrier in CARRIERS {
            let reply = carried(&gateway, carrier, key).await;
            assert_eq!(reply.status, status, "{what} over {carrier}");
            bodies.push(reply.body);
        }
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{what}: one answer for all");
    };

    check("a good key", 200).await;
    for (change, status) in [
        (json!({"enabled": false}), 401),
        (json!({"enabled": true}), 200),
        (json!({"expires_at": "2020-01-01T00:00:00Z"}), 401),
        (json!({"expires_at": "2999-01-01T00:00:00Z"}), 200),
    ] {
        admin.send_json(Method::PUT, &path, &change).await;
        check(&change.to_string(), status).await;
    }
    admin.delete(&path).await;
    check("a deleted key", 401).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_known_only_as_a_whole_and_a_huge_one_not_at_all() {
    let gateway = Gateway::start().await;
    let key = &gateway.user_key;
    let (head, tail) = key.split_at(key.len() - 1);
    let other = if tail == "a" { "b" } else { "a" };
    let kept = carried(&gateway, "x-api-key", key).await;

    let unknown = carried(&gateway, "x-api-key", "gb-unknown").await;
    for near in [head.to_owned(), format!("{head}{other}"), format!("{key}a"), key.to_uppercase()] {
        let reply = carried(&gateway, "x-api-key", &near).await;
        gateway.assert_error(&reply, Dialect::Gemini, 401, "invalid_api_key");
        assert_eq!(reply.body, unknown.body, "nobody learns how near it was");
    }
    let mut wire = gateway.wire().await;
    let huge = "k".repeat(100 * 1024);
    wire.send(format!("GET {MODELS} HTTP/1.1\r\nhost: x\r\nx-api-key: {huge}\r\n\r\n")).await;
    let refused = wire.read_to_end().await;

    assert_eq!(kept.status, 200);
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431 "), "{refused:.80}");
    assert!(gateway.rows().await.len() == 1, "strangers cost no row");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_deleted_while_streaming_is_served_to_the_end_and_never_again() {
    let gateway = Gateway::start().await;
    gateway.upstream.on(When::any(), Answer::paced(4, 50));
    let admin = gateway.admin().await;
    let bob = admin.post("/api/auth_keys", &json!({"alias": "bob"})).await.json();
    let client = gateway.stranger().bearer(bob["api_key"].as_str().unwrap());
    let mut stream = Ask::openai().streamed().open(&client).await;
    stream.next().await.unwrap();

    assert_eq!(admin.delete(&format!("/api/auth_keys/{}", bob["id"])).await.status, 204);
    let refused = Ask::openai().of(&client).await;
    let rest = stream.collect().await;

    gateway.assert_error(&refused, Dialect::OpenAi, 401, "invalid_api_key");
    assert!(!rest.is_cut && rest.text().contains("[DONE]"), "{}", rest.text());
    let row = gateway.only_final_row().await;
    assert_eq!((row.status, row.user_key_id), (Some(200), bob["id"].as_i64()));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_given_again_has_no_history() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let make = async || admin.post("/api/auth_keys", &json!({"alias": "bob"})).await.json();
    let former = make().await;
    Ask::openai()
        .is_answered(&gateway.stranger().bearer(former["api_key"].as_str().unwrap()))
        .await;
    gateway.rows().await;
    admin.delete(&format!("/api/auth_keys/{}", former["id"])).await;

    let bob = make().await;

    assert_ne!((&bob["id"], &bob["api_key"]), (&former["id"], &former["api_key"]));
    let list = admin.get("/api/auth_keys").await.json();
    let listed = list.as_array().unwrap().iter().find(|it| it["alias"] == "bob").unwrap();
    assert_eq!((&listed["id"], &listed["call_count"]), (&bob["id"], &json!(0)));
    for (id, rows) in [(&bob["id"], 0), (&former["id"], 1)] {
        let log = admin.get(&format!("/api/request_logs?user_key_id={id}")).await.json();
        assert_eq!(log["logs"].as_array().unwrap().len(), rows, "{log}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_any_other_making_is_refused() {
    let gateway = Gateway::start().await;
    let now_s = gateway.app().clock.wall_ms() / 1_000;
    let ours = gateway.app().vault.token_key();
    let whole = gateway.admin_token().await;
    let claims: Value = decoded(whole.split('.').nth(1).unwrap());
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let url = format!("{}/jwks", gateway.upstream.url());
    let mut forged = Vec::new();
    // The header, though rightly signed.
    for header in [
        json!({"alg": "none", "typ": "JWT"}),
        json!({"alg": "None", "typ": "JWT"}),
        json!({"alg": "nOnE", "typ": "JWT"}),
        json!({"alg": "HS512", "typ": "JWT"}),
        json!({"alg": "RS256", "typ": "JWT"}),
        json!({"typ": "JWT"}),
        json!({"alg": "HS256", "typ": "JWT", "kid": "../../../dev/null"}),
        json!({"alg": "HS256", "typ": "JWT", "jku": url}),
        json!({"alg": "HS256", "typ": "JWT", "x5u": url}),
    ] {
        forged.push(signed(&header.to_string(), &claims.to_string(), &ours));
    }
    // The claims, though rightly signed.
    let mut endless = claims.clone();
    endless.as_object_mut().unwrap().remove("exp");
    for claims in [
        with("exp", json!(now_s - 1)),
        with("exp", json!((now_s + 3_600).to_string())),
        with("nbf", json!(now_s + 3_600)),
        with("sub", json!("admin")),
        with("jti", json!("unknown")),
        with("epoch", json!(u64::MAX)),
        endless,
        json!([]),
    ] {
        forged.push(signed(&header.to_string(), &claims.to_string(), &ours));
    }
    let huge = claims.to_string().replace(&claims["exp"].to_string(), "1e400");
    forged.push(signed(&header.to_string(), &huge, &ours));
    // The signature.
    let (rest, signature) = whole.rsplit_once('.').unwrap();
    forged.push(signed(&header.to_string(), &claims.to_string(), &[0; 32]));
    forged.push(format!("{rest}."));
    forged.push(format!("{rest}.{signature}A"));
    forged.push(format!("{whole}.{signature}"));
    forged.push(rest.to_owned());

    for token in &forged {
        for client in [gateway.stranger().bearer(token), cookie(&gateway, token)] {
            let reply = client.get("/api/keys").await;
            assert_eq!(reply.status, 401, "{token}: {}", reply.text());
        }
    }
    let mut wire = gateway.wire().await;
    let huge = "a".repeat(1 << 20);
    let head = format!("GET /api/keys HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {huge}\r\n\r\n");
    wire.send(head).await;
    let refused = wire.read_to_end().await;
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431 "), "{refused:.80}");
    assert_eq!(gateway.stranger().bearer(&whole).get("/api/keys").await.status, 200);
    assert!(gateway.upstream.seen().is_empty(), "nobody was asked for a key");
    gateway.close().await;
}

/// A question with a user key at one of its places.
async fn carried(gateway: &Gateway, carrier: &str, key: &str) -> Reply {
    let stranger = gateway.stranger();
    match carrier {
        "authorization" => stranger.bearer(key).get(MODELS).await,
        "?key=" => stranger.get(&format!("{MODELS}?key={key}")).await,
        name => stranger.with(name, key).get(MODELS).await,
    }
}

fn cookie(gateway: &Gateway, token: &str) -> Client {
    gateway.stranger().with("cookie", &format!("gb_session={token}"))
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn signed(header: &str, claims: &str, key: &[u8]) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{text}.{signature}")
}
