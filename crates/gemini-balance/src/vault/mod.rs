//! The keys that guard the data directory, and the sealing of service keys under them.
//!
//! Two secrets are the root of everything: the master key and the token secret. Each comes from
//! the configuration or from the file `secrets` in the data directory, made at the first start. Every
//! use has a key of its own, derived by a label, so that nothing learned in one use helps in another.
//! The database keeps [`Vault::check_value`]: a start with another master key is noticed before
//! anything is read or written.
//!
//! The master key can be changed ([`Vault::successor`]). What is sealed is sealed anew; of user keys
//! there are only hashes, so the key of that hash outlives its master key, sealed under the next.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::keyed_hash::KeyedHash;
use crate::random::{self, RandomError};
use crate::secret::Secret;
use crate::vault::secrets_file::SecretsFile;

pub mod sealed_file;
mod secrets_file;

/// The first byte of everything sealed, so that the method can change one day.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
/// What the key of the user keys' hash is sealed for.
const USER_KEY_HASH: &[u8] = b"key of the user key hash";

/// The root secrets that the configuration may give; what is absent comes from the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenSecrets<'a> {
    /// `ENCRYPTION_KEY`: what service keys are sealed under and user keys hashed with.
    pub master: Option<&'a Secret>,
    /// `SECRET_KEY`: what session tokens are signed with.
    pub token: Option<&'a Secret>,
}

/// What to do when the file is needed and absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenAbsent {
    /// Make it: the first start, before there is a database.
    Create,
    /// Stop: a database exists, so the file once did; a fresh key could open nothing in it.
    Refuse,
}

/// Why the vault did not open, or something in it.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file is needed, absent, and must not be made anew.
    #[error("{} is missing: put it back from your backup, or set ENCRYPTION_KEY and SECRET_KEY", .0.display())]
    Missing(PathBuf),
    /// The file does not hold both secrets.
    #[error("{} cannot be understood: put it back from your backup", .0.display())]
    Damaged(PathBuf),
    /// The file or its directory cannot be read or written.
    #[error("cannot use {} (DATA_DIR): {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No random bytes for a new secret.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Sealed bytes were changed, moved to another row, or sealed under another master key.
    #[error("sealed secret does not open")]
    Sealed,
}

/// Both root secrets as they lie in the file.
pub struct RootSecrets(SecretsFile);

impl RootSecrets {
    /// Those in the data directory; none if there is no file.
    ///
    /// # Errors
    ///
    /// When the file is damaged or out of reach.
    pub fn of(data_dir: &Path) -> Result<Option<Self>, VaultError> {
        Ok(SecretsFile::current(data_dir)?.map(Self))
    }

    /// Those in the text of such a file.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        SecretsFile::parse(text).map(Self)
    }

    /// The text of such a file.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        self.0.text()
    }

    /// The same token secret with another master key.
    #[must_use]
    pub fn with_master(&self, master: &MasterKey) -> Self {
        Self(SecretsFile { master: master.0.clone(), token: self.0.token.clone() })
    }

    /// The master key among them.
    #[must_use]
    pub fn master(&self) -> MasterKey {
        MasterKey(self.0.master.clone())
    }

    /// Writes them to the data directory, where they wait for the database to belong to them.
    ///
    /// # Errors
    ///
    /// When they cannot be written; then nothing has changed.
    pub fn await_turn(&self, data_dir: &Path) -> Result<(), VaultError> {
        self.0.await_turn(data_dir)
    }

    /// Writes them to the data directory at once, where there is no database yet that belongs to others.
    ///
    /// # Errors
    ///
    /// When they cannot be written; then nothing has changed.
    pub fn put(&self, data_dir: &Path) -> Result<(), VaultError> {
        self.0.await_turn(data_dir)?;
        SecretsFile::take_turn(data_dir)
    }

    /// Whether secrets wait in this directory.
    #[must_use]
    pub fn are_waiting(data_dir: &Path) -> bool {
        !matches!(SecretsFile::next(data_dir), Ok(None))
    }

    /// Ends the waiting: the secrets take their place if the database, which keeps `check_value`,
    /// belongs to them; otherwise they are given up.
    ///
    /// # Errors
    ///
    /// When they cannot be read or moved; then both files are as they were.
    pub fn settle(data_dir: &Path, check_value: Option<[u8; 32]>) -> Result<(), VaultError> {
        let Some(next) = SecretsFile::next(data_dir)? else {
            return Ok(());
        };
        if check_value == Some(Self(next).master().check_value()) {
            SecretsFile::take_turn(data_dir)
        } else {
            SecretsFile::give_up_turn(data_dir)
        }
    }
}

