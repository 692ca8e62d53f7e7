//! Who is let in, what of a request goes upstream and where, and what of an answer comes back.

use dialect::Dialect;
use fake_upstream::{Answer, Seen, When};
use http::Method;
use serde_json::json;

use crate::support::{Client, Form, Gateway, Setup};

const CHAT: &str = "/v1/chat/completions";
const GENERATE: &str = "/v1beta/models/m:generateContent";
const CACHED: &str = "/v1beta/cachedContents/c?updateMask=ttl";
/// A body that no serializer would write.
const ODD: &str = r#"{"odd": 1.50E+2}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_user_key_lets_in_from_every_place_and_stops_there() {
    let gateway = Gateway::start().await;
    let key = gateway.user_key.as_str();
    let bearer = format!("Bearer {key}");
    let lower = format!("bearer   {key} ");
    let escaped = format!("%{:02x}{}", key.as_bytes()[0], &key[1..]);
    let all = [
        ("authorization", bearer.as_str()),
        ("x-goog-api-key", key),
        ("x-api-key", key),
        ("api-key", key),
    ];

    for form in Form::ALL {
        let check = async |fields: &[(&str, &str)], pair: &str| {
            gateway.upstream.clear_seen();
            let client = with_fields(gateway.stranger(), fields);
            let path = with_query(form.path(), pair);
            let reply = client.post(&path, &form.body("hello")).await;
            assert_eq!(reply.status, 200, "{form:?} {fields:?} {pair}: {}", reply.text());
            let seen = gateway.upstream.seen();
            assert_eq!(seen.len(), 1);
            check_credential(&seen[0], form.dialect());
            assert!(!format!("{seen:?}").contains(key), "{seen:?}");
        };
        for field in all {
            check(&[field], "").await;
        }
        check(&[("authorization", &lower)], "").await;
        check(&[], &format!("key={key}")).await;
        check(&[], &format!("key={escaped}")).await;
        check(&[], &format!("k%65y={key}")).await;
        check(&all, &format!("key={key}")).await;
        check(&[("x-goog-api-key", ""), ("authorization", &bearer)], "key=").await;
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_one_valid_credential_is_turned_away() {
    let gateway = Gateway::start().await;
    let key = gateway.user_key.as_str();
    let bearer = format!("Bearer {key}");
    let basic = format!("Basic {key}");
    let mut near = key.to_owned();
    let last = if near.pop() == Some('a') { 'b' } else { 'a' };
    near.push(last);
    let long = "x".repeat(8 * 1024);

    for form in Form::ALL {
        let check = async |fields: &[(&str, &str)], pair: &str, status: u16, code: &str| {
            let client = with_fields(gateway.stranger(), fields);
            let path = with_query(form.path(), pair);
            let reply = client.post(&path, &form.body("hello")).await;
            gateway.assert_error(&reply, form.dialect(), status, code);
            assert!(!reply.text().contains(&near));
        };
        check(&[], "", 401, "missing_api_key").await;
        check(&[("authorization", &basic)], "", 401, "missing_api_key").await;
        check(&[("x-goog-api-key", "")], "key=", 401, "missing_api_key").await;
        check(&[("x-api-key", &long)], "", 401, "missing_api_key").await;
        for name in ["x-goog-api-key", "x-api-key", "api-key"] {
            check(&[(name, &near)], "", 401, "invalid_api_key").await;
            check(&[("authorization", &bearer), (name, &near)], "", 400, "conflicting_credentials")
                .await;
        }
        check(&[], &format!("key={near}"), 401, "invalid_api_key").await;
        check(&[], &format!("key={key}&key={near}"), 400, "conflicting_credentials").await;
        check(&[("authorization", &bearer)], "key=other", 400, "conflicting_credentials").await;
    }
    assert!(gateway.upstream.seen().is_empty());
    assert!(gateway.rows().await.is_empty(), "strangers cost no row");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_like_an_unknown_one() {
    let gateway = Gateway::start().await;
    let app = gateway.app();
    let unknown = gateway.stranger().bearer("unknown").get("/v1/models").await;

    let id = app.user_keys.id_of(&gateway.user_key).unwrap();
    assert!(app.user_keys.delete(id, app.clock.wall_ms()).await.unwrap());
    let revoked = gateway.openai().get("/v1/models").await;

    gateway.assert_error(&revoked, Dialect::OpenAi, 401, "invalid_api_key");
    assert_eq!(revoked.body, unknown.body);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_private_of_a_caller_goes_upstream_and_nothing_leads_elsewhere() {
    let gateway = Gateway::start().await;
    let private = [
        ("cookie", "session=leak"),
        ("proxy-authorization", "Basic leak"),
        ("forwarded", "for=leak"),
        ("x-forwarded-for", "leak"),
        ("x-forwarded-host", "leak.example"),
        ("x-original-url", "/leak"),
        ("x-real-ip", "leak"),
        ("x-openai-base-url", "http://leak.example"),
        ("openai-organization", "leak"),
        ("openai-project", "leak"),
        ("cf-aig-authorization", "Bearer leak"),
        ("connection", "x-secret"),
        ("x-secret", "leak"),
        ("te", "leak"),
        ("referer", "http://leak.example/"),
        ("x-http-method-override", "DELETE"),
    ];
    let mut allowed = vec!["accept", "accept-encoding", "content-length", "content-type", "host"];
    allowed.extend(["user-agent", "x-goog-api-key", "authorization"]);

    for form in Form::ALL {
        gateway.upstream.clear_seen();
        let client = with_fields(gateway.client(form), &private);
        let client = client.with("accept", "*/*").with("user-agent", "test/1");
        let mut body = form.body("hello");
        body["api_base"] = json!("http://leak.example");
        body["base_url"] = json!("file:///leak");
        let path = with_query(form.path(), "host=leak.example&access_token=hidden&kept=%41");
        let reply = client.post(&path, &body).await;

        assert_eq!(reply.status, 200, "{form:?}");
        let seen = gateway.upstream.seen();
        assert_eq!(seen.len(), 1);
        check_credential(&seen[0], form.dialect());
        for (name, value) in &seen[0].headers {
            assert!(allowed.contains(&name.as_str()), "{name}: {value}");
            assert!(!value.contains("leak"), "{name}: {value}");
        }
        assert_eq!(seen[0].header("host").unwrap(), gateway.upstream.address().to_string());
        assert_eq!(seen[0].header("user-agent"), Some("test/1"));
        assert_eq!(seen[0].method, "POST");
        assert!(seen[0].path.ends_with("host=leak.example&kept=%41"), "{}", seen[0].path);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_upstreams_house_comes_back() {
    let gateway = Gateway::start().await;
    gateway.upstream.on(When::any(), Answer::private_headers());
    let known = [
        "content-length",
        "content-type",
        "date",
        "referrer-policy",
        "server-timing",
        "transfer-encoding",
        "x-content-type-options",
        "x-gateway-overhead-ms",
        "x-gemini-service-tier",
        "x-request-id",
    ];

    for form in Form::ALL {
        let reply = gateway.ask(form).await;

        assert_eq!(reply.status, 200, "{form:?}");
        for name in reply.headers.keys() {
            assert!(known.contains(&name.as_str()), "{form:?}: {name}");
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crooked_paths_reach_the_right_place() {
    let gateway = Gateway::start().await;
    let chat = "/v1beta/openai/chat/completions";
    let check = async |path: &str, expected: &str| {
        let method = if path.ends_with("models") { Method::GET } else { Method::POST };
        gateway.upstream.clear_seen();
        let form = if expected == chat { Form::Chat } else { Form::Generate };
        let client = gateway.openai().with("content-type", "application/json");
        let reply = client.send(method, path, form.body("hello").to_string()).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text());
        assert_eq!(gateway.upstream.seen()[0].path, expected, "{path}");
    };

    for path in [
        "/chat/completions",
        "/v1/v1/chat/completions",
        "//v1//chat/completions",
        "/v1/chat/completions/",
        "/openai/v1/chat/completions",
        "/hf/v1/chat/completions",
        "/v1beta/openai/chat/completions",
        "/v1beta/openai/v1/chat/completions",
        "/v1beta/chat/completions",
    ] {
        check(path, chat).await;
    }
    for path in [
        "/models/m:generateContent",
        "/v1beta/v1beta/models/m:generateContent",
        "/v1beta//models/m:generateContent",
        "/v1beta/models/models/m:generateContent",
        "/v1beta/models/m%3AgenerateContent",
        "/gemini/v1beta/models/m:generateContent",
        "/v1beta/m:generateContent",
        "/v1beta/models%2Fm:generateContent",
    ] {
        check(path, GENERATE).await;
    }
    check("/v1/publishers/google/models/m:generateContent", "/v1/models/m:generateContent").await;
    check("/v1alpha/models/m:generateContent", "/v1alpha/models/m:generateContent").await;
    check("/hf/v1/models", "/v1beta/openai/models").await;
    check("/v1beta/models", "/v1beta/models").await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_in_a_path_stays_one_segment() {
    let gateway = Gateway::start().await;

    for (model, encoded) in [
        ("a%2Fb", "a%2Fb"),
        ("a/b", "a%2Fb"),
        ("a%3Fx=y", "a%3Fx%3Dy"),
        ("a%23b", "a%23b"),
        ("%E9%94%AE", "%E9%94%AE"),
    ] {
        gateway.upstream.clear_seen();
        let path = format!("/v1beta/models/{model}:generateContent");
        let reply = gateway.gemini().post(&path, &Form::Generate.body("hello")).await;

        assert_eq!(reply.status, 200, "{model}");
        let expected = format!("/v1beta/models/{encoded}:generateContent");
        assert_eq!(gateway.upstream.seen()[0].path, expected);
    }
    gateway.upstream.clear_seen();
    let long = "m".repeat(8 * 1024);
    for model in ["a%00", "a%0D%0Ab", "%2e%2e%2fx", "%E2%80%AEa", "%20", &long] {
        let path = format!("/v1beta/models/{model}:generateContent");
        let reply = gateway.gemini().post(&path, &Form::Generate.body("hello")).await;

        gateway.assert_error(&reply, Dialect::Gemini, 400, "invalid_path");
    }
    assert!(gateway.upstream.seen().is_empty());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_are_listed_in_the_dialect_of_the_asker() {
    let gateway = Gateway::start().await;
    let key = &gateway.user_key;
    let check = async |client: Client, path: &str, is_gemini: bool| {
        let reply = client.get(path).await.json();
        assert_eq!(reply["models"].is_array(), is_gemini, "{path}: {reply}");
        assert_eq!(reply["data"].is_array(), !is_gemini, "{path}: {reply}");
    };

    check(gateway.openai(), "/v1/models", false).await;
    check(gateway.gemini(), "/v1/models", true).await;
    check(gateway.stranger(), &format!("/v1/models?key={key}"), true).await;
    check(gateway.openai().with("x-goog-api-client", "gl-python"), "/v1/models", true).await;
    check(gateway.gemini(), "/v1beta/openai/models", false).await;
    check(gateway.openai(), "/v1beta/models", true).await;
    let one = gateway.openai().get("/v1/models/gemini-2.5-pro").await.json();
    assert_eq!(one["object"], "model");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_matches_nothing_is_told_the_right_base_url() {
    let gateway = Gateway::start().await;

    let (chat, generation) = ("POST /v1/chat/completions", "{model}:generateContent");
    for (client, path, dialect, expected) in [
        (gateway.openai(), "/v1", Dialect::OpenAi, chat),
        (gateway.openai(), "/nothing/here", Dialect::OpenAi, chat),
        (gateway.gemini(), "/nothing/here", Dialect::Gemini, generation),
        (gateway.gemini(), "/v1beta/", Dialect::Gemini, generation),
        (gateway.openai(), "/x/v1/models", Dialect::OpenAi, "the base URL of the client must end"),
    ] {
        let reply = client.get(path).await;

        gateway.assert_error(&reply, dialect, 404, "unknown_path");
        assert!(reply.text().contains(expected), "{path}: {}", reply.text());
    }
    let reply = gateway.gemini().post("/v1beta/models/gemini-2.5-pro", &json!({})).await;
    gateway.assert_error(&reply, Dialect::Gemini, 404, "unknown_path");
    assert!(reply.text().contains(generation), "{}", reply.text());
    assert!(gateway.upstream.seen().is_empty());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_forwarded_as_it_came() {
    let gateway = Gateway::start().await;
    let check = async |method: Method, path: &str, expected: &str| {
        gateway.upstream.clear_seen();
        let client = gateway.openai().with("content-type", "application/json");
        let reply = client.send(method.clone(), path, ODD).await;
        let seen = gateway.upstream.seen().remove(0);
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(seen.path, expected);
        assert_eq!(seen.method, method.as_str());
        assert_eq!(seen.body, ODD);
        assert_eq!(seen.header("content-type"), Some("application/json"));
    };

    check(Method::POST, "/v1beta/models/m:newVerb", "/v1beta/models/m:newVerb").await;
    check(Method::POST, "/v1beta/newThings/x:spin", "/v1beta/newThings/x:spin").await;
    check(Method::PATCH, "/v1beta/cachedContents/c?updateMask=ttl", CACHED).await;
    check(Method::DELETE, "/v1beta/files/f", "/v1beta/files/f").await;
    check(Method::POST, "/v1/audio/speech", "/v1beta/openai/audio/speech").await;
    check(Method::POST, "/v1/newThings", "/v1beta/openai/newThings").await;
    check(Method::PUT, "/v1/vector_stores/v", "/v1beta/openai/vector_stores/v").await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_no_api_has_is_refused() {
    let gateway = Gateway::start().await;

    for method in ["TRACE", "CONNECT", "PURGE"] {
        let mut wire = gateway.wire().await;
        let key = &gateway.user_key;
        let target = if method == "CONNECT" { "example.com:443" } else { CHAT };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n"
        );
        wire.send(head).await;

        let answer = wire.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{method}: {answer}");
    }
    assert!(gateway.upstream.seen().is_empty());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloudflare_gateway_gets_its_token_and_one_prefix_over_all_attempts() {
    let settings = Setup::default().set("CLOUDFLARE_GATEWAY_ENABLED", true);
    let gateway = settings.set("CF_AI_AUTHORIZATION_KEY", "cf-token").start().await;

    for form in [Form::Chat, Form::ChatUsageStream, Form::Generate] {
        gateway.upstream.clear_seen();
        gateway.upstream.on(When::any().times(2), Answer::quota_per_minute(1));
        let reply = gateway.ask(form).await;

        assert_eq!(reply.status, 200, "{form:?}: {}", reply.text());
        let seen = gateway.upstream.seen();
        assert_eq!(seen.len(), 3);
        let mut expected = form.body("hello").to_string();
        if form.dialect() == Dialect::OpenAi {
            expected = expected.replacen(":\"gemini", ":\"google-ai-studio/gemini", 1);
        }
        for one in &seen {
            assert_eq!(one.body, expected);
            assert_eq!(one.header("cf-aig-authorization"), Some("Bearer cf-token"));
            check_credential(one, form.dialect());
        }
        let row = gateway.final_rows().await.pop().unwrap();
        assert_eq!(row.model, "gemini-2.5-flash");
        gateway.app().pool.reset_all();
    }
    gateway.close().await;
}

/// Checks that a request upstream has exactly one credential: a service key in its own header.
fn check_credential(seen: &Seen, dialect: Dialect) {
    assert_eq!(seen.credentials.len(), 1, "{seen:?}");
    assert!(seen.credentials[0].starts_with("service-key-"), "{seen:?}");
    let (carrier, other) = match dialect {
        Dialect::OpenAi => ("authorization", "x-goog-api-key"),
        Dialect::Gemini => ("x-goog-api-key", "authorization"),
    };
    assert!(seen.header(carrier).is_some() && seen.header(other).is_none());
    assert!(!seen.path.contains("key="), "{}", seen.path);
}

fn with_fields(client: Client, fields: &[(&str, &str)]) -> Client {
    fields.iter().fold(client, |client, (name, value)| client.with(name, value))
}

fn with_query(path: &str, pair: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    if pair.is_empty() { path.to_owned() } else { format!("{path}{mark}{pair}") }
}
