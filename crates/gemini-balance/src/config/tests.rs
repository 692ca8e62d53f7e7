//! The settings as a whole: sources, names, rules, mistakes.

use std::fs;

use tempfile::TempDir;

use super::*;

#[test]
fn nothing_needs_to_be_set() {
    let dir = TempDir::new().unwrap();

    let config = load(&dir, &[]).unwrap();

    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8090");
    assert_eq!(config.upstream.gemini.to_string(), "https://generativelanguage.googleapis.com");
    assert_eq!(
        config.upstream.openai.to_string(),
        "https://generativelanguage.googleapis.com/v1beta/openai"
    );
    assert_eq!(config.limits.request_timeout_ms, 120_000);
    assert_eq!(config.limits.attempt_timeout_ms, 120_000);
    assert_eq!(config.limits.concurrent_requests_max, 10_000);
    assert_eq!(config.limits.body_bytes_max, 100 << 20);
    assert_eq!(config.pool.retries_max, None);
    assert_eq!(config.storage.data_dir, dir.path().join("data"));
    assert_eq!(config.storage.database(), dir.path().join("data/gemini-balance.db"));
    assert!(config.admin.password.is_none());
    assert!(config.notices.is_empty());
    assert!(config.settings.iter().all(|setting| setting.source == Source::Default));
}

#[test]
fn what_is_written_can_be_written_into_an_env_file_and_means_the_same() {
    let dir = TempDir::new().unwrap();
    let settings =
        [("PASSWORD", r#"it's "quoted" $HOME \n"#), ("PORT", "1234"), ("CORS_ORIGINS", "")];
    let config = load(&dir, &settings).unwrap();
    let other = TempDir::new().unwrap();
    fs::write(other.path().join(".env"), config.as_env().expose()).unwrap();

    let again = load(&other, &[]).unwrap();

    assert_eq!(again.admin.password, config.admin.password);
    assert_eq!(again.server.listen, config.server.listen);
    assert_eq!(config.as_env().expose().lines().count(), 2);
}

#[test]
fn an_env_file_of_the_python_version_works_as_it_is() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join(".env"),
        "# comment\n\
         GEMINI_API_BASE_URL=https://gateway.example/v1/account/name/google-ai-studio\n\
         OPENAI_API_BASE_URL=\"https://gateway.example/v1/account/name/compat\"\n\
         REQUEST_TIMEOUT_SECONDS=45\nCLOUDFLARE_GATEWAY_ENABLED=True\n\
         CF_AI_AUTHORIZATION_KEY='Bearer cf'\nLOG_LEVEL=warning\nLOG_HISTORY_SIZE=7\n\
         API_KEY_COOL_DOWN_SECONDS=60\nAPI_KEY_FAILURE_THRESHOLD=5\nMAX_COOL_DOWN_SECONDS=600\n\
         RATE_LIMIT_DEFAULT_WAIT_SECONDS=30\nCHECK_HEALTH_AFTER_COOL_DOWN=true\n\
         CHECK_HEALTH_TIME_INTERVAL_SECONDS=6\nMAX_RETRIES=4\nNO_KEY_WAIT_SECONDS=1.5\n\
         KEY_IN_USE_TIMEOUT_SECONDS=200\nDEFAULT_CHECK_COOLED_DOWN_SECONDS=100\n\
         SQLITE_DB=/srv/balance/sqlite.db\nPASSWORD=a good one\nALGORITHM=HS256\n\
         SECRET_KEY=f3a1c2d4e5b60718293a4b5c6d7e8f90\nACCESS_TOKEN_EXPIRE_MINUTES=10\n\
         MAX_CONCURRENT_REQUESTS=3\nCONCURRENCY_TIMEOUT_SECONDS=9\nUVICORN_HOST=0.0.0.0\n\
         UVICORN_PORT=8000\nhttp_proxy=http://proxy.example:3128\nNO_PROXY=*\n\
         DATABASE_TYPE=sqlite\nFORCE_RESET_DATABASE=false\nDEBUG_LOG_ENABLED=\n\
         SOMETHING_ELSE=1\n"
            .replace("a good one", "'a good one'"),
    )
    .unwrap();

    let config = load(&dir, &[]).unwrap();

    assert_eq!(config.upstream.openai.path, "/v1/account/name/compat");
    assert!(config.upstream.cloudflare);
    assert_eq!(config.upstream.cloudflare_authorization, Some(Secret::new("Bearer cf")));
    assert_eq!(config.upstream.proxy.http.unwrap().host, "proxy.example");
    assert_eq!(config.limits.request_timeout_ms, 45_000);
    assert_eq!(config.limits.concurrent_requests_max, 3);
    assert_eq!(config.limits.concurrency_timeout_ms, 9_000);
    assert_eq!(config.logging.level, Level::WARN);
    assert_eq!(config.logging.history_lines, 7);
    assert_eq!(config.pool.failure_threshold, 5);
    assert_eq!((config.pool.cool_down_ms, config.pool.cool_down_ms_max), (60_000, 600_000));
    assert_eq!(config.pool.rate_limit_wait_ms, 30_000);
    assert!(config.pool.check_after_cool_down);
    assert_eq!(config.pool.check_interval_ms, 6_000);
    assert_eq!(config.pool.retries_max, Some(4));
    assert_eq!(config.pool.no_key_wait_ms, 1_500);
    assert_eq!(config.pool.lease_idle_ms_max, 200_000);
    assert_eq!(config.storage.predecessor_database, Path::new("/srv/balance/sqlite.db"));
    assert_eq!(config.storage.data_dir, Path::new("/srv/balance"));
    assert_eq!(config.admin.password, Some(Secret::new("a good one")));
    assert_eq!(config.admin.token_life_ms, 600_000);
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8000");
    assert_eq!(
        config.notices,
        [
            "DATABASE_TYPE has no effect and can be removed",
            "FORCE_RESET_DATABASE has no effect and can be removed",
            "DEFAULT_CHECK_COOLED_DOWN_SECONDS has no effect and can be removed"
        ]
    );
}

