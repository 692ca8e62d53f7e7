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
use crate::store::meta::unsigned;
use crate::store::rollup::{Latencies, Span, Sums};
use crate::store::scope::Scope;
use crate::store::sheets::{Dimension, by_period, by_period_as, by_subject, of_subjects};
use crate::store::stats::{
    POINTS_MAX, Percentiles, Period, Step, Usage, errors_by_id, most_used, service_key_names,
    user_key_name, word,
};

/// Quarter-hours of an hour.
const HOUR_QUARTERS: usize = 4;

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

/// Hours of a day: the points of [`KeyModel`].
pub const HOURS: usize = 24;

/// What a key was used for with one model in a day.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KeyModel {
    /// The model.
    pub model: String,
    /// What it was used for in all of them.
    #[serde(flatten)]
    pub usage: Usage,
    /// What it was used for in each of 24 hours; `None` for one without any use.
    pub hours: Vec<Option<Amount>>,
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
            let axis = Axis::new(range, step, &zone)?;
            match by {
                By::Model => models(connection, range, limit, axis),
                By::ErrorKind => error_kinds(connection, range, limit, axis),
                By::UserKey => keys(connection, (range, Dimension::UserKey), limit, axis),
                By::ServiceKey => keys(connection, (range, Dimension::ServiceKey), limit, axis),
            }
        })
        .await
    }

    /// What was used of each model in a range of 24 whole hours, most attempts first.
    ///
    /// # Errors
    /// As any read.
    pub async fn key_models(&self, scope: Scope) -> Result<Vec<KeyModel>, StoreError> {
        self.read(move |connection| {
            let quarters = scope.range.quarters();
            let hours = quarters.clone().step_by(HOUR_QUARTERS);
            let bounds: Vec<i64> = hours.chain([quarters.end]).collect();
            let mut models: HashMap<i64, (Sums, Vec<Option<Amount>>)> = HashMap::new();
            scope.by_period_and_model(connection, &bounds, |hour, model_id, more| {
                let (sums, hours) =
                    models.entry(model_id).or_insert_with(|| (Sums::default(), vec![None; HOURS]));
                sums.add(&more);
                if let Some(hour) = hours.get_mut(hour) {
                    hour.get_or_insert_default().add(more.into());
                }
            })?;
            let totals = models.iter().map(|(id, (sums, _))| (*id, *sums)).collect();
            let mut shown = Vec::with_capacity(models.len());
            for (id, sums) in most_used(totals, usize::MAX) {
                let hours = models.remove(&id).map(|(_, hours)| hours).unwrap_or_default();
                shown.push(KeyModel { model: word(connection, id)?, usage: sums.into(), hours });
            }
            Ok(shown)
        })
        .await
    }

    /// What each of some service keys was used for in a time range; those that were not are left out.
    ///
    /// # Errors
    /// As any read.
    pub async fn use_of_service_keys(
        &self,
        ids: Vec<i64>,
        range: TimeRange,
    ) -> Result<HashMap<i64, Amount>, StoreError> {
        self.read(move |connection| {
            let mut keys: HashMap<i64, Amount> = HashMap::new();
            let quarters = range.quarters();
            let bounds = [quarters.start, quarters.end];
            of_subjects(connection, (Dimension::ServiceKey, &ids), &bounds, |_, id, _, sums| {
                keys.entry(id).or_default().add(sums.into());
            })?;
            Ok(keys)
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
            let axis = Axis::new(scope.range, step, &zone)?;
            let mut sums = vec![Latencies::default(); axis.periods.len()];
            if let Some(model_id) = scope.model_id(connection)? {
                add_latencies(connection, (scope.range, model_id), &axis, &mut sums)?;
            }
            let points = axis.periods.into_iter().zip(sums);
            Ok(points
                .map(|(ChartPeriod { label, start_ms }, latencies)| LatencyPoint {
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

/// The periods of a chart.
struct Axis {
    periods: Vec<ChartPeriod>,
    /// Where each begins and the last ends, in quarter-hours.
    bounds: Vec<i64>,
}

impl Axis {
    fn new(range: TimeRange, step: Step, zone: &Zone) -> Result<Self, StoreError> {
        let (periods, bounds) = Period::all(range, step, zone, POINTS_MAX)?;
        let periods = periods
            .iter()
            .map(|period| ChartPeriod { label: period.label(step), start_ms: period.start_ms() });
        Ok(Self { periods: periods.collect(), bounds })
    }

    /// The period that holds a quarter-hour of the range.
    fn place_of(&self, quarter: i64) -> Option<usize> {
        self.bounds.partition_point(|bound| *bound <= quarter).checked_sub(1)
    }
}

fn models(
    connection: &Connection,
    range: TimeRange,
    limit: usize,
    axis: Axis,
) -> Result<Chart, StoreError> {
    let totals = by_subject(connection, Dimension::Model, range)?;
    let bounds = axis.bounds.clone();
    let mut lines = Lines::new(most_used(totals, limit), axis);
    by_period(connection, &bounds, |period, model_id, sums| {
        lines.add(model_id, period, sums.into());
    })?;
    lines.chart(|id| Ok((Some(word(connection, id)?), None, None)))
}

fn keys(
    connection: &Connection,
    (range, dimension): (TimeRange, Dimension),
    limit: usize,
    axis: Axis,
) -> Result<Chart, StoreError> {
    let totals = by_subject(connection, dimension, range)?;
    let bounds = axis.bounds.clone();
    let mut left = vec![Amount::default(); axis.periods.len()];
    by_period_as(connection, dimension, &bounds, |period, _, sums| {
        if let Some(left) = left.get_mut(period) {
            left.add(sums.into());
        }
    })?;
    let mut lines = Lines::new(most_used(totals, limit), axis);
    let ids = lines.ids.clone();
    of_subjects(connection, (dimension, &ids), &bounds, |period, id, _, sums| {
        let amount = Amount::from(sums);
        lines.add(id, period, amount);
        if let Some(left) = left.get_mut(period) {
            left.take(amount);
        }
    })?;
    let is_user = dimension == Dimension::UserKey;
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
    axis: Axis,
) -> Result<Chart, StoreError> {
    let totals = errors_by_id(connection, range)?;
    let totals = totals
        .into_iter()
        .map(|(id, (attempts, requests))| (id, Sums { attempts, requests, ..Sums::default() }));
    let mut lines = Lines::new(most_used(totals.collect(), limit), axis);
    let mut statement = connection.prepare_cached(
        "SELECT error_kind, start, attempts, requests FROM rollup_errors
         WHERE span = ?1 AND ?2 <= start AND start < ?3",
    )?;
    let quarters = range.quarters();
    let mut rows = statement.query((Span::Quarter as i64, quarters.start, quarters.end))?;
    while let Some(row) = rows.next()? {
        let (attempts, requests) = (unsigned(row, 2)?, unsigned(row, 3)?);
        if let Some(period) = lines.axis.place_of(row.get(1)?) {
            lines.add(row.get(0)?, period, Amount { attempts, requests, ..Amount::default() });
        }
    }
    lines.chart(|id| Ok((Some(word(connection, id)?), None, None)))
}

fn add_latencies(
    connection: &Connection,
    (range, model_id): (TimeRange, Option<i64>),
    axis: &Axis,
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
        let place = axis.place_of(row.get(0)?);
        if let Some(latencies) = place.and_then(|place| sums.get_mut(place)) {
            let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
            latencies.duration.merge(blob(1)?)?;
            latencies.first_byte.merge(blob(2)?)?;
        }
    }
    Ok(())
}

/// Lines that are being drawn.
struct Lines {
    axis: Axis,
    ids: Vec<i64>,
    places: HashMap<i64, usize>,
    values: Vec<Vec<Option<Amount>>>,
    others: Vec<Option<Amount>>,
}

impl Lines {
    fn new(most_used: Vec<(i64, Sums)>, axis: Axis) -> Self {
        let ids: Vec<i64> = most_used.into_iter().map(|(id, _)| id).collect();
        let places = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let blank = vec![None; axis.periods.len()];
        Self { axis, places, values: vec![blank.clone(); ids.len()], ids, others: blank }
    }

    fn add(&mut self, id: i64, period: usize, amount: Amount) {
        let line = match self.places.get(&id) {
            Some(place) => self.values.get_mut(*place),
            None => Some(&mut self.others),
        };
        if let Some(value) = line.and_then(|line| line.get_mut(period)) {
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
        Ok(Chart {
            periods: self.axis.periods,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_row::LogRow;
    use crate::store::calendar::DAY_MS;
    use crate::store::prune::Retention;
    use crate::store::scope::Subject;
    use crate::store::tests::{TestStore, row};

    const HOUR_MS: i64 = DAY_MS / 24;
    /// The start of a day.
    const START_MS: i64 = 20_000 * DAY_MS;

    #[tokio::test]
    async fn the_lines_and_the_rest_add_up_to_the_whole_and_a_gap_is_no_nought() {
        let store = store_with_rows().await;
        let range = TimeRange { start_ms: START_MS, end_ms: START_MS + 30 * HOUR_MS };

        for (by, lines) in
            [(By::Model, 2), (By::UserKey, 2), (By::ServiceKey, 3), (By::ErrorKind, 2)]
        {
            for limit in [1, 2, 20] {
                let asked = (range, by, limit);
                let chart = store.chart(asked, Step::Hour, Zone::utc()).await.unwrap();

                assert_eq!(chart.periods.len(), 30, "{by:?}");
                assert_eq!(chart.series.len(), lines.min(limit), "{by:?} {limit}");
                let all = chart.series.iter().map(|line| &line.values).chain(&chart.others);
                let sum: u64 = all.clone().flatten().flatten().map(|it| it.attempts).sum();
                let expected = if by == By::ErrorKind { 30 } else { 90 };
                assert_eq!(sum, expected, "{by:?} {limit}");
                assert_eq!(chart.others.is_some(), limit < lines, "{by:?} {limit}");
                for values in all {
                    assert_eq!(values.len(), 30);
                    assert_eq!(values[1], None, "in the odd hours there is nothing");
                    assert!(values.iter().flatten().all(|amount| 0 < amount.attempts));
                }
            }
        }
    }

    #[tokio::test]
    async fn what_one_key_used_is_what_its_rows_say() {
        let store = store_with_rows().await;
        let range = TimeRange { start_ms: START_MS - 5 * DAY_MS, end_ms: START_MS + 30 * HOUR_MS };

        for (subject, model, attempts) in [
            (Subject::All, None, 90),
            (Subject::All, Some("m1"), 45),
            (Subject::UserKey(1), None, 60),
            (Subject::UserKey(2), None, 30),
            (Subject::UserKey(2), Some("m0"), 15),
            (Subject::ServiceKey(1), None, 30),
            (Subject::ServiceKey(7), None, 0),
            (Subject::UserKey(1), Some("m9"), 0),
        ] {
            let scope = || Scope { range, subject, model: model.map(str::to_owned) };

            let overview = store.overview(scope()).await.unwrap();
            let points = store.timeline(scope(), Step::Hour, Zone::utc()).await.unwrap();
            let models = store.usage_by_model(scope(), 10).await.unwrap();
            let hours = store.week_hours(scope(), Zone::utc()).await.unwrap();

            let told = format!("{subject:?} {model:?}");
            assert_eq!(overview.usage.sums.attempts, attempts, "{told}");
            let sum = |usages: &mut dyn Iterator<Item = u64>| usages.sum::<u64>();
            let points = points.iter().flat_map(|point| &point.usage);
            assert_eq!(sum(&mut points.map(|usage| usage.sums.attempts)), attempts, "{told}");
            let models = models.iter().map(|model| model.usage.sums.attempts);
            assert_eq!(sum(&mut { models }), attempts, "{told}");
            let hours = hours.iter().flat_map(|hour| &hour.usage);
            assert_eq!(sum(&mut hours.map(|usage| usage.sums.attempts)), attempts, "{told}");
        }
    }

    #[tokio::test]
    async fn what_is_kept_by_the_day_alone_is_counted_once_in_lines_by_the_hour() {
        let store = store_with_rows().await;
        let retention =
            Retention { log_age_max_ms: None, bytes_max: None, sums_age_max_ms: 400 * DAY_MS };
        store.prune(retention, START_MS + 100 * DAY_MS).await.unwrap();
        let range = TimeRange { start_ms: START_MS, end_ms: START_MS + 2 * DAY_MS };

        for by in [By::UserKey, By::ServiceKey] {
            let chart = store.chart((range, by, 1), Step::Hour, Zone::utc()).await.unwrap();

            let line = chart.series[0].values.iter().flatten().map(|it| it.attempts);
            assert_eq!(line.sum::<u64>(), if by == By::UserKey { 60 } else { 30 });
            let others = chart.others.iter().flatten().flatten().map(|it| it.attempts);
            assert_eq!(others.sum::<u64>(), if by == By::UserKey { 30 } else { 60 });
        }
        let subject = Subject::ServiceKey(2);
        let scope = Scope { subject, model: Some("m1".to_owned()), ..Scope::from(range) };
        let points = store.timeline(scope, Step::Hour, Zone::utc()).await.unwrap();
        let used: Vec<_> = points
            .into_iter()
            .filter_map(|point| Some((point.label, point.usage?.sums.attempts)))
            .collect();
        assert_eq!(used.len(), 2, "{used:?}");
        assert_eq!(used.iter().map(|(_, attempts)| attempts).sum::<u64>(), 15, "{used:?}");
    }

    #[tokio::test]
    async fn how_long_requests_took_is_told_by_period_and_model() {
        let store = store_with_rows().await;
        let range = TimeRange { start_ms: START_MS, end_ms: START_MS + 4 * HOUR_MS };
        let scope =
            |model: Option<&str>| Scope { model: model.map(str::to_owned), ..Scope::from(range) };
        let p50 = async |model| {
            let points = store.latencies(scope(model), Step::Hour, Zone::utc()).await.unwrap();
            points.into_iter().map(|point| point.latency.p50_ms).collect::<Vec<_>>()
        };

        assert_eq!(p50(Some("m0")).await, [Some(10), None, Some(10), None]);
        assert_eq!(p50(Some("m1")).await, [Some(12), None, Some(12), None]);
        assert_eq!(p50(Some("m9")).await, [None; 4]);
    }

    #[tokio::test]
    async fn a_day_of_a_key_is_told_by_model_and_hour() {
        let store = store_with_rows().await;
        let range = TimeRange { start_ms: START_MS, end_ms: START_MS + DAY_MS };

        let subject = Subject::ServiceKey(1);
        let models = store.key_models(Scope { subject, ..Scope::from(range) }).await.unwrap();
        let used = store.use_of_service_keys(vec![1, 2, 7], range).await.unwrap();

        let names: Vec<&str> = models.iter().map(|model| model.model.as_str()).collect();
        assert_eq!(names, ["m0", "m1"]);
        for model in &models {
            assert_eq!(model.hours.len(), HOURS);
            assert_eq!(model.usage.sums.attempts, 12);
            assert!(model.hours[0].is_some() && model.hours[1].is_none());
        }
        assert_eq!((used[&1].attempts, used[&2].attempts, used.len()), (24, 24, 2));
    }

    /// Six attempts in every other of 30 hours: two models, three service keys, two user keys; those with service key 3
    /// fail, in two ways.
    async fn store_with_rows() -> TestStore {
        let store = TestStore::new();
        let rows: Vec<LogRow> = (0..15)
            .flat_map(|hour| (0..6).map(move |place| (hour, place)))
            .map(|(hour, place)| LogRow {
                ended_at_ms: START_MS + hour * 2 * HOUR_MS + place,
                model: format!("m{}", place % 2),
                service_key_id: Some(place % 3 + 1),
                user_key_id: Some(if place % 3 == 1 { 2 } else { 1 }),
                error_kind: (place % 3 == 2).then(|| format!("error-{}", place % 2).into()),
                duration_ms: if place % 2 == 0 { 10 } else { 12 },
                ..row(0)
            })
            .collect();
        let (folded, loose) = rows.split_at(50);
        store.insert(folded).await;
        store.fold().await.unwrap();
        store.insert(loose).await;
        store
    }
}
