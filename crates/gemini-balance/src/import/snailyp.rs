//! snailyp/gemini-balance: its `.env`, its settings as JSON, and its database, SQLite or a dump of
//! MySQL.
//!
//! Keys and tokens are settings there, lists in JSON or with commas; in the database the settings
//! are the rows of `t_settings`, which go before the `.env`. A later line of the program has a table
//! of keys, `t_api_keys`. Sources: its `app/config/config.py`, `app/database/models.py` and
//! `app/core/security.py`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::import::error::MoveError;
use crate::import::findings::{Findings, FoundServiceKey, FoundUserKey, Source};
use crate::import::snailyp_settings;
use crate::import::tables::Tables;

/// Tables that hold something to be taken over.
pub(super) const TABLES: &[&str] = &["t_settings", "t_api_keys"];
/// Settings that only this program has.
const MARKS: [&str; 3] = ["API_KEYS", "ALLOWED_TOKENS", "VERTEX_API_KEYS"];

/// Names and values as they were written.
pub(super) type Settings = BTreeMap<String, String>;

/// Reads its database.
pub(super) fn read(tables: &Tables) -> Result<Findings, MoveError> {
    let rows = tables.rows("t_settings", &["key", "value"])?;
    let mut settings = Settings::new();
    for row in rows {
        if let [Some(name), Some(value)] = row.as_slice() {
            settings.insert(name.clone(), value.clone());
        }
    }
    let mut findings = of(&settings, tables.form());
    let keys = tables.rows("t_api_keys", &["id", "key_value", "service", "status"])?;
    for row in keys {
        let [id, key, service, status] = row.as_slice() else { continue };
        let place = format!("t_api_keys {}", id.as_deref().unwrap_or("?"));
        let key = FoundServiceKey::new(place, key.as_deref().unwrap_or_default());
        let key = match (service.as_deref(), status.as_deref()) {
            (Some("gemini") | None, Some("banned")) => key.switched_off("was banned there"),
            (Some("gemini") | None, _) => key,
            (Some(_), _) => key.switched_off("is for another service than Gemini"),
        };
        findings.service_keys.push(key);
    }
    findings.bounded()
}

/// Reads its `.env`; `None` if the text is none of this program.
pub(super) fn read_env(text: &str) -> Option<Findings> {
    let settings = env(text);
    MARKS.iter().any(|mark| settings.contains_key(*mark)).then(|| of(&settings, ".env"))
}

/// Whether an object holds its settings.
pub(super) fn is_settings(object: &Map<String, Value>) -> bool {
    MARKS.iter().any(|mark| object.contains_key(*mark))
}

/// Reads its settings as its API answers them.
pub(super) fn read_json(object: &Map<String, Value>) -> Findings {
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let settings = object.iter().map(|(name, each)| (name.clone(), value(each)));
    of(&settings.collect(), "settings as JSON")
}

fn of(settings: &Settings, form: &str) -> Findings {
    let mut findings = Findings::new(Source::Snailyp, form);
    let list = |name: &str| settings.get(name).map(|value| list(value)).unwrap_or_default();
    for (number, key) in (1..).zip(list("API_KEYS")) {
        findings.service_keys.push(FoundServiceKey::new(format!("API_KEYS {number}"), &key));
    }
    for key in list("PAID_KEY") {
        let is_known = list("API_KEYS").contains(&key);
        if !is_known && !key.starts_with("AIzaSyxxxx") {
            let key = FoundServiceKey::new("PAID_KEY".to_owned(), &key);
            findings.service_keys.push(key.tagged("paid"));
        }
    }
    for (number, key) in (1..).zip(list("VERTEX_API_KEYS")) {
        let key = FoundServiceKey::new(format!("VERTEX_API_KEYS {number}"), &key).tagged("vertex");
        findings.service_keys.push(key.switched_off(
            "is for Vertex AI (aiplatform.googleapis.com), which this gateway does not ask",
        ));
    }
    let tokens = list("ALLOWED_TOKENS");
    for (number, token) in (1..).zip(&tokens) {
        let name = format!("token {number}");
        let place = format!("ALLOWED_TOKENS {number}");
        findings.user_keys.push(FoundUserKey::new(place, &name, token));
    }
    for token in list("AUTH_TOKEN") {
        if !tokens.contains(&token) {
            let place = "AUTH_TOKEN".to_owned();
            let mut key = FoundUserKey::new(place, "AUTH_TOKEN", &token);
            key.remark = key.remark.or(Some("let callers in and was the admin's password as well"));
            findings.user_keys.push(key);
        }
    }
    findings.hints = snailyp_settings::hints(settings);
    findings
}

/// A list as JSON, or with commas.
fn list(value: &str) -> Vec<String> {
    let items: Vec<String> = serde_json::from_str(value).unwrap_or_else(|_| {
        let bare = value.trim().trim_start_matches('[').trim_end_matches(']');
        bare.split(',').map(|item| item.trim().trim_matches(['"', '\'']).to_owned()).collect()
    });
    items.into_iter().filter(|item| !item.trim().is_empty()).collect()
}

/// Names and values of a `.env`. A list may go over several lines; a value may stand in quotes.
fn env(text: &str) -> Settings {
    let mut settings = Settings::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_name) {
            continue;
        }
        let mut value = value.trim().to_owned();
        while value.starts_with('[') && !value.contains(']') {
            let Some(more) = lines.next() else { break };
            value += more.trim();
        }
        if value.starts_with('[')
            && let Some(end) = value.rfind(']')
        {
            value.truncate(end + 1);
        }
        settings.insert(name.to_uppercase(), unquoted(&value).to_owned());
    }
    settings
}

fn unquoted(value: &str) -> &str {
    for quote in ['\'', '"'] {
        let inside = value.strip_prefix(quote).and_then(|rest| rest.split(quote).next());
        if let Some(inside) = inside {
            return inside;
        }
    }
    match value.starts_with('[') {
        true => value,
        false => value.split(" #").next().unwrap_or(value).trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tokens_of_an_env_file_are_found_however_they_are_written() {
        let text = "# settings\nAPI_KEYS=[\"AIzaSy-one-0123456789\",\n  \"AIzaSy-two-0123456789\"]\n\
            ALLOWED_TOKENS=sk-first-token-0123,sk-second-token-012\nAUTH_TOKEN='sk-first-token-0123'\n\
            PAID_KEY=AIzaSy-paid-012345678 # mine\nVERTEX_API_KEYS=[]\nTIME_OUT=300\n";

        let found = read_env(text).unwrap();

        let keys: Vec<_> = found
            .service_keys
            .iter()
            .map(|found| (found.place.as_str(), found.key.as_ref().unwrap().expose()))
            .collect();
        assert_eq!(
            keys,
            [
                ("API_KEYS 1", "AIzaSy-one-0123456789"),
                ("API_KEYS 2", "AIzaSy-two-0123456789"),
                ("PAID_KEY", "AIzaSy-paid-012345678"),
            ]
        );
        let tokens: Vec<_> =
            found.user_keys.iter().map(|found| found.key.as_ref().unwrap().expose()).collect();
        assert_eq!(tokens, ["sk-first-token-0123", "sk-second-token-012"]);
        assert!(found.hints.iter().any(|hint| hint.name == "TIME_OUT"));
    }

    #[test]
    fn another_env_file_is_none_of_its() {
        assert!(read_env("PASSWORD=x\nPORT=8090\n").is_none());
    }
}
