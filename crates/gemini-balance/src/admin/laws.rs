//! No caller of the admin API passes for another one, however crooked what it sends.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};

use crate::admin::access::{COOKIE_NAME, Credential, Site, site};
use crate::admin::input;
use crate::admin::login_form::{LoginForm, boundary, form_field, multipart_field};
use crate::admin::moment::{self, QueryMoment};
use crate::admin::peer::Peer;
use crate::config::network::Network;
use crate::keyed_hash::KeyedHash;
use crate::laws;
use crate::origin::Origin;
use crate::secret::Secret;
use crate::service_keys;
use crate::token::{Claims, SUBJECT, TokenError, Tokens};

const TOKEN_KEY: [u8; 32] = [7; 32];

/// 2026-11-23, in seconds since 1970.
const NOW_S: i64 = 1_795_392_000;

/// The header of our tokens, encoded.
const TOKEN_HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Year 1 to year 9000, the calendar in which every time can be written and read.
const CALENDAR_MS: std::ops::Range<i64> = -62_135_596_800_000..221_845_392_000_000;

/// Input: the address of the peer and the trusted networks, parted by spaces; header fields, one a
/// line up to an empty one; and the body of a login, a moment, a service key, or a change to a token.
pub fn holds(input: &[u8]) {
    let (line, rest) = laws::line(input);
    let (fields, body) = laws::fields(rest);
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    if let Some(Ok(peer)) = words.next().map(str::parse) {
        let trusted: Vec<Network> = words.filter_map(|word| word.parse().ok()).collect();
        is_where_it_comes_from(peer, &fields, &trusted);
    }
    has_the_token_it_sent(&fields);
    is_on_its_own_page(&fields);
    is_no_token(body);
    logs_in_with_what_was_typed(body, &fields);
    if let Ok(text) = std::str::from_utf8(body) {
        is_a_moment(text);
        is_a_key(text);
    }
}

/// A stranger's fields say nothing, and what stands left of a stranger's address says nothing.
fn is_where_it_comes_from(peer: IpAddr, fields: &HeaderMap, trusted: &[Network]) {
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let origin = Origin { address: SocketAddr::new(peer, 0), is_tls: false };
    let seen = Peer::seen(origin, fields, trusted);
    assert_eq!(seen.address, seen.address.to_canonical());
    if !is_trusted(peer) {
        assert_eq!(seen, Peer { address: peer.to_canonical(), is_tls: false });
    }
    let mut claimed = HeaderMap::new();
    claimed.append("x-forwarded-for", HeaderValue::from_static("198.51.100.77, 203.0.113.7"));
    for (name, value) in fields {
        claimed.append(name, value.clone());
    }
    if !is_trusted(seen.address) {
        assert_eq!(Peer::seen(origin, &claimed, trusted), seen);
    }
}

/// The token stands in the fields whole, and other cookies do not change it.
fn has_the_token_it_sent(fields: &HeaderMap) {
    let Some(credential) = Credential::of(fields) else {
        return;
    };
    let token = credential.token();
    assert!(!token.is_empty());
    let name = match credential {
        Credential::Bearer(_) => "authorization",
        Credential::Cookie(_) => "cookie",
    };
    let mut values = fields.get_all(name).iter().filter_map(|value| value.to_str().ok());
    assert!(values.any(|value| value.contains(token)));
    if let Credential::Cookie(token) = credential {
        assert!(!token.contains(';'));
        let mut others = HeaderMap::new();
        others.append("cookie", HeaderValue::from_static("x=gb_session; a=b=c; xgb_session=y"));
        for (name, value) in fields {
            others.append(name, value.clone());
        }
        assert_eq!(Credential::of(&others), Some(Credential::Cookie(token)), "{COOKIE_NAME}");
    }
}

fn is_on_its_own_page(fields: &HeaderMap) {
    let is_own = site(fields) == Site::Own;
    match fields.get("sec-fetch-site") {
        Some(word) => assert_eq!(is_own, word == "same-origin"),
        None if is_own => {
            let [origin, host] = ["origin", "host"].map(|name| fields.get(name));
            let [origin, host] = [origin, host].map(|it| it.map_or(&b""[..], |it| it.as_bytes()));
            assert!(!host.is_empty() && origin.ends_with(&[b"://", host].concat()));
        }
        None => {}
    }
}