#[test]
fn the_environment_goes_before_the_env_file_and_that_before_the_toml_file() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(".env"), "UVICORN_PORT=2\nWORKERS=2\nLOG_LEVEL=\n").unwrap();
    fs::write(
        dir.path().join("gemini-balance.toml"),
        "port = 3\nworkers = 3\nheartbeat_seconds = 0.25\nlog_level = \"debug\"\n\
         metrics_public = true\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n",
    )
    .unwrap();

    let config = load(&dir, &[("PORT", "1"), ("WORKERS", "")]).unwrap();

    check(&config, "PORT", ("1", Source::Environment));
    check(&config, "WORKERS", ("2", Source::DotEnv));
    check(&config, "LOG_LEVEL", ("debug", Source::File));
    check(&config, "HOST", ("127.0.0.1", Source::Default));
    assert_eq!(config.limits.heartbeat_ms, 250);
    assert!(config.metrics.public);
    assert_eq!(config.server.trusted_proxies.len(), 2);

    fn check(config: &Config, name: &str, (value, source): (&str, Source)) {
        let setting = config.settings.iter().find(|setting| setting.name == name).unwrap();
        assert_eq!((setting.value.as_str(), setting.source), (value, source), "{name}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once_and_by_name_without_their_values() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(".env"), "LOG_FORMAT=canary\n\nthis is canary\nWORKERS=canary\n")
        .unwrap();
    fs::write(
        dir.path().join("gemini-balance.toml"),
        "prot = 1\nhost = \"canary\"\n[server]\nport = 1\n",
    )
    .unwrap();

    let errors = load(
        &dir,
        &[
            ("UVICORN_PORT", "canary"),
            ("PASSWORD", "admin"),
            ("SECRET_KEY", "canary"),
            ("REQUEST_TIMEOUT_SECONDS", "-1"),
            ("HTTPS_PROXY", "https://user:canary@proxy.example"),
            ("GEMINI_API_BASE_URL", "https://canary@example.org"),
            ("OPENAI_API_BASE_URL", "http://127.0.0.1:1"),
            ("TRUSTED_PROXIES", "10.0.0.0/8, canary"),
            ("BODY_LIMIT_MB", "300"),
        ],
    )
    .unwrap_err();

    let mut names: Vec<&str> = errors.0.iter().map(|error| error.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            ".env",
            "BODY_BUDGET_MB",
            "GEMINI_API_BASE_URL",
            "HOST",
            "HTTPS_PROXY",
            "LOG_FORMAT",
            "OPENAI_API_BASE_URL",
            "PASSWORD",
            "REQUEST_TIMEOUT_SECONDS",
            "SECRET_KEY",
            "TRUSTED_PROXIES",
            "UVICORN_PORT",
            "WORKERS",
            "prot",
            "server",
        ]
    );
    let text = errors.to_string();
    assert!(!text.contains("canary"), "{text}");
    assert!(text.contains(".env (.env): line 3 is not NAME=value"), "{text}");
    assert!(
        text.contains("UVICORN_PORT (environment): must be a whole number, 0 to 65535"),
        "{text}"
    );
    assert!(text.contains("LOG_FORMAT (.env): must be one of text, json"), "{text}");
}