/// A master key by itself.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A random one.
    ///
    /// # Errors
    ///
    /// When there are no random bytes.
    pub fn random() -> Result<Self, VaultError> {
        Ok(Self(Zeroizing::new(random::random_bytes()?)))
    }

    /// The one that a configured text stands for.
    #[must_use]
    pub fn of(configured: &Secret) -> Self {
        Self(digested(configured))
    }

    /// Stands for it in the database.
    #[must_use]
    pub fn check_value(&self) -> [u8; 32] {
        KeyedHash::new(&self.0).of(b"check value")
    }
}

/// A vault under another master key, and what has to be kept for it.
pub struct Successor {
    /// The vault.
    pub vault: Vault,
    /// The key of the user keys' hash, sealed by it: see [`Vault::with_user_key_hash`].
    pub user_key_hash: Vec<u8>,
}

/// Seals, opens and hashes under keys derived from the root secrets.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    user_key_hash: Zeroizing<[u8; 32]>,
    user_keys: KeyedHash,
    service_keys: KeyedHash,
    token_key: Zeroizing<[u8; 32]>,
    check_value: [u8; 32],
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the vault of `data_dir`, making the directory (0700) and the file (0600) if allowed.
    /// A file that exists is never written.
    ///
    /// # Errors
    ///
    /// When the file is needed but missing, damaged or out of reach.
    pub fn open(
        data_dir: &Path,
        given: GivenSecrets<'_>,
        when_absent: WhenAbsent,
    ) -> Result<Self, VaultError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)
            .map_err(|source| VaultError::Io { path: data_dir.to_owned(), source })?;
        let (master, token) = match (given.master, given.token) {
            (Some(master), Some(token)) => (digested(master), digested(token)),
            (master, token) => {
                let file = SecretsFile::read_or_create(data_dir, when_absent)?;
                (master.map_or(file.master, digested), token.map_or(file.token, digested))
            }
        };
        Ok(Self::derived(&master, &token))
    }

    fn derived(master: &[u8; 32], token: &[u8; 32]) -> Self {
        let check_value = MasterKey(Zeroizing::new(*master)).check_value();
        let master = KeyedHash::new(master);
        let user_key_hash = Zeroizing::new(master.of(b"user key hash"));
        Self {
            cipher: XChaCha20Poly1305::new(&master.of(b"service key sealing").into()),
            user_keys: KeyedHash::new(&user_key_hash),
            user_key_hash,
            service_keys: KeyedHash::new(&master.of(b"service key fingerprint")),
            token_key: Zeroizing::new(KeyedHash::new(token).of(b"session token signing")),
            check_value,
        }
    }

    /// This vault under another master key. It knows the user keys that this one knows; what this
    /// one has sealed it does not open.
    ///
    /// # Errors
    ///
    /// When there are no random bytes for the nonce.
    pub fn successor(&self, master: &MasterKey) -> Result<Successor, VaultError> {
        let mut vault = Self::derived(&master.0, &[0; 32]);
        vault.token_key.clone_from(&self.token_key);
        let key = Secret::new(secrets_file::hex(*self.user_key_hash).as_str());
        let user_key_hash = vault.seal(USER_KEY_HASH, &key)?;
        Ok(Successor { vault: vault.with_user_key_hash(&user_key_hash)?, user_key_hash })
    }

    /// This vault with the key of the user keys' hash that an earlier master key has left.
    ///
    /// # Errors
    ///
    /// [`VaultError::Sealed`] when it does not open.
    pub fn with_user_key_hash(self, sealed: &[u8]) -> Result<Self, VaultError> {
        let key = self.unseal(USER_KEY_HASH, sealed)?;
        let user_key_hash = secrets_file::unhex(key.expose()).ok_or(VaultError::Sealed)?;
        Ok(Self { user_keys: KeyedHash::new(&user_key_hash), user_key_hash, ..self })
    }

    /// Encrypts a secret for storage. `context` names the purpose and the row it belongs to: the
    /// result opens only with the same context, so rows cannot be swapped.
    ///
    /// # Errors
    ///
    /// When there are no random bytes for the nonce.
    pub fn seal(&self, context: &[u8], secret: &Secret) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE_BYTES] = random::random_bytes()?;
        let payload = Payload { msg: secret.expose().as_bytes(), aad: context };
        let ciphertext =
            self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::Sealed)?;
        Ok([&[VERSION], nonce.as_slice(), &ciphertext].concat())
    }

    /// Decrypts what [`Vault::seal`] made with the same context.
    ///
    /// # Errors
    ///
    /// [`VaultError::Sealed`] when a bit was changed, or the context or the master key is another.
    pub fn unseal(&self, context: &[u8], sealed: &[u8]) -> Result<Secret, VaultError> {
        let (version, rest) = sealed.split_first().ok_or(VaultError::Sealed)?;
        let (nonce, ciphertext) =
            rest.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Sealed)?;
        if *version != VERSION {
            return Err(VaultError::Sealed);
        }
        let payload = Payload { msg: ciphertext, aad: context };
        let bytes =
            self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultError::Sealed)?;
        String::from_utf8(bytes).map(Secret::new).map_err(|_| VaultError::Sealed)
    }

    /// What a user key is stored and looked up as; without the master key it cannot be guessed at.
    #[must_use]
    pub fn hash_user_key(&self, key: &str) -> [u8; 32] {
        self.user_keys.of(key.as_bytes())
    }

    /// What tells that two service keys are the same one, without saying which.
    #[must_use]
    pub fn fingerprint_service_key(&self, key: &Secret) -> [u8; 32] {
        self.service_keys.of(key.expose().as_bytes())
    }

    /// The key that signs session tokens.
    #[must_use]
    pub fn token_key(&self) -> [u8; 32] {
        *self.token_key
    }

    /// Stands for the master key in the database. When the stored value differs, the key is wrong
    /// and the start must stop.
    #[must_use]
    pub fn check_value(&self) -> [u8; 32] {
        self.check_value
    }
}

