//! Statistics over one time range: the overview, by user key, service key, model and error, and over time.
//!
//! Always true: only sums are read, never log rows, so the answer takes as long for ten million rows as for ten; the ends
//! of a range are widened to whole quarter-hours; where there was nothing, the answer is `None`, not nought.

use std::collections::HashMap;
use std::ops::Range;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::Store;
use crate::store::calendar::{QUARTER_MS, TimeRange, Unit, Zone};
use crate::store::error::StoreError;
use crate::store::histogram::Histogram;
use crate::store::meta::unsigned;
use crate::store::rollup::{Dimension, Latencies, Span, Sums, cover};
use crate::store::scope::Scope;

/// Points in time of one answer.
pub const POINTS_MAX: usize = 10_000;

/// Sums and what follows from them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Usage {
    /// The sums.
    #[serde(flatten)]
    pub sums: Sums,
    /// Successes per attempt, in percent; `None` without attempts.
    pub success_rate: Option<f64>,
    /// Successes per request, in percent; `None` without requests.
    pub request_success_rate: Option<f64>,
}

impl From<Sums> for Usage {
    fn from(sums: Sums) -> Self {
        let request_success_rate = percent(sums.successes, sums.requests);
        Self { sums, success_rate: success_rate(&sums), request_success_rate }
    }
}

/// How long successful requests took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Percentiles {
    /// Half took at most this long.
    pub p50_ms: Option<u32>,
    /// Nine of ten took at most this long.
    pub p90_ms: Option<u32>,
    /// All but one in twenty took at most this long.
    pub p95_ms: Option<u32>,
    /// All but one in a hundred took at most this long.
    pub p99_ms: Option<u32>,
}

impl From<&Histogram> for Percentiles {
    fn from(histogram: &Histogram) -> Self {
        Self {
            p50_ms: histogram.percentile(50),
            p90_ms: histogram.percentile(90),
            p95_ms: histogram.percentile(95),
            p99_ms: histogram.percentile(99),
        }
    }
}

/// Everything in a time range.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Overview {
    /// What was used.
    #[serde(flatten)]
    pub usage: Usage,
    /// Time to the end of successful requests, by the attempt that succeeded.
    pub latency: Percentiles,
    /// Time to the first byte of successful requests, by the attempt that succeeded.
    pub first_byte: Percentiles,
}

/// What one user key used.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UserKeyUsage {
    /// The user key; `None` for attempts without one.
    pub user_key_id: Option<i64>,
    /// Its name, also when it is deleted.
    pub name: Option<String>,
    /// What it used.
    #[serde(flatten)]
    pub usage: Usage,
}

/// What one service key was used for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ServiceKeyUsage {
    /// The service key; `None` for attempts that came to none.
    pub service_key_id: Option<i64>,
    /// Its identifier, also when it is deleted.
    pub key_identifier: Option<String>,
    /// What people see of it, also when it is deleted.
    pub key_brief: Option<String>,
    /// What it was used for.
    #[serde(flatten)]
    pub usage: Usage,
}

/// What one model was used for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelUsage {
    /// The model.
    pub model: String,
    /// What it was used for.
    #[serde(flatten)]
    pub usage: Usage,
    /// Time to the end of successful requests.
    pub latency: Percentiles,
    /// Time to the first byte of successful requests.
    pub first_byte: Percentiles,
}

/// How often one kind of error occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorCount {
    /// The kind of error.
    pub error_kind: String,
    /// Attempts that ended with it.
    pub attempts: u64,
    /// Requests that ended with it.
    pub requests: u64,
}

/// How far apart the points of a timeline are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The quarter-hours in which everything is counted.
    Quarter,
    /// By the clock of the zone.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

/// One period of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Point {
    /// `2026-11-22T13:00+05:30`, `2026-11-22`, `2026-46`, `2026-11`.
    pub label: String,
    /// When the period, as far as it is in the range, begins, in ms since the epoch.
    pub start_ms: i64,
    /// What was used in it; `None` if nothing was.
    pub usage: Option<Usage>,
}

