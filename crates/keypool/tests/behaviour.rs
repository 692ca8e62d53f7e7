//! What the pool does for each kind of answer, seen from outside: one sentence, one test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use keypool::{
    BucketRecord, BucketState, BudgetRecord, Change, KeyId, KeyRecord, KeyView, LeaseId, NoCredit,
    Policy, Pool, Probe, ProbeOutcome, ProbePurpose, Refusal, Scope, Standing, Time, TroubleKind,
    Verdict,
};

const NOW: Time = Time::from_millis(1_000_000_000);
const HOUR_MS: u64 = 3_600_000;

#[test]
fn content_clears_level_and_failures_of_its_bucket_alone() {
    let mut pool = pool(1);
    fail(&mut pool, 1, "flash", Verdict::Faulty, NOW);
    fail(&mut pool, 1, "pro", Verdict::Faulty, NOW);

    fail(&mut pool, 1, "flash", Verdict::Healthy, NOW);

    let models: Vec<String> = view(&pool, 1, NOW).buckets.into_iter().map(|b| b.model).collect();
    assert_eq!(models, ["pro"]);
}

#[test]
fn faults_cool_the_bucket_at_the_threshold_and_twice_as_long_the_next_time() {
    let mut pool = pool(1);
    for _ in 0..3 {
        assert_eq!(state(&pool, 1, NOW), BucketState::Ready);
        fail(&mut pool, 1, "flash", Verdict::Faulty, NOW);
    }

    let first = about(&state(&pool, 1, NOW), NOW, 300_000);
    fail(&mut pool, 1, "flash", Verdict::Faulty, first);
    let second = about(&state(&pool, 1, first), first, 600_000);
    fail(&mut pool, 1, "flash", Verdict::Healthy, second);

    assert_eq!(view(&pool, 1, second).buckets, []);
}

#[test]
fn an_upstream_that_is_not_reached_is_no_fault_of_a_key_and_trouble_all_the_same() {
    let mut pool = pool(3);
    for _ in 0..10 {
        fail(&mut pool, 1, "flash", Verdict::Unreached, NOW);
    }
    assert_eq!((view(&pool, 1, NOW).buckets, pool.trouble()), (vec![], None));

    fail(&mut pool, 2, "flash", Verdict::Unreached, NOW);
    fail(&mut pool, 3, "flash", Verdict::Faulty, NOW);

    assert_eq!(pool.trouble().unwrap().kind, TroubleKind::Faulty);
    assert_eq!(pool.budgets(NOW), []);
}

#[test]
fn what_returns_next_is_the_first_of_all_rests_and_a_lease_tells_its_model_until_it_ends() {
    let mut pool = pool(2);
    assert_eq!(pool.soonest_return(), None);
    fail(&mut pool, 1, "flash", Verdict::Cooling { wait_ms: 9_000 }, NOW);
    fail(&mut pool, 2, "pro", Verdict::Cooling { wait_ms: 7_000 }, NOW);
    assert_eq!(pool.soonest_return(), Some(NOW.plus_millis(7_000)));
    pool.tick(NOW.plus_millis(7_000));
    assert_eq!(pool.soonest_return(), Some(NOW.plus_millis(9_000)));

    let lease = pool.lease("flash", &[], NOW.plus_millis(8_000)).unwrap();
    assert_eq!(pool.leased_model(lease).map(|model| &**model), Some("flash"));
    pool.settle(lease, Verdict::Healthy, "", NOW.plus_millis(8_000));
    assert_eq!(pool.leased_model(lease), None);
}

#[test]
fn a_cooling_key_is_not_leased_before_its_time_and_serves_other_models() {
    let mut pool = pool(1);
    fail(&mut pool, 1, "flash", Verdict::Cooling { wait_ms: 7_000 }, NOW);
    let until = NOW.plus_millis(7_000);

    assert!(pool.lease("pro", &[], NOW).is_ok());
    assert_eq!(pool.lease("flash", &[], NOW), Err(Refusal::Resting { until }));
    assert!(pool.lease("flash", &[], Time::from_millis(until.as_millis() - 1)).is_err());
    assert!(pool.lease("flash", &[], until).is_ok());
}

