//! Lists of what a caller has, put together out of the lists of every project that keeps some of it.
//!
//! Each item is as its upstream gave it; what is another's is left out. Several projects are asked at
//! once, but a page is filled project by project, in the order of their keys, and its token says where
//! the next one goes on. A list is all there or not at all: when a project cannot be asked at the
//! moment, the answer says so.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use dialect::Dialect;
use dialect::resource::{Margin, Page, root};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::BodyExt;
use keypool::{KeyId, Kin, Verdict};

use crate::app::{App, Worker};
use crate::log_row::LogRow;
use crate::pool::ServiceKey;
use crate::proxy::ahead::Ahead;
use crate::proxy::attempt::{Fault, Outcome, Refused, attempt};
use crate::proxy::body::ProxyBody;
use crate::proxy::call::Call;
use crate::proxy::caller::{parameter, query_without};
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::{Branch, Branches, Ending, Exchange};
use crate::proxy::judge::{Next, judge};
use crate::proxy::serve::{Served, circumstances, pass_on_fault, pass_on_refusal, redact};
use crate::upstream::Outgoing;

/// Items in a page that names no size.
const PAGE_SIZE: usize = 50;
/// Most items in a page.
const PAGE_SIZE_MAX: usize = 1_000;
/// Most pages of upstreams that are read for one of ours; the rest is behind the next token.
const CALLS_MAX: usize = 64;
/// Most pages of upstreams that are read at once.
const AT_ONCE: usize = 8;
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
    /// At the beginning of a project.
    fn of(key: u64) -> Self {
        Self { key, ..Self::default() }
    }

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
    match listing.fill(exchange, &groups, begin).await {
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

/// One page of one project, or why there is none.
struct Fetched<'g> {
    group: (u64, &'g Group),
    place: Place,
    /// How many items it was thought to bring.
    expected: usize,
    /// The attempts that have ended, each with its key.
    attempts: Vec<(LogRow, Arc<ServiceKey>)>,
    /// `None` where no key can list the project any more.
    came: Result<Option<Bytes>, Failed>,
}

/// Why a project could not be asked.
enum Failed {
    /// There is no key for it now.
    Own(ProxyError),
    /// There was no time left.
    Late(Branch),
    /// It was refused.
    Refused(Branch, Box<Refused>),
    /// The upstream is at fault.
    Fault(Branch, Fault),
}

impl Failed {
    /// Ends the exchange; what the caller is told.
    fn tell(self, app: &App, mut exchange: Exchange) -> Served {
        match self {
            Self::Own(error) => Served::own(exchange, error),
            Self::Late(branch) => {
                exchange.take_up(branch);
                Served::cut_off(exchange, ProxyError::DeadlineExceeded)
            }
            Self::Refused(branch, refused) => {
                let key = branch.key();
                exchange.take_up(branch);
                pass_on_refusal(app, exchange, *refused, (&key, HeaderMap::new()))
            }
            Self::Fault(branch, fault) => {
                exchange.take_up(branch);
                pass_on_fault(exchange, fault)
            }
        }
    }
}

impl Listing<'_> {
    /// Fills a page from `begin` on; or the answer that says why not.
    ///
    /// Several projects are asked at once, as many as the page is thought to need; what they bring is
    /// taken in their order, as if one had been asked after the other.
    ///
    /// # Cancellation
    ///
    /// Every attempt under way ends, and the exchange with them.
    async fn fill(
        &self,
        mut exchange: Exchange,
        groups: &BTreeMap<u64, Group>,
        begin: Place,
    ) -> Result<(Exchange, Filled), Served> {
        let drained = self.worker.app.lifecycle.drained().clone();
        let asking = (&exchange.branches(), exchange.began_ms());
        let mut filled = Filled::default();
        let mut coming = groups.range(begin.key..).map(|(key, group)| {
            let is_begun = *key == begin.key;
            let place = if is_begun { begin.clone() } else { Place::of(*key) };
            ((*key, group), place)
        });
        let mut ahead = Ahead::new();
        // Where those that are under way begin, and how many items they may bring.
        let mut places = VecDeque::new();
        let mut expected = 0;
        let mut calls = 0;
        // What is not seen yet of the project whose next page comes next.
        let mut missing: Option<HashSet<&str>> = None;
        loop {
            let is_full = filled.is_full(self.size);
            while !is_full
                && calls < CALLS_MAX
                && ahead.len() < AT_ONCE
                && (ahead.len() == 0 || filled.items.len() + expected < self.size)
            {
                let Some((group, place)) = coming.next() else { break };
                places.push_back(place.clone());
                calls += 1;
                expected += group.1.names.len();
                ahead.begin(self.page(asking, group, place, group.1.names.len()));
            }
            if is_full || ahead.len() == 0 {
                filled.next = places.pop_front().or_else(|| coming.next().map(|(_, place)| place));
                return Ok((exchange, filled));
            }
            let fetched = tokio::select! {
                biased;
                fetched = poll_fn(|cx| ahead.poll_next(cx)) => fetched,
                () = drained.cancelled() => {
                    return Err(Served::own(exchange, ProxyError::Draining));
                }
            };
            let Some(Fetched { group, place, expected: brought, attempts, came }) = fetched else {
                continue;
            };
            places.pop_front();
            expected = expected.saturating_sub(brought);
            for (row, key) in attempts {
                exchange.follow(row, key);
            }
            let page = match came {
                Ok(Some(page)) => page,
                Ok(None) => continue,
                Err(failed) => return Err(failed.tell(&self.worker.app, exchange)),
            };
            let Some(read) = Page::read(&page) else {
                return Err(pass_on_fault(exchange, Fault::Malformed));
            };
            let (key, current) = group;
            let mut rest: HashSet<&str> =
                missing.take().unwrap_or_else(|| current.names.iter().map(AsRef::as_ref).collect());
            let mut sieve = Sieve { names: &current.names, missing: &mut rest };
            let told = filled.take(self, &mut sieve, &read, place.skipped);
            match (told, read.next) {
                // The page of ours is full in the middle of one of the upstream's.
                (Some(skipped), _) => {
                    filled.next = Some(Place { skipped, ..place });
                    return Ok((exchange, filled));
                }
                // What has been deleted or has ended need not be looked for to the end.
                (None, Some(token)) if !rest.is_empty() => {
                    let place = Place { key, token, skipped: 0 };
                    if calls == CALLS_MAX || filled.is_full(self.size) {
                        filled.next = Some(place);
                        return Ok((exchange, filled));
                    }
                    places.push_front(place.clone());
                    calls += 1;
                    expected += rest.len();
                    ahead.begin_first(self.page(asking, group, place, rest.len()));
                    missing = Some(rest);
                }
                (None, _) => {}
            }
        }
    }

    /// One page of one project, by whichever key of it can be asked.
    async fn page<'g>(
        &self,
        asking: (&Branches, u64),
        group: (u64, &'g Group),
        place: Place,
        expected: usize,
    ) -> Fetched<'g> {
        let mut attempts = Vec::new();
        let came = self.ask(asking, group.1, &place, &mut attempts).await;
        Fetched { group, place, expected, attempts, came }
    }

    async fn ask(
        &self,
        (branches, began_ms): (&Branches, u64),
        group: &Group,
        place: &Place,
        attempts: &mut Vec<(LogRow, Arc<ServiceKey>)>,
    ) -> Result<Option<Bytes>, Failed> {
        let app = &self.worker.app;
        let call = self.call.with_outgoing(self.outgoing(place));
        let patience = Duration::from_millis(app.config.pool.no_key_wait_ms);
        let mut tried: Vec<KeyId> = Vec::new();
        loop {
            let leased = app.pool.lease_kin(&group.kin, &call.model, &tried, patience).await;
            let lease = match leased {
                Ok(lease) => lease,
                // Nobody can see what such a project keeps, so it is not there to be listed.
                Err(keypool::Refusal::NoUsableKey) => return Ok(None),
                Err(refusal) => {
                    let name = self.kind;
                    let error = ProxyError::of_pinned_refusal(&refusal, name, app.pool.now());
                    return Err(Failed::Own(error));
                }
            };
            let branch = branches.begin(lease);
            let key = branch.key();
            let spent_ms = app.clock.monotonic_ms().saturating_sub(began_ms);
            let left_ms = app.config.limits.request_timeout_ms.saturating_sub(spent_ms);
            if left_ms == 0 {
                return Err(Failed::Late(branch));
            }
            let left = Duration::from_millis(left_ms);
            let outcome = attempt(self.worker, &call, &key, left).await;
            let (verdict, next) = judge(&outcome, || circumstances(app));
            match outcome {
                Outcome::Accepted(accepted) => {
                    let limit = Duration::from_millis(app.config.limits.stream_idle_timeout_ms);
                    return match collect(*accepted, limit).await {
                        Ok(body) => {
                            let verdict = Verdict::Healthy;
                            let ending = Ending { status: 200, error: None, verdict, reason: "" };
                            attempts.push((branch.end(&ending), key));
                            Ok(Some(body))
                        }
                        Err(fault) => Err(Failed::Fault(branch, fault)),
                    };
                }
                Outcome::Refused(refusal) if next == Next::OtherKey => {
                    let reason = redact(&refusal.failure.message, &key);
                    let row = branch.end(&Ending {
                        status: refusal.status.as_u16(),
                        error: Some(refusal.failure.kind.code()),
                        verdict,
                        reason: &reason,
                    });
                    tried.push(key.id);
                    attempts.push((row, key));
                }
                Outcome::Refused(refusal) => return Err(Failed::Refused(branch, refusal)),
                Outcome::Fault(fault) => return Err(Failed::Fault(branch, fault)),
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
        read: &Page<'_>,
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
            // A copy, so that what is another's is not held along with it.
            let item = Bytes::copy_from_slice(item.raw.as_bytes());
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
