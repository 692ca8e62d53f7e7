//! Rules, faults, and what is told about them afterwards.

use std::io::ErrorKind;

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

use crate::{
    Answer, Decoration, Ending, Fault, Options, Outcome, Point, Refusal, Step, Upstream, UsageForm,
    When,
    tests::{
        CHAT, GENERATE, STREAM, ask, chat, connect, exchange, hello, keyed, read_answer,
        read_to_end, request,
    },
};

#[tokio::test]
async fn the_latest_rule_that_is_not_used_up_wins() {
    let upstream = Upstream::start().await.unwrap();
    upstream.on(When::any().key("a"), Answer::quota_per_day(25));
    upstream.on(When::any().model("m").method("POST").times(1), Refusal::KeyInvalid);
    upstream.on(When::any().path_contains("other"), Answer::empty_200());

    let first = ask(&upstream, "POST", GENERATE, "a", &hello("hi")).await;
    let second = ask(&upstream, "POST", GENERATE, "a", &hello("hi")).await;
    let third = ask(&upstream, "POST", GENERATE, "b", &hello("hi")).await;
    upstream.clear();
    let fourth = ask(&upstream, "POST", GENERATE, "a", &hello("hi")).await;

    assert_eq!(first.json()["error"]["details"][0]["reason"], "API_KEY_INVALID");
    assert!(second.text().contains("GenerateRequestsPerDay"));
    assert_eq!([second.status, third.status, fourth.status], [429, 200, 200]);
}

