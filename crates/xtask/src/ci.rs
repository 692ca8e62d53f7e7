//! `cargo xtask ci`: the whole pipeline, in the order in which a mistake shows soonest.

use crate::{Outcome, step::Step, test, tidy};

/// Runs every check that a change has to pass.
///
/// # Errors
///
/// At the first check that fails.
pub(crate) fn ci() -> Outcome {
    Step::cargo("fmt --all --check").run()?;
    tidy::tidy()?;
    Step::cargo("clippy --workspace --all-targets -- -D warnings").run()?;
    Step::cargo("doc --no-deps --workspace").env("RUSTDOCFLAGS", "-D warnings").run()?;
    test::everything()?;
    licences()
}

/// Runs cargo-deny where it is installed. It takes minutes to build, so a machine may do without.
fn licences() -> Outcome {
    if Step::cargo("deny --version").succeeds() {
        // The advisories need a database from the network; the rest is answered by the lock file.
        Step::cargo("deny --workspace check bans licenses sources").run()
    } else {
        println!(
            "\nskipped: `cargo deny check` (licences, banned crates, sources), because cargo-deny is not \
             installed; `cargo install cargo-deny --locked` brings it"
        );
        Ok(())
    }
}
