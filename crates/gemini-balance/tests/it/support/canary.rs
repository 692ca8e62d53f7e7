//! Every secret of a test, and a search for them in whatever comes out of a gateway.
//!
//! Every house test is a canary run: [`Gateway::close`](crate::support::Gateway::close) searches
//! the log at its most talkative, the metrics, the admin's pages and the bytes on the disk;
//! [`Client`](crate::support::Client) searches each answer, and
//! [`Process`](crate::support::process::Process) what the program says. What the gateway makes
//! itself, user keys and tokens, is known by its form, so that nobody's key can be forgotten.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::Method;
use memchr::memmem;
use parking_lot::Mutex;
use serde_json::Value;

/// A shorter text can stand in an output by chance.
const SECRET_BYTES_MIN: usize = 8;
/// What of a secret people may see at either end, `AIza...ok01`; the rest of a long one is a leak
/// by itself.
const SHOWN_BYTES: usize = 4;
/// From this length on, what is not shown is long enough to be told from other words.
const LONG_BYTES_MIN: usize = 24;
/// Of a long list of keys, this many are looked for.
pub(super) const KEYS_MAX: usize = 64;
/// Of a long answer, this much is searched.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What follows the beginning of a key or token is at least this long; a shorter run of letters can
/// stand in a signature by chance.
const RANDOM_BYTES_MIN: usize = 40;
/// A run of the letters of URL-safe base 64 that is longer than this is something sealed, such as the
/// address of an upload: in one of some thousands stands by chance what looks like a key.
const SEALED_BYTES_MIN: usize = 128;
/// The settings that are secret.
const SECRET_SETTINGS: [&str; 8] = [
    "PASSWORD",
    "SECRET_KEY",
    "ENCRYPTION_KEY",
    "CF_AI_AUTHORIZATION_KEY",
    "BACKUP_PASSPHRASE",
    "ALERT_WEBHOOK_TOKEN",
    "ALERT_TELEGRAM_TOKEN",
    "OTEL_EXPORTER_OTLP_HEADERS",
];

/// What a secret is, since each may be shown at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What a test or a setting names.
    Named,
    /// A user key, by its form.
    UserKey,
    /// A session's token, by its form.
    Token,
    /// The hash of a password, by its form.
    PasswordHash,
}

/// The secrets of one gateway.
#[derive(Debug, Default)]
pub(crate) struct Canaries(Mutex<Vec<Vec<u8>>>);

impl Canaries {
    /// Those of everybody who has no gateway of the harness.
    pub(crate) fn of_processes() -> &'static Arc<Self> {
        static OF_PROCESSES: OnceLock<Arc<Canaries>> = OnceLock::new();
        OF_PROCESSES.get_or_init(Arc::default)
    }

    /// One more secret.
    pub(crate) fn learn(&self, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        let mut secrets = self.0.lock();
        if SECRET_BYTES_MIN <= secret.len() && !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_owned());
        }
    }

    /// The secret in a setting, if there is one: its value, or the password in its URL.
    pub(crate) fn learn_setting(&self, name: &str, value: &str) {
        if SECRET_SETTINGS.contains(&name) {
            self.learn(value);
        }
        if let Some((_, rest)) = value.split_once("://")
            && let Some((login, _)) = rest.rsplit_once('@')
            && let Some((_, password)) = login.split_once(':')
        {
            self.learn(password);
            self.learn(STANDARD_NO_PAD.encode(login));
        }
    }

    /// The keys in the file `secrets`, if there is one.
    pub(crate) fn learn_secrets_file(&self, data_dir: &Path) {
        let text = std::fs::read_to_string(data_dir.join("secrets")).unwrap_or_default();
        for (_, digits) in text.lines().filter_map(|line| line.split_once(" = ")) {
            let pairs = digits.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
            let key = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap());
            self.learn(key.collect::<Vec<u8>>());
        }
    }

    /// The service keys that a call brings in, if it does.
    pub(crate) fn learn_call(&self, method: &Method, path: &str, body: &[u8]) {
        if method == Method::POST && ["/api/keys", "/api/keys/import"].contains(&path) {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let keys = body["api_keys"].as_array().into_iter().flatten();
            keys.filter_map(Value::as_str).take(KEYS_MAX).for_each(|key| self.learn(key.trim()));
        }
    }

    /// What is secret in some bytes, apart from what may be there.
    pub(crate) fn leaks(&self, bytes: &[u8], may_hold: &[Kind]) -> Vec<String> {
        let mut leaks = by_form(bytes);
        if !may_hold.contains(&Kind::Named) {
            let secrets = self.0.lock();
            let has = |form: &Vec<u8>| memmem::find(bytes, form).is_some();
            let found = secrets.iter().filter(|secret| forms(secret).iter().any(has));
            let shown = |secret| String::from_utf8_lossy(secret).into_owned();
            leaks.extend(found.map(|secret| (Kind::Named, shown(secret))));
        }
        leaks.retain(|(kind, _)| !may_hold.contains(kind));
        leaks.into_iter().map(|(_, text)| text).collect()
    }

    /// Fails if an answer shows what it must not.
    pub(crate) fn check_answer(&self, (method, path): &(Method, String), answer: &[u8]) {
        let searched = answer.get(..ANSWER_BYTES_MAX).unwrap_or(answer);
        let leaks = self.leaks(searched, shown_by(method, path));
        let text = || String::from_utf8_lossy(searched);
        assert!(leaks.is_empty(), "{method} {path} shows {leaks:?}: {:.2000}", text());
    }
}

