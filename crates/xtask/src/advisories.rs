//! `cargo xtask advisories DIR`: a small, dated copy of RustSec's facts, so that they can be checked
//! without a network.
//!
//! A line per advisory, four columns between tabs: id, crate, kind, and the ranges that are *not*
//! affected. Of every advisory's text, address and score nothing is kept. The head names the commit
//! and its day.

use std::{env, fs, path::Path, path::PathBuf, process::Command};

use crate::{
    Outcome,
    version::{Range, Version},
    workspace,
};

/// The copy, unless [`VARIABLE`] names another.
const COPY: &str = "crates/xtask/advisories.txt";
const VARIABLE: &str = "ADVISORIES";
const HEAD: &str = "# RustSec as of ";
const BETWEEN_RANGES: &str = " | ";

/// The known advisories, and the day they were known.
pub(crate) struct Advisories {
    /// `2026-11-23`.
    pub(crate) day: String,
    all: Vec<Advisory>,
}

/// What is known about some versions of a crate.
#[derive(Debug)]
pub(crate) struct Advisory {
    /// As `RUSTSEC-2026-0001`.
    pub(crate) id: String,
    package: String,
    /// `vulnerability`, `unsound`, `unmaintained` or `notice`.
    pub(crate) kind: String,
    safe: Vec<Range>,
}

/// Where the copy is looked for.
pub(crate) fn path() -> PathBuf {
    workspace::root().join(env::var_os(VARIABLE).unwrap_or_else(|| COPY.into()))
}

/// Whether there is a copy, or somebody has said that there is.
pub(crate) fn should_be_there() -> bool {
    env::var_os(VARIABLE).is_some() || path().is_file()
}

/// Makes the copy from a checkout of RustSec's database.
///
/// # Errors
///
/// If the folder is no such checkout, an advisory cannot be understood, or the copy cannot be written.
pub(crate) fn copy(database: &Path) -> Outcome {
    let head = Command::new("git")
        .arg("-C")
        .arg(database)
        .args(["log", "-1", "--format=%cs, commit %H"])
        .output()?;
    if !head.status.success() {
        return Err(format!("{} is no checkout of a database", database.display()).into());
    }
    let mut lines = Vec::new();
    for folder in fs::read_dir(database.join("crates"))? {
        for file in fs::read_dir(folder?.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                lines.extend(
                    line(&fs::read_to_string(&path)?)
                        .map_err(|what| format!("{}: {what}", path.display()))?,
                );
            }
        }
    }
    lines.sort();
    let copy = format!("{HEAD}{}{}\n", String::from_utf8(head.stdout)?, lines.join("\n"));
    Advisories::parse(&copy)?;
    let path = path();
    fs::write(&path, &copy)?;
    println!("{}: {} advisories, {} bytes", path.display(), lines.len(), copy.len());
    Ok(())
}

/// The line of the copy for an advisory as RustSec writes it; none if it was withdrawn.
fn line(text: &str) -> Outcome<Option<String>> {
    let facts = text.split("```").nth(1).ok_or("has no facts")?;
    if value(facts, "withdrawn").is_some() {
        return Ok(None);
    }
    let word = |name: &str| value(facts, name).map(|value| value.trim_matches('"').to_owned());
    let id = word("id").ok_or("has no id")?;
    let package = word("package").ok_or("names no crate")?;
    let kind = word("informational").unwrap_or_else(|| "vulnerability".to_owned());
    let lists = [value(facts, "patched"), value(facts, "unaffected")];
    let safe: Vec<&str> = lists.into_iter().flatten().flat_map(strings).collect();
    Ok(Some([id, package, kind, safe.join(BETWEEN_RANGES)].join("\t")))
}

/// What stands behind `name = ` at the beginning of a line; a list to its bracket.
fn value<'a>(facts: &'a str, name: &str) -> Option<&'a str> {
    let mut rests = facts.split('\n').scan(facts, |rest, line| {
        let here = *rest;
        *rest = rest.get(line.len() + 1..).unwrap_or_default();
        Some(here)
    });
    let value = rests.find_map(|rest| {
        rest.strip_prefix(name)?.trim_start_matches(' ').strip_prefix('=').map(str::trim_start)
    })?;
    let end = if value.starts_with('[') { ']' } else { '\n' };
    value.split(end).next().map(str::trim)
}

