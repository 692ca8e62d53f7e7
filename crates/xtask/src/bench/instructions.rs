//! `cargo xtask instructions`: how many instructions a request costs its worker, and whether that has grown.
//!
//! Instructions under Valgrind's callgrind are the same on a busy machine as on a quiet one, so this can run with the
//! tests, where seconds could not. Only the thread that serves the request is held to the bound: what the journal's
//! thread spends depends on how many rows fall into one transaction, and so on time.
//!
//! The figures are those of the release build by the compiler of the day. A new compiler, or a change that is worth its
//! price, writes them anew with `--write`; the commit says why.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    cell::{BURST, Cell, JSON_1, PACED},
    figures::number,
    measure,
    stage::{self, Pair},
};
use crate::{Outcome, packages, step::Step, workspace};

const USAGE: &str = "instructions takes --write and nothing else";
const BASELINE: &str = "crates/xtask/src/bench/instructions.txt";
/// How much more than the baseline is still taken for the same.
const GROWTH_MAX: f64 = 1.05;
/// Connections are made and code is touched for the first time before anything counts.
const WARM_UP_SECONDS: u32 = 2;
const SECONDS: u32 = 5;
/// What only the thread that serves requests has run.
const SERVES: &str = "gemini_balance::proxy::";

/// One request after another, since with several at once their interleaving would count.
const CELLS: [(&str, &Cell); 3] = [
    ("json", JSON_1),
    ("stream of 20 events at once", &Cell { connections: 1, ..*BURST }),
    ("stream of 50 events 20 ms apart", &Cell { connections: 16, ..*PACED }),
];

/// What one request costs, in instructions.
struct Cost {
    cell: &'static str,
    /// On the thread that serves it.
    worker: f64,
    /// On all threads: journal, log and timers as well.
    all: f64,
}

/// Counts, and compares with the baseline, or writes it if the words say so.
///
/// # Errors
///
/// If a request costs more than the baseline by over 5 %, or something does not build or run.
pub(crate) fn instructions(words: &[&str]) -> Outcome {
    let is_written = match words {
        [] => false,
        ["--write"] => true,
        _ => return Err(USAGE.into()),
    };
    let valgrind = packages::program("valgrind", &["valgrind"])?;
    Step::cargo("build --locked --release --package gemini-balance").run()?;
    Step::cargo("build --locked --release --package load").run()?;

    let costs = count(&valgrind)?;
    if is_written {
        let lines = costs.iter().map(|cost| format!("{}: {:.0}\n", cost.cell, cost.worker));
        fs::write(workspace::root().join(BASELINE), lines.collect::<String>())?;
        println!("{BASELINE} was written");
        return Ok(());
    }
    compare(&costs, &fs::read_to_string(workspace::root().join(BASELINE))?)
}

fn count(valgrind: &Path) -> Outcome<Vec<Cost>> {
    let folder = workspace::target()?.join("instructions");
    let counts = folder.join("counts");
    let mut tool = Command::new(valgrind);
    tool.args(["--tool=callgrind", "--separate-threads=yes"])
        .arg(format!("--callgrind-out-file={}", counts.display()));
    let pair = Pair::build(&folder, tool)?;
    let mut costs = Vec::new();
    for (part, (name, cell)) in CELLS.into_iter().enumerate() {
        run(&pair, cell, WARM_UP_SECONDS)?;
        dump(&pair)?;
        let requests = run(&pair, cell, SECONDS)?;
        dump(&pair)?;
        // Each dump begins anew; the second of each cell holds what was asked for.
        let [worker, all] = read(&folder, &format!("counts.{}-", 2 * part + 2))?;
        let cost = Cost { cell: name, worker: worker / requests, all: all / requests };
        println!(
            "{name}: {:.0} instructions on its worker, {:.0} on all threads ({requests} requests)",
            cost.worker, cost.all
        );
        costs.push(cost);
    }
    Ok(costs)
}

/// Puts the load on the gateway and returns how many requests it answered.
fn run(pair: &Pair, cell: &Cell, seconds: u32) -> Outcome<f64> {
    let mut load = measure::load(pair.gateway.port(), pair.gateway.user_key(), cell, seconds)?;
    let line = load.stderr(Stdio::inherit()).output()?.stdout;
    let line = String::from_utf8_lossy(&line);
    match (number(&line, "requests"), number(&line, "errors")) {
        (Some(requests), Some(0.0)) if 0.0 < requests => Ok(requests),
        _ => Err(format!("the load was not answered: {line}").into()),
    }
}

fn dump(pair: &Pair) -> Outcome {
    let mut control = Command::new("callgrind_control");
    control.arg("--dump").arg(pair.gateway.id().to_string());
    // Valgrind names its pipe after this variable, which is a setting of the gateway's.
    control.env("HOST", stage::HOST);
    let output = control.output().map_err(|error| format!("callgrind_control: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("callgrind_control: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// Reads a dump, one file per thread: the instructions of the thread that serves, and of all.
fn read(folder: &Path, prefix: &str) -> Outcome<[f64; 2]> {
    let is_of_the_dump = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    let mut sums = [0.0; 2];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_of_the_dump(&path) {
            let text = fs::read_to_string(&path)?;
            let total = total(&text).ok_or_else(|| format!("no total in {}", path.display()))?;
            let [worker, all] = &mut sums;
            *all += total;
            if text.contains(SERVES) {
                *worker += total;
            }
        }
    }
    match sums {
        [0.0, _] => Err(format!("no thread of {prefix} has served a request").into()),
        sums => Ok(sums),
    }
}

/// The line `totals: N` of a dump, as in the manual of callgrind.
fn total(dump: &str) -> Option<f64> {
    let line = dump.lines().rev().find_map(|line| line.strip_prefix("totals:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn compare(costs: &[Cost], baseline: &str) -> Outcome {
    let mut grown = Vec::new();
    for Cost { cell, worker, all: _ } in costs {
        let before = baseline.lines().find_map(|line| line.strip_prefix(cell)?.strip_prefix(": "));
        let before: f64 = before.ok_or_else(|| format!("{BASELINE} lacks `{cell}`"))?.parse()?;
        if before * GROWTH_MAX < *worker {
            let percent = (worker / before - 1.0) * 100.0;
            grown.push(format!("{cell}: {worker:.0} instead of {before:.0}, {percent:.1} % more"));
        }
    }
    if grown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "a request costs its worker more instructions than it did:\n{}\nIf it is worth it, `cargo xtask instructions \
         --write` says so",
        grown.join("\n")
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_grown_by_more_than_a_twentieth_is_an_error() {
        check(104.0, true);
        check(90.0, true);
        check(106.0, false);
    }

    fn check(worker: f64, is_fine: bool) {
        let costs = [Cost { cell: "json", worker, all: 0.0 }];
        assert_eq!(compare(&costs, "stream: 7\njson: 100\n").is_ok(), is_fine);
    }

    #[test]
    fn a_cell_without_a_baseline_is_an_error() {
        assert!(compare(&[Cost { cell: "json", worker: 1.0, all: 1.0 }], "").is_err());
    }

    #[test]
    fn the_total_of_a_dump_is_its_last_line_of_totals() {
        assert_eq!(total("events: Ir\nfn=(1) main\n12 5\ntotals: 4711\n"), Some(4711.0));
        assert_eq!(total("events: Ir\n"), None);
    }
}
