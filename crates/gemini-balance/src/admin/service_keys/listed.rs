//! A service key as the store has it, together with what the pool knows of it.

use std::collections::HashMap;

use keypool::{BucketRecord, KeyId, KeyView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::ApiError;
use crate::app::App;
use crate::moment::Moment;
use crate::pool::KeyPool;
use crate::store::series::Amount;
use crate::store::service_keys::{PartByAge, ServiceKey as Row};

/// Rows read in one go.
const ROWS_PER_READ: u32 = 1_000;

/// A stored key and its place in the pool.
#[derive(Debug)]
pub(super) struct Listed {
    /// What is stored.
    pub(super) row: Row,
    /// What the pool sees; `None` if the secret did not open and the key is not in it.
    pub(super) view: Option<KeyView>,
}

/// The state of a service key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyState {
    /// It may serve.
    Active,
    /// The upstream does not know it.
    Invalid,
    /// The upstream has locked it.
    Suspended,
    /// Its project has no credit left.
    NoCredit,
    /// An admin has switched it off.
    Disabled,
    /// Its secret cannot be decrypted: delete it and add it again.
    Unreadable,
}

/// A service key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServiceKey {
    /// Its number in the log and the statistics.
    service_key_id: i64,
    /// Names the key in paths and in the log.
    key_identifier: String,
    /// First and last characters of the key.
    key_brief: String,
    /// Whether it may serve, and why not.
    state: KeyState,
    /// The upstream's words for why it may not.
    reason: String,
    /// Since when its state holds.
    since: Option<Moment>,
    /// When the upstream is asked again about a key that it has turned away.
    next_probe_at: Option<Moment>,
    /// Until when it rests for lack of credit.
    no_credit_until: Option<Moment>,
    /// False if an admin has switched it off.
    enabled: bool,
    /// The label of the project whose quota it shares; empty if it is alone.
    project: String,
    /// Keys of a lower tier serve first.
    tier: i64,
    /// A note of the admin.
    note: String,
    /// Words of the admin to find it by.
    tags: Vec<String>,
    /// Requests that use it at this moment.
    in_use: u32,
    /// The models for which it rests or counts something.
    buckets: Vec<Bucket>,
    /// When it was added.
    created_at: Moment,
    /// When it was last used.
    last_used_at: Option<Moment>,
    /// What it did in the last 24 hours; `null` if that was not asked for.
    last_day: Option<Amount>,
}

/// How a key stands with one model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bucket {
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

impl Listed {
    /// All keys, by age.
    pub(super) async fn all(app: &App) -> Result<Vec<Self>, ApiError> {
        let rows = rows(app).await?;
        let views = app.pool.views().into_iter().map(|(_, view)| (view.id, view));
        let mut views: HashMap<KeyId, KeyView> = views.collect();
        let listed = rows.into_iter().map(|row| Self { view: views.remove(&id_of(&row)), row });
        Ok(listed.collect())
    }

    /// Some of all keys by age, and how many there are: without reading the others.
    pub(super) async fn part(app: &App, part: PartByAge) -> Result<(Vec<Self>, usize), ApiError> {
        let (rows, total) = app.store.service_keys_by_age(part).await?;
        let keys = rows.into_iter().map(|row| Self { view: app.pool.view(id_of(&row)), row });
        Ok((keys.collect(), total))
    }

    /// The key of this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(super) async fn one(app: &App, key_identifier: String) -> Result<Self, ApiError> {
        let id = app.store.service_key_id(key_identifier).await?.ok_or_else(unknown)?;
        let row = app.store.service_key(id).await?.ok_or_else(unknown)?;
        Ok(Self { view: app.pool.view(id_of(&row)), row })
    }

    /// The key's name in the pool.
    pub(super) fn id(&self) -> KeyId {
        id_of(&self.row)
    }

    /// The word for its state.
    pub(super) fn state(&self) -> KeyState {
        let Some(view) = &self.view else {
            return KeyState::Unreadable;
        };
        match view.word() {
            "disabled" => KeyState::Disabled,
            "invalid" => KeyState::Invalid,
            "suspended" => KeyState::Suspended,
            "no_credit" => KeyState::NoCredit,
            _ => KeyState::Active,
        }
    }

    /// When it was last used: the pool knows of this process, the store of those before.
    pub(super) fn last_used_ms(&self, pool: &KeyPool) -> Option<i64> {
        let here = self.view.as_ref().and_then(|view| view.last_used);
        let here_ms = here.and_then(|at| i64::try_from(pool.wall_of_time(at)).ok());
        here_ms.max(self.row.last_used_at_ms)
    }

    /// What an admin sees of it. `last_day` is what keys did; a key that is not in it did nothing,
    /// and with `None` it was not asked for.
    pub(super) fn shown(
        self,
        pool: &KeyPool,
        last_day: Option<&HashMap<i64, Amount>>,
    ) -> ServiceKey {
        let moment = |at| Moment::from_ms(i64::try_from(pool.wall_of_time(at)).unwrap_or(i64::MAX));
        let (state, last_used_ms) = (self.state(), self.last_used_ms(pool));
        let Self { row, view } = self;
        let known = view.as_ref();
        let probe = known.and_then(|view| view.probe.map(|plan| moment(plan.at)));
        let no_credit = known.and_then(|view| view.no_credit.map(|rest| moment(rest.until)));
        ServiceKey {
            state,
            reason: known.map(|view| view.reason.clone()).unwrap_or_default(),
            since: known.map(|view| moment(view.since)),
            next_probe_at: probe,
            no_credit_until: no_credit,
            in_use: known.map_or(0, |view| view.leases),
            buckets: view.map_or_else(Vec::new, |view| {
                view.buckets.into_iter().map(|bucket| Bucket::shown(bucket, moment)).collect()
            }),
            last_day: last_day.map(|keys| keys.get(&row.id).copied().unwrap_or_default()),
            service_key_id: row.id,
            key_identifier: row.key_identifier,
            key_brief: row.brief,
            enabled: row.is_enabled,
            project: row.project,
            tier: row.tier,
            note: row.note,
            tags: row.tags,
            created_at: Moment::from_ms(row.created_at_ms),
            last_used_at: last_used_ms.map(Moment::from_ms),
        }
    }
}

impl Bucket {
    fn shown(bucket: BucketRecord, moment: impl Fn(keypool::Time) -> Moment) -> Self {
        Self {
            state: bucket.state.word(),
            until: bucket.state.until().map(moment),
            model: bucket.model,
            level: bucket.level,
            failures: bucket.failures,
        }
    }
}

/// The refusal for a name that no key has.
pub(super) fn unknown() -> ApiError {
    ApiError::NotFound("There is no service key of this identifier.")
}

/// The name under which the pool knows a row.
pub(super) fn id_of(row: &Row) -> KeyId {
    KeyId(row.id.cast_unsigned())
}

/// All rows, by age.
pub(super) async fn rows(app: &App) -> Result<Vec<Row>, ApiError> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after = rows.last().map_or(0, |row| row.id);
        let page = app.store.service_keys(after, ROWS_PER_READ).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}
