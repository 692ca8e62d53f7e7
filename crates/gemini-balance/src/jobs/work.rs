//! The end of a job that whoever carries it out holds.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::events::Topic;
use crate::jobs::Jobs;
use crate::jobs::job::{Job, JobResult, Stage};
use crate::jobs::kept::Undo;

/// Progress is told at most this often; the beginning and the end always are.
const PROGRESS_MS: u64 = 200;

/// A job to be carried out. It ends exactly once: with a word, or on drop, which means that its work
/// panicked.
#[derive(Debug)]
pub struct Work {
    jobs: Jobs,
    id: String,
    token: CancellationToken,
    /// A place among those that are at work.
    place: Option<OwnedSemaphorePermit>,
    /// When progress was last told, on the monotonic clock.
    told_at_ms: Mutex<u64>,
    is_over: bool,
}

impl Work {
    pub(super) fn new(jobs: Jobs, job: &Job, token: CancellationToken) -> Self {
        let id = job.id.clone();
        let told_at_ms = Mutex::new(jobs.0.clock.monotonic_ms());
        jobs.0.events.tell(Topic::Job, job);
        Self { jobs, id, token, place: None, told_at_ms, is_over: false }
    }

    /// Names the job.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits for a place among the jobs that are at work, or until it is called off.
    ///
    /// # Cancellation
    ///
    /// Gives the place up that it waits for.
    pub async fn start(&mut self) {
        let place = Semaphore::acquire_owned(Arc::clone(&self.jobs.0.running));
        tokio::select! {
            biased;
            () = self.token.cancelled() => {}
            place = place => {
                self.place = place.ok();
                let job = self.jobs.0.kept.lock().run(&self.id);
                self.tell(job);
            }
        }
    }

    /// Whether it was called off.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is called off.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Says how much it is about, where that is known only now.
    pub fn expect(&self, total: usize) {
        self.jobs.0.kept.lock().expect(&self.id, total);
    }

    /// Notes results, and what undoes them.
    pub fn note(&self, results: Vec<JobResult>, undo: Option<Undo>) {
        let job = self.jobs.0.kept.lock().note(&self.id, results, undo);
        let now_ms = self.jobs.0.clock.monotonic_ms();
        let is_due = {
            let mut told_at_ms = self.told_at_ms.lock();
            let is_due = *told_at_ms + PROGRESS_MS <= now_ms;
            if is_due {
                *told_at_ms = now_ms;
            }
            is_due
        };
        if is_due {
            self.tell(job);
        }
    }

    /// Ends a job whose work is over, or was called off.
    pub fn end(mut self) {
        let is_whole = self.jobs.job(&self.id).is_some_and(|job| job.finished == job.total);
        let stage = match self.is_cancelled() && !is_whole {
            true => Stage::Cancelled,
            false => Stage::Done,
        };
        self.finish(stage, None);
    }

    /// Ends a job that cannot go on, in words for people.
    pub fn fail(mut self, words: String) {
        self.finish(Stage::Failed, Some(words));
    }

    fn finish(&mut self, stage: Stage, error: Option<String>) {
        self.is_over = true;
        let now_ms = self.jobs.0.clock.wall_ms();
        let job = self.jobs.0.kept.lock().end(&self.id, stage, error, now_ms);
        if let Some(job) = &job {
            tracing::info!(
                job.id = %job.id, action = ?job.action, stage = ?job.stage, total = job.total,
                finished = job.finished, "a job is over"
            );
        }
        self.place = None;
        self.tell(job);
    }

    fn tell(&self, job: Option<Job>) {
        if let Some(job) = job {
            self.jobs.0.events.tell(Topic::Job, &job);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_over {
            self.finish(Stage::Failed, Some("The gateway failed on this job.".to_owned()));
        }
    }
}
