//! What the upstream keeps for one project, as it outlives a restart.

use rusqlite::{Connection, Transaction};

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::writer::Durability;

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRow {
    /// Its full name.
    pub name: String,
    /// The service key that made it.
    pub service_key_id: i64,
    /// That key's project when it did; empty if it had none.
    pub project: String,
    /// The user key that had it made.
    pub user_key_id: i64,
    /// When it was made, in ms since the epoch.
    pub created_at_ms: i64,
    /// When it ends by itself, in ms since the epoch.
    pub expires_at_ms: Option<i64>,
    /// Whether it was deleted.
    pub is_gone: bool,
}

/// What has changed since the resources were last written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceChanges {
    /// Those to remember, in place of what was remembered of them.
    pub kept: Vec<ResourceRow>,
    /// The names of those to forget.
    pub forgotten: Vec<String>,
}

impl Store {
    /// The resources that have not ended at `now_ms`, at most `max`, those that end last.
    ///
    /// # Errors
    /// As any read.
    pub async fn resources(&self, now_ms: i64, max: u32) -> Result<Vec<ResourceRow>, StoreError> {
        self.read(move |connection| resources(connection, now_ms, max)).await
    }

    /// Writes down what has changed. A power cut may take the last second of it.
    ///
    /// # Errors
    /// As any write.
    pub async fn save_resources(&self, changes: ResourceChanges) -> Result<(), StoreError> {
        self.write(Durability::Batched, move |transaction, _| save(transaction, &changes)).await
    }
}

fn resources(
    connection: &Connection,
    now_ms: i64,
    max: u32,
) -> Result<Vec<ResourceRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, service_key_id, project, user_key_id, created_at_ms, expires_at_ms, is_gone
         FROM resources WHERE expires_at_ms IS NULL OR ?1 < expires_at_ms
         ORDER BY expires_at_ms IS NOT NULL, expires_at_ms DESC LIMIT ?2",
    )?;
    let rows = statement.query_map((now_ms, max), |row| {
        Ok(ResourceRow {
            name: row.get(0)?,
            service_key_id: row.get(1)?,
            project: row.get(2)?,
            user_key_id: row.get(3)?,
            created_at_ms: row.get(4)?,
            expires_at_ms: row.get(5)?,
            is_gone: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn save(transaction: &Transaction<'_>, changes: &ResourceChanges) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("DELETE FROM resources WHERE name = ?1")?;
    for name in &changes.forgotten {
        statement.execute([name])?;
    }
    let mut statement = transaction
        .prepare_cached("INSERT OR REPLACE INTO resources VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for row in &changes.kept {
        statement.execute((
            &row.name,
            row.service_key_id,
            &row.project,
            row.user_key_id,
            row.created_at_ms,
            row.expires_at_ms,
            row.is_gone,
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::TestStore;

    #[tokio::test]
    async fn resources_survive_a_restart_until_they_end() {
        let store = TestStore::new();
        let kept = vec![row("files/a", Some(500)), row("files/b", None), row("files/c", Some(900))];
        store.save_resources(changes(kept.clone(), &[])).await.unwrap();

        let store = store.reopened().await;

        let names = async |now_ms, max| -> Vec<String> {
            let rows = store.resources(now_ms, max).await.unwrap();
            rows.into_iter().map(|row| row.name).collect()
        };
        assert_eq!(names(499, 9).await, ["files/b", "files/c", "files/a"]);
        assert_eq!(names(500, 9).await, ["files/b", "files/c"]);
        assert_eq!(names(0, 2).await, ["files/b", "files/c"], "those that last");
        assert_eq!(store.resources(0, 9).await.unwrap()[2], kept[0]);
    }

    #[tokio::test]
    async fn a_resource_is_written_over_and_forgotten() {
        let store = TestStore::new();
        store.save_resources(changes(vec![row("files/a", Some(5))], &[])).await.unwrap();

        let gone = ResourceRow { is_gone: true, ..row("files/a", Some(9)) };
        store.save_resources(changes(vec![gone.clone()], &[])).await.unwrap();
        assert_eq!(store.resources(0, 9).await.unwrap(), [gone]);
        store.save_resources(changes(vec![], &["files/a", "files/x"])).await.unwrap();

        assert_eq!(store.resources(0, 9).await.unwrap(), []);
    }

    fn changes(kept: Vec<ResourceRow>, forgotten: &[&str]) -> ResourceChanges {
        let forgotten = forgotten.iter().map(|name| (*name).to_owned()).collect();
        ResourceChanges { kept, forgotten }
    }

    fn row(name: &str, expires_at_ms: Option<i64>) -> ResourceRow {
        ResourceRow {
            name: name.to_owned(),
            service_key_id: 1,
            project: "p".to_owned(),
            user_key_id: 2,
            created_at_ms: 3,
            expires_at_ms,
            is_gone: false,
        }
    }
}
