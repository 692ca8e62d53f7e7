//! The edge: what a hostile or broken client may send before a request is one.

use std::fmt::Write;
use std::time::{Duration, Instant};

use dialect::Dialect;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Form, Gateway, Setup, eventually, statuses, together};

/// What every smuggler hopes that we read as a request of its own.
const SMUGGLED: &str = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_framed_in_a_doubtful_way_is_refused_and_nothing_behind_it_is_read() {
    let gateway = Gateway::start().await;

    for framing in [
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5,5",
        "Content-Length: ",
        "Content-Length: 18446744073709551616",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\ncontent-length:5",
        "Transfer-Encoding: chunked\r\nContent-Length: x",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive",
        "Transfer-Encoding: \x0bchunked",
        "Transfer_Encoding: chunked\r\nTransfer-Encoding: x",
    ] {
        let answers = post(&gateway, framing, &format!("0\r\n\r\n{SMUGGLED}")).await;
        assert_eq!(statuses(&answers), [400], "{framing}: {answers}");
    }
    let request = format!(
        "POST /v1/chat/completions HTTP/1.0\r\nHost: h\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
        gateway.user_key
    );
    assert_eq!(statuses(&gateway.wire().await.exchange(request).await), [400]);
    nothing_happened(gateway).await;
}

