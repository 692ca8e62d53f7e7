//! Uploads in pieces: the address that the upstream hands out becomes one of ours, and what is sent
//! there goes through without being kept.
//!
//! The address is a capability ([`Ticket`]): some clients send the pieces of a file without any key.
//! A piece goes to the key that began the upload, or one of its project; it cannot be sent twice, so
//! there is one try, and a client that speaks the protocol asks how far it came and goes on.

use std::sync::Arc;
use std::time::Duration;

use dialect::path::Target;
use dialect::resource::{Use, shape};
use dialect::{Dialect, Tap};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use keypool::Kin;
use tokio::time::MissedTickBehavior;

use crate::app::{App, Worker};
use crate::intake::RequestBody;
use crate::origin::Origin;
use crate::proxy::attempt::{Accepted, Fault, Outcome, refuse};
use crate::proxy::body::ProxyBody;
use crate::proxy::call::NO_MODEL;
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;
use crate::proxy::note::Note;
use crate::proxy::passing::{Passing, Progress};
use crate::proxy::read_body::BodyLimits;
use crate::proxy::serve::{self, Served};
use crate::proxy::{caller, headers, own_url};
use crate::resources::Ticket;
use crate::upstream::{Outgoing, SendError};
use crate::user_keys::UserKey;

/// What the protocol's own fields begin with.
pub(super) const FIELDS: &str = "x-goog-upload-";
/// The parameter that names an upload.
const UPLOAD_ID: &str = "upload_id";
/// The longest path of an upstream's upload that is handed out, in bytes.
const TARGET_BYTES_MAX: usize = 8 * 1024;
/// How often it is looked whether an upload still moves.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether a target is one to which files are sent.
pub(super) fn is_upload(target: &Target) -> bool {
    target.dialect == Dialect::Gemini && target.path.starts_with("/upload/")
}

/// Whether the body of a request is a file, alone or in parts, rather than a message.
pub(super) fn is_file(target: &Target, headers: &HeaderMap) -> bool {
    let begins = headers.get("x-goog-upload-command").is_some_and(|it| it == "start");
    is_upload(target) && !begins
}

/// The upload that a request goes on with, and who began it; `None` if it begins one, or is none.
///
/// # Errors
///
/// An address that was not handed out here, or whose user key may not come in any more; a key beside
/// it that is another's.
pub(super) fn admit(
    app: &App,
    head: &Parts,
    target: &Target,
) -> Result<Option<(Ticket, Arc<UserKey>)>, ProxyError> {
    let query = head.uri.query().unwrap_or_default();
    let Some(sealed) = is_upload(target).then(|| caller::parameter(query, UPLOAD_ID)).flatten()
    else {
        return Ok(None);
    };
    let ticket = app.resources.open_ticket(&sealed).ok_or(ProxyError::NoSuchUpload)?;
    let now_ms = app.clock.wall_ms();
    let user = app.user_keys.live(ticket.user, now_ms).ok_or(ProxyError::NoSuchUpload)?;
    match caller::credential(head) {
        Err(ProxyError::NoCredential) => {}
        Err(error) => return Err(error),
        Ok(credential) => {
            let known = app.user_keys.authenticate(&credential, now_ms);
            if known.ok_or(ProxyError::UnknownCaller)?.id != user.id {
                return Err(ProxyError::NoSuchUpload);
            }
        }
    }
    Ok(Some((ticket, user)))
}

/// Where the address of an upload that begins will stand, if one does.
#[derive(Debug)]
pub(super) struct Begins {
    /// The address of the request itself.
    own_url: String,
    /// What stands before every path of the upstream.
    upstream_base: String,
    user: i64,
}

impl Begins {
    /// Of a request that may begin an upload.
    pub(super) fn of(
        app: &App,
        head: &Parts,
        origin: Origin,
        target: &Target,
        user: i64,
    ) -> Option<Self> {
        if !is_upload(target) {
            return None;
        }
        let base = own_url::base(head, origin, &app.config.server.trusted_proxies)?;
        Some(Self {
            own_url: base + head.uri.path(),
            upstream_base: app.config.upstream.gemini.path.clone(),
            user,
        })
    }

    /// The upstream's address as one of ours; `None` if it is none, or cannot be kept.
    fn address(&self, app: &App, kin: &Kin, upstreams: &HeaderValue) -> Option<HeaderValue> {
        let upstreams: http::Uri = upstreams.to_str().ok()?.parse().ok()?;
        // Wherever it points: pieces go where everything else goes.
        let path_and_query = upstreams.path_and_query()?.as_str();
        let below = path_and_query.strip_prefix(self.upstream_base.as_str());
        let path_and_query = below.filter(|it| it.starts_with('/')).unwrap_or(path_and_query);
        if TARGET_BYTES_MAX < path_and_query.len() {
            return None;
        }
        let ticket = Ticket {
            user: self.user,
            kin: kin.clone(),
            began_ms: app.clock.wall_ms(),
            path_and_query: path_and_query.to_owned(),
        };
        let sealed = app.resources.ticket(&ticket).ok()?;
        let own_url = &self.own_url;
        let address = format!("{own_url}?{UPLOAD_ID}={sealed}&upload_protocol=resumable");
        HeaderValue::from_str(&address).ok()
    }

    /// Copies the protocol's fields of an answer, with our addresses in place of the upstream's.
    pub(super) fn announce(&self, app: &App, kin: &Kin, from: &HeaderMap, to: &mut HeaderMap) {
        for (name, value) in from.iter().filter(|(name, _)| is_field(name)) {
            let value = match name.as_str().ends_with("-url") {
                true => self.address(app, kin, value),
                false => Some(value.clone()),
            };
            if let Some(value) = value {
                to.insert(name.clone(), value);
            }
        }
    }
}

