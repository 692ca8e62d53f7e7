//! Texts: SQL, JSON, settings, lists of keys.

use serde_json::Value;

use crate::import::dump::Dump;
use crate::import::error::MoveError;
use crate::import::findings::Findings;
use crate::import::tables::Tables;
use crate::import::{gpt_load, key_list, one_api, read_tables, snailyp};

/// Reads a text, whatever it is.
pub(super) fn read(bytes: &[u8], now_ms: i64) -> Result<Findings, MoveError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = str::from_utf8(bytes).map_err(|error| MoveError::NotUtf8(error.valid_up_to()))?;
    if let Some(at) = text.find('\0') {
        return Err(MoveError::NotUtf8(at));
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(MoveError::Empty);
    }
    if text.starts_with(['{', '[']) {
        let value: Value = serde_json::from_str(text)
            .map_err(|_| MoveError::NoKeys("it begins like JSON and is none; is it whole?"))?;
        return json(&value);
    }
    if Dump::is_one(text) {
        let tables = [snailyp::TABLES, one_api::TABLES, gpt_load::TABLES].concat();
        return read_tables(Tables::Dump(Dump::read(text, &tables)), now_ms);
    }
    match snailyp::read_env(text) {
        Some(findings) => findings.bounded(),
        None => key_list::read(text.lines()),
    }
}

/// A list of keys or channels, alone or in what an API answers.
fn json(value: &Value) -> Result<Findings, MoveError> {
    const LISTS: [&str; 6] = ["data", "items", "channels", "api_keys", "keys", "key_list"];
    if let Value::Object(object) = value {
        if snailyp::is_settings(object) {
            return snailyp::read_json(object).bounded();
        }
        let list = LISTS.iter().find_map(|name| object.get(*name));
        return match list {
            Some(list @ (Value::Array(_) | Value::Object(_))) => json(list),
            Some(_) | None => Err(MoveError::NoKeys("it is JSON without a list of keys")),
        };
    }
    let Value::Array(items) = value else {
        return Err(MoveError::NoKeys("it is JSON without a list of keys"));
    };
    let has = |name: &str| items.iter().any(|item| item.get(name).is_some());
    if has("type") && has("key") {
        return one_api::read_json(items).bounded();
    }
    let within = |item: &'_ Value| {
        ["key_value", "api_key", "key"]
            .iter()
            .find_map(|name| item.get(name)?.as_str().map(str::to_owned))
    };
    let keys: Vec<String> = items
        .iter()
        .map(|item| item.as_str().map(str::to_owned).or_else(|| within(item)).unwrap_or_default())
        .collect();
    key_list::read(keys.iter().map(String::as_str))
}
