//! What has changed in the pool, told as events to whoever has a page open.
//!
//! One event for all that has gathered, so that thousands of keys that change together are one
//! message. What returns by time alone is not told: `until` has said it before.

use keypool::{BucketRecord, Change, KeyId, NoCredit, Scope, Time, TroubleKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::events::{Events, Topic};
use crate::moment::Moment;
use crate::pool::KeyPool;

/// Changes that are told one by one; of more it is only told that there are.
const CHANGES_MAX: usize = 200;

/// What has changed in the pool; the data of the event `pool`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct PoolNews {
    /// More has changed than is told one by one: whoever shows keys reads them anew.
    is_reload: bool,
    /// Keys whose own state has changed, as they stand.
    keys: Vec<KeyNews>,
    /// Buckets that have changed, as they stand.
    buckets: Vec<BucketNews>,
    /// Projects that lack credit, or no longer do.
    projects: Vec<ProjectNews>,
}

/// How a service key stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyNews {
    /// The key.
    key_identifier: String,
    /// `active`, `invalid`, `suspended`, `no_credit` or `disabled`.
    state: &'static str,
    /// The upstream's words for why it may not serve.
    reason: String,
    /// Since when its state holds.
    since: Moment,
    /// When the upstream is asked again about a key that it has turned away.
    next_probe_at: Option<Moment>,
    /// Until when it rests for lack of credit.
    no_credit_until: Option<Moment>,
    /// False if an admin has switched it off.
    enabled: bool,
}

/// How a bucket stands. It belongs either to one key or to all keys of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct BucketNews {
    /// The key whose bucket it is.
    key_identifier: Option<String>,
    /// The project whose bucket it is.
    project: Option<String>,
    /// The model.
    model: String,
    /// `ready`, `cooling`, `exhausted_today`, `not_entitled`, `model_denied` or `proving`.
    state: &'static str,
    /// When it serves again, as far as that is known.
    until: Option<Moment>,
    /// How many rests came in a row.
    level: u32,
    /// Upstream faults in a row.
    failures: u32,
}

/// How the credit of a project stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectNews {
    /// The project.
    project: String,
    /// Until when its keys rest; `null` if they need not.
    no_credit_until: Option<Moment>,
}

/// What many keys share; the data of the event `trouble`.
#[derive(Debug, Serialize, ToSchema)]
pub struct TroubleNews {
    /// `faulty`: the upstream or the way to it fails. `rate_limited`: it refuses the gateway as a
    /// whole. `null`: it serves again.
    kind: Option<&'static str>,
}

/// Tells changes.
pub(super) fn tell(events: &Events, pool: &KeyPool, changes: &[Change]) {
    for change in changes {
        match change {
            Change::TroubleBegan(trouble) => {
                let kind = Some(word(trouble.kind));
                events.tell(Topic::Trouble, &TroubleNews { kind });
            }
            Change::TroubleEnded(_) => events.tell(Topic::Trouble, &TroubleNews { kind: None }),
            Change::Key(_)
            | Change::Credit { .. }
            | Change::Bucket { .. }
            | Change::LeaseTakenBack(_)
            | Change::Overflowed => {}
        }
    }
    let news = if changes.len() <= CHANGES_MAX {
        PoolNews::of(pool, changes)
    } else {
        PoolNews { is_reload: true, ..PoolNews::default() }
    };
    if !news.is_empty() {
        events.tell(Topic::Pool, &news);
    }
}

impl PoolNews {
    fn of(pool: &KeyPool, changes: &[Change]) -> Self {
        let mut news = Self::default();
        for change in changes {
            match change {
                Change::Key(record) => news.keys.extend(KeyNews::of(pool, record.id)),
                Change::Credit { scope: Scope::Key(id), .. } => {
                    news.keys.extend(KeyNews::of(pool, *id));
                }
                Change::Credit { scope: Scope::Project(label), no_credit } => {
                    news.projects.push(ProjectNews {
                        project: label.clone(),
                        no_credit_until: rest(pool, *no_credit),
                    });
                }
                Change::Bucket { scope, bucket } => {
                    news.buckets.push(BucketNews::of(pool, scope, bucket));
                }
                Change::Overflowed => news.is_reload = true,
                Change::TroubleBegan(_) | Change::TroubleEnded(_) | Change::LeaseTakenBack(_) => {}
            }
        }
        news
    }

    fn is_empty(&self) -> bool {
        let Self { is_reload, keys, buckets, projects } = self;
        !is_reload && keys.is_empty() && buckets.is_empty() && projects.is_empty()
    }
}

impl KeyNews {
    /// `None` for a key that has gone meanwhile.
    fn of(pool: &KeyPool, id: KeyId) -> Option<Self> {
        let (key, view) = (pool.key(id)?, pool.view(id)?);
        Some(Self {
            key_identifier: key.identifier.clone(),
            state: view.word(),
            since: moment(pool, view.since),
            next_probe_at: view.probe.map(|plan| moment(pool, plan.at)),
            no_credit_until: view.no_credit.map(|rest| moment(pool, rest.until)),
            enabled: view.is_enabled,
            reason: view.reason,
        })
    }
}

impl BucketNews {
    fn of(pool: &KeyPool, scope: &Scope, bucket: &BucketRecord) -> Self {
        let (key, project) = match scope {
            Scope::Key(id) => (pool.key(*id), None),
            Scope::Project(label) => (None, Some(label.clone())),
        };
        Self {
            key_identifier: key.map(|key| key.identifier.clone()),
            project,
            model: bucket.model.clone(),
            state: bucket.state.word(),
            until: bucket.state.until().map(|until| moment(pool, until)),
            level: bucket.level,
            failures: bucket.failures,
        }
    }
}

fn word(kind: TroubleKind) -> &'static str {
    match kind {
        TroubleKind::Faulty => "faulty",
        TroubleKind::RateLimited => "rate_limited",
    }
}

/// The end of a rest that is in force.
fn rest(pool: &KeyPool, no_credit: Option<NoCredit>) -> Option<Moment> {
    let in_force = no_credit.filter(|rest| pool.now() < rest.until);
    in_force.map(|rest| moment(pool, rest.until))
}

fn moment(pool: &KeyPool, at: Time) -> Moment {
    Moment::from_ms(i64::try_from(pool.wall_of_time(at)).unwrap_or(i64::MAX))
}
