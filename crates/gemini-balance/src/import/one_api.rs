//! one-api, new-api and what else has grown out of them: channels with keys, and tokens.
//!
//! A channel has a type and one key or several, one a line or as a list in JSON; of a channel with
//! several, each may be disabled. A token is stored without the `sk-` that callers send before it.
//! Sources: `model/channel.go`, `model/token.go`, `constant/channel.go` of QuantumNous/new-api and
//! `relay/channeltype/define.go` of songquanpeng/one-api.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use crate::import::error::MoveError;
use crate::import::findings::{Findings, FoundServiceKey, FoundUserKey, Source};
use crate::import::key_list::is_google_key;
use crate::import::tables::Tables;

/// Tables that hold something to be taken over.
pub(super) const TABLES: &[&str] = &["channels", "tokens"];

const OPENAI: i64 = 1;
const GEMINI: i64 = 24;
const ENABLED: &str = "1";
const GOOGLE: &str = "generativelanguage.googleapis.com";

const CHANNEL_COLUMNS: [&str; 7] =
    ["id", "type", "key", "status", "name", "base_url", "channel_info"];
const TOKEN_COLUMNS: [&str; 6] = ["id", "key", "status", "name", "expired_time", "deleted_at"];

/// What a channel says of its keys.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ChannelInfo {
    /// The state of each that is not enabled, by its place.
    multi_key_status_list: Option<HashMap<String, i64>>,
}

/// Reads its database.
pub(super) fn read(tables: &Tables) -> Result<Findings, MoveError> {
    let mut findings = Findings::new(Source::OneApi, tables.form());
    let mut others = Others::default();
    for row in tables.rows("channels", &CHANNEL_COLUMNS)? {
        channel(&row, &mut findings, &mut others);
    }
    others.tell(&mut findings.notes);
    let mut deleted = 0;
    for row in tables.rows("tokens", &TOKEN_COLUMNS)? {
        let [id, key, status, name, expired_time, deleted_at] = row.as_slice() else { continue };
        if deleted_at.as_deref().is_some_and(|at| !at.is_empty()) {
            deleted += 1;
            continue;
        }
        let place = format!("token {}", id.as_deref().unwrap_or("?"));
        let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
        let key = FoundUserKey::new(place, &text(name), text(key).trim_end());
        let mut key = match text(status).as_str() {
            ENABLED | "" => key,
            _ => key.switched_off("was disabled, expired or used up there"),
        };
        let seconds = expired_time.as_deref().and_then(|time| time.trim().parse::<i64>().ok());
        key.expires_at_ms =
            seconds.filter(|seconds| 0 < *seconds).map(|seconds| seconds.saturating_mul(1_000));
        findings.user_keys.push(key);
    }
    if 0 < deleted {
        findings.notes.push(format!("{deleted} deleted tokens are left where they are."));
    }
    if !findings.user_keys.is_empty() {
        findings.notes.push(
            "Tokens let in with and without `sk-` before them. Their quotas, groups, models and \
             allowed addresses are not taken over."
                .to_owned(),
        );
    }
    findings.bounded()
}

/// Reads channels as its API answers them.
pub(super) fn read_json(items: &[Value]) -> Findings {
    let mut findings = Findings::new(Source::OneApi, "channels as JSON");
    let mut others = Others::default();
    for item in items {
        let cell = |name: &&str| match item.get(*name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Some(other.to_string())
            }
        };
        channel(&CHANNEL_COLUMNS.iter().map(cell).collect::<Vec<_>>(), &mut findings, &mut others);
    }
    others.tell(&mut findings.notes);
    findings
}

/// Whose keys a channel holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Google,
    OpenAi,
    /// Google's, by the way of somebody else's server, whose keys these are.
    Relay,
    Other,
}