#[test]
fn a_published_password_or_secret_is_refused_wherever_it_is_set() {
    let dir = TempDir::new().unwrap();
    for (name, value) in [
        ("PASSWORD", ""),
        ("PASSWORD", "admin"),
        ("password", "changeme"),
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"),
        ("MASTER_KEY", "your-secret-key-your-secret-key-1234"),
    ] {
        let errors = load(&dir, &[(name, value)]).unwrap_err();

        assert_eq!(errors.0.len(), 1, "{name}={value}");
        assert!(errors.0[0].problem.contains("remove the line"), "{errors}");
    }
}

#[test]
fn a_private_upstream_needs_permission() {
    let dir = TempDir::new().unwrap();
    let local = ("GEMINI_API_BASE_URL", "http://127.0.0.1:8080");
    let metadata = ("GEMINI_API_BASE_URL", "http://169.254.169.254");
    let allowed = ("UPSTREAM_ALLOW_PRIVATE", "true");

    assert!(load(&dir, &[local]).is_err());
    assert_eq!(load(&dir, &[local, allowed]).unwrap().upstream.reach, Reach::Private);
    assert!(load(&dir, &[metadata, allowed]).is_err());
}

#[test]
fn secrets_never_show_in_the_effective_settings() {
    let dir = TempDir::new().unwrap();
    let config = load(
        &dir,
        &[
            ("PASSWORD", "canary-password"),
            ("SECRET_KEY", "canary-f3a1c2d4e5b60718293a4b5c6d7e8f90"),
            ("ENCRYPTION_KEY", "canary-f3a1c2d4e5b60718293a4b5c6d7e8f91"),
            ("CF_AI_AUTHORIZATION_KEY", "canary"),
            ("HTTPS_PROXY", "http://canary:canary@proxy.example:1"),
        ],
    )
    .unwrap();

    let shown = serde_json::to_string(&config.settings).unwrap();

    assert!(!shown.contains("canary"), "{shown}");
    assert!(!format!("{config:?}").contains("canary-"));
    let password = config.settings.iter().find(|setting| setting.name == "PASSWORD").unwrap();
    assert_eq!((password.value.as_str(), password.source), ("[secret]", Source::Environment));
}

#[test]
fn durations_are_seconds_with_up_to_three_decimals() {
    for (text, expected) in [
        ("120", Some(120_000)),
        ("0.25", Some(250)),
        ("0.05", Some(50)),
        ("1.", Some(1_000)),
        ("0.0001", None),
        ("0", None),
        ("-1", None),
        ("1e3", None),
        ("99999999999999999999", None),
        ("120s", None),
    ] {
        let dir = TempDir::new().unwrap();
        let loaded = load(&dir, &[("CONNECT_TIMEOUT_SECONDS", text)]);
        assert_eq!(loaded.ok().map(|config| config.limits.connect_timeout_ms), expected, "{text}");
    }
}

#[test]
fn limits_that_contradict_each_other_are_mistakes() {
    let dir = TempDir::new().unwrap();
    for (name, value) in [
        ("ATTEMPT_TIMEOUT_SECONDS", "121"),
        ("BODY_BUDGET_MB", "99"),
        ("MAX_COOL_DOWN_SECONDS", "299"),
    ] {
        let errors = load(&dir, &[(name, value)]).unwrap_err();

        assert_eq!(errors.0[0].name, name);
        assert_eq!(errors.0[0].source, Source::Environment);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join(".env")).unwrap();
    fs::write(dir.path().join("gemini-balance.toml"), "port = = 1").unwrap();

    let errors = load(&dir, &[]).unwrap_err();

    let names: Vec<&str> = errors.0.iter().map(|error| error.name.as_str()).collect();
    assert_eq!(names, [".env", "gemini-balance.toml"]);
}

fn load(dir: &TempDir, env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(env, dir.path())
}
