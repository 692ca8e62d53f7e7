//! `cargo xtask fuzz`: looks for bytes that break a law of the parsers.
//!
//! Needs the nightly toolchain and cargo-fuzz, so it is no part of `ci`; what it found and was kept in
//! `fuzz/corpus` is, as tests of the crates whose parsers they are. Inputs that are only interesting stay in the
//! folder of build results.

use std::fs;

use crate::{Outcome, step::Step, workspace};

/// How long each target runs if nobody says otherwise, in seconds.
pub(crate) const SECONDS: &str = "60";

/// Short inputs are tried faster than long ones; one that takes ten seconds is a finding too.
const LIMITS: &str = "-max_len=2048 -timeout=10 -print_final_stats=1";

/// Runs every fuzz target in turn, each for as many seconds as `seconds` says.
///
/// # Errors
///
/// If the time is no number, nightly or cargo-fuzz is missing, or a target broke a law; the last
/// lines of its output then name the input.
pub(crate) fn fuzz(seconds: &str) -> Outcome {
    let seconds: u32 =
        seconds.parse().map_err(|_| format!("`{seconds}` is not a number of seconds"))?;
    if !Step::new("rustup").words("run nightly rustc --version").succeeds() {
        return Err("fuzzing needs the nightly toolchain; \
                    `rustup toolchain install nightly --profile minimal` brings it"
            .into());
    }
    if !Step::nightly("fuzz --version").succeeds() {
        return Err(
            "fuzzing needs cargo-fuzz; `cargo install cargo-fuzz --locked` brings it".into()
        );
    }
    for target in targets()? {
        let found = workspace::target()?.join("fuzz").join("corpus").join(&target);
        fs::create_dir_all(&found)?;
        // In safe Rust a sanitizer finds nothing, and without one inputs are tried ten times as fast.
        Step::nightly("fuzz run --sanitizer none")
            .words(&target)
            .argument(&found)
            .argument(workspace::root().join("fuzz/corpus").join(&target))
            .words("--target-dir")
            .argument(workspace::target()?.join("fuzz"))
            .words(&format!("-- -max_total_time={seconds} {LIMITS}"))
            .run()?;
    }
    Ok(())
}

/// Returns the names of the fuzz targets, in order.
fn targets() -> Outcome<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(workspace::root().join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        targets.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}
