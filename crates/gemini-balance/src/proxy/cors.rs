//! Web pages of other origins: none may call, unless the settings name their origin.
//!
//! Credentials are never sent by the browser itself, since user keys are header fields that the
//! page must set; cookies of ours are `SameSite=Strict`.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

/// What a page may read of an answer besides its body.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id, x-gateway-overhead-ms, retry-after, x-should-retry, x-goog-upload-url, \
     x-goog-upload-status, x-goog-upload-size-received, x-goog-upload-chunk-granularity",
);
/// How long a browser may remember a permission, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

/// The origin of a page that may call, word for word as the settings have it.
pub(super) fn allowed_origin(head: &Parts, origins: &[String]) -> Option<HeaderValue> {
    if origins.is_empty() {
        return None;
    }
    let origin = head.headers.get(ORIGIN)?;
    origins.iter().any(|allowed| origin == allowed.as_str()).then(|| origin.clone())
}

/// Whether whoever opens a WebSocket is no page of another origin than ours, or of one that may call.
/// Hosts are compared, since only a trusted proxy tells the scheme.
pub(super) fn may_connect(head: &Parts, origins: &[String], own_base: Option<&str>) -> bool {
    let Some(origin) = head.headers.get(ORIGIN) else { return true };
    let host = |url: &str| {
        let (_, rest) = url.split_once("://")?;
        rest.split('/').next().map(str::to_owned)
    };
    let theirs = origin.to_str().ok().and_then(host);
    theirs.is_some() && theirs == own_base.and_then(host) || allowed_origin(head, origins).is_some()
}

/// The answer to a browser that asks before it calls; `None` if this is no such question.
pub(super) fn preflight(head: &Parts) -> Option<Response<Bytes>> {
    if head.method != Method::OPTIONS || !head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"),
    );
    if let Some(asked) = head.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    Some(response)
}

/// Lets the page of this origin read the answer.
pub(super) fn permit(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(origin: &str) -> Parts {
        http::Request::builder().header(ORIGIN, origin).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_page_may_connect_from_here_or_from_a_named_origin() {
        let origins = ["https://chat.example".to_owned()];
        let own = Some("http://gw.example:8090/behind");

        for origin in ["https://chat.example", "http://gw.example:8090", "https://gw.example:8090"]
        {
            assert!(may_connect(&head(origin), &origins, own), "{origin}");
        }
        for origin in ["https://gw.example", "null", "https://chat.example.evil", ""] {
            assert!(!may_connect(&head(origin), &origins, own), "{origin}");
            assert!(!may_connect(&head(origin), &[], None), "{origin}");
        }
        let program = http::Request::new(()).into_parts().0;
        assert!(may_connect(&program, &[], None));
    }

    #[test]
    fn only_a_named_origin_may_call() {
        let origins = ["https://chat.example".to_owned()];

        assert!(allowed_origin(&head("https://chat.example"), &origins).is_some());
        for other in ["https://chat.example.evil", "http://chat.example", "null", "*"] {
            assert!(allowed_origin(&head(other), &origins).is_none(), "{other}");
        }
        assert!(allowed_origin(&head("https://chat.example"), &[]).is_none());
    }
}
