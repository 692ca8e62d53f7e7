//! The licences of what is built in, held against the list in `deny.toml`.

use std::process::Command;

use crate::{Outcome, workspace};

/// Returns every crate of the workspace's tree whose licence is not allowed.
///
/// # Errors
///
/// If cargo cannot read the tree.
pub(crate) fn findings(allowed: &[&str]) -> Outcome<Vec<String>> {
    let output = Command::new("cargo")
        .current_dir(workspace::root())
        .args(["metadata", "--locked", "--format-version", "1"])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(findings_in(&String::from_utf8(output.stdout)?, allowed))
}

/// The licences between the brackets of `allow` in the rules.
pub(crate) fn allowed(rules: &str) -> Vec<&str> {
    let lists = rules.split_once("[licenses]").and_then(|(_, rest)| rest.split_once("allow = ["));
    let list = lists.and_then(|(_, list)| list.split_once("\n]")).map_or("", |(list, _)| list);
    list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect()
}

/// Whether all that an SPDX expression asks for is allowed.
pub(crate) fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    // Older crates write a slash for `OR`.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut words = words.as_slice();
    any(&mut words, allowed) && words.is_empty()
}

fn any(words: &mut &[&str], allowed: &[&str]) -> bool {
    let mut is_fine = all(words, allowed);
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        is_fine |= all(words, allowed);
    }
    is_fine
}

fn all(words: &mut &[&str], allowed: &[&str]) -> bool {
    let mut is_fine = one(words, allowed);
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        is_fine &= one(words, allowed);
    }
    is_fine
}

fn one(words: &mut &[&str], allowed: &[&str]) -> bool {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let is_fine = any(words, allowed);
            let [")", rest @ ..] = *words else { return false };
            *words = rest;
            is_fine
        }
        // A licence with an exception has a name of its own.
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            allowed.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, rest @ ..] => {
            *words = rest;
            allowed.contains(licence)
        }
        [] => false,
    }
}

/// Reads what `cargo metadata` says: each package's id, then its licence.
fn findings_in(metadata: &str, allowed: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut before = "";
    for part in metadata.split("\"license\":") {
        let licence = part.strip_prefix('"').and_then(|text| text.split('"').next());
        let id = before.rsplit("\"id\":\"").next().and_then(|text| text.split('"').next());
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            match licence {
                Some(licence) if is_allowed(licence, allowed) => {}
                Some(licence) => findings.push(format!("{id}: {licence} is not allowed")),
                None => findings.push(format!("{id}: names no licence")),
            }
        }
        before = part;
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_from_the_rules() {
        let rules = "[bans]\nallow = [\n  \"x\",\n]\n[licenses]\nallow = [\n  \"MIT\",\n  \"Zlib\", # why\n]\n";
        assert_eq!(allowed(rules), ["MIT", "Zlib"]);
    }

    #[test]
    fn an_expression_is_allowed_if_a_way_through_it_is() {
        check("MIT", true);
        check("GPL-3.0", false);
        check("GPL-3.0 OR MIT", true);
        check("GPL-3.0/MIT", true);
        check("GPL-3.0 AND MIT", false);
        check("(GPL-3.0 OR MIT) AND Zlib", true);
        check("GPL-3.0 OR MIT AND Zlib", true);
        check("(GPL-3.0 OR MIT", false);
        check("MIT WITH an-exception", false);
        check("MIT WITH an-exception OR Zlib", true);
        check("MIT MIT", false);
        check("", false);
    }

    #[test]
    fn a_crate_without_an_allowed_licence_is_found() {
        let metadata = r#"{"packages":[{"name":"a","id":"a@1","license":"MIT"},{"name":"b","id":"b@1","license":"GPL-3.0"},{"name":"c","id":"c@1","license":null}]}"#;
        let expected = ["b@1: GPL-3.0 is not allowed", "c@1: names no licence"];
        assert_eq!(findings_in(metadata, &["MIT"]), expected);
    }

    fn check(expression: &str, expected: bool) {
        assert_eq!(is_allowed(expression, &["MIT", "Zlib"]), expected, "{expression}");
    }
}
