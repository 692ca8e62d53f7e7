//! The jobs that are known, with their results and with what undoes them.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::jobs::TooManyJobs;
use crate::jobs::job::{Action, Job, JobResult, Outcome, Plan, Stage};
use crate::moment::Moment;
use crate::store::service_key_lists::{DeletedServiceKey, TagChange};

/// Jobs that are not over; one more is refused.
const UNFINISHED_MAX: usize = 16;
/// Jobs that are over; one more takes the place of the oldest.
const OVER_MAX: usize = 50;
/// How long a job is kept after its end.
const KEPT_MS: i64 = 60 * 60 * 1_000;
/// How long it can be undone after its end.
const UNDO_MS: i64 = 10 * 60 * 1_000;
/// Results of all jobs that are over, together; beyond, the oldest lose theirs.
const RESULTS_MAX: usize = 250_000;

/// What undoes a job.
#[derive(Debug, PartialEq, Eq)]
pub enum Undo {
    /// Switch these on, by id.
    Enable(Vec<i64>),
    /// Switch these off, by id.
    Disable(Vec<i64>),
    /// Take these tags back.
    Tag(Vec<TagChange>),
    /// Bring these back. Their secrets are sealed; with the job they are gone for good.
    Restore(Vec<DeletedServiceKey>),
    /// Delete these, by id.
    Delete(Vec<i64>),
}

impl Undo {
    /// How many keys it is about.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Enable(ids) | Self::Disable(ids) | Self::Delete(ids) => ids.len(),
            Self::Tag(changes) => changes.len(),
            Self::Restore(keys) => keys.len(),
        }
    }

    /// Adds what undoes more of the same job.
    fn extend(&mut self, more: Self) {
        match (self, more) {
            (Self::Enable(all), Self::Enable(more))
            | (Self::Disable(all), Self::Disable(more))
            | (Self::Delete(all), Self::Delete(more)) => all.extend(more),
            (Self::Tag(all), Self::Tag(more)) => all.extend(more),
            (Self::Restore(all), Self::Restore(more)) => all.extend(more),
            (this, more) => *this = more,
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::Enable(_) => Action::Enable,
            Self::Disable(_) => Action::Disable,
            Self::Tag(_) => Action::Tag,
            Self::Restore(_) => Action::Restore,
            Self::Delete(_) => Action::Delete,
        }
    }
}

/// Why a job is not undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotUndone {
    /// There is no such job.
    Unknown,
    /// It is not over yet.
    Unfinished,
    /// It has changed nothing, what it did cannot be undone, or the time for it is over.
    Nothing,
    /// It was undone already.
    Undone,
    /// Too many other jobs are not done yet.
    TooMany,
}

impl From<TooManyJobs> for NotUndone {
    fn from(_: TooManyJobs) -> Self {
        Self::TooMany
    }
}

/// Some results of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobResults)]
pub struct Page {
    /// The results, in the order in which they came.
    pub results: Vec<JobResult>,
    /// How many there are on all pages.
    pub total: usize,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Oldest first.
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    results: Vec<JobResult>,
    undo: Option<Undo>,
    token: CancellationToken,
    ended_at_ms: Option<i64>,
}

impl Kept {
    pub(super) fn enter(
        &mut self,
        id: String,
        plan: Plan,
        token: CancellationToken,
        now_ms: i64,
    ) -> Result<Job, TooManyJobs> {
        self.forget_old(now_ms);
        let unfinished = self.entries.iter().filter(|entry| !entry.job.stage.is_over()).count();
        if UNFINISHED_MAX <= unfinished {
            return Err(TooManyJobs);
        }
        let job = Job {
            id,
            action: plan.action,
            stage: Stage::Waiting,
            total: plan.total as u64,
            finished: 0,
            counts: BTreeMap::new(),
            created_at: Moment::from_ms(now_ms),
            ended_at: None,
            undo_until: None,
            undoes: plan.undoes,
            undone_by: None,
            has_results: true,
            error: None,
        };
        self.entries.push_back(Entry {
            job: job.clone(),
            results: Vec::new(),
            undo: None,
            token,
            ended_at_ms: None,
        });
        Ok(job)
    }

    pub(super) fn list(&self) -> Vec<Job> {
        self.entries.iter().rev().map(|entry| entry.job.clone()).collect()
    }

    pub(super) fn job(&self, id: &str) -> Option<Job> {
        self.entry(id).map(|entry| entry.job.clone())
    }

    pub(super) fn token(&self, id: &str) -> Option<&CancellationToken> {
        self.entry(id).map(|entry| &entry.token)
    }

