//! Statistics of rows that are known, against numbers worked out by hand.

use gemini_balance::log_row::{LogRow, Tokens};
use gemini_balance::random::RequestId;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::support::{Client, Gateway};

const HOUR_MS: i64 = 60 * 60 * 1_000;
const ZONE: &str = "Asia/Kathmandu";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_told_by_key_model_error_and_in_sum() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let now_ms = gateway.app().clock.wall_ms();
    record(&gateway, now_ms - HOUR_MS).await;
    record_old(&gateway, now_ms - 48 * HOUR_MS).await;

    let overview = stats(&admin, "overview").await;
    let from = format!("overview?from={}&to={}", now_ms - 72 * HOUR_MS, now_ms);
    let longer = stats(&admin, &from).await;
    let by_user_key = stats(&admin, "by_user_key").await;
    let by_service_key = stats(&admin, "by_service_key").await;
    let by_model = stats(&admin, "by_model?limit=1").await;
    let errors = stats(&admin, "errors").await;

    assert_eq!(overview["attempts"], 5);
    assert_eq!(overview["requests"], 4);
    assert_eq!(overview["successes"], 3);
    assert_eq!(overview["success_rate"], 60.0);
    assert_eq!(overview["total_tokens"], 300);
    assert_eq!(overview["thinking_tokens"], 30);
    assert!(overview["latency"]["p50_ms"].is_u64(), "{overview}");
    assert_eq!(longer["attempts"], 6);
    assert_eq!(by_user_key[0]["name"], "alice");
    assert_eq!(by_user_key[0]["attempts"], 5);
    let used = |index: usize| by_service_key[index]["attempts"].as_u64().unwrap();
    assert_eq!((used(0), used(1)), (3, 2));
    assert!(by_service_key[0]["key_brief"].is_string());
    assert_eq!(by_model.as_array().unwrap().len(), 1);
    assert_eq!(by_model[0]["model"], "flash");
    assert_eq!(by_model[0]["attempts"], 4);
    assert_eq!(errors, json!([{"error_kind": "rate_limited", "attempts": 2, "requests": 1}]));
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_values_of_the_log_are_counted_within_a_range() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let now_ms = gateway.app().clock.wall_ms();
    record(&gateway, now_ms - HOUR_MS).await;
    record_old(&gateway, now_ms - 48 * HOUR_MS).await;
    let unkeyed = LogRow { user_key_id: Some(1), service_key_id: None, ..row(6, now_ms, "pro") };
    write(&gateway, [unkeyed]).await;
    let counts = async |query: &str| {
        let reply = admin.get(&format!("/api/request_logs/counts{query}")).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.text());
        reply.json()
    };

    let day = counts("").await;
    let old =
        counts(&format!("?from={}&to={}", now_ms - 50 * HOUR_MS, now_ms - 46 * HOUR_MS)).await;
    let first = counts("?limit=1").await;
    let none = counts("?from=1&to=2").await;

    let count = |attempts: u64, requests: u64, successes: u64| json!({"attempts": attempts, "requests": requests, "successes": successes});
    let with = |mut count: Value, name: &str, value: &Value| {
        count[name] = value.clone();
        count
    };
    let models = json!([
        with(count(4, 3, 2), "model", &json!("flash")),
        with(count(2, 2, 2), "model", &json!("pro")),
    ]);
    assert_eq!(day["models"], models);
    let alice = with(count(6, 5, 4), "name", &json!("alice"));
    assert_eq!(day["user_keys"], json!([with(alice, "user_key_id", &json!(1))]));
    let keys = day["service_keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "attempts without a key are no value to choose");
    assert_eq!((&keys[0]["service_key_id"], &keys[0]["attempts"]), (&json!(1), &json!(3)));
    assert!(keys[0]["key_brief"].is_string() && keys[0]["key_identifier"].is_string());
    let errors = json!([{"error_kind": "rate_limited", "attempts": 2, "requests": 1}]);
    assert_eq!(day["error_kinds"], errors);
    assert_eq!(old["models"], json!([with(count(1, 1, 1), "model", &json!("flash"))]));
    assert_eq!(old["error_kinds"], json!([]));
    assert_eq!(first["models"].as_array().unwrap().len(), 1);
    for list in ["models", "user_keys", "service_keys", "error_kinds"] {
        assert_eq!(none[list], json!([]), "{list}");
    }
    for query in ["?from=2&to=1", "?limit=0", "?model_name=x", "?from=soon"] {
        let reply = admin.get(&format!("/api/request_logs/counts{query}")).await;
        assert_eq!(reply.status, 422, "{query}");
    }
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calendar_follows_the_zone_and_nothing_is_null() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let now_ms = gateway.app().clock.wall_ms();
    let at_ms = now_ms - HOUR_MS;
    record(&gateway, at_ms).await;

    let path = format!("timeline?from={}&step=day&timezone={ZONE}", now_ms - 72 * HOUR_MS);
    let days = stats(&admin, &path).await;
    let hours = stats(&admin, "timeline?timezone=Asia/Kolkata").await;
    let week = stats(&admin, &format!("week_hours?timezone={ZONE}")).await;

    let there = Timestamp::from_millisecond(at_ms).unwrap().to_zoned(TimeZone::get(ZONE).unwrap());
    let day = days.as_array().unwrap().iter().find(|point| !point["usage"].is_null()).unwrap();
    assert_eq!(day["label"], there.strftime("%Y-%m-%d").to_string());
    assert_eq!(day["usage"]["attempts"], 5);
    assert_eq!(days[0]["usage"], Value::Null);
    assert!(hours[0]["label"].as_str().unwrap().ends_with("+05:30"), "{}", hours[0]);
    let week = week.as_array().unwrap();
    assert_eq!(week.len(), 168);
    let used: Vec<&Value> = week.iter().filter(|hour| !hour["usage"].is_null()).collect();
    assert_eq!(used.len(), 1);
    assert_eq!(used[0]["weekday"], there.weekday().to_monday_one_offset());
    assert_eq!(used[0]["hour"], there.hour());
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sums_of_one_key_or_model_are_told_alone_and_by_request_as_well() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let at_ms = gateway.app().clock.wall_ms() - HOUR_MS;
    record(&gateway, at_ms).await;

    let whole = stats(&admin, "overview").await;
    assert_eq!(
        (&whole["success_rate"], &whole["request_success_rate"]),
        (&json!(60.0), &json!(75.0))
    );
    assert!(whole["latency"]["p95_ms"].is_u64());
    for (of, attempts) in [
        ("user_key_id=1", 5),
        ("user_key_id=2", 0),
        ("service_key_id=2", 2),
        ("service_key_id=1&model=flash", 2),
        ("model=pro", 1),
        ("model=nothing", 0),
    ] {
        let overview = stats(&admin, &format!("overview?{of}")).await;
        assert_eq!(overview["attempts"], attempts, "{of}");
        let has_latency = of == "model=pro";
        assert_eq!(overview["latency"]["p50_ms"].is_u64(), has_latency, "{of}");
        let points = stats(&admin, &format!("timeline?{of}&step=quarter&timezone={ZONE}")).await;
        let points = points.as_array().unwrap();
        assert!(95 < points.len(), "{of}: quarter-hours of a day");
        let used = points.iter().filter_map(|point| point["usage"]["attempts"].as_u64());
        assert_eq!(used.sum::<u64>(), attempts, "{of}");
        let models = stats(&admin, &format!("by_model?{of}")).await;
        let used = models.as_array().unwrap().iter().map(|it| it["attempts"].as_u64().unwrap());
        assert_eq!(used.sum::<u64>(), attempts, "{of}");
        let hours = stats(&admin, &format!("week_hours?{of}")).await;
        let hours = hours.as_array().unwrap();
        let used = hours.iter().filter_map(|hour| hour["usage"]["attempts"].as_u64());
        assert_eq!(used.sum::<u64>(), attempts, "{of}");
    }
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_have_a_line_for_each_of_the_largest_and_one_for_all_others() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let at_ms = gateway.app().clock.wall_ms() - HOUR_MS;
    record(&gateway, at_ms).await;

    let models = stats(&admin, &format!("chart?by=model&limit=1&timezone={ZONE}")).await;
    let users = stats(&admin, "chart?by=user_key&step=day").await;
    let keys = stats(&admin, "chart?by=service_key").await;
    let errors = stats(&admin, "chart?by=error_kind").await;
    let latencies = stats(&admin, "latencies?model=pro&step=hour").await;

    let sum = |values: &Value| -> u64 {
        let values = values.as_array().unwrap().iter();
        values.filter_map(|value| value["attempts"].as_u64()).sum()
    };
    let periods = models["periods"].as_array().unwrap();
    assert!(24 <= periods.len() && periods[0]["label"].as_str().unwrap().ends_with("+05:45"));
    let flash = &models["series"][0];
    assert_eq!(flash["values"].as_array().unwrap().len(), periods.len());
    assert_eq!((&flash["name"], sum(&flash["values"])), (&json!("flash"), 4));
    assert_eq!(sum(&models["others"]), 1);
    assert_eq!(
        (&users["series"][0]["name"], &users["series"][0]["id"]),
        (&json!("alice"), &json!(1))
    );
    assert_eq!((sum(&users["series"][0]["values"]), &users["others"]), (5, &Value::Null));
    assert_eq!(sum(&keys["series"][0]["values"]), 3);
    assert!(keys["series"][0]["key_identifier"].is_string());
    assert_eq!(
        (&errors["series"][0]["name"], sum(&errors["series"][0]["values"])),
        (&json!("rate_limited"), 2)
    );
    let took: Vec<&Value> = latencies
        .as_array()
        .unwrap()
        .iter()
        .filter(|point| !point["latency"]["p50_ms"].is_null())
        .collect();
    assert_eq!(took.len(), 1);
    assert!(took[0]["first_byte"]["p99_ms"].is_u64());
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_minutes_are_told_at_once() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let now_ms = gateway.app().clock.wall_ms();
    record(&gateway, now_ms - 1_000).await;
    record_old(&gateway, now_ms - 2 * 60_000).await;

    let minute = stats(&admin, "now?minutes=1").await;
    let five = stats(&admin, "now").await;

    assert_eq!((&minute["attempts"], &minute["requests_per_minute"]), (&json!(5), &json!(4.0)));
    assert_eq!((&minute["tokens_per_minute"], &minute["span_ms"]), (&json!(300.0), &json!(60_000)));
    assert_eq!(
        (&minute["latency"]["p95_ms"], &minute["first_byte"]["p50_ms"]),
        (&json!(900), &json!(200))
    );
    assert_eq!(
        minute["errors"],
        json!([{"error_kind": "rate_limited", "attempts": 2, "requests": 1}])
    );
    assert_eq!((&five["requests"], &five["requests_per_minute"]), (&json!(5), &json!(1.0)));
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_charts_keep_their_shapes() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let now_ms = gateway.app().clock.wall_ms();
    record(&gateway, now_ms).await;
    let today = Timestamp::from_millisecond(now_ms).unwrap().to_zoned(TimeZone::UTC);
    let month = today.strftime("%Y-%m").to_string();
    let yesterday = today.checked_sub(1.day()).unwrap().strftime("%Y-%m-%d").to_string();
    let today = today.strftime("%Y-%m-%d").to_string();

    let chart = stats(&admin, "daily_usage_chart?timezone_str=UTC").await;
    assert_eq!(chart["labels"].as_array().unwrap().len(), 2);
    assert_eq!(chart["datasets"][0]["label"], "flash");
    let counts = chart["datasets"][0]["data"].as_array().unwrap();
    assert_eq!(counts.iter().filter_map(Value::as_u64).sum::<u64>(), 2);

    let chart = stats(&admin, "usage_stats?type=tokens&timezone_str=UTC&num_periods=2").await;
    assert_eq!(chart["labels"], json!([yesterday, today]));
    assert_eq!(
        chart["datasets"],
        json!([{"label": "flash", "data": [0, 200]}, {"label": "pro", "data": [0, 100]}])
    );

    let chart = stats(&admin, "usage_stats?type=requests&unit=month&num_periods=1").await;
    assert_eq!(chart["labels"].as_array().unwrap().len(), 1);
    let chart =
        stats(&admin, "usage_stats?type=requests&unit=month&num_periods=1&timezone_str=UTC").await;
    assert_eq!(chart["labels"], json!([month]));
    let chart = stats(&admin, "usage_stats?type=requests&num_periods=0").await;
    assert_eq!(chart, json!({"labels": [], "datasets": []}));

    let map = stats(&admin, "daily_usage_heatmap?type=requests&timezone_str=UTC").await;
    assert_eq!(map, json!([[today, 3]]));

    let chart = stats(&admin, "success-rate?days=2").await;
    assert_eq!(chart["labels"], json!([yesterday, today]));
    assert_eq!(chart["datasets"][0], json!({"label": "flash", "data": [null, 50.0]}));

    for name in ["timezone", "timezone_str"] {
        let chart = stats(&admin, &format!("hourly-success-rate?{name}={ZONE}")).await;
        let labels = chart["labels"].as_array().unwrap();
        assert_eq!((labels.len(), &labels[0], &labels[23]), (24, &json!("00"), &json!("23")));
        let known = chart["datasets"][0]["data"].as_array().unwrap();
        assert_eq!(known.iter().filter(|rate| !rate.is_null()).count(), 1);
    }
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_known_nothing_is_told() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;

    let overview = stats(&admin, "overview").await;

    assert_eq!(overview["attempts"], 0);
    assert_eq!(overview["success_rate"], Value::Null);
    assert_eq!(overview["latency"]["p99_ms"], Value::Null);
    for path in ["by_user_key", "by_service_key", "by_model", "errors"] {
        assert_eq!(stats(&admin, path).await, json!([]), "{path}");
    }
    let none = json!({"labels": [], "datasets": []});
    assert_eq!(stats(&admin, "daily_usage_chart").await, none);
    assert_eq!(stats(&admin, "daily_usage_heatmap?type=tokens").await, json!([]));
    gateway.close_with_made_up_rows().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_makes_no_sense_is_refused_and_never_a_fault() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin().await;
    let long = "x".repeat(10_240);

    for question in [
        "daily_usage_chart?timezone_str=Mars/Olympus",
        "daily_usage_chart?timezone_str=",
        "usage_stats",
        "usage_stats?type=bogus",
        "usage_stats?type=tokens&unit=year",
        "usage_stats?type=tokens&num_periods=1000000000",
        "usage_stats?type=tokens&offset=-1000000000",
        "usage_stats?type=tokens&offset=NaN",
        "daily_usage_heatmap",
        "daily_usage_heatmap?type=bogus",
        "success-rate?days=0",
        "success-rate?days=91",
        "success-rate?days=-1",
        "hourly-success-rate?days=366",
        "hourly-success-rate?timezone=Asia/Kolkata&timezone_str=UTC",
        "overview?from=NaN",
        "overview?from=2026-11-22&to=2026-11-21",
        "overview?unknown=1",
        "by_model?limit=0",
        "by_model?limit=10001",
        "timeline?from=0",
        "timeline?step=minute",
        "timeline?timezone=Mars/Olympus",
        "week_hours?from=1970-01-01",
        "overview?user_key_id=1&service_key_id=1",
        "overview?user_key_id=alice",
        "errors?model=flash",
        "now?minutes=0",
        "now?minutes=61",
        "now?from=0",
        "chart",
        "chart?by=colour",
        "chart?by=model&limit=21",
        "chart?by=model&model=flash",
        "latencies?from=2026-01-01&to=2026-06-01",
        "latencies?user_key_id=1",
        &format!("week_hours?timezone={long}"),
    ] {
        let reply = admin.get(&format!("/api/stats/{question}")).await;

        assert_eq!(reply.status, 422, "{question:.80}: {:.300}", reply.text());
        assert_eq!(reply.json()["detail"][0]["loc"][0], "query", "{question:.80}");
    }
    gateway.close_with_made_up_rows().await;
}

