//! Jobs on service keys: asking for them, and carrying them out a piece at a time.
//!
//! Always true: each piece is a command of its own, in the store before it takes effect in the pool,
//! and both before it has results; between two pieces a job can be called off and others have their
//! turn.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use keypool::KeyId;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use utoipa::ToSchema;

use crate::admin::error::{ApiError, ErrorBody};
use crate::admin::events::{KeysChange, tell_keys};
use crate::admin::input::Body;
use crate::admin::problem::{Part, Problem};
use crate::admin::service_keys::add::{NewKeys, TAGS_MAX, checked_tags, name_of_added};
use crate::admin::service_keys::bulk::{Named, Selection};
use crate::admin::service_keys::filter::Filter;
use crate::admin::service_keys::test;
use crate::admin::values::Text;
use crate::app::App;
use crate::jobs::{Action, Job, JobResult, Outcome, Plan, Undo, Work};
use crate::service_keys::{self, Common, LineCheck, LineResult};
use crate::store::error::StoreError;
use crate::store::service_key_lists::{DeletedServiceKey, Restored, TagChange, Tagged};

/// Keys of one piece: some ms of the store's writer.
const PIECE_KEYS: usize = 250;
/// Lines of one piece of an import.
const PIECE_LINES: usize = 500;
/// What a job waits before it tries a piece again that has met a busy database. Then it fails.
const BUSY_PAUSES: [Duration; 6] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];
/// Tests of one job that wait for a place or are under way.
const TESTS_AHEAD: usize = 8;

/// What to do to which keys, as a job.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct KeyJobOrder {
    /// What to do.
    action: KeyJobAction,
    /// The keys by name; or else `filter`.
    #[serde(default)]
    key_identifiers: Option<Vec<String>>,
    /// The keys by what they have in common, an empty filter for all; or else `key_identifiers`.
    #[serde(default)]
    filter: Option<Filter>,
    /// For `test`: the model whose tokens the upstream shall count; if absent, it is asked for its
    /// models.
    #[serde(default)]
    #[schema(inline)]
    model: Option<Text<1, 200>>,
    /// For `tag`: tags that the keys get.
    #[serde(default)]
    #[schema(inline)]
    add_tags: Vec<Text<1, 50>>,
    /// For `tag`: tags that the keys lose.
    #[serde(default)]
    #[schema(inline)]
    remove_tags: Vec<Text<1, 50>>,
}

/// What a job does to keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum KeyJobAction {
    /// Asks the upstream about each, a few at a time.
    Test,
    /// Forgets everything that speaks against them.
    Reset,
    /// Switches them on.
    Enable,
    /// Switches them off.
    Disable,
    /// Gives them tags and takes tags from them.
    Tag,
    /// Deletes them. The job can be undone for ten minutes, unless the gateway starts anew.
    Delete,
}

/// Lines to be added as keys, as a job.
#[derive(Deserialize, ToSchema)]
pub(super) struct ImportOrder {
    #[serde(flatten)]
    keys: NewKeys,
    /// Only looks what would become of each line, and adds nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Begins a job on service keys: test, reset, switch on or off, tag, delete. Watch it under
/// `/api/jobs/{id}` or by the event `job`.
#[utoipa::path(
    post, path = "/api/keys/jobs", operation_id = "begin_key_job", tag = "jobs", request_body = KeyJobOrder,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 409, description = "Too many jobs are not done yet", body = ErrorBody),
        (status = 422, description = "The order cannot be understood", body = ErrorBody),
    ),
)]
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    Body(order): Body<KeyJobOrder>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let selection = Selection::new(order.key_identifiers, order.filter)?;
    let (added, removed) = (checked_tags(order.add_tags)?, checked_tags(order.remove_tags)?);
    if order.action == KeyJobAction::Tag && added.is_empty() && removed.is_empty() {
        let words = "Say which tags the keys get or lose";
        return Err(ApiError::Invalid(vec![Problem::value(Part::Body, "add_tags", words)]));
    }
    let keys: Vec<Target> = targets(selection.find(&app).await?);
    let (action, deed) = match order.action {
        KeyJobAction::Test => {
            let model = order.model.map(|model| Arc::from(model.into_inner()));
            (Action::Test, Deed::Test { keys, model })
        }
        KeyJobAction::Reset => (Action::Reset, Deed::Reset(keys)),
        KeyJobAction::Enable => (Action::Enable, Deed::Switch { keys, is_enabled: true }),
        KeyJobAction::Disable => (Action::Disable, Deed::Switch { keys, is_enabled: false }),
        KeyJobAction::Delete => (Action::Delete, Deed::Delete(keys)),
        KeyJobAction::Tag => {
            let change = |id| TagChange { id, added: added.clone(), removed: removed.clone() };
            let changes = keys.iter().map(|key| key.id.map(change)).collect();
            (Action::Tag, Deed::Tag { keys, changes })
        }
    };
    start(&app, action, deed)
}

