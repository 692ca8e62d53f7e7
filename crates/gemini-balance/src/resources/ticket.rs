//! The capability for an upload that has begun: who may go on with it, with which key, and where.
//!
//! Clients send the pieces of a file to an address that they were given, some of them without any
//! key. So the address itself lets in: it holds everything about the upload, sealed, so that it can
//! be neither guessed nor changed, and nothing has to be remembered here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keypool::{KeyId, Kin};

use crate::secret::Secret;
use crate::vault::{Vault, VaultError};

/// How long an upload may take, from its beginning to its last piece.
const LIFE_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// What a ticket is sealed for.
const CONTEXT: &[u8] = b"upload ticket";
/// A longer one is none of ours, in bytes.
const TICKET_BYTES_MAX: usize = 16 * 1024;

/// An upload that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The user key that began it.
    pub user: i64,
    /// The keys that may go on with it.
    pub kin: Kin,
    /// When it began, in ms since the epoch.
    pub began_ms: i64,
    /// Where the upstream wants it, below its base URL.
    pub path_and_query: String,
}

impl Ticket {
    pub(super) fn sealed(&self, vault: &Vault) -> Result<String, VaultError> {
        let Self { user, kin, began_ms, path_and_query } = self;
        let fields = (user, kin.key.0, kin.project.as_deref(), began_ms, path_and_query);
        let plain = serde_json::to_string(&fields).map_err(|_| VaultError::Sealed)?;
        Ok(URL_SAFE_NO_PAD.encode(vault.seal(CONTEXT, &Secret::new(plain))?))
    }

    pub(super) fn opened(vault: &Vault, sealed: &str, now_ms: i64) -> Option<Self> {
        if TICKET_BYTES_MAX < sealed.len() {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let plain = vault.unseal(CONTEXT, &sealed).ok()?;
        let (user, key, project, began_ms, path_and_query) =
            serde_json::from_str::<(i64, u64, Option<String>, i64, String)>(plain.expose()).ok()?;
        let kin = Kin { key: KeyId(key), project: project.map(Into::into) };
        let is_live = now_ms < began_ms.saturating_add(LIFE_MS);
        is_live.then_some(Self { user, kin, began_ms, path_and_query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{GivenSecrets, WhenAbsent};

    #[test]
    fn a_ticket_lets_in_for_a_week_and_only_as_it_was_given() {
        let directory = tempfile::tempdir().unwrap();
        let given = GivenSecrets::default();
        let vault = Vault::open(directory.path(), given, WhenAbsent::Create).unwrap();
        let ticket = Ticket {
            user: 7,
            kin: Kin { key: KeyId(3), project: Some("north".into()) },
            began_ms: 1_000,
            path_and_query: "/upload/v1beta/files?upload_id=x".to_owned(),
        };

        let sealed = ticket.sealed(&vault).unwrap();

        assert_eq!(Ticket::opened(&vault, &sealed, 1_000 + LIFE_MS - 1), Some(ticket.clone()));
        assert_eq!(Ticket::opened(&vault, &sealed, 1_000 + LIFE_MS), None);
        assert_eq!(Ticket::opened(&vault, &sealed[1..], 1_000), None);
        assert_ne!(ticket.sealed(&vault).unwrap(), sealed, "it cannot be guessed");
        assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }
}
