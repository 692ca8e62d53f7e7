//! The address of an upstream: scheme, host, port and the path in front of every request's own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;

use crate::config::network::Reach;
use crate::config::reader::Kind;

pub(super) const BASE_URL: Kind<BaseUrl> =
    Kind { form: "URL, http or https", parse: |text| text.parse() };

/// Where an upstream's paths begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Whether the connection is TLS.
    pub is_https: bool,
    /// A name in lower case, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port, also when it is the scheme's own.
    pub port: u16,
    /// Empty, or a slash and what follows, without a slash at the end.
    pub path: String,
}

impl BaseUrl {
    /// An `https` base without a port of its own.
    pub(super) fn https(host: &str, path: &str) -> Self {
        Self { is_https: true, host: host.to_owned(), port: 443, path: path.to_owned() }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let problem = "must be a URL such as https://host/path, without user, query or fragment";
        let uri: Uri = text.parse().map_err(|_| problem)?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err(problem.to_owned()),
        };
        let authority = uri.authority().ok_or(problem)?;
        if authority.as_str().contains('@') || text.contains(['?', '#']) {
            return Err(problem.to_owned());
        }
        let host = written_host(authority)?;
        let own_port = if is_https { 443 } else { 80 };
        let port = written_port(authority)?.unwrap_or(own_port);
        Ok(Self { is_https, host, port, path: uri.path().trim_end_matches('/').to_owned() })
    }

    /// Host and port as they stand in a `Host` header: the port only when it is not the scheme's.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            Ok(IpAddr::V4(_)) | Err(_) => self.host.clone(),
        };
        let own_port = if self.is_https { 443 } else { 80 };
        if self.port == own_port { host } else { format!("{host}:{}", self.port) }
    }

    /// The address, when the host is one and needs no name service.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        if self.host == "localhost" || self.host.ends_with(".localhost") {
            return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        self.host.parse().ok()
    }

    /// What is wrong with connecting there, as far as the URL itself tells. Names are looked up
    /// later; then [`Reach`] is asked about what they resolve to.
    pub(super) fn problem(&self, reach: Reach) -> Option<&'static str> {
        const NEVER: &str = "points to a link-local or metadata address; that is never allowed";
        // A name is the same with the dot of the root behind it.
        if self.host.trim_end_matches('.') == "metadata.google.internal" {
            return Some(NEVER);
        }
        let address = self.address()?;
        match (reach.allows(address), Reach::Private.allows(address)) {
            (true, _) => None,
            (false, true) => Some(
                "points to a private address; set UPSTREAM_ALLOW_PRIVATE=true if that is meant",
            ),
            (false, false) => Some(NEVER),
        }
    }
}

/// The host written in an authority: a name in lower case, or an address without its brackets. The
/// parser of the authority itself lets characters pass that no host has.
pub(super) fn written_host(authority: &Authority) -> Result<String, String> {
    let host = authority.host();
    let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(Ok(address)) = in_brackets.map(str::parse::<Ipv6Addr>) {
        return Ok(address.to_string());
    }
    let is_of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_of_a_name) {
        return Err("has a host that is neither a name nor an address".to_owned());
    }
    Ok(host.to_lowercase())
}

/// The port written in an authority without a user, if there is one. The parser of the authority
/// itself lets a wrong one pass as none.
pub(super) fn written_port(authority: &Authority) -> Result<Option<u16>, String> {
    match authority.as_str().strip_prefix(authority.host()) {
        Some("") => Ok(None),
        Some(_) | None => match authority.port_u16() {
            Some(0) | None => Err("has a port that is none; it must be 1 to 65535".to_owned()),
            Some(port) => Ok(Some(port)),
        },
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart_and_written_back() {
        for (text, written) in [
            ("https://generativelanguage.googleapis.com", None),
            ("https://Example.ORG/", Some("https://example.org")),
            ("https://example.org:443/v1beta/openai/", Some("https://example.org/v1beta/openai")),
            ("http://example.org:8080/a/b", None),
            ("http://[2001:db8::1]:8080/a", None),
            ("http://[2001:db8::1]", None),
            ("http://[2001:DB8:0:0::1]", Some("http://[2001:db8::1]")),
        ] {
            let base_url = BaseUrl::parse(text).unwrap();

            assert_eq!(base_url.to_string(), written.unwrap_or(text));
        }
        let base_url = BaseUrl::parse("http://[2001:db8::1]:8080/a").unwrap();
        assert_eq!((base_url.host.as_str(), base_url.port), ("2001:db8::1", 8080));
    }

    #[test]
    fn what_is_no_plain_base_url_is_refused() {
        for text in [
            "",
            "example.org",
            "/path",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://user:password@example.org",
            "https://example.org/?key=1",
            "https://example.org/#x",
            "https://example.org:0",
            "https://example.org:99999",
            "https://example.org:",
            "https://",
            "https://exa mple.org",
            "http://[::ffff:05.0.0.1]",
            "http://[fe80::1%25eth0]",
            "http://[example.org]",
            "http://exam[ple.org",
            "http://exam%41ple.org",
        ] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn private_hosts_need_permission_and_metadata_hosts_get_none() {
        check("https://example.org", [true, true]);
        check("http://127.0.0.1:8080", [false, true]);
        check("http://localhost", [false, true]);
        check("http://api.localhost", [false, true]);
        check("http://192.168.1.2", [false, true]);
        check("http://[::1]", [false, true]);
        check("http://169.254.169.254", [false, false]);
        check("http://metadata.google.internal", [false, false]);
        check("http://metadata.google.internal.", [false, false]);
        check("http://[fe80::1]", [false, false]);
    }

    fn check(text: &str, is_allowed: [bool; 2]) {
        let base_url = BaseUrl::parse(text).unwrap();
        let allowed =
            [Reach::Public, Reach::Private].map(|reach| base_url.problem(reach).is_none());

        assert_eq!(allowed, is_allowed, "{text}");
    }
}