fn channel(row: &[Option<String>], findings: &mut Findings, others: &mut Others) {
    let [id, kind, keys, status, name, base_url, info] = row else { return };
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let kind = text(kind).trim().parse().unwrap_or(0);
    let (id, name, base_url, keys) = (text(id), text(name), text(base_url), text(keys));
    let keys = keys_of(&keys);
    let whose = whose(kind, base_url.trim());
    let is_taken = whose != Whose::Other || keys.iter().any(|key| is_google_key(key));
    if !is_taken {
        others.add(kind, keys.len());
        return;
    }
    let info: ChannelInfo = serde_json::from_str(&text(info)).unwrap_or_default();
    let states = info.multi_key_status_list.unwrap_or_default();
    let status = text(status);
    let is_channel_on = status.is_empty() || status.trim() == ENABLED;
    let count = keys.len();
    for (index, key) in keys.iter().enumerate() {
        let place = match count {
            1 => format!("channel {id}"),
            _ => format!("channel {id}, key {}", index + 1),
        };
        let is_on = is_channel_on && states.get(&index.to_string()).is_none_or(|state| *state == 1);
        let found = FoundServiceKey::new(place, key).tagged(&name);
        findings.service_keys.push(match whose {
            _ if !is_on => found.switched_off("was disabled there"),
            Whose::Google => found,
            Whose::Relay => found
                .switched_off("is a key of the server that the channel leads to, not of Google"),
            Whose::OpenAi | Whose::Other if is_google_key(key) => found,
            Whose::OpenAi | Whose::Other => found.switched_off(
                "is a key of OpenAI: switch it on only if OPENAI_API_BASE_URL leads there",
            ),
        });
    }
}

fn whose(kind: i64, base_url: &str) -> Whose {
    match kind {
        _ if base_url.contains(GOOGLE) => Whose::Google,
        GEMINI if base_url.is_empty() || base_url.contains("gateway.ai.cloudflare.com") => {
            Whose::Google
        }
        GEMINI => Whose::Relay,
        OPENAI if base_url.is_empty() || base_url.contains("api.openai.com") => Whose::OpenAi,
        _ => Whose::Other,
    }
}

/// The keys of a channel: a list in JSON, or one a line.
fn keys_of(written: &str) -> Vec<String> {
    let written = written.trim();
    if written.starts_with('[')
        && let Ok(keys) = serde_json::from_str::<Vec<Value>>(written)
    {
        let text = |key: &Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        return keys.iter().map(text).collect();
    }
    let lines = written.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// Channels that are not taken over.
#[derive(Default)]
struct Others {
    /// Channels and keys, by type.
    by_kind: BTreeMap<i64, (usize, usize)>,
}

impl Others {
    fn add(&mut self, kind: i64, keys: usize) {
        let (channels, all_keys) = self.by_kind.entry(kind).or_default();
        *channels += 1;
        *all_keys += keys;
    }

    fn tell(&self, notes: &mut Vec<String>) {
        if self.by_kind.is_empty() {
            return;
        }
        let kinds: Vec<String> = self.by_kind.keys().map(i64::to_string).collect();
        let channels: usize = self.by_kind.values().map(|(channels, _)| channels).sum();
        let keys: usize = self.by_kind.values().map(|(_, keys)| keys).sum();
        notes.push(format!(
            "{channels} channels with {keys} keys are for other providers than Google and OpenAI \
             (types {}): not taken.",
            kinds.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_tells_whose_keys_it_holds() {
        assert!(whose(24, "") == Whose::Google);
        assert!(whose(24, "https://generativelanguage.googleapis.com") == Whose::Google);
        assert!(whose(24, "https://relay.example") == Whose::Relay);
        assert!(
            whose(1, "https://generativelanguage.googleapis.com/v1beta/openai") == Whose::Google
        );
        assert!(whose(1, "") == Whose::OpenAi);
        assert!(whose(1, "https://relay.example") == Whose::Other);
        assert!(whose(14, "") == Whose::Other);
    }

    #[test]
    fn several_keys_stand_one_a_line_or_in_json() {
        assert_eq!(keys_of("a\n b \r\n\nc"), ["a", "b", "c"]);
        assert_eq!(keys_of(r#"["a", {"x":1}]"#), ["a", r#"{"x":1}"#]);
        assert_eq!(keys_of("[a"), ["[a"]);
    }
}
