//! Heads on the wire: the request's written, the answer's read.

use std::mem::MaybeUninit;

use bytes::Bytes;
use dialect::Dialect;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, response};

use super::credential::{self, Credentials};
use super::endpoint::Endpoint;
use super::framing::{Chunks, Framing};
use super::{HEAD_BYTES_MAX, HEADERS_MAX, Outgoing, SendError};

/// What the head of a request says about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// Nothing: there is none, and none is expected.
    Absent,
    /// It has so many bytes.
    Known(u64),
    /// It comes in chunks.
    Chunked,
}

/// What is said about a body that is there whole.
pub(super) fn length_of(outgoing: &Outgoing) -> BodyLength {
    if outgoing.body.is_empty() && !expects_body(&outgoing.method) {
        BodyLength::Absent
    } else {
        BodyLength::Known(outgoing.body.len() as u64)
    }
}

/// Writes the head of a request, with its credential.
///
/// # Errors
///
/// A target or a credential that cannot be written into a head.
pub(super) fn encode(
    endpoint: &Endpoint,
    dialect: Dialect,
    outgoing: &Outgoing,
    credentials: Credentials<'_>,
    length: BodyLength,
) -> Result<Bytes, SendError> {
    let mut head = Vec::with_capacity(1024);
    head.extend_from_slice(outgoing.method.as_str().as_bytes());
    head.push(b' ');
    let target = endpoint.target(&outgoing.path_and_query);
    if !target.bytes().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii()) {
        return Err(SendError::Target);
    }
    head.extend_from_slice(target.as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    field(&mut head, "host", endpoint.host_header().as_bytes());
    if let Some(value) = endpoint.proxy_authorization() {
        field(&mut head, "proxy-authorization", value.as_bytes());
    }
    credential::write(&mut head, dialect, credentials).ok_or(SendError::Credential)?;
    for (name, value) in &outgoing.headers {
        field(&mut head, name.as_str(), value.as_bytes());
    }
    match length {
        BodyLength::Absent => {}
        BodyLength::Known(bytes) => {
            field(&mut head, "content-length", bytes.to_string().as_bytes());
        }
        BodyLength::Chunked => field(&mut head, "transfer-encoding", b"chunked"),
    }
    head.extend_from_slice(b"\r\n");
    Ok(head.into())
}

/// Writes one field of a head.
pub(super) fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

/// Whether a server waits to be told the length also of an empty body.
fn expects_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

/// The head of an answer, and what it says about the bytes behind it.
#[derive(Debug)]
pub(super) struct AnswerHead {
    /// Status and header fields.
    pub(super) parts: response::Parts,
    /// How the end of the body is told.
    pub(super) framing: Framing,
    /// Whether the connection may serve another request.
    pub(super) is_kept_alive: bool,
    /// How many bytes it took.
    pub(super) length: usize,
}

/// Not the head of an HTTP/1.x answer, or one beyond the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// Not HTTP, or framed in a way that cannot be relied on.
    #[error("the head is not that of an HTTP/1.1 answer")]
    Malformed,
    /// Longer, or with more fields, than is accepted.
    #[error("the head is too large")]
    TooLarge,
}

/// Reads the head of the answer to a request of this method; `None` when more must come first.
/// Interim answers (1xx) before it are passed over.
///
/// # Errors
///
/// [`BadHead`].
pub(super) fn parse(bytes: &[u8], method: &Method) -> Result<Option<AnswerHead>, BadHead> {
    match parse_to_switch(bytes, method)? {
        // Nobody asked for another protocol.
        Some(head) if head.parts.status == StatusCode::SWITCHING_PROTOCOLS => {
            Err(BadHead::Malformed)
        }
        head => Ok(head),
    }
}

