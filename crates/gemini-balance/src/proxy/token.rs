//! Tokens that open Live sessions: made by the upstream, handed out sealed (`resources::LiveToken`).

use std::sync::Arc;

use dialect::live::token_name;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Limited};
use keypool::Kin;

use crate::app::{App, Worker};
use crate::proxy::body::ProxyBody;
use crate::proxy::call::Call;
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;
use crate::proxy::serve::{self, Served};
use crate::resources::LiveToken;
use crate::secret::Secret;

/// How large an answer may be that has made a token.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Has a token made, and puts the sealed one in its place.
pub(super) async fn answer(
    worker: &Arc<Worker>,
    exchange: Exchange,
    call: Call,
) -> Response<ProxyBody> {
    let (dialect, user) = (call.dialect, call.user);
    let (head, relay) = match serve::serve(Arc::clone(worker), exchange, call).await {
        Served::Accepted { head, relay } => (head, relay),
        refused @ Served::Refused(_) => return refused.into_response(dialect),
    };
    let kin = relay.kin();
    let read = Limited::new(relay, ANSWER_BYTES_MAX).collect().await;
    let body = read.ok().map(http_body_util::Collected::to_bytes);
    let sealed = body.zip(kin).and_then(|(body, kin)| sealed(&worker.app, user, kin, &body));
    let Some(body) = sealed else {
        return ProxyError::UpstreamFault.response(dialect).map(ProxyBody::whole);
    };
    let mut response = Response::new(ProxyBody::whole(body.into()));
    *response.status_mut() = head.status;
    *response.headers_mut() = without_length(head.headers);
    response
}

/// The answer with the sealed token in it; `None` if there is none, or if it cannot be kept out.
fn sealed(app: &App, user: i64, kin: Kin, body: &[u8]) -> Option<Vec<u8>> {
    let (token, place) = token_name(body)?;
    if !LiveToken::is_one(&token) {
        return None;
    }
    let made_ms = app.clock.wall_ms();
    let live_token = LiveToken { user, kin, made_ms, token: Secret::new(token) };
    let name = app.resources.seal_live_token(&live_token).ok()?;
    let name = serde_json::to_string(name.expose()).ok()?;
    let before = body.get(..place.start)?;
    let behind = body.get(place.end..)?;
    // Nowhere else may it say what it is.
    let secret = live_token.token.expose().as_bytes();
    let is_told = [before, behind].iter().any(|part| memchr::memmem::find(part, secret).is_some());
    (!is_told).then(|| [before, name.as_bytes(), behind].concat())
}

fn without_length(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(CONTENT_LENGTH);
    headers
}
