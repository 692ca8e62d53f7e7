//! The JavaScript packages of the SDK tests and the web UI: each pinned by its hash, under an allowed
//! licence.
//!
//! Their advisories are not checked: the registry's word on them needs a network.

use crate::licences;

/// The lock files, as npm writes them.
pub(crate) const LOCKS: [&str; 2] = ["tests/sdk/node/package-lock.json", "web/package-lock.json"];

/// Licences of tools that build and test the web UI and are in nothing that is handed out.
const TOOLS: &[&str] = &["0BSD", "BlueOak-1.0.0", "CC0-1.0", "MIT-0", "MPL-2.0", "Python-2.0"];

/// Packages whose entry in the registry names no licence: under the MIT licence by their source.
const UNNAMED: &[&str] = &["svelte-toolbelt"];

const PACKAGE: &str = "\n    \"node_modules/";

/// Returns what is wrong with the packages of a lock file.
pub(crate) fn findings(file: &str, lock: &str, allowed: &[&str]) -> Vec<String> {
    let allowed = [allowed, TOOLS].concat();
    let mut findings = Vec::new();
    for package in lock.split(PACKAGE).skip(1) {
        let package = package.split("\n    }").next().unwrap_or(package);
        let name = package.split('"').next().unwrap_or_default();
        let value = |field: &str| {
            let mut lines = package.lines();
            let start = format!("      \"{field}\": \"");
            lines.find_map(|line| line.strip_prefix(&start)?.split('"').next())
        };
        if !value("integrity").is_some_and(|hash| hash.starts_with("sha512-")) {
            findings.push(format!("{file}: {name} is not pinned by a SHA-512"));
        }
        match value("license") {
            Some(licence) if licences::is_allowed(licence, &allowed) => {}
            Some(licence) => findings.push(format!("{file}: {name}: {licence} is not allowed")),
            None if UNNAMED.contains(&name) => {}
            None => findings.push(format!("{file}: {name} names no licence")),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_hash_or_allowed_licence_is_found() {
        check("sha512-AAAA", "MIT", &[]);
        check("sha1-AAAA", "MIT", &["a/b is not pinned by a SHA-512"]);
        check("sha512-AAAA", "GPL-3.0", &["a/b: GPL-3.0 is not allowed"]);
    }

    fn check(hash: &str, licence: &str, expected: &[&str]) {
        let lock = format!(
            "{{\n  \"packages\": {{\n    \"\": {{\n    }},\n    \"node_modules/a/b\": {{\n      \
             \"version\": \"1.0.0\",\n      \"integrity\": \"{hash}\",\n      \"license\": \
             \"{licence}\"\n    }}\n  }}\n}}\n"
        );
        let expected: Vec<_> = expected.iter().map(|what| format!("a.json: {what}")).collect();
        assert_eq!(findings("a.json", &lock, &["MIT"]), expected);
    }
}