#[test]
fn an_exhausted_bucket_rests_for_all_keys_of_its_project() {
    let mut pool = pool(3);
    pool.assign(KeyId(1), Some("north"), 0, NOW);
    pool.assign(KeyId(2), Some("north"), 0, NOW);
    let midnight = NOW.plus_millis(12_345_678);

    fail(&mut pool, 1, "flash", Verdict::ExhaustedUntil { until: midnight }, NOW);

    assert_eq!(state(&pool, 2, NOW), BucketState::ExhaustedUntil { until: midnight });
    assert_eq!(pool.lease("flash", &[], NOW).unwrap().key, KeyId(3));
}

#[test]
fn a_zero_quota_waits_for_an_admin() {
    let mut pool = pool(1);
    fail(&mut pool, 1, "flash", Verdict::NotEntitled, NOW);
    let in_a_year = NOW.plus_millis(365 * 24 * HOUR_MS);

    assert_eq!(pool.lease("flash", &[], in_a_year), Err(Refusal::NotEntitled));
    assert!(pool.reset(KeyId(1), in_a_year));
    assert!(pool.lease("flash", &[], in_a_year).is_ok());
}

#[test]
fn a_denied_model_rests_for_the_key_and_not_for_its_project() {
    let mut pool = pool(2);
    pool.assign(KeyId(1), Some("north"), 0, NOW);
    pool.assign(KeyId(2), Some("north"), 0, NOW);

    fail(&mut pool, 1, "flash", Verdict::ModelDenied, NOW);

    assert_eq!(state(&pool, 1, NOW), BucketState::ModelDenied);
    assert_eq!(pool.lease("flash", &[], NOW).unwrap().key, KeyId(2));
    assert_eq!(pool.lease_key(KeyId(1), "flash", NOW), Err(Refusal::NotEntitled));
}

#[test]
fn missing_credit_rests_the_whole_project_and_returns_by_time() {
    let mut pool = pool(2);
    pool.assign(KeyId(1), Some("north"), 0, NOW);
    pool.assign(KeyId(2), Some("north"), 0, NOW);
    let (first, late) = (lend(&mut pool, 1, NOW), lend(&mut pool, 2, NOW));
    pool.settle(first, Verdict::NoCredit, "prepayment credits", NOW);
    pool.settle(late, Verdict::NoCredit, "prepayment credits", NOW);

    let until = view(&pool, 2, NOW).no_credit.unwrap().until;

    within_a_tenth(until.millis_since(NOW), HOUR_MS);
    assert_eq!(view(&pool, 1, NOW).word(), "no_credit");
    assert_eq!(pool.lease("flash", &[], NOW), Err(Refusal::Resting { until }));
    fail(&mut pool, 1, "flash", Verdict::NoCredit, until);
    let again = view(&pool, 1, until).no_credit.unwrap();
    within_a_tenth(again.until.millis_since(until), 2 * HOUR_MS);
    fail(&mut pool, 1, "flash", Verdict::Healthy, again.until);
    assert_eq!(pool.budgets(again.until), []);
}

#[test]
fn an_invalid_key_is_probed_and_comes_back_when_a_probe_is_served() {
    let mut pool = pool(1);
    let lease = lend(&mut pool, 1, NOW);
    pool.settle(lease, Verdict::Invalid, "API key not found", NOW);

    let seen = view(&pool, 1, NOW);
    assert_eq!((seen.standing, seen.reason.as_str()), (Standing::Invalid, "API key not found"));
    assert_eq!(pool.lease("flash", &[], NOW), Err(Refusal::NoUsableKey));

    let first = pool.next_deadline().unwrap();
    within_a_tenth(first.millis_since(NOW), HOUR_MS);
    let probe = Probe { key: KeyId(1), model: None, purpose: ProbePurpose::Standing };
    assert_eq!(pool.probes_due(first, 9), std::slice::from_ref(&probe));
    assert_eq!(pool.probes_due(first, 9), [], "it is under way");
    pool.settle_probe(&probe, ProbeOutcome::Failed, first);
    let second = pool.next_deadline().unwrap();
    within_a_tenth(second.millis_since(first), 2 * HOUR_MS);
    assert_eq!(view(&pool, 1, first).since, NOW, "a failed probe changes nothing");

    pool.settle_probe(&probe, ProbeOutcome::Served, second);
    assert_eq!(view(&pool, 1, second).word(), "active");
    assert!(pool.lease("flash", &[], second).is_ok());
}

