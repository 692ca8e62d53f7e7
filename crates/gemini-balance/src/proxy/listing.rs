//! Lists of what a caller has, put together out of the lists of every project that keeps some of it.
//!
//! Each item is as its upstream gave it; what is another's is left out. A page is filled project by
//! project, in the order of their keys, and its token says where the next one goes on. A list is all
//! there or not at all: when a project cannot be asked at the moment, the answer says so.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use dialect::Dialect;
use dialect::resource::{Margin, Page, root};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::BodyExt;
use keypool::{KeyId, Kin, Verdict};

use crate::app::Worker;
use crate::proxy::attempt::{Fault, Outcome, Refused, attempt};
use crate::proxy::body::ProxyBody;
use crate::proxy::call::Call;
use crate::proxy::caller::{parameter, query_without};
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::{Ending, Exchange};
use crate::proxy::judge::{Next, judge};
use crate::proxy::serve::{Served, circumstances, pass_on_fault, pass_on_refusal, redact};
use crate::upstream::Outgoing;

/// Items in a page that names no size.
const PAGE_SIZE: usize = 50;
/// Most items in a page.
const PAGE_SIZE_MAX: usize = 1_000;
/// Most pages of upstreams that are read for one of ours; the rest is behind the next token.
const CALLS_MAX: usize = 64;
/// Largest page of an upstream that is read, in bytes.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most bytes of items in one page of ours.
const ITEMS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Where a page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Place {
    /// The key by which the project goes that is being listed.
    key: u64,
    /// The upstream's token for its page.
    token: String,
    /// How many of the caller's own items in that page have been told already.
    skipped: usize,
}

impl Place {
    fn written(&self) -> String {
        let Self { key, token, skipped } = self;
        URL_SAFE_NO_PAD.encode(format!("1.{key}.{skipped}.{token}"))
    }

    /// Behind an item that the caller has, as OpenAI's dialect has it.
    fn behind(id: &str, kind: &str, groups: &BTreeMap<u64, Group>) -> Option<Self> {
        let name = root(&[kind, "/", id].concat())?;
        let (key, _) = groups.iter().find(|(_, group)| group.names.contains(name.as_str()))?;
        Some(Self { key: *key, token: id.to_owned(), skipped: 0 })
    }

    fn read(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let mut parts = text.strip_prefix("1.")?.splitn(3, '.');
        Some(Self {
            key: parts.next()?.parse().ok()?,
            skipped: parts.next()?.parse().ok()?,
            token: parts.next()?.to_owned(),
        })
    }
}

/// The parameter that says where a page begins.
fn token_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Gemini => "pageToken",
        Dialect::OpenAi => "after",
    }
}

/// The parameter that says how many items a page has.
fn size_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Gemini => "pageSize",
        Dialect::OpenAi => "limit",
    }
}

/// One project and what the caller has there.
struct Group {
    kin: Kin,
    names: HashSet<Arc<str>>,
}

/// What of a project is the caller's own.
struct Sieve<'n, 'm> {
    names: &'n HashSet<Arc<str>>,
    /// What has not been seen yet.
    missing: &'m mut HashSet<&'n str>,
}

impl Sieve<'_, '_> {
    fn keeps(&mut self, name: &str) -> bool {
        self.missing.remove(name);
        self.names.contains(name)
    }
}

/// A page of ours as it grows.
#[derive(Default)]
struct Filled {
    member: String,
    items: Vec<Bytes>,
    bytes: usize,
    next: Option<Place>,
}

