//! Nothing leads elsewhere: neither what a caller writes nor what the upstream answers; and an
//! upstream that cannot be reached is given up in time, and no key is blamed for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use fake_upstream::{Answer, Upstream, When};
use http::Method;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::support::{Form, Gateway, Setup, together};

const KEYS: [&str; 4] = ["service-key-1", "service-key-2", "service-key-3", "service-key-4"];
const ONLY: &str = "the-only-service-key";

#[tokio::test(flavor = "multi_thread")]
async fn no_address_in_a_request_is_ever_connected_to() {
    let elsewhere = Upstream::start().await.unwrap();
    let gateway = Gateway::start().await;
    let url = elsewhere.url();
    let host = elsewhere.address().to_string();

    for form in Form::ALL.into_iter().filter(|form| *form != Form::ChatStream) {
        gateway.upstream.clear_seen();
        let mut client = gateway.client(form).with("content-type", "application/json");
        for name in ["api-base", "base-url", "host", "proxy", "endpoint"] {
            for maker in ["openai", "gemini", "google", "forwarded", "upstream"] {
                client = client.with(&format!("x-{maker}-{name}"), &url);
            }
        }
        let names = ["api_base", "base_url", "host", "endpoint", "proxy", "url"];
        let query: String = names.iter().map(|name| format!("&{name}={host}")).collect();
        let separator = if form.path().contains('?') { "" } else { "?" };
        let path = format!("{}{separator}{query}", form.path());
        let body = with_addresses(form, &url);
        let reply = client.send(Method::POST, &path, body.clone()).await;

        assert_eq!(reply.status, 200, "{form:?}: {}", reply.text());
        let seen = gateway.upstream.seen();
        assert_eq!((seen.len(), seen[0].body.as_ref()), (1, body.as_bytes()));
        assert_eq!(seen[0].header("host").unwrap(), gateway.upstream.address().to_string());
    }
    assert_was_left_alone(&elsewhere);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_blames_no_key() {
    let elsewhere = Upstream::start().await.unwrap();
    let gateway = Setup::default().keys([ONLY]).start().await;

    for code in [301, 302, 303, 307, 308] {
        gateway.upstream.on(When::any(), Answer::redirect(code, format!("{}/x", elsewhere.url())));
        for form in Form::ALL {
            gateway.upstream.clear_seen();
            let reply = gateway.ask(form).await;

            gateway.assert_error(&reply, form.dialect(), 502, "upstream_fault");
            assert!(!reply.text().contains(&elsewhere.address().to_string()));
            assert!(reply.header("location").is_empty());
            assert_eq!(gateway.upstream.seen().len(), 3);
            assert_eq!(gateway.buckets_of(ONLY), [], "{code} {form:?}");
        }
    }
    assert_was_left_alone(&elsewhere);
    gateway.upstream.clear();
    assert_eq!(gateway.ask(Form::Chat).await.status, 200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_headers_than_are_read_are_an_answer_that_cannot_be_used() {
    let gateway = Setup::default().keys(KEYS).start().await;
    gateway.upstream.on(When::any(), Answer::huge_headers(200));

    for form in Form::ALL {
        let reply = gateway.ask(form).await;

        gateway.assert_error(&reply, form.dialect(), 502, "upstream_fault");
        let row = gateway.final_rows().await.pop().unwrap();
        assert_eq!(row.error_kind.as_deref(), Some("protocol_error"));
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_cannot_be_reached_is_given_up_in_time() {
    let unused = Upstream::start().await.unwrap();
    let refusing = unused.address();
    unused.stop().await;
    let hole = BlackHole::dig();
    let name = "x".repeat(70);
    let cases = [
        ("refused", format!("http://{refusing}"), 502, "upstream_fault", "connect_error"),
        ("no name", format!("http://{name}.invalid"), 502, "upstream_fault", "connect_error"),
        ("hole", format!("http://{}", hole.address), 504, "upstream_timeout", "connect_timeout"),
    ];

    together(cases.map(async |(what, url, status, code, kind)| {
        let limit = Duration::from_millis(300);
        let gateway = Setup::default()
            .keys([ONLY])
            .set("GEMINI_API_BASE_URL", &url)
            .set("OPENAI_API_BASE_URL", &url)
            .set("CONNECT_TIMEOUT_SECONDS", limit.as_secs_f64())
            .start()
            .await;
        for form in Form::ALL {
            let began = Instant::now();
            let reply = gateway.ask(form).await;
            let took = began.elapsed();

            gateway.assert_error(&reply, form.dialect(), status, code);
            assert!(!reply.text().contains("invalid") && !reply.text().contains("127.0.0.1"));
            assert!(took < 3 * limit + Duration::from_secs(2), "{what}: {took:?}");
            let rows = gateway.rows().await;
            let is_alike = |row: &_| error_kind(row) == Some(kind);
            assert!(rows.iter().rev().take(3).all(is_alike), "{what}: {rows:?}");
            let state = (gateway.state_of(ONLY), gateway.buckets_of(ONLY));
            assert_eq!(state, ("active".to_owned(), vec![]), "{what}: the key was never shown");
        }
        gateway.close().await;
    }))
    .await;
}

fn error_kind(row: &gemini_balance::store::log_pages::LogEntry) -> Option<&str> {
    row.error_kind.as_deref()
}

/// A body full of addresses, as no serializer would write it.
fn with_addresses(form: Form, url: &str) -> String {
    let body = form.body("hello").to_string();
    let addresses = ["file:///etc/passwd", "gopher://127.0.0.1:70/x", "http://169.254.169.254/", url]
        .map(|address| {
            format!(
                r#"{{"image_url" : {{"url":"{address}"}},"fileData":{{"fileUri":"{address}"}},"tools":[{{"url":"{address}","server_url":"{address}"}}]}}"#
            )
        })
        .join(",");
    format!(r#"{{"api_base":"{url}", "base_url":"{url}","x_all":[{addresses}],{}"#, &body[1..])
}

/// Checks that nobody has as much as knocked.
fn assert_was_left_alone(elsewhere: &Upstream) {
    assert_eq!((elsewhere.open_connections(), elsewhere.seen().len()), (0, 0));
}

/// A port where connections are neither accepted nor refused: its queue is full.
struct BlackHole {
    address: SocketAddr,
    _listener: Socket,
    _queued: Vec<Socket>,
}

impl BlackHole {
    fn dig() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let queued = (0..8).map(|_| knock(&address.into())).collect();
        Self { address, _listener: listener, _queued: queued }
    }
}

fn knock(address: &SockAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    // Under way for ever once the queue is full.
    let _ = socket.connect(address);
    socket
}
