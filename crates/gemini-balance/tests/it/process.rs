//! The life of the process: first start, refusals to start, signals, the death of a worker.

use std::path::Path;
use std::time::{Duration, Instant};

use fake_upstream::{Answer, Upstream, When};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::leaks::files;
use crate::support::process::{Process, SERVICE_KEY, furnish, leading_to, log_in, with};
use crate::support::{Ask, Client, PASSWORD};

/// Names and values.
type Settings<'a> = &'a [(&'a str, &'a str)];

fn start(directory: &Path, settings: &[(String, String)], more: &[(&str, &str)]) -> Process {
    Process::start(directory, &with(settings, more))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_makes_a_password_that_logs_in_and_the_second_shows_none() {
    let directory = tempfile::tempdir().unwrap();

    let mut first = Process::start(directory.path(), &[]);
    let address = first.address().await;
    let password = first.line_after("Admin password:").await;
    let body = json!({"username": "admin", "password": password});
    let reply = Client::new(address).post("/api/login", &body).await;
    first.signal("TERM");
    let status = first.exit().await;
    let mut second = Process::start(directory.path(), &[]);
    let again = Client::new(second.address().await).post("/api/login", &body).await;

    assert_eq!((reply.status, again.status), (http::StatusCode::OK, http::StatusCode::OK));
    assert!(status.success());
    assert_eq!(first.output().matches(&password).count(), 1, "it is shown once");
    assert!(!second.output().contains("Admin password"), "{}", second.output());
    assert!(password.len() >= 20, "{password}");
    let mut hashes = 0;
    for (path, bytes) in files(directory.path()) {
        assert_eq!(memchr::memmem::find(&bytes, password.as_bytes()), None, "{}", path.display());
        hashes += memchr::memmem::find_iter(&bytes, b"$argon2id$v=19$m=47104,t=1,p=1$").count();
    }
    assert!(hashes > 0, "it is stored hashed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_starting_is_said_in_one_go() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Process::start(directory.path(), &[]);
    let port = running.address().await.port().to_string();
    let elsewhere = tempfile::tempdir().unwrap();
    let checks: [(&Path, Settings<'_>, i32, &[&str]); 4] = [
        (elsewhere.path(), &[("PORT", &port)], 1, &["cannot listen", "PORT"]),
        (directory.path(), &[], 1, &["in use by another process"]),
        (
            elsewhere.path(),
            &[("PASSWORD", "admin"), ("WORKERS", "many")],
            2,
            &["PASSWORD", "WORKERS"],
        ),
        (elsewhere.path(), &[("DATA_DIR", "/proc/nowhere")], 1, &["/proc/nowhere"]),
    ];

    for (directory, settings, code, words) in checks {
        let began = Instant::now();
        let mut refused = Process::start(directory, settings);
        assert_eq!(refused.exit().await.code(), Some(code), "{}", refused.output());
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert!(words.iter().all(|word| refused.output().contains(word)), "{}", refused.output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_termination_lets_requests_end_and_tells_the_others_at_the_deadline() {
    let upstream = Upstream::start().await.unwrap();
    upstream.on(When::any().model("gemini-slow"), Answer::paced(4, 100));
    upstream.on(When::any().model("gemini-endless"), Answer::stall_after(1));
    let directory = tempfile::tempdir().unwrap();
    let base = leading_to(&upstream);
    let mut gateway = start(directory.path(), &base, &[("DRAIN_SECONDS", "1")]);
    let address = gateway.address().await;
    let admin = log_in(address).await;
    let client = Client::new(address).bearer(&furnish(&admin).await);

    let mut ending = JoinSet::new();
    for number in 0..20 {
        let (client, slow) = (client.clone(), Ask::gemini().streamed().model("gemini-slow"));
        let ask =
            if number % 2 == 0 { slow } else { Ask::openai().streamed().model("gemini-slow") };
        ending.spawn(async move { ask.of(&client).await });
    }
    let endless = Ask::gemini().streamed().model("gemini-endless").open(&client).await;
    let watcher = admin.open(http::Method::GET, "/api/logs/sse", "").await;
    upstream.wait_for_requests(|open| open == 21).await.unwrap();
    gateway.signal("TERM");
    let endless = endless.collect().await;
    let status = gateway.exit().await;

    while let Some(reply) = ending.join_next().await {
        let reply = reply.unwrap();
        assert!(!reply.is_cut && !reply.text().contains("\"error\""), "{}", reply.text());
    }
    let events = endless.events();
    let errors = events.iter().filter(|event| event.contains("\"error\"")).count();
    assert_eq!((errors, endless.is_cut), (1, false), "{events:?}");
    assert!(!watcher.collect().await.is_cut);
    assert!(status.success(), "{}", gateway.output());
    let mut again = start(directory.path(), &base, &[]);
    let admin = log_in(again.address().await).await;
    assert_eq!(
        admin.get("/api/request_logs").await.json()["total"],
        21,
        "every answer has its row"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_starts_at_once_in_one_directory_one_serves() {
    let directory = tempfile::tempdir().unwrap();

    let mut starts: Vec<_> = (0..6).map(|_| Process::start(directory.path(), &[])).collect();
    let mut serving = Vec::new();
    for start in &mut starts {
        if let Some(status) = start.serves_or_ends().await {
            assert_eq!(status.code(), Some(1), "{}", start.output());
            assert!(start.output().contains("in use by another process"), "{}", start.output());
        } else {
            serving.push(start);
        }
    }

    assert_eq!(serving.len(), 1);
    let alive = Client::new(serving[0].address().await).get("/health").await;
    assert_eq!(alive.status, http::StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_run_ends_the_gateway_with_an_error() {
    let directory = tempfile::tempdir().unwrap();
    // Enough descriptors for everything but the runtimes of all workers.
    let mut gateway = Process::start_from(
        "ulimit -n 120; exec \"$0\"",
        directory.path(),
        &[("WORKERS", "50"), ("PASSWORD", PASSWORD), ("DRAIN_SECONDS", "60")],
    );

    let status = gateway.exit().await;

    assert_eq!(status.code(), Some(1), "{}", gateway.output());
    let output = gateway.output();
    assert!(output.contains("a worker has no runtime; the gateway shuts down"), "{output}");
    assert!(output.contains("Too many open files"), "{output}");
    assert!(output.contains("stopped"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let upstream = Upstream::start().await.unwrap();
    upstream.on(When::any(), Answer::stall());
    let directory = tempfile::tempdir().unwrap();
    let mut gateway = start(directory.path(), &leading_to(&upstream), &[]);
    let address = gateway.address().await;
    let client = Client::new(address).bearer(&furnish(&log_in(address).await).await);
    let mut asking = JoinSet::new();
    asking.spawn(
        async move { drop(client.post("/v1/chat/completions", &json!({"model": "m"})).await) },
    );
    upstream.wait_for_requests(|open| open == 1).await.unwrap();

    gateway.signal("INT");
    gateway.line_after("a second signal ends at once").await;
    gateway.signal("INT");

    assert_eq!(gateway.exit().await.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_said_or_stored_in_clear_even_at_the_most_talkative() {
    let upstream = Upstream::start().await.unwrap();
    upstream.on(When::any().model("gemini-suspended").times(1), Answer::suspended());
    upstream.on(When::any().model("gemini-broken"), Answer::reset());
    let directory = tempfile::tempdir().unwrap();
    let more = [("LOG_FORMAT", "json"), ("LOG_FILE_DIR", "logs")];
    let mut gateway = start(directory.path(), &leading_to(&upstream), &more);
    let address = gateway.address().await;
    let admin = log_in(address).await;
    let user_key = furnish(&admin).await;
    let client = Client::new(address).bearer(&user_key);

    Ask::openai().is_answered(&client).await;
    Ask::openai().model("gemini-broken").of(&client).await;
    Ask::gemini().model("gemini-suspended").of(&client).await;
    Client::new(address).get(&format!("/v1beta/models?key={user_key}")).await;
    Client::new(address).bearer("canary-wrong-user-key").get("/v1/models").await;
    admin
        .post("/api/auth/login", &json!({"username": "admin", "password": "canary-wrong-password"}))
        .await;
    gateway.signal("TERM");
    gateway.exit().await;

    let mut told = vec![("the output".to_owned(), gateway.output().into_bytes())];
    for folder in ["data", "logs"] {
        for entry in std::fs::read_dir(directory.path().join(folder)).unwrap().flatten() {
            if entry.file_type().unwrap().is_file() {
                told.push((
                    entry.path().display().to_string(),
                    std::fs::read(entry.path()).unwrap(),
                ));
            }
        }
    }
    let secrets =
        [SERVICE_KEY, &user_key, PASSWORD, "canary-wrong-user-key", "canary-wrong-password"];
    for (place, bytes) in &told {
        for secret in secrets {
            assert!(
                memchr::memmem::find(bytes, secret.as_bytes()).is_none(),
                "{secret} in {place}"
            );
        }
    }
    let output = gateway.output();
    let lines: Vec<serde_json::Value> = output
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_requests = lines.iter().filter(|line| {
        let words = ["request ended", "attempt failed", "no answer from the upstream"];
        words.iter().any(|words| line.to_string().contains(words))
    });
    assert!(of_requests.clone().count() >= 3 + 3 * 2, "{output}");
    assert!(
        of_requests
            .into_iter()
            .all(|line| line["fields"]["request_id"].as_str().is_some_and(|id| id.len() == 32))
    );
}