/// A refusal would be stricter; RFC 9112, 2.2 allows a bare line feed, and hyper takes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_with_bare_line_feeds_is_one_request() {
    let gateway = Gateway::start().await;

    let request = "GET /health HTTP/1.1\nHost: h\nConnection: close\n\n";
    let answers = gateway.wire().await.exchange(request).await;

    assert_eq!(statuses(&answers), [200], "{answers}");
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_lengths_count_as_one() {
    let gateway = Gateway::start().await;

    let framing = "Connection: close\r\nContent-Length: 2\r\nContent-Length: 2";
    let answers = post(&gateway, framing, "[]").await;

    assert_eq!(statuses(&answers), [400], "the body alone is wrong");
    assert!(answers.contains("JSON list"), "{answers}");
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_chunk_ends_its_request_and_the_connection() {
    let gateway = Gateway::start().await;
    let endless = format!("2\r\n{{}}\r\n0\r\n{}", "a: b\r\n".repeat(20_000));

    for body in [
        "00000000000000002\r\n{}\r\n",
        "fffffffffffffffff\r\n{}\r\n",
        "2;ext\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "2\r\n{}0\r\n\r\n",
        "x\r\n{}\r\n",
        "\r\n{}\r\n",
        "-2\r\n{}\r\n",
        &endless,
    ] {
        let answers =
            post(&gateway, "Transfer-Encoding: chunked", &format!("{body}{SMUGGLED}")).await;
        assert_eq!(statuses(&answers), [400], "{body:.40}: {answers}");
    }
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_none_is_refused() {
    let gateway = Gateway::start().await;

    for field in [
        "A: b\r\n folded: c",
        "A : b",
        "A: b\0c",
        "A: b\rc",
        ": b",
        "A b: c",
        "no colon",
        "\u{e4}: b",
    ] {
        let answers = head(&gateway, &format!("GET /health HTTP/1.1\r\nHost: h\r\n{field}")).await;
        assert_eq!(statuses(&answers), [400], "{field:?}: {answers}");
    }
    let passed = "GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\nA: \u{e4}\u{4e2d}";
    assert_eq!(statuses(&head(&gateway, passed).await), [200], "other alphabets do no harm");
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_beyond_its_limits_is_refused() {
    let gateway = Gateway::start().await;
    let fields = |count: usize| {
        (1..count).fold(String::from("Host: h"), |mut fields, number| {
            write!(fields, "\r\na{number}: b").unwrap();
            fields
        })
    };
    let long = "a".repeat(16 * 1024);
    let large = "a".repeat(64 * 1024);

    for (request, expected) in [
        (format!("GET /health HTTP/1.1\r\n{}\r\nConnection: close", fields(99)), 200),
        (format!("GET /health HTTP/1.1\r\n{}", fields(101)), 431),
        (format!("GET /health HTTP/1.1\r\nHost: h\r\na: {large}"), 431),
        (format!("GET /{long} HTTP/1.1\r\nHost: h"), 414),
        (format!("GET /health?{long} HTTP/1.1\r\nHost: h"), 414),
        (format!("GET /{large} HTTP/1.1\r\nHost: h"), 431),
    ] {
        let answers = head(&gateway, &request).await;
        assert_eq!(statuses(&answers), [expected], "{request:.40}: {answers}");
    }
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_none_or_many_is_refused() {
    let gateway = Gateway::start().await;
    let long = format!("Host: {}", "a".repeat(8 * 1024));

    for fields in ["A: b", "Host: h\r\nHost: h", "Host: a/b?x#y", "Host: user@h", "Host: ", &long] {
        for path in ["/health", "/api/keys", "/v1/models"] {
            let answers = head(&gateway, &format!("GET {path} HTTP/1.1\r\n{fields}")).await;
            assert_eq!(statuses(&answers), [400], "{path} {fields:.40}: {answers}");
        }
    }
    for fields in ["Host: h:8000", "Host: [::1]:8000", "Host: gemini_balance"] {
        let request = format!("GET /health HTTP/1.1\r\nConnection: close\r\n{fields}");
        assert_eq!(statuses(&head(&gateway, &request).await), [200], "{fields}");
    }
    assert_eq!(statuses(&head(&gateway, "GET /health HTTP/1.0").await), [200]);
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_in_doubt_is_refused_in_the_words_of_the_path() {
    let gateway = Gateway::start().await;
    let framing = "Host: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked";
    let long = format!("models/{}", "a".repeat(16 * 1024));

    for (path, fields, status, code) in [
        ("models", framing, 400, "doubtful_framing"),
        ("models", "Host: a/b", 400, "invalid_host"),
        (&long, "Host: h", 414, "uri_too_long"),
    ] {
        for (version, dialect) in [("v1", Dialect::OpenAi), ("v1beta", Dialect::Gemini)] {
            let mut wire = gateway.wire().await;
            let head = format!("GET /{version}/{path} HTTP/1.1\r\n{fields}\r\n\r\n{SMUGGLED}");
            wire.send(head).await;
            let reply = wire.read_reply().await;
            gateway.assert_error(&reply, dialect, status, code);
            assert_eq!(wire.read_to_end().await, "", "closed");
        }
    }
    let mut wire = gateway.wire().await;
    wire.send("GET /api/keys HTTP/1.1\r\n\r\n").await;
    let reply = wire.read_reply().await;
    assert!(reply.json()["detail"].as_str().unwrap().contains("Host"), "{}", reply.text());
    assert!(!reply.header("x-request-id").is_empty());
    nothing_happened(gateway).await;
}

/// Whoever sends requests with chunks one behind the other, without waiting for answers, hides
/// all heads but the first from the look at what hyper does not tell.
#[tokio::test(flavor = "multi_thread")]
async fn chunks_behind_a_request_that_is_not_answered_yet_are_refused() {
    let gateway = Gateway::start().await;
    let chunked = |fields: &str| {
        let key = &gateway.user_key;
        let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked";
        format!("{head}\r\nAuthorization: Bearer {key}{fields}\r\n\r\n2\r\n[]\r\n0\r\n\r\n")
    };

    let answers = gateway.wire().await.exchange(chunked("").repeat(2)).await;
    assert_eq!(statuses(&answers), [400, 400], "{answers}");
    assert!(answers.contains("JSON list") && answers.contains("doubtful_framing"), "{answers}");

    let mut wire = gateway.wire().await;
    for fields in ["", "", "\r\nContent-Length: 2"] {
        wire.send(chunked(fields)).await;
        let expected = if fields.is_empty() { "invalid_body" } else { "doubtful_framing" };
        gateway.assert_error(&wire.read_reply().await, Dialect::OpenAi, 400, expected);
    }
    assert_eq!(wire.read_to_end().await, "", "closed");
    drop(wire);
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_field_and_no_authority_leads_to_another_path_or_another_right() {
    let gateway = Gateway::start().await;
    let key = &gateway.user_key;
    let fields = [
        "A: b",
        "X-Forwarded-Host: admin",
        "X-Original-URL: /api/keys",
        "X-Rewrite-URL: /health",
        "X-HTTP-Method-Override: DELETE",
        "X-Forwarded-For: 127.0.0.1",
        "Upgrade: websocket",
    ];

    for field in fields {
        for (target, caller, expected) in [
            ("/api/keys", "", 401),
            ("/v1/models", "", 401),
            ("http://elsewhere/api/keys", "", 401),
            ("/api/keys", key, 401),
            ("/v1/models", key, 200),
            ("http://elsewhere/v1/models", key, 200),
        ] {
            let head = format!(
                "GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
                 Authorization: Bearer {caller}\r\n{field}\r\n\r\n"
            );
            let answers = gateway.wire().await.exchange(head).await;
            assert_eq!(statuses(&answers), [expected], "{target} {field}: {answers}");
        }
    }
    for seen in gateway.upstream.seen() {
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/v1beta/openai/models"));
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_or_protocol_of_others_is_refused() {
    let gateway = Gateway::start().await;

    for (request, expected) in [
        ("CONNECT example.com:443 HTTP/1.1\r\nHost: e:443\r\nConnection: close", &[405][..]),
        ("TRACE /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close", &[405]),
        ("PRI * HTTP/2.0", &[]),
        ("GET / HTTP/3.0", &[400]),
        ("nonsense", &[400]),
    ] {
        let answers = gateway.wire().await.exchange(format!("{request}\r\n\r\nSM\r\n\r\n")).await;
        assert_eq!(statuses(&answers), expected, "{request}: {answers}");
    }
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_not_made_and_what_comes_behind_it_goes_nowhere() {
    let gateway = Gateway::start().await;
    let fields = "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2";

    let answers = post(&gateway, fields, "[]\u{1}\u{5}hello").await;

    assert_eq!(statuses(&answers), [400, 400], "the body, then what is no request: {answers}");
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_do_not_end_cost_their_connections_and_nobody_else_anything() {
    let gateway = Setup::default().set("HEADER_TIMEOUT_SECONDS", 1).start().await;
    let mut slow = JoinSet::new();
    for number in 0..200 {
        let began = Instant::now();
        let wire = gateway.wire().await;
        let drip =
            if number % 2 == 0 { "GET /health HTTP/1.1\r\nA: ".repeat(10) } else { String::new() };
        slow.spawn(async move {
            let said = wire.drip(drip, Duration::from_millis(50)).await;
            assert!(said.is_empty(), "{said}");
            began.elapsed()
        });
    }

    let mut lives = Vec::new();
    while !slow.is_empty() {
        assert_eq!(gateway.ask(Form::Chat).await.status, 200);
        while let Some(life) = slow.try_join_next() {
            lives.push(life.unwrap());
        }
    }

    // By design a second; a busy machine gets some more.
    let (shortest, longest) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
    assert!(*shortest > Duration::from_millis(800), "{shortest:?}");
    assert!(*longest < Duration::from_secs(5), "{longest:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_given_up_before_anybody_is_asked() {
    let gateway = Setup::default().set("BODY_IDLE_TIMEOUT_SECONDS", 0.5).start().await;
    let app = gateway.app();
    let key = &gateway.user_key;

    together(
        [
            ("Content-Length: 1048576", "{".repeat(400)),
            ("Transfer-Encoding: chunked", "1\r\n{\r\n".repeat(70)),
        ]
        .map(async |(framing, body)| {
            let mut wire = gateway.wire().await;
            let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: h";
            wire.send(format!("{head}\r\nAuthorization: Bearer {key}\r\n{framing}\r\n\r\n")).await;
            eventually("it has a place", async || app.admission.in_use() > 0).await;
            assert_eq!(app.pool.counts().leases, 0);

            let said = wire.drip(body, Duration::from_millis(20)).await;

            assert_eq!(statuses(&said), [408], "{said}");
            assert!(said.contains("body_timeout"), "{said}");
        }),
    )
    .await;
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_all_before_reading_still_reads_the_refusal() {
    let setup = Setup::default().set("BODY_LIMIT_MB", 1).set("BODY_BUDGET_MB", 1);
    let gateway = setup.set("MAX_CONCURRENT_REQUESTS", 1).set("CONCURRENCY_TIMEOUT_SECONDS", 0.2);
    let gateway = gateway.start().await;
    let known = format!("Authorization: Bearer {}\r\n", gateway.user_key);
    let body = "x".repeat(10_000_000);
    let declared = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let chunked =
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let encoded = format!("Content-Encoding: gzip\r\n{declared}");
    let check = async |caller: &str, rest: &str, status: u16, code: &str| {
        let mut wire = gateway.wire().await;
        let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: h";
        wire.send_whole(format!("{head}\r\n{caller}{rest}")).await;
        gateway.assert_error(&wire.read_reply().await, Dialect::OpenAi, status, code);
        assert_eq!(wire.read_to_end().await, "", "closed");
    };

    check("", &declared, 401, "missing_api_key").await;
    check("", &chunked, 401, "missing_api_key").await;
    check(&known, &declared, 413, "body_too_large").await;
    check(&known, &chunked, 413, "body_too_large").await;
    check(&known, &encoded, 415, "unsupported_encoding").await;
    let mut holder = gateway.wire().await;
    holder
        .send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n{known}Content-Length: 5\r\n\r\n"
        ))
        .await;
    eventually("the place is taken", async || gateway.app().admission.in_use() == 1).await;
    check(&known, &declared, 503, "queue_timeout").await;
    drop(holder);
    nothing_happened(gateway).await;
}

/// Memory is not spent on them (`exhaustion.rs`), and after a while nobody listens either.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_never_stops_sending_is_cut_off() {
    let gateway = Gateway::start().await;
    let mut wire = gateway.wire().await;
    let piece = "x".repeat(1 << 20);

    wire.send("POST /v1/models HTTP/1.1\r\nHost: h\r\nContent-Length: 300000000\r\n\r\n").await;
    let mut taken = 0;
    while wire.is_taken(&piece).await {
        taken += 1;
    }

    // 16 MiB are thrown away; the rest went into buffers of the system.
    assert!(taken < 64, "{taken} MiB");
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_in_the_shape_of_a_file_brings_no_file() {
    let gateway = Gateway::start().await;
    let long = format!("/{}", "a".repeat(4 * 1024));

    for path in [
        "/../x",
        "//etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..\\x",
        "/%5c..%5cx",
        "/%00",
        "/%252e%252e%252fetc",
        "/.env",
        "/.git/config",
        "/assets/../../data/secrets.toml",
        "/api/../.env",
        "/api/%2e%2e/%2e%2e/etc/passwd",
        "/health/../.env",
        "/index.html",
        &long,
    ] {
        for client in [gateway.stranger(), gateway.openai(), gateway.gemini()] {
            let reply = client.get(path).await;
            let is_refused = [400, 401, 404].contains(&reply.status.as_u16());
            assert!(is_refused, "{path:.40}: {} {}", reply.status, reply.text());
            assert!(reply.json().is_object());
        }
    }
    nothing_happened(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_beyond_the_cap_is_closed_until_another_ends() {
    // Room for those who look around at the end of each test.
    const CAP: usize = 10;
    let gateway = Setup::default().set("MAX_CONNECTIONS", CAP).start().await;
    let mut open = Vec::new();
    for _ in 0..CAP {
        open.push(gateway.wire().await);
    }
    let connections = &gateway.app().connections;
    eventually("all are open", async || connections.open() == CAP).await;

    assert_eq!(gateway.wire().await.exchange("").await, "");
    drop(open.pop());
    eventually("one has ended", async || connections.open() == CAP - 1).await;

    assert_eq!(gateway.stranger().get("/health").await.status, 200);
    drop(open);
    eventually("all have ended", async || connections.open() == 0).await;
    nothing_happened(gateway).await;
}

/// Sends a head to its end and reads until the server closes.
async fn head(gateway: &Gateway, head: &str) -> String {
    gateway.wire().await.exchange(format!("{head}\r\n\r\n")).await
}

/// Sends a chat request of a known caller.
async fn post(gateway: &Gateway, fields: &str, body: &str) -> String {
    let key = &gateway.user_key;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n\
         {fields}\r\n\r\n{body}"
    );
    gateway.wire().await.exchange(request).await
}

/// No upstream was asked, others are served, and nothing is left over.
async fn nothing_happened(gateway: Gateway) {
    assert!(gateway.upstream.seen().is_empty());
    let body =
        json!({"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "hi"}]});
    let reply = gateway.openai().post("/v1/chat/completions", &body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    eventually("all connections have ended", async || gateway.app().connections.open() == 0).await;
    gateway.close().await;
}