/// Answers a list of everything of a kind that the caller has.
pub(super) async fn answer(
    worker: &Arc<Worker>,
    exchange: Exchange,
    call: &Call,
    kind: &str,
) -> Response<ProxyBody> {
    let dialect = call.dialect;
    let groups = groups(worker, kind, call.user);
    let query = call.outgoing.path_and_query.split_once('?').map_or("", |(_, query)| query);
    let begin = match parameter(query, token_name(dialect)).filter(|token| !token.is_empty()) {
        None => Some(Place::default()),
        Some(token) if dialect == Dialect::Gemini => Place::read(&token),
        Some(id) => Place::behind(&id, kind, &groups),
    };
    let size = parameter(query, size_name(dialect))
        .and_then(|size| size.parse().ok())
        .filter(|it| *it > 0);
    let size = size.unwrap_or(PAGE_SIZE).min(PAGE_SIZE_MAX);
    let Some(begin) = begin else {
        return Served::own(exchange, ProxyError::BadPageToken).into_response(dialect);
    };
    let listing = Listing { worker, call, kind, size };
    match listing.fill(exchange, groups, begin).await {
        Err(served) => served.into_response(dialect),
        Ok((mut exchange, filled)) => {
            exchange.complete();
            let items: Vec<&str> =
                filled.items.iter().filter_map(|item| str::from_utf8(item).ok()).collect();
            let next = filled.next.as_ref().map(Place::written);
            let margin = Margin { member: &filled.member, next: next.as_deref() };
            let page = Page::write_in(dialect, margin, &items);
            let mut response = Response::new(ProxyBody::whole(page.into()));
            let json = HeaderValue::from_static("application/json; charset=UTF-8");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
    }
}

/// What the caller has, by project, in the order of their first keys.
fn groups(worker: &Worker, kind: &str, user: i64) -> BTreeMap<u64, Group> {
    let app = &worker.app;
    let mut by_label: BTreeMap<(Option<Arc<str>>, u64), Group> = BTreeMap::new();
    for (name, kin) in app.resources.listed(kind, user) {
        let kin = app.pool.kin(kin.key).unwrap_or(kin);
        let key = if kin.project.is_some() { 0 } else { kin.key.0 };
        let group = by_label
            .entry((kin.project.clone(), key))
            .or_insert_with(|| Group { kin: kin.clone(), names: HashSet::new() });
        group.kin = group.kin.clone().min(kin);
        group.names.insert(name);
    }
    by_label.into_values().map(|group| (group.kin.key.0, group)).collect()
}

struct Listing<'a> {
    worker: &'a Arc<Worker>,
    call: &'a Call,
    kind: &'a str,
    size: usize,
}

impl Listing<'_> {
    /// Fills a page from `begin` on; or the answer that says why not.
    async fn fill(
        &self,
        mut exchange: Exchange,
        groups: BTreeMap<u64, Group>,
        begin: Place,
    ) -> Result<(Exchange, Filled), Served> {
        let mut filled = Filled::default();
        let mut place = begin;
        let mut calls = 0;
        let mut keys = groups.range(place.key..);
        let mut group = keys.next();
        while let Some((key, current)) = group {
            if *key != place.key {
                place = Place { key: *key, ..Place::default() };
            }
            let mut missing: HashSet<&str> = current.names.iter().map(AsRef::as_ref).collect();
            loop {
                if calls == CALLS_MAX || filled.is_full(self.size) {
                    filled.next = Some(place);
                    return Ok((exchange, filled));
                }
                calls += 1;
                let (went_on, page) = self.page(exchange, current, &place).await?;
                exchange = went_on;
                let Some(page) = page else { break };
                let Some(read) = Page::read(&page) else {
                    return Err(pass_on_fault(exchange, Fault::Malformed));
                };
                let mut sieve = Sieve { names: &current.names, missing: &mut missing };
                let told = filled.take(self, &mut sieve, (&page, &read), place.skipped);
                match (told, read.next) {
                    // The page of ours is full in the middle of one of the upstream's.
                    (Some(skipped), _) => {
                        filled.next = Some(Place { skipped, ..place });
                        return Ok((exchange, filled));
                    }
                    // What has been deleted or has ended need not be looked for to the end.
                    (None, Some(token)) if !missing.is_empty() => {
                        place = Place { key: *key, token, skipped: 0 };
                    }
                    (None, _) => break,
                }
            }
            group = keys.next();
        }
        Ok((exchange, filled))
    }

    /// One page of one project; `None` where no key can list it any more.
    async fn page(
        &self,
        mut exchange: Exchange,
        group: &Group,
        place: &Place,
    ) -> Result<(Exchange, Option<Bytes>), Served> {
        let app = &self.worker.app;
        let call = self.call.with_outgoing(self.outgoing(place));
        let patience = Duration::from_millis(app.config.pool.no_key_wait_ms);
        let mut tried: Vec<KeyId> = Vec::new();
        let mut refused: Option<Box<Refused>> = None;
        loop {
            let leased = app.pool.lease_kin(&group.kin, &call.model, &tried, patience).await;
            let lease = match (leased, refused.take()) {
                (Ok(lease), _) => lease,
                // Nobody can see what such a project keeps, so it is not there to be listed.
                (Err(keypool::Refusal::NoUsableKey), _) => return Ok((exchange, None)),
                (Err(refusal), _) => {
                    let name = self.kind;
                    let error = ProxyError::of_pinned_refusal(&refusal, name, app.pool.now());
                    return Err(Served::own(exchange, error));
                }
            };
            let key = exchange.begin_attempt(lease);
            let spent_ms = app.clock.monotonic_ms().saturating_sub(exchange.began_ms());
            let left_ms = app.config.limits.request_timeout_ms.saturating_sub(spent_ms);
            if left_ms == 0 {
                return Err(Served::cut_off(exchange, ProxyError::DeadlineExceeded));
            }
            let left = Duration::from_millis(left_ms);
            let outcome = attempt(self.worker, &call, &key, left).await;
            let (verdict, next) = judge(&outcome, || circumstances(app));
            match outcome {
                Outcome::Accepted(accepted) => {
                    let limit = Duration::from_millis(app.config.limits.stream_idle_timeout_ms);
                    let body = collect(*accepted, limit).await;
                    return match body {
                        Ok(body) => {
                            exchange.end_attempt(&Ending {
                                status: 200,
                                error: None,
                                verdict: Verdict::Healthy,
                                reason: "",
                            });
                            Ok((exchange, Some(body)))
                        }
                        Err(fault) => Err(pass_on_fault(exchange, fault)),
                    };
                }
                Outcome::Refused(refusal) if next == Next::OtherKey => {
                    let reason = redact(&refusal.failure.message, &key);
                    exchange.end_attempt(&Ending {
                        status: refusal.status.as_u16(),
                        error: Some(refusal.failure.kind.code()),
                        verdict,
                        reason: &reason,
                    });
                    tried.push(key.id);
                    refused = Some(refusal);
                }
                Outcome::Refused(refusal) => {
                    let passed = http::HeaderMap::new();
                    return Err(pass_on_refusal(app, exchange, *refusal, (&key, passed)));
                }
                Outcome::Fault(fault) => return Err(pass_on_fault(exchange, fault)),
            }
        }
    }

    fn outgoing(&self, place: &Place) -> Outgoing {
        let outgoing = &self.call.outgoing;
        let (path, query) =
            outgoing.path_and_query.split_once('?').unwrap_or((&outgoing.path_and_query, ""));
        let name = token_name(self.call.dialect);
        let mut query = query_without(query, &[name]);
        if !place.token.is_empty() {
            let token = percent_encoding::utf8_percent_encode(
                &place.token,
                percent_encoding::NON_ALPHANUMERIC,
            );
            let separator = if query.is_empty() { "" } else { "&" };
            query = format!("{query}{separator}{name}={token}");
        }
        let separator = if query.is_empty() { "" } else { "?" };
        Outgoing { path_and_query: format!("{path}{separator}{query}"), ..outgoing.clone() }
    }
}

