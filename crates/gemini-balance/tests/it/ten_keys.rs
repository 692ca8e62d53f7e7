//! What the gateway is for: ten keys of which seven fail, and callers who do not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fake_upstream::{Answer, When};
use tokio::task::JoinSet;

use crate::support::{Ask, FORMS, Setup, eventually};

const MODELS: [&str; 3] = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.8-flash"];
const GOOD: [&str; 3] = ["the-good-key-1", "the-good-key-2", "the-good-key-3"];

/// The keys that fail, how, and the word for what becomes of each.
fn bad() -> [(&'static str, Answer, &'static str); 7] {
    [
        ("the-minute-key", Answer::quota_per_minute(600), "cooling"),
        ("the-day-key", Answer::quota_per_day(22), "exhausted_today"),
        ("the-invalid-key", Answer::key_invalid(), "invalid"),
        ("the-suspended-key", Answer::suspended(), "suspended"),
        ("the-failing-key", Answer::server_error(500), "cooling"),
        ("the-reset-key", Answer::reset(), "cooling"),
        ("the-stalled-key", Answer::stall(), "cooling"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn seven_bad_keys_of_ten_are_found_out_while_every_one_of_200_requests_succeeds() {
    let keys: Vec<&str> = bad().iter().map(|(key, ..)| *key).chain(GOOD).collect();
    let gateway = Setup::default().keys(keys).set("ATTEMPT_TIMEOUT_SECONDS", 1).start().await;
    for (key, answer, _) in bad() {
        gateway.upstream.on(When::any().key(key), answer);
    }

    let mut callers = JoinSet::new();
    for number in 0..200 {
        let client = gateway.openai();
        let (dialect, mode) = FORMS[number % FORMS.len()];
        let ask = Ask::new(dialect, mode)
            .model(MODELS[number % MODELS.len()])
            .text(format!("question {number}"));
        callers.spawn(async move { ask.is_answered(&client).await });
    }
    while let Some(answered) = callers.join_next().await {
        answered.unwrap();
    }
    // Whoever holds a request is not the first to get another: a key that stalls may have had too
    // few of a model to be found out for it.
    let mut asked = 200;
    for model in MODELS {
        let is_found_out = |(key, _, _): (&str, Answer, &str)| {
            gateway.rest_ms_of(key, model) > 0 || gateway.state_of(key) != "active"
        };
        eventually("every bad key is found out", async || {
            let is_done = bad().into_iter().all(is_found_out);
            if !is_done {
                Ask::openai().model(model).is_answered(&gateway.openai()).await;
                asked += 1;
            }
            is_done
        })
        .await;
    }

    for (key, _, word) in bad() {
        let states: Vec<_> = gateway.buckets_of(key).into_iter().map(|(_, state)| state).collect();
        match word {
            "invalid" | "suspended" => assert_eq!(gateway.state_of(key), word),
            _ => assert!(
                states.len() == MODELS.len() && states.iter().all(|it| *it == word),
                "{key}: {states:?}"
            ),
        }
    }
    for key in GOOD {
        assert_eq!((gateway.state_of(key), gateway.buckets_of(key)), ("active".to_owned(), vec![]));
    }
    assert!(gateway.app().pool.trouble().is_none());
    let finals = gateway.final_rows().await;
    assert_eq!(finals.len(), asked);
    assert!(finals.iter().all(|row| row.is_success), "{finals:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_goes_bad_under_load_in_one_way_after_the_other_costs_no_caller_anything() {
    let gateway = Setup::default().keys(GOOD).start().await;
    let sick = GOOD[0];
    let asked = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for number in 0..8 {
        let (client, asked) = (gateway.openai(), Arc::clone(&asked));
        callers.spawn(async move {
            for turn in 0..100 {
                let (dialect, mode) = FORMS[(number + turn) % FORMS.len()];
                Ask::new(dialect, mode).is_answered(&client).await;
                asked.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for answer in
        [Answer::unauthorized(), Answer::quota_per_minute(2), Answer::reset(), Answer::overloaded()]
    {
        let before = asked.load(Ordering::SeqCst);
        gateway.upstream.on(When::any().key(sick), answer);
        // An admin who believes in the key.
        gateway.app().pool.reset(gateway.id_of(sick));
        eventually("it was tried", async || before + 100 <= asked.load(Ordering::SeqCst)).await;
    }
    while let Some(answered) = callers.join_next().await {
        answered.unwrap();
    }

    let finals = gateway.final_rows().await;
    assert_eq!(finals.iter().filter(|row| row.is_success).count(), 800);
    for key in &GOOD[1..] {
        assert_eq!((gateway.state_of(key), gateway.buckets_of(key)), ("active".to_owned(), vec![]));
    }
    gateway.close().await;
}
