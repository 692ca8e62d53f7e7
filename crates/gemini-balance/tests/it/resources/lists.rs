//! Lists hold what the caller has, wherever it is kept.

use fake_upstream::{Answer, When};
use serde_json::{Value, json};

use super::{another, close, keeping, small_file, spread};
use crate::support::{Client, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_list_holds_everything_of_the_caller_and_nothing_of_others_page_by_page() {
    let gateway = keeping(spread(), 7).await;
    let (alice, bob) = (gateway.gemini(), another(&gateway, "bob").await);
    let (mut of_alice, mut of_bob) = (Vec::new(), Vec::new());
    for _ in 0..23 {
        of_alice.push(small_file(&gateway, &alice).await);
        of_bob.push(small_file(&gateway, &bob).await);
    }

    for size in ["", "pageSize=1", "pageSize=4", "pageSize=100"] {
        let (listed, pages) = walk(&alice, "/v1beta/files", size, "files").await;

        assert_eq!(names(&listed), names(&of_alice), "{size}");
        let (min, max) = match size {
            "pageSize=1" => (23, 24),
            "pageSize=4" => (6, 7),
            _ => (1, 1),
        };
        assert!((min..=max).contains(&pages), "{size}: {pages} pages");
        assert!(listed.iter().all(|item| item["x_unknown"].is_null()));
    }
    assert_eq!(names(&walk(&bob, "/v1beta/files", "", "files").await.0), names(&of_bob));
    let carol = another(&gateway, "carol").await;
    gateway.forget();
    assert_eq!(carol.get("/v1beta/files").await.text(), "{}");
    assert_eq!(gateway.upstream.seen().len(), 0);
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_listed_under_its_own_member() {
    let gateway = keeping(spread(), 4).await;
    let client = gateway.gemini();
    for number in 0..6 {
        let cache = json!({"model": "models/m", "displayName": format!("{number}")});
        assert_eq!(client.post("/v1beta/cachedContents", &cache).await.status, 200);
        let batch =
            client.post("/v1beta/models/m:batchGenerateContent", &json!({"batch": {}})).await;
        assert_eq!(batch.status, 200);
        assert_eq!(client.post("/v1beta/fileSearchStores", &json!({})).await.status, 200);
    }

    for (kind, member) in [
        ("cachedContents", "cachedContents"),
        ("batches", "operations"),
        ("fileSearchStores", "fileSearchStores"),
    ] {
        let (listed, _) = walk(&client, &format!("/v1beta/{kind}"), "pageSize=4", member).await;
        assert_eq!(names(&listed).len(), 6, "{kind}");
    }
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_whole_says_so() {
    let gateway = keeping(spread(), 2).await;
    let client = gateway.gemini();
    let files = [small_file(&gateway, &client).await, small_file(&gateway, &client).await];
    let keys = gateway.upstream.kept();
    let key = &keys[0].1;

    gateway.upstream.on(When::any().key(key).times(1), Answer::quota_per_minute(50));
    let reply = client.get("/v1beta/files").await;
    assert_eq!(reply.status, 429, "{}", reply.text());
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((40..=50).contains(&wait), "{wait}");
    // What no key can see any more is not there to be listed.
    gateway.app().pool.disable(gateway.id_of(key));
    let listed = client.get("/v1beta/files").await.json();
    assert_eq!(listed["files"].as_array().unwrap().len(), files.len() - 1);
    assert_eq!(client.get("/v1beta/files?pageToken=x").await.status, 400);
    close(gateway).await;
}

/// Walks through all pages; the items, and how many pages there were.
async fn walk(client: &Client, path: &str, query: &str, member: &str) -> (Vec<Value>, usize) {
    let (mut items, mut pages, mut token) = (Vec::new(), 0, String::new());
    loop {
        let page = client.get(&format!("{path}?{query}{token}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        items.extend(page[member].as_array().into_iter().flatten().cloned());
        pages += 1;
        match page["nextPageToken"].as_str() {
            Some(next) => token = format!("&pageToken={next}"),
            None => return (items, pages),
        }
    }
}

fn names(items: &[Value]) -> Vec<String> {
    let mut names: Vec<String> =
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_openais_dialect_hold_the_callers_own_too() {
    let gateway = Setup::default().start().await;
    let answer = |body: &Value| Answer::json(200, body.to_string());
    let batch = |number: usize| json!({"id": format!("batch_{number}"), "object": "batch"});
    for number in 1..=3 {
        let made = When::any().method("POST").path_contains("/batches").times(1);
        gateway.upstream.on(made, answer(&batch(number)));
        let client = gateway.openai();
        let reply = client.post("/v1/batches", &json!({"input_file_id": "files/x"})).await;
        assert_eq!(reply.json()["id"], format!("batch_{number}"));
    }
    let listed: Vec<Value> = (1..=9).map(batch).collect();
    let page = json!({"object": "list", "data": listed, "has_more": false});
    gateway.upstream.on(When::any().method("GET").path_contains("/batches"), answer(&page));

    let own = gateway.openai().get("/v1/batches").await.json();
    let mut ids: Vec<&str> =
        own["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids, &own["has_more"]), (vec!["batch_1", "batch_2", "batch_3"], &json!(false)));
    let bob = another(&gateway, "bob").await;
    let nothing = bob.get("/v1beta/openai/batches").await.json();
    assert_eq!((&nothing["object"], &nothing["data"]), (&json!("list"), &json!([])));
    gateway.close().await;
}
