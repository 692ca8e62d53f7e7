//! Values that want to be more than text, wherever people or programs read them: markup, line
//! ends, terminal sequences, SQL, credentials in addresses.

use fake_upstream::{Answer, Upstream, When};
use http::Method;
use serde_json::{Value, json};

use crate::support::process::{Process, log_in};
use crate::support::{Ask, Canaries, Client, Form, Gateway, PASSWORD, Setup, Stream, Wire};

const MARKUP: &str = "<img src=x onerror=alert(1)></script><script>alert(2)</script>'\"`";
/// Whatever ends a line, an event or a sequence somewhere.
const LINES: &str =
    "one\r\n\r\ndata: two\nid: 3\u{1b}[31m\u{1b}]0;x\u{7}\u{2028}\u{2029}\u{85}\0end";

#[tokio::test(flavor = "multi_thread")]
async fn markup_is_data_wherever_it_is_shown() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let alias: String = MARKUP.chars().take(50).collect();
    gateway.upstream.on(When::any(), Answer::bad_request(MARKUP));
    admin.post("/api/auth_keys", &json!({"alias": alias, "note": MARKUP})).await;
    let page = admin.get("/api/keys").await.json();
    let key = page["keys"][0]["key_identifier"].as_str().unwrap().to_owned();
    let edit = json!({"note": MARKUP, "project": MARKUP, "tags": [MARKUP]});
    admin.send_json(Method::PATCH, &format!("/api/keys/{key}"), &edit).await;
    let caller = gateway.openai().with("user-agent", MARKUP);
    Ask::openai().model(MARKUP).of(&caller).await;
    gateway.rows().await;

    for path in ["/api/auth_keys", "/api/keys", "/api/request_logs", "/api/request_logs/values"] {
        let reply = admin.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        check_data(&reply.headers, "application/json", path);
    }
    assert_eq!(admin.get("/api/request_logs").await.json()["logs"][0]["model_name"], MARKUP);
    for (format, content_type) in
        [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/x-ndjson")]
    {
        let reply = admin.get(&format!("/api/request_logs/export?format={format}")).await;
        check_data(&reply.headers, content_type, format);
        assert!(reply.header("content-disposition").starts_with("attachment;"), "{format}");
    }
    let stream = admin.open(Method::GET, "/api/logs/sse", "").await;
    check_data(stream.headers(), "text/event-stream; charset=utf-8", "the live log");
    // The one page: nothing of a request is in it, and no script but its own could run.
    let page = gateway.stranger().with("user-agent", MARKUP).get("/").await;
    for request in [
        format!("GET / HTTP/1.1\r\nhost: {MARKUP}\r\nconnection: close\r\n\r\n"),
        "GET /?<script>alert(1)</script> HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
            .to_owned(),
    ] {
        let mut wire = gateway.wire().await;
        wire.send(request).await;
        let answer = wire.read_to_end().await;
        assert!(!answer.contains("alert(1)") && !answer.contains("onerror"), "{answer}");
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.contains("'sha256-") && !policy.contains("unsafe-eval"), "{policy}");
    let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src"));
    assert!(scripts.is_none_or(|scripts| !scripts.contains("unsafe")), "{policy}");
    assert!(!page.text().contains(MARKUP));
    drop(stream);
    gateway.close().await;
}

