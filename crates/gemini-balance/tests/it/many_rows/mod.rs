//! A log of a million rows, or of as many as `LOG_ROWS` says: every question finds what is there,
//! in time, and nobody else notices.

mod figures;
mod log;
mod logging;
mod predecessor;
mod report;
mod stage;
mod traffic;

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::hostile_values::every_hostile_question;
use crate::support::Client;

use self::figures::Figures;
use self::log::{Log, SPAN_DAYS};
use self::report::say;
use self::stage::{Stage, timed};
use self::traffic::Traffic;

/// How many times longer everything may take on a machine that has other things to do.
const BUSY: u32 = 4;
const HOSTILE_MAX: Duration = Duration::from_millis(500);
const LIST_MAX: Duration = Duration::from_millis(50);
const STATISTICS_MAX: Duration = Duration::from_millis(50);
const WRITE_MAX: Duration = Duration::from_millis(50);
const CALLERS_WAIT_MAX: Duration = Duration::from_millis(5);
/// How long the first look at what is too old may be away, and take.
const RETENTION_WAIT: Duration = Duration::from_secs(1_800);
/// Free space that stays in the file, if it is not an eighth of it that is more.
const FREE_BYTES_KEPT: u64 = 4 << 20;
/// How long an admin thinks before the next look.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// How often each question is asked.
const ROUNDS: usize = 20;
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

const STATISTICS: [&str; 9] = [
    "overview",
    "by_user_key",
    "by_service_key",
    "by_model",
    "errors",
    "timeline",
    "week_hours",
    // Hours that begin with no hour of UTC.
    "timeline?step=hour&timezone=Asia/Kathmandu",
    "week_hours?timezone=Asia/Kathmandu",
];

