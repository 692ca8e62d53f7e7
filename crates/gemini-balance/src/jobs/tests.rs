//! Jobs are bounded, end once, and are undone once.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

const HOUR_MS: u32 = 60 * 60 * 1_000;
const MINUTE_MS: u32 = 60 * 1_000;

#[tokio::test]
async fn a_job_tells_how_far_it_is_and_how_it_ended() {
    let (jobs, _) = jobs();
    let mut work = begin(&jobs, "one", 3).unwrap();
    assert_eq!(jobs.job("one").unwrap().stage, Stage::Waiting);

    work.start().await;
    work.note(results(0..2, Outcome::Done), None);
    let running = jobs.job("one").unwrap();
    work.note(results(2..3, Outcome::NotFound), None);
    work.end();

    let done = jobs.job("one").unwrap();
    assert_eq!((running.stage, running.finished), (Stage::Running, 2));
    assert_eq!((done.stage, done.finished, done.total), (Stage::Done, 3, 3));
    assert_eq!(done.counts, BTreeMap::from([(Outcome::Done, 2), (Outcome::NotFound, 1)]));
    let page = jobs.results("one", Some(Outcome::Done), (1, 5)).unwrap();
    assert_eq!((page.total, page.results[0].place), (2, 1));
    assert_eq!(jobs.results("two", None, (0, 1)), None);
}

#[tokio::test]
async fn a_job_whose_work_panicked_has_failed() {
    let (jobs, _) = jobs();
    let mut work = begin(&jobs, "one", 3).unwrap();
    work.start().await;

    let fell = catch_unwind(AssertUnwindSafe(move || {
        let _work = work;
        panic!("a job that falls")
    }));

    assert!(fell.is_err());
    let job = jobs.job("one").unwrap();
    assert_eq!(job.stage, Stage::Failed);
    assert!(job.error.is_some() && job.ended_at.is_some());
}

#[tokio::test]
async fn a_job_that_is_called_off_ends_where_it_is_also_while_it_waits() {
    let (jobs, _) = jobs();
    let mut running = Vec::new();
    for number in 0..RUNNING_MAX {
        let mut work = begin(&jobs, &format!("r{number}"), 2).unwrap();
        work.start().await;
        running.push(work);
    }
    let mut waiting = begin(&jobs, "waiting", 2).unwrap();

    jobs.cancel("waiting").unwrap();
    waiting.start().await;
    waiting.end();
    jobs.cancel("r0").unwrap();
    let work = running.remove(0);
    assert!(work.is_cancelled());
    work.note(results(0..1, Outcome::Done), None);
    work.end();

    for (name, finished) in [("waiting", 0), ("r0", 1)] {
        let job = jobs.job(name).unwrap();
        assert_eq!((job.stage, job.finished), (Stage::Cancelled, finished), "{name}");
    }
    assert!(jobs.cancel("nobody").is_none());
}

#[tokio::test]
async fn a_job_is_undone_once_and_only_for_a_while_after_its_end() {
    let (jobs, clock) = jobs();
    for name in ["one", "two", "three"] {
        let work = begin(&jobs, name, 4).unwrap();
        work.note(results(0..2, Outcome::Done), Some(Undo::Enable(vec![1, 2])));
        assert_eq!(undone(&jobs, name), Err(NotUndone::Unfinished));
        work.note(results(2..4, Outcome::Done), Some(Undo::Enable(vec![3, 4])));
        work.end();
    }
    begin(&jobs, "idle", 0).unwrap().end();

    assert_eq!(undone(&jobs, "one"), Ok(Undo::Enable(vec![1, 2, 3, 4])));
    assert_eq!(undone(&jobs, "one"), Err(NotUndone::Undone));
    assert_eq!(undone(&jobs, "idle"), Err(NotUndone::Nothing));
    assert_eq!(undone(&jobs, "nobody"), Err(NotUndone::Unknown));
    clock.advance(10 * MINUTE_MS - 1);
    assert!(undone(&jobs, "two").is_ok());
    clock.advance(1);
    assert_eq!(undone(&jobs, "three"), Err(NotUndone::Nothing));
    assert_eq!(jobs.job("three").unwrap().undo_until, None);
    let (one, by) = (jobs.job("one").unwrap(), jobs.job("undo-one").unwrap());
    assert_eq!((one.undone_by.as_deref(), by.undoes.as_deref()), (Some("undo-one"), Some("one")));
    assert_eq!((by.action, by.total), (Action::Enable, 4));
}