/// Begins a job that adds keys, or looks what adding them would do. Each line has a result.
#[utoipa::path(
    post, path = "/api/keys/import", operation_id = "import_service_keys", tag = "jobs", request_body = ImportOrder,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 409, description = "Too many jobs are not done yet", body = ErrorBody),
        (status = 422, description = "The list cannot be read", body = ErrorBody),
    ),
)]
pub(super) async fn import(
    State(app): State<Arc<App>>,
    Body(order): Body<ImportOrder>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let (lines, common) = order.keys.checked()?;
    match order.dry_run {
        true => start(&app, Action::TryImport, Deed::TryImport(lines)),
        false => start(&app, Action::Import, Deed::Import { lines, common }),
    }
}

/// Carries out a job that undoes another one.
pub(in crate::admin) fn undo(app: &Arc<App>, work: Work, undo: Undo) {
    let deed = match undo {
        Undo::Enable(ids) => Deed::Switch { keys: by_id(app, ids), is_enabled: true },
        Undo::Disable(ids) => Deed::Switch { keys: by_id(app, ids), is_enabled: false },
        Undo::Tag(changes) => {
            let keys = by_id(app, changes.iter().map(|change| change.id).collect());
            Deed::Tag { keys, changes: changes.into_iter().map(Some).collect() }
        }
        Undo::Restore(keys) => Deed::Restore(keys),
        Undo::Delete(ids) => Deed::Delete(by_id(app, ids)),
    };
    set_going(app, work, deed);
}

/// A key that a job is about.
#[derive(Debug, Clone)]
struct Target {
    /// Its row; `None` if there is none of this name.
    id: Option<i64>,
    key_identifier: String,
}

/// What a job does.
enum Deed {
    Test {
        keys: Vec<Target>,
        model: Option<Arc<str>>,
    },
    Reset(Vec<Target>),
    Switch {
        keys: Vec<Target>,
        is_enabled: bool,
    },
    /// One change for each key, `None` where there is no such key.
    Tag {
        keys: Vec<Target>,
        changes: Vec<Option<TagChange>>,
    },
    Delete(Vec<Target>),
    Restore(Vec<DeletedServiceKey>),
    Import {
        lines: Vec<String>,
        common: Common,
    },
    TryImport(Vec<String>),
}

impl Deed {
    /// How many keys or lines it is about.
    fn total(&self) -> usize {
        match self {
            Self::Test { keys, .. }
            | Self::Reset(keys)
            | Self::Switch { keys, .. }
            | Self::Tag { keys, .. }
            | Self::Delete(keys) => keys.len(),
            Self::Restore(keys) => keys.len(),
            Self::Import { lines, .. } | Self::TryImport(lines) => lines.len(),
        }
    }
}

fn targets(named: Vec<Named>) -> Vec<Target> {
    let target =
        |Named { key_identifier, key }| Target { id: key.map(|key| key.row.id), key_identifier };
    named.into_iter().map(target).collect()
}

/// Keys of which only the row is known.
fn by_id(app: &App, ids: Vec<i64>) -> Vec<Target> {
    let target = |id: i64| Target {
        id: Some(id),
        key_identifier: app
            .pool
            .key(KeyId(id.cast_unsigned()))
            .map_or_else(|| id.to_string(), |key| key.identifier.clone()),
    };
    ids.into_iter().map(target).collect()
}

