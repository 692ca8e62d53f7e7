//! Where requests go: the two base URLs, and the outbound proxy on the way to each.
//!
//! Endpoints come from the configuration alone. Nothing in a request can change a destination,
//! and no redirect is ever followed.

use std::borrow::Cow;

use base64::Engine;
use dialect::Dialect;
use http::{HeaderValue, Uri};

use crate::config::base_url::BaseUrl;
use crate::config::outbound_proxy::{OutboundProxy, ProxyScheme, ProxyUrl};
use crate::secret::Secret;

/// The upstream of each dialect.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// Where OpenAI-style requests go.
    pub openai: Endpoint,
    /// Where Gemini-style requests go.
    pub gemini: Endpoint,
}

impl Endpoints {
    /// The upstream that speaks `dialect`.
    pub fn of(&self, dialect: Dialect) -> &Endpoint {
        match dialect {
            Dialect::OpenAi => &self.openai,
            Dialect::Gemini => &self.gemini,
        }
    }
}

/// One base URL and the way to it, prepared once.
#[derive(Debug, Clone)]
pub struct Endpoint {
    base: BaseUrl,
    host_header: HeaderValue,
    proxy: Option<Proxy>,
}

/// An outbound proxy.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    /// Where it listens, as the connectors want it.
    pub(super) uri: Uri,
    pub(super) scheme: ProxyScheme,
    pub(super) login: Option<(Secret, Secret)>,
    /// The header for an HTTP proxy that wants a login.
    pub(super) authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// Prepares an endpoint, with the proxy that the settings choose for it.
    ///
    /// # Errors
    ///
    /// A host that no header can carry; the settings have refused most of them before.
    pub fn new(base: &BaseUrl, proxies: &OutboundProxy) -> Result<Self, http::Error> {
        Ok(Self {
            host_header: HeaderValue::from_str(&base.authority())?,
            proxy: proxies.towards(base).map(Proxy::new).transpose()?,
            base: base.clone(),
        })
    }

    pub(super) fn base(&self) -> &BaseUrl {
        &self.base
    }

    pub(super) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    pub(super) fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// Whether an HTTP proxy is handed whole URLs, as is done for `http` upstreams.
    pub(super) fn is_forwarded(&self) -> bool {
        let is_http_proxy = |proxy: &Proxy| proxy.scheme == ProxyScheme::Http;
        !self.base.is_https && self.proxy.as_ref().is_some_and(is_http_proxy)
    }

    /// The request target: origin form, or the whole URL for a forwarding proxy.
    pub(super) fn target(&self, path_and_query: &str) -> String {
        let path = &self.base.path;
        if self.is_forwarded() {
            format!("http://{}{path}{path_and_query}", self.base.authority())
        } else {
            [path, path_and_query].concat()
        }
    }

    /// The value of `proxy-authorization` that a forwarding proxy wants on each request.
    pub(super) fn proxy_authorization(&self) -> Option<&HeaderValue> {
        let proxy = self.proxy.as_ref().filter(|_| self.is_forwarded())?;
        proxy.authorization.as_ref()
    }
}

impl Proxy {
    fn new(url: &ProxyUrl) -> Result<Self, http::Error> {
        let host = bracketed(&url.host);
        Ok(Self {
            uri: format!("http://{host}:{}", url.port).parse::<Uri>()?,
            scheme: url.scheme,
            authorization: url.credentials.as_ref().map(basic).transpose()?,
            login: url.credentials.clone(),
        })
    }
}

fn basic((user, password): &(Secret, Secret)) -> Result<HeaderValue, http::Error> {
    let login = format!("{}:{}", user.expose(), password.expose());
    let token = base64::engine::general_purpose::STANDARD.encode(login);
    let mut value = HeaderValue::from_str(&format!("Basic {token}"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A host as it stands in a URL: an IPv6 address in brackets.
pub(super) fn bracketed(host: &str) -> Cow<'_, str> {
    if host.contains(':') { format!("[{host}]").into() } else { host.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// The endpoint that settings lead to.
    fn endpoint(base: &str, proxies: &[(&str, &str)]) -> Endpoint {
        let settings = [("OPENAI_API_BASE_URL", base)].into_iter().chain(proxies.iter().copied());
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let directory = tempfile::tempdir().unwrap();
        let upstream = Config::load(settings, directory.path()).unwrap().upstream;
        Endpoint::new(&upstream.openai, &upstream.proxy).unwrap()
    }

    #[test]
    fn a_base_path_stands_before_the_path_once() {
        let direct = endpoint("https://example.org/v1beta/openai/", &[]);

        assert_eq!(direct.target("/chat/completions?x=1"), "/v1beta/openai/chat/completions?x=1");
        assert!(direct.proxy().is_none());
    }

    #[test]
    fn a_forwarding_proxy_is_handed_the_whole_url() {
        let proxies = [("HTTP_PROXY", "http://user:pass@proxy:3128")];

        let forwarded = endpoint("http://example.org:8080/base", &proxies);

        assert_eq!(forwarded.target("/x"), "http://example.org:8080/base/x");
        assert_eq!(forwarded.proxy_authorization().unwrap(), "Basic dXNlcjpwYXNz");
    }

    #[test]
    fn a_tls_upstream_is_tunnelled_to_and_its_proxy_sees_no_header() {
        let proxies = [("HTTPS_PROXY", "http://user:pass@proxy:3128")];

        let tunnelled = endpoint("https://example.org", &proxies);

        assert_eq!(tunnelled.target("/x"), "/x");
        assert!(tunnelled.proxy_authorization().is_none());
        assert!(tunnelled.proxy().is_some());
    }
}
