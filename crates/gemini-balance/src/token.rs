//! The admin's session token: a JSON Web Token of exactly one kind, HMAC with SHA-256.
//!
//! A token is believed only if its header is, byte for byte, the one we write and its signature
//! is ours; nothing else in it is even decoded before that. Whether the session has been ended
//! since is a question for the store: the claims carry the session and the password's epoch.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::keyed_hash::KeyedHash;

/// The one subject there is, named as scripts written for the Python version expect it.
pub const SUBJECT: &str = "single_user";

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// A real token has about 300 bytes; anything far beyond is not worth a look.
const TOKEN_BYTES_MAX: usize = 2_048;

/// What a token says about its bearer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who it is; always [`SUBJECT`] in a token that was verified.
    pub sub: String,
    /// Seconds since 1970 when it was issued.
    pub iat: i64,
    /// Seconds since 1970 from which it counts no more.
    pub exp: i64,
    /// Seconds since 1970 before which it does not count yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The session it belongs to: logging out ends this one.
    pub jti: String,
    /// How often the password had been changed when it was issued: a change ends all older ones.
    pub epoch: u64,
}

/// Why a token was refused. People are told only that it was; the reason is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of sensible size with the header we write.
    #[error("not a token of ours")]
    Foreign,
    /// The signature does not fit.
    #[error("token signature does not fit")]
    Forged,
    /// The signature fits, the claims do not: a wrong type, a missing one, another subject.
    #[error("token claims cannot be read")]
    Malformed,
    /// Its time is over.
    #[error("token has expired")]
    Expired,
    /// Its time has not come.
    #[error("token is not valid yet")]
    Early,
}

/// Signs and verifies session tokens with one key.
pub struct Tokens {
    signature: KeyedHash,
}

impl Tokens {
    /// Uses the vault's token key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { signature: KeyedHash::new(&key) }
    }

    /// A token that carries these claims.
    ///
    /// # Errors
    ///
    /// When the claims cannot be written as JSON.
    pub fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        let payload = serde_json::to_vec(claims).map_err(|_| TokenError::Malformed)?;
        let mut token = encoded_header();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.signature.of(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The claims of a token that is ours and whose time is `now_s` (seconds since 1970).
    ///
    /// # Errors
    ///
    /// One variant of [`TokenError`] per way in which a token is not ours, not whole or not now.
    pub fn verify(&self, token: &str, now_s: i64) -> Result<Claims, TokenError> {
        let payload = self.authentic_payload(token)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)?;
        if claims.sub != SUBJECT {
            return Err(TokenError::Malformed);
        }
        if claims.exp <= now_s {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|not_before_s| now_s < not_before_s) {
            return Err(TokenError::Early);
        }
        Ok(claims)
    }

    fn authentic_payload(&self, token: &str) -> Result<Vec<u8>, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Foreign);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Foreign)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Foreign)?;
        if header != encoded_header() {
            return Err(TokenError::Foreign);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Forged)?;
        if !bool::from(self.signature.of(signed.as_bytes()).ct_eq(signature.as_slice())) {
            return Err(TokenError::Forged);
        }
        URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Malformed)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

