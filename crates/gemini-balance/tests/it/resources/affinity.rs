//! Calls go to the project that keeps what they name.

use fake_upstream::{Answer, When};
use http::Method;
use serde_json::{Value, json};

use super::{about, another, begin, close, generate, keeping, path_of, piece, small_file, spread};
use crate::support::{Client, Gateway, Setup, together};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_projects_and_users_at_once_meet_no_foreign_resource() {
    let mut gateway = keeping(Setup::default(), 20).await;
    let mut users = Vec::new();
    for number in 0..6 {
        users.push((another(&gateway, &format!("user-{number}")).await, Kept::default()));
    }

    for _restart in 0..2 {
        let rounds = users.iter_mut().map(|(client, kept)| round(&gateway, client, kept));
        together(rounds).await;
        let tokens: Vec<Client> = users.iter().map(|(client, _)| client.clone()).collect();
        gateway = gateway.restart().await;
        for ((client, _), old) in users.iter_mut().zip(tokens) {
            *client = old.moved_to(&gateway.stranger());
        }
    }

    for (client, kept) in &users {
        for path in &kept.paths {
            let reply = client.get(path).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            for (other, _) in users.iter().filter(|(other, _)| !other.is_same(client)) {
                let foreign = other.get(path).await;
                assert!(
                    [403, 404].contains(&foreign.status.as_u16()),
                    "{path}: {}",
                    foreign.text()
                );
            }
        }
    }
    close(gateway).await;
}

/// What a user has made.
#[derive(Default)]
struct Kept {
    paths: Vec<String>,
    /// The last interaction.
    interaction: Option<Value>,
}

/// Makes one of everything, and uses it all.
async fn round(gateway: &Gateway, client: &Client, kept: &mut Kept) {
    for _ in 0..3 {
        let file = small_file(gateway, client).await;
        kept.paths.push(path_of(&file));
        // A cache is made where the file is that it is made of.
        let mut body = about(&[&file["uri"]], None);
        body["model"] = json!("models/m");
        let cache = made(client, "/v1beta/cachedContents", &body).await;
        kept.paths.push(format!("/v1beta/{}", cache["name"].as_str().unwrap()));
        let asked = about(&[&file["uri"]], Some(&cache["name"]));
        made(client, &generate(), &asked).await;
        let input = json!({"batch": {"inputConfig": {"fileName": file["name"]}}});
        let batch = made(client, "/v1beta/models/m:batchGenerateContent", &input).await;
        kept.paths.push(format!("/v1beta/{}", batch["name"].as_str().unwrap()));
        let prompt = json!({"instances": [{"prompt": "a film"}]});
        let film = made(client, "/v1beta/models/m:predictLongRunning", &prompt).await;
        kept.paths.push(format!("/v1beta/{}", film["name"].as_str().unwrap()));
        let mut turn = json!({"model": "m", "input": "hello"});
        if let Some(previous) = &kept.interaction {
            turn["previous_interaction_id"] = previous.clone();
        }
        let interaction = made(client, "/v1beta/interactions", &turn).await;
        kept.paths.push(format!("/v1beta/interactions/{}", interaction["id"].as_str().unwrap()));
        kept.interaction = Some(interaction["id"].clone());
        let store = made(client, "/v1beta/fileSearchStores", &json!({"displayName": "s"})).await;
        let store = store["name"].as_str().unwrap();
        let import = json!({"fileName": file["name"]});
        let refused = client.post(&format!("/v1beta/{store}:importFile"), &import).await;
        // The store may have been made in another project than the file.
        assert!([200, 400].contains(&refused.status.as_u16()), "{}", refused.text());
    }
}