/// One hour of the week.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WeekHour {
    /// From 1, Monday, to 7, Sunday.
    pub weekday: i8,
    /// From 0 to 23.
    pub hour: i8,
    /// What was used in it, over all weeks; `None` if nothing was.
    pub usage: Option<Usage>,
}

impl Store {
    /// Everything in a time range. How long it took is not known of one key alone.
    ///
    /// # Errors
    /// As any read.
    pub async fn overview(&self, scope: impl Into<Scope>) -> Result<Overview, StoreError> {
        let scope = scope.into();
        self.read(move |connection| {
            let mut sums = Sums::default();
            for part in scope.by_model(connection)?.values() {
                sums.add(part);
            }
            let mut latencies = Latencies::default();
            for part in scoped_latencies(connection, &scope)?.values() {
                latencies.duration.merge(&part.duration);
                latencies.first_byte.merge(&part.first_byte);
            }
            Ok(Overview {
                usage: sums.into(),
                latency: (&latencies.duration).into(),
                first_byte: (&latencies.first_byte).into(),
            })
        })
        .await
    }

    /// Whether any attempt ever succeeded, as far as the sums go back.
    ///
    /// # Errors
    /// As any read.
    pub async fn has_successes(&self) -> Result<bool, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT 1 FROM rollups WHERE dimension = ?1 AND span = ?2 AND 0 < successes",
            )?;
            Ok(statement.exists((Dimension::All as i64, Span::Day as i64))?)
        })
        .await
    }

    /// What each user key used, most attempts first, at most `limit` of them.
    ///
    /// # Errors
    /// As any read.
    pub async fn usage_by_user_key(
        &self,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<UserKeyUsage>, StoreError> {
        self.read(move |connection| {
            let mut usages = Vec::new();
            for (id, sums) in most_used(by_subject(connection, Dimension::UserKey, range)?, limit) {
                let name = user_key_name(connection, id)?;
                let user_key_id = (id != 0).then_some(id);
                usages.push(UserKeyUsage { user_key_id, name, usage: sums.into() });
            }
            Ok(usages)
        })
        .await
    }

    /// What each service key was used for, most attempts first, at most `limit` of them.
    ///
    /// # Errors
    /// As any read.
    pub async fn usage_by_service_key(
        &self,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<ServiceKeyUsage>, StoreError> {
        self.read(move |connection| {
            let mut usages = Vec::new();
            let subjects = by_subject(connection, Dimension::ServiceKey, range)?;
            for (id, sums) in most_used(subjects, limit) {
                let (key_identifier, key_brief) = service_key_names(connection, id)?.unzip();
                let service_key_id = (id != 0).then_some(id);
                let usage = sums.into();
                usages.push(ServiceKeyUsage { service_key_id, key_identifier, key_brief, usage });
            }
            Ok(usages)
        })
        .await
    }

    /// What each model was used for, most attempts first, at most `limit` of them.
    ///
    /// # Errors
    /// As any read.
    pub async fn usage_by_model(
        &self,
        scope: impl Into<Scope>,
        limit: usize,
    ) -> Result<Vec<ModelUsage>, StoreError> {
        let scope = scope.into();
        self.read(move |connection| {
            let latencies = scoped_latencies(connection, &scope)?;
            let nothing = Latencies::default();
            let mut usages = Vec::new();
            for (id, sums) in most_used(scope.by_model(connection)?, limit) {
                let latencies = latencies.get(&id).unwrap_or(&nothing);
                usages.push(ModelUsage {
                    model: word(connection, id)?,
                    usage: sums.into(),
                    latency: (&latencies.duration).into(),
                    first_byte: (&latencies.first_byte).into(),
                });
            }
            Ok(usages)
        })
        .await
    }

    /// How often each kind of error occurred, the most frequent first.
    ///
    /// # Errors
    /// As any read.
    pub async fn errors_by_kind(&self, range: TimeRange) -> Result<Vec<ErrorCount>, StoreError> {
        self.read(move |connection| errors(connection, range)).await
    }

    /// What was used in each period of a time range in a zone, oldest first.
    ///
    /// A calendar heat map is the timeline by [`Step::Day`].
    ///
    /// # Errors
    /// [`StoreError::TooManyPoints`] if there are more than [`POINTS_MAX`] periods; else as any read.
    pub async fn timeline(
        &self,
        scope: impl Into<Scope>,
        step: Step,
        zone: Zone,
    ) -> Result<Vec<Point>, StoreError> {
        let scope = scope.into();
        self.read(move |connection| timeline(connection, &scope, step, &zone)).await
    }

    /// What was used in each of the 168 hours of the week, in a zone, over a time range.
    ///
    /// # Errors
    /// As any read.
    pub async fn week_hours(
        &self,
        scope: impl Into<Scope>,
        zone: Zone,
    ) -> Result<Vec<WeekHour>, StoreError> {
        let scope = scope.into();
        self.read(move |connection| {
            let mut hours: HashMap<(i8, i8), Sums> = HashMap::new();
            for cell in scope.quarters(connection)? {
                let (local, _) = zone.local(cell.start * QUARTER_MS);
                let hour = (local.weekday().to_monday_one_offset(), local.hour());
                hours.entry(hour).or_default().add(&cell.sums);
            }
            let week = (1..=7).flat_map(|weekday| (0..24).map(move |hour| (weekday, hour)));
            Ok(week
                .map(|(weekday, hour)| {
                    let usage = hours.get(&(weekday, hour)).map(|sums| Usage::from(*sums));
                    WeekHour { weekday, hour, usage }
                })
                .collect())
        })
        .await
    }
}

/// Successes per attempt, in percent; `None` without attempts.
pub(super) fn success_rate(sums: &Sums) -> Option<f64> {
    percent(sums.successes, sums.attempts)
}

/// A part of a whole, in percent; `None` without a whole.
fn percent(part: u64, whole: u64) -> Option<f64> {
    (0 < whole).then(|| part as f64 * 100.0 / whole as f64)
}

/// Sums by quarter-hour, numbered since the epoch, and model; oldest first.
pub(super) fn quarters(
    connection: &Connection,
    range: TimeRange,
) -> Result<Vec<(i64, i64, Sums)>, StoreError> {
    let quarters = range.quarters();
    let mut statement = connection.prepare_cached(
        "SELECT start, model_id, attempts, requests, successes, prompt_tokens, completion_tokens,
                cached_tokens, thinking_tokens, total_tokens
         FROM rollups
         WHERE dimension = ?1 AND span = ?2 AND ?3 <= start AND start < ?4
         ORDER BY start",
    )?;
    let parameters = (Dimension::All as i64, Span::Quarter as i64, quarters.start, quarters.end);
    let cells = statement
        .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?, Sums::read(row, 2)?)))?;
    Ok(cells.collect::<Result<_, _>>()?)
}

