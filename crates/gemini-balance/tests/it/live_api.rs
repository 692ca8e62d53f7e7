//! Live sessions: a conversation over a WebSocket, with one of many keys behind it.

mod many;
mod token;

use std::time::{Duration, Instant};

use dialect::Dialect;
use dialect::frames::{Kind, write};
use fake_upstream::{Answer, Live, Upstream, When};
use serde_json::json;

use crate::support::process::{Process, log_in};
use crate::support::{
    Form, Gateway, LIVE, LiveClient, PASSWORD, SETUP, Said, Setup, eventually, handshake,
};

const BAD_KEY: &str = "API key not valid. Please pass a valid API key.";

/// The path of a method in a version.
fn path(version: &str, method: &str) -> String {
    format!("/ws/google.ai.generativelanguage.{version}.GenerativeService.{method}")
}

/// Says good-bye and waits for the end.
async fn leave(mut client: LiveClient) {
    client.close(1000, "bye").await;
    assert_eq!(client.rest().await.pop().unwrap().close().0, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_method_and_carrier_of_a_key_opens_a_session() {
    let gateway = Setup::default().keys(["a-service-key"]).start().await;
    let key = gateway.user_key.clone();
    let realtime = format!("realtime, openai-insecure-api-key.{key}, openai-beta.realtime-v1");
    let bearer = format!("Bearer {key}");
    let token = format!("Token {key}");
    let carriers: [(&str, Option<(&str, &str)>); 7] = [
        ("", Some(("x-goog-api-key", &key))),
        ("", Some(("x-api-key", &key))),
        ("", Some(("authorization", &bearer))),
        ("", Some(("authorization", &token))),
        ("", Some(("sec-websocket-protocol", &realtime))),
        ("?key=KEY", None),
        ("?alt=x&access_token=KEY", None),
    ];
    let targets = [
        path("v1", "BidiGenerateContent"),
        path("v1alpha", "BidiGenerateContentConstrained"),
        path("v1alpha", "BidiGenerateMusic"),
        LIVE.to_owned(),
        format!("/gemini/{LIVE}"),
    ];
    for (number, (query, field)) in carriers.into_iter().enumerate() {
        let target = &targets[number % targets.len()];
        let asked = format!("{target}{}", query.replace("KEY", &key));
        let fields: Vec<_> = field.into_iter().collect();

        let mut client = LiveClient::open_at(gateway.address(), &asked, &fields).await;

        client.set_up().await;
        let heard = client.turn("hello").await;
        assert!(heard[0].contains("echo: hello"), "{heard:?}");
        let is_chosen = client.head.contains("sec-websocket-protocol: realtime\r\n");
        assert_eq!(is_chosen, field.is_some_and(|(name, _)| name.starts_with("sec-")));
        leave(client).await;
        let seen = gateway.upstream.seen().pop().unwrap();
        let query = if query.contains("alt") { "?alt=x" } else { "" };
        let plain = target.trim_start_matches("/gemini").trim_start_matches('/');
        assert_eq!(seen.path, format!("/{plain}{query}"));
        assert_eq!(seen.credentials, ["a-service-key"]);
        for name in ["sec-websocket-extensions", "sec-websocket-protocol", "origin"] {
            assert_eq!(seen.header(name), None);
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_pass_as_they_are_in_both_directions() {
    let gateway = Gateway::start().await;
    let script = Live { is_in_parts: true, pings_first: true, ..Live::default() };
    gateway.upstream.on(When::any(), script);
    let mut client = LiveClient::open(&gateway).await;

    assert_eq!(client.next().await, Said::Ping("are you there?".to_owned()));
    client.send_frame(Kind::Pong, b"are you there?").await;
    // A message in two parts with a ping between them, byte by byte.
    let (first, rest) = SETUP.split_at(10);
    let mask = Some([5, 6, 7, 8]);
    let mut bytes = write(Kind::Text, first.as_bytes(), mask);
    bytes[0] &= 0x7F;
    bytes.extend(write(Kind::Ping, b"now?", mask));
    bytes.extend(write(Kind::Continuation, rest.as_bytes(), mask));
    for byte in &bytes {
        client.send_bytes(&[*byte]).await;
    }

    assert_eq!(client.next().await, Said::Pong("now?".to_owned()));
    assert_eq!(client.next().await, Said::Ping("between".to_owned()));
    assert_eq!(client.next().await.text(), r#"{"setupComplete":{}}"#);
    let heard = client.turn("hello").await;
    assert!(heard.last().unwrap().contains("usageMetadata"));
    leave(client).await;
    let heard = gateway.upstream.heard().pop().unwrap();
    assert_eq!((heard.messages[0].as_str(), heard.pongs, heard.closed), (SETUP, 1, Some(1000)));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_one_row_with_its_length_its_frames_and_what_its_turns_cost() {
    let gateway = Setup::default().keys(["a-service-key"]).start().await;
    let mut client = LiveClient::open(&gateway).await;
    client.set_up().await;
    client.turn("hello").await;
    client.turn("and once more").await;
    assert_eq!(gateway.app().live_sessions.count(), 1);
    assert_eq!(gateway.app().admission.in_use(), 0, "a place of its own");
    leave(client).await;

    let row = gateway.only_final_row().await;

    assert_eq!((row.operation.as_str(), row.model.as_str()), ("live", "gemini-live"));
    assert_eq!((row.status, row.is_success, row.attempt), (Some(101), true, 1));
    // Three messages and a close from here; setupComplete, two turns of three and a close from there.
    assert_eq!(row.frames, Some(4 + 8));
    let echo = |said: &str| u32::try_from(format!("echo: {said}").len().div_ceil(4)).unwrap();
    let (asked, answered) = (2 + 4, echo("hello") + echo("and once more"));
    assert_eq!((row.tokens.prompt, row.tokens.completion), (Some(asked), Some(answered)));
    assert_eq!(row.tokens.total, Some(asked + answered));
    assert!(row.bytes_in > 100 && row.bytes_out > 100 && row.first_byte_ms.is_some(), "{row:?}");
    assert_eq!(gateway.app().live_sessions.count(), 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_which_sessions_are_open_and_how_many_may_be() {
    let setup = Setup::default().keys(["a-service-key"]).set("MAX_LIVE_SESSIONS", 7);
    let gateway = setup.start().await;
    let admin = gateway.admin().await;
    let seen = async |query| admin.get(&format!("/api/live_sessions{query}")).await.json();
    assert_eq!(seen("").await, json!({"open": 0, "max": 7, "sessions": []}));
    let mut first = LiveClient::open(&gateway).await;
    let second = LiveClient::open(&gateway).await;
    first.set_up().await;
    first.turn("hello").await;

    let open = seen("").await;
    let newest = seen("?limit=1").await;
    let traffic = admin.get("/api/system").await.json()["traffic"].take();

    assert_eq!((&open["open"], &open["max"]), (&json!(2), &json!(7)));
    assert_eq!((&traffic["live_sessions"], &traffic["live_sessions_max"]), (&json!(2), &json!(7)));
    let [silent, talking] = &open["sessions"].as_array().unwrap()[..] else { panic!("{open}") };
    let users = admin.get("/api/auth_keys").await.json();
    for session in [silent, talking] {
        assert_eq!(session["user_key"], users[0]["alias"]);
        assert_eq!(session["user_key_id"], users[0]["id"]);
        assert_eq!(session["key_identifier"], json!(gateway.identifier_of("a-service-key")));
        let since = session["since"].as_str().unwrap();
        assert!(since.starts_with("20") && !session.to_string().contains("a-service-key"));
    }
    assert_eq!((&silent["model"], &silent["frames"]), (&json!(""), &json!(0)));
    assert_eq!((&talking["model"], &talking["frames"]), (&json!("gemini-live"), &json!(2 + 4)));
    for bytes in ["bytes_in", "bytes_out"] {
        assert_eq!(silent[bytes], 0);
        assert!(talking[bytes].as_u64() > Some(50), "{talking}");
    }
    assert_eq!(newest["sessions"].as_array().unwrap().len(), 1);
    assert_eq!((&newest["open"], &newest["sessions"][0]), (&json!(2), silent));
    assert_eq!(admin.get("/api/live_sessions?limit=0").await.status, 422);
    leave(first).await;
    leave(second).await;
    gateway.idle().await;
    assert_eq!(seen("").await["open"], 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_key_is_noticed_at_the_close_and_another_one_serves() {
    for at in [0, 1] {
        let gateway = Setup::default().keys(["a-service-key", "b-service-key"]).start().await;
        gateway.upstream.on(When::any().times(1), Live::closing(at, 1007, BAD_KEY));
        let mut client = LiveClient::open(&gateway).await;

        client.set_up().await;
        client.turn("hello").await;
        leave(client).await;

        let heard = gateway.upstream.heard();
        assert_eq!(heard.len(), 2);
        assert_eq!((heard[1].messages[0].as_str(), heard[1].messages.len()), (SETUP, 2));
        assert_ne!(heard[0].key, heard[1].key);
        assert_eq!(gateway.state_of(&heard[0].key), "invalid");
        assert_eq!(gateway.state_of(&heard[1].key), "active");
        let rows = gateway.rows().await;
        let told: Vec<_> =
            rows.iter().map(|row| (row.error_kind.as_deref(), row.is_final)).collect();
        assert_eq!(told, [(Some("key_invalid"), false), (None, true)]);
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_key_is_left_the_caller_is_told_without_a_word_about_keys() {
    let gateway = Setup::default().keys(["a-key-suspended", "b-key-invalid"]).start().await;
    let mut client = LiveClient::open(&gateway).await;
    client.send(SETUP).await;

    let (code, reason) = client.next().await.close();

    assert_eq!(code, 1013, "{reason}");
    assert!(reason.starts_with("No service key can be used."), "{reason}");
    assert_eq!(client.next().await, Said::Gone);
    assert_eq!(gateway.state_of("a-key-suspended"), "suspended");
    let row = gateway.final_rows().await.pop().unwrap();
    assert_eq!((row.status, row.attempt), (Some(503), 2));
    // The next one hears it before it is agreed to.
    let mut wire = gateway.wire().await;
    wire.send(handshake(LIVE, &[("x-goog-api-key", &gateway.user_key)])).await;
    let refused = wire.read_reply().await;
    gateway.assert_error(&refused, Dialect::Gemini, 503, "no_usable_key");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_is_about_the_request_is_passed_on_as_it_is() {
    let gateway = Setup::default().keys(["a-service-key", "b-service-key"]).start().await;
    for (first, code, reason) in [
        (
            r#"{"setup":{"model":"models/unknown"}}"#,
            1008,
            "models/unknown is not found for API version v1beta, or is not supported for \
             bidiGenerateContent.",
        ),
        ("{", 1007, "Invalid JSON payload received."),
    ] {
        let mut client = LiveClient::open(&gateway).await;
        client.send(first).await;

        assert_eq!(client.next().await.close(), (code, reason.to_owned()));
        assert_eq!(client.next().await, Said::Gone);
        let row = gateway.final_rows().await.pop().unwrap();
        assert_eq!((row.error_kind.as_deref(), row.attempt), (Some("bad_request"), 1));
    }
    assert_eq!(gateway.state_of("a-service-key"), "active");
    assert_eq!(gateway.upstream.heard().len(), 2);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_upstream_has_spoken_its_last_word_is_the_callers_but_for_our_key() {
    for (reason, told, kind) in [
        ("Internal error encountered.", "Internal error encountered.", "upstream_error"),
        (
            "You exceeded your current quota, please",
            "You exceeded your current quota, please",
            "rate_limited",
        ),
        ("Consumer 'api_key:a-service-key' has been suspended.", "suspended", "key_suspended"),
    ] {
        let gateway = Setup::default().keys(["a-service-key"]).start().await;
        gateway.upstream.on(When::any().times(1), Live::closing(2, 1011, reason));
        let mut client = LiveClient::open(&gateway).await;
        client.set_up().await;
        client.send(r#"{"realtimeInput":{"text":"hello"}}"#).await;

        let (code, said) = client.next().await.close();

        assert_eq!(code, 1011);
        assert!(said.contains(told) && !said.contains("a-service-key"), "{said}");
        client.close(1011, "").await;
        assert_eq!(client.next().await, Said::Gone);
        let row = gateway.only_final_row().await;
        assert_eq!(
            (row.error_kind.as_deref(), row.attempt, row.status),
            (Some(kind), 1, Some(101))
        );
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_announced_to_end_has_not_failed() {
    let gateway = Gateway::start().await;
    gateway.upstream.on(When::any(), Live { go_away_after: Some(1), ..Live::default() });
    let mut client = LiveClient::open(&gateway).await;
    client.set_up().await;
    client.turn("hello").await;

    assert!(client.next().await.text().contains("goAway"));
    assert_eq!(client.next().await.close().0, 1008);
    client.close(1008, "").await;
    assert_eq!(client.next().await, Said::Gone);

    assert!(gateway.only_final_row().await.is_success);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_of_live_sessions_rests_a_key_for_them_alone() {
    let gateway = Setup::default().keys(["a-service-key", "b-service-key"]).start().await;
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    gateway.upstream.on(When::any().times(1), Live::closing(1, 1011, quota));
    let mut client = LiveClient::open(&gateway).await;
    client.set_up().await;
    leave(client).await;

    let resting = gateway.upstream.heard()[0].key.clone();

    assert_eq!(gateway.buckets_of(&resting), [("live".to_owned(), "cooling")]);
    for _ in 0..4 {
        let mut client = LiveClient::open(&gateway).await;
        client.set_up().await;
        leave(client).await;
        assert_eq!(gateway.ask(Form::Generate).await.status, 200);
    }
    let sessions = gateway.upstream.heard();
    assert_eq!(sessions.iter().filter(|heard| heard.key == resting).count(), 1);
    let others = gateway.upstream.seen();
    assert!(others.iter().any(|seen| seen.key == Some(resting.clone()) && seen.method == "POST"));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_resumed_with_the_project_that_knows_it_also_after_a_restart() {
    let keys: Vec<_> = (1..=8).map(|number| format!("service-key-{number}")).collect();
    let mut gateway = Setup::default().keys(keys.iter().map(String::as_str)).start().await;
    gateway.upstream.on(When::any(), Live { is_resumable: true, ..Live::default() });
    let mut client = LiveClient::open(&gateway).await;
    client.set_up().await;
    let mut handles = Vec::new();
    for _ in 0..3 {
        client.turn("hello").await;
        let told = client.next().await.text();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        handles.push(told["sessionResumptionUpdate"]["newHandle"].as_str().unwrap().to_owned());
    }
    leave(client).await;
    let knows = gateway.upstream.heard().pop().unwrap().key;
    // The newest two are remembered.
    assert_eq!(gateway.app().resources.len(), 2);

    gateway = gateway.restart().await;

    for handle in &handles[1..] {
        for _ in 0..4 {
            let resumption = json!({"handle": handle});
            let setup = json!({"model": "models/m", "sessionResumption": resumption});
            let mut client = LiveClient::open(&gateway).await;
            client.send(&json!({"setup": setup}).to_string()).await;
            assert_eq!(client.next().await.text(), r#"{"setupComplete":{}}"#);
            leave(client).await;
            let row = gateway.final_rows().await.pop().unwrap();
            assert_eq!((row.is_success, row.attempt), (true, 1));
        }
    }
    let resumed = gateway.upstream.heard();
    let resumed = resumed.iter().filter(|heard| {
        heard.messages.first().is_some_and(|message| message.contains("sessionResumption"))
    });
    assert!(resumed.clone().count() == 8 && resumed.clone().all(|heard| heard.key == knows));
    // Another's session is nobody else's.
    let app = gateway.app();
    let made = app.user_keys.create("bob".to_owned(), String::new(), None, app.clock.wall_ms());
    let bob = made.await.unwrap().1;
    let fields = [("x-goog-api-key", bob.expose())];
    let mut client = LiveClient::open_at(gateway.address(), LIVE, &fields).await;
    let setup = json!({"sessionResumption": {"handle": handles[2]}});
    client.send(&json!({"setup": setup}).to_string()).await;
    assert_eq!(client.next().await.close().1, "this session was not found.");
    drop(client);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_breaks_is_tried_again_before_its_first_message_and_told_behind_it() {
    let gateway = Setup::default().keys(["a-service-key", "b-service-key"]).start().await;
    for at in [0, 1] {
        gateway.upstream.on(When::any().times(1), Live { cut_at: Some(at), ..Live::default() });
        let mut client = LiveClient::open(&gateway).await;
        client.set_up().await;
        leave(client).await;
        let rows = gateway.rows().await;
        let [.., failed, last] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(
            (failed.error_kind.as_deref(), last.is_success),
            (Some("connection_lost"), true)
        );
    }
    gateway.upstream.on(When::any().times(1), Live { cut_at: Some(2), ..Live::default() });
    let mut client = LiveClient::open(&gateway).await;
    client.set_up().await;
    client.send("{}").await;

    assert_eq!(client.next().await.close(), (1011, "The upstream's answer broke off.".to_owned()));
    assert_eq!(client.next().await, Said::Gone);
    let row = gateway.final_rows().await.pop().unwrap();
    assert_eq!(row.error_kind.as_deref(), Some("answer_cut"));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_never_speaks_is_given_up_in_time() {
    let setup = Setup::default().keys(["a-service-key", "b-service-key"]);
    let gateway = setup.set("STREAM_IDLE_TIMEOUT_SECONDS", 0.3).start().await;
    gateway.upstream.on(When::any().times(1), Live { is_silent: true, ..Live::default() });
    let mut client = LiveClient::open(&gateway).await;

    client.set_up().await;
    leave(client).await;

    let rows = gateway.rows().await;
    assert_eq!(rows[0].error_kind.as_deref(), Some("first_event_timeout"));
    assert!(rows[1].is_success);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_does_not_agree_is_judged_like_any_other_refusal() {
    let gateway = Setup::default().keys(["a-service-key", "b-service-key"]).start().await;
    gateway.upstream.on(When::any().times(1), Answer::key_invalid());

    let mut client = LiveClient::open(&gateway).await;
    client.set_up().await;
    leave(client).await;
    let rows = gateway.rows().await;
    assert_eq!(rows[0].error_kind.as_deref(), Some("key_invalid"));

    gateway.upstream.on(When::any(), Answer::quota_per_minute(7));
    let mut wire = gateway.wire().await;
    wire.send(handshake(LIVE, &[("x-goog-api-key", &gateway.user_key)])).await;
    let refused = wire.read_reply().await;
    gateway.assert_error(&refused, Dialect::Gemini, 429, "all_keys_resting");
    assert!(!refused.header("retry-after").is_empty());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_open_a_session_is_told_why_before_anything_else_happens() {
    let gateway = Setup::default()
        .set("MAX_LIVE_SESSIONS", 1)
        .set("CORS_ORIGINS", "https://chat.example")
        .start()
        .await;
    let key = gateway.user_key.clone();
    let key = ("x-goog-api-key", key.as_str());
    let plain = format!("GET {LIVE} HTTP/1.1\r\nHost: h\r\nx-goog-api-key: {}\r\n\r\n", key.1);
    let elsewhere = handshake(LIVE, &[key]).replace("GET ", "POST ");
    let odd_nonce = handshake(LIVE, &[key]).replace("dGhlIHNhbXBsZSBub25jZQ==", "eA==");
    for (request, status, code) in [
        (handshake(LIVE, &[]), 401, "missing_api_key"),
        (handshake(LIVE, &[("x-goog-api-key", "no-such-key")]), 401, "invalid_api_key"),
        (handshake(LIVE, &[("x-goog-api-key", "auth_tokens/none")]), 401, "invalid_api_key"),
        (handshake(LIVE, &[key, ("authorization", "Token x")]), 400, "conflicting_credentials"),
        (handshake(LIVE, &[key, ("origin", "https://evil.example")]), 403, "origin_not_allowed"),
        (plain, 426, "upgrade_needed"),
        (elsewhere, 426, "upgrade_needed"),
        (odd_nonce, 426, "upgrade_needed"),
        (handshake(LIVE, &[key]).replace("Version: 13", "Version: 8"), 426, "upgrade_needed"),
    ] {
        let mut wire = gateway.wire().await;
        wire.send(&request).await;
        let refused = wire.read_reply().await;
        gateway.assert_error(&refused, Dialect::Gemini, status, code);
    }
    assert!(gateway.upstream.heard().is_empty() && gateway.rows().await.is_empty());

    let fields = [key, ("origin", "https://chat.example")];
    let mut client = LiveClient::open_at(gateway.address(), LIVE, &fields).await;
    client.set_up().await;
    let mut wire = gateway.wire().await;
    wire.send(handshake(LIVE, &[key])).await;
    let refused = wire.read_reply().await;
    gateway.assert_error(&refused, Dialect::Gemini, 503, "live_sessions_full");
    leave(client).await;
    gateway.idle().await;
    let fields = [key, ("origin", "https://gateway.test")];
    leave(LiveClient::open_at(gateway.address(), LIVE, &fields).await).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_a_caller_leaves_everything_comes_back_and_one_row_remains() {
    let setup = Setup::default().keys(["a-service-key", "b-service-key"]);
    let gateway = setup.start().await;
    let setup_frame = write(Kind::Text, SETUP.as_bytes(), Some([1, 2, 3, 4]));
    for moment in 0..6 {
        gateway.upstream.clear();
        match moment {
            4 => gateway.upstream.on(When::any(), Live { is_silent: true, ..Live::default() }),
            // Another key is looked for, and does not answer.
            5 => {
                gateway.upstream.on(When::any(), Answer::stall());
                gateway.upstream.on(When::any().times(1), Live::closing(1, 1011, "Internal"));
            }
            _ => {}
        }
        let asked = gateway.upstream.seen().len();
        let mut client = LiveClient::open(&gateway).await;
        match moment {
            0 => {}
            1 => client.send_bytes(&setup_frame[..3]).await,
            2 => client.send_bytes(&setup_frame[..setup_frame.len() - 1]).await,
            3 => client.set_up().await,
            4 | 5 => client.send(SETUP).await,
            _ => unreachable!(),
        }
        if moment == 5 {
            gateway.upstream.wait_until(|seen| asked + 2 == seen.len()).await.unwrap();
        }

        drop(client);

        gateway.idle().await;
        assert_eq!(gateway.app().live_sessions.count(), 0);
        let row = gateway.final_rows().await.pop().unwrap();
        assert_eq!(
            (row.status, row.error_kind.as_deref()),
            (Some(499), Some("client_closed")),
            "{moment}"
        );
    }
    assert_eq!(gateway.final_rows().await.len(), 6);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_which_nobody_says_anything_is_ended_and_pings_say_nothing() {
    let gateway = Setup::default().set("LIVE_IDLE_TIMEOUT_SECONDS", 0.5).start().await;
    let mut client = LiveClient::open(&gateway).await;
    client.set_up().await;
    let began = Instant::now();

    let close = loop {
        client.send_frame(Kind::Ping, b"").await;
        let said = client.next().await;
        if !matches!(said, Said::Pong(_)) {
            break said.close();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };

    let told = "Nobody has said anything in this Live session for too long.";
    assert_eq!(close, (1000, told.to_owned()));
    assert!(Duration::from_millis(400) < began.elapsed(), "{:?}", began.elapsed());
    let row = gateway.only_final_row().await;
    assert_eq!((row.status, row.error_kind.as_deref()), (Some(101), Some("live_idle_timeout")));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_session_is_kept_alive_by_pings_of_ours() {
    let gateway = Setup::default().set("HEARTBEAT_SECONDS", 0.1).start().await;
    let mut client = LiveClient::open(&gateway).await;
    client.set_up().await;

    for _ in 0..3 {
        assert_eq!(client.next().await, Said::Ping("gemini-balance".to_owned()));
        client.send_frame(Kind::Pong, b"gemini-balance").await;
    }
    eventually("the upstream is kept alive as well", async || {
        3 <= gateway.upstream.heard()[0].pongs
    })
    .await;
    client.turn("hello").await;
    leave(client).await;
    gateway.close().await;
}

/// A gateway as a process of its own with a user key.
async fn process(
    upstream: &Upstream,
    directory: &std::path::Path,
    settings: &[(&str, &str)],
) -> (Process, String) {
    let gemini = upstream.url();
    let base = [("GEMINI_API_BASE_URL", gemini.as_str()), ("PASSWORD", PASSWORD), ("WORKERS", "1")];
    let settings: Vec<_> = base.into_iter().chain(settings.iter().copied()).collect();
    let mut process = Process::start(directory, &settings);
    let admin = log_in(process.address().await).await;
    let keys: Vec<_> = (1..=4).map(|number| format!("service-key-{number}")).collect();
    admin.post("/api/keys", &json!({"api_keys": keys})).await;
    let made = admin.post("/api/auth_keys", &json!({"alias": "alice"})).await.json();
    (process, made["api_key"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_is_announced_between_two_messages_and_ends_the_session_in_the_end() {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = [("DRAIN_SECONDS", "1"), ("HEARTBEAT_SECONDS", "0")];
    let (mut gateway, key) = process(&upstream, directory.path(), &settings).await;
    let fields = [("x-goog-api-key", key.as_str())];
    let address = gateway.address().await;
    let mut client = LiveClient::open_at(address, LIVE, &fields).await;
    client.set_up().await;
    let music = path("v1alpha", "BidiGenerateMusic");
    let mut music = LiveClient::open_at(address, &music, &fields).await;
    music.set_up().await;

    gateway.signal("TERM");

    assert_eq!(client.next().await.text(), r#"{"goAway":{"timeLeft":"1s"}}"#);
    let heard = client.turn("still here").await;
    assert!(heard[0].contains("echo: still here"));
    for client in [&mut client, &mut music] {
        let (code, reason) = client.next().await.close();
        assert_eq!(
            (code, reason.as_str()),
            (1001, "The gateway is restarting. Try again shortly.")
        );
        assert_eq!(client.next().await, Said::Gone);
    }
    assert!(gateway.exit().await.success(), "{}", gateway.output());
    assert!(upstream.heard().iter().all(|heard| heard.is_over));
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_a_session_that_ends_by_itself() {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = [("DRAIN_SECONDS", "60"), ("HEARTBEAT_SECONDS", "0")];
    let (mut gateway, key) = process(&upstream, directory.path(), &settings).await;
    let fields = [("x-goog-api-key", key.as_str())];
    let mut client = LiveClient::open_at(gateway.address().await, LIVE, &fields).await;
    client.set_up().await;

    gateway.signal("TERM");
    assert!(client.next().await.text().contains("goAway"));
    let began = Instant::now();
    leave(client).await;

    assert!(gateway.exit().await.success(), "{}", gateway.output());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_reads_slowly_holds_the_upstream_back_and_costs_no_memory() {
    /// What is said in one turn.
    const MESSAGES: usize = 100;
    const TEXT_BYTES: usize = 256 << 10;
    /// What a session may cost at most, whatever passes through it.
    const SESSION_KIB_MAX: u64 = 1_024;
    let upstream = Upstream::start().await.unwrap();
    let script = Live { messages: MESSAGES, text_bytes: TEXT_BYTES, ..Live::default() };
    upstream.on(When::any(), script);
    let directory = tempfile::tempdir().unwrap();
    let (mut gateway, key) =
        process(&upstream, directory.path(), &[("HEARTBEAT_SECONDS", "0")]).await;
    let fields = [("x-goog-api-key", key.as_str())];
    let mut client = LiveClient::open_at(gateway.address().await, LIVE, &fields).await;
    client.set_up().await;
    let message = json!({"realtimeInput": {"text": "hello"}}).to_string();
    // Once through, so that what grows once has grown.
    client.turn("warm").await;
    gateway.forget_peak_memory();
    let (before, _) = gateway.memory_kib();

    client.send(&message).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut bytes = 0;
    loop {
        let text = client.next().await.text();
        bytes += text.len();
        if text.contains("turnComplete") {
            break;
        }
    }

    assert!(MESSAGES * TEXT_BYTES < bytes);
    let (_, peak) = gateway.memory_kib();
    let cost = peak.saturating_sub(before);
    assert!(cost <= SESSION_KIB_MAX, "{cost} KiB");
    leave(client).await;
    upstream.stop().await;
}