/// Whether a field belongs to the protocol of uploads.
pub(super) fn is_field(name: &HeaderName) -> bool {
    name.as_str().starts_with(FIELDS)
}

/// Passes on one piece of an upload.
pub(super) async fn forward(
    worker: &Arc<Worker>,
    mut exchange: Exchange,
    head: &Parts,
    body: RequestBody,
    upload: (Ticket, &Target),
) -> Response<ProxyBody> {
    let (ticket, target) = upload;
    let dialect = target.dialect;
    let app = &worker.app;
    let admitted = admit_piece(app, &mut exchange, head, &ticket).await;
    let length = match admitted {
        Ok(length) => length,
        Err(error) => {
            exchange.refuse(&error);
            return error.response(dialect).map(ProxyBody::whole);
        }
    };
    let outgoing = Outgoing {
        method: head.method.clone(),
        path_and_query: ticket.path_and_query.clone(),
        headers: headers::to_upstream_for(head, target),
        body: bytes::Bytes::new(),
    };
    let piece = Piece { worker, outgoing, length, ticket: &ticket };
    let touched = Use::of(target, head.method.as_str());
    // What is sent to a store is not a store that is made; the answer to a file names it.
    let served = piece.send(exchange, body, &touched).await;
    served.into_response(dialect)
}

/// Takes a place and a key for a piece, and tells its declared length.
async fn admit_piece(
    app: &App,
    exchange: &mut Exchange,
    head: &Parts,
    ticket: &Ticket,
) -> Result<Option<u64>, ProxyError> {
    let bytes_max = app.config.limits.upload_bytes_max;
    let declared = head.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > bytes_max) {
        return Err(ProxyError::BodyTooLarge { bytes_max });
    }
    exchange.hold_permit(app.admission.admit().await?);
    let patience = Duration::from_millis(app.config.pool.no_key_wait_ms);
    let leased = app.pool.lease_kin(&ticket.kin, NO_MODEL, &[], patience).await;
    let lease = leased
        .map_err(|refusal| ProxyError::of_pinned_refusal(&refusal, "the upload", app.pool.now()))?;
    exchange.begin_attempt(lease);
    Ok(declared)
}

/// One piece of an upload on its way.
struct Piece<'a> {
    worker: &'a Arc<Worker>,
    outgoing: Outgoing,
    length: Option<u64>,
    ticket: &'a Ticket,
}

impl Piece<'_> {
    async fn send(self, mut exchange: Exchange, body: RequestBody, touched: &Use) -> Served {
        let app = &self.worker.app;
        let Some(key) = exchange.key() else {
            return Served::own(exchange, ProxyError::Internal);
        };
        let progress = Progress::new(app.clock.clone());
        let limits = BodyLimits {
            bytes_max: app.config.limits.upload_bytes_max,
            idle: Duration::from_millis(app.config.limits.body_idle_timeout_ms),
        };
        let source = Box::pin(Passing::new(body, limits, &progress));
        let upstream = &self.worker.upstream;
        let mut sending =
            Box::pin(upstream.send_through(&self.outgoing, &key.secret, source, self.length));
        let drained = app.lifecycle.drained().clone();
        let limit_ms = app.config.limits.request_timeout_ms;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let sent = loop {
            tokio::select! {
                biased;
                sent = &mut sending => break sent,
                () = drained.cancelled() => {
                    exchange.note_body(progress.bytes());
                    return Served::cut_off(exchange, ProxyError::Draining);
                }
                _ = look.tick() => {
                    let moved_ms = progress.moved_ms();
                    exchange.moved(moved_ms);
                    if limit_ms < app.clock.monotonic_ms().saturating_sub(moved_ms) {
                        exchange.note_body(progress.bytes());
                        return serve::pass_on_fault(exchange, Fault::HeadTimeout);
                    }
                }
            }
        };
        exchange.note_body(progress.bytes());
        let answer = match sent {
            Ok(answer) => answer,
            Err(SendError::Source(_)) => return Served::cut_off(exchange, progress.broke()),
            Err(error) => return serve::pass_on_fault(exchange, Fault::from(&error)),
        };
        let status = answer.status();
        if !status.is_success() {
            if status.is_redirection() || status.is_informational() {
                return serve::pass_on_fault(exchange, Fault::Redirect);
            }
            let passed = headers_of(answer.headers());
            return match refuse(answer, app.clock.wall_ms()).await {
                Outcome::Refused(refused) => {
                    serve::pass_on_refusal(app, exchange, *refused, (&key, passed))
                }
                Outcome::Fault(fault) => serve::pass_on_fault(exchange, fault),
                Outcome::Accepted(_) => Served::own(exchange, ProxyError::Internal),
            };
        }
        let (head, body) = answer.into_parts();
        let note = Note::of(touched, Some(self.ticket.kin.clone()), self.ticket.user);
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let shape = content_type.and_then(shape);
        let tap = shape.map(|shape| Tap::new(Dialect::Gemini, shape).noting_resource());
        let mut passed = headers::to_caller(&head.headers);
        passed.extend(headers_of(&head.headers));
        let accepted =
            Accepted { head, body, held: Default::default(), shape, tap, is_whole: false };
        Served::accepted(app, exchange, accepted, (passed, note))
    }
}

/// The protocol's fields of an answer, but for addresses of the upstream.
fn headers_of(from: &HeaderMap) -> HeaderMap {
    let is_passed = |name: &HeaderName| is_field(name) && !name.as_str().ends_with("-url");
    let fields = from.iter().filter(|(name, _)| is_passed(name));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}