/// The text of a word.
pub(super) fn word(connection: &Connection, id: i64) -> Result<String, StoreError> {
    let mut statement = connection.prepare_cached("SELECT text FROM words WHERE id = ?1")?;
    Ok(statement.query_row([id], |row| row.get(0))?)
}

/// The name of a user key, living or deleted.
pub(super) fn user_key_name(
    connection: &Connection,
    id: i64,
) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT name FROM user_keys WHERE id = ?1")?;
    let mut names = statement.query_map([id], |row| row.get(0))?;
    Ok(names.next().transpose()?)
}

/// Identifier and brief of a service key, living or deleted.
pub(super) fn service_key_names(
    connection: &Connection,
    id: i64,
) -> Result<Option<(String, String)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT key_identifier, brief FROM service_keys WHERE id = ?1")?;
    let mut names = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(names.next().transpose()?)
}

/// Sums by user key or service key.
pub(super) fn by_subject(
    connection: &Connection,
    dimension: Dimension,
    range: TimeRange,
) -> Result<HashMap<i64, Sums>, StoreError> {
    let sql = "SELECT subject_id, sum(attempts), sum(requests), sum(successes),
                   sum(prompt_tokens), sum(completion_tokens), sum(cached_tokens),
                   sum(thinking_tokens), sum(total_tokens)
               FROM rollups
               WHERE dimension = ?1 AND span = ?2 AND ?3 <= start AND start < ?4
               GROUP BY subject_id";
    grouped(connection, sql, dimension, range)
}

