//! Alerts: somebody is told when somebody must act, in the form they take, and nobody else.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_upstream::{Answer, When};
use http::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use crate::support::receiver::{MailServer, Receiver};
use crate::support::{Ask, Gateway, Setup, eventually};

async fn test(gateway: &Gateway) -> Value {
    let reply = gateway.admin().await.post("/api/alerts/test", &json!({})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()["results"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_reaches_each_kind_of_receiver_in_its_own_form() {
    for form in ["json", "slack", "discord", "ntfy"] {
        let receiver = Receiver::answering(200).await;
        let gateway = Setup::default()
            .set("ALERT_WEBHOOK_URL", receiver.url("/hook/canary-0123456789?x=1"))
            .set("ALERT_WEBHOOK_FORMAT", form)
            .set("ALERT_WEBHOOK_TOKEN", "canary-token-0123456789")
            .start()
            .await;

        let results = test(&gateway).await;

        assert_eq!(results[0]["is_ok"], true, "{results}");
        assert_eq!(results[0]["place"], format!("http://{}/[secret]", receiver.address));
        let posted = receiver.posted().pop().unwrap();
        assert_eq!(posted.path, "/hook/canary-0123456789?x=1");
        assert!(posted.head.contains("authorization: bearer canary-token-0123456789"));
        let text = "This is a test.";
        let is_right = match form {
            "json" => posted.json()["text"].as_str().unwrap().contains(text),
            "slack" => posted.json()["text"].as_str().unwrap().starts_with("*Gemini Balance"),
            "discord" => posted.json()["content"].as_str().unwrap().contains(text),
            _ => posted.head.contains("title: gemini balance: test") && posted.body.contains(text),
        };
        assert!(is_right, "{form}: {posted:?}");
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_and_a_mailbox_are_told_and_a_failure_is_named() {
    let (chat, mail) = (Receiver::answering(200).await, MailServer::start(None).await);
    let deaf = Receiver::answering(404).await;
    let gateway = Setup::default()
        .set("ALERT_WEBHOOK_URL", deaf.url("/gone"))
        .set("ALERT_TELEGRAM_TOKEN", "12345:canary-bot-token")
        .set("ALERT_TELEGRAM_CHAT", "-100200300")
        .set("ALERT_TELEGRAM_API_URL", chat.url("/api"))
        .set("ALERT_SMTP_URL", format!("smtp://me:canary-pass%3Aword@{}", mail.address))
        .set("ALERT_MAIL_FROM", "gateway@example.org")
        .set("ALERT_MAIL_TO", "one@example.org,two@example.org")
        .start()
        .await;

    let results = test(&gateway).await;

    let outcomes: Vec<_> = results.as_array().unwrap().iter().map(|it| &it["is_ok"]).collect();
    assert_eq!(outcomes, [false, true, true], "{results}");
    assert_eq!(results[0]["problem"], "it answered 404");
    let posted = chat.posted().pop().unwrap();
    assert_eq!(posted.path, "/api/bot12345:canary-bot-token/sendMessage");
    assert_eq!(posted.json()["chat_id"], "-100200300");
    let said = mail.said();
    let login = STANDARD.encode("\0me\0canary-pass:word");
    for line in [
        "EHLO example.org",
        &format!("AUTH PLAIN {login}"),
        "MAIL FROM:<gateway@example.org>",
        "RCPT TO:<one@example.org>",
        "RCPT TO:<two@example.org>",
        "Subject: Gemini Balance: test",
        "To: one@example.org, two@example.org",
        "QUIT",
    ] {
        assert!(said.iter().any(|it| it == line), "{line}: {said:?}");
    }
    let body = said.iter().skip_while(|line| !line.is_empty()).skip(1);
    let letters: String = body.take_while(|line| *line != ".").map(String::as_str).collect();
    let text = String::from_utf8(STANDARD.decode(letters).unwrap()).unwrap();
    assert!(text.contains("This is a test."), "{text}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_to_a_mail_server_only_over_tls_that_is_checked() {
    let (acceptor, authority) = identity("localhost");
    let (_, other_authority) = identity("localhost");
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("right.pem", &authority), ("wrong.pem", &other_authority)] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }

    for (trusted, is_ok) in [("right.pem", true), ("wrong.pem", false)] {
        let mail = MailServer::start(Some(acceptor.clone())).await;
        let port = mail.address.port();
        let gateway = Setup::default()
            .set("UPSTREAM_CA_FILE", directory.path().join(trusted).display())
            .set("ALERT_SMTP_URL", format!("smtp://me:canary-password@localhost:{port}"))
            .set("ALERT_MAIL_FROM", "gateway@example.org")
            .set("ALERT_MAIL_TO", "one@example.org")
            .start()
            .await;

        let results = test(&gateway).await;

        assert_eq!(results[0]["is_ok"], is_ok, "{results}");
        let said = mail.said();
        let tls = said.iter().position(|line| line == "-- TLS --");
        let login = said.iter().position(|line| line.starts_with("AUTH"));
        assert_eq!(login.is_some(), is_ok, "{said:?}");
        assert!(tls.is_some() == is_ok && tls <= login, "{said:?}");
        gateway.close().await;
    }
}

/// A server's certificate for a name, and the authority that vouches for it.
fn identity(name: &str) -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_lost_or_rest_are_told_once() {
    let receiver = Receiver::answering(200).await;
    let keys = ["service-key-one", "service-key-two", "service-key-three"];
    let gateway = Setup::default()
        .keys(keys)
        .set("ALERT_WEBHOOK_URL", receiver.url("/hook"))
        // How full the disk of whoever runs the tests is, is no matter.
        .set("ALERT_DISK_PERCENT", 0)
        .set("MAX_RETRIES", 0)
        .start()
        .await;
    let kinds = || -> Vec<String> {
        let posted = receiver.posted().into_iter();
        posted.map(|it| it.json()["kind"].as_str().unwrap().to_owned()).collect()
    };
    // A first look has to come before anything is news.
    let looked = gateway.app().clock.monotonic_ms() + 6_000;
    eventually("it has looked", async || looked < gateway.app().clock.monotonic_ms()).await;
    gateway.upstream.on(When::any().key(keys[0]), Answer::key_invalid());
    for key in &keys[1..] {
        gateway.upstream.on(When::any().key(*key), Answer::quota_per_minute(3_600));
    }

    for _ in 0..4 {
        Ask::gemini().of(&gateway.gemini()).await;
    }
    eventually("it is told", async || {
        let kinds = kinds();
        ["key_suspended", "all_cooling"].iter().all(|kind| kinds.iter().any(|it| it == kind))
    })
    .await;

    let looked = gateway.app().clock.monotonic_ms() + 6_000;
    eventually("it has looked", async || looked < gateway.app().clock.monotonic_ms()).await;
    assert_eq!(kinds().len(), 2, "once: {:?}", kinds());
    let posted = receiver.posted();
    let lost = posted.iter().find(|it| it.json()["kind"] == "key_suspended").unwrap();
    assert!(lost.body.contains(&gateway.identifier_of(keys[0])), "{lost:?}");
    assert!(!lost.body.contains("service-key-"), "no key is told: {lost:?}");
    let state = gateway.admin().await.get("/api/alerts").await.json();
    assert_eq!(state["holding"], json!(["all_cooling"]));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_chooses_who_is_told_and_tests_are_not_repeated_at_will() {
    let receiver = Receiver::answering(200).await;
    let silent = Gateway::start().await;
    let nobody = silent.admin().await.post("/api/alerts/test", &json!({})).await;
    assert_eq!(nobody.status, StatusCode::CONFLICT);
    silent.close().await;
    let gateway = Setup::default().set("ALERT_WEBHOOK_URL", receiver.url("/hook")).start().await;
    let admin = gateway.admin().await;
    let elsewhere = Receiver::answering(200).await;

    let body = json!({"url": elsewhere.url("/x"), "webhook": elsewhere.url("/x")});
    let first = admin.post("/api/alerts/test", &body).await;
    let second = admin.post("/api/alerts/test", &json!({})).await;

    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::TOO_MANY_REQUESTS));
    assert_eq!((receiver.posted().len(), elsewhere.posted().len()), (1, 0));
    let shown = admin.get("/api/settings").await.text();
    assert!(shown.contains(&format!("http://{}/[secret]", receiver.address)), "{shown}");
    assert!(!shown.contains("/hook"), "the path is a secret");
    gateway.close().await;
}
