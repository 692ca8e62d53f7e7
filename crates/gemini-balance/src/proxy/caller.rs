//! Who is calling: the places in which a user key may stand, all of them equal.

use std::borrow::Cow;

use dialect::live::key_in_protocol;
use dialect::path::Asker;
use http::HeaderName;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::proxy::error::ProxyError;
use crate::proxy::live::protocols;

/// Google's field for a key.
static GOOGLE_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
/// Google's field for the name of a client.
static GOOGLE_CLIENT: HeaderName = HeaderName::from_static("x-goog-api-client");
/// Further fields that carry a bare key.
static OTHER_KEYS: [HeaderName; 2] =
    [HeaderName::from_static("x-api-key"), HeaderName::from_static("api-key")];
/// Longest credential that is looked at; no key of ours comes near.
const CREDENTIAL_BYTES_MAX: usize = 1024;

/// What tells the dialects apart on the paths that they share.
pub(super) fn asker(head: &Parts) -> Asker {
    let has_header =
        |name: &HeaderName| head.headers.get(name).is_some_and(|value| !value.is_empty());
    let query = head.uri.query().unwrap_or_default();
    Asker {
        has_google_key: has_header(&GOOGLE_KEY)
            || query.split('&').any(|pair| pair.contains('=') && name(pair) == "key"),
        has_google_client: has_header(&GOOGLE_CLIENT),
    }
}

/// Finds the one user key of a request.
///
/// Empty values do not count: some clients send an empty `x-goog-api-key` beside a bearer.
///
/// # Errors
///
/// [`ProxyError::NoCredential`] without any, [`ProxyError::ConflictingCredentials`] with two
/// that differ.
pub(super) fn credential(head: &Parts) -> Result<String, ProxyError> {
    one_of(head, std::iter::empty())
}

/// Finds the one credential of a Live session, which may stand in further places: as a token in the
/// authorization or in the query, and where a browser cannot set a header, in a subprotocol.
///
/// # Errors
///
/// As of [`credential`].
pub(super) fn live_credential(head: &Parts) -> Result<String, ProxyError> {
    let tokens = head.headers.get_all(AUTHORIZATION).into_iter();
    let tokens = tokens.filter_map(|value| scheme("token", value.to_str().ok()?));
    let in_query = parameter(head.uri.query().unwrap_or_default(), "access_token");
    let in_protocols = protocols(&head.headers).filter_map(key_in_protocol);
    let further = tokens.chain(in_protocols).map(Cow::Borrowed);
    one_of(head, further.chain(in_query.map(Cow::Owned)))
}

/// The one credential in the places that every request has, and in further ones.
fn one_of<'h>(
    head: &'h Parts,
    further: impl Iterator<Item = Cow<'h, str>>,
) -> Result<String, ProxyError> {
    let mut found: Option<String> = None;
    let headers = std::iter::once(&GOOGLE_KEY)
        .chain(&OTHER_KEYS)
        .flat_map(|name| head.headers.get_all(name))
        .filter_map(|value| value.to_str().ok());
    let bearers = head
        .headers
        .get_all(AUTHORIZATION)
        .into_iter()
        .filter_map(|value| bearer(value.to_str().ok()?));
    let in_query = query_key(head.uri.query().unwrap_or_default());
    let usual = headers.chain(bearers).map(Cow::Borrowed).chain(in_query);
    for candidate in usual.chain(further) {
        let candidate = candidate.trim();
        if candidate.is_empty() {
            continue;
        }
        match &found {
            None => found = Some(candidate.to_owned()),
            Some(first) if first == candidate => {}
            Some(_) => return Err(ProxyError::ConflictingCredentials),
        }
    }
    found
        .filter(|credential| credential.len() <= CREDENTIAL_BYTES_MAX)
        .ok_or(ProxyError::NoCredential)
}

/// The token of an `Authorization: Bearer` value.
pub(super) fn bearer(value: &str) -> Option<&str> {
    scheme("bearer", value)
}

/// What stands behind this scheme in an `Authorization` value.
fn scheme<'v>(wanted: &str, value: &'v str) -> Option<&'v str> {
    let (scheme, rest) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(rest.trim())
}

