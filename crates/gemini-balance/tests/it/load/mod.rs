//! Load: what the real program bears, in figures.
//!
//! Everything here runs in the program as a process of its own, takes long, and prints what it has
//! measured. `cargo xtask test long` runs it on a release build; the bounds are so wide that a busy
//! machine keeps them, the figures say how far away they are.

mod edge;
mod guesses;
mod leavers;
mod overload;
mod speed;
mod streams;

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fake_upstream::{Settings, Upstream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::process::{Process, leading_to, log_in, with};
use crate::support::{Ask, Client, Metrics, eventually};

/// What a busy machine may add to any time that is compared with another.
const NOISE: Duration = Duration::from_millis(20);

/// A furnished gateway as a process, in front of an upstream in this one.
struct House {
    gateway: Process,
    address: SocketAddr,
    upstream: Upstream,
    user_key: String,
    /// Goes last.
    _directory: TempDir,
}

impl House {
    /// Starts the program with these settings and one service key.
    async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_from("exec \"$0\"", settings, 1).await
    }

    /// Starts the program as the end of a line of shell, with so many service keys.
    async fn start_from(shell: &str, settings: &[(&str, &str)], keys: usize) -> Self {
        // What was asked is of no interest here, and would only fill this process.
        let unseeing = Settings { seen_max: 0, ..Settings::default() };
        let upstream = Upstream::start_with(([127, 0, 0, 1], 0).into(), unseeing).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let base = leading_to(&upstream);
        let mut settings = settings.to_vec();
        settings.extend([("LOG_LEVEL", "INFO"), ("METRICS_PUBLIC", "true")]);
        let mut gateway = Process::start_from(shell, directory.path(), &with(&base, &settings));
        let address = gateway.address().await;
        let admin = log_in(address).await;
        let keys: Vec<String> = (0..keys).map(|number| format!("service-key-{number}")).collect();
        admin.post("/api/keys", &json!({"api_keys": keys})).await;
        let made = admin.post("/api/auth_keys", &json!({"alias": "alice"})).await;
        let user_key = made.json()["api_key"].as_str().unwrap().to_owned();
        Self { gateway, address, upstream, user_key, _directory: directory }
    }

    /// Somebody without any key.
    fn stranger(&self) -> Client {
        Client::new(self.address)
    }

    /// Somebody with the user key.
    fn caller(&self) -> Client {
        self.stranger().bearer(&self.user_key)
    }

    /// The page of metrics.
    async fn metrics(&self) -> Metrics {
        Metrics::of(&self.stranger()).await
    }

    /// Waits until no request is under way and no key is lent.
    async fn idle(&self) {
        eventually("nothing is under way", async || {
            let metrics = self.metrics().await;
            metrics.sum("requests_in_flight") + metrics.sum("pool_leases") == 0
        })
        .await;
    }

    /// How long each of the calls takes that one caller makes one after the other.
    async fn latencies(&self, lasting: Duration) -> Times {
        let (until, mut times) = (Instant::now() + lasting, Vec::new());
        while Instant::now() < until {
            let began = Instant::now();
            Ask::openai().is_answered(&self.caller()).await;
            times.push(began.elapsed());
        }
        Times::of(times)
    }
}

/// Times that were measured, shortest first; at least one.
#[derive(Debug, Clone)]
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn shortest(&self) -> Duration {
        self.0[0]
    }

    fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    fn p99(&self) -> Duration {
        self.0[self.0.len() * 99 / 100]
    }

    fn longest(&self) -> Duration {
        self.0[self.0.len() - 1]
    }
}

impl fmt::Display for Times {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, p99, count) = (self.median(), self.p99(), self.count());
        write!(formatter, "median {median:?}, p99 {p99:?} among {count}")
    }
}

/// A question with one more field, whose value is any JSON.
fn body_with(extra: &str) -> String {
    let body: Value = serde_json::from_str(&Ask::openai().body()).unwrap();
    format!("{{\"extra\":{extra},{}", &body.to_string()[1..])
}
