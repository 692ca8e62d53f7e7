//! What the pool remembers across a restart: the standing of its keys and the state of its buckets.

use rusqlite::Connection;
use serde::Serialize;

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::service_keys::Standing;
use crate::store::writer::Durability;

/// The state of one (project, model) bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Whose bucket it is.
    pub scope: BudgetScope,
    /// The model.
    pub model: String,
    /// `cooling`, `exhausted_today`, `not_entitled`.
    pub state: String,
    /// When it ends by itself, in ms since the epoch.
    pub until_ms: Option<i64>,
    /// How far the waits have grown.
    pub level: u32,
    /// Failures in a row.
    pub failures: u32,
    /// Why, in the upstream's words without secrets.
    pub reason: String,
    /// When this was found out, in ms since the epoch.
    pub updated_at_ms: i64,
}

/// Whose quota a bucket counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// A service key that is its own project.
    Key(i64),
    /// All service keys with this project label.
    Project(String),
}

/// What has changed in the pool since it was last written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolChanges {
    /// Standings, by id of service key; those of deleted keys are ignored.
    pub standings: Vec<(i64, Standing)>,
    /// Buckets to remember, in place of what was remembered of them.
    pub budgets: Vec<Budget>,
    /// Buckets that are ready again and without history.
    pub forgotten_budgets: Vec<(BudgetScope, String)>,
}

impl Store {
    /// Every bucket that is remembered.
    ///
    /// # Errors
    /// As any read.
    pub async fn budgets(&self) -> Result<Vec<Budget>, StoreError> {
        self.read(budgets).await
    }

    /// Writes down what the pool did by itself. A power cut may take the last second of it.
    ///
    /// # Errors
    /// As any write.
    pub async fn save_pool_changes(&self, changes: PoolChanges) -> Result<(), StoreError> {
        self.write(Durability::Batched, move |transaction, _| save(transaction, &changes)).await
    }

    /// Writes down what an administrator did to the pool, durably.
    ///
    /// # Errors
    /// As any write.
    pub async fn save_pool_command(&self, changes: PoolChanges) -> Result<(), StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| save(transaction, &changes)).await
    }
}

/// Forgets the buckets of a service key that goes.
pub(super) fn forget_key(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM budgets WHERE scope = ?1")?
        .execute([BudgetScope::Key(id).written()])?;
    Ok(())
}

impl BudgetScope {
    fn written(&self) -> String {
        match self {
            Self::Key(id) => format!("k{id}"),
            Self::Project(label) => format!("p{label}"),
        }
    }

    fn read(written: &str) -> Option<Self> {
        match written.split_at_checked(1)? {
            ("k", id) => id.parse().ok().map(Self::Key),
            ("p", label) => Some(Self::Project(label.to_owned())),
            _ => None,
        }
    }
}

fn budgets(connection: &Connection) -> Result<Vec<Budget>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT scope, model, state, until_ms, level, failures, reason, updated_at_ms FROM budgets",
    )?;
    let mut rows = statement.query([])?;
    let mut budgets = Vec::new();
    while let Some(row) = rows.next()? {
        let scope: String = row.get(0)?;
        let scope = BudgetScope::read(&scope)
            .ok_or_else(|| StoreError::Corrupt(format!("bucket scope {scope}")))?;
        budgets.push(Budget {
            scope,
            model: row.get(1)?,
            state: row.get(2)?,
            until_ms: row.get(3)?,
            level: row.get(4)?,
            failures: row.get(5)?,
            reason: row.get(6)?,
            updated_at_ms: row.get(7)?,
        });
    }
    Ok(budgets)
}

/// Enters changes.
pub(super) fn save(transaction: &Connection, changes: &PoolChanges) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "UPDATE service_keys SET standing = ?2, standing_since_ms = ?3, standing_reason = ?4,
             probe_level = ?5, probe_at_ms = ?6
         WHERE id = ?1 AND deleted_at_ms IS NULL",
    )?;
    for (id, standing) in &changes.standings {
        let Standing { name, since_ms, reason, probe_level, probe_at_ms } = standing;
        statement.execute((id, name, since_ms, reason, probe_level, probe_at_ms))?;
    }
    let mut statement =
        transaction.prepare_cached("DELETE FROM budgets WHERE scope = ?1 AND model = ?2")?;
    for (scope, model) in &changes.forgotten_budgets {
        statement.execute((scope.written(), model))?;
    }
    let mut statement = transaction
        .prepare_cached("INSERT OR REPLACE INTO budgets VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for budget in &changes.budgets {
        statement.execute((
            budget.scope.written(),
            &budget.model,
            &budget.state,
            budget.until_ms,
            budget.level,
            budget.failures,
            &budget.reason,
            budget.updated_at_ms,
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::service_keys::NewServiceKey;
    use crate::store::tests::TestStore;

    #[tokio::test]
    async fn what_the_pool_knows_survives_a_restart() {
        let store = TestStore::new();
        store.add_service_keys(vec![key()]).await.unwrap();
        let standing = Standing {
            name: "suspended".to_owned(),
            since_ms: Some(5),
            reason: "leaked".to_owned(),
            probe_level: 2,
            probe_at_ms: Some(90),
        };
        let budgets = vec![budget(BudgetScope::Key(1)), budget(BudgetScope::Project("k1".into()))];
        let changes = PoolChanges {
            standings: vec![(1, standing.clone()), (55, standing.clone())],
            budgets: budgets.clone(),
            forgotten_budgets: vec![(BudgetScope::Key(1), "m".to_owned())],
        };

        store.save_pool_changes(changes).await.unwrap();
        let store = store.reopened().await;

        assert_eq!(store.service_key(1).await.unwrap().unwrap().standing, standing);
        assert_eq!(store.budgets().await.unwrap(), budgets);
    }

    #[tokio::test]
    async fn buckets_go_when_they_are_forgotten_or_their_key_goes() {
        let store = TestStore::new();
        store.add_service_keys(vec![key()]).await.unwrap();
        let project = BudgetScope::Project("p".to_owned());
        let budgets = vec![budget(BudgetScope::Key(1)), budget(project.clone())];
        store.save_pool_command(PoolChanges { budgets, ..Default::default() }).await.unwrap();

        store.delete_service_keys(vec![1], 3).await.unwrap();
        let left = store.budgets().await.unwrap();
        let forgotten_budgets = vec![(project.clone(), "m".to_owned())];
        let forget = PoolChanges { forgotten_budgets, ..Default::default() };
        store.save_pool_command(forget).await.unwrap();

        assert_eq!(left, [budget(project)]);
        assert_eq!(store.budgets().await.unwrap(), []);
    }

    fn budget(scope: BudgetScope) -> Budget {
        Budget {
            scope,
            model: "m".to_owned(),
            state: "cooling".to_owned(),
            until_ms: Some(70),
            level: 1,
            failures: 3,
            reason: "429".to_owned(),
            updated_at_ms: 6,
        }
    }

    fn key() -> NewServiceKey {
        NewServiceKey {
            sha256: [1; 32],
            fingerprint: [1; 32],
            brief: "AIza...ok01".to_owned(),
            sealed: vec![1; 60],
            provider: "gemini".to_owned(),
            project: String::new(),
            tier: 0,
            note: String::new(),
            tags: Vec::new(),
            created_at_ms: 1,
        }
    }
}
