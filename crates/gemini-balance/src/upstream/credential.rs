//! The one credential of a request on its way out, in the upstream's own carrier, and
//! Cloudflare's token beside it. No other code puts a secret into a request.

use dialect::Dialect;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::secret::Secret;

const GOOGLE_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const CLOUDFLARE_KEY: HeaderName = HeaderName::from_static("cf-aig-authorization");

/// Puts the one credential in, in the upstream's own carrier, and Cloudflare's beside it if set.
///
/// `None` when the key holds a byte that no header can carry.
pub(super) fn authorize(
    headers: &mut HeaderMap,
    dialect: Dialect,
    key: &Secret,
    cloudflare: Option<&Secret>,
) -> Option<()> {
    match dialect {
        Dialect::OpenAi => headers.insert(AUTHORIZATION, bearer(key)?),
        Dialect::Gemini => headers.insert(GOOGLE_KEY, sensitive(key.expose())?),
    };
    if let Some(token) = cloudflare {
        headers.insert(CLOUDFLARE_KEY, bearer(token)?);
    }
    Some(())
}

fn bearer(secret: &Secret) -> Option<HeaderValue> {
    let value = secret.expose();
    if value.starts_with("Bearer ") {
        sensitive(value)
    } else {
        sensitive(&format!("Bearer {value}"))
    }
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_gets_exactly_one_credential_in_its_own_carrier() {
        let key = Secret::new("k1".to_owned());
        let mut openai = HeaderMap::new();
        let mut gemini = HeaderMap::new();

        authorize(&mut openai, Dialect::OpenAi, &key, None).unwrap();
        authorize(&mut gemini, Dialect::Gemini, &key, None).unwrap();

        assert_eq!(openai.get("authorization").unwrap(), "Bearer k1");
        assert_eq!(gemini.get("x-goog-api-key").unwrap(), "k1");
        assert_eq!((openai.len(), gemini.len()), (1, 1));
    }

    #[test]
    fn cloudflare_is_told_its_token_beside_the_key() {
        let mut headers = HeaderMap::new();

        let token = Secret::new("t".to_owned());
        authorize(&mut headers, Dialect::Gemini, &Secret::new("k".to_owned()), Some(&token))
            .unwrap();

        assert_eq!(headers.get("cf-aig-authorization").unwrap(), "Bearer t");
    }
}
