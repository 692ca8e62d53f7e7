//! The data plane: the life of one proxied request, from its head to its last byte.
//!
//! No SQL and no lock across an await. Everything here may be dropped at any await and leaves
//! the world right: what must be given back is held by the [`exchange::Exchange`].

mod ahead;
mod attempt;
mod body;
mod call;
mod caller;
mod cors;
mod error;
mod exchange;
mod guarded;
mod headers;
mod judge;
mod late;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod listing;
mod live;
mod note;
mod own_url;
mod passing;
mod pin;
mod read_body;
mod relay;
mod serve;
mod token;
mod upload;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use body::ProxyBody;
use call::Call;
use dialect::path::{PathError, Target};
use dialect::resource::{Use, makes_token};
use dialect::{Dialect, Op, Shape};
use error::ProxyError;
use exchange::{Exchange, Subject};
use guarded::{Panicked, guarded};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use live::Guest;
use serve::Served;

use crate::app::{App, Worker};
use crate::intake::RequestBody;
use crate::origin::Origin;
use crate::random::RequestId;
use crate::request_head::BadHead;
use crate::resources::Ticket;
use crate::user_keys::UserKey;

/// The name of a request, in every answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The methods that LLM APIs have.
static METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Answers one request to an LLM API.
pub(crate) async fn forward(
    worker: Arc<Worker>,
    from: Origin,
    request: Request<RequestBody>,
) -> Response<ProxyBody> {
    let app = &worker.app;
    let request_id = app.request_ids.next();
    let (head, body) = request.into_parts();
    let origin = cors::allowed_origin(&head, &app.config.server.cors_origins);

    let mut response = match cors::preflight(&head).filter(|_| origin.is_some()) {
        Some(permission) => permission.map(ProxyBody::whole),
        None => match guarded(pin!(proxied(&worker, (&head, from), body, request_id))).await {
            Ok(response) => response,
            Err(Panicked) => {
                app.metrics.panic_caught();
                let (dialect, _) = resolve(&head);
                ProxyError::Internal.response(dialect).map(ProxyBody::whole)
            }
        },
    };
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        cors::permit(headers, origin);
    }
    headers.insert(REQUEST_ID, request_id_value(request_id));
    response
}

/// Tells whoever asks that the gateway is leaving; nobody is looked up and nothing is logged.
pub(crate) fn turn_away(app: &App, head: &Parts) -> Response<ProxyBody> {
    app.metrics.request_refused(ProxyError::Draining.code());
    refuse(app, head, &ProxyError::Draining)
}

/// Refuses a request whose head is not to be trusted.
pub(crate) fn refuse_head(app: &App, head: &Parts, bad: BadHead) -> Response<ProxyBody> {
    refuse(app, head, &ProxyError::BadHead(bad))
}

/// Refuses a request before anybody has looked at its caller.
fn refuse(app: &App, head: &Parts, error: &ProxyError) -> Response<ProxyBody> {
    let (dialect, _) = resolve(head);
    let mut response = error.response(dialect).map(ProxyBody::whole);
    response.headers_mut().insert(REQUEST_ID, request_id_value(app.request_ids.next()));
    response
}

/// Answers one request of a known caller, or refuses it.
async fn proxied(
    worker: &Arc<Worker>,
    (head, from): (&Parts, Origin),
    body: RequestBody,
    request_id: RequestId,
) -> Response<ProxyBody> {
    let app = &worker.app;
    match admissible(app, head, from) {
        // A stranger costs a counter and an answer, never a row: nobody outside fills the disk.
        Err((dialect, error)) => {
            app.metrics.request_refused(error.code());
            error.response(dialect).map(ProxyBody::whole)
        }
        Ok(Admitted { target, caller, ticket, guest }) => {
            let subject = Subject::of(request_id, caller, &target, &head.headers);
            let mut exchange = Exchange::begin(Arc::clone(app), subject);
            exchange.join_trace(&head.headers);
            if let Some(ticket) = ticket {
                let upload = (ticket, &target);
                return Box::pin(upload::forward(worker, exchange, head, body, upload)).await;
            }
            if let Some(guest) = guest {
                let asked = (head, body);
                return Box::pin(live::open(worker, exchange, asked, guest, &target)).await;
            }
            if upload::is_large(app, head, &target) {
                let sending = upload::forward_whole(worker, exchange, head, body, &target);
                return Box::pin(sending).await;
            }
            let makes_token = makes_token(&target, head.method.as_str());
            match call::prepare(app, &mut exchange, (head, from), body, &target).await {
                // Boxed like the others that are rare.
                Ok(call) if makes_token => Box::pin(token::answer(worker, exchange, call)).await,
                Ok(call) => answer(worker, exchange, call).await,
                Err(error) => {
                    exchange.refuse(&error);
                    error.response(target.dialect).map(ProxyBody::whole)
                }
            }
        }
    }
}

