//! No request and no answer, however crooked its head, takes across what must stay.

use axum::extract::Query;
use dialect::path::resolve;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, Uri};

use crate::laws;
use crate::proxy::{attempt, call, caller, headers};

/// Credentials, cookies, addresses, names of houses, and what belongs to one hop (RFC 9110, 7.6.1).
const STAYS: [&str; 28] = [
    "alt-svc",
    "api-key",
    "authorization",
    "cf-aig-authorization",
    "connection",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "location",
    "openai-organization",
    "openai-project",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
    "x-api-key",
    "x-goog-api-key",
];

/// Beginnings of names that stay, too.
const STAYS_BELOW: [&str; 5] = ["cf-", "proxy-", "sec-", "x-forwarded-", "x-real-"];

/// 2026-11-23, in milliseconds since 1970.
const NOW_MS: i64 = 1_795_392_000_000;

/// Input: `METHOD TARGET`, and header fields, one a line. They are read as those of a request and as
/// those of an answer.
pub fn holds(input: &[u8]) {
    let (line, rest) = laws::line(input);
    let (fields, _) = laws::fields(rest);

    let upstream = headers::to_upstream(&fields);
    assert_eq!(upstream.get("accept-encoding").map(|it| it.as_bytes()), Some(&b"identity"[..]));
    let mut crossed = upstream.clone();
    crossed.remove("accept-encoding");
    crosses(&fields, &crossed, &headers::TO_UPSTREAM);
    let mut crossed = headers::to_caller(&fields);
    assert!(crossed.get_all("content-length").iter().count() <= 1);
    crossed.remove("content-length");
    crosses(&fields, &crossed, &headers::TO_CALLER);

    for value in fields.get_all("retry-after") {
        names_a_wait(value);
    }
    if let Some(head) = head(line, fields) {
        carries_one_credential(&head);
        leaves_without_credential(&head, &upstream);
    }
}

/// The head of a request, if its first line is that of one.
fn head(line: &[u8], fields: HeaderMap) -> Option<Parts> {
    let (method, target) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let (mut head, ()) = Request::builder().method(method).uri(target).body(()).ok()?.into_parts();
    head.headers = fields;
    Some(head)
}

/// What may cross does, byte for byte; what may not does not.
fn crosses(before: &HeaderMap, after: &HeaderMap, may: &[HeaderName]) {
    for name in after.keys() {
        assert!(may.contains(name), "{name}");
        assert!(!STAYS.contains(&name.as_str()), "{name}");
        assert!(!STAYS_BELOW.iter().any(|start| name.as_str().starts_with(start)), "{name}");
    }
    let is_of_the_hop = |name: &HeaderName| {
        before.get_all("connection").iter().any(|options| {
            let options = String::from_utf8_lossy(options.as_bytes()).to_lowercase();
            options.split(',').any(|option| option.trim() == name.as_str())
        })
    };
    for name in may.iter().filter(|name| *name != "content-length") {
        let crossed = after.get_all(name).iter();
        if is_of_the_hop(name) {
            assert_eq!(crossed.count(), 0, "{name} belongs to the hop");
        } else {
            assert!(crossed.eq(before.get_all(name)), "{name}");
        }
    }
}

/// A wait is a number of seconds or the way to a date.
fn names_a_wait(value: &http::HeaderValue) {
    let wait_ms = attempt::retry_after_ms(value, NOW_MS);
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|it| it.is_ascii_digit()));
    if let Some(seconds) = digits.and_then(|text| text.parse::<u32>().ok()) {
        assert_eq!(wait_ms, Some(u64::from(seconds) * 1_000), "{value:?}");
    }
    for extreme in [i64::MIN, i64::MAX] {
        assert_eq!(attempt::retry_after_ms(value, extreme).is_some(), wait_ms.is_some());
    }
}

/// The credential is one that stands in the head, and the order of fields does not choose it.
fn carries_one_credential(head: &Parts) {
    let found = caller::credential(head);
    let mut mirrored = head.clone();
    mirrored.headers.clear();
    let fields: Vec<_> = head.headers.iter().collect();
    for (name, value) in fields.into_iter().rev() {
        mirrored.headers.append(name, value.clone());
    }
    assert_eq!(caller::credential(&mirrored), found);
    if let Ok(credential) = found {
        assert!(!credential.is_empty() && credential.len() <= 1_024);
        let in_fields = head.headers.values().filter_map(|value| value.to_str().ok());
        let in_query = pairs(&head.uri).into_iter().map(|(_, value)| value);
        let mut texts = in_fields.map(str::to_owned).chain(in_query);
        assert!(texts.any(|text| text.contains(&credential)), "{credential:?} is made up");
    }
}

/// What goes upstream has no credential in any place where we would look for one, and is otherwise
/// what was asked for.
fn leaves_without_credential(head: &Parts, upstream: &HeaderMap) {
    let query = head.uri.query().unwrap_or_default();
    let asker = caller::asker(head);
    let target = resolve(head.uri.path(), head.method.as_str(), &asker);
    let path = target.map_or_else(|_| "/".to_owned(), |target| target.path);
    let sent = call::path_and_query(&path, query);
    assert!(sent.bytes().all(|byte| byte > b' ' && byte != b'#'), "{sent}");

    let uri: Uri = sent.parse().unwrap_or_default();
    assert_eq!(uri.path(), path);
    let kept = pairs(&uri);
    let is_credential = |name: &String| name == "key" || name == "access_token";
    assert!(!kept.iter().any(|(name, _)| is_credential(name)), "{sent}");
    let mut before = pairs(&head.uri);
    before.retain(|(name, _)| !is_credential(name));
    assert_eq!(kept, before);

    let mut outgoing = head.clone();
    outgoing.uri = uri;
    outgoing.headers.clone_from(upstream);
    assert!(caller::credential(&outgoing).is_err(), "{outgoing:?}");
    assert!(!caller::asker(&outgoing).has_google_key);
}

/// The parameters of a query, read by other means than ours. Those take a plus for a space.
fn pairs(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default().replace('+', "%2B");
    let uri: Uri = format!("/?{query}").parse().unwrap_or_default();
    Query::try_from_uri(&uri).map(|Query(pairs)| pairs).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_heads_take_nothing_across_that_must_stay() {
        laws::check("head", holds);
    }
}
