//! What is built into the server that is not ours: the bill of materials, as CycloneDX has it, and the
//! licences in full, which most of them ask to be handed on.
//!
//! Both are about crates. What the web UI is bundled from stands in `web/package-lock.json`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
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
    let lock = fs::read_to_string(workspace::root().join("Cargo.lock"))?;
    Ok(bill(&version()?, &tree()?, &lock))
}

/// Returns the licences of all that, each text once; `cargo_home` is where cargo unpacks crates.
///
/// # Errors
///
/// If cargo cannot read the tree, or a crate is not unpacked.
pub(super) fn licences(cargo_home: &Path) -> Outcome<String> {
    let registries = cargo_home.join("registry/src");
    let registries: Vec<_> = fs::read_dir(&registries)
        .map_err(|error| format!("{}: {error}", registries.display()))?
        .map(|entry| entry.map(|it| it.path()))
        .collect::<Result<_, _>>()?;
    let tree = tree()?;
    let crates: BTreeSet<_> = tree.lines().filter_map(foreign).collect();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, version, licence) in crates {
        let folder = registries.iter().map(|it| it.join(format!("{name}-{version}")));
        let folder = folder.into_iter().find(|it| it.is_dir());
        let folder = folder.ok_or_else(|| format!("{name} {version} is not unpacked"))?;
        for text in texts_in(&folder)? {
            texts.entry(text).or_default().push(format!("{name} {version} ({licence})"));
        }
    }
    let mut all =
        "The program holds the crates below. Each text is the licence of those named before it.\n"
            .to_owned();
    for (text, names) in texts {
        all += &format!("\n{}\n{}\n\n{}\n", "=".repeat(80), names.join("\n"), text.trim_end());
    }
    Ok(all)
}

/// The licences and notices that lie in a crate, in the order of their names.
fn texts_in(folder: &Path) -> Outcome<Vec<String>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|it| it.map(|it| it.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        let kinds = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
        path.is_file() && kinds.iter().any(|kind| name.starts_with(kind))
    });
    paths.sort();
    let read = |path: &PathBuf| fs::read(path).map(|it| String::from_utf8_lossy(&it).into_owned());
    Ok(paths.iter().map(read).collect::<Result<_, _>>()?)
}

/// Every crate that is built in on this system, one a line, a tab before its licence.
fn tree() -> Outcome<String> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root()).args(["tree", "--locked", "--package", "gemini-balance"]);
    cargo.args(["--edges", "normal", "--prefix", "none", "--no-dedupe", "--format", "{p}\t{l}"]);
    output(&mut cargo)
}

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
