//! What must hold of every request's head before anybody reads its path.
//!
//! hyper refuses what is no HTTP. This refuses what is, but means different things to different
//! servers in a row: a body framed in more than one way, a host that is none or many.

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, Request, StatusCode, Version};

use crate::intake::RequestBody;

/// Longest path and query together, in bytes.
const TARGET_BYTES_MAX: usize = 16 * 1024;
/// Longest `Host`, in bytes: a name of 253, a colon and a port.
const HOST_BYTES_MAX: usize = 259;

/// A head that is refused; the connection ends with it, since its framing is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHead {
    /// The body is framed in a way, or in several, that servers do not agree about.
    Framing,
    /// No host, several, or one that is none.
    Host,
    /// A target beyond all sense.
    TargetTooLong,
}

impl BadHead {
    /// The HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Framing | Self::Host => StatusCode::BAD_REQUEST,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
        }
    }

    /// The stable code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Framing => "doubtful_framing",
            Self::Host => "invalid_host",
            Self::TargetTooLong => "uri_too_long",
        }
    }

    /// The sentence for the caller.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Framing => {
                "The length of the request body is declared in a doubtful way. Send one \
                 `Content-Length`, or `Transfer-Encoding: chunked` alone."
            }
            Self::Host => "The request must name one valid host in its `Host` field.",
            Self::TargetTooLong => "The URL is longer than 16 KiB.",
        }
    }
}

/// Checks a head.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn check(request: &Request<RequestBody>) -> Result<(), BadHead> {
    let target = request.uri();
    let query_bytes = target.query().map_or(0, |query| query.len() + 1);
    if target.path().len() + query_bytes > TARGET_BYTES_MAX {
        return Err(BadHead::TargetTooLong);
    }
    if !is_framed_once(request) {
        return Err(BadHead::Framing);
    }
    if !has_one_host(request.headers(), request.version()) {
        return Err(BadHead::Host);
    }
    Ok(())
}

/// Whether the body is framed by its length or by `chunked`, and by that alone: of several
/// framings, each server in a row may believe another one.
fn is_framed_once(request: &Request<RequestBody>) -> bool {
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return true };
    let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    is_chunked && codings.next().is_none() && request.body().is_lengthless()
}

/// Whether the request names one host, which HTTP/1.0 may leave out.
fn has_one_host(headers: &HeaderMap, version: Version) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let is_sound = match hosts.next() {
        Some(host) => is_host(host.as_bytes()),
        None => version < Version::HTTP_11,
    };
    is_sound && hosts.next().is_none()
}

fn is_host(host: &[u8]) -> bool {
    host.len() <= HOST_BYTES_MAX && !host.contains(&b'@') && Authority::try_from(host).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_hosts(hosts: &[&str], version: Version, expected: bool) {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        assert_eq!(has_one_host(&headers, version), expected, "{hosts:?}");
    }

    #[test]
    fn a_request_names_exactly_one_host() {
        for host in ["h", "h:8000", "[::1]:8000", "127.0.0.1", "gemini_balance"] {
            check_hosts(&[host], Version::HTTP_11, true);
        }
        for host in ["", "a/b", "a?x", "a#y", "user@h", "a b", &"a".repeat(260)] {
            check_hosts(&[host], Version::HTTP_11, false);
        }
        check_hosts(&["h", "h"], Version::HTTP_11, false);
        check_hosts(&[], Version::HTTP_11, false);
        check_hosts(&[], Version::HTTP_10, true);
    }
}
