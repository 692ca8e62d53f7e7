//! `cargo xtask test`: every test there is, on a machine that has Rust and Python and nothing else.

use crate::{Outcome, sdk, step::Step};

/// Runs the Rust tests, then the SDK tests.
///
/// # Errors
///
/// If one of them fails.
pub(crate) fn everything() -> Outcome {
    rust()?;
    sdk()
}

/// Runs all Rust tests of the workspace.
///
/// # Errors
///
/// If a test fails or does not build.
pub(crate) fn rust() -> Outcome {
    Step::cargo("test --workspace").run()
}

/// Runs the Rust tests that take minutes and are left out otherwise, one after another.
///
/// # Errors
///
/// If a test fails or does not build.
pub(crate) fn long() -> Outcome {
    // One at a time, since some measure; their figures are to be seen.
    Step::cargo("test --workspace --tests -- --ignored --test-threads 1 --show-output").run()
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
    Step::cargo("build --workspace --bins").run()?;
    sdk::run()
}
