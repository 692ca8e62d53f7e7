//! Live sessions: a WebSocket to the caller, one to the upstream, and the frames between them as they
//! are.
//!
//! A session is a request like any other up to its head: a path, a caller, an exchange, a key. Then
//! the connection leaves HTTP and belongs to a [`session`] to its end. It holds a place of its own
//! among the Live sessions, and its key, but none among the requests.

mod handshake;
mod search;
mod session;
mod talk;

use std::pin::pin;
use std::sync::Arc;

use dialect::live::knows_go_away;
use dialect::path::Target;
use handshake::Handshake;
pub(super) use handshake::protocols;
use http::Response;
use http::request::Parts;
use search::Search;

use crate::app::{App, Worker};
use crate::intake::RequestBody;
use crate::origin::Origin;
use crate::proxy::body::ProxyBody;
use crate::proxy::call::Call;
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;
use crate::proxy::guarded::guarded;
use crate::proxy::pin::Pinned;
use crate::proxy::{caller, cors, own_url};
use crate::resources::LiveToken;
use crate::user_keys::UserKey;

/// What stands for a model when a key is chosen, since the first message alone names it. So what
/// the upstream says of one session, above all that there are too many, holds for all of a project.
pub(super) const MODEL: &str = "live";

/// What a session that is bound to a token is bound to, in words for its caller.
const TOKEN: &str = "this token";

/// Somebody who may open a session.
pub(super) struct Guest {
    handshake: Handshake,
    token: Option<LiveToken>,
}

/// Who wants to open a session, and that it is a WebSocket.
///
/// # Errors
///
/// It is none; a web page of an origin that may not call; no key or token that lets in.
pub(super) fn admit(
    app: &App,
    head: &Parts,
    origin: Origin,
) -> Result<(Guest, Arc<UserKey>), ProxyError> {
    let handshake = Handshake::of(head).ok_or(ProxyError::UpgradeNeeded)?;
    // A browser asks nobody before it opens a WebSocket; it only says whose page it shows.
    let own_base = own_url::base(head, origin, &app.config.server.trusted_proxies);
    if !cors::may_connect(head, &app.config.server.cors_origins, own_base.as_deref()) {
        return Err(ProxyError::OriginNotAllowed);
    }
    let now_ms = app.clock.wall_ms();
    let credential = caller::live_credential(head)?;
    if LiveToken::is_one(&credential) {
        let token = app.resources.open_live_token(&credential).ok_or(ProxyError::UnknownCaller)?;
        let user = app.user_keys.live(token.user, now_ms).ok_or(ProxyError::UnknownCaller)?;
        return Ok((Guest { handshake, token: Some(token) }, user));
    }
    let user = app.user_keys.authenticate(&credential, now_ms).ok_or(ProxyError::UnknownCaller)?;
    Ok((Guest { handshake, token: None }, user))
}

/// Opens a session: the upstream's first, then the caller's.
pub(super) async fn open(
    worker: &Arc<Worker>,
    mut exchange: Exchange,
    (head, body): (&Parts, RequestBody),
    guest: Guest,
    target: &Target,
) -> Response<ProxyBody> {
    let app = &worker.app;
    let Guest { handshake, token } = guest;
    let (request_id, user) = (exchange.request_id(), exchange.user());
    let refusal = match app.live_sessions.take(request_id, user, app.clock.wall_ms()) {
        _ if app.lifecycle.is_draining() => ProxyError::Draining,
        None => ProxyError::LiveSessionsFull,
        Some(place) => {
            let pinned =
                token.as_ref().map(|it| Pinned { kin: it.kin.clone(), name: TOKEN.to_owned() });
            let call = Call::of_session(&exchange, head, target, (pinned, &handshake.fields));
            let token = token.map(|it| it.token);
            let mut search = Search::new(Arc::clone(worker), exchange, call, token);
            let found = match search.find().await {
                Ok(found) => found,
                Err(answer) => return answer.response(target.dialect).map(ProxyBody::whole),
            };
            let response = handshake.agree(&found.accept).map(ProxyBody::whole);
            let method = target.verb.as_deref().unwrap_or_default();
            let way = session::Way { found, place, knows_go_away: knows_go_away(method) };
            let (app, upgrade) = (Arc::clone(app), handshake.upgrade);
            body.leave_connection_to(async move {
                let running = session::run(search, way, upgrade);
                if guarded(pin!(running)).await.is_err() {
                    app.metrics.panic_caught();
                }
            });
            return response;
        }
    };
    exchange.refuse(&refusal);
    refusal.response(target.dialect).map(ProxyBody::whole)
}
