//! The command line: what it says, what it does, and the exit codes that scripts go by.

use std::path::Path;

use fake_upstream::Upstream;
use serde_json::json;
use tempfile::TempDir;

use crate::support::process::Process;
use crate::support::{Ask, Canaries, Client, eventually};

/// A data directory, and an upstream to test keys with.
struct Desk {
    directory: TempDir,
    upstream: Upstream,
}

impl Desk {
    async fn new() -> Self {
        let upstream = Upstream::start().await.unwrap();
        Self { directory: tempfile::tempdir().unwrap(), upstream }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a command to its end, and answers its exit code and what it said.
    async fn run(&self, command: &[&str], input: &str) -> (i32, String) {
        self.run_with(command, input, &[]).await
    }

    async fn run_with(
        &self,
        command: &[&str],
        input: &str,
        more: &[(&str, &str)],
    ) -> (i32, String) {
        let (gemini, openai) =
            (self.upstream.url(), format!("{}/v1beta/openai", self.upstream.url()));
        let base =
            [("GEMINI_API_BASE_URL", gemini.as_str()), ("OPENAI_API_BASE_URL", openai.as_str())];
        let settings: Vec<_> = base.into_iter().chain(more.iter().copied()).collect();
        if let ["keys", "add", words @ ..] = command {
            let words = words.iter().copied().filter(|word| !word.starts_with("--"));
            let keys = input.lines().chain(words);
            keys.for_each(|key| Canaries::of_processes().learn(key.trim()));
        }
        let mut process = Process::feed(self.path(), command, &settings, input);
        let code = process.exit().await.code().unwrap();
        (code, process.output())
    }

    /// Starts a gateway on the data directory.
    async fn serve(&self) -> (Process, Client) {
        let gemini = self.upstream.url();
        let mut gateway = Process::start(self.path(), &[("GEMINI_API_BASE_URL", &gemini)]);
        let client = Client::new(gateway.address().await);
        (gateway, client)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_added_from_a_list_and_every_doubtful_line_is_answered_for() {
    let desk = Desk::new().await;
    let list = "first-service-key\r\n\n  second-service-key  \nfirst-service-key\nshort\n\
                a key with spaces\nschlüssel-mit-umlaut\n";

    let (code, said) = desk.run(&["keys", "add"], list).await;
    let (again, said_again) = desk.run(&["keys", "add", "second-service-key"], "").await;

    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "line 4: firs...-key is there already",
            "line 5: too short for a key",
            "line 6: holds a space or a character that no key has",
            "line 7: holds a space or a character that no key has",
            "2 added, 1 there already, 3 invalid",
        ]
    );
    assert_eq!(code, 1, "something was wrong with the list");
    assert!(said_again.ends_with("0 added, 1 there already, 0 invalid\n"), "{said_again}");
    assert_eq!(again, 0, "nothing was wrong");
    assert!(!format!("{said}{said_again}").contains("service-key"), "no key is echoed");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_with_project_and_tier_and_never_in_full() {
    let desk = Desk::new().await;
    let added =
        desk.run(&["keys", "add", "--project", "blue", "--tier", "2"], "a-blue-key-1").await;
    desk.run(&["keys", "add"], "a-lone-key-2").await;

    let (code, said) = desk.run(&["keys", "list"], "").await;

    assert_eq!(added, (0, "1 added, 0 there already, 0 invalid\n".to_owned()));
    assert_eq!((code, said.lines().count()), (0, 2));
    let blue = said.lines().next().unwrap();
    for word in ["key_sha256_", "active", "project blue", "tier 2"] {
        assert!(blue.contains(word), "{blue}");
    }
    assert!(said.lines().nth(1).unwrap().contains("project -  tier 0"), "{said}");
    assert!(!said.contains("blue-key"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_tested_with_a_free_call_each() {
    let desk = Desk::new().await;
    desk.run(&["keys", "add"], "a-good-key\nanother-good-key").await;

    let (good, said) = desk.run(&["keys", "test"], "").await;
    desk.run(&["keys", "add"], "the-key-invalid\nthe-key-suspended").await;
    let (bad, said_of_bad) = desk.run(&["keys", "test"], "").await;

    assert_eq!((good, said.matches("  ok (").count()), (0, 2), "{said}");
    assert_eq!((bad, said_of_bad.matches("  ok (").count()), (1, 2), "{said_of_bad}");
    for word in ["key_invalid API key not valid", "key_suspended Permission denied"] {
        assert!(said_of_bad.contains(word), "{said_of_bad}");
    }
    assert!(!said_of_bad.contains("the-key-"), "the upstream repeats it: {said_of_bad}");
    let seen = desk.upstream.seen();
    assert!(seen.iter().all(|seen| seen.method == "GET"), "no call costs anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_key_is_shown_once_and_lets_in() {
    let desk = Desk::new().await;
    desk.run(&["keys", "add"], "a-service-key").await;

    let (code, said) = desk.run(&["users", "add", "alice", "--note", "from the shell"], "").await;
    let (twice, taken) = desk.run(&["users", "add", "alice"], "").await;
    let (_, listed) = desk.run(&["users", "list"], "").await;

    let key = said.trim_end().strip_prefix("alice (shown only now): ").unwrap();
    assert_eq!((code, twice), (0, 1), "{taken}");
    assert_eq!(taken, "no user key was made for alice: name exists already\n");
    assert!(listed.contains("alice") && listed.contains("enabled"), "{listed}");
    assert!(!listed.contains(key), "{listed}");
    let (gateway, client) = desk.serve().await;
    Ask::gemini().is_answered(&client.bearer(key)).await;
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_set_made_or_refused() {
    let desk = Desk::new().await;

    let (short, said) = desk.run(&["password"], "short\n").await;
    let (set, _) = desk.run(&["password"], "a much longer password\n").await;
    let (gateway, client) = desk.serve().await;
    let login = |password: &str| json!({"username": "admin", "password": password});
    let entered = client.post("/api/login", &login("a much longer password")).await;
    assert!(!gateway.output().contains("Admin password"), "none is made");
    drop(gateway);
    let (made, shown) = desk.run(&["password"], "\n").await;
    let made_up = shown.trim_end().strip_prefix("Admin password (shown only now): ").unwrap();
    let (_gateway, client) = desk.serve().await;
    let former = client.post("/api/login", &login("a much longer password")).await;
    let latter = client.post("/api/login", &login(made_up)).await;

    assert_eq!((short, set, made), (1, 0, 0));
    assert!(said.contains("at least 8 characters"), "{said}");
    assert_eq!((entered.status.as_u16(), former.status.as_u16()), (200, 401));
    assert_eq!(latter.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_settings_is_not_overruled() {
    let desk = Desk::new().await;
    let settings = [("PASSWORD", "the-one-in-the-settings")];

    let (code, said) = desk.run_with(&["password"], "another password\n", &settings).await;

    assert_eq!(code, 1);
    assert!(said.contains("PASSWORD is set"), "{said}");
    assert!(!said.contains("the-one-in-the-settings"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_wrong_and_what_to_do() {
    let desk = Desk::new().await;
    desk.run(&["keys", "list"], "").await;

    let (sick, said) =
        desk.run_with(&["doctor"], "", &[("OPENAI_API_BASE_URL", "http://127.0.0.1:1")]).await;
    desk.run(&["keys", "add"], "a-service-key").await;
    desk.run(&["users", "add", "alice"], "").await;
    let (well, said_of_well) = desk.run(&["doctor"], "").await;

    assert_eq!((sick, well), (1, 0), "{said_of_well}");
    for word in ["gemini-balance keys add", "gemini-balance users add NAME", "cannot be reached"] {
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(said.matches("WRONG").count(), said.matches("→").count());
    assert!(!said_of_well.contains("WRONG"), "{said_of_well}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_leave_a_running_gateway_alone() {
    let desk = Desk::new().await;
    let (_gateway, client) = desk.serve().await;

    for command in [&["keys", "list"][..], &["keys", "add", "a-service-key"], &["users", "list"]] {
        let (code, said) = desk.run(command, "").await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("in use by another process"), "{said}");
    }
    assert_eq!(
        client.get("/ready").await.json()["reasons"][0],
        "no service key has been added yet"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_a_living_gateway_from_a_silent_port_and_from_none() {
    let desk = Desk::new().await;
    let (gateway, client) = desk.serve().await;
    let port = client.address().port().to_string();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port().to_string();

    let alive = desk.run_with(&["health"], "", &[("PORT", &port), ("HOST", "0.0.0.0")]).await;
    let foreign = desk.upstream.url().rsplit_once(':').unwrap().1.to_owned();
    let (stranger, said) = desk.run_with(&["health"], "", &[("PORT", &foreign)]).await;
    let (unknown, said_of_unknown) = desk.run(&["health"], "").await;
    let (silence, said_of_silence) =
        desk.run_with(&["health"], "", &[("PORT", &silent_port)]).await;
    drop(gateway);
    let (none, said_of_none) = desk.run_with(&["health"], "", &[("PORT", &port)]).await;

    assert_eq!(alive, (0, format!("the gateway on 127.0.0.1:{port} is alive\n")));
    assert_eq!((stranger, unknown, silence, none), (1, 1, 1, 1));
    assert!(said.contains("not as a gateway does"), "{said}");
    assert!(said_of_unknown.contains("PORT is 0"), "{said_of_unknown}");
    assert!(said_of_silence.contains("did not answer within"), "{said_of_silence}");
    assert!(said_of_none.contains("no gateway listens on"), "{said_of_none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn help_and_version_need_no_settings_and_an_unknown_word_is_refused() {
    let desk = Desk::new().await;
    let broken = [("WORKERS", "many")];

    let (version, number) = desk.run_with(&["--version"], "", &broken).await;
    let (help, page) = desk.run_with(&["--help"], "", &broken).await;
    let (unknown, said) = desk.run(&["frobnicate"], "").await;
    let (mistaken, mistake) = desk.run_with(&["keys", "list"], "", &broken).await;

    assert_eq!(
        (version, number.trim()),
        (0, concat!("gemini-balance ", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(help, 0);
    for command in [
        "serve",
        "keys",
        "users",
        "password",
        "doctor",
        "health",
        "backup",
        "restore",
        "rotate-key",
        "settings",
    ] {
        assert!(page.contains(command), "{page}");
    }
    assert_eq!((unknown, mistaken), (2, 2), "{said}");
    assert!(mistake.contains("WORKERS"), "{mistake}");
    assert!(!desk.path().join("data").exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_changed_beside_a_running_gateway() {
    let desk = Desk::new().await;
    let (gateway, client) = desk.serve().await;

    let (wrong, why) = desk.run(&["settings", "set", "MAX_RETRIES", "many"], "").await;
    let (fixed, why_fixed) = desk.run(&["settings", "set", "PORT", "1"], "").await;
    let (set, said) = desk.run(&["settings", "set", "metrics_public", "true"], "").await;

    assert_eq!((wrong, fixed, set), (1, 1, 0), "{said}");
    assert!(why.contains("MAX_RETRIES") && why_fixed.contains("restart"), "{why}{why_fixed}");
    eventually("it is in force", async || client.get("/metrics").await.status == 200).await;
    let (_, listed) = desk.run(&["settings", "list"], "").await;
    assert!(listed.contains("METRICS_PUBLIC=true  from settings.toml"), "{listed}");
    desk.run(&["settings", "unset", "METRICS_PUBLIC"], "").await;
    eventually("it is taken back", async || client.get("/metrics").await.status == 404).await;
    drop(gateway);
}
