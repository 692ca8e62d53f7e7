//! `cargo xtask soak`: the release build under mixed traffic, every fault, restarts and sudden
//! deaths, for as long as one likes.
//!
//! The run itself is a house test, `tests/it/soak`, that other runs leave out.

use crate::{Outcome, step::Step, workspace};

/// How long, if nobody says otherwise, in minutes.
pub(crate) const MINUTES: &str = "5";

/// Runs for so many minutes.
///
/// # Errors
///
/// If the time is no number, something does not build, or the run finds a fault.
pub(crate) fn soak(minutes: &str) -> Outcome {
    minutes.parse::<f64>().map_err(|_| format!("`{minutes}` is not a number of minutes"))?;
    Step::cargo("build --release").run()?;
    Step::cargo("test -p gemini-balance --test it -- --ignored --exact --nocapture")
        .words("soak::a_long_life_of_traffic_faults_and_restarts_leaves_nothing_over_and_nothing_missing")
        .env("SOAK_MINUTES", minutes)
        .env("GEMINI_BALANCE_PROGRAM", workspace::program("release", "gemini-balance")?)
        .run()
}
