//! The answer to a stream whose first content takes long: heartbeats first, the rest when it
//! comes.
//!
//! Thinking models may be silent for minutes, and proxies on the way close silent connections.
//! The status has gone out, so a failure becomes an error event; as long as no content has gone
//! out, the search for a key that serves goes on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use dialect::Dialect;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body::Frame;
use tokio::time::{Interval, MissedTickBehavior};

use crate::proxy::body::ProxyBody;
use crate::proxy::relay::{Broken, Relay};
use crate::proxy::serve::Served;

/// A search for a key that outlives the head of its answer.
pub(super) type Serving = Pin<Box<dyn Future<Output = Served> + Send>>;

/// A stream that begins with heartbeats.
pub(crate) struct Late {
    state: State,
    dialect: Dialect,
    beat: Interval,
}

enum State {
    Serving(Serving),
    Relaying(Box<Relay>),
    Over,
}

/// Begins the answer with the first heartbeat.
pub(super) fn response(
    serving: Serving,
    dialect: Dialect,
    heartbeat: Duration,
) -> Response<ProxyBody> {
    // The first tick of an interval is at once, which is when the first heartbeat is due.
    let mut beat = tokio::time::interval(heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let late = Late { state: State::Serving(serving), dialect, beat };
    let mut response = Response::new(ProxyBody::Late(Box::new(late)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

impl Late {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        use http_body::Body as _;
        loop {
            match &mut self.state {
                State::Serving(serving) => match serving.as_mut().poll(cx) {
                    Poll::Ready(Served::Accepted { relay, .. }) => {
                        self.state = State::Relaying(relay);
                    }
                    Poll::Ready(Served::Refused(answer)) => {
                        self.state = State::Over;
                        return Poll::Ready(Some(Ok(Frame::data(answer.event(self.dialect)))));
                    }
                    Poll::Pending => {
                        ready!(self.beat.poll_tick(cx));
                        let beat = Bytes::from_static(self.dialect.heartbeat());
                        return Poll::Ready(Some(Ok(Frame::data(beat))));
                    }
                },
                State::Relaying(relay) => return Pin::new(relay.as_mut()).poll_frame(cx),
                State::Over => return Poll::Ready(None),
            }
        }
    }
}
