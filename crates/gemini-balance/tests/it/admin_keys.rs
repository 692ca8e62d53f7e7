//! User keys and service keys, from the admin's side to what the proxy makes of them.

use fake_upstream::{Answer, When};
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Client, Gateway, PASSWORD, Reply, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_key_is_shown_once_and_serves_at_once() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    let created = admin.post("/api/auth_keys", &json!({"alias": "bob", "note": "team b"})).await;

    assert_eq!(created.status, 201);
    let key = created.json()["api_key"].as_str().unwrap().to_owned();
    assert_eq!(created.json()["call_count"], 0);
    assert_eq!(generate(&gateway, &key).await.status, 200);
    let list = admin.get("/api/auth_keys").await;
    assert!(!list.text().contains(&key));
    let bob = find(&list.json(), "alias", "bob");
    assert_eq!(bob["note"], "team b");
    assert_eq!(bob["enabled"], true);
    assert!(bob["api_key"].as_str().unwrap().starts_with("gb-"));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_key_is_changed_by_its_id_or_in_full_and_the_proxy_follows() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let bob = admin.post("/api/auth_keys", &json!({"alias": "bob"})).await.json();
    let (by_id, key) = (format!("/api/auth_keys/{}", bob["id"]), bob["api_key"].as_str().unwrap());
    let in_full = format!("/api/auth_keys/{key}");

    assert_eq!(put(&admin, &by_id, &json!({"alias": "bob"})).await.status, 200);
    assert_eq!(put(&admin, &in_full, &json!({"alias": "robert"})).await.json()["alias"], "robert");
    let taken = put(&admin, &by_id, &json!({"alias": "alice"})).await;
    assert_eq!(
        (taken.status.as_u16(), &taken.json()["detail"]),
        (409, &json!("Alias already exists."))
    );

    assert_eq!(put(&admin, &by_id, &json!({"enabled": false})).await.json()["enabled"], false);
    assert_eq!(generate(&gateway, key).await.status, 401);
    put(&admin, &by_id, &json!({"enabled": true, "expires_at": "2020-01-01T00:00:00Z"})).await;
    assert_eq!(generate(&gateway, key).await.status, 401);
    let back = put(&admin, &by_id, &json!({"expires_at": null})).await;
    assert_eq!(back.json()["expires_at"], Value::Null);
    assert_eq!(generate(&gateway, key).await.status, 200);

    assert_eq!(admin.delete(&in_full).await.status, 204);
    assert_eq!(generate(&gateway, key).await.status, 401);
    for path in [&by_id, &in_full, "/api/auth_keys/99", "/api/auth_keys/%FF"] {
        assert_eq!(admin.delete(path).await.status, 404, "{path}");
    }
    let gone = put(&admin, &by_id, &json!({"alias": "bob"})).await;
    assert_eq!(gone.json()["detail"], "Auth key not found.");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_creations_of_one_alias_one_succeeds() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    let mut creations = JoinSet::new();
    for _ in 0..20 {
        let admin = admin.clone();
        creations
            .spawn(async move { admin.post("/api/auth_keys", &json!({"alias": "bob"})).await });
    }
    let replies = creations.join_all().await;

    let count = |status: u16| replies.iter().filter(|it| it.status.as_u16() == status).count();
    assert_eq!((count(201), count(409)), (1, 19));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_will_not_do_is_refused_with_its_place() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    for (alias, kind) in [
        (String::new(), "string_too_short"),
        ("a".repeat(51), "string_too_long"),
        ("a\r\nx-evil: 1".to_owned(), "value_error"),
    ] {
        let reply = admin.post("/api/auth_keys", &json!({"alias": alias})).await;
        assert_eq!(reply.status, 422, "{alias}");
        let problem = &reply.json()["detail"][0];
        assert_eq!(problem["type"], kind, "{alias}");
        assert_eq!(problem["loc"], json!(["body", "alias"]), "{alias}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_a_list_of_service_keys_is_answered_for_and_none_is_echoed() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let lines = json!([
        " AIzaSyNewKey-0000000000000000000000ok01 \r",
        "service-key-1",
        "",
        "key with spaces in it",
        "AIzaSyNewKey-0000000000000000000000ok01",
        "AIzaSyNewKey-0000000000000000000000ok02\nAIzaSyNewKey-0000000000000000000000ok03",
        "ключ-на-русском-языке",
        "k".repeat(4_096),
    ]);

    let reply =
        admin.post("/api/keys", &json!({"api_keys": lines, "tier": 1, "tags": ["new"]})).await;

    assert_eq!(reply.status, 201);
    let answer = reply.json();
    assert_eq!(answer["message"], "Keys added successfully");
    assert_eq!(answer["details"], json!(["AIza...ok01", "AIza...ok02", "AIza...ok03"]));
    let results: Vec<&str> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["result"].as_str().unwrap())
        .collect();
    let expected = [
        "added",
        "duplicate",
        "invalid",
        "invalid",
        "duplicate",
        "added",
        "added",
        "invalid",
        "invalid",
    ];
    assert_eq!(results, expected);
    assert!(!reply.text().contains("NewKey") && !reply.text().contains("spaces in it"));
    let page = admin.get("/api/keys?tag=new&tier=1").await.json();
    assert_eq!(page["total"], 3);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn service_keys_are_found_sorted_and_paged() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let page = admin.get("/api/keys").await.json();
    assert_eq!(page["total"], 3);
    let name = |place: usize| page["keys"][place]["key_identifier"].as_str().unwrap().to_owned();
    let patched = admin
        .send_json(
            Method::PATCH,
            &format!("/api/keys/{}", name(1)),
            &json!({"note": "100% _mine_", "tags": ["paid"], "project": "acme", "tier": 2}),
        )
        .await;
    assert_eq!(patched.status, 200, "{}", patched.text());
    assert_eq!(patched.json()["project"], "acme");

    for (query, expected) in [
        ("", vec![name(0), name(1), name(2)]),
        ("?sort=-created_at", vec![name(2), name(1), name(0)]),
        ("?offset=1", vec![name(1), name(2)]),
        ("?sort=-created_at&offset=1&limit=1", vec![name(1)]),
        ("?sort=-created_at&offset=9", vec![]),
        ("?sort=-tier&limit=1", vec![name(1)]),
        ("?limit=1&offset=1", vec![name(1)]),
        ("?offset=1000000000", vec![]),
        ("?q=100%25", vec![name(1)]),
        ("?q=_MINE_", vec![name(1)]),
        ("?q=%27%20OR%201%3D1", vec![]),
        ("?project=acme&tag=paid&tier=2&enabled=true&state=active", vec![name(1)]),
        ("?project=", vec![name(0), name(2)]),
        ("?state=in_use", vec![]),
        ("?enabled=false", vec![]),
    ] {
        let page = admin.get(&format!("/api/keys{query}")).await.json();
        let keys = page["keys"].as_array().unwrap_or_else(|| panic!("{query}: {page}"));
        let names: Vec<&str> =
            keys.iter().map(|it| it["key_identifier"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{query}");
    }
    for query in
        ["limit=0", "limit=1001", "limit=NaN", "offset=-1", "sort=secret", "tier=300", "state=x"]
    {
        let reply = admin.get(&format!("/api/keys?{query}")).await;
        assert_eq!(reply.status, 422, "{query}");
        let (field, input) = query.split_once('=').unwrap();
        assert_eq!(reply.json()["detail"][0]["loc"], json!(["query", field]), "{query}");
        assert_eq!(reply.json()["detail"][0]["input"], input, "{query}");
    }
    let one = admin.get(&format!("/api/keys/{}", name(1))).await.json();
    assert_eq!(one["tags"], json!(["paid"]));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_service_keys_can_be_filtered_by_is_counted_under_the_other_conditions() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    for (lines, project, tier, tags) in [
        (["acme-key-1", "acme-key-2"], "acme", 1, json!(["paid", "eu"])),
        (["lab-key-01", "lab-key-02"], "lab", 1, json!(["eu"])),
    ] {
        let body = json!({"api_keys": lines, "project": project, "tier": tier, "tags": tags});
        assert_eq!(admin.post("/api/keys", &body).await.status, 201);
    }
    let off = json!({"action": "disable", "filter": {"project": "acme"}});
    assert_eq!(admin.post("/api/keys/bulk", &off).await.json()["done"], 2);

    let all = admin.get("/api/keys/values").await.json();
    let acme = admin.get("/api/keys/values?project=acme&state=disabled").await.json();
    let none = admin.get("/api/keys/values?q=nobody").await.json();

    let states = json!([{"state": "active", "count": 5}, {"state": "disabled", "count": 2}]);
    assert_eq!((&all["total"], &all["states"]), (&json!(7), &states));
    assert_eq!((&all["enabled"], &all["disabled"]), (&json!(5), &json!(2)));
    assert_eq!((&all["resting"], &all["in_use"]), (&json!(0), &json!(0)));
    let tags = json!([{"name": "eu", "count": 4}, {"name": "paid", "count": 2}]);
    assert_eq!(all["tags"], json!({"names": tags, "distinct": 2}));
    assert_eq!(all["projects"]["names"][0], json!({"name": "", "count": 3}));
    assert_eq!(all["tiers"], json!([{"tier": 0, "count": 3}, {"tier": 1, "count": 4}]));

    assert_eq!(acme["total"], 2);
    assert_eq!(acme["states"], json!([{"state": "disabled", "count": 2}]));
    assert_eq!(acme["projects"]["names"], json!([{"name": "acme", "count": 2}]));
    assert_eq!(acme["tiers"], json!([{"tier": 1, "count": 2}]));
    assert_eq!((&none["total"], &none["states"]), (&json!(0), &json!([])));
    for query in ["state=x", "tier=300", "sort=tier"] {
        assert_eq!(admin.get(&format!("/api/keys/values?{query}")).await.status, 422, "{query}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_all_keys_has_the_shape_that_scripts_know() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let page = admin.get("/api/keys").await.json();
    let off = page["keys"][0]["key_identifier"].as_str().unwrap();
    switch(&admin, off, false).await;

    let status = admin.get("/api/keys/status").await.json();

    assert_eq!(status["total_keys_count"], 3);
    assert_eq!(status["in_use_keys_count"], 0);
    assert_eq!(status["cooled_down_keys_count"], 1);
    assert_eq!(status["available_keys_count"], 2);
    assert_eq!(
        status["keys"][2],
        json!({
            "key_identifier": off, "key_brief": page["keys"][0]["key_brief"],
            "status": "cooling_down", "cool_down_seconds_remaining": 0.0, "failure_count": 0,
            "cool_down_entry_count": 0, "current_cool_down_seconds": 0,
        })
    );
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_switched_off_or_deleted_serves_no_more() {
    let gateway = Setup::default().keys(["first-key-of-two"]).start().await;
    let admin = gateway.admin().await;
    let key = only_key(&admin).await;

    switch(&admin, &key, false).await;
    assert_eq!(generate(&gateway, &gateway.user_key).await.status, 503);
    switch(&admin, &key, true).await;
    assert_eq!(generate(&gateway, &gateway.user_key).await.status, 200);

    let deleted = admin.delete(&format!("/api/keys/{key}")).await;
    assert_eq!(deleted.status, 200);
    assert_eq!(
        deleted.json(),
        json!({"message": format!("Key {key} deleted successfully"), "key_identifier": key})
    );
    assert_eq!(generate(&gateway, &gateway.user_key).await.status, 503);
    for (method, path) in
        [(Method::GET, ""), (Method::DELETE, ""), (Method::POST, "/reset"), (Method::POST, "/test")]
    {
        let reply = admin.send(method, &format!("/api/keys/{key}{path}"), "").await;
        assert_eq!(reply.status, 404, "{path}");
    }
    let gateway = gateway.restart().await;
    assert_eq!(gateway.admin().await.get("/api/keys").await.json()["total"], 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_brings_a_key_back_and_a_failed_one_changes_nothing() {
    let gateway = Setup::default().keys(["a-key-to-be-tested"]).start().await;
    let admin = gateway.admin().await;
    let key = only_key(&admin).await;
    gateway.upstream.on(When::any().times(1), Answer::key_invalid());
    generate(&gateway, &gateway.user_key).await;
    assert_eq!(gateway.state_of("a-key-to-be-tested"), "invalid");

    gateway.upstream.on(When::any().times(1), Answer::suspended());
    let failed = admin.post(&format!("/api/keys/{key}/test"), &Value::Null).await.json();
    let passed = admin.post(&format!("/api/keys/{key}/test"), &Value::Null).await.json();

    assert_eq!(
        (&failed["is_ok"], &failed["state"]),
        (&json!(false), &json!("invalid")),
        "{failed}"
    );
    assert!(!failed.to_string().contains("a-key-to-be-tested"), "{failed}");
    assert_eq!((&passed["is_ok"], &passed["state"]), (&json!(true), &json!("active")), "{passed}");
    assert_eq!(passed["key_identifier"], key.as_str());
    let gateway = gateway.restart().await;
    assert_eq!(gateway.state_of("a-key-to-be-tested"), "active");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_forgets_what_speaks_against_a_key_also_after_a_restart() {
    let gateway = Setup::default().keys(["a-key-to-be-reset"]).start().await;
    let admin = gateway.admin().await;
    let key = only_key(&admin).await;
    for path in [format!("/api/keys/{key}/reset"), "/api/keys/reset".to_owned()] {
        gateway.upstream.on(When::any().times(1), Answer::key_invalid());
        generate(&gateway, &gateway.user_key).await;
        assert_eq!(gateway.state_of("a-key-to-be-reset"), "invalid");

        let reply = admin.send(Method::POST, &path, "ignored").await;

        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(gateway.state_of("a-key-to-be-reset"), "active", "{path}");
    }
    let gateway = gateway.restart().await;
    assert_eq!(gateway.state_of("a-key-to-be-reset"), "active");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_order_answers_for_each_key() {
    let gateway =
        Setup::default().keys(["a-good-service-key", "an-invalid-key-invalid"]).start().await;
    let admin = gateway.admin().await;
    let page = admin.get("/api/keys").await.json();
    let name = |place: usize| page["keys"][place]["key_identifier"].as_str().unwrap().to_owned();
    let named = |action: &str| json!({"action": action, "key_identifiers": [name(1), "key_sha256_none", name(0), name(1)]});

    let tested = bulk(&admin, &named("test")).await;
    assert_eq!(
        results(&tested),
        [(name(1), "failed"), ("key_sha256_none".into(), "not_found"), (name(0), "done")]
    );
    assert_eq!(tested["results"][0]["test"]["status"], 400);
    for action in ["disable", "enable", "reset"] {
        let done = bulk(&admin, &named(action)).await;
        assert_eq!((&done["done"], &done["failed"]), (&json!(2), &json!(1)), "{action}");
    }
    bulk(&admin, &json!({"action": "disable", "filter": {}})).await;
    assert_eq!(gateway.state_of("a-good-service-key"), "disabled");
    bulk(&admin, &json!({"action": "enable", "filter": {"state": "disabled"}})).await;
    assert_eq!(gateway.state_of("a-good-service-key"), "active");
    bulk(&admin, &json!({"action": "delete", "filter": {"q": "vice"}})).await;
    for order in [
        json!({"action": "delete"}),
        json!({"action": "delete", "filter": {}, "key_identifiers": []}),
        json!({"action": "burn", "filter": {}}),
        json!({"action": "delete", "filter": {"state": "x"}}),
    ] {
        assert_eq!(admin.post("/api/keys/bulk", &order).await.status, 422, "{order}");
    }
    assert_eq!(admin.get("/api/keys").await.json()["total"], 2, "no brief holds these letters");
    bulk(&admin, &json!({"action": "delete", "filter": {}})).await;
    assert_eq!(gateway.app().pool.counts().total, 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_exported_only_against_the_password() {
    let gateway = Setup::default().keys(["a-key-to-be-exported"]).start().await;
    let admin = gateway.admin().await;
    let order = |password: &str| json!({"password": password, "filter": {}});

    let refused = admin.post("/api/keys/export", &order("wrong")).await;
    let exported = admin.post("/api/keys/export", &order(PASSWORD)).await;

    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["error"]["code"], "wrong_password");
    assert_eq!(exported.status, 200);
    assert_eq!(exported.json()["keys"][0]["api_key"], "a-key-to-be-exported");
    assert_eq!(exported.json()["missing"], json!([]));
    let unknown = json!({"password": PASSWORD, "key_identifiers": ["key_sha256_none"]});
    let nothing = admin.post("/api/keys/export", &unknown).await.json();
    let missing = json!([{"key_identifier": "key_sha256_none", "outcome": "not_found"}]);
    assert_eq!((&nothing["keys"], &nothing["missing"]), (&json!([]), &missing));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_keys_come_rest_and_go_in_one_call_each_while_the_proxy_serves() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let keys: Vec<String> =
        (0..30_000).map(|number| format!("bulk-service-key-{number:06}")).collect();
    let orders = [
        ("/api/keys", json!({"api_keys": keys, "tags": ["bulk"]}), 201),
        ("/api/keys/bulk", json!({"action": "reset", "filter": {"tag": "bulk"}}), 200),
        ("/api/keys/bulk", json!({"action": "delete", "filter": {"tag": "bulk"}}), 200),
    ];
    for (path, order, status) in orders {
        // The client's patience is the limit of each call.
        let (reply, served) =
            tokio::join!(admin.post(path, &order), generate(&gateway, &gateway.user_key),);
        assert_eq!(reply.status.as_u16(), status, "{path}");
        assert_eq!(served.status, 200, "{path}");
    }
    assert_eq!(gateway.app().pool.counts().total, 3);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_at_the_wrong_place_is_not_repeated() {
    let key = "AIzaSyMisplaced-0000000000000000000ok01";
    // Whoever reads an answer with the key fails.
    let gateway = Setup::default().keys([key]).start().await;
    let admin = gateway.admin().await;

    for (path, body) in [
        ("/api/keys", json!({"api_keys": key})),
        ("/api/keys", json!({"api_keys": {"key": key}})),
        ("/api/keys", json!({"api_keys": [key], "tier": key})),
        ("/api/keys", json!({"api_keys": [key], "tags": key})),
        ("/api/keys/bulk", json!({"action": key, "filter": {}})),
        ("/api/keys/bulk", json!({"action": "test", "filter": {"state": key}})),
        ("/api/keys/bulk", json!({"action": "test", "filter": key})),
        ("/api/auth_keys", json!({"alias": "bob", "expires_at": key})),
        ("/api/keys", json!(key)),
    ] {
        let reply = admin.post(path, &body).await;
        assert_eq!(reply.status, 422, "{path} {body}: {}", reply.text());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_thirty_thousand_crooked_lines_the_good_ones_come_in_once() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let key = |number: usize| format!("AIzaSyCrooked-{number:025}");
    // Each tenth line is a key, thrice in different clothes; the others are none.
    let lines: Vec<String> = (0..30_000)
        .map(|number| match number % 10 {
            0 => key(number % 1_000),
            1 => format!("{} \u{1}", key(number)),
            2 => String::new(),
            3 => " \t ".to_owned(),
            4 => format!("ключ-{number}-на-русском-языке"),
            5 => "short".to_owned(),
            6 => format!("AIzaSyCrooked\u{2028}{number:025}"),
            7 => "x".repeat(4_096),
            8 => format!("two keys-{number}-on-a-line"),
            _ => format!("  {}\r", key(number % 1_000 - 9)),
        })
        .collect();

    let reply = admin.post("/api/keys", &json!({"api_keys": lines})).await;

    assert_eq!(reply.status, 201);
    let answer = reply.json();
    let results = answer["results"].as_array().unwrap();
    let count = |result: &str| results.iter().filter(|it| it["result"] == result).count();
    assert_eq!(count("added"), 100);
    assert_eq!(count("duplicate"), 2 * 3_000 - 100);
    assert_eq!(count("added") + count("duplicate") + count("invalid"), results.len());
    assert!(!reply.text().contains("Crooked") && !reply.text().contains("русском"));
    let stored = admin.get("/api/keys?limit=1").await.json();
    assert_eq!(stored["total"], 3 + 100, "nothing else is stored");
    gateway.close().await;
}

async fn generate(gateway: &Gateway, key: &str) -> Reply {
    let client = gateway.stranger().with("x-goog-api-key", key);
    let body = json!({"contents": [{"parts": [{"text": "hello"}]}]});
    client.post("/v1beta/models/gemini-2.5-flash:generateContent", &body).await
}

async fn put(admin: &Client, path: &str, body: &Value) -> Reply {
    admin.send_json(Method::PUT, path, body).await
}

async fn switch(admin: &Client, key: &str, is_enabled: bool) {
    let body = json!({"enabled": is_enabled});
    let reply = admin.send_json(Method::PATCH, &format!("/api/keys/{key}"), &body).await;
    assert_eq!(reply.json()["enabled"], is_enabled);
}

async fn bulk(admin: &Client, order: &Value) -> Value {
    let reply = admin.post("/api/keys/bulk", order).await;
    assert_eq!(reply.status, 200, "{order}: {}", reply.text());
    reply.json()
}

fn results(outcome: &Value) -> Vec<(String, &str)> {
    let results = outcome["results"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    results.map(|it| (text(&it["key_identifier"]), it["result"].as_str().unwrap())).collect()
}

async fn only_key(admin: &Client) -> String {
    let page = admin.get("/api/keys").await.json();
    assert_eq!(page["total"], 1);
    page["keys"][0]["key_identifier"].as_str().unwrap().to_owned()
}

fn find(list: &Value, field: &str, value: &str) -> Value {
    let found = list.as_array().unwrap().iter().find(|it| it[field] == value);
    found.unwrap_or_else(|| panic!("no {value} in {list}")).clone()
}
