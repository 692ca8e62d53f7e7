//! From a request to a call: what every attempt sends, made once.
//!
//! The body is read whole, since another attempt may need it, and looked at without being
//! rewritten; the documented rewrites are splices that leave every other byte alone.

use std::time::Duration;

use bytes::Bytes;
use dialect::path::Target;
use dialect::resource::Use;
use dialect::rewrite::Suffixes;
use dialect::{Dialect, Op, Rewrite, Shape};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use keypool::Kin;

use crate::admission::Reservation;
use crate::app::App;
use crate::intake::RequestBody;
use crate::origin::Origin;
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Exchange;
use crate::proxy::pin::{self, Pinned};
use crate::proxy::read_body::{BodyLimits, read_body};
use crate::proxy::upload::{self, Begins};
use crate::proxy::{caller, headers, live};
use crate::random::RequestId;
use crate::upstream::Outgoing;

/// The prefix that Cloudflare's gateway wants before a Google model in an OpenAI body.
const CLOUDFLARE_MODEL_PREFIX: &str = "google-ai-studio/";

/// What stands for a model where a call has none, as for the list of models.
pub(super) const NO_MODEL: &str = "-";

/// One admitted request as every attempt sends it.
#[derive(Debug)]
pub(super) struct Call {
    /// The user key that calls.
    pub(super) user: i64,
    /// What it is to resources that one project keeps.
    pub(super) touched: Use,
    /// The keys that alone may serve it, if it names such a resource.
    pub(super) pinned: Option<Pinned>,
    /// The keys that serve it best, if they are free.
    pub(super) preferred: Option<Kin>,
    /// Where the address of an upload that it may begin will stand.
    pub(super) begins: Option<Begins>,
    /// The request's name, for the log.
    pub(super) request_id: RequestId,
    pub(super) dialect: Dialect,
    /// The model that the choice of a key goes by; [`NO_MODEL`] where a call has none.
    pub(super) model: String,
    /// What a good answer must look like; `None` where anything may come.
    pub(super) shape: Option<Shape>,
    /// What every attempt sends, but for the credential.
    pub(super) outgoing: Outgoing,
    /// The memory of the body, needed only for as long as it may be sent once more.
    _reservation: Option<Reservation>,
    /// Whether the gateway asked for the usage event and must keep it from the caller.
    pub(super) is_usage_ours: bool,
    /// Whether a token lets it in, so that nothing is said of the key.
    pub(super) has_token: bool,
}

/// Waits for a place, reads the body and makes the call.
///
/// # Errors
///
/// Everything that can be wrong with a request before any upstream is asked.
///
/// # Cancellation
///
/// What has been taken so far is in the exchange.
pub(super) async fn prepare(
    app: &App,
    exchange: &mut Exchange,
    (head, origin): (&Parts, Origin),
    body: RequestBody,
    target: &Target,
) -> Result<Call, ProxyError> {
    let admission_began_us = app.clock.monotonic_us();
    exchange.hold_permit(app.admission.admit().await?);
    let waited_us = app.clock.monotonic_us().saturating_sub(admission_began_us);
    app.metrics.waited_for_place(Duration::from_micros(waited_us));
    let limits = BodyLimits {
        bytes_max: app.config.limits.body_bytes_max as u64,
        idle: Duration::from_millis(app.config.limits.body_idle_timeout_ms),
    };
    let (body, reservation) = read_body(head, body, limits, &app.body_budget).await?;
    // For a place and for the caller's body.
    exchange.waited_since(admission_began_us);
    exchange.note_body(body.len() as u64);

    let user = exchange.user();
    let touched = Use::of(target, head.method.as_str());
    let named_in: &[u8] = if upload::is_file(target, &head.headers) { b"" } else { &body };
    let pinned = pin::find(app, user, &touched, named_in)?;
    let query = head.uri.query().unwrap_or_default();
    let mut told = read(target, head, query, &body)?;
    let suffixes = take_off_suffixes(app, target, &mut told)?;
    let meant = suffixes.map(|_| target.of_model(&told.model));
    let target = meant.as_ref().unwrap_or(target);
    exchange.describe(&told.model, told.is_stream);
    let rewrite = Rewrite {
        include_usage: told.is_usage_ours(app),
        thinking_extension: told.wants_thinking_extension,
        suffixes: suffixes.filter(|_| Suffixes::concern(target.op)).map(|it| (it, target.dialect)),
        model_prefix: told.model_prefix(app, target),
    };
    let mut headers = headers::to_upstream_for(head, target);
    exchange.tell_trace(&mut headers);
    Ok(Call {
        request_id: exchange.request_id(),
        begins: Begins::of(app, head, origin, target, user),
        preferred: preferred(app, user, &touched).filter(|_| pinned.is_none()),
        user,
        touched,
        pinned,
        dialect: target.dialect,
        shape: told.shape,
        outgoing: Outgoing {
            method: head.method.clone(),
            path_and_query: path_and_query(&target.path, query),
            headers,
            body: rewritten(body, &rewrite)?,
        },
        _reservation: Some(reservation),
        is_usage_ours: rewrite.include_usage,
        has_token: false,
        model: if told.model.is_empty() { NO_MODEL.to_owned() } else { told.model },
    })
}

