//! Lists hold what the caller has, wherever it is kept.

use std::time::Duration;

use fake_upstream::{Answer, Step, When};
use serde_json::{Value, json};

use super::{another, close, keeping, small_file, spread};
use crate::support::{Client, Gateway, Setup};

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

#[tokio::test(flavor = "multi_thread")]
async fn eight_projects_are_asked_at_once_and_tell_in_their_order_whoever_answers_first() {
    let gateway = keeping(spread(), 20).await;
    let client = gateway.gemini();
    for _ in 0..20 {
        small_file(&gateway, &client).await;
    }
    let in_order = told(&client.get("/v1beta/files").await.json());
    assert_eq!(in_order.len(), 20);
    gateway.forget();
    slow_down(&gateway, |number| 200 - 8 * number);

    let mut listing = std::pin::pin!(client.get("/v1beta/files"));
    let (mut at_once, mut look) = (0, tokio::time::interval(Duration::from_millis(2)));
    let listed = loop {
        tokio::select! {
            listed = &mut listing => break listed.json(),
            _ = look.tick() => at_once = at_once.max(gateway.upstream.open_requests()),
        }
    };

    assert_eq!(told(&listed), in_order);
    assert_eq!(at_once, 8);
    assert_eq!(gateway.upstream.seen().len(), 20);
    let rows = gateway.rows().await;
    // They end in any order.
    let mut attempts: Vec<_> =
        rows.iter().rev().take(20).map(|row| (row.attempt, row.is_final)).collect();
    attempts.sort_unstable();
    let expected: Vec<_> = (1..=20).map(|attempt| (attempt, attempt == 20)).collect();
    assert_eq!(attempts, expected, "a row for each, and the last of them is final");
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_projects_are_asked_than_a_page_needs() {
    let gateway = keeping(spread(), 20).await;
    let client = gateway.gemini();
    for _ in 0..40 {
        small_file(&gateway, &client).await;
    }
    gateway.forget();

    let page = client.get("/v1beta/files?pageSize=4").await.json();

    assert_eq!(page["files"].as_array().unwrap().len(), 4);
    let asked = gateway.upstream.seen().len();
    assert!(asked <= 4, "{asked} projects were asked for four files");
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_projects_are_asked_leaves_nothing_behind() {
    let gateway = keeping(spread(), 20).await;
    let client = gateway.gemini();
    for _ in 0..20 {
        small_file(&gateway, &client).await;
    }
    gateway.forget();
    slow_down(&gateway, |_| 60_000);

    let leaving = tokio::time::timeout(Duration::from_millis(300), client.get("/v1beta/files"));
    assert!(leaving.await.is_err());

    gateway.idle().await;
    assert_eq!(gateway.upstream.seen().len(), 8);
    let row = gateway.final_rows().await.pop().unwrap();
    assert_eq!(row.error_kind.as_deref(), Some("client_closed"));
    gateway.upstream.clear();
    close(gateway).await;
}

/// The names in a page, in their order.
fn told(page: &Value) -> Vec<String> {
    let files = page["files"].as_array().unwrap();
    files.iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect()
}

/// Has every project tell what it keeps after a while, in ms, by its number.
fn slow_down(gateway: &Gateway, wait_ms: impl Fn(u64) -> u64) {
    let kept = gateway.upstream.kept();
    for (number, (_, key)) in (0..).zip(&kept) {
        let own = kept.iter().filter(|(_, project)| project == key);
        let files: Vec<_> = own.map(|(name, _)| json!({"name": name})).collect();
        let steps = vec![
            Step::Wait { ms: wait_ms(number) },
            Step::Head {
                status: 200,
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            },
            Step::Bytes(json!({"files": files}).to_string().into()),
        ];
        let when = When::any().key(key).method("GET").path_contains("/files");
        gateway.upstream.on(when, Answer::steps(steps));
    }
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
