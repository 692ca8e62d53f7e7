//! `cargo xtask ci`: the whole pipeline, in the order in which a mistake shows soonest.

use crate::{Outcome, audit, step::Step, test, tidy};

/// Runs every check that a change has to pass.
///
/// # Errors
///
/// At the first check that fails.
pub(crate) fn ci() -> Outcome {
    Step::cargo("fmt --all --check").run()?;
    tidy::tidy()?;
    audit::audit()?;
    Step::cargo("clippy --locked --workspace --all-targets -- -D warnings").run()?;
    Step::cargo("doc --locked --no-deps --workspace").env("RUSTDOCFLAGS", "-D warnings").run()?;
    test::everything()?;
    bans()
}

/// Runs cargo-deny where it is installed. It takes minutes to build, so a machine may do without.
fn bans() -> Outcome {
    if Step::cargo("deny --version").succeeds() {
        // Licences and advisories are for `audit`, which needs nothing installed.
        Step::cargo("deny --locked --workspace check bans sources").run()
    } else {
        println!(
            "\nskipped: `cargo deny check` (banned crates, sources), because cargo-deny is not \
             installed; `cargo install cargo-deny --locked` brings it"
        );
        Ok(())
    }
}
