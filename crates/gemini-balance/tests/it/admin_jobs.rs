//! Jobs on service keys: progress, a result for each, calling off, undoing.

use std::time::{Duration, Instant};

use fake_upstream::{Answer, When};
use gemini_balance::store::error::StoreError;
use http::Method;
use serde_json::{Value, json};

use crate::support::page::Page;
use crate::support::{Ask, Client, Gateway, PATIENCE, Setup};

/// Keys of a large pool.
const MANY: usize = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_switched_off_by_a_filter_and_the_undo_switches_on_only_those() {
    let gateway = large_gateway().await;
    let admin = gateway.admin().await;
    let ten: Vec<String> = names(&admin, "?limit=10").await;
    let off = json!({"action": "disable", "key_identifiers": ten});
    assert_eq!(finished(&admin, begin(&admin, &off).await).await["counts"], json!({"done": 10}));
    let mut page = Page::open(&admin).await;

    let all = json!({"action": "disable", "filter": {}});
    let begun = begin(&admin, &all).await;
    let id = begun["id"].as_str().unwrap().to_owned();
    let told = page.until("job", |job| job["id"] == id && job["stage"] == "done").await;
    let job = admin.get(&format!("/api/jobs/{id}")).await.json();

    assert_eq!((&begun["total"], &begun["action"]), (&json!(MANY), &json!("disable")));
    assert_eq!(told, job, "what is told is what can be asked for");
    assert_eq!(job["counts"], json!({"done": MANY - 10, "unchanged": 10}));
    assert_eq!(job["finished"], MANY);
    assert!(job["undo_until"].is_string() && job["ended_at"].is_string());
    assert_eq!(gateway.app().pool.counts().disabled, MANY);
    let unchanged = results(&admin, &id, "?outcome=unchanged").await;
    let unchanged: Vec<&str> =
        unchanged.iter().map(|it| it["key_identifier"].as_str().unwrap()).collect();
    assert_eq!(unchanged, ten);
    assert_eq!(results(&admin, &id, "?offset=2995&limit=10").await.len(), 5);

    let undo = admin.post(&format!("/api/jobs/{id}/undo"), &json!({})).await;
    assert_eq!(undo.status, 202);
    let undone = finished(&admin, undo.json()).await;
    assert_eq!((&undone["undoes"], &undone["action"]), (&json!(id), &json!("enable")));
    assert_eq!(undone["counts"], json!({"done": MANY - 10}));
    assert_eq!(gateway.app().pool.counts().disabled, 10, "those were off before");
    assert_eq!(admin.post(&format!("/api/jobs/{id}/undo"), &json!({})).await.status, 409);
    let gateway = {
        drop(page);
        gateway.restart().await
    };
    assert_eq!(gateway.app().pool.counts().disabled, 10, "and it is on the disk");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_keys_come_back_and_serve_unless_another_took_their_place() {
    let keys = ["service-key-one", "service-key-two", "service-key-three"];
    let gateway = Setup::default().keys(keys).start().await;
    let admin = gateway.admin().await;
    let one = gateway.identifier_of(keys[0]);
    let patch = json!({"note": "mine", "tags": ["paid"], "tier": 2});
    admin.send_json(Method::PATCH, &format!("/api/keys/{one}"), &patch).await;
    let before = admin.get(&format!("/api/keys/{one}")).await.json();

    let delete = json!({"action": "delete", "filter": {}});
    let job = finished(&admin, begin(&admin, &delete).await).await;
    assert_eq!(job["counts"], json!({"done": 3}));
    assert_eq!(Ask::openai().of(&gateway.openai()).await.status, 503);
    assert_eq!(admin.get("/api/keys").await.json()["total"], 0);
    let again = json!({"api_keys": [keys[1]]});
    assert_eq!(admin.post("/api/keys", &again).await.json()["results"][0]["result"], "added");
    let undo = format!("/api/jobs/{}/undo", job["id"].as_str().unwrap());
    let undone = finished(&admin, admin.post(&undo, &json!({})).await.json()).await;

    assert_eq!((&undone["action"], &undone["undo_until"]), (&json!("restore"), &Value::Null));
    assert_eq!(undone["counts"], json!({"done": 2, "duplicate": 1}));
    let mut after = admin.get(&format!("/api/keys/{one}")).await.json();
    after["since"] = before["since"].clone();
    assert_eq!(after, before, "as it was, but that it has stood so since it is back");
    let gateway = gateway.restart().await;
    assert_eq!(gateway.app().pool.counts().active, 3, "what was brought back is on the disk");
    for _ in 0..3 {
        Ask::openai().is_answered(&gateway.openai()).await;
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_ends_the_time_to_undo_and_nothing_of_a_deleted_key_is_left() {
    let keys = ["service-key-one", "service-key-two"];
    let gateway = Setup::default().keys(keys).start().await;
    let admin = gateway.admin().await;
    let delete = json!({"action": "delete", "key_identifiers": [gateway.identifier_of(keys[0])]});
    let job = finished(&admin, begin(&admin, &delete).await).await;

    let gateway = gateway.restart().await;

    let admin = gateway.admin().await;
    let path = format!("/api/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).await.status, 404);
    assert_eq!(admin.post(&format!("{path}/undo"), &json!({})).await.status, 404);
    assert_eq!(gateway.app().pool.counts().total, 1);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_a_database_that_another_process_holds_and_can_be_called_off_meanwhile() {
    let gateway = large_gateway().await;
    let admin = gateway.admin().await;
    let path = gateway.directory.path().join("data/gemini-balance.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let waiting = begin(&admin, &json!({"action": "disable", "filter": {}})).await;
    // The writes come one after the other: when the second one is refused, the job has been, too.
    for _ in 0..2 {
        let refused = gateway.app().store.switch_service_keys(Vec::new(), false).await;
        assert!(matches!(refused, Err(StoreError::Busy)));
    }
    let called_off = begin(&admin, &json!({"action": "enable", "filter": {}})).await;
    let cancel = format!("/api/jobs/{}/cancel", called_off["id"].as_str().unwrap());
    admin.post(&cancel, &json!({})).await;
    let called_off = finished(&admin, called_off).await;
    other.execute_batch("ROLLBACK").unwrap();
    let done = finished(&admin, waiting).await;

    assert_eq!((&called_off["stage"], &called_off["finished"]), (&json!("cancelled"), &json!(0)));
    assert_eq!((&done["stage"], &done["counts"]), (&json!("done"), &json!({"done": MANY})));
    assert_eq!(gateway.app().pool.counts().disabled, MANY);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_given_and_taken_and_the_undo_restores_what_each_key_had() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let [one, two, three]: [String; 3] = names(&admin, "").await.try_into().unwrap();
    let full: Vec<String> = (0..20).map(|number| format!("tag-{number}")).collect();
    for (name, tags) in [(&one, json!(["old", "eu"])), (&three, json!(full))] {
        let path = format!("/api/keys/{name}");
        admin.send_json(Method::PATCH, &path, &json!({"tags": tags})).await;
    }
    let tags =
        async |name: &str| admin.get(&format!("/api/keys/{name}")).await.json()["tags"].clone();

    let order = json!({
        "action": "tag", "add_tags": ["eu", "new"], "remove_tags": ["old"],
        "key_identifiers": [one, two, three, "key_sha256_unknown"],
    });
    let job = finished(&admin, begin(&admin, &order).await).await;

    assert_eq!(job["counts"], json!({"done": 2, "not_found": 1, "too_many_tags": 1}));
    assert_eq!((tags(&one).await, tags(&two).await), (json!(["eu", "new"]), json!(["eu", "new"])));
    assert_eq!(tags(&three).await, json!(full));
    let undo = format!("/api/jobs/{}/undo", job["id"].as_str().unwrap());
    let undone = finished(&admin, admin.post(&undo, &json!({})).await.json()).await;
    assert_eq!(undone["counts"], json!({"done": 2}));
    assert_eq!((tags(&one).await, tags(&two).await), (json!(["eu", "old"]), json!([])));
    let nothing = json!({"action": "tag", "filter": {}});
    assert_eq!(admin.post("/api/keys/jobs", &nothing).await.status, 422);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_an_import_has_a_result_and_a_trial_adds_nothing() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let mut lines: Vec<String> = (0..10_000).map(|it| format!("AIzaSyImported-{it:05}")).collect();
    for (place, line) in (0..10_000)
        .step_by(100)
        .zip(["", "no key", "service-key-1", "AIzaSyImported-00001"].iter().cycle())
    {
        lines[place] = (*line).to_owned();
    }
    let body = json!({"api_keys": lines, "project": "acme", "tags": ["bulk"], "dry_run": true});
    // Every 100th line: an empty one, rubbish, a known key, and one that stands in the list.
    let counts = json!({"added": 9_900, "duplicate": 50, "invalid": 50});

    let trial = admin.post("/api/keys/import", &body).await;
    assert_eq!(trial.status, 202, "{}", trial.text());
    let trial = finished(&admin, trial.json()).await;
    assert_eq!(gateway.app().pool.counts().total, 3, "a trial adds nothing");
    let real = json!({"api_keys": lines, "project": "acme", "tags": ["bulk"]});
    let job = finished(&admin, admin.post("/api/keys/import", &real).await.json()).await;

    assert_eq!((&trial["action"], &trial["counts"]), (&json!("try_import"), &counts));
    assert_eq!((&job["action"], &job["counts"]), (&json!("import"), &counts));
    let id = job["id"].as_str().unwrap();
    let found = results(&admin, id, "?limit=10000").await;
    assert_eq!(found.len(), lines.len());
    for (place, result) in found.iter().enumerate() {
        assert_eq!(result["place"], place, "in their order");
    }
    assert_eq!((&found[0]["outcome"], &found[0]["message"]), (&json!("invalid"), &json!("empty")));
    assert_eq!(found[100]["outcome"], "invalid");
    assert_eq!(
        (&found[200]["outcome"], &found[200]["key_brief"]),
        (&json!("duplicate"), &json!("se...-1"))
    );
    assert_eq!(
        (&found[300]["outcome"], &found[1]["outcome"]),
        (&json!("duplicate"), &json!("added"))
    );
    assert_eq!(found[300]["key_identifier"], found[1]["key_identifier"]);
    assert_eq!(admin.get("/api/keys?tag=bulk&project=acme").await.json()["total"], 9_900);

    let undo = admin.post(&format!("/api/jobs/{id}/undo"), &json!({})).await.json();
    let undone = finished(&admin, undo).await;
    assert_eq!((&undone["action"], &undone["counts"]), (&json!("delete"), &json!({"done": 9_900})));
    assert_eq!(gateway.app().pool.counts().total, 3);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_tested_a_few_at_a_time_until_the_job_is_called_off() {
    let keys: Vec<String> = (0..40).map(|number| format!("tested-key-{number:02}")).collect();
    let gateway = Setup::default().keys(keys.iter().map(String::as_str)).start().await;
    let admin = gateway.admin().await;
    gateway.upstream.on(When::any().key("tested-key-00"), Answer::key_invalid());
    let test = json!({"action": "test", "filter": {"q": ""}});

    let job = finished(&admin, begin(&admin, &test).await).await;
    assert_eq!(job["counts"], json!({"done": 39, "failed": 1}));
    let id = job["id"].as_str().unwrap();
    let failed = results(&admin, id, "?outcome=failed").await;
    assert_eq!((&failed[0]["error"], &failed[0]["status"]), (&json!("key_invalid"), &json!(400)));
    assert!(failed[0]["message"].is_string() && failed[0]["key_brief"].is_string());
    assert_eq!(job["undo_until"], Value::Null);

    gateway.upstream.on(When::any(), Answer::stall());
    let jobs = [begin(&admin, &test).await, begin(&admin, &test).await];
    gateway.upstream.wait_for_requests(|open| open == 4).await.unwrap();
    for job in jobs {
        let id = job["id"].as_str().unwrap().to_owned();
        let cancelled = admin.post(&format!("/api/jobs/{id}/cancel"), &json!({})).await;
        assert_eq!(cancelled.status, 202);
        let job = finished(&admin, job).await;
        assert_eq!((&job["stage"], &job["finished"]), (&json!("cancelled"), &json!(0)));
    }
    gateway.upstream.wait_for_requests(|open| open == 0).await.unwrap();
    gateway.upstream.clear();
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_a_job() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    gateway.upstream.on(When::any(), Answer::stall());
    begin(&admin, &json!({"action": "test", "filter": {}})).await;
    gateway.upstream.wait_for_requests(|open| 0 < open).await.unwrap();

    let app = std::sync::Arc::clone(gateway.app());
    app.lifecycle.drain();

    let ended = async {
        while app.jobs.list().iter().any(|job| !job.stage.is_over()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the job goes on");
    gateway.upstream.wait_for_requests(|open| open == 0).await.unwrap();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_makes_no_sense_is_refused_and_what_is_not_there_is_not_found() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    for order in [
        json!({}),
        json!({"action": "explode", "filter": {}}),
        json!({"action": "reset"}),
        json!({"action": "reset", "filter": {}, "key_identifiers": []}),
        json!({"action": "reset", "filter": {"state": "x"}}),
        json!({"action": "tag", "filter": {}, "add_tags": ["a\nb"]}),
        json!({"action": "test", "filter": {}, "model": ""}),
    ] {
        let reply = admin.post("/api/keys/jobs", &order).await;
        assert_eq!(reply.status, 422, "{order}: {}", reply.text());
    }
    for order in [json!({}), json!({"api_keys": "x"}), json!({"api_keys": [], "tier": 300})] {
        let reply = admin.post("/api/keys/import", &order).await;
        assert_eq!(reply.status, 422, "{order}: {}", reply.text());
    }
    for path in ["/api/jobs/x", "/api/jobs/x/results", "/api/jobs/%FF"] {
        assert_eq!(admin.get(path).await.status, 404, "{path}");
    }
    for path in ["/api/jobs/x/cancel", "/api/jobs/x/undo"] {
        assert_eq!(admin.post(path, &json!({})).await.status, 404, "{path}");
    }
    let nothing = json!({"action": "reset", "key_identifiers": []});
    let job = finished(&admin, begin(&admin, &nothing).await).await;
    assert_eq!(
        (&job["stage"], &job["total"], &job["counts"]),
        (&json!("done"), &json!(0), &json!({}))
    );
    let id = job["id"].as_str().unwrap();
    assert_eq!(admin.post(&format!("/api/jobs/{id}/undo"), &json!({})).await.status, 409);
    for query in ["limit=0", "limit=10001", "outcome=x", "offset=-1"] {
        let reply = admin.get(&format!("/api/jobs/{id}/results?{query}")).await;
        assert_eq!(reply.status, 422, "{query}");
    }
    assert_eq!(admin.get("/api/jobs").await.json()["jobs"][0]["id"], *id);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: jobs on fifty thousand keys, and what requests notice of them"]
async fn fifty_thousand_keys_come_change_go_and_come_back_while_requests_are_served() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let lines: Vec<String> = (0..50_000).map(|it| format!("AIzaSyOneOfMany-{it:06}")).collect();
    let order = |action: &str| json!({"action": action, "filter": {"tag": "many"}});
    let import = json!({"api_keys": lines, "tags": ["many"]});
    let (ask, caller) = (Ask::openai(), gateway.openai());
    let mut deleted = String::new();

    for (path, order) in [
        ("/api/keys/import", import),
        ("/api/keys/jobs", order("disable")),
        ("/api/keys/jobs", order("reset")),
        ("/api/keys/jobs", order("delete")),
        ("undo", Value::Null),
    ] {
        let began = Instant::now();
        let path =
            if path == "undo" { format!("/api/jobs/{deleted}/undo") } else { path.to_owned() };
        let begun = admin.post(&path, &order).await;
        assert_eq!(begun.status, 202, "{}", begun.text());
        let asked = began.elapsed();
        let mut slowest = Duration::ZERO;
        let over = finished(&admin, begun.json());
        tokio::pin!(over);
        let job = loop {
            let at = Instant::now();
            tokio::select! {
                job = &mut over => break job,
                _ = ask.is_answered(&caller) => {
                    slowest = slowest.max(at.elapsed());
                }
            }
        };
        println!(
            "{}: asked {asked:?}, over after {:?}, slowest request beside it {slowest:?}",
            job["action"],
            began.elapsed()
        );
        assert_eq!((&job["stage"], &job["finished"]), (&json!("done"), &json!(50_000)));
        job["id"].as_str().unwrap().clone_into(&mut deleted);
    }
    for path in ["/api/keys?limit=100&usage=true&sort=-last_used_at", "/api/keys/values?q=any"] {
        let began = Instant::now();
        assert_eq!(admin.get(path).await.status, 200);
        println!("{path}: {:?}", began.elapsed());
    }
    assert_eq!(gateway.app().pool.counts().total, 50_003);
    gateway.close().await;
}

/// A gateway with many keys.
async fn large_gateway() -> Gateway {
    let keys: Vec<String> = (0..MANY).map(|number| format!("one-of-many-{number:05}")).collect();
    Setup::default().keys(keys.iter().map(String::as_str)).start().await
}

async fn begin(admin: &Client, order: &Value) -> Value {
    let reply = admin.post("/api/keys/jobs", order).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply.json()
}

/// A job when it is over.
async fn finished(admin: &Client, job: Value) -> Value {
    let path = format!("/api/jobs/{}", job["id"].as_str().unwrap());
    let over = async {
        loop {
            let job = admin.get(&path).await.json();
            if !job["ended_at"].is_null() {
                return job;
            }
        }
    };
    tokio::time::timeout(PATIENCE * 3, over).await.expect("the job does not end")
}

async fn results(admin: &Client, id: &str, query: &str) -> Vec<Value> {
    let reply = admin.get(&format!("/api/jobs/{id}/results{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["results"].as_array().unwrap().clone()
}

/// The identifiers of a page of keys.
async fn names(admin: &Client, query: &str) -> Vec<String> {
    let page = admin.get(&format!("/api/keys{query}")).await.json();
    let keys = page["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["key_identifier"].as_str().unwrap().to_owned()).collect()
}
