//! The five charts of the predecessor, in its shapes, from the sums.
//!
//! Different from there on purpose: zones and months are right, and a day without attempts is `null`, not 100 %.

use std::collections::HashMap;

use jiff::Span as CalendarSpan;
use jiff::civil::Date;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::Store;
use crate::store::calendar::{Periods, TimeRange, Unit, Zone, first_quarter};
use crate::store::error::StoreError;
use crate::store::rollup::Sums;
use crate::store::sheets::{by_period, by_service_key_and_model};
use crate::store::stats::{Period, Step, service_key_names, success_rate, word};

const HEAT_MAP_DAYS: i64 = 365;

/// Rows of numbers under common labels.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChartData<T> {
    /// One label per number of each row.
    pub labels: Vec<String>,
    /// The rows, in the order of their labels.
    pub datasets: Vec<Dataset<T>>,
}

/// One row of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Dataset<T> {
    /// What the row is about: a model.
    pub label: String,
    /// Its numbers.
    pub data: Vec<T>,
}

/// What a usage chart counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Requests that succeeded.
    Requests,
    /// All tokens.
    Tokens,
}

impl Measure {
    fn of(self, sums: &Sums) -> u64 {
        match self {
            Self::Requests => sums.successes,
            Self::Tokens => sums.total_tokens,
        }
    }
}

impl Store {
    /// Today's successful requests by service key (labels are briefs, most used first) and model.
    ///
    /// # Errors
    /// As any read.
    pub async fn daily_usage_chart(
        &self,
        zone: Zone,
        now_ms: i64,
    ) -> Result<ChartData<u64>, StoreError> {
        self.read(move |connection| daily_usage(connection, &zone, now_ms)).await
    }

    /// Usage by period and model.
    ///
    /// # Errors
    /// As any read.
    pub async fn usage_stats(
        &self,
        measure: Measure,
        periods: Periods,
        zone: Zone,
        now_ms: i64,
    ) -> Result<ChartData<u64>, StoreError> {
        self.read(move |connection| {
            let days = periods.first_days(&zone, now_ms);
            let mut chart = chart_by_period(connection, &zone, &days, periods.unit(), |sums| {
                sums.map_or(0, |sums| measure.of(sums))
            })?;
            chart.datasets.retain(|dataset| dataset.data.iter().any(|number| 0 < *number));
            Ok(chart)
        })
        .await
    }

    /// Usage of each of the last 365 days that had any: pairs of date and number.
    ///
    /// # Errors
    /// As any read.
    pub async fn daily_usage_heatmap(
        &self,
        measure: Measure,
        zone: Zone,
        now_ms: i64,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(move |connection| {
            let Some(range) = last_days(&zone, now_ms, HEAT_MAP_DAYS) else {
                return Ok(Vec::new());
            };
            let (periods, bounds) = Period::all(range, Step::Day, &zone, usize::MAX)?;
            let mut days = vec![0; periods.len()];
            by_period(connection, &bounds, |period, _, sums| {
                if let Some(number) = days.get_mut(period) {
                    *number += measure.of(&sums);
                }
            })?;
            let used = periods.iter().zip(days).filter(|(_, number)| 0 < *number);
            Ok(used.map(|(period, number)| (period.label(Step::Day), number)).collect())
        })
        .await
    }

    /// Successes per attempt in percent, by day and model, over the last `days` days including today.
    ///
    /// # Errors
    /// As any read.
    pub async fn success_rate(
        &self,
        days: u16,
        zone: Zone,
        now_ms: i64,
    ) -> Result<ChartData<Option<f64>>, StoreError> {
        self.read(move |connection| {
            let days = Periods::new(Unit::Day, 0, i64::from(days))
                .map_or_else(Vec::new, |periods| periods.first_days(&zone, now_ms));
            let rate = |sums: Option<&Sums>| sums.and_then(success_rate);
            chart_by_period(connection, &zone, &days, Unit::Day, rate)
        })
        .await
    }

