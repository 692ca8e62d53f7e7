//! More than can be borne: too many callers, too many bodies.

use std::time::{Duration, Instant};

use fake_upstream::{Options, When};
use http::StatusCode;
use tokio::task::JoinSet;

use crate::load::{House, NOISE, Times};
use crate::support::{Ask, Client, Wire, statuses};

/// Places for requests at once.
const PLACES: usize = 16;

/// How long the upstream takes for an answer, in ms, so that the capacity needs no processor.
const ANSWER_MS: u64 = 400;

/// Refusals are at once where nobody may wait in line.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: half a minute of overload"]
async fn twice_the_load_that_can_be_borne_costs_those_beyond_and_nobody_else() {
    let places = PLACES.to_string();
    let limits = [("MAX_CONCURRENT_REQUESTS", &*places), ("CONCURRENCY_TIMEOUT_SECONDS", "0")];
    let house = House::start(&limits).await;
    house.upstream.on(When::any(), Options { first_byte_ms: ANSWER_MS, ..Options::default() });
    let over_seconds = 15;

    let (peak, calm) = full(&house).await;
    let over = offer(&house, peak * 2.0, over_seconds).await;
    // Those who come at once find the others still there.
    let after = offer(&house, peak / 2.0, 2).await;
    let (over, after) = (Load::of(over).await, Load::of(after).await);
    house.idle().await;
    let (again, _) = full(&house).await;

    let goodput = over.answered.count() as f64 / over_seconds as f64;
    println!("{PLACES} callers: {peak:.1} answers a second, p99 {:?}", calm.p99());
    println!(
        "twice as much offered: {goodput:.1} a second, p99 {:?}; {} refused, median {:?}, p99 {:?}",
        over.answered.p99(),
        over.refused.count(),
        over.refused.median(),
        over.refused.p99()
    );
    println!("half as much, at once: {} refused; then {again:.1} a second", after.refused.count());
    assert!(goodput >= peak * 0.9);
    assert!(over.answered.p99() <= calm.p99() * 2 + NOISE);
    assert!(over.refused.median() <= Duration::from_millis(10) + NOISE);
    assert!(after.refused.count() <= PLACES, "normal within two seconds");
    assert!(again >= peak * 0.9, "no place is lost");
}

/// What is asked for here is held by the data limit of the process: all memory of its own that can
/// be written, used or not, which is more than a container counts.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: 800 MiB of bodies"]
async fn in_256_mib_surplus_bodies_are_refused_and_nothing_dies() {
    let shell = "ulimit -d 262144 && exec \"$0\"";
    let limits = [("WORKERS", "1"), ("BODY_LIMIT_MB", "16"), ("BODY_BUDGET_MB", "96")];
    let house = House::start_from(shell, &limits, 1).await;
    let body = "x".repeat(12 << 20);
    let key = &house.user_key;
    // Never whole, so that each keeps what it has.
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer";
    let declared = "content-length: 16777216".to_owned();
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{:x}", 1 << 24);

    let mut refused = 0;
    for _ in 0..2 {
        let mut held = Vec::new();
        for number in 0..32 {
            let framing = if number % 2 == 0 { &declared } else { &chunked };
            let mut wire = Wire::connect(house.address).await;
            wire.send(format!("{head} {key}\r\n{framing}\r\n\r\n")).await;
            wire.send(&body).await;
            held.push(wire);
        }
        Ask::openai().is_answered(&house.caller()).await;
        for wire in held {
            let said = wire.said_so_far();
            refused += statuses(&said).iter().filter(|status| **status == 503).count();
        }
        house.idle().await;
    }

    println!("{refused} of 64 refused; at most {} MiB", house.gateway.memory_kib().1 >> 10);
    assert!(64 - 2 * 8 <= refused);
    Ask::openai().is_answered(&house.caller()).await;
}

/// What came of the calls that were made: how long the answers took, and the refusals.
struct Load {
    answered: Times,
    refused: Times,
}

impl Load {
    async fn of(calls: JoinSet<Call>) -> Self {
        let calls = calls.join_all().await;
        let (answered, refused): (Vec<Call>, Vec<Call>) =
            calls.into_iter().partition(|(status, _)| *status == 200);
        assert!(refused.iter().all(|(status, _)| *status == 503), "{refused:?}");
        let times = |calls: Vec<Call>| Times::of(calls.into_iter().map(|(_, time)| time).collect());
        Self { answered: times(answered), refused: times(refused) }
    }
}

/// The status of an answer and how long it took.
type Call = (StatusCode, Duration);

/// Makes one call after the other at this rate, whatever becomes of them, and returns those that
/// were made.
async fn offer(house: &House, per_second: f64, seconds: u64) -> JoinSet<Call> {
    let mut calls = JoinSet::new();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut next = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
    while Instant::now() < until {
        next.tick().await;
        calls.spawn(call(house.caller()));
    }
    calls
}

/// Keeps every place taken for a while; how many answers a second that brings, and how long each
/// took.
async fn full(house: &House) -> (f64, Times) {
    let (lasting, mut callers) = (Duration::from_secs(5), JoinSet::new());
    for _ in 0..PLACES {
        let (caller, until) = (house.caller(), Instant::now() + lasting);
        callers.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < until {
                let (status, time) = call(caller.clone()).await;
                assert_eq!(status, 200);
                times.push(time);
            }
            times
        });
    }
    let began = Instant::now();
    let times = Times::of(callers.join_all().await.concat());
    (times.count() as f64 / began.elapsed().as_secs_f64(), times)
}

async fn call(caller: Client) -> Call {
    let began = Instant::now();
    let reply = Ask::openai().of(&caller).await;
    (reply.status, began.elapsed())
}
