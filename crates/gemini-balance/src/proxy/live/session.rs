//! A session to its end: two sockets and what is said between them.
//!
//! Like every relay it holds at most one piece in each direction, and reads no further before that
//! has left: whoever reads slowly slows the other down. The exchange ends exactly once, also when the
//! session is simply dropped, and before anything that only courtesy waits for.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use dialect::frames::{Side, write_close};
use http::{HeaderValue, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use keypool::Verdict;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::search::{Found, SESSION, Search};
use super::talk::Talk;
use crate::config::Limits;
use crate::live_sessions::LivePlace;
use crate::proxy::attempt::{Fault, Outcome, Refused};
use crate::proxy::error::ProxyError;
use crate::proxy::exchange::Ending;
use crate::proxy::judge::{judge_failure, judge_fault};
use crate::proxy::serve::{Answer, circumstances, redact};
use crate::resources;
use crate::upstream::Tunnel;

/// Most that is read of the caller at once.
const PIECE_BYTES: usize = 16 * 1024;
/// How often a session looks at the time, at most and at least.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// How long the other side may take to end a session in which a last word was said.
const CLOSE_LIMIT_MS: u64 = 10_000;
/// How many handles of a session are remembered.
const HANDLES_MAX: usize = 2;
/// How long a last word of ours may take to leave; a shutdown waits no longer.
const FAREWELL: Duration = Duration::from_millis(800);

/// What a session runs on.
pub(super) struct Way {
    pub(super) found: Found,
    pub(super) place: LivePlace,
    /// Whether the caller understands that its session is about to end.
    pub(super) knows_go_away: bool,
}

/// Runs a session from the moment at which the caller's connection has left HTTP.
///
/// # Cancellation
///
/// Dropping the future ends the exchange: the caller left.
pub(super) async fn run(search: Search, way: Way, upgrade: OnUpgrade) {
    // The caller may leave before the answer reaches it; then there is no connection.
    if let Ok(upgraded) = upgrade.await {
        Session::new(search, upgraded, way).run().await;
    }
}

struct Session {
    place: LivePlace,
    search: Search,
    caller: TokioIo<Upgraded>,
    tunnel: Tunnel,
    talk: Talk,
    /// The first upstream's word for the caller's nonce; another one's must be the same.
    accept: HeaderValue,
    knows_go_away: bool,
    is_set_up: bool,
    /// By which it can be resumed, the newest last.
    handles: Vec<String>,
    /// The upstream has ended the connection.
    is_tunnel_over: bool,
    /// The upstream takes no more.
    is_tunnel_deaf: bool,
    bytes_in: u64,
    pace: Pace,
    look: Interval,
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The user key lets in no more.
    caller_ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// Moments on the monotonic clock, in ms.
struct Pace {
    /// When either side last sent a message, and how many there had been.
    message_ms: u64,
    messages: u64,
    /// When something last left for the caller.
    sent_ms: u64,
    /// Since when the upstream owes its first message.
    asked_ms: Option<u64>,
    /// Since when the session waits for its end.
    closing_ms: Option<u64>,
}

/// Why two sockets are not connected any more.
enum Over {
    /// It has ended as it should, or as it could.
    Ended,
    /// The caller is gone.
    CallerLeft,
    /// The upstream has refused the session, in this frame, or is at fault, before it said anything.
    Failed(Outcome, Option<Bytes>),
    /// Only another key may serve it; nobody has been asked anything.
    Elsewhere,
    /// The gateway ends it.
    Stopped(ProxyError),
}

impl Session {
    fn new(search: Search, upgraded: Upgraded, way: Way) -> Self {
        let Way { found, place, knows_go_away } = way;
        place.is_served_by(search.exchange.key().map(|key| key.id));
        let app = &search.worker.app;
        let now_ms = app.clock.monotonic_ms();
        let mut look = tokio::time::interval(look_every(&app.config.limits));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            caller: TokioIo::new(upgraded),
            tunnel: found.tunnel,
            accept: found.accept,
            talk: Talk::new(app.body_budget.reservation()),
            knows_go_away,
            is_set_up: false,
            handles: Vec::new(),
            is_tunnel_over: false,
            is_tunnel_deaf: false,
            bytes_in: 0,
            pace: Pace {
                message_ms: now_ms,
                messages: 0,
                sent_ms: now_ms,
                asked_ms: None,
                closing_ms: None,
            },
            look,
            place,
            draining: Some(Box::pin(app.lifecycle.draining().clone().cancelled_owned())),
            drained: Box::pin(app.lifecycle.drained().clone().cancelled_owned()),
            caller_ended: Box::pin(search.exchange.caller().ended().clone().cancelled_owned()),
            search,
        }
    }

    async fn run(mut self) {
        loop {
            let over = poll_fn(|cx| self.poll(cx)).await;
            match over {
                Over::Ended => {
                    self.end();
                    return self.take_leave().await;
                }
                // The exchange is dropped, which says so.
                Over::CallerLeft => return,
                Over::Stopped(error) => {
                    self.stop(&error);
                    return self.take_leave().await;
                }
                Over::Failed(outcome, frame) => match self.go_on(outcome).await {
                    GoOn::Anew => {}
                    GoOn::CallerLeft => return,
                    GoOn::No(answer) => {
                        self.refuse(&answer, frame);
                        return self.take_leave().await;
                    }
                },
                Over::Elsewhere => match self.begin_anew().await {
                    GoOn::Anew => {}
                    GoOn::CallerLeft => return,
                    GoOn::No(answer) => {
                        self.refuse(&answer, None);
                        return self.take_leave().await;
                    }
                },
            }
        }
    }

    /// Moves what can be moved; ready when that is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        loop {
            if let Poll::Ready(over) = self.poll_time(cx) {
                return Poll::Ready(over);
            }
            // Before the upstream hears it.
            if let Some(over) = self.set_up() {
                return Poll::Ready(over);
            }
            let mut is_moving = false;
            match self.poll_to_caller(cx) {
                Poll::Ready(Ok(is_sent)) => {
                    is_moving |= is_sent;
                    if self.is_tunnel_over {
                        return Poll::Ready(Over::Ended);
                    }
                    match self.poll_from_upstream(cx) {
                        Poll::Ready(Some(over)) => return Poll::Ready(over),
                        Poll::Ready(None) => is_moving = true,
                        Poll::Pending => {}
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(self.caller_ended()),
                Poll::Pending => {}
            }
            if let Poll::Ready(is_sent) = self.poll_to_upstream(cx) {
                is_moving |= is_sent;
                match self.poll_from_caller(cx) {
                    Poll::Ready(Some(over)) => return Poll::Ready(over),
                    Poll::Ready(None) => is_moving = true,
                    Poll::Pending => {}
                }
            }
            if !is_moving {
                return Poll::Pending;
            }
        }
    }

    /// Sends on what the caller takes; ready, and whether anything was sent, when all has left.
    fn poll_to_caller(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.talk.to_caller.is_empty() {
            return Poll::Ready(Ok(false));
        }
        ready!(poll_write_all(Pin::new(&mut self.caller), cx, &mut self.talk.to_caller))?;
        // A session is mostly silent, and then holds no buffer.
        self.talk.to_caller = BytesMut::new();
        self.pace.sent_ms = self.now_ms();
        Poll::Ready(Ok(true))
    }

    /// The same for the upstream. One that takes no more may still have something to say.
    fn poll_to_upstream(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.is_tunnel_deaf || self.talk.to_upstream.is_empty() {
            self.talk.to_upstream.clear();
            return Poll::Ready(false);
        }
        let sent = ready!(self.tunnel.poll_write(cx, &mut self.talk.to_upstream));
        self.is_tunnel_deaf = sent.is_err();
        self.talk.to_upstream = BytesMut::new();
        Poll::Ready(true)
    }

    fn poll_from_upstream(&mut self, cx: &mut Context<'_>) -> Poll<Option<Over>> {
        let key = self.search.exchange.key();
        let Self { tunnel, talk, .. } = self;
        let was_proven = talk.is_proven();
        let read = ready!(tunnel.poll_read(cx, |piece| {
            talk.upstream_said(piece, key.as_deref());
            piece.len()
        }));
        let now_ms = self.now_ms();
        match read {
            Ok(Some(count)) => {
                self.search.exchange.passed(count, now_ms);
                self.place.passed(count);
                self.note_messages(now_ms);
                self.note_handle();
                if !was_proven && self.talk.is_proven() {
                    self.pace.asked_ms = None;
                    self.search.is_over();
                }
                Poll::Ready(self.talk.take_refusal().map(|(failure, frame)| {
                    let refused = Refused::inside_success(failure);
                    Over::Failed(Outcome::Refused(Box::new(refused)), Some(frame))
                }))
            }
            Ok(None) | Err(_) => {
                if !self.talk.is_proven() && self.talk.ended_by().is_none() {
                    return Poll::Ready(Some(Over::Failed(Outcome::Fault(Fault::Lost), None)));
                }
                self.is_tunnel_over = true;
                let broke = ProxyError::UpstreamBroke;
                if !self.talk.is_closed() && self.talk.ended_by() != Some(Side::Client) {
                    self.talk.pass_on_close(&write_close(code_of(&broke), &broke.message(), None));
                }
                Poll::Ready(None)
            }
        }
    }

    fn poll_from_caller(&mut self, cx: &mut Context<'_>) -> Poll<Option<Over>> {
        let Self { caller, talk, .. } = self;
        let count = ready!(poll_read(Pin::new(caller), cx, |piece| talk.caller_said(piece)));
        let now_ms = self.now_ms();
        match count {
            Ok(0) | Err(_) => Poll::Ready(Some(self.caller_ended())),
            Ok(count) => {
                self.note_from_caller(count, now_ms);
                Poll::Ready(None)
            }
        }
    }

    /// A caller that goes behind a last word has everything.
    fn caller_ended(&self) -> Over {
        if self.talk.ended_by().is_some() { Over::Ended } else { Over::CallerLeft }
    }

    fn note_from_caller(&mut self, count: usize, now_ms: u64) {
        self.bytes_in += count as u64;
        self.place.note_bytes_in(self.bytes_in);
        self.search.exchange.note_body(self.bytes_in);
        self.search.exchange.moved(now_ms);
        self.note_messages(now_ms);
        if self.talk.has_asked() && !self.talk.is_proven() {
            self.pace.asked_ms.get_or_insert(now_ms);
        }
    }

    /// Reads the first message of the caller, once it has come: which model it is about, and whether
    /// it goes on with a session that only some keys know.
    fn set_up(&mut self) -> Option<Over> {
        if self.is_set_up || !self.talk.has_asked() {
            return None;
        }
        self.is_set_up = true;
        let setup = self.talk.setup()?;
        if let Some(model) = &setup.model {
            self.search.exchange.describe(model, true);
            self.place.asks_for(model);
        }
        let app = &self.search.worker.app;
        let found = app.resources.session(setup.handle.as_deref()?, self.search.exchange.user());
        match found {
            _ if self.search.is_bound() => None,
            resources::Found::Unknown => None,
            resources::Found::Foreign => {
                let name = SESSION.to_owned();
                Some(Over::Stopped(ProxyError::NoSuchResource { name }))
            }
            resources::Found::Kept(kin) => {
                let key = self.search.exchange.key()?;
                let own = app.pool.kin(key.id)?;
                if app.pool.are_kindred(&own, &kin) {
                    return None;
                }
                self.search.bind(kin);
                Some(Over::Elsewhere)
            }
        }
    }

    /// Remembers by which keys the session can be resumed. A caller may have missed the newest handle,
    /// so the one before it counts as well.
    fn note_handle(&mut self) {
        let Some(handle) = self.talk.take_handle() else { return };
        let app = &self.search.worker.app;
        let exchange = &self.search.exchange;
        if let Some(kin) = exchange.key().and_then(|key| app.pool.kin(key.id)) {
            app.resources.resumable(&handle, &kin, exchange.user());
        }
        if !self.handles.contains(&handle) {
            self.handles.push(handle);
        }
        if HANDLES_MAX < self.handles.len() {
            app.resources.outdated(&self.handles.remove(0));
        }
    }

    fn note_messages(&mut self, now_ms: u64) {
        let (messages, frames) = self.talk.counts();
        self.place.note_frames(frames);
        if messages != self.pace.messages {
            self.pace.messages = messages;
            self.pace.message_ms = now_ms;
        }
        if self.talk.ended_by().is_some() {
            self.pace.closing_ms.get_or_insert(now_ms);
        }
    }

    /// What time asks for: the end of the process, and everything that takes too long.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        if self.drained.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Over::Stopped(ProxyError::Draining));
        }
        if self.caller_ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Over::Stopped(ProxyError::CallerEnded));
        }
        if let Some(draining) = &mut self.draining
            && draining.as_mut().poll(cx).is_ready()
        {
            self.draining = None;
            if self.knows_go_away {
                self.talk.announce_end(self.search.worker.app.config.limits.drain_ms);
            }
        }
        while self.look.poll_tick(cx).is_ready() {
            let app = &self.search.worker.app;
            let limits = &app.config.limits;
            let now_ms = app.clock.monotonic_ms();
            let since = |at_ms: u64| now_ms.saturating_sub(at_ms);
            // A session that lives is no stuck lease, however silent it is.
            self.search.exchange.moved(now_ms);
            if self.pace.closing_ms.is_some_and(|at_ms| CLOSE_LIMIT_MS <= since(at_ms)) {
                return Poll::Ready(Over::Ended);
            }
            if self.pace.asked_ms.is_some_and(|at| limits.stream_idle_timeout_ms <= since(at)) {
                let outcome = Outcome::Fault(Fault::ContentTimeout);
                return Poll::Ready(Over::Failed(outcome, None));
            }
            // It may have expired, which nobody is told.
            if !app.user_keys.is_live(self.search.exchange.caller(), app.clock.wall_ms()) {
                return Poll::Ready(Over::Stopped(ProxyError::CallerEnded));
            }
            if limits.live_idle_timeout_ms <= since(self.pace.message_ms) {
                return Poll::Ready(Over::Stopped(ProxyError::LiveIdle));
            }
            let is_beat_due = 0 < limits.heartbeat_ms
                && limits.heartbeat_ms <= since(self.pace.sent_ms)
                && self.talk.to_caller.is_empty();
            if is_beat_due {
                self.talk.ping();
            }
        }
        Poll::Pending
    }

    /// Goes on after a failure with another key, if one may be tried: nothing has reached the caller.
    async fn go_on(&mut self, outcome: Outcome) -> GoOn {
        self.pace.asked_ms = None;
        if let Err(answer) = self.search.failed(outcome).await {
            return GoOn::No(answer);
        }
        if !self.talk.may_begin_again() {
            return GoOn::No(self.search.give_up());
        }
        self.begin_anew().await
    }

    /// Looks for another key, and says to it what the caller has said so far.
    async fn begin_anew(&mut self) -> GoOn {
        self.pace.asked_ms = None;
        self.place.is_served_by(None);
        let found = {
            let Self { search, caller, talk, bytes_in, .. } = self;
            let listening = listen(caller, talk, bytes_in);
            tokio::select! {
                biased;
                () = listening => return GoOn::CallerLeft,
                found = search.find() => found,
            }
        };
        let Found { tunnel, accept } = match found {
            Ok(found) => found,
            Err(answer) => return GoOn::No(answer),
        };
        if !self.talk.may_begin_again() || accept != self.accept {
            let fault = if accept == self.accept { Fault::Lost } else { Fault::Protocol };
            return GoOn::No(match self.search.failed(Outcome::Fault(fault)).await {
                Err(answer) => answer,
                Ok(()) => self.search.give_up(),
            });
        }
        self.tunnel = tunnel;
        self.place.is_served_by(self.search.exchange.key().map(|key| key.id));
        self.is_tunnel_deaf = false;
        self.talk.begin_again();
        let now_ms = self.now_ms();
        self.note_from_caller(0, now_ms);
        GoOn::Anew
    }

    /// Ends the exchange of a session that has come to its end.
    fn end(&mut self) {
        self.meter();
        let app = &self.search.worker.app;
        let healthy = if self.talk.is_proven() { Verdict::Healthy } else { Verdict::Blameless };
        let failure = self.talk.failure().filter(|_| self.talk.ended_by() == Some(Side::Server));
        let key = self.search.exchange.key();
        let reason = match (&failure, &key) {
            (Some(failure), Some(key)) => redact(&failure.message, key),
            _ => String::new(),
        };
        let (error, verdict) = match failure {
            Some(failure) => {
                let kind = failure.kind;
                let (verdict, _) = judge_failure(kind, failure.retry_after_ms, circumstances(app));
                let has_token = self.search.token.is_some();
                let verdict = if has_token { Verdict::Blameless } else { verdict };
                (Some(kind.code()), verdict)
            }
            // A connection that just ends says nothing, but it was not the session's end.
            None if self.is_tunnel_over && self.talk.ended_by().is_none() => {
                let fault = Fault::Truncated;
                (Some(fault.code()), judge_fault(fault).0)
            }
            None => (None, healthy),
        };
        let status = StatusCode::SWITCHING_PROTOCOLS.as_u16();
        self.search.exchange.end(&Ending { status, error, verdict, reason: &reason });
    }

    /// Ends a session that the gateway does not let go on.
    fn stop(&mut self, error: &ProxyError) {
        self.meter();
        let verdict = if self.talk.is_proven() { Verdict::Healthy } else { Verdict::Blameless };
        self.search.exchange.end(&Ending {
            status: StatusCode::SWITCHING_PROTOCOLS.as_u16(),
            error: Some(error.code()),
            verdict,
            reason: "",
        });
        self.say_last_word(error);
    }

    /// Tells the caller that no key serves it: in the upstream's words, if they are about the request.
    fn refuse(&mut self, answer: &Answer, frame: Option<Bytes>) {
        match (answer, frame) {
            (Answer::Own(ProxyError::UpstreamStatus { .. }), Some(frame)) => {
                self.talk.pass_on_close(&frame);
            }
            (Answer::Own(error), _) => self.say_last_word(error),
            (Answer::Upstream { .. }, _) => self.say_last_word(&ProxyError::UpstreamFault),
        }
    }

    fn say_last_word(&mut self, error: &ProxyError) {
        let [.., a, b, c, d] = self.search.exchange.request_id().0.to_be_bytes();
        self.talk.end(code_of(error), &error.message(), [a, b, c, d]);
    }

    /// Gives what is ready the time to leave. The exchange has ended, and with it the lease.
    async fn take_leave(mut self) {
        let leaving = poll_fn(|cx| {
            let to_upstream = self.poll_to_upstream(cx);
            let to_caller = self.poll_to_caller(cx);
            match (to_upstream, to_caller) {
                (_, Poll::Ready(Err(_))) => Poll::Ready(()),
                (Poll::Ready(_), Poll::Ready(Ok(_))) => {
                    // Behind all else, and whether or not the upstream still hears it.
                    let _ = self.tunnel.poll_finish(cx);
                    Pin::new(&mut self.caller).poll_shutdown(cx).map(drop)
                }
                _ => Poll::Pending,
            }
        });
        drop(tokio::time::timeout(FAREWELL, leaving).await);
    }

    fn meter(&mut self) {
        let (_, frames) = self.talk.counts();
        self.search.exchange.metered(self.talk.usage().as_ref());
        self.search.exchange.note_frames(frames);
    }

    fn now_ms(&self) -> u64 {
        self.search.worker.app.clock.monotonic_ms()
    }
}