fn start(app: &Arc<App>, action: Action, deed: Deed) -> Result<(StatusCode, Json<Job>), ApiError> {
    let plan = Plan { action, total: deed.total(), undoes: None };
    let id = app.request_ids.next().to_string();
    let work = app.jobs.begin(id.clone(), plan)?;
    set_going(app, work, deed);
    let job = app.jobs.job(&id).ok_or_else(|| ApiError::internal("a job has vanished"))?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

fn set_going(app: &Arc<App>, work: Work, deed: Deed) {
    let working = Arc::clone(app);
    app.commands.begin(async move { carry_out(working, work, deed).await });
}

async fn carry_out(app: Arc<App>, mut work: Work, deed: Deed) {
    work.start().await;
    let carried_out =
        match deed {
            Deed::Test { keys, model } => test_all(&app, &work, keys, model).await,
            Deed::Import { lines, common } => import_all(&app, &work, lines, common).await,
            Deed::TryImport(lines) => examine_all(&app, &work, &lines).await,
            Deed::Restore(keys) => restore_all(&app, &work, keys).await,
            Deed::Reset(keys) => {
                each(&app, &work, keys, |app, keys| async move { reset(&app, keys).await }).await
            }
            Deed::Delete(keys) => {
                each(&app, &work, keys, |app, keys| async move { delete(&app, keys).await }).await
            }
            Deed::Switch { keys, is_enabled } => {
                each(&app, &work, keys, move |app, keys| async move {
                    switch(&app, keys, is_enabled).await
                })
                .await
            }
            Deed::Tag { keys, changes } => {
                let pairs = keys.into_iter().zip(changes).collect();
                each(&app, &work, pairs, |app, pairs| async move { tag(&app, pairs).await }).await
            }
        };
    match carried_out {
        Ok(()) => work.end(),
        Err(error) => {
            tracing::error!(job.id = work.id(), %error, "a job on service keys failed");
            work.fail(error.words());
        }
    }
}

/// What a piece of a job has come to.
struct Piece {
    /// What became of each of its keys, in their order, and their names.
    outcomes: Vec<(String, Outcome)>,
    undo: Option<Undo>,
}

/// Does something to many, a piece at a time, each in its turn among the commands.
async fn each<T, F>(
    app: &Arc<App>,
    work: &Work,
    all: Vec<T>,
    act: impl Fn(Arc<App>, Vec<T>) -> F,
) -> Result<(), ApiError>
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Piece, ApiError>> + Send + 'static,
{
    let (mut place, mut patience) = (0, Patience::new());
    while place < all.len() && !work.is_cancelled() {
        let keys = piece(&all, place, PIECE_KEYS).to_vec();
        let acted = app.commands.run_in_turn(act(Arc::clone(app), keys));
        let acted = acted.await.ok_or_else(ApiError::panicked)?;
        let Some(Piece { outcomes, undo }) = patience.take(work, acted).await? else {
            continue;
        };
        patience = Patience::new();
        let count = outcomes.len();
        let results = outcomes
            .into_iter()
            .enumerate()
            .map(|(index, (name, outcome))| JobResult::of_key(place + index, name, outcome));
        work.note(results.collect(), undo);
        place += count;
    }
    Ok(())
}

/// How long a job still waits for a busy database before it gives up a piece.
struct Patience(std::array::IntoIter<Duration, { BUSY_PAUSES.len() }>);

impl Patience {
    fn new() -> Self {
        Self(BUSY_PAUSES.into_iter())
    }

    /// What a piece has come to that the store does as a whole or not at all; `None` if it is to be tried again, now
    /// that the others have had their turn.
    async fn take<T>(
        &mut self,
        work: &Work,
        acted: Result<T, ApiError>,
    ) -> Result<Option<T>, ApiError> {
        let pause = match acted {
            Err(ApiError::Store(StoreError::Busy)) => self.0.next(),
            acted => return acted.map(Some),
        };
        let pause = pause.ok_or(ApiError::Store(StoreError::Busy))?;
        tracing::debug!(job.id = work.id(), ?pause, "a job waits for the database");
        tokio::select! {
            biased;
            () = work.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
        Ok(None)
    }
}

/// The piece of a list that begins at a place.
fn piece<T>(all: &[T], place: usize, length: usize) -> &[T] {
    all.get(place..all.len().min(place + length)).unwrap_or_default()
}

async fn reset(app: &App, keys: Vec<Target>) -> Result<Piece, ApiError> {
    let is_there: Vec<Option<bool>> =
        keys.iter().map(|key| key.id.map(|id| app.pool.reset(KeyId(id.cast_unsigned())))).collect();
    app.pool.save_command(&app.store).await?;
    let outcomes = keys.into_iter().zip(is_there).map(|(key, is_reset)| {
        let outcome = match is_reset {
            None => Outcome::NotFound,
            Some(false) => Outcome::Unreadable,
            Some(true) => Outcome::Done,
        };
        (key.key_identifier, outcome)
    });
    Ok(Piece { outcomes: outcomes.collect(), undo: None })
}

async fn switch(app: &App, keys: Vec<Target>, is_enabled: bool) -> Result<Piece, ApiError> {
    let ids = keys.iter().filter_map(|key| key.id).collect();
    let switched = app.store.switch_service_keys(ids, is_enabled).await?;
    let ids: Vec<KeyId> = switched.iter().map(|key| KeyId(key.id.cast_unsigned())).collect();
    match is_enabled {
        true => app.pool.enable_all(&ids),
        false => app.pool.disable_all(&ids),
    }
    let is_changed: HashMap<i64, bool> =
        switched.iter().map(|key| (key.id, key.is_changed)).collect();
    let outcomes: Vec<(String, Outcome)> = keys
        .into_iter()
        .map(|key| match key.id.and_then(|id| is_changed.get(&id)) {
            None => (key.key_identifier, Outcome::NotFound),
            Some(true) => (key.key_identifier, Outcome::Done),
            Some(false) => (key.key_identifier, Outcome::Unchanged),
        })
        .collect();
    tell_keys(app, KeysChange::Changed, done(&outcomes));
    let changed = switched.into_iter().filter(|key| key.is_changed).map(|key| key.id).collect();
    let undo = match is_enabled {
        true => Undo::Disable(changed),
        false => Undo::Enable(changed),
    };
    Ok(Piece { outcomes, undo: Some(undo) })
}

async fn tag(app: &App, pairs: Vec<(Target, Option<TagChange>)>) -> Result<Piece, ApiError> {
    let changes = pairs.iter().filter_map(|(_, change)| change.clone()).collect();
    let mut tagged = app.store.tag_service_keys(changes, TAGS_MAX).await?.into_iter();
    let mut undo = Vec::new();
    let outcomes: Vec<(String, Outcome)> = pairs
        .into_iter()
        .map(|(key, change)| {
            let outcome = match change.and_then(|_| tagged.next()) {
                None | Some(Tagged::Unknown) => Outcome::NotFound,
                Some(Tagged::TooMany) => Outcome::TooManyTags,
                Some(Tagged::Changed(TagChange { added, removed, .. }))
                    if added.is_empty() && removed.is_empty() =>
                {
                    Outcome::Unchanged
                }
                Some(Tagged::Changed(TagChange { id, added, removed })) => {
                    undo.push(TagChange { id, added: removed, removed: added });
                    Outcome::Done
                }
            };
            (key.key_identifier, outcome)
        })
        .collect();
    tell_keys(app, KeysChange::Changed, done(&outcomes));
    Ok(Piece { outcomes, undo: Some(Undo::Tag(undo)) })
}

async fn delete(app: &App, keys: Vec<Target>) -> Result<Piece, ApiError> {
    let ids: Vec<i64> = keys.iter().filter_map(|key| key.id).collect();
    let deleted = app.store.take_service_keys(ids, app.clock.wall_ms()).await?;
    let gone: HashSet<i64> = deleted.iter().map(|key| key.id).collect();
    app.pool.remove_all(&gone.iter().map(|id| KeyId(id.cast_unsigned())).collect::<Vec<_>>());
    let outcomes: Vec<(String, Outcome)> = keys
        .into_iter()
        .map(|key| match key.id.is_some_and(|id| gone.contains(&id)) {
            true => (key.key_identifier, Outcome::Done),
            false => (key.key_identifier, Outcome::NotFound),
        })
        .collect();
    tell_keys(app, KeysChange::Removed, done(&outcomes));
    Ok(Piece { outcomes, undo: Some(Undo::Restore(deleted)) })
}

async fn restore_all(
    app: &Arc<App>,
    work: &Work,
    keys: Vec<DeletedServiceKey>,
) -> Result<(), ApiError> {
    each(app, work, keys, |app, keys| async move { restore(&app, keys).await }).await
}

async fn restore(app: &App, keys: Vec<DeletedServiceKey>) -> Result<Piece, ApiError> {
    let names: Vec<String> = keys.iter().map(|key| key.key_identifier.clone()).collect();
    let restored = app.store.restore_service_keys(keys).await?;
    let mut members = Vec::new();
    let mut outcomes = Vec::with_capacity(names.len());
    for (name, restored) in names.into_iter().zip(restored) {
        let outcome = match restored {
            Restored::Unknown => Outcome::NotFound,
            Restored::Taken => Outcome::Duplicate,
            Restored::Restored(row) => {
                members.extend(app.pool.revive(&row, &app.vault));
                Outcome::Done
            }
        };
        outcomes.push((name, outcome));
    }
    app.pool.add_all(members);
    tell_keys(app, KeysChange::Added, done(&outcomes));
    Ok(Piece { outcomes, undo: None })
}

/// The names of the keys to which it was done.
fn done(outcomes: &[(String, Outcome)]) -> Vec<String> {
    let done = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Done);
    done.map(|(name, _)| name.clone()).collect()
}

async fn import_all(
    app: &Arc<App>,
    work: &Work,
    lines: Vec<String>,
    common: Common,
) -> Result<(), ApiError> {
    let (mut place, mut patience) = (0, Patience::new());
    while place < lines.len() && !work.is_cancelled() {
        let (adding, common) = (Arc::clone(app), common.clone());
        let piece = piece(&lines, place, PIECE_LINES).to_vec();
        let added = app.commands.run_in_turn(async move {
            let (store, vault, pool) = (&adding.store, &adding.vault, Some(&adding.pool));
            service_keys::add(store, vault, pool, piece, common, adding.clock.wall_ms()).await
        });
        let added = added.await.ok_or_else(ApiError::panicked)?.map_err(ApiError::from);
        let Some(lines) = patience.take(work, added).await? else {
            continue;
        };
        patience = Patience::new();
        let names: Vec<String> = lines.iter().filter_map(name_of_added).collect();
        let ids = lines.iter().filter_map(|line| match line {
            LineResult::Added { id, .. } => Some(*id),
            LineResult::Duplicate { .. } | LineResult::Invalid { .. } => None,
        });
        let undo = Undo::Delete(ids.collect());
        let results = lines.into_iter().enumerate();
        let results: Vec<_> = results.map(|(index, line)| of_added(place + index, line)).collect();
        place += results.len();
        tell_keys(app, KeysChange::Added, names);
        work.note(results, Some(undo));
    }
    Ok(())
}

async fn examine_all(app: &Arc<App>, work: &Work, lines: &[String]) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    let (mut place, mut patience) = (0, Patience::new());
    while place < lines.len() && !work.is_cancelled() {
        let piece = piece(lines, place, PIECE_LINES);
        let checked = service_keys::examine(&app.store, &app.vault, piece, &mut seen).await;
        let Some(checks) = patience.take(work, checked.map_err(ApiError::from)).await? else {
            continue;
        };
        patience = Patience::new();
        let results = checks.into_iter().enumerate();
        let results = results.map(|(index, check)| of_check(place + index, check));
        work.note(results.collect(), None);
        place += piece.len();
    }
    Ok(())
}

