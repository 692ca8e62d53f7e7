//! The bill of materials: every crate that is built into the server, as CycloneDX has it.
//!
//! What the web UI is bundled from stands in `web/package-lock.json`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    process::Command,
};

use super::{output, version};
use crate::{Outcome, workspace};

/// Returns the bill of what the server is built from on this system.
///
/// # Errors
///
/// If cargo cannot read the tree.
pub(super) fn of_materials() -> Outcome<String> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root()).args(["tree", "--locked", "--package", "gemini-balance"]);
    cargo.args(["--edges", "normal", "--prefix", "none", "--no-dedupe", "--format", "{p}\t{l}"]);
    let tree = output(&mut cargo)?;
    let lock = fs::read_to_string(workspace::root().join("Cargo.lock"))?;
    Ok(bill(&version()?, &tree, &lock))
}

/// Writes the bill; `tree` has a crate in each line, with a tab before its licence.
fn bill(version: &str, tree: &str, lock: &str) -> String {
    let sums = sums(lock);
    let crates: BTreeSet<_> = tree.lines().filter_map(foreign).collect();
    let mut bill = format!(
        r#"{{
  "bomFormat": "CycloneDX",
  "specVersion": "1.5",
  "version": 1,
  "metadata": {{
    "component": {{
      "type": "application",
      "name": "gemini-balance",
      "version": "{version}",
      "licenses": [{{"expression": "MIT OR Apache-2.0"}}]
    }}
  }},
  "components": ["#
    );
    for (index, (name, version, licence)) in crates.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let hashes = sums.get(&(*name, *version)).map_or_else(String::new, |sum| {
            format!(r#", "hashes": [{{"alg": "SHA-256", "content": "{sum}"}}]"#)
        });
        // Older crates write a slash for `OR`.
        let licence = licence.replace('/', " OR ");
        let written = write!(
            bill,
            "{comma}\n    {{\"type\": \"library\", \"name\": \"{name}\", \"version\": \"{version}\", \
             \"purl\": \"pkg:cargo/{name}@{version}\", \
             \"licenses\": [{{\"expression\": \"{licence}\"}}]{hashes}}}"
        );
        debug_assert!(written.is_ok());
    }
    bill + "\n  ]\n}\n"
}

/// Name, version and licence in `anyhow v1.0.104 (proc-macro)\tMIT OR Apache-2.0`; none for a crate
/// of ours, which has a path.
fn foreign(line: &str) -> Option<(&str, &str, &str)> {
    let (package, licence) = line.split_once('\t')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let is_ours = words.any(|word| word.starts_with("(/"));
    (!is_ours).then_some((name, version, licence.trim()))
}

fn sums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            let value = |name| {
                let mut lines = package.lines();
                lines.find_map(|line| {
                    line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"')
                })
            };
            Some(((value("name")?, value("version")?), value("checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_names_every_foreign_crate_once_with_its_sum() {
        let tree = "gemini-balance v2.0.0 (/src/crates/gemini-balance)\tMIT\n\
                    b v0.1.0\tMIT/Apache-2.0\na v1.0.0 (proc-macro)\tZlib\nb v0.1.0\tMIT/Apache-2.0\n";
        let lock = "[[package]]\nname = \"b\"\nversion = \"0.1.0\"\nchecksum = \"77\"\n\
                    [[package]]\nname = \"b\"\nversion = \"0.2.0\"\nchecksum = \"88\"\n";

        let bill = bill("2.0.0", tree, lock);

        let components: Vec<_> = bill.lines().filter(|line| line.contains("purl")).collect();
        assert_eq!(
            components,
            [
                "    {\"type\": \"library\", \"name\": \"a\", \"version\": \"1.0.0\", \
                 \"purl\": \"pkg:cargo/a@1.0.0\", \"licenses\": [{\"expression\": \"Zlib\"}]},",
                "    {\"type\": \"library\", \"name\": \"b\", \"version\": \"0.1.0\", \
                 \"purl\": \"pkg:cargo/b@0.1.0\", \"licenses\": [{\"expression\": \"MIT OR Apache-2.0\"}], \
                 \"hashes\": [{\"alg\": \"SHA-256\", \"content\": \"77\"}]}",
            ]
        );
    }
}