const CHARTS: [&str; 7] = [
    "daily_usage_chart",
    "usage_stats?type=tokens&unit=month&num_periods=100",
    "usage_stats?type=requests&num_periods=1000",
    "daily_usage_heatmap?type=requests",
    "success-rate?days=90",
    "hourly-success-rate?days=90",
    "hourly-success-rate?days=365&timezone=Asia/Kolkata",
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
    figures.print("Lists, nobody else");
    figures.check(100, HOSTILE_MAX * BUSY);

    let mut figures = Figures::default();
    check_statistics(admin, log, &mut figures).await;
    figures.print("Statistics, nobody else");
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
    figures.print("Hostile values");
    figures.check(100, HOSTILE_MAX * BUSY);

    predecessor::compare(admin, log, stage.directory()).await;
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
            let path = format!("/api/stats/{what}{}{range}", joint(what));
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
    let [overview, by_user_key, by_service_key, by_model, errors, timelines @ ..] = &whole[..]
    else {
        panic!("{} statistics", whole.len());
    };
    let count = |passes: fn(i64) -> bool| (0..log.rows).filter(|n| passes(*n)).count() as u64;
    assert_eq!(overview["attempts"], log.rows);
    assert_eq!(overview["total_tokens"], 7 * log.rows);
    assert_eq!(overview["successes"], count(|n| log::error(n).is_none()));
    assert_eq!(overview["requests"], count(log::is_final));
    let sum = |parts: &Value| parts.as_array().unwrap().iter().map(attempts).sum::<u64>();
    assert_eq!(sum(by_model), log.rows.unsigned_abs());
    // Of the many keys the hundred that were used most, evenly.
    let of_hundred = |keys: i64| (log.rows * 100 / keys).unsigned_abs();
    assert_eq!(sum(by_user_key), of_hundred(log::USER_KEYS));
    assert_eq!(sum(by_service_key), of_hundred(log::SERVICE_KEYS));
    for parts in timelines {
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
    let mut stage = Stage::set(&[("LOG_RETENTION_DAYS", "0")]).await;
    stage.took.print();
    let mut callers = Figures::default();
    let mut traffic = Traffic::begin(&stage.client);
    // The first second is for connections and caches.
    traffic.next(500).await;
    callers.extend("alone", traffic.next(10_000).await);
    let [lists, statistics, writes] = ask_everything(&stage, ROUNDS).await;
    callers.extend("beside all questions", traffic.take());
    drop(traffic);
    lists.print("Lists, 500 calls a second beside them");
    statistics.print("Statistics, 500 calls a second beside them");
    writes.print("An admin's writes, 500 calls a second beside them");

    let half = (SPAN_DAYS / 2).to_string();
    stage.restart(&[("LOG_RETENTION_DAYS", &half)]).await;
    let before = stage.file_bytes();
    let mut traffic = Traffic::begin(&stage.client);
    let (pruned, took) = look_on_while_half_goes(&stage, &mut traffic).await;
    callers.extend("beside pruning", traffic.take());
    drop(traffic);
    let after = stage.file_bytes();
    callers.print("Callers");
    pruned.print("An admin beside pruning, and 500 calls a second");
    let (memory, most) = stage.memory_mib();
    let rate = stage.log.rows as f64 / 2.0 / took.as_secs_f64();
    say(&format!(
        "Half of the rows went in {:.0} s, {rate:.0} a second, and the file from {} MiB to {}. The \
         gateway held {memory} MiB at the end, and {most} at most.",
        took.as_secs_f64(),
        before >> 20,
        after >> 20
    ));

    let [paced, _] = logging::measure(&stage.end().await, stage.log).await;

    assert_eq!(paced.counts.dropped, 0, "{paced:?}");
    assert_eq!(paced.counts.written, paced.counts.recorded, "{paced:?}");
    // What the callers add meanwhile goes where the others were: pages of an index that lost every other entry are half
    // empty, which is room for the next, not for the file system.
    assert!(after <= before, "the file had {before} bytes and has {after}");
    lists.check(95, LIST_MAX * BUSY);
    statistics.check(95, STATISTICS_MAX * BUSY);
    writes.check(95, WRITE_MAX * BUSY);
    pruned.check(95, WRITE_MAX * BUSY);
    for phase in ["beside all questions", "beside pruning"] {
        let most = callers.percentile("alone", 99) + CALLERS_WAIT_MAX * BUSY;
        assert!(callers.percentile(phase, 99) <= most, "callers {phase}");
    }
}

/// Asks every question of every range, again and again, and writes a little in between: how long lists, statistics and
/// writes took.
async fn ask_everything(stage: &Stage, rounds: usize) -> [Figures; 3] {
    let Stage { admin, log, .. } = stage;
    let [mut lists, mut statistics, mut writes] = [(); 3].map(|()| Figures::default());
    let (middle, quarter) = (log.ended_at_ms(log.rows / 2), log.ended_at_ms(log.rows / 4));
    for round in 0..rounds {
        for (query, _) in CASES {
            let path = format!("/api/request_logs?{query}");
            let page = ask(admin, &mut lists, &path, &path).await;
            if let Some(cursor) = page["next_cursor"].as_str() {
                let next = format!("{path}&cursor={cursor}");
                ask(admin, &mut lists, &format!("{path}&cursor=…"), &next).await;
            }
            let old = format!("{path}&request_time_end={middle}&request_time_start={quarter}");
            let shown = format!("{path}&request_time_start=…&request_time_end=…");
            ask(admin, &mut lists, &shown, &old).await;
        }
        for (shown, query) in [
            ("limit=1000", "limit=1000".to_owned()),
            ("offset=(a half)", format!("offset={}", log.rows / 2)),
            ("offset=(all but 100)", format!("offset={}", log.rows - 100)),
            (
                "offset=(a fifth)&request_time_start=…&request_time_end=…",
                format!(
                    "offset={}&request_time_start={quarter}&request_time_end={middle}",
                    log.rows / 5
                ),
            ),
            ("model_name=model-7&limit=1000", "model_name=model-7&limit=1000".to_owned()),
            ("request_id=…", format!("request_id={}", log::request_id(log.rows / 3))),
            ("request_id=(unknown)", "request_id=77".to_owned()),
        ] {
            let path = format!("/api/request_logs?{query}");
            ask(admin, &mut lists, &format!("/api/request_logs?{shown}"), &path).await;
        }
        let path = "/api/request_logs/values";
        ask(admin, &mut lists, path, path).await;
        for what in STATISTICS {
            for (shown, range) in [
                ("", String::new()),
                ("from=(the beginning)", format!("from={}", log.start_ms)),
                ("from=…&to=…", format!("from={}&to={}", quarter + 7_777_777, middle + 1)),
            ] {
                let path = format!("/api/stats/{what}{}{range}", joint(what));
                let shown = format!("/api/stats/{what}{}{shown}", joint(what));
                ask(admin, &mut statistics, &shown, &path).await;
            }
        }
        for chart in CHARTS {
            let path = format!("/api/stats/{chart}");
            ask(admin, &mut statistics, &path, &path).await;
        }
        for number in 0..5 {
            writes.add("an admin's write", write(admin, round * 5 + number).await);
        }
    }
    [lists, statistics, writes]
}

/// Looks at the list, at a statistic and writes, until half of the rows have gone and what they took is given back: how
/// long that took since the first went, and each look.
async fn look_on_while_half_goes(stage: &Stage, traffic: &mut Traffic) -> (Figures, Duration) {
    let Stage { admin, log, .. } = stage;
    let began = Instant::now();
    let counted =
        format!("/api/request_logs?limit=1&request_time_end={}", log.ended_at_ms(log.rows));
    let mut figures = Figures::default();
    let mut pruning = None;
    for round in 0_usize.. {
        let mut looks = Figures::default();
        let left = ask(admin, &mut looks, "a count of what is left", &counted).await;
        let left = left["total"].as_i64().unwrap();
        let (query, _) = CASES[round % CASES.len()];
        ask(admin, &mut looks, "a list", &format!("/api/request_logs?{query}")).await;
        let what = STATISTICS[round % STATISTICS.len()];
        let path = format!("/api/stats/{what}{}from={}", joint(what), log.start_ms);
        ask(admin, &mut looks, "a statistic", &path).await;
        looks.add("a write", write(admin, round).await);
        if pruning.is_none() && left < log.rows {
            pruning = Some(Instant::now());
            // What was before does not count.
            traffic.take();
        } else if pruning.is_some() {
            figures.append(looks);
        }
        if left <= log.rows / 2 + 1 && is_given_back(admin).await {
            break;
        }
        assert!(began.elapsed() < RETENTION_WAIT, "{left} rows are left");
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    (figures, pruning.unwrap_or(began).elapsed())
}

/// Whether no more of the file is free than is kept for use.
async fn is_given_back(admin: &Client) -> bool {
    let database = admin.get("/api/system").await.json()["database"].take();
    let bytes = |name: &str| database[name].as_u64().unwrap();
    bytes("free_bytes") <= FREE_BYTES_KEPT.max(bytes("file_bytes") / 8)
}

/// Asks, and answers what came; how long it took is noted under a name.
async fn ask(admin: &Client, figures: &mut Figures, name: &str, path: &str) -> Value {
    let (reply, took) = timed(admin, path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    figures.add(name, took);
    reply.json()
}

/// Changes a user key, which is on the disk when it is answered, and tells how long that took.
async fn write(admin: &Client, number: usize) -> Duration {
    let note = json!({"note": format!("note {number}")});
    let began = Instant::now();
    let reply = admin.send_json(Method::PUT, "/api/auth_keys/1", &note).await;
    assert!(reply.status.is_success(), "{}", reply.text());
    began.elapsed()
}

/// What joins a path and one more parameter.
fn joint(path: &str) -> char {
    if path.contains('?') { '&' } else { '?' }
}

fn ids(page: &Value) -> Vec<String> {
    let logs = page["logs"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    logs.iter().map(|row| row["request_id"].as_str().unwrap().to_owned()).collect()
}

fn attempts(part: &Value) -> u64 {
    part["attempts"].as_u64().unwrap()
}
