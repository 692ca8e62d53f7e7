//! The pool as people see it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::bucket::Bucket;
use crate::budget::{BucketRecord, BudgetRecord, NoCredit, Owner};
use crate::key::{Key, KeyId, KeyRecord, ProbePlan, Standing};
use crate::roster::Roster;
use crate::time::Time;

/// One key with everything that bears on it. What it shares with its project is repeated for each key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// The key's name.
    pub id: KeyId,
    /// The project whose budget it shares.
    pub project: Option<String>,
    /// Lower tiers serve first.
    pub tier: u8,
    /// False if an admin has switched it off.
    pub is_enabled: bool,
    /// What the upstream thinks of it.
    pub standing: Standing,
    /// Since when it stands like this.
    pub since: Time,
    /// Why it is not active; empty for an active key.
    pub reason: String,
    /// When it is probed next, if the upstream has turned it away.
    pub probe: Option<ProbePlan>,
    /// The rest for lack of credit that is in force for its budget.
    pub no_credit: Option<NoCredit>,
    /// Leases that are out.
    pub leases: u32,
    /// When it was last leased.
    pub last_used: Option<Time>,
    /// Every model for which its bucket rests or counts something, by the model's name.
    pub buckets: Vec<BucketRecord>,
}

impl KeyView {
    /// The word for the key's state: the first that applies, from the admin's word to the upstream's.
    pub fn word(&self) -> &'static str {
        match self.standing {
            _ if !self.is_enabled => "disabled",
            Standing::Invalid => "invalid",
            Standing::Suspended => "suspended",
            Standing::Active if self.no_credit.is_some() => "no_credit",
            Standing::Active => "active",
        }
    }
}

impl From<KeyView> for KeyRecord {
    /// What the store remembers of the key.
    fn from(view: KeyView) -> Self {
        let KeyView { id, project, tier, is_enabled, standing, since, reason, probe, .. } = view;
        Self { id, project, tier, is_enabled, standing, since, reason, probe }
    }
}

/// How many keys are in which state. Each key counts in exactly one of `active`, `disabled`, `invalid`,
/// `suspended` and `no_credit`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All keys.
    pub total: usize,
    /// Keys that may serve.
    pub active: usize,
    /// Active keys that rest for at least one model.
    pub resting: usize,
    /// Keys with a lease out.
    pub in_use: usize,
    /// Leases that are out.
    pub leases: usize,
    /// Keys the upstream does not know.
    pub invalid: usize,
    /// Keys the upstream has locked.
    pub suspended: usize,
    /// Keys without credit.
    pub no_credit: usize,
    /// Keys that an admin has switched off.
    pub disabled: usize,
}

/// Buckets of one owner, by the model's name.
type Buckets = Vec<(Arc<str>, Bucket)>;
/// Buckets as one key meets them.
type Seen<'a> = BTreeMap<&'a Arc<str>, Bucket>;

pub(crate) fn of_key(roster: &Roster, id: KeyId, now: Time) -> Option<KeyView> {
    let key = roster.keys().get(&id)?;
    let shared = roster.models().buckets_of(&key.owner(id));
    let own = roster.models().buckets_of(&Owner::Key(id));
    Some(view(roster, id, key, seen(&shared, &own), now))
}

pub(crate) fn of_keys(roster: &Roster, now: Time) -> Vec<KeyView> {
    let buckets = by_owner(roster);
    let of_owner = |owner: &Owner| buckets.get(owner).map_or(&[][..], Vec::as_slice);
    let mut views: Vec<KeyView> = roster
        .keys()
        .iter()
        .map(|(id, key)| {
            let (shared, own) = (of_owner(&key.owner(*id)), of_owner(&Owner::Key(*id)));
            view(roster, *id, key, seen(shared, own), now)
        })
        .collect();
    views.sort_unstable_by_key(|view| view.id);
    views
}

pub(crate) fn of_budgets(roster: &Roster, now: Time) -> Vec<BudgetRecord> {
    let now = now.max(roster.now());
    let mut buckets = by_owner(roster);
    for owner in roster.credits().keys() {
        buckets.entry(owner).or_default();
    }
    let mut budgets: Vec<BudgetRecord> = buckets
        .into_iter()
        .map(|(owner, buckets)| BudgetRecord {
            scope: owner.scope(),
            no_credit: roster.credit(owner),
            buckets: records(buckets.iter().map(|(model, bucket)| (model, *bucket)), now),
        })
        .collect();
    budgets.sort_unstable_by(|a, b| a.scope.cmp(&b.scope));
    budgets
}

pub(crate) fn count(roster: &Roster, now: Time) -> Counts {
    let now = now.max(roster.now());
    let resting: HashSet<&Owner> = roster
        .models()
        .iter()
        .filter(|(_, _, bucket)| bucket.rests_at(now))
        .map(|(_, owner, _)| owner)
        .collect();
    let mut counts = Counts::default();
    for (id, key) in roster.keys() {
        let owner = key.owner(*id);
        counts.total += 1;
        counts.in_use += usize::from(0 < key.leases);
        match key.standing {
            _ if !key.is_enabled => counts.disabled += 1,
            Standing::Invalid => counts.invalid += 1,
            Standing::Suspended => counts.suspended += 1,
            Standing::Active if lacking_credit(roster, &owner, now).is_some() => {
                counts.no_credit += 1;
            }
            Standing::Active => {
                let rests = resting.contains(&owner) || resting.contains(&Owner::Key(*id));
                counts.active += 1;
                counts.resting += usize::from(rests);
            }
        }
    }
    counts
}

fn view(roster: &Roster, id: KeyId, key: &Key, buckets: Seen<'_>, now: Time) -> KeyView {
    let now = now.max(roster.now());
    let record = key.record(id);
    KeyView {
        id,
        project: record.project,
        tier: record.tier,
        is_enabled: record.is_enabled,
        standing: record.standing,
        since: record.since,
        reason: record.reason,
        probe: record.probe,
        no_credit: lacking_credit(roster, &key.owner(id), now),
        leases: key.leases,
        last_used: key.last_used,
        buckets: records(buckets, now),
    }
}

/// The buckets of a key's budget, and over them what the key itself was denied.
fn seen<'a>(shared: &'a [(Arc<str>, Bucket)], own: &'a [(Arc<str>, Bucket)]) -> Seen<'a> {
    let mut seen: Seen<'_> = shared.iter().map(|(model, bucket)| (model, *bucket)).collect();
    for (model, _) in own.iter().filter(|(_, bucket)| bucket.is_denied()) {
        let bucket = seen.entry(model).or_default();
        *bucket = bucket.denied();
    }
    seen
}

/// What there is to tell about buckets; one whose rest is over and that counts nothing is not told.
fn records<'a>(
    buckets: impl IntoIterator<Item = (&'a Arc<str>, Bucket)>,
    now: Time,
) -> Vec<BucketRecord> {
    buckets
        .into_iter()
        .filter(|(_, bucket)| !bucket.settled(now).is_blank())
        .map(|(model, bucket)| bucket.record(model, now))
        .collect()
}

fn by_owner(roster: &Roster) -> HashMap<&Owner, Buckets> {
    let mut by_owner: HashMap<&Owner, Buckets> = HashMap::new();
    for (model, owner, bucket) in roster.models().iter() {
        by_owner.entry(owner).or_default().push((Arc::clone(model), bucket));
    }
    by_owner
}

fn lacking_credit(roster: &Roster, owner: &Owner, now: Time) -> Option<NoCredit> {
    roster.credit(owner).filter(|credit| now < credit.until)
}
