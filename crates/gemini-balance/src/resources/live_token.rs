//! A token that opens Live sessions, as its caller gets it: the upstream's own, sealed.
//!
//! The upstream's token is a credential of the project whose key made it: whoever has it talks to the
//! upstream past the gateway, and goes on to when the user key is gone. So the caller, and the browser
//! that it hands the token to, gets one that only this gateway can open. Nothing about it is
//! remembered here: what it may be used for, and how often, the upstream knows of its own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keypool::{KeyId, Kin};

use crate::secret::Secret;
use crate::vault::{Vault, VaultError};

/// How long a token is opened; the upstream's own ends after 20 hours at the latest.
const LIFE_MS: i64 = 24 * 60 * 60 * 1_000;
/// What a token is sealed for.
const CONTEXT: &[u8] = b"live token";
/// What the name of a token begins with, here and at the upstream.
const PREFIX: &str = "auth_tokens/";
/// A longer one is none of ours, in bytes.
const TOKEN_BYTES_MAX: usize = 1024;

/// What lets a Live session in without a user key.
#[derive(Debug, Clone)]
pub struct LiveToken {
    /// The user key that had it made.
    pub user: i64,
    /// The keys that could have made it.
    pub kin: Kin,
    /// When it was made, in ms since the epoch.
    pub made_ms: i64,
    /// The upstream's own token.
    pub token: Secret,
}

impl LiveToken {
    /// Whether a credential is a token rather than a key.
    pub fn is_one(credential: &str) -> bool {
        credential.starts_with(PREFIX)
    }

    pub(super) fn sealed(&self, vault: &Vault) -> Result<Secret, VaultError> {
        let Self { user, kin, made_ms, token } = self;
        let fields = (user, kin.key.0, kin.project.as_deref(), made_ms, token.expose());
        let plain = serde_json::to_string(&fields).map_err(|_| VaultError::Sealed)?;
        let sealed = vault.seal(CONTEXT, &Secret::new(plain))?;
        Ok(Secret::new(PREFIX.to_owned() + &URL_SAFE_NO_PAD.encode(sealed)))
    }

    pub(super) fn opened(vault: &Vault, sealed: &str, now_ms: i64) -> Option<Self> {
        if TOKEN_BYTES_MAX < sealed.len() {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(PREFIX)?).ok()?;
        let plain = vault.unseal(CONTEXT, &sealed).ok()?;
        let (user, key, project, made_ms, token) =
            serde_json::from_str::<(i64, u64, Option<String>, i64, String)>(plain.expose()).ok()?;
        let kin = Kin { key: KeyId(key), project: project.map(Into::into) };
        let is_live = now_ms < made_ms.saturating_add(LIFE_MS);
        is_live.then(|| Self { user, kin, made_ms, token: Secret::new(token) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{GivenSecrets, WhenAbsent};

    #[test]
    fn a_token_is_opened_for_a_day_and_only_here_and_as_it_was_given() {
        let directory = tempfile::tempdir().unwrap();
        let open = |path| Vault::open(path, GivenSecrets::default(), WhenAbsent::Create).unwrap();
        let vault = open(directory.path());
        let kin = Kin { key: KeyId(3), project: Some("north".into()) };
        let token = Secret::new("auth_tokens/of-the-upstream");
        let given = LiveToken { user: 7, kin: kin.clone(), made_ms: 1_000, token };

        let sealed = given.sealed(&vault).unwrap();
        let sealed = sealed.expose();

        let opened = LiveToken::opened(&vault, sealed, 1_000 + LIFE_MS - 1).unwrap();
        assert_eq!((opened.user, opened.kin), (7, kin));
        assert_eq!(opened.token.expose(), "auth_tokens/of-the-upstream");
        assert!(LiveToken::is_one(sealed) && !sealed.contains("upstream"));
        assert!(LiveToken::opened(&vault, sealed, 1_000 + LIFE_MS).is_none());
        assert!(LiveToken::opened(&vault, &sealed[..sealed.len() - 4], 1_000).is_none());
        assert!(LiveToken::opened(&vault, "auth_tokens/of-the-upstream", 1_000).is_none());
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(LiveToken::opened(&open(elsewhere.path()), sealed, 1_000).is_none());
    }
}
