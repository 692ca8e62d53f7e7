//! The program: parse the command, run it, answer with its exit code.

use std::process::ExitCode;

use clap::Parser;
use gemini_balance::cli::{self, Cli};

// What a rush has taken goes back to the system within seconds; `.cargo/config.toml` has its settings.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::run(Cli::parse())
}
