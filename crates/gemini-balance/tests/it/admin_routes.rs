//! Who may call what, and what every answer of the control plane has in common.

use std::collections::BTreeSet;

use gemini_balance::admin::{self, Access, Route};
use gemini_balance::token::{Claims, SUBJECT, Tokens};
use http::{Method, StatusCode};

use crate::support::{Client, Gateway, Reply, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_route_for_admins_is_shut_to_everybody_else() {
    let gateway = Gateway::start().await;
    let stranger = gateway.stranger();
    let others = [
        ("nothing", stranger.clone()),
        ("a user key", stranger.bearer(&gateway.user_key)),
        ("garbage", stranger.bearer("a.b.c")),
        ("an expired token", stranger.bearer(&expired_token(&gateway))),
        ("basic credentials", stranger.with("authorization", "Basic YWRtaW46YWRtaW4=")),
    ];

    for route in admin::table(gateway.app()) {
        for (what, client) in &others {
            let reply = client.send(route.method(), &path(&route), "{}").await;
            let is_shut = reply.status == StatusCode::UNAUTHORIZED;
            let is_login = route.path.ends_with("/login");
            let expected = route.access == Access::Admin;
            assert_eq!(
                is_shut,
                expected && !is_login,
                "{} {} with {what}",
                route.method(),
                route.path
            );
            if is_shut {
                assert_eq!(reply.header("www-authenticate"), "Bearer");
                assert!(reply.json()["detail"].is_string());
            }
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_for_admins_is_open_to_an_admin() {
    let gateway = Gateway::start().await;

    for route in admin::table(gateway.app()) {
        // A session for each: one of the routes ends it, another one every session.
        let admin = gateway.admin().await;
        let stream = admin.open(route.method(), &path(&route), "").await;

        let is_shut = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&stream.status());
        assert!(!is_shut, "{} {}: {}", route.method(), route.path, stream.status());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_changes_nothing() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await.with("sec-fetch-site", "cross-site");
    let app = gateway.app();
    let stored = async || {
        let (keys, users) = (app.store.service_keys(0, 1_000).await, app.store.user_keys().await);
        let sessions = app.store.sessions(app.clock.wall_ms()).await;
        format!("{:?} {:?} {:?}", keys.unwrap(), users.unwrap(), sessions.unwrap())
    };
    let before = stored().await;

    for route in admin::table(app).iter().filter(|route| route.method() == Method::GET) {
        admin.open(Method::GET, &path(route), "").await;
    }

    assert_eq!(stored().await, before);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_must_be_public_is_public() {
    let gateway = Gateway::start().await;

    let table = admin::table(gateway.app());
    let public = table.iter().filter(|route| route.access == Access::Public);
    let public: BTreeSet<&str> = public.map(|route| route.path).collect();

    let expected = ["/api/auth/login", "/api/login", "/metrics"];
    assert_eq!(public, BTreeSet::from(expected));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_describes_exactly_the_routes_there_are() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    let document = admin.get("/api/openapi.json").await.json();

    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            described.insert((path.clone(), method.to_uppercase()));
        }
    }
    let table = admin::table(gateway.app());
    let table = table.iter().filter(|it| it.path.starts_with("/api") && it.alias_of.is_none());
    let registered = table.map(|it| (it.path.to_owned(), it.method().to_string())).collect();
    assert_eq!(described, registered);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_answers_as_the_route_that_it_stands_for() {
    let gateway = Gateway::start().await;

    let table = admin::table(gateway.app());
    for alias in table.iter().filter(|route| route.alias_of.is_some()) {
        let is_there =
            |route: &&Route| Some(route.path) == alias.alias_of && route.method() == alias.method();
        assert!(table.iter().find(is_there).is_some_and(|it| it.access == alias.access));
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_a_json_404_and_a_wrong_method_a_405_that_says_which_are_right() {
    let gateway = Gateway::start().await;
    let client = gateway.stranger();

    for path in ["/api", "/api/", "/api/x", "/api/keys/", "/api/keys/a/b/c", "/api//keys"] {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json()["detail"], "Not Found", "{path}");
        assert_eq!(reply.json()["error"]["code"], "not_found", "{path}");
        assert_eq!(reply.json()["request_id"], reply.header("x-request-id"), "{path}");
    }
    let reply = client.send(Method::OPTIONS, "/api/auth_keys", "").await;
    assert_eq!(reply.status, 405);
    assert_eq!(reply.json()["detail"], "Method Not Allowed");
    let allowed: BTreeSet<&str> = reply.header("allow").split(',').map(str::trim).collect();
    assert_eq!(allowed, BTreeSet::from(["GET", "HEAD", "POST"]));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_protect_it() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await.with("origin", "https://elsewhere.example");

    for path in
        ["/", "/robots.txt", "/favicon.ico", "/api/x", "/api/version", "/api/keys", "/metrics"]
    {
        let reply = admin.get(path).await;
        check_protected(&reply, path);
    }
    let page = gateway.stranger().get("/").await;
    assert!(page.header("content-security-policy").contains("'sha256-"));
    assert!(!page.text().contains(env!("CARGO_PKG_VERSION")));
    gateway.close().await;
}

fn check_protected(reply: &Reply, path: &str) {
    assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
    let policy = reply.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
    assert_eq!(reply.header("server"), "", "{path}");
    assert_eq!(reply.header("x-request-id").len(), 32, "{path}");
    if path.starts_with("/api") {
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_of_its_route_is_refused() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    check_too_large(&gateway.stranger(), "/api/auth/login", 4 * 1024).await;
    check_too_large(&admin, "/api/auth_keys", 1024 * 1024).await;
    check_too_large(&admin, "/api/keys", 16 * 1024 * 1024).await;
    gateway.close().await;
}

async fn check_too_large(client: &Client, path: &str, limit: usize) {
    let client = client.with("content-type", "application/json");
    let reply = client.send(Method::POST, path, vec![b' '; limit + 1]).await;
    assert_eq!(reply.status, 413, "{path}: {}", reply.text());
    assert_eq!(reply.json()["error"]["code"], "body_too_large");
    let reply = client.send(Method::POST, path, vec![b' '; limit]).await;
    assert_eq!(reply.status, 422, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_object_is_refused_in_the_form_that_scripts_know() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    for (body, kind) in [
        ("", "json_invalid"),
        ("{", "json_invalid"),
        ("[]", "type_error"),
        ("{}", "missing"),
        (r#"{"alias":5}"#, "type_error"),
    ] {
        let client = admin.with("content-type", "application/json");
        let reply = client.send(Method::POST, "/api/auth_keys", body).await;
        assert_eq!(reply.status, 422, "{body}");
        assert_eq!(reply.json()["detail"][0]["type"], kind, "{body}: {}", reply.text());
        assert_eq!(reply.json()["detail"][0]["loc"][0], "body", "{body}");
    }
    let client = admin.with("content-type", "text/plain");
    assert_eq!(client.send(Method::POST, "/api/auth_keys", "{}").await.status, 415);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_on_this_port_only_when_asked_for() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.admin().await.get("/metrics").await.status, 404);
    gateway.close().await;

    let gateway = Setup::default().set("METRICS_PUBLIC", "true").start().await;
    let reply = gateway.stranger().get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").starts_with("text/plain; version=0.0.4"));
    assert!(
        reply.text().contains("gemini_balance_pool_keys{state=\"active\"} 3"),
        "{}",
        reply.text()
    );
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_is_described_without_a_secret() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    let system = admin.get("/api/system").await.json();
    assert_eq!(system["database"]["service_keys"], 3);
    assert_eq!(system["service_keys"]["active"], 3);
    assert!(system["health"].as_array().unwrap().iter().all(|part| part["is_ok"] == true));

    let settings = admin.get("/api/settings").await;
    assert!(!settings.text().contains(crate::support::PASSWORD), "the password is shown");
    let of = |name: &str| {
        let settings = settings.json()["settings"].as_array().unwrap().clone();
        settings.into_iter().find(|setting| setting["name"] == name).unwrap()
    };
    assert_eq!(of("PORT")["value"], "0");
    assert_eq!(of("PORT")["source"], "environment");
    assert_eq!(of("LOG_LEVEL")["source"], "default");
    assert_eq!(admin.get("/api/version").await.json()["version"], env!("CARGO_PKG_VERSION"));
    gateway.close().await;
}

/// The path of a route with something in the place of its parameters.
fn path(route: &Route) -> String {
    let segments = route.path.split('/').map(|segment| match segment.starts_with('{') {
        true => "1",
        false => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

fn expired_token(gateway: &Gateway) -> String {
    let app = gateway.app();
    let now_s = app.clock.wall_ms() / 1_000;
    let claims = Claims {
        sub: SUBJECT.to_owned(),
        iat: now_s - 3_600,
        exp: now_s - 1,
        nbf: None,
        jti: "session".to_owned(),
        epoch: 0,
    };
    Tokens::new(app.vault.token_key()).sign(&claims).unwrap()
}
