//! Making one connection: name, TCP, proxy and TLS within one time limit.
//!
//! Certificates are checked against the bundled Mozilla roots and the authorities that the
//! configuration adds; there is no way to switch the check off.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tower_service::Service;

use crate::config::network::Reach;
use crate::config::outbound_proxy::ProxyScheme;
use crate::upstream::endpoint::{Endpoint, Proxy, bracketed};
use crate::upstream::resolve::Resolver;

/// How long a connection may be silent before the system asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A connection to an upstream, in clear or in TLS.
pub type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;
/// The error an underlying connector reports.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why no connection to an upstream could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not within the connect time limit.
    #[error("connecting took longer than the limit")]
    Timeout,
    /// The name did not resolve, or the host refused.
    #[error("could not connect")]
    Tcp(#[source] BoxError),
    /// The outbound proxy refused or is not what the settings say.
    #[error("the outbound proxy did not connect")]
    Proxy(#[source] BoxError),
    /// The TLS handshake failed: wrong name, expired, unknown authority, or no TLS at all.
    #[error("the TLS handshake failed")]
    Tls(#[source] std::io::Error),
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Dialer {
    direct: HttpConnector<Resolver>,
    to_proxy: HttpConnector,
    tls: TlsConnector,
    timeout: Duration,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Dialer {
    pub(super) fn new(tls: Arc<ClientConfig>, reach: Reach, timeout: Duration) -> Self {
        Self {
            direct: tuned(HttpConnector::new_with_resolver(Resolver::new(reach))),
            to_proxy: tuned(HttpConnector::new()),
            tls: TlsConnector::from(tls),
            timeout,
        }
    }

    /// Connects to an endpoint the way its settings say.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], at the latest when the time limit has passed.
    pub(super) async fn dial(&self, endpoint: &Endpoint) -> Result<Stream, ConnectError> {
        tokio::time::timeout(self.timeout, self.dial_unlimited(endpoint))
            .await
            .map_err(|_| ConnectError::Timeout)?
    }

    async fn dial_unlimited(&self, endpoint: &Endpoint) -> Result<Stream, ConnectError> {
        let stream = self.tcp(endpoint).await?;
        if !endpoint.base().is_https {
            return Ok(Either::Left(stream));
        }
        let name = ServerName::try_from(endpoint.base().host.clone())
            .map_err(|error| ConnectError::Tls(std::io::Error::other(error)))?;
        Ok(Either::Right(Box::new(self.secure(name, stream).await?)))
    }

    /// The TLS handshake on a connection in clear.
    pub(super) async fn secure(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        self.tls.connect(name, stream).await.map_err(ConnectError::Tls)
    }

    async fn tcp(&self, endpoint: &Endpoint) -> Result<TcpStream, ConnectError> {
        let (host, port) = (bracketed(&endpoint.base().host), endpoint.base().port);
        let destination: Uri = format!("http://{host}:{port}")
            .parse()
            .map_err(|error: http::uri::InvalidUri| ConnectError::Tcp(error.into()))?;
        let Some(proxy) = endpoint.proxy() else {
            let mut direct = self.direct.clone();
            let stream = direct.call(destination).await;
            return Ok(stream.map_err(|error| ConnectError::Tcp(error.into()))?.into_inner());
        };
        let connected = if endpoint.is_forwarded() {
            let mut to_proxy = self.to_proxy.clone();
            to_proxy.call(proxy.uri.clone()).await.map_err(BoxError::from)
        } else {
            self.through(proxy, destination).await
        };
        Ok(connected.map_err(ConnectError::Proxy)?.into_inner())
    }

    async fn through(
        &self,
        proxy: &Proxy,
        destination: Uri,
    ) -> Result<TokioIo<TcpStream>, BoxError> {
        let (uri, to_proxy) = (proxy.uri.clone(), self.to_proxy.clone());
        match proxy.scheme {
            ProxyScheme::Http => {
                let mut tunnel = Tunnel::new(uri, to_proxy);
                if let Some(authorization) = &proxy.authorization {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                Ok(tunnel.call(destination).await?)
            }
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => {
                let is_dns_local = proxy.scheme == ProxyScheme::Socks5;
                let mut socks = SocksV5::new(uri, to_proxy).local_dns(is_dns_local);
                if let Some((user, password)) = &proxy.login {
                    socks = socks.with_auth(user.expose().to_owned(), password.expose().to_owned());
                }
                Ok(socks.call(destination).await?)
            }
        }
    }
}

/// A TCP connector that sends small pieces at once and notices a peer that is gone.
fn tuned<R>(mut connector: HttpConnector<R>) -> HttpConnector<R> {
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    connector
}

/// The TLS settings for the way out: bundled roots plus the authorities of a PEM file.
///
/// # Errors
///
/// A file that cannot be read or holds no usable certificate, in words that name it.
pub fn tls_config(ca_file: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        let unusable =
            || format!("UPSTREAM_CA_FILE {} holds no usable certificate", path.display());
        for authority in CertificateDer::pem_file_iter(path).with_context(unusable)? {
            roots.add(authority.with_context(unusable)?).with_context(unusable)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
