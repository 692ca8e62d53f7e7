//! One connection to an upstream: a request out, an answer in, one after the other.
//!
//! There is no task and no channel between the socket and the request that owns it: whoever waits
//! for the answer reads the socket itself. What is read goes through a buffer that all connections
//! of a client share, so a silent connection keeps none, and everything that had arrived is handed
//! on as one piece.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::Method;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connect::Stream;
use super::framing::{BadFraming, Framing, Unframed};
use super::head::{self, AnswerHead};
use super::{HEAD_BYTES_MAX, SendError};

/// Most that is read at once.
const READ_BYTES_MAX: usize = 64 * 1024;

/// The buffer that all connections of a client read into, one at a time.
#[derive(Debug, Clone)]
pub(super) struct ReadBuffer(Arc<Mutex<Box<[u8]>>>);

impl Default for ReadBuffer {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(vec![0; READ_BYTES_MAX].into())))
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    buffer: ReadBuffer,
    /// When it was made, on the monotonic clock.
    pub(super) born_ms: u64,
    /// When it last became idle, on the monotonic clock.
    pub(super) rested_since_ms: u64,
}

/// A request on its way out; what has been sent is gone from it.
#[derive(Debug)]
pub(super) struct Outbound {
    /// The head.
    pub(super) head: Bytes,
    /// The body.
    pub(super) body: Bytes,
}

/// The beginning of an answer.
#[derive(Debug)]
pub(super) struct Begun {
    /// Its head.
    pub(super) head: AnswerHead,
    /// What was read of the body together with the head, without framing.
    pub(super) first: Bytes,
    /// What the upstream has not taken of the request when it answered.
    pub(super) unsent: Option<Outbound>,
    /// Whether more came than belongs to this answer.
    pub(super) has_excess: bool,
}

/// A piece of a body, and whether more came than belongs to it; `None` at the connection's end.
pub(super) type Piece = Option<(Bytes, bool)>;

/// Why no more of a body came.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection broke, or ended before the body.
    #[error("the connection ended before the answer")]
    Cut(#[source] io::Error),
    /// The body is not framed as it should be.
    #[error(transparent)]
    Framing(#[from] BadFraming),
}

impl Connection {
    /// Takes a fresh connection.
    pub(super) fn new(stream: Stream, buffer: ReadBuffer, born_ms: u64) -> Self {
        Self { stream, buffer, born_ms, rested_since_ms: born_ms }
    }

    /// Whether nothing has come on a connection that nothing is expected from: neither its end
    /// nor bytes that no request asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut nothing = Context::from_waker(Waker::noop());
        self.poll_read(&mut nothing, |_| ()).is_pending()
    }

    /// Sends a request and reads up to the end of the answer's head.
    ///
    /// # Errors
    ///
    /// [`SendError::Lost`] or [`SendError::Protocol`].
    ///
    /// # Cancellation
    ///
    /// The connection is of no further use.
    pub(super) async fn ask(
        &mut self,
        outbound: Outbound,
        method: &Method,
    ) -> Result<Begun, SendError> {
        let mut unsent = Some(outbound);
        let mut incomplete = BytesMut::new();
        poll_fn(|cx| {
            self.poll_send(cx, &mut unsent);
            loop {
                let read =
                    ready!(self.poll_read(cx, |piece| begin(&mut incomplete, piece, method)));
                match read {
                    Ok(Some(Ok(Some((head, first, has_excess))))) => {
                        let unsent = unsent.take();
                        return Poll::Ready(Ok(Begun { head, first, unsent, has_excess }));
                    }
                    Ok(Some(Ok(None))) => {}
                    Ok(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Ok(None) => {
                        let source = io::ErrorKind::UnexpectedEof.into();
                        let has_begun = !incomplete.is_empty();
                        return Poll::Ready(Err(SendError::Lost { source, has_begun }));
                    }
                    Err(source) => {
                        let has_begun = !incomplete.is_empty();
                        return Poll::Ready(Err(SendError::Lost { source, has_begun }));
                    }
                }
            }
        })
        .await
    }

    /// Sends on what the upstream takes, for as long as anything is unsent. An upstream that takes
    /// no more may have answered already, so a failure is for the reader to notice.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>, unsent: &mut Option<Outbound>) {
        let Some(outbound) = unsent else { return };
        if let Poll::Ready(_sent) = self.poll_write(cx, outbound) {
            *unsent = None;
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        outbound: &mut Outbound,
    ) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(&mut self.stream);
        let Outbound { head, body } = outbound;
        while head.has_remaining() || body.has_remaining() {
            let parts = [IoSlice::new(head), IoSlice::new(body)];
            let written = ready!(stream.as_mut().poll_write_vectored(cx, &parts))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = written.min(head.len());
            head.advance(of_head);
            body.advance(written - of_head);
        }
        stream.poll_flush(cx)
    }

    /// Reads a piece of the body.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        framing: &mut Framing,
    ) -> Poll<Result<Piece, BodyError>> {
        let read = ready!(self.poll_read(cx, |piece| {
            let Unframed { content, consumed } = framing.unframe(piece)?;
            let has_excess = consumed < piece.len();
            let content = piece.get(content).map(Bytes::copy_from_slice).unwrap_or_default();
            Ok((content, has_excess))
        }));
        Poll::Ready(match read {
            Ok(Some(piece)) => piece.map(Some).map_err(BodyError::Framing),
            Ok(None) => Ok(None),
            Err(error) => Err(BodyError::Cut(error)),
        })
    }

    /// Reads what has arrived and looks at it; `None` at the end of the connection.
    fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        look: impl FnOnce(&mut [u8]) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        let mut buffer = self.buffer.0.lock();
        let mut piece = ReadBuf::new(&mut buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
        let piece = piece.filled_mut();
        Poll::Ready(Ok((!piece.is_empty()).then(|| look(piece))))
    }
}

/// What has been read so far as the beginning of an answer; `None` when more must come.
fn begin(
    incomplete: &mut BytesMut,
    piece: &mut [u8],
    method: &Method,
) -> Result<Option<(AnswerHead, Bytes, bool)>, SendError> {
    if incomplete.is_empty() {
        // Nearly every head comes in one piece, and is never copied as a whole.
        let Some(mut head) = head::parse(piece, method)? else {
            incomplete.extend_from_slice(piece);
            return Ok(None);
        };
        let rest = piece.get_mut(head.length..).unwrap_or_default();
        let (first, has_excess) = first(&mut head.framing, rest)?;
        return Ok(Some((head, first, has_excess)));
    }
    incomplete.extend_from_slice(piece);
    // A head ends with a line, so one that drips need not be read again with every byte.
    if !piece.contains(&b'\n') && incomplete.len() < HEAD_BYTES_MAX {
        return Ok(None);
    }
    let Some(mut head) = head::parse(incomplete, method)? else { return Ok(None) };
    let rest = incomplete.get_mut(head.length..).unwrap_or_default();
    let (first, has_excess) = first(&mut head.framing, rest)?;
    Ok(Some((head, first, has_excess)))
}

/// The content of what came behind a head, and whether more came than belongs to the body.
fn first(framing: &mut Framing, rest: &mut [u8]) -> Result<(Bytes, bool), SendError> {
    let Unframed { content, consumed } = framing.unframe(rest)?;
    let first = rest.get(content).map(Bytes::copy_from_slice).unwrap_or_default();
    Ok((first, consumed < rest.len()))
}
