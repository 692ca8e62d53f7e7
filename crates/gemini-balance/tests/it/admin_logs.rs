//! The request log and the live log, as an admin sees them.

use std::time::Duration;

use gemini_balance::feed::SUBSCRIBERS_MAX;
use gemini_balance::live::Line;
use gemini_balance::log_row::{LogRow, Tokens};
use gemini_balance::random::RequestId;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tracing::Level;

use crate::support::{Client, Gateway, Setup, Stream, eventually};

const START_MS: i64 = 1_795_380_000_000;

/// Whether a row is among those that a query asks for.
type Passes = fn(&LogRow) -> bool;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_in_the_log_with_its_tokens_and_attempts() {
    let keys = ["service-key-503", "service-key-good"];
    let gateway = Setup::default().keys(keys).start().await;
    let admin = gateway.admin().await;

    // Whichever key comes first, one of two requests meets the bad one.
    let mut ids = Vec::new();
    for text in ["hello", "again"] {
        let body = json!({
            "model": "gemini-2.5-flash",
            "messages": [{"role": "user", "content": text}],
        });
        let reply = gateway.openai().post("/v1/chat/completions", &body).await;
        assert_eq!(reply.status, 200);
        ids.push(reply.header("x-request-id").to_owned());
    }
    gateway.app().journal.flush().await.unwrap();

    let all = admin.get("/api/request_logs").await.json();
    let finals = admin.get("/api/request_logs?is_final=true").await.json();
    let failed = admin.get("/api/request_logs?is_success=false").await.json();

    let newest = &all["logs"][0];
    assert_eq!(newest["request_id"], *ids.last().unwrap());
    assert_eq!(newest["auth_key_alias"], "alice");
    assert_eq!(newest["model_name"], "gemini-2.5-flash");
    assert_eq!(newest["is_success"], true);
    assert_eq!(newest["status"], 200);
    assert!(newest["total_tokens"].as_u64().unwrap() > 0, "{newest}");
    assert!(newest["key_identifier"].as_str().unwrap().starts_with("key_sha256_"));
    assert_eq!(all["total"], rows(&all).len());
    assert_eq!(all["request_time_range"].as_array().unwrap().len(), 2);
    assert_eq!(rows(&finals).len(), 2);
    let retried = failed["logs"][0]["request_id"].as_str().unwrap();
    let one = admin.get(&format!("/api/request_logs/{retried}")).await.json();
    let attempts = one["attempts"].as_array().unwrap();
    assert!(1 < attempts.len(), "{one}");
    assert_eq!(attempts[0]["attempt"], 1);
    assert_eq!(attempts[0]["is_final"], false);
    assert_eq!(attempts.last().unwrap()["is_final"], true);
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_not_in_the_log_is_not_found() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    for name in ["ab12", "xyz", "%27%3B--", &"a".repeat(5_000)] {
        let reply = admin.get(&format!("/api/request_logs/{name}")).await;

        assert_eq!(reply.status, 404, "{name}");
        assert_eq!(reply.json()["error"]["code"], "not_found");
    }
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_hold_together_and_pages_join_without_gaps() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    record(&gateway, (0..2_500).map(row)).await;

    let cases: [(&str, Passes); 15] = [
        ("", |_| true),
        ("model_name=model-1", |row| row.model == "model-1"),
        ("model_name=model-1&is_success=false", |row| row.model == "model-1" && !row.is_success()),
        ("status=503", |row| row.status == Some(503)),
        ("error_type=upstream_error&is_stream=true", |row| !row.is_success() && row.is_stream),
        ("is_final=false", |row| !row.is_final),
        ("is_final=true&model_name=model-1", |row| row.is_final && row.model == "model-1"),
        ("service_key_id=2", |row| row.service_key_id == Some(2)),
        ("user_key_id=1&service_key_id=2&is_success=true", |row| {
            row.service_key_id == Some(2) && row.is_success()
        }),
        ("user_key_id=2", |_| false),
        ("model_name=model-_", |_| false),
        ("model_name=%25", |_| false),
        ("key_identifier=key_sha256_00000000", |_| false),
        ("request_id=7", |row| row.request_id == RequestId(7)),
        ("request_time_start=1795380001000&request_time_end=2026-11-22T20:40:01.099", |row| {
            (START_MS + 1_000..START_MS + 1_100).contains(&row.ended_at_ms)
        }),
    ];
    for (query, passes) in cases {
        let found = through_pages(&admin, query).await;
        let expected = (0..2_500).rev().map(row).filter(passes);
        let expected: Vec<String> = expected.map(|row| row.request_id.to_string()).collect();

        assert_eq!(found, expected, "{query}");
    }
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_by_its_number_is_what_the_predecessors_scripts_expect() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    record(&gateway, (0..250).map(row)).await;

    let first = admin.get("/api/request_logs").await.json();
    let last = admin.get("/api/request_logs?limit=100&offset=200").await.json();
    let beyond = admin.get("/api/request_logs?offset=1000000000").await.json();

    assert_eq!(rows(&first).len(), 100);
    assert_eq!(first["logs"][0]["request_time"], "2026-11-22T20:40:00.249000Z");
    assert_eq!(
        first["request_time_range"],
        json!(["2026-11-22T20:40:00Z", "2026-11-22T20:40:00.249000Z"])
    );
    assert_eq!(rows(&last).len(), 50);
    assert_eq!(last["logs"][49]["request_time"], "2026-11-22T20:40:00Z");
    assert_eq!(last["next_cursor"], Value::Null);
    for page in [&first, &last, &beyond] {
        assert_eq!(page["total"], 250);
    }
    assert_eq!(beyond["logs"], json!([]));
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_makes_no_sense_is_refused_and_never_a_fault() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    record(&gateway, (0..10).map(row)).await;
    let long = "x".repeat(10_240);

    for query in [
        "limit=0",
        "limit=-1",
        "limit=1001",
        "limit=1000000000",
        "limit=NaN",
        "offset=-1",
        "offset=NaN",
        "offset=5&model_name=model-1",
        "cursor=nonsense",
        "cursor=-1",
        "status=99",
        "status=1000000000",
        "user_key_id=NaN",
        "is_success=maybe",
        "request_id=xyz",
        "request_time_start=NaN",
        "request_time_end=yesterday",
        "model=model-1",
        "sort=id%3BDROP+TABLE+request_logs",
        "limit=5&limit=6",
        &format!("cursor={long}"),
        &format!("{long}=1"),
    ] {
        for path in ["/api/request_logs", "/api/request_logs/export"] {
            let reply = admin.get(&format!("{path}?{query}")).await;

            assert_eq!(reply.status, 422, "{path}?{query:.80}: {:.300}", reply.text());
            assert_eq!(reply.json()["detail"][0]["loc"][0], "query", "{query:.80}");
            if query.starts_with("offset") || query.starts_with("limit=") {
                break;
            }
        }
    }
    for query in [
        format!("model_name={long}"),
        "user_key_id=-1".to_owned(),
        "offset=1000000000".to_owned(),
        format!("model_name={}", "%25_".repeat(30)),
        "error_type=%27%20OR%201%3D1--".to_owned(),
        "request_time_start=9999-01-01".to_owned(),
        "request_time_end=0001-01-01".to_owned(),
        "request_time_start=2026-12-01&request_time_end=2026-11-01".to_owned(),
    ] {
        let reply = admin.get(&format!("/api/request_logs?{query}")).await;

        assert_eq!(reply.status, 200, "{query:.80}: {:.300}", reply.text());
        assert_eq!(reply.json()["logs"], json!([]), "{query:.80}");
    }
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_known_values_are_what_filters_can_be_made_of() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    record(&gateway, (0..10).map(row)).await;

    let values = admin.get("/api/request_logs/values").await.json();

    assert_eq!(values["models"], json!(["model-0", "model-1", "model-2", "model-3", "model-4"]));
    assert_eq!(values["error_kinds"], json!(["upstream_error"]));
    assert_eq!(values["statuses"], json!([200, 503]));
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_the_whole_list_as_a_file() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    record(&gateway, (0..1_700).map(row)).await;
    let evil = LogRow { model: "=HYPERLINK(\"http://evil\"),x".to_owned(), ..row(1_700) };
    record(&gateway, [evil].into_iter()).await;

    let csv = admin.get("/api/request_logs/export").await;
    let jsonl = admin.get("/api/request_logs/export?format=jsonl&model_name=model-1").await;
    let short = admin.get("/api/request_logs/export?format=jsonl&limit=7").await;
    let none = admin.get("/api/request_logs/export?model_name=nothing").await;

    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"request_logs.csv\"");
    let text = csv.text();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 1_702);
    assert!(lines[1].contains(r#","'=HYPERLINK(""http://evil""),x","#), "{}", lines[1]);
    let columns = lines[0].split(',').count();
    assert!(lines[2..].iter().all(|line| line.split(',').count() == columns));
    assert_eq!(jsonl.header("content-type"), "application/x-ndjson");
    let logs: Vec<Value> =
        jsonl.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(logs.len(), 340);
    assert!(logs.iter().all(|log| log["model_name"] == "model-1"));
    assert_eq!(short.text().lines().count(), 7);
    assert_eq!(none.text(), format!("{}\r\n", lines[0]));
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_log_shows_the_kept_lines_first_and_then_each_further_one() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    publish(&gateway, "before");

    let mut stream = open(&admin, "/api/logs/sse").await;
    let history = until(&mut stream, "before").await;
    publish(&gateway, "after");
    let fresh = until(&mut stream, "after").await;

    assert!(history.contains("Z - INFO - before"), "{history}");
    assert!(history.contains("id: "), "{history}");
    assert!(!fresh.contains("before"), "{fresh}");
    drop(stream);
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_reconnects_goes_on_after_its_last_event() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    publish(&gateway, "one");
    let seen = publish(&gateway, "two");
    publish(&gateway, "three");

    let browser = admin.with("last-event-id", &seen.to_string());
    let mut by_header = open(&browser, "/api/realtime_logs?last_event_id=0").await;
    let mut by_query = open(&admin, &format!("/api/status/logs/sse?last_event_id={seen}")).await;

    for stream in [&mut by_header, &mut by_query] {
        let text = until(stream, "three").await;
        assert!(!text.contains("one") && !text.contains("two"), "{text}");
    }
    drop((by_header, by_query));
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_log_can_be_filtered_and_be_json() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    for (level, message) in
        [(Level::INFO, "key 1 cools"), (Level::WARN, "key 2 cools"), (Level::ERROR, "disk full")]
    {
        publish_at(&gateway, level, message);
    }

    let path = "/api/logs/sse?format=json&level=warning&q=cools";
    let mut stream = open(&admin, path).await;
    let text = until(&mut stream, "cools").await;
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let line: Value = serde_json::from_str(data).unwrap();

    assert_eq!(line["message"], "key 2 cools");
    assert_eq!(line["level"], "WARNING");
    assert!(!text.contains("key 1") && !text.contains("disk"), "{text}");
    for query in ["level=loud", "format=xml", "last_event_id=x", "token=abc", "ticket=1"] {
        let reply = admin.get(&format!("/api/logs/sse?{query}")).await;
        assert_eq!(reply.status, 422, "{query}");
    }
    drop(stream);
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_soon_after_its_session() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let other = gateway.admin().await;
    let mut ended = open(&admin, "/api/logs/sse").await;
    let mut alive = open(&other, "/api/logs/sse").await;

    let logout = admin.post("/api/auth/logout", &json!({})).await;
    assert!(logout.status.is_success(), "{}", logout.text());

    let ending = async { while ended.next().await.is_some() {} };
    let in_time = tokio::time::timeout(Duration::from_secs(5), ending).await;
    assert!(in_time.is_ok(), "the stream goes on");
    publish(&gateway, "still here");
    until(&mut alive, "still here").await;
    drop((ended, alive));
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_watcher_too_many_is_sent_away_until_another_leaves_and_a_shutdown_ends_them_all() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let mut streams = Vec::new();
    for _ in 0..SUBSCRIBERS_MAX {
        streams.push(open(&admin, "/api/logs/sse").await);
    }

    let refused = admin.get("/api/logs/sse").await;
    streams.pop();
    eventually("a place is free again", async || {
        let stream = admin.open(Method::GET, "/api/logs/sse", "").await;
        stream.status() == StatusCode::OK
    })
    .await;

    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), "10");
    assert_eq!(refused.json()["error"]["code"], "too_many_subscribers");
    let closing = tokio::time::timeout(Duration::from_secs(5), gateway.close()).await;
    assert!(closing.is_ok(), "the streams keep the gateway from ending");
    for stream in &mut streams {
        while stream.next().await.is_some() {}
    }
}