#[test]
fn a_suspended_key_keeps_its_reason_and_a_disabled_one_is_not_probed() {
    let mut pool = pool(1);
    let lease = lend(&mut pool, 1, NOW);
    pool.settle(lease, Verdict::Suspended, &"leaked ".repeat(200), NOW);
    pool.disable(KeyId(1), NOW);

    assert_eq!(view(&pool, 1, NOW).reason.chars().count(), 500);
    assert_eq!(view(&pool, 1, NOW).word(), "disabled");
    assert_eq!(pool.next_deadline(), None);
    pool.enable(KeyId(1), NOW);
    assert!(pool.next_deadline().is_some());
}

#[test]
fn a_thousand_blameless_failures_touch_nothing() {
    let mut pool = pool(3);
    for _ in 0..1_000 {
        let lease = pool.lease("flash", &[], NOW).unwrap();
        pool.settle(lease, Verdict::Blameless, "400", NOW);
    }

    assert_eq!(pool.counts(NOW).active, 3);
    assert_eq!(pool.budgets(NOW), []);
    assert_eq!(pool.take_changes(), []);
}

#[test]
fn when_all_keys_fail_alike_nobody_is_cooled_and_what_was_cooled_is_let_go() {
    let policy = Policy { failure_threshold: 1, ..Policy::default() };
    for (verdict, kind) in
        [(Verdict::Faulty, TroubleKind::Faulty), (Verdict::RateLimited, TroubleKind::RateLimited)]
    {
        let mut pool = pool_with(5, policy.clone());
        fail(&mut pool, 1, "flash", verdict, NOW);
        fail(&mut pool, 2, "flash", verdict, NOW);
        assert_eq!((pool.counts(NOW).resting, pool.trouble()), (2, None));

        for id in [3, 4, 5, 3, 4, 5] {
            fail(&mut pool, id, "flash", verdict, NOW);
        }

        assert_eq!(pool.trouble().unwrap().kind, kind);
        assert_eq!(pool.counts(NOW).resting, 0);
        assert_eq!(pool.budgets(NOW), []);
    }
}

#[test]
fn one_probe_per_interval_finds_the_end_of_the_trouble() {
    let mut pool = pool(3);
    for id in 1..=3 {
        fail(&mut pool, id, "flash", Verdict::Faulty, NOW);
    }

    let due = NOW.plus_millis(5_000);
    assert_eq!(pool.probes_due(NOW, 9), []);
    let probes = pool.probes_due(due, 9);
    assert_eq!(
        probes.iter().map(|probe| probe.purpose).collect::<Vec<_>>(),
        [ProbePurpose::Trouble]
    );
    assert_eq!(pool.probes_due(due, 9), []);
    pool.settle_probe(probes.first().unwrap(), ProbeOutcome::Served, due);

    assert_eq!(pool.trouble(), None);
    let changes = pool.take_changes();
    assert!(changes.iter().any(|change| matches!(change, Change::TroubleBegan(_))));
    assert!(changes.iter().any(|change| matches!(change, Change::TroubleEnded(_))));
}

#[test]
fn a_trouble_ends_when_nobody_tries_any_more() {
    let mut pool = pool(3);
    for id in 1..=3 {
        fail(&mut pool, id, "flash", Verdict::RateLimited, NOW);
    }

    pool.tick(NOW.plus_millis(9_999));
    assert!(pool.trouble().is_some());
    pool.tick(NOW.plus_millis(10_000));
    assert!(pool.trouble().is_none());
}

#[test]
fn a_bad_key_among_good_ones_is_cooled() {
    let mut pool = pool(3);
    for _ in 0..3 {
        fail(&mut pool, 1, "flash", Verdict::Faulty, NOW);
        fail(&mut pool, 2, "flash", Verdict::Healthy, NOW);
    }

    about(&state(&pool, 1, NOW), NOW, 300_000);
}

