//! The program: parse the command, run it, answer with its exit code.

use std::process::ExitCode;

use clap::Parser;
use gemini_balance::cli::{self, Cli};

fn main() -> ExitCode {
    cli::run(Cli::parse())
}