fn of_added(place: usize, line: LineResult) -> JobResult {
    let (outcome, key_identifier, brief) = match line {
        LineResult::Invalid { reason } => return of_rubbish(place, reason),
        LineResult::Added { key_identifier, brief, .. } => (Outcome::Added, key_identifier, brief),
        LineResult::Duplicate { key_identifier, brief } => {
            (Outcome::Duplicate, key_identifier, brief)
        }
    };
    JobResult { key_brief: Some(brief), ..JobResult::of_key(place, key_identifier, outcome) }
}

fn of_check(place: usize, check: LineCheck) -> JobResult {
    let (outcome, key_identifier, brief) = match check {
        LineCheck::Invalid { reason } => return of_rubbish(place, reason),
        LineCheck::New { brief } => (Outcome::Added, None, brief),
        LineCheck::Duplicate { key_identifier, brief } => {
            (Outcome::Duplicate, key_identifier, brief)
        }
    };
    JobResult { key_identifier, key_brief: Some(brief), ..JobResult::of_line(place, outcome) }
}

fn of_rubbish(place: usize, reason: &str) -> JobResult {
    let message = Some(reason.to_owned());
    JobResult { message, ..JobResult::of_line(place, Outcome::Invalid) }
}

/// Tests the keys, a few at a time over all jobs. Called off, tests under way are given up; what was
/// found out is stored.
async fn test_all(
    app: &Arc<App>,
    work: &Work,
    keys: Vec<Target>,
    model: Option<Arc<str>>,
) -> Result<(), ApiError> {
    let mut waiting = keys.into_iter().enumerate();
    let mut tests = JoinSet::new();
    loop {
        while tests.len() < TESTS_AHEAD {
            let Some((place, key)) = waiting.next() else {
                break;
            };
            let (app, model) = (Arc::clone(app), model.clone());
            tests.spawn(async move { test_one(&app, place, key, model.as_deref()).await });
        }
        let tested = tokio::select! {
            biased;
            () = work.cancelled() => return Ok(()),
            tested = tests.join_next() => tested,
        };
        let Some(tested) = tested else {
            return Ok(());
        };
        work.note(vec![tested.map_err(ApiError::internal)??], None);
    }
}

