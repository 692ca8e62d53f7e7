//! A panic ends one request, neither its connection nor its worker.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::Poll;

/// A handler that panicked; its guards have run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Panicked;

/// Polls a handler so that its panic becomes an error. Taken where it stands, since a future that
/// is moved into another one keeps its room twice.
pub(super) async fn guarded<T>(
    mut handler: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Panicked> {
    std::future::poll_fn(move |cx| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use super::*;
    use crate::admission::{Admission, BodyBudget};

    #[tokio::test]
    async fn a_panic_gives_back_what_the_request_held_and_the_next_one_is_served() {
        let admission = Admission::new(1, Duration::from_secs(1));
        let budget = BodyBudget::new(8);
        let handler = async |is_sound: bool| {
            let _permit = admission.admit().await.unwrap();
            budget.reservation().grow_to(8).unwrap();
            tokio::task::yield_now().await;
            assert!(is_sound, "a defect");
        };

        assert_eq!(guarded(pin!(handler(false))).await, Err(Panicked));
        assert_eq!((admission.in_use(), budget.free_bytes()), (0, 8));
        assert_eq!(guarded(pin!(handler(true))).await, Ok(()));
    }
}