/// Row `number` of a log whose numbers decide everything: each eleventh failed and was tried again.
pub(crate) fn row(number: i64) -> LogRow {
    let is_success = number % 11 != 6;
    LogRow {
        request_id: RequestId(number.unsigned_abs().into()),
        ended_at_ms: START_MS + number,
        user_key_id: Some(1),
        service_key_id: Some(number % 3 + 1),
        model: format!("model-{}", number % 5),
        dialect: "openai".into(),
        operation: "chat/completions".into(),
        is_stream: number % 20 < 10,
        status: Some(if is_success { 200 } else { 503 }),
        error_kind: (!is_success).then(|| "upstream_error".into()),
        attempt: 1,
        is_final: is_success,
        tokens: Tokens { total: Some(7), ..Tokens::default() },
        first_byte_ms: Some(3),
        duration_ms: 5,
        bytes_in: 10,
        bytes_out: 20,
        client: "OpenAI/Python 3.54.0".to_owned(),
        frames: None,
    }
}

async fn record(gateway: &Gateway, rows: impl Iterator<Item = LogRow>) {
    let journal = &gateway.app().journal;
    rows.for_each(|row| journal.record(row));
    journal.flush().await.unwrap();
}

fn rows(page: &Value) -> &Vec<Value> {
    page["logs"].as_array().unwrap_or_else(|| panic!("no page: {page}"))
}

/// The request ids of all rows that a query finds, page by page.
async fn through_pages(admin: &Client, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = admin.get(&format!("/api/request_logs?limit=97&{query}{cursor}")).await.json();
        ids.extend(rows(&page).iter().map(|row| row["request_id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

fn publish(gateway: &Gateway, message: &str) -> u64 {
    publish_at(gateway, Level::INFO, message)
}

fn publish_at(gateway: &Gateway, level: Level, message: &str) -> u64 {
    let app = gateway.app();
    let line = Line {
        id: 0,
        time_ms: app.clock.wall_ms(),
        level,
        target: "test",
        message: message.to_owned(),
        fields: Vec::new(),
    };
    app.live.publish(line).id
}

async fn open(client: &Client, path: &str) -> Stream {
    let stream = client.open(Method::GET, path, "").await;
    assert_eq!(stream.status(), 200);
    stream
}

/// Reads a stream until some text has come.
async fn until(stream: &mut Stream, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) || !read.ends_with("\n\n") {
        let piece = stream.next().await.expect("the stream goes on");
        read.push_str(&String::from_utf8_lossy(&piece));
    }
    read
}
