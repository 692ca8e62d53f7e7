//! What takes long is begun, looked after, ended and fetched where it runs.

use serde_json::json;

use super::{another, close, keeping, small_file, spread};

/// The project that keeps something.
fn project(gateway: &crate::support::Gateway, name: &str) -> String {
    let kept = gateway.upstream.kept();
    kept.into_iter().find(|(kept, _)| kept == name).unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_cancelled_and_deleted_by_who_began_it_with_its_key() {
    let gateway = keeping(spread(), 20).await;
    let (client, bob) = (gateway.gemini(), another(&gateway, "bob").await);
    let file = small_file(&gateway, &client).await;
    let input = json!({"batch": {"inputConfig": {"fileName": file["name"]}}});
    let mut names = Vec::new();
    for verb in ["batchGenerateContent", "asyncBatchEmbedContent"] {
        let path = format!("/v1beta/models/m:{verb}");
        let begun = client.post(&path, &input).await.json();
        names.push(begun["name"].as_str().unwrap().to_owned());
    }
    gateway.forget();

    for name in &names {
        let path = format!("/v1beta/{name}");
        assert_eq!(bob.post(&format!("{path}:cancel"), &json!({})).await.status, 404);
        assert_eq!(bob.delete(&path).await.status, 404);
        let key = project(&gateway, name);
        assert_eq!(client.post(&format!("{path}:cancel"), &json!({})).await.json(), json!({}));
        let told = client.get(&path).await.json();
        assert_eq!(told["metadata"]["state"], "BATCH_STATE_CANCELLED");
        assert_eq!(client.delete(&path).await.json(), json!({}));
        assert_eq!(client.get(&path).await.status, 404);
        assert!(gateway.keys_seen().iter().all(|seen| *seen == key));
        gateway.forget();
    }
    assert_eq!(client.get("/v1beta/batches").await.json(), json!({}));
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_results_of_a_batch_and_of_a_film_are_fetched_with_its_key_and_by_nobody_else() {
    let mut gateway = keeping(spread(), 20).await;
    let (mut client, mut bob) = (gateway.gemini(), another(&gateway, "bob").await);
    let batch = json!({"batch": {"inputConfig": {"requests": {"requests": []}}}});
    let film = json!({"instances": [{"prompt": "a film"}]});
    let mut begun = Vec::new();
    for (verb, body) in [("batchGenerateContent", batch), ("predictLongRunning", film)] {
        let operation = client.post(&format!("/v1beta/models/m:{verb}"), &body).await.json();
        begun.push(operation["name"].as_str().unwrap().to_owned());
    }
    // What runs for long outlives a restart.
    gateway = gateway.restart().await;
    client = client.moved_to(&gateway.stranger());
    bob = bob.moved_to(&gateway.stranger());

    for name in &begun {
        let told = client.get(&format!("/v1beta/{name}")).await.json();
        assert_eq!(told["done"], true, "{told}");
        let response = &told["response"];
        let film = &response["generateVideoResponse"]["generatedSamples"][0]["video"]["uri"];
        let path = match response["responsesFile"].as_str() {
            Some(file) => format!("/download/v1beta/{file}:download?alt=media"),
            // An address of Google's, of which a client takes the path.
            None => film.as_str().unwrap().split_once(".com").unwrap().1.to_owned(),
        };
        let key = project(&gateway, name);
        gateway.forget();

        for _ in 0..4 {
            let results = client.get(&path).await;
            assert_eq!(results.text(), format!("what came of {name}"));
        }
        assert_eq!(gateway.keys_seen(), [key.as_str(); 4]);
        let refused = bob.get(&path).await;
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert_eq!(gateway.upstream.seen().len(), 4, "nobody was asked for bob");
    }
    let listed = client.get("/v1beta/files").await.json();
    assert_eq!(listed["files"].as_array().unwrap().len(), 2, "they are the caller's own");
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_writes_into_an_operation_makes_nothing_theirs() {
    let gateway = keeping(spread(), 3).await;
    let (client, bob) = (gateway.gemini(), another(&gateway, "bob").await);
    let body = json!({"batch": {"displayName": "files/from-elsewhere"}});
    let begun = client.post("/v1beta/models/m:batchGenerateContent", &body).await.json();
    let claimed = json!({"metadata": {"responsesFile": "files/from-elsewhere"}});
    let path = format!("/v1beta/{}", begun["name"].as_str().unwrap());
    assert_eq!(client.send_json(http::Method::PATCH, &path, &claimed).await.status, 200);
    client.get(&path).await;
    gateway.forget();

    assert_eq!(bob.get("/v1beta/files/from-elsewhere").await.status, 403);

    assert_eq!(gateway.upstream.seen().len(), 3, "it is still anybody's");
    close(gateway).await;
}
