//! Which probes are due, found out by looking at everything.

use keypool::{KeyId, Probe, ProbePurpose, Scope, Time};

use crate::naive::{Chosen, HOUR_MS, Naive, Rest};

/// Everything that may be probed: when, in which order, and how.
pub(crate) fn targets(naive: &Naive) -> Vec<(Time, u8, KeyId, Scope, String)> {
    let keys = naive.keys.iter().filter(|key| key.record.is_enabled).filter_map(|key| {
        let id = key.record.id;
        Some((key.record.probe?.at, 0, id, Scope::Key(id), String::new()))
    });
    let buckets = naive.buckets.iter().filter_map(|(scope, model, bucket)| {
        let Rest::Cooling { serves_at, check_at, .. } = naive.settled(*bucket).rest else {
            return None;
        };
        let is_open = naive.is_live(scope) && naive.broke_until(scope).is_none();
        let is_wanted = is_open && check_at < serves_at;
        is_wanted.then(|| (check_at, 1, KeyId(0), scope.clone(), model.clone()))
    });
    let mut targets: Vec<_> = keys.chain(buckets).collect();
    targets.sort();
    targets
}

/// The probes that are due, and the keys whose next probe the pool has chosen a time for.
pub(crate) fn probes_due(naive: &mut Naive, max: usize) -> (Vec<Probe>, Vec<Chosen>) {
    let (mut probes, mut chosen) = (Vec::new(), Vec::new());
    let interval_ms = naive.policy.health_check_interval_ms.max(1);
    if naive.trouble.is_some() {
        if 0 < max && naive.trouble_probe_at <= naive.now {
            naive.trouble_probe_at = naive.now.plus_millis(interval_ms);
            let best = naive
                .keys
                .iter()
                .filter(|key| Naive::is_usable(key))
                .filter(|key| naive.broke_until(&naive.scope(key.record.id)).is_none())
                .min_by_key(|key| {
                    let used = key.last_used.map(|(moment, _)| moment);
                    (key.record.tier, key.leases, used, key.added)
                });
            let purpose = ProbePurpose::Trouble;
            probes.extend(best.map(|key| Probe { key: key.record.id, model: None, purpose }));
        }
        return (probes, chosen);
    }
    for (at, kind, id, scope, model) in targets(naive) {
        if naive.now < at || probes.len() == max {
            break;
        }
        if kind == 0 {
            let plan = naive.key_mut(id).unwrap().record.probe.as_mut().unwrap();
            plan.turn += 1;
            let nominal_ms = (HOUR_MS << (plan.turn - 1).min(10)).min(12 * HOUR_MS);
            chosen.push(Chosen::Probe { id, nominal_ms });
            probes.push(Probe { key: id, model: None, purpose: ProbePurpose::Standing });
            continue;
        }
        let mut bucket = naive.bucket(&scope, &model);
        if let Rest::Cooling { check_at, .. } = &mut bucket.rest {
            *check_at = naive.now.plus_millis(interval_ms);
        }
        naive.put(&scope, &model, bucket);
        let mut members: Vec<KeyId> = naive
            .keys
            .iter()
            .filter(|key| Naive::is_usable(key) && naive.scope(key.record.id) == scope)
            .map(|key| key.record.id)
            .filter(|id| !naive.is_denied(*id, &model))
            .collect();
        members.sort();
        let purpose = ProbePurpose::Cooled;
        let probe = |key: &KeyId| Probe { key: *key, model: Some(model.clone()), purpose };
        probes.extend(members.first().map(probe));
    }
    (probes, chosen)
}
