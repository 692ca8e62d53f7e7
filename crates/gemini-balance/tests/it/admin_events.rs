//! What pages are told while they are open: keys, buckets, trouble, requests.

use std::time::Duration;

use fake_upstream::{Answer, When};
use gemini_balance::events::Topic;
use gemini_balance::feed::{BACKLOG_MAX, SUBSCRIBERS_MAX};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::page::Page;
use crate::support::{Ask, Gateway, MODEL, Setup, eventually};

const KEYS: [&str; 2] = ["service-key-one", "service-key-two"];

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_told_which_requests_have_ended_once_the_log_has_them() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let mut page = Page::open(&admin).await;

    let reply = Ask::openai().of(&gateway.openai()).await;
    let news = page.next("requests").await;
    let id = reply.header("x-request-id");
    let row = admin.get(&format!("/api/request_logs/{id}")).await;

    let request = &news["requests"][0];
    assert_eq!((&news["ended"], &news["failed"]), (&json!(1), &json!(0)));
    assert_eq!(request["request_id"], id);
    assert_eq!((&request["is_success"], &request["status"]), (&json!(true), &json!(200)));
    assert_eq!((&request["user_key_id"], &request["attempts"]), (&json!(1), &json!(1)));
    assert_eq!((&request["model"], &request["error_kind"]), (&json!(MODEL), &Value::Null));
    assert!(0 < request["total_tokens"].as_u64().unwrap(), "{request}");
    assert_eq!(news["total_tokens"], request["total_tokens"]);
    assert_eq!(row.status, 200, "what is told can be looked up");
    drop(page);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_a_few_are_told_and_all_are_counted() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let mut page = Page::open(&admin).await;

    for number in 0..30 {
        if number % 3 == 0 {
            gateway.upstream.on(When::any().times(1), Answer::model_not_found());
        }
        Ask::gemini().of(&gateway.gemini()).await;
    }
    let (mut ended, mut failed) = (0, 0);
    while ended < 30 {
        let news = page.next("requests").await;
        let told = news["requests"].as_array().unwrap().len() as u64;
        assert!(told <= 8 && told <= news["ended"].as_u64().unwrap(), "{news}");
        ended += news["ended"].as_u64().unwrap();
        failed += news["failed"].as_u64().unwrap();
    }

    assert_eq!((ended, failed), (30, 10));
    drop(page);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_told_how_keys_and_buckets_stand() {
    let gateway = Setup::default().keys(KEYS).start().await;
    let admin = gateway.admin().await;
    let mut page = Page::open(&admin).await;
    let [one, two] = KEYS.map(|key| gateway.identifier_of(key));

    gateway.upstream.on(When::any().key(KEYS[0]), Answer::key_invalid());
    gateway.upstream.on(When::any().key(KEYS[1]).times(1), Answer::quota_per_minute(7));
    for _ in 0..2 {
        Ask::gemini().of(&gateway.gemini()).await;
    }
    let has_key = |news: &Value| news["keys"].as_array().is_some_and(|keys| !keys.is_empty());
    let mut keys = Vec::new();
    let mut buckets = Vec::new();
    while keys.is_empty() || buckets.is_empty() {
        let news = page.next("pool").await;
        assert_eq!(news["is_reload"], false);
        keys.extend(news["keys"].as_array().unwrap().clone());
        buckets.extend(news["buckets"].as_array().unwrap().clone());
    }
    let path = format!("/api/keys/{one}/reset");
    assert_eq!(admin.post(&path, &json!({})).await.status, 200);
    let reset = page.until("pool", has_key).await;

    assert_eq!((&keys[0]["key_identifier"], &keys[0]["state"]), (&json!(one), &json!("invalid")));
    assert!(!keys[0]["reason"].as_str().unwrap().is_empty());
    assert!(keys[0]["next_probe_at"].is_string() && keys[0]["since"].is_string());
    let bucket = &buckets[0];
    assert_eq!((&bucket["key_identifier"], &bucket["project"]), (&json!(two), &Value::Null));
    assert_eq!((&bucket["model"], &bucket["state"]), (&json!(MODEL), &json!("cooling")));
    let listed = admin.get(&format!("/api/keys/{two}")).await.json();
    assert_eq!(bucket["level"], listed["buckets"][0]["level"]);
    assert!(bucket["until"].is_string());
    assert_eq!(reset["keys"][0]["state"], "active");
    drop(page);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_told_what_an_admin_does_to_keys() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let mut page = Page::open(&admin).await;

    let lines = json!({"api_keys": ["another-key-1", "another-key-2", "bad", "service-key-1"]});
    admin.post("/api/keys", &lines).await;
    let added = page.next("keys").await;
    let name = added["key_identifiers"][0].as_str().unwrap().to_owned();
    let path = format!("/api/keys/{name}");
    admin.send_json(Method::PATCH, &path, &json!({"note": "mine"})).await;
    let changed = page.next("keys").await;
    admin.delete(&path).await;
    let removed = page.next("keys").await;
    let all = json!({"action": "disable", "filter": {}});
    admin.post("/api/keys/bulk", &all).await;
    let disabled = page.next("keys").await;
    let lines: Vec<String> = (0..101).map(|number| format!("further-key-{number}")).collect();
    admin.post("/api/keys", &json!({"api_keys": lines})).await;
    let many = page.next("keys").await;

    assert_eq!((&added["change"], &added["count"]), (&json!("added"), &json!(2)));
    let one = |change: &str| json!({"change": change, "count": 1, "key_identifiers": [name]});
    assert_eq!((changed, removed), (one("changed"), one("removed")));
    assert_eq!((&disabled["change"], &disabled["count"]), (&json!("changed"), &json!(4)));
    assert_eq!(many, json!({"change": "added", "count": 101, "key_identifiers": []}));
    drop(page);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_keys_that_change_together_are_one_event() {
    let keys: Vec<String> = (0..1_000).map(|number| format!("one-of-many-{number:04}")).collect();
    let gateway = Setup::default().keys(keys.iter().map(String::as_str)).start().await;
    let admin = gateway.admin().await;
    let mut page = Page::open(&admin).await;

    let all = json!({"action": "reset", "filter": {}});
    assert_eq!(admin.post("/api/keys/bulk", &all).await.json()["done"], 1_000);
    let news = page.next("pool").await;

    assert_eq!(news, json!({"is_reload": true, "keys": [], "buckets": [], "projects": []}));
    drop(page);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_told_that_many_keys_fail_alike_and_that_it_is_over() {
    let keys = ["pool-key-1", "pool-key-2", "pool-key-3", "pool-key-4"];
    let gateway =
        Setup::default().keys(keys).set("CHECK_HEALTH_TIME_INTERVAL_SECONDS", 0.05).start().await;
    let admin = gateway.admin().await;
    let mut page = Page::open(&admin).await;
    gateway.upstream.on(When::any(), Answer::overloaded());

    for _ in 0..3 {
        Ask::openai().of(&gateway.openai()).await;
    }
    let began = page.next("trouble").await;
    gateway.upstream.clear();
    let ended = page.next("trouble").await;

    assert_eq!(began, json!({"kind": "faulty"}));
    assert_eq!(ended, json!({"kind": null}));
    drop(page);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_connection_broke_goes_on_where_it_was_or_is_told_to_read_anew() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let events = &gateway.app().events;
    let mut page = Page::open_at(&admin, "/api/events").await;
    let ready = page.any().await;
    events.tell(Topic::Job, &1);
    let seen = page.any().await;
    events.tell(Topic::Job, &2);

    let path = format!("/api/events?last_event_id={}", ready.id);
    let browser = admin.with("last-event-id", &seen.id);
    let mut by_header = Page::open_at(&browser, &path).await;
    let mut by_query = Page::open_at(&admin, &path).await;
    let mut stranger = Page::open_at(&admin, "/api/events?last_event_id=5").await;
    let mut fresh = Page::open(&admin).await;
    events.tell(Topic::Job, &3);

    assert_eq!(ready.data, json!({"is_resumed": false}));
    let first = by_header.any().await;
    assert_eq!((first.data, first.id), (json!({"is_resumed": true}), seen.id));
    assert_eq!((by_header.next("job").await, by_header.next("job").await), (json!(2), json!(3)));
    for number in 1..=3 {
        assert_eq!(by_query.next("job").await, json!(number));
    }
    assert_eq!(stranger.any().await.data, json!({"is_resumed": false}));
    let lagged = stranger.any().await;
    assert_eq!((lagged.name.as_str(), lagged.data), ("lagged", json!({"missed": null})));
    assert_eq!(fresh.next("job").await, json!(3), "what was before is in the lists");
    drop((page, by_header, by_query, stranger, fresh));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_reads_too_slowly_is_told_how_much_it_missed() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let mut page = Page::open_at(&admin, "/api/events").await;
    let events = gateway.app().events.clone();
    let long = "x".repeat(4_000);

    let told = BACKLOG_MAX as u64 * 8;
    for _ in 0..told {
        events.tell(Topic::Job, &long);
    }
    events.tell(Topic::Trouble, &"the end");
    let (mut seen, mut missed) = (0, 0);
    loop {
        let event = page.any().await;
        match event.name.as_str() {
            "job" => seen += 1,
            "lagged" => missed += event.data["missed"].as_u64().unwrap(),
            "trouble" => break,
            _ => {}
        }
    }

    assert_eq!(seen + missed, told, "each event is shown or counted as missed");
    assert!(0 < missed, "nobody has that much memory");
    drop(page);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_watches_with_its_cookie_until_its_session_ends() {
    let gateway = Gateway::start().await;
    let token = gateway.admin_token().await;
    let browser = gateway.stranger().with("cookie", &format!("gb_session={token}"));
    let mut page = browser.open(Method::GET, "/api/events", "").await;
    assert_eq!(page.status(), 200);

    let logout = gateway.stranger().bearer(&token).post("/api/auth/logout", &json!({})).await;

    assert_eq!(logout.status, 204);
    let ending = async { while page.next().await.is_some() {} };
    let in_time = tokio::time::timeout(Duration::from_secs(5), ending).await;
    assert!(in_time.is_ok(), "the stream goes on");
    for query in ["last_event_id=x", "topic=pool", "token=abc"] {
        let reply = gateway.admin().await.get(&format!("/api/events?{query}")).await;
        assert_eq!(reply.status, 422, "{query}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_page_too_many_is_sent_away_until_another_leaves_and_a_shutdown_ends_them_all() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let mut pages = Vec::new();
    for _ in 0..SUBSCRIBERS_MAX {
        pages.push(Page::open(&admin).await);
    }

    let refused = admin.get("/api/events").await;
    pages.pop();
    eventually("a place is free again", async || {
        let stream = admin.open(Method::GET, "/api/events", "").await;
        stream.status() == StatusCode::OK
    })
    .await;

    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (StatusCode::SERVICE_UNAVAILABLE, "10")
    );
    assert_eq!(refused.json()["error"]["code"], "too_many_subscribers");
    let closing = tokio::time::timeout(Duration::from_secs(5), gateway.close()).await;
    assert!(closing.is_ok(), "the streams keep the gateway from ending");
}
