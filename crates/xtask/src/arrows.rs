//! Which room of the server may name which: the table of ARCHITECTURE.md, read by a machine.
//!
//! A room is a file or folder right below `src`. An arrow is a `crate::room` in code (or, in
//! `main.rs`, `gemini_balance::room`); comments, tests and laws draw none.

use std::path::Path;

/// Rooms that every other room may name. Among themselves they follow the table as well.
const FOUNDATION: &str = "clock config lifecycle log_row metrics moment random secret";

/// Each room with the rooms it may name, beside itself and, for those above it, the foundation.
/// `app` holds the handles that all requests share, so it lies below the rooms that serve them;
/// `start` puts everything together.
const ROOMS: &[(&str, &str)] = &[
    ("main", "cli"),
    (
        "cli",
        "start data import backups disk tls live telemetry pool service_keys user_keys store upstream vault",
    ),
    (
        "start",
        "listener metrics_listener admin tuning lookout alerts otlp app data import backups admission commands jobs sessions pool resources user_keys journal store events live live_sessions login_throttle password tls token upstream vault web",
    ),
    ("listener", "router proxy intake origin stall connections app tls"),
    ("metrics_listener", "admin app"),
    ("router", "proxy health web request_head intake origin app"),
    ("health", "app"),
    ("web", ""),
    (
        "proxy",
        "app otlp intake origin request_head admission live_sessions user_keys pool resources upstream journal",
    ),
    (
        "admin",
        "alerts app backups import otlp tuning commands jobs origin sessions user_keys service_keys pool resources journal store events feed live live_sessions password login_throttle token vault",
    ),
    (
        "app",
        "admission alerts backups otlp commands connections import jobs sessions user_keys pool resources upstream journal store events live live_sessions login_throttle password tls token vault web",
    ),
    ("tuning", "app pool store"),
    ("lookout", "alerts app disk"),
    ("commands", ""),
    ("jobs", "store events"),
    ("sessions", "store token"),
    ("import", "service_keys store vault"),
    ("service_keys", "pool store vault"),
    ("user_keys", "store vault"),
    ("pool", "store upstream events vault"),
    ("resources", "store vault"),
    ("data", "store vault password"),
    ("backups", "store vault"),
    ("alerts", "upstream"),
    ("otlp", "upstream"),
    ("journal", "store events"),
    ("store", ""),
    ("telemetry", "live"),
    ("live", "feed"),
    ("events", "feed"),
    ("feed", ""),
    ("upstream", ""),
    ("admission", ""),
    ("live_sessions", ""),
    ("connections", ""),
    ("stall", ""),
    ("origin", ""),
    ("tls", ""),
    ("intake", ""),
    ("request_head", "intake"),
    ("login_throttle", ""),
    ("password", ""),
    ("token", "keyed_hash"),
    ("vault", "keyed_hash"),
    ("keyed_hash", ""),
    ("lifecycle", ""),
    ("log_row", "random"),
    ("config", "secret"),
    ("metrics", ""),
    ("moment", ""),
    ("random", "secret"),
    ("secret", ""),
    ("clock", ""),
    ("disk", ""),
];

/// Returns line and fault of every arrow in `text` that the table does not allow; `path` is
/// relative to `src`.
pub(crate) fn findings(path: &Path, text: &str) -> Vec<(usize, String)> {
    let room = room_of(path);
    if room == "lib" || path.ends_with("tests.rs") || path.ends_with("laws.rs") {
        return Vec::new();
    }
    let Some(allowed) = allowed(&room) else {
        return vec![(
            1,
            format!("the room `{room}` is missing from the table in crates/xtask/src/arrows.rs"),
        )];
    };
    let mut findings = Vec::new();
    for (line, code) in code_lines(text) {
        for named in rooms_named(code) {
            if named != room && !allowed.contains(&named) {
                findings.push((line, fault(&room, named)));
            }
        }
    }
    findings
}

fn fault(room: &str, named: &str) -> String {
    if named.is_empty() {
        "one `use` per module: write `use crate::room::…` instead of `use crate::{…}`".to_owned()
    } else {
        format!("`{room}` may not name `{named}`")
    }
}