/// The quoted strings of a list.
fn strings(list: &str) -> impl Iterator<Item = &str> {
    list.split('"').skip(1).step_by(2).map(str::trim)
}

impl Advisories {
    /// Reads the copy.
    ///
    /// # Errors
    ///
    /// If a line of it is not of its form.
    pub(crate) fn parse(copy: &str) -> Outcome<Self> {
        let mut lines = copy.lines();
        let head =
            lines.next().and_then(|line| line.strip_prefix(HEAD)).ok_or("the copy has no date")?;
        let day = head.split(',').next().unwrap_or(head).to_owned();
        let mut all = Vec::new();
        for line in lines {
            all.push(Advisory::parse(line).ok_or_else(|| format!("not an advisory: {line}"))?);
        }
        Ok(Self { day, all })
    }

    /// Those that concern this version of a crate.
    pub(crate) fn about(
        &self,
        package: &str,
        version: &Version,
    ) -> impl Iterator<Item = &Advisory> {
        self.all.iter().filter(move |advisory| {
            advisory.package == package
                && !advisory.safe.iter().any(|range| range.contains(version))
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}

impl Advisory {
    fn parse(line: &str) -> Option<Self> {
        let columns: [&str; 4] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
        let [id, package, kind, safe] = columns.map(str::to_owned);
        let ranges = safe.split(BETWEEN_RANGES).filter(|range| !range.is_empty());
        let safe = ranges.map(Range::parse).collect::<Option<_>>()?;
        Some(Self { id, package, kind, safe })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "\
```toml
[advisory]
id = \"RUSTSEC-2099-0001\"
package = \"leaky\"
date = \"2099-01-01\"
informational = \"unsound\"

[versions]
patched = [
    \">= 1.2.3\",
    \"^ 0.9.4\",
]
unaffected = [\"< 0.3.0\"]
```

# Leaks
patched = [\"this is prose\"]
";

    #[test]
    fn of_an_advisory_its_facts_are_kept() {
        let expected = "RUSTSEC-2099-0001\tleaky\tunsound\t>= 1.2.3 | ^ 0.9.4 | < 0.3.0";
        assert_eq!(line(WRITTEN).unwrap().unwrap(), expected);
    }

    #[test]
    fn a_withdrawn_advisory_is_left_out() {
        let withdrawn = WRITTEN.replace("date =", "withdrawn = \"2099-02-01\"\ndate =");
        assert_eq!(line(&withdrawn).unwrap(), None);
    }

    #[test]
    fn a_version_is_hit_unless_it_is_patched_or_unaffected() {
        let copy = format!("{HEAD}2099-01-01, commit 0\n{}\n", line(WRITTEN).unwrap().unwrap());
        let advisories = Advisories::parse(&copy).unwrap();
        let hits =
            |package, version| advisories.about(package, &Version::parse(version).unwrap()).count();

        assert_eq!(advisories.day, "2099-01-01");
        assert_eq!(
            ["0.2.9", "0.3.0", "0.9.3", "0.9.4", "1.2.2", "1.2.3"]
                .map(|version| hits("leaky", version)),
            [0, 1, 1, 0, 1, 0]
        );
        assert_eq!(hits("other", "1.0.0"), 0);
    }

    #[test]
    fn an_advisory_without_a_safe_version_hits_all() {
        let copy = format!("{HEAD}2099-01-01, commit 0\nRUSTSEC-2099-0002\tgone\tunmaintained\t\n");
        let advisories = Advisories::parse(&copy).unwrap();
        assert_eq!(advisories.about("gone", &Version::parse("9.9.9").unwrap()).count(), 1);
    }

    #[test]
    fn a_copy_that_is_cut_is_no_copy() {
        assert!(Advisories::parse("").is_err());
        assert!(Advisories::parse(&format!("{HEAD}2099-01-01\nRUSTSEC-2099-0002\tgone")).is_err());
    }
}
