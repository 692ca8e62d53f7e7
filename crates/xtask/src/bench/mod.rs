//! `cargo xtask bench`: what the gateway costs beside nginx, in the same run, on the same core.
//!
//! Three servers are asked in turn – the upstream itself, nginx before it, the gateway before it –
//! and again, round after round, so that whatever else the machine does falls on all of them.
//! `docs/performance.md` tells how to read the result.

mod cell;
mod figures;
mod instructions;
pub(crate) mod machine;
mod measure;
mod memory;
mod nginx;
pub(crate) mod page;
mod process;
mod report;
mod scale;
mod stage;
mod targets;

use cell::CELLS;
pub(crate) use instructions::instructions;
use measure::Sample;
use stage::{Server, Stage};

use crate::{Outcome, step::Step, workspace};

const USAGE: &str = "bench takes --quick, --write and a number of rounds, 1 to 100";
const ROUNDS: usize = 5;
/// Long enough for CPU time in ticks of 10 ms to mean something.
const CELL_SECONDS: u32 = 5;
const CELL_SECONDS_QUICK: u32 = 1;

/// How much is measured, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// How often each server is asked in each cell.
    pub(crate) rounds: usize,
    /// How long each time.
    pub(crate) seconds: u32,
    is_written: bool,
}

/// Measures, prints the tables, and writes them into the page if the words say so.
///
/// # Errors
///
/// If the words are not understood, something is missing or does not build, or a program ends.
pub(crate) fn bench(words: &[&str]) -> Outcome {
    let plan = plan(words)?;
    stage::check_tools()?;
    // Apart, so that the gateway is built as it ships, without the other's features.
    Step::cargo("build --release --package gemini-balance").run()?;
    Step::cargo("build --release --package load").run()?;
    Step::cargo("build --release --package keypool --example lease_cost").run()?;

    let folder = workspace::target()?.join("bench");
    let stage = Stage::build(&folder)?;
    let memory = memory::measure(&stage, plan.seconds)?;
    let scale = scale::measure(&stage, &folder, plan)?;
    let mut rows = Vec::new();
    for cell in CELLS {
        let mut rounds = Vec::new();
        for round in 1..=plan.rounds {
            eprint!("{}, round {round} of {}:", cell.name, plan.rounds);
            let mut samples = [Sample::default(); 3];
            for (server, sample) in Server::ALL.into_iter().zip(&mut samples) {
                *sample = measure::measure(&stage, server, cell, plan.seconds)?;
                eprint!("  {} {:.0}/s", server.name(), sample.requests_per_second);
            }
            eprintln!();
            rounds.push(samples);
        }
        rows.push(report::Row { cell, rounds });
    }

    let text = report::report(&rows, &memory, &scale, &machine::describe(plan)?);
    println!("{text}");
    if plan.is_written { page::write("bench", &text) } else { Ok(()) }
}

fn plan(words: &[&str]) -> Outcome<Plan> {
    let mut plan = Plan { rounds: ROUNDS, seconds: CELL_SECONDS, is_written: false };
    for &word in words {
        match word {
            "--quick" => (plan.rounds, plan.seconds) = (1, CELL_SECONDS_QUICK),
            "--write" => plan.is_written = true,
            number => {
                let rounds = number.parse().ok().filter(|rounds| (1..=100).contains(rounds));
                plan.rounds = rounds.ok_or(USAGE)?;
            }
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_how_much_is_measured() {
        check(&[], Some((5, 5, false)));
        check(&["--quick"], Some((1, 1, false)));
        check(&["--write", "9"], Some((9, 5, true)));
        check(&["--quick", "3"], Some((3, 1, false)));
        check(&["0"], None);
        check(&["--fast"], None);
    }

    fn check(words: &[&str], expected: Option<(usize, u32, bool)>) {
        let found = plan(words).ok().map(|plan| (plan.rounds, plan.seconds, plan.is_written));
        assert_eq!(found, expected);
    }
}
