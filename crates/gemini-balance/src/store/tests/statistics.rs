//! Statistics against sums over rows in memory, in zones that are hard to get right.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use proptest::prelude::*;

use crate::log_row::{LogRow, Tokens};
use crate::store::calendar::{DAY_MS, Periods, QUARTER_MS, TimeRange, Unit, Zone};
use crate::store::charts::{ChartData, Dataset, Measure};
use crate::store::error::StoreError;
use crate::store::service_keys::NewServiceKey;
use crate::store::stats::{Percentiles, Step};
use crate::store::tests::{TestStore, row};

const ZONES: [&str; 6] = [
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "UTC",
];
/// Days on which clocks change, months and years end.
const NOWS: [&str; 7] = [
    "2026-03-08T07:30:00Z",
    "2026-11-01T06:10:00Z",
    "2026-10-03T16:00:00Z",
    "2026-04-04T15:20:00Z",
    "2026-03-01T00:00:00Z",
    "2027-01-01T03:00:00Z",
    "2028-02-29T23:59:59Z",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn charts_equal_sums_over_rows(
        now in prop::sample::select(&NOWS[..]),
        rows in prop::collection::vec(any_row(), 1..200),
        folded in prop::collection::vec(any::<bool>(), 4),
        (offset, count) in (-3_i64..2, 0_i64..15),
    ) {
        let now_ms = ms(now);
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| LogRow { ended_at_ms: now_ms - row.ended_at_ms, ..row })
            .collect();
        runtime().block_on(async {
            let store = folded_between(&rows, &folded).await;
            for name in ZONES {
                let zone = Zone::named(name).unwrap();
                for unit in [Unit::Day, Unit::Week, Unit::Month] {
                    let periods = Periods::new(unit, offset, count).unwrap();
                    for measure in [Measure::Requests, Measure::Tokens] {
                        let found = store.usage_stats(measure, periods, zone.clone(), now_ms);
                        check_usage(&found.await.unwrap(), &rows, name, unit, measure);
                    }
                }
                check_heatmap(&store, &rows, name, now_ms).await;
                check_rates(&store, &rows, name, now_ms).await;
            }
        });
    }

    #[test]
    fn range_statistics_equal_sums_over_rows(
        rows in prop::collection::vec(any_row(), 0..200),
        folded in prop::collection::vec(any::<bool>(), 4),
        (start, length) in (0_i64..60 * 96, 0_i64..60 * 96),
    ) {
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| LogRow { ended_at_ms: 60 * DAY_MS - row.ended_at_ms % (60 * DAY_MS), ..row })
            .collect();
        let range = TimeRange { start_ms: start * QUARTER_MS, end_ms: (start + length) * QUARTER_MS };
        let within: Vec<_> = rows
            .iter()
            .filter(|row| range.start_ms <= row.ended_at_ms && row.ended_at_ms < range.end_ms)
            .collect();
        runtime().block_on(async {
            let store = folded_between(&rows, &folded).await;

            let overview = store.overview(range).await.unwrap();
            let sums = overview.usage.sums;
            assert_eq!(sums.attempts, count(&within, |_| true));
            assert_eq!(sums.requests, count(&within, |row| row.is_final));
            assert_eq!(sums.successes, count(&within, LogRow::is_success));
            assert_eq!(sums.total_tokens, tokens(&within));
            assert_eq!(overview.usage.success_rate.is_none(), within.is_empty());

            for usage in store.usage_by_user_key(range, 100).await.unwrap() {
                let expected = count(&within, |row| row.user_key_id == usage.user_key_id);
                assert_eq!(usage.usage.sums.attempts, expected);
            }
            for usage in store.usage_by_service_key(range, 100).await.unwrap() {
                let expected = count(&within, |row| row.service_key_id == usage.service_key_id);
                assert_eq!(usage.usage.sums.attempts, expected);
            }
            let by_model = store.usage_by_model(range, 100).await.unwrap();
            assert_eq!(by_model.iter().map(|model| model.usage.sums.attempts).sum::<u64>(), sums.attempts);
            let errors = store.errors_by_kind(range).await.unwrap();
            assert_eq!(errors.iter().map(|kind| kind.attempts).sum::<u64>(), sums.attempts - sums.successes);
            assert!(errors.is_sorted_by(|a, b| b.attempts <= a.attempts));

            for name in ZONES {
                let zone = Zone::named(name).unwrap();
                for step in [Step::Hour, Step::Day, Step::Week, Step::Month] {
                    let points = store.timeline(range, step, zone.clone()).await.unwrap();
                    let attempts = points.iter().flat_map(|point| &point.usage).map(|usage| usage.sums.attempts);
                    assert_eq!(attempts.sum::<u64>(), sums.attempts);
                    assert!(points.is_sorted_by(|a, b| a.start_ms < b.start_ms));
                }
                let hours = store.week_hours(range, zone).await.unwrap();
                assert_eq!(hours.len(), 168);
                for hour in hours {
                    let expected = count(&within, |row| {
                        let local = local(name, row.ended_at_ms);
                        (local.weekday().to_monday_one_offset(), local.hour()) == (hour.weekday, hour.hour)
                    });
                    assert_eq!(hour.usage.map_or(0, |usage| usage.sums.attempts), expected);
                }
            }
        });
    }
}

