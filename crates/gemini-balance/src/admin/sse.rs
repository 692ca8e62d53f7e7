//! Server-sent events: a feed as the body of an answer.
//!
//! Always true: a stream ends soon after its session and at once when the shutdown begins; a
//! watcher who cannot keep up is told how many events it missed; nobody waits for a watcher.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use tokio::time::{Instant, sleep_until};

use crate::admin::access::Admin;
use crate::admin::pieces::{self, Pieces};
use crate::app::App;
use crate::feed::{Seen, Subscription};
use crate::store::error::StoreError;

/// How often a stream shows that it is alive while it has nothing to say.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is asked whether the session is still alive.
const SESSION_CHECK: Duration = Duration::from_secs(2);
/// Items that are sent at once.
const PIECE_ITEMS_MAX: usize = 64;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Keeps nginx from collecting the stream.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How the items of a feed are shown.
pub(super) trait Form: Send + 'static {
    /// What the feed is made of.
    type Item: Send + Sync + 'static;

    /// Writes an item as an event, or nothing if it is not to be seen.
    fn write(&self, events: &mut String, item: &Self::Item);
}

/// Answers with a stream of events: `opening` first, then whatever is subscribed to.
pub(super) fn response<F: Form>(
    app: Arc<App>,
    admin: Admin,
    subscription: Subscription<F::Item>,
    form: F,
    opening: String,
) -> Response {
    let watcher = Watcher {
        app,
        session_id: admin.session.id,
        subscription,
        form,
        opening: Some(opening).filter(|opening| !opening.is_empty()),
        heartbeat_at: Instant::now() + HEARTBEAT,
    };
    let headers = [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (ACCEL_BUFFERING, "no"),
    ];
    (headers, pieces::body(watcher)).into_response()
}

/// The id that a browser has seen last; one that cannot be read is none.
pub(super) fn last_seen(headers: &HeaderMap) -> Option<u64> {
    headers.get(LAST_EVENT_ID)?.to_str().ok()?.parse().ok()
}

/// One stream.
struct Watcher<F: Form> {
    app: Arc<App>,
    session_id: String,
    subscription: Subscription<F::Item>,
    form: F,
    /// What is to be said before everything else.
    opening: Option<String>,
    /// When a sign of life is due.
    heartbeat_at: Instant,
}

impl<F: Form> Pieces for Watcher<F> {
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        let piece = match self.opening.take() {
            Some(opening) => opening,
            None => self.piece().await?,
        };
        self.heartbeat_at = Instant::now() + HEARTBEAT;
        Some(Ok(Bytes::from(piece)))
    }
}

impl<F: Form> Watcher<F> {
    /// The next events, or a sign of life; `None` at the end.
    async fn piece(&mut self) -> Option<String> {
        let app = Arc::clone(&self.app);
        loop {
            let now_ms = app.clock.wall_ms();
            if app.lifecycle.is_draining() || !app.sessions.is_alive(&self.session_id, now_ms) {
                return None;
            }
            let check_at = Instant::now() + SESSION_CHECK;
            tokio::select! {
                biased;
                () = app.lifecycle.draining().cancelled() => return None,
                () = sleep_until(check_at.min(self.heartbeat_at)) => {
                    if self.heartbeat_at <= Instant::now() {
                        return Some(": alive\n\n".to_owned());
                    }
                }
                seen = self.subscription.next() => {
                    let events = self.events(seen?).await;
                    if !events.is_empty() {
                        return Some(events);
                    }
                }
            }
        }
    }

    /// What was seen and what can be seen beside it without waiting, as events; empty if nothing
    /// of it is to be seen.
    async fn events(&mut self, first: Seen<F::Item>) -> String {
        let mut events = String::new();
        let mut seen = Some(first);
        let mut count = 0;
        while let Some(current) = seen {
            match current {
                Seen::Item(item) => self.form.write(&mut events, &item),
                Seen::Lagged(missed) => write_lagged(&mut events, Some(missed)),
            }
            count += 1;
            if count == PIECE_ITEMS_MAX {
                break;
            }
            seen = tokio::select! {
                biased;
                seen = self.subscription.next() => seen,
                () = std::future::ready(()) => None,
            };
        }
        events
    }
}

/// The event that says how many others were missed; `None` if that is not known.
pub(super) fn write_lagged(events: &mut String, missed: Option<u64>) {
    // Writing into a text cannot fail.
    let _ = match missed {
        Some(missed) => write!(events, "event: lagged\ndata: {{\"missed\":{missed}}}\n\n"),
        None => write!(events, "event: lagged\ndata: {{\"missed\":null}}\n\n"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_events_are_an_event_of_their_own_without_an_id() {
        let mut events = String::new();

        write_lagged(&mut events, Some(24));
        write_lagged(&mut events, None);

        assert_eq!(
            events,
            "event: lagged\ndata: {\"missed\":24}\n\nevent: lagged\ndata: {\"missed\":null}\n\n"
        );
    }
}
