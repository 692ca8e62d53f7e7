//! HMAC-SHA-256 under one key: the only keyed hash in the house. It looks keys up, signs tokens
//! and derives one key from another.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Hashes under a fixed key; keeps the half-finished state, so that one short hash costs two
/// rounds of SHA-256.
#[derive(Clone)]
pub struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    /// Hashes under `key` from here on.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // HMAC pads a short key with zeros to a block; done here, no length can be wrong.
        let mut block = Zeroizing::new([0; 64]);
        for (padded, byte) in block.iter_mut().zip(key) {
            *padded = *byte;
        }
        Self(Hmac::new((&*block).into()))
    }

    /// The hash of `message`.
    #[must_use]
    pub fn of(&self, message: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(message).finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hmac_sha_256() {
        // RFC 4231, test case 1, whose 20-byte key is padded with zeros here.
        let mut key = [0; 32];
        key[..20].fill(0x0b);

        let hash = KeyedHash::new(&key).of(b"Hi There");

        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }

    #[test]
    fn another_key_makes_another_hash() {
        assert_ne!(KeyedHash::new(&[1; 32]).of(b"x"), KeyedHash::new(&[2; 32]).of(b"x"));
    }
}
