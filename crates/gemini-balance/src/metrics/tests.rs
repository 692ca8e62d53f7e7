//! What the page says after things have happened.

use super::*;

#[test]
fn an_exchange_shows_in_counts_times_and_tokens() {
    let metrics = Metrics::new();

    metrics.request_started();
    metrics.request_ended(&Ended { first_chunk: Some(Duration::from_millis(30)), ..ended() });

    let page = metrics.render(&Gauges::default());
    check(
        &page,
        r#"gemini_balance_requests_total{operation="chat",model="gemini-3-pro",status="2xx"} 1"#,
    );
    check(&page, "gemini_balance_requests_in_flight 0");
    let call = r#"gen_ai_operation_name="chat",gen_ai_provider_name="gcp.gemini",gen_ai_request_model="gemini-3-pro""#;
    check(
        &page,
        &format!(r#"gen_ai_client_operation_duration_seconds_bucket{{{call},le="1.28"}} 0"#),
    );
    check(
        &page,
        &format!(r#"gen_ai_client_operation_duration_seconds_bucket{{{call},le="2.56"}} 1"#),
    );
    check(&page, &format!("gen_ai_client_operation_duration_seconds_sum{{{call}}} 1.5"));
    check(&page, &format!("gen_ai_client_operation_time_to_first_chunk_seconds_count{{{call}}} 1"));
    check(
        &page,
        &format!(r#"gen_ai_client_token_usage_sum{{{call},gen_ai_token_type="input"}} 12"#),
    );
    check(
        &page,
        &format!(r#"gen_ai_client_token_usage_sum{{{call},gen_ai_token_type="output"}} 345"#),
    );
}

#[test]
fn a_failed_exchange_names_its_error_but_not_an_unknown_model() {
    let metrics = Metrics::new();

    metrics.request_started();
    metrics.request_ended(&Ended {
        model: "no-such-model",
        status: 404,
        error: Some("not_found"),
        input_tokens: None,
        output_tokens: None,
        ..ended()
    });

    let page = metrics.render(&Gauges::default());
    check(&page, r#"gemini_balance_requests_total{operation="chat",model="other",status="4xx"} 1"#);
    assert!(page.contains(r#"error_type="not_found""#));
    assert!(!page.contains("no-such-model"));
    assert!(!page.contains("gen_ai_client_token_usage_sum"));
}

#[test]
fn gauges_show_the_moment() {
    let metrics = Metrics::new();
    metrics.request_started();
    metrics.request_refused("bad_user_key");
    metrics.attempt_ended("ok");
    metrics.attempt_ended("ok");

    let page = metrics.render(&Gauges {
        keys: vec![("active", 7), ("invalid", 1)],
        leases: 3,
        connections: 1,
        journal_rows_dropped: 9,
        ..Gauges::default()
    });

    for line in [
        "gemini_balance_requests_in_flight 1",
        "gemini_balance_connections 1",
        r#"gemini_balance_requests_refused_total{reason="bad_user_key"} 1"#,
        r#"gemini_balance_attempts_total{outcome="ok"} 2"#,
        r#"gemini_balance_pool_keys{state="active"} 7"#,
        r#"gemini_balance_pool_keys{state="invalid"} 1"#,
        "gemini_balance_pool_leases 3",
        "gemini_balance_journal_rows_dropped_total 9",
    ] {
        check(&page, line);
    }
}

#[test]
fn every_line_is_a_comment_or_a_name_and_a_number() {
    let metrics = Metrics::new();
    metrics.request_started();
    metrics.request_ended(&ended());
    metrics.waited_for_key(Duration::from_secs(3));
    metrics.waited_for_place(Duration::ZERO);
    metrics.panic_caught();

    for line in metrics.render(&Gauges::default()).lines() {
        let value = line.rsplit_once(' ').unwrap().1;
        assert!(line.starts_with("# ") || value.parse::<f64>().is_ok(), "{line}");
    }
}

fn check(page: &str, line: &str) {
    assert!(page.lines().any(|each| each == line), "{line} is missing in\n{page}");
}

fn ended() -> Ended<'static> {
    Ended {
        operation: Operation::Chat,
        provider: Provider::Gemini,
        model: "gemini-3-pro",
        status: 200,
        error: None,
        duration: Duration::from_millis(1_500),
        first_chunk: None,
        input_tokens: Some(12),
        output_tokens: Some(345),
    }
}
