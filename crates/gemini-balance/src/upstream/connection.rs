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
use http::{Method, StatusCode, response};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connect::Stream;
use super::framing::{BadFraming, Framing, Unframed};
use super::head::{self, AnswerHead};
use super::source::{Source, SourceBroke};
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
    /// The body, or the piece of it that is on its way.
    pub(super) body: Bytes,
    /// Where more of the body comes from.
    pub(super) more: Option<Source>,
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

/// What came of asking for another protocol.
#[derive(Debug)]
pub(super) enum Switch {
    /// The connection speaks it now; what came behind the head belongs to it.
    Made(Box<response::Parts>, Bytes),
    /// An ordinary answer.
    Refused(Box<Begun>),
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
        let begin = |incomplete: &mut BytesMut, piece: &mut [u8]| begin(incomplete, piece, method);
        let ((head, first, has_excess), unsent) = self.ask_for(outbound, begin).await?;
        Ok(Begun { head, first, unsent, has_excess })
    }

    /// Sends a request for another protocol and reads up to the end of the answer's head.
    ///
    /// # Errors
    ///
    /// As of [`Connection::ask`].
    ///
    /// # Cancellation
    ///
    /// The connection is of no further use.
    pub(super) async fn ask_to_switch(
        &mut self,
        outbound: Outbound,
        method: &Method,
    ) -> Result<Switch, SendError> {
        let begin =
            |incomplete: &mut BytesMut, piece: &mut [u8]| begin_switch(incomplete, piece, method);
        let (mut switch, unsent) = self.ask_for(outbound, begin).await?;
        if let Switch::Refused(begun) = &mut switch {
            begun.unsent = unsent;
        }
        Ok(switch)
    }

    /// Sends a request and reads until `begin` has made something of it; what the upstream has not
    /// taken by then is returned too.
    async fn ask_for<T>(
        &mut self,
        outbound: Outbound,
        mut begin: impl FnMut(&mut BytesMut, &mut [u8]) -> Result<Option<T>, SendError>,
    ) -> Result<(T, Option<Outbound>), SendError> {
        let mut unsent = Some(outbound);
        let mut incomplete = BytesMut::new();
        poll_fn(|cx| {
            if let Err(broke) = self.poll_send(cx, &mut unsent) {
                return Poll::Ready(Err(broke.into()));
            }
            loop {
                let read = ready!(self.poll_read(cx, |piece| begin(&mut incomplete, piece)));
                match read {
                    Ok(Some(Ok(Some(begun)))) => {
                        return Poll::Ready(Ok((begun, unsent.take())));
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
    ///
    /// # Errors
    ///
    /// The body broke off where it comes from: an upstream that waits for the rest never answers.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        unsent: &mut Option<Outbound>,
    ) -> Result<(), SourceBroke> {
        while let Some(outbound) = unsent {
            let Poll::Ready(sent) = self.poll_write(cx, outbound) else { return Ok(()) };
            let Some(more) = outbound.more.as_mut().filter(|_| sent.is_ok()) else {
                *unsent = None;
                return Ok(());
            };
            let Poll::Ready(piece) = more.poll_piece(cx) else { return Ok(()) };
            match piece? {
                Some((head, body)) => (outbound.head, outbound.body) = (head, body),
                None => outbound.more = None,
            }
        }
        Ok(())
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        outbound: &mut Outbound,
    ) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(&mut self.stream);
        let Outbound { head, body, more: _ } = outbound;
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

    /// Writes all of `bytes`; what has been written is gone from them.
    pub(super) fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut BytesMut,
    ) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(&mut self.stream);
        while !bytes.is_empty() {
            let written = ready!(stream.as_mut().poll_write(cx, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            bytes.advance(written);
        }
        stream.poll_flush(cx)
    }

    /// Says that nothing more will be written.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
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
    pub(super) fn poll_read<T>(
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

/// What has been read so far as the beginning of another protocol, or of an answer that refuses it.
fn begin_switch(
    incomplete: &mut BytesMut,
    piece: &mut [u8],
    method: &Method,
) -> Result<Option<Switch>, SendError> {
    incomplete.extend_from_slice(piece);
    if !piece.contains(&b'\n') && incomplete.len() < HEAD_BYTES_MAX {
        return Ok(None);
    }
    let Some(mut head) = head::parse_to_switch(incomplete, method)? else { return Ok(None) };
    let rest = incomplete.get_mut(head.length..).unwrap_or_default();
    if head.parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Some(Switch::Made(Box::new(head.parts), Bytes::copy_from_slice(rest))));
    }
    let (first, has_excess) = first(&mut head.framing, rest)?;
    Ok(Some(Switch::Refused(Box::new(Begun { head, first, unsent: None, has_excess }))))
}

/// The content of what came behind a head, and whether more came than belongs to the body.
fn first(framing: &mut Framing, rest: &mut [u8]) -> Result<(Bytes, bool), SendError> {
    let Unframed { content, consumed } = framing.unframe(rest)?;
    let first = rest.get(content).map(Bytes::copy_from_slice).unwrap_or_default();
    Ok((first, consumed < rest.len()))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::either::Either;

    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

    /// A connection of ours and its other end.
    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        theirs.set_nodelay(true).unwrap();
        (Connection::new(Either::Left(ours), ReadBuffer::default(), 0), theirs)
    }

    fn outbound(body: impl Into<Bytes>) -> Outbound {
        let head = Bytes::from_static(b"POST / HTTP/1.1\r\n\r\n");
        Outbound { head, body: body.into(), more: None }
    }

    async fn piece(connection: &mut Connection, framing: &mut Framing) -> Bytes {
        poll_fn(|cx| connection.poll_piece(cx, framing)).await.unwrap().unwrap().0
    }

    #[tokio::test]
    async fn chunks_that_have_arrived_together_are_one_piece() {
        let (mut ours, mut theirs) = pair().await;
        let chunks = "5\r\nevent\r\n".repeat(20);
        theirs.write_all(format!("{HEAD}{chunks}").as_bytes()).await.unwrap();

        let begun = ours.ask(outbound(""), &Method::POST).await.unwrap();

        assert_eq!(begun.first, "event".repeat(20));
    }

    #[tokio::test]
    async fn a_chunk_is_handed_on_before_the_next_one_is_sent() {
        let (mut ours, mut theirs) = pair().await;
        theirs.write_all(HEAD.as_bytes()).await.unwrap();
        let Begun { mut head, .. } = ours.ask(outbound(""), &Method::POST).await.unwrap();

        for number in 0..20 {
            theirs.write_all(format!("2\r\n{number:02}\r\n").as_bytes()).await.unwrap();

            assert_eq!(piece(&mut ours, &mut head.framing).await, format!("{number:02}"));
        }
    }

    #[tokio::test]
    async fn a_head_that_drips_is_read_like_one_that_comes_at_once() {
        let (mut ours, mut theirs) = pair().await;
        let dripping = async {
            for byte in format!("{HEAD}1\r\nx\r\n").bytes() {
                theirs.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };

        let (begun, ()) = tokio::join!(ours.ask(outbound(""), &Method::POST), dripping);

        let Begun { mut head, first, .. } = begun.unwrap();
        let x = if first.is_empty() { piece(&mut ours, &mut head.framing).await } else { first };
        assert_eq!(x, "x");
    }

    #[tokio::test]
    async fn an_upstream_that_answers_before_it_has_taken_the_request_is_heard() {
        let (mut ours, mut theirs) = pair().await;
        theirs.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").await.unwrap();

        let begun = ours.ask(outbound(vec![b'x'; 64 << 20]), &Method::POST).await.unwrap();

        assert_eq!(begun.head.parts.status, 413);
        assert!(begun.unsent.is_some(), "the connection is in doubt");
    }

    #[tokio::test]
    async fn a_connection_that_ends_before_an_answer_says_whether_it_had_begun() {
        for (said, has_begun) in [("", false), ("HTTP/1.1 2", true)] {
            let (mut ours, mut theirs) = pair().await;
            theirs.write_all(said.as_bytes()).await.unwrap();
            drop(theirs);

            let lost = ours.ask(outbound(""), &Method::POST).await;

            match lost {
                Err(SendError::Lost { has_begun: found, .. }) => assert_eq!(found, has_begun),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_or_speaks_unasked_is_not_used_again() {
        for is_closed in [true, false] {
            let (mut ours, mut theirs) = pair().await;
            assert!(ours.is_quiet());

            if is_closed {
                theirs.shutdown().await.unwrap();
            } else {
                theirs.write_all(b"HTTP/1.1 408 Too Late\r\n\r\n").await.unwrap();
            }
            let Either::Left(stream) = &ours.stream else { panic!("in clear") };
            stream.readable().await.unwrap();

            assert!(!ours.is_quiet());
        }
    }
}
