//! Uploads: files that go through without being kept.
//!
//! In pieces: the address that the upstream hands out becomes one of ours.
//!
//! The address is a capability ([`Ticket`]): some clients send the pieces of a file without any key.
//! A piece goes to the key that began the upload, or one of its project; it cannot be sent twice, so
//! there is one try, and a client that speaks the protocol asks how far it came and goes on.
//!
//! Whole, alone or behind its description: a large file has one try likewise, with any key; a small one
//! is a body like others, which more than one key can be tried with.

use std::sync::Arc;
use std::time::Duration;

use dialect::path::Target;
use dialect::resource::{Use, shape};
use dialect::{Dialect, Tap};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Version};
use keypool::Kin;
use tokio::time::MissedTickBehavior;

use crate::app::{App, Worker};
use crate::intake::RequestBody;
use crate::origin::Origin;
use crate::proxy::attempt::{Accepted, Fault, Outcome, refuse};
use crate::proxy::body::ProxyBody;
use crate::proxy::call::{NO_MODEL, path_and_query, preferred};
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;
use crate::proxy::note::Note;
use crate::proxy::passing::{Passing, Progress};
use crate::proxy::pin::{self, Pinned};
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
/// Largest file that is held while keys are tried, in bytes: as much as a piece of Google's clients.
const HELD_BYTES_MAX: u64 = 8 * 1024 * 1024;
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

/// Whether a request brings a file that is too large to be held, or may be.
pub(super) fn is_large(app: &App, head: &Parts, target: &Target) -> bool {
    let bytes_max = HELD_BYTES_MAX.min(app.config.limits.body_bytes_max as u64);
    let is_sent = matches!(head.method, Method::POST | Method::PUT);
    let is_long = match declared(&head.headers) {
        Some(length) => bytes_max < length,
        // In HTTP/1.1 there is no body then, unless it comes in chunks.
        None => head.version == Version::HTTP_2 || head.headers.contains_key(TRANSFER_ENCODING),
    };
    is_sent && is_file(target, &head.headers) && is_long
}

/// The length of a body, if its head tells it.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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
    // What is sent to a store is not a store that is made; the answer to a file names it.
    let touched = Use::of(target, head.method.as_str());
    let piece = Piece { worker, outgoing, length, kin: Some(ticket.kin), is_bound: true };
    piece.send(exchange, body, &touched).await.into_response(dialect)
}

/// Passes on a large file that comes whole.
pub(super) async fn forward_whole(
    worker: &Arc<Worker>,
    mut exchange: Exchange,
    head: &Parts,
    body: RequestBody,
    target: &Target,
) -> Response<ProxyBody> {
    let dialect = target.dialect;
    let app = &worker.app;
    let touched = Use::of(target, head.method.as_str());
    let (length, is_bound) = match admit_whole(app, &mut exchange, head, &touched).await {
        Ok(admitted) => admitted,
        Err(error) => {
            exchange.refuse(&error);
            return error.response(dialect).map(ProxyBody::whole);
        }
    };
    let outgoing = Outgoing {
        method: head.method.clone(),
        path_and_query: path_and_query(&target.path, head.uri.query().unwrap_or_default()),
        headers: headers::to_upstream_for(head, target),
        body: bytes::Bytes::new(),
    };
    let kin = exchange.key().and_then(|key| app.pool.kin(key.id));
    let piece = Piece { worker, outgoing, length, kin, is_bound };
    piece.send(exchange, body, &touched).await.into_response(dialect)
}

/// Takes a place among the requests for a body of its declared length, which is told.
async fn admit_body(
    app: &App,
    exchange: &mut Exchange,
    head: &Parts,
) -> Result<Option<u64>, ProxyError> {
    let bytes_max = app.config.limits.upload_bytes_max;
    let length = declared(&head.headers);
    if length.is_some_and(|length| bytes_max < length) {
        return Err(ProxyError::BodyTooLarge { bytes_max });
    }
    exchange.hold_permit(app.admission.admit().await?);
    Ok(length)
}

/// Takes a place and a key for a file that comes whole: the one that sees what the path names, or the
/// one that made what its user key has made just before, or any. Tells its declared length, and whether
/// no other key would do.
async fn admit_whole(
    app: &App,
    exchange: &mut Exchange,
    head: &Parts,
    touched: &Use,
) -> Result<(Option<u64>, bool), ProxyError> {
    let length = admit_body(app, exchange, head).await?;
    let user = exchange.user();
    let patience = Duration::from_millis(app.config.pool.no_key_wait_ms);
    let lease = match (pin::find(app, user, touched, b"")?, preferred(app, user, touched)) {
        (Some(Pinned { kin, name }), _) => {
            let leased = app.pool.lease_kin(&kin, NO_MODEL, &[], patience).await;
            let told = |refusal| ProxyError::of_pinned_refusal(&refusal, &name, app.pool.now());
            exchange.begin_attempt(leased.map_err(told)?);
            return Ok((length, true));
        }
        (None, Some(kin)) => app.pool.lease_kin(&kin, NO_MODEL, &[], Duration::ZERO).await.ok(),
        (None, None) => None,
    };
    let lease = match lease {
        Some(lease) => lease,
        None => {
            let leased = app.pool.lease(NO_MODEL, &[], patience).await;
            leased.map_err(|refusal| ProxyError::of_refusal(&refusal, app.pool.now()))?
        }
    };
    exchange.begin_attempt(lease);
    Ok((length, false))
}

/// Takes a place and a key for a piece, and tells its declared length.
async fn admit_piece(
    app: &App,
    exchange: &mut Exchange,
    head: &Parts,
    ticket: &Ticket,
) -> Result<Option<u64>, ProxyError> {
    let length = admit_body(app, exchange, head).await?;
    let patience = Duration::from_millis(app.config.pool.no_key_wait_ms);
    let leased = app.pool.lease_kin(&ticket.kin, NO_MODEL, &[], patience).await;
    let lease = leased
        .map_err(|refusal| ProxyError::of_pinned_refusal(&refusal, "the upload", app.pool.now()))?;
    exchange.begin_attempt(lease);
    Ok(length)
}

/// One piece of an upload on its way, or a file that comes whole.
struct Piece<'a> {
    worker: &'a Arc<Worker>,
    outgoing: Outgoing,
    length: Option<u64>,
    /// The keys that see what comes of it.
    kin: Option<Kin>,
    /// Whether no other keys would do.
    is_bound: bool,
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
                Outcome::Refused(refused) if !self.is_bound && serve::is_of_key(app, &refused) => {
                    serve::give_up_key(app, exchange, &refused, &key)
                }
                Outcome::Refused(refused) => {
                    serve::pass_on_refusal(app, exchange, *refused, (&key, passed))
                }
                Outcome::Fault(fault) => serve::pass_on_fault(exchange, fault),
                Outcome::Accepted(_) => Served::own(exchange, ProxyError::Internal),
            };
        }
        let (head, body) = answer.into_parts();
        let note = Note::of(touched, self.kin, exchange.user());
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
