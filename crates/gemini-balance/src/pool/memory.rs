//! What outlives the process: the pool's states as the store keeps them.
//!
//! The pool lives on a line of time that never jumps; the store keeps wall time. A rest that was
//! stored lasts until the same wall time, however long the process was away, and never longer
//! than the pool's own caps allow.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use keypool::{
    BucketRecord, BucketState, BudgetRecord, Change, KeyId, KeyRecord, NoCredit, ProbePlan, Scope,
    Standing, Time,
};

use crate::events::Events;
use crate::pool::announce::announce;
use crate::pool::{KeyPool, ServiceKey, news};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::pool_state::{Budget, BudgetScope, PoolChanges};
use crate::store::service_keys::{self, Standing as StoredStanding};
use crate::vault::Vault;

/// Service keys read in one go.
const PAGE: u32 = 1_000;
/// The longest rest that is believed after a restart: a clock that was wrong must not keep a
/// bucket away for longer than any rest may last.
const REST_MS_MAX: u64 = 25 * 60 * 60 * 1_000;
/// The name under which the credit of a budget is stored among its models.
const CREDIT: &str = "";
/// The stored word for a budget without credit.
const NO_CREDIT: &str = "no_credit";

/// Changes that the store does not have yet, the latest of each thing.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    standings: HashMap<i64, StoredStanding>,
    buckets: HashMap<(BudgetScope, String), Option<Budget>>,
}

/// Fills the pool with what the store remembers.
///
/// A key whose secret does not open stays out of the pool: the others serve, and the log and the
/// list of keys say which one it is.
///
/// # Errors
///
/// The store cannot be read.
pub async fn load(pool: &Arc<KeyPool>, store: &Store, vault: &Vault) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let page = store.service_keys(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        let keys = page.iter().filter_map(|row| pool.revive(row, vault)).collect();
        pool.add_all(keys);
    }
    let mut forgotten_budgets = Vec::new();
    for record in pool.budgets_of(store.budgets().await?) {
        let scope = stored_scope(record.scope.clone());
        let models: Vec<_> = record.buckets.iter().map(|bucket| bucket.model.clone()).collect();
        if !pool.restore_budget(record) {
            // Its keys are gone; another key must not inherit it by chance.
            let models = models.into_iter().chain([CREDIT.to_owned()]);
            forgotten_budgets.extend(models.map(|model| (scope.clone(), model)));
        }
    }
    if !forgotten_budgets.is_empty() {
        let changes = PoolChanges { forgotten_budgets, ..PoolChanges::default() };
        store.save_pool_changes(changes).await?;
    }
    Ok(())
}

/// Brings keys in that were entered into the store by an import, with what is remembered of them.
///
/// # Errors
///
/// The store cannot be read.
pub async fn take_in(
    pool: &Arc<KeyPool>,
    store: &Store,
    vault: &Vault,
    ids: &[i64],
) -> Result<(), StoreError> {
    let wanted: HashSet<i64> = ids.iter().copied().collect();
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(());
    };
    let mut after = first.saturating_sub(1);
    while after < *last {
        let page = store.service_keys(after, PAGE).await?;
        let Some(end) = page.last() else { break };
        after = end.id;
        let rows = page.iter().filter(|row| wanted.contains(&row.id));
        pool.add_all(rows.filter_map(|row| pool.revive(row, vault)).collect());
    }
    for record in pool.budgets_of(store.budgets().await?) {
        let is_wanted = match stored_scope(record.scope.clone()) {
            BudgetScope::Key(id) => wanted.contains(&id),
            BudgetScope::Project(_) => false,
        };
        if is_wanted {
            pool.restore_budget(record);
        }
    }
    Ok(())
}

/// What a service key's secret is sealed for: it opens in no other row.
pub fn seal_context(fingerprint: &[u8; 32]) -> Vec<u8> {
    [b"service key ".as_slice(), fingerprint].concat()
}

impl KeyPool {
    /// From here on changes are told as events.
    pub fn tell_to(&self, events: Events) {
        self.teller.tell_to(events);
    }

    /// A stored key as the pool takes it; `None` if its secret does not open.
    pub fn revive(
        &self,
        row: &service_keys::ServiceKey,
        vault: &Vault,
    ) -> Option<(ServiceKey, KeyRecord)> {
        let Ok(secret) = vault.unseal(&seal_context(&row.fingerprint), &row.sealed) else {
            tracing::error!(
                key.id = %row.key_identifier,
                "a service key cannot be decrypted and is left out; delete it and add it again"
            );
            return None;
        };
        let id = KeyId(row.id.cast_unsigned());
        let key = ServiceKey {
            id,
            brief: row.brief.clone(),
            identifier: row.key_identifier.clone(),
            secret,
        };
        Some((key, self.record_of(id, row)))
    }