/// A request of somebody known.
struct Admitted {
    target: Target,
    caller: Arc<UserKey>,
    /// The upload that it goes on with.
    ticket: Option<Ticket>,
    /// The Live session that it opens.
    guest: Option<Guest>,
}

/// What is asked and by whom, or the refusal in the dialect of the path.
fn admissible(app: &App, head: &Parts, from: Origin) -> Result<Admitted, (Dialect, ProxyError)> {
    let (dialect, target) = resolve(head);
    if !METHODS.contains(&head.method) {
        return Err((dialect, ProxyError::MethodNotAllowed));
    }
    // A wrong base URL is told to strangers too: it is the first thing that goes wrong.
    let target = target.map_err(|error| (dialect, ProxyError::from(error)))?;
    if let Some((ticket, caller)) =
        upload::admit(app, head, &target).map_err(|error| (dialect, error))?
    {
        return Ok(Admitted { target, caller, ticket: Some(ticket), guest: None });
    }
    if target.op == Op::Live {
        let (guest, caller) = live::admit(app, head, from).map_err(|error| (dialect, error))?;
        return Ok(Admitted { target, caller, ticket: None, guest: Some(guest) });
    }
    let caller = caller::credential(head)
        .and_then(|credential| {
            app.user_keys
                .authenticate(&credential, app.clock.wall_ms())
                .ok_or(ProxyError::UnknownCaller)
        })
        .map_err(|error| (dialect, error))?;
    Ok(Admitted { target, caller, ticket: None, guest: None })
}

/// What is asked, and the dialect in which a refusal is understood.
fn resolve(head: &Parts) -> (Dialect, Result<Target, PathError>) {
    let asker = caller::asker(head);
    let target = dialect::path::resolve(head.uri.path(), head.method.as_str(), &asker);
    let dialect = match &target {
        Ok(target) => target.dialect,
        Err(_) => dialect::path::guess(head.uri.path(), &asker),
    };
    (dialect, target)
}

/// Serves an admitted request.
///
/// Whoever waits for a stream must be told that it is alive: when the first content takes longer
/// than a heartbeat, the answer begins without it and the search for a key goes on inside it.
async fn answer(worker: &Arc<Worker>, exchange: Exchange, call: Call) -> Response<ProxyBody> {
    let dialect = call.dialect;
    // Boxed like an upload, since most requests are neither and should not carry their room.
    if let Use::Lists { kind } = &call.touched {
        return Box::pin(listing::answer(worker, exchange, &call, kind)).await;
    }
    let heartbeat_ms = worker.app.config.limits.heartbeat_ms;
    let is_stream = call.shape == Some(Shape::Sse);
    // Boxed, since it may move into the body of its own answer.
    let mut serving = Box::pin(serve::serve(Arc::clone(worker), exchange, call));
    if !is_stream || heartbeat_ms == 0 {
        return serving.await.into_response(dialect);
    }
    let heartbeat = Duration::from_millis(heartbeat_ms);
    match tokio::time::timeout(heartbeat, &mut serving).await {
        Ok(served) => served.into_response(dialect),
        Err(_) => late::response(serving, dialect, heartbeat),
    }
}

/// The name of a request as the value of its field.
pub(crate) fn request_id_value(request_id: RequestId) -> HeaderValue {
    // Hexadecimal digits are always a valid value.
    HeaderValue::from_str(request_id.hex().as_str()).unwrap_or(HeaderValue::from_static("-"))
}

impl Served {
    fn into_response(self, dialect: Dialect) -> Response<ProxyBody> {
        match self {
            Self::Accepted { head, relay } => {
                let mut response = Response::new(ProxyBody::Relay(relay));
                *response.status_mut() = head.status;
                *response.headers_mut() = head.headers;
                response
            }
            Self::Refused(refusal) => refusal.response(dialect).map(ProxyBody::whole),
        }
    }
}