#[tokio::test]
async fn every_zone_there_is_has_its_own_days() {
    let now_ms = ms("2026-11-02T12:00:00Z");
    // Over the end of summer time in Europe and in America, a little more than two hours apart.
    let rows: Vec<_> = (0..140).map(|number| row(now_ms - number * 9 * QUARTER_MS)).collect();
    let store = TestStore::new();
    store.insert(&rows).await;
    let periods = Periods::new(Unit::Day, 0, 14).unwrap();

    let zones: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    for name in &zones {
        let zone = Zone::named(name).unwrap();
        let found = store.usage_stats(Measure::Requests, periods, zone, now_ms).await.unwrap();
        check_usage(&found, &rows, name, Unit::Day, Measure::Requests);
    }

    assert!(zones.len() > 400, "{}", zones.len());
}

#[tokio::test]
async fn an_hour_that_the_clock_shows_twice_is_two_points() {
    let store = TestStore::new();
    let range =
        TimeRange { start_ms: ms("2026-11-01T05:00:00Z"), end_ms: ms("2026-11-01T07:00:00Z") };
    store.insert(&[row(range.start_ms), row(range.end_ms - 1)]).await;

    let zone = Zone::named("America/New_York").unwrap();
    let points = store.timeline(range, Step::Hour, zone).await.unwrap();

    let labels: Vec<_> = points.iter().map(|point| point.label.as_str()).collect();
    assert_eq!(labels, ["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00"]);
    assert!(points.iter().all(|point| point.usage.is_some()));
}

#[tokio::test]
async fn where_there_was_nothing_the_answer_is_none() {
    let store = TestStore::new();
    let range = TimeRange { start_ms: 0, end_ms: DAY_MS };

    let overview = store.overview(range).await.unwrap();
    let points = store.timeline(range, Step::Hour, Zone::utc()).await.unwrap();
    let rates = store.success_rate(7, Zone::utc(), DAY_MS).await.unwrap();

    assert_eq!(overview.usage.success_rate, None);
    assert_eq!(overview.latency, Percentiles::default());
    assert_eq!(points.len(), 24);
    assert!(points.iter().all(|point| point.usage.is_none()));
    assert_eq!((rates.labels.len(), rates.datasets), (7, vec![]));
}

#[tokio::test]
async fn too_many_points_are_refused() {
    let store = TestStore::new();

    let refused = store.timeline(TimeRange::ALL, Step::Hour, Zone::utc()).await;

    assert!(matches!(refused, Err(StoreError::TooManyPoints(_))));
}