/// A configured secret may be any text; its hash has the length that a key needs.
fn digested(secret: &Secret) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(secret.expose().as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_sealed_secret_opens_again_also_after_a_restart() {
        let dir = TempDir::new().unwrap();
        let sealed = open(&dir).seal(b"row 1", &Secret::new("AIza-key")).unwrap();

        let opened = open(&dir).unseal(b"row 1", &sealed).unwrap();

        assert_eq!(opened, Secret::new("AIza-key"));
        assert!(!sealed.windows(4).any(|window| window == b"AIza"));
    }

    #[test]
    fn the_same_secret_is_never_sealed_alike() {
        let dir = TempDir::new().unwrap();
        let vault = open(&dir);

        assert_ne!(
            vault.seal(b"row", &Secret::new("key")).unwrap(),
            vault.seal(b"row", &Secret::new("key")).unwrap()
        );
    }

    #[test]
    fn a_sealed_secret_does_not_open_in_another_row() {
        let dir = TempDir::new().unwrap();
        let sealed = open(&dir).seal(b"row 1", &Secret::new("key")).unwrap();

        assert!(matches!(open(&dir).unseal(b"row 2", &sealed), Err(VaultError::Sealed)));
    }

    #[test]
    fn any_flipped_bit_keeps_a_secret_shut() {
        let dir = TempDir::new().unwrap();
        let vault = open(&dir);
        let sealed = vault.seal(b"row", &Secret::new("key")).unwrap();

        for position in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[position / 8] ^= 1 << (position % 8);
            assert!(vault.unseal(b"row", &flipped).is_err(), "bit {position}");
        }
        for length in 0..sealed.len() {
            assert!(vault.unseal(b"row", &sealed[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn hashes_and_check_value_stay_the_same_and_differ_by_use() {
        let dir = TempDir::new().unwrap();
        let [one, two] = [open(&dir), open(&dir)];

        assert_eq!(one.hash_user_key("x"), two.hash_user_key("x"));
        assert_eq!(one.check_value(), two.check_value());
        assert_eq!(one.token_key(), two.token_key());
        assert_ne!(one.hash_user_key("x"), one.fingerprint_service_key(&Secret::new("x")));
    }

    #[test]
    fn another_master_key_shows_in_the_check_value() {
        let dir = TempDir::new().unwrap();
        let given = Secret::new("a master key of thirty-two bytes, or more");
        let other = open_with(&dir, GivenSecrets { master: Some(&given), token: None }).unwrap();

        assert_ne!(open(&dir).check_value(), other.check_value());
        assert_eq!(open(&dir).token_key(), other.token_key());
    }

    #[test]
    fn with_both_secrets_given_no_file_is_made() {
        let dir = TempDir::new().unwrap();
        let secret = Secret::new("a secret of thirty-two bytes, or more");
        let given = GivenSecrets { master: Some(&secret), token: Some(&secret) };

        Vault::open(dir.path(), given, WhenAbsent::Refuse).unwrap();

        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_successor_knows_the_user_keys_and_opens_only_its_own() {
        let dir = TempDir::new().unwrap();
        let vault = open(&dir);
        let sealed = vault.seal(b"row", &Secret::new("key")).unwrap();

        let first = vault.successor(&MasterKey::random().unwrap()).unwrap();
        let second = first.vault.successor(&MasterKey::random().unwrap()).unwrap();

        for successor in [&first.vault, &second.vault] {
            assert_eq!(successor.hash_user_key("x"), vault.hash_user_key("x"));
            assert_eq!(successor.token_key(), vault.token_key());
            assert_ne!(successor.check_value(), vault.check_value());
            assert!(successor.unseal(b"row", &sealed).is_err());
        }
        assert!(first.vault.with_user_key_hash(&second.user_key_hash).is_err());
    }

    #[test]
    fn secrets_that_wait_take_their_place_only_if_the_database_belongs_to_them() {
        let dir = TempDir::new().unwrap();
        let before = open(&dir).check_value();
        let next = || {
            let secrets = RootSecrets::of(dir.path()).unwrap().unwrap();
            let master = MasterKey::random().unwrap();
            secrets.with_master(&master).await_turn(dir.path()).unwrap();
            master.check_value()
        };

        next();
        RootSecrets::settle(dir.path(), Some(before)).unwrap();
        let given_up = open(&dir).check_value();
        let after = next();
        assert!(RootSecrets::are_waiting(dir.path()));
        RootSecrets::settle(dir.path(), Some(after)).unwrap();

        assert_eq!(given_up, before);
        assert_eq!(open(&dir).check_value(), after);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left");
    }

    #[test]
    fn the_file_is_for_its_owner_only_and_alone_in_its_directory() {
        let dir = TempDir::new().unwrap();
        let data_dir = dir.path().join("data");

        Vault::open(&data_dir, GivenSecrets::default(), WhenAbsent::Create).unwrap();

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data_dir), 0o700);
        assert_eq!(mode(&data_dir.join("secrets")), 0o600);
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 1);
    }

    #[test]
    fn what_a_start_left_that_died_half_way_is_removed_by_the_next() {
        let dir = TempDir::new().unwrap();
        let open = || Vault::open(dir.path(), GivenSecrets::default(), WhenAbsent::Create).unwrap();
        open();
        let path = dir.path().join("secrets");
        fs::hard_link(&path, dir.path().join("secrets.draft-0123456789abcdef")).unwrap();
        fs::write(dir.path().join("secrets.of-mine"), "").unwrap();

        open();

        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["secrets", "secrets.of-mine"]);
    }

    #[test]
    fn a_missing_file_beside_a_database_stops_the_start_and_makes_nothing() {
        let dir = TempDir::new().unwrap();

        let opened = Vault::open(dir.path(), GivenSecrets::default(), WhenAbsent::Refuse);

        assert!(matches!(opened, Err(VaultError::Missing(_))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_stops_the_start_and_stays_as_it_is() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("secrets");
        for text in ["", "master_key = 00\ntoken_key = 00\n", "master_key\n"] {
            fs::write(&path, text).unwrap();

            let opened = open_with(&dir, GivenSecrets::default());

            assert!(matches!(opened, Err(VaultError::Damaged(_))), "{text:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn of_many_starts_at_once_all_find_the_same_secrets() {
        let dir = TempDir::new().unwrap();

        let values: Vec<[u8; 32]> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&dir).check_value())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });

        assert!(values.windows(2).all(|pair| pair[0] == pair[1]));
    }

    fn open(dir: &TempDir) -> Vault {
        open_with(dir, GivenSecrets::default()).unwrap()
    }

    fn open_with(dir: &TempDir, given: GivenSecrets<'_>) -> Result<Vault, VaultError> {
        Vault::open(dir.path(), given, WhenAbsent::Create)
    }
}