async fn made(client: &Client, path: &str, body: &Value) -> Value {
    let reply = client.post(path, body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_has_is_not_there_in_the_words_of_the_upstream() {
    let gateway = keeping(Setup::default(), 3).await;
    let (alice, bob) = (gateway.gemini(), another(&gateway, "bob").await);
    let file = small_file(&gateway, &alice).await;
    let cache = made(&alice, "/v1beta/cachedContents", &json!({"model": "models/m"})).await;
    let turn = json!({"model": "m", "input": "hello"});
    let interaction = made(&alice, "/v1beta/interactions", &turn).await;
    gateway.forget();

    let id = file["name"].as_str().unwrap().strip_prefix("files/").unwrap();
    let words = format!("You do not have permission to access the File {id} or it may not exist.");
    let escaped = about(&[&file["uri"]], None).to_string().replace("files/", "fil\\u0065s\\/");
    for reply in [
        bob.get(&path_of(&file)).await,
        bob.delete(&path_of(&file)).await,
        bob.get(&format!("{}:download?alt=media", path_of(&file))).await,
        bob.post(&generate(), &about(&[&file["uri"]], None)).await,
        bob.with("content-type", "application/json").send(Method::POST, &generate(), escaped).await,
    ] {
        assert_eq!(reply.status, 403);
        let error = &reply.json()["error"];
        assert_eq!(
            (&error["status"], &error["message"]),
            (&"PERMISSION_DENIED".into(), &words.clone().into())
        );
    }
    let reply = bob.post(&generate(), &about(&[], Some(&cache["name"]))).await;
    assert_eq!(
        (reply.status.as_u16(), reply.text().contains("CachedContent not found")),
        (403, true)
    );
    let turn = json!({"model": "m", "input": "x", "previous_interaction_id": interaction["id"]});
    assert_eq!(bob.post("/v1beta/interactions", &turn).await.status, 404);

    assert_eq!(gateway.upstream.seen().len(), 0, "nobody was asked");
    assert_eq!(alice.get(&path_of(&file)).await.status, 200, "it is still there");
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_is_there_for_all() {
    let gateway = keeping(Setup::default().set("SHARE_RESOURCES", true), 5).await;
    let (alice, bob) = (gateway.gemini(), another(&gateway, "bob").await);
    let file = small_file(&gateway, &alice).await;

    assert_eq!(bob.get(&path_of(&file)).await.status, 200);
    assert_eq!(bob.post(&generate(), &about(&[&file["uri"]], None)).await.status, 200);
    assert_eq!(bob.get("/v1beta/files").await.json()["files"][0]["name"], file["name"]);
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn things_of_two_projects_in_one_request_are_refused_by_name() {
    let gateway = keeping(spread(), 2).await;
    let client = gateway.gemini();
    let (one, two) = (small_file(&gateway, &client).await, small_file(&gateway, &client).await);
    gateway.forget();

    let reply = client.post(&generate(), &about(&[&one["uri"], &two["uri"]], None)).await;

    assert_eq!(reply.status, 400);
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    let names = [&one, &two].map(|file| file["name"].as_str().unwrap());
    assert!(names.iter().all(|name| message.contains(name)), "{message}");
    assert_eq!(gateway.upstream.seen().len(), 0);
    let row = gateway.final_rows().await.pop().unwrap();
    assert_eq!(row.error_kind.as_deref(), Some("resources_apart"));
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_one_project_see_what_each_of_them_has_made() {
    let gateway = spread().keys(["an-outsider-key-in-south"]).start().await;
    gateway.upstream.keep_resources();
    gateway.add_keys(&["a-key-in-north", "b-key-in-north"], "north", 0).await;
    let client = gateway.gemini();
    let mut uris = Vec::new();
    while uris.len() < 4 {
        let file = small_file(&gateway, &client).await;
        let kept = gateway.upstream.kept();
        let name = file["name"].as_str().unwrap();
        if kept.contains(&(name.to_owned(), "north".to_owned())) {
            uris.push(file["uri"].clone());
        }
    }
    gateway.forget();
    for _ in 0..4 {
        let uris: Vec<&Value> = uris.iter().collect();
        assert_eq!(client.post(&generate(), &about(&uris, None)).await.status, 200);
    }

    let mut keys = gateway.keys_seen();
    keys.sort();
    keys.dedup();
    assert_eq!(keys, ["a-key-in-north", "b-key-in-north"]);
    // One that rests is stood in for by the other, and one that is gone too.
    gateway.upstream.on(When::any().key("a-key-in-north"), Answer::key_invalid());
    for _ in 0..3 {
        assert_eq!(client.post(&generate(), &about(&[&uris[0]], None)).await.status, 200);
    }
    gateway.app().pool.remove(gateway.id_of("a-key-in-north"));
    for uri in &uris {
        assert_eq!(client.post(&generate(), &about(&[uri], None)).await.status, 200);
    }
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_key_that_rests_is_waited_for_by_the_caller_and_not_replaced() {
    let gateway = keeping(Setup::default(), 3).await;
    let client = gateway.gemini();
    let file = small_file(&gateway, &client).await;
    let asked = about(&[&file["uri"]], None);
    let name = file["name"].as_str().unwrap();
    let (_, key) = gateway.upstream.kept().into_iter().find(|(kept, _)| kept == name).unwrap();
    gateway.upstream.on(When::any().key(&key).times(1), Answer::quota_per_minute(40));

    let first = client.post(&generate(), &asked).await;
    let second = client.post(&generate(), &asked).await;

    for reply in [&first, &second] {
        assert_eq!(reply.status, 429, "{}", reply.text());
        let error = &reply.json()["error"];
        assert_eq!(error["status"], "RESOURCE_EXHAUSTED");
        assert!(error["message"].as_str().unwrap().contains(name), "{error}");
        let wait: u64 = reply.header("retry-after").parse().unwrap();
        assert!((30..=40).contains(&wait), "{wait}");
    }
    let row = gateway.final_rows().await.pop().unwrap();
    assert_eq!(row.error_kind.as_deref(), Some("resource_key_resting"));
    assert_eq!(client.post(&generate(), &about(&[], None)).await.status, 200, "others serve");
    assert_eq!(client.get(&path_of(&file)).await.status, 200, "and so does it, elsewhere");
    gateway.app().pool.disable(gateway.id_of(&key));
    let reply = client.get(&path_of(&file)).await;
    assert_eq!((reply.status.as_u16(), reply.text().contains(name)), (503, true));
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_brought_one_after_the_other_can_be_used_together() {
    let gateway = keeping(Setup::default(), 20).await;
    let client = gateway.gemini();
    // Uploads that have begun before the first has ended are kept together too.
    let begun = begin(&client, "/upload/v1beta/files", 5).await;
    let one = small_file(&gateway, &client).await;
    let last = piece(&gateway, &begun, (0, "upload, finalize"), "hello".into()).await;
    let two = last.json()["file"].clone();
    let cache = made(&client, "/v1beta/cachedContents", &json!({"model": "models/m"})).await;

    let asked = about(&[&one["uri"], &two["uri"]], Some(&cache["name"]));
    made(&client, &generate(), &asked).await;

    // What is brought into a conversation is made where that is.
    let turn = json!({"model": "m", "input": "hello"});
    let begun = made(&client, "/v1beta/interactions", &turn).await;
    let three = small_file(&gateway, &client).await;
    let input = json!([{"type": "document", "uri": three["uri"]}]);
    let turn = json!({"model": "m", "input": input, "previous_interaction_id": begun["id"]});
    made(&client, "/v1beta/interactions", &turn).await;

    // A project that rests is no reason to refuse a file.
    let (_, key) = gateway.upstream.kept().remove(0);
    gateway.app().pool.disable(gateway.id_of(&key));
    small_file(&gateway, &client).await;
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_is_asked_for_where_it_was_and_nowhere_else() {
    let gateway = keeping(Setup::default(), 5).await;
    let client = gateway.gemini();
    let file = small_file(&gateway, &client).await;

    assert_eq!(client.delete(&path_of(&file)).await.json(), json!({}));
    gateway.forget();
    let gone = client.get(&path_of(&file)).await;

    assert_eq!(gone.status, 403, "{}", gone.text());
    assert_eq!(gateway.upstream.seen().len(), 1);
    assert_eq!(client.get("/v1beta/files").await.json(), json!({}));
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_from_elsewhere_is_tried_with_any_key() {
    let gateway = keeping(Setup::default(), 3).await;
    let client = gateway.gemini();

    let reply = client.get("/v1beta/files/made-by-hand").await;

    assert_eq!(reply.status, 403);
    assert_eq!(gateway.upstream.seen().len(), 3, "each key may be the one");
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interactions_go_on_are_streamed_taken_up_again_and_counted() {
    let gateway = keeping(Setup::default(), 8).await;
    let client = gateway.gemini();
    let turn = json!({"model": "m", "input": "one", "stream": true});

    let stream = client.post("/v1beta/interactions", &turn).await;
    let text = stream.text();
    assert!(text.starts_with("event: interaction.created\ndata: {"), "{text}");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let row = gateway.final_rows().await.pop().unwrap();
    assert_eq!(
        (row.tokens.prompt, row.tokens.completion, row.tokens.total),
        (Some(11), Some(10), Some(21))
    );
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let created: Value = serde_json::from_str(data).unwrap();
    let id = created["interaction"]["id"].as_str().unwrap();
    let path = format!("/v1beta/interactions/{id}");
    let rest = client.get(&format!("{path}?stream=true&last_event_id=e2")).await.text();
    assert!(rest.starts_with("event: step.stop\n") && text.ends_with(&rest), "{rest}");
    for _ in 0..4 {
        let turn = json!({"model": "m", "input": "two", "previous_interaction_id": id});
        assert_eq!(client.post("/v1beta/interactions", &turn).await.status, 200);
    }
    assert_eq!(client.get(&format!("{path}?stream=false")).await.json()["id"], id);
    let cancelled = client.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!(cancelled.json()["status"], "cancelled");
    assert_eq!(client.delete(&path).await.status, 200);
    assert_eq!(client.get(&path).await.status, 404);

    close(gateway).await;
}
