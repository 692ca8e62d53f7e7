//! Many streams on which nothing happens but heartbeats.

use std::time::{Duration, Instant};

use fake_upstream::{Answer, When};
use tokio::task::JoinSet;

use crate::load::{House, NOISE};
use crate::support::{Ask, Stream, eventually};

/// How many, if there are descriptors enough.
const STREAMS: usize = 10_000;

/// How long they are watched; two heartbeats of the standard length each.
const WATCHED: Duration = Duration::from_secs(30);

/// What they may hold in the gateway, in MiB; by design 320, and what the allocator adds.
const HELD_MIB_MAX: u64 = 384;

/// What a stream costs of descriptors: an end towards the caller and one towards the upstream, in
/// the gateway as well as here.
const DESCRIPTORS_EACH: usize = 2;

/// The model whose answers stop after their first event.
const SILENT: &str = "a-silent-model";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: 10,000 streams for half a minute"]
async fn ten_thousand_idle_streams_cost_little_and_slow_nobody() {
    let house = House::start(&[]).await;
    house.upstream.on(When::any().model(SILENT), Answer::stall_after(1));
    let count = STREAMS.min((descriptors() - 500) / DESCRIPTORS_EACH);
    let calm = house.latencies(Duration::from_secs(5)).await;
    let (memory, _) = house.gateway.memory_kib();

    let mut streams = open(&house, count).await;
    let (cpu, began) = (house.gateway.cpu(), Instant::now());
    tokio::time::sleep(WATCHED).await;
    let cpu = (house.gateway.cpu() - cpu).div_duration_f64(began.elapsed());
    let (held, _) = house.gateway.memory_kib();
    let busy = house.latencies(Duration::from_secs(5)).await;
    for stream in streams.iter_mut().step_by(100) {
        assert!(read_until(stream, "\n\n:").await, "no heartbeat came");
    }
    end(&house, streams).await;
    let (left, _) = house.gateway.memory_kib();
    let streams = open(&house, count).await;
    let (again, _) = house.gateway.memory_kib();
    end(&house, streams).await;

    let mib = |kib: u64| kib.saturating_sub(memory) >> 10;
    println!(
        "{count} streams: {} MiB more, {} MiB when they have ended, {} MiB with as many again",
        mib(held),
        mib(left),
        mib(again)
    );
    println!("{:.1} % of a core; a call meanwhile: {busy}; before: {calm}", cpu * 100.0);
    assert!(mib(held) <= HELD_MIB_MAX);
    // The allocator keeps what was freed; it serves those who come next.
    assert!(mib(again) <= mib(held) + mib(held) / 2);
    assert!(cpu <= 0.05);
    assert!(busy.p99() <= calm.p99() * 3 + NOISE);
}

/// Opens so many streams of the silent model, and waits until each has begun.
async fn open(house: &House, count: usize) -> Vec<Stream> {
    const AT_ONCE: usize = 50;
    let (mut opening, mut streams) = (JoinSet::new(), Vec::new());
    for _ in 0..count {
        if opening.len() == AT_ONCE {
            streams.push(opening.join_next().await.unwrap().unwrap());
        }
        let caller = house.caller();
        opening.spawn(async move {
            let stream = Ask::openai().streamed().model(SILENT).open(&caller).await;
            assert_eq!(stream.status(), 200);
            stream
        });
    }
    streams.extend(opening.join_all().await);
    streams
}

/// Leaves all of them, and waits until nothing of them is left.
async fn end(house: &House, streams: Vec<Stream>) {
    drop(streams);
    house.idle().await;
    eventually("the upstream is let go", async || house.upstream.open_requests() == 0).await;
}

/// Whether these bytes come before the end.
async fn read_until(stream: &mut Stream, text: &str) -> bool {
    let mut seen = String::new();
    while !seen.contains(text) {
        let Some(piece) = stream.next().await else { return false };
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    true
}

/// How many descriptors this process may have, and thus the one that it starts.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let (_, rest) = limits.split_once("Max open files").unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}