impl Drop for Session {
    /// What was used was used, also by a caller who is gone.
    fn drop(&mut self) {
        self.meter();
    }
}

/// What came of a search for another key.
enum GoOn {
    /// The session begins anew with it.
    Anew,
    CallerLeft,
    /// There is none; the exchange has ended.
    No(Answer),
}

/// Hears what the caller says while another key is looked for, as long as there is room for it; ends
/// when the caller is gone.
async fn listen(caller: &mut TokioIo<Upgraded>, talk: &mut Talk, bytes_in: &mut u64) {
    let mut caller = pin!(caller);
    while talk.has_room() {
        let read = poll_fn(|cx| poll_read(caller.as_mut(), cx, |piece| talk.caller_said(piece)));
        match read.await {
            Ok(0) | Err(_) => return,
            Ok(count) => *bytes_in += count as u64,
        }
    }
    std::future::pending::<()>().await;
}

/// Reads what has arrived and looks at it; 0 at the end.
fn poll_read(
    stream: Pin<&mut impl AsyncRead>,
    cx: &mut Context<'_>,
    look: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    let mut piece = [0; PIECE_BYTES];
    let mut piece = ReadBuf::new(&mut piece);
    ready!(stream.poll_read(cx, &mut piece))?;
    if !piece.filled().is_empty() {
        look(piece.filled());
    }
    Poll::Ready(Ok(piece.filled().len()))
}