    /// Successes per attempt in percent, by hour of the day and model, over the last `days` days including today.
    ///
    /// # Errors
    /// As any read.
    pub async fn hourly_success_rate(
        &self,
        days: u16,
        zone: Zone,
        now_ms: i64,
    ) -> Result<ChartData<Option<f64>>, StoreError> {
        self.read(move |connection| {
            let labels = (0..24).map(|hour| format!("{hour:02}")).collect();
            let mut table = Table::new(24);
            if let Some(range) = last_days(&zone, now_ms, i64::from(days)) {
                let (periods, bounds) = Period::all(range, Step::Hour, &zone, usize::MAX)?;
                by_period(connection, &bounds, |period, model_id, sums| {
                    let hour = periods.get(period).map_or(0, |period| period.local.hour());
                    table.add(model_id, usize::try_from(hour).unwrap_or_default(), &sums);
                })?;
            }
            table.chart(connection, labels, |sums| sums.and_then(success_rate))
        })
        .await
    }
}

/// Sums by model and column.
struct Table {
    columns: usize,
    models: HashMap<i64, Vec<Option<Sums>>>,
}

impl Table {
    fn new(columns: usize) -> Self {
        Self { columns, models: HashMap::new() }
    }

    fn add(&mut self, model_id: i64, column: usize, sums: &Sums) {
        let row = self.models.entry(model_id).or_insert_with(|| vec![None; self.columns]);
        if let Some(cell) = row.get_mut(column) {
            cell.get_or_insert_default().add(sums);
        }
    }

    fn chart<T>(
        self,
        connection: &Connection,
        labels: Vec<String>,
        number: impl Fn(Option<&Sums>) -> T,
    ) -> Result<ChartData<T>, StoreError> {
        let mut datasets = Vec::with_capacity(self.models.len());
        for (model_id, row) in self.models {
            let data = row.iter().map(|sums| number(sums.as_ref())).collect();
            datasets.push(Dataset { label: word(connection, model_id)?, data });
        }
        datasets.sort_by(|a: &Dataset<T>, b| a.label.cmp(&b.label));
        Ok(ChartData { labels, datasets })
    }
}

/// A chart with a column for each period between one of `first_days` and the next.
fn chart_by_period<T>(
    connection: &Connection,
    zone: &Zone,
    first_days: &[Date],
    unit: Unit,
    number: impl Fn(Option<&Sums>) -> T,
) -> Result<ChartData<T>, StoreError> {
    let starts = first_days.iter().filter_map(|day| zone.start_of(*day));
    let bounds: Vec<i64> = starts.map(first_quarter).collect();
    let columns = bounds.len().saturating_sub(1);
    let mut table = Table::new(columns);
    by_period(connection, &bounds, |period, model_id, sums| table.add(model_id, period, &sums))?;
    let labels = first_days.iter().take(columns).map(|day| unit.label(*day)).collect();
    table.chart(connection, labels, number)
}

fn daily_usage(
    connection: &Connection,
    zone: &Zone,
    now_ms: i64,
) -> Result<ChartData<u64>, StoreError> {
    let Some(range) = last_days(zone, now_ms, 1) else {
        return Ok(ChartData { labels: Vec::new(), datasets: Vec::new() });
    };
    let mut keys: HashMap<i64, Vec<(i64, u64)>> = HashMap::new();
    for ((service_key_id, model_id), sums) in by_service_key_and_model(connection, range)? {
        if 0 < sums.successes {
            keys.entry(service_key_id).or_default().push((model_id, sums.successes));
        }
    }

    let mut columns = Vec::with_capacity(keys.len());
    for (id, models) in keys {
        let total: u64 = models.iter().map(|(_, used)| used).sum();
        let (identifier, brief) = service_key_names(connection, id)?.unwrap_or_default();
        columns.push((std::cmp::Reverse(total), identifier, brief, models));
    }
    columns.sort_unstable();

    let mut table = Table::new(columns.len());
    for (column, (.., models)) in columns.iter().enumerate() {
        for (model_id, successes) in models {
            table.add(*model_id, column, &Sums { successes: *successes, ..Sums::default() });
        }
    }
    let labels = columns.into_iter().map(|(_, _, brief, _)| brief).collect();
    table.chart(connection, labels, |sums| sums.map_or(0, |sums| sums.successes))
}

/// From the midnight that began the first of the last `days` days to the midnight that ends today.
fn last_days(zone: &Zone, now_ms: i64, days: i64) -> Option<TimeRange> {
    let today = zone.date(now_ms);
    let first = today.checked_sub(CalendarSpan::new().try_days(days - 1).ok()?).ok()?;
    let start_ms = zone.start_of(first)?;
    let end_ms = zone.start_of(today.tomorrow().ok()?)?;
    Some(TimeRange { start_ms, end_ms })
}