    fn record_of(&self, id: KeyId, row: &service_keys::ServiceKey) -> KeyRecord {
        let stored = &row.standing;
        let standing = match stored.name.as_str() {
            "invalid" => Standing::Invalid,
            "suspended" => Standing::Suspended,
            _ => Standing::Active,
        };
        KeyRecord {
            id,
            project: Some(row.project.clone()).filter(|label| !label.is_empty()),
            tier: u8::try_from(row.tier.clamp(0, 255)).unwrap_or(u8::MAX),
            is_enabled: row.is_enabled,
            standing,
            since: stored.since_ms.map_or(self.now(), |at| self.time_of_stored(at)),
            reason: stored.reason.clone(),
            probe: stored
                .probe_at_ms
                .map(|at| ProbePlan { at: self.rest_until(at), turn: stored.probe_level.max(1) }),
        }
    }

    fn budgets_of(&self, stored: Vec<Budget>) -> Vec<BudgetRecord> {
        let mut budgets: HashMap<BudgetScope, BudgetRecord> = HashMap::new();
        for row in stored {
            let record = budgets.entry(row.scope.clone()).or_insert_with(|| BudgetRecord {
                scope: pool_scope(&row.scope),
                no_credit: None,
                buckets: Vec::new(),
            });
            let until = row.until_ms.map_or(self.now(), |at| self.rest_until(at));
            if row.model == CREDIT {
                record.no_credit = Some(NoCredit { until, level: row.level });
                continue;
            }
            let state = match row.state.as_str() {
                "cooling" => BucketState::Cooling { until, level: row.level },
                "exhausted_today" => BucketState::ExhaustedUntil { until },
                "not_entitled" => BucketState::NotEntitled,
                "model_denied" => BucketState::ModelDenied,
                "proving" => BucketState::Proving,
                _ => BucketState::Ready,
            };
            record.buckets.push(BucketRecord {
                model: row.model,
                state,
                level: row.level,
                failures: row.failures,
            });
        }
        budgets.into_values().collect()
    }

    /// Writes everything that the store does not have yet; `is_command` when an admin waits for
    /// it to be durable.
    ///
    /// # Errors
    ///
    /// The store's; what was not written stays unsaved and is written with the next call.
    async fn save(&self, store: &Store, is_command: bool) -> Result<(), StoreError> {
        let mut unsaved = self.unsaved.lock().await;
        for change in self.take_changes() {
            self.note(&mut unsaved, change);
        }
        let changes = unsaved.as_changes();
        if is_command {
            store.save_pool_command(changes).await?;
        } else {
            store.save_pool_changes(changes).await?;
        }
        *unsaved = Unsaved::default();
        Ok(())
    }

    /// Writes what the pool has learnt by itself.
    ///
    /// # Errors
    ///
    /// As any write of the store.
    pub(super) async fn save_learnt(&self, store: &Store) -> Result<(), StoreError> {
        self.save(store, false).await
    }

    /// Makes an admin's command durable before it is answered.
    ///
    /// # Errors
    ///
    /// As any write of the store; the command is in force all the same, until a restart.
    pub async fn save_command(&self, store: &Store) -> Result<(), StoreError> {
        self.save(store, true).await
    }

    /// Takes what has changed since the last call, and tells it to people.
    fn take_changes(&self) -> Vec<Change> {
        let changes = self.state.lock().pool.take_changes();
        for change in &changes {
            announce(self, change);
        }
        if let Some(events) = self.teller.events() {
            news::tell(events, self, &changes);
        }
        changes
    }

    fn note(&self, unsaved: &mut Unsaved, change: Change) {
        match change {
            Change::Key(record) => unsaved.note_key(self, record),
            Change::Credit { scope, no_credit } => {
                let scope = stored_scope(scope);
                let budget = no_credit.map(|rest| self.credit_row(scope.clone(), rest));
                unsaved.buckets.insert((scope, CREDIT.to_owned()), budget);
            }
            Change::Bucket { scope, bucket } => {
                let scope = stored_scope(scope);
                let model = bucket.model.clone();
                let budget = self.bucket_row(scope.clone(), bucket);
                unsaved.buckets.insert((scope, model), budget);
            }
            Change::Overflowed => self.note_everything(unsaved),
            Change::TroubleBegan(_) | Change::TroubleEnded(_) | Change::LeaseTakenBack(_) => {}
        }
    }

