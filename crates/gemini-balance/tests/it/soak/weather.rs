//! The weather at the upstream: fair, showers over some keys, storms over all of them.
//!
//! Some keys are always bad. While a season is one in which a key could serve every request, no
//! caller may notice anything.

use std::time::Duration;

use fake_upstream::{Answer, Ending, Options, Point, Upstream, When};
use parking_lot::Mutex;

use crate::support::Client;

use super::dice::Dice;

/// Keys that are good unless it rains on them.
const GOOD: u64 = 12;
/// How long the last season's answers, and the pool's memory of them, may take to be over.
const CLEARING: Duration = Duration::from_secs(8);

/// The models that are asked for.
pub(super) const MODELS: [&str; 3] = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.8-flash"];
/// A model whose streams take their time.
pub(super) const SLOW_MODEL: &str = "gemini-slow";

/// Every key of the pool; the upstream treats those with a word in their name as it says.
pub(super) fn keys() -> Vec<String> {
    let bad = ["invalid", "expired", "suspended", "nocredit", "429m", "429d", "limit0", "500"]
        .into_iter()
        .chain(["503", "reset", "stall", "slow"])
        .map(|word| format!("AIzaSoakSoakSoakSoakSoakSoak-{word}"));
    (0..GOOD).map(good_key).chain(bad).collect()
}

fn good_key(number: u64) -> String {
    format!("AIzaSoakSoakSoakSoakSoakSoakGood{number:02}")
}

/// What may be expected of a request that begins and ends in this season.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Season {
    number: u64,
    /// Whether every request can be served, so that every request must be.
    pub(super) serves_all: bool,
}

/// The season that is now.
#[derive(Debug)]
pub(super) struct Sky(Mutex<Season>);

impl Sky {
    /// Nothing can be expected yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Season { number: 0, serves_all: false }))
    }

    pub(super) fn season(&self) -> Season {
        *self.0.lock()
    }

    /// Begins a season in which every request is served, or one in which not.
    pub(super) fn turn(&self, serves_all: bool) {
        let mut season = self.0.lock();
        *season = Season { number: season.number + 1, serves_all };
    }

    /// Lets one season follow the other, each so long, until dropped.
    pub(super) async fn change(
        &self,
        upstream: &Upstream,
        admin: &Client,
        length: Duration,
        mut dice: Dice,
    ) {
        loop {
            begin(upstream);
            tokio::time::sleep(CLEARING).await;
            admin.post("/api/keys/reset", &serde_json::json!({})).await;
            self.turn(true);
            match dice.below(4) {
                0 => {}
                1 | 2 => showers(upstream, &mut dice),
                _ => {
                    self.turn(false);
                    storm(upstream, &mut dice);
                }
            }
            tokio::time::sleep(length).await;
            self.turn(false);
        }
    }
}

/// The upstream as it is in fair weather.
pub(super) fn begin(upstream: &Upstream) {
    upstream.clear();
    let paced = Options { chunks: 30, pace_ms: 50, ..Options::default() };
    upstream.on(When::any().model(SLOW_MODEL), paced);
}

/// A third of the good keys fails, each in a way of its own.
fn showers(upstream: &Upstream, dice: &mut Dice) {
    let ways = [
        Answer::key_invalid(),
        Answer::suspended(),
        Answer::quota_per_minute(2),
        Answer::quota_per_day(20),
        Answer::rate_limited_bare(),
        Answer::server_error(500),
        Answer::overloaded(),
        Answer::reset(),
        Answer::close(),
        Answer::html_200(),
        Answer::empty_200(),
        Answer::error_in_200(),
        Answer::stall(),
    ];
    for number in 0..GOOD / 3 {
        upstream.on(When::any().key(good_key(number)), dice.one_of(&ways));
    }
}

/// Every key fails alike, or every answer breaks on its way.
fn storm(upstream: &Upstream, dice: &mut Dice) {
    let cut = |at, ending| Answer::cut(at, ending);
    let ways = [
        Answer::overloaded(),
        Answer::server_error(500),
        Answer::rate_limited_bare(),
        Answer::quota_per_minute(5),
        Answer::reset(),
        Answer::html_200(),
        Answer::null_200(),
        Answer::stall(),
        Answer::stall_after(1),
        Answer::short_body(7),
        Answer::redirect(302, "http://127.0.0.1:9/elsewhere"),
        Answer::huge_headers(200),
        cut(Point::StatusLine, Ending::Reset),
        cut(Point::Events(1), Ending::Close),
        cut(Point::Events(2), Ending::Reset),
        cut(Point::Inside { events: 1, bytes: 9 }, Ending::Close),
    ];
    upstream.on(When::any(), dice.one_of(&ways));
}
