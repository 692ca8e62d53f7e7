//! The gateway itself behind TLS: both versions of HTTP, new certificates without a restart, and
//! callers who do not understand it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fake_upstream::{Answer, Options, When};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::process::Process;
use crate::support::{
    Form, Gateway, LIVE, LiveClient, PASSWORD, Said, Setup, eventually, handshake,
};

/// What can be spoken behind a handshake.
const VERSIONS: [&str; 2] = ["http/1.1", "h2"];

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_served_over_both_versions_of_http() {
    let own = Own::new();
    let gateway = own.setup().start().await;

    for version in VERSIONS {
        let mut caller = Caller::connect(gateway.address(), &own.certificate, version).await;
        for form in Form::ALL {
            let response = caller.ask(&gateway, form).await;

            assert_eq!(response.status(), 200, "{version} {form:?}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(!body.is_empty(), "{version} {form:?}");
        }
    }
    let rows = gateway.final_rows().await;
    assert_eq!(rows.len(), 2 * Form::ALL.len());
    assert!(rows.iter().all(|row| row.is_success));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beside_each_other_on_one_connection_do_not_wait_for_each_other() {
    let own = Own::new();
    let gateway = own.setup().start().await;
    gateway.upstream.on(When::any().times(1), Answer::stall_after(1));
    let mut caller = Caller::connect(gateway.address(), &own.certificate, "h2").await;
    let mut endless = caller.ask(&gateway, Form::GenerateStream).await;
    endless.frame().await.unwrap().unwrap();

    for _ in 0..20 {
        let response = caller.ask(&gateway, Form::Chat).await;

        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap();
    }
    // Who leaves one of them leaves only that.
    drop(endless);
    gateway.idle().await;
    assert_eq!(caller.ask(&gateway, Form::Chat).await.status(), 200);
    drop(caller);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_session_is_held_over_tls_and_refused_in_http_2() {
    let own = Own::new();
    let gateway = own.setup().start().await;
    let stream = shake(gateway.address(), &own.certificate, "http/1.1").await.unwrap();
    let request = handshake(LIVE, &[("x-goog-api-key", &gateway.user_key)]);

    let mut client = LiveClient::ask(stream, &request).await;
    assert!(client.is_agreed(), "{}", client.head);
    client.set_up().await;
    client.turn("hello").await;
    client.close(1000, "").await;

    assert_eq!(client.next().await.close(), (1000, String::new()));
    assert_eq!(client.next().await, Said::Gone);
    let mut caller = Caller::connect(gateway.address(), &own.certificate, "h2").await;
    let mut request = request_for(&gateway, LIVE.trim_start_matches('/'));
    request.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
    let refused = caller.send(request).await;
    assert_eq!(refused.status(), 426);
    let hint = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&hint).contains("over HTTP/1.1"));
    drop(caller);
    gateway.close().await;
}

/// A bare question over HTTP/2.
fn request_for(gateway: &Gateway, path: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .uri(format!("https://localhost/{path}"))
        .header("x-goog-api-key", &gateway.user_key)
        .body(Full::default())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_takes_nothing_of_a_stream_is_let_go() {
    let own = Own::new();
    let gateway = own.setup().set("WRITE_STALL_SECONDS", 0.3).start().await;
    let long = Options { text_bytes: 4 << 20, chunks: 64, ..Options::default() };
    gateway.upstream.on(When::any(), Answer::Default(long));
    let mut caller = Caller::connect(gateway.address(), &own.certificate, "h2").await;

    let _untaken = caller.ask(&gateway, Form::GenerateStream).await;

    gateway.idle().await;
    assert!(!gateway.final_rows().await[0].is_success);
    eventually("the connection is closed", async || caller.is_closed()).await;
    drop(caller);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_asks_and_leaves_again_and_again_leaves_nothing_and_others_are_served() {
    let own = Own::new();
    let gateway = own.setup().start().await;
    gateway.upstream.on(When::any().model("gemini-endless"), Answer::stall_after(1));
    let mut hasty = Caller::connect(gateway.address(), &own.certificate, "h2").await;
    let mut other = Caller::connect(gateway.address(), &own.certificate, "h2").await;

    for number in 0..300 {
        // Leaves behind the head, or as soon as the answer has begun; too often ends the connection.
        let patience = if number % 2 == 0 { Duration::ZERO } else { Duration::from_secs(5) };
        let asking = hasty.try_ask(&gateway, "gemini-endless");
        drop(tokio::time::timeout(patience, asking).await);
        if hasty.is_closed() {
            hasty = Caller::connect(gateway.address(), &own.certificate, "h2").await;
        }
        if number % 50 == 0 {
            assert_eq!(other.ask(&gateway, Form::Chat).await.status(), 200);
        }
    }

    gateway.idle().await;
    assert_eq!(other.ask(&gateway, Form::Chat).await.status(), 200);
    drop((hasty, other));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_request_is_closed() {
    let own = Own::new();
    let gateway = own.setup().set("HEADER_TIMEOUT_SECONDS", 0.2).start().await;

    for version in VERSIONS {
        let caller = Caller::connect(gateway.address(), &own.certificate, version).await;
        eventually("the connection is closed", async || caller.is_closed()).await;
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_stands_still_is_closed_and_others_notice_nothing() {
    let own = Own::new();
    let gateway = own.setup().set("HEADER_TIMEOUT_SECONDS", 0.3).start().await;
    let mut silent = TcpStream::connect(gateway.address()).await.unwrap();
    let mut half = TcpStream::connect(gateway.address()).await.unwrap();
    half.write_all(&[22, 3, 1]).await.unwrap();

    let mut caller = Caller::connect(gateway.address(), &own.certificate, "http/1.1").await;
    assert_eq!(caller.ask(&gateway, Form::Chat).await.status(), 200);

    for stream in [&mut silent, &mut half] {
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0, "closed");
    }
    drop(caller);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_plain_http_is_told_to_use_tls() {
    let own = Own::new();
    let gateway = own.setup().start().await;

    for form in [Form::Chat, Form::Generate] {
        let reply = gateway.ask(form).await;

        assert_eq!((reply.status.as_u16(), reply.is_cut), (400, false));
        assert_eq!(reply.json()["error"]["code"], "tls_needed");
        assert!(reply.text().contains("https://"));
    }
    assert!(gateway.upstream.seen().is_empty());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_named_twice_and_differently_is_refused() {
    let own = Own::new();
    let gateway = own.setup().start().await;
    let mut caller = Caller::connect(gateway.address(), &own.certificate, "h2").await;
    let request =
        Request::post("https://localhost/v1/chat/completions").header("host", "elsewhere");

    let response = caller.send(request.body(Full::default()).unwrap()).await;

    assert_eq!(response.status(), 400);
    drop((response, caller));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_cookie_is_for_tls_only() {
    let own = Own::new();
    let gateway = own.setup().start().await;
    let body = json!({"username": "admin", "password": PASSWORD}).to_string();

    for version in VERSIONS {
        let mut caller = Caller::connect(gateway.address(), &own.certificate, version).await;
        let login = Request::post("https://localhost/api/auth/login")
            .header("content-type", "application/json")
            .body(Full::from(body.clone()))
            .unwrap();

        let response = caller.send(login).await;

        assert_eq!(response.status(), 200);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.ends_with("; Secure"), "{}", cookie.len());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_used_without_a_restart_and_streams_go_on() {
    let mut own = Own::new();
    let gateway = own.setup().start().await;
    gateway.upstream.on(When::any().times(1), Answer::stall_after(1));
    let mut caller = Caller::connect(gateway.address(), &own.certificate, "h2").await;
    let mut endless = caller.ask(&gateway, Form::GenerateStream).await;
    endless.frame().await.unwrap().unwrap();

    let old = own.certificate.clone();
    own.renew();
    assert!(gateway.app().tls.as_ref().unwrap().reload().unwrap());

    assert!(Caller::try_connect(gateway.address(), &old, "h2").await.is_err());
    let mut newcomer = Caller::connect(gateway.address(), &own.certificate, "h2").await;
    assert_eq!(newcomer.ask(&gateway, Form::Chat).await.status(), 200);
    assert_eq!(caller.ask(&gateway, Form::Chat).await.status(), 200);
    drop((endless, caller, newcomer));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_over_http_2_ends_before_the_process_does() {
    let own = Own::new();
    let gateway = own.setup().set("DRAIN_SECONDS", 20).start().await;
    let slow = Options { chunks: 10, pace_ms: 50, ..Options::default() };
    gateway.upstream.on(When::any(), Answer::Default(slow));
    let mut caller = Caller::connect(gateway.address(), &own.certificate, "h2").await;
    let response = caller.ask(&gateway, Form::GenerateStream).await;

    let began = Instant::now();
    let (body, _) = tokio::join!(response.into_body().collect(), gateway.close());

    let body = body.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("finishReason"));
    assert!(began.elapsed() < Duration::from_secs(10), "it does not wait for its deadline");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_health_is_asked_over_tls_whatever_name_the_certificate_is_for() {
    let own = Own::new();
    let gateway = own.setup().start().await;
    let [certificate, key] = own.files().map(|path| path.display().to_string());
    let port = gateway.address().port().to_string();
    let directory = tempfile::tempdir().unwrap();
    let settings = [("TLS_CERT", certificate.as_str()), ("TLS_KEY", &key), ("PORT", &port)];

    let mut over_tls = Process::run(directory.path(), &["health"], &settings);
    let over_tls = over_tls.exit().await.code();
    let mut in_clear = Process::run(directory.path(), &["health"], &[("PORT", &port)]);
    let in_clear = in_clear.exit().await.code();

    assert_eq!((over_tls, in_clear), (Some(0), Some(1)));
    gateway.close().await;
}

#[tokio::test]
async fn a_pair_that_does_not_fit_keeps_the_gateway_from_starting() {
    let (own, other) = (Own::new(), Own::new());
    let [certificate, key] = own.files();
    let [_, other_key] = other.files();
    let [certificate, key, other_key] =
        [certificate, key, other_key].map(|it| it.display().to_string());

    for (settings, code, expected) in [
        (vec![("TLS_CERT", certificate.as_str())], 2, "TLS_KEY"),
        (vec![("TLS_KEY", key.as_str())], 2, "TLS_CERT"),
        (vec![("TLS_CERT", "nowhere.pem"), ("TLS_KEY", key.as_str())], 2, "TLS_CERT"),
        (
            vec![("TLS_CERT", certificate.as_str()), ("TLS_KEY", other_key.as_str())],
            1,
            "cannot be used together",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut gateway = Process::start(directory.path(), &settings);

        assert_eq!(gateway.exit().await.code(), Some(code), "{}", gateway.output());
        assert!(gateway.output().contains(expected), "{}", gateway.output());
        assert!(!directory.path().join("data").exists(), "nothing was made");
    }
}

/// A certificate of the gateway's own, in files.
struct Own {
    directory: TempDir,
    certificate: CertificateDer<'static>,
}

impl Own {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let certificate = write_pair(directory.path());
        Self { directory, certificate }
    }

    fn files(&self) -> [PathBuf; 2] {
        ["cert.pem", "key.pem"].map(|name| self.directory.path().join(name))
    }

    fn renew(&mut self) {
        self.certificate = write_pair(self.directory.path());
    }

    /// A gateway behind it.
    fn setup(&self) -> Setup {
        let [certificate, key] = self.files();
        Setup::default().set("TLS_CERT", certificate.display()).set("TLS_KEY", key.display())
    }
}

fn write_pair(directory: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

/// Shakes hands, and insists on this certificate and this version.
async fn shake(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    version: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![version.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(version.as_bytes()));
    Ok(stream)
}

/// A caller with a connection that stays.
struct Caller {
    sender: Sender,
    _connection: JoinSet<()>,
}

enum Sender {
    Http1(conn::http1::SendRequest<Full<Bytes>>),
    Http2(conn::http2::SendRequest<Full<Bytes>>),
}

impl Caller {
    async fn connect(
        address: SocketAddr,
        certificate: &CertificateDer<'static>,
        version: &str,
    ) -> Self {
        Self::try_connect(address, certificate, version).await.unwrap()
    }

    /// Connects, and insists on this certificate and this version.
    async fn try_connect(
        address: SocketAddr,
        certificate: &CertificateDer<'static>,
        version: &str,
    ) -> std::io::Result<Self> {
        let stream = shake(address, certificate, version).await?;
        let mut connection = JoinSet::new();
        let stream = TokioIo::new(stream);
        let sender = if version == "h2" {
            let mut builder = conn::http2::Builder::new(TokioExecutor::new());
            builder.initial_stream_window_size(16 * 1024);
            let (sender, driving) = builder.handshake(stream).await.unwrap();
            connection.spawn(async move { drop(driving.await) });
            Sender::Http2(sender)
        } else {
            let (sender, driving) = conn::http1::handshake(stream).await.unwrap();
            connection.spawn(async move { drop(driving.await) });
            Sender::Http1(sender)
        };
        Ok(Self { sender, _connection: connection })
    }

    /// Asks for a stream of a model of Google's; an error if the connection is at its end.
    async fn try_ask(
        &mut self,
        gateway: &Gateway,
        model: &str,
    ) -> hyper::Result<Response<Incoming>> {
        let path = format!("/v1beta/models/{model}:streamGenerateContent?alt=sse");
        self.try_send(request(gateway, &path, Form::GenerateStream)).await
    }

    async fn ask(&mut self, gateway: &Gateway, form: Form) -> Response<Incoming> {
        self.send(request(gateway, form.path(), form)).await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.try_send(request).await.unwrap()
    }

    async fn try_send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                request.headers_mut().insert("host", "localhost".parse().unwrap());
                let path = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
                *request.uri_mut() = path;
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }
}

fn request(gateway: &Gateway, path: &str, form: Form) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("https://localhost{path}"))
        .header("authorization", format!("Bearer {}", gateway.user_key))
        .header("content-type", "application/json")
        .body(Full::from(form.body("hello").to_string()))
        .unwrap()
}
