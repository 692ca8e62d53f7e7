//! A body that is made piece by piece, each one when the connection has room for it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;

use crate::store::error::StoreError;

/// What a body is made of, in order.
pub(super) trait Pieces: Send + 'static {
    /// The next piece; `None` at the end. An error cuts the body off, so that nobody takes what
    /// came before for the whole.
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, StoreError>>> + Send;
}

/// A body of these pieces. Dropping it drops whatever the next one was waiting for.
pub(super) fn body(pieces: impl Pieces) -> Body {
    Body::new(PiecesBody { step: Some(Box::pin(step(pieces))) })
}

type Step<P> = Pin<Box<dyn Future<Output = (Option<Result<Bytes, StoreError>>, P)> + Send>>;

struct PiecesBody<P> {
    /// The making of the next piece; `None` after the last.
    step: Option<Step<P>>,
}

async fn step<P: Pieces>(mut pieces: P) -> (Option<Result<Bytes, StoreError>>, P) {
    (pieces.next().await, pieces)
}

impl<P: Pieces> http_body::Body for PiecesBody<P> {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        let Some(making) = &mut self.step else {
            return Poll::Ready(None);
        };
        let (piece, pieces) = std::task::ready!(making.as_mut().poll(cx));
        self.step = match &piece {
            Some(Ok(_)) => Some(Box::pin(step(pieces))),
            Some(Err(_)) | None => None,
        };
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}
