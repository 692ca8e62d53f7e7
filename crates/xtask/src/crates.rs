//! Which crate may depend on what: the table that keeps the pure crates pure.

use Others::{Any, Only};

struct Rule {
    name: &'static str,
    ours: &'static [&'static str],
    ours_in_tests: &'static [&'static str],
    others: Others,
}

/// Crates from elsewhere that may be built into a crate of ours; its tests are free.
enum Others {
    Any,
    Only(&'static [&'static str]),
}

const RULES: &[Rule] = &[
    Rule { name: "keypool", ours: &[], ours_in_tests: &[], others: Only(&[]) },
    Rule {
        name: "dialect",
        ours: &[],
        ours_in_tests: &[],
        others: Only(&[
            "aho-corasick",
            "bytes",
            "memchr",
            "percent-encoding",
            "serde",
            "serde_json",
        ]),
    },
    Rule {
        name: "gemini-balance",
        ours: &["dialect", "keypool"],
        ours_in_tests: &["fake-upstream"],
        others: Any,
    },
    Rule { name: "fake-upstream", ours: &["dialect"], ours_in_tests: &[], others: Any },
    Rule { name: "load", ours: &[], ours_in_tests: &[], others: Any },
    Rule { name: "xtask", ours: &[], ours_in_tests: &[], others: Only(&[]) },
];

/// Returns what is wrong with the dependencies of the crate `name`, whose `Cargo.toml` is
/// `manifest`.
pub(crate) fn findings(name: &str, manifest: &str) -> Vec<String> {
    let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
        return vec![format!(
            "crates/{name}: no rule in crates/xtask/src/crates.rs; it needs a decision record"
        )];
    };
    let mut findings = Vec::new();
    for (line, dependency) in dependencies(manifest) {
        if !rule.allows(&dependency) {
            let Dependency { name: other, .. } = dependency;
            findings
                .push(format!("crates/{name}/Cargo.toml:{line}: {name} may not depend on {other}"));
        }
    }
    findings
}

impl Rule {
    fn allows(&self, dependency: &Dependency<'_>) -> bool {
        let Dependency { name, is_for_tests } = *dependency;
        if RULES.iter().any(|rule| rule.name == name) {
            self.ours.contains(&name) || (is_for_tests && self.ours_in_tests.contains(&name))
        } else {
            match self.others {
                Any => true,
                Only(names) => is_for_tests || names.contains(&name),
            }
        }
    }
}

struct Dependency<'a> {
    name: &'a str,
    is_for_tests: bool,
}

/// Reads the dependencies with their line numbers, from `[…dependencies]` and
/// `[…dependencies.name]` alike.
fn dependencies(manifest: &str) -> Vec<(usize, Dependency<'_>)> {
    let mut found = Vec::new();
    let mut section = "";
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        let name = if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            section.rsplit_once("dependencies.").map(|(_, name)| name)
        } else if section.ends_with("dependencies") && !line.starts_with('#') {
            line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty())
        } else {
            None
        };
        if let Some(name) = name {
            found.push((index + 1, Dependency { name, is_for_tests: section.contains("dev-") }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_has_no_dependency() {
        check(
            "keypool",
            "[dependencies]\nserde = \"1\"\n",
            &["crates/keypool/Cargo.toml:2: keypool may not depend on serde"],
        );
        check("keypool", "[dependencies]\n", &[]);
    }

    #[test]
    fn tests_are_free_to_use_crates_from_elsewhere_but_not_ours() {
        check("keypool", "[dev-dependencies]\nproptest.workspace = true\n", &[]);
        check(
            "keypool",
            "[dev-dependencies]\ndialect.workspace = true\n",
            &["crates/keypool/Cargo.toml:2: keypool may not depend on dialect"],
        );
    }

    #[test]
    fn the_server_meets_the_scripted_upstream_in_tests_only() {
        check("gemini-balance", "[dev-dependencies]\nfake-upstream.workspace = true\n", &[]);
        check(
            "gemini-balance",
            "[dependencies]\nkeypool.workspace = true\n\nfake-upstream.workspace = true\n",
            &["crates/gemini-balance/Cargo.toml:4: gemini-balance may not depend on fake-upstream"],
        );
    }

    #[test]
    fn a_dependency_with_a_table_of_its_own_is_seen() {
        check(
            "dialect",
            "[target.'cfg(unix)'.dependencies.tokio]\nversion = \"1\"\n",
            &["crates/dialect/Cargo.toml:1: dialect may not depend on tokio"],
        );
    }

    #[test]
    fn a_crate_without_a_rule_is_a_finding() {
        check(
            "misc",
            "",
            &["crates/misc: no rule in crates/xtask/src/crates.rs; it needs a decision record"],
        );
    }

    fn check(name: &str, manifest: &str, expected: &[&str]) {
        assert_eq!(findings(name, manifest), expected);
    }
}
