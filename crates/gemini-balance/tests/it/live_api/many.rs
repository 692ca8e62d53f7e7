//! A thousand sessions that mostly say nothing.

use std::time::Instant;

use fake_upstream::Upstream;
use tokio::task::JoinSet;

use super::process;
use crate::support::{Ask, Client, LIVE, LiveClient};

/// Sessions open at once.
const SESSIONS: usize = 1_000;
/// What an idle session may cost of the gateway's memory.
const SESSION_KIB_MAX: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens thousands of connections; run with --ignored"]
async fn a_thousand_idle_sessions_cost_little_and_others_are_served() {
    let upstream = Upstream::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (mut gateway, key) = process(&upstream, directory.path(), &[]).await;
    let address = gateway.address().await;
    let caller = Client::new(address).with("x-goog-api-key", &key);
    assert_eq!(Ask::gemini().of(&caller).await.status, 200);
    let (before, _) = gateway.memory_kib();
    let began = Instant::now();
    let mut opening = JoinSet::new();
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let key = key.clone();
        opening.spawn(async move {
            let fields = [("x-goog-api-key", key.as_str())];
            let mut client = LiveClient::open_at(address, LIVE, &fields).await;
            client.set_up().await;
            client
        });
        if opening.len() == 50 {
            sessions.push(opening.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(client) = opening.join_next().await {
        sessions.push(client.unwrap());
    }
    let opened = began.elapsed();

    let (after, _) = gateway.memory_kib();
    let each = after.saturating_sub(before) / SESSIONS as u64;
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(Ask::gemini().of(&caller).await.status, 200);
    }
    let served = began.elapsed();
    println!(
        "{SESSIONS} sessions opened in {opened:?}; {each} KiB each; 100 requests in {served:?}"
    );
    assert!(each <= SESSION_KIB_MAX, "{each} KiB for each session");
    for client in sessions.iter_mut().step_by(100) {
        client.turn("hello").await;
    }
    drop(sessions);
    upstream.wait_for_requests(|open| open == 0).await.unwrap();
}
