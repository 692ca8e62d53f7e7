//! The handshake of a WebSocket (RFC 6455, 4): what a client asks for, and how it is agreed to.
//!
//! The client's own nonce goes upstream and the upstream's answer to it comes back, so that each end
//! knows that the other speaks the protocol. Extensions do not cross: frames stay readable.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dialect::live::key_in_protocol;
use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const SWITCH: HeaderValue = HeaderValue::from_static("Upgrade");
const VERSION: &str = "13";
/// How many bytes a nonce has.
const NONCE_BYTES: usize = 16;

/// A client that asks for a WebSocket.
pub(super) struct Handshake {
    /// The fields that ask the upstream for one.
    pub(super) fields: HeaderMap,
    /// The connection, once the answer has gone out.
    pub(super) upgrade: OnUpgrade,
    /// The subprotocol that is agreed to.
    protocol: Option<HeaderValue>,
}

impl Handshake {
    /// Of a request that asks for one, in the version of HTTP in which a connection can be taken over.
    pub(super) fn of(head: &Parts) -> Option<Self> {
        let headers = &head.headers;
        let has_body = headers.contains_key(TRANSFER_ENCODING)
            || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
        let is_asked = head.method == Method::GET
            && head.version == Version::HTTP_11
            && has_word(headers, &UPGRADE, "websocket")
            && has_word(headers, &CONNECTION, "upgrade")
            && !has_body;
        let nonce = only(headers, &SEC_WEBSOCKET_KEY)?;
        let is_sound = only(headers, &SEC_WEBSOCKET_VERSION)? == VERSION
            && STANDARD.decode(nonce).is_ok_and(|nonce| nonce.len() == NONCE_BYTES);
        if !is_asked || !is_sound {
            return None;
        }
        let fields = [
            (CONNECTION, SWITCH),
            (UPGRADE, WEBSOCKET),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION)),
            (SEC_WEBSOCKET_KEY, nonce.clone()),
        ];
        Some(Self {
            fields: fields.into_iter().collect(),
            upgrade: head.extensions.get::<OnUpgrade>()?.clone(),
            protocol: protocol(headers),
        })
    }

    /// The answer that agrees; `accept` is the upstream's word for the nonce.
    pub(super) fn agree(&self, accept: &HeaderValue) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, SWITCH);
        headers.insert(UPGRADE, WEBSOCKET);
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept.clone());
        if let Some(protocol) = &self.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
        }
        response
    }
}

/// The subprotocols that a client offers.
pub(in crate::proxy) fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    words(headers, &SEC_WEBSOCKET_PROTOCOL)
}

/// The one that is agreed to: the first that is none but a key in disguise. A browser leaves again
/// where it has offered some and none is chosen.
fn protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let chosen = protocols(headers).find(|protocol| key_in_protocol(protocol).is_none())?;
    HeaderValue::from_str(chosen).ok()
}

/// The words of a field whose lines are lists.
fn words<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> + use<'h> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

fn has_word(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    words(headers, name).any(|word| word.eq_ignore_ascii_case(wanted))
}

/// The value of a field that stands there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}
