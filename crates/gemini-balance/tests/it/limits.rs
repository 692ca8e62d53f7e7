//! What is too much, too slow or no request at all is refused for what it is, and costs nobody
//! else anything.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dialect::Dialect;
use fake_upstream::{Answer, When};
use tokio::task::JoinSet;

use crate::support::{Client, Form, Gateway, Reply, Setup, eventually, together};

const MEBIBYTE: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_at_the_limit_passes_and_one_beyond_is_refused_declared_or_not() {
    let gateway = Setup::default().set("BODY_LIMIT_MB", 1).start().await;

    for form in Form::ALL {
        let at = padded(form, MEBIBYTE);
        assert_eq!(at.len(), MEBIBYTE);
        let reply = send(&gateway, form, at).await;
        assert_eq!(reply.status, 200, "{form:?}: {}", reply.text());
        gateway.upstream.clear_seen();

        let mut declared = gateway.wire().await;
        declared.send(head(&gateway, form, &format!("content-length: {}", MEBIBYTE + 1))).await;
        let reply = declared.read_reply().await;
        gateway.assert_error(&reply, form.dialect(), 413, "body_too_large");

        let mut chunked = gateway.wire().await;
        chunked.send(head(&gateway, form, "transfer-encoding: chunked")).await;
        let chunk = format!("{:x}\r\n{}\r\n", MEBIBYTE / 2, "x".repeat(MEBIBYTE / 2));
        chunked.send(format!("{chunk}{chunk}1\r\nx\r\n")).await;
        let reply = chunked.read_reply().await;
        gateway.assert_error(&reply, form.dialect(), 413, "body_too_large");
        assert!(gateway.upstream.seen().is_empty());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_the_common_budget_are_refused_until_one_has_ended() {
    let setup = Setup::default().set("BODY_LIMIT_MB", 1).set("BODY_BUDGET_MB", 1);
    let gateway = setup.start().await;

    for form in Form::ALL {
        gateway.upstream.clear_seen();
        gateway.upstream.on(When::any().times(1), Answer::stall());
        let large = || padded(form, MEBIBYTE * 2 / 3);
        let holder = asking(gateway.client(form), form, large());
        gateway.upstream.wait_until(|seen| seen.len() == 1).await.unwrap();

        let mut wire = gateway.wire().await;
        wire.send(head(&gateway, form, &format!("content-length: {}", large().len()))).await;
        let refused = wire.read_reply().await;
        gateway.assert_error(&refused, form.dialect(), 503, "body_budget");
        assert!(!refused.header("retry-after").is_empty());
        assert_eq!(gateway.ask(form).await.status, 200, "a small one has room");
        drop(holder);
        gateway.idle().await;

        assert_eq!(send(&gateway, form, large()).await.status, 200);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_sent_again_is_out_of_the_budget() {
    let gateway = Gateway::start().await;
    let app = gateway.app();
    gateway.upstream.on(When::any(), Answer::stall_after(1));

    for form in [Form::ChatStream, Form::GenerateStream, Form::GenerateArray] {
        let mut stream = gateway.open(form).await;
        stream.next().await.unwrap();

        assert_eq!(app.body_budget.free_bytes(), app.config.limits.body_budget_bytes as u64);
        assert_eq!(app.admission.in_use(), 1);
        drop(stream);
        gateway.idle().await;
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_refused_without_looking_into_it() {
    let gateway = Gateway::start().await;

    for form in Form::ALL {
        for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP", "x"] {
            let client = gateway.client(form).with("content-encoding", encoding);
            let reply = client.post(form.path(), &form.body("hello")).await;
            gateway.assert_error(&reply, form.dialect(), 415, "unsupported_encoding");
        }
        assert!(gateway.upstream.seen().is_empty());
        let plain = gateway.client(form).with("content-encoding", "identity");
        assert_eq!(plain.post(form.path(), &form.body("hello")).await.status, 200);
        gateway.upstream.clear_seen();
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_object_is_refused_before_anybody_is_asked() {
    let gateway = Gateway::start().await;
    let bad: [&[u8]; 18] = [
        b"",
        b" \n",
        b"null",
        b"5",
        b"\"text\"",
        b"[]",
        b"[{}]",
        b"{",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"{'a':1}",
        b"{\"a\":01}",
        b"{\"a\":1}{\"a\":2}",
        b"{\"a\":\"\xe2\x82\"}",
        b"{\"a\":\"\\ud800\"}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\n\"}",
        b"{\"a\":NaN}",
    ];
    let mut number = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = Vec::new();
    for length in 1..=170 {
        noise.push(Vec::from_iter((0..length).map(|_| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            number.to_be_bytes()[0]
        })));
    }

    for form in Form::ALL {
        for body in bad.into_iter().chain(noise.iter().map(Vec::as_slice)) {
            let reply = send(&gateway, form, body.to_vec()).await;
            gateway.assert_error(&reply, form.dialect(), 400, "invalid_body");
        }
    }
    assert!(gateway.upstream.seen().is_empty());
    for (_, view) in gateway.app().pool.views() {
        assert_eq!((view.word(), view.buckets.len()), ("active", 0));
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_any_depth_or_width_is_answered() {
    let gateway = Gateway::start().await;
    let depth = 100_000;
    let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let open = "[".repeat(depth);
    let wide = format!("[1{}]", ",1".repeat(1_000_000));
    let long = format!("\"{}\"", "é".repeat(2_000_000));

    for form in Form::WHOLE {
        for value in [&lists, &objects, &open, &wide, &long] {
            let body = form.body("hello").to_string();
            let body = format!("{{\"x\":{value},{}", &body[1..]);
            let began = Instant::now();
            let reply = send(&gateway, form, body).await;
            assert!(matches!(reply.status.as_u16(), 200 | 400), "{}", reply.text());
            // By design within half a second; a busy machine gets some more.
            assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        }
        assert_eq!(gateway.ask(form).await.status, 200);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_json_in_utf_8_whatever_it_calls_itself() {
    let gateway = Gateway::start().await;

    for form in Form::WHOLE {
        let body = form.body("hello").to_string();
        let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for content_type in [
            "",
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-16",
            "nonsense",
        ] {
            gateway.upstream.clear_seen();
            let client = match content_type {
                "" => gateway.client(form),
                content_type => gateway.client(form).with("content-type", content_type),
            };
            let reply = client.send(http::Method::POST, form.path(), body.clone()).await;
            assert_eq!(reply.status, 200, "{content_type}: {}", reply.text());
            let refused = client.send(http::Method::POST, form.path(), wide.clone()).await;
            gateway.assert_error(&refused, form.dialect(), 400, "invalid_body");
            let bodies: Vec<_> =
                gateway.upstream.seen().into_iter().map(|seen| seen.body).collect();
            assert_eq!(bodies, [body.as_bytes()], "{content_type}");
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_stranger_is_not_read() {
    let gateway = Gateway::start().await;

    for form in Form::ALL {
        for fields in [
            "content-length: 300000000",
            "content-length: 300000000\r\nexpect: 100-continue",
            "content-length: 300000000\r\ncontent-encoding: gzip",
            "transfer-encoding: chunked\r\nexpect: 100-continue",
        ] {
            let mut wire = gateway.wire().await;
            let path = form.path();
            wire.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n")).await;

            // The first thing said is the refusal, not an invitation to go on.
            let reply = wire.read_reply().await;
            gateway.assert_error(&reply, form.dialect(), 401, "missing_api_key");
        }
    }
    assert!(gateway.rows().await.is_empty());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_asks_before_sending_is_invited() {
    let gateway = Gateway::start().await;

    for form in Form::WHOLE {
        let body = form.body("hello").to_string();
        let fields = format!("content-length: {}\r\nexpect: 100-continue", body.len());
        let mut wire = gateway.wire().await;
        wire.send(head(&gateway, form, &fields)).await;
        wire.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
        wire.send(body).await;

        wire.read_until("HTTP/1.1 200 OK\r\n").await;
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_held_to_the_last_byte_and_given_on_in_order() {
    let gateway = Setup::default().set("MAX_CONCURRENT_REQUESTS", 1).start().await;
    let app = gateway.app();

    for form in [Form::ChatStream, Form::GenerateStream, Form::GenerateArray] {
        gateway.upstream.clear_seen();
        gateway.upstream.on(When::any().times(1), Answer::stall_after(1));
        let mut holder = gateway.open(form).await;
        holder.next().await.unwrap();
        let mut waiting = JoinSet::new();
        let names: Vec<String> = (0..6).map(|number| format!("waiter {number}")).collect();
        for (place, name) in names.iter().enumerate() {
            let (client, body) = (gateway.client(form), form.body(name));
            waiting.spawn(async move { client.post(form.path(), &body).await.status });
            eventually("it waits", async || app.admission.queued() == place + 1).await;
        }
        assert_eq!((app.admission.in_use(), gateway.upstream.seen().len()), (1, 1));
        drop(holder);

        let statuses = waiting.join_all().await;
        assert!(statuses.iter().all(|status| status.is_success()), "{statuses:?}");
        let seen = gateway.upstream.seen();
        assert_eq!(seen.len(), names.len() + 1);
        for (one, name) in seen[1..].iter().zip(&names) {
            assert!(String::from_utf8_lossy(&one.body).contains(name), "{name}: {:?}", one.body);
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_for_a_place_has_an_end() {
    let setup = Setup::default().set("MAX_CONCURRENT_REQUESTS", 1);
    let gateway = setup.set("CONCURRENCY_TIMEOUT_SECONDS", 0.05).start().await;
    gateway.upstream.on(When::any(), Answer::stall_after(1));
    let mut holder = gateway.open(Form::GenerateStream).await;
    holder.next().await.unwrap();

    for form in Form::ALL {
        let reply = gateway.ask(form).await;
        gateway.assert_error(&reply, form.dialect(), 503, "queue_timeout");
        assert!(!reply.header("retry-after").is_empty());
    }
    drop(holder);

    assert_eq!(gateway.upstream.seen().len(), 1);
    let rows = gateway.final_rows().await;
    let refused = rows.iter().filter(|row| row.error_kind.as_deref() == Some("queue_timeout"));
    assert_eq!(refused.filter(|row| row.status == Some(503)).count(), Form::ALL.len());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_closed_at_its_limit() {
    let gateway = Setup::default().set("HEADER_TIMEOUT_SECONDS", 0.5).start().await;
    let slow = async |before: String, part: &str| {
        let mut wire = gateway.wire().await;
        if !before.is_empty() {
            wire.send(before).await;
            assert_eq!(wire.read_reply().await.status, 200);
        }
        wire.send(part).await;
        let said = wire.read_to_end().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{part:?}: {said}");
    };
    let complete = format!("{}\r\n", head(&gateway, Form::Generate, "").trim_end());
    let list = complete.replace(Form::Generate.path(), "/v1beta/models").replace("POST", "GET");

    together([
        slow(String::new(), ""),
        slow(String::new(), "P"),
        slow(String::new(), "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-"),
        slow(format!("{list}\r\n"), ""),
        slow(format!("{list}\r\n"), "GET / HTTP"),
    ])
    .await;
    assert_eq!(gateway.ask(Form::Chat).await.status, 200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_is_given_up_before_anybody_is_asked() {
    let gateway = Setup::default().set("BODY_IDLE_TIMEOUT_SECONDS", 0.3).start().await;
    let app = gateway.app();

    let parts = [
        ("content-length: 1000", ""),
        ("content-length: 1000", "{\"half\":"),
        ("transfer-encoding: chunked", "8\r\n{\"half\":\r\n"),
    ];
    let cases = Form::ALL.into_iter().flat_map(|form| parts.map(|part| (form, part)));

    together(cases.map(async |(form, (length, part))| {
        let mut wire = gateway.wire().await;
        wire.send(head(&gateway, form, length)).await;
        wire.send(part).await;

        let reply = wire.read_reply().await;
        gateway.assert_error(&reply, form.dialect(), 408, "body_timeout");
        assert_eq!(wire.read_to_end().await, "", "closed");
    }))
    .await;
    assert_eq!(app.body_budget.free_bytes(), app.config.limits.body_budget_bytes as u64);
    assert!(gateway.upstream.seen().is_empty());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_early_is_one_row_and_asks_nobody() {
    for form in Form::ALL {
        let gateway = Gateway::start().await;
        let mut wire = gateway.wire().await;
        wire.send(head(&gateway, form, "content-length: 1000")).await;
        wire.send("{\"half\":").await;
        wire.finish().await;

        let said = wire.read_to_end().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
        eventually("it is noted", async || !gateway.rows().await.is_empty()).await;
        let row = gateway.only_final_row().await;
        let kind = row.error_kind.as_deref();
        assert!(matches!(kind, Some("body_incomplete" | "client_closed")), "{row:?}");
        assert!(gateway.upstream.seen().is_empty());
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_on_one_connection_are_judged_each_by_its_own_credential() {
    let gateway = Gateway::start().await;
    let key = gateway.user_key.as_str();
    let get = |key: &str| {
        format!("GET /v1beta/models HTTP/1.1\r\nhost: x\r\nx-goog-api-key: {key}\r\n\r\n")
    };
    let post = |key: &str| {
        let body = Form::Generate.body("hello").to_string();
        let (path, length) = (Form::Generate.path(), body.len());
        let fields = format!("x-goog-api-key: {key}\r\ncontent-length: {length}");
        format!("POST {path} HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n{body}")
    };

    for (requests, statuses) in [
        ([get(key), get("wrong"), get(key)], [200, 401, 200]),
        ([get("wrong"), get(key), get("")], [401, 200, 401]),
        ([post(key), get("wrong"), post(key)], [200, 401, 200]),
        ([post(key), post(key), post("wrong")], [200, 200, 401]),
    ] {
        let mut wire = gateway.wire().await;
        wire.send(requests.concat()).await;
        for status in statuses {
            let reply = wire.read_reply().await;
            assert_eq!(reply.status.as_u16(), status, "{requests:?}: {}", reply.text());
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_and_disturbs_nobody() {
    let setup = Setup::default().set("HEADER_TIMEOUT_SECONDS", 0.5);
    let gateway = setup.set("METRICS_PUBLIC", true).start().await;
    let many = (0..101).fold(String::new(), |mut fields, number| {
        // Writing into a string cannot fail.
        let _ = write!(fields, "x-{number}: 1\r\n");
        fields
    });
    let garbage = [
        "\r\n\r\n\r\n".to_owned(),
        "\0\u{1}\u{2}\u{3}\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\nhost: x\r\n\r\n".to_owned(),
        "G\u{fc}T / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /v1/models HTTP/1.1\r\nhost : x\r\n\r\n".to_owned(),
        "GET /v1/models HTTP/1.1\r\nhost: x\r\nx-a: b\0c\r\n\r\n".to_owned(),
        "POST /v1/models HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST /v1/models HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n".to_owned(),
        format!("GET /v1/models HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
        format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(70_000)),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "z".repeat(70_000)),
        "x".repeat(100_000),
    ];

    together(garbage.iter().map(async |bytes| {
        let mut wire = gateway.wire().await;
        wire.send(bytes).await;
        let said = wire.read_to_end().await;
        let begin: String = bytes.chars().take(60).collect();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{begin:?}: {said}");
        assert!(said.matches("HTTP/1.1 ").count() <= 1, "{begin:?}: {said}");
    }))
    .await;

    assert!(gateway.upstream.seen().is_empty());
    assert_eq!(gateway.ask(Form::Chat).await.status, 200);
    let metrics = gateway.stranger().get("/metrics").await.text();
    assert!(metrics.contains("gemini_balance_panics_total 0"), "{metrics}");
    gateway.close().await;
}

/// A good body of exactly so many bytes.
fn padded(form: Form, bytes: usize) -> String {
    let body = form.body("hello").to_string();
    let padding = bytes - body.len() - "\"x\":\"\",".len();
    format!("{{\"x\":\"{}\",{}", "y".repeat(padding), &body[1..])
}

async fn send(gateway: &Gateway, form: Form, body: impl Into<bytes::Bytes>) -> Reply {
    let client = gateway.client(form).with("content-type", "application/json");
    client.send(http::Method::POST, form.path(), body).await
}

/// Asks in the background; dropping the handle leaves.
fn asking(client: Client, form: Form, body: String) -> JoinSet<()> {
    let mut asking = JoinSet::new();
    asking.spawn(async move {
        let client = client.with("content-type", "application/json");
        client.send(http::Method::POST, form.path(), body).await;
    });
    asking
}

/// The head of a request by a known caller, with more fields.
fn head(gateway: &Gateway, form: Form, fields: &str) -> String {
    let key = &gateway.user_key;
    let carrier = match form.dialect() {
        Dialect::OpenAi => format!("authorization: Bearer {key}"),
        Dialect::Gemini => format!("x-goog-api-key: {key}"),
    };
    let path = form.path();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\n{carrier}\r\n{fields}\r\n\r\n")
}