fn encoded_header() -> String {
    URL_SAFE_NO_PAD.encode(HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_790_000_000;

    #[test]
    fn a_token_carries_its_claims_until_it_expires() {
        let tokens = tokens();
        let token = tokens.sign(&claims()).unwrap();

        assert_eq!(tokens.verify(&token, NOW_S), Ok(claims()));
        assert_eq!(tokens.verify(&token, NOW_S + 1_799), Ok(claims()));
        assert_eq!(tokens.verify(&token, NOW_S + 1_800), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_of_another_key_is_refused() {
        let token = Tokens::new([8; 32]).sign(&claims()).unwrap();

        assert_eq!(tokens().verify(&token, NOW_S), Err(TokenError::Forged));
    }

    #[test]
    fn every_other_header_is_refused_even_with_a_fitting_signature() {
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"None","typ":"JWT"}"#,
            r#"{"alg":"nOnE","typ":"JWT"}"#,
            r#"{"alg":"HS384","typ":"JWT"}"#,
            r#"{"alg":"RS256","typ":"JWT"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"typ":"JWT","alg":"HS256","alg":"none"}"#,
            r#"{"alg":"HS256","typ":"JWT","kid":"../../etc/passwd"}"#,
            r#"{"alg":"HS256","typ":"JWT","jku":"https://attacker.example/keys"}"#,
            r#"{"alg":"HS256","typ":"JWT","x5u":"https://attacker.example/cert"}"#,
            "",
        ] {
            let token = signed(header, &payload());

            assert_eq!(tokens().verify(&token, NOW_S), Err(TokenError::Foreign), "{header}");
        }
    }

    #[test]
    fn an_empty_cut_or_changed_signature_is_refused() {
        let token = tokens().sign(&claims()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let flipped = if signature.starts_with('A') { "B" } else { "A" };

        check_refused(&format!("{signed}."), TokenError::Forged);
        check_refused(&format!("{signed}.{}", &signature[..20]), TokenError::Forged);
        check_refused(&format!("{signed}.{flipped}{}", &signature[1..]), TokenError::Forged);
        check_refused(&format!("{signed}.!!!"), TokenError::Forged);
    }

    #[test]
    fn a_changed_claim_breaks_the_signature() {
        let token = tokens().sign(&claims()).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let longer = URL_SAFE_NO_PAD.encode(payload().replace("1790001800", "1999999999"));

        check_refused(&format!("{}.{longer}.{}", parts[0], parts[2]), TokenError::Forged);
    }

    #[test]
    fn claims_of_the_wrong_shape_are_refused_even_when_signed() {
        for (from, to) in [
            (r#""exp":1790001800,"#, ""),
            ("1790001800", r#""1790001800""#),
            ("1790001800", "1e400"),
            ("1790001800", "1790001800.5"),
            ("1790001800", "null"),
            ("single_user", "somebody_else"),
            (r#""epoch":3"#, r#""epoch":-3"#),
            (r#""jti":"session""#, r#""jti":7"#),
        ] {
            let changed = payload().replace(from, to);
            assert_ne!(changed, payload());

            check_refused(&signed(HEADER, &changed), TokenError::Malformed);
        }
        check_refused(&signed(HEADER, "[]"), TokenError::Malformed);
    }

    #[test]
    fn a_token_does_not_count_before_its_time() {
        let tomorrow = Claims { nbf: Some(NOW_S + 1), ..claims() };

        check_refused(&tokens().sign(&tomorrow).unwrap(), TokenError::Early);
    }

    #[test]
    fn what_is_not_a_token_is_refused_without_a_look() {
        check_refused("", TokenError::Foreign);
        check_refused("abc", TokenError::Foreign);
        check_refused("a.b.c.d", TokenError::Foreign);
        check_refused(&"a".repeat(1_000_000), TokenError::Foreign);
        check_refused(&signed(HEADER, &"a".repeat(1_000_000)), TokenError::Foreign);
    }

    fn check_refused(token: &str, expected: TokenError) {
        assert_eq!(tokens().verify(token, NOW_S), Err(expected), "{token:.80}");
    }

    fn tokens() -> Tokens {
        Tokens::new([7; 32])
    }

    fn claims() -> Claims {
        Claims {
            sub: SUBJECT.to_owned(),
            iat: NOW_S,
            exp: NOW_S + 1_800,
            nbf: None,
            jti: "session".to_owned(),
            epoch: 3,
        }
    }

    fn payload() -> String {
        serde_json::to_string(&claims()).unwrap()
    }

    /// A token with our key under whatever header and payload an attacker could wish for.
    fn signed(header: &str, payload: &str) -> String {
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = tokens().signature.of(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
