//! Logging in and out, and what a session is worth.

use std::path::Path;

use gemini_balance::clock::Clock;
use gemini_balance::config::Config;
use gemini_balance::live::Live;
use gemini_balance::start::{self, Running};
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Client, Gateway, PASSWORD, Reply, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_json_or_a_form_of_either_kind() {
    let gateway = Gateway::start().await;
    let form = format!("username=x&password={}&grant_type=password", PASSWORD.replace(' ', "+"));
    let parts = format!(
        "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nx\r\n\
         --b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{PASSWORD}\r\n--b--\r\n"
    );
    let object = json!({"password": PASSWORD}).to_string();

    for path in ["/api/login", "/api/auth/login"] {
        for (content_type, body) in [
            ("application/json", &object),
            ("application/x-www-form-urlencoded", &form),
            ("multipart/form-data; boundary=b", &parts),
        ] {
            let client = gateway.stranger().with("content-type", content_type);
            let reply = client.send(Method::POST, path, body.clone()).await;
            assert_eq!(reply.status, 200, "{path} {content_type}: {}", reply.text());
            assert_eq!(reply.json()["token_type"], "bearer");
            let admin = gateway.stranger().bearer(reply.json()["access_token"].as_str().unwrap());
            assert_eq!(admin.get("/api/auth/me").await.json()["username"], "admin");
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_a_password_is_told_what_is_missing() {
    let gateway = Gateway::start().await;
    for (content_type, body) in [
        ("application/json", "{}"),
        ("application/x-www-form-urlencoded", "username=admin"),
        ("multipart/form-data; boundary=b", "--b--"),
    ] {
        let client = gateway.stranger().with("content-type", content_type);
        let reply = client.send(Method::POST, "/api/login", body).await;
        assert_eq!(reply.status, 422, "{content_type}");
        let problem = &reply.json()["detail"][0];
        assert_eq!(problem["type"], "missing", "{content_type}");
        assert_eq!(problem["loc"], json!(["body", "password"]), "{content_type}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ten_wrong_passwords_an_address_must_wait_whatever_it_claims_to_be() {
    let gateway = Gateway::start().await;
    for number in 0..10 {
        let client = gateway.stranger().with("x-forwarded-for", &format!("198.51.100.{number}"));
        let reply = try_password(&client, "wrong").await;
        assert_eq!(reply.status, 401);
        assert_eq!(reply.json()["detail"], "不正确的用户名或密码");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
    }

    let reply = try_password(&gateway.stranger(), PASSWORD).await;

    assert_eq!(reply.status, 429);
    assert!(1 <= reply.header("retry-after").parse::<u64>().unwrap());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_addresses_are_told_apart() {
    let gateway = Setup::default().set("TRUSTED_PROXIES", "127.0.0.0/8").start().await;
    let client = |address: &str| gateway.stranger().with("x-forwarded-for", address);
    for _ in 0..10 {
        try_password(&client("6.6.6.6, 198.51.100.1"), "wrong").await;
    }

    assert_eq!(try_password(&client("7.7.7.7, 198.51.100.1"), PASSWORD).await.status, 429);
    assert_eq!(try_password(&client("198.51.100.2"), PASSWORD).await.status, 200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_from_everywhere_slow_strangers_down_and_leave_sessions_alone() {
    // Time stands still, so that no try is forgotten meanwhile.
    let clock = Clock::manual(1_800_000_000_000);
    let setup = Setup::default().clock(&clock).set("TRUSTED_PROXIES", "127.0.0.1");
    let gateway = setup.start().await;
    let admin = gateway.admin().await;
    let from = |number: u16| {
        let address = format!("198.51.{}.{}", number / 250, number % 250);
        gateway.stranger().with("x-forwarded-for", &address)
    };

    // Eight at a time, more than there are hashes at a time.
    let mut attackers = JoinSet::new();
    for attacker in 0..8 {
        let clients: Vec<Client> = (0..125).map(|number| from(attacker * 125 + number)).collect();
        attackers.spawn(async move {
            let mut replies = Vec::new();
            for client in clients {
                replies.push(try_password(&client, "wrong").await);
            }
            replies
        });
    }
    let replies: Vec<Reply> = attackers.join_all().await.into_iter().flatten().collect();
    let wrong = replies.iter().filter(|reply| reply.status == 401).count();
    let waits = replies.iter().filter(|reply| reply.status == 429);
    assert!(waits.clone().all(|reply| !reply.header("retry-after").is_empty()));
    assert_eq!(wrong + waits.count(), 1_000);
    assert!(0 < wrong && wrong < 100, "{wrong} passwords were looked at");

    let stranger = try_password(&from(2_000), PASSWORD).await;
    assert_eq!(stranger.status, 429, "nobody without a session gets through");
    let at_home = admin.with("x-forwarded-for", "203.0.113.1");
    assert_eq!(try_password(&at_home, PASSWORD).await.status, 200, "whoever has one does");
    assert_eq!(admin.get("/api/keys").await.status, 200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn surplus_passwords_are_refused_at_once() {
    let gateway = Gateway::start().await;
    let client = gateway.stranger();

    let replies = tokio::join!(
        try_password(&client, "wrong"),
        try_password(&client, "wrong"),
        try_password(&client, "wrong"),
        try_password(&client, "wrong"),
        try_password(&client, "wrong"),
        try_password(&client, "wrong"),
    );

    let replies = [replies.0, replies.1, replies.2, replies.3, replies.4, replies.5];
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&401), "{statuses:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_logout_also_after_a_restart() {
    let gateway = Gateway::start().await;
    let [kept, ended] = [token(&gateway).await, token(&gateway).await];

    let reply = gateway.stranger().bearer(&ended).send(Method::POST, "/api/auth/logout", "").await;
    assert_eq!(reply.status, 204);
    assert!(reply.header("set-cookie").starts_with("gb_session=; Path=/api; Max-Age=0"));
    check_ended(&gateway.stranger().bearer(&ended)).await;

    let gateway = gateway.restart().await;
    check_ended(&gateway.stranger().bearer(&ended)).await;
    assert_eq!(gateway.stranger().bearer(&kept).get("/api/auth/me").await.status, 200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_refused_in_the_words_that_scripts_know() {
    let gateway = Gateway::start().await;
    let token = token(&gateway).await;
    let (signed, _) = token.rsplit_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJzaW5nbGVfdXNlciJ9.";

    for (token, detail) in [
        ("abc".to_owned(), "无效的认证凭据: Not enough segments"),
        (none.to_owned(), "无效的认证凭据: Not enough segments"),
        (format!("{signed}."), "无效的认证凭据: Signature verification failed."),
        ("a".repeat(60_000), "无效的认证凭据: Not enough segments"),
    ] {
        let reply = gateway.stranger().bearer(&token).get("/api/keys").await;
        assert_eq!(reply.status, 401);
        assert_eq!(reply.json()["detail"], detail);
    }
    let reply = gateway.stranger().get("/api/keys").await;
    assert_eq!(reply.json()["detail"], "Not authenticated");
    for query in ["token", "access_token", "ticket", "key"] {
        let reply = gateway.stranger().get(&format!("/api/keys?{query}={token}")).await;
        assert_eq!(reply.status, 401, "{query}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_cookie_counts_only_for_pages_of_our_own() {
    let gateway = Gateway::start().await;
    let login = try_password(&gateway.stranger(), PASSWORD).await;
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    let browser = gateway.stranger().with("cookie", &cookie);
    let body = json!({"alias": "bob"});

    assert_eq!(browser.get("/api/auth_keys").await.status, 200);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("accept", "*/*"),
    ] {
        let reply = browser.with(name, value).post("/api/auth_keys", &body).await;
        assert_eq!(reply.status, 403, "{name}: {value}");
        assert_eq!(reply.json()["error"]["code"], "foreign_origin");
    }
    let reply = browser.with("sec-fetch-site", "same-origin").post("/api/auth_keys", &body).await;
    assert_eq!(reply.status, 201);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_cannot_log_anybody_in() {
    let gateway = Gateway::start().await;
    let foreign = gateway.stranger().with("origin", "https://evil.example");

    let reply = try_password(&foreign, PASSWORD).await;

    assert_eq!(reply.status, 403);
    assert_eq!(reply.header("set-cookie"), "");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_for_the_api_alone_and_for_tls_where_there_is_tls() {
    let gateway = Setup::default().set("TRUSTED_PROXIES", "127.0.0.1").start().await;

    let plain = try_password(&gateway.stranger(), PASSWORD).await;
    let behind_tls = gateway.stranger().with("x-forwarded-proto", "https");
    let secure = try_password(&behind_tls, PASSWORD).await;

    let flags = "; Path=/api; Max-Age=1800; HttpOnly; SameSite=Strict";
    assert!(plain.header("set-cookie").ends_with(flags), "{}", plain.header("set-cookie"));
    assert!(secure.header("set-cookie").ends_with(&format!("{flags}; Secure")));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_from_the_configuration_is_changed_there() {
    let gateway = Gateway::start().await;
    let change = json!({"current_password": PASSWORD, "new_password": "another good one"});

    let reply = gateway.admin().await.post("/api/auth/password", &change).await;

    assert_eq!(reply.status, 409);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_every_session_and_begins_one() {
    let directory = tempfile::tempdir().unwrap();
    let running = without_password(directory.path()).await;
    let first = running.first_password().unwrap().expose().to_owned();
    let stranger = Client::new(running.address());
    let old = stranger.bearer(&text(&try_password(&stranger, &first).await, "access_token"));
    let change =
        |current: &str, new: &str| json!({"current_password": current, "new_password": new});

    check_refused(&old, &change("wrong", "another good one"), 403).await;
    check_refused(&old, &change(&first, "short"), 422).await;
    check_refused(&old, &change(&first, "changeme"), 422).await;
    let reply = old.post("/api/auth/password", &change(&first, "another good one")).await;

    assert_eq!(reply.status, 200, "{}", reply.text());
    check_ended(&old).await;
    let new = stranger.bearer(&text(&reply, "access_token"));
    assert_eq!(new.get("/api/auth/me").await.status, 200);
    assert_eq!(try_password(&stranger, &first).await.status, 401);
    assert_eq!(try_password(&stranger, "another good one").await.status, 200);
    running.shutdown().await;

    let running = without_password(directory.path()).await;
    assert!(running.first_password().is_none());
    let stranger = Client::new(running.address());
    assert_eq!(try_password(&stranger, "another good one").await.status, 200);
    running.shutdown().await;
}

async fn check_refused(admin: &Client, change: &Value, status: u16) {
    let reply = admin.post("/api/auth/password", change).await;
    assert_eq!(reply.status, status, "{}", reply.text());
}

async fn check_ended(client: &Client) {
    let reply = client.get("/api/auth/me").await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.json()["error"]["code"], "session_ended");
}

async fn try_password(client: &Client, password: &str) -> Reply {
    let body = json!({"username": "admin", "password": password});
    client.post("/api/auth/login", &body).await
}

async fn token(gateway: &Gateway) -> String {
    text(&try_password(&gateway.stranger(), PASSWORD).await, "access_token")
}

fn text(reply: &Reply, field: &str) -> String {
    reply.json()[field].as_str().unwrap().to_owned()
}

async fn without_password(directory: &Path) -> Running {
    let settings = [("HOST", "127.0.0.1"), ("PORT", "0"), ("WORKERS", "1"), ("DATA_DIR", "data")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::load(settings.into_iter(), directory).unwrap();
    let clock = Clock::system();
    let live = Live::new(0, clock.wall_ms());
    start::start(config, clock, live).await.unwrap()
}