    pub(super) fn results(
        &self,
        id: &str,
        outcome: Option<Outcome>,
        (offset, limit): (usize, usize),
    ) -> Option<Page> {
        let all = &self.entry(id)?.results;
        let meant = || {
            all.iter().filter(move |result| outcome.is_none_or(|outcome| result.outcome == outcome))
        };
        let results = meant().skip(offset).take(limit).cloned().collect();
        Some(Page { results, total: meant().count() })
    }

    /// Notes that a job is at work.
    pub(super) fn run(&mut self, id: &str) -> Option<Job> {
        let entry = self.entry_mut(id)?;
        entry.job.stage = Stage::Running;
        Some(entry.job.clone())
    }

    /// Notes how much a job is about.
    pub(super) fn expect(&mut self, id: &str, total: usize) {
        if let Some(entry) = self.entry_mut(id) {
            entry.job.total = total as u64;
        }
    }

    /// Notes results of a job and what undoes them.
    pub(super) fn note(
        &mut self,
        id: &str,
        results: Vec<JobResult>,
        undo: Option<Undo>,
    ) -> Option<Job> {
        let entry = self.entry_mut(id)?;
        for result in &results {
            entry.job.finished += 1;
            *entry.job.counts.entry(result.outcome).or_default() += 1;
        }
        entry.results.extend(results);
        match (&mut entry.undo, undo) {
            (Some(all), Some(more)) => all.extend(more),
            (none @ None, undo) => *none = undo,
            (Some(_), None) => {}
        }
        Some(entry.job.clone())
    }

    /// Notes the end of a job.
    pub(super) fn end(
        &mut self,
        id: &str,
        stage: Stage,
        error: Option<String>,
        now_ms: i64,
    ) -> Option<Job> {
        let entry = self.entry_mut(id)?;
        let undo = entry.undo.take().filter(|undo| 0 < undo.count());
        entry.job.stage = stage;
        entry.job.error = error;
        entry.job.ended_at = Some(Moment::from_ms(now_ms));
        entry.job.undo_until = undo.as_ref().map(|_| Moment::from_ms(now_ms + UNDO_MS));
        entry.undo = undo;
        entry.ended_at_ms = Some(now_ms);
        let job = entry.job.clone();
        self.forget_old(now_ms);
        Some(job)
    }

    /// Enters a job that undoes another one. What was to be undone is with it from then on.
    pub(super) fn undo(
        &mut self,
        id: &str,
        by: String,
        token: CancellationToken,
        now_ms: i64,
    ) -> Result<(Job, Undo), NotUndone> {
        self.forget_old(now_ms);
        let entry = self.entry(id).ok_or(NotUndone::Unknown)?;
        let undo = match (&entry.undo, &entry.job) {
            (_, job) if !job.stage.is_over() => return Err(NotUndone::Unfinished),
            (_, job) if job.undone_by.is_some() => return Err(NotUndone::Undone),
            (None, _) => return Err(NotUndone::Nothing),
            (Some(undo), _) => undo,
        };
        let (action, total) = (undo.action(), undo.count());
        let plan = Plan { action, total, undoes: Some(id.to_owned()) };
        let job = self.enter(by.clone(), plan, token, now_ms).map_err(NotUndone::from)?;
        let entry = self.entry_mut(id).ok_or(NotUndone::Unknown)?;
        entry.job.undone_by = Some(by);
        entry.job.undo_until = None;
        let undo = entry.undo.take().ok_or(NotUndone::Nothing)?;
        Ok((job, undo))
    }

    pub(super) fn forget_old(&mut self, now_ms: i64) {
        let over = |entry: &Entry| entry.job.stage.is_over();
        let is_old = |entry: &Entry, age_ms| {
            entry.ended_at_ms.is_some_and(|ended_at_ms| ended_at_ms + age_ms <= now_ms)
        };
        self.entries.retain(|entry| !is_old(entry, KEPT_MS));
        let mut too_many =
            self.entries.iter().filter(|it| over(it)).count().saturating_sub(OVER_MAX);
        self.entries.retain(|entry| {
            let goes = 0 < too_many && over(entry);
            too_many -= usize::from(goes);
            !goes
        });
        let mut room = RESULTS_MAX;
        for entry in self.entries.iter_mut().rev() {
            if is_old(entry, UNDO_MS) {
                entry.undo = None;
                entry.job.undo_until = None;
            }
            if !over(entry) {
                continue;
            }
            match room.checked_sub(entry.results.len()) {
                Some(rest) => room = rest,
                None => {
                    room = 0;
                    entry.results = Vec::new();
                    entry.undo = None;
                    entry.job.undo_until = None;
                    entry.job.has_results = false;
                }
            }
        }
    }

    fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.job.id == id)
    }

    fn entry_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.job.id == id)
    }
}
