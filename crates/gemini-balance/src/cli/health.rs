//! `gemini-balance health`: whether the gateway on this machine is alive, for a watcher that has
//! nothing else to ask with, such as a container without a shell.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::cli::{say, say_error};
use crate::config::Config;

/// Longest time for the whole question, connection and TLS included.
const WAIT_MAX: Duration = Duration::from_secs(4);
const QUESTION: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// How the answer of a living gateway begins.
const ALIVE: &[u8; 13] = b"HTTP/1.1 200 ";

pub(super) async fn run(config: &Config) -> ExitCode {
    let address = nearest(config.server.listen);
    let asking = ask(address, config.server.tls.is_some());
    match tokio::time::timeout(WAIT_MAX, asking).await {
        Ok(Ok(())) => {
            say(&format!("the gateway on {address} is alive"));
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => {
            say_error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
        Err(_) => {
            say_error(&format!("{address} did not answer within {} s", WAIT_MAX.as_secs()));
            ExitCode::FAILURE
        }
    }
}

/// Where this machine reaches what listens on an address.
fn nearest(listen: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = match listen {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let ip = if listen.ip().is_unspecified() { loopback } else { listen.ip() };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr, is_tls: bool) -> anyhow::Result<()> {
    anyhow::ensure!(address.port() != 0, "PORT is 0, so it is not known where the gateway listens");
    let nobody = || format!("no gateway listens on {address}");
    let stream = TcpStream::connect(address).await.with_context(nobody)?;
    let no_answer = || format!("{address} gave no answer");
    let start = if is_tls {
        let connector = TlsConnector::from(whoever_answers()?);
        let stream = connector.connect(ServerName::from(address.ip()), stream).await;
        exchange(stream.with_context(|| format!("no TLS with {address}"))?).await
    } else {
        exchange(stream).await
    }
    .with_context(no_answer)?;
    anyhow::ensure!(&start == ALIVE, "{address} answers, but not as a gateway does");
    Ok(())
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<[u8; 13]> {
    stream.write_all(QUESTION).await?;
    stream.flush().await?;
    let mut start = [0; ALIVE.len()];
    stream.read_exact(&mut start).await?;
    Ok(start)
}

/// TLS that takes any certificate. The gateway's own is for the name by which callers know it,
/// which nobody need say here; and what is asked is no secret, nor is the answer believed beyond
/// that something answers.
fn whoever_answers() -> anyhow::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Whoever(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Holds a peer to the key of its certificate and to no name.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_asked_on_this_machine() {
        check("0.0.0.0:8090", "127.0.0.1:8090");
        check("[::]:8443", "[::1]:8443");
        check("192.0.2.7:80", "192.0.2.7:80");
    }

    fn check(listen: &str, expected: &str) {
        assert_eq!(nearest(listen.parse().unwrap()).to_string(), expected);
    }
}
