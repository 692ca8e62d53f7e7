//! How the gateway is reached from outside, for the addresses that it hands out.

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

use crate::config::network::Network;
use crate::origin::Origin;

/// Scheme, host and the path that a proxy in front has taken off, as the caller wrote them: what
/// trusted proxies report, else what the request says itself. `None` without any host.
pub(super) fn base(head: &Parts, origin: Origin, trusted: &[Network]) -> Option<String> {
    let is_proxy = trusted.iter().any(|network| network.contains(origin.address.ip()));
    let forwarded = |name| last(&head.headers, name).filter(|_| is_proxy);
    let is_tls =
        forwarded("x-forwarded-proto").map_or(origin.is_tls, |it| it.eq_ignore_ascii_case("https"));
    let scheme = if is_tls { "https" } else { "http" };
    let named = || {
        let in_target = head.uri.authority().map(http::uri::Authority::as_str);
        in_target.or_else(|| head.headers.get(HOST)?.to_str().ok())
    };
    let host = forwarded("x-forwarded-host").or_else(named).filter(|host| is_host(host))?;
    let prefix = forwarded("x-forwarded-prefix").unwrap_or_default().trim_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    Some([scheme, "://", host, slash, prefix].concat())
}

/// What the nearest proxy says.
fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let field = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    field.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
}

fn is_host(host: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_says_the_host_and_nothing_else() {
        check("203.0.113.9", &[("host", "gw.example:8090")], Some("http://gw.example:8090"));
        let claims = [
            ("host", "gw.example"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/x"),
        ];
        check("203.0.113.9", &claims, Some("http://gw.example"));
        check("203.0.113.9", &[], None);
        check("203.0.113.9", &[("host", "a b")], None);
    }

    #[test]
    fn a_trusted_proxy_says_how_it_was_reached() {
        let told = [
            ("host", "inside:8090"),
            ("x-forwarded-host", "gw.example"),
            ("x-forwarded-proto", "http, https"),
            ("x-forwarded-prefix", "/llm/"),
        ];
        check("10.0.0.1", &told, Some("https://gw.example/llm"));
        check("10.0.0.1", &[("host", "gw.example")], Some("http://gw.example"));
    }

    fn check(peer: &str, fields: &[(&str, &str)], expected: Option<&str>) {
        let mut request = http::Request::builder().uri("/upload/v1beta/files");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let trusted: Vec<Network> = vec!["10.0.0.0/8".parse().unwrap()];

        let address = std::net::SocketAddr::new(peer.parse().unwrap(), 4711);
        let origin = Origin { address, is_tls: false };
        let found = base(&head, origin, &trusted);
        let direct = base(&head, Origin { is_tls: true, ..origin }, &trusted);

        let is_told = peer.starts_with("10.") && fields.iter().any(|it| it.0.ends_with("proto"));
        let over_tls = expected.map(|it| match is_told {
            true => it.to_owned(),
            false => it.replace("http://", "https://"),
        });
        assert_eq!(direct, over_tls);

        assert_eq!(found.as_deref(), expected, "{peer} {fields:?}");
    }
}
