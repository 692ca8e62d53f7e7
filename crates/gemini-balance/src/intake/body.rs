//! A request body that says when it has been read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::intake::Intake;

/// The body of a request on a watched connection.
#[derive(Debug)]
pub(crate) struct RequestBody {
    incoming: Incoming,
    intake: Arc<Intake>,
}

impl RequestBody {
    /// The body that hyper hands over together with a head.
    pub(crate) fn new(incoming: Incoming, intake: Arc<Intake>) -> Self {
        let body = Self { incoming, intake };
        body.note_end();
        body
    }

    /// Whether the head of this request, which has just come in, was seen to declare no length.
    pub(crate) fn is_lengthless(&self) -> bool {
        self.intake.is_lengthless()
    }

    /// Leaves the connection to `next` once the answer that agrees to another protocol has gone out,
    /// or could not.
    pub(crate) fn leave_connection_to(&self, next: impl Future<Output = ()> + Send + 'static) {
        self.intake.set_successor(Box::pin(next));
    }

    fn note_end(&self) {
        if self.incoming.is_end_stream() {
            self.intake.note_unread(false);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        match frame {
            None => self.intake.note_unread(false),
            Some(_) => self.note_end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
