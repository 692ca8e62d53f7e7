//! Callers who leave, thousands of them.

use dialect::Dialect;

use crate::disconnect::leave;
use crate::load::House;
use crate::support::{Client, Form, eventually};

/// How many leave between two looks at the memory.
const ROUND: usize = 10_000;

/// Rounds until the database's caches are full of their log rows, which may be 4 MiB.
const ROUNDS_BEFORE: usize = 5;

/// What the last round may add: a leak of 105 bytes per caller is more.
const GROWTH_KIB_MAX: u64 = 1024;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: 60,000 callers who leave"]
async fn ten_thousand_callers_who_leave_cost_no_memory() {
    let house = House::start(&[]).await;

    let mut held_kib = Vec::new();
    for _ in 0..=ROUNDS_BEFORE {
        leave(&house.upstream, |form| client(&house, form), ROUND).await;
        house.idle().await;
        eventually("the upstream is let go", async || house.upstream.open_requests() == 0).await;
        held_kib.push(house.gateway.memory_kib().0);
    }

    println!("held after each {ROUND}: {held_kib:?} KiB");
    let (before, after) = (held_kib[ROUNDS_BEFORE - 1], held_kib[ROUNDS_BEFORE]);
    assert!(after <= before + GROWTH_KIB_MAX, "{held_kib:?} KiB");
}

/// Somebody with the user key where the SDKs of the dialect put it.
fn client(house: &House, form: Form) -> Client {
    match form.dialect() {
        Dialect::OpenAi => house.caller(),
        Dialect::Gemini => house.stranger().with("x-goog-api-key", &house.user_key),
    }
}