#[tokio::test]
async fn percentiles_come_from_successful_requests() {
    let store = TestStore::new();
    let mut rows: Vec<_> = (1..=100)
        .map(|number| LogRow {
            duration_ms: number * 1_000,
            first_byte_ms: Some(number),
            ..row(i64::from(number) * DAY_MS)
        })
        .collect();
    rows.push(LogRow { error_kind: Some(Cow::Borrowed("idle")), duration_ms: u32::MAX, ..row(1) });
    store.insert(&rows).await;

    let overview = store.overview(TimeRange::ALL).await.unwrap();

    let near =
        |found: Option<u32>, exact: f64| (f64::from(found.unwrap()) - exact).abs() <= exact / 16.0;
    assert!(near(overview.latency.p50_ms, 50_000.0), "{overview:?}");
    assert!(near(overview.latency.p90_ms, 90_000.0), "{overview:?}");
    assert!(near(overview.latency.p99_ms, 99_000.0), "{overview:?}");
    assert!(near(overview.first_byte.p90_ms, 90.0), "{overview:?}");
}

#[tokio::test]
async fn todays_chart_shows_the_most_used_key_first() {
    let store = TestStore::new();
    let keys = [(1, "AIza...ok01"), (2, "AIza...ok02")].map(|(number, brief)| NewServiceKey {
        sha256: [number; 32],
        fingerprint: [number; 32],
        brief: brief.to_owned(),
        sealed: vec![0],
        provider: "gemini".to_owned(),
        project: String::new(),
        tier: 0,
        note: String::new(),
        tags: Vec::new(),
        created_at_ms: 0,
    });
    store.add_service_keys(keys.to_vec()).await.unwrap();
    let used = |key: i64, model: &str, at: &str| LogRow {
        service_key_id: Some(key),
        model: model.to_owned(),
        ..row(ms(at))
    };
    store
        .insert(&[
            used(1, "b", "2026-11-21T18:30:00Z"),
            used(2, "a", "2026-11-21T18:31:00Z"),
            used(2, "b", "2026-11-22T18:29:00Z"),
            used(1, "a", "2026-11-21T18:29:59Z"),
            LogRow { error_kind: Some(Cow::Borrowed("x")), ..used(1, "c", "2026-11-22T10:00:00Z") },
        ])
        .await;

    // From half past six in the evening, UTC, it is the next day in India.
    let zone = Zone::named("Asia/Kolkata").unwrap();
    let chart = store.daily_usage_chart(zone, ms("2026-11-22T12:00:00Z")).await.unwrap();

    let expected = ChartData {
        labels: vec!["AIza...ok02".to_owned(), "AIza...ok01".to_owned()],
        datasets: vec![
            Dataset { label: "a".to_owned(), data: vec![1, 0] },
            Dataset { label: "b".to_owned(), data: vec![1, 1] },
        ],
    };
    assert_eq!(chart, expected);
}

