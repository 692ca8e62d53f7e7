//! The only room that draws random values: everything secret comes straight from the operating
//! system, and a failure to draw is an error the caller must face, never a weaker value.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The operating system had no random bytes to give.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no random bytes from the operating system: {0}")]
pub struct RandomError(getrandom::Error);

/// `N` bytes fit for keys, salts and nonces.
///
/// # Errors
///
/// When the operating system's generator fails.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(RandomError)?;
    Ok(bytes)
}

/// A user key for a caller: `gb-` and 43 letters and digits, 256 bits.
///
/// # Errors
///
/// When the operating system's generator fails.
pub fn random_user_key() -> Result<Secret, RandomError> {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let letters = random_letters(LETTERS, 43)?;
    Ok(Secret::new(format!("gb-{}", letters.as_str())))
}

/// A first password for the admin: 24 letters and digits in six groups, 120 bits, without the ones
/// that are mistaken for each other when typed from a screen.
///
/// # Errors
///
/// When the operating system's generator fails.
pub fn random_password() -> Result<Secret, RandomError> {
    const LETTERS: &[u8] = b"23456789abcdefghijkmnpqrstuvwxyz";
    let letters = random_letters(LETTERS, 24)?;
    let mut password = String::with_capacity(29);
    for (index, letter) in letters.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            password.push('-');
        }
        password.push(letter);
    }
    Ok(Secret::new(password))
}

/// Letters drawn evenly: a byte beyond the last whole multiple of the alphabet is drawn again.
fn random_letters(alphabet: &[u8], count: usize) -> Result<Zeroizing<String>, RandomError> {
    let whole = 256 - 256 % alphabet.len();
    let mut letters = Zeroizing::new(String::with_capacity(count));
    while letters.len() < count {
        for byte in Zeroizing::new(random_bytes::<64>()?).iter().map(|byte| usize::from(*byte)) {
            if byte < whole
                && letters.len() < count
                && let Some(letter) = alphabet.get(byte % alphabet.len())
            {
                letters.push(char::from(*letter));
            }
        }
    }
    Ok(letters)
}

/// Names one request in logs, rows and the `x-request-id` header: 128 bits, shown as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u128);

impl RequestId {
    /// Reads up to 32 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok()?;
        (is_hex && text.len() <= 32).then_some(Self(number))
    }
}

impl RequestId {
    /// The id as it is shown everywhere.
    #[must_use]
    pub fn hex(self) -> RequestIdText {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = RequestIdText([b'0'; 32]);
        for (pair, byte) in text.0.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            for (place, digit) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *place = DIGITS.get(usize::from(digit)).copied().unwrap_or_default();
            }
        }
        text
    }
}

/// A [`RequestId`] as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestIdText([u8; 32]);

impl RequestIdText {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Digits are always text.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.hex().as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex().as_str())
    }
}

/// Makes request ids without asking the system each time: never twice the same in a process,
/// unlike any other process's, but not secret.
#[derive(Debug)]
pub struct RequestIds {
    seed: [u64; 2],
    count: AtomicU64,
}

impl RequestIds {
    /// Draws this process's seed.
    ///
    /// # Errors
    ///
    /// When the operating system's generator fails.
    pub fn seeded() -> Result<Self, RandomError> {
        let [high, low] = [random_bytes::<8>()?, random_bytes::<8>()?].map(u64::from_le_bytes);
        Ok(Self { seed: [high, low], count: AtomicU64::new(0) })
    }

    /// The next id; costs one atomic step.
    #[must_use]
    pub fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [high, low] = self.seed.map(|seed| mixed(seed, count));
        RequestId(u128::from(high) << 64 | u128::from(low))
    }
}

/// `SplitMix64`: a bijection of the count, so no two counts share a value.
fn mixed(seed: u64, count: u64) -> u64 {
    let mut value = seed.wrapping_add(count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_user_key_is_long_plain_and_never_the_same() {
        let [one, two] = [random_user_key().unwrap(), random_user_key().unwrap()];

        let letters = one.expose().strip_prefix("gb-").unwrap();
        assert_eq!(letters.len(), 43);
        assert!(letters.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(one, two);
    }

    #[test]
    fn a_password_can_be_read_aloud() {
        let password = random_password().unwrap();

        let groups: Vec<&str> = password.expose().split('-').collect();
        assert_eq!(groups.len(), 6);
        assert!(groups.iter().all(|group| group.len() == 4));
        assert!(!password.expose().contains(['0', '1', 'l', 'o']));
    }

    #[test]
    fn request_ids_are_32_hex_digits_and_never_repeat() {
        let ids = RequestIds::seeded().unwrap();

        let seen: HashSet<String> = (0..10_000).map(|_| ids.next().to_string()).collect();

        assert_eq!(seen.len(), 10_000);
        assert!(seen.iter().all(|id| id.len() == 32));
        assert!(seen.iter().flat_map(|id| id.bytes()).all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn two_processes_do_not_share_request_ids() {
        let [one, two] = [RequestIds::seeded().unwrap(), RequestIds::seeded().unwrap()];

        assert_ne!(one.next(), two.next());
    }
}
