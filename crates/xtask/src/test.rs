//! `cargo xtask test`: every test there is, on a machine that has Rust, Python and Node; a browser is
//! installed where that is possible.

use crate::{Outcome, bench, sdk, step::Step, web, workspace};

/// In how many orders each scenario is tried if nobody says otherwise, by either scheduler.
pub(crate) const ORDERS: &str = "2000";

/// Runs the tests of the web UI, the Rust tests, the count of instructions, the concurrent core in many orders, the SDK tests, and
/// the tests in a browser.
///
/// # Errors
///
/// If one of them fails.
pub(crate) fn everything() -> Outcome {
    web::test()?;
    rust()?;
    bench::instructions(&[])?;
    interleavings(ORDERS)?;
    sdk()?;
    web::end_to_end(&[])
}

/// Runs all Rust tests of the workspace.
///
/// # Errors
///
/// If a test fails or does not build.
pub(crate) fn rust() -> Outcome {
    Step::cargo("test --locked --workspace").run()
}

/// Tries the steps of the concurrent core in many orders; a crate of its own, since its `tokio` and
/// `parking_lot` are others.
///
/// # Errors
///
/// If the number is none, a scenario fails, or does not build.
pub(crate) fn interleavings(orders: &str) -> Outcome {
    let orders: u32 =
        orders.parse().map_err(|_| format!("`{orders}` is not a number of orders"))?;
    Step::cargo("test --locked --manifest-path interleavings/Cargo.toml --target-dir")
        .argument(workspace::target()?.join("interleavings"))
        .env("INTERLEAVINGS", orders.to_string())
        .run()
}

/// Runs the house tests that take minutes and are left out otherwise, one after another; those with
/// a process of its own on the release build. The soak is a chore of its own.
///
/// # Errors
///
/// If a test fails or does not build.
pub(crate) fn long() -> Outcome {
    Step::cargo("build --locked --release --bin gemini-balance").run()?;
    // One at a time, since some measure: their figures are to be seen, and who looks on must be no burden.
    Step::cargo("test --locked --profile measure --package gemini-balance --test it --")
        .words("--ignored --skip soak:: --test-threads 1 --show-output")
        .env("GEMINI_BALANCE_PROGRAM", workspace::program("release", "gemini-balance")?)
        .run()
}

/// Runs the tests that drive the official SDKs against the gateway, built with the development
/// profile.
///
/// # Errors
///
/// If a test fails, or the SDKs cannot be installed.
pub(crate) fn sdk() -> Outcome {
    // The whole workspace, so that cargo chooses the same features as for its tests and builds
    // nothing twice.
    Step::cargo("build --locked --workspace --bins").run()?;
    sdk::run()
}
