//! The admin's sessions: in memory for every call, written through to the store.
//!
//! A token counts only as long as its session is in memory: logging out, or another password,
//! ends it at once, and a restart brings back exactly those that had not ended.

use std::collections::HashMap;

use parking_lot::RwLock;

use crate::random::{RandomError, random_bytes};
use crate::store::error::StoreError;
use crate::store::{Store, sessions as stored};
use crate::token::{Claims, SUBJECT, TokenError, Tokens};

/// Sessions alive at once; one more ends the one that would end first.
const SESSIONS_MAX: usize = 10_000;

/// A session that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names it.
    pub id: String,
    /// When it began, in seconds since 1970.
    pub began_at_s: i64,
    /// When it ends by itself, in seconds since 1970.
    pub expires_at_s: i64,
}

/// A session that has just begun.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What its bearer shows.
    pub token: String,
    /// How long it lasts, in seconds.
    pub life_s: i64,
}

/// Why a token opens no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The token does not count.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It did, until its session was ended.
    #[error("session has ended")]
    Ended,
}

/// Why no session began.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random bytes for its name.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Its token could not be written.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// The sessions, and the key that signs their tokens.
#[derive(Debug)]
pub struct Sessions {
    tokens: Tokens,
    life_s: i64,
    alive: RwLock<Alive>,
    store: Store,
}

#[derive(Debug)]
struct Alive {
    /// When the password was set: a token of another epoch belongs to another password.
    epoch: u64,
    /// When each session ends by itself, in seconds since 1970, by its name.
    ends: HashMap<String, i64>,
}

impl Sessions {
    /// Reads the sessions that are alive; each further one lasts `life_ms`.
    ///
    /// # Errors
    ///
    /// As any read of the store.
    pub async fn load(
        store: Store,
        tokens: Tokens,
        life_ms: u64,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let epoch = store.admin().await?.map_or(0, |admin| epoch_of(&admin));
        let sessions = store.sessions(now_ms).await?.into_iter();
        let ends = sessions.map(|session| (session.id, session.expires_at_ms / 1_000)).collect();
        Ok(Self {
            tokens,
            life_s: i64::try_from(life_ms / 1_000).unwrap_or(i64::MAX),
            alive: RwLock::new(Alive { epoch, ends }),
            store,
        })
    }

    /// The session behind a token at `now_ms`.
    ///
    /// # Errors
    ///
    /// [`SessionError`]; the reason is for the log, not for whoever showed the token.
    pub fn verify(&self, token: &str, now_ms: i64) -> Result<Session, SessionError> {
        let claims = self.tokens.verify(token, now_ms.div_euclid(1_000))?;
        let alive = self.alive.read();
        if claims.epoch != alive.epoch || !alive.ends.contains_key(&claims.jti) {
            return Err(SessionError::Ended);
        }
        Ok(Session { id: claims.jti, began_at_s: claims.iat, expires_at_s: claims.exp })
    }

    /// Whether a session that was verified before is still alive at `now_ms`.
    pub fn is_alive(&self, id: &str, now_ms: i64) -> bool {
        let now_s = now_ms.div_euclid(1_000);
        self.alive.read().ends.get(id).is_some_and(|end_s| now_s < *end_s)
    }

    /// Begins a session, durably.
    ///
    /// # Errors
    ///
    /// [`BeginError`]; then there is none.
    pub async fn begin(&self, now_ms: i64) -> Result<Opened, BeginError> {
        let id = random_name()?;
        let iat = now_ms.div_euclid(1_000);
        let exp = iat.saturating_add(self.life_s);
        self.make_room(now_ms).await?;
        self.store
            .create_session(stored::Session {
                id: id.clone(),
                created_at_ms: now_ms,
                expires_at_ms: exp.saturating_mul(1_000),
            })
            .await?;
        let epoch = {
            let mut alive = self.alive.write();
            alive.ends.retain(|_, end_s| iat < *end_s);
            alive.ends.insert(id.clone(), exp);
            alive.epoch
        };
        let claims = Claims { sub: SUBJECT.to_owned(), iat, exp, nbf: None, jti: id, epoch };
        Ok(Opened { token: self.tokens.sign(&claims)?, life_s: self.life_s })
    }

    /// Ends a session, durably; false if it had ended before.
    ///
    /// # Errors
    ///
    /// As any write of the store; in this process the session has ended all the same.
    pub async fn end(&self, id: String, now_ms: i64) -> Result<bool, StoreError> {
        let was_alive = self.alive.write().ends.remove(&id).is_some();
        self.store.revoke_session(id, now_ms).await?;
        Ok(was_alive)
    }

    /// Ends every session but one, durably; answers how many that were.
    ///
    /// # Errors
    ///
    /// As any write of the store; in this process they have ended all the same.
    pub async fn end_others(&self, id: String) -> Result<usize, StoreError> {
        let ended = {
            let mut alive = self.alive.write();
            let before = alive.ends.len();
            alive.ends.retain(|other, _| *other == id);
            before - alive.ends.len()
        };
        self.store.revoke_other_sessions(id).await?;
        Ok(ended)
    }

