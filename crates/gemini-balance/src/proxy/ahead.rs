//! Several things at once whose results are wanted in the order in which they were begun.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Futures that all run while the first of them is waited for. Dropping it drops them.
pub(super) struct Ahead<F: Future> {
    running: VecDeque<Run<F>>,
}

enum Run<F: Future> {
    On(Pin<Box<F>>),
    Over(F::Output),
}

impl<F: Future<Output: Unpin>> Ahead<F> {
    /// Nothing runs yet.
    pub(super) fn new() -> Self {
        Self { running: VecDeque::new() }
    }

    /// How many run, or are over and not taken yet.
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Begins one that is wanted behind all others.
    pub(super) fn begin(&mut self, future: F) {
        self.running.push_back(Run::On(Box::pin(future)));
    }

    /// Begins one that is wanted before all others.
    pub(super) fn begin_first(&mut self, future: F) {
        self.running.push_front(Run::On(Box::pin(future)));
    }

    /// Lets all of them go on; ready with the first when that is over, and with nothing where there
    /// is none.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        for run in &mut self.running {
            if let Run::On(future) = run
                && let Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *run = Run::Over(output);
            }
        }
        match self.running.pop_front() {
            None => Poll::Ready(None),
            Some(Run::Over(output)) => Poll::Ready(Some(output)),
            Some(first @ Run::On(_)) => {
                self.running.push_front(first);
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_run_at_once_and_come_in_their_order() {
        let began = tokio::time::Instant::now();
        let wait = async |ms: u64| {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            ms
        };
        let mut ahead = Ahead::new();
        for ms in [30, 10, 20] {
            ahead.begin(wait(ms));
        }
        ahead.begin_first(wait(5));

        let mut came = Vec::new();
        while let Some(ms) = poll_fn(|cx| ahead.poll_next(cx)).await {
            came.push(ms);
        }

        assert_eq!(came, [5, 30, 10, 20]);
        assert_eq!(began.elapsed(), Duration::from_millis(30));
        assert_eq!(ahead.len(), 0);
    }
}
