//! `gemini-balance doctor`: each thing that can be wrong is found, with what to do about it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fake_upstream::Upstream;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::disk::can_mount;
use crate::support::process::{Process, leading_to, with};

/// A set-up without a fault.
struct Patient {
    directory: TempDir,
    settings: Vec<(String, String)>,
    _upstream: Upstream,
}

impl Patient {
    async fn well() -> Self {
        let upstream = Upstream::start().await.unwrap();
        let (directory, settings) = (tempfile::tempdir().unwrap(), leading_to(&upstream));
        let patient = Self { directory, settings, _upstream: upstream };
        patient.run(&["keys", "add", "a-plain-service-key"], &[]).await;
        patient.run(&["users", "add", "alice"], &[]).await;
        patient
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn database(&self) -> Connection {
        Connection::open(self.data().join("gemini-balance.db")).unwrap()
    }

    async fn run(&self, command: &[&str], more: &[(&str, &str)]) -> (i32, String) {
        let mut process = Process::run(self.path(), command, &with(&self.settings, more));
        let code = process.exit().await.code().unwrap();
        (code, process.output())
    }

    /// The doctor finds exactly this wrong.
    async fn suffers_from(&self, more: &[(&str, &str)], expected: &[(&str, &str)]) {
        let (code, said) = self.run(&["doctor"], more).await;
        check(code, &said, expected);
    }
}

/// What is wrong, each with a part of its remedy.
fn check(code: i32, said: &str, expected: &[(&str, &str)]) {
    let lines: Vec<&str> = said.lines().collect();
    let wrong: Vec<_> = lines.windows(2).filter(|pair| pair[0].starts_with("WRONG")).collect();
    assert_eq!(wrong.len(), expected.len(), "{said}");
    for (what, remedy) in expected {
        let is_told = wrong.iter().any(|pair| pair[0].contains(what) && pair[1].contains(remedy));
        assert!(is_told, "`{what}` and `{remedy}`: {said}");
    }
    assert_eq!(code, i32::from(!expected.is_empty()), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_well_is_said_and_what_may_be_meant_so_is_a_note() {
    let patient = Patient::well().await;

    let (code, said) = patient.run(&["doctor"], &[]).await;

    assert_eq!(code, 0, "{said}");
    for words in [
        "ok    the settings are understood",
        "is for its owner only",
        "can be written",
        "database and secrets belong together",
        "1 of 1 service keys are active",
        "1 of 1 user keys let in",
        "note  no backups are made by themselves",
        "note  nobody is told when keys run out",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let quiet = [
        ("BACKUP_EVERY_HOURS", "24"),
        ("ALERT_WEBHOOK_URL", "https://hooks.example/canary"),
        ("LOG_LEVEL", "INFO"),
    ];
    let (_, said) = patient.run(&["doctor"], &quiet).await;
    assert!(!said.contains("note"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_open_a_door_are_found() {
    let patient = Patient::well().await;

    patient.suffers_from(&[("HOST", "0.0.0.0")], &[("without TLS", "TLS_CERT")]).await;
    let behind_proxy = [("HOST", "0.0.0.0"), ("TRUSTED_PROXIES", "10.0.0.1")];
    patient.suffers_from(&behind_proxy, &[]).await;
    let cookie = [behind_proxy[0], behind_proxy[1], ("COOKIE_SECURE", "false")];
    patient.suffers_from(&cookie, &[("over plain HTTP", "`auto`")]).await;
    patient.suffers_from(&[("PASSWORD", "zq7wx")], &[("can be guessed", "longer one")]).await;
    let everybody = [("TRUSTED_PROXIES", "0.0.0.0/0")];
    patient.suffers_from(&everybody, &[("the whole internet", "only the addresses")]).await;
    let (_, said) = patient
        .run(&["doctor"], &[behind_proxy[0], behind_proxy[1], ("METRICS_PUBLIC", "true")])
        .await;
    assert!(said.contains("note  METRICS_PUBLIC"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_out_that_is_shut_is_found() {
    let patient = Patient::well().await;
    let base = ("OPENAI_API_BASE_URL", "http://upstream.invalid");
    let in_clear = ("OPENAI_API_BASE_URL is http", "write https://");

    patient.suffers_from(&[base], &[in_clear, ("cannot be looked up", "name server")]).await;
    let dead_proxy = ("the outbound proxy http://127.0.0.1:1 cannot be reached", "NO_PROXY");
    patient
        .suffers_from(&[base, ("HTTP_PROXY", "http://127.0.0.1:1")], &[in_clear, dead_proxy])
        .await;
    let nobody = [("OPENAI_API_BASE_URL", "http://127.0.0.1:1")];
    patient.suffers_from(&nobody, &[("http://127.0.0.1:1 cannot be reached", "HTTPS_PROXY")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_found_by_the_upstreams() {
    let patient = Patient::well().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut answering = JoinSet::new();
    answering.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 2_048];
            drop(stream.read(&mut head).await);
            let answer = "HTTP/1.1 200 OK\r\ndate: Sat, 01 Jan 2022 00:00:00 GMT\r\n\
                          content-length: 2\r\nconnection: close\r\n\r\n{}";
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });

    let upstream = [("OPENAI_API_BASE_URL", url.as_str())];
    patient.suffers_from(&upstream, &[("ahead of the upstream's", "timedatectl")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_or_a_certificate_that_cannot_be_used_is_found() {
    let patient = Patient::well().await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    fs::write(patient.path().join("junk.pem"), "no certificate").unwrap();
    let tls = [("TLS_CERT", "junk.pem"), ("TLS_KEY", "junk.pem")];

    patient.suffers_from(&[("PORT", &port)], &[("cannot listen on", "PORT")]).await;
    patient.suffers_from(&tls, &[("TLS_CERT", "PEM files")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_too_wide_are_found() {
    let patient = Patient::well().await;
    let data = patient.data();
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();

    set(&data, 0o755);
    set(&data.join("secrets"), 0o640);
    patient.suffers_from(&[], &[("mode 755", "chmod 700"), ("mode 640", "chmod 600")]).await;
    set(&data, 0o700);
    let env = patient.path().join(".env");
    fs::write(&env, "SECRET_KEY=0b1c2d3e4f5061728394a5b6c7d8e9f0\n").unwrap();
    set(&env, 0o644);
    patient.suffers_from(&[], &[(".env can be read by others", "chmod 600 .env")]).await;
    set(&env, 0o600);
    patient.suffers_from(&[], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_or_read_only_is_found() {
    if !can_mount() {
        return;
    }
    let patient = Patient::well().await;
    let sees = async |mount: &str| {
        let mounted = format!("{mount} && exec \"$0\" doctor");
        let shell = format!("exec unshare --user --map-root-user --mount sh -c '{mounted}' \"$0\"");
        let settings = with(&patient.settings, &[]);
        let mut process = Process::start_from(&shell, patient.path(), &settings);
        let code = process.exit().await.code().unwrap();
        (code, process.output())
    };

    let (code, said) = sees("mount --bind data data && mount -o remount,bind,ro data").await;
    assert_eq!(code, 1);
    assert!(said.contains("cannot be written") && said.contains("its disk is read-only"), "{said}");
    let (code, said) = sees("mount -t tmpfs -o size=8m,mode=700 none data").await;
    check(code, &said, &[("MiB", "LOG_MAX_MB")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_and_will_not_do_is_found() {
    let patient = Patient::well().await;

    patient.run(&["keys", "add", "GEMINI_KEY=a-plain-service-key-2"], &[]).await;
    patient.suffers_from(&[], &[("a name in front of it", "add them again")]).await;
    patient.database().execute("DELETE FROM service_keys WHERE id = 2", []).unwrap();
    patient.database().execute("UPDATE user_keys SET expires_at_ms = 1", []).unwrap();
    patient.suffers_from(&[], &[("disabled or expired", "users add")]).await;
    patient.database().execute("UPDATE user_keys SET expires_at_ms = NULL", []).unwrap();
    let future = (4_102_444_800_000_i64 - 1_577_836_800_000) * 128;
    let row =
        "INSERT INTO request_logs (id, request_id, outcome_id, attempt, is_final, duration_ms,
               bytes_in, bytes_out, part) VALUES (?1, x'00', 1, 1, 1, 1, 1, 1, 1)";
    patient.database().execute(row, [future]).unwrap();
    patient.suffers_from(&[], &[("rows from the future", "set the clock")]).await;
    patient.database().execute("DELETE FROM request_logs", []).unwrap();
    let spoil = "UPDATE service_keys SET sealed = zeroblob(60)";
    patient.database().execute(spoil, []).unwrap();
    let none = ("none of 0 service keys is usable", "keys add");
    patient.suffers_from(&[], &[none, ("cannot be decrypted", "add them again")]).await;
    fs::write(patient.data().join("secrets"), "junk").unwrap();
    patient.suffers_from(&[], &[("cannot be understood", "gemini-balance restore")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_gateway_the_rest_is_looked_at() {
    let patient = Patient::well().await;
    let mut gateway = Process::start(patient.path(), &with(&patient.settings, &[]));
    let port = gateway.address().await.port().to_string();

    let (code, said) = patient.run(&["doctor"], &[("PORT", &port)]).await;

    assert_eq!(code, 0, "{said}");
    assert!(said.contains("note  a gateway runs on the data directory"), "{said}");
    assert!(said.contains("is taken, as by that gateway"), "{said}");
}
