//! Reading a request body whole, within its limits and the memory that all bodies share.
//!
//! A body is read only after its caller is known and has a place, so strangers cost no memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::admission::{BodyBudget, NoRoom, Reservation};
use crate::proxy::error::ProxyError;

/// How much of a body must come in a second on the whole, beyond the one silence it may make: a
/// body that drips would hold its place for ever.
pub(super) const PACE_BYTES_PER_SECOND: u64 = 1024;

/// The limits of one body.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// Largest body.
    pub(super) bytes_max: u64,
    /// Longest silence between two pieces, and how far the whole may fall behind its pace.
    pub(super) idle: Duration,
}

/// Reads a body whole, within its limits and the shared budget.
///
/// # Errors
///
/// Too large (declared or real), too slow, encoded, cut off, or no room in the budget.
pub(super) async fn read_body<B>(
    head: &Parts,
    body: B,
    limits: BodyLimits,
    budget: &Arc<BodyBudget>,
) -> Result<(Bytes, Reservation), ProxyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let is_encoded = head.headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity");
    if is_encoded {
        return Err(ProxyError::BodyEncoding);
    }
    let mut reservation = budget.reservation();
    let declared = declared_length(head);
    if declared.is_some_and(|length| length > limits.bytes_max) {
        return Err(ProxyError::BodyTooLarge { bytes_max: limits.bytes_max });
    }
    reservation.grow_to(declared.unwrap_or(0)).map_err(|NoRoom| ProxyError::BodyBudget)?;
    let mut reader = Reader { body, limits, began: Instant::now(), received: 0 };
    let Some(first) = reader.next(&mut reservation).await? else {
        return Ok((Bytes::new(), reservation));
    };
    // Most bodies are one piece: those are never copied.
    let Some(second) = reader.next(&mut reservation).await? else {
        return Ok((first, reservation));
    };
    // A length that was declared is reserved already; a body that grows is copied again and again.
    let declared = declared.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut whole = BytesMut::with_capacity(declared.max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    drop((first, second));
    while let Some(piece) = reader.next(&mut reservation).await? {
        whole.extend_from_slice(&piece);
    }
    Ok((whole.freeze(), reservation))
}

fn declared_length(head: &Parts) -> Option<u64> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

struct Reader<B> {
    body: B,
    limits: BodyLimits,
    began: Instant,
    received: u64,
}

impl<B: Body<Data = Bytes> + Unpin> Reader<B> {
    async fn next(&mut self, reservation: &mut Reservation) -> Result<Option<Bytes>, ProxyError> {
        loop {
            let frame = tokio::time::timeout_at(self.deadline(), self.body.frame())
                .await
                .map_err(|_| ProxyError::BodyTimeout)?;
            let Some(frame) = frame else { return Ok(None) };
            // Trailers end a body and mean nothing to us.
            let Ok(data) = frame.map_err(|_| ProxyError::BodyBroken)?.into_data() else {
                continue;
            };
            self.received += data.len() as u64;
            if self.received > self.limits.bytes_max {
                return Err(ProxyError::BodyTooLarge { bytes_max: self.limits.bytes_max });
            }
            reservation.grow_to(self.received).map_err(|NoRoom| ProxyError::BodyBudget)?;
            return Ok(Some(data));
        }
    }

    /// When the next piece must have come: soon after the last one, and in pace on the whole.
    fn deadline(&self) -> Instant {
        let earned = Duration::from_secs(self.received / PACE_BYTES_PER_SECOND);
        (self.began + earned).min(Instant::now()) + self.limits.idle
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use http_body::Frame;
    use http_body_util::Full;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits { bytes_max: 10, idle: Duration::from_secs(1) };

    fn head(length: Option<&str>) -> Parts {
        let mut request = http::Request::builder();
        if let Some(length) = length {
            request = request.header(CONTENT_LENGTH, length);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[tokio::test]
    async fn a_body_at_the_limit_passes_and_one_beyond_does_not() {
        let budget = BodyBudget::new(100);

        let at = read_body(&head(None), Full::from("0123456789"), LIMITS, &budget).await;
        let beyond = read_body(&head(None), Full::from("0123456789a"), LIMITS, &budget).await;
        let declared = read_body(&head(Some("11")), Full::from(""), LIMITS, &budget).await;

        assert_eq!(at.unwrap().0, "0123456789");
        assert!(matches!(beyond, Err(ProxyError::BodyTooLarge { .. })));
        assert!(matches!(declared, Err(ProxyError::BodyTooLarge { .. })));
        assert_eq!(budget.free_bytes(), 100);
    }

    #[tokio::test]
    async fn bodies_that_together_exceed_the_budget_are_refused_until_one_ends() {
        let budget = BodyBudget::new(12);
        let head = head(None);
        let read = || read_body(&head, Full::from("01234567"), LIMITS, &budget);

        let (_, reservation) = read().await.unwrap();
        let second = read().await;
        drop(reservation);
        let third = read().await;

        assert!(matches!(second, Err(ProxyError::BodyBudget)));
        assert!(third.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_is_given_up_after_the_idle_limit() {
        let outcome = read_body(&head(None), Silent, LIMITS, &BodyBudget::new(100)).await;

        assert!(matches!(outcome, Err(ProxyError::BodyTimeout)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up_and_a_slow_one_is_read() {
        let limits = BodyLimits { bytes_max: 1 << 20, ..LIMITS };
        let read = async |piece: &'static [u8]| {
            let every = tokio::time::interval(Duration::from_millis(900));
            let body = Paced { piece, left: 100, every };
            read_body(&head(None), body, limits, &BodyBudget::new(1 << 20)).await
        };

        assert!(matches!(read(b"a").await, Err(ProxyError::BodyTimeout)));
        assert_eq!(read(&[b'a'; 1024]).await.unwrap().0.len(), 100 * 1024);
    }

    /// A body that brings the same piece again and again.
    struct Paced {
        piece: &'static [u8],
        left: usize,
        every: tokio::time::Interval,
    }

    impl Body for Paced {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
            ready!(self.every.poll_tick(cx));
            self.left = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.piece)))))
        }
    }

    /// A body that never brings anything.
    struct Silent;

    impl Body for Silent {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }
    }
}
