//! gpt-load: groups of keys, and the keys that callers send.
//!
//! Version 1 keeps keys in clear unless `ENCRYPTION_KEY` is set there; version 2 always encrypts
//! them, and what its callers send as well. What is encrypted can be read there alone. Sources: its
//! `internal/models/types.go` and `internal/encryption` (1.x), `internal/storage/migrations` and
//! `internal/platform/encryption` (2.x).

use std::collections::HashMap;

use crate::import::error::MoveError;
use crate::import::findings::{Findings, FoundServiceKey, FoundUserKey, Source};
use crate::import::key_list::{is_encrypted, is_google_key};
use crate::import::tables::Tables;

/// Tables that hold something to be taken over.
pub(super) const TABLES: &[&str] =
    &["groups", "api_keys", "system_settings", "credentials", "upstream_keys", "access_keys"];

const ENCRYPTED: &str = "is encrypted by gpt-load";

/// Reads the database of version 1.
pub(super) fn read_first(tables: &Tables) -> Result<Findings, MoveError> {
    let mut findings = Findings::new(Source::GptLoad, tables.form());
    let mut groups = HashMap::new();
    for row in tables.rows("groups", &["id", "name", "channel_type", "upstreams", "proxy_keys"])? {
        let [Some(id), name, channel, upstreams, proxy_keys] = row.as_slice() else { continue };
        let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
        callers(&mut findings, &text(name), &text(proxy_keys));
        let group = Group { name: text(name), channel: text(channel), upstreams: text(upstreams) };
        groups.insert(id.clone(), group);
    }
    for row in tables.rows("system_settings", &["setting_key", "setting_value"])? {
        if let [Some(name), Some(value)] = row.as_slice()
            && name == "proxy_keys"
        {
            callers(&mut findings, "gpt-load", value);
        }
    }
    let (mut others, mut encrypted) = (0_usize, 0_usize);
    for row in tables.rows("api_keys", &["id", "key_value", "group_id", "status"])? {
        let [id, key, group, status] = row.as_slice() else { continue };
        let key = key.as_deref().unwrap_or_default().trim();
        let place = format!("api_keys {}", id.as_deref().unwrap_or("?"));
        if is_encrypted(key) {
            encrypted += 1;
            findings.service_keys.push(FoundServiceKey::refused(place, ENCRYPTED));
            continue;
        }
        let group = group.as_ref().and_then(|group| groups.get(group));
        let Some(found) = Group::key(group, place, key) else {
            others += 1;
            continue;
        };
        findings.service_keys.push(match status.as_deref() {
            Some("invalid") if found.is_enabled => FoundServiceKey {
                remark: Some("was marked invalid there: it is tried anew"),
                ..found
            },
            Some(_) | None => found,
        });
    }
    if 0 < others {
        findings.notes.push(format!(
            "{others} keys are for other providers than Google and OpenAI: not taken."
        ));
    }
    if 0 < encrypted {
        findings.notes.push(
            "gpt-load has encrypted its keys. Save them there as a text (page of the group: export \
             keys) and import that, or stop it, make a copy of its database, let it decrypt that \
             (`gpt-load migrate-keys --from KEY`) and import the copy."
                .to_owned(),
        );
    }
    findings.bounded()
}

/// Reads the database of version 2, of which only names can be read.
pub(super) fn read_second(tables: &Tables) -> Result<Findings, MoveError> {
    let mut findings = Findings::new(Source::GptLoad2, tables.form());
    for (table, column) in [("credentials", "data"), ("upstream_keys", "key_value")] {
        for row in tables.rows(table, &["id", column])? {
            let [id, data] = row.as_slice() else { continue };
            let place = format!("{table} {}", id.as_deref().unwrap_or("?"));
            let data = data.as_deref().unwrap_or_default();
            findings.service_keys.push(match is_encrypted(data) {
                true => FoundServiceKey::refused(place, ENCRYPTED),
                false => FoundServiceKey::new(place, data),
            });
        }
    }
    for row in tables.rows("access_keys", &["id", "name", "key_value"])? {
        let [id, name, key] = row.as_slice() else { continue };
        let place = format!("access_keys {}", id.as_deref().unwrap_or("?"));
        let (name, key) = (name.as_deref().unwrap_or_default(), key.as_deref().unwrap_or_default());
        let found = FoundUserKey::new(place, name, key);
        findings.user_keys.push(match is_encrypted(key) {
            true => FoundUserKey { key: Err(ENCRYPTED), remark: None, ..found },
            false => found,
        });
    }
    findings.notes.push(
        "gpt-load 2 encrypts service keys and AccessKeys with the key in the file \
         `encryption.key` of its data directory, and only it can read them. Take the service keys \
         from where you have them, as a text with one a line, and import that; for each AccessKey \
         make a user key here and give it to its caller."
            .to_owned(),
    );
    findings.bounded()
}

/// A group of keys for one provider.
struct Group {
    name: String,
    /// `gemini`, `openai`, `anthropic`, …
    channel: String,
    /// JSON with their addresses.
    upstreams: String,
}

impl Group {
    /// A key of a group; `None` if it is for a provider that is not known here.
    fn key(group: Option<&Self>, place: String, key: &str) -> Option<FoundServiceKey> {
        let found = FoundServiceKey::new(place, key);
        let Some(group) = group else {
            return Some(found.switched_off("its group is gone"));
        };
        let found = found.tagged(&group.name);
        let leads_to = |host: &str| group.upstreams.contains(host);
        let is_google = leads_to("generativelanguage.googleapis.com");
        if is_google || is_google_key(key) {
            return Some(found);
        }
        match group.channel.as_str() {
            "gemini" => Some(
                found.switched_off("is a key of the server that the group leads to, not of Google"),
            ),
            "openai" | "openai-response" => Some(found.switched_off(
                "is a key of OpenAI: switch it on only if OPENAI_API_BASE_URL leads there",
            )),
            _ => None,
        }
    }
}

/// The keys that callers of a group send, with commas between.
fn callers(findings: &mut Findings, name: &str, keys: &str) {
    let keys = keys.split([',', '\n']).map(str::trim).filter(|key| !key.is_empty());
    for key in keys {
        let place = format!("proxy keys of {name}");
        let found = FoundUserKey::new(place, name, key);
        findings.user_keys.push(match is_encrypted(key) {
            true => FoundUserKey { key: Err(ENCRYPTED), remark: None, ..found },
            false => found,
        });
    }
}
