//! What happens to keys, told to people: one log line per fact.

use keypool::{BucketState, Change, KeyId, Scope, Standing, TroubleKind};

use crate::pool::KeyPool;

/// Tells one change.
pub(super) fn announce(pool: &KeyPool, change: &Change) {
    match change {
        Change::Key(record) => {
            let key = name(pool, record.id);
            match record.standing {
                Standing::Active => tracing::info!(key.id = %key, "service key is active"),
                Standing::Invalid => tracing::warn!(
                    key.id = %key, reason = %record.reason,
                    "the upstream does not know this service key; it rests until a probe or an admin brings it back"
                ),
                Standing::Suspended => tracing::warn!(
                    key.id = %key, reason = %record.reason,
                    "the upstream has locked this service key; it rests until a probe or an admin brings it back"
                ),
            }
        }
        Change::Credit { scope, no_credit: Some(rest) } => tracing::warn!(
            budget = %owner(pool, scope),
            until_ms = pool.wall_of_time(rest.until),
            level = rest.level,
            "the credit of this project is used up; its keys rest"
        ),
        Change::Bucket { scope, bucket } => announce_bucket(pool, scope, bucket),
        Change::TroubleBegan(trouble) => {
            let kind = match trouble.kind {
                TroubleKind::Faulty => "faults",
                TroubleKind::RateLimited => "429 without details",
            };
            tracing::warn!(
                kind,
                "many service keys fail alike: the upstream or the way to it is in trouble, no key is blamed"
            );
        }
        Change::TroubleEnded(_) => tracing::info!("the upstream serves again"),
        Change::LeaseTakenBack(lease) => tracing::error!(
            key.id = %name(pool, lease.key),
            "a lease under which nothing moved was taken back; please report this"
        ),
        Change::Overflowed => tracing::debug!("more key states changed than are told one by one"),
        Change::Credit { no_credit: None, .. } => {}
    }
}

fn announce_bucket(pool: &KeyPool, scope: &Scope, bucket: &keypool::BucketRecord) {
    let (budget, model) = (owner(pool, scope), &bucket.model);
    match bucket.state {
        BucketState::Ready | BucketState::Proving => {}
        BucketState::Cooling { until, level } => tracing::info!(
            budget = %budget, model = %model, level, until_ms = pool.wall_of_time(until),
            "cooling"
        ),
        BucketState::ExhaustedUntil { until } => tracing::info!(
            budget = %budget, model = %model, until_ms = pool.wall_of_time(until),
            "the day's quota is used up"
        ),
        BucketState::NotEntitled => tracing::warn!(
            budget = %budget, model = %model, "no quota at all for this model; rests until an admin resets it"
        ),
        BucketState::ModelDenied => tracing::warn!(
            budget = %budget, model = %model, "the key may not use this model; rests until an admin resets it"
        ),
    }
}

fn name(pool: &KeyPool, id: KeyId) -> String {
    pool.key(id).map_or_else(|| id.0.to_string(), |key| key.identifier.clone())
}

fn owner(pool: &KeyPool, scope: &Scope) -> String {
    match scope {
        Scope::Key(id) => name(pool, *id),
        Scope::Project(label) => label.clone(),
    }
}