/// The same for a request that asks for another protocol, which an answer of 101 agrees to.
///
/// # Errors
///
/// [`BadHead`].
pub(super) fn parse_to_switch(
    bytes: &[u8],
    method: &Method,
) -> Result<Option<AnswerHead>, BadHead> {
    let mut skipped = 0;
    loop {
        let rest = bytes.get(skipped..).unwrap_or_default();
        let Some(head) = parse_one(rest, method)? else {
            let is_too_large = bytes.len() >= HEAD_BYTES_MAX;
            return if is_too_large { Err(BadHead::TooLarge) } else { Ok(None) };
        };
        let length = skipped + head.length;
        if HEAD_BYTES_MAX < length {
            return Err(BadHead::TooLarge);
        }
        let is_switch = head.parts.status == StatusCode::SWITCHING_PROTOCOLS;
        if is_switch || !head.parts.status.is_informational() {
            return Ok(Some(AnswerHead { length, ..head }));
        }
        skipped = length;
    }
}

fn parse_one(bytes: &[u8], method: &Method) -> Result<Option<AnswerHead>, BadHead> {
    let mut fields = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut head, bytes, &mut fields) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooLarge),
        Err(_) => return Err(BadHead::Malformed),
    };
    let version = match head.version {
        Some(1) => Version::HTTP_11,
        Some(0) => Version::HTTP_10,
        Some(_) | None => return Err(BadHead::Malformed),
    };
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let mut response = Response::new(());
    *response.version_mut() = version;
    *response.status_mut() = status.ok_or(BadHead::Malformed)?;
    let headers = response.headers_mut();
    headers.reserve(head.headers.len());
    // All values share one copy of the head.
    let shared = Bytes::copy_from_slice(bytes.get(..length).unwrap_or_default());
    let base = bytes.as_ptr().addr();
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        // Of an empty value it is not said where it stands.
        let value = match field.value {
            [] => Bytes::new(),
            value => {
                let start = value.as_ptr().addr() - base;
                shared.slice(start..start + value.len())
            }
        };
        headers.append(
            name.map_err(|_| BadHead::Malformed)?,
            HeaderValue::from_maybe_shared(value).map_err(|_| BadHead::Malformed)?,
        );
    }
    let (mut parts, ()) = response.into_parts();
    let framing = framing(&mut parts, method)?;
    let is_kept_alive = framing != Framing::UntilClose && is_kept_alive(version, &parts.headers);
    Ok(Some(AnswerHead { parts, framing, is_kept_alive, length }))
}

/// How the body's end is told (RFC 9112, 6.3). A length that does not count is taken out.
fn framing(parts: &mut response::Parts, method: &Method) -> Result<Framing, BadHead> {
    let length = length(&parts.headers)?;
    let is_bodiless = method == Method::HEAD
        || parts.status.is_informational()
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if is_bodiless {
        return Ok(Framing::Length(0));
    }
    let codings = parts.headers.get_all(TRANSFER_ENCODING);
    if let Some(last) = codings.iter().next_back() {
        let last = last.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
        let is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        parts.headers.remove(CONTENT_LENGTH);
        return Ok(match parts.version {
            Version::HTTP_11 if is_chunked => Framing::Chunked(Chunks::START),
            _ => Framing::UntilClose,
        });
    }
    Ok(length.map_or(Framing::UntilClose, Framing::Length))
}

/// The declared length; one that is told twice must be the same twice.
fn length(headers: &HeaderMap) -> Result<Option<u64>, BadHead> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        // `parse` would take a sign.
        let digits = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let told = digits.and_then(|text| text.parse().ok()).ok_or(BadHead::Malformed)?;
        if length.is_some_and(|before| before != told) {
            return Err(BadHead::Malformed);
        }
        length = Some(told);
    }
    Ok(length)
}

