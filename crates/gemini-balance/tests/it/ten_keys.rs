//! What the gateway is for: ten keys of which seven fail, and callers who do not notice.

use fake_upstream::{Answer, When};
use tokio::task::JoinSet;

use crate::support::{Ask, FORMS, Setup};

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

    for (key, _, word) in bad() {
        let states: Vec<_> = gateway.buckets_of(key).into_iter().map(|(_, state)| state).collect();
        match word {
            "invalid" | "suspended" => assert_eq!(gateway.state_of(key), word),
            // Every model met the key before it had been found out for that model.
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
    assert_eq!(finals.len(), 200);
    assert!(finals.iter().all(|row| row.is_success), "{finals:?}");
    gateway.close().await;
}
