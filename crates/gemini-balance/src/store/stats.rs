//! Statistics over one time range: the overview, by user key, service key, model and error, and over time.
//!
//! Always true: only sums are read, never log rows, so the answer takes as long for ten million rows as for ten; the ends
//! of a range are widened to whole quarter-hours; where there was nothing, the answer is `None`, not nought.

use std::collections::HashMap;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::Store;
use crate::store::calendar::{QUARTER_MS, TimeRange, Unit, Zone, first_quarter};
use crate::store::error::StoreError;
use crate::store::histogram::Histogram;
use crate::store::meta::unsigned;
use crate::store::rollup::{Latencies, Sums, cover};
use crate::store::scope::Scope;
use crate::store::sheets::{Dimension, by_subject};

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

impl Step {
    /// What it is in the calendar; `None` for less than a day.
    fn unit(self) -> Option<Unit> {
        match self {
            Self::Quarter | Self::Hour => None,
            Self::Day => Some(Unit::Day),
            Self::Week => Some(Unit::Week),
            Self::Month => Some(Unit::Month),
        }
    }
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
            let mut latencies = Latencies::default();
            read_scoped_latencies(connection, &scope, |_, duration, first_byte| {
                latencies.duration.merge(duration)?;
                latencies.first_byte.merge(first_byte)
            })?;
            Ok(Overview {
                usage: scope.total(connection)?.into(),
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
            let models = by_subject(connection, Dimension::Model, TimeRange::ALL)?;
            Ok(models.iter().any(|(_, sums)| 0 < sums.successes))
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
            let latencies = latencies_by_model(connection, &scope)?;
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
            let (periods, bounds) = Period::all(scope.range, Step::Hour, &zone, usize::MAX)?;
            scope.by_period(connection, &bounds, |period, sums| {
                if let Some(Period { local, .. }) = periods.get(period) {
                    let hour = (local.weekday().to_monday_one_offset(), local.hour());
                    hours.entry(hour).or_default().add(&sums);
                }
            })?;
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

/// Those with the most attempts first, at most `limit` of them.
pub(super) fn most_used(mut groups: Vec<(i64, Sums)>, limit: usize) -> Vec<(i64, Sums)> {
    let rank = |(id, sums): &(i64, Sums)| (std::cmp::Reverse(sums.attempts), *id);
    if limit < groups.len() {
        groups.select_nth_unstable_by_key(limit, rank);
        groups.truncate(limit);
    }
    groups.sort_unstable_by_key(rank);
    groups
}

fn latencies_by_model(
    connection: &Connection,
    scope: &Scope,
) -> Result<HashMap<i64, Latencies>, StoreError> {
    let mut models: HashMap<i64, Latencies> = HashMap::new();
    read_scoped_latencies(connection, scope, |model_id, duration, first_byte| {
        let latencies = models.entry(model_id).or_default();
        latencies.duration.merge(duration)?;
        latencies.first_byte.merge(first_byte)
    })?;
    Ok(models)
}

/// As [`read_latencies`], of a scope; nothing for one without.
fn read_scoped_latencies(
    connection: &Connection,
    scope: &Scope,
    mut take: impl FnMut(i64, &[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let Some(wanted) = scope.model_id(connection)?.filter(|_| scope.has_latencies()) else {
        return Ok(());
    };
    read_latencies(connection, scope.range, |model_id, duration, first_byte| {
        match wanted.is_none_or(|wanted| wanted == model_id) {
            true => take(model_id, duration, first_byte),
            false => Ok(()),
        }
    })
}

/// Hands over every cell in a range: its model and its two histograms, encoded.
fn read_latencies(
    connection: &Connection,
    range: TimeRange,
    mut take: impl FnMut(i64, &[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT model_id, duration, first_byte FROM rollup_latencies
         WHERE span = ?1 AND ?2 <= start AND start < ?3",
    )?;
    for (span, cells) in cover(range) {
        let mut rows = statement.query((span as i64, cells.start, cells.end))?;
        while let Some(row) = rows.next()? {
            let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
            take(row.get(0)?, blob(1)?, blob(2)?)?;
        }
    }
    Ok(())
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

fn timeline(
    connection: &Connection,
    scope: &Scope,
    step: Step,
    zone: &Zone,
) -> Result<Vec<Point>, StoreError> {
    let (periods, bounds) = Period::all(scope.range, step, zone, POINTS_MAX)?;
    let mut used: Vec<Option<Sums>> = vec![None; periods.len()];
    scope.by_period(connection, &bounds, |period, sums| {
        if let Some(used) = used.get_mut(period) {
            used.get_or_insert_default().add(&sums);
        }
    })?;
    Ok(periods
        .iter()
        .zip(used)
        .map(|(period, sums)| Point {
            label: period.label(step),
            start_ms: period.start_ms(),
            usage: sums.map(Usage::from),
        })
        .collect())
}

/// A part of a range that has one label.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    /// Its first quarter-hour in the range.
    start: i64,
    /// The clock and the offset from UTC then.
    pub(super) local: DateTime,
    offset: Offset,
}

impl Period {
    /// The periods of a range, and where each begins and the last ends, in quarter-hours.
    pub(super) fn all(
        range: TimeRange,
        step: Step,
        zone: &Zone,
        count_max: usize,
    ) -> Result<(Vec<Self>, Vec<i64>), StoreError> {
        let quarters = range.quarters();
        let mut periods: Vec<Self> = Vec::new();
        let mut next = quarters.start;
        while next < quarters.end {
            let (local, offset) = zone.local(next * QUARTER_MS);
            if periods.len() == count_max {
                return Err(StoreError::TooManyPoints(count_max));
            }
            let period = Self { start: next, local, offset };
            next = period.end(step, zone).max(next + 1);
            periods.push(period);
        }
        let bounds = periods.iter().map(|period| period.start).chain([quarters.end]).collect();
        Ok((periods, bounds))
    }

    /// The first quarter-hour with another label.
    fn end(&self, step: Step, zone: &Zone) -> i64 {
        if step == Step::Quarter {
            return self.start + 1;
        }
        let Some(unit) = step.unit() else {
            // An hour that the clock shows twice is told apart by its offset.
            let is_same = |quarter: &i64| {
                let (local, offset) = zone.local(quarter * QUARTER_MS);
                (local.date(), local.hour(), offset)
                    == (self.local.date(), self.local.hour(), self.offset)
            };
            return (self.start + 1..).find(|quarter| !is_same(quarter)).unwrap_or(self.start);
        };
        let midnight = unit.next_day(self.local.date()).and_then(|day| zone.start_of(day));
        midnight.map_or(i64::MAX, first_quarter)
    }

    /// When it begins, in ms since the epoch.
    pub(super) fn start_ms(&self) -> i64 {
        self.start * QUARTER_MS
    }

    /// Its name: `2026-11-22T13:00+05:30`, `2026-11-22`, `2026-46`, `2026-11`.
    pub(super) fn label(&self, step: Step) -> String {
        if let Some(unit) = step.unit() {
            return unit.label(unit.first_day(self.local.date()));
        }
        let minutes = self.offset.seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
        let form = if step == Step::Quarter { "%Y-%m-%dT%H:%M" } else { "%Y-%m-%dT%H:00" };
        format!("{}{sign}{hours:02}:{minutes:02}", self.local.strftime(form))
    }
}