#[test]
fn a_late_return_changes_nothing() {
    let mut pool = pool(1);
    let stuck = lend(&mut pool, 1, NOW);
    assert_eq!(pool.overdue(NOW.plus_millis(300_000)), []);
    assert_eq!(pool.overdue(NOW.plus_millis(300_001)), [stuck]);
    assert!(pool.take_back(stuck, NOW));
    let lost = lend(&mut pool, 1, NOW);
    pool.remove(KeyId(1));
    pool.add(KeyRecord::new(KeyId(1), NOW), NOW);
    let current = lend(&mut pool, 1, NOW);

    for late in [stuck, lost] {
        assert!(!pool.settle(late, Verdict::Invalid, "late", NOW));
    }
    assert_eq!((view(&pool, 1, NOW).word(), view(&pool, 1, NOW).leases), ("active", 1));
    assert!(pool.settle(current, Verdict::Healthy, "", NOW));
}

#[test]
fn keys_are_chosen_by_tier_then_leases_then_last_use() {
    let mut pool = pool(4);
    pool.assign(KeyId(1), None, 1, NOW);
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(pool.lease("flash", &[], NOW).unwrap());
    }
    for index in [1, 0, 2] {
        pool.settle(*order.get(index).unwrap(), Verdict::Healthy, "", NOW);
    }

    let chosen: Vec<u64> = order.iter().map(|lease| lease.key.0).collect();
    assert_eq!(chosen, [2, 3, 4, 2], "the free ones first, however busy");
    assert_eq!(pool.lease("flash", &[], NOW).unwrap().key, KeyId(3));
    assert_eq!(pool.lease("flash", &[KeyId(4)], NOW).unwrap().key, KeyId(2));
}

#[test]
fn a_refusal_says_what_is_missing() {
    let mut pool = pool_with(2, Policy { key_concurrency_max: 1, ..Policy::default() });
    let (one, two) = (KeyId(1), KeyId(2));
    fail(&mut pool, 1, "flash", Verdict::Cooling { wait_ms: 7_000 }, NOW);
    let until = NOW.plus_millis(7_000);

    assert_eq!(pool.lease("flash", &[two], NOW), Err(Refusal::Exhausted { until: Some(until) }));
    assert_eq!(pool.lease("flash", &[one, two], NOW), Err(Refusal::Exhausted { until: None }));
    let lease = pool.lease("flash", &[one], NOW).unwrap();
    assert_eq!(pool.lease("flash", &[], NOW), Err(Refusal::Busy { until: Some(until) }));
    assert_eq!(pool.lease_key(two, "pro", NOW), Err(Refusal::Busy { until: None }));
    pool.settle(lease, Verdict::Cooling { wait_ms: 3_000 }, "", NOW);
    let sooner = NOW.plus_millis(3_000);
    assert_eq!(pool.lease("flash", &[one, two], NOW), Err(Refusal::Resting { until: sooner }));
    pool.disable(two, NOW);
    assert_eq!(pool.lease("flash", &[], NOW), Err(Refusal::Resting { until }));
    pool.disable(one, NOW);
    assert_eq!(pool.lease("flash", &[], NOW), Err(Refusal::NoUsableKey));
}

#[test]
fn a_cooled_bucket_proves_itself_if_the_policy_wants_it() {
    let policy = Policy { check_health_after_cool_down: true, ..Policy::default() };
    let mut pool = pool_with(1, policy);
    fail(&mut pool, 1, "flash", Verdict::Cooling { wait_ms: 7_000 }, NOW);
    let until = NOW.plus_millis(7_000);

    let served_at = until.plus_millis(15_000);
    assert_eq!(pool.lease("flash", &[], until), Err(Refusal::Resting { until: served_at }));
    assert_eq!(state(&pool, 1, until), BucketState::Proving);
    let probes = pool.probes_due(until, 9);
    let model = Some("flash".to_owned());
    assert_eq!(probes, [Probe { key: KeyId(1), model, purpose: ProbePurpose::Cooled }]);
    pool.settle_probe(probes.first().unwrap(), ProbeOutcome::Failed, until);
    assert_eq!(pool.next_deadline(), Some(until.plus_millis(5_000)));
    pool.settle_probe(probes.first().unwrap(), ProbeOutcome::Served, until);
    assert!(pool.lease("flash", &[], until).is_ok());
}