fn is_kept_alive(version: Version, headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).into_iter();
    let mut options = options.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
    let mut has = |name: &[u8]| options.any(|it| it.trim_ascii().eq_ignore_ascii_case(name));
    if version == Version::HTTP_11 { !has(b"close") } else { has(b"keep-alive") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn framing_of(method: &Method, head: &str) -> Result<(Framing, bool), BadHead> {
        let bytes = format!("{}\r\n\r\nbody", head.replace('\n', "\r\n"));
        let head = parse(bytes.as_bytes(), method)?.expect("a whole head");
        assert_eq!(&bytes[head.length..], "body");
        Ok((head.framing, head.is_kept_alive))
    }

    #[track_caller]
    fn check(head: &str, expected: Result<(Framing, bool), BadHead>) {
        assert_eq!(framing_of(&Method::POST, head), expected, "{head}");
    }

    #[test]
    fn the_end_of_a_body_is_where_the_head_says() {
        let chunked = Framing::Chunked(Chunks::START);
        check("HTTP/1.1 200 OK\ncontent-length: 5", Ok((Framing::Length(5), true)));
        check(
            "HTTP/1.1 200 OK\nContent-Length: 5\ncontent-length: 5",
            Ok((Framing::Length(5), true)),
        );
        check("HTTP/1.1 200\ntransfer-encoding: chunked", Ok((chunked, true)));
        check("HTTP/1.1 200 OK\ntransfer-encoding: gzip, Chunked", Ok((chunked, true)));
        check(
            "HTTP/1.1 200 OK\ntransfer-encoding: chunked\ncontent-length: 5",
            Ok((chunked, true)),
        );
        check("HTTP/1.1 200 OK\ntransfer-encoding: gzip", Ok((Framing::UntilClose, false)));
        check("HTTP/1.1 200 OK\nx: y", Ok((Framing::UntilClose, false)));
        check("HTTP/1.1 204 No Content", Ok((Framing::Length(0), true)));
        check("HTTP/1.0 200 OK\ncontent-length: 5", Ok((Framing::Length(5), false)));
        let kept = "HTTP/1.0 200 OK\ncontent-length: 5\nconnection: Keep-Alive";
        check(kept, Ok((Framing::Length(5), true)));
        let closed = "HTTP/1.1 200 OK\ncontent-length: 5\nconnection: x, Close";
        check(closed, Ok((Framing::Length(5), false)));
        let head = framing_of(&Method::HEAD, "HTTP/1.1 200 OK\ncontent-length: 5");
        assert_eq!(head, Ok((Framing::Length(0), true)));
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let early = "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nlink: x\n\n";
        check(
            &format!("{early}HTTP/1.1 200 OK\ncontent-length: 5"),
            Ok((Framing::Length(5), true)),
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for head in [
            "SSH-2.0-x",
            "HTTP/2 200 OK",
            "HTTP/1.1 99 Low",
            "HTTP/1.1 101 Switching Protocols",
            "HTTP/1.1 200 OK\ncontent-length: 5\ncontent-length: 6",
            "HTTP/1.1 200 OK\ncontent-length: +5",
            "HTTP/1.1 200 OK\ncontent-length: 5, 5",
            "HTTP/1.1 200 OK\nno colon",
        ] {
            check(head, Err(BadHead::Malformed));
        }
        let many = "\nx: y".repeat(HEADERS_MAX + 1);
        check(&format!("HTTP/1.1 200 OK{many}"), Err(BadHead::TooLarge));
        let long = format!("HTTP/1.1 200 OK\nx: {}", "y".repeat(HEAD_BYTES_MAX));
        check(&long, Err(BadHead::TooLarge));
    }

    #[test]
    fn half_a_head_is_waited_for_and_an_endless_one_is_not() {
        let part = |length| {
            parse("HTTP/1.1 200 OK\r\nx: y".get(..length).unwrap().as_bytes(), &Method::GET)
        };
        for length in [0, 5, 16, 17, 20] {
            assert!(part(length).unwrap().is_none(), "{length}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(HEAD_BYTES_MAX));
        let refused = parse(endless.as_bytes(), &Method::GET).unwrap_err();
        assert_eq!(refused, BadHead::TooLarge);
    }

    #[test]
    fn a_length_beside_chunks_does_not_cross() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n";

        let head = parse(bytes, &Method::GET).unwrap().unwrap();

        assert!(!head.parts.headers.contains_key(CONTENT_LENGTH));
    }
}