#[tokio::test]
async fn many_service_keys_are_told_apart_in_sheets_and_out_of_them() {
    let store = TestStore::new();
    // Around the borders of chunks, each used more often than the one before, with more models than fit into a byte.
    let keys = [1, 2, 1_023, 1_024, 1_025, 2_047, 2_048, 49_999];
    let rows: Vec<_> = (300_i64..)
        .zip(keys)
        .flat_map(|(count, key)| (0..count).map(move |number| (key, number)))
        .map(|(key, number)| LogRow {
            service_key_id: Some(key),
            model: format!("model-{}", number % 300),
            ..row(DAY_MS + number * 60_000)
        })
        .collect();
    store.insert(&rows).await;
    let range = TimeRange { start_ms: DAY_MS, end_ms: 2 * DAY_MS };
    let loose = store.usage_by_service_key(range, 100).await.unwrap();
    let loose_chart = store.daily_usage_chart(Zone::utc(), DAY_MS).await.unwrap();

    store.fold().await.unwrap();

    let used = loose.iter().map(|it| (it.service_key_id, it.usage.sums.attempts));
    let expected = (300_u64..).zip(keys).map(|(count, key)| (Some(key), count));
    assert_eq!(used.rev().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!(store.usage_by_service_key(range, 100).await.unwrap(), loose);
    assert_eq!((loose_chart.labels.len(), loose_chart.datasets.len()), (keys.len(), 300));
    let chart = store.daily_usage_chart(Zone::utc(), DAY_MS).await.unwrap();
    assert!(chart == loose_chart, "folded, the chart of today is another");
}

#[tokio::test]
async fn the_most_used_come_first_and_only_as_many_as_were_asked_for() {
    let store = TestStore::new();
    let rows: Vec<_> = (1..=40_i64)
        .flat_map(|key| (0..key % 7).map(move |number| (key, number)))
        .map(|(key, number)| LogRow { user_key_id: Some(key), ..row(number) })
        .collect();
    store.insert(&rows).await;

    let found = store.usage_by_user_key(TimeRange::ALL, 8).await.unwrap();

    let shown: Vec<_> = found.iter().map(|it| (it.usage.sums.attempts, it.user_key_id)).collect();
    let expected = [(6, 6), (6, 13), (6, 20), (6, 27), (6, 34), (5, 5), (5, 12), (5, 19)];
    assert_eq!(shown, expected.map(|(attempts, key)| (attempts, Some(key))));
}

#[tokio::test]
async fn user_keys_know_their_calls_tokens_and_last_use() {
    let store = TestStore::new();
    let retry = LogRow { is_final: false, error_kind: Some(Cow::Borrowed("x")), ..row(5) };
    let imported = crate::store::user_keys::NewUserKey {
        name: "alice".to_owned(),
        hash: [1; 32],
        brief: String::new(),
        note: String::new(),
        is_enabled: true,
        created_at_ms: 0,
        expires_at_ms: None,
    };
    store.create_user_key(imported).await.unwrap();

    store.insert(&[retry, row(6), row(9)]).await;

    let key = store.user_key(1).await.unwrap().unwrap();
    assert_eq!((key.calls, key.tokens, key.last_used_at_ms), (2, 45, Some(9)));
}

/// A store with rows that came in some batches, after each of which the sums were folded, or not: so rows come late for
/// their sheets, too.
async fn folded_between(rows: &[LogRow], folded: &[bool]) -> TestStore {
    let store = TestStore::new();
    for (rows, is_folded) in rows.chunks(rows.len() / folded.len() + 1).zip(folded) {
        store.insert(rows).await;
        if *is_folded {
            store.fold().await.unwrap();
        }
    }
    store
}

fn check_usage(found: &ChartData<u64>, rows: &[LogRow], zone: &str, unit: Unit, measure: Measure) {
    let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in rows {
        let label = label(unit, local(zone, row.ended_at_ms).date());
        if found.labels.contains(&label) {
            *expected.entry((row.model.clone(), label)).or_default() += number(row, measure);
        }
    }
    expected.retain(|_, number| 0 < *number);
    let mut shown = BTreeMap::new();
    for dataset in &found.datasets {
        assert_eq!(dataset.data.len(), found.labels.len());
        for (label, number) in found.labels.iter().zip(&dataset.data) {
            if 0 < *number {
                shown.insert((dataset.label.clone(), label.clone()), *number);
            }
        }
    }
    assert_eq!(shown, expected, "{zone} {unit:?}");
}

async fn check_heatmap(store: &TestStore, rows: &[LogRow], zone: &str, now_ms: i64) {
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    let today = local(zone, now_ms).date();
    for row in rows {
        let date = local(zone, row.ended_at_ms).date();
        if date <= today {
            *expected.entry(date.to_string()).or_default() += number(row, Measure::Tokens);
        }
    }
    expected.retain(|_, number| 0 < *number);

    let found =
        store.daily_usage_heatmap(Measure::Tokens, Zone::named(zone).unwrap(), now_ms).await;

    assert_eq!(found.unwrap(), expected.into_iter().collect::<Vec<_>>(), "{zone}");
}

async fn check_rates(store: &TestStore, rows: &[LogRow], zone: &str, now_ms: i64) {
    let today = local(zone, now_ms).date();
    let rate = |rows: &[&LogRow]| {
        let successes = count(rows, LogRow::is_success);
        (!rows.is_empty()).then(|| successes as f64 * 100.0 / rows.len() as f64)
    };
    let by_day = store.success_rate(30, Zone::named(zone).unwrap(), now_ms).await.unwrap();
    assert_eq!(by_day.labels.len(), 30);
    assert_eq!(by_day.labels.last(), Some(&today.to_string()));
    for dataset in &by_day.datasets {
        for (label, found) in by_day.labels.iter().zip(&dataset.data) {
            let of_day: Vec<_> = rows
                .iter()
                .filter(|row| row.model == dataset.label)
                .filter(|row| local(zone, row.ended_at_ms).date().to_string() == *label)
                .collect();
            assert_eq!(*found, rate(&of_day), "{zone} {label}");
        }
    }

    let by_hour = store.hourly_success_rate(30, Zone::named(zone).unwrap(), now_ms).await.unwrap();
    assert_eq!(by_hour.labels.len(), 24);
    let first = by_day.labels.first().unwrap();
    for dataset in &by_hour.datasets {
        for (hour, found) in (0_i8..).zip(&dataset.data) {
            let of_hour: Vec<_> = rows
                .iter()
                .filter(|row| row.model == dataset.label)
                .filter(|row| {
                    let local = local(zone, row.ended_at_ms);
                    local.hour() == hour
                        && *first <= local.date().to_string()
                        && local.date() <= today
                })
                .collect();
            assert_eq!(*found, rate(&of_hour), "{zone} {hour}");
        }
    }
}

fn number(row: &LogRow, measure: Measure) -> u64 {
    match measure {
        Measure::Requests => u64::from(row.is_success()),
        Measure::Tokens => u64::from(row.tokens.total.unwrap_or(0)),
    }
}

fn label(unit: Unit, date: Date) -> String {
    match unit {
        Unit::Day => date.to_string(),
        Unit::Month => format!("{:04}-{:02}", date.year(), date.month()),
        Unit::Week => {
            let mut monday = date;
            while monday.weekday() != jiff::civil::Weekday::Monday {
                monday = monday.yesterday().unwrap();
            }
            // Python's %W: how many Mondays the year has had.
            format!("{:04}-{:02}", monday.year(), (monday.day_of_year() + 6) / 7)
        }
    }
}

fn local(zone: &str, time_ms: i64) -> jiff::Zoned {
    Timestamp::from_millisecond(time_ms).unwrap().in_tz(zone).unwrap()
}

fn count(rows: &[&LogRow], is_counted: impl Fn(&LogRow) -> bool) -> u64 {
    rows.iter().filter(|row| is_counted(row)).count() as u64
}

fn tokens(rows: &[&LogRow]) -> u64 {
    rows.iter().map(|row| number(row, Measure::Tokens)).sum()
}

prop_compose! {
    /// A row whose time is its age.
    fn any_row()(
        age_ms in prop_oneof![-2 * DAY_MS..3 * DAY_MS, 0..60 * DAY_MS],
        user_key_id in prop::option::of(1_i64..4),
        service_key_id in prop::option::of(1_i64..6),
        model in prop::sample::select(&["a", "b"][..]),
        error_kind in prop::option::of(prop::sample::select(&["x", "y"][..])),
        total in prop::option::of(0_u32..1_000),
        is_final in any::<bool>(),
    ) -> LogRow {
        LogRow {
            user_key_id,
            service_key_id,
            model: model.to_owned(),
            error_kind: error_kind.map(Cow::Borrowed),
            tokens: Tokens { total, ..Tokens::default() },
            is_final,
            ..row(age_ms)
        }
    }
}

fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap().as_millisecond()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}
