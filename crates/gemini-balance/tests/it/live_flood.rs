//! More lines in the live log than anybody can read: requests do not notice, watchers who fall
//! behind are told what they missed.

use std::time::{Duration, Instant};

use gemini_balance::feed::SUBSCRIBERS_MAX;
use gemini_balance::live::{Line, Live};
use http::Method;
use serde_json::Value;
use tracing::Level;

use crate::support::{Ask, Setup, Stream};

/// Lines of a flood.
const LINES: u64 = 100_000;
/// What most requests may take beside it; some ms by design, and more in a debug build on a busy
/// machine.
const NOT_NOTICED: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_lines_and_stalled_watchers_hold_nobody_up() {
    let gateway = Setup::default().set("LOG_HISTORY_SIZE", 0).start().await;
    let admin = gateway.admin().await;
    let mut stalled = Vec::new();
    for _ in 0..SUBSCRIBERS_MAX {
        stalled.push(admin.open(Method::GET, "/api/logs/sse", "").await);
    }
    let live = gateway.app().live.clone();

    let flood = tokio::task::spawn_blocking(move || {
        (0..LINES).for_each(|number| publish(&live, &format!("flood {number}")));
    });
    let mut times = Vec::new();
    while !flood.is_finished() || times.len() < 20 {
        let began = Instant::now();
        Ask::openai().streamed().is_answered(&gateway.openai()).await;
        times.push(began.elapsed());
    }
    flood.await.unwrap();
    publish(&gateway.app().live, "the end");

    times.sort_unstable();
    assert!(times[times.len() / 2] < NOT_NOTICED, "{times:?}");
    for stream in stalled.drain(..3) {
        let (shown, missed) = read(stream).await;
        assert_eq!(shown + missed, LINES, "each line is shown or counted as missed");
        assert!(missed > 0, "nobody has that much memory");
    }
    drop(stalled);
    gateway.close().await;
}

fn publish(live: &Live, message: &str) {
    live.publish(Line {
        id: 0,
        time_ms: 0,
        level: Level::INFO,
        target: "test",
        message: message.to_owned(),
        fields: Vec::new(),
    });
}

/// Reads a stream to the end of the flood: lines shown, and lines missed.
async fn read(mut stream: Stream) -> (u64, u64) {
    let (mut text, mut shown, mut missed) = (String::new(), 0, 0);
    while !text.contains("the end") {
        let piece = stream.next().await.expect("the stream goes on");
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        if line.contains("flood ") {
            shown += 1;
        } else if let Ok(lagged) = serde_json::from_str::<Value>(line) {
            missed += lagged["missed"].as_u64().unwrap();
        }
    }
    (shown, missed)
}