/// Returns the first component of the path, without `.rs`.
fn room_of(path: &Path) -> String {
    let first = path.iter().next().unwrap_or_default().to_string_lossy();
    first.strip_suffix(".rs").unwrap_or(&first).to_owned()
}

fn allowed(room: &str) -> Option<Vec<&'static str>> {
    let (_, named) = ROOMS.iter().find(|(name, _)| *name == room)?;
    let is_foundation = FOUNDATION.split(' ').any(|name| name == room);
    let shared = if is_foundation { "" } else { FOUNDATION };
    Some(named.split_whitespace().chain(shared.split_whitespace()).collect())
}

/// Returns the numbered lines above the tests that are not comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| *line != "mod tests {")
        .map(|(index, line)| (index + 1, line.split_once("//").map_or(line, |(code, _)| code)))
}

/// Returns what follows each `crate::` or `gemini_balance::` in the line: a name, or nothing where
/// a group opens.
fn rooms_named(code: &str) -> impl Iterator<Item = &str> {
    let crate_paths = code.split("crate::").skip(1);
    let main_paths = code.split("gemini_balance::").skip(1);
    crate_paths.chain(main_paths).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).unwrap_or(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_plane_does_not_name_the_store() {
        check("proxy/mod.rs", "use crate::pool::KeyPool;\n", &[]);
        check("proxy/mod.rs", "use crate::store::Store;\n", &["1: `proxy` may not name `store`"]);
        check(
            "proxy/judge.rs",
            "\nlet x = crate::store::now();",
            &["2: `proxy` may not name `store`"],
        );
    }

    #[test]
    fn the_control_plane_does_not_name_the_data_plane() {
        check(
            "admin/mod.rs",
            "use crate::proxy::error::ProxyError;",
            &["1: `admin` may not name `proxy`"],
        );
    }

    #[test]
    fn arrows_never_turn_back() {
        check("store/mod.rs", "use crate::pool::KeyPool;", &["1: `store` may not name `pool`"]);
        check("router.rs", "use crate::app::App;", &[]);
        check("app.rs", "use crate::router;", &["1: `app` may not name `router`"]);
    }

    #[test]
    fn everyone_may_name_the_foundation_which_names_nobody() {
        check("live.rs", "use crate::clock::Clock;", &[]);
        check("clock.rs", "use crate::config::Config;", &["1: `clock` may not name `config`"]);
    }

    #[test]
    fn main_is_read_by_the_name_of_the_library() {
        check("main.rs", "use gemini_balance::cli;", &[]);
        check("main.rs", "use gemini_balance::store::Store;", &["1: `main` may not name `store`"]);
    }

    #[test]
    fn comments_and_tests_draw_no_arrow() {
        check("live.rs", "// see crate::store\n//! crate::pool\n", &[]);
        check("live.rs", "#[cfg(test)]\nmod tests {\n    use crate::store::Store;\n}\n", &[]);
    }

    #[test]
    fn a_group_of_rooms_in_one_use_is_a_finding() {
        check(
            "pool/mod.rs",
            "use crate::{store::Store, upstream::Upstream};",
            &["1: one `use` per module: write `use crate::room::…` instead of `use crate::{…}`"],
        );
    }

    #[test]
    fn a_room_without_an_entry_is_a_finding() {
        check(
            "misc.rs",
            "",
            &["1: the room `misc` is missing from the table in crates/xtask/src/arrows.rs"],
        );
    }

    #[test]
    fn the_table_has_no_circle() {
        for (room, _) in ROOMS {
            let mut reached = allowed(room).unwrap();
            let mut next = 0;
            while let Some(step) = reached.get(next).copied() {
                let further = allowed(step).unwrap();
                reached.extend(
                    further.into_iter().filter(|name| !reached.contains(name)).collect::<Vec<_>>(),
                );
                next += 1;
            }

            assert!(!reached.contains(room), "{room} is reached from itself");
        }
    }

    fn check(path: &str, text: &str, expected: &[&str]) {
        let found = findings(Path::new(path), text);
        let shown: Vec<String> =
            found.into_iter().map(|(line, what)| format!("{line}: {what}")).collect();
        assert_eq!(shown, expected);
    }
}
