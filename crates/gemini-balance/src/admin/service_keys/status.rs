//! The state of all service keys in the shape of the Python version, for its users' scripts.
//!
//! There a key was one thing with one state. Here it rests for one model and serves others; whoever
//! knows one state only is told the gravest: a key that rests for any model is cooling down.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use keypool::{KeyView, Time};
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::service_keys::filter::{is_resting, rests};
use crate::app::App;
use crate::config;

/// All keys and how many are in which state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyStatuses)]
pub(super) struct Statuses {
    /// The keys: first those that serve, and of them first those in use.
    keys: Vec<Status>,
    /// All keys.
    total_keys_count: usize,
    /// Keys that serve a request at this moment.
    in_use_keys_count: usize,
    /// Keys that rest or may not serve.
    cooled_down_keys_count: usize,
    /// Keys that are free.
    available_keys_count: usize,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = KeyStatus)]
struct Status {
    /// Names the key.
    key_identifier: String,
    /// First and last characters of the key.
    key_brief: String,
    /// Its state.
    status: Word,
    /// Until it is wholly back; nought if only an admin brings it back.
    cool_down_seconds_remaining: f64,
    /// Upstream faults in a row.
    failure_count: u32,
    /// Rests in a row.
    cool_down_entry_count: u32,
    /// How long the last of them was meant to be.
    current_cool_down_seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyStatusWord)]
enum Word {
    Active,
    InUse,
    CoolingDown,
}

/// Shows all service keys in the shape of the Python version.
#[utoipa::path(
    get, path = "/api/keys/status", operation_id = "service_key_statuses", tag = "service keys",
    responses((status = 200, description = "All keys", body = Statuses)),
)]
pub(super) async fn status(State(app): State<Arc<App>>) -> Json<Statuses> {
    let now = app.pool.now();
    let mut keys = app.pool.views();
    keys.sort_by_key(|(_, view)| (is_cooling(view), Reverse(0 < view.leases), view.last_used));
    let statuses = keys.into_iter().map(|(key, view)| {
        let names = (key.identifier.clone(), key.brief.clone());
        Status::of(names, &view, now, &app.config.pool)
    });
    Json(Statuses::of(statuses.collect()))
}

impl Statuses {
    fn of(keys: Vec<Status>) -> Self {
        let count = |word| keys.iter().filter(|key| key.status == word).count();
        Self {
            total_keys_count: keys.len(),
            in_use_keys_count: count(Word::InUse),
            cooled_down_keys_count: count(Word::CoolingDown),
            available_keys_count: count(Word::Active),
            keys,
        }
    }
}

impl Status {
    fn of(
        (key_identifier, key_brief): (String, String),
        view: &KeyView,
        now: Time,
        settings: &config::Pool,
    ) -> Self {
        let remaining_ms = back_at(view).map_or(0, |at| at.millis_since(now));
        let level = view.buckets.iter().map(|bucket| bucket.level).max().unwrap_or(0);
        Self {
            key_identifier,
            key_brief,
            status: match view.leases {
                _ if is_cooling(view) => Word::CoolingDown,
                0 => Word::Active,
                _ => Word::InUse,
            },
            // Milliseconds of at most some days, exact as a float.
            cool_down_seconds_remaining: remaining_ms as f64 / 1_000.0,
            failure_count: view.buckets.iter().map(|bucket| bucket.failures).max().unwrap_or(0),
            cool_down_entry_count: level,
            current_cool_down_seconds: cool_down_ms(level, settings) / 1_000,
        }
    }
}

fn is_cooling(view: &KeyView) -> bool {
    view.word() != "active" || rests(view)
}

/// When a key is wholly back, as far as time alone decides.
fn back_at(view: &KeyView) -> Option<Time> {
    let resting = view.buckets.iter().filter(|bucket| is_resting(bucket.state));
    resting
        .filter_map(|bucket| bucket.state.until())
        .chain(view.no_credit.map(|rest| rest.until))
        .chain(view.probe.map(|plan| plan.at))
        .max()
}

/// The rest of a level: the first, doubled with each further one.
fn cool_down_ms(level: u32, settings: &config::Pool) -> u64 {
    let Some(doublings) = level.checked_sub(1) else {
        return 0;
    };
    let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    settings.cool_down_ms.saturating_mul(factor).min(settings.cool_down_ms_max)
}

#[cfg(test)]
mod tests {
    use keypool::{BucketRecord, BucketState, KeyId, Standing};
    use serde_json::json;

    use super::*;

    const NOW: Time = Time::from_millis(1_000_000);

    #[test]
    fn a_key_that_rests_for_one_model_is_cooling_down() {
        let until = NOW.plus_millis(90_500);
        let buckets = vec![
            bucket("a", BucketState::Cooling { until, level: 2 }, 2),
            bucket("b", BucketState::Ready, 0),
        ];

        let status = shown(&KeyView { buckets, leases: 1, ..view() });

        assert_eq!(
            status,
            json!({
                "key_identifier": "key_sha256_0a0b0c0d", "key_brief": "AIza...ok01",
                "status": "cooling_down", "cool_down_seconds_remaining": 90.5,
                "failure_count": 1, "cool_down_entry_count": 2, "current_cool_down_seconds": 600,
            })
        );
    }

    #[test]
    fn a_model_that_a_key_never_had_does_not_make_it_cool() {
        let buckets = vec![bucket("a", BucketState::ModelDenied, 0)];

        assert_eq!(shown(&KeyView { buckets, ..view() })["status"], "active");
        assert_eq!(shown(&KeyView { leases: 2, ..view() })["status"], "in_use");
    }

    #[test]
    fn a_key_that_may_not_serve_is_cooling_down_without_an_end() {
        let status = shown(&KeyView { is_enabled: false, ..view() });

        assert_eq!(status["status"], "cooling_down");
        assert_eq!(status["cool_down_seconds_remaining"], 0.0);
    }

    #[test]
    fn a_rest_doubles_up_to_its_cap() {
        for (level, seconds) in [(0, 0), (1, 300), (2, 600), (9, 43_200), (200, 43_200)] {
            assert_eq!(cool_down_ms(level, &settings()), seconds * 1_000, "level {level}");
        }
    }

    fn shown(view: &KeyView) -> serde_json::Value {
        let names = ("key_sha256_0a0b0c0d".to_owned(), "AIza...ok01".to_owned());
        serde_json::to_value(Status::of(names, view, NOW, &settings())).unwrap()
    }

    fn settings() -> config::Pool {
        let dir = tempfile::tempdir().unwrap();
        config::Config::load(std::iter::empty(), dir.path()).unwrap().pool
    }

    fn bucket(model: &str, state: BucketState, level: u32) -> BucketRecord {
        BucketRecord { model: model.to_owned(), state, level, failures: 1 }
    }

    fn view() -> KeyView {
        KeyView {
            id: KeyId(1),
            project: None,
            tier: 0,
            is_enabled: true,
            standing: Standing::Active,
            since: NOW,
            reason: String::new(),
            probe: None,
            no_credit: None,
            leases: 0,
            last_used: None,
            buckets: Vec::new(),
        }
    }
}
