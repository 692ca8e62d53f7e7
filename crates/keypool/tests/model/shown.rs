//! What the naive model shows of itself.

use keypool::{BucketRecord, BucketState, Counts, KeyId, KeyView, Scope, Time};

use crate::naive::{BLANK, Naive, Rest, returns_at};

use crate::probing::targets;

pub(crate) fn next_deadline(naive: &Naive) -> Option<Time> {
    let credits = naive.credits.iter().filter(|(scope, _)| naive.is_live(scope));
    let credits = credits.map(|(_, credit)| credit.until).filter(|until| naive.now < *until);
    let buckets = naive
        .buckets
        .iter()
        .filter(|(scope, _, _)| naive.is_live(scope) && naive.broke_until(scope).is_none())
        .filter_map(|(_, _, bucket)| returns_at(naive.settled(*bucket)));
    let returns = credits.chain(buckets).min();
    let check = match naive.trouble {
        Some(_) => {
            let oldest = naive.latest.iter().map(|(_, at, _)| at.plus_millis(10_000)).min();
            [Some(naive.trouble_probe_at), oldest].into_iter().flatten().min()
        }
        None => targets(naive).first().map(|target| target.0),
    };
    [returns, check].into_iter().flatten().min()
}

pub(crate) fn view(naive: &Naive, id: KeyId) -> Option<KeyView> {
    let key = naive.key(id)?;
    let scope = naive.scope(id);
    let mut models: Vec<&String> = naive
        .buckets
        .iter()
        .filter(|(owner, _, _)| *owner == scope || *owner == Scope::Key(id))
        .map(|(_, model, _)| model)
        .collect();
    models.sort();
    models.dedup();
    let buckets = models.into_iter().filter_map(|model| {
        let mut bucket = naive.bucket(&scope, model);
        if naive.is_denied(id, model) {
            bucket.rest = Rest::ModelDenied;
        }
        (bucket != BLANK).then(|| BucketRecord {
            model: model.clone(),
            state: naive.state(bucket),
            level: bucket.level,
            failures: bucket.failures,
        })
    });
    let record = key.record.clone();
    Some(KeyView {
        id,
        project: record.project,
        tier: record.tier,
        is_enabled: record.is_enabled,
        standing: record.standing,
        since: record.since,
        reason: record.reason,
        probe: record.probe,
        no_credit: naive.credit(&scope).filter(|credit| naive.now < credit.until),
        leases: key.leases,
        last_used: key.last_used.map(|(_, at)| at),
        buckets: buckets.collect(),
    })
}

pub(crate) fn views(naive: &Naive) -> Vec<KeyView> {
    let mut ids: Vec<KeyId> = naive.keys.iter().map(|key| key.record.id).collect();
    ids.sort();
    ids.into_iter().filter_map(|id| view(naive, id)).collect()
}

pub(crate) fn counts(naive: &Naive) -> Counts {
    let views = views(naive);
    let with_word = |word| views.iter().filter(|view| view.word() == word).count();
    let rests = |view: &&KeyView| {
        let is_resting = |bucket: &BucketRecord| bucket.state != BucketState::Ready;
        view.word() == "active" && view.buckets.iter().any(is_resting)
    };
    Counts {
        total: views.len(),
        active: with_word("active"),
        resting: views.iter().filter(rests).count(),
        in_use: views.iter().filter(|view| 0 < view.leases).count(),
        leases: naive.leases.len(),
        invalid: with_word("invalid"),
        suspended: with_word("suspended"),
        no_credit: with_word("no_credit"),
        disabled: with_word("disabled"),
    }
}