/// Takes the endings off the model that a call asks for, if they mean something here.
fn take_off_suffixes(
    app: &App,
    target: &Target,
    told: &mut Told,
) -> Result<Option<Suffixes>, ProxyError> {
    let is_asked = Suffixes::concern(target.op) || target.op == Op::Count;
    if !app.config.upstream.model_suffixes || !is_asked {
        return Ok(None);
    }
    let Some((base, suffixes)) = dialect::rewrite::take_off(&told.model) else {
        return Ok(None);
    };
    if let Some(refusal) = suffixes.refusal(target.dialect) {
        return Err(ProxyError::BadBody(refusal.to_owned()));
    }
    told.model = base.to_owned();
    Ok(Some(suffixes))
}

/// The keys that best make what a call makes.
pub(super) fn preferred(app: &App, user: i64, touched: &Use) -> Option<Kin> {
    match touched {
        Use::Makes { kind } => app.resources.preferred(kind, user),
        Use::None | Use::Names { .. } | Use::Lists { .. } => None,
    }
}

/// The body as it goes upstream. Only a body that is rewritten has to be a JSON object: others are
/// empty, forms, or sounds.
fn rewritten(body: Bytes, rewrite: &Rewrite) -> Result<Bytes, ProxyError> {
    if *rewrite == Rewrite::default() {
        return Ok(body);
    }
    Ok(dialect::rewrite(&body, rewrite)?)
}

impl Call {
    /// Of a Live session: no body, and a request for another protocol.
    pub(super) fn of_session(
        exchange: &Exchange,
        head: &Parts,
        target: &Target,
        (pinned, fields): (Option<Pinned>, &HeaderMap),
    ) -> Self {
        // Only a token binds a session.
        let has_token = pinned.is_some();
        let mut headers = headers::to_upstream(&head.headers);
        headers.extend(fields.clone());
        exchange.tell_trace(&mut headers);
        Self {
            user: exchange.user(),
            touched: Use::None,
            pinned,
            preferred: None,
            begins: None,
            request_id: exchange.request_id(),
            dialect: target.dialect,
            model: live::MODEL.to_owned(),
            shape: None,
            outgoing: Outgoing {
                method: head.method.clone(),
                path_and_query: path_and_query(&target.path, head.uri.query().unwrap_or_default()),
                headers,
                body: Bytes::new(),
            },
            _reservation: None,
            is_usage_ours: false,
            has_token,
        }
    }

    /// The same call with something else to send.
    pub(super) fn with_outgoing(&self, outgoing: Outgoing) -> Self {
        Self {
            outgoing,
            model: self.model.clone(),
            touched: self.touched.clone(),
            pinned: self.pinned.clone(),
            preferred: None,
            begins: None,
            _reservation: None,
            ..*self
        }
    }
}

/// What path, query and body say about a request.
#[derive(Debug, Default)]
struct Told {
    model: String,
    is_stream: bool,
    shape: Option<Shape>,
    is_chat: bool,
    has_include_usage: bool,
    wants_thinking_extension: bool,
}

fn read(target: &Target, head: &Parts, query: &str, body: &[u8]) -> Result<Told, ProxyError> {
    let in_path = target.model.clone().unwrap_or_default();
    let is_chat = matches!(target.op, Op::Chat | Op::Completions);
    let peek = match target.op {
        Op::Generate | Op::StreamGenerate | Op::Count | Op::Embed => {
            Some(dialect::peek(target.dialect, body)?)
        }
        Op::Chat | Op::Completions | Op::Embeddings => Some(dialect::peek(target.dialect, body)?),
        Op::ModelList | Op::ModelGet => None,
        // These are forwarded as they are: a body of theirs need not be what it seems.
        Op::Responses | Op::Images | Op::Audio | Op::Other if is_json(&head.headers) => {
            dialect::peek(target.dialect, body).ok()
        }
        Op::Responses | Op::Images | Op::Audio | Op::Live | Op::Other => None,
    };
    let mut told = Told { model: in_path, is_chat, ..Told::default() };
    if let Some(peek) = peek {
        if told.model.is_empty() {
            told.model = peek.model.unwrap_or_default();
        }
        told.is_stream = peek.is_stream && target.dialect == Dialect::OpenAi;
        told.has_include_usage = peek.has_include_usage;
        told.wants_thinking_extension = is_chat && peek.wants_thinking_extension;
    }
    told.shape = match target.op {
        Op::StreamGenerate => {
            told.is_stream = true;
            let is_sse = query.split('&').any(|pair| pair == "alt=sse");
            Some(if is_sse { Shape::Sse } else { Shape::JsonArray })
        }
        Op::Chat | Op::Completions if told.is_stream => Some(Shape::Sse),
        Op::Generate | Op::Count | Op::Embed | Op::Chat | Op::Completions => Some(Shape::Json),
        Op::Embeddings | Op::ModelList | Op::ModelGet => Some(Shape::Json),
        Op::Responses | Op::Images | Op::Audio | Op::Live | Op::Other => None,
    };
    Ok(told)
}

impl Told {
    /// Whether usage must be asked for, since a stream tells it only when asked.
    fn is_usage_ours(&self, app: &App) -> bool {
        app.config.upstream.meter_openai_streams
            && self.is_chat
            && self.is_stream
            && !self.has_include_usage
    }

    fn model_prefix(&self, app: &App, target: &Target) -> Option<&'static str> {
        let is_wanted = app.config.upstream.cloudflare && target.dialect == Dialect::OpenAi;
        (is_wanted && !self.model.is_empty()).then_some(CLOUDFLARE_MODEL_PREFIX)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("application/json"))
}

/// What is asked for, as it goes upstream.
pub(super) fn path_and_query(path: &str, query: &str) -> String {
    let query = caller::query_without_credentials(query);
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