    /// Sets another password and ends every session, durably.
    ///
    /// # Errors
    ///
    /// As any write of the store; then nothing has changed.
    pub async fn set_password(&self, password_hash: String, now_ms: i64) -> Result<(), StoreError> {
        let admin = stored::Admin { password_hash, changed_at_ms: now_ms };
        let epoch = epoch_of(&admin);
        self.store.set_admin(admin).await?;
        *self.alive.write() = Alive { epoch, ends: HashMap::new() };
        Ok(())
    }

    async fn make_room(&self, now_ms: i64) -> Result<(), StoreError> {
        let first = {
            let alive = self.alive.read();
            let ends = alive.ends.iter().filter(|_| SESSIONS_MAX <= alive.ends.len());
            ends.min_by_key(|(_, end_s)| **end_s).map(|(id, _)| id.clone())
        };
        match first {
            Some(id) => self.end(id, now_ms).await.map(|_| ()),
            None => Ok(()),
        }
    }
}

fn epoch_of(admin: &stored::Admin) -> u64 {
    u64::try_from(admin.changed_at_ms).unwrap_or(0)
}

/// 128 random bits as hexadecimal digits.
fn random_name() -> Result<String, RandomError> {
    let bits = u128::from_be_bytes(random_bytes()?);
    Ok(format!("{bits:032x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::open::OpenOptions;

    const NOW_MS: i64 = 1_790_000_000_000;

    #[tokio::test]
    async fn a_session_lasts_as_long_as_its_token() {
        let (sessions, _, _dir) = sessions().await;
        let opened = sessions.begin(NOW_MS).await.unwrap();

        let session = sessions.verify(&opened.token, NOW_MS + 59_999).unwrap();
        let expired = sessions.verify(&opened.token, NOW_MS + 60_000);

        assert_eq!(session.expires_at_s - session.began_at_s, 60);
        assert_eq!(expired, Err(SessionError::Token(TokenError::Expired)));
        assert!(sessions.is_alive(&session.id, NOW_MS + 59_999));
        assert!(!sessions.is_alive(&session.id, NOW_MS + 60_000));
    }

    #[tokio::test]
    async fn a_session_that_was_ended_opens_nothing_and_leaves_the_others_alone() {
        let (sessions, _, _dir) = sessions().await;
        let [one, two] =
            [sessions.begin(NOW_MS).await.unwrap(), sessions.begin(NOW_MS).await.unwrap()];
        let id = sessions.verify(&one.token, NOW_MS).unwrap().id;

        assert!(sessions.end(id.clone(), NOW_MS).await.unwrap());
        assert!(!sessions.end(id.clone(), NOW_MS).await.unwrap());

        assert_eq!(sessions.verify(&one.token, NOW_MS), Err(SessionError::Ended));
        assert!(!sessions.is_alive(&id, NOW_MS));
        assert!(sessions.verify(&two.token, NOW_MS).is_ok());
    }

    #[tokio::test]
    async fn another_password_ends_every_session() {
        let (sessions, _, _dir) = sessions().await;
        let before = sessions.begin(NOW_MS).await.unwrap();

        sessions.set_password("hash".to_owned(), NOW_MS).await.unwrap();
        let after = sessions.begin(NOW_MS).await.unwrap();

        assert_eq!(sessions.verify(&before.token, NOW_MS), Err(SessionError::Ended));
        assert!(sessions.verify(&after.token, NOW_MS).is_ok());
    }

    #[tokio::test]
    async fn a_restart_brings_back_the_sessions_that_had_not_ended() {
        let (sessions, store, _dir) = sessions().await;
        let [kept, ended] =
            [sessions.begin(NOW_MS).await.unwrap(), sessions.begin(NOW_MS).await.unwrap()];
        let id = sessions.verify(&ended.token, NOW_MS).unwrap().id;
        sessions.end(id, NOW_MS).await.unwrap();

        let sessions = loaded(store).await;

        assert!(sessions.verify(&kept.token, NOW_MS).is_ok());
        assert_eq!(sessions.verify(&ended.token, NOW_MS), Err(SessionError::Ended));
    }

    async fn sessions() -> (Sessions, Store, tempfile::TempDir) {
        let dir = tempfile::TempDir::new().unwrap();
        let options = OpenOptions {
            path: dir.path().join("test.db"),
            backup_dir: dir.path().join("backups"),
            now_ms: NOW_MS,
            proof: [7; 32],
        };
        let store = Store::open(&options).unwrap();
        (loaded(store.clone()).await, store, dir)
    }

    async fn loaded(store: Store) -> Sessions {
        Sessions::load(store, Tokens::new([7; 32]), 60_000, NOW_MS).await.unwrap()
    }
}