#[test]
fn a_restart_forgets_nothing_that_still_matters() {
    let mut before = pool(2);
    before.assign(KeyId(1), Some("north"), 0, NOW);
    let until = NOW.plus_millis(HOUR_MS);
    fail(&mut before, 1, "flash", Verdict::ExhaustedUntil { until }, NOW);
    fail(&mut before, 1, "pro", Verdict::ModelDenied, NOW);
    fail(&mut before, 1, "pro", Verdict::NoCredit, NOW);
    fail(&mut before, 2, "image", Verdict::RateLimited, NOW);

    let mut after = pool(2);
    after.assign(KeyId(1), Some("north"), 0, NOW);
    after.take_changes();
    for budget in before.budgets(NOW) {
        assert!(after.restore_budget(budget, NOW));
    }

    assert_eq!(after.budgets(NOW), before.budgets(NOW));
    assert_eq!(after.next_deadline(), before.next_deadline());
    after.take_changes();
    assert_eq!(after.take_changes(), [], "what came from the store is no change");
}

#[test]
fn a_budget_that_nobody_draws_on_is_not_restored() {
    let mut pool = pool(1);
    let no_credit = Some(NoCredit { until: NOW.plus_millis(9), level: 1 });
    let scope = Scope::Project("gone".to_owned());

    assert!(!pool.restore_budget(BudgetRecord { scope, no_credit, buckets: Vec::new() }, NOW));
    assert_eq!(pool.budgets(NOW), []);
}

#[test]
fn changes_tell_the_whole_new_state_once() {
    let mut pool = pool(1);
    fail(&mut pool, 1, "flash", Verdict::Faulty, NOW);
    fail(&mut pool, 1, "flash", Verdict::Faulty, NOW);

    let bucket = BucketRecord {
        model: "flash".to_owned(),
        state: BucketState::Ready,
        level: 0,
        failures: 2,
    };
    assert_eq!(pool.take_changes(), [Change::Bucket { scope: Scope::Key(KeyId(1)), bucket }]);
    assert_eq!(pool.take_changes(), []);
}

#[test]
fn callers_who_name_endless_models_do_not_fill_the_memory() {
    let mut pool = pool(1);
    fail(&mut pool, 1, "flash", Verdict::NotEntitled, NOW);
    for number in 0..1_000 {
        fail(&mut pool, 1, &format!("made-up-{number}"), Verdict::Faulty, NOW);
    }

    let known = view(&pool, 1, NOW).buckets;

    assert!(known.len() <= 256, "{} models", known.len());
    assert!(known.iter().any(|bucket| bucket.model == "flash"), "a rest is not forgotten");
    fail(&mut pool, 1, &"long".repeat(100), Verdict::NotEntitled, NOW);
    assert!(view(&pool, 1, NOW).buckets.iter().all(|bucket| bucket.model.len() <= 256));
}

#[test]
fn a_key_that_changes_its_project_leaves_its_budget_behind() {
    let mut pool = pool(2);
    pool.assign(KeyId(1), Some("north"), 0, NOW);
    pool.assign(KeyId(2), Some("north"), 0, NOW);
    fail(&mut pool, 1, "flash", Verdict::NotEntitled, NOW);

    pool.assign(KeyId(1), None, 0, NOW);

    assert!(pool.lease_key(KeyId(1), "flash", NOW).is_ok());
    assert_eq!(pool.lease_key(KeyId(2), "flash", NOW), Err(Refusal::NotEntitled));
    pool.remove(KeyId(2));
    assert_eq!(pool.budgets(NOW), []);
}

