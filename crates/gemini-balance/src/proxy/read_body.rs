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

use crate::admission::{BodyBudget, NoRoom, Reservation};
use crate::proxy::error::ProxyError;

/// The limits of one body.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// Largest body.
    pub(super) bytes_max: u64,
    /// Longest silence between two pieces.
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
    let mut reader = Reader { body, limits, received: 0 };
    let Some(first) = reader.next(&mut reservation).await? else {
        return Ok((Bytes::new(), reservation));
    };
    // Most bodies are one piece: those are never copied.
    let Some(second) = reader.next(&mut reservation).await? else {
        return Ok((first, reservation));
    };
    let mut whole = BytesMut::with_capacity(first.len() + second.len());
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
    received: u64,
}

impl<B: Body<Data = Bytes> + Unpin> Reader<B> {
    async fn next(&mut self, reservation: &mut Reservation) -> Result<Option<Bytes>, ProxyError> {
        loop {
            let frame = tokio::time::timeout(self.limits.idle, self.body.frame())
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
}

#[cfg(test)]
mod tests {
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

    /// A body that never brings anything.
    struct Silent;

    impl Body for Silent {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
}
