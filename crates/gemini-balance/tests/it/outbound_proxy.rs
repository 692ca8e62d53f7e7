//! The way out through a proxy: what it is told, and who is reached without it.

use std::net::SocketAddr;
use std::sync::Arc;

use fake_upstream::{Answer, Upstream, When};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::{Form, Gateway, Setup};

/// An upstream that only a proxy can find.
const HIDDEN: &str = "http://upstream.test";

#[tokio::test(flavor = "multi_thread")]
async fn an_http_proxy_is_handed_the_whole_url_and_its_own_login() {
    let proxy = Upstream::start().await.unwrap();
    proxy.on(When::any(), Answer::json(200, r#"{"candidates":[{"finishReason":"STOP"}]}"#));
    let url = format!("http://user:p%40ss@{}", proxy.address());
    let gateway = behind(HIDDEN).set("HTTP_PROXY", url).start().await;

    for form in Form::WHOLE {
        proxy.clear_seen();
        let reply = gateway.ask(form).await;

        assert_eq!(reply.status, 200, "{form:?}: {}", reply.text());
        let seen = proxy.seen();
        assert_eq!(seen.len(), 1);
        let path = if form == Form::Chat { "/chat/completions" } else { form.path() };
        assert_eq!(seen[0].path, format!("{HIDDEN}{path}"));
        assert_eq!(seen[0].header("host"), Some("upstream.test"));
        assert_eq!(seen[0].header("proxy-authorization"), Some("Basic dXNlcjpwQHNz"));
        assert_eq!(seen[0].credentials.len(), 1);
    }
    assert!(gateway.upstream.seen().is_empty());
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socks_proxy_is_told_the_name_and_carries_the_bytes() {
    let upstream = Upstream::start().await.unwrap();
    for login in [None, Some(("user", "secret"))] {
        let socks = Socks::start(upstream.address(), login).await;
        let user = login.map_or_else(String::new, |(user, password)| format!("{user}:{password}@"));
        let url = format!("socks5h://{user}{}", socks.address);
        let gateway = behind("http://upstream.test:8080").set("ALL_PROXY", url).start().await;

        for form in [Form::Generate, Form::GenerateStream, Form::GenerateArray] {
            let reply = gateway.ask(form).await;

            assert_eq!(reply.status, 200, "{form:?}: {}", reply.text());
            assert_eq!(upstream.seen().pop().unwrap().path, form.path());
        }
        assert_eq!(socks.asked_for.lock().first().unwrap(), "upstream.test:8080");
        close(gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_upstream_is_tunnelled_to_and_a_proxy_that_refuses_blames_no_key() {
    let proxy = Upstream::start().await.unwrap();
    proxy.on(When::any(), Answer::status(403, "text/html", "<html>proxy.test: no</html>"));
    let setup = behind("https://upstream.test").set("MAX_RETRIES", 0);
    let gateway = setup.set("HTTPS_PROXY", proxy.url()).start().await;

    for form in Form::WHOLE {
        proxy.clear_seen();
        let reply = gateway.ask(form).await;

        gateway.assert_error(&reply, form.dialect(), 502, "upstream_fault");
        let seen = proxy.seen();
        assert_eq!(
            (seen[0].method.as_str(), seen[0].path.as_str()),
            ("CONNECT", "upstream.test:443")
        );
        assert!(seen[0].credentials.is_empty());
        let row = gateway.final_rows().await.pop().unwrap();
        assert_eq!(row.error_kind.as_deref(), Some("outbound_proxy_error"));
    }
    close(gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_and_what_is_excepted_are_reached_without_the_proxy() {
    let proxy = Upstream::start().await.unwrap();
    let gateway = Setup::default().set("HTTP_PROXY", proxy.url()).start().await;
    for form in Form::WHOLE {
        assert_eq!(gateway.ask(form).await.status, 200);
    }
    assert_eq!(gateway.upstream.seen().len(), 2);
    gateway.close().await;

    // An address that is nobody's: without the proxy it leads nowhere.
    let excepted = behind("http://192.0.2.1").set("NO_PROXY", "192.0.2.0/24,.example");
    let excepted = excepted.set("CONNECT_TIMEOUT_SECONDS", 0.05).set("MAX_RETRIES", 0);
    let gateway = excepted.set("HTTP_PROXY", proxy.url()).start().await;
    let reply = gateway.ask(Form::Chat).await;
    assert!(reply.status.is_server_error(), "{}", reply.text());
    gateway.close().await;

    assert!(proxy.seen().is_empty());
}

/// A gateway whose upstream is elsewhere.
fn behind(base_url: &str) -> Setup {
    Setup::default().set("GEMINI_API_BASE_URL", base_url).set("OPENAI_API_BASE_URL", base_url)
}

async fn close(gateway: Gateway) {
    for (_, view) in gateway.app().pool.views() {
        assert_eq!(view.word(), "active");
    }
    gateway.close().await;
}

/// A SOCKS 5 proxy that leads every connection to one place.
struct Socks {
    address: SocketAddr,
    /// The destinations it was told.
    asked_for: Arc<Mutex<Vec<String>>>,
    _listening: JoinSet<()>,
}

impl Socks {
    async fn start(upstream: SocketAddr, login: Option<(&'static str, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked_for = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked_for);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut inbound, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                connections.spawn(async move {
                    let destination = greet(&mut inbound, login).await;
                    noted.lock().push(destination);
                    let mut outbound = TcpStream::connect(upstream).await.unwrap();
                    // Either side may end it at any time.
                    let _ = tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await;
                });
            }
        });
        Self { address, asked_for, _listening: listening }
    }
}

/// Speaks RFC 1928, and RFC 1929 when there is a login; returns the destination.
async fn greet(stream: &mut TcpStream, login: Option<(&str, &str)>) -> String {
    let version = stream.read_u8().await.unwrap();
    let methods = read(stream).await;
    assert_eq!(version, 5);
    match login {
        None => stream.write_all(&[5, 0]).await.unwrap(),
        Some((user, password)) => {
            assert!(methods.contains(&2));
            stream.write_all(&[5, 2]).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), 1);
            assert_eq!(read(stream).await, user.as_bytes());
            assert_eq!(read(stream).await, password.as_bytes());
            stream.write_all(&[1, 0]).await.unwrap();
        }
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head, [5, 1, 0, 3], "CONNECT to a name");
    let host = String::from_utf8(read(stream).await).unwrap();
    let port = stream.read_u16().await.unwrap();
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    format!("{host}:{port}")
}

/// Reads a length and so many bytes.
async fn read(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_u8().await.unwrap();
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}