/// What an answer shows to whom it belongs: a key that was just made, a token to who logs in, and
/// service keys in an export, against the password; in a backup the hash that it is a backup of.
fn shown_by(method: &Method, path: &str) -> &'static [Kind] {
    match (method.as_str(), path) {
        ("POST", path) if path.starts_with("/api/auth_keys") => &[Kind::UserKey],
        ("POST", "/api/login" | "/api/auth/login" | "/api/auth/password") => &[Kind::Token],
        ("POST", "/api/keys/export") => &[Kind::Named],
        ("POST", "/api/backup") => &[Kind::PasswordHash],
        _ => &[],
    }
}

/// How a secret may look in an output: as it is, without its ends, as hexadecimal digits, in
/// base 64.
fn forms(secret: &[u8]) -> [Vec<u8>; 3] {
    let hex = secret.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let is_long = LONG_BYTES_MIN <= secret.len();
    let hidden = if is_long { SHOWN_BYTES..secret.len() - SHOWN_BYTES } else { 0..secret.len() };
    [secret[hidden].to_owned(), hex.into_bytes(), STANDARD_NO_PAD.encode(secret).into_bytes()]
}

/// The secrets that show by their form.
fn by_form(bytes: &[u8]) -> Vec<(Kind, String)> {
    let is_of_key = |byte: &u8| byte.is_ascii_alphanumeric();
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let is_of_hash = |byte: &u8| !byte.is_ascii_control() && *byte != b' ';
    [
        after(bytes, Kind::UserKey, "gb-", is_of_key),
        after(bytes, Kind::Token, "eyJhbGci", is_of_token),
        after(bytes, Kind::PasswordHash, "$argon2", is_of_hash),
    ]
    .concat()
}

fn after(
    bytes: &[u8],
    kind: Kind,
    start: &str,
    belongs: impl Fn(&u8) -> bool,
) -> Vec<(Kind, String)> {
    let places = memmem::find_iter(bytes, start);
    let found = places.filter_map(|place| {
        let rest = &bytes[place + start.len()..];
        let length = rest.iter().take_while(|byte| belongs(byte)).count();
        let is_chance = kind == Kind::UserKey && is_sealed(bytes, place);
        (RANDOM_BYTES_MIN <= length && !is_chance)
            .then(|| (kind, format!("{start}{}", String::from_utf8_lossy(&rest[..length]))))
    });
    found.collect()
}

/// Whether a place lies within something sealed.
fn is_sealed(bytes: &[u8], place: usize) -> bool {
    let belongs = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let (before, behind) = bytes.split_at(place);
    let run =
        before.iter().rev().take_while(belongs).count() + behind.iter().take_while(belongs).count();
    SEALED_BYTES_MIN < run
}

#[test]
fn a_secret_is_found_in_every_form_and_what_people_may_see_is_none() {
    let key = "AIzaSyCanary-0123456789-abcdefghijklm01";
    let canaries = Canaries::default();
    canaries.learn(key);
    canaries.learn("short");
    canaries.learn_setting("HTTP_PROXY", "http://user:canary-password@proxy");
    let user_key = format!("gb-{}", "a1".repeat(21));
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(canaries.leaks(text.as_bytes(), &[]), expected, "{text}");
    };

    check(&format!("it said {key}!"), &[key]);
    check(&key[3..36], &[key]);
    for form in forms(key.as_bytes()) {
        check(str::from_utf8(&form).unwrap(), &[key]);
    }
    check("proxy says canary-password", &["canary-password"]);
    check("Basic dXNlcjpjYW5hcnktcGFzc3dvcmQ", &["dXNlcjpjYW5hcnktcGFzc3dvcmQ"]);
    check(&format!("key {user_key}, "), &[&user_key]);
    check(
        &format!("eyJhbGciOi{}.x", "a".repeat(40)),
        &[&format!("eyJhbGciOi{}.x", "a".repeat(40))],
    );
    check(&format!("behind{user_key}_and"), &[&user_key]);
    check(&format!("?upload_id={}_{user_key}_{0}&x", "Ab-9".repeat(24)), &[]);
    check("a signature with gb-7ERDKdtvenQSOvSqFSN4VOgA in it", &[]);
    check("AIza...lm01 gb-a1...a1a1 short", &[]);
    assert!(canaries.leaks(user_key.as_bytes(), &[Kind::UserKey]).is_empty());
}
