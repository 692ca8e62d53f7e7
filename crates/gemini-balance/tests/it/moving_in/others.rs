//! Other gateways: their databases, dumps, exports and settings, made here after their public
//! sources.

use serde_json::{Value, json};

use crate::moving_in::{Desk, finished};
use crate::support::{Ask, Gateway};

/// A key as Google makes them, which is none.
fn google_key(number: u32) -> String {
    format!("AIzaSyMadeUp-{number:026}")
}

/// What gpt-load would make of a key: a nonce, the key and a tag, in hex.
fn encrypted() -> String {
    "0123456789abcdef".repeat(8)
}

#[tokio::test(flavor = "multi_thread")]
async fn snailyp_s_env_file_brings_keys_tokens_and_hints() {
    let desk = Desk::new();
    desk.file(
        "old.env",
        format!(
            "DATABASE_TYPE=sqlite\nAPI_KEYS=[\"{}\",\"{}\", \"{}\"]\n\
             ALLOWED_TOKENS=[\"sk-a-token-of-somebody\"]\nAUTH_TOKEN=sk-the-token-of-the-admin\n\
             VERTEX_API_KEYS=[\"AQ.MadeUpVertexKey-0000000000\"]\nTIME_OUT=300\n\
             SEARCH_MODELS=[\"gemini-2.0-flash-exp\"]\nPROXIES=[]\n",
            google_key(1),
            google_key(2),
            google_key(1)
        ),
    );

    let (trial, foreseen) = desk.import(&["old.env", "--dry-run"]).await;
    let (code, said) = desk.import(&["old.env"]).await;

    assert_eq!((trial, code), (0, 0), "{said}");
    assert!(foreseen.contains("API_KEYS 3: service key key_sha256_"), "{foreseen}");
    for words in [
        "from snailyp/gemini-balance (.env): 3 service keys, 2 user keys",
        "1 service keys are here already",
        "AUTH_TOKEN: PASSWORD is what the admin logs in with",
        "TIME_OUT: REQUEST_TIMEOUT_SECONDS=300",
        "MODEL_SUFFIXES=true",
        "which this gateway does not ask",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("PROXIES"), "it is empty: {said}");
    assert_eq!(desk.count("SELECT count(*) FROM service_keys WHERE is_enabled"), 2);
    assert_eq!(desk.count("SELECT count(*) FROM user_keys"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn snailyp_s_database_comes_as_sqlite_and_as_a_dump_of_mysql() {
    let desk = Desk::new();
    let keys = json!([google_key(1), google_key(2)]).to_string();
    desk.database(
        "default_db",
        &format!(
            "CREATE TABLE t_settings (id INTEGER PRIMARY KEY, key VARCHAR(100), value TEXT,
                 description VARCHAR(255), created_at DATETIME, updated_at DATETIME);
             CREATE TABLE t_request_log (id INTEGER PRIMARY KEY, api_key VARCHAR(100));
             INSERT INTO t_settings (key, value) VALUES ('API_KEYS', '{keys}'),
                 ('ALLOWED_TOKENS', '[\"sk-a-token-of-somebody\"]'), ('MAX_FAILURES', '10');"
        ),
    );
    desk.file(
        "dump.sql",
        format!(
            "-- MySQL dump 10.13  Distrib 8.4.0\n\
             DROP TABLE IF EXISTS `t_settings`;\n\
             CREATE TABLE `t_settings` (\n  `id` int NOT NULL AUTO_INCREMENT,\n\
               `key` varchar(100) NOT NULL COMMENT '配置项键名',\n  `value` longtext,\n\
               PRIMARY KEY (`id`),\n  UNIQUE KEY `key` (`key`)\n) ENGINE=InnoDB;\n\
             INSERT INTO `t_settings` VALUES (1,'API_KEYS','{}'),(2,'SHOW_SEARCH_LINK','true');\n\
             CREATE TABLE `t_api_keys` (`id` int, `key_value` longtext, `service` varchar(50), `status` varchar(20));\n\
             INSERT INTO `t_api_keys` VALUES (5,'{}','gemini','banned'),(6,'{}','gemini','active');\n",
            json!([google_key(3)]).to_string().replace('"', "\\\""),
            google_key(4),
            google_key(5)
        ),
    );

    let (sqlite, said) = desk.import(&["default_db"]).await;
    let (dump, said_of_dump) = desk.import(&["dump.sql"]).await;

    assert_eq!((sqlite, dump), (0, 0), "{said}{said_of_dump}");
    assert!(said.contains("(SQLite database): 2 service keys, 1 user key"), "{said}");
    assert!(said.contains("MAX_FAILURES: API_KEY_FAILURE_THRESHOLD=10"), "{said}");
    assert!(said_of_dump.contains("(SQL dump): 3 service keys"), "{said_of_dump}");
    assert!(said_of_dump.contains("t_api_keys 5: service key"), "{said_of_dump}");
    assert!(said_of_dump.contains("was banned there"), "{said_of_dump}");
    assert_eq!(desk.count("SELECT count(*) FROM service_keys WHERE is_enabled"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn gpt_load_brings_groups_in_clear_and_says_what_to_do_where_they_are_not() {
    let desk = Desk::new();
    let schema = "
        CREATE TABLE system_settings (id INTEGER PRIMARY KEY, setting_key TEXT, setting_value TEXT);
        CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT, display_name TEXT, proxy_keys TEXT,
            upstreams JSON, channel_type TEXT);
        CREATE TABLE api_keys (id INTEGER PRIMARY KEY, key_value TEXT, key_hash TEXT,
            group_id INTEGER, status TEXT);
        INSERT INTO system_settings VALUES (1, 'proxy_keys', 'sk-for-all-groups-01');
        INSERT INTO groups VALUES
            (1, 'gemini', '', 'sk-for-gemini-0001,sk-for-gemini-0002', '[{\"url\":\"https://generativelanguage.googleapis.com\"}]', 'gemini'),
            (2, 'openai', '', '', '[{\"url\":\"https://api.openai.com\"}]', 'openai'),
            (3, 'claude', '', '', '[{\"url\":\"https://api.anthropic.com\"}]', 'anthropic');";
    desk.database(
        "one.db",
        &format!(
            "{schema} INSERT INTO api_keys VALUES (1, '{}', 'h', 1, 'active'),
                 (2, '{}', 'h', 1, 'invalid'), (3, 'sk-proj-MadeUpOpenAiKey0001', 'h', 2, 'active'),
                 (4, 'sk-ant-MadeUpKey000001', 'h', 3, 'active'), (5, '{}', 'h', 9, 'active');",
            google_key(1),
            google_key(2),
            google_key(3)
        ),
    );
    desk.database(
        "sealed.db",
        &format!("{schema} INSERT INTO api_keys VALUES (1, '{}', 'h', 1, 'active');", encrypted()),
    );
    desk.database(
        "two.db",
        &format!(
            "CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT, channel_id TEXT);
             CREATE TABLE credentials (id INTEGER PRIMARY KEY, group_id INTEGER, data TEXT, fingerprint TEXT);
             CREATE TABLE access_keys (id INTEGER PRIMARY KEY, name TEXT, key_value TEXT, key_hash TEXT);
             INSERT INTO groups VALUES (1, 'g', 'gemini');
             INSERT INTO credentials VALUES (1, 1, '{0}', 'f');
             INSERT INTO access_keys VALUES (1, 'app', '{0}', 'h');",
            encrypted()
        ),
    );

    let (clear, said) = desk.import(&["one.db"]).await;
    let (sealed, said_of_sealed) = desk.import(&["sealed.db"]).await;
    let (second, said_of_second) = desk.import(&["two.db"]).await;

    assert_eq!(clear, 0, "{said}");
    for words in [
        "from gpt-load 1.x (SQLite database): 4 service keys, 3 user keys",
        "was marked invalid there",
        "is a key of OpenAI",
        "its group is gone",
        "1 keys are for other providers",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(desk.count("SELECT count(*) FROM service_keys WHERE is_enabled"), 2);
    assert_eq!((sealed, second), (1, 1));
    assert!(said_of_sealed.contains("is encrypted by gpt-load"), "{said_of_sealed}");
    assert!(said_of_sealed.contains("gpt-load migrate-keys --from KEY"), "{said_of_sealed}");
    assert!(said_of_second.contains("from gpt-load 2.x"), "{said_of_second}");
    assert!(said_of_second.contains("`encryption.key`"), "{said_of_second}");
}

const ONE_API: &str = "
    CREATE TABLE channels (id INTEGER PRIMARY KEY, type INTEGER, key TEXT, status INTEGER,
        name TEXT, base_url TEXT, models TEXT, channel_info JSON);
    CREATE TABLE tokens (id INTEGER PRIMARY KEY, user_id INTEGER, key CHAR(48), status INTEGER,
        name TEXT, expired_time INTEGER, deleted_at DATETIME);
    CREATE TABLE abilities (model TEXT, channel_id INTEGER);
    INSERT INTO tokens VALUES
        (1, 1, 'MadeUpTokenOfFortyEightLettersAndDigits000000001', 1, 'default', -1, NULL),
        (2, 1, 'MadeUpTokenOfFortyEightLettersAndDigits000000002', 1, 'default', 1, NULL),
        (3, 1, 'MadeUpTokenOfFortyEightLettersAndDigits000000003', 2, 'default', -1, NULL),
        (4, 1, 'MadeUpTokenOfFortyEightLettersAndDigits000000004', 1, 'gone', -1, '2026-01-01');";

#[tokio::test(flavor = "multi_thread")]
async fn channels_and_tokens_of_new_api_come_over() {
    let desk = Desk::new();
    let several = format!("{}\n{}\n{}\n", google_key(1), google_key(2), google_key(3));
    let sql = format!(
        "{ONE_API} INSERT INTO channels VALUES
            (1, 24, '{several}', 1, 'Gemini', '', 'gemini-2.5-flash',
             '{{\"is_multi_key\":true,\"multi_key_status_list\":{{\"1\":3}}}}'),
            (2, 24, '{}', 2, 'off', NULL, '', NULL),
            (3, 24, 'sk-of-a-relay-0000001', 1, 'relay', 'https://relay.example', '', ''),
            (4, 1, '{}', 1, 'compat', 'https://generativelanguage.googleapis.com/v1beta/openai', '', ''),
            (5, 1, 'sk-proj-MadeUpOpenAiKey0001', 1, 'openai', '', '', ''),
            (6, 14, 'sk-ant-MadeUpKey000001', 1, 'claude', '', '', '');",
        google_key(4),
        google_key(5)
    );
    desk.database("one-api.db", &sql);

    let (code, said) = desk.import(&["one-api.db"]).await;

    assert_eq!(code, 0, "{said}");
    for words in [
        "from one-api or new-api (SQLite database): 7 service keys, 3 user keys",
        "channel 1, key 2: service key",
        "was disabled there",
        "not of Google",
        "is a key of OpenAI",
        "1 channels with 1 keys are for other providers than Google and OpenAI (types 14)",
        "1 deleted tokens",
        "the name default is taken",
        "with and without `sk-`",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(desk.count("SELECT count(*) FROM service_keys WHERE is_enabled"), 3);
    assert_eq!(desk.count("SELECT count(*) FROM user_keys WHERE is_enabled"), 2);
    assert_eq!(desk.count("SELECT expires_at_ms FROM user_keys WHERE name = 'default (2)'"), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_in_with_and_without_its_prefix_and_its_key_serves_at_once() {
    let desk = Desk::new();
    let sql = format!(
        "{ONE_API} INSERT INTO channels VALUES (1, 24, '{}', 1, 'Gemini', '', '', NULL);",
        google_key(9)
    );
    let file = std::fs::read(desk.database("one-api.db", &sql)).unwrap();
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    let looked = admin.send(http::Method::POST, "/api/imports", file).await.json();
    let path = format!("/api/imports/{}", looked["id"].as_str().unwrap());
    let job = finished(&admin, &admin.post(&path, &json!({})).await.json()).await;

    assert_eq!(job["counts"], json!({"added": 4}), "{job}");
    let results = format!("/api/jobs/{}/results", job["id"].as_str().unwrap());
    let results = admin.get(&results).await.json();
    let lines: Vec<&str> = results["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["message"].as_str().unwrap())
        .collect();
    let told: Vec<Value> = looked["report"]["items"].as_array().unwrap().clone();
    assert_eq!(lines.len(), told.len());
    assert!(lines[0].starts_with("channel 1: service key key_sha256_"), "{lines:?}");
    let token = "MadeUpTokenOfFortyEightLettersAndDigits000000001";
    for spelling in [token.to_owned(), format!("sk-{token}")] {
        Ask::openai().is_answered(&gateway.stranger().bearer(&spelling)).await;
    }
    for spelling in [format!("sk-sk-{token}"), "sk-".to_owned(), format!("{token}x")] {
        let reply = Ask::openai().of(&gateway.stranger().bearer(&spelling)).await;
        assert_eq!(reply.status, 401, "{spelling}");
    }
    let expired = "sk-MadeUpTokenOfFortyEightLettersAndDigits000000002";
    assert_eq!(Ask::openai().of(&gateway.stranger().bearer(expired)).await.status, 401);
    assert_eq!(gateway.state_of(&google_key(9)), "active");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_from_lines_from_json_and_from_standard_input() {
    let desk = Desk::new();
    desk.file("keys.txt", format!("{}\n{}\nnot a key\n", google_key(1), google_key(2)));
    desk.file("keys.json", json!([google_key(2), google_key(3)]).to_string());
    desk.file(
        "channels.json",
        json!({"success": true, "data": {"items": [
            {"id": 3, "type": 24, "key": google_key(4), "status": 1, "name": "Gemini"}]}})
        .to_string(),
    );

    let (lines, said) = desk.import(&["keys.txt"]).await;
    let (array, said_of_array) = desk.import(&["keys.json"]).await;
    let (channels, said_of_channels) = desk.import(&["channels.json"]).await;

    assert_eq!((lines, array, channels), (1, 0, 0), "a line was none");
    assert!(said.contains("line 3: service key not taken: holds a space"), "{said}");
    assert!(said.contains("from a list of keys (text): 2 service keys"), "{said}");
    assert!(
        said_of_array.contains("1 service key, 0 user keys; 1 service keys are here already"),
        "{said_of_array}"
    );
    assert!(
        said_of_channels.contains("from one-api or new-api (channels as JSON): 1 service key"),
        "{said_of_channels}"
    );
    for said in [said, said_of_array, said_of_channels] {
        assert!(!said.contains("MadeUp"), "no key is shown: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_can_be_forgotten_and_only_the_last_is_kept() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let send = async |text: String| admin.send(http::Method::POST, "/api/imports", text).await;

    let first = send(google_key(1)).await.json();
    let second = send(google_key(2)).await.json();
    let path = |looked: &Value| format!("/api/imports/{}", looked["id"].as_str().unwrap());
    assert_eq!(admin.post(&path(&first), &json!({})).await.status, 404);
    assert_eq!(admin.delete(&path(&second)).await.status, 204);
    assert_eq!(admin.delete(&path(&second)).await.status, 404);
    let refused = send("Dear all,\nhello".to_owned()).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("no line of it is a key"), "{}", refused.text());
    let stranger = gateway.stranger().send(http::Method::POST, "/api/imports", google_key(3)).await;
    assert_eq!(stranger.status, 401);
    assert_eq!(gateway.app().pool.counts().total, 3, "nothing was taken over");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trial_says_is_what_happens() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let list = format!("{}\nservice-key-1-is-other\n{}\nx y\n", google_key(1), google_key(1));
    let looked = admin.send(http::Method::POST, "/api/imports", list).await.json();
    let path = format!("/api/imports/{}", looked["id"].as_str().unwrap());

    let job = finished(&admin, &admin.post(&path, &json!({})).await.json()).await;

    assert_eq!(job["counts"], json!({"added": 2, "duplicate": 1, "invalid": 1}));
    let results = admin.get(&format!("/api/jobs/{}/results", job["id"].as_str().unwrap())).await;
    let outcomes = |items: &Value| -> Vec<(Value, Value)> {
        let items = items.as_array().unwrap().iter();
        items.map(|item| (item["outcome"].clone(), item["key_identifier"].clone())).collect()
    };
    let done = outcomes(&results.json()["results"]);
    let foreseen: Vec<(Value, Value)> = looked["report"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["outcome"].clone(), item["name"].clone()))
        .collect();
    assert_eq!(done, foreseen);
    gateway.close().await;
}