async fn stats(admin: &Client, question: &str) -> Value {
    let reply = admin.get(&format!("/api/stats/{question}")).await;
    assert_eq!(reply.status, 200, "{question}: {}", reply.text());
    reply.json()
}

/// Four requests at one moment: three succeed, one of them at the second attempt, one fails.
async fn record(gateway: &Gateway, at_ms: i64) {
    let flash = |request: u128| row(request, at_ms, "flash");
    let limited = |row: LogRow| LogRow {
        status: Some(429),
        error_kind: Some("rate_limited".into()),
        tokens: Tokens::default(),
        ..row
    };
    let rows = [
        flash(1),
        LogRow { is_final: false, ..limited(flash(2)) },
        LogRow { attempt: 2, service_key_id: Some(2), ..flash(2) },
        LogRow { service_key_id: Some(2), ..limited(flash(3)) },
        row(4, at_ms, "pro"),
    ];
    write(gateway, rows).await;
}

async fn record_old(gateway: &Gateway, at_ms: i64) {
    write(gateway, [row(5, at_ms, "flash")]).await;
}

async fn write<const N: usize>(gateway: &Gateway, rows: [LogRow; N]) {
    let journal = &gateway.app().journal;
    rows.into_iter().for_each(|row| journal.record(row));
    journal.flush().await.unwrap();
}

/// A success of the first attempt.
fn row(request: u128, ended_at_ms: i64, model: &str) -> LogRow {
    LogRow {
        request_id: RequestId(request),
        ended_at_ms,
        user_key_id: Some(1),
        service_key_id: Some(1),
        model: model.to_owned(),
        dialect: "gemini".into(),
        operation: "generateContent".into(),
        is_stream: false,
        status: Some(200),
        error_kind: None,
        attempt: 1,
        is_final: true,
        tokens: Tokens {
            prompt: Some(60),
            completion: Some(30),
            cached: Some(5),
            thinking: Some(10),
            total: Some(100),
        },
        first_byte_ms: Some(200),
        duration_ms: 900,
        bytes_in: 100,
        bytes_out: 200,
        client: String::new(),
        frames: None,
    }
}
