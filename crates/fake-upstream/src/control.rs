//! The control surface for other processes, on the same port under `/__fake/`. Its requests are
//! not counted, its connections are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{http::Request, plan::Plan, record::Seen, reply, script::Rule, upstream::Shared};

const PREFIX: &str = "/__fake/";

/// Answers a request to the control surface; anything else is `None`.
pub(crate) fn answer(request: &Request, shared: &Shared) -> Option<Plan> {
    let name = request.target.strip_prefix(PREFIX)?;
    let (status, body) = match (request.method.as_str(), name) {
        ("POST", "rules") => match read_rules(&request.body) {
            Ok(rules) => {
                for rule in rules {
                    shared.rules.add(rule);
                }
                (200, state(shared))
            }
            Err(error) => (400, json!({"error": error.to_string()})),
        },
        ("DELETE", "rules") => {
            shared.rules.clear();
            (200, state(shared))
        }
        ("GET", "seen") => (200, shared.records.look(|seen| json!(seen))),
        ("GET", "asked") => (200, shared.records.look(|seen| json!(by_key(seen)))),
        ("DELETE", "seen") => {
            shared.records.clear();
            (200, state(shared))
        }
        ("GET", "heard") => (200, json!(shared.live.heard())),
        ("GET", "strays") => (200, json!(shared.kept.strays())),
        ("GET", "state") => (200, state(shared)),
        _ => (404, json!({"error": "no such control"})),
    };
    Some(reply::control(status, body.to_string()))
}

/// How many requests came with each key.
fn by_key(seen: &[Seen]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for key in seen.iter().filter_map(|request| request.key.as_deref()) {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// Reads one rule or a list of rules.
fn read_rules(body: &[u8]) -> serde_json::Result<Vec<Rule>> {
    let value: Value = serde_json::from_slice(body)?;
    if value.is_array() {
        serde_json::from_value(value)
    } else {
        serde_json::from_value(value).map(|rule| vec![rule])
    }
}

fn state(shared: &Shared) -> Value {
    json!({
        "rules": shared.rules.len(),
        "seen": shared.records.look(<[_]>::len),
        "open_connections": shared.records.connections_open(),
        "open_requests": shared.records.requests_open(),
    })
}
