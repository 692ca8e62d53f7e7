//! Which header fields cross, in each direction.
//!
//! Both directions are allow lists: what is not named stops here, so that no caller's cookie,
//! address or credential reaches the upstream and nothing of the upstream's house reaches a
//! caller. The one credential that goes upstream is put in by the client on the way out.

use dialect::path::Target;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, ACCEPT_RANGES, CONNECTION, CONTENT_DISPOSITION,
    CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, IF_RANGE,
    LAST_MODIFIED, RANGE, RETRY_AFTER, USER_AGENT,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use crate::proxy::upload;

/// Request fields that go upstream as they came.
pub(super) static TO_UPSTREAM: [HeaderName; 11] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    CONTENT_TYPE,
    USER_AGENT,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-goog-api-client"),
    HeaderName::from_static("x-goog-request-params"),
    HeaderName::from_static("x-server-timeout"),
];

/// Fields that ask for a part of something large, which only what is kept can be.
static OF_PARTS: [HeaderName; 2] = [RANGE, IF_RANGE];

/// Fields of an answer that is a part.
static OF_ANSWERED_PARTS: [HeaderName; 4] = [ACCEPT_RANGES, CONTENT_RANGE, ETAG, LAST_MODIFIED];

/// Response fields that go to the caller as they came.
pub(super) static TO_CALLER: [HeaderName; 15] = [
    CONTENT_DISPOSITION,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    RETRY_AFTER,
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("server-timing"),
    HeaderName::from_static("x-gemini-service-tier"),
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// The caller's header fields as they go upstream, without any credential.
///
/// `accept-encoding: identity` keeps answers readable for the tap; callers that would have taken
/// a compressed answer take a plain one too.
pub(super) fn to_upstream(inbound: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(TO_UPSTREAM.len() + 4);
    copy(inbound, &mut headers, &TO_UPSTREAM);
    headers.insert(ACCEPT_ENCODING, IDENTITY);
    headers
}

/// The same for this call: uploads have fields of their own, and what is kept may be asked for in
/// parts.
pub(super) fn to_upstream_for(head: &Parts, target: &Target) -> HeaderMap {
    let mut headers = to_upstream(&head.headers);
    if upload::is_upload(target) {
        let fields = head.headers.iter().filter(|(name, _)| upload::is_field(name));
        headers.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
    } else if head.method == Method::GET {
        copy(&head.headers, &mut headers, &OF_PARTS);
    }
    headers
}

/// The fields of an answer that may be a part of something large.
pub(super) fn of_part(upstream: &HeaderMap, to: &mut HeaderMap) {
    copy(upstream, to, &OF_ANSWERED_PARTS);
}

/// The upstream's header fields as they go to the caller.
pub(super) fn to_caller(upstream: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(6);
    copy(upstream, &mut headers, &TO_CALLER);
    // A length that was told twice is the same twice, and one is all that may be told.
    if let Some(length) = headers.remove(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, length);
    }
    headers
}

/// Copies every line of these fields, but those that `Connection` says end here.
fn copy(from: &HeaderMap, to: &mut HeaderMap, names: &[HeaderName]) {
    let has_options = from.contains_key(CONNECTION);
    for (name, value) in from {
        if names.contains(name) && !(has_options && belongs_to_the_hop(name, from)) {
            to.append(name.clone(), value.clone());
        }
    }
}

/// Whether a field is meant for the next hop alone, since `Connection` names it (RFC 9110, 7.6.1).
fn belongs_to_the_hop(name: &HeaderName, headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).into_iter();
    let mut options = options.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_cookie_or_address_of_a_caller_goes_upstream() {
        let mut inbound = HeaderMap::new();
        for name in [
            "authorization",
            "x-goog-api-key",
            "x-api-key",
            "api-key",
            "cookie",
            "proxy-authorization",
            "forwarded",
            "x-forwarded-for",
            "openai-organization",
            "openai-project",
            "connection",
            "x-secret",
            "host",
            "cf-aig-authorization",
        ] {
            inbound.insert(name, HeaderValue::from_static("leak"));
        }
        inbound.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));

        let outbound = to_upstream(&inbound);

        assert_eq!(outbound.len(), 2);
        assert!(outbound.values().all(|value| value != "leak"));
    }

    #[test]
    fn a_field_that_belongs_to_the_hop_does_not_cross() {
        let mut fields = HeaderMap::new();
        for name in ["accept", "content-type", "retry-after", "user-agent"] {
            fields.insert(name, HeaderValue::from_static("x"));
        }
        fields.append("connection", HeaderValue::from_static("close, Content-Type"));
        fields.append("connection", HeaderValue::from_static("RETRY-AFTER ,"));

        let [upstream, caller] = [to_upstream(&fields), to_caller(&fields)];

        assert!(!upstream.contains_key("content-type") && upstream.contains_key("accept"));
        assert!(caller.is_empty());
    }

    #[test]
    fn a_field_of_several_lines_crosses_whole() {
        let mut fields = HeaderMap::new();
        for value in ["a=1", "b=2"] {
            fields.append("tracestate", HeaderValue::from_static(value));
            fields.append("server-timing", HeaderValue::from_static(value));
            fields.append("content-length", HeaderValue::from_static("7"));
        }

        let [upstream, caller] = [to_upstream(&fields), to_caller(&fields)];

        assert!(upstream.get_all("tracestate").iter().eq(["a=1", "b=2"]));
        assert!(caller.get_all("server-timing").iter().eq(["a=1", "b=2"]));
        assert!(caller.get_all("content-length").iter().eq(["7"]));
    }

    #[test]
    fn nothing_of_the_upstreams_house_reaches_a_caller() {
        let mut upstream = HeaderMap::new();
        for name in ["set-cookie", "location", "x-goog-api-key", "server", "alt-svc", "via"] {
            upstream.insert(name, HeaderValue::from_static("house"));
        }
        upstream.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));

        let headers = to_caller(&upstream);

        assert_eq!(headers.len(), 1);
    }
}