/// The first parameter of this name in a query, decoded.
pub(super) fn parameter(query: &str, wanted: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (_, value) = pair.split_once('=').filter(|_| name(pair) == wanted)?;
        Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

/// The `key` parameters of a query, decoded.
fn query_key(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    query.split('&').filter_map(|pair| {
        let (_, value) = pair.split_once('=').filter(|_| name(pair) == "key")?;
        Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy())
    })
}

/// The name of a query parameter as the upstream reads it, decoded.
fn name(pair: &str) -> Cow<'_, str> {
    let name = pair.split('=').next().unwrap_or_default();
    percent_encoding::percent_decode_str(name).decode_utf8_lossy()
}

/// A query as it goes upstream: without the caller's credentials, otherwise untouched.
pub(super) fn query_without_credentials(query: &str) -> String {
    query_without(query, &["key", "access_token"])
}

/// A query without these parameters, otherwise untouched.
pub(super) fn query_without(query: &str, names: &[&str]) -> String {
    if query.is_empty() {
        return String::new();
    }
    let is_kept = |pair: &&str| !names.contains(&name(pair).as_ref());
    query.split('&').filter(is_kept).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&str, &str)], uri: &str) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn every_carrier_lets_the_same_key_in() {
        let carriers = [
            head(&[("authorization", "Bearer k1")], "/"),
            head(&[("authorization", "bearer  k1 ")], "/"),
            head(&[("x-goog-api-key", "k1")], "/"),
            head(&[("x-api-key", "k1")], "/"),
            head(&[("api-key", "k1")], "/"),
            head(&[], "/?alt=sse&key=k1"),
            head(&[], "/?k%65y=k%31"),
            head(&[("x-goog-api-key", ""), ("authorization", "Bearer k1")], "/?key=k1"),
        ];

        for carrier in carriers {
            assert_eq!(credential(&carrier).unwrap(), "k1");
        }
    }

    #[test]
    fn a_live_session_has_further_carriers() {
        let realtime = "realtime, openai-insecure-api-key.k1, openai-beta.realtime-v1";
        for carrier in [
            head(&[("authorization", "Token k1")], "/"),
            head(&[("x-goog-api-key", "k1"), ("authorization", "Token k1")], "/"),
            head(&[], "/?access_token=k%31"),
            head(&[("sec-websocket-protocol", realtime)], "/"),
            head(&[("authorization", "Bearer k1")], "/?key=k1"),
        ] {
            assert_eq!(live_credential(&carrier).unwrap(), "k1");
        }
        let two = head(&[("sec-websocket-protocol", realtime)], "/?access_token=k2");
        assert!(matches!(live_credential(&two), Err(ProxyError::ConflictingCredentials)));
        let other = head(&[("sec-websocket-protocol", realtime)], "/");
        assert!(matches!(credential(&other), Err(ProxyError::NoCredential)));
    }

    #[test]
    fn two_different_credentials_are_refused() {
        let both = head(&[("authorization", "Bearer k1"), ("x-goog-api-key", "k2")], "/");

        assert!(matches!(credential(&both), Err(ProxyError::ConflictingCredentials)));
    }

    #[test]
    fn nothing_basic_or_oversized_counts_as_a_credential() {
        let long = "x".repeat(CREDENTIAL_BYTES_MAX + 1);

        for none in [
            head(&[], "/"),
            head(&[("authorization", "Basic azE=")], "/"),
            head(&[("x-goog-api-key", " ")], "/?key="),
            head(&[("x-api-key", &long)], "/"),
        ] {
            assert!(matches!(credential(&none), Err(ProxyError::NoCredential)));
        }
    }

    #[test]
    fn only_credentials_leave_the_query() {
        assert_eq!(query_without_credentials("alt=sse&key=k1&%24x=1"), "alt=sse&%24x=1");
        assert_eq!(query_without_credentials("key=k1"), "");
        assert_eq!(query_without_credentials("a=1&k%65y=k1&%6bey"), "a=1");
        assert_eq!(query_without_credentials("keys=1&monkey=2"), "keys=1&monkey=2");
    }
}