/// Sums by model.
pub(super) fn by_model(
    connection: &Connection,
    range: TimeRange,
) -> Result<HashMap<i64, Sums>, StoreError> {
    let sql = "SELECT model_id, sum(attempts), sum(requests), sum(successes),
                   sum(prompt_tokens), sum(completion_tokens), sum(cached_tokens),
                   sum(thinking_tokens), sum(total_tokens)
               FROM rollups
               WHERE dimension = ?1 AND span = ?2 AND ?3 <= start AND start < ?4
               GROUP BY model_id";
    grouped(connection, sql, Dimension::All, range)
}

fn grouped(
    connection: &Connection,
    sql: &str,
    dimension: Dimension,
    range: TimeRange,
) -> Result<HashMap<i64, Sums>, StoreError> {
    let mut groups: HashMap<i64, Sums> = HashMap::new();
    let mut statement = connection.prepare_cached(sql)?;
    for (span, cells) in cover(range) {
        let mut rows = statement.query((dimension as i64, span as i64, cells.start, cells.end))?;
        while let Some(row) = rows.next()? {
            groups.entry(row.get(0)?).or_default().add(&Sums::read(row, 1)?);
        }
    }
    Ok(groups)
}

/// Those with the most attempts first, at most `limit` of them.
pub(super) fn most_used(groups: HashMap<i64, Sums>, limit: usize) -> Vec<(i64, Sums)> {
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable_by_key(|(id, sums)| (std::cmp::Reverse(sums.attempts), *id));
    groups.truncate(limit);
    groups
}

/// Histograms by model; none for a scope that has none.
fn scoped_latencies(
    connection: &Connection,
    scope: &Scope,
) -> Result<HashMap<i64, Latencies>, StoreError> {
    let Some(model_id) = scope.model_id(connection)?.filter(|_| scope.has_latencies()) else {
        return Ok(HashMap::new());
    };
    let mut models = latencies_by_model(connection, scope.range)?;
    models.retain(|id, _| model_id.is_none_or(|model_id| model_id == *id));
    Ok(models)
}

fn latencies_by_model(
    connection: &Connection,
    range: TimeRange,
) -> Result<HashMap<i64, Latencies>, StoreError> {
    let mut models: HashMap<i64, Latencies> = HashMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT model_id, duration, first_byte FROM rollup_latencies
         WHERE span = ?1 AND ?2 <= start AND start < ?3",
    )?;
    for (span, cells) in cover(range) {
        let mut rows = statement.query((span as i64, cells.start, cells.end))?;
        while let Some(row) = rows.next()? {
            let latencies = models.entry(row.get(0)?).or_default();
            latencies.duration.merge(&Histogram::decode(&row.get::<_, Vec<u8>>(1)?)?);
            latencies.first_byte.merge(&Histogram::decode(&row.get::<_, Vec<u8>>(2)?)?);
        }
    }
    Ok(models)
}

/// How often each kind of error occurred, the most frequent first.
pub(super) fn errors(
    connection: &Connection,
    range: TimeRange,
) -> Result<Vec<ErrorCount>, StoreError> {
    let kinds = errors_by_id(connection, range)?;
    let mut counts = Vec::with_capacity(kinds.len());
    for (id, (attempts, requests)) in kinds {
        counts.push(ErrorCount { error_kind: word(connection, id)?, attempts, requests });
    }
    Ok(by_frequency(counts))
}

