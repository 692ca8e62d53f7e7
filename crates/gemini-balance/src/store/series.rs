//! Several lines over the same points in time: by model, user key, service key or kind of error; and how long requests
//! took, over time.
//!
//! Always true: a period in which there was nothing has `None`; what the lines leave out is a line of its own, so that
//! they add up to the whole.

use std::collections::HashMap;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::Store;
use crate::store::calendar::{TimeRange, Zone};
use crate::store::error::StoreError;
use crate::store::histogram::Histogram;
use crate::store::meta::unsigned;
use crate::store::rollup::{Dimension, Latencies, Span, Sums};
use crate::store::scope::{Scope, Subject};
use crate::store::stats::{
    Percentiles, Period, Step, by_model, by_subject, errors_by_id, most_used, periods,
    service_key_names, user_key_name, word,
};

/// What the lines stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SeriesBy)]
pub enum By {
    /// A model each.
    Model,
    /// A user key each.
    UserKey,
    /// A service key each.
    ServiceKey,
    /// A kind of error each.
    ErrorKind,
}

/// Some lines over the same points in time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Chart {
    /// The periods, oldest first.
    pub periods: Vec<ChartPeriod>,
    /// The lines, the one with the most attempts first.
    pub series: Vec<Series>,
    /// All that is in none of them; `None` if that is nothing.
    pub others: Option<Vec<Option<Amount>>>,
}

/// A period of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChartPeriod {
    /// Its name, as in the timeline.
    pub label: String,
    /// When it begins, as far as it is in the range, in ms since the epoch.
    pub start_ms: i64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Series {
    /// What it stands for: the model, the kind of error, the name of the user key, the brief of the service key. `None`
    /// for attempts without a key.
    pub name: Option<String>,
    /// The key, if it stands for one.
    pub id: Option<i64>,
    /// The identifier of the service key, if it stands for one.
    pub key_identifier: Option<String>,
    /// What there was in each period.
    pub values: Vec<Option<Amount>>,
}

/// How much there was of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Amount {
    /// Tries with one key each.
    pub attempts: u64,
    /// Requests: attempts that were the last of theirs.
    pub requests: u64,
    /// Attempts that succeeded.
    pub successes: u64,
    /// All tokens.
    pub total_tokens: u64,
}

/// How long requests took in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LatencyPoint {
    /// Its name, as in the timeline.
    pub label: String,
    /// When it begins, as far as it is in the range, in ms since the epoch.
    pub start_ms: i64,
    /// Time to the end of successful requests, by the attempt that succeeded.
    pub latency: Percentiles,
    /// Time to the first byte of successful requests, by the attempt that succeeded.
    pub first_byte: Percentiles,
}

impl Store {
    /// The `limit` largest lines over a time range, and the rest.
    ///
    /// # Errors
    /// [`StoreError::TooManyPoints`] if there are too many periods; else as any read.
    pub async fn chart(
        &self,
        (range, by, limit): (TimeRange, By, usize),
        step: Step,
        zone: Zone,
    ) -> Result<Chart, StoreError> {
        self.read(move |connection| {
            let periods = periods(range, step, &zone)?;
            match by {
                By::Model => models(connection, range, limit, &periods),
                By::ErrorKind => error_kinds(connection, range, limit, &periods),
                By::UserKey => keys(connection, (range, Dimension::UserKey), limit, &periods),
                By::ServiceKey => keys(connection, (range, Dimension::ServiceKey), limit, &periods),
            }
        })
        .await
    }

    /// How long successful requests took in each period, of one model or of all.
    ///
    /// # Errors
    /// [`StoreError::TooManyPoints`] if there are too many periods; else as any read.
    pub async fn latencies(
        &self,
        scope: Scope,
        step: Step,
        zone: Zone,
    ) -> Result<Vec<LatencyPoint>, StoreError> {
        self.read(move |connection| {
            let periods = periods(scope.range, step, &zone)?;
            let mut sums: Vec<Latencies> = periods.iter().map(|_| Latencies::default()).collect();
            if let Some(model_id) = scope.model_id(connection)? {
                add_latencies(connection, (scope.range, model_id), &periods, &mut sums)?;
            }
            let points = periods.into_iter().zip(sums);
            Ok(points
                .map(|(Period { label, start_ms, .. }, latencies)| LatencyPoint {
                    label,
                    start_ms,
                    latency: (&latencies.duration).into(),
                    first_byte: (&latencies.first_byte).into(),
                })
                .collect())
        })
        .await
    }
}

fn models(
    connection: &Connection,
    range: TimeRange,
    limit: usize,
    periods: &[Period],
) -> Result<Chart, StoreError> {
    let mut lines = Lines::new(most_used(by_model(connection, range)?, limit), periods);
    for cell in Scope::from(range).quarters(connection)? {
        lines.add(cell.model_id, cell.start, cell.sums.into());
    }
    lines.chart(|id| Ok((Some(word(connection, id)?), None, None)))
}

