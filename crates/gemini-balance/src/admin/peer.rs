//! Where a call comes from: the connection's other end, or what trusted proxies report about it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;

use crate::admin::error::ApiError;
use crate::app::App;
use crate::config::network::Network;
use crate::origin::Origin;

/// Hops of a forwarded address that are looked at.
const HOPS_MAX: usize = 32;

/// The origin of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    /// The caller's address.
    pub(super) address: IpAddr,
    /// Whether it came over TLS, ours or, as it says, a trusted proxy's.
    pub(super) is_tls: bool,
}

impl FromRequestParts<Arc<App>> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let connected = parts.extensions.get::<ConnectInfo<Origin>>();
        let ConnectInfo(origin) = connected.ok_or_else(|| ApiError::internal("no peer address"))?;
        let trusted = &app.config.server.trusted_proxies;
        Ok(Self::seen(*origin, &parts.headers, trusted))
    }
}

impl Peer {
    /// What a connection's other end and the header fields say together.
    pub(super) fn seen(origin: Origin, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let Origin { address, is_tls } = origin;
        let peer = address.ip();
        if !is_trusted(peer, trusted) {
            return Self { address: peer.to_canonical(), is_tls };
        }
        Self {
            address: forwarded(peer, headers, trusted),
            is_tls: proto(headers).map_or(is_tls, |it| it.eq_ignore_ascii_case("https")),
        }
    }
}

/// The right-most address that no trusted proxy has: everything left of it is what a stranger
/// claims. An entry that is no address ends the walk at the proxy that wrote it.
fn forwarded(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let fields: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|it| it.to_str().ok()).collect();
    let mut nearest = peer;
    for hop in fields.iter().rev().flat_map(|field| field.rsplit(',')).take(HOPS_MAX) {
        let Some(address) = address(hop.trim()) else {
            return nearest.to_canonical();
        };
        nearest = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    nearest.to_canonical()
}

/// An address as proxies write it: alone, with a port, or with brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|it| it.ip()))
}

/// What the nearest proxy says about how the call reached it.
fn proto(headers: &HeaderMap) -> Option<&str> {
    let field = headers.get_all("x-forwarded-proto").iter().next_back()?;
    field.to_str().ok()?.rsplit(',').next().map(str::trim)
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_cannot_claim_another_address() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
    }

    #[test]
    fn behind_trusted_proxies_the_right_most_stranger_counts() {
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1");
        check("10.0.0.1", &["6.6.6.6", "198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1");
        check("10.0.0.1", &["[2001:db8::7]:443"], "2001:db8::7");
        check("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1");
    }

    #[test]
    fn what_is_no_address_leaves_the_proxy_that_wrote_it() {
        check("10.0.0.1", &["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2");
        check("10.0.0.1", &["nonsense"], "10.0.0.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    }

    #[test]
    fn only_a_trusted_proxy_can_say_that_a_call_came_over_tls() {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-forwarded-proto"),
            http::HeaderValue::from_static("https"),
        )]);

        assert!(Peer::seen(origin("10.0.0.1", false), &headers, &trusted()).is_tls);
        assert!(!Peer::seen(origin("203.0.113.9", false), &headers, &trusted()).is_tls);
    }

    #[test]
    fn a_call_over_our_own_tls_came_over_tls_unless_a_trusted_proxy_knows_better() {
        let mut headers = HeaderMap::new();
        assert!(Peer::seen(origin("203.0.113.9", true), &headers, &trusted()).is_tls);
        assert!(Peer::seen(origin("10.0.0.1", true), &headers, &trusted()).is_tls);

        headers.append("x-forwarded-proto", http::HeaderValue::from_static("http"));
        assert!(Peer::seen(origin("203.0.113.9", true), &headers, &trusted()).is_tls);
        assert!(!Peer::seen(origin("10.0.0.1", true), &headers, &trusted()).is_tls);
    }

    fn check(peer: &str, fields: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append("x-forwarded-for", field.parse().unwrap());
        }

        let seen = Peer::seen(origin(peer, false), &headers, &trusted());

        assert_eq!(seen.address, expected.parse::<IpAddr>().unwrap(), "{peer} {fields:?}");
    }

    fn origin(address: &str, is_tls: bool) -> Origin {
        Origin { address: SocketAddr::new(address.parse().unwrap(), 4711), is_tls }
    }

    fn trusted() -> Vec<Network> {
        vec!["10.0.0.0/8".parse().unwrap()]
    }
}
