//! `cargo xtask audit`: what the lock files bring in, against what is known and what is allowed.
//!
//! Works without a network and without further tools. Advisories are read from a dated copy; what
//! may be ignored and which licences are allowed stands in `deny.toml`, for cargo-deny as well.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    Outcome,
    advisories::{self, Advisories},
    licences, npm, python,
    version::Version,
    workspace,
};

/// After so many days a copy of the advisories is called old.
const COPY_DAYS_MAX: u64 = 60;
const LOCKS: &[&str] = &["Cargo.lock", "fuzz/Cargo.lock", "interleavings/Cargo.lock"];
const RULES: &str = "deny.toml";

/// An advisory that a person has decided to live with until a day.
#[derive(Debug, PartialEq, Eq)]
struct Waiver {
    id: String,
    /// Its last day, in days since 1970.
    until: u64,
}

/// Checks every dependency.
///
/// # Errors
///
/// If there is a finding, or a file cannot be read.
pub(crate) fn audit() -> Outcome {
    let rules = read(RULES)?;
    let allowed = licences::allowed(&rules);
    let mut findings = licences::findings(&allowed)?;
    for file in npm::LOCKS {
        findings.extend(npm::findings(file, &read(file)?, &allowed));
    }
    for lock in python::LOCKS {
        findings.extend(python::findings(lock, &read(lock)?));
    }
    let copy = advisories::path();
    if advisories::should_be_there() {
        findings.extend(known(&copy, &rules)?);
    } else {
        println!(
            "\nNOT CHECKED: advisories, because there is no {}; `cargo xtask advisories DIR` makes \
             it from a checkout of RustSec's database",
            copy.display()
        );
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        println!("audit: every dependency is allowed");
        Ok(())
    } else {
        Err(format!("{} findings; what may be allowed stands in {RULES}", findings.len()).into())
    }
}

/// Holds the lock files against the copy of the advisories. An old copy is worth a warning only:
/// nobody's checkout breaks because time has passed.
fn known(copy: &Path, rules: &str) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    let advisories = Advisories::parse(&text)?;
    let today = today()?;
    let made = day(&advisories.day).ok_or("the day of the copy is no day")?;
    if today > made + COPY_DAYS_MAX {
        let age = today - made;
        println!("\nOLD: the advisories are of {}, {age} days ago", advisories.day);
    }
    let (waivers, mut findings) = waivers(rules);
    for lock in LOCKS {
        findings.extend(hits(lock, &read(lock)?, &advisories, &waivers, today));
    }
    println!("audit: {} advisories, as of {}", advisories.len(), advisories.day);
    Ok(findings)
}

fn hits(
    file: &str,
    lock: &str,
    advisories: &Advisories,
    waivers: &[Waiver],
    today: u64,
) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, version) in locked(lock) {
        let Some(version_read) = Version::parse(version) else {
            findings.push(format!("{file}: {name} {version} is no version"));
            continue;
        };
        for advisory in advisories.about(name, &version_read) {
            let is_waived = |waiver: &Waiver| waiver.id == advisory.id && today <= waiver.until;
            if !waivers.iter().any(is_waived) {
                let (id, kind) = (&advisory.id, &advisory.kind);
                findings.push(format!("{file}: {name} {version}: {id} ({kind})"));
            }
        }
    }
    findings
}

/// Returns name and version of every package in a lock file of cargo that comes from elsewhere.
fn locked(lock: &str) -> impl Iterator<Item = (&str, &str)> {
    lock.split("[[package]]").skip(1).filter_map(|package| {
        let value = |name| {
            let mut lines = package.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
        };
        value("source")?;
        Some((value("name")?, value("version")?))
    })
}

/// Reads the waivers, lines like `{ id = "RUSTSEC-…", reason = "until 2027-01-31: …" },`, and what
/// is wrong with them.
fn waivers(rules: &str) -> (Vec<Waiver>, Vec<String>) {
    let (mut waivers, mut findings) = (Vec::new(), Vec::new());
    let is_waiver = |line: &&str| line.contains("RUSTSEC-") && !line.trim_start().starts_with('#');
    for line in rules.lines().filter(is_waiver) {
        match waiver(line) {
            Some(waiver) => waivers.push(waiver),
            None => findings.push(format!(
                "{RULES}: a waiver says `reason = \"until YEAR-MONTH-DAY: why\"`: {}",
                line.trim()
            )),
        }
    }
    (waivers, findings)
}

fn waiver(line: &str) -> Option<Waiver> {
    let (_, id) = line.split_once("id = \"")?;
    let (id, rest) = id.split_once('"')?;
    let (_, reason) = rest.split_once("reason = \"until ")?;
    let (until, why) = reason.split_once(':')?;
    let is_reasoned = why.chars().any(char::is_alphabetic);
    Some(Waiver { id: id.to_owned(), until: day(until)? }).filter(|_| is_reasoned)
}

#[expect(clippy::disallowed_methods, reason = "the age of the copy and of waivers is real time")]
fn today() -> Outcome<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400)
}

/// Reads `2026-11-23` as days since 1970, counted as Howard Hinnant's `days_from_civil`.
fn day(text: &str) -> Option<u64> {
    let parts: Vec<u64> = text.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day] = parts.try_into().ok()?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + day_of_year).checked_sub(719_468)
}

fn read(path: &str) -> Outcome<String> {
    let path = workspace::root().join(path);
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"ours\"\nversion = \"0.0.0\"\n\n\
        [[package]]\nname = \"leaky\"\nversion = \"1.2.2\"\nsource = \"registry\"\n";
    const COPY: &str = "# RustSec as of 2099-01-01, commit 0\n\
        RUSTSEC-2099-0001\tleaky\tvulnerability\t>= 1.2.3\n\
        RUSTSEC-2099-0002\tours\tvulnerability\t\n";
    const HIT: &str = "Cargo.lock: leaky 1.2.2: RUSTSEC-2099-0001 (vulnerability)";

    #[test]
    fn a_hit_without_a_waiver_is_a_finding() {
        check("", &[HIT]);
        check("{ id = \"RUSTSEC-2099-0009\", reason = \"until 2099-02-01: other\" },", &[HIT]);
    }

    #[test]
    fn a_waiver_counts_to_its_day_and_needs_a_reason() {
        check("{ id = \"RUSTSEC-2099-0001\", reason = \"until 2099-01-10: not reachable\" },", &[]);
        check(
            "{ id = \"RUSTSEC-2099-0001\", reason = \"until 2099-01-09: not reachable\" },",
            &[HIT],
        );
        for reason in ["until 2099-01-10: ", "not reachable", "until soon: not reachable"] {
            let rule = format!("{{ id = \"RUSTSEC-2099-0001\", reason = \"{reason}\" }},");
            assert_eq!(waivers(&rule).1.len(), 1, "{reason}");
            check(&rule, &[HIT]);
        }
    }

    #[test]
    fn days_are_counted_over_leap_years() {
        let days = ["1970-01-01", "2000-02-29", "2000-03-01", "2026-11-23"].map(day);
        assert_eq!(days, [Some(0), Some(11_016), Some(11_017), Some(20_780)]);
        assert_eq!(["", "2026-13-01", "2026-11", "yesterday"].map(day), [None; 4]);
    }

    fn check(rules: &str, expected: &[&str]) {
        let advisories = Advisories::parse(COPY).unwrap();
        let today = day("2099-01-10").unwrap();
        assert_eq!(hits("Cargo.lock", LOCK, &advisories, &waivers(rules).0, today), expected);
    }
}
