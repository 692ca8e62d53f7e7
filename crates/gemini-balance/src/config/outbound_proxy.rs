//! The proxy on the way to the upstream, as `HTTP_PROXY` and its kin name it.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use http::uri::Authority;
use percent_encoding::percent_decode_str;

use crate::config::base_url::{self, BaseUrl};
use crate::config::network::Network;
use crate::config::reader::Kind;
use crate::secret::Secret;

pub(super) const PROXY_URL: Kind<ProxyUrl> =
    Kind { form: "URL, http, socks5 or socks5h", parse: |text| text.parse() };

pub(super) const NO_PROXY: Kind<NoProxy> = Kind {
    form: "domains, addresses, networks or *",
    parse: |text| text.parse().map_err(|never: Infallible| match never {}),
};

/// Which proxy is for which upstream.
#[derive(Clone, Debug, Default)]
pub struct OutboundProxy {
    /// For `http` upstreams.
    pub http: Option<ProxyUrl>,
    /// For `https` upstreams.
    pub https: Option<ProxyUrl>,
    /// Who is connected to directly.
    pub bypass: Vec<NoProxy>,
}

impl OutboundProxy {
    /// The proxy to take to `upstream`. This machine itself is never reached through one.
    #[must_use]
    pub fn towards(&self, upstream: &BaseUrl) -> Option<&ProxyUrl> {
        let is_local = upstream.address().is_some_and(|address| address.is_loopback());
        if is_local || self.bypass.iter().any(|rule| rule.matches(upstream)) {
            return None;
        }
        if upstream.is_https { self.https.as_ref() } else { self.http.as_ref() }
    }
}

/// A proxy and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUrl {
    /// Its protocol.
    pub scheme: ProxyScheme,
    /// A name in lower case, or an address; IPv6 without brackets.
    pub host: String,
    /// Its port, also when it is the scheme's own.
    pub port: u16,
    /// User and password, when it asks for them. The user is often a token, without a password.
    pub credentials: Option<(Secret, Secret)>,
}

/// The protocols of proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyScheme {
    /// `CONNECT` over plain HTTP.
    Http,
    /// SOCKS 5; we resolve names.
    Socks5,
    /// SOCKS 5; the proxy resolves names.
    Socks5h,
}

impl ProxyUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let problem = "must be http://host:port, socks5://host:port or socks5h://host:port";
        // curl and others take a bare host and port for an HTTP proxy.
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let (scheme, own_port) = match scheme.to_lowercase().as_str() {
            "http" => (ProxyScheme::Http, 80),
            "socks5" => (ProxyScheme::Socks5, 1080),
            "socks5h" => (ProxyScheme::Socks5h, 1080),
            _ => return Err(problem.to_owned()),
        };
        let authority = rest.trim_end_matches('/');
        let (user_info, address) = match authority.rsplit_once('@') {
            Some((user_info, address)) => (Some(user_info), address),
            None => (None, authority),
        };
        let address: Authority = address.parse().map_err(|_| problem)?;
        let host = base_url::written_host(&address)?;
        let port = base_url::written_port(&address)?.unwrap_or(own_port);
        let credentials = user_info.map(credentials).transpose()?;
        Ok(Self { scheme, host, port, credentials })
    }
}

fn credentials(user_info: &str) -> Result<(Secret, Secret), String> {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let decoded = |text| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map_err(|_| "must have its user and password percent-encoded as UTF-8".to_owned())
    };
    Ok((Secret::new(decoded(user)?), Secret::new(decoded(password)?)))
}

impl FromStr for ProxyUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            ProxyScheme::Http => "http",
            ProxyScheme::Socks5 => "socks5",
            ProxyScheme::Socks5h => "socks5h",
        };
        let credentials = if self.credentials.is_some() { "[secret]@" } else { "" };
        let host = &self.host;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        write!(f, "{scheme}://{credentials}{host}:{}", self.port)
    }
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoProxy {
    /// Everything.
    All,
    /// This name and all below it.
    Domain(String),
    /// Upstreams whose host is an address in it.
    Network(Network),
}