#[tokio::test]
async fn connections_break_where_the_script_says() {
    let upstream = Upstream::start().await.unwrap();
    let check = async |answer: Answer, expected: &str, ending: Option<ErrorKind>| {
        upstream.clear();
        upstream.on(When::any(), answer);
        let mut client = connect(&upstream).await;
        client.write_all(keyed("POST", STREAM, "k", &hello("hi")).as_bytes()).await.unwrap();
        let (received, error) = read_to_end(&mut client).await;
        assert!(received.ends_with(expected), "{received}");
        assert_eq!(error, ending, "{received}");
    };
    let reset = Some(ErrorKind::ConnectionReset);

    check(Answer::reset(), "", reset).await;
    check(Answer::close(), "", None).await;
    check(Answer::cut(Point::StatusLine, Ending::Close), "HTTP/1.1 200 OK\r\n", None).await;
    check(Answer::close_after(0), "chunked\r\n\r\n", None).await;
    check(Answer::reset_after(0), "chunked\r\n\r\n", reset).await;
    check(Answer::close_after(2), "\r\n\r\n\r\n", None).await;
    check(Answer::reset_after(2), "\r\n\r\n\r\n", reset).await;
    let inside = Point::Inside { events: 1, bytes: 4 };
    check(Answer::cut(inside, Ending::Close), "\r\ndata", None).await;
    upstream
        .wait_until(|seen| seen.iter().all(|one| one.outcome == Outcome::Broken))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stall_lasts_until_the_client_leaves() {
    let upstream = Upstream::start().await.unwrap();
    upstream.on(When::any(), Answer::stall_after(2));
    let mut client = connect(&upstream).await;

    client.write_all(keyed("POST", STREAM, "k", &hello("hi")).as_bytes()).await.unwrap();
    let mut received = String::new();
    while received.matches("\r\n\r\n\r\n").count() < 2 {
        let mut buffer = [0; 4096];
        let count = client.read(&mut buffer).await.unwrap();
        received.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    assert_eq!((upstream.open_requests(), upstream.seen()[0].outcome), (1, Outcome::Open));
    drop(client);

    let gone = Outcome::ClientGone { sent_events: 2 };
    upstream.wait_until(|seen| seen[0].outcome == gone).await.unwrap();
    upstream.wait_for_requests(|open| open == 0).await.unwrap();
    upstream.wait_for_connections(|open| open == 0).await.unwrap();
}

#[tokio::test]
async fn lengths_are_declared_wrongly_on_request() {
    let upstream = Upstream::start().await.unwrap();
    let check = async |answer: Answer, surplus: i64| {
        upstream.clear();
        upstream.on(When::any(), answer);
        let mut client = connect(&upstream).await;
        client.write_all(keyed("POST", GENERATE, "k", &hello("hi")).as_bytes()).await.unwrap();
        let (received, _) = read_to_end(&mut client).await;
        let (head, body) = received.split_once("\r\n\r\n").unwrap();
        let declared = head.split_once("content-length: ").unwrap().1.lines().next().unwrap();
        assert_eq!(declared.parse::<i64>().unwrap() - i64::try_from(body.len()).unwrap(), surplus);
    };

    check(Answer::short_body(7), 7).await;
    check(Answer::long_body(7), -7).await;
}

#[tokio::test]
async fn a_paced_stream_leaves_event_by_event() {
    let upstream = Upstream::start().await.unwrap();
    upstream.on(When::any(), Answer::paced(4, 20));
    let started = Instant::now();

    let answer = ask(&upstream, "POST", STREAM, "k", &hello("hi")).await;

    assert_eq!(answer.text().matches("data: ").count(), 4);
    assert!(started.elapsed().as_millis() >= 60);
}

#[tokio::test]
async fn streams_are_spelt_and_broken_as_asked() {
    let upstream = Upstream::start().await.unwrap();
    let check = async |path: &str, answer: Answer, holds: fn(&str) -> bool| {
        upstream.clear();
        upstream.on(When::any(), answer);
        let body = if path == CHAT { chat("hi") } else { hello("hi") };
        let text = ask(&upstream, "POST", path, "k", &body).await.text();
        assert!(holds(&text), "{text}");
    };

    check(STREAM, Answer::error_event_after(1, 503), |text| {
        text.matches("data: ").count() == 2 && text.contains(r#"data: {"error":{"code":503"#)
    })
    .await;
    check(STREAM, Answer::bare_error_after(1, 503), |text| text.contains("\r\n\r\n{\n  \"error\""))
        .await;
    check(STREAM, Answer::no_finish_reason(), |text| !text.contains("finishReason")).await;
    check(STREAM, Answer::usage(UsageForm::Each), |text| {
        text.matches("usageMetadata").count() == 3
    })
    .await;
    check(STREAM, Answer::decorated([Decoration::MultiLine]), |text| {
        text.starts_with("data: {\r\ndata:   \"candidates\"")
    })
    .await;
    check(STREAM, Answer::blocked("SAFETY"), |text| !text.contains("candidates\"")).await;
    check(STREAM, Answer::giant_line(2), |text| text.len() > 2 << 20).await;
    check(STREAM, Answer::one_byte_per_write(), |text| text.ends_with("}\r\n\r\n")).await;
    check(CHAT, Answer::no_done(), |text| !text.contains("[DONE]") && text.contains("stop")).await;
    check(CHAT, Answer::usage(UsageForm::Extra), |text| text.contains(r#""choices":[]"#)).await;
}

#[tokio::test]
async fn a_connection_is_kept_and_chunked_bodies_are_read() {
    let upstream = Upstream::start().await.unwrap();
    let mut client = connect(&upstream).await;
    let hello = hello("hi");
    let (front, back) = hello.split_at(5);
    let chunked = format!(
        "POST {GENERATE} HTTP/1.1\r\nx-goog-api-key: k\r\ntransfer-encoding: chunked\r\n\r\n\
         5\r\n{front}\r\n{:x}\r\n{back}\r\n0\r\n\r\n",
        back.len()
    );

    let plain = keyed("POST", GENERATE, "k", &hello);
    client.write_all(format!("{plain}{chunked}").as_bytes()).await.unwrap();
    let (first, second) = (read_answer(&mut client).await, read_answer(&mut client).await);

    assert_eq!(first.body, second.body);
    let seen = upstream.seen();
    assert_eq!(seen[1].body, hello);
    assert_eq!([seen[0].request_on_connection, seen[1].request_on_connection], [0, 1]);
    assert_eq!(seen[0].connection, seen[1].connection);
    assert_eq!((seen[0].key.as_deref(), seen[0].model.as_deref()), (Some("k"), Some("m")));
}

#[tokio::test]
async fn other_processes_script_and_look_over_the_same_port() {
    let upstream = Upstream::start().await.unwrap();
    let rule = r#"[{"when":{"key":"a"},"answer":{"faulty":{"answer":{"status":{"code":418}},
        "faults":[{"headers":[["x-a","1"]]}]}}},
        {"when":{"key":"b"},"answer":{"default":{"text":"bonjour"}}},
        {"answer":{"steps":[{"head":{"status":201}},{"chunk":"x"},"flush","close"]},"when":{"nth":9}}]"#;
    let control = async |method: &str, name: &str, body: &str| {
        exchange(&upstream, &request(method, &format!("/__fake/{name}"), "", body)).await
    };

    let added = control("POST", "rules", rule).await;
    let refused = control("POST", "rules", r#"{"answer":{"nonsense":1}}"#).await;
    let teapot = ask(&upstream, "POST", GENERATE, "a", &hello("hi")).await;
    let bonjour = ask(&upstream, "POST", GENERATE, "b", &hello("hi")).await;
    let seen = control("GET", "seen", "").await;
    let emptied = control("DELETE", "rules", "").await;

    assert_eq!(added.json()["rules"], 3);
    assert_eq!(refused.status, 400);
    assert!(teapot.status == 418 && teapot.head.contains("x-a: 1"));
    assert!(bonjour.text().contains("bonjour"));
    assert_eq!(seen.json()[0]["outcome"], "answered");
    assert_eq!(seen.json()[1]["body"], hello("hi"));
    assert_eq!(emptied.json()["rules"], 0);
}

#[tokio::test]
async fn stopping_closes_open_connections() {
    let upstream = Upstream::start().await.unwrap();
    upstream.on(When::any(), Answer::stall());
    let mut client = connect(&upstream).await;
    client.write_all(keyed("POST", GENERATE, "k", &hello("hi")).as_bytes()).await.unwrap();
    upstream.wait_until(|seen| seen.len() == 1).await.unwrap();
    let address = upstream.address();

    upstream.stop().await;

    assert_eq!(read_to_end(&mut client).await.0, "");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn steps_and_faults_are_taken_literally() {
    let upstream = Upstream::start().await.unwrap();
    let options = Options { text: Some("日本".to_owned()), chunks: 1, ..Options::default() };
    upstream
        .on(When::any().key("pieces"), Answer::Default(options).with(Fault::Pieces { bytes: 1 }));
    upstream.on(
        When::any().key("steps"),
        Answer::steps([
            Step::Head { status: 200, headers: vec![("content-length".into(), "3".into())] },
            Step::Bytes(Bytes::from_static(b"a\xffb")),
        ]),
    );

    let pieces = ask(&upstream, "POST", STREAM, "pieces", &hello("hi")).await;
    let steps = ask(&upstream, "POST", STREAM, "steps", &hello("hi")).await;

    assert!(pieces.text().contains("日本"));
    assert_eq!(steps.body, b"a\xffb");
}
