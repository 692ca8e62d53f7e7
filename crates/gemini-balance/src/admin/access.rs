//! Who is an admin: the bearer of a living session's token, in a header or in a cookie.
//!
//! A token in a query is never looked at: addresses end up in logs and histories. A browser sends
//! the cookie by itself, so a call that changes something must come from a page of our own.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::request::Parts;

use crate::admin::error::ApiError;
use crate::app::App;
use crate::sessions::Session;

/// The cookie that carries the token of a browser.
pub(super) const COOKIE_NAME: &str = "gb_session";

/// The admin, proved by a living session.
#[derive(Debug, Clone)]
pub(super) struct Admin {
    /// The session.
    pub(super) session: Session,
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let credential = Credential::of(&parts.headers).ok_or(ApiError::NotAuthenticated)?;
        let session = app.sessions.verify(credential.token(), app.clock.wall_ms())?;
        let is_forgeable = matches!(credential, Credential::Cookie(_)) && !parts.method.is_safe();
        if is_forgeable && site(&parts.headers) != Site::Own {
            return Err(ApiError::ForeignOrigin);
        }
        Ok(Self { session })
    }
}

/// A token and where it stood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    Bearer(&'a str),
    Cookie(&'a str),
}

impl<'a> Credential<'a> {
    /// The bearer's token, else the cookie's: a proxy in front may use `Authorization` for itself.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        bearer(headers).map(Self::Bearer).or_else(|| cookie(headers).map(Self::Cookie))
    }

    /// The token, wherever it stood.
    pub(super) fn token(&self) -> &'a str {
        match self {
            Self::Bearer(token) | Self::Cookie(token) => token,
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    fields
        .flat_map(|field| field.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, token)| *name == COOKIE_NAME && !token.is_empty())
        .map(|(_, token)| token)
}

/// Whose page has made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// One of ours.
    Own,
    /// Somebody else's.
    Foreign,
    /// None, or a browser that does not say.
    Unknown,
}

/// What a browser says about the page that makes a call.
///
/// `Sec-Fetch-Site` alone decides where it is sent: a proxy that rewrites `Host` makes the origin
/// look foreign when it is not.
pub(super) fn site(headers: &HeaderMap) -> Site {
    let text =
        |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap_or(""));
    if let Some(fetch_site) = headers.get("sec-fetch-site") {
        return match fetch_site.as_bytes() {
            b"same-origin" => Site::Own,
            _ => Site::Foreign,
        };
    }
    match (text(ORIGIN), text(HOST)) {
        (None, _) => Site::Unknown,
        (Some(origin), Some(host)) if authority(origin) == Some(host) => Site::Own,
        (Some(_), _) => Site::Foreign,
    }
}

/// `host[:port]` of an origin; `null` has none, and an empty one is nobody's.
fn authority(origin: &str) -> Option<&str> {
    origin.split_once("://").map(|(_, authority)| authority).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// Header fields and what is made of them.
    type Case<T> = (&'static [(&'static str, &'static str)], T);

    const HOST_FIELD: (&str, &str) = ("host", "gateway.example:8090");

    #[test]
    fn a_token_stands_in_a_header_or_in_the_cookie() {
        let cases: [Case<Option<Credential<'_>>>; 8] = [
            (&[("authorization", "Bearer abc")], Some(Credential::Bearer("abc"))),
            (&[("authorization", "bearer  abc")], Some(Credential::Bearer("abc"))),
            (&[("cookie", "a=b; gb_session=abc")], Some(Credential::Cookie("abc"))),
            (
                &[("authorization", "Basic YTpi"), ("cookie", "gb_session=abc")],
                Some(Credential::Cookie("abc")),
            ),
            (
                &[("authorization", "Bearer x"), ("cookie", "gb_session=abc")],
                Some(Credential::Bearer("x")),
            ),
            (&[("authorization", "Bearer ")], None),
            (&[("cookie", "xgb_session=abc; gb_session=")], None),
            (&[], None),
        ];
        for (fields, expected) in cases {
            assert_eq!(Credential::of(&headers(fields)), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_page_is_ours_only_if_the_browser_says_so() {
        let cases: [Case<Site>; 9] = [
            (&[("sec-fetch-site", "same-origin")], Site::Own),
            (&[("sec-fetch-site", "same-site")], Site::Foreign),
            (&[("sec-fetch-site", "cross-site"), HOST_FIELD], Site::Foreign),
            (&[("origin", "https://gateway.example:8090"), HOST_FIELD], Site::Own),
            (&[("origin", "https://evil.example"), HOST_FIELD], Site::Foreign),
            (&[("origin", "null"), HOST_FIELD], Site::Foreign),
            (&[("origin", "https://gateway.example:8090")], Site::Foreign),
            (&[("origin", "://"), ("host", "\u{b2}")], Site::Foreign),
            (&[HOST_FIELD], Site::Unknown),
        ];
        for (fields, expected) in cases {
            assert_eq!(site(&headers(fields)), expected, "{fields:?}");
        }
    }

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        fields.iter().map(field).collect()
    }
}
