//! An upstream behind TLS: only a certificate that is right in every way is let through, and what
//! is wrong is no key's fault.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use fake_upstream::Upstream;
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::support::{Form, Gateway, Setup, together};

const KEYS: [&str; 4] = ["service-key-1", "service-key-2", "service-key-3", "service-key-4"];

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_trusted_authority_is_let_through() {
    let upstream = Upstream::start().await.unwrap();
    let authority = Authority::new();
    let door = Door::open(upstream.address(), authority.vouch_for(&["localhost"])).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = behind(&door, &authority.file_in(directory.path())).start().await;

    for form in Form::ALL {
        let reply = gateway.ask(form).await;

        assert_eq!((reply.status.as_u16(), reply.is_cut), (200, false), "{form:?}");
        assert!(gateway.final_rows().await.pop().unwrap().is_success);
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), Form::ALL.len());
    assert_eq!(seen[0].header("host"), Some(format!("localhost:{}", door.address.port()).as_str()));
    assert!(seen.iter().any(|one| one.request_on_connection > 0), "connections are used again");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_wrong_in_any_way_fails_closed() {
    let mut expired = params(&["localhost"]);
    (expired.not_before, expired.not_after) =
        (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let mut early = params(&["localhost"]);
    (early.not_before, early.not_after) = (date_time_ymd(2099, 1, 1), date_time_ymd(2100, 1, 1));
    let authority = Authority::new();
    let wrong = [
        ("of another name", authority.vouch_for(&["upstream.test", "127.0.0.1"])),
        ("expired", authority.sign(&expired)),
        ("not valid yet", authority.sign(&early)),
        ("of an unknown authority", Authority::new().vouch_for(&["localhost"])),
        ("signed by itself", Identity::signed_by_itself(&["localhost"])),
    ];
    let directory = tempfile::tempdir().unwrap();
    let file = authority.file_in(directory.path());

    let check = async |(what, identity)| {
        let upstream = Upstream::start().await.unwrap();
        let door = Door::open(upstream.address(), identity).await;
        let gateway = behind(&door, &file).start().await;
        for form in Form::ALL {
            check_refused(&gateway, form, 502, "upstream_fault", "tls_error").await;
        }
        assert!(upstream.seen().is_empty(), "a certificate {what} was accepted");
        assert_nothing_was_said(&door);
        gateway.close().await;
    };
    together(wrong.map(check)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_stands_still_ends_with_the_time_to_connect() {
    let door = Door::that_says_nothing().await;
    let directory = tempfile::tempdir().unwrap();
    let file = Authority::new().file_in(directory.path());
    let gateway = behind(&door, &file).set("CONNECT_TIMEOUT_SECONDS", 0.2).start().await;

    for form in [Form::Chat, Form::GenerateStream] {
        check_refused(&gateway, form, 504, "upstream_timeout", "connect_timeout").await;
    }
    assert_nothing_was_said(&door);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_on_the_tls_port_fails_closed() {
    let plain = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = Authority::new().file_in(directory.path());
    let door = Door { address: plain.address(), heard: Arc::default(), _listening: JoinSet::new() };
    let gateway = behind(&door, &file).start().await;

    for form in Form::ALL {
        check_refused(&gateway, form, 502, "upstream_fault", "tls_error").await;
    }
    assert!(plain.seen().is_empty(), "no downgrade");
    gateway.close().await;
}

/// Asks for what cannot be had, and checks what the caller is told, the log and the keys.
async fn check_refused(gateway: &Gateway, form: Form, status: u16, code: &str, kind: &str) {
    let reply = gateway.ask(form).await;

    gateway.assert_error(&reply, form.dialect(), status, code);
    for word in ["localhost", "certificate", "tls", "handshake"] {
        assert!(!reply.text().to_lowercase().contains(word), "{}", reply.text());
    }
    let rows = gateway.rows().await;
    let tries: Vec<_> = rows.iter().rev().take(3).map(|row| row.error_kind.as_deref()).collect();
    assert_eq!(tries, [Some(kind); 3], "{form:?}");
    for key in KEYS {
        assert_eq!((gateway.state_of(key), gateway.buckets_of(key)), ("active".to_owned(), vec![]));
    }
}

/// Checks that whoever listened got nothing but the beginnings of handshakes.
fn assert_nothing_was_said(door: &Door) {
    let heard = door.heard.lock();
    assert!(!heard.is_empty());
    for bytes in heard.iter() {
        assert_eq!(bytes.first(), Some(&HANDSHAKE), "no downgrade");
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("service-key") && !text.contains("HTTP/1.1"), "{text}");
    }
}

/// The first byte of a TLS record that holds a handshake message (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// A gateway whose upstream is behind this door.
fn behind(door: &Door, authorities: &str) -> Setup {
    let url = format!("https://localhost:{}", door.address.port());
    Setup::default()
        .keys(KEYS)
        .set("WORKERS", 1)
        .set("GEMINI_API_BASE_URL", &url)
        .set("OPENAI_API_BASE_URL", format!("{url}/v1beta/openai"))
        .set("UPSTREAM_CA_FILE", authorities)
}

/// A server that speaks TLS and hands on what it hears.
struct Door {
    address: SocketAddr,
    /// The first bytes of each connection, as they came.
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    _listening: JoinSet<()>,
}

impl Door {
    async fn open(upstream: SocketAddr, identity: Identity) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate], identity.key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::answering(move |inbound| lead(inbound, upstream, acceptor.clone())).await
    }

    async fn that_says_nothing() -> Self {
        Self::answering(async |mut inbound: TcpStream| {
            // Until the other side leaves.
            let _ = inbound.read_to_end(&mut Vec::new()).await;
        })
        .await
    }

    async fn answering<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let noted = Arc::clone(&heard);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((inbound, _)) = listener.accept().await {
                let mut first = [0; 4096];
                let length = inbound.peek(&mut first).await.unwrap_or_default();
                noted.lock().push(first[..length].to_vec());
                connections.spawn(answer(inbound));
            }
        });
        Self { address, heard, _listening: listening }
    }
}

async fn lead(inbound: TcpStream, upstream: SocketAddr, acceptor: TlsAcceptor) {
    // A caller who does not like the certificate leaves.
    let Ok(mut inbound) = acceptor.accept(inbound).await else { return };
    let mut outbound = TcpStream::connect(upstream).await.unwrap();
    // Either side may end it at any time.
    let _ = tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await;
}

/// Who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// What a server shows.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Writes a file that makes a gateway trust it.
    fn file_in(&self, directory: &Path) -> String {
        let path = directory.join("authorities.pem");
        std::fs::write(&path, &self.certificate).unwrap();
        path.display().to_string()
    }

    fn vouch_for(&self, names: &[&str]) -> Identity {
        self.sign(&params(names))
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity::new(certificate.der().clone(), &key)
    }
}

impl Identity {
    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self { certificate, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }

    fn signed_by_itself(names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names).self_signed(&key).unwrap();
        Self::new(certificate.der().clone(), &key)
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}