impl NoProxy {
    fn matches(&self, upstream: &BaseUrl) -> bool {
        match self {
            Self::All => true,
            Self::Domain(domain) => upstream
                .host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            Self::Network(network) => {
                upstream.address().is_some_and(|address| network.contains(address))
            }
        }
    }
}

/// Other programs share this variable and differ in what they accept, so nothing is refused: what
/// fits no host just never matches.
impl FromStr for NoProxy {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        // A port narrows the rule in some programs; here the rule is for the host.
        let host = text.split(':').next().unwrap_or_default();
        if host == "*" {
            return Ok(Self::All);
        }
        let domain = host.trim_start_matches("*.").trim_start_matches('.').to_lowercase();
        Ok(Self::Domain(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read_as_people_write_them() {
        check_parse("http://proxy.example:3128", ("http://proxy.example:3128", None));
        check_parse("proxy.example:3128", ("http://proxy.example:3128", None));
        check_parse("http://proxy.example/", ("http://proxy.example:80", None));
        check_parse("socks5://10.0.0.1", ("socks5://10.0.0.1:1080", None));
        check_parse("SOCKS5H://[::1]:9050", ("socks5h://[::1]:9050", None));
        check_parse(
            "http://user:p%40ss@proxy.example:1",
            ("http://[secret]@proxy.example:1", Some(("user", "p@ss"))),
        );
        check_parse(
            "http://user@proxy.example:1",
            ("http://[secret]@proxy.example:1", Some(("user", ""))),
        );
    }

    #[test]
    fn neither_the_user_nor_the_password_of_a_proxy_is_shown() {
        let proxy = ProxyUrl::parse("http://canary:canary@proxy.example:1").unwrap();

        assert!(!format!("{proxy} {proxy:?}").contains("canary"));
    }

    #[test]
    fn what_is_no_proxy_is_refused() {
        for text in [
            "",
            "https://proxy.example",
            "socks4://x",
            "http://",
            "http://x:0",
            "http://x:y",
            "http://x:99999",
            "http://[x]:1",
            "http://x[fe80:1",
        ] {
            assert!(ProxyUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_scheme_has_its_proxy_and_some_hosts_have_none() {
        let proxy = OutboundProxy {
            http: Some(ProxyUrl::parse("http://one:1").unwrap()),
            https: Some(ProxyUrl::parse("http://two:2").unwrap()),
            bypass: [".corp.example", "*.lan", "10.0.0.0/8", "host.example:8080"]
                .map(|rule| rule.parse().unwrap())
                .into(),
        };

        for (upstream, expected) in [
            ("http://example.org", Some("one")),
            ("https://example.org", Some("two")),
            ("https://corp.example", None),
            ("https://api.corp.example", None),
            ("https://mycorp.example", Some("two")),
            ("https://nas.lan", None),
            ("https://10.1.2.3", None),
            ("https://host.example:9090", None),
            ("http://127.0.0.1:8080", None),
            ("http://localhost:8080", None),
        ] {
            let base_url = (base_url::BASE_URL.parse)(upstream).unwrap();
            let host = proxy.towards(&base_url).map(|proxy| proxy.host.as_str());
            assert_eq!(host, expected, "{upstream}");
        }
    }

    #[test]
    fn a_star_switches_every_proxy_off() {
        let proxy = OutboundProxy {
            https: Some(ProxyUrl::parse("http://two:2").unwrap()),
            bypass: vec!["*".parse().unwrap()],
            ..OutboundProxy::default()
        };

        assert!(proxy.towards(&BaseUrl::https("example.org", "")).is_none());
    }

    fn check_parse(text: &str, (shown, credentials): (&str, Option<(&str, &str)>)) {
        let proxy = ProxyUrl::parse(text).unwrap();

        assert_eq!(proxy.to_string(), shown);
        let expected =
            credentials.map(|(user, password)| (Secret::new(user), Secret::new(password)));
        assert_eq!(proxy.credentials, expected);
    }
}
