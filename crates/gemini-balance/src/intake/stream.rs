//! A connection that is watched as it is read, and that ends without taking its answer back.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::intake::Intake;
use crate::intake::raw_head::RawHead;

/// How long a peer that is still sending may go on after the last answer.
const LINGER: Duration = Duration::from_secs(2);
/// How much of it is read and thrown away.
const LINGER_BYTES_MAX: usize = 16 << 20;
/// How much is thrown away at once.
const PIECE_BYTES: usize = 8 * 1024;

/// A stream whose incoming bytes are watched.
#[derive(Debug)]
pub(crate) struct WatchedStream<S> {
    stream: S,
    intake: Arc<Intake>,
    /// What came since the last answer.
    head: RawHead,
    /// The end of a connection, once it has begun.
    linger: Option<Linger>,
}

/// The time and the bytes that a peer has left.
#[derive(Debug)]
struct Linger {
    end: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl<S> WatchedStream<S> {
    /// Watches `stream`.
    pub(crate) fn new(stream: S, intake: Arc<Intake>) -> Self {
        Self { stream, intake, head: RawHead::default(), linger: None }
    }

    fn answered(&mut self) {
        self.head = RawHead::default();
        self.intake.note_lengthless(false);
    }
}

impl<S: AsyncRead + Unpin> WatchedStream<S> {
    /// Throws away what still comes, until the peer ends it or has used up its time and bytes.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            end: Box::pin(tokio::time::sleep(LINGER)),
            bytes_left: LINGER_BYTES_MAX,
        });
        let mut piece = [0; PIECE_BYTES];
        while linger.bytes_left > 0 && linger.end.as_mut().poll(cx).is_pending() {
            let mut piece = ReadBuf::new(&mut piece);
            let outcome = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece));
            let count = piece.filled().len();
            if outcome.is_err() || count == 0 {
                break;
            }
            linger.bytes_left = linger.bytes_left.saturating_sub(count);
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        // Nothing more can come after the end.
        self.intake.note_unread(!came.is_empty());
        self.head = self.head.after(came);
        self.intake.note_lengthless(self.head == RawHead::Lengthless);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answered();
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.answered();
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.intake.has_unread() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_goes_on_sending_has_two_seconds() {
        let (ours, mut theirs) = duplex(64);
        let mut watched = WatchedStream::new(ours, Arc::default());
        theirs.write_all(b"P").await.unwrap();
        watched.read_u8().await.unwrap();
        let began = tokio::time::Instant::now();

        watched.shutdown().await.unwrap();

        assert_eq!(began.elapsed(), LINGER);
        assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "the answer has its end at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_may_send_only_so_much_that_nobody_wants() {
        let (ours, mut theirs) = duplex(1 << 20);
        let mut watched = WatchedStream::new(ours, Arc::default());
        theirs.write_all(b"P").await.unwrap();
        watched.read_u8().await.unwrap();
        let too_much = vec![0; 2 * LINGER_BYTES_MAX];

        let began = tokio::time::Instant::now();
        let (sent, ended) = tokio::join!(theirs.write_all(&too_much), async {
            watched.shutdown().await.unwrap();
            drop(watched);
            began.elapsed()
        });

        assert!(sent.is_err());
        assert!(ended < LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_an_open_request_ends_at_once() {
        let (ours, _theirs) = duplex(64);
        let mut watched = WatchedStream::new(ours, Arc::default());
        let began = tokio::time::Instant::now();

        watched.shutdown().await.unwrap();

        assert!(began.elapsed().is_zero());
    }
}
