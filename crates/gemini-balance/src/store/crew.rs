//! A few threads that share one bounded queue of jobs, each with a state of its own to run them on.
//!
//! Always true: asking never blocks a runtime thread; a job that waited too long, or whose asker has left, is not begun;
//! a job that panics ends itself, not its thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::store::error::StoreError;

/// A job that has not begun after this time answers [`StoreError::Busy`].
const WAIT_MAX: Duration = Duration::from_secs(5);
/// After this time without a job a thread gives memory back.
const IDLE: Duration = Duration::from_secs(30);

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// The asking end. Its threads end when the last clone is gone and the queue is empty.
#[derive(Debug)]
pub(super) struct Crew<S> {
    jobs: SyncSender<Job<S>>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl<S: Send + 'static> Crew<S> {
    /// Starts one thread per worker; `rest` is called when a thread has had nothing to do for a while.
    pub(super) fn start(
        name: &str,
        workers: Vec<S>,
        queue_max: usize,
        rest: fn(&S),
    ) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(queue_max);
        let queue = Arc::new(Mutex::new(queue));
        let threads = workers
            .into_iter()
            .map(|worker| {
                let queue = Arc::clone(&queue);
                thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(move || work(worker, &queue, rest))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { jobs, threads: Arc::new(Mutex::new(threads)) })
    }

    /// Has `work` run on a thread of the crew. A full queue answers [`StoreError::Busy`] at once.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<T> {
        let (job, receiver) = job(work);
        Answer(match self.jobs.try_send(job) {
            Ok(()) => Ok(receiver),
            Err(TrySendError::Full(_)) => Err(StoreError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
        })
    }

    /// Runs `work` on a thread of the crew, waiting for a place in the queue. Not for a runtime thread.
    pub(super) fn ask_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, answer) = job(work);
        self.jobs.send(job).map_err(|_| StoreError::Closed)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(vanished()))
    }

    /// Waits until all accepted jobs are done and the threads have ended.
    pub(super) async fn close(self) {
        let Self { jobs, threads } = self;
        drop(jobs);
        let threads = std::mem::take(&mut *threads.lock());
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().filter_map(|thread| thread.join().err()).count()
        });
        if !matches!(joined.await, Ok(0)) {
            tracing::error!("a thread of the database ended with a panic");
        }
    }
}

/// An answer that is on its way. Dropped before its job has begun, it calls the job off.
///
/// It does not keep the crew: closing need not wait for whoever waits for an answer.
#[derive(Debug)]
pub(super) struct Answer<T>(Result<oneshot::Receiver<Result<T, StoreError>>, StoreError>);

impl<T> Answer<T> {
    /// Waits for the answer.
    pub(super) async fn wait(self) -> Result<T, StoreError> {
        self.0?.await.unwrap_or_else(|_| Err(vanished()))
    }
}

impl<S> Clone for Crew<S> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone(), threads: Arc::clone(&self.threads) }
    }
}

fn job<S, T: Send + 'static>(
    work: impl FnOnce(&mut S) -> Result<T, StoreError> + Send + 'static,
) -> (Job<S>, oneshot::Receiver<Result<T, StoreError>>) {
    let asked_at = Instant::now();
    let (answer, receiver) = oneshot::channel();
    let job = move |worker: &mut S| {
        if answer.is_closed() {
            return;
        }
        let result =
            if asked_at.elapsed() < WAIT_MAX { work(worker) } else { Err(StoreError::Busy) };
        // The asker may leave while the job runs: what was done stays done.
        drop(answer.send(result));
    };
    (Box::new(job), receiver)
}

fn work<S>(mut worker: S, queue: &Mutex<Receiver<Job<S>>>, rest: fn(&S)) {
    while let Some(job) = next(&worker, queue, rest) {
        // A transaction that is open when a job panics is rolled back by its guard.
        if catch_unwind(AssertUnwindSafe(|| job(&mut worker))).is_err() {
            tracing::error!("a job of the database panicked");
        }
    }
}

fn next<S>(worker: &S, queue: &Mutex<Receiver<Job<S>>>, rest: fn(&S)) -> Option<Job<S>> {
    if let Some(queue) = queue.try_lock_for(IDLE) {
        match queue.recv_timeout(IDLE) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    rest(worker);
    queue.lock().recv().ok()
}

fn vanished() -> StoreError {
    StoreError::Failed("the job was given up".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_answers_busy_at_once() {
        let crew = Crew::start("test", vec![()], 1, |()| {}).unwrap();
        let (begun, has_begun) = sync_channel::<()>(0);
        let (release, gate) = sync_channel::<()>(0);
        let occupied = ask_on_a_thread(&crew, move || {
            begun.send(()).unwrap();
            gate.recv().unwrap();
        });
        has_begun.recv().unwrap();
        crew.jobs.try_send(Box::new(|()| {})).ok().unwrap();

        let refused = crew.ask(|()| Ok(())).wait().await;

        assert!(matches!(refused, Err(StoreError::Busy)));
        release.send(()).unwrap();
        assert!(occupied.join().unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_panicking_job_ends_itself_and_not_its_thread() {
        let crew = Crew::start("test", vec![7], 1, |_| {}).unwrap();

        let panicked =
            crew.ask(|_| -> Result<(), StoreError> { panic!("as the test wants") }).wait().await;
        let next = crew.ask(|number| Ok(*number)).wait().await;

        assert!(matches!(panicked, Err(StoreError::Failed(_))));
        assert_eq!(next.unwrap(), 7);
    }

    #[tokio::test]
    async fn closing_finishes_what_was_accepted() {
        let crew = Crew::start("test", vec![()], 8, |()| {}).unwrap();
        let (done, is_done) = sync_channel(8);
        for number in 0..8 {
            let done = done.clone();
            crew.jobs.try_send(Box::new(move |()| done.send(number).unwrap())).ok().unwrap();
        }

        crew.close().await;

        assert_eq!(is_done.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    fn ask_on_a_thread(
        crew: &Crew<()>,
        work: impl FnOnce() + Send + 'static,
    ) -> JoinHandle<Result<(), StoreError>> {
        let crew = crew.clone();
        thread::spawn(move || {
            crew.ask_blocking(|()| {
                work();
                Ok(())
            })
        })
    }
}