impl Filled {
    fn is_full(&self, size: usize) -> bool {
        size <= self.items.len() || ITEMS_BYTES_MAX <= self.bytes
    }

    /// Takes the caller's own items out of a page; tells how many of them were taken or skipped when
    /// there was no room for the rest.
    fn take(
        &mut self,
        listing: &Listing<'_>,
        sieve: &mut Sieve<'_, '_>,
        (page, read): (&Bytes, &Page<'_>),
        skipped: usize,
    ) -> Option<usize> {
        if self.member.is_empty() {
            self.member.clone_from(&read.member);
        }
        let mut own = 0;
        for item in &read.items {
            let Some(name) = item.name(listing.kind) else { continue };
            if !sieve.keeps(&name) {
                continue;
            }
            own += 1;
            if own <= skipped {
                continue;
            }
            if self.is_full(listing.size) {
                return Some(own - 1);
            }
            let item = page.slice_ref(item.raw.as_bytes());
            self.bytes += item.len();
            self.items.push(item);
        }
        None
    }
}

/// The whole of an answer.
async fn collect(
    accepted: crate::proxy::attempt::Accepted,
    limit: Duration,
) -> Result<Bytes, Fault> {
    let mut whole = BytesMut::new();
    accepted.held.iter().for_each(|piece| whole.extend_from_slice(piece));
    let mut body = accepted.body;
    loop {
        let frame = tokio::time::timeout(limit, body.frame()).await;
        match frame.map_err(|_| Fault::StreamIdle)? {
            None => return Ok(whole.freeze()),
            Some(Err(_)) => return Err(Fault::Truncated),
            Some(Ok(frame)) => {
                whole.extend_from_slice(&frame.into_data().unwrap_or_default());
                if PAGE_BYTES_MAX < whole.len() {
                    return Err(Fault::Malformed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_where_a_page_begins_and_another_one_is_none() {
        for token in ["", "abc", "a.b.c", "é/=?&"] {
            let place = Place { key: 42, token: token.to_owned(), skipped: 7 };
            assert_eq!(Place::read(&place.written()), Some(place));
        }
        for none in ["", "x", "CgYIARACGAM", "MS4x"] {
            assert_eq!(Place::read(none), None, "{none}");
        }
    }
}