#[test]
fn what_a_key_has_made_is_served_by_its_project_alone() {
    let mut pool = pool(4);
    pool.assign(KeyId(1), Some("north"), 0, NOW);
    pool.assign(KeyId(2), Some("north"), 0, NOW);
    let north = pool.kin(KeyId(1)).unwrap();
    let lone = pool.kin(KeyId(3)).unwrap();
    let key = |lease: Result<LeaseId, Refusal>| lease.map(|lease| lease.key.0);

    assert_eq!(key(pool.lease_kin(&north, "flash", &[], NOW)), Ok(1));
    assert_eq!(key(pool.lease_kin(&north, "flash", &[], NOW)), Ok(2));
    assert_eq!(key(pool.lease_kin(&north, "flash", &[KeyId(1)], NOW)), Ok(2));
    assert_eq!(key(pool.lease_kin(&lone, "flash", &[], NOW)), Ok(3));
    let tried = pool.lease_kin(&lone, "flash", &[KeyId(3)], NOW);
    assert_eq!(tried, Err(Refusal::Exhausted { until: None }));
    pool.remove(KeyId(1));
    assert_eq!(key(pool.lease_kin(&north, "flash", &[], NOW)), Ok(2), "its label is remembered");
    pool.remove(KeyId(3));
    assert_eq!(pool.lease_kin(&lone, "flash", &[], NOW), Err(Refusal::NoUsableKey));
}

#[test]
fn a_kin_that_rests_says_when_it_returns_and_no_other_key_takes_its_place() {
    let mut pool = pool(2);
    let kin = pool.kin(KeyId(1)).unwrap();
    fail(&mut pool, 1, "flash", Verdict::Cooling { wait_ms: 40_000 }, NOW);

    let until = NOW.plus_millis(40_000);
    let refused = pool.lease_kin(&kin, "flash", &[], NOW);

    assert_eq!(refused, Err(Refusal::Resting { until }));
    assert_eq!(pool.next_return_of_kin(&kin, "flash", &[], NOW), Some(until));
    assert_eq!(pool.lease_kin(&kin, "pro", &[], NOW).map(|lease| lease.key), Ok(KeyId(1)));
    assert!(pool.lease_kin(&kin, "flash", &[], until).is_ok());
    pool.disable(KeyId(1), until);
    assert_eq!(pool.lease_kin(&kin, "flash", &[], until), Err(Refusal::NoUsableKey));
}

fn pool(keys: u64) -> Pool {
    pool_with(keys, Policy::default())
}

fn pool_with(keys: u64, policy: Policy) -> Pool {
    let mut pool = Pool::new(policy, 1);
    for id in 1..=keys {
        pool.add(KeyRecord::new(KeyId(id), NOW), NOW);
    }
    pool
}

fn lend(pool: &mut Pool, id: u64, now: Time) -> LeaseId {
    pool.lease_key(KeyId(id), "flash", now).unwrap()
}

/// One attempt with the key; what the pool would not lend teaches nothing.
fn fail(pool: &mut Pool, id: u64, model: &str, verdict: Verdict, now: Time) {
    if let Ok(lease) = pool.lease_key(KeyId(id), model, now) {
        assert!(pool.settle(lease, verdict, "", now));
    }
}

fn view(pool: &Pool, id: u64, now: Time) -> KeyView {
    pool.view(KeyId(id), now).unwrap()
}

/// The state of the bucket for "flash".
fn state(pool: &Pool, id: u64, now: Time) -> BucketState {
    let buckets = view(pool, id, now).buckets;
    let bucket = buckets.into_iter().find(|bucket| bucket.model == "flash");
    bucket.map_or(BucketState::Ready, |bucket| bucket.state)
}

/// The end of a cool-down that began at `now`.
fn about(state: &BucketState, now: Time, expected_ms: u64) -> Time {
    let BucketState::Cooling { until, .. } = state else { panic!("{state:?}") };
    within_a_tenth(until.millis_since(now), expected_ms);
    *until
}

fn within_a_tenth(wait_ms: u64, expected_ms: u64) {
    let tenth = expected_ms / 10;
    let is_near = expected_ms - tenth <= wait_ms && wait_ms <= expected_ms + tenth;
    assert!(is_near, "{wait_ms} ms is not {expected_ms} ms");
}