/// Checks that a browser only ever takes this for data.
fn check_data(headers: &http::HeaderMap, content_type: &str, what: &str) {
    assert_eq!(headers["content-type"], content_type, "{what}");
    assert_eq!(headers["x-content-type-options"], "nosniff", "{what}");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{what}: {policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_logged_an_event_stays_one_line_and_steers_nothing() {
    let upstream = Upstream::start().await.unwrap();
    let long = "m".repeat(1 << 20);
    let refusal = json!({"error": {"code": 403, "message": LINES, "status": LINES}}).to_string();
    let endless = json!({"error": {"code": 503, "message": long, "status": "X"}}).to_string();
    upstream.on(When::any().model("gemini-refused"), Answer::json(403, refusal));
    upstream.on(When::any().model("gemini-endless"), Answer::json(503, endless));
    for format in ["text", "json"] {
        let directory = tempfile::tempdir().unwrap();
        let (gemini, openai) = (upstream.url(), format!("{}/v1beta/openai", upstream.url()));
        let settings = [
            ("GEMINI_API_BASE_URL", gemini.as_str()),
            ("OPENAI_API_BASE_URL", openai.as_str()),
            ("PASSWORD", PASSWORD),
            ("LOG_FORMAT", format),
        ];
        let mut gateway = Process::start(directory.path(), &settings);
        let address = gateway.address().await;
        let admin = log_in(address).await;
        admin.post("/api/keys", &json!({"api_keys": ["a-service-key", "b-service-key"]})).await;
        let alice = admin.post("/api/auth_keys", &json!({"alias": "al ice=\"x\""})).await.json();
        let client = Client::new(address).bearer(alice["api_key"].as_str().unwrap());
        let mut watcher = admin.open(Method::GET, "/api/logs/sse?format=json", "").await;

        let hostile = client.with("x-request-id", "forged\u{a0}id").with("user-agent", MARKUP);
        let mut ids = Vec::new();
        for model in [LINES, &long, "gemini-refused", "gemini-endless", "the-last"] {
            let reply = Ask::openai().model(model).of(&hostile).await;
            ids.push(reply.header("x-request-id").to_owned());
        }
        let lines = live_lines(&mut watcher, ids.last().unwrap()).await;
        drop(watcher);
        gateway.signal("TERM");
        gateway.exit().await;

        let output = gateway.output();
        let is_steering = |letter: char| {
            letter != '\n' && letter.is_control() || "\u{2028}\u{2029}".contains(letter)
        };
        assert!(!output.contains(is_steering), "{output:.4000}");
        for id in &ids {
            let of_request =
                |line: &&str| line.contains(id.as_str()) && line.contains("request ended");
            assert_eq!(output.lines().filter(of_request).count(), 1, "{id}");
            let events = lines.iter().filter(|line| {
                line["fields"]["request_id"] == id.as_str() && line["message"] == "request ended"
            });
            assert_eq!(events.count(), 1, "{id}");
        }
        // A line is its time and level, or one object; none is anything else, and none is endless.
        let greeting = output.lines().filter(|line| line.is_empty() || line.starts_with("  "));
        let events = output.lines().filter(|line| !line.is_empty() && !line.starts_with("  "));
        assert!(greeting.count() < 12);
        for line in events {
            assert!(line.len() < 16 * 1024, "{line:.200}");
            match format {
                "json" => drop(serde_json::from_str::<Value>(line).unwrap()),
                _ => assert!(line.starts_with("20") && line.contains("Z - "), "{line}"),
            }
        }
        assert!(!output.contains("forged"), "a caller does not name requests");
    }
}

/// The lines of a live log up to the end of a request.
async fn live_lines(watcher: &mut Stream, last: &str) -> Vec<Value> {
    let mut text = String::new();
    loop {
        text.push_str(str::from_utf8(&watcher.next().await.unwrap()).unwrap());
        let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let events = whole
            .split("\n\n")
            .filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
        let lines: Vec<Value> = events.filter_map(|data| serde_json::from_str(data).ok()).collect();
        let is_last = |line: &Value| {
            line["fields"]["request_id"] == last && line["message"] == "request ended"
        };
        if lines.iter().any(is_last) {
            return lines;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_any_parameter_is_a_fault() {
    let gateway = Gateway::start().await;
    Ask::openai().is_answered(&gateway.openai()).await;
    gateway.rows().await;
    let admin = gateway.admin().await;
    let questions = every_hostile_question(&admin).await;

    for path in &questions {
        let reply = admin.open(Method::GET, path, "").await;
        let status = reply.status().as_u16();
        assert!([200, 404, 422].contains(&status), "{path:.200}: {status}");
    }

    assert!(questions.len() > 500, "{} questions", questions.len());
    gateway.close().await;
}

/// Each query parameter that is documented, with each value that wants to be more than a value.
pub(crate) async fn every_hostile_question(admin: &Client) -> Vec<String> {
    let document = admin.get("/api/openapi.json").await.json();
    let values: Vec<String> = [
        "-1",
        "0",
        "1000000000",
        "9223372036854775807",
        "99999999999999999999",
        "NaN",
        "1e400",
        "%27%20OR%201%3D1%20--",
        "%25_%25",
        "%00",
        "%FF",
        "%0D%0A",
        "",
        "id%3BDROP%20TABLE%20request_logs",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(["%25_".repeat(30), "x".repeat(10 * 1024)])
    .collect();
    let mut questions = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace("{key_identifier}", "1").replace("{request_id}", "1");
        let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            questions.extend(values.iter().map(|value| format!("{path}?{name}={value}")));
        }
    }
    questions
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_looked_for_as_they_are_written() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let words =
        ["100%", "a_b", "axb", "it's", "a\"b", "a\\b", "%_%", "';--", "[a-z]", "Straße", "*?"];
    let keys: Vec<String> =
        (0..words.len()).map(|number| format!("a-noted-key-{number:04}")).collect();
    admin.post("/api/keys", &json!({"api_keys": keys})).await;
    let listed = admin.get("/api/keys?offset=3").await.json();
    for (key, word) in listed["keys"].as_array().unwrap().iter().zip(words) {
        let path = format!("/api/keys/{}", key["key_identifier"].as_str().unwrap());
        admin.send_json(Method::PATCH, &path, &json!({"note": word})).await;
    }

    let all = admin.get("/api/keys").await.json();
    for asked in ["%", "_", "'", "\"", "\\", "%_", "a_b", "--", "[", "*", "ß", "A", "100%", "%%"] {
        let text: String = asked.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let found = admin.get(&format!("/api/keys?q={text}")).await.json();

        let has = |key: &&Value, field: &str| {
            key[field].as_str().unwrap().to_lowercase().contains(&asked.to_lowercase())
        };
        let shown = ["note", "key_brief", "key_identifier"];
        let expected = all["keys"].as_array().unwrap().iter();
        let expected = expected.filter(|key| shown.iter().any(|field| has(key, field)));
        let found = found["keys"].as_array().unwrap().iter();
        let names = |key: &Value| key["key_identifier"].clone();
        assert_eq!(found.map(names).collect::<Vec<_>>(), expected.map(names).collect::<Vec<_>>());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_in_an_address_is_never_said_however_early_the_request_is_refused() {
    let credential = "canary-query-credential-0123456789";
    Canaries::of_processes().learn(credential);
    let directory = tempfile::tempdir().unwrap();
    let settings = [("LOG_FILE_DIR", "logs"), ("PASSWORD", PASSWORD)];
    let mut gateway = Process::start(directory.path(), &settings);
    let address = gateway.address().await;
    let admin = log_in(address).await;
    let long = "x".repeat(20 * 1024);

    for pair in ["key", "ticket", "access_token", "api_key", "token"] {
        let query = format!("{pair}={credential}");
        for path in ["/api/logs/sse", "/api/request_logs", "/api/keys", "/api/stats"] {
            admin.get(&format!("{path}?{query}")).await;
        }
        for request in [
            format!("GET /v1beta/models?{query} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("GET /v1beta/models?a=b&{query} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("GET /api/keys?{query} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("GET /api/logs/sse?{query} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("GET /nothing/here?{query} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("GET http://elsewhere/v1beta/models?{query} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("TRACE /v1beta/models?{query} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("GET /v1beta/models?{query} HTTP/9.9\r\nhost: x\r\n\r\n"),
            format!("GET /v1beta/models?{query} HTTP/1.1\r\nbro ken: x\r\n\r\n"),
            format!("GET /v1beta/models?{query}&{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!("GET /v1beta/%zz?{query} HTTP/1.1\r\nhost: x\r\n\r\n"),
            format!(
                "POST /v1beta/models/m:generateContent?{query} HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n"
            ),
        ] {
            let mut wire = Wire::connect(address).await;
            wire.send(&request).await;
            wire.finish().await;
            let answer = wire.read_to_end().await;
            assert!(!answer.contains(credential), "{request:.100}: {answer}");
            assert!(!answer.starts_with("HTTP/1.1 2"), "{request:.100}: {answer}");
        }
    }
    gateway.signal("TERM");
    assert!(gateway.exit().await.success());
    assert!(directory.path().join("logs/gemini-balance.log").exists());
    // Its end searches what it said, its log file and its database.
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_may_call_only_if_it_is_named_and_then_only_exactly() {
    let named = "https://chat.example";
    let origins = [
        named,
        "https://chat.example.evil",
        "http://chat.example",
        "https://CHAT.example",
        "null",
        "https://evil.example",
    ];
    for (setup, allowed) in
        [(Setup::default(), None), (Setup::default().set("CORS_ORIGINS", named), Some(named))]
    {
        let gateway = setup.start().await;
        for origin in origins {
            let client = gateway.client(Form::Chat).with("origin", origin);
            let asking = gateway
                .stranger()
                .with("origin", origin)
                .with("access-control-request-method", "POST")
                .send(Method::OPTIONS, Form::Chat.path(), "")
                .await;
            let answered = client.post(Form::Chat.path(), &Form::Chat.body("hello")).await;
            let refused = gateway.stranger().with("origin", origin).get("/v1/models").await;
            let admins = gateway.stranger().with("origin", origin).get("/api/version").await;

            for reply in [&asking, &answered, &refused] {
                let expected = if allowed == Some(origin) { origin } else { "" };
                assert_eq!(reply.header("access-control-allow-origin"), expected, "{origin}");
                assert_eq!(reply.header("access-control-allow-credentials"), "", "{origin}");
                assert_eq!(reply.header("server"), "", "{origin}");
            }
            assert_eq!(admins.header("access-control-allow-origin"), "", "{origin}");
            assert_eq!(answered.header("x-content-type-options"), "nosniff");
            assert_eq!(answered.header("referrer-policy"), "no-referrer");
        }
        gateway.close().await;
    }
}
