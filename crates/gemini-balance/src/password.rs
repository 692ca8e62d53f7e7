//! The admin's password: how it is stored and compared.
//!
//! Hashing is slow on purpose, so it never runs on a runtime thread and never more than twice at
//! once; a surplus try is refused instead of queued.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::Semaphore;
use tokio::task;

use crate::random::{self, RandomError};
use crate::secret::Secret;

/// Each hash holds [`MEMORY_KIB`]; two are enough for people and bound what an attacker can claim.
const HASHES_AT_ONCE_MAX: usize = 2;

// The first of the settings that OWASP recommends for Argon2id. The equal ones with less memory would
// hold more of it: what is smaller than 32 MiB glibc keeps once it was freed, for each thread anew,
// and a guesser is served by many threads.
const MEMORY_KIB: u32 = 46 * 1024;
const PASSES: u32 = 1;
const LANES: u32 = 1;

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Others are being checked at this moment: answer 429 and let the caller come again.
    #[error("too many passwords are being checked at once")]
    Busy,
    /// The stored hash cannot be read, or hashing failed.
    #[error("password hash cannot be used: {0}")]
    Hash(argon2::password_hash::Error),
    /// No random bytes for the salt.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The program is stopping.
    #[error("stopped before the password was checked")]
    Stopped,
}

/// The hash to store: a PHC string with method, cost and salt in it. Takes tens of milliseconds.
///
/// # Errors
///
/// When there are no random bytes for the salt.
pub fn hash(password: &Secret) -> Result<String, PasswordError> {
    let salt: [u8; 16] = random::random_bytes()?;
    hasher()?
        .hash_password_with_salt(password.expose().as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(PasswordError::Hash)
}

/// Whether `password` is the one behind the stored `hash`. Takes tens of milliseconds.
///
/// # Errors
///
/// When the stored hash cannot be read.
pub fn verify(password: &Secret, hash: &str) -> Result<bool, PasswordError> {
    match hasher()?.verify_password(password.expose().as_bytes(), hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(PasswordError::Hash(error)),
    }
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| PasswordError::Hash(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Lets async callers hash without stopping their thread, a few at a time.
#[derive(Clone, Debug)]
pub struct PasswordGate {
    permits: Arc<Semaphore>,
}

impl PasswordGate {
    /// A gate with all its places free.
    #[must_use]
    pub fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(HASHES_AT_ONCE_MAX)) }
    }

    /// [`hash`] on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`PasswordError::Busy`] at once when all places are taken; else as [`hash`].
    ///
    /// # Cancellation
    ///
    /// A hash that has begun runs to its end and keeps its place until then.
    pub async fn hash(&self, password: Secret) -> Result<String, PasswordError> {
        self.run(move || hash(&password)).await
    }

    /// [`verify`] on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`PasswordError::Busy`] at once when all places are taken; else as [`verify`].
    ///
    /// # Cancellation
    ///
    /// A hash that has begun runs to its end and keeps its place until then.
    pub async fn verify(&self, password: Secret, hash: String) -> Result<bool, PasswordError> {
        self.run(move || verify(&password, &hash)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Err(PasswordError::Busy);
        };
        task::spawn_blocking(move || {
            // Held here rather than by the caller: one who leaves must not make room too early.
            let _permit = permit;
            work()
        })
        .await
        .unwrap_or(Err(PasswordError::Stopped))
    }
}

impl Default for PasswordGate {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let hash = hash(&Secret::new("correct horse")).unwrap();

        assert!(hash.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"));
        assert!(verify(&Secret::new("correct horse"), &hash).unwrap());
        assert!(!verify(&Secret::new("correct horsf"), &hash).unwrap());
        assert!(!verify(&Secret::new(""), &hash).unwrap());
    }

    #[test]
    fn a_hash_of_another_cost_is_compared_at_that_cost() {
        let params = Params::new(19 * 1024, 2, 1, None).unwrap();
        let older = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = older.hash_password_with_salt(b"correct horse", b"0123456789abcdef").unwrap();

        assert!(verify(&Secret::new("correct horse"), &hash.to_string()).unwrap());
        assert!(!verify(&Secret::new("correct horsf"), &hash.to_string()).unwrap());
    }

    #[test]
    fn passwords_that_differ_after_byte_72_differ() {
        let long = "x".repeat(72);
        let hash = hash(&Secret::new(format!("{long}a"))).unwrap();

        assert!(!verify(&Secret::new(format!("{long}b")), &hash).unwrap());
    }

    #[test]
    fn a_stored_hash_that_cannot_be_read_is_an_error_and_not_a_wrong_password() {
        let result = verify(&Secret::new("x"), "not a hash");

        assert!(matches!(result, Err(PasswordError::Hash(_))));
    }

    #[tokio::test]
    async fn a_surplus_password_is_refused_at_once() {
        let gate = PasswordGate::new();
        let password = || Secret::new("x");

        let (one, two, three) = tokio::join!(
            gate.hash(password()),
            gate.hash(password()),
            gate.verify(password(), String::new()),
        );

        assert!(one.is_ok() && two.is_ok());
        assert!(matches!(three, Err(PasswordError::Busy)));
        assert!(gate.hash(password()).await.is_ok(), "the places are free again");
    }

    #[tokio::test]
    async fn a_caller_who_leaves_does_not_make_room_before_the_hash_has_ended() {
        let gate = PasswordGate::new();
        for _ in 0..HASHES_AT_ONCE_MAX {
            let mut left = Box::pin(gate.hash(Secret::new("x")));
            assert!(
                std::future::poll_fn(|cx| std::task::Poll::Ready(left.as_mut().poll(cx)))
                    .await
                    .is_pending()
            );
        }

        let next = gate.hash(Secret::new("x")).await;

        assert!(matches!(next, Err(PasswordError::Busy)));
    }
}
