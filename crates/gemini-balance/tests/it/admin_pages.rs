//! What single pages ask for: a key closely, the sessions, the first steps, a backup, a user key's
//! new secret.

use fake_upstream::{Answer, When};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Ask, Gateway, MODEL, PASSWORD, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_closely_with_the_upstreams_last_words_and_its_day() {
    let key = "service-key-one-0123456789abcdef";
    let gateway = Setup::default().keys([key]).set("MAX_RETRIES", 0).start().await;
    let admin = gateway.admin().await;
    let name = gateway.identifier_of(key);
    Ask::gemini().is_answered(&gateway.gemini()).await;
    Ask::openai().is_answered(&gateway.openai()).await;
    gateway.upstream.on(When::any().times(1), Answer::quota_per_minute(7));
    Ask::gemini().model("gemini-2.5-pro").of(&gateway.gemini()).await;
    gateway.upstream.on(When::any().times(1), Answer::key_invalid());
    Ask::gemini().of(&gateway.gemini()).await;
    gateway.app().journal.flush().await.unwrap();

    let detail = admin.get(&format!("/api/keys/{name}/detail")).await.json();
    let listed = admin.get("/api/keys?usage=true").await.json();
    let plain = admin.get("/api/keys").await.json();

    assert_eq!(detail["key"]["state"], "invalid");
    assert_eq!(detail["key"]["buckets"][0]["model"], "gemini-2.5-pro");
    let refusals = detail["refusals"].as_array().unwrap();
    let told: Vec<_> = refusals.iter().map(|it| (&it["verdict"], &it["model"])).collect();
    let (invalid, cooling) = (json!("invalid"), json!("cooling"));
    let (model, other) = (json!(MODEL), json!("gemini-2.5-pro"));
    assert_eq!(told, [(&invalid, &model), (&cooling, &other)]);
    assert!(refusals.iter().all(|it| !it["message"].as_str().unwrap().is_empty()));
    assert_eq!(refusals[0]["message"], detail["key"]["reason"]);
    let models = detail["models"].as_array().unwrap();
    assert_eq!((&models[0]["model"], &models[0]["attempts"]), (&json!(MODEL), &json!(3)));
    assert_eq!((&models[1]["attempts"], &models[1]["successes"]), (&json!(1), &json!(0)));
    for model in models {
        let hours = model["hours"].as_array().unwrap();
        assert_eq!(hours.len(), 24);
        let sum: u64 = hours.iter().filter_map(|hour| hour["attempts"].as_u64()).sum();
        assert_eq!(sum, model["attempts"]);
    }
    let day = &listed["keys"][0]["last_day"];
    assert_eq!((&day["attempts"], &day["successes"]), (&json!(4), &json!(2)));
    assert_eq!(plain["keys"][0]["last_day"], Value::Null);
    let id = listed["keys"][0]["service_key_id"].as_i64().unwrap();
    let rows = admin.get(&format!("/api/request_logs?service_key_id={id}")).await.json();
    assert_eq!(rows["logs"].as_array().unwrap().len(), 4, "its number is that of the log");
    assert_eq!(admin.get("/api/keys/key_sha256_none/detail").await.status, 404);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_return_of_a_bucket_is_told_with_the_counts() {
    let gateway = Setup::default().keys(["the-only-key"]).set("MAX_RETRIES", 0).start().await;
    let admin = gateway.admin().await;
    let counts = async || admin.get("/api/system").await.json()["service_keys"].clone();
    assert_eq!(counts().await["next_return_at"], Value::Null);
    gateway.upstream.on(When::any().times(1), Answer::quota_per_minute(90));

    Ask::gemini().of(&gateway.gemini()).await;

    let after = counts().await;
    let listed = admin.get("/api/keys").await.json();
    assert_eq!(after["resting"], 1);
    let told = |at: &Value| at.as_str().unwrap()[..19].to_owned();
    assert_eq!(told(&after["next_return_at"]), told(&listed["keys"][0]["buckets"][0]["until"]));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_one_by_one_or_all_others_at_once() {
    let gateway = Gateway::start().await;
    let [here, there, elsewhere] =
        [gateway.admin().await, gateway.admin().await, gateway.admin().await];
    let sessions = async || here.get("/api/auth/sessions").await.json()["sessions"].clone();
    let own = |client: Value| {
        let list = client["sessions"].as_array().unwrap().clone();
        list.into_iter().find(|it| it["is_current"] == true).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let there_id = own(there.get("/api/auth/sessions").await.json());

    let before = sessions().await;
    let path = format!("/api/auth/sessions/{there_id}");
    let ended = here.delete(&path).await;
    let again = here.delete(&path).await;

    assert_eq!(before.as_array().unwrap().len(), 3);
    assert!(before[0]["logged_in_at"].is_string() && before[0]["expires_at"].is_string());
    assert_eq!((ended.status.as_u16(), again.status.as_u16()), (204, 404));
    assert_eq!(there.get("/api/auth/me").await.status, 401);
    assert_eq!(elsewhere.get("/api/auth/me").await.status, 200);
    assert_eq!(here.delete("/api/auth/sessions").await.json(), json!({"ended": 1}));
    assert_eq!(elsewhere.get("/api/auth/me").await.status, 401);
    assert_eq!(sessions().await.as_array().unwrap().len(), 1);
    let me = here.get("/api/auth/me").await.json();
    assert_eq!(me["is_password_fixed"], true, "the tests set it");
    let gateway = gateway.restart().await;
    let stored = gateway.app().store.sessions(gateway.app().clock.wall_ms()).await.unwrap();
    assert_eq!(stored.len(), 1, "and it is on the disk");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_steps_are_told_until_a_request_is_answered() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let off =
        json!({"action": "disable", "key_identifiers": [gateway.identifier_of("service-key-1")]});
    admin.post("/api/keys/bulk", &off).await;

    let before = admin.get("/api/setup").await.json();
    gateway.upstream.on(When::any().times(1), Answer::bad_request("no"));
    Ask::openai().of(&gateway.openai()).await;
    gateway.app().journal.flush().await.unwrap();
    let refused = admin.get("/api/setup").await.json();
    Ask::openai().is_answered(&gateway.openai()).await;
    gateway.app().journal.flush().await.unwrap();
    let after = admin.get("/api/setup").await.json();

    let told = |has_answered: bool| {
        json!({
            "service_keys": 3, "usable_service_keys": 2, "user_keys": 1,
            "has_answered": has_answered,
        })
    };
    assert_eq!((before, refused, after), (told(false), told(false), told(true)));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_wants_the_password_and_is_the_whole_database() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    Ask::openai().is_answered(&gateway.openai()).await;
    gateway.app().journal.flush().await.unwrap();

    let wrong = admin.post("/api/backup", &json!({"password": "another password"})).await;
    let weak = json!({"password": PASSWORD, "passphrase": "short"});
    let weak = admin.post("/api/backup", &weak).await;
    let reply = admin.post("/api/backup", &json!({"password": PASSWORD})).await;
    let sealed = json!({"password": PASSWORD, "passphrase": "a passphrase nobody guesses"});
    let sealed = admin.post("/api/backup", &sealed).await;

    assert_eq!(
        (wrong.status, weak.status),
        (StatusCode::FORBIDDEN, StatusCode::UNPROCESSABLE_ENTITY)
    );
    assert_eq!(sealed.status, 200);
    assert!(sealed.body.starts_with(b"GBseal"), "nothing of it can be read");
    assert!(sealed.header("content-disposition").ends_with(".sealed\""));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/octet-stream");
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    let name = reply.header("content-disposition");
    assert!(name.starts_with("attachment; filename=\"gemini-balance-") && name.ends_with(".db\""));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("copy.db");
    std::fs::write(&path, &reply.body).unwrap();
    let copy = rusqlite::Connection::open(&path).unwrap();
    let count = |table: &str| -> i64 {
        copy.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("service_keys"), count("user_keys"), count("request_logs")), (3, 1, 1));
    let left = std::fs::read_dir(gateway.directory.path().join("data")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_copy = |name: &String| name.starts_with("download") || name.starts_with("backup-copy");
    assert!(!left.into_iter().any(|name| is_copy(&name)), "a copy is left");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_key_with_a_new_secret_keeps_everything_but_the_old_one() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    Ask::openai().is_answered(&gateway.openai()).await;
    gateway.app().journal.flush().await.unwrap();
    let path = "/api/auth_keys/1";
    admin.send_json(Method::PUT, path, &json!({"note": "team a"})).await;
    let before = admin.get(path).await.json();

    let rotated = admin.post(&format!("{path}/rotate"), &json!({})).await;

    assert_eq!(rotated.status, 200);
    let secret = rotated.json()["api_key"].as_str().unwrap().to_owned();
    let fresh = gateway.stranger().bearer(&secret);
    assert_eq!(Ask::openai().of(&gateway.openai()).await.status, 401, "the old one lets nobody in");
    Ask::openai().is_answered(&fresh).await;
    let after = admin.get(path).await.json();
    assert_ne!(after["api_key"], before["api_key"]);
    for field in ["id", "alias", "note", "enabled", "created_at", "expires_at"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    gateway.app().journal.flush().await.unwrap();
    assert_eq!(admin.get(path).await.json()["call_count"], 2, "its counts go on");
    assert_eq!(admin.post("/api/auth_keys/99/rotate", &json!({})).await.status, 404);
    assert_eq!(admin.get("/api/auth_keys/99").await.status, 404);
    gateway.close().await;
}
