//! `cargo xtask rows`: what a log of ten million rows, or of as many as one likes, costs those who ask it and those who do
//! not.
//!
//! The runs themselves are house tests, `tests/it/many_rows`, that other runs leave out; they compare with the
//! predecessor's SQL, too. `docs/performance.md` tells how to read the result.

use std::fs;

use crate::{
    Outcome,
    bench::{machine, page},
    step::Step,
    workspace,
};

/// How many, if nobody says otherwise.
const ROWS: &str = "10000000";
const USAGE: &str = "rows takes --write and a number of rows, a multiple of 1000000";
const TESTS: [&str; 2] = [
    "many_rows::many_rows_are_looked_at_and_pruned_beside_the_callers",
    "many_rows::a_question_finds_what_is_there_among_many_rows_and_in_time",
];

/// Measures, and puts the tables into the page if the words say so.
///
/// # Errors
///
/// If the words are not understood, something does not build, or a run fails.
pub(crate) fn rows(words: &[&str]) -> Outcome {
    let (rows, is_written) = plan(words)?;
    Step::cargo("build --release --bin gemini-balance").run()?;
    let report = workspace::target()?.join("rows.md");
    fs::write(&report, "")?;
    for test in TESTS {
        Step::cargo("test --profile measure -p gemini-balance --test it --")
            .words("--ignored --exact --nocapture")
            .argument(test)
            .env("LOG_ROWS", rows)
            .env("ROWS_REPORT", &report)
            .env("GEMINI_BALANCE_PROGRAM", workspace::program("release", "gemini-balance")?)
            .run()?;
    }
    let text = format!(
        "{}. Load average of the machine over the last quarter of an hour: {}; the run alone makes \
         about 1.\n\n{}",
        machine::named()?,
        machine::load()?,
        fs::read_to_string(report)?.trim_end()
    );
    println!("\n{text}");
    if is_written { page::write("rows", &text) } else { Ok(()) }
}

fn plan<'a>(words: &[&'a str]) -> Outcome<(&'a str, bool)> {
    let is_million =
        |rows: &str| rows.parse().is_ok_and(|rows: u64| 0 < rows && rows.is_multiple_of(1_000_000));
    match words {
        [] => Ok((ROWS, false)),
        ["--write"] => Ok((ROWS, true)),
        [rows] if is_million(rows) => Ok((rows, false)),
        ["--write", rows] if is_million(rows) => Ok((rows, true)),
        _ => Err(USAGE.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_how_many_rows_there_are() {
        check(&[], Some((ROWS, false)));
        check(&["--write"], Some((ROWS, true)));
        check(&["2000000"], Some(("2000000", false)));
        check(&["--write", "1000000"], Some(("1000000", true)));
        check(&["0"], None);
        check(&["1500"], None);
        check(&["many"], None);
    }

    fn check(words: &[&str], expected: Option<(&str, bool)>) {
        assert_eq!(plan(words).ok(), expected);
    }
}