async fn test_one(
    app: &Arc<App>,
    place: usize,
    key: Target,
    model: Option<&str>,
) -> Result<JobResult, ApiError> {
    let Target { id, key_identifier } = key;
    let untested = |outcome| JobResult::of_key(place, key_identifier.clone(), outcome);
    let Some(id) = id else {
        return Ok(untested(Outcome::NotFound));
    };
    let Some(key) = app.pool.key(KeyId(id.cast_unsigned())) else {
        return Ok(untested(Outcome::Unreadable));
    };
    let places = Arc::clone(app.jobs.tests());
    let _place = Semaphore::acquire_owned(places).await.map_err(ApiError::internal)?;
    let tested = test::ask(app, &key, model).await?;
    let outcome = if tested.is_ok { Outcome::Done } else { Outcome::Failed };
    Ok(JobResult {
        key_brief: Some(key.brief.clone()),
        message: tested.message,
        error: tested.error,
        status: tested.status,
        duration_ms: Some(tested.duration_ms),
        ..untested(outcome)
    })
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::clock::Clock;
    use crate::events::Events;
    use crate::jobs::Jobs;

    #[tokio::test(start_paused = true)]
    async fn a_busy_database_is_waited_for_but_not_for_ever() {
        let (work, mut patience) = (work(), Patience::new());
        let busy = || Err::<u8, _>(ApiError::Store(StoreError::Busy));
        let began = tokio::time::Instant::now();

        for _ in BUSY_PAUSES {
            assert_eq!(patience.take(&work, busy()).await.unwrap(), None);
        }
        assert_eq!(began.elapsed(), BUSY_PAUSES.into_iter().sum::<Duration>());
        assert_eq!(patience.take(&work, Ok(1)).await.unwrap(), Some(1));
        let refused = patience.take(&work, busy()).await.unwrap_err();

        assert_eq!(refused.code(), "database_busy");
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_for_another_reason_is_not_tried_again() {
        let full = Err::<u8, _>(ApiError::Store(StoreError::Full));

        let refused = Patience::new().take(&work(), full).await.unwrap_err();

        assert_eq!(refused.code(), "database_full");
    }

    fn work() -> Work {
        let jobs = Jobs::new(Events::new(0), Clock::manual(0), CancellationToken::new());
        let plan = Plan { action: Action::Reset, total: 1, undoes: None };
        jobs.begin("one".to_owned(), plan).unwrap()
    }
}
