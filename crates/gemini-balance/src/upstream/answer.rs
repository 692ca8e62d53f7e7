//! The body of an answer as it arrives.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::response;
use http_body::{Body, Frame, SizeHint};

use super::connection::{Begun, BodyError, Connection, Outbound};
use super::framing::Framing;
use super::idle::Idle;

/// The body of an upstream's answer; gives its connection back when it has been read to the end.
///
/// Everything that has arrived is one frame. Dropped before its end, it closes the connection, so
/// that nobody pays for what nobody reads.
#[derive(Debug)]
pub struct AnswerBody {
    /// Gone with the last byte, or with the first fault.
    connection: Option<Connection>,
    /// What came together with the head.
    first: Bytes,
    framing: Framing,
    unsent: Option<Outbound>,
    /// Whether the connection may serve once more.
    is_kept_alive: bool,
    idle: Arc<Idle>,
}

impl AnswerBody {
    /// Head and body of an answer that has begun on `connection`, which goes to `idle` at its end.
    pub(super) fn begin(
        connection: Connection,
        begun: Begun,
        idle: &Arc<Idle>,
    ) -> (response::Parts, Self) {
        let Begun { head, first, unsent, has_excess } = begun;
        let mut body = Self {
            connection: Some(connection),
            first,
            framing: head.framing,
            unsent,
            is_kept_alive: head.is_kept_alive && !has_excess,
            idle: Arc::clone(idle),
        };
        body.release_if_ended();
        (head.parts, body)
    }

    /// Whether the end of the connection is the only end this body has, so that an upstream that
    /// dies looks like one that is done.
    pub fn is_close_delimited(&self) -> bool {
        self.framing == Framing::UntilClose
    }

    /// Lets go of the connection behind the last byte.
    fn release_if_ended(&mut self) {
        if !self.framing.is_ended() {
            return;
        }
        let Some(connection) = self.connection.take() else { return };
        // A request that was answered before it was taken whole leaves the connection in doubt.
        if self.is_kept_alive && self.unsent.is_none() {
            self.idle.push(connection);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            let first = std::mem::take(&mut this.first);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            let Some(connection) = &mut this.connection else { return Poll::Ready(None) };
            if connection.poll_send(cx, &mut this.unsent).is_err() {
                this.connection = None;
                let error = BodyError::Cut(io::ErrorKind::BrokenPipe.into());
                return Poll::Ready(Some(Err(error)));
            }
            let error = match ready!(connection.poll_piece(cx, &mut this.framing)) {
                Ok(Some((content, has_excess))) => {
                    this.is_kept_alive &= !has_excess;
                    this.release_if_ended();
                    if content.is_empty() {
                        continue;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(content))));
                }
                Ok(None) if this.is_close_delimited() => {
                    this.connection = None;
                    return Poll::Ready(None);
                }
                Ok(None) => BodyError::Cut(io::ErrorKind::UnexpectedEof.into()),
                Err(error) => error,
            };
            this.connection = None;
            return Poll::Ready(Some(Err(error)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.connection.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