/// Writes all of `bytes`; what has been written is gone from them.
fn poll_write_all(
    mut stream: Pin<&mut impl AsyncWrite>,
    cx: &mut Context<'_>,
    bytes: &mut BytesMut,
) -> Poll<io::Result<()>> {
    while !bytes.is_empty() {
        let written = ready!(stream.as_mut().poll_write(cx, bytes))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        bytes.advance(written);
    }
    stream.poll_flush(cx)
}

/// Often enough for the shortest limit.
fn look_every(limits: &Limits) -> Duration {
    let (least, most) = LOOK_EVERY;
    let beat = Some(limits.heartbeat_ms).filter(|ms| 0 < *ms).unwrap_or(u64::MAX);
    let shortest = limits.live_idle_timeout_ms.min(limits.stream_idle_timeout_ms).min(beat);
    Duration::from_millis(shortest / 4).clamp(least, most)
}

/// The code of a close that tells this error: whether to come again, or what to do else.
fn code_of(error: &ProxyError) -> u16 {
    match error.status() {
        _ if *error == ProxyError::Draining => 1001,
        _ if *error == ProxyError::LiveIdle => 1000,
        // As the upstream has it for who may not call.
        _ if *error == ProxyError::CallerEnded => 1008,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => 1013,
        _ => 1011,
    }
}