#[tokio::test]
async fn an_undo_that_finds_no_room_stays_possible() {
    let (jobs, _) = jobs();
    let work = begin(&jobs, "one", 1).unwrap();
    work.note(results(0..1, Outcome::Done), Some(Undo::Delete(vec![7])));
    work.end();
    let mut others = Vec::new();
    while let Ok(work) = begin(&jobs, &format!("other-{}", others.len()), 1) {
        others.push(work);
    }

    assert_eq!(others.len(), 16);
    assert_eq!(undone(&jobs, "one"), Err(NotUndone::TooMany));
    others.pop().unwrap().end();
    assert_eq!(undone(&jobs, "one"), Ok(Undo::Delete(vec![7])));
}

#[tokio::test]
async fn what_is_kept_of_jobs_that_are_over_has_a_bound() {
    let (jobs, clock) = jobs();
    let unfinished = begin(&jobs, "unfinished", 1).unwrap();
    for number in 0..60 {
        let work = begin(&jobs, &format!("job-{number}"), 100_000).unwrap();
        if number >= 57 {
            work.note(results(0..100_000, Outcome::Done), Some(Undo::Enable(vec![1])));
        }
        work.end();
    }

    let names: Vec<String> = jobs.list().into_iter().map(|job| job.id).collect();
    assert_eq!(names.len(), 51);
    assert_eq!((names[0].as_str(), names[50].as_str()), ("job-59", "unfinished"));
    let kept = |name| {
        let job = jobs.job(name).unwrap();
        (job.has_results, jobs.results(name, None, (0, 1)).unwrap().total, job.undo_until.is_some())
    };
    assert_eq!(kept("job-57"), (false, 0, false));
    assert_eq!(kept("job-58"), (true, 100_000, true));
    assert_eq!(jobs.job("job-57").unwrap().finished, 100_000, "what it did stays known");
    clock.advance(HOUR_MS);
    assert_eq!(jobs.list().len(), 1, "an hour after the end");
    unfinished.end();
}

#[tokio::test]
async fn the_shutdown_calls_every_job_off() {
    let draining = CancellationToken::new();
    let jobs = Jobs::new(Events::new(0), Clock::manual(0), draining.clone());
    let work = begin(&jobs, "one", 2).unwrap();

    draining.cancel();
    work.cancelled().await;
    work.end();

    assert_eq!(jobs.job("one").unwrap().stage, Stage::Cancelled);
}

fn jobs() -> (Jobs, Clock) {
    let clock = Clock::manual(1_800_000_000_000);
    (Jobs::new(Events::new(0), clock.clone(), CancellationToken::new()), clock)
}

fn begin(jobs: &Jobs, id: &str, total: usize) -> Result<Work, TooManyJobs> {
    jobs.begin(id.to_owned(), Plan { action: Action::Disable, total, undoes: None })
}

/// Undoes a job, by one that ends at once.
fn undone(jobs: &Jobs, id: &str) -> Result<Undo, NotUndone> {
    let (work, undo) = jobs.undo(id, format!("undo-{id}"))?;
    work.end();
    Ok(undo)
}

fn results(places: std::ops::Range<usize>, outcome: Outcome) -> Vec<JobResult> {
    places.map(|place| JobResult::of_line(place, outcome)).collect()
}