/// Kinds of errors, the most frequent first.
pub(super) fn by_frequency(mut counts: Vec<ErrorCount>) -> Vec<ErrorCount> {
    counts
        .sort_by(|a, b| b.attempts.cmp(&a.attempts).then_with(|| a.error_kind.cmp(&b.error_kind)));
    counts
}

/// Attempts and requests that ended with each kind of error, by its number.
pub(super) fn errors_by_id(
    connection: &Connection,
    range: TimeRange,
) -> Result<HashMap<i64, (u64, u64)>, StoreError> {
    let mut kinds: HashMap<i64, (u64, u64)> = HashMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT error_kind, sum(attempts), sum(requests) FROM rollup_errors
         WHERE span = ?1 AND ?2 <= start AND start < ?3 GROUP BY error_kind",
    )?;
    for (span, cells) in cover(range) {
        let mut rows = statement.query((span as i64, cells.start, cells.end))?;
        while let Some(row) = rows.next()? {
            let (attempts, requests) = kinds.entry(row.get(0)?).or_default();
            *attempts += unsigned(row, 1)?;
            *requests += unsigned(row, 2)?;
        }
    }
    Ok(kinds)
}

/// A period of a time range.
#[derive(Debug)]
pub(super) struct Period {
    pub(super) label: String,
    pub(super) start_ms: i64,
    /// Its quarter-hours within the range, numbered since the epoch.
    pub(super) quarters: Range<i64>,
}

/// The periods of a time range, oldest first.
pub(super) fn periods(
    range: TimeRange,
    step: Step,
    zone: &Zone,
) -> Result<Vec<Period>, StoreError> {
    let mut periods: Vec<Period> = Vec::new();
    for quarter in range.quarters() {
        let start_ms = quarter * QUARTER_MS;
        let label = label(step, zone, start_ms);
        if let Some(last) = periods.last_mut().filter(|last| last.label == label) {
            last.quarters.end = quarter + 1;
            continue;
        }
        if periods.len() == POINTS_MAX {
            return Err(StoreError::TooManyPoints(POINTS_MAX));
        }
        periods.push(Period { label, start_ms, quarters: quarter..quarter + 1 });
    }
    Ok(periods)
}

fn timeline(
    connection: &Connection,
    scope: &Scope,
    step: Step,
    zone: &Zone,
) -> Result<Vec<Point>, StoreError> {
    let mut cells = scope.quarters(connection)?.into_iter().peekable();
    let points = periods(scope.range, step, zone)?.into_iter().map(|period| {
        let mut sums: Option<Sums> = None;
        while let Some(cell) = cells.next_if(|cell| cell.start < period.quarters.end) {
            sums.get_or_insert_default().add(&cell.sums);
        }
        let Period { label, start_ms, .. } = period;
        Point { label, start_ms, usage: sums.map(Usage::from) }
    });
    Ok(points.collect())
}

fn label(step: Step, zone: &Zone, time_ms: i64) -> String {
    let (local, offset) = zone.local(time_ms);
    let unit = match step {
        Step::Day => Unit::Day,
        Step::Week => Unit::Week,
        Step::Month => Unit::Month,
        // An hour that the clock shows twice is told apart by its offset.
        Step::Quarter | Step::Hour => {
            let minutes = offset.seconds() / 60;
            let sign = if minutes < 0 { '-' } else { '+' };
            let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
            let form = if step == Step::Hour { "%Y-%m-%dT%H:00" } else { "%Y-%m-%dT%H:%M" };
            return format!("{}{sign}{hours:02}:{minutes:02}", local.strftime(form));
        }
    };
    unit.label(unit.first_day(local.date()))
}
