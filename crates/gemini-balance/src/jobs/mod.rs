//! Jobs: what is done to many service keys, a piece at a time, watched from outside and called off.
//!
//! Always true: the number of jobs, of the results they keep and of what can be undone has a bound;
//! a job ends exactly once, also when its work panics; what a job says that it has done is on the
//! disk. Jobs live in memory: a restart forgets them, never what they have done.

mod job;
mod kept;
mod work;

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::events::Events;
use crate::jobs::kept::Kept;

pub use job::{Action, Job, JobResult, Outcome, Plan, Stage};
pub use kept::{NotUndone, Page, Undo};
pub use work::Work;

/// Jobs at work at once; the others wait.
const RUNNING_MAX: usize = 4;
/// Service keys that jobs test at once, all together: the upstream is asked a few at a time.
const TESTS_MAX: usize = 4;

/// The jobs; clones are handles to the same ones.
#[derive(Debug, Clone)]
pub struct Jobs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: Mutex<Kept>,
    events: Events,
    clock: Clock,
    /// Ends all of them.
    draining: CancellationToken,
    running: Arc<Semaphore>,
    tests: Arc<Semaphore>,
}

/// As many jobs as may be are not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many jobs are not done yet")]
pub struct TooManyJobs;

impl Jobs {
    /// None yet. `draining` ends all of them.
    #[must_use]
    pub fn new(events: Events, clock: Clock, draining: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            kept: Mutex::default(),
            events,
            clock,
            draining,
            running: Arc::new(Semaphore::new(RUNNING_MAX)),
            tests: Arc::new(Semaphore::new(TESTS_MAX)),
        }))
    }

    /// Enters a job, which is carried out through the answer; dropped early, it has failed.
    ///
    /// # Errors
    ///
    /// [`TooManyJobs`].
    pub fn begin(&self, id: String, plan: Plan) -> Result<Work, TooManyJobs> {
        let token = self.0.draining.child_token();
        let now_ms = self.0.clock.wall_ms();
        let job = self.0.kept.lock().enter(id, plan, token.clone(), now_ms)?;
        Ok(Work::new(self.clone(), &job, token))
    }

    /// All jobs, the latest first.
    #[must_use]
    pub fn list(&self) -> Vec<Job> {
        let now_ms = self.0.clock.wall_ms();
        let mut kept = self.0.kept.lock();
        kept.forget_old(now_ms);
        kept.list()
    }

    /// One job.
    #[must_use]
    pub fn job(&self, id: &str) -> Option<Job> {
        self.0.kept.lock().job(id)
    }

    /// Some results of a job, in the order in which they came: all, or those of one outcome.
    #[must_use]
    pub fn results(
        &self,
        id: &str,
        outcome: Option<Outcome>,
        (offset, limit): (usize, usize),
    ) -> Option<Page> {
        self.0.kept.lock().results(id, outcome, (offset, limit))
    }

    /// Calls a job off; what it has done stays done. `None` if there is no such job.
    pub fn cancel(&self, id: &str) -> Option<Job> {
        let kept = self.0.kept.lock();
        let job = kept.job(id)?;
        kept.token(id)?.cancel();
        Some(job)
    }

    /// Enters a job named `by` that undoes another one, with what is to be done for that.
    ///
    /// # Errors
    ///
    /// [`NotUndone`] says why it cannot be undone.
    pub fn undo(&self, id: &str, by: String) -> Result<(Work, Undo), NotUndone> {
        let token = self.0.draining.child_token();
        let now_ms = self.0.clock.wall_ms();
        let (job, undo) = self.0.kept.lock().undo(id, by, token.clone(), now_ms)?;
        Ok((Work::new(self.clone(), &job, token), undo))
    }

    /// Forgets what is older than it may be.
    pub fn forget_old(&self) {
        let now_ms = self.0.clock.wall_ms();
        self.0.kept.lock().forget_old(now_ms);
    }

    /// The places for tests of service keys.
    #[must_use]
    pub fn tests(&self) -> &Arc<Semaphore> {
        &self.0.tests
    }
}

#[cfg(test)]
mod tests;
