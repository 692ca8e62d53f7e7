//! Secrets that are none because everybody knows them. A door that opens to a published default
//! is an open door, so these are refused wherever they are set.

use http::HeaderValue;

use crate::config::reader::Kind;
use crate::secret::Secret;

pub(super) const PASSWORD: Kind<Option<Secret>> =
    Kind { form: "text, no published default", parse: password };

pub(super) const SIGNING_SECRET: Kind<Option<Secret>> =
    Kind { form: "text, at least 32 bytes", parse: signing_secret };

pub(super) const PASSPHRASE: Kind<Option<Secret>> =
    Kind { form: "text, at least 12 characters", parse: passphrase };

pub(super) const HEADER_SECRET: Kind<Option<Secret>> = Kind { form: "text", parse: header_secret };

/// Compared without case, spaces and punctuation.
const PASSWORDS: [&str; 22] = [
    "admin",
    "admin123",
    "administrator",
    "changeme",
    "changethis",
    "default",
    "demo",
    "gemini",
    "geminibalance",
    "password",
    "password123",
    "passwd",
    "root",
    "secret",
    "test",
    "user",
    "yourpassword",
    "youradminpassword",
    "yoursecurepassword",
    "123456",
    "12345678",
    "123456789",
];

/// Found within a text, compared likewise.
const EXAMPLE_SECRETS: [&str; 9] = [
    "changeme",
    "changethis",
    "defaultsecret",
    "pleasechange",
    "replaceme",
    "secretkeyhere",
    "supersecret",
    "yoursecret",
    // The key in the tutorial of the framework that the Python version was built with.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
];

const SECRET_BYTES_MIN: usize = 32;

/// A random text of 32 letters has many more; `aaaa…` and `abcabc…` have fewer.
const DISTINCT_BYTES_MIN: usize = 8;

const PASSWORD_BYTES_MAX: usize = 1_024;

const PASSPHRASE_CHARS_MIN: usize = 12;

/// What is wrong with a password that somebody chooses, if anything.
#[must_use]
pub fn password_problem(text: &str) -> Option<String> {
    password(text).err()
}

/// What is wrong with a secret that others are derived from, if anything.
#[must_use]
pub fn signing_secret_problem(text: &str) -> Option<String> {
    signing_secret(text).err()
}

fn password(text: &str) -> Result<Option<Secret>, String> {
    let advice = "choose another one, or remove the line and a random one is made and shown once";
    if text.trim().is_empty() {
        return Err(format!("is empty: {advice}"));
    }
    if PASSWORDS.contains(&letters(text).as_str()) {
        return Err(format!("is a published default that opens the door to everybody: {advice}"));
    }
    if text.len() > PASSWORD_BYTES_MAX {
        return Err(format!("is longer than {PASSWORD_BYTES_MAX} bytes: {advice}"));
    }
    Ok(Some(Secret::new(text)))
}

fn signing_secret(text: &str) -> Result<Option<Secret>, String> {
    let advice = "remove the line and a random one is made in the data directory, or use the \
                  output of `openssl rand -hex 32`";
    if text.len() < SECRET_BYTES_MIN {
        return Err(format!(
            "is shorter than {SECRET_BYTES_MIN} bytes and can be guessed: {advice}"
        ));
    }
    let distinct = text.bytes().collect::<std::collections::BTreeSet<u8>>().len();
    let plain = letters(text);
    if distinct < DISTINCT_BYTES_MIN || EXAMPLE_SECRETS.iter().any(|known| plain.contains(known)) {
        return Err(format!("is a published example and can be guessed: {advice}"));
    }
    Ok(Some(Secret::new(text)))
}

fn passphrase(text: &str) -> Result<Option<Secret>, String> {
    if text.trim().is_empty() {
        return Err("is empty: remove the line, or choose one".to_owned());
    }
    match passphrase_problem(text) {
        Some(problem) => Err(problem),
        None => Ok(Some(Secret::new(text))),
    }
}

/// What is wrong with a passphrase that files are sealed under, if anything. Whoever has such a file
/// may guess for as long as they like.
#[must_use]
pub fn passphrase_problem(text: &str) -> Option<String> {
    let is_short = text.chars().count() < PASSPHRASE_CHARS_MIN;
    let is_known = PASSWORDS.contains(&letters(text).as_str())
        || EXAMPLE_SECRETS.iter().any(|known| letters(text).contains(known));
    if is_short {
        Some(format!("is shorter than {PASSPHRASE_CHARS_MIN} characters and can be guessed"))
    } else if is_known {
        Some("is published and can be guessed".to_owned())
    } else {
        None
    }
}

fn header_secret(text: &str) -> Result<Option<Secret>, String> {
    if HeaderValue::from_str(text).is_err() {
        return Err("must be one line of plain characters: it is sent in a header".to_owned());
    }
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

fn letters(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_passwords_are_refused_in_every_spelling() {
        for text in ["", "admin", "Admin", "ADMIN!", "change_me", "change-me", "your-password"] {
            assert!(password(text).is_err(), "{text}");
        }
        assert!(password(&"x".repeat(1_025)).is_err());
        assert!(password("adminton").is_ok());
    }

    #[test]
    fn short_and_published_secrets_are_refused() {
        for text in [
            "",
            "0123456789abcdef0123456789abcde",
            "your-secret-key-your-secret-key-your-secret-key",
            "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(signing_secret(text).is_err(), "{text}");
        }
        assert!(signing_secret("f3a1c2d4e5b60718293a4b5c6d7e8f90").is_ok());
    }

    #[test]
    fn a_secret_for_a_header_fits_into_one() {
        assert!(header_secret("Bearer\r\nx: y").is_err());
        assert_eq!(header_secret(""), Ok(None));
        assert_eq!(header_secret("Bearer x"), Ok(Some(Secret::new("Bearer x"))));
    }
}