    fn note_everything(&self, unsaved: &mut Unsaved) {
        let (records, budgets) = self.snapshot();
        for record in records {
            unsaved.note_key(self, record);
        }
        for budget in budgets {
            let scope = stored_scope(budget.scope);
            for bucket in budget.buckets {
                let model = bucket.model.clone();
                let row = self.bucket_row(scope.clone(), bucket);
                unsaved.buckets.insert((scope.clone(), model), row);
            }
            let credit = budget.no_credit.map(|rest| self.credit_row(scope.clone(), rest));
            unsaved.buckets.insert((scope, CREDIT.to_owned()), credit);
        }
    }

    /// Everything that is known, for the store.
    fn snapshot(&self) -> (Vec<KeyRecord>, Vec<BudgetRecord>) {
        let now = self.now();
        let state = self.state.lock();
        let records = state.pool.views(now).into_iter().map(KeyRecord::from).collect();
        (records, state.pool.budgets(now))
    }

    fn credit_row(&self, scope: BudgetScope, rest: NoCredit) -> Budget {
        Budget {
            scope,
            model: CREDIT.to_owned(),
            state: NO_CREDIT.to_owned(),
            until_ms: Some(self.stored_time(rest.until)),
            level: rest.level,
            failures: 0,
            reason: String::new(),
            updated_at_ms: self.stored_time(self.now()),
        }
    }

    /// `None` for a bucket that has nothing to remember.
    fn bucket_row(&self, scope: BudgetScope, bucket: BucketRecord) -> Option<Budget> {
        let is_blank =
            bucket.state == BucketState::Ready && bucket.level == 0 && bucket.failures == 0;
        (!is_blank).then(|| Budget {
            scope,
            state: bucket.state.word().to_owned(),
            until_ms: bucket.state.until().map(|until| self.stored_time(until)),
            model: bucket.model,
            level: bucket.level,
            failures: bucket.failures,
            reason: String::new(),
            updated_at_ms: self.stored_time(self.now()),
        })
    }

    fn stored_time(&self, at: Time) -> i64 {
        i64::try_from(self.wall_of_time(at)).unwrap_or(i64::MAX)
    }

    fn time_of_stored(&self, at_ms: i64) -> Time {
        self.time_of_wall(u64::try_from(at_ms).unwrap_or(0))
    }

    /// The end of a stored rest, bounded against a clock that was wrong.
    fn rest_until(&self, at_ms: i64) -> Time {
        self.time_of_stored(at_ms).min(self.now().plus_millis(REST_MS_MAX))
    }
}

impl Unsaved {
    fn note_key(&mut self, pool: &KeyPool, record: KeyRecord) {
        let name = match record.standing {
            Standing::Active => "active",
            Standing::Invalid => "invalid",
            Standing::Suspended => "suspended",
        };
        let standing = StoredStanding {
            name: name.to_owned(),
            since_ms: Some(pool.stored_time(record.since)),
            reason: record.reason,
            probe_level: record.probe.map_or(0, |plan| plan.turn),
            probe_at_ms: record.probe.map(|plan| pool.stored_time(plan.at)),
        };
        self.standings.insert(record.id.0.cast_signed(), standing);
    }

    fn as_changes(&self) -> PoolChanges {
        let standings = self.standings.iter().map(|(id, row)| (*id, row.clone())).collect();
        let mut changes = PoolChanges { standings, ..PoolChanges::default() };
        for (name, bucket) in &self.buckets {
            match bucket {
                Some(budget) => changes.budgets.push(budget.clone()),
                None => changes.forgotten_budgets.push(name.clone()),
            }
        }
        changes
    }
}

fn pool_scope(scope: &BudgetScope) -> Scope {
    match scope {
        BudgetScope::Key(id) => Scope::Key(KeyId(id.cast_unsigned())),
        BudgetScope::Project(label) => Scope::Project(label.clone()),
    }
}

fn stored_scope(scope: Scope) -> BudgetScope {
    match scope {
        Scope::Key(id) => BudgetScope::Key(id.0.cast_signed()),
        Scope::Project(label) => BudgetScope::Project(label),
    }
}
