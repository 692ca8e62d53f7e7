//! The one credential of a request on its way out, in the upstream's own carrier, and
//! Cloudflare's token beside it. No other code puts a secret into a request.

use dialect::Dialect;

use super::head::field;
use crate::secret::Secret;

/// What a request is let in by.
#[derive(Debug, Clone, Copy)]
pub enum Pass<'a> {
    /// A service key.
    Key(&'a Secret),
    /// A token that one of them has made, for one Live session or a few.
    Token(&'a Secret),
}

/// What lets a request in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Credentials<'a> {
    /// The one credential.
    pub(super) pass: Pass<'a>,
    /// The token of a Cloudflare AI gateway, where there is one on the way.
    pub(super) cloudflare: Option<&'a Secret>,
}

/// Writes the one credential into a head, in the upstream's own carrier, and Cloudflare's beside
/// it if set.
///
/// `None` when one of them holds a byte that no head can carry.
pub(super) fn write(
    head: &mut Vec<u8>,
    dialect: Dialect,
    credentials: Credentials<'_>,
) -> Option<()> {
    match (dialect, credentials.pass) {
        (Dialect::OpenAi, Pass::Key(key)) => bearer(head, "authorization", key)?,
        (Dialect::Gemini, Pass::Key(key)) => {
            field(head, "x-goog-api-key", sendable(key)?.as_bytes());
        }
        (_, Pass::Token(token)) => {
            let value = [b"Token ", sendable(token)?.as_bytes()].concat();
            field(head, "authorization", &value);
        }
    }
    credentials.cloudflare.map_or(Some(()), |token| bearer(head, "cf-aig-authorization", token))
}

fn bearer(head: &mut Vec<u8>, name: &str, secret: &Secret) -> Option<()> {
    let value = sendable(secret)?;
    if value.starts_with("Bearer ") {
        field(head, name, value.as_bytes());
    } else {
        field(head, name, [b"Bearer ", value.as_bytes()].concat().as_slice());
    }
    Some(())
}

/// The secret, if a head can carry it.
fn sendable(secret: &Secret) -> Option<&str> {
    let value = secret.expose();
    value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(dialect: Dialect, key: &str, cloudflare: Option<&str>, expected: Option<&str>) {
        let [key, cloudflare] = [Some(key), cloudflare].map(|it| it.map(Secret::new));
        let key = &key.unwrap();
        let mut head = Vec::new();
        let pass = Pass::Key(key);
        let written =
            write(&mut head, dialect, Credentials { pass, cloudflare: cloudflare.as_ref() });
        let head = written.map(|()| String::from_utf8(head).unwrap());
        assert_eq!(head.as_deref(), expected);
    }

    #[test]
    fn each_dialect_gets_exactly_one_credential_in_its_own_carrier() {
        check(Dialect::OpenAi, "k1", None, Some("authorization: Bearer k1\r\n"));
        check(Dialect::OpenAi, "Bearer k1", None, Some("authorization: Bearer k1\r\n"));
        check(Dialect::Gemini, "k1", None, Some("x-goog-api-key: k1\r\n"));
    }

    #[test]
    fn a_token_goes_alone_in_a_carrier_of_its_own() {
        let token = &Secret::new("auth_tokens/t");
        let mut head = Vec::new();

        let pass = Pass::Token(token);
        write(&mut head, Dialect::Gemini, Credentials { pass, cloudflare: None }).unwrap();

        assert_eq!(head, b"authorization: Token auth_tokens/t\r\n");
    }

    #[test]
    fn cloudflare_is_told_its_token_beside_the_key() {
        let both = "x-goog-api-key: k\r\ncf-aig-authorization: Bearer t\r\n";
        check(Dialect::Gemini, "k", Some("t"), Some(both));
    }

    #[test]
    fn a_credential_cannot_begin_a_field_of_its_own() {
        for key in ["k\r\nx: y", "k\n", "k\0", "ключ"] {
            check(Dialect::OpenAi, key, None, None);
            check(Dialect::Gemini, "k", Some(key), None);
        }
    }
}