/// No change to a token leaves one, and no claims of ours but whole ones are believed.
fn is_no_token(change: &[u8]) {
    let tokens = Tokens::new(TOKEN_KEY);
    let whole = Claims {
        sub: SUBJECT.to_owned(),
        iat: NOW_S,
        exp: NOW_S + 1,
        nbf: None,
        jti: "session".to_owned(),
        epoch: 3,
    };
    let token = tokens.sign(&whole).unwrap_or_default();
    assert_eq!(tokens.verify(&token, NOW_S), Ok(whole));

    let text = String::from_utf8_lossy(change);
    assert!(tokens.verify(&text, NOW_S).is_err());
    let at = change.first().map_or(0, |byte| usize::from(*byte) % token.len());
    let (head, tail) = token.split_at(at);
    let (_, after) = tail.split_at(tail.len().min(1));
    for changed in [format!("{head}{text}{tail}"), format!("{head}{text}{after}")] {
        assert!(changed == token || tokens.verify(&changed, NOW_S).is_err(), "{changed}");
    }

    let signed = format!("{TOKEN_HEADER}.{text}");
    let signature = base64(&KeyedHash::new(&TOKEN_KEY).of(signed.as_bytes()));
    match tokens.verify(&format!("{signed}.{signature}"), NOW_S) {
        Ok(claims) => assert!(claims.sub == SUBJECT && NOW_S < claims.exp),
        Err(error) => assert_ne!(error, TokenError::Forged),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Any password can be sent in each of the forms; and no body gets a password that is not in it.
fn logs_in_with_what_was_typed(body: &[u8], fields: &HeaderMap) {
    let _ = input::parse_json::<LoginForm>(body);
    let _ = form_field(body, b"password");
    let content_type = fields.get("content-type").and_then(|it| it.to_str().ok());
    if let Some(given) = content_type.and_then(boundary) {
        assert!(!given.is_empty());
        if let Some(password) = multipart_field(body, given, "password") {
            let password = password.expose().as_bytes();
            assert!(password.is_empty() || memchr::memmem::find(body, password).is_some());
        }
    }
    let Ok(password) = std::str::from_utf8(body) else {
        return;
    };
    let encoded = utf8_percent_encode(password, NON_ALPHANUMERIC);
    let form = format!("username=a&password={encoded}&grant_type=password");
    assert_eq!(form_field(form.as_bytes(), b"password"), Some(Secret::new(password)));

    let head = "Content-Disposition: form-data; name=";
    let boundary = "7MA4YWxkTrZu0gW";
    if !password.contains(boundary) {
        let form = format!(
            "--{boundary}\r\n{head}\"username\"\r\n\r\nadmin\r\n\
             --{boundary}\r\n{head}\"password\"\r\n\r\n{password}\r\n--{boundary}--\r\n"
        );
        let found = multipart_field(form.as_bytes(), boundary, "password");
        assert_eq!(found, Some(Secret::new(password)));
    }
}

/// A moment that was read is the same when it is written and read again.
fn is_a_moment(text: &str) {
    if let Some(ms) = moment_ms(text).filter(|ms| CALENDAR_MS.contains(ms)) {
        let written = moment::written(ms);
        assert_eq!(moment_ms(&written), Some(ms), "{text} as {written}");
    }
}

fn moment_ms(text: &str) -> Option<i64> {
    let text: StrDeserializer<'_, Error> = text.into_deserializer();
    QueryMoment::deserialize(text).ok().map(|moment| moment.ms)
}

/// A service key is one word that a header can carry, and stays the same when it comes in again.
fn is_a_key(line: &str) {
    if let Ok(key) = service_keys::parse(line) {
        assert_eq!(line.trim(), key.expose());
        assert!(HeaderValue::from_str(key.expose()).is_ok());
        assert!(key.expose().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(8 <= key.expose().len() && key.expose().len() <= 512);
        assert_eq!(service_keys::parse(key.expose()), Ok(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_calls_pass_for_nobody_else() {
        laws::check("admin", holds);
    }
}
