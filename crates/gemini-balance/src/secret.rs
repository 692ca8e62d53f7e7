//! A text that must not leak: service keys, user keys, passwords.
//!
//! It cannot be printed by accident, is wiped from memory when dropped, and is compared in a time
//! that does not depend on where two texts differ. Whoever needs the text says so: `expose()`.

use std::fmt;

use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Holds a secret text; shows itself only as `[secret]`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the wire and the vault only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What people may see of it: `AIza...ok01`. A short text gives away less, a very short one
    /// nothing, so that the hidden part is always the larger one.
    #[must_use]
    pub fn brief(&self) -> String {
        let shown = match self.0.chars().count() {
            0..8 => 0,
            8..16 => 2,
            16.. => 4,
        };
        let length = self.0.chars().count();
        let head: String = self.0.chars().take(shown).collect();
        let tail: String = self.0.chars().skip(length - shown).collect();
        format!("{head}...{tail}")
    }

    /// The name under which admins and scripts know a service key: `key_sha256_` and the first
    /// eight hex digits of its SHA-256.
    #[must_use]
    pub fn key_identifier(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        digest
            .iter()
            .take(4)
            .fold(String::from("key_sha256_"), |identifier, byte| format!("{identifier}{byte:02x}"))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// Lets a request body carry a secret straight into its type; there is no way back out by serde.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("canary-0123456789");

        assert_eq!(
            format!("{secret} {secret:?} {:?}", Some(&secret)),
            "[secret] [secret] Some([secret])"
        );
    }

    #[test]
    fn a_brief_hides_more_than_it_shows() {
        check_brief("AIzaSyA-0123456789-0123456789-01234ok01", "AIza...ok01");
        check_brief("0123456789abcdef", "0123...cdef");
        check_brief("0123456789abcde", "01...de");
        check_brief("01234567", "01...67");
        check_brief("0123456", "...");
        check_brief("", "...");
        check_brief("ключ-из-семнадцати", "ключ...цати");
    }

    #[test]
    fn secrets_are_equal_only_as_a_whole() {
        let secret = Secret::new("abcdef");

        assert_eq!(secret, Secret::new("abcdef"));
        assert_ne!(secret, Secret::new("abcdeg"));
        assert_ne!(secret, Secret::new("abcde"));
    }

    #[test]
    fn a_key_identifier_is_the_start_of_its_digest() {
        assert_eq!(Secret::new("abc").key_identifier(), "key_sha256_ba7816bf");
    }

    #[test]
    fn a_secret_can_be_read_from_json() {
        let secret: Secret = serde_json::from_str(r#""abc""#).unwrap();

        assert_eq!(secret, Secret::new("abc"));
    }

    fn check_brief(secret: &str, expected: &str) {
        assert_eq!(Secret::new(secret).brief(), expected);
    }
}
