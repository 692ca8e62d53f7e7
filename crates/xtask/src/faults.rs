//! Keeps `docs/faults.md` true: every row there once, every test that it names in the tree.

use std::fs;

use crate::{Outcome, workspace};

const PAGE: &str = "docs/faults.md";

/// The ids of the rows, by group. What is left out never was or was given up; numbers are not used
/// again.
const GROUPS: [(char, &[u8]); 12] = [
    ('A', &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ('B', &[1, 2, 4, 5, 6, 7, 8, 9]),
    ('C', &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ('D', &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ('E', &[1, 2, 3, 4, 5, 6, 7]),
    ('F', &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20]),
    ('G', &[1, 2, 4, 5, 6, 7, 8]),
    ('H', &[1, 2, 3, 4, 5, 6, 8]),
    ('I', &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
    ('J', &[1, 2, 3, 4, 5, 6]),
    ('K', &[1, 2, 3, 4, 5, 6]),
    ('L', &[1, 2, 3]),
];

/// Returns what is wrong with the page of faults.
///
/// # Errors
///
/// If the page cannot be read.
pub(crate) fn findings() -> Outcome<Vec<String>> {
    let page = fs::read_to_string(workspace::root().join(PAGE))?;
    Ok(findings_in(&page, source))
}

/// Reads the file that a path of the page stands for.
fn source(path: &str) -> Option<String> {
    let root = workspace::root();
    let path = match path.split_once('/')? {
        ("it", below) => root.join("crates/gemini-balance/tests/it").join(below),
        ("sdk", below) => root.join("tests/sdk").join(below),
        ("interleavings", _) => root.join(path),
        _ => root.join("crates").join(path),
    };
    fs::read_to_string(path).ok()
}

fn findings_in(page: &str, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut findings = Vec::new();
    let mut missing: Vec<String> = GROUPS
        .iter()
        .flat_map(|(group, numbers)| numbers.iter().map(move |number| format!("{group}{number}")))
        .collect();
    for (number, line) in (1..).zip(page.lines()) {
        let mut find = |what: String| findings.push(format!("{PAGE}:{number}: {what}"));
        let Some([id, _, held_by, not_held]) = cells(line) else {
            continue;
        };
        if matches!(id, "id" | "---") {
            continue;
        }
        match missing.iter().position(|other| other == id) {
            Some(at) => {
                missing.remove(at);
            }
            None => find(format!("{id} is there twice, or no row of the table")),
        }
        let tests: Vec<&str> = held_by.split('`').filter(|word| word.contains("::")).collect();
        if tests.is_empty() && not_held.chars().count() < 2 {
            find(format!("{id} has neither a test nor a reason"));
        }
        for test in tests {
            if !is_there(test, &source) {
                find(format!("there is no test {test}"));
            }
        }
    }
    findings.extend(missing.iter().map(|id| format!("{PAGE}: {id} is missing")));
    findings
}

/// The four cells of a row of a table.
fn cells(line: &str) -> Option<[&str; 4]> {
    let row = line.strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    cells.try_into().ok()
}

/// Whether `path::name` is a function in that file.
fn is_there(test: &str, source: impl Fn(&str) -> Option<String>) -> bool {
    let Some((path, name)) = test.split_once("::") else {
        return false;
    };
    let word = if path.ends_with(".py") { "def" } else { "fn" };
    source(path).is_some_and(|text| text.contains(&format!("{word} {name}(")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_row_once_and_only_tests_that_exist() {
        assert_eq!(findings().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_row_that_is_missing_doubled_or_empty_is_found() {
        check("| A1 | c | – | not yet |\n", None);
        check("", Some("docs/faults.md: A1 is missing"));
        let doubled = "docs/faults.md:2: A1 is there twice, or no row of the table";
        check("| A1 | c | – | not yet |\n| A1 | c | – | not yet |\n", Some(doubled));
        check("| A1 | c | – | – |\n", Some("docs/faults.md:1: A1 has neither a test nor a reason"));
    }

    #[test]
    fn a_test_that_is_not_in_its_file_is_found() {
        check("| A1 | c | `it/x.rs::there` | – |", None);
        check("| A1 | c | `sdk/x.py::there` | – |", None);
        let gone = "docs/faults.md:1: there is no test it/x.rs::gone";
        check("| A1 | c | `it/x.rs::there`<br>`it/x.rs::gone` | – |", Some(gone));
    }

    /// The one finding about row A1; the others are missing, of course.
    fn check(page: &str, expected: Option<&str>) {
        let source = |path: &str| {
            let word = if path.ends_with(".py") { "def" } else { "async fn" };
            Some(format!("{word} there() {{}}"))
        };

        let findings = findings_in(page, source);

        let is_about_a1 = |finding: &&String| {
            !finding.ends_with("is missing") || finding.as_str() == "docs/faults.md: A1 is missing"
        };
        let about_a1: Vec<&str> = findings.iter().filter(is_about_a1).map(String::as_str).collect();
        assert_eq!(about_a1, Vec::from_iter(expected));
    }
}
