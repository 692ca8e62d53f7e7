//! An admin sees what upstreams keep, whose it is, and deletes it where it lies.

use fake_upstream::{Answer, When};
use serde_json::{Value, json};

use super::{another, close, keeping, small_file, spread};
use crate::support::Client;

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_what_is_kept_whose_it_is_and_which_key_made_it() {
    let gateway = keeping(spread(), 5).await;
    let (alice, bob) = (gateway.gemini(), another(&gateway, "bob").await);
    let mut of_alice = Vec::new();
    for _ in 0..4 {
        of_alice.push(small_file(&gateway, &alice).await);
    }
    let cache = json!({"model": "models/m", "ttl": "600s"});
    assert_eq!(bob.post("/v1beta/cachedContents", &cache).await.status, 200);
    let admin = gateway.admin().await;

    let all = admin.get("/api/resources").await.json();

    assert_eq!(all["total"], 5);
    assert_eq!(
        all["kinds"],
        json!([{"kind": "files", "count": 4}, {"kind": "cachedContents", "count": 1}])
    );
    assert_eq!(all["resources"][0]["kind"], "cachedContents", "it ends first");
    assert_eq!(all["resources"][0]["user_key"], "bob");
    let kept = gateway.upstream.kept();
    for shown in all["resources"].as_array().unwrap() {
        let (_, project) = kept.iter().find(|(name, _)| *name == shown["name"]).unwrap();
        let brief = shown["key_brief"].as_str().unwrap();
        assert!(project.ends_with(&brief[brief.len() - 4..]), "{project}: {brief}");
        assert!(shown["expires_at"].is_string() && shown["created_at"].is_string());
    }

    let bobs = all["resources"][0]["user_key_id"].as_i64().unwrap();
    let total = async |query: &str| {
        let page = admin.get(&format!("/api/resources?{query}")).await.json();
        (page["total"].as_u64().unwrap(), page["resources"].as_array().unwrap().len())
    };
    assert_eq!(total("kind=files&limit=3").await, (4, 3));
    assert_eq!(total("kind=files&limit=3&offset=3").await, (4, 1));
    assert_eq!(total(&format!("user_key_id={bobs}")).await, (1, 1));
    let key = all["resources"][1]["service_key_id"].as_i64().unwrap();
    assert!(total(&format!("service_key_id={key}")).await.0 >= 1);
    let word = of_alice[0]["name"].as_str().unwrap().to_uppercase();
    assert_eq!(total(&format!("q={word}")).await, (1, 1));
    assert_eq!(total("q=nothing-like-it").await, (0, 0));
    assert_eq!(admin.get("/api/resources?typ=files").await.status, 422);
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_admin_deletes_is_gone_where_it_lay() {
    let gateway = keeping(spread(), 5).await;
    let alice = gateway.gemini();
    let name = name_of(&small_file(&gateway, &alice).await);
    let other = name_of(&small_file(&gateway, &alice).await);
    let admin = gateway.admin().await;

    assert_eq!(removed(&admin, &name).await, "deleted");

    let names: Vec<_> = gateway.upstream.kept().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [other.as_str()]);
    assert_eq!(admin.get("/api/resources").await.json()["total"], 1);
    assert_eq!(admin.delete(&path(&name)).await.status, 404);
    // Another has deleted them behind the gateway's back.
    gateway.upstream.on(When::any().times(1), Answer::json(404, "{}"));
    assert_eq!(removed(&admin, &other).await, "was_gone");
    let last = name_of(&small_file(&gateway, &alice).await);
    gateway.upstream.on(When::any().times(1), Answer::file_denied());
    assert_eq!(removed(&admin, &last).await, "was_gone");
    assert_eq!(gateway.upstream.strays(), [""; 0]);
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstream_does_not_delete_stays_and_what_no_key_sees_is_forgotten() {
    let gateway = keeping(spread(), 1).await;
    let name = name_of(&small_file(&gateway, &gateway.gemini()).await);
    let admin = gateway.admin().await;

    for answer in [Answer::server_error(500), Answer::suspended(), Answer::key_invalid()] {
        gateway.upstream.on(When::any().times(1), answer);
        let refused = admin.delete(&path(&name)).await;
        assert_eq!(refused.status, 502);
        assert_eq!(refused.json()["error"]["code"], "not_deleted");
        assert_eq!(admin.get("/api/resources").await.json()["total"], 1);
    }

    let keys = admin.get("/api/keys").await.json();
    let identifier = keys["keys"][0]["key_identifier"].as_str().unwrap().to_owned();
    assert!(admin.delete(&format!("/api/keys/{identifier}")).await.status.is_success());
    let orphan = admin.get("/api/resources").await.json();
    assert_eq!(orphan["resources"][0]["key_brief"], Value::Null);
    assert_eq!(removed(&admin, &name).await, "forgotten");
    assert_eq!(admin.get("/api/resources").await.json()["total"], 0);
    close(gateway).await;
}

fn name_of(file: &Value) -> String {
    file["name"].as_str().unwrap().to_owned()
}

fn path(name: &str) -> String {
    format!("/api/resources?name={name}")
}

async fn removed(admin: &Client, name: &str) -> String {
    let reply = admin.delete(&path(name)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["outcome"].as_str().unwrap().to_owned()
}
