//! What strangers and strange bodies cost.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::load::{House, NOISE, Times, body_with};
use crate::support::{Ask, Client, Wire};

/// Connections of each kind.
const CROWD: usize = 1_000;

/// With the standard limit for heads, ten seconds.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: 2,000 connections for ten seconds"]
async fn two_thousand_heads_that_do_not_end_slow_nobody() {
    let house = House::start(&[]).await;
    let calm = house.latencies(Duration::from_secs(10)).await;

    let mut crowd = JoinSet::new();
    for said in ["", "GET / HTTP/1.1\r\n"].into_iter().cycle().take(2 * CROWD) {
        let (wire, began) = (Wire::connect(house.address).await, Instant::now());
        crowd.spawn(async move {
            let answer = wire.drip(said, Duration::from_secs(5)).await;
            assert!(answer.is_empty(), "{answer}");
            began.elapsed()
        });
    }
    let busy = house.latencies(Duration::from_secs(8)).await;
    let lives = Times::of(crowd.join_all().await);

    println!("{} connections lived {:?} to {:?}", 2 * CROWD, lives.shortest(), lives.longest());
    println!("a call meanwhile: {busy}; before: {calm}");
    assert!(Duration::from_secs(9) <= lives.shortest());
    assert!(lives.longest() <= Duration::from_secs(15));
    assert!(busy.p99() <= calm.p99() * 3 + NOISE);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: 1,200 bodies"]
async fn strangely_chunked_bodies_cost_no_memory() {
    let house = House::start(&[("WORKERS", "1")]).await;
    let bodies = [
        ("one long extension", format!("1;{}", "x".repeat(4 << 20))),
        ("many extensions", "1;a=b\r\n \r\n".repeat(1 << 18)),
        ("many chunks of one byte", "1\r\n \r\n".repeat(1 << 16)),
        ("one long trailer", format!("0\r\nA: {}", "x".repeat(4 << 20))),
        ("many trailers", format!("0\r\n{}", "A: b\r\n".repeat(1 << 18))),
        ("a size of 17 digits", format!("{}\r\n{}", "f".repeat(17), "x".repeat(1 << 20))),
    ];

    for (name, body) in &bodies {
        send(&house, body, 20).await;
        house.gateway.forget_peak_memory();
        let (before, _) = house.gateway.memory_kib();
        send(&house, body, 200).await;

        let (after, peak) = house.gateway.memory_kib();
        let (after, peak) = (after.saturating_sub(before), peak.saturating_sub(before));
        println!("{name}: {after} KiB more after 200 bodies, {peak} KiB at most");
        assert!(after < 1024);
        assert!(peak < 2048);
    }
    Ask::openai().is_answered(&house.caller()).await;
}

/// Sends such a body so many times, one after the other, as far as it is taken, and waits until the
/// gateway closes.
async fn send(house: &House, body: &str, times: usize) {
    for _ in 0..times {
        let mut wire = Wire::connect(house.address).await;
        let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked";
        wire.send(format!("{head}\r\nAuthorization: Bearer {}\r\n\r\n", house.user_key)).await;
        if wire.is_taken(body).await {
            wire.finish().await;
        }
        wire.read_to_end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: 70 bodies of up to 10 MiB"]
async fn a_body_of_any_shape_is_passed_on_within_half_a_second() {
    let house = House::start(&[]).await;
    let direct = Client::new(house.upstream.address()).bearer("direct");
    let depth = 100_000;
    let shapes = [
        ("lists in lists", format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        ("objects in objects", format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))),
        ("lists without an end", "[".repeat(depth)),
        ("a list of a million", format!("[1{}]", ",1".repeat(1_000_000))),
        ("a string of 10 MiB", format!("\"{}\"", "é".repeat(5 << 20))),
    ];

    for (name, value) in shapes {
        let body = body_with(&value);
        let through = fastest(&house.caller(), "/v1/chat/completions", &body).await;
        let past = fastest(&direct, "/v1beta/openai/chat/completions", &body).await;

        println!("{name}: {through:?}, of which the upstream takes {past:?}");
        assert!(through.saturating_sub(past) <= Duration::from_millis(500));
    }
}

/// The shortest time of some in which a body is answered with 200 or 400.
async fn fastest(client: &Client, path: &str, body: &str) -> Duration {
    let client = client.with("content-type", "application/json");
    let mut times = Vec::new();
    for _ in 0..7 {
        let began = Instant::now();
        let reply = client.send(http::Method::POST, path, body.to_owned()).await;
        assert!([200, 400].contains(&reply.status.as_u16()), "{} {}", reply.status, reply.text());
        times.push(began.elapsed());
    }
    Times::of(times).shortest()
}
