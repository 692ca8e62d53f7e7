//! The administrator's password and the sessions that began with it.

use rusqlite::OptionalExtension;

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::writer::Durability;

/// The administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The password's hash, in the form its hasher writes.
    pub password_hash: String,
    /// When the password was set, in ms since the epoch: older tokens are void.
    pub changed_at_ms: i64,
}

/// One login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Names the session; part of its token.
    pub id: String,
    /// When it began, in ms since the epoch.
    pub created_at_ms: i64,
    /// When it ends by itself, in ms since the epoch.
    pub expires_at_ms: i64,
}

impl Store {
    /// The administrator, if a password was ever set.
    ///
    /// # Errors
    /// As any read.
    pub async fn admin(&self) -> Result<Option<Admin>, StoreError> {
        self.read(|connection| {
            let admin = connection
                .query_row("SELECT password_hash, changed_at_ms FROM admin", [], |row| {
                    Ok(Admin { password_hash: row.get(0)?, changed_at_ms: row.get(1)? })
                })
                .optional()?;
            Ok(admin)
        })
        .await
    }

    /// Sets the password and ends every session.
    ///
    /// # Errors
    /// As any write.
    pub async fn set_admin(&self, admin: Admin) -> Result<(), StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            transaction.execute(
                "INSERT OR REPLACE INTO admin VALUES (1, ?1, ?2)",
                (admin.password_hash, admin.changed_at_ms),
            )?;
            transaction.execute("DELETE FROM sessions", [])?;
            Ok(())
        })
        .await
    }

    /// Records a login, and forgets the sessions that have ended before it began.
    ///
    /// # Errors
    /// As any write.
    pub async fn create_session(&self, session: Session) -> Result<(), StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            transaction.execute(
                "DELETE FROM sessions WHERE expires_at_ms <= ?1",
                [session.created_at_ms],
            )?;
            transaction.execute(
                "INSERT INTO sessions VALUES (?1, ?2, ?3)",
                (session.id, session.created_at_ms, session.expires_at_ms),
            )?;
            Ok(())
        })
        .await
    }

    /// The sessions that are alive at `now_ms`, oldest first.
    ///
    /// # Errors
    /// As any read.
    pub async fn sessions(&self, now_ms: i64) -> Result<Vec<Session>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, created_at_ms, expires_at_ms FROM sessions
                 WHERE ?1 < expires_at_ms ORDER BY created_at_ms, id",
            )?;
            let sessions = statement.query_map([now_ms], |row| {
                Ok(Session {
                    id: row.get(0)?,
                    created_at_ms: row.get(1)?,
                    expires_at_ms: row.get(2)?,
                })
            })?;
            Ok(sessions.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Ends a session; false if there is none that is alive.
    ///
    /// # Errors
    /// As any write.
    pub async fn revoke_session(&self, id: String, now_ms: i64) -> Result<bool, StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            let changed = transaction.execute(
                "DELETE FROM sessions WHERE id = ?1 AND ?2 < expires_at_ms",
                (id, now_ms),
            )?;
            Ok(changed == 1)
        })
        .await
    }

    /// Ends every session but one.
    ///
    /// # Errors
    /// As any write.
    pub async fn revoke_other_sessions(&self, id: String) -> Result<(), StoreError> {
        self.write(Durability::OnDisk, move |transaction, _| {
            transaction.execute("DELETE FROM sessions WHERE id <> ?1", [id])?;
            Ok(())
        })
        .await
    }

    /// Ends every session.
    ///
    /// # Errors
    /// As any write.
    pub async fn revoke_sessions(&self) -> Result<(), StoreError> {
        self.write(Durability::OnDisk, |transaction, _| {
            transaction.execute("DELETE FROM sessions", [])?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::TestStore;

    #[tokio::test]
    async fn a_new_password_ends_every_session() {
        let store = TestStore::new();
        store.create_session(session("one", 1_000)).await.unwrap();
        let admin = Admin { password_hash: "hash".to_owned(), changed_at_ms: 7 };

        store.set_admin(admin.clone()).await.unwrap();

        assert_eq!(store.admin().await.unwrap(), Some(admin));
        assert_eq!(store.sessions(0).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_session_ends_by_time_or_when_revoked() {
        let store = TestStore::new();
        for (id, expires_at_ms) in [("short", 100), ("long", 1_000), ("left", 1_000)] {
            store.create_session(session(id, expires_at_ms)).await.unwrap();
        }

        let was_alive = store.revoke_session("left".to_owned(), 50).await.unwrap();
        let again = store.revoke_session("left".to_owned(), 60).await.unwrap();

        assert!(was_alive);
        assert!(!again);
        assert_eq!(store.sessions(100).await.unwrap(), [session("long", 1_000)]);
    }

    fn session(id: &str, expires_at_ms: i64) -> Session {
        Session { id: id.to_owned(), created_at_ms: 0, expires_at_ms }
    }
}
