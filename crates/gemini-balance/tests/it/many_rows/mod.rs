//! A log of a million rows, or of as many as `LOG_ROWS` says: every question finds what is there,
//! in time, and nobody else notices.

mod figures;
mod log;
mod stage;
mod traffic;

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::hostile_values::every_hostile_question;
use crate::support::Client;

use self::figures::Figures;
use self::log::Log;
use self::stage::{Stage, timed};
use self::traffic::Traffic;

/// How many times longer everything may take on a machine that has other things to do.
const BUSY: u32 = 4;
const HOSTILE_MAX: Duration = Duration::from_millis(500);
const LIST_MAX: Duration = Duration::from_millis(200);
const STATISTICS_MAX: Duration = Duration::from_secs(1);
const WRITE_MAX: Duration = Duration::from_millis(50);
const CALLERS_WAIT_MAX: Duration = Duration::from_millis(5);
/// How long the first look at what is too old may be away, and take.
const RETENTION_WAIT: Duration = Duration::from_secs(300);
/// Rows that are compared of each answer.
const COMPARED: usize = 250;

/// A query and whether row `number` is among what it asks for.
type Case = (&'static str, fn(i64) -> bool);

const CASES: [Case; 24] = [
    ("", |_| true),
    ("model_name=model-7", |n| log::model(n) == "model-7"),
    ("model_name=a-rare-model", |n| log::model(n) == "a-rare-model"),
    ("model_name=an-old-model", |n| log::model(n) == "an-old-model"),
    ("model_name=%25", |n| log::model(n) == "%"),
    ("model_name=a_b", |n| log::model(n) == "a_b"),
    ("model_name=%27%20OR%201%3D1%20--", |n| log::model(n) == "' OR 1=1 --"),
    ("model_name=%00", |n| log::model(n) == "\u{0}"),
    ("model_name=NaN", |n| log::model(n) == "NaN"),
    ("model_name=MODEL-7", |_| false),
    ("user_key_id=3", |n| log::user_key(n) == 3),
    ("user_key_id=7&service_key_id=7", |n| log::user_key(n) == 7 && log::service_key(n) == 7),
    ("user_key_id=-1", |_| false),
    ("user_key_id=1&model_name=model-1", |_| false),
    ("user_key_id=1&service_key_id=2", |_| false),
    ("user_key_id=1&is_stream=false", |_| false),
    ("service_key_id=9223372036854775807", |_| false),
    ("is_success=false&status=429", |n| log::error(n).is_some_and(|it| it.1 == Some(429))),
    ("error_type=%25", |n| log::error(n).is_some_and(|it| it.0 == "%")),
    ("error_type=%25_%25", |_| false),
    ("is_final=false", |n| !log::is_final(n)),
    ("is_final=false&is_success=true", |n| !log::is_final(n) && log::error(n).is_none()),
    ("is_stream=true&is_success=true", |n| log::is_stream(n) && log::error(n).is_none()),
    ("is_final=true&model_name=an-old-model&user_key_id=20", |_| false),
];

const STATISTICS: [&str; 7] =
    ["overview", "by_user_key", "by_service_key", "by_model", "errors", "timeline", "week_hours"];

const CHARTS: [&str; 6] = [
    "daily_usage_chart",
    "usage_stats?type=tokens&unit=month&num_periods=100",
    "usage_stats?type=requests&num_periods=1000",
    "daily_usage_heatmap?type=requests",
    "success-rate?days=90",
    "hourly-success-rate?days=90",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: fills a database with a million rows, and asks it"]
async fn a_question_finds_what_is_there_among_many_rows_and_in_time() {
    let stage = Stage::set(&[("LOG_RETENTION_DAYS", "0")]).await;
    let (admin, log) = (&stage.admin, stage.log);
    let mut figures = Figures::default();

    for (query, passes) in CASES {
        check_list(admin, log, (query, passes), &mut figures).await;
    }
    check_places(admin, log, &mut figures).await;
    figures.print("lists");
    figures.check(100, HOSTILE_MAX * BUSY);

    let mut figures = Figures::default();
    check_statistics(admin, log, &mut figures).await;
    figures.print("statistics");
    figures.check(100, STATISTICS_MAX * BUSY);

    let mut figures = Figures::default();
    for path in every_hostile_question(admin).await {
        if !path.starts_with("/api/request_logs") && !path.starts_with("/api/stats") {
            continue;
        }
        let began = Instant::now();
        // An export of everything begins at once; its end is another matter.
        let mut reply = admin.open(Method::GET, &path, "").await;
        reply.next().await;
        let status = reply.status().as_u16();
        assert!([200, 404, 422].contains(&status), "{path:.200}: {status}");
        let (parameter, _) = path.rsplit_once('=').unwrap();
        figures.add(parameter, began.elapsed());
    }
    figures.print("hostile values");
    figures.check(100, HOSTILE_MAX * BUSY);
}

/// Follows the pages of a list, and compares what they hold with what they should.
async fn check_list(admin: &Client, log: Log, (query, passes): Case, figures: &mut Figures) {
    let expected = (0..log.rows).rev().filter(|number| passes(*number)).take(COMPARED);
    let expected: Vec<String> = expected.map(|n| log::request_id(n).to_string()).collect();
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/request_logs?{query}{cursor}");
        let (reply, took) = timed(admin, &path).await;
        figures.add(&format!("/api/request_logs?{query}"), took);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let page = reply.json();
        found.extend(ids(&page));
        match page["next_cursor"].as_str().filter(|_| found.len() < COMPARED) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    found.truncate(COMPARED);
    assert_eq!(found, expected, "{query}");
}

/// A single request, ranges of time and pages by their number.
async fn check_places(admin: &Client, log: Log, figures: &mut Figures) {
    let (middle, length) = (log.rows / 2, 1_000);
    let (from, to) = (log.ended_at_ms(middle), log.ended_at_ms(middle + length - 1));
    let range = format!("request_time_start={from}&request_time_end={to}");
    let id = log::request_id(middle);
    let last = log.rows - 10;
    for (query, newest, count) in [
        (format!("request_id={id}"), middle, 1),
        ("limit=1000".to_owned(), log.rows - 1, 1_000),
        (format!("offset={middle}"), log.rows - 1 - middle, 100),
        (format!("offset={last}"), 9, 10),
        ("offset=1000000000".to_owned(), 0, 0),
        (format!("limit=1000&{range}"), middle + length - 1, length),
        (format!("limit=1000&offset=990&{range}"), middle + 9, 10),
    ] {
        let (reply, took) = timed(admin, &format!("/api/request_logs?{query}")).await;
        figures.add(query.split_once('=').unwrap().0, took);
        let expected = (newest + 1 - count..=newest).rev();
        let expected: Vec<String> = expected.map(|n| log::request_id(n).to_string()).collect();
        assert_eq!(ids(&reply.json()), expected, "{query}");
    }
    let (one, took) = timed(admin, &format!("/api/request_logs/{id}")).await;
    figures.add("/api/request_logs/{request_id}", took);
    assert_eq!(one.json()["attempts"].as_array().unwrap().len(), 1);
    let (all, _) = timed(admin, "/api/request_logs?limit=1").await;
    assert_eq!(all.json()["total"], log.rows);
}

/// Asks for every statistic, and compares the sums with those of all rows.
async fn check_statistics(admin: &Client, log: Log, figures: &mut Figures) {
    let all = format!("from={}", log.start_ms);
    let mut answers = Vec::new();
    for what in STATISTICS {
        for range in ["", &all] {
            let path = format!("/api/stats/{what}?{range}");
            let (reply, took) = timed(admin, &path).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            figures.add(&path, took);
            answers.push(reply.json());
        }
    }
    for chart in CHARTS {
        let (reply, took) = timed(admin, &format!("/api/stats/{chart}")).await;
        assert_eq!(reply.status, 200, "{chart}: {}", reply.text());
        figures.add(chart, took);
    }

    let whole: Vec<&Value> = answers.iter().skip(1).step_by(2).collect();
    let [overview, by_user_key, by_service_key, by_model, errors, timeline, week_hours] = whole[..]
    else {
        panic!("{} statistics", whole.len());
    };
    let count = |passes: fn(i64) -> bool| (0..log.rows).filter(|n| passes(*n)).count() as u64;
    assert_eq!(overview["attempts"], log.rows);
    assert_eq!(overview["total_tokens"], 7 * log.rows);
    assert_eq!(overview["successes"], count(|n| log::error(n).is_none()));
    assert_eq!(overview["requests"], count(log::is_final));
    for parts in [by_user_key, by_service_key, by_model] {
        let sum: u64 = parts.as_array().unwrap().iter().map(attempts).sum();
        assert_eq!(sum, log.rows.unsigned_abs());
    }
    for parts in [timeline, week_hours] {
        let used = parts.as_array().unwrap().iter().map(|part| &part["usage"]);
        let sum: u64 = used.filter(|usage| !usage.is_null()).map(attempts).sum();
        assert_eq!(sum, log.rows.unsigned_abs());
    }
    let of = |name: &str| by_model.as_array().unwrap().iter().find(|it| it["model"] == name);
    assert_eq!(of("%").map(attempts), Some(count(|n| log::model(n) == "%")));
    let of = |kind: &str| errors.as_array().unwrap().iter().find(|it| it["error_kind"] == kind);
    let expected = count(|n| log::error(n).is_some_and(|it| it.0 == "%"));
    assert_eq!(of("%").map(attempts), Some(expected));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: fills a database with a million rows, and waits for half of them to go"]
async fn many_rows_are_looked_at_and_pruned_beside_the_callers() {
    let stage = Stage::set(&[("LOG_RETENTION_DAYS", "30")]).await;
    let (admin, log) = (&stage.admin, stage.log);
    let began = Instant::now();
    let before = stage.file_bytes();
    let mut traffic = Traffic::begin(&stage.client);
    let (mut lists, mut statistics) = (Figures::default(), Figures::default());
    let (mut writes, mut callers) = (Figures::default(), Figures::default());
    callers.extend("alone", traffic.next(3_000).await);

    // The first look at what is too old comes a minute after the start.
    let mut left = log.rows;
    let mut pruning = None;
    let end_ms = log.ended_at_ms(log.rows);
    let counted = format!("/api/request_logs?limit=1&request_time_end={end_ms}");
    for round in 0_usize.. {
        let phase = if pruning.is_some() { "pruning" } else { "asked" };
        let (query, _) = CASES[round % CASES.len()];
        let chart = CHARTS[round % CHARTS.len()];
        let what = STATISTICS[round % STATISTICS.len()];
        let statistic = format!("{what}?from={}", log.start_ms);
        let note = json!({"note": format!("round {round}")});
        let list = format!("/api/request_logs?{query}");
        let (list, count, (), ()) = tokio::join!(
            timed(admin, &list),
            timed(admin, &counted),
            async {
                for path in [chart, &statistic] {
                    let (reply, took) = timed(admin, &format!("/api/stats/{path}")).await;
                    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
                    statistics.add(phase, took);
                }
            },
            async {
                let began = Instant::now();
                let reply = admin.send_json(Method::PUT, "/api/auth_keys/1", &note).await;
                assert!(reply.status.is_success(), "{}", reply.text());
                writes.add(phase, began.elapsed());
            }
        );
        assert_eq!(list.0.status, 200, "{query}: {}", list.0.text());
        lists.add(phase, list.1);
        lists.add(phase, count.1);
        callers.extend(phase, traffic.take());
        left = count.0.json()["total"].as_i64().unwrap();
        if pruning.is_none() && left < log.rows {
            pruning = Some(Instant::now());
        }
        let is_done = left <= log.rows / 2 && stage.file_bytes() < before;
        if is_done || RETENTION_WAIT < began.elapsed() {
            break;
        }
    }

    let took = pruning.map(|since| since.elapsed());
    println!("{} rows went within {took:?}", log.rows - left);
    println!("the file had {} MiB, and has {}", before >> 20, stage.file_bytes() >> 20);
    callers.print("callers");
    lists.print("lists");
    statistics.print("statistics");
    writes.print("writes");
    assert!(left <= log.rows / 2, "{left} rows are left");
    assert!(stage.file_bytes() < before, "the file did not shrink");
    lists.check(95, LIST_MAX * BUSY);
    statistics.check(95, STATISTICS_MAX * BUSY);
    writes.check(95, WRITE_MAX * BUSY);
    callers.check(99, callers.percentile("alone", 99) + CALLERS_WAIT_MAX * BUSY);
}

fn ids(page: &Value) -> Vec<String> {
    let logs = page["logs"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    logs.iter().map(|row| row["request_id"].as_str().unwrap().to_owned()).collect()
}

fn attempts(part: &Value) -> u64 {
    part["attempts"].as_u64().unwrap()
}
