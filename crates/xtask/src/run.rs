//! `cargo xtask run`: the gateway as its users get it, from a fresh clone with one command.

use std::{os::unix::process::CommandExt, process::Command};

use crate::{Outcome, step::Step, web, workspace};

/// Builds the gateway for release and becomes it, so that every signal reaches the gateway itself.
///
/// # Errors
///
/// If the build fails or the gateway cannot be started.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    if workspace::program("release", "gemini-balance").is_err() {
        println!("The first release build takes a few minutes; later ones take seconds.");
    }
    web::build_if_possible()?;
    Step::cargo("build --release --package gemini-balance").run()?;
    let gateway = workspace::program("release", "gemini-balance")?;
    if arguments.is_empty() {
        println!(
            "The gateway listens on http://localhost:8090 unless PORT says otherwise; Ctrl-C ends it."
        );
    }
    let error = Command::new(gateway).args(arguments).exec();
    Err(format!("the gateway cannot start: {error}").into())
}