fn keys(
    connection: &Connection,
    (range, dimension): (TimeRange, Dimension),
    limit: usize,
    periods: &[Period],
) -> Result<Chart, StoreError> {
    let mut lines =
        Lines::new(most_used(by_subject(connection, dimension, range)?, limit), periods);
    let mut left = vec![Amount::default(); periods.len()];
    for cell in Scope::from(range).quarters(connection)? {
        if let Some(left) = lines.period_of(cell.start).and_then(|place| left.get_mut(place)) {
            left.add(cell.sums.into());
        }
    }
    let is_user = dimension == Dimension::UserKey;
    let ids: Vec<i64> = lines.ids.clone();
    for id in ids {
        let subject = if is_user { Subject::UserKey(id) } else { Subject::ServiceKey(id) };
        for cell in (Scope { subject, ..Scope::from(range) }).quarters(connection)? {
            let amount = Amount::from(cell.sums);
            lines.add(id, cell.start, amount);
            if let Some(left) = lines.period_of(cell.start).and_then(|place| left.get_mut(place)) {
                left.take(amount);
            }
        }
    }
    lines.others =
        left.into_iter().map(Some).map(|left| left.filter(|it| 0 < it.attempts)).collect();
    lines.chart(|id| {
        let key = (id != 0).then_some(id);
        if is_user {
            return Ok((user_key_name(connection, id)?, key, None));
        }
        let (identifier, brief) = service_key_names(connection, id)?.unzip();
        Ok((brief, key, identifier))
    })
}

fn error_kinds(
    connection: &Connection,
    range: TimeRange,
    limit: usize,
    periods: &[Period],
) -> Result<Chart, StoreError> {
    let totals = errors_by_id(connection, range)?;
    let totals = totals
        .into_iter()
        .map(|(id, (attempts, requests))| (id, Sums { attempts, requests, ..Sums::default() }));
    let mut lines = Lines::new(most_used(totals.collect(), limit), periods);
    let mut statement = connection.prepare_cached(
        "SELECT error_kind, start, attempts, requests FROM rollup_errors
         WHERE span = ?1 AND ?2 <= start AND start < ?3",
    )?;
    let quarters = range.quarters();
    let mut rows = statement.query((Span::Quarter as i64, quarters.start, quarters.end))?;
    while let Some(row) = rows.next()? {
        let (attempts, requests) = (unsigned(row, 2)?, unsigned(row, 3)?);
        lines.add(row.get(0)?, row.get(1)?, Amount { attempts, requests, ..Amount::default() });
    }
    lines.chart(|id| Ok((Some(word(connection, id)?), None, None)))
}

fn add_latencies(
    connection: &Connection,
    (range, model_id): (TimeRange, Option<i64>),
    periods: &[Period],
    sums: &mut [Latencies],
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT start, duration, first_byte FROM rollup_latencies
         WHERE span = ?1 AND ?2 <= start AND start < ?3 AND (?4 IS NULL OR model_id = ?4)",
    )?;
    let quarters = range.quarters();
    let mut rows =
        statement.query((Span::Quarter as i64, quarters.start, quarters.end, model_id))?;
    while let Some(row) = rows.next()? {
        let place = place_of(periods, row.get(0)?);
        if let Some(latencies) = place.and_then(|place| sums.get_mut(place)) {
            latencies.duration.merge(&Histogram::decode(&row.get::<_, Vec<u8>>(1)?)?);
            latencies.first_byte.merge(&Histogram::decode(&row.get::<_, Vec<u8>>(2)?)?);
        }
    }
    Ok(())
}

/// The period that holds a quarter-hour.
fn place_of(periods: &[Period], quarter: i64) -> Option<usize> {
    let after = periods.partition_point(|period| period.quarters.start <= quarter);
    let place = after.checked_sub(1)?;
    periods.get(place).filter(|period| quarter < period.quarters.end).map(|_| place)
}

/// Lines that are being drawn.
struct Lines<'p> {
    periods: &'p [Period],
    ids: Vec<i64>,
    places: HashMap<i64, usize>,
    values: Vec<Vec<Option<Amount>>>,
    others: Vec<Option<Amount>>,
}

impl<'p> Lines<'p> {
    fn new(most_used: Vec<(i64, Sums)>, periods: &'p [Period]) -> Self {
        let ids: Vec<i64> = most_used.into_iter().map(|(id, _)| id).collect();
        let places = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let blank = vec![None; periods.len()];
        Self { periods, places, values: vec![blank.clone(); ids.len()], ids, others: blank }
    }

    fn period_of(&self, quarter: i64) -> Option<usize> {
        place_of(self.periods, quarter)
    }

    fn add(&mut self, id: i64, quarter: i64, amount: Amount) {
        let period = self.period_of(quarter);
        let line = match self.places.get(&id) {
            Some(place) => self.values.get_mut(*place),
            None => Some(&mut self.others),
        };
        if let Some(value) = period.and_then(|period| line?.get_mut(period)) {
            value.get_or_insert_default().add(amount);
        }
    }

    fn chart(
        self,
        names: impl Fn(i64) -> Result<(Option<String>, Option<i64>, Option<String>), StoreError>,
    ) -> Result<Chart, StoreError> {
        let mut series = Vec::with_capacity(self.ids.len());
        for (id, values) in self.ids.into_iter().zip(self.values) {
            let (name, id, key_identifier) = names(id)?;
            series.push(Series { name, id, key_identifier, values });
        }
        let has_others = self.others.iter().any(Option::is_some);
        let periods = self.periods.iter();
        let periods = periods
            .map(|period| ChartPeriod { label: period.label.clone(), start_ms: period.start_ms });
        Ok(Chart {
            periods: periods.collect(),
            series,
            others: Some(self.others).filter(|_| has_others),
        })
    }
}

impl From<Sums> for Amount {
    fn from(Sums { attempts, requests, successes, total_tokens, .. }: Sums) -> Self {
        Self { attempts, requests, successes, total_tokens }
    }
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.requests += other.requests;
        self.successes += other.successes;
        self.total_tokens += other.total_tokens;
    }

    fn take(&mut self, other: Self) {
        self.attempts = self.attempts.saturating_sub(other.attempts);
        self.requests = self.requests.saturating_sub(other.requests);
        self.successes = self.successes.saturating_sub(other.successes);
        self.total_tokens = self.total_tokens.saturating_sub(other.total_tokens);
    }
}
